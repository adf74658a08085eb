//! A server process, and clients that speak raw bytes.
//!
//! With `REDIS_SERVER=/usr/bin/redis-server` in the environment the process is that one, on a free
//! port, so that what a test expects can be checked against the original.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;

use minikit::harness::{self, PATIENCE, Program, free_port, usage, wait_until};

/// A running server. Killed when dropped.
pub struct Server {
    program: Program,
    pub port: u16,
}

impl Server {
    /// Starts one on a port of its own.
    pub fn start() -> Server {
        match std::env::var_os("REDIS_SERVER") {
            Some(path) => Server::start_redis(path),
            None => Server::start_minicache(),
        }
    }

    /// Returns true if the process is the original.
    pub fn is_redis() -> bool {
        std::env::var_os("REDIS_SERVER").is_some()
    }

    fn start_minicache() -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_minicache"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--threads", "2"]);
        let server = harness::Server::start("minicache", command);
        Server { port: server.port(), program: server.program }
    }

    fn start_redis(path: OsString) -> Server {
        let port = free_port();
        let mut command = Command::new(path);
        command.args(["--port", &port.to_string(), "--save", ""]);
        let server = Server { program: Program::start(command), port };
        wait_until("the server listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }

    /// A new connection.
    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Client { stream }
    }

    /// Sets a parameter.
    pub fn set(&self, name: &str, text: &str) {
        assert_eq!(self.connect().ask(&["CONFIG", "SET", name, text]), "+OK");
    }

    /// The number behind `name:` in `INFO`.
    pub fn info(&self, name: &str) -> u64 {
        let mut client = self.connect();
        let head = client.ask(&["INFO"]);
        let length: usize = head[1..].parse().unwrap();
        let text = String::from_utf8(client.take(length)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{name} in {text}"))
    }

    /// Bytes of its memory that are resident.
    pub fn resident(&self) -> u64 {
        usage::resident_bytes(self.program.pid()).expect("it runs")
    }

    /// The most bytes that were ever resident.
    pub fn resident_peak(&self) -> u64 {
        usage::resident_peak_bytes(self.program.pid()).expect("it runs")
    }
}

/// A connection.
pub struct Client {
    stream: TcpStream,
}

impl Client {
    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends bytes to a server that may close meanwhile. Returns true if it took all of them.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Says that nothing more will come.
    pub fn finish(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Reads exactly `length` bytes.
    pub fn take(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// What comes next must be this.
    #[track_caller]
    pub fn expect(&mut self, bytes: &[u8]) {
        let mut got = Vec::new();
        while got.len() < bytes.len() && bytes.starts_with(&got) {
            let before = got.len();
            got.resize(bytes.len(), 0);
            let count = self.stream.read(&mut got[before..]).unwrap();
            got.truncate(before + count);
            if count == 0 {
                break;
            }
        }
        assert_eq!(got.escape_ascii().to_string(), bytes.escape_ascii().to_string());
    }

    /// Everything up to the end of the connection, in whichever way it ends.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => bytes,
        }
    }

    /// Sends a command; the first line of its reply.
    pub fn ask(&mut self, words: &[&str]) -> String {
        self.send(&request(words));
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(self.take(1));
        }
        String::from_utf8_lossy(&line).trim_end().to_string()
    }
}

/// A command as clients send it.
pub fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    words.iter().for_each(|word| bytes.extend(bulk(word.as_bytes())));
    bytes
}

/// A string as RESP has it.
pub fn bulk(text: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat()
}
