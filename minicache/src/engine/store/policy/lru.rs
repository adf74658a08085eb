//! Least recently used, to the second: the bits are the time of the last use.
//!
//! 24 bits of seconds come round after 194 days, and a key unused for longer looks younger than it
//! is: Redis accepts that (`LRU_CLOCK_MAX`, `evict.c`), so it is accepted here.

use super::Policy;
use crate::engine::rng::Rng;

const CLOCK_MASK: i64 = (1 << 24) - 1;

/// `allkeys-lru`, `volatile-lru`, and what is recorded where nothing is evicted by use.
pub struct Lru;

impl Lru {
    /// Milliseconds since a key with these bits was used.
    pub fn idle_ms(bits: u32, now_ms: i64) -> u64 {
        let seconds = (clock(now_ms) - i64::from(bits)) & CLOCK_MASK;
        seconds as u64 * 1000
    }
}

impl Policy for Lru {
    fn inserted(&self, now_ms: i64) -> u32 {
        clock(now_ms) as u32
    }

    fn accessed(&self, _bits: u32, now_ms: i64, _rng: &mut Rng) -> u32 {
        clock(now_ms) as u32
    }

    fn coldness(&self, bits: u32, _deadline_ms: Option<i64>, now_ms: i64) -> u64 {
        Lru::idle_ms(bits, now_ms)
    }
}

fn clock(now_ms: i64) -> i64 {
    (now_ms / 1000) & CLOCK_MASK
}
