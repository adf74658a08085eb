//! The concurrency limit: bounds the number of requests in progress, whatever their rate.
//!
//! ```text
//! limit 3; a request takes 4 columns
//! arrivals     2.2.2.2.....
//! admitted     2.1.2.1.....    from the fifth column on, one for each that ended
//! in progress  223333331100
//! ```
//!
//! A rate says nothing about load: ten requests a second keep no worker busy at 1 ms each, and a
//! hundred workers at 10 s each. This limit adapts to the service. When the service slows down,
//! requests take longer, and fewer are admitted (Little's law: requests in progress = rate * time).
//! So it protects a backend; it is not a quota for customers.
//!
//! It is the only limiter here whose caller must report the end of a request
//! ([`Concurrency::release`]), and the only one that cannot tell a client when to retry.
//!
//! # The word
//!
//! ```text
//! 63                            32 31                             0
//! | number admitted so far        | in progress                   |
//! ```
//!
//! The upper half makes each word unique. The [store](crate::engine::store) requires that a word
//! never returns to an earlier value, which the number in progress alone would do.
//!
//! NGINX counterpart: `ngx_http_limit_conn_module.c`. Envoy's circuit breakers (`max_requests`) and
//! Stripe's "concurrent requests limiter" work the same way. Netflix's `concurrency-limits` adapts
//! the limit to the measured latency.

use super::{Decision, Limiter, Quota};

/// A limit of requests in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    limit: u32,
}

impl Concurrency {
    /// Admits a request while fewer than `limit` are in progress. Returns `None` if `limit` is 0 or
    /// does not fit 32 bits.
    pub fn new(limit: u64) -> Option<Concurrency> {
        let limit = u32::try_from(limit).ok().filter(|it| *it > 0)?;
        Some(Concurrency { limit })
    }

    /// Returns the state after the end of an admitted request of `cost`.
    pub fn release(&self, word: u64, cost: u64) -> u64 {
        word - cost.min(in_progress(word))
    }
}

/// Returns the lower half of a word.
fn in_progress(word: u64) -> u64 {
    u64::from(word as u32)
}

impl Limiter for Concurrency {
    type State = u64;

    fn decide(&self, word: &mut u64, _now_ns: u64, cost: u64) -> Decision {
        let available = u64::from(self.limit).saturating_sub(in_progress(*word));
        if cost > available {
            return Decision::NEVER;
        }
        *word = word.wrapping_add(1 << 32) + cost;
        Decision::NOW
    }

    fn quota(&self, word: &u64, _now_ns: u64) -> Quota {
        let in_progress = in_progress(*word);
        Quota {
            remaining: u64::from(self.limit).saturating_sub(in_progress),
            full_after_ns: if in_progress == 0 { 0 } else { u64::MAX },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_of_the_head() {
        let limiter = Concurrency::new(3).expect("not zero");
        let mut word = limiter.unused();
        let mut ends = [0; 20];
        let (mut admitted, mut busy) = (String::new(), String::new());
        for (column, arrivals) in "2.2.2.2.....".chars().enumerate() {
            word = limiter.release(word, ends[column]);
            let arrivals = arrivals.to_digit(10).unwrap_or(0);
            let passed = (0..arrivals).filter(|_| limiter.decide(&mut word, 0, 1).is_admitted());
            let passed = passed.count();
            ends[column + 4] += passed as u64;
            admitted += &if passed == 0 { ".".to_owned() } else { passed.to_string() };
            busy += &in_progress(word).to_string();
        }
        assert_eq!([admitted.as_str(), &busy], ["2.1.2.1.....", "223333331100"]);
    }

    #[test]
    fn a_word_is_never_the_same_again() {
        let limiter = Concurrency::new(2).expect("not zero");
        let mut word = limiter.unused();
        limiter.decide(&mut word, 0, 1);
        let released = limiter.release(word, 1);
        assert_eq!((limiter.quota(&released, 0).full_after_ns, released != 0), (0, true));
        assert_eq!(limiter.release(released, 1), released);
    }

    #[test]
    fn the_count_of_all_admissions_wraps_and_nothing_else_changes() {
        let limiter = Concurrency::new(2).expect("not zero");
        let mut word = u64::from(u32::MAX) << 32 | 1;
        assert_eq!(limiter.decide(&mut word, 0, 1), Decision::NOW);
        assert_eq!(word, 2);
        assert_eq!(limiter.decide(&mut word, 0, 1), Decision::NEVER);
    }
}
