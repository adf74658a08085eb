//! The token bucket: a bucket of tokens that fills at the rate; a request takes one or is refused.
//!
//! ```text
//! 5 a second, at most 5 at once, a column for each 100 ms
//! arrivals  9.........9....9....1.1.1.1.
//! admitted  5.........5....2....1.1.1.1.
//! ```
//!
//! The first second admits the burst; after one second the bucket is full again, after half a
//! second it holds two.
//!
//! # The naive bucket, and what is wrong with it
//!
//! ```text
//! tokens += (now - last) * rate / 1000      rate 500/s, asked each millisecond:
//! last = now                                1 * 500 / 1000 = 0 tokens, forever
//! ```
//!
//! Rounding down at every request loses the remainder at every request. A client that asks often
//! gets nothing at all, and one that asks every 3 ms gets two thirds of its rate. The golden script
//! `tokens_lost_to_rounding` shows it. The repair is a unit that does not divide: a token is a
//! length of time, the interval at which tokens arrive. The bucket then holds nanoseconds, elapsed
//! time is added as it is, and nothing is ever rounded but the interval itself, once.
//!
//! # Differences from the real systems
//!
//! Envoy's bucket keeps tokens in a `double`, which rounds at each step. The `tc tbf` of Linux does
//! what this file does. The gateway itself runs [`super::gcra`], which admits the same
//! requests with half the state; the property test there says so.

use super::{Decision, Limiter, Quota};
use minikit::gcra::Gcra;
use std::time::Duration;

/// A rate and a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    /// The interval at which a token arrives.
    token_ns: u64,
    /// The burst, in nanoseconds.
    capacity_ns: u64,
}

/// The textbook's two numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// What was in the bucket at the last charge.
    pub tokens_ns: u64,
    /// When that was.
    pub last_ns: u64,
}

impl TokenBucket {
    /// Admits `requests` per `period` on average and `burst` at once. Returns `None` if one of them
    /// is 0, or if it takes longer than 584 years to fill the bucket.
    pub fn new(requests: u64, period: Duration, burst: u64) -> Option<TokenBucket> {
        let (token_ns, capacity_ns) = Gcra::new(requests, period, burst)?.interval_and_depth_ns();
        Some(TokenBucket { token_ns, capacity_ns })
    }

    /// What the bucket holds at `now_ns`.
    fn tokens_ns(&self, bucket: &Bucket, now_ns: u64) -> u64 {
        let elapsed_ns = now_ns.saturating_sub(bucket.last_ns);
        bucket.tokens_ns.saturating_add(elapsed_ns).min(self.capacity_ns)
    }
}

impl Limiter for TokenBucket {
    type State = Bucket;

    fn unused(&self) -> Bucket {
        Bucket { tokens_ns: self.capacity_ns, last_ns: 0 }
    }

    fn decide(&self, bucket: &mut Bucket, now_ns: u64, cost: u64) -> Decision {
        let Some(price_ns) = self.token_ns.checked_mul(cost) else { return Decision::NEVER };
        if price_ns > self.capacity_ns {
            return Decision::NEVER;
        }

        let tokens_ns = self.tokens_ns(bucket, now_ns);
        if price_ns > tokens_ns {
            // A clock that went back has this far to go before tokens arrive again.
            let behind_ns = bucket.last_ns.saturating_sub(now_ns);
            return Decision::retry_after((price_ns - tokens_ns).saturating_add(behind_ns));
        }

        // The remainder of a token stays in `tokens_ns`, so `last_ns` may move to now.
        bucket.tokens_ns = tokens_ns - price_ns;
        bucket.last_ns = bucket.last_ns.max(now_ns);
        Decision::NOW
    }

    fn quota(&self, bucket: &Bucket, now_ns: u64) -> Quota {
        let tokens_ns = self.tokens_ns(bucket, now_ns);
        let behind_ns = bucket.last_ns.saturating_sub(now_ns);
        let missing_ns = self.capacity_ns - tokens_ns;
        let full_after_ns = if missing_ns == 0 { 0 } else { missing_ns.saturating_add(behind_ns) };
        Quota { remaining: tokens_ns / self.token_ns, full_after_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_figure;
    use super::*;

    #[test]
    fn the_figure_of_the_head() {
        let bucket = TokenBucket::new(5, Duration::from_secs(1), 5).expect("no zero");
        assert_figure(&bucket, "9.........9....9....1.1.1.1.", "5.........5....2....1.1.1.1.");
    }

    #[test]
    fn asking_often_loses_no_tokens() {
        let bucket = TokenBucket::new(500, Duration::from_secs(1), 1).expect("no zero");
        let mut state = bucket.unused();
        let asked = (0..1000).map(|ms| bucket.decide(&mut state, ms * 1_000_000, 1));
        assert_eq!(asked.filter(Decision::is_admitted).count(), 500);
    }
}
