//! A client that speaks in lines.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// One line out, one line back.
pub struct Client<S = TcpStream> {
    stream: BufReader<S>,
}

impl<S: Read + Write> Client<S> {
    /// Wraps a connected stream.
    pub fn new(stream: S) -> Client<S> {
        Client { stream: BufReader::new(stream) }
    }

    /// Sends `text` and a line end.
    pub fn send(&mut self, text: &str) {
        let line = format!("{text}\n");
        self.stream.get_mut().write_all(line.as_bytes()).expect("the server takes it");
    }

    /// The next line, without its end; `None` if the server has closed the connection.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.stream.read_line(&mut line).expect("the server sends text");
        (count > 0).then(|| line.trim_end().to_owned())
    }

    /// Sends `text` and returns the line that comes back.
    pub fn ask(&mut self, text: &str) -> Option<String> {
        self.send(text);
        self.line()
    }
}
