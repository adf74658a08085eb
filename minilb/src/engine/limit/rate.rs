//! `limit_req`: a leaky bucket for each key.
//!
//! # The bucket
//!
//! Each request pours one unit into the bucket of its key, and the bucket leaks at the rate. What
//! is in it beyond the first request is the *excess*. More than `burst` is too much: the request is
//! refused and pours nothing. Within `burst` it passes, but it waits until it would have been on
//! time, unless `nodelay` or `delay` says otherwise.
//!
//! # Example
//!
//! `rate=10r/s burst=2`, one unit per 100 ms:
//!
//! ```text
//! ms     excess before   leaked   excess after
//!   0    (new)                    0               passes at once
//!   0    0               0        1               waits 100 ms
//!   0    1               0        2               waits 200 ms
//!   0    2               0        3: refused      stays 2
//! 150    2               1.5      1.5             waits 150 ms
//! 950    1.5             8        0               passes at once
//! ```
//!
//! The first request of a key counts nothing, so `burst=2` lets three pass.
//!
//! # Memory
//!
//! A key is forgotten when its place is needed and no other has been unused for longer. A client
//! with many keys can push others out, and these begin with an empty bucket: more pass, not fewer.
//!
//! NGINX counterpart: `ngx_http_limit_req_lookup` and `ngx_http_limit_req_account`, with the same
//! integers: thousandths of a request, milliseconds.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// One request, in the unit of excess.
const REQUEST: u64 = 1000;
/// What NGINX needs for the state of one key, on 64-bit machines.
const STATE_BYTES: u64 = 128;

/// Buckets by key.
#[derive(Debug)]
pub struct RateZone {
    /// Thousandths of a request per second.
    rate: u64,
    capacity: usize,
    buckets: HashMap<Arc<[u8]>, Bucket>,
    /// Keys by when they were used last.
    order: BTreeMap<u64, Arc<[u8]>>,
    uses: u64,
}

#[derive(Debug)]
struct Bucket {
    excess: u64,
    last_ms: u64,
    /// Its place in the order.
    used: u64,
}

impl RateZone {
    /// Empty buckets, as many as fit into so many bytes of NGINX's memory.
    pub fn new(rate: u64, bytes: u64) -> RateZone {
        let capacity = (bytes / STATE_BYTES).max(1) as usize;
        RateZone {
            rate: rate.max(1),
            capacity,
            buckets: HashMap::new(),
            order: BTreeMap::new(),
            uses: 0,
        }
    }

    /// Returns the excess of one more request in thousandths, or `None` if it is more than `burst`
    /// requests. With `pours` a request that passes is counted.
    pub fn admit(&mut self, key: &[u8], burst: u64, now_ms: u64, pours: bool) -> Option<u64> {
        self.uses += 1;
        let Some(bucket) = self.buckets.get_mut(key) else {
            if pours {
                self.insert(key, now_ms);
            }
            return Some(0);
        };
        let key = self.order.remove(&bucket.used).expect("each bucket is in the order");
        self.order.insert(self.uses, key);
        bucket.used = self.uses;

        let elapsed_ms = now_ms.saturating_sub(bucket.last_ms);
        let leaked = self.rate.saturating_mul(elapsed_ms) / 1000;
        let excess = (bucket.excess + REQUEST).saturating_sub(leaked);
        if excess > burst.saturating_mul(REQUEST) {
            return None;
        }
        if pours {
            bucket.excess = excess;
            bucket.last_ms = now_ms.max(bucket.last_ms);
        }
        Some(excess)
    }

    /// Milliseconds that a request with this excess waits, if `delay` requests need not.
    pub fn delay_ms(&self, excess: u64, delay: Option<u64>) -> u64 {
        let Some(delay) = delay else { return 0 };
        excess.saturating_sub(delay.saturating_mul(REQUEST)).saturating_mul(1000) / self.rate
    }

    fn insert(&mut self, key: &[u8], now_ms: u64) {
        if self.buckets.len() >= self.capacity {
            let oldest = self.order.pop_first();
            oldest.and_then(|(_, key)| self.buckets.remove(&key));
        }
        let key: Arc<[u8]> = key.into();
        self.order.insert(self.uses, Arc::clone(&key));
        self.buckets.insert(key, Bucket { excess: 0, last_ms: now_ms, used: self.uses });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let mut zone = RateZone::new(10_000, 1 << 20);
        let mut wait = |now_ms| {
            let excess = zone.admit(b"a", 2, now_ms, true)?;
            Some((excess, zone.delay_ms(excess, Some(0))))
        };
        assert_eq!(wait(0), Some((0, 0)));
        assert_eq!(wait(0), Some((1000, 100)));
        assert_eq!(wait(0), Some((2000, 200)));
        assert_eq!(wait(0), None);
        assert_eq!(wait(150), Some((1500, 150)));
        assert_eq!(wait(950), Some((0, 0)));
    }

    #[test]
    fn delay_and_nodelay_shorten_the_wait() {
        let zone = RateZone::new(10_000, 1 << 20);
        assert_eq!(zone.delay_ms(3000, Some(0)), 300);
        assert_eq!(zone.delay_ms(3000, Some(2)), 100);
        assert_eq!(zone.delay_ms(3000, None), 0);
    }

    #[test]
    fn a_check_alone_counts_nothing() {
        let mut zone = RateZone::new(1000, 1 << 20);
        for _ in 0..10 {
            assert_eq!(zone.admit(b"a", 0, 0, false), Some(0));
        }
        assert_eq!(zone.admit(b"a", 0, 0, true), Some(0));
        assert_eq!(zone.admit(b"a", 0, 0, false), None);
    }

    #[test]
    fn the_key_unused_for_longest_is_forgotten() {
        let mut zone = RateZone::new(1, 2 * STATE_BYTES);
        for key in ["a", "b", "a", "c"] {
            zone.admit(key.as_bytes(), 9, 0, true);
        }
        assert_eq!(zone.buckets.len(), 2);
        assert_eq!(zone.order.len(), 2);
        assert_eq!(zone.admit(b"b", 0, 0, false), Some(0), "forgotten");
        assert_eq!(zone.admit(b"a", 0, 0, false), None, "known");
    }
}
