//! Limiters under clocks that jump: a virtual machine is suspended, an operator sets the date, two
//! cores read different times.
//!
//! A clock that goes back must not disable a limit, and one that goes far ahead must not overflow
//! it. The number of admitted requests is bounded by the latest time so far:
//!
//! ```text
//! clock      10 s   11 s   2 s    11 s   9000 s   0 s
//! admitted   5      5      0      0      5        0       bounded by the time since 10 s
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

/// Each admits five a second, with a burst of five.
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

/// Less than the 136 years for which a number of one-second windows fits in 32 bits.
const CENTURY_NS: u64 = 100 * 365 * 86_400 * SECOND_NS;

/// Times in the first minute, or anywhere in a century, each with a number of requests.
fn moments() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let (near, far) = (0..60 * SECOND_NS, 0..CENTURY_NS);
    let clock = prop_oneof![4 => near, 1 => far, 1 => Just(CENTURY_NS), 1 => Just(0)];
    prop::collection::vec((clock, 0..2 * LIMIT), 1..60)
}

/// The most that may be admitted between the earliest and the latest time: a burst, the rate, and
/// one more window, which contains the earliest time.
fn most(earliest_ns: u64, latest_ns: u64) -> u64 {
    2 * LIMIT + LIMIT * ((latest_ns - earliest_ns) / SECOND_NS + 1)
}

proptest! {
    #![proptest_config(ProptestConfig {
        // Do not write a file of failures into the source tree.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_jump_admits_no_more_than_the_elapsed_time_allows(moments in moments()) {
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

    /// A client that waits as long as it was told is admitted, even after a jump. The exception is
    /// a sliding window after the clock went back: it may refuse such a client once more.
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

    /// The same for a store, in which other keys compete for slots.
    #[test]
    fn a_store_forgets_no_charge_after_a_jump(moments in moments()) {
        for algorithm in algorithms() {
            let store = Store::new(4);
            let (mut earliest_ns, mut latest_ns, mut admitted) = (u64::MAX, 0, 0);
            for (index, (now_ns, requests)) in moments.iter().enumerate() {
                (earliest_ns, latest_ns) = (earliest_ns.min(*now_ns), latest_ns.max(*now_ns));
                // Other keys compete for the slot.
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
