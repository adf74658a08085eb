//! Signals and exhausted limits from outside: the echo engine as a process.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use crate::engine::{connect, echo_program, start};
use minikit::harness::usage::resident_bytes;
use minikit::harness::{Server, Signal, Stream, wait_until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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
    // Each core closes its own listener, so the last one may close a moment after the first.
    wait_until("the listener is closed", || TcpStream::connect(&engine.address).is_err());
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

/// The client is in the middle of a line, so that no shape closes it by itself.
#[test]
fn a_second_signal_exits_at_once() {
    for shape in ["per-core", "spread", "per-connection"] {
        let engine = echo(&["--drain-timeout", "3600", "--shape", shape]);
        let mut client = engine.connect();
        client.write_all(b"hel").expect("the server reads");
        client.read_exact(&mut [0; 3]).expect("the server echoes");
        engine.program.signal(Signal::TERM);
        wait_until("the listener is closed", || TcpStream::connect(&engine.address).is_err());
        client.write_all(b"lo").expect("the server still reads");

        engine.program.signal(Signal::INT);
        let ended = engine.program.end();
        assert_eq!(ended.status.code(), Some(1), "{shape}: {}", ended.stderr);
        assert!(ended.stderr.contains("leaving at once"), "{}", ended.stderr);
    }
}

#[test]
fn a_hangup_without_a_reload_is_logged_and_ignored() {
    let engine = echo(&[]);
    engine.program.signal(Signal::HUP);
    engine.program.wait_for(Stream::Stderr, "SIGHUP ignored");
    assert_eq!(connect(&engine).ask("still here").as_deref(), Some("still here"));
    engine.program.signal(Signal::TERM);
    assert_eq!(engine.program.end().status.code(), Some(0));
}

/// Resident memory of the whole process, with a thread for each of 1,000 clients.
#[test]
fn a_thousand_idle_connections_with_a_thread_each_fit_in_30_megabytes() {
    // A client is an open file in this process and one in the server, which inherits the limit.
    let limits = getrlimit(Resource::Nofile);
    let current = limits.maximum.map_or(4096, |most| most.min(4096));
    let enough = Rlimit { current: Some(current), ..limits };
    setrlimit(Resource::Nofile, enough).expect("a process may raise its limit to the hard one");

    let engine = echo(&["--shape", "per-connection", "--max-clients", "1000"]);
    let mut clients = (0..1000).map(|_| connect(&engine)).collect::<Vec<_>>();
    for client in &mut clients {
        assert_eq!(client.ask("hello").as_deref(), Some("hello"));
    }
    let resident = resident_bytes(engine.program.pid()).expect("the server runs");
    println!("{} kB resident with 1,000 connections", resident / 1000);
    assert!(resident < 30_000_000, "{resident} bytes");
    assert!(resident > 4_096_000, "{resident} bytes, but each thread has touched a page at least");
    assert_eq!(connect(&engine).line().as_deref(), Some("full"));

    engine.program.signal(Signal::TERM);
    for client in &mut clients {
        assert_eq!(client.line().as_deref(), Some("bye"));
    }
    assert_eq!(engine.program.end().status.code(), Some(0));
}

#[test]
fn a_connection_that_stays_open_is_cut_after_the_drain_timeout() {
    let engine = echo(&["--drain-timeout", "0"]);
    let mut client = connect(&engine);
    assert_eq!(client.ask("hello").as_deref(), Some("hello"));
    engine.program.signal(Signal::TERM);
    let ended = engine.program.end();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stderr.contains("cutting connections"), "{}", ended.stderr);
}

/// With 32 descriptors, 40 clients do not fit. Accepted clients are served, and each that closes
/// frees a descriptor for one that waits.
#[test]
fn out_of_descriptors_the_server_pauses_and_goes_on() {
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
