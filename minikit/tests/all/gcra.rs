//! GCRA compared with two oracles: an exact token bucket, and a log of all admitted requests.

use std::time::Duration;

use minikit::gcra::{Decision, Gcra};
use proptest::prelude::*;

/// The textbook bucket, in tokens of `interval` parts, so that every number is exact.
struct Bucket {
    tokens: u128,
    last: u64,
}

impl Bucket {
    fn admits(&mut self, now: u64, cost: u64, interval: u64, burst: u64) -> bool {
        let full = u128::from(burst) * u128::from(interval);
        self.tokens = full.min(self.tokens + u128::from(now - self.last));
        self.last = now;
        let price = u128::from(cost) * u128::from(interval);
        let admits = self.tokens >= price;
        if admits {
            self.tokens -= price;
        }
        admits
    }
}

proptest! {
    /// Every decision equals the bucket's, and no window of the log admits more than the burst plus
    /// what the rate allows over the window.
    #[test]
    fn admits_exactly_what_a_token_bucket_admits(
        interval in 1u64..1000,
        burst in 1u64..20,
        requests in prop::collection::vec((0u64..3000, 0u64..4), 1..120),
    ) {
        let limit = Gcra::new(1, Duration::from_nanos(interval), burst).expect("no zero");
        let mut bucket = Bucket { tokens: u128::from(burst * interval), last: 0 };
        let (mut now, mut tat) = (0, 0);
        let mut log: Vec<(u64, u64)> = Vec::new();
        for (gap, cost) in requests {
            now += gap;
            let expected = bucket.admits(now, cost, interval, burst);
            match limit.decide(tat, now, cost) {
                Decision::Admitted { tat_ns, remaining, .. } => {
                    prop_assert!(expected, "admitted at {}, and the bucket has too little", now);
                    prop_assert_eq!(u128::from(remaining), bucket.tokens / u128::from(interval));
                    tat = tat_ns;
                    log.push((now, cost));
                }
                Decision::Refused { retry_after_ns: Some(wait) } => {
                    prop_assert!(!expected, "refused at {}, and the bucket has enough", now);
                    let later = limit.decide(tat, now + wait, cost);
                    let earlier = limit.decide(tat, now + wait - 1, cost);
                    prop_assert!(matches!(later, Decision::Admitted { .. }), "{:?}", later);
                    prop_assert!(matches!(earlier, Decision::Refused { .. }), "{:?}", earlier);
                }
                Decision::Refused { retry_after_ns: None } => prop_assert!(cost > burst),
            }
        }
        for (index, (first, _)) in log.iter().enumerate() {
            let mut admitted = 0;
            for (last, cost) in &log[index..] {
                admitted += cost;
                prop_assert!(admitted <= burst + (last - first) / interval);
            }
        }
    }

    /// Arbitrary numbers never overflow, and a new TAT lies within the depth of now.
    #[test]
    fn no_values_overflow(
        (requests, period, burst) in (any::<u64>(), any::<u64>(), any::<u64>()),
        (tat, now, cost) in (any::<u64>(), any::<u64>(), any::<u64>()),
    ) {
        if let Some(limit) = Gcra::new(requests, Duration::from_nanos(period), burst)
            && let Decision::Admitted { tat_ns, .. } = limit.decide(tat, now, cost)
        {
            prop_assert!(tat_ns >= now);
        }
    }
}
