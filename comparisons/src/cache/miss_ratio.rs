//! How many reads miss when both servers may use the same memory, and how many keys they hold then.
//!
//! A request is `SET key value NX GET`: it reads the key, and stores it if it is absent, as a
//! cache-aside client does. Both servers get the same keys in the same order, so the figures do not
//! depend on the speed of the machine.
//!
//! ```text
//! FLUSHALL; CONFIG SET maxmemory 2mb maxmemory-policy allkeys-lru
//! SET 17 vvv… NX GET   nil   a miss, stored; perhaps another key is evicted
//! SET 17 vvv… NX GET   vvv…  a hit
//! ```
//!
//! A policy decides a part of it. Another part is how many keys fit into the same memory.

use std::time::Duration;

use minicache::explain::race::Trace;

use super::resp::{self, Client};
use crate::Result;
use crate::generator::{self, Load, Pace, Traffic};
use crate::model::{Better, Comparison, Row};
use crate::provider::Server;
use crate::rounds::Rounds;

/// The planned seconds for a million requests.
pub const SECONDS_PER_MILLION: f64 = 3.0;

/// The policies of both servers.
pub const REDIS_POLICIES: [&str; 2] = ["allkeys-lru", "allkeys-lfu"];

/// Those that only ours has.
pub const OWN_POLICIES: [&str; 5] =
    ["allkeys-exact-lru", "allkeys-clock", "allkeys-sieve", "allkeys-s3fifo", "allkeys-tinylfu"];

const VALUE: [u8; 64] = [b'v'; 64];

/// The environment variable that names a recording: the OLTP trace of the ARC paper.
const RECORDING: &str = "COMPARISONS_OLTP";

/// What is played.
pub struct Plan {
    /// Requests of the Zipf trace.
    pub requests: usize,
    /// The limits of memory.
    pub limits: &'static [&'static str],
}

impl Plan {
    /// The planned seconds of the Zipf trace, for both sides and all policies.
    pub fn seconds(&self) -> f64 {
        let plays = self.limits.len() * (2 * REDIS_POLICIES.len() + OWN_POLICIES.len());
        plays as f64 * self.requests as f64 / 1e6 * SECONDS_PER_MILLION
    }

    /// Plays the traces. Without the recording its rows are missing, and a note says so.
    pub fn compare(
        &self,
        rounds: &mut Rounds,
        servers: &[Server; 2],
        notes: &mut Vec<String>,
    ) -> Result<Vec<Comparison>> {
        let zipf = Trace::named("zipf")?.keys;
        let mut traces = vec![("Zipf", zipf[..self.requests].to_vec())];
        match std::env::var(RECORDING) {
            Ok(path) => traces.push(("OLTP", Trace::named(&path)?.keys)),
            Err(_) => notes.push(format!(
                "no OLTP trace: it is not ours to distribute. {RECORDING}=OLTP.lis measures it"
            )),
        }

        let mut comparisons = headings(servers[1].name);
        let mut best = Vec::new();
        for (name, trace) in &traces {
            for limit in self.limits {
                let mut contest = Contest { rounds, servers, trace, limit };
                let rows = contest.rows(&format!("{name}, {limit}"), &mut comparisons)?;
                best.push(Row { name: format!("{name} trace, {limit}, best of each"), ..rows });
            }
        }
        comparisons[0].rows.extend(best);
        Ok(comparisons)
    }
}

/// Misses, and keys.
fn headings(theirs: &str) -> Vec<Comparison> {
    let heading = |id: &str, title: &str, unit: &str, better| Comparison {
        id: id.into(),
        title: title.into(),
        detail: "Cache-aside over 64 B values, the same keys in the same order".into(),
        meaning: "Each side has the same maxmemory. Exact LRU, SIEVE and the others beside \
                  Redis's allkeys-lru are policies that only minicache has."
            .into(),
        command: "SET key value NX GET, 64 in flight on one connection".into(),
        against: theirs.into(),
        unit: unit.into(),
        better,
        rows: Vec::new(),
        curves: Vec::new(),
    };
    vec![
        heading("misses", "Miss ratio at equal memory", "%", Better::Lower),
        heading("held", "Keys held at equal memory", "keys", Better::Higher),
    ]
}

/// One trace under one limit of memory.
struct Contest<'a> {
    rounds: &'a mut Rounds,
    servers: &'a [Server; 2],
    trace: &'a [u64],
    limit: &'a str,
}

impl Contest<'_> {
    /// Plays every policy, adds a row for each, and returns the best of both sides. A policy that
    /// only ours has is beside Redis's `allkeys-lru`.
    fn rows(&mut self, name: &str, comparisons: &mut [Comparison]) -> Result<Row> {
        let mut theirs = Vec::new();
        let mut ours = Vec::new();
        for policy in REDIS_POLICIES.into_iter().chain(OWN_POLICIES) {
            ours.push((policy, self.play(0, policy)?));
        }
        for policy in REDIS_POLICIES {
            theirs.push((policy, self.play(1, policy)?));
        }
        for (policy, (misses, held)) in &ours {
            let beside = theirs.iter().find(|(other, _)| other == policy).unwrap_or(&theirs[0]);
            let name = format!("{name}, {}", policy.trim_start_matches("allkeys-"));
            let figures = [(*misses, beside.1.0), (*held, beside.1.1)];
            for (comparison, (ours, theirs)) in comparisons.iter_mut().zip(figures) {
                comparison.rows.push(row(name.clone(), ours, theirs));
            }
        }
        let least = |all: &[(&str, (f64, f64))]| {
            all.iter().map(|(_, (misses, _))| *misses).fold(f64::INFINITY, f64::min)
        };
        Ok(row(String::new(), least(&ours), least(&theirs)))
    }

    /// The misses in percent, and the keys that the server holds at the end.
    fn play(&mut self, side: usize, policy: &str) -> Result<(f64, f64)> {
        let server = &self.servers[side];
        let seconds = self.trace.len() as f64 / 1e6 * SECONDS_PER_MILLION;
        let step = format!("misses under {policy}, {}, {}", self.limit, server.name);
        self.rounds.progress.step(&step, seconds);

        let mut client = Client::connect(server.address, Duration::from_secs(20))?;
        client.ask(&["FLUSHALL"])?;
        let settings = ["maxmemory", self.limit, "maxmemory-policy", policy];
        client.ask(&[&["CONFIG", "SET"], &settings[..]].concat())?;

        let mut reads = Reads { trace: self.trace, misses: 0 };
        let (connections, pace) = (1, Pace::Closed { pipeline: 64 });
        let requests = self.trace.len() as u64;
        let load = Load { address: server.address, connections, requests, pace };
        generator::drive(load, &mut reads)?;
        let held: f64 = client.ask(&["DBSIZE"])?.parse()?;
        Ok((100.0 * reads.misses as f64 / requests as f64, held))
    }
}

fn row(name: String, ours: f64, theirs: f64) -> Row {
    Row { name, ours: vec![ours], theirs: vec![theirs], command: String::new(), bar: None }
}

/// The requests of a trace.
struct Reads<'a> {
    trace: &'a [u64],
    misses: u64,
}

impl Traffic for Reads<'_> {
    type Asked = ();

    fn request(&mut self, sequence: u64, out: &mut Vec<u8>) {
        let key = self.trace[sequence as usize].to_string();
        resp::command(out, &[b"SET", key.as_bytes(), &VALUE, b"NX", b"GET"]);
    }

    fn answer(&mut self, (): &(), bytes: &[u8]) -> Result<Option<usize>> {
        let Some(end) = resp::reply_end(bytes)? else { return Ok(None) };
        let reply = &bytes[..end];
        if reply == b"$-1\r\n" {
            self.misses += 1;
        } else if reply.strip_suffix(b"\r\n").is_none_or(|it| !it.ends_with(&VALUE)) {
            return Err(format!("neither nil nor the value: {}", reply.escape_ascii()).into());
        }
        Ok(Some(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nil_is_a_miss_and_anything_but_the_value_is_wrong() {
        let mut reads = Reads { trace: &[7], misses: 0 };
        let mut request = Vec::new();
        reads.request(0, &mut request);
        assert!(request.starts_with(b"*5\r\n$3\r\nSET\r\n$1\r\n7\r\n$64\r\nvvv"));
        assert_eq!(reads.answer(&(), b"$-1\r\n").unwrap(), Some(5));
        let hit = [b"$64\r\n", &VALUE[..], b"\r\n"].concat();
        assert_eq!(reads.answer(&(), &hit).unwrap(), Some(hit.len()));
        assert_eq!(reads.answer(&(), b"$64\r\nvv").unwrap(), None);
        assert!(reads.answer(&(), b"$1\r\nw\r\n").is_err());
        assert!(reads.answer(&(), b"-OOM\r\n").is_err());
        assert_eq!(reads.misses, 1);
    }
}
