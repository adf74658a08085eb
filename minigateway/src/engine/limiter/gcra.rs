//! GCRA, the generic cell rate algorithm: a token bucket in one word.
//!
//! ```text
//! 5 per second, burst 5, one column per 100 ms
//! arrivals  9.........9....9....1.1.1.1.
//! admitted  5.........5....2....1.1.1.1.
//! ```
//!
//! A token bucket keeps two numbers: the tokens, and when they were counted. GCRA keeps one, the
//! *theoretical arrival time* (TAT): the moment at which the bucket is full again. That is enough,
//! because the bucket fills at a known rate:
//!
//! ```text
//! tokens = capacity - (TAT - now)       missing tokens arrive until the TAT
//! level  = TAT - now                    the same number as the water of a leaky bucket
//! ```
//!
//! A compare-and-swap changes one word, so threads share a bucket without a lock ([`super::cell`]),
//! and a slot of the [store](crate::engine::store) takes 16 bytes: the key and the word.
//!
//! # Token bucket = leaky meter = GCRA
//!
//! The property tests of this file send the same random arrivals with random costs to all three,
//! and compare every decision, wait and quota. The crate `governor` serves as a fourth oracle.
//!
//! [`minikit::gcra`] does the arithmetic, and shows the steps of one bucket in a table. Sources:
//! ITU-T I.371 (the virtual scheduling algorithm); `redis-cell`; `governor/src/gcra.rs`, which
//! keeps nanoseconds in an `AtomicU64` as well.

use super::{Decision, Limiter, Quota};
use minikit::gcra;
use std::time::Duration;

/// A rate and a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra(gcra::Gcra);

impl Gcra {
    /// Admits `requests` per `period` on average and `burst` at once. Returns `None` if one of them
    /// is 0, or if it takes longer than 584 years until the whole burst is available again.
    pub fn new(requests: u64, period: Duration, burst: u64) -> Option<Gcra> {
        gcra::Gcra::new(requests, period, burst).map(Gcra)
    }

    /// Returns the time between two requests, and how far the TAT may be ahead of now.
    pub fn interval_and_depth_ns(&self) -> (u64, u64) {
        self.0.interval_and_depth_ns()
    }

    /// Returns the state without a charge of `cost` that was admitted.
    ///
    /// A charge moves the TAT ahead by `cost` intervals, starting from now if it was in the past.
    /// So a refund at any later time moves it back. A TAT in the past means a full bucket.
    pub fn refund(&self, tat_ns: u64, cost: u64) -> u64 {
        tat_ns.saturating_sub(self.0.interval_and_depth_ns().0.saturating_mul(cost))
    }
}

impl Limiter for Gcra {
    /// The TAT, in nanoseconds.
    type State = u64;

    #[inline]
    fn decide(&self, tat_ns: &mut u64, now_ns: u64, cost: u64) -> Decision {
        match self.0.decide(*tat_ns, now_ns, cost) {
            gcra::Decision::Admitted { tat_ns: new, .. } => {
                *tat_ns = new;
                Decision::NOW
            }
            gcra::Decision::Refused { retry_after_ns } => Decision::Refused { retry_after_ns },
        }
    }

    fn quota(&self, tat_ns: &u64, now_ns: u64) -> Quota {
        let remaining = match self.0.decide(*tat_ns, now_ns, 0) {
            gcra::Decision::Admitted { remaining, .. } => remaining,
            // The clock went back so far that the TAT is more than a whole burst ahead.
            gcra::Decision::Refused { .. } => 0,
        };
        Quota { remaining, full_after_ns: tat_ns.saturating_sub(now_ns) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::leaky_meter::LeakyMeter;
    use super::super::tests::assert_figure;
    use super::super::token_bucket::TokenBucket;
    use super::*;
    use governor::clock::FakeRelativeClock;
    use governor::{Quota as GovernorQuota, RateLimiter};
    use proptest::prelude::*;
    use std::num::NonZeroU32;

    #[test]
    fn the_figure_of_the_head() {
        let gcra = Gcra::new(5, Duration::from_secs(1), 5).expect("no zero");
        assert_figure(&gcra, "9.........9....9....1.1.1.1.", "5.........5....2....1.1.1.1.");
    }

    #[test]
    fn a_refund_takes_back_one_charge() {
        let gcra = Gcra::new(1, Duration::from_secs(1), 3).expect("no zero");
        let mut tat = 0;
        gcra.decide(&mut tat, 7, 1);
        let before = tat;
        gcra.decide(&mut tat, 9, 2);
        assert_eq!((gcra.refund(tat, 2), gcra.refund(tat, u64::MAX)), (before, 0));
    }

    /// Gaps and costs: bursts of requests, with pauses in between.
    fn gaps() -> impl Strategy<Value = Vec<(u64, u64)>> {
        prop::collection::vec((prop_oneof![Just(0u64), 0u64..50, 0u64..3000], 0u64..5), 1..200)
    }

    proptest! {
        #[test]
        fn token_bucket_leaky_meter_and_gcra_are_one_limiter(
            (requests, period, burst) in (1u64..50, 1u64..5000, 1u64..20),
            gaps in gaps(),
        ) {
            let period = Duration::from_nanos(period);
            let gcra = Gcra::new(requests, period, burst).expect("no zero");
            let meter = LeakyMeter::new(requests, period, burst).expect("no zero");
            let bucket = TokenBucket::new(requests, period, burst).expect("no zero");
            let (mut tat, mut level, mut tokens) = (gcra.unused(), meter.unused(), bucket.unused());
            let mut now = 0;
            for (gap, cost) in gaps {
                now += gap;
                let decision = gcra.decide(&mut tat, now, cost);
                prop_assert_eq!(decision, meter.decide(&mut level, now, cost));
                prop_assert_eq!(decision, bucket.decide(&mut tokens, now, cost));
                let quota = gcra.quota(&tat, now);
                prop_assert_eq!(quota, meter.quota(&level, now));
                prop_assert_eq!(quota, bucket.quota(&tokens, now));
            }
        }

        /// `governor` rounds the interval down and we round it up, so only rates that divide a
        /// second evenly are compared.
        #[test]
        fn governor_decides_the_same(
            rate in prop::sample::select(vec![1u32, 2, 5, 10, 100, 1000]),
            burst in 1u32..20,
            gaps in gaps(),
        ) {
            let non_zero = |it| NonZeroU32::new(it).expect("a sample");
            let clock = FakeRelativeClock::default();
            let quota = GovernorQuota::per_second(non_zero(rate)).allow_burst(non_zero(burst));
            let governor = RateLimiter::direct_with_clock(quota, clock.clone());
            let second = Duration::from_secs(1);
            let gcra = Gcra::new(rate.into(), second, burst.into()).expect("no zero");
            let (mut tat, mut now_ns) = (gcra.unused(), 0);
            for (gap, cost) in gaps {
                now_ns += gap * 1_000_000;
                clock.advance(Duration::from_millis(gap));
                let Some(cost) = NonZeroU32::new(cost as u32) else { continue };
                let admitted = gcra.decide(&mut tat, now_ns, cost.get().into()).is_admitted();
                let governed = matches!(governor.check_n(cost), Ok(Ok(())));
                prop_assert_eq!(governed, admitted, "at {} ns", now_ns);
            }
        }
    }
}
