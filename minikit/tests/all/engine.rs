//! The echo engine as a process of its own, started as a person would start it.

use std::path::PathBuf;
use std::process::Command;

use minikit::harness::Server;

use crate::client::Client;

/// `examples/echo.rs`, built by the same `cargo test` that built this test.
pub fn echo_program() -> PathBuf {
    let this = std::env::current_exe().expect("a running program knows its file");
    let profile = this.ancestors().nth(2).expect("tests are in target/PROFILE/deps");
    let program = profile.join("examples/echo");
    assert!(program.exists(), "no {program:?}; `cargo test -p minikit` builds it");
    program
}

/// Starts `command`, which runs the echo engine.
#[track_caller]
pub fn start(command: Command) -> Server {
    Server::start("miniecho", command)
}

/// A client of `server` that speaks in lines.
pub fn connect(server: &Server) -> Client {
    Client::new(server.connect())
}
