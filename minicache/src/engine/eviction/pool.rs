//! The eviction pool: the coldest keys sampled so far, kept from one eviction to the next.
//!
//! ```text
//! offer a 3 s, b 90 s, c 12 s, d 5 s, e 60 s      a d c e b
//! take                                            b, and a d c e stay
//! offer f 1 s, g 20 s                             f a d c g e
//! ```
//!
//! A sample of five finds the coldest of a million keys once in 200,000 evictions. The pool keeps
//! the coldest of all keys sampled so far, so a cold key need not be sampled again. Counterpart in
//! Redis: `evictionPoolPopulate` in `evict.c`.
//!
//! **Invariants**
//! 1. At most [`POOL_SIZE`] candidates, in order of coldness, the coldest last.
//! 2. No key is in the pool twice.

/// The number of candidates kept, as in Redis (`EVPOOL_SIZE`).
const POOL_SIZE: usize = 16;

/// A sampled key that may be evicted. It holds a copy of the key instead of a handle, because the
/// handle's slot may hold another key by the time the candidate is evicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub db: usize,
    pub key: Box<[u8]>,
    /// The coldness by the policy, at the time of the sample.
    pub coldness: u64,
}

#[derive(Default)]
pub struct Pool {
    coldest_last: Vec<Candidate>,
}

impl Pool {
    /// Adds a candidate if the pool has room or the candidate is colder than one in the pool.
    pub fn offer(&mut self, db: usize, key: &[u8], coldness: u64) {
        let full = self.coldest_last.len() == POOL_SIZE;
        if full && coldness <= self.coldest_last[0].coldness {
            return;
        }

        // A key that is sampled again keeps the coldness of its first sample, as in Redis.
        if self.coldest_last.iter().any(|known| known.db == db && *known.key == *key) {
            return;
        }

        if full {
            self.coldest_last.remove(0);
        }
        let at = self.coldest_last.partition_point(|known| known.coldness < coldness);
        self.coldest_last.insert(at, Candidate { db, key: key.into(), coldness });
    }

    pub fn take_coldest(&mut self) -> Option<Candidate> {
        self.coldest_last.pop()
    }

    pub fn candidates(&self) -> &[Candidate] {
        &self.coldest_last
    }

    /// Drops all candidates, for a change of policy: each policy has its own unit of coldness.
    pub fn clear(&mut self) {
        self.coldest_last.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_head() {
        let mut pool = Pool::default();
        for (key, idle) in [("a", 3), ("b", 90), ("c", 12), ("d", 5), ("e", 60)] {
            pool.offer(0, key.as_bytes(), idle);
        }
        let order: Vec<&[u8]> = pool.candidates().iter().map(|c| &*c.key).collect();
        assert_eq!(order, [b"a", b"d", b"c", b"e", b"b"]);
        assert_eq!(pool.take_coldest().map(|c| c.coldness), Some(90));
        assert_eq!(pool.take_coldest().map(|c| c.coldness), Some(60));
    }

    #[test]
    fn a_full_pool_drops_the_warmest() {
        let mut pool = Pool::default();
        for idle in 0..100u64 {
            pool.offer(0, &idle.to_le_bytes(), idle);
            pool.offer(0, &idle.to_le_bytes(), idle);
        }
        let kept: Vec<u64> = pool.candidates().iter().map(|c| c.coldness).collect();
        assert_eq!(kept, (84..100).collect::<Vec<u64>>());
    }
}
