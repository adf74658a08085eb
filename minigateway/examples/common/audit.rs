//! Measures by how much a limiter violates "at most `limit` in any `period`".
//!
//! ```text
//! limit 5 in a second, one column per 100 ms
//! admitted  .........55........   10 in the worst second, twice the limit
//! ```
//!
//! Two numbers describe the error of a limiter:
//!
//! * **Over-admission**: the largest number of admitted requests in any period. A period includes
//!   its first moment and not its last: `[t, t + period)`.
//! * **Under-admission**: a request is refused although the period that ends with it contains fewer
//!   than `limit`. The smallest number at a refusal measures this error.
//!
//! For the exact sliding log both are `limit`. The table of POC 60 has the worst case of every
//! algorithm. The tests of this file confirm it with all possible arrivals in a small model.

use std::collections::VecDeque;

/// Returns the largest number of `moments_ns`, in ascending order, in one period.
pub fn most_in_a_period(moments_ns: &[u64], period_ns: u64) -> usize {
    let mut recent = VecDeque::new();
    let mut most = 0;
    for moment in moments_ns {
        recent.push_back(*moment);
        while recent.front().is_some_and(|first| moment - first >= period_ns) {
            recent.pop_front();
        }
        most = most.max(recent.len());
    }
    most
}

/// Returns how many of `moments_ns`, in ascending order, the period up to `now_ns` contains.
pub fn within_last_period(moments_ns: &[u64], period_ns: u64, now_ns: u64) -> usize {
    let past = moments_ns.partition_point(|it| now_ns.saturating_sub(*it) >= period_ns);
    let until_now = moments_ns.partition_point(|it| *it <= now_ns);
    until_now - past.min(until_now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use minigateway::engine::limiter::fixed_window::FixedWindow;
    use minigateway::engine::limiter::gcra::Gcra;
    use minigateway::engine::limiter::leaky_meter::LeakyMeter;
    use minigateway::engine::limiter::sliding_counter::SlidingCounter;
    use minigateway::engine::limiter::sliding_log::SlidingLog;
    use minigateway::engine::limiter::token_bucket::TokenBucket;
    use minigateway::engine::limiter::{Decision, Limiter};
    use std::time::Duration;

    #[test]
    fn a_period_includes_its_first_moment_and_not_its_last() {
        assert_eq!(most_in_a_period(&[], 10), 0);
        assert_eq!(most_in_a_period(&[0, 10], 10), 1);
        assert_eq!(most_in_a_period(&[0, 9, 10], 10), 2);
        assert_eq!(within_last_period(&[0, 9, 10], 10, 10), 2);
        assert_eq!(within_last_period(&[0, 9, 10], 10, 9), 2);
        assert_eq!(within_last_period(&[0, 9, 10], 10, 25), 0);
    }

    const LIMIT: usize = 2;
    /// In ticks of a second.
    const PERIOD: u64 = 4;
    const HORIZON: u64 = 11;
    const TICK_NS: u64 = 1_000_000_000;

    /// Returns the largest number admitted in a period and the smallest at a refusal, over all
    /// arrivals.
    fn worst<L: Limiter>(limiter: &L) -> (usize, usize) {
        let (mut most, mut fewest) = (0, usize::MAX);
        let mut admitted = Vec::new();
        explore(limiter, &limiter.unused(), 0, &mut admitted, &mut |admitted, now_ns, refused| {
            let period_ns = PERIOD * TICK_NS;
            most = most.max(within_last_period(admitted, period_ns, now_ns));
            if refused {
                fewest = fewest.min(within_last_period(admitted, period_ns, now_ns));
            }
        });
        (most, fewest)
    }

    fn explore<L: Limiter>(
        limiter: &L,
        state: &L::State,
        tick: u64,
        admitted: &mut Vec<u64>,
        visit: &mut impl FnMut(&[u64], u64, bool),
    ) {
        if tick == HORIZON {
            return;
        }
        let now_ns = tick * TICK_NS;
        let mut state = state.clone();
        let before = admitted.len();
        for _ in 0..=LIMIT {
            explore(limiter, &state, tick + 1, admitted, visit);
            let refused =
                !matches!(limiter.decide(&mut state, now_ns, 1), Decision::Admitted { .. });
            if !refused {
                admitted.push(now_ns);
            }
            visit(admitted, now_ns, refused);
            if refused {
                break;
            }
        }
        admitted.truncate(before);
    }

    /// Confirms the table of POC 60 for a limit of 2 in 4 ticks, by exhaustive search.
    #[test]
    fn no_arrivals_are_worse_than_the_table_says() {
        let period = Duration::from_secs(PERIOD);
        let limit = LIMIT as u64;
        assert_eq!(worst(&SlidingLog::new(limit, period).expect("no zero")), (2, 2));
        assert_eq!(worst(&FixedWindow::new(limit, period).expect("no zero")), (4, 2));
        assert_eq!(worst(&SlidingCounter::new(limit, period).expect("no zero")), (3, 0));
        assert_eq!(worst(&TokenBucket::new(limit, period, limit).expect("no zero")), (3, 2));
        assert_eq!(worst(&LeakyMeter::new(limit, period, limit).expect("no zero")), (3, 2));
        assert_eq!(worst(&Gcra::new(limit, period, limit).expect("no zero")), (3, 2));
        assert_eq!(worst(&Gcra::new(limit, period, 1).expect("no zero")), (2, 1));
    }
}
