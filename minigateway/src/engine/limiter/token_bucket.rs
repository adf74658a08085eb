//! The token bucket: tokens arrive at the rate; a request takes one, or is refused.
//!
//! ```text
//! 5 per second, burst 5, one column per 100 ms
//! arrivals  9.........9....9....1.1.1.1.
//! admitted  5.........5....2....1.1.1.1.
//! ```
//!
//! The first arrivals take the whole burst. One second later the bucket is full again; half a
//! second after that it holds two.
//!
//! # The naive bucket and its error
//!
//! ```text
//! tokens += (now - last) * rate / 1000      rate 500/s, a request every ms:
//! last = now                                1 * 500 / 1000 = 0 tokens, forever
//! ```
//!
//! Every request rounds down and loses the remainder. A client with a request every millisecond
//! gets nothing, and one with a request every 3 ms gets two thirds of its rate. The golden script
//! `tokens_lost_to_rounding` shows it. The fix is to measure tokens in time: a token is the
//! interval between two tokens. The bucket then holds nanoseconds, elapsed time is added without a
//! division, and only the interval itself is rounded, once.
//!
//! # Differences from the real systems
//!
//! Envoy's bucket keeps tokens in a `double`, which rounds at each step. Linux's `tc tbf` does the
//! same as this file. The gateway itself runs [`super::gcra`], which admits the same requests with
//! half the state; a property test there proves it.

use super::{Decision, Limiter, Quota};
use minikit::gcra::Gcra;
use std::time::Duration;

/// A rate and a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    /// The interval between two tokens.
    token_ns: u64,
    /// The burst, in nanoseconds.
    capacity_ns: u64,
}

/// The two numbers of the textbook algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The content of the bucket after the last charge.
    pub tokens_ns: u64,
    /// The time of the last charge.
    pub last_ns: u64,
}

impl TokenBucket {
    /// Admits `requests` per `period` on average and `burst` at once. Returns `None` if one of them
    /// is 0, or if it takes longer than 584 years to fill the bucket.
    pub fn new(requests: u64, period: Duration, burst: u64) -> Option<TokenBucket> {
        let (token_ns, capacity_ns) = Gcra::new(requests, period, burst)?.interval_and_depth_ns();
        Some(TokenBucket { token_ns, capacity_ns })
    }

    /// Returns the content of the bucket at `now_ns`.
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
            // If the clock went back, no tokens arrive until it has caught up.
            let behind_ns = bucket.last_ns.saturating_sub(now_ns);
            return Decision::retry_after((price_ns - tokens_ns).saturating_add(behind_ns));
        }

        // `tokens_ns` keeps the fraction of a token, so `last_ns` may move to now.
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
