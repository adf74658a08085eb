//! Signals and exhaustion, from outside: the echo engine as a process.

use std::process::Command;

use crate::engine::{Engine, echo_program};
use minikit::wait::wait_until;

fn echo(args: &[&str]) -> Engine {
    let listen = ["serve", "--listen", "127.0.0.1:0"];
    Engine::start(Command::new(echo_program()).args(listen).args(args))
}

fn drains_on(signal: &str) {
    let engine = echo(&["--threads", "2"]);
    let mut clients = (0..4).map(|_| engine.connect()).collect::<Vec<_>>();
    for client in &mut clients {
        assert_eq!(client.ask("hello").as_deref(), Some("hello"));
    }
    engine.signal(signal);
    for client in &mut clients {
        assert_eq!(client.line().as_deref(), Some("bye"), "everyone is told");
        assert_eq!(client.ask("more").as_deref(), Some("more"), "and may finish");
    }
    // Each core closes its listener by itself, so the last may be open a moment longer than the
    // first.
    wait_until("nobody listens", || std::net::TcpStream::connect(&engine.address).is_err());
    drop(clients);
    let (status, out, err) = engine.wait();
    assert_eq!(status.code(), Some(0), "{err}");
    assert_eq!(out, "", "nothing follows the ready line");
    assert!(err.contains("shutting down"), "{err}");
}

#[test]
fn sigterm_drains() {
    drains_on("TERM");
}

#[test]
fn ctrl_c_drains() {
    drains_on("INT");
}

#[test]
fn a_second_signal_leaves_at_once() {
    let engine = echo(&["--drain-timeout", "3600"]);
    let mut client = engine.connect();
    assert_eq!(client.ask("hello").as_deref(), Some("hello"));
    engine.signal("TERM");
    assert_eq!(client.line().as_deref(), Some("bye"));
    engine.signal("INT");
    assert_eq!(client.line(), None, "cut");
    let (status, _, err) = engine.wait();
    assert_eq!(status.code(), Some(1));
    assert!(err.contains("leaving at once"), "{err}");
}

#[test]
fn a_client_that_stays_is_cut_when_the_time_is_over() {
    let engine = echo(&["--drain-timeout", "0"]);
    let mut client = engine.connect();
    assert_eq!(client.ask("hello").as_deref(), Some("hello"));
    engine.signal("TERM");
    let (status, _, err) = engine.wait();
    assert_eq!(status.code(), Some(0));
    assert!(err.contains("cutting connections"), "{err}");
}

/// With 32 descriptors, 40 clients do not fit. The ones inside are served, and each that leaves
/// makes room for one that waits.
#[test]
fn out_of_descriptors_is_a_pause_and_no_end() {
    let limited = format!(
        "ulimit -n 32; exec {} serve --listen 127.0.0.1:0 --threads 1",
        echo_program().display()
    );
    let engine = Engine::start(Command::new("sh").args(["-c", &limited]));
    let clients = (0..40).map(|_| engine.connect()).collect::<Vec<_>>();
    for mut client in clients {
        assert_eq!(client.ask("hello").as_deref(), Some("hello"));
    }
    engine.signal("TERM");
    let (status, _, err) = engine.wait();
    assert_eq!(status.code(), Some(0));
    assert!(err.contains("cannot accept clients"), "{err}");
}
