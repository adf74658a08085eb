//! The dictionary: entries found by their member, for sets and hashes too large to be packed.
//!
//! It has two parts: the entries in a vector, in no particular order, and a [`Table`] from the hash
//! of a member to the index of its entry.
//!
//! ```text
//! entries   0: kiwi 3    1: plum 8    2: pear 5          table   hash(plum) → 1 ...
//!
//! remove kiwi: the last entry moves to index 0, and the table is told that pear is there now
//! entries   0: pear 5    1: plum 8
//! ```
//!
//! The vector has no holes, as `SPOP` and `SRANDMEMBER` need: a random index is a random entry, all
//! equally likely, in constant time. Redis collects the members of some neighboring buckets and
//! chooses among those, which is nearly uniform.
//!
//! The entry of a set is the member; that of a hash is a field and its value in one allocation.
//! Members are hashed with a random key chosen at start-up, so a client cannot choose members that
//! collide. Counterpart in Redis: `dict.c`.

use super::{allocation, reserve_one, shrink_if_sparse};
use crate::engine::{hashing::hasher, store::table::Table};

pub trait Entry {
    /// The bytes that are hashed and compared. They never change while the entry is in a
    /// dictionary.
    fn member(&self) -> &[u8];

    /// Bytes of memory beyond the entry's own `size_of`.
    fn heap(&self) -> usize;
}

/// A member alone.
impl Entry for Box<[u8]> {
    fn member(&self) -> &[u8] {
        self
    }

    fn heap(&self) -> usize {
        allocation(self.len())
    }
}

/// Entries found by their members, up to 2^32; see the head of the file.
#[derive(Clone)]
pub struct Dict<E> {
    entries: Vec<E>,
    index: Table,
    /// The sum of [`Entry::heap`].
    heap: usize,
}

impl<E> Default for Dict<E> {
    fn default() -> Dict<E> {
        Dict { entries: Vec::new(), index: Table::new(), heap: 0 }
    }
}

impl<E: Entry> Dict<E> {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn get(&self, member: &[u8]) -> Option<&E> {
        self.find(hash(member), member).map(|id| &self.entries[id as usize])
    }

    /// Changes the entry of a member, or adds the one that `create` makes if there is none. Returns
    /// true if it was added.
    pub fn put(
        &mut self,
        member: &[u8],
        create: impl FnOnce() -> E,
        change: impl FnOnce(&mut E),
    ) -> bool {
        let hash = hash(member);
        if let Some(id) = self.find(hash, member) {
            let entry = &mut self.entries[id as usize];

            // `change` may replace the entry's allocation with a larger or smaller one.
            self.heap -= entry.heap();
            change(entry);
            self.heap += entry.heap();
            return false;
        }

        let id = self.entries.len() as u32;
        let entry = create();
        self.heap += entry.heap();
        reserve_one(&mut self.entries);
        self.entries.push(entry);
        self.index.insert(hash, id, hash_of(&self.entries));
        true
    }

    pub fn remove(&mut self, member: &[u8]) -> Option<E> {
        let hash = hash(member);
        let id = self.find(hash, member)?;
        Some(self.take(hash, id))
    }

    pub fn remove_nth(&mut self, index: usize) -> Option<E> {
        let hash = hash(self.nth(index)?.member());
        Some(self.take(hash, index as u32))
    }

    /// The entry at an index, `0..len()` in no particular order. Removals change the order.
    pub fn nth(&self, index: usize) -> Option<&E> {
        self.entries.get(index)
    }

    pub fn iter(&self) -> std::slice::Iter<'_, E> {
        self.entries.iter()
    }

    /// Passes some entries to `emit` and returns the next cursor; see [`Table::scan`].
    pub fn scan(&self, cursor: u64, mut emit: impl FnMut(&E)) -> u64 {
        self.index.scan(cursor, |id| emit(&self.entries[id as usize]))
    }

    /// Bytes of memory, without this struct itself.
    pub fn bytes(&self) -> usize {
        allocation(self.entries.capacity() * size_of::<E>()) + self.index.bytes() + self.heap
    }

    fn find(&self, hash: u64, member: &[u8]) -> Option<u32> {
        self.index.find(hash, |id| self.entries[id as usize].member() == member)
    }

    fn take(&mut self, hash: u64, id: u32) -> E {
        self.index.remove(hash, id, hash_of(&self.entries));

        // The last entry is about to move to index `id`. The table must know before it does,
        // because it asks for hashes by index.
        let last = self.entries.len() as u32 - 1;
        if id != last {
            let moving = self::hash(self.entries[last as usize].member());
            self.index.replace(moving, last, id);
        }
        let entry = self.entries.swap_remove(id as usize);
        self.heap -= entry.heap();
        shrink_if_sparse(&mut self.entries);
        entry
    }
}

/// Returns the hashes of entries, which the table asks for when it splits or merges a bucket.
fn hash_of<E: Entry>(entries: &[E]) -> impl Fn(u32) -> u64 + '_ {
    |id| hash(entries[id as usize].member())
}

/// The hash of a member. It is the same until the process ends, and different in the next process.
pub fn hash(member: &[u8]) -> u64 {
    hasher().hash_one(member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rng::Rng;
    use std::collections::{BTreeMap, HashSet};

    /// A member with a number, and a heap that depends on the number.
    struct Numbered(Box<[u8]>, usize);

    impl Entry for Numbered {
        fn member(&self) -> &[u8] {
            &self.0
        }

        fn heap(&self) -> usize {
            self.0.heap() + self.1
        }
    }

    fn name(n: usize) -> Vec<u8> {
        format!("member:{n}").into_bytes()
    }

    fn put(dict: &mut Dict<Numbered>, member: &[u8], number: usize) -> bool {
        dict.put(member, || Numbered(member.into(), number), |entry| entry.1 = number)
    }

    #[test]
    fn follows_a_map_through_random_changes() {
        let mut rng = Rng::new(11);
        let (mut dict, mut model) = (Dict::default(), BTreeMap::new());
        for step in 0..60_000 {
            let member = name(rng.below(3000));
            // Phases of growth and decline take the index through many divisions and merges.
            if rng.below(10) < if step % 20_000 < 10_000 { 8 } else { 2 } {
                let new = put(&mut dict, &member, step);
                assert_eq!(new, model.insert(member, step).is_none());
            } else if rng.below(4) == 0 {
                let taken = dict.remove_nth(rng.below(dict.len()));
                assert_eq!(taken.is_none(), model.is_empty());
                taken.iter().for_each(|e| assert_eq!(model.remove(e.member()), Some(e.1)));
            } else {
                assert_eq!(dict.get(&member).map(|e| e.1), model.get(&member).copied());
                assert_eq!(dict.remove(&member).map(|e| e.1), model.remove(&member));
            }
            assert_eq!(dict.len(), model.len());
        }
        let all: BTreeMap<_, _> = dict.iter().map(|e| (e.member().to_vec(), e.1)).collect();
        assert_eq!(all, model);
    }

    #[test]
    fn heap_is_counted_both_ways() {
        let mut dict = Dict::default();
        (0..500).for_each(|n| assert_eq!(put(&mut dict, &name(n % 300), n), n < 300));
        assert_eq!(dict.heap, dict.iter().map(Entry::heap).sum::<usize>());
        let full = dict.bytes();
        (0..300).for_each(|n| assert!(dict.remove(&name(n)).is_some()));
        assert_eq!(dict.heap, 0);
        assert!(dict.bytes() * 4 < full, "{} of {full}", dict.bytes());
    }

    /// What is there all along is emitted, whatever comes and goes meanwhile and however entries
    /// move.
    #[test]
    fn a_scan_under_change_misses_nothing() {
        let mut rng = Rng::new(14);
        for round in 0..20 {
            let mut dict = Dict::default();
            (0..1000).for_each(|n| assert!(put(&mut dict, &name(n), n)));
            let (mut seen, mut cursor, mut calls) = (HashSet::new(), 0, 0);
            loop {
                cursor = dict.scan(cursor, |entry| {
                    seen.insert(entry.1);
                });
                if cursor == 0 {
                    break;
                }
                calls += 1;
                for _ in 0..rng.below(60) {
                    let other = 1000 + rng.below(4000);
                    if (calls + round) % 100 < 50 {
                        put(&mut dict, &name(other), other);
                    } else {
                        dict.remove(&name(other));
                    }
                }
            }
            assert!((0..1000).all(|n| seen.contains(&n)));
        }
    }
}
