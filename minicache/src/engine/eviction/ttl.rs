//! Evicting the key that expires first.
//!
//! ```text
//! a expires in 30 s, b in 5 s, c in 3,600 s      b is the coldest: it would be gone soon anyway
//! ```
//!
//! Counterpart in Redis: `ULLONG_MAX - (long)dictGetVal(de)` in `evictionPoolPopulate`, `evict.c`.

use super::{lru::Lru, policy::Policy};
use crate::engine::rng::Rng;

/// `volatile-ttl`.
pub struct Ttl;

impl Policy for Ttl {
    fn inserted(&self, now_ms: i64) -> u32 {
        Lru.inserted(now_ms)
    }

    fn accessed(&self, bits: u32, now_ms: i64, rng: &mut Rng) -> u32 {
        Lru.accessed(bits, now_ms, rng)
    }

    fn coldness(&self, _bits: u32, deadline_ms: Option<i64>, _now_ms: i64) -> u64 {
        u64::MAX - deadline_ms.unwrap_or(i64::MAX).max(0) as u64
    }
}
