//! How many requests of the last seconds there were, and how many of them have failed.
//!
//! The window is ten buckets in a ring. A bucket is cleared when time comes back to it, so old
//! requests are forgotten a tenth of the window at a time:
//!
//! ```text
//! window 10 s      second      0     1     2  ...   9     10
//!                  requests    5/0   5/5   -        -     1/0       in / failed
//! total at  9 s    10, 5 failed
//! total at 10 s    6, 5 failed                            second 0 is forgotten
//! ```
//!
//! # Why not a moving average?
//!
//! An average without counts cannot tell one failure of one request from fifty of fifty, and a
//! breaker must not open for the first. With an average over time, a quiet server also stays at
//! its last bad value until somebody asks it again. linkerd's source gives the same reasons.
//!
//! Counterpart: linkerd's success-rate breaker, ten buckets; Envoy clears its counters at each
//! interval instead.

const BUCKETS: u64 = 10;

/// Requests and failures, by tenths of the window.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// Requests, failures.
    buckets: [(u32, u32); BUCKETS as usize],
    /// The number of the latest bucket since the beginning of time.
    latest: u64,
}

impl Window {
    /// Counts a request that has ended.
    pub fn record(&mut self, is_failure: bool, window_ms: u64, now_ms: u64) {
        self.advance(window_ms, now_ms);
        let (requests, failures) = &mut self.buckets[(self.latest % BUCKETS) as usize];
        *requests += 1;
        *failures += u32::from(is_failure);
    }

    /// Requests within the window, and how many of them have failed.
    pub fn totals(&mut self, window_ms: u64, now_ms: u64) -> (u32, u32) {
        self.advance(window_ms, now_ms);
        self.buckets.iter().fold((0, 0), |(all, failed), it| (all + it.0, failed + it.1))
    }

    /// Clears the buckets between the last time and this one.
    fn advance(&mut self, window_ms: u64, now_ms: u64) {
        let current = now_ms / (window_ms / BUCKETS).max(1);
        let passed = current.saturating_sub(self.latest).min(BUCKETS);
        for number in 0..passed {
            self.buckets[((current - number) % BUCKETS) as usize] = (0, 0);
        }
        self.latest = self.latest.max(current);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let mut window = Window::default();
        (0..5).for_each(|_| window.record(false, 10_000, 500));
        (0..5).for_each(|_| window.record(true, 10_000, 1999));
        assert_eq!(window.totals(10_000, 9_999), (10, 5));
        window.record(false, 10_000, 10_000);
        assert_eq!(window.totals(10_000, 10_000), (6, 5));
        assert_eq!(window.totals(10_000, 11_000), (1, 0));
        assert_eq!(window.totals(10_000, 500_000), (0, 0));
    }
}
