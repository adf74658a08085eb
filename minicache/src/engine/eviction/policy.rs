//! What an eviction policy decides: one small trait, one file per family of policies.
//!
//! Every entry has 24 bits that belong to the policy (`format::entry`; the `lru` field of a Redis
//! object). A policy says what to write there when a key is created or used, and how cold a key
//! with given bits is:
//!
//! | file | `maxmemory-policy` | the 24 bits | the coldest key is |
//! |---|---|---|---|
//! | `lru.rs` | `allkeys-lru`, `volatile-lru` | second of the last use | the longest unused |
//! | `lfu.rs` | `allkeys-lfu`, `volatile-lfu` | decay time and counter | the least often used |
//! | `random.rs` | `allkeys-random`, `volatile-random` | as LRU | any |
//! | `ttl.rs` | `volatile-ttl` | as LRU | the one that expires first |
//! | `lru.rs` | `noeviction` | as LRU | none |
//!
//! Only keys with a TTL are eligible under a `volatile-*` policy. A [`Policy`] does not check that:
//! the sampler (`Shard::sample_into_pool`) passes it eligible keys only.
//!
//! Redis makes the same decisions in a chain of `if`s (`evictionPoolPopulate` in `evict.c`,
//! `createObject` in `object.c`, `lookupKey` in `db.c`).

use crate::engine::rng::Rng;

/// An eviction policy. All methods run under the shard's lock, the first two on every command that
/// creates or reads a key.
pub trait Policy: Send + Sync {
    /// The 24 bits of a new key.
    fn inserted(&self, now_ms: i64) -> u32;

    /// The 24 bits of a key that is used now; `bits` are the current ones.
    fn accessed(&self, bits: u32, now_ms: i64, rng: &mut Rng) -> u32;

    /// How cold a key is; the coldest is evicted first. The unit is the policy's own.
    fn coldness(&self, bits: u32, deadline_ms: Option<i64>, now_ms: i64) -> u64;
}
