//! What a key and a connection cost in memory, as the kernel sees it.
//!
//! A server's own `used_memory` leaves out what its allocator wastes. So we read the resident
//! memory of a fresh process before and after loading a million keys of ten bytes. The difference
//! divided by the keys includes everything: key, value, index, rounding, fragmentation.
//!
//! ```text
//! fresh server           Rss   7.2 MB
//! after 1,000,000 SETs   Rss  95.8 MB      (95.8 - 7.2) / 1,000,000 = 88.6 bytes a key
//! ```
//!
//! Redis gives the buffers of idle clients back after some seconds, and its allocator the pages
//! some ten seconds later, so connections are counted twice: right after their first command, and
//! [`IDLE`] later.

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

/// Connections before memory is read first.
const FIRST: usize = 50;
/// Connections after that; with the first ones fewer than 1,024, the usual limit of open files.
const MORE: usize = 900;
/// Longer than Redis needs: reply buffers shrink after five seconds, and jemalloc keeps free pages
/// for ten.
const IDLE: Duration = Duration::from_secs(20);

/// The planned seconds of one side of [`connections`].
pub const SECONDS_PER_CONNECTIONS: f64 = 21.0;

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

/// Memory of connections that have had one answer and wait, in turns.
pub fn connections(
    rounds: &mut Rounds,
    sides: [&Side; 2],
    cores: Option<Cores>,
) -> Result<Comparison> {
    let figures = rounds.all("memory, connections", SECONDS_PER_CONNECTIONS, |side| {
        let mut server = sides[side].start(Some(1), cores)?;
        bytes_per_connection(&server).map_err(|error| server.explain(error))
    })?;
    let rows = ["after its first command", "idle for 20 s"].iter().enumerate().map(|(at, name)| {
        let [ours, theirs] = figures.each_ref().map(|it| it.iter().map(|both| both[at]).collect());
        row(name, ours, theirs)
    });
    Ok(Comparison {
        id: "memory-connections".into(),
        title: "Memory per connection".into(),
        detail: format!("{MORE} connections that have had one answer"),
        meaning: "Resident memory of the server with them minus without, divided by connections. \
                  The kernel's buffers are not in it."
            .into(),
        command: format!("our own client: {FIRST} connections, then {MORE} more, a GET on each"),
        rows: rows.collect(),
        ..heading(sides[1].system.name, 0)
    })
}

/// What a connection adds to a fresh server: right after its first command, and idle.
fn bytes_per_connection(server: &Server) -> Result<[f64; 2]> {
    let pid = server.pid.ok_or("no process to look at")?;
    let resident = || usage::resident_bytes(pid).ok_or("its memory cannot be read");
    let open = |count: usize| -> Result<Vec<Client>> {
        let mut clients = Vec::new();
        for _ in 0..count {
            let mut client = Client::connect(server.address, Duration::from_secs(20))?;
            client.ask(&["GET", "key"])?;
            clients.push(client);
        }
        Ok(clients)
    };
    let _first = open(FIRST)?;
    let before = resident()?;
    let _more = open(MORE)?;
    let after = resident()?;
    std::thread::sleep(IDLE);
    let each = |bytes: u64| (bytes as f64 - before as f64) / MORE as f64;
    Ok([each(after), each(resident()?)])
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
