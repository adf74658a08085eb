//! Least recently used: the 24 bits are the time of the last use, in seconds.
//!
//! The clock wraps around after 2^24 seconds, 194 days. Idle times are differences modulo 2^24, so
//! they stay right across the wrap:
//!
//! ```text
//! used at       0xff_fff6     ten seconds before the wrap
//! now           0x00_0014     twenty seconds after it
//! idle          0x00_0014 - 0xff_fff6 = 30 s (mod 2^24)
//! ```
//!
//! A key that stays unused for longer than 194 days looks younger than it is. Redis has the same
//! clock and accepts that (`LRU_CLOCK_MAX` in `server.h`, `estimateObjectIdleTime` in `evict.c`).
//! The golden script `eviction_lru_clock_wraps` shows both.

use super::policy::Policy;
use crate::engine::rng::Rng;

const CLOCK_MASK: i64 = (1 << 24) - 1;

/// `allkeys-lru` and `volatile-lru`. Policies that do not use the bits keep them this way too, for
/// `OBJECT IDLETIME`.
pub struct Lru;

impl Lru {
    /// Returns the milliseconds since the last use of a key with these bits, to the second.
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
