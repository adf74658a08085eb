//! What every POC begins with: a server of its own, or the address after `--against`, and a client.

mod sql;

use minibtree::engine::Options as EngineOptions;
use minibtree::server::{self, Start};
use minikit::harness::Scratch;
use minikit::server::Options;
use std::io;
use std::sync::mpsc;
use std::thread;

/// A connection to a server. Both end with it.
pub struct Client {
    sql: sql::Client,
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
        Ok(Client { sql: sql::Client::connect(address)?, _data: data })
    }

    /// Sends statements, and returns their rows.
    pub fn query(&mut self, sql: &str) -> io::Result<Rows> {
        self.sql.query(sql)
    }

    /// The lines that EXPLAIN returns for a query, without what planning has read.
    pub fn explain(&mut self, options: &str, sql: &str) -> io::Result<String> {
        let rows = self.query(&format!("explain ({options}) {sql}"))?;
        let lines = rows.iter().map(|row| &row[0]).take_while(|it| *it != "Planning:");
        Ok(lines.map(|line| format!("  {line}\n")).collect())
    }
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
