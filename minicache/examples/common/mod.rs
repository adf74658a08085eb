//! What every POC begins with: a server of its own or the address after `--against`, clients of it,
//! and the backend, in memory or the database after `--backend`.
#![allow(dead_code, reason = "not every POC needs everything")]

#[path = "../../../minibtree/examples/common/sql.rs"]
pub mod sql;

use minicache::cache::Store;
use minicache::conf::Config;
use minicache::server::start::{self, Start};
use minicache::wire::frame::{Frame, Reader, Stop};
use minicache::wire::request;
use minikit::server::Options;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;

/// What the command line says.
#[derive(Default)]
pub struct Arguments {
    /// The cache, minicache or Redis; without it, minicache in a thread of this process.
    pub against: Option<String>,
    /// The database, PostgreSQL or minibtree; without it, a map in this process.
    pub backend: Option<String>,
}

impl Arguments {
    pub fn read() -> Arguments {
        let mut arguments = Arguments::default();
        let mut words = std::env::args().skip(1);
        while let Some(flag) = words.next() {
            match (flag.as_str(), words.next()) {
                ("--against", Some(address)) => arguments.against = Some(address),
                ("--backend", Some(address)) => arguments.backend = Some(address),
                _ => {
                    eprintln!("usage: poc [--against HOST:PORT] [--backend HOST:PORT]");
                    std::process::exit(2);
                }
            }
        }
        arguments
    }

    /// The address of the cache. One that this starts ends with the process.
    pub fn cache(&self) -> String {
        self.against.clone().unwrap_or_else(start_minicache)
    }

    /// The backend, with these rows.
    pub fn backend(&self, table: &str, rows: &[(&str, &str)]) -> io::Result<Backend> {
        let place = match &self.backend {
            None => Place::Map(Mutex::default()),
            Some(address) => {
                let mut client = sql::Client::connect(address)?;
                client.query(&format!("drop table if exists {table}"))?;
                client.query(&format!("create table {table} (k text primary key, v text)"))?;
                Place::Table(Mutex::new(client), table.to_owned())
            }
        };
        let backend = Backend { place, reads: AtomicUsize::new(0) };
        rows.iter().try_for_each(|(key, value)| backend.write(key, value))?;
        Ok(backend)
    }
}

/// Starts minicache in a thread of this process, on a free port.
pub fn start_minicache() -> String {
    let (sender, ready) = mpsc::channel();
    let listen = vec![([127, 0, 0, 1], 0).into()];
    let options = Options { listen, threads: 1, ..Options::default() };
    let config = Config::default();
    let start = Start { options, admin: None, config, config_file: String::new() };
    thread::spawn(move || {
        let result = start::run(start, |_, bound| {
            let _ = sender.send(bound.tcp.expect("it listens on TCP"));
        });
        result.map_err(|error| error.to_string()).expect("the server runs");
    });
    ready.recv().expect("the server starts").to_string()
}

/// A connection to a server that speaks RESP.
pub struct Resp(Mutex<(TcpStream, Vec<u8>)>);

impl Resp {
    pub fn connect(address: &str) -> io::Result<Resp> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Resp(Mutex::new((stream, Vec::new()))))
    }

    /// Sends a command of words, and returns its reply.
    pub fn ask(&self, command: &str) -> io::Result<Frame> {
        let words = command.split(' ').map(str::as_bytes).collect::<Vec<_>>();
        self.send(&words)?;
        self.receive()
    }

    /// Sends a command. Returns the bytes of its reply, or `None` for null.
    pub fn call(&self, command: &[&[u8]]) -> io::Result<Option<Vec<u8>>> {
        self.send(command)?;
        match self.receive()? {
            Frame::Bulk(bytes) | Frame::Simple(bytes) => Ok(Some(bytes)),
            Frame::Int(number) => Ok(Some(number.to_string().into_bytes())),
            Frame::Null => Ok(None),
            other => Err(io::Error::other(format!("{other:?}"))),
        }
    }

    pub fn send(&self, command: &[&[u8]]) -> io::Result<()> {
        self.0.lock().expect("no panic").0.write_all(&request::encode(command))
    }

    /// The next frame, which may be a push message.
    pub fn receive(&self) -> io::Result<Frame> {
        let (stream, received) = &mut *self.0.lock().expect("no panic");
        let mut reader = Reader::default();
        loop {
            match reader.frame_end(received) {
                Ok(end) => {
                    let frame = Frame::split_first(received).expect("it is whole").0;
                    received.drain(..end);
                    return Ok(frame);
                }
                Err(stop @ Stop::Wrong(_)) => return Err(io::Error::other(stop.to_string())),
                Err(_) => {}
            }
            let mut piece = [0; 16 * 1024];
            match stream.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => received.extend_from_slice(&piece[..length]),
            }
        }
    }
}

// ANCHOR: store
/// Fills a key (`KEYS[1]`) if the lease (`KEYS[2]`) has the token.
const FILL: &str = "if redis.call('get', KEYS[2]) ~= ARGV[1] then return false end \
    redis.call('del', KEYS[2]) \
    if ARGV[2] then redis.call('set', KEYS[1], ARGV[2], 'px', ARGV[3]) end return 1";

fn lease_of(key: &[u8]) -> Vec<u8> {
    [key, b":lease"].concat()
}

impl Store for Resp {
    async fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.call(&[b"GET", key])
    }

    async fn lease(&self, key: &[u8], token: u64, lease_ms: u64) -> io::Result<bool> {
        let (lease, token, ms) = (lease_of(key), token.to_string(), lease_ms.to_string());
        let set: [&[u8]; 6] = [b"SET", &lease, token.as_bytes(), b"NX", b"PX", ms.as_bytes()];
        Ok(self.call(&set)?.is_some())
    }

    async fn fill(&self, key: &[u8], token: u64, entry: Option<(&[u8], u64)>) -> io::Result<bool> {
        let (lease, token) = (lease_of(key), token.to_string());
        let ttl = entry.map(|(_, ttl_ms)| ttl_ms.to_string()).unwrap_or_default();
        let mut command = vec![b"EVAL", FILL.as_bytes(), b"2", key, &lease, token.as_bytes()];
        command.extend(entry.into_iter().flat_map(|(bytes, _)| [bytes, ttl.as_bytes()]));
        Ok(self.call(&command)?.is_some())
    }

    async fn remove(&self, key: &[u8]) -> io::Result<()> {
        self.call(&[b"DEL", key, &lease_of(key)]).map(drop)
    }
}
// ANCHOR_END: store

/// What the cache is in front of.
pub struct Backend {
    place: Place,
    pub reads: AtomicUsize,
}

enum Place {
    Map(Mutex<HashMap<String, String>>),
    Table(Mutex<sql::Client>, String),
}

impl Backend {
    /// The value of a key; counted.
    pub fn read(&self, key: &str) -> io::Result<Option<String>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        match &self.place {
            Place::Map(map) => Ok(map.lock().expect("no panic").get(key).cloned()),
            Place::Table(client, table) => {
                let key = quote(key);
                let select = format!("select v from {table} where k = {key}");
                Ok(client
                    .lock()
                    .expect("no panic")
                    .query(&select)?
                    .pop()
                    .map(|mut row| row.remove(0)))
            }
        }
    }

    pub fn write(&self, key: &str, value: &str) -> io::Result<()> {
        match &self.place {
            Place::Map(map) => {
                map.lock().expect("no panic").insert(key.to_owned(), value.to_owned());
            }
            Place::Table(client, table) => {
                let (key, value) = (quote(key), quote(value));
                client.lock().expect("no panic").query(&format!(
                    "insert into {table} values ({key}, {value}) \
                     on conflict (k) do update set v = excluded.v"
                ))?;
            }
        }
        Ok(())
    }

    /// The reads since this was called last.
    pub fn take_reads(&self) -> usize {
        self.reads.swap(0, Ordering::Relaxed)
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

/// A text as SQL has it.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
