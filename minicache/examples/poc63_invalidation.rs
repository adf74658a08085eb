//! POC 63: how do caches learn that a row has changed, and who reads the old one meanwhile?
//!
//! `cargo run --release -p minicache --example poc63_invalidation`
//!
//! The first table is about copies in three processes, in front of a server: how old what they
//! return is. The second is about one cache in front of a database: the races of a read and a write
//! of the same row, in every order of their steps. Time is simulated, commands are real: they go to
//! minicache in this process or to the server at `--against HOST:PORT`, and the rows of the second
//! table to a map or to the PostgreSQL or minibtree at `--backend HOST:PORT`.

mod common;
mod races;

use common::{Arguments, Resp};
use minicache::engine::rng::Rng;
use minicache::wire::frame::Frame;
use races::{History, Orders, PATTERNS, Places, Step};
use std::collections::HashMap;
use std::io;

const READS: u64 = 3_000;
const WRITE_EVERY_MS: u64 = 25;
const KEYS: usize = 100;
const PROCESSES: usize = 3;
/// From a change until a process has the message about it.
const MESSAGE_MS: u64 = 10;
const FOREVER_MS: u64 = 1_000_000;

fn main() -> io::Result<()> {
    print!("{}", run(&Arguments::read())?);
    Ok(())
}

fn run(arguments: &Arguments) -> io::Result<String> {
    let address = arguments.cache();
    let cache = Resp::connect(&address)?;
    let backend = arguments.backend("poc63_rows", &[])?;
    let places = Places { cache: &cache, backend: &backend };
    Ok([copies(&address)?, races(&places)?].join("\n"))
}

// ANCHOR: ways
/// How a process learns that the server has a new value.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Not at all. The copies expire.
    Ttl,
    /// The process that writes drops its own copy.
    Explicit,
    /// A writer says so: `PUBLISH changed KEY`.
    PubSub,
    /// The server says so, about every key: `SUBSCRIBE __keyevent@0__:set`.
    Notifications,
    /// The server remembers what a connection has read, and says so once.
    Tracking,
    /// The server says so about every key with a prefix.
    Broadcast,
}

impl Way {
    /// What a process sends once, on the connection where the messages come.
    fn listen(self, link: &Resp) -> io::Result<()> {
        let commands: &[&str] = match self {
            Way::Ttl | Way::Explicit => &[],
            Way::PubSub => &["SUBSCRIBE changed"],
            Way::Notifications => &["SUBSCRIBE __keyevent@0__:set"],
            Way::Tracking => &["HELLO 3", "CLIENT TRACKING ON"],
            Way::Broadcast => &["HELLO 3", "CLIENT TRACKING ON BCAST PREFIX poc63:"],
        };
        commands.iter().try_for_each(|command| link.ask(command).map(drop))
    }
}
// ANCHOR_END: ways

/// What happens to the connection of one process from 1,000 to 1,500 ms.
#[derive(Clone, Copy, PartialEq)]
enum Outage {
    None,
    /// Its messages are lost.
    Lost,
    /// And when it is back the process drops all its copies.
    Emptied,
}

/// A process with copies of what it read.
struct Process {
    /// For commands, and with `CLIENT TRACKING` for its messages as well.
    commands: Resp,
    messages: Option<Resp>,
    /// The version of each key, and when it expires.
    copies: HashMap<usize, (u64, u64)>,
    /// The keys that the server will tell a change of.
    tracked: Vec<bool>,
}

struct Copies {
    way: Way,
    processes: Vec<Process>,
    history: History,
    asked: u64,
    messages: u64,
}

impl Copies {
    fn start(address: &str, way: Way) -> io::Result<Copies> {
        let process = |_| {
            let commands = Resp::connect(address)?;
            let messages = match way {
                Way::PubSub | Way::Notifications => Some(Resp::connect(address)?),
                _ => None,
            };
            way.listen(messages.as_ref().unwrap_or(&commands))?;
            let tracked = vec![false; KEYS];
            Ok(Process { commands, messages, copies: HashMap::new(), tracked })
        };
        let processes = (0..PROCESSES).map(process).collect::<io::Result<_>>()?;
        Ok(Copies { way, processes, history: History::new(KEYS), asked: 0, messages: 0 })
    }

    // ANCHOR: read
    fn read(&mut self, process: usize, key: usize, now_ms: u64, ttl_ms: u64) -> io::Result<()> {
        let process = &mut self.processes[process];
        let copy = process.copies.get(&key).filter(|(_, end_ms)| now_ms < *end_ms);
        let version = match copy {
            Some((version, _)) => *version,
            None => {
                self.asked += 1;
                let value = process.commands.call(&[b"GET", name(key).as_bytes()])?;
                let text = String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
                let version = text.parse().map_err(io::Error::other)?;
                process.copies.insert(key, (version, now_ms + ttl_ms));
                process.tracked[key] = true;
                version
            }
        };
        self.history.read(key, version, now_ms);
        Ok(())
    }
    // ANCHOR_END: read

    /// Takes the message about a change off each connection where one must be, and returns the
    /// processes that got it.
    fn told(&mut self, key: usize) -> io::Result<Vec<usize>> {
        let mut told = Vec::new();
        for (number, process) in self.processes.iter_mut().enumerate() {
            let is_tracked = std::mem::take(&mut process.tracked[key]);
            let is_told = match self.way {
                Way::Ttl | Way::Explicit => false,
                Way::Tracking => is_tracked,
                Way::PubSub | Way::Notifications | Way::Broadcast => true,
            };
            if is_told {
                let link = process.messages.as_ref().unwrap_or(&process.commands);
                let message = link.receive()?;
                assert_eq!(last(&message), name(key).as_bytes(), "{message:?}");
                self.messages += 1;
                told.push(number);
            }
        }
        Ok(told)
    }
}

/// The last text of a frame: `invalidate`, `[poc63:7]`, or `message`, `changed`, `poc63:7`.
fn last(frame: &Frame) -> &[u8] {
    match frame {
        Frame::Bulk(bytes) => bytes,
        Frame::Group(_, frames) => frames.last().map_or(&[], last),
        _ => &[],
    }
}

fn name(key: usize) -> String {
    format!("poc63:{key}")
}

/// A read each ms, in the three processes in turn, and a write every 25 ms by one of them.
fn play(address: &str, way: Way, ttl_ms: u64, outage: Outage) -> io::Result<Copies> {
    let writer = Resp::connect(address)?;
    for key in 0..KEYS {
        writer.ask(&format!("SET {} 0", name(key)))?;
    }
    let mut copies = Copies::start(address, way)?;
    let mut random = Rng::new(63);
    let mut under_way = Vec::<(u64, usize, usize)>::new();

    for now_ms in 0..READS {
        under_way.retain(|(due_ms, process, key)| {
            if *due_ms == now_ms {
                copies.processes[*process].copies.remove(key);
            }
            now_ms < *due_ms
        });
        if now_ms == 1_500 && outage == Outage::Emptied {
            copies.processes[0].copies.clear();
        }
        if now_ms % WRITE_EVERY_MS == 0 {
            let key = random.below(KEYS).min(random.below(KEYS));
            writer.ask(&format!("SET {} {}", name(key), now_ms + 1))?;
            copies.history.commit(key, now_ms + 1, now_ms);
            if way == Way::PubSub {
                writer.ask(&format!("PUBLISH changed {}", name(key)))?;
            }
            if way == Way::Explicit {
                copies.processes[1].copies.remove(&key);
            }
            let is_lost = |process| {
                outage != Outage::None && process == 0 && (1_000..1_500).contains(&now_ms)
            };
            let told = copies.told(key)?.into_iter().filter(|process| !is_lost(*process));
            under_way.extend(told.map(|process| (now_ms + MESSAGE_MS, process, key)));
        }
        let key = random.below(KEYS).min(random.below(KEYS));
        copies.read(now_ms as usize % PROCESSES, key, now_ms, ttl_ms)?;
    }
    Ok(copies)
}

fn copies(address: &str) -> io::Result<String> {
    let admin = Resp::connect(address)?;
    let setting = admin.ask("CONFIG GET notify-keyspace-events")?;
    admin.ask("CONFIG SET notify-keyspace-events E$")?;

    let mut text = format!(
        "{:<42}{:>7}{:>12}{:>7}{:>10}\n",
        "3,000 reads in 3 processes, 120 writes", "stale", "at most", "asked", "messages"
    );
    let none = Outage::None;
    for (name, way, ttl_ms, outage) in [
        ("TTL 1,000 ms", Way::Ttl, 1_000, none),
        ("TTL 100 ms", Way::Ttl, 100, none),
        ("explicit, in the process that writes", Way::Explicit, FOREVER_MS, none),
        ("pub/sub", Way::PubSub, FOREVER_MS, none),
        ("keyspace notifications", Way::Notifications, FOREVER_MS, none),
        ("CLIENT TRACKING", Way::Tracking, FOREVER_MS, none),
        ("CLIENT TRACKING BCAST", Way::Broadcast, FOREVER_MS, none),
        ("pub/sub, a connection lost for 500 ms", Way::PubSub, FOREVER_MS, Outage::Lost),
        ("... and a TTL of 1,000 ms", Way::PubSub, 1_000, Outage::Lost),
        ("... and copies dropped when it is back", Way::PubSub, FOREVER_MS, Outage::Emptied),
    ] {
        let Copies { history, asked, messages, .. } = play(address, way, ttl_ms, outage)?;
        let at_most = format!("{} ms", history.stale_ms_max);
        let stale = history.stale;
        text += &format!("{name:<42}{stale:>7}{at_most:>12}{asked:>7}{messages:>10}\n");
    }

    let before = [b"CONFIG".as_slice(), b"SET", b"notify-keyspace-events", last(&setting)];
    admin.call(&before)?;
    Ok(text)
}

fn races(places: &Places) -> io::Result<String> {
    let mut text = format!(
        "{:<32}{:>14}{:>18}{:>8}{:>12}\n",
        "one cache and its database", "stale orders", "with an eviction", "stale", "at most"
    );
    let mut shown = String::new();
    for pattern in &PATTERNS {
        let plain = races::every_order(places, pattern, &[])?;
        let evicted = races::every_order(places, pattern, &[Step::Evict])?;
        let history = races::simulate(places, pattern)?;
        let count = |it: &Orders| format!("{} of {}", it.stale.len(), it.all);
        let (name, orders, with) = (pattern.name, count(&plain), count(&evicted));
        let (stale, at_most) = (history.stale, format!("{} ms", history.stale_ms_max));
        text += &format!("{name:<32}{orders:>14}{with:>18}{stale:>8}{at_most:>12}\n");
        // One alone is worth reading.
        for [order] in [&plain.stale, &evicted.stale]
            .into_iter()
            .filter_map(|it| <&[_; 1]>::try_from(&it[..]).ok())
        {
            shown += &format!("{name}\n    {order}\n");
        }
    }
    text += &format!("stale: of {} reads, with 100 writes, of ten rows\n", races::READS);
    Ok(format!("{text}\nThe only stale order of\n{shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_recorded_one() {
        let output = run(&Arguments::default()).expect("server and backend answer");
        common::assert_recorded("poc63_invalidation", &output);
    }
}
