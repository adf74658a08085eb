//! The algorithms that a configuration can choose: the ones whose state is one word.
//!
//! | in the configuration | algorithm | why this one |
//! |---|---|---|
//! | `token_bucket` | [`Gcra`] | admits the same requests as the textbook token bucket |
//! | `leaky_bucket` | [`LeakyQueue`] | smooths bursts by delaying requests |
//! | `fixed_window` | [`FixedWindow`] | easiest to explain to a customer |
//! | `sliding_window` | [`SlidingCounter`] | close to the exact log, in one word |
//! | `concurrency` | [`Concurrency`] | follows the load of a backend |
//!
//! # Refunds
//!
//! A request is charged to its limits one after another. If another thread takes the last token of
//! a later limit between check and charge, the earlier charges are refunded:
//!
//! ```text
//! limit a, 1 left      check ok, charged     1 left again
//! limit b, 1 left      check ok    taken by another thread: refused
//! ```
//!
//! A refund is exact, or does nothing if the window of the charge is over. After charge and refund
//! a limit never admits a request that it would have refused without them.

use super::concurrency::Concurrency;
use super::fixed_window::FixedWindow;
use super::gcra::Gcra;
use super::leaky_queue::LeakyQueue;
use super::sliding_counter::SlidingCounter;
use super::{Decision, Limiter, Quota};

/// One of the algorithms with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// A burst, then the rate.
    TokenBucket(Gcra),
    /// The rate; requests that come too early are delayed.
    LeakyBucket(LeakyQueue),
    /// A number of requests in each window.
    FixedWindow(FixedWindow),
    /// About a number of requests in any window.
    SlidingWindow(SlidingCounter),
    /// A number of requests in progress.
    Concurrency(Concurrency),
}

/// Evaluates an expression with the concrete limiter bound to a name. The expression is compiled
/// once per algorithm, so a retry loop in it does not match on the enum in each iteration.
macro_rules! dispatch {
    ($algorithm:expr, $it:ident => $result:expr) => {
        match $algorithm {
            Algorithm::TokenBucket($it) => $result,
            Algorithm::LeakyBucket($it) => $result,
            Algorithm::FixedWindow($it) => $result,
            Algorithm::SlidingWindow($it) => $result,
            Algorithm::Concurrency($it) => $result,
        }
    };
}
pub(in crate::engine) use dispatch;

impl Algorithm {
    /// Returns true if the caller must call [`Algorithm::refund`] when a request has ended.
    pub fn counts_requests_in_progress(&self) -> bool {
        matches!(self, Algorithm::Concurrency(_))
    }

    /// Returns how long until the quota grows by one. `None` if it is full or the time unknown.
    pub fn more_after_ns(&self, mut word: u64, now_ns: u64) -> Option<u64> {
        let remaining = self.quota(&word, now_ns).remaining;
        match self.decide(&mut word, now_ns, remaining.saturating_add(1)) {
            Decision::Refused { retry_after_ns } => retry_after_ns,
            Decision::Admitted { .. } => None,
        }
    }

    /// Returns the state without a charge of `cost` that was admitted at `charged_ns`.
    pub fn refund(&self, word: u64, charged_ns: u64, cost: u64) -> u64 {
        match self {
            Algorithm::TokenBucket(it) => it.refund(word, cost),
            Algorithm::LeakyBucket(it) => it.refund(word, cost),
            Algorithm::FixedWindow(it) => it.refund(word, charged_ns, cost),
            Algorithm::SlidingWindow(it) => it.refund(word, charged_ns, cost),
            Algorithm::Concurrency(it) => it.release(word, cost),
        }
    }
}

impl Limiter for Algorithm {
    type State = u64;

    fn decide(&self, word: &mut u64, now_ns: u64, cost: u64) -> Decision {
        dispatch!(self, it => it.decide(word, now_ns, cost))
    }

    fn quota(&self, word: &u64, now_ns: u64) -> Quota {
        dispatch!(self, it => it.quota(word, now_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn algorithms() -> impl Strategy<Value = Algorithm> {
        let second = Duration::from_secs(1);
        (0..5, 1u64..20).prop_map(move |(which, limit)| match which {
            0 => Algorithm::TokenBucket(Gcra::new(limit, second, limit).expect("no zero")),
            1 => Algorithm::LeakyBucket(LeakyQueue::new(limit, second, limit).expect("no zero")),
            2 => Algorithm::FixedWindow(FixedWindow::new(limit, second).expect("no zero")),
            3 => Algorithm::SlidingWindow(SlidingCounter::new(limit, second).expect("no zero")),
            _ => Algorithm::Concurrency(Concurrency::new(limit).expect("no zero")),
        })
    }

    proptest! {
        /// Two keys get the same requests. One of them gets additional requests that are refunded
        /// at once. Both keys must decide alike and have the same quota.
        #[test]
        fn a_refund_gives_back_what_was_charged_and_no_more(
            algorithm in algorithms(),
            requests in prop::collection::vec((0u64..400_000_000, 1u64..3, any::<bool>()), 1..60),
        ) {
            let (mut plain, mut refunded, mut now) = (0, 0, 0);
            for (gap, cost, is_refunded) in requests {
                now += gap;
                if is_refunded {
                    if algorithm.decide(&mut refunded, now, cost).is_admitted() {
                        refunded = algorithm.refund(refunded, now, cost);
                    }
                } else {
                    let decision = algorithm.decide(&mut plain, now, cost);
                    prop_assert_eq!(decision, algorithm.decide(&mut refunded, now, cost));
                }
                let remaining = |word| algorithm.quota(word, now).remaining;
                prop_assert_eq!(remaining(&plain), remaining(&refunded));
            }
        }

        /// No state, time or cost makes an algorithm panic, and a refused request changes nothing.
        #[test]
        fn arbitrary_states_are_survived(
            algorithm in algorithms(),
            (word, now, cost, charged) in (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()),
        ) {
            let mut changed = word;
            let decision = algorithm.decide(&mut changed, now, cost);
            prop_assert!(decision.is_admitted() || changed == word);
            algorithm.quota(&word, now);
            algorithm.refund(word, charged, cost);
        }
    }
}
