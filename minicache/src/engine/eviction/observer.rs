//! What an observer of the live traffic sees: one key in 64, chosen by its hash.
//!
//! ```text
//! GET user:7     hash …7c02     its lowest six bits are not zero: one comparison, and no more
//! GET user:9     hash …91c0     Read(Some(96 bytes)) if it is there, Read(None) if not
//! SET user:9 v                  Added or Overwritten
//! ```
//!
//! A key is sampled always or never, so the sample is a small cache's whole traffic: a cache of a
//! 64th of the size misses as often on it (C. Waldspurger and others, "Efficient MRC Construction
//! with SHARDS", FAST 2015). The counterpart in Redis is none; `CACHE ADVISE` is the observer.

use crate::engine::tuning::Tuning;

/// The bits of a hash that are zero in the sample.
pub const SAMPLED: u64 = 63;

/// What happened to a sampled key. Changes in place, such as `APPEND`, are seen at the next read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A command has read it; `None` if it does not exist.
    Read(Option<Stored>),
    Added(Stored),
    Overwritten(Stored),
    /// It was deleted, or has expired.
    Removed,
    Evicted,
}

/// What a key takes, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// As `MEMORY USAGE` counts.
    pub bytes: u32,
    /// Unix milliseconds; `None` if it does not expire.
    pub deadline: Option<i64>,
}

/// Learns from the sample.
pub trait Observer: Send + Sync {
    /// An event of a key with this hash, usually under the lock of its shard.
    fn observe(&self, tuning: &Tuning, now_ms: i64, hash: u64, event: Event);
}

/// Tells keys of the same name in different databases apart.
pub fn hash_in(db: usize, hash: u64) -> u64 {
    hash.wrapping_add((db as u64) << 32)
}
