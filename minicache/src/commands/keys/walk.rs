//! All keys, or any: `KEYS`, `SCAN`, `RANDOMKEY`.
//!
//! A cursor of `SCAN` names a shard and a place in its index. With 4 shards:
//!
//! ```text
//! SCAN 0       shard 0 from its start            cursor 24 = 6 × 4 + 0: place 6 of shard 0
//! SCAN 24      shard 0 to its end, then shard 1  cursor 13 = 3 × 4 + 1: place 3 of shard 1
//! …            shard 3 to its end                cursor 0: that was all
//! ```
//!
//! The start of shard 1 is cursor 1, so nothing but the start of shard 0 and the end of the last
//! shard is 0. A key never changes its shard, so what the index guarantees for one shard, every key
//! that stays is seen, holds for all. Redis has one index and needs no more than its place.

use crate::commands::Call;
use crate::commands::scan::{self, Options};
use crate::engine::{
    error::Answer, glob, keyspace::Keyspace, store::shard::Shard, store::slab::Handle,
};

/// `KEYS pattern`
pub fn keys(c: &mut Call) -> Answer {
    let (pattern, now_ms) = (c.arg(1), c.keyspace.now.ms);
    let (start, mut listed, mut cursor) = (c.out.mark(), 0, 0);
    loop {
        cursor = step(c.keyspace, cursor, |shard, handle| {
            let key = shard.key(handle);
            let wanted = pattern == b"*" || glob::matches(pattern, key);
            if wanted && is_alive(shard, handle, now_ms) {
                c.out.bulk(key);
                listed += 1;
            }
        });
        if cursor == 0 {
            break;
        }
    }
    c.out.array_at(start, listed);
    Ok(())
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`
pub fn scan(c: &mut Call) -> Answer {
    let cursor = scan::cursor(c.arg(1))?;
    let options = Options::parse(c.args, 2, true)?;
    let now_ms = c.keyspace.now.ms;
    let (start, mut listed, mut dead) = (c.out.mark(), 0, Vec::new());
    let cursor = options.walk(cursor, |cursor| {
        let mut looked_at = 0;
        let next = step(c.keyspace, cursor, |shard, handle| {
            looked_at += 1;
            let key = shard.key(handle);
            if !options.wants(key) || !is_of_type(shard, handle, options.type_name) {
            } else if is_alive(shard, handle, now_ms) {
                c.out.bulk(key);
                listed += 1;
            } else {
                dead.push(key.to_vec());
            }
        });
        (next, looked_at)
    });
    scan::finish(c.out, start, cursor, listed);
    for key in dead {
        // Looking for a dead key removes it.
        c.keyspace.exists(c.keyspace.key(&key));
    }
    Ok(())
}

pub fn randomkey(c: &mut Call) -> Answer {
    // Looking for a dead key removes it, so this ends.
    while let Some(key) = any_key(c) {
        if c.keyspace.exists(c.keyspace.key(&key)) {
            c.out.bulk(&key);
            return Ok(());
        }
    }
    c.out.answer_null()
}

/// Shows the keys of one bucket of the shard that a cursor names; returns the cursor after them.
fn step(keyspace: &Keyspace, cursor: u64, mut show: impl FnMut(&Shard, Handle)) -> u64 {
    let count = keyspace.parts.shards.len() as u64;
    let (number, place) = (cursor % count, cursor / count);
    let (_, shard) = keyspace.shards().nth(number as usize).expect("all shards are locked");
    match shard.table(keyspace.db).scan(place, |handle| show(shard, handle)) {
        0 if number + 1 == count => 0,
        0 => number + 1,
        place => place * count + number,
    }
}

fn is_alive(shard: &Shard, handle: Handle, now_ms: i64) -> bool {
    shard.deadline(handle).is_none_or(|deadline| deadline > now_ms)
}

fn is_of_type(shard: &Shard, handle: Handle, name: Option<&[u8]>) -> bool {
    let actual = || shard.value(handle).type_name().as_bytes();
    name.is_none_or(|name| name.eq_ignore_ascii_case(actual()))
}

/// A key, dead or alive: from a shard drawn by its number of keys.
fn any_key(c: &mut Call) -> Option<Vec<u8>> {
    let db = c.keyspace.db;
    let total: usize = c.keyspace.shards().map(|(_, shard)| shard.len(db)).sum();
    let mut at = c.cache.shards.rng().below(total);
    let shard = c.keyspace.shards_mut().find(|shard| {
        let here = at < shard.len(db);
        at = at.saturating_sub(shard.len(db));
        here
    })?;
    let handle = shard.random(db)?;
    Some(shard.key(handle).to_vec())
}
