//! A map from byte strings, for values too large to be packed.
//!
//! Two parts: the entries, side by side in a vector in no particular order, and a [`Table`] that
//! finds an entry's number by the hash of its member.
//!
//! ```text
//! entries   0: kiwi → 3    1: plum → 8    2: pear → 5        index   hash(plum) → 1 ...
//!
//! remove kiwi: the last entry fills the hole, and the index learns that pear is number 0 now
//! entries   0: pear → 5    1: plum → 8
//! ```
//!
//! That the entries are dense is what `SPOP` and `SRANDMEMBER` need: a random number below the
//! length *is* a random member, each equally likely, in constant time. Redis draws a random bucket
//! and then a link of its chain, which favours members that sit alone, and has to retry on empty
//! buckets.
//!
//! Members are hashed with a key drawn at start-up, so nobody outside can choose members that
//! collide. Counterpart in Redis: `dict.c`.

use super::{Heap, allocation, give_back_room, make_room};
use crate::engine::rng::Rng;
use crate::engine::store::table::Table;
use ahash::RandomState;
use std::sync::OnceLock;

/// A map from byte strings to `V`; see the head of the file. Holds up to 2^32 entries.
pub struct Dict<V> {
    entries: Vec<(Box<[u8]>, V)>,
    index: Table,
    /// What members and values hold on the heap.
    heap: usize,
}

impl<V> Default for Dict<V> {
    fn default() -> Dict<V> {
        Dict { entries: Vec::new(), index: Table::new(), heap: 0 }
    }
}

impl<V: Heap> Dict<V> {
    /// An empty map.
    pub fn new() -> Dict<V> {
        Dict::default()
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a member.
    pub fn get(&self, member: &[u8]) -> Option<&V> {
        self.find(hash(member), member).map(|id| &self.entries[id as usize].1)
    }

    /// Whether the member is there.
    pub fn contains(&self, member: &[u8]) -> bool {
        self.find(hash(member), member).is_some()
    }

    /// Gives a member a value and returns the one it had.
    pub fn insert(&mut self, member: &[u8], value: V) -> Option<V> {
        let hash = hash(member);
        self.heap += value.heap();
        if let Some(id) = self.find(hash, member) {
            let old = std::mem::replace(&mut self.entries[id as usize].1, value);
            self.heap -= old.heap();
            return Some(old);
        }
        self.heap += allocation(member.len());
        let id = self.entries.len() as u32;
        make_room(&mut self.entries);
        self.entries.push((member.into(), value));
        self.index.insert(hash, id, hash_of(&self.entries));
        None
    }

    /// Takes a member out, with its value.
    pub fn remove(&mut self, member: &[u8]) -> Option<(Box<[u8]>, V)> {
        let hash = hash(member);
        let id = self.find(hash, member)?;
        Some(self.take(hash, id))
    }

    /// Takes out the member at a place, with its value; `None` where `place` is not below the
    /// length.
    pub fn remove_nth(&mut self, place: usize) -> Option<(Box<[u8]>, V)> {
        let hash = hash(self.nth(place)?.0);
        Some(self.take(hash, place as u32))
    }

    /// The member at a place, places being `0..len()` in no particular order, which removals
    /// change.
    pub fn nth(&self, place: usize) -> Option<(&[u8], &V)> {
        self.entries.get(place).map(pair)
    }

    /// A random member, all being equally likely.
    pub fn random(&self, rng: &mut Rng) -> Option<(&[u8], &V)> {
        self.nth(rng.below(self.len()))
    }

    /// All members, by place.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &V)> + ExactSizeIterator {
        self.entries.iter().map(pair)
    }

    /// Emits a few members and returns the next cursor; start with 0, and 0 says that all was
    /// visited. What is there from the first call to the last is emitted at least once.
    pub fn scan(&self, cursor: u64, mut emit: impl FnMut(&[u8], &V)) -> u64 {
        self.index.scan(cursor, |id| {
            let (member, value) = &self.entries[id as usize];
            emit(member, value);
        })
    }

    /// Bytes of memory held, this struct itself not counted.
    pub fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<(Box<[u8]>, V)>() + self.index.bytes() + self.heap
    }

    fn find(&self, hash: u64, member: &[u8]) -> Option<u32> {
        self.index.find(hash, |id| *self.entries[id as usize].0 == *member)
    }

    fn take(&mut self, hash: u64, id: u32) -> (Box<[u8]>, V) {
        self.index.remove(hash, id, hash_of(&self.entries));
        let last = self.entries.len() as u32 - 1;
        if id != last {
            let moving = self::hash(&self.entries[last as usize].0);
            self.index.replace(moving, last, id);
        }
        let entry = self.entries.swap_remove(id as usize);
        self.heap -= allocation(entry.0.len()) + entry.1.heap();
        give_back_room(&mut self.entries);
        entry
    }
}

fn pair<V>((member, value): &(Box<[u8]>, V)) -> (&[u8], &V) {
    (member, value)
}

/// Answers the index, which asks for the hashes of ids it moves.
fn hash_of<V>(entries: &[(Box<[u8]>, V)]) -> impl Fn(u32) -> u64 + '_ {
    |id| hash(&entries[id as usize].0)
}

/// The hash of a member: the same all through the life of the process, and different in the next.
pub fn hash(member: &[u8]) -> u64 {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    KEY.get_or_init(RandomState::new).hash_one(member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, HashSet};

    fn name(n: usize) -> Vec<u8> {
        format!("member:{n}").into_bytes()
    }

    fn value(rng: &mut Rng) -> Box<[u8]> {
        vec![b'v'; rng.below(40)].into()
    }

    #[test]
    fn follows_a_map_through_random_changes() {
        let mut rng = Rng::new(11);
        let (mut dict, mut model) = (Dict::new(), BTreeMap::new());
        for step in 0..60_000 {
            let member = name(rng.below(3000));
            // Phases of growth and decline take the index through many divisions and merges.
            if rng.below(10) < if step % 20_000 < 10_000 { 8 } else { 2 } {
                let value = value(&mut rng);
                assert_eq!(dict.insert(&member, value.clone()), model.insert(member, value));
            } else if rng.below(4) == 0 {
                let taken = dict.remove_nth(rng.below(dict.len()));
                assert_eq!(taken.is_none(), model.is_empty());
                taken.iter().for_each(|(m, v)| assert_eq!(model.remove(&m[..]).as_ref(), Some(v)));
            } else {
                let taken = dict.remove(&member).map(|(_, value)| value);
                assert_eq!(taken, model.remove(&member));
            }
            assert_eq!(dict.len(), model.len());
        }
        let mut all: Vec<_> = dict.iter().map(|(m, v)| (m.to_vec(), v.clone())).collect();
        all.sort();
        assert!(all.into_iter().eq(model));
    }

    #[test]
    fn heap_is_counted_both_ways() {
        let mut rng = Rng::new(12);
        let mut dict = Dict::new();
        (0..500).for_each(|n| drop(dict.insert(&name(n % 300), value(&mut rng))));
        let held: usize = dict.iter().map(|(m, v)| allocation(m.len()) + v.heap()).sum();
        assert_eq!(dict.heap, held);
        let full = dict.bytes();
        (0..300).for_each(|n| drop(dict.remove(&name(n))));
        assert_eq!(dict.heap, 0);
        assert!(dict.bytes() * 4 < full, "{} of {full}", dict.bytes());
    }

    #[test]
    fn random_members_are_equally_likely() {
        let mut rng = Rng::new(13);
        let mut dict = Dict::new();
        (0..10).for_each(|n| assert!(dict.insert(&[n], ()).is_none()));
        let mut counts = [0; 10];
        (0..50_000).for_each(|_| counts[dict.random(&mut rng).unwrap().0[0] as usize] += 1);
        assert!(counts.iter().all(|count| (4_600..5_400).contains(count)), "{counts:?}");
    }

    /// What is there all along is emitted, whatever comes and goes meanwhile and however entries
    /// move.
    #[test]
    fn a_scan_under_change_misses_nothing() {
        let mut rng = Rng::new(14);
        for round in 0..20 {
            let mut dict = Dict::new();
            (0..1000).for_each(|n| assert!(dict.insert(&name(n), ()).is_none()));
            let (mut seen, mut cursor, mut calls) = (HashSet::new(), 0, 0);
            loop {
                cursor = dict.scan(cursor, |member, ()| {
                    seen.insert(member.to_vec());
                });
                if cursor == 0 {
                    break;
                }
                calls += 1;
                for _ in 0..rng.below(60) {
                    let other = name(1000 + rng.below(4000));
                    if (calls + round) % 100 < 50 {
                        dict.insert(&other, ());
                    } else {
                        dict.remove(&other);
                    }
                }
            }
            assert!((0..1000).all(|n| seen.contains(&name(n))));
        }
    }
}
