//! minicache beside memcached, where one is installed: what a GET and a SET cost the server.
//!
//! The two speak different protocols, so both get their load from our generator, which sends the
//! same keys and values, 16 in flight on each of 50 connections, and checks every value.
//!
//! ```text
//! minicache   *3 $3 SET $16 key:000000000007 $3 hij         +OK
//! memcached   set key:000000000007 0 0 3 CRLF hij CRLF      STORED
//! memcached   get key:000000000007 CRLF                     VALUE key:… 0 3 CRLF hij CRLF END
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use minikit::harness::usage;

use super::commands::{KEYS, Mix};
use crate::Result;
use crate::cores::Cores;
use crate::generator::{self, Load, Pace, Traffic};
use crate::model::{Better, Comparison, Row};
use crate::provider::{Choice, Server, Side, System, find};
use crate::rounds::Rounds;

/// The other system.
pub const MEMCACHED: System = System {
    name: "memcached",
    flag: "memcached",
    program: "memcached",
    folders: &[],
    user: Some("nobody"),
    arguments: |place| {
        let (port, threads) = (place.port.to_string(), place.threads.unwrap_or(4).to_string());
        let words = ["-l", "127.0.0.1", "-U", "0", "-m", "1024", "-p", &port, "-t", &threads];
        words.map(String::from).to_vec()
    },
    prepare: None,
    answers,
    container: None,
    install: "apt-get install memcached (Debian)",
};

/// The planned seconds of one run.
pub const SECONDS_PER_RUN: f64 = 1.0;

const VALUE_BYTES: usize = 3;
const REQUESTS: u64 = 200_000;

/// Measures both in turns with one thread each; `None` and a note without memcached.
pub fn compare(
    rounds: &mut Rounds,
    ours: &Side,
    cores: Option<Cores>,
    notes: &mut Vec<String>,
) -> Result<Option<Comparison>> {
    let Some(source) = find(&MEMCACHED, Choice::Auto, None)?.0 else {
        notes.push(format!("no memcached; to get one: {}", MEMCACHED.install));
        return Ok(None);
    };
    let theirs = Side { system: &MEMCACHED, source };
    let mut rows = ["SET P16 c50 3 B", "GET P16 c50 3 B"].map(|name| Row {
        name: name.into(),
        ours: Vec::new(),
        theirs: Vec::new(),
        command: String::new(),
        bar: None,
    });
    for number in 0..rounds.count {
        let servers = [ours.start(Some(1), cores)?, theirs.start(Some(1), cores)?];
        // The first writes every key, the second reads them.
        for (row, writes_percent) in rows.iter_mut().zip([100, 0]) {
            let what = format!("{} beside memcached", row.name);
            let turn = rounds.turn(number, &what, SECONDS_PER_RUN, |side| {
                let mix = Mix::new(VALUE_BYTES, writes_percent);
                match side {
                    0 => cpu_ns(&servers[side], &mut { mix }),
                    _ => cpu_ns(&servers[side], &mut Text(mix)),
                }
            })?;
            row.ours.push(turn[0]);
            row.theirs.push(turn[1]);
        }
    }
    Ok(Some(Comparison {
        id: "memcached".into(),
        title: "Server CPU per operation, beside memcached".into(),
        detail: format!("{KEYS} keys, one thread on each side"),
        meaning: "CPU time of the server's process, kernel time included, divided by requests."
            .into(),
        command: format!("our generator, {REQUESTS} requests, 16 in flight on 50 connections"),
        against: MEMCACHED.name.into(),
        unit: "ns".into(),
        better: Better::Lower,
        rows: rows.into(),
        curves: Vec::new(),
    }))
}

fn cpu_ns(server: &Server, traffic: &mut impl Traffic) -> Result<f64> {
    let spent = || server.pid.and_then(usage::cpu_time).ok_or("its CPU time cannot be read");
    let before = spent()?;
    let pace = Pace::Closed { pipeline: 16 };
    let load = Load { address: server.address, connections: 50, requests: REQUESTS, pace };
    generator::drive(load, traffic)?;
    Ok((spent()? - before).as_nanos() as f64 / REQUESTS as f64)
}

/// Returns true if the server says its version.
fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"version\r\n")?;
        let mut answer = [0; 8];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"VERSION ")
    };
    ask().unwrap_or(false)
}

/// The requests of a [`Mix`] in memcached's text protocol.
struct Text(Mix);

impl Traffic for Text {
    /// The number of the key, and true if it was written.
    type Asked = (u64, bool);

    fn request(&mut self, sequence: u64, out: &mut Vec<u8>) -> (u64, bool) {
        let is_write = self.0.writes_percent == 100;
        let key = if is_write { sequence % KEYS } else { self.0.random.below(KEYS) };
        let written = match is_write {
            true => write!(out, "set key:{key:012} 0 0 {VALUE_BYTES}\r\n"),
            false => write!(out, "get key:{key:012}\r\n"),
        };
        written.expect("a Vec takes every byte");
        if is_write {
            out.extend_from_slice(self.0.value(key));
            out.extend_from_slice(b"\r\n");
        }
        (key, is_write)
    }

    fn answer(&mut self, (key, is_write): &(u64, bool), bytes: &[u8]) -> Result<Option<usize>> {
        let expected = match is_write {
            true => b"STORED\r\n".to_vec(),
            false => {
                let head = format!("VALUE key:{key:012} 0 {VALUE_BYTES}\r\n").into_bytes();
                [&head, self.0.value(*key), b"\r\nEND\r\n"].concat()
            }
        };
        let common = expected.len().min(bytes.len());
        if bytes[..common] != expected[..common] {
            return Err(format!("wrong answer: {}", bytes[..common].escape_ascii()).into());
        }
        Ok((common == expected.len()).then_some(common))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_that_was_set_is_the_one_that_is_expected() {
        let mut out = Vec::new();
        let asked = Text(Mix::new(VALUE_BYTES, 100)).request(7, &mut out);
        assert_eq!(out, b"set key:000000000007 0 0 3\r\nhij\r\n");
        let mut read = Text(Mix::new(VALUE_BYTES, 0));
        assert_eq!(read.answer(&asked, b"STORED\r\n").unwrap(), Some(8));
        let hit = b"VALUE key:000000000007 0 3\r\nhij\r\nEND\r\n";
        assert_eq!(read.answer(&(7, false), hit).unwrap(), Some(hit.len()));
        assert_eq!(read.answer(&(7, false), &hit[..30]).unwrap(), None);
        assert!(read.answer(&(8, false), hit).is_err());
        assert!(read.answer(&(7, false), b"END\r\n").is_err());
    }
}
