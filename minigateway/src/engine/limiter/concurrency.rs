//! The concurrency limit: how many requests are in progress at once, whatever their rate.
//!
//! ```text
//! 3 at once; a request takes 4 columns
//! arrivals     2.2.2.2.....
//! admitted     2.1.2.1.....    as many as have ended, from the fifth column on
//! in progress  223333331100
//! ```
//!
//! A rate says nothing about load: ten requests a second are nothing at 1 ms each and a hundred
//! busy workers at 10 s each. This limit follows the service. When it slows down, requests stay
//! longer, and fewer are let in; Little's law (requests in progress = rate * time) is the control
//! loop. So it protects a backend, and is no way to sell a quota.
//!
//! It is the only limiter here that must be told of the end of a request
//! ([`Concurrency::release`]), and the only one that cannot name a time to retry.
//!
//! # The word
//!
//! ```text
//! 63                            32 31                             0
//! | admitted so far               | in progress                   |
//! ```
//!
//! The upper half only makes each word a new one: in the [store](crate::engine::store) a word must
//! not return to an earlier value, and a count does.
//!
//! NGINX counterpart: `ngx_http_limit_conn_module.c`. Envoy's circuit breakers (`max_requests`) and
//! Stripe's "concurrent requests limiter" are the same. Netflix's `concurrency-limits` adapts the
//! number to the measured latency.

use super::{Decision, Limiter, Quota};

/// How many at once.
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

    /// The state after a request of `cost` that was admitted has ended.
    pub fn release(&self, word: u64, cost: u64) -> u64 {
        word - cost.min(in_progress(word))
    }
}

/// The lower half of a word.
fn in_progress(word: u64) -> u64 {
    u64::from(word as u32)
}

impl Limiter for Concurrency {
    type State = u64;

    fn decide(&self, word: &mut u64, _now_ns: u64, cost: u64) -> Decision {
        let room = u64::from(self.limit).saturating_sub(in_progress(*word));
        if cost > room {
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
