//! A budget for retries: they must not multiply an overload.
//!
//! # The retry storm
//!
//! Three servers are overloaded and fail half of what they get. With three tries, each request
//! becomes 1.75 requests, so they are overloaded even more, fail more, and 1.75 becomes 3. The
//! storm goes on after its cause has gone. Retries help only while few requests need one.
//!
//! # How
//!
//! ```text
//! retries=20%       each request adds 0.2, each retry takes 1
//!
//! balance 10        the start: a service with few requests can retry, too
//! 100 requests      balance 30
//! all of them fail  30 retries, and no more: 1.3 times the load instead of 3
//! ```
//!
//! The balance has an upper limit, so that a quiet day does not pay for a storm.
//!
//! Counterpart: Finagle's and linkerd's retry budgets, whose deposits expire after ten seconds
//! instead. Envoy's `RetryBudget` limits retries at a time to a share of the requests at a time,
//! which does not hold back servers that fail within a microsecond. NGINX has none.

/// One retry, in the unit of the balance.
const RETRY: u64 = 100;
const START: u64 = 10 * RETRY;
const MAX: u64 = 100 * RETRY;

/// How many retries are left, in hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget(u64);

impl Default for RetryBudget {
    /// Ten retries.
    fn default() -> RetryBudget {
        RetryBudget(START)
    }
}

impl RetryBudget {
    /// A request comes.
    pub fn deposit(&mut self, percent: u32) {
        self.0 = (self.0 + u64::from(percent)).min(MAX);
    }

    /// Returns true if there may be a retry, which is paid for.
    pub fn withdraw(&mut self) -> bool {
        let left = self.0.checked_sub(RETRY);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// Whole retries left.
    pub fn left(self) -> u64 {
        self.0 / RETRY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let mut budget = RetryBudget::default();
        (0..100).for_each(|_| budget.deposit(20));
        assert_eq!(budget.left(), 30);
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 30);
        (0..10_000).for_each(|_| budget.deposit(20));
        assert_eq!(budget.left(), 100);
    }
}
