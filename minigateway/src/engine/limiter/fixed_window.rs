//! The fixed window: counts requests, and starts again from zero when the next window begins.
//!
//! ```text
//! 5 in each second, one column per 100 ms
//! second    0         1         2
//! arrivals  .........9.........
//! admitted  .........5.........
//! arrivals  .........99........
//! admitted  .........55........
//! ```
//!
//! The last figure shows the flaw: a window ignores the one before it, so twice the limit can pass
//! around a boundary. Most public APIs use fixed windows nevertheless, because they are easy to
//! explain: "5,000 an hour, and your hour ends at 15:00".
//!
//! # The word
//!
//! ```text
//! 63                            32 31                             0
//! | number of the window          | requests counted in it        |
//! ```
//!
//! No timer resets counters: a count that belongs to an earlier window is treated as zero. The
//! window number has 32 bits, enough for 136 years of one-second windows, and windows shorter than
//! a second are refused. After that the last window never ends.
//!
//! Real systems: Redis's `INCR` and `EXPIRE`; GitHub's and Stripe's hourly and per-second limits;
//! Kong's default. Some align windows to the clock, as here; others to the first request of a key.

use super::{Decision, Limiter, Quota};
use std::time::Duration;

/// A limit for each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedWindow {
    limit: u32,
    window_ns: u64,
}

/// The shortest window; the head of the file says why.
pub(super) const WINDOW_MIN: Duration = Duration::from_secs(1);

impl FixedWindow {
    /// Admits `limit` in each window of length `window`. Returns `None` if the limit is 0 or does
    /// not fit 32 bits, or if the window is shorter than a second or longer than 584 years.
    pub fn new(limit: u64, window: Duration) -> Option<FixedWindow> {
        let limit = u32::try_from(limit).ok().filter(|it| *it > 0)?;
        let window_ns = u64::try_from(window.as_nanos()).ok()?;
        (window >= WINDOW_MIN).then_some(FixedWindow { limit, window_ns })
    }

    /// Returns the state without a charge of `cost` that was admitted at `charged_ns`. Nothing
    /// changes if the window of that charge is over.
    pub fn refund(&self, word: u64, charged_ns: u64, cost: u64) -> u64 {
        let Word { window, count } = Word::unpack(word);
        if window != window_at(charged_ns, self.window_ns) {
            return word;
        }
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        Word { window, count: count.saturating_sub(cost) }.pack()
    }

    /// Returns the parameters for the script of [`crate::engine::shared`].
    pub fn limit_and_window_us(&self) -> (u64, u64) {
        (self.limit.into(), self.window_ns / 1000)
    }

    /// Returns the count of the window that contains `now_ns`. If the clock went back to an earlier
    /// window, the later one stays current; otherwise it would admit its limit twice.
    fn current(&self, word: u64, now_ns: u64) -> Word {
        let word = Word::unpack(word);
        let window = window_at(now_ns, self.window_ns);
        if window <= word.window { word } else { Word { window, count: 0 } }
    }

    fn until_end_ns(&self, window: u32, now_ns: u64) -> u64 {
        let end_ns = (u64::from(window) + 1).saturating_mul(self.window_ns);
        end_ns.saturating_sub(now_ns)
    }
}

/// Returns the number of the window that contains a moment.
pub(super) fn window_at(now_ns: u64, window_ns: u64) -> u32 {
    u32::try_from(now_ns / window_ns).unwrap_or(u32::MAX)
}

/// The two halves of the state.
struct Word {
    window: u32,
    count: u32,
}

impl Word {
    fn pack(&self) -> u64 {
        u64::from(self.window) << 32 | u64::from(self.count)
    }

    fn unpack(word: u64) -> Word {
        Word { window: (word >> 32) as u32, count: word as u32 }
    }
}

impl Limiter for FixedWindow {
    type State = u64;

    fn decide(&self, word: &mut u64, now_ns: u64, cost: u64) -> Decision {
        let Some(cost) = u32::try_from(cost).ok().filter(|it| *it <= self.limit) else {
            return Decision::NEVER;
        };

        let mut current = self.current(*word, now_ns);
        if cost > self.limit.saturating_sub(current.count) {
            return Decision::retry_after(self.until_end_ns(current.window, now_ns));
        }
        current.count += cost;
        *word = current.pack();
        Decision::NOW
    }

    fn quota(&self, word: &u64, now_ns: u64) -> Quota {
        let current = self.current(*word, now_ns);
        let is_unused = current.count == 0;
        Quota {
            remaining: u64::from(self.limit.saturating_sub(current.count)),
            full_after_ns: if is_unused { 0 } else { self.until_end_ns(current.window, now_ns) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_figure;
    use super::*;

    fn five() -> FixedWindow {
        FixedWindow::new(5, Duration::from_secs(1)).expect("not zero")
    }

    #[test]
    fn the_figures_of_the_head() {
        assert_figure(&five(), ".........9.........", ".........5.........");
        assert_figure(&five(), ".........99........", ".........55........");
    }

    #[test]
    fn a_clock_that_goes_back_over_an_edge_gets_no_second_limit() {
        let mut word = five().unused();
        assert_eq!(five().decide(&mut word, 1_000_000_000, 5), Decision::NOW);
        let wait = Decision::retry_after(1_000_000_001);
        assert_eq!(five().decide(&mut word, 999_999_999, 1), wait);
    }

    #[test]
    fn a_refund_after_the_window_changes_nothing() {
        let mut word = five().unused();
        five().decide(&mut word, 0, 3);
        assert_eq!(five().quota(&five().refund(word, 0, 2), 1).remaining, 4);
        five().decide(&mut word, 2_000_000_000, 1);
        assert_eq!(five().refund(word, 0, 2), word);
    }

    #[test]
    fn limits_without_meaning_are_not_made() {
        let second = Duration::from_secs(1);
        assert_eq!(FixedWindow::new(0, second), None);
        assert_eq!(FixedWindow::new(1 << 32, second), None);
        assert_eq!(FixedWindow::new(1, Duration::from_millis(999)), None);
        assert_eq!(five().decide(&mut 0, u64::MAX, u64::MAX), Decision::NEVER);
        assert_eq!(five().decide(&mut 0, u64::MAX, 5), Decision::NOW);
    }
}
