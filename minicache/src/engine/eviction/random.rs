//! Random eviction: every eligible key is as likely to be evicted as any other.
//!
//! ```text
//! sample    a b c d e          in random order, all of the same coldness
//! pool      e d c b a          a key of equal coldness goes before the ones that are there
//! evict     a                  the first one drawn
//! ```
//!
//! It is the cheapest policy, and a good one if every key is equally likely to be used. Redis takes
//! one random key and needs no pool (`performEvictions` in `evict.c`).

use super::{lru::Lru, policy::Policy};
use crate::engine::rng::Rng;

/// `allkeys-random` and `volatile-random`.
pub struct Random;

impl Policy for Random {
    fn inserted(&self, now_ms: i64) -> u32 {
        Lru.inserted(now_ms)
    }

    fn accessed(&self, bits: u32, now_ms: i64, rng: &mut Rng) -> u32 {
        Lru.accessed(bits, now_ms, rng)
    }

    /// The same for all keys, so the pool keeps its candidates as they were drawn.
    fn coldness(&self, _bits: u32, _deadline_ms: Option<i64>, _now_ms: i64) -> u64 {
        1
    }
}
