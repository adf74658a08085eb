//! The busiest keys of a limit, found in the memory of sixteen.
//!
//! The [store](super::store) has hashes only, and counters for all names would grow. This is the
//! algorithm Space-Saving (Metwally, Agrawal and El Abbadi, 2005):
//!
//! ```text
//! three places   ann 5  bob 2  eve 1     max sends one, takes the place of the least, counts on
//!                ann 5  bob 2  max 2     at most 1 too many
//! ```
//!
//! What the paper proves of `m` places after `N` counted requests: the counts add up to `N`, so the
//! least of them, `min`, is at most `N / m`; a key with more than `min` requests has a place; and a
//! count is never too low, and too high by at most `min`. A thread that finds another one counting
//! leaves its request out, and this is about the rest.

use minikit::sync::RwLock;

/// Places of a limit.
const PLACES: usize = 16;

/// The busiest keys of one limit.
#[derive(Debug, Default)]
pub struct TopKeys {
    places: RwLock<Vec<TopKey>>,
}

/// A busy key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopKey {
    /// The hash of it.
    pub key: u64,
    /// For the operator.
    pub name: String,
    /// An upper bound of its requests that were counted.
    pub requests: u64,
    /// Those that were refused since it has its place.
    pub refused: u64,
}

impl TopKeys {
    /// Counts a request. `name` is asked for when the key gets a place.
    pub fn count(&self, key: u64, is_admitted: bool, name: impl FnOnce() -> String) {
        let Some(mut places) = self.places.try_write() else { return };
        let mut index = places.iter().position(|it| it.key == key);
        if index.is_none() && places.len() == PLACES {
            let least = (0..PLACES).min_by_key(|it| places[*it].requests).unwrap_or_default();
            places[least] = TopKey { key, name: name(), refused: 0, ..places[least] };
            index = Some(least);
        } else if index.is_none() {
            places.push(TopKey { key, name: name(), requests: 0, refused: 0 });
        }
        let index = index.unwrap_or(places.len() - 1);
        places[index].requests += 1;
        places[index].refused += u64::from(!is_admitted);
    }

    /// The busiest keys, the busiest one first.
    pub fn busiest(&self) -> Vec<TopKey> {
        let mut keys = self.places.read().clone();
        keys.sort_by_key(|it| std::cmp::Reverse(it.requests));
        keys
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn busy_keys_stay_and_new_ones_take_the_least_place() {
        let top = TopKeys::default();
        for round in 0..1000 {
            for (key, name) in [(1, "ann"), (2, "bob")] {
                top.count(key, key == 1, || name.to_owned());
            }
            top.count(100 + round, true, || "new".to_owned());
        }
        let busiest = top.busiest();
        assert_eq!(busiest.len(), PLACES);
        let [ann, bob] = [&busiest[0], &busiest[1]];
        assert_eq!((ann.name.as_str(), ann.requests, ann.refused), ("ann", 1000, 0));
        assert_eq!((bob.name.as_str(), bob.requests, bob.refused), ("bob", 1000, 1000));
        // All 3,000 requests are counted at one place or another.
        assert_eq!(busiest.iter().map(|it| it.requests).sum::<u64>(), 3000);
    }
}
