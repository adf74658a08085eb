//! Any key may go.

use super::{Lru, Policy};
use crate::engine::rng::Rng;

/// `allkeys-random` and `volatile-random`. The bits are kept as [`Lru`] keeps them, for `OBJECT
/// IDLETIME`.
pub struct Random;

impl Policy for Random {
    fn inserted(&self, now_ms: i64) -> u32 {
        Lru.inserted(now_ms)
    }

    fn accessed(&self, bits: u32, now_ms: i64, rng: &mut Rng) -> u32 {
        Lru.accessed(bits, now_ms, rng)
    }

    /// All alike, so that the pool keeps the first candidate it is shown, and that one was drawn at
    /// random.
    fn coldness(&self, _bits: u32, _deadline_ms: Option<i64>, _now_ms: i64) -> u64 {
        1
    }
}
