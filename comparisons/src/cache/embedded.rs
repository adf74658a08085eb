//! minicache beside caches inside of the process, if no real Redis is found.
//!
//! This is a scale and not a race: `moka` and `quick_cache` answer a function call, a server
//! answers a socket. The figures show how much of a server's time is not the cache, and what the
//! network would cost a program that only needs a cache of its own.
//!
//! ```text
//! moka.get(&key)                        a hash, a lookup, an entry in the policy's log
//! GET key over loopback, 64 in flight   the same, two system calls per batch, parsing, writing
//! ```

use std::time::Instant;

use super::commands::{KEYS, Mix, Random};
use super::redis_benchmark::load;
use crate::Result;
use crate::generator::{self, Load, Pace};
use crate::model::{Better, Comparison, Row, thousands};
use crate::provider::Server;
use crate::rounds::Rounds;

/// Requests of one run.
const REQUESTS: u64 = 500_000;

/// The planned seconds of one run.
pub const SECONDS_PER_RUN: f64 = 0.5;

/// Bytes of each value.
const VALUE_BYTES: usize = 64;

/// Nine reads to a write over [`KEYS`] keys, in turns: our server under a pipelined client, then
/// both peers called directly.
pub fn compare(rounds: &mut Rounds, server: &Server) -> Result<Comparison> {
    load(server.address, &mut Mix::new(VALUE_BYTES, 100), KEYS)?;
    let moka = moka::sync::Cache::new(2 * KEYS);
    let quick = quick_cache::sync::Cache::new(2 * KEYS as usize);
    let mut comparison = heading();
    comparison.rows.push(row(rounds, server, "moka", |key, value| match value {
        Some(value) => moka.insert(key, value),
        None => drop(moka.get(&key)),
    })?);
    comparison.rows.push(row(rounds, server, "quick_cache", |key, value| match value {
        Some(value) => quick.insert(key, value),
        None => drop(quick.get(&key)),
    })?);
    Ok(comparison)
}

fn heading() -> Comparison {
    Comparison {
        id: "embedded".into(),
        title: "Beside caches inside of a process".into(),
        detail: format!(
            "{} keys, values of {VALUE_BYTES} B, nine reads to a write; a scale and not a race",
            thousands(KEYS as f64)
        ),
        meaning:
            "Ours answers over a socket with 64 requests in flight, the peers answer a function \
             call on one thread."
                .into(),
        command: format!("90 % get, 10 % set, {KEYS} keys of {VALUE_BYTES} B, {REQUESTS} requests"),
        against: "in-process".into(),
        unit: "requests/s".into(),
        better: Better::Higher,
        rows: Vec::new(),
        curves: Vec::new(),
    }
}

/// Alternates between our server and the peer that `access` reaches.
fn row(
    rounds: &mut Rounds,
    server: &Server,
    name: &str,
    access: impl Fn(String, Option<Vec<u8>>),
) -> Result<Row> {
    for key in 0..KEYS {
        access(format!("key:{key:012}"), Some(vec![b'x'; VALUE_BYTES]));
    }
    let [ours, theirs] = rounds.all(&format!("beside {name}"), SECONDS_PER_RUN, |side| {
        let start = Instant::now();
        match side {
            0 => over_the_socket(server)?,
            _ => in_process(&access),
        }
        Ok(REQUESTS as f64 / start.elapsed().as_secs_f64())
    })?;
    Ok(Row { name: name.into(), ours, theirs, command: String::new(), bar: None })
}

fn over_the_socket(server: &Server) -> Result<()> {
    let pace = Pace::Closed { pipeline: 64 };
    let load = Load { address: server.address, connections: 4, requests: REQUESTS, pace };
    generator::drive(load, &mut Mix::new(VALUE_BYTES, 10)).map(drop)
}

fn in_process(access: impl Fn(String, Option<Vec<u8>>)) {
    let mut random = Random(42);
    for _ in 0..REQUESTS {
        let value = (random.below(100) < 10).then(|| vec![b'x'; VALUE_BYTES]);
        access(format!("key:{:012}", random.below(KEYS)), value);
    }
}
