//! The coldest keys seen so far, kept from one eviction to the next (`evictionPoolPopulate` in
//! `evict.c`).
//!
//! **Invariants**: at most [`POOL`] candidates; ordered, the coldest last; no key twice.

/// How many candidates are remembered, as in Redis (`EVPOOL_SIZE`).
const POOL: usize = 16;

/// A key that may be evicted. It is named by its bytes: its slot may be someone else's by the time
/// its turn comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The number of its database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
    /// The policy's answer when it was sampled.
    pub coldness: u64,
}

/// The pool; see the head of the file.
#[derive(Default)]
pub struct Pool {
    coldest_last: Vec<Candidate>,
}

impl Pool {
    /// Remembers a candidate if it is colder than one of the pool, or the pool has room.
    pub fn offer(&mut self, db: usize, key: &[u8], coldness: u64) {
        let full = self.coldest_last.len() == POOL;
        if full && coldness <= self.coldest_last[0].coldness {
            return;
        }
        if self.coldest_last.iter().any(|known| known.db == db && *known.key == *key) {
            return;
        }
        if full {
            self.coldest_last.remove(0);
        }
        let at = self.coldest_last.partition_point(|known| known.coldness < coldness);
        self.coldest_last.insert(at, Candidate { db, key: key.into(), coldness });
    }

    /// Takes the coldest candidate out.
    pub fn take_coldest(&mut self) -> Option<Candidate> {
        self.coldest_last.pop()
    }

    /// The candidates, the coldest last.
    pub fn candidates(&self) -> &[Candidate] {
        &self.coldest_last
    }

    /// Forgets all: another policy measures coldness otherwise.
    pub fn clear(&mut self) {
        self.coldest_last.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example_of_the_folder() {
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
    fn a_full_pool_forgets_the_warmest() {
        let mut pool = Pool::default();
        for idle in 0..100u64 {
            pool.offer(0, &idle.to_le_bytes(), idle);
            pool.offer(0, &idle.to_le_bytes(), idle);
        }
        let kept: Vec<u64> = pool.candidates().iter().map(|c| c.coldness).collect();
        assert_eq!(kept, (84..100).collect::<Vec<u64>>());
    }
}
