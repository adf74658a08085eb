//! The busiest keys of a limit, found with sixteen counters.
//!
//! The [store](super::store) keeps only hashes of keys, and a counter for every name would need
//! unbounded memory. This is the Space-Saving algorithm (Metwally, Agrawal and El Abbadi, 2005):
//!
//! ```text
//! three counters   ann 5  bob 2  eve 1    a request of max replaces the smallest, eve,
//!                  ann 5  bob 2  max 2    and inherits its count: at most 1 too many
//! ```
//!
//! The paper proves for `m` counters after `N` counted requests: the counts add up to `N`, so the
//! smallest one, `min`, is at most `N / m`; every key with more than `min` requests has a counter;
//! and no count is too low, or too high by more than `min`. If another thread holds the lock, a
//! request is not counted at all; the bounds hold for the counted ones.

use minikit::sync::RwLock;

/// Counters per limit.
const COUNTERS: usize = 16;

/// The busiest keys of one limit.
#[derive(Debug, Default)]
pub struct TopKeys {
    counters: RwLock<Vec<TopKey>>,
}

/// A busy key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopKey {
    /// The hash of the key.
    pub key: u64,
    /// The readable key, for the operator.
    pub name: String,
    /// An upper bound of its counted requests.
    pub requests: u64,
    /// Its refused requests since it got this counter.
    pub refused: u64,
}

impl TopKeys {
    /// Counts a request. Calls `name` only if the key gets a new counter.
    pub fn count(&self, key: u64, is_admitted: bool, name: impl FnOnce() -> String) {
        let Some(mut counters) = self.counters.try_write() else { return };
        let mut index = counters.iter().position(|it| it.key == key);
        if index.is_none() && counters.len() == COUNTERS {
            let smallest =
                (0..COUNTERS).min_by_key(|it| counters[*it].requests).unwrap_or_default();
            counters[smallest] = TopKey { key, name: name(), refused: 0, ..counters[smallest] };
            index = Some(smallest);
        } else if index.is_none() {
            counters.push(TopKey { key, name: name(), requests: 0, refused: 0 });
        }
        let index = index.unwrap_or(counters.len() - 1);
        counters[index].requests += 1;
        counters[index].refused += u64::from(!is_admitted);
    }

    /// Returns the busiest keys, in descending order.
    pub fn busiest(&self) -> Vec<TopKey> {
        let mut keys = self.counters.read().clone();
        keys.sort_by_key(|it| std::cmp::Reverse(it.requests));
        keys
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn busy_keys_stay_and_a_new_key_replaces_the_smallest_counter() {
        let top = TopKeys::default();
        for round in 0..1000 {
            for (key, name) in [(1, "ann"), (2, "bob")] {
                top.count(key, key == 1, || name.to_owned());
            }
            top.count(100 + round, true, || "new".to_owned());
        }
        let busiest = top.busiest();
        assert_eq!(busiest.len(), COUNTERS);
        let [ann, bob] = [&busiest[0], &busiest[1]];
        assert_eq!((ann.name.as_str(), ann.requests, ann.refused), ("ann", 1000, 0));
        assert_eq!((bob.name.as_str(), bob.requests, bob.refused), ("bob", 1000, 1000));
        // The counts add up to all 3,000 requests.
        assert_eq!(busiest.iter().map(|it| it.requests).sum::<u64>(), 3000);
    }
}
