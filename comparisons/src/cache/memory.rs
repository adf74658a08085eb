//! What a key costs in memory, as the kernel sees it.
//!
//! A server's own `used_memory` leaves out what its allocator wastes. So we read the resident
//! memory of a fresh process before and after loading a million keys of ten bytes. The difference
//! divided by the keys includes everything: key, value, index, rounding, fragmentation.
//!
//! ```text
//! fresh server           Rss   7.2 MB
//! after 1,000,000 SETs   Rss  95.8 MB      (95.8 - 7.2) / 1,000,000 = 88.6 bytes a key
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use minikit::harness::usage;

use super::commands::{Mix, Repeat};
use super::redis_benchmark::load;
use super::resp::Client;
use crate::Result;
use crate::cores::Cores;
use crate::model::{Better, Comparison, Row, thousands};
use crate::provider::{Server, Side};
use crate::rounds::Rounds;

/// The planned seconds of one load, with the start of its server.
pub const SECONDS_PER_LOAD: f64 = 3.0;

/// Value size in bytes, and true for keys with a TTL.
const SHAPES: [(usize, bool); 5] =
    [(3, false), (64, false), (256, false), (1024, false), (3, true)];

/// A small object as programs store it, with values of eight bytes.
const HASH: [&str; 18] = [
    "HSET",
    "user:__sequence__",
    "name",
    "__data__",
    "email",
    "__data__",
    "city",
    "__data__",
    "plan",
    "__data__",
    "created",
    "__data__",
    "visits",
    "__data__",
    "score",
    "__data__",
    "locale",
    "__data__",
];

/// The loads of `compare` for each round and side.
pub const LOADS: usize = SHAPES.len() + 1;

/// Loads `keys` keys into fresh servers, in turns.
pub fn compare(
    rounds: &mut Rounds,
    sides: [&Side; 2],
    cores: Option<Cores>,
    keys: u64,
) -> Result<Comparison> {
    let mut comparison = heading(sides[1].system.name, keys);
    for (value_bytes, expire) in SHAPES {
        let name = format!("{value_bytes} B value{}", if expire { ", with a TTL" } else { "" });
        let [ours, theirs] = rounds.all(&format!("memory, {name}"), SECONDS_PER_LOAD, |side| {
            bytes_per_key(sides[side], cores, keys, |address| {
                let shape = Mix::new(value_bytes, 100);
                load(address, &mut Mix { prefix: "k:", digits: 8, keys, expire, ..shape }, keys)
            })
        })?;
        comparison.rows.push(row(&name, ours, theirs));
    }
    comparison.rows.push(surcharge(&comparison.rows));

    let name = "hash of 8 fields";
    let [ours, theirs] = rounds.all(&format!("memory, {name}"), SECONDS_PER_LOAD, |side| {
        let keys = keys / 4;
        bytes_per_key(sides[side], cores, keys, |address| {
            load(address, &mut Repeat::new(&HASH, 8), keys)
        })
    })?;
    comparison.rows.push(row(name, ours, theirs));
    Ok(comparison)
}

fn heading(theirs: &str, keys: u64) -> Comparison {
    Comparison {
        id: "memory".into(),
        title: "Memory per key".into(),
        detail: format!("{} keys of 10 bytes", thousands(keys as f64)),
        meaning:
            "Resident memory of a fresh server after loading minus before, divided by keys: key, \
                  value, index and everything the allocator adds."
                .into(),
        command: format!("our generator: {keys} SETs of 10-byte keys, 64 in flight"),
        against: theirs.into(),
        unit: "bytes".into(),
        better: Better::Lower,
        rows: Vec::new(),
        curves: Vec::new(),
    }
}

fn row(name: &str, ours: Vec<f64>, theirs: Vec<f64>) -> Row {
    Row { name: name.into(), ours, theirs, command: String::new(), bar: None }
}

/// What a TTL adds: the row with a TTL minus the same without.
fn surcharge(rows: &[Row]) -> Row {
    let less = |with: &[f64], without: &[f64]| {
        with.iter().zip(without).map(|(with, without)| with - without).collect()
    };
    let (without, with) = (&rows[0], &rows[rows.len() - 1]);
    let [ours, theirs] = [less(&with.ours, &without.ours), less(&with.theirs, &without.theirs)];
    row("extra for a TTL", ours, theirs)
}

/// What `fill` with so many keys adds to a fresh server, for each of them.
fn bytes_per_key(
    side: &Side,
    cores: Option<Cores>,
    keys: u64,
    fill: impl FnOnce(SocketAddr) -> Result<()>,
) -> Result<f64> {
    let mut server = side.start(Some(1), cores)?;
    growth(&server, keys, fill).map_err(|error| server.explain(error))
}

fn growth(server: &Server, keys: u64, fill: impl FnOnce(SocketAddr) -> Result<()>) -> Result<f64> {
    let pid = server.pid.ok_or("no process to look at")?;
    let resident = || usage::resident_bytes(pid).ok_or("its memory cannot be read");
    let mut client = Client::connect(server.address, Duration::from_secs(20))?;
    let before = resident()?;
    fill(server.address)?;
    let held: u64 = client.ask(&["DBSIZE"])?.parse()?;
    if held != keys {
        return Err(format!("{keys} keys were set, the server holds {held}").into());
    }
    let after = settled(resident)?;
    Ok((after as f64 - before as f64) / keys as f64)
}

/// Waits until the figure is stable: servers finish growing their index in the background.
fn settled<E>(resident: impl Fn() -> std::result::Result<u64, E>) -> std::result::Result<u64, E> {
    let mut last = resident()?;
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(150));
        let now = resident()?;
        if now.abs_diff(last) < last / 1000 {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surcharge_is_the_difference_round_by_round() {
        let row = |name, ours: [f64; 2], theirs: [f64; 2]| row(name, ours.into(), theirs.into());
        let rows =
            [row("3 B", [50.0, 51.0], [88.0, 90.0]), row("TTL", [58.0, 58.0], [129.0, 130.0])];
        let extra = surcharge(&rows);
        assert_eq!((extra.ours, extra.theirs), (vec![8.0, 7.0], vec![41.0, 40.0]));
    }
}
