//! Least frequently used: a logarithmic counter that decays.
//!
//! Eight bits cannot count a million uses, so the counter is probabilistic (R. Morris, "Counting
//! large numbers of events in small registers", CACM 1978): a use increments counter `c` with
//! probability `1 / ((c - 5) * log_factor + 1)`.
//!
//! ```text
//! bits      16 of minutes, when the counter last decayed | 8 of counter
//!
//! uses            100   1,000   100,000   1,000,000      log_factor 10
//! counter, about   10      18       142         255      the table in redis.conf; a test
//! an hour unused    0       0        82         195      one less per minute (decay_minutes 1)
//! ```
//!
//! A new key starts at 5; from 0 it would be evicted before it had a chance to be used. Counterpart
//! in Redis: `LFULogIncr` and `LFUDecrAndReturn` in `evict.c`.

use super::policy::Policy;
use crate::engine::rng::Rng;

/// The counter of a new key.
const START: u32 = 5;
const COUNTER_MAX: u32 = 255;
const MINUTES_MASK: i64 = (1 << 16) - 1;

/// `allkeys-lfu` and `volatile-lfu`.
#[derive(Clone, Copy)]
pub struct Lfu {
    /// `lfu-log-factor`: the higher it is, the more uses each step of the counter takes.
    pub log_factor: u32,
    /// `lfu-decay-time`: the minutes after which the counter of an unused key decreases by one; 0
    /// for never.
    pub decay_minutes: u32,
}

impl Lfu {
    /// The counter as of now: the stored one less the decay since the key was last used.
    pub fn frequency(&self, bits: u32, now_ms: i64) -> u32 {
        let idle = (minutes(now_ms) - i64::from(bits >> 8)) & MINUTES_MASK;
        let decay = (idle as u32).checked_div(self.decay_minutes).unwrap_or(0);
        (bits & COUNTER_MAX).saturating_sub(decay)
    }
}

impl Policy for Lfu {
    fn inserted(&self, now_ms: i64) -> u32 {
        pack(now_ms, START)
    }

    fn accessed(&self, bits: u32, now_ms: i64, rng: &mut Rng) -> u32 {
        let counter = self.frequency(bits, now_ms);
        let steps = u64::from(counter.saturating_sub(START)) * u64::from(self.log_factor) + 1;
        let raised = counter < COUNTER_MAX && rng.below(steps as usize) == 0;
        pack(now_ms, counter + u32::from(raised))
    }

    fn coldness(&self, bits: u32, _deadline_ms: Option<i64>, now_ms: i64) -> u64 {
        u64::from(COUNTER_MAX - self.frequency(bits, now_ms))
    }
}

fn pack(now_ms: i64, counter: u32) -> u32 {
    (minutes(now_ms) as u32) << 8 | counter
}

fn minutes(now_ms: i64) -> i64 {
    (now_ms / 60_000) & MINUTES_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    const LFU: Lfu = Lfu { log_factor: 10, decay_minutes: 1 };

    #[test]
    fn a_counter_grows_like_a_logarithm() {
        let (mut rng, mut bits) = (Rng::new(1), LFU.inserted(0));
        let mut reached = Vec::new();
        for hits in 1..=1_000_000u32 {
            bits = LFU.accessed(bits, 0, &mut rng);
            if [100, 1000, 100_000, 1_000_000].contains(&hits) {
                reached.push(LFU.frequency(bits, 0));
            }
        }
        // The table in redis.conf says 10, 18, 142 and 255 for factor 10.
        assert!((8..=12).contains(&reached[0]) && (15..=22).contains(&reached[1]), "{reached:?}");
        assert!((125..=160).contains(&reached[2]) && reached[3] >= 250, "{reached:?}");
    }

    #[test]
    fn a_counter_decays_by_one_a_minute() {
        let bits = pack(0, 100);
        assert_eq!(LFU.frequency(bits, 30 * 60_000), 70);
        assert_eq!(LFU.frequency(bits, 300 * 60_000), 0);
    }
}
