//! The echo engine as a process of its own, as a person would start it.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::client::Client;

/// `examples/echo.rs`, built by the same `cargo test` that built this test.
pub fn echo_program() -> PathBuf {
    let me = std::env::current_exe().expect("a running program knows its file");
    let profile = me.ancestors().nth(2).expect("tests lie in target/PROFILE/deps");
    let program = profile.join("examples/echo");
    assert!(program.exists(), "no {program:?}; `cargo test -p minikit` builds it");
    program
}

/// An engine that has said it is ready. Ended with the test, however that ends.
pub struct Engine {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    /// What follows `listening on`.
    pub address: String,
}

impl Engine {
    /// Starts `command` and waits for its ready line.
    pub fn start(command: &mut Command) -> Engine {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the engine is there and may be run");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it writes text");
        let address = line.strip_prefix("miniecho listening on ").map(str::trim_end);
        let address = address.unwrap_or_else(|| panic!("no ready line but {line:?}")).to_owned();
        Engine { child, stdout, address }
    }

    /// A client of it.
    pub fn connect(&self) -> Client {
        Client::new(TcpStream::connect(&self.address).expect("it is ready"))
    }

    /// Sends a signal by its short name.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let done = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        assert!(done.success(), "{kill}");
    }

    /// Waits for its end: the exit status, the rest of standard output, all of standard error.
    pub fn wait(mut self) -> (ExitStatus, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.stdout.read_to_string(&mut out).expect("it writes text");
        let mut stderr = self.child.stderr.take().expect("piped");
        stderr.read_to_string(&mut err).expect("it writes text");
        (self.child.wait().expect("it was started"), out, err)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
