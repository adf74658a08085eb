//! The leaky bucket as a meter: each request adds water to a bucket that leaks at the rate. A
//! request that would make it overflow is refused.
//!
//! ```text
//! 5 per second, capacity 5, one column per 100 ms
//! arrivals  9.........9....9....1.1.1.1.
//! admitted  5.........5....2....1.1.1.1.
//! ```
//!
//! The figure equals that of [`super::token_bucket`], because the water level is the number of
//! *missing* tokens: one limiter with two names. A property test of [`super::gcra`] checks it.
//!
//! # NGINX
//!
//! `limit_req` is this limiter. NGINX keeps the level (`excess`) in thousandths of a request and
//! the time in milliseconds (`ngx_http_limit_req_lookup`); here both are in nanoseconds. The test
//! module `limit_req` reproduces NGINX's arithmetic exactly, and a property test compares the two.
//!
//! * NGINX does not count the current request: `burst=4` there is a capacity of 5 here.
//! * NGINX rounds rates per minute down to thousandths of a request per second, so `rate=1r/m`
//!   admits 0.96 per minute. Here the interval is rounded up to a nanosecond.
//! * If the clock goes back by up to a minute, NGINX takes the elapsed time as 0; beyond that, as
//!   one millisecond.

use super::{Decision, Limiter, Quota};
use minikit::gcra::Gcra;
use std::time::Duration;

/// A rate and the capacity of the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeakyMeter {
    /// The water that one request adds, as the time that it takes to leak out.
    request_ns: u64,
    capacity_ns: u64,
}

/// The two numbers of the textbook algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// The water level at the last charge, as the time that it takes to leak out.
    pub level_ns: u64,
    /// The time of the last charge.
    pub last_ns: u64,
}

impl LeakyMeter {
    /// Admits `requests` per `period` on average and `burst` at once. Returns `None` if one of them
    /// is 0, or if it takes longer than 584 years to empty the bucket.
    pub fn new(requests: u64, period: Duration, burst: u64) -> Option<LeakyMeter> {
        let (request_ns, capacity_ns) = Gcra::new(requests, period, burst)?.interval_and_depth_ns();
        Some(LeakyMeter { request_ns, capacity_ns })
    }
}

impl Level {
    /// Returns the water level at `now_ns`.
    fn at(&self, now_ns: u64) -> u64 {
        self.level_ns.saturating_sub(now_ns.saturating_sub(self.last_ns))
    }

    /// Returns by how much the clock is behind the last charge, if it went back.
    fn behind_ns(&self, now_ns: u64) -> u64 {
        self.last_ns.saturating_sub(now_ns)
    }
}

impl Limiter for LeakyMeter {
    type State = Level;

    fn decide(&self, state: &mut Level, now_ns: u64, cost: u64) -> Decision {
        let Some(poured_ns) = self.request_ns.checked_mul(cost) else { return Decision::NEVER };
        if poured_ns > self.capacity_ns {
            return Decision::NEVER;
        }

        let level_ns = state.at(now_ns).saturating_add(poured_ns);
        if level_ns > self.capacity_ns {
            let overflow_ns = level_ns - self.capacity_ns;
            return Decision::retry_after(overflow_ns.saturating_add(state.behind_ns(now_ns)));
        }

        *state = Level { level_ns, last_ns: state.last_ns.max(now_ns) };
        Decision::NOW
    }

    fn quota(&self, state: &Level, now_ns: u64) -> Quota {
        let level_ns = state.at(now_ns);
        let behind_ns = if level_ns == 0 { 0 } else { state.behind_ns(now_ns) };
        let remaining = (self.capacity_ns - level_ns) / self.request_ns;
        Quota { remaining, full_after_ns: level_ns.saturating_add(behind_ns) }
    }
}

/// NGINX's exact `limit_req` arithmetic for one key: `ngx_http_limit_req_lookup` and
/// `ngx_http_limit_req_account` of `ngx_http_limit_req_module.c`.
#[cfg(test)]
pub(super) mod limit_req {
    /// `rate=` and `burst=`, both in thousandths of a request.
    pub struct LimitReq {
        pub rate: i64,
        pub burst: i64,
    }

    #[derive(Default)]
    pub struct Node {
        state: Option<(i64, i64)>,
    }

    impl LimitReq {
        pub fn per_second(rate: i64, burst: i64) -> LimitReq {
            LimitReq { rate: rate * 1000, burst: burst * 1000 }
        }

        /// Returns the excess if the request is admitted.
        pub fn admit(&self, node: &mut Node, now_ms: i64) -> Option<i64> {
            let Some((last_excess, last_ms)) = node.state else {
                node.state = Some((0, now_ms));
                return Some(0);
            };
            let ms = match now_ms - last_ms {
                ms if ms < -60_000 => 1,
                ms if ms < 0 => 0,
                ms => ms,
            };
            let excess = (last_excess - self.rate * ms / 1000 + 1000).max(0);
            if excess > self.burst {
                return None;
            }
            node.state = Some((excess, if ms == 0 { last_ms } else { now_ms }));
            Some(excess)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_figure;
    use super::limit_req::{LimitReq, Node};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_figure_of_the_head() {
        let meter = LeakyMeter::new(5, Duration::from_secs(1), 5).expect("no zero");
        assert_figure(&meter, "9.........9....9....1.1.1.1.", "5.........5....2....1.1.1.1.");
    }

    /// `rate=10r/s burst=5`: six pass at once, the seventh is refused, and one more passes after
    /// 100 ms.
    #[test]
    fn the_example_of_nginx() {
        let nginx = LimitReq::per_second(10, 5);
        let mut node = Node::default();
        let at_once = (0..7).map(|_| nginx.admit(&mut node, 50)).collect::<Vec<_>>();
        let excess = [Some(0), Some(1000), Some(2000), Some(3000), Some(4000), Some(5000), None];
        assert_eq!(at_once, excess);
        assert_eq!(nginx.admit(&mut node, 149), None);
        assert_eq!(nginx.admit(&mut node, 150), Some(5000));
    }

    proptest! {
        /// Compares rates whose interval is a whole number of nanoseconds.
        #[test]
        fn nginx_admits_the_same_to_the_millisecond(
            rate in prop::sample::select(vec![1, 2, 4, 5, 8, 10, 20, 50, 100, 125, 250, 1000]),
            burst in 0i64..20,
            gaps in prop::collection::vec(prop_oneof![0i64..40, 0i64..3000], 1..300),
        ) {
            let nginx = LimitReq::per_second(rate, burst);
            let second = Duration::from_secs(1);
            let ours = LeakyMeter::new(rate as u64, second, burst as u64 + 1).expect("no zero");
            let (mut node, mut level, mut now_ms) = (Node::default(), ours.unused(), 0);
            for gap in gaps {
                now_ms += gap;
                let admitted = ours.decide(&mut level, now_ms as u64 * 1_000_000, 1).is_admitted();
                let excess = nginx.admit(&mut node, now_ms);
                prop_assert_eq!(excess.is_some(), admitted, "at {} ms", now_ms);
            }
        }
    }

    /// The head's claim about rates per minute: `rate=1r/m` becomes 16 thousandths per second.
    #[test]
    fn one_a_minute_takes_nginx_more_than_a_minute() {
        let nginx = LimitReq { rate: 1000 / 60, burst: 0 };
        let mut node = Node::default();
        assert_eq!(nginx.admit(&mut node, 0), Some(0));
        assert_eq!(nginx.admit(&mut node, 60_000), None);
        assert_eq!(nginx.admit(&mut node, 62_500), Some(0));
    }
}
