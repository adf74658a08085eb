//! The arithmetic of one limit, in words.
//!
//! The state is the one after the decision: an admitted request is in it, a refused one is not.
//!
//! ```text
//! token_bucket    full again in 400ms of 1s, 200ms a request: 3 of 5 left
//! token_bucket    full again in 1s of 1s, 200ms more for this request: 200ms too much
//! fixed_window    5 of 5 counted, the window ends in 300ms: no room for 1
//! sliding_window  4 now, and 5 before count for 700ms more of 1s: 0 of 8 left
//! leaky_bucket    the next one leaves in 400ms
//! concurrency     3 of 10 in progress
//! ```
//!
//! "Full again" is TAT - now of [`crate::engine::limiter::gcra`].

use crate::engine::limiter::algorithm::Algorithm;
use crate::engine::limiter::{Decision, Limiter, Quota};
use std::time::Duration;

/// Says why an algorithm decided as it did. `word` is the state after that, and `limit` the most
/// that is available at once.
pub fn explain(
    algorithm: &Algorithm,
    word: u64,
    now_ns: u64,
    limit: u64,
    cost: u64,
    decision: Decision,
) -> String {
    let Quota { remaining, full_after_ns } = algorithm.quota(&word, now_ns);
    let after = Duration::from_nanos(full_after_ns);
    let left = format!("{remaining} of {limit} left");
    let used = limit.saturating_sub(remaining);
    match algorithm {
        Algorithm::TokenBucket(it) => {
            let (interval_ns, depth_ns) = it.interval_and_depth_ns();
            let [interval, depth] = [interval_ns, depth_ns].map(Duration::from_nanos);
            match decision {
                Decision::Admitted { .. } => {
                    format!("full again in {after:?} of {depth:?}, {interval:?} a request: {left}")
                }
                Decision::Refused { retry_after_ns: Some(wait_ns) } => {
                    let price = Duration::from_nanos(interval_ns.saturating_mul(cost));
                    let wait = Duration::from_nanos(wait_ns);
                    format!(
                        "full again in {after:?} of {depth:?}, {price:?} more for this request: \
                         {wait:?} too much"
                    )
                }
                Decision::Refused { retry_after_ns: None } => {
                    format!("a cost of {cost} is more than the burst of {limit}")
                }
            }
        }
        Algorithm::FixedWindow(_) => {
            let room = if decision.is_admitted() { left } else { format!("no room for {cost}") };
            format!("{used} of {limit} counted, the window ends in {after:?}: {room}")
        }
        Algorithm::SlidingWindow(it) => {
            let (before, now, left_of_window) = it.counts(word, now_ns);
            let window = Duration::from_micros(it.limit_and_window_us().1);
            format!(
                "{now} now, and {before} before count for {left_of_window:?} more of {window:?}: \
                 {left}"
            )
        }
        Algorithm::LeakyBucket(_) => match decision {
            Decision::Admitted { delay_ns } => {
                let delay = Duration::from_nanos(delay_ns);
                format!("this one leaves in {delay:?}, the next one in {after:?}: {left}")
            }
            Decision::Refused { .. } => format!("the next one leaves in {after:?}: no place"),
        },
        Algorithm::Concurrency(_) => format!("{used} of {limit} in progress"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::limiter::concurrency::Concurrency;
    use crate::engine::limiter::fixed_window::FixedWindow;
    use crate::engine::limiter::gcra::Gcra;
    use crate::engine::limiter::leaky_queue::LeakyQueue;
    use crate::engine::limiter::sliding_counter::SlidingCounter;

    /// The explanation of the last of `count` requests at 1.7 s.
    fn last(algorithm: Algorithm, limit: u64, count: usize) -> String {
        let (mut word, now_ns) = (0, 1_700_000_000);
        let decisions = (0..count).map(|_| algorithm.decide(&mut word, now_ns, 1));
        let decision = decisions.last().expect("one at least");
        explain(&algorithm, word, now_ns, limit, 1, decision)
    }

    #[test]
    fn each_algorithm_says_what_it_compared() {
        let second = Duration::from_secs(1);
        let bucket = Algorithm::TokenBucket(Gcra::new(5, second, 5).expect("no zero"));
        let two = "full again in 400ms of 1s, 200ms a request: 3 of 5 left";
        assert_eq!(last(bucket, 5, 2), two);
        let six = "full again in 1s of 1s, 200ms more for this request: 200ms too much";
        assert_eq!(last(bucket, 5, 6), six);
        let window = Algorithm::FixedWindow(FixedWindow::new(5, second).expect("no zero"));
        let six = "5 of 5 counted, the window ends in 300ms: no room for 1";
        assert_eq!(last(window, 5, 6), six);
        let sliding = Algorithm::SlidingWindow(SlidingCounter::new(5, second).expect("no zero"));
        let two = "2 now, and 0 before count for 300ms more of 1s: 3 of 5 left";
        assert_eq!(last(sliding, 5, 2), two);
        let queue = Algorithm::LeakyBucket(LeakyQueue::new(5, second, 4).expect("no zero"));
        let two = "this one leaves in 200ms, the next one in 400ms: 3 of 5 left";
        assert_eq!(last(queue, 5, 2), two);
        let at_once = Algorithm::Concurrency(Concurrency::new(10).expect("no zero"));
        assert_eq!(last(at_once, 10, 3), "3 of 10 in progress");
    }
}
