//! The layout of data in memory: an entry in its slot, and a listpack.
//!
//! ```text
//! $ minicache explain entry foo_000001 bar
//! 0000  01                       flags   string, no deadline  bits 0-1: kind of value; …
//! 0001  94 1b 03                 clock   203668               eviction policy's bits; …
//! 0004  0a                       length  10                   bytes of the key
//! 0005  66 6f 6f 5f 30 30 30 30  key     "foo_000001"         the key
//! 000d  30 31
//! 000f  03                       length  3                    bytes of the value
//! 0010  62 61 72                 value   "bar"                the value
//! 19 bytes, in a slot of 24; 33 with its share of the index.
//! ```
//!
//! The engine's own code writes the bytes, and the layout tables of
//! [`format::entry`](crate::format::entry) and [`listpack`](crate::format::listpack) explain them.

use super::dump::count;
use crate::engine::eviction::policy::Policy as _;
use crate::engine::hashing::{hash_key, hasher};
use crate::engine::store::shard::{Lifetime, NewValue, Shard};
use crate::engine::{eviction::lru::Lru, object::Value, timestamp::Timestamp};
use crate::format::entry;
use crate::format::listpack::{Element, Listpack};

/// The longest key and value: a slot has 32 bits for their lengths.
const BYTES_MAX: usize = u32::MAX as usize;

/// The entry that `SET key value`, perhaps with `EX ttl_s`, makes under `allkeys-lru`.
///
/// # Errors
/// If key or value is too long.
pub fn entry(
    key: &[u8],
    value: &[u8],
    ttl_s: Option<u32>,
    now: Timestamp,
) -> Result<String, String> {
    if key.len().max(value.len()) > BYTES_MAX {
        return Err("an entry holds less than 4 GiB".into());
    }
    let mut shard = Shard::new(1, hasher().clone(), 0);
    let deadline = ttl_s.map(|seconds| now.ms.saturating_add(i64::from(seconds) * 1000));
    let clock = Lru.inserted(now.ms);
    let life = Lifetime { deadline, now_ms: now.ms };
    let handle = shard.insert(0, key, hash_key(hasher(), key), NewValue::Text(value), life, clock);
    let slot = shard.slab().slot(handle);
    let dump = entry::explain(slot);
    let heap = match shard.value(handle) {
        Value::Short(_) => String::new(),
        Value::Object(_) => {
            let bytes = shard.value(handle).heap_bytes();
            format!(" The string is too long for a shared page: {bytes} bytes on the heap.")
        }
    };
    let (used, all) = (count(dump.end(), "byte"), shard.footprint(handle));
    let slot = slot.len();
    Ok(format!("{dump}{used}, in a slot of {slot}; {all} with its share of the index.{heap}\n"))
}

/// A listpack of these elements.
///
/// # Errors
/// If they do not fit into one.
pub fn listpack(elements: &[Vec<u8>]) -> Result<String, String> {
    let mut pack = Listpack::new();
    for element in elements {
        if !pack.has_room_for(element.len()) {
            return Err("a listpack holds less than 1 GiB".into());
        }
        pack.push_back(Element::of(element));
    }
    let texts: usize = elements.iter().map(Vec::len).sum();
    let dump = pack.explain();
    Ok(format!("{dump}{} for {} of text.\n", count(pack.size(), "byte"), count(texts, "byte")))
}
