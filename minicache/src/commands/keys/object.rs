//! How a value is stored in memory, and when it was used: `OBJECT` (`object.c`).
//!
//! ```text
//! SET n 7            OBJECT ENCODING n        int
//! APPEND n x         OBJECT ENCODING n        raw
//! ZADD z 1 a         OBJECT ENCODING z        listpack
//! …half a minute     OBJECT IDLETIME z        (integer) 30
//! ```
//!
//! An entry has 24 bits for the eviction policy, which hold either the time of the last use or how
//! often it was used. So only one of `IDLETIME` and `FREQ` is known. Nothing here is shared
//! between keys; the count that Redis gives for its shared small numbers is kept, because tests
//! look at it.

use crate::commands::Call;
use crate::engine::error::{Answer, Error};
use crate::engine::eviction::lru::Lru;
use crate::engine::object::{Str, Value};
use crate::engine::store::{shard::Shard, slab::Handle};
use crate::engine::tuning::MaxmemoryPolicy as Policy;

/// Whole numbers below this are shared objects in Redis (`OBJ_SHARED_INTEGERS` in `server.h`).
const SHARED_BELOW: i64 = 10_000;

/// `OBJECT ENCODING key`
pub fn object_encoding(c: &mut Call) -> Answer {
    if let Some(encoding) = look(c, |shard, handle| shard.value(handle).encoding()) {
        c.out.text(encoding);
    }
    Ok(())
}

/// `OBJECT FREQ key`
pub fn object_freq(c: &mut Call) -> Answer {
    let Some(bits) = look(c, Shard::clock) else { return Ok(()) };
    let tuning = c.keyspace.parts.tuning;
    let lfu = tuning.maxmemory_policy.is_lfu().then_some(tuning.lfu).ok_or(Error::new(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note \
         that when switching between policies at runtime LRU and LFU data will take some time to \
         adjust.",
    ))?;
    c.out.answer_int(i64::from(lfu.frequency(bits, c.keyspace.now.ms)))
}

/// `OBJECT IDLETIME key`
pub fn object_idletime(c: &mut Call) -> Answer {
    let Some(bits) = look(c, Shard::clock) else { return Ok(()) };
    if c.settings.maxmemory_policy.is_lfu() {
        return Err(Error::new(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that \
             when switching between policies at runtime LRU and LFU data will take some time to \
             adjust.",
        ));
    }
    if c.settings.maxmemory_policy.order().is_some() {
        return Err(Error::new(
            "ERR A maxmemory policy that keeps an order is selected, idle time not tracked.",
        ));
    }
    c.out.answer_count((Lru::idle_ms(bits, c.keyspace.now.ms) / 1000) as usize)
}

/// `OBJECT REFCOUNT key`
pub fn object_refcount(c: &mut Call) -> Answer {
    let settings = c.settings;
    let by_use = settings.maxmemory_policy.is_lfu()
        || matches!(settings.maxmemory_policy, Policy::AllKeysLru | Policy::VolatileLru);
    let shares = settings.maxmemory == 0 || !by_use;
    let references = |shard: &Shard, handle| match shard.value(handle) {
        Value::Short(Str::Int(0..SHARED_BELOW)) if shares => i32::MAX,
        _ => 1,
    };
    if let Some(count) = look(c, references) {
        c.out.int(count.into());
    }
    Ok(())
}

/// Looks at the key: a hit or a miss, but neither a use nor an event (`objectCommandLookup`).
/// Replies with null if there is no key.
fn look<T>(c: &mut Call, look: impl FnOnce(&Shard, Handle) -> T) -> Option<T> {
    let found = c.keyspace.inspect(c.key(2), look);
    if let Some(shard) = c.keyspace.shards_mut().next() {
        *(if found.is_some() { &mut shard.stats.hits } else { &mut shard.stats.misses }) += 1;
    }
    if found.is_none() {
        c.out.null();
    }
    found
}
