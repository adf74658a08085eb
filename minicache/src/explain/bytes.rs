//! The layout of data in memory: an entry in its slot, and a listpack.
//!
//! ```text
//! $ minicache explain entry foo_000001 bar
//! offset  bytes                    text      meaning
//!      0  01                       .         flags: a string, inline, without deadline
//!      1  00 e8 9a                 ...       the eviction policy's 24 bits: …
//!      4  0a                       .         length of the key: 10
//!      5  66 6f 6f 5f 30 30 30 30  foo_0000  the key
//!     13  30 31                    01
//!     15  03                       .         length of the value: 3
//!     16  62 61 72                 bar       the value
//! 19 bytes, in a slot of 24.
//! ```
//!
//! The bytes are written by the engine's own code and taken apart by
//! [`format::anatomy`](crate::format::anatomy).

use super::Unexplained;
use super::dump::{self, count, table};
use crate::engine::eviction::lru::Lru;
use crate::engine::eviction::policy::Policy as _;
use crate::engine::hashing::hasher;
use crate::engine::object::Value;
use crate::engine::store::shard::{Lifetime, NewValue, Shard};
use crate::engine::timestamp::Timestamp;
use crate::format::anatomy::{self, Part};
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
) -> Result<String, Unexplained> {
    if key.len().max(value.len()) > BYTES_MAX {
        return Err(Unexplained("an entry holds less than 4 GiB".to_string()));
    }
    let mut shard = Shard::new(1, hasher().clone(), 0);
    let deadline = ttl_s.map(|seconds| now.ms.saturating_add(i64::from(seconds) * 1000));
    let life = Lifetime { deadline, now_ms: now.ms };
    let handle = shard.insert(0, key, NewValue::Text(value), life, Lru.inserted(now.ms));
    let slot = shard.slab().slot(handle);
    let parts = anatomy::of_entry(slot);
    let used = parts.last().map_or(0, |part| part.range.end);
    let text = shown(&slot[..used], parts);
    let heap = match shard.value(handle) {
        Value::Short(_) => String::new(),
        Value::Object(_) => {
            let bytes = shard.value(handle).heap_bytes();
            format!(" The string is too long for a shared page: {bytes} bytes on the heap.")
        }
    };
    let (used, all) = (count(used, "byte"), shard.footprint(handle));
    let slot = slot.len();
    Ok(format!("{text}{used}, in a slot of {slot}; {all} with its share of the index.{heap}\n"))
}

/// A listpack of these elements.
///
/// # Errors
/// If they do not fit into one.
pub fn listpack(elements: &[Vec<u8>]) -> Result<String, Unexplained> {
    let mut pack = Listpack::new();
    for element in elements {
        if !pack.has_room_for(element.len()) {
            return Err(Unexplained("a listpack holds less than 1 GiB".to_string()));
        }
        pack.push_back(Element::of(element));
    }
    let texts: usize = elements.iter().map(Vec::len).sum();
    let table = shown(pack.as_bytes(), anatomy::of_listpack(&pack));
    Ok(format!("{table}{} for {} of text.\n", count(pack.size(), "byte"), count(texts, "byte")))
}

fn shown(bytes: &[u8], parts: Vec<Part>) -> String {
    let part = |part: Part| dump::Part::new(part.range, 0, part.meaning);
    table(bytes, &parts.into_iter().map(part).collect::<Vec<_>>())
}
