//! The leaky bucket as a queue: requests wait and leave at the rate; a full queue refuses.
//!
//! ```text
//! 5 per second, 4 may wait, one column per 100 ms
//! arrivals  9.........9....
//! admitted  5.........5....
//! leaving   1.1.1.1.1.1.1.1
//! ```
//!
//! A meter admits or refuses; a queue also says when the request may proceed. Requests leave evenly
//! spaced, which protects a backend best. A burst costs latency instead of refusals: the last of
//! `n` waiting requests waits `n` intervals.
//!
//! # No queue is stored
//!
//! Requests leave in order, so the only state is the time at which the next request may leave. A
//! request leaves at that time, or now if it has passed, and moves it ahead by one interval. The
//! caller does the waiting: the gateway delays the request with a timer. If its client disconnects
//! meanwhile, the charge remains, as in NGINX.
//!
//! NGINX counterpart: `limit_req` without `nodelay`. `burst` requests may wait.

use super::{Decision, Limiter, Quota};
use minikit::gcra::Gcra;
use std::time::Duration;

/// A rate and the longest delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeakyQueue {
    interval_ns: u64,
    /// The longest delay.
    delay_ns_max: u64,
}

impl LeakyQueue {
    /// Lets `requests` per `period` leave, evenly spaced, while at most `waiting` wait. Returns
    /// `None` if the rate is 0, or if the longest delay exceeds 584 years.
    pub fn new(requests: u64, period: Duration, waiting: u64) -> Option<LeakyQueue> {
        let (interval_ns, _) = Gcra::new(requests, period, 1)?.interval_and_depth_ns();
        let delay_ns_max = interval_ns.checked_mul(waiting)?;
        Some(LeakyQueue { interval_ns, delay_ns_max })
    }

    /// Returns the state without a charge of `cost`. Requests charged after it keep their delays.
    pub fn refund(&self, next_ns: u64, cost: u64) -> u64 {
        next_ns.saturating_sub(self.interval_ns.saturating_mul(cost))
    }
}

impl Limiter for LeakyQueue {
    /// When the next request may leave.
    type State = u64;

    fn decide(&self, next_ns: &mut u64, now_ns: u64, cost: u64) -> Decision {
        let length_ns = self.interval_ns.saturating_mul(cost);
        // A cost of 1 needs no further interval in the queue; a cost of 3 needs two.
        let more_ns = length_ns.saturating_sub(self.interval_ns);
        if more_ns > self.delay_ns_max {
            return Decision::NEVER;
        }

        let delay_ns = next_ns.saturating_sub(now_ns);
        let needed_ns = delay_ns.saturating_add(more_ns);
        if needed_ns > self.delay_ns_max {
            return Decision::retry_after(needed_ns - self.delay_ns_max);
        }
        *next_ns = now_ns.max(*next_ns).saturating_add(length_ns);
        Decision::Admitted { delay_ns }
    }

    fn quota(&self, next_ns: &u64, now_ns: u64) -> Quota {
        let delay_ns = next_ns.saturating_sub(now_ns);
        let remaining = match self.delay_ns_max.checked_sub(delay_ns) {
            // One leaves after `delay_ns`; the others must leave within the longest delay.
            Some(room_ns) => 1 + room_ns / self.interval_ns,
            None => 0,
        };
        Quota { remaining, full_after_ns: delay_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::super::gcra::Gcra;
    use super::super::tests::TICK_NS;
    use super::super::tests::timeline::play;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_figure_of_the_head() {
        let queue = LeakyQueue::new(5, Duration::from_secs(1), 4).expect("no zero");
        let figure = play(&queue, "9.........9....", TICK_NS);
        assert_eq!(figure.admitted, "5.........5....");
        assert_eq!(figure.leaving, "1.1.1.1.1.1.1.1");
    }

    proptest! {
        /// The queue admits the same requests as a bucket whose burst is larger by one, as
        /// `limit_req` has the same `burst` with and without `nodelay`. No two requests leave
        /// within one interval.
        #[test]
        fn it_admits_what_a_meter_admits_and_spaces_it_out(
            (requests, period, waiting) in (1u64..50, 50u64..5000, 0u64..20),
            gaps in prop::collection::vec((0u64..200, 1u64..4), 1..200),
        ) {
            let period = Duration::from_nanos(period);
            let queue = LeakyQueue::new(requests, period, waiting).expect("no zero");
            let bucket = Gcra::new(requests, period, waiting + 1).expect("no zero");
            let (mut next, mut tat, mut now, mut free_at) = (0, 0, 0, 0);
            for (gap, cost) in gaps {
                now += gap;
                let remaining = queue.quota(&next, now).remaining;
                prop_assert_eq!(remaining, bucket.quota(&tat, now).remaining);
                match queue.decide(&mut next, now, cost) {
                    Decision::Admitted { delay_ns } => {
                        prop_assert!(bucket.decide(&mut tat, now, cost).is_admitted());
                        prop_assert!(now + delay_ns >= free_at);
                        free_at = now + delay_ns + cost * queue.interval_ns;
                    }
                    refused => prop_assert_eq!(refused, bucket.decide(&mut tat, now, cost)),
                }
            }
        }
    }
}
