//! What an eviction policy decides: one small trait, one file per family of policies.
//!
//! Every entry has 24 bits that belong to the policy (`format::entry`; the `lru` field of a Redis
//! object). A policy says what to write there when a key is created or used, and how cold a key
//! with given bits is:
//!
//! | `maxmemory-policy` | the 24 bits | the coldest key is |
//! |---|---|---|
//! | `allkeys-lru`, `volatile-lru` ([`Lru`](super::lru::Lru)) | time of last use, in s | the one idle longest |
//! | `allkeys-lfu`, `volatile-lfu` ([`Lfu`](super::lfu::Lfu)) | decay time and counter | the one used least often |
//! | `allkeys-random`, `volatile-random` ([`Random`](super::random::Random)) | as LRU | any |
//! | `volatile-ttl` ([`Ttl`](super::ttl::Ttl)) | as LRU | the one that expires first |
//! | `noeviction` | as LRU | none |
//!
//! Only keys with a TTL are eligible under a `volatile-*` policy. That is not the policy's business:
//! the sampler selects eligible keys before it asks.
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
