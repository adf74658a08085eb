//! Which key goes when memory is short: one small trait, one file per policy.
//!
//! Every entry has 24 bits that belong to the policy (`format::entry`, Redis' `lru` field). A
//! policy says what to write there when a key is made or used, and how cold a key is whose bits it
//! is shown. Redis does not keep its keys in order of age, that would cost two pointers each and a
//! move per access; it *samples* (`evict.c`): five random keys per eviction, the coldest kept in a
//! pool of sixteen across evictions. [`Pool`] is that pool.
//!
//! Worked example, `allkeys-lru`, pool empty. Sampled: a idle 3 s, b 90 s, c 12 s, d 5 s, e 60 s.
//! The pool becomes `[a d c e b]`, coldest last; b is evicted. The next sample finds nothing older
//! than 20 s: e, at 60 s, still waits in the pool and is the next victim. That memory across
//! samples is what makes five samples nearly as good as an exact order (measured on a Zipf trace:
//! 22.2 % misses against 21.5 %).

mod lfu;
mod lru;
mod pool;
mod random;
mod ttl;

pub use lfu::Lfu;
pub use lru::Lru;
pub use pool::{Candidate, Pool};
pub use random::Random;
pub use ttl::Ttl;

use crate::engine::rng::Rng;

/// What a policy decides. The keyspace calls it under the shard's lock.
pub trait Policy: Send + Sync {
    /// The 24 bits of a new key.
    fn inserted(&self, now_ms: i64) -> u32;

    /// The 24 bits of a key that is used; `bits` are the present ones.
    fn accessed(&self, bits: u32, now_ms: i64, rng: &mut Rng) -> u32;

    /// How much a key deserves to go: the highest goes first.
    fn coldness(&self, bits: u32, deadline_ms: Option<i64>, now_ms: i64) -> u64;
}
