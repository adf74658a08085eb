//! A read and a write of a row as lists of steps, which can be taken in any order.
//!
//! ```text
//! reader   GET -> nil              SELECT -> 1                    SET 1
//! writer               .                        COMMIT 2, DEL            from here on GET -> 1
//! ```
//!
//! Each step is one command to the cache or one statement to the database. [`every_order`] takes
//! the steps of a reader and a writer in every order, [`simulate`] those of many clients by a
//! timetable. The value of a row is its version: the number of the write it is from.

use crate::common::{Backend, Resp};
use minicache::engine::rng::Rng;
use std::collections::BTreeMap;
use std::io;

/// What a client does at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Asks the cache. A hit ends the read.
    Get,
    /// Asks the database.
    Select,
    /// Puts what the client read or wrote into the cache.
    Set,
    /// Does so unless the cache has a newer version.
    SetIfNewer,
    /// Notes the key in the set of its tag.
    AddToTag,
    /// Learns the token of the tag, which is part of the key from then on.
    Token,
    /// Takes the lease of the key, if nobody has it.
    Lease,
    /// Puts the row into the cache if the lease still holds.
    Fill,
    /// Changes the row.
    Commit,
    /// Deletes the key.
    Delete,
    /// Deletes it again, a while later.
    DeleteAgain,
    /// Deletes all keys in the set of the tag.
    DeleteTag,
    /// Deletes the token of the tag: nobody looks for the old keys any more.
    DeleteToken,
    /// Deletes the key and ends the lease on it.
    Invalidate,
    /// Deletes the key and takes the lease, whoever has it.
    Block,
    /// What the cache does by itself: everything about the key is gone.
    Evict,
}

use Step::*;

/// How clients read, and how they write.
pub struct Pattern {
    pub name: &'static str,
    read: &'static [Step],
    write: &'static [Step],
}

// ANCHOR: patterns
pub const PATTERNS: [Pattern; 10] = [
    Pattern { name: "COMMIT", read: &[Get, Select, Set], write: &[Commit] },
    Pattern { name: "DEL, COMMIT", read: &[Get, Select, Set], write: &[Delete, Commit] },
    Pattern { name: "COMMIT, SET", read: &[Get, Select, Set], write: &[Commit, Set] },
    Pattern { name: "COMMIT, DEL", read: &[Get, Select, Set], write: &[Commit, Delete] },
    Pattern {
        name: "COMMIT, DEL, and DEL again",
        read: &[Get, Select, Set],
        write: &[Commit, Delete, DeleteAgain],
    },
    Pattern {
        name: "by tag, a set of keys",
        read: &[Get, Select, AddToTag, Set],
        write: &[Commit, DeleteTag],
    },
    Pattern {
        name: "by tag, a token in the key",
        read: &[Token, Get, Select, Set],
        write: &[Commit, DeleteToken],
    },
    Pattern {
        name: "SET if newer",
        read: &[Get, Select, SetIfNewer],
        write: &[Commit, SetIfNewer],
    },
    Pattern { name: "lease", read: &[Get, Lease, Select, Fill], write: &[Commit, Invalidate] },
    Pattern {
        name: "lease that the writer takes",
        read: &[Get, Lease, Select, Fill],
        write: &[Block, Commit, Invalidate],
    },
];
// ANCHOR_END: patterns

// ANCHOR: scripts
const SET_IF_NEWER: &str = "local old = redis.call('get', KEYS[1]) \
    if old and tonumber(old) >= tonumber(ARGV[1]) then return 0 end \
    redis.call('set', KEYS[1], ARGV[1]) return 1";
const FILL: &str = "if redis.call('get', KEYS[2]) ~= ARGV[2] then return 0 end \
    redis.call('del', KEYS[2]) redis.call('set', KEYS[1], ARGV[1]) return 1";
const BLOCK: &str = "redis.call('set', KEYS[2], ARGV[2], 'px', 60000) \
    return redis.call('del', KEYS[1])";
const DELETE_TAG: &str = "for _, key in ipairs(redis.call('smembers', KEYS[2])) do \
    redis.call('del', key) end return redis.call('del', KEYS[2])";
const EVICT: &str = "for _, key in ipairs(redis.call('keys', KEYS[1] .. '*')) do \
    redis.call('del', key) end return 1";
// ANCHOR_END: scripts

/// The row of [`every_order`].
const ROW: &str = "poc63";

/// The two places that a row is in.
pub struct Places<'a> {
    pub cache: &'a Resp,
    pub backend: &'a Backend,
}

/// A client in the middle of its list.
struct Client {
    /// What is left of it.
    steps: &'static [Step],
    /// Its number, which is its token too.
    id: String,
    /// The row.
    row: String,
    /// The key in the cache.
    key: String,
    /// What it read or wrote.
    version: u64,
}

impl Client {
    fn new(steps: &'static [Step], row: &str, id: u64) -> Client {
        let (id, row) = (id.to_string(), row.to_owned());
        Client { steps, id, key: row.clone(), row, version: 0 }
    }

    /// Takes the next step, and returns it. `next_version` is that of a change.
    fn step(&mut self, places: &Places, next_version: u64) -> io::Result<Option<Step>> {
        let Some((step, rest)) = self.steps.split_first() else { return Ok(None) };
        self.steps = rest;
        let cache = |command: &str| places.cache.ask(command);
        let number = |bytes: Option<Vec<u8>>| {
            bytes.and_then(|it| String::from_utf8_lossy(&it).parse::<u64>().ok())
        };
        let Client { id, row, key, version, .. } = self;
        let script = |text: &str, key: &str, side: &str, version: u64| {
            let (side, version) = (format!("{row}:{side}"), version.to_string());
            let words = ["EVAL", text, "2", key, &side, &version, id];
            places.cache.call(&words.map(str::as_bytes)).map(drop)
        };
        match step {
            Get => {
                if let Some(found) = number(places.cache.call(&[b"GET", key.as_bytes()])?) {
                    *version = found;
                    self.steps = &[];
                }
            }
            Select => *version = number(places.backend.read(row)?.map(Vec::from)).unwrap_or(0),
            Set => drop(cache(&format!("SET {key} {version}"))?),
            SetIfNewer => script(SET_IF_NEWER, key, "", *version)?,
            AddToTag => drop(cache(&format!("SADD {row}:tag {key}"))?),
            Token => {
                let name = format!("{row}:token");
                let words = ["SET", &name, id, "NX", "GET"].map(str::as_bytes);
                let old = places.cache.call(&words)?.unwrap_or(id.as_bytes().to_vec());
                *key = format!("{row}:{}", String::from_utf8_lossy(&old));
            }
            Lease => drop(cache(&format!("SET {row}:lease {id} NX PX 60000"))?),
            Fill => script(FILL, key, "lease", *version)?,
            Commit => {
                *version = next_version;
                places.backend.write(row, &next_version.to_string())?;
            }
            Delete | DeleteAgain => drop(cache(&format!("DEL {key}"))?),
            DeleteTag => script(DELETE_TAG, key, "tag", 0)?,
            DeleteToken => drop(cache(&format!("DEL {row}:token"))?),
            Invalidate => drop(cache(&format!("DEL {key} {row}:lease"))?),
            Block => script(BLOCK, key, "lease", 0)?,
            Evict => script(EVICT, row, "", 0)?,
        }
        Ok(Some(*step))
    }

    /// Takes all steps, and returns the version that the client has then.
    fn run(mut self, places: &Places) -> io::Result<u64> {
        while self.step(places, 0)?.is_some() {}
        Ok(self.version)
    }
}

/// What came of taking the steps in every order.
pub struct Orders {
    pub all: usize,
    /// Those after which the cache has the old version.
    pub stale: Vec<String>,
}

// ANCHOR: orders
/// Takes the steps of one reader, one writer and `others` in every order, and has another reader
/// look what is in the cache then.
pub fn every_order(
    places: &Places,
    pattern: &Pattern,
    others: &'static [Step],
) -> io::Result<Orders> {
    let lists = [pattern.read, pattern.write, others];
    let all = orders(lists.map(<[Step]>::len));
    let mut stale = Vec::new();
    for order in &all {
        places.backend.write(ROW, "1")?;
        Client::new(&[Evict], ROW, 0).run(places)?;
        let mut id = 0;
        let mut clients = lists.map(|list| {
            id += 1;
            Client::new(list, ROW, id)
        });
        let mut taken = Vec::new();
        for number in order {
            let client = ["reader", "writer", "cache"][*number];
            if let Some(step) = clients[*number].step(places, 2)? {
                taken.push(format!("{client} {step:?}"));
            }
        }
        if Client::new(pattern.read, ROW, 9).run(places)? != 2 {
            stale.push(taken.join(", "));
        }
    }
    Ok(Orders { all: all.len(), stale })
}

/// All orders of so many steps of three clients, those of each in sequence.
fn orders(left: [usize; 3]) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    for client in (0..3).filter(|client| left[*client] > 0) {
        let mut rest = left;
        rest[client] -= 1;
        all.extend(orders(rest).into_iter().map(|tail| [vec![client], tail].concat()));
    }
    if left == [0; 3] { vec![Vec::new()] } else { all }
}
// ANCHOR_END: orders

/// When which version of each row was committed, and the reads that got an older one.
pub struct History {
    commits: Vec<Vec<(u64, u64)>>,
    pub stale: u64,
    pub stale_ms_max: u64,
}

impl History {
    pub fn new(rows: usize) -> History {
        History { commits: vec![vec![(0, 0)]; rows], stale: 0, stale_ms_max: 0 }
    }

    pub fn commit(&mut self, row: usize, version: u64, now_ms: u64) {
        self.commits[row].push((version, now_ms));
    }

    /// Counts a read that began then, if what it got was replaced before it began.
    pub fn read(&mut self, row: usize, version: u64, began_ms: u64) {
        let replaced = self.commits[row].iter().find(|(newer, _)| *newer > version);
        if let Some((_, replaced_ms)) = replaced.filter(|(_, at_ms)| *at_ms < began_ms) {
            self.stale += 1;
            self.stale_ms_max = self.stale_ms_max.max(began_ms - replaced_ms);
        }
    }
}

const ROWS: usize = 10;
pub const READS: u64 = 2_000;
const WRITE_EVERY_MS: u64 = 20;

/// A read each ms and a write every 20 ms, of ten rows. A step of a reader takes up to 20 ms, one
/// of a writer 2 ms. Each row is evicted once a second.
pub fn simulate(places: &Places, pattern: &Pattern) -> io::Result<History> {
    let mut random = Rng::new(63);
    let mut clients = BTreeMap::new();
    for row in 0..ROWS {
        let name = format!("poc63:{row}");
        places.backend.write(&name, "0")?;
        Client::new(&[Evict], &name, 0).run(places)?;
    }
    for now_ms in 0..READS {
        let mut come = |steps, row: usize| {
            let id = clients.len() as u64 + 1;
            let client = Client::new(steps, &format!("poc63:{row}"), id);
            clients.insert((now_ms, id), (client, row, now_ms));
        };
        if now_ms % WRITE_EVERY_MS == 0 {
            come(pattern.write, random.below(ROWS));
        }
        if now_ms % 100 == 99 {
            come(&[Evict], (now_ms / 100) as usize % ROWS);
        }
        come(pattern.read, random.below(ROWS).min(random.below(ROWS)));
    }

    let mut history = History::new(ROWS);
    while let Some(((now_ms, id), (mut client, row, began_ms))) = clients.pop_first() {
        let Some(step) = client.step(places, now_ms + 1)? else { continue };
        let pause_ms = match step {
            Commit => {
                history.commit(row, client.version, now_ms);
                2
            }
            Delete if client.steps == [DeleteAgain] => 30,
            Delete | Block => 2,
            _ => 1 + random.below(20) as u64,
        };
        let is_hit = step == Get && client.steps.is_empty();
        if is_hit || step == Select {
            history.read(row, client.version, began_ms);
        }
        clients.insert((now_ms + pause_ms, id), (client, row, began_ms));
    }
    Client::new(&[Evict], ROW, 0).run(places)?;
    Ok(history)
}
