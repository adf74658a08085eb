//! The sliding counter: two fixed windows. The weight of the older one falls as it ages.
//!
//! ```text
//! 5 per second, one column per 100 ms
//! second    0         1         2
//! arrivals  .........99..99........
//! admitted  .........5...11........     at 1.3 s the five count as 3.5, at 1.4 s as 3
//! ```
//!
//! It estimates the count of the exact log: all requests of the current window, plus the share of
//! the previous window that the sliding second still covers, assuming an even spread.
//!
//! ```text
//! estimate = current + previous * (window - elapsed) / window
//! ```
//!
//! They rarely are, so it errs in both directions. Requests at the *end* of the previous window are
//! forgotten too early: up to `2 * limit - 1` can pass in a second. Requests at its *beginning* are
//! remembered too long: a request can be refused although none passed in the last second. For
//! ordinary traffic the error is small; Cloudflare counted 0.003 % wrong decisions ("How we built
//! rate limiting capable of scaling to millions of domains").
//!
//! # The word
//!
//! ```text
//! 63                            32 31            16 15              0
//! | number of the window          | previous count | current count   |
//! ```
//!
//! So the limit is at most 65,535, and a window at least a second, as in [`super::fixed_window`].
//!
//! Real systems: Cloudflare; Kong's `sliding` window type; APISIX's `limit-count` with
//! `window_type = sliding`.

use super::fixed_window::{WINDOW_MIN, window_at};
use super::{Decision, Limiter, Quota};
use std::time::Duration;

/// A limit for a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingCounter {
    limit: u16,
    window_ns: u64,
}

impl SlidingCounter {
    /// Admits about `limit` in any window of length `window`. Returns `None` if the limit is 0 or
    /// does not fit 16 bits, or if the window is shorter than a second or longer than 584 years.
    pub fn new(limit: u64, window: Duration) -> Option<SlidingCounter> {
        let limit = u16::try_from(limit).ok().filter(|it| *it > 0)?;
        let window_ns = u64::try_from(window.as_nanos()).ok()?;
        (window >= WINDOW_MIN).then_some(SlidingCounter { limit, window_ns })
    }

    /// Returns the state without a charge of `cost` that was admitted at `charged_ns`. Nothing
    /// changes if neither count includes that charge any more.
    pub fn refund(&self, word: u64, charged_ns: u64, cost: u64) -> u64 {
        let mut word = Word::unpack(word);
        let charged = window_at(charged_ns, self.window_ns);
        let cost = u16::try_from(cost).unwrap_or(u16::MAX);
        if charged == word.window {
            word.current = word.current.saturating_sub(cost);
        } else if charged.checked_add(1) == Some(word.window) {
            word.previous = word.previous.saturating_sub(cost);
        }
        word.pack()
    }

    /// Returns the parameters for the script of [`crate::engine::shared`].
    pub fn limit_and_window_us(&self) -> (u64, u64) {
        (self.limit.into(), self.window_ns / 1000)
    }

    /// Returns the requests of the previous window and of the current one, and how much of the
    /// current one is left at `now_ns`.
    pub fn counts(&self, word: u64, now_ns: u64) -> (u16, u16, Duration) {
        let (Word { previous, current, .. }, left_ns) = self.current(word, now_ns);
        (previous, current, Duration::from_nanos(left_ns))
    }

    /// Returns the counts as of the window that contains `now_ns`, and how much of it is left. If
    /// the clock went back to an earlier window, that is more than a whole window.
    fn current(&self, word: u64, now_ns: u64) -> (Word, u64) {
        let word = Word::unpack(word);
        let window = window_at(now_ns, self.window_ns);
        let word = match window.checked_sub(word.window) {
            None | Some(0) => word,
            Some(1) => Word { window, previous: word.current, current: 0 },
            Some(_) => Word { window, previous: 0, current: 0 },
        };
        let end_ns = (u64::from(word.window) + 1).saturating_mul(self.window_ns);
        (word, end_ns.saturating_sub(now_ns))
    }

    /// Returns how much of the window may be left for `previous` to weigh at most `room`.
    fn left_for(&self, previous: u16, room: u16) -> u64 {
        // previous * left <= room * window
        let room = u128::from(room) * u128::from(self.window_ns);
        let left_ns = room.checked_div(previous.into()).unwrap_or(u128::MAX);
        u64::try_from(left_ns).unwrap_or(u64::MAX).min(self.window_ns)
    }
}

/// The three parts of the state.
#[derive(Clone, Copy)]
struct Word {
    window: u32,
    previous: u16,
    current: u16,
}

impl Word {
    fn pack(&self) -> u64 {
        let counts = u64::from(self.previous) << 16 | u64::from(self.current);
        u64::from(self.window) << 32 | counts
    }

    fn unpack(word: u64) -> Word {
        let [window, counts] = [(word >> 32) as u32, word as u32];
        Word { window, previous: (counts >> 16) as u16, current: counts as u16 }
    }
}

impl Limiter for SlidingCounter {
    type State = u64;

    fn decide(&self, word: &mut u64, now_ns: u64, cost: u64) -> Decision {
        let Some(cost) = u16::try_from(cost).ok().filter(|it| *it <= self.limit) else {
            return Decision::NEVER;
        };

        // The largest weight of the previous window that leaves room for this request.
        let (mut current, left_ns) = self.current(*word, now_ns);
        let room = self.limit.saturating_sub(current.current).checked_sub(cost);
        if let Some(room) = room {
            let left_max_ns = self.left_for(current.previous, room);
            if left_ns.min(self.window_ns) > left_max_ns {
                return Decision::retry_after(left_ns - left_max_ns);
            }
            current.current += cost;
            *word = current.pack();
            return Decision::NOW;
        }

        // The current window alone is full. In the next window its count becomes `previous`.
        let next_ns = self.window_ns - self.left_for(current.current, self.limit - cost);
        Decision::retry_after(left_ns.saturating_add(next_ns))
    }

    fn quota(&self, word: &u64, now_ns: u64) -> Quota {
        let (Word { previous, current, .. }, left_ns) = self.current(*word, now_ns);
        // Rounded up, so that a fraction of a request takes a whole one from the quota.
        let weighted = u128::from(previous) * u128::from(left_ns.min(self.window_ns));
        let weighted = weighted.div_ceil(u128::from(self.window_ns)) as u64;
        let counted = weighted + u64::from(current);
        let full_after_ns = match (previous, current) {
            (0, 0) => 0,
            (_, 0) => left_ns,
            _ => left_ns.saturating_add(self.window_ns),
        };
        Quota { remaining: u64::from(self.limit).saturating_sub(counted), full_after_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_figure;
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_figure_of_the_head() {
        let counter = SlidingCounter::new(5, SECOND).expect("not zero");
        assert_figure(&counter, ".........99..99........", ".........5...11........");
    }

    #[test]
    fn a_refused_request_is_told_when_the_estimate_allows_it() {
        let counter = SlidingCounter::new(10, SECOND).expect("not zero");
        let mut word = counter.unused();
        assert_eq!(counter.decide(&mut word, 990_000_000, 10), Decision::NOW);
        // 100 ms into the next window, 10 * (1 - 0.1) = 9 leave room for one more request.
        let wait = Decision::retry_after(110_000_000);
        assert_eq!(counter.decide(&mut word, 990_000_000, 1), wait);
        assert_eq!(counter.decide(&mut word, 1_100_000_000, 1), Decision::NOW);
        assert_eq!(counter.quota(&word, 1_100_000_000).remaining, 0);
    }

    #[test]
    fn a_refund_finds_its_window() {
        let counter = SlidingCounter::new(10, SECOND).expect("not zero");
        let mut word = counter.unused();
        counter.decide(&mut word, 0, 4);
        assert_eq!(counter.quota(&counter.refund(word, 0, 3), 0).remaining, 9);
        counter.decide(&mut word, 1_500_000_000, 1);
        let refunded = counter.refund(word, 0, 4);
        assert_eq!(counter.quota(&refunded, 1_500_000_000).remaining, 9);
        assert_eq!(counter.refund(word, 5_000_000_000, 1), word);
    }

    proptest! {
        /// A wait is as short as possible, the quota is the largest cost that `decide` would admit,
        /// and nothing overflows.
        #[test]
        fn waits_and_quotas_are_true(
            limit in 1u64..100,
            requests in prop::collection::vec((0u64..2_000_000_000, 0u64..20), 1..60),
        ) {
            let counter = SlidingCounter::new(limit, SECOND).expect("not zero");
            let (mut word, mut now) = (counter.unused(), 0_u64);
            for (gap, cost) in requests {
                // Sometimes the clock goes back, even to earlier windows.
                now = if gap % 8 == 7 { now.saturating_sub(gap) } else { now + gap };
                let Quota { remaining, .. } = counter.quota(&word, now);
                if remaining > 0 {
                    prop_assert!(counter.decide(&mut word.clone(), now, remaining).is_admitted());
                }
                prop_assert!(!counter.decide(&mut word.clone(), now, remaining + 1).is_admitted());
                match counter.decide(&mut word, now, cost) {
                    Decision::Refused { retry_after_ns: Some(wait) } => {
                        let at = |it| counter.decide(&mut word.clone(), it, cost).is_admitted();
                        prop_assert!(at(now + wait) && !at(now + wait - 1));
                    }
                    Decision::Refused { retry_after_ns: None } => prop_assert!(cost > limit),
                    Decision::Admitted { .. } => prop_assert!(cost <= limit),
                }
            }
        }
    }
}
