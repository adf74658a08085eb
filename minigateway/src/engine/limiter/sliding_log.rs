//! The sliding log: keeps the time of each admitted request, and counts those of the last second.
//!
//! ```text
//! 5 in any second, one column per 100 ms
//! arrivals  .........9.........9
//! admitted  .........5.........5
//! arrivals  11111....1....1111111
//! admitted  11111.........11111..
//! ```
//!
//! This enforces the limit literally: no second, wherever it begins, has more than five requests,
//! and none is refused while fewer than five passed in the last second. The other algorithms are
//! compared with this one; `examples/common/audit.rs` measures how far they are off.
//!
//! It costs a word per admitted request: with a limit of 5,000 an hour, a busy key takes 40 kB and
//! a million busy keys 40 GB. So a configuration cannot choose it.
//!
//! Real systems: a Redis sorted set of timestamps (`ZREMRANGEBYSCORE`, `ZCARD`, `ZADD`), the recipe
//! of many blog posts. A common variant adds refused requests as well, and so locks out a client
//! that keeps trying. The golden script `refused_requests_that_count` shows both.

use super::{Decision, Limiter, Quota};
use std::collections::VecDeque;
use std::time::Duration;

/// A limit for any window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingLog {
    limit: usize,
    window_ns: u64,
}

impl SlidingLog {
    /// Admits `limit` in any window of length `window`. Returns `None` if one of them is 0 or more
    /// than a word holds.
    pub fn new(limit: u64, window: Duration) -> Option<SlidingLog> {
        let limit = usize::try_from(limit).ok().filter(|it| *it > 0)?;
        let window_ns = u64::try_from(window.as_nanos()).ok().filter(|it| *it > 0)?;
        Some(SlidingLog { limit, window_ns })
    }

    /// Returns true if a request still counts: from its own moment until just before one window
    /// later.
    fn counts(&self, moment_ns: u64, now_ns: u64) -> bool {
        now_ns.saturating_sub(moment_ns) < self.window_ns
    }

    fn until_gone_ns(&self, moment_ns: u64, now_ns: u64) -> u64 {
        moment_ns.saturating_add(self.window_ns).saturating_sub(now_ns)
    }
}

impl Limiter for SlidingLog {
    /// The times of the admitted requests in order, one for each unit of cost.
    type State = VecDeque<u64>;

    fn decide(&self, log: &mut VecDeque<u64>, now_ns: u64, cost: u64) -> Decision {
        let Some(cost) = usize::try_from(cost).ok().filter(|it| *it <= self.limit) else {
            return Decision::NEVER;
        };
        while log.front().is_some_and(|it| !self.counts(*it, now_ns)) {
            log.pop_front();
        }

        // The request fits after this many of the oldest entries have expired.
        let surplus = (log.len() + cost).saturating_sub(self.limit);
        if let Some(last) = surplus.checked_sub(1) {
            return Decision::retry_after(self.until_gone_ns(log[last], now_ns));
        }
        // The log stays in order even if the clock went back.
        let moment_ns = log.back().map_or(now_ns, |it| now_ns.max(*it));
        log.extend(std::iter::repeat_n(moment_ns, cost));
        Decision::NOW
    }

    fn quota(&self, log: &VecDeque<u64>, now_ns: u64) -> Quota {
        let count = log.iter().filter(|it| self.counts(**it, now_ns)).count();
        let remaining = self.limit.saturating_sub(count) as u64;
        let full_after_ns = log.back().map_or(0, |it| self.until_gone_ns(*it, now_ns));
        Quota { remaining, full_after_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_figure;
    use super::*;

    #[test]
    fn the_figures_of_the_head() {
        let log = SlidingLog::new(5, Duration::from_secs(1)).expect("no zero");
        assert_figure(&log, ".........9.........9", ".........5.........5");
        assert_figure(&log, "11111....1....1111111", "11111.........11111..");
    }
}
