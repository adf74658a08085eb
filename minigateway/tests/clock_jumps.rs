//! Clocks that jump: a virtual machine sleeps, an operator sets the date, two cores read at once.
//!
//! A limit must not be open because the time goes back, or overflow because it goes far ahead. What
//! it may admit is bounded by the latest time that it ever saw:
//!
//! ```text
//! clock      10 s   11 s   2 s    11 s   9000 s   0 s
//! admitted   5      5      0      0      5        0       never more than from 10 s to the latest
//! ```
#![cfg(not(loom))]

use minigateway::engine::limiter::algorithm::Algorithm;
use minigateway::engine::limiter::fixed_window::FixedWindow;
use minigateway::engine::limiter::gcra::Gcra;
use minigateway::engine::limiter::leaky_queue::LeakyQueue;
use minigateway::engine::limiter::sliding_counter::SlidingCounter;
use minigateway::engine::limiter::{Decision, Limiter};
use minigateway::engine::store::Store;
use proptest::prelude::*;
use std::time::Duration;

const LIMIT: u64 = 5;
const SECOND_NS: u64 = 1_000_000_000;

/// Each admits five a second, and five at once.
fn algorithms() -> [Algorithm; 4] {
    let second = Duration::from_secs(1);
    let queue = LeakyQueue::new(LIMIT, second, LIMIT - 1);
    [
        Algorithm::TokenBucket(Gcra::new(LIMIT, second, LIMIT).expect("no zero")),
        Algorithm::LeakyBucket(queue.expect("no zero")),
        Algorithm::FixedWindow(FixedWindow::new(LIMIT, second).expect("no zero")),
        Algorithm::SlidingWindow(SlidingCounter::new(LIMIT, second).expect("no zero")),
    ]
}

/// The number of a window of a second fits its word for 136 years.
const CENTURY_NS: u64 = 100 * 365 * 86_400 * SECOND_NS;

/// A clock somewhere in the first minute, or in the century after it.
fn moments() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let (near, far) = (0..60 * SECOND_NS, 0..CENTURY_NS);
    let clock = prop_oneof![4 => near, 1 => far, 1 => Just(CENTURY_NS), 1 => Just(0)];
    prop::collection::vec((clock, 0..2 * LIMIT), 1..60)
}

/// What windows and buckets may admit between the earliest and the latest moment: a burst, the
/// rate, and for windows one more that the earliest is in.
fn most(earliest_ns: u64, latest_ns: u64) -> u64 {
    2 * LIMIT + LIMIT * ((latest_ns - earliest_ns) / SECOND_NS + 1)
}

proptest! {
    #![proptest_config(ProptestConfig {
        // A file of failures would be left in the source.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_jump_admits_no_more_than_the_latest_time(moments in moments()) {
        for algorithm in algorithms() {
            let (mut word, mut admitted) = (algorithm.unused(), 0);
            let (mut earliest_ns, mut latest_ns) = (u64::MAX, 0);
            for (now_ns, requests) in &moments {
                (earliest_ns, latest_ns) = (earliest_ns.min(*now_ns), latest_ns.max(*now_ns));
                for _ in 0..*requests {
                    admitted += u64::from(algorithm.decide(&mut word, *now_ns, 1).is_admitted());
                }
                prop_assert!(admitted <= most(earliest_ns, latest_ns), "{:?}", algorithm);
            }
        }
    }

    /// Also when it has jumped, a client that waits as long as it was told is admitted. A sliding
    /// window counts the wait from its own begin when the time is before that, and so refuses such
    /// a client once more.
    #[test]
    fn a_wait_is_true_after_a_jump(moments in moments()) {
        for algorithm in algorithms() {
            let mut word = algorithm.unused();
            let mut latest_ns = 0;
            for (now_ns, requests) in &moments {
                latest_ns = latest_ns.max(*now_ns);
                if matches!(algorithm, Algorithm::SlidingWindow(_)) && *now_ns < latest_ns {
                    continue;
                }
                for _ in 0..=*requests {
                    let decision = algorithm.decide(&mut word, *now_ns, 1);
                    let Decision::Refused { retry_after_ns: Some(wait_ns) } = decision else {
                        continue;
                    };
                    let mut word = word;
                    let decision = algorithm.decide(&mut word, now_ns + wait_ns, 1);
                    prop_assert!(decision.is_admitted(), "{:?}", algorithm);
                }
            }
        }
    }

    /// The store as well: what is full at a moment that never comes again was full.
    #[test]
    fn a_store_forgets_nothing_that_a_jump_did_not_fill(moments in moments()) {
        for algorithm in algorithms() {
            let store = Store::new(4);
            let (mut earliest_ns, mut latest_ns, mut admitted) = (u64::MAX, 0, 0);
            for (index, (now_ns, requests)) in moments.iter().enumerate() {
                (earliest_ns, latest_ns) = (earliest_ns.min(*now_ns), latest_ns.max(*now_ns));
                // Others want the slot.
                for other in 0..20 {
                    let key = (index as u64 * 20 + other + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    store.decide(&algorithm, key, *now_ns, 1);
                }
                for _ in 0..*requests {
                    let (decision, _) = store.decide(&algorithm, 7 << 32 | 7, *now_ns, 1);
                    admitted += u64::from(decision.is_admitted());
                }
                prop_assert!(admitted <= most(earliest_ns, latest_ns), "{:?}", algorithm);
            }
        }
    }
}
