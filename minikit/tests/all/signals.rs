//! Signals and exhaustion, from outside: the echo engine as a process.

use std::process::Command;

use crate::engine::{connect, echo_program, start};
use minikit::harness::{Server, Signal, wait_until};

fn echo(args: &[&str]) -> Server {
    let mut command = Command::new(echo_program());
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(args);
    start(command)
}

fn drains_on(signal: Signal) {
    let engine = echo(&["--threads", "2"]);
    let mut clients = (0..4).map(|_| connect(&engine)).collect::<Vec<_>>();
    for client in &mut clients {
        assert_eq!(client.ask("hello").as_deref(), Some("hello"));
    }
    engine.program.signal(signal);
    for client in &mut clients {
        assert_eq!(client.line().as_deref(), Some("bye"), "everyone is told");
        assert_eq!(client.ask("more").as_deref(), Some("more"), "and may finish");
    }
    // Each core closes its listener by itself, so the last may be open a moment longer than the
    // first.
    wait_until("nobody listens", || std::net::TcpStream::connect(&engine.address).is_err());
    drop(clients);
    let ready = format!("miniecho listening on {}\n", engine.address);
    let ended = engine.program.end();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, ready, "nothing follows the ready line");
    assert!(ended.stderr.contains("shutting down"), "{}", ended.stderr);
}

#[test]
fn sigterm_drains() {
    drains_on(Signal::TERM);
}

#[test]
fn ctrl_c_drains() {
    drains_on(Signal::INT);
}

#[test]
fn a_second_signal_leaves_at_once() {
    let engine = echo(&["--drain-timeout", "3600"]);
    let mut client = connect(&engine);
    assert_eq!(client.ask("hello").as_deref(), Some("hello"));
    engine.program.signal(Signal::TERM);
    assert_eq!(client.line().as_deref(), Some("bye"));
    engine.program.signal(Signal::INT);
    assert_eq!(client.line(), None, "cut");
    let ended = engine.program.end();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("leaving at once"), "{}", ended.stderr);
}

#[test]
fn a_client_that_stays_is_cut_when_the_time_is_over() {
    let engine = echo(&["--drain-timeout", "0"]);
    let mut client = connect(&engine);
    assert_eq!(client.ask("hello").as_deref(), Some("hello"));
    engine.program.signal(Signal::TERM);
    let ended = engine.program.end();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stderr.contains("cutting connections"), "{}", ended.stderr);
}

/// With 32 descriptors, 40 clients do not fit. The ones inside are served, and each that leaves
/// makes room for one that waits.
#[test]
fn out_of_descriptors_is_a_pause_and_no_end() {
    let limited = format!(
        "ulimit -n 32; exec {} serve --listen 127.0.0.1:0 --threads 1",
        echo_program().display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &limited]);
    let engine = start(command);
    let clients = (0..40).map(|_| connect(&engine)).collect::<Vec<_>>();
    for mut client in clients {
        assert_eq!(client.ask("hello").as_deref(), Some("hello"));
    }
    engine.program.signal(Signal::TERM);
    let ended = engine.program.end();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stderr.contains("cannot accept clients"), "{}", ended.stderr);
}
