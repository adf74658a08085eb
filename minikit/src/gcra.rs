//! GCRA, the generic cell rate algorithm: a token bucket in one integer.
//!
//! A token bucket stores two numbers, tokens and the time of the last refill. GCRA stores one: the
//! *theoretical arrival time* (TAT), when the bucket will be full again. A bucket that is full now
//! has a TAT in the past; each admitted request moves it one interval into the future; a request
//! that would move it further than the bucket is deep is refused.
//!
//! # Example
//!
//! Two requests per second (interval 500 ms), at most three at once (depth 1,500 ms):
//!
//! ```text
//! now    TAT before   TAT after, if admitted   minus now   depth 1500
//!    0       0              500                   500      admitted, 2 left
//!    0     500             1000                  1000      admitted, 1 left
//!    0    1000             1500                  1500      admitted, 0 left
//!  100    1500             2000                  1900      refused, retry after 400
//!  500    1500             2000                  1500      admitted, 0 left
//! 9000    2000             9500                   500      admitted, 2 left: credit never
//!                                                          exceeds the depth
//! ```
//!
//! A refused request changes nothing, so a client that keeps trying is not punished for it.
//!
//! # nginx's `limit_req` in these terms
//!
//! `rate=2r/s burst=2 nodelay` is the bucket above: nginx counts the requests *beyond* the first,
//! so its burst is one less. nginx keeps `excess` in thousandths of a request and time in
//! milliseconds (`ngx_http_limit_req_lookup`); here both are nanoseconds.
//!
//! # What it is not, and what that costs
//!
//! * The interval is a whole number of nanoseconds, rounded up: never faster than asked for, slower
//!   by less than 1 ns per request. At 3,000,000 per second that is 0.2 %.
//! * No state and no clock of its own: the TAT is kept by the caller, in an atomic, a table or a
//!   shared store. Several limits can so be checked first and charged together.
//!
//! Sources: ITU-T I.371 (the virtual scheduling algorithm); Brandur Leach, "Rate Limiting, Cells,
//! and GCRA"; `redis-cell`, the same as a Redis module. `tests/all/gcra.rs` compares it with an
//! exact token bucket and with a log of all admitted requests.

use std::time::Duration;

/// A rate and a burst. Copy it freely: two integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// What one request of cost 1 adds to the TAT.
    interval_ns: u64,
    /// How far into the future the TAT may lie: `burst` intervals.
    depth_ns: u64,
}

/// The answer for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request is within the limit.
    Admitted {
        /// The new TAT, which the caller stores to charge the request.
        tat_ns: u64,
        /// How many requests of cost 1 would be admitted at the same moment after this one.
        remaining: u64,
    },
    /// The request is above the limit. The TAT stays as it is.
    Refused {
        /// When the same request would be admitted, if no other is charged before. `None`: never,
        /// because its cost is greater than the burst.
        retry_after_ns: Option<u64>,
    },
}

impl Gcra {
    /// Admits `requests` per `period` on average and `burst` at once.
    ///
    /// Returns `None` if one of the three is 0, or if refilling the whole burst would take longer
    /// than 584 years (`u64` nanoseconds).
    pub fn new(requests: u64, period: Duration, burst: u64) -> Option<Gcra> {
        let requests = Some(u128::from(requests)).filter(|it| *it > 0)?;
        let interval_ns = u64::try_from(period.as_nanos().div_ceil(requests)).ok()?;
        let depth_ns = interval_ns.checked_mul(burst).filter(|it| *it > 0)?;
        Some(Gcra { interval_ns, depth_ns })
    }

    /// The time between two requests, and how far ahead of now the TAT may be.
    pub fn interval_and_depth_ns(&self) -> (u64, u64) {
        (self.interval_ns, self.depth_ns)
    }

    /// Decides about a request of `cost` at `now_ns`, for a bucket whose TAT is `tat_ns` (0 for a
    /// bucket that was never used). Changes nothing: the caller stores the new TAT.
    ///
    /// `now_ns` counts from any fixed moment. If it goes back, the bucket refills that much
    /// later. Costs a few additions, and one division if `remaining` is used; never overflows.
    #[inline]
    pub fn decide(&self, tat_ns: u64, now_ns: u64, cost: u64) -> Decision {
        let never = Decision::Refused { retry_after_ns: None };
        let Some(cost_ns) = self.interval_ns.checked_mul(cost) else { return never };
        // How much of the depth may be used already, for this request to fit.
        let Some(used_max_ns) = self.depth_ns.checked_sub(cost_ns) else { return never };

        // A TAT in the past is a full bucket, like one of this moment.
        let start_ns = tat_ns.max(now_ns);
        let used_ns = start_ns - now_ns;
        if used_ns > used_max_ns {
            return Decision::Refused { retry_after_ns: Some(used_ns - used_max_ns) };
        }

        // Overflows only at the end of the clock's range. There it is safer to refuse.
        let Some(tat_ns) = start_ns.checked_add(cost_ns) else { return never };
        // The interval is not 0; a check that could panic would keep the division in all callers.
        let remaining = (used_max_ns - used_ns).checked_div(self.interval_ns).unwrap_or(0);
        Decision::Admitted { tat_ns, remaining }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn the_table_at_the_head_of_the_file() {
        let limit = Gcra::new(2, Duration::from_secs(1), 3).expect("no zero");
        let mut tat = 0;
        for (now, before, after, remaining) in [
            (0, 0, 500, 2),
            (0, 500, 1000, 1),
            (0, 1000, 1500, 0),
            (500, 1500, 2000, 0),
            (9000, 2000, 9500, 2),
        ] {
            if now == 500 {
                let refused = Decision::Refused { retry_after_ns: Some(400 * MS) };
                assert_eq!(limit.decide(tat, 100 * MS, 1), refused);
            }
            assert_eq!(tat, before * MS);
            let expected = Decision::Admitted { tat_ns: after * MS, remaining };
            assert_eq!(limit.decide(tat, now * MS, 1), expected);
            tat = after * MS;
        }
    }

    #[test]
    fn the_interval_is_rounded_up_so_the_rate_is_never_exceeded() {
        let limit = Gcra::new(3, Duration::from_nanos(10), 1).expect("no zero");
        assert_eq!(limit.interval_ns, 4);
    }

    #[test]
    fn limits_without_meaning_are_not_made() {
        let second = Duration::from_secs(1);
        assert_eq!(Gcra::new(0, second, 1), None);
        assert_eq!(Gcra::new(1, Duration::ZERO, 1), None);
        assert_eq!(Gcra::new(1, second, 0), None);
        assert_eq!(Gcra::new(1, second, u64::MAX), None);
        assert_eq!(Gcra::new(1, Duration::MAX, 1), None);
    }

    #[test]
    fn extreme_values_refuse_and_do_not_overflow() {
        let widest = Gcra::new(u64::MAX, Duration::from_nanos(1), u64::MAX).expect("1 ns each");
        let never = Decision::Refused { retry_after_ns: None };
        assert_eq!(widest.decide(u64::MAX, u64::MAX, 1), never);
        let wait = Decision::Refused { retry_after_ns: Some(u64::MAX) };
        assert_eq!(widest.decide(u64::MAX, 0, u64::MAX), wait, "used and cost are twice the depth");
        let one = Gcra::new(1, Duration::from_secs(1), 1).expect("no zero");
        assert_eq!(one.decide(0, 0, u64::MAX), never);
        assert_eq!(one.decide(0, 0, 2), never);
    }
}
