//! What every POC begins with: a server of its own, or the address after `--against`, and a client
//! that speaks as much of PostgreSQL's protocol as a POC needs.

use minibtree::engine::Options as EngineOptions;
use minibtree::server::{self, Start};
use minikit::harness::Scratch;
use minikit::server::Options;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;

/// A connection to a server. Both end with it.
pub struct Client {
    stream: TcpStream,
    _data: Option<Scratch>,
}

/// Rows of text.
pub type Rows = Vec<Vec<String>>;

impl Client {
    /// Connects to the address after `--against`, or to minibtree in a thread of this process.
    /// The user is that of the environment variable `PGUSER`, or `postgres`.
    pub fn from_arguments() -> io::Result<Client> {
        let arguments = std::env::args().skip(1).filter(|it| it != "--times").collect::<Vec<_>>();
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["--against", address] => Client::connect(address, None),
            [] => Client::start(),
            _ => {
                eprintln!("usage: poc [--times] [--against HOST:PORT]");
                std::process::exit(2);
            }
        }
    }

    /// Starts minibtree on a free port, with its data in a directory that is removed afterwards.
    pub fn start() -> io::Result<Client> {
        let data = Scratch::new("minibtree-poc")?;
        let (sender, ready) = mpsc::channel();
        let start = Start {
            options: Options { listen: vec![([127, 0, 0, 1], 0).into()], ..Options::default() },
            admin: None,
            data_dir: data.path().to_owned(),
            engine: EngineOptions::default(),
            max_connections: 10,
            password_file: None,
        };
        thread::spawn(move || {
            let result = server::run(start, |bound| {
                let _ = sender.send(bound.tcp.expect("it listens on TCP"));
            });
            result.map_err(|error| error.to_string()).expect("the server runs");
        });
        let address = ready.recv().expect("the server starts").to_string();
        Client::connect(&address, Some(data))
    }

    fn connect(address: &str, data: Option<Scratch>) -> io::Result<Client> {
        let user = std::env::var("PGUSER").unwrap_or_else(|_| "postgres".to_owned());
        let mut client = Client { stream: TcpStream::connect(address)?, _data: data };
        let parameters = format!("\0\x03\0\0user\0{user}\0database\0postgres\0\0");
        let length = (parameters.len() as u32 + 4).to_be_bytes();
        client.stream.write_all(&[&length, parameters.as_bytes()].concat())?;
        client.replies()?;
        Ok(client)
    }

    /// Sends statements, and returns their rows.
    pub fn query(&mut self, sql: &str) -> io::Result<Rows> {
        let length = (sql.len() as u32 + 5).to_be_bytes();
        self.stream.write_all(&[b"Q", &length[..], sql.as_bytes(), b"\0"].concat())?;
        self.replies()
    }

    /// The lines that EXPLAIN returns for a query, without what planning has read.
    pub fn explain(&mut self, options: &str, sql: &str) -> io::Result<String> {
        let rows = self.query(&format!("explain ({options}) {sql}"))?;
        let lines = rows.iter().map(|row| &row[0]).take_while(|it| *it != "Planning:");
        Ok(lines.map(|line| format!("  {line}\n")).collect())
    }

    /// Reads replies up to ReadyForQuery, and returns the rows in them.
    fn replies(&mut self) -> io::Result<Rows> {
        let (mut rows, mut failure) = (Rows::new(), None);
        loop {
            let mut head = [0; 5];
            self.stream.read_exact(&mut head)?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let mut body = vec![0; length - 4];
            self.stream.read_exact(&mut body)?;
            match head[0] {
                b'D' => rows.push(row(&body[2..])),
                b'E' => failure = Some(String::from_utf8_lossy(&body).replace('\0', " ")),
                b'Z' => return failure.map_or(Ok(rows), |text| Err(io::Error::other(text))),
                _ => {}
            }
        }
    }
}

fn row(mut bytes: &[u8]) -> Vec<String> {
    let mut values = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
        values.push(String::from_utf8_lossy(&rest[..length]).into_owned());
        bytes = &rest[length..];
    }
    values
}

/// Compares the output with the recorded one; `UPDATE_GOLDEN=1` records it anew. The page of the
/// POC includes that file.
#[cfg(test)]
pub fn assert_recorded(name: &str, output: &str) {
    let path = format!("{}/examples/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, output).expect("the folder is writable");
    }
    assert_eq!(std::fs::read_to_string(path).expect("recorded"), output);
}
