//! The trait of sampling eviction policies, with one file per family of policies.
//!
//! Every entry has 24 bits for the policy (`format::entry`; the `lru` field of a Redis object). A
//! policy computes these bits when a key is created or used, and from the bits how cold a key is:
//!
//! | file | `maxmemory-policy` | the 24 bits | the coldest key is |
//! |---|---|---|---|
//! | `lru.rs` | `allkeys-lru`, `volatile-lru` | second of the last use | unused for longest |
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
    /// Returns the 24 bits of a new key.
    fn inserted(&self, now_ms: i64) -> u32;

    /// Returns the 24 bits of a key that is used now; `bits` are the current ones.
    fn accessed(&self, bits: u32, now_ms: i64, rng: &mut Rng) -> u32;

    /// Returns how cold a key is, in a unit of the policy. The coldest key is evicted first.
    fn coldness(&self, bits: u32, deadline_ms: Option<i64>, now_ms: i64) -> u64;
}
