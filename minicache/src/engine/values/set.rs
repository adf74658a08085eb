//! The set: a sorted array while its members are few and all integers, a dictionary otherwise.
//!
//! ```text
//! SADD s 3 1 2        intset      1 2 3           6 bytes of members
//! SADD s pear         hashtable   {3, pear, 1, 2}
//! ```
//!
//! A set that has been converted to a dictionary is never converted back. Both forms return a
//! random member in constant time.
//!
//! Counterpart in Redis 7.0: `t_set.c`. (Packed sets of strings came with 7.2.)

use super::{Limits, allocation, dict::Dict, intset::IntSet};
use crate::engine::rng::Rng;
use crate::format::listpack::Element;
use crate::format::number::parse_i64;

#[derive(Clone)]
pub enum Set {
    /// Few members, all of them integers.
    Ints(IntSet),
    Texts(Box<Dict<Box<[u8]>>>),
}

impl Default for Set {
    fn default() -> Set {
        Set::Ints(IntSet::new())
    }
}

impl Set {
    pub fn len(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.len(),
            Set::Texts(texts) => texts.len(),
        }
    }

    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Set::Ints(ints) => parse_i64(member).is_some_and(|value| ints.contains(value)),
            Set::Texts(texts) => texts.get(member).is_some(),
        }
    }

    /// Adds a member. Returns false if it is one already.
    pub fn add(&mut self, member: &[u8], limits: &Limits) -> bool {
        let ints = match self {
            Set::Ints(ints) => ints,
            Set::Texts(texts) => return put(texts, member),
        };

        // The first member that is not an integer converts the set.
        let Some(value) = parse_i64(member) else {
            self.convert_to_texts();
            return self.add(member, limits);
        };
        let added = ints.insert(value);
        if ints.len() > limits.set_max_intset_entries {
            self.convert_to_texts();
        }
        added
    }

    /// Removes a member. Returns false if it is none.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Set::Ints(ints) => parse_i64(member).is_some_and(|value| ints.remove(value)),
            Set::Texts(texts) => texts.remove(member).is_some(),
        }
    }

    /// The member at an index, `0..len()` in an order that removals change. Constant time.
    pub fn nth(&self, index: usize) -> Option<Element<'_>> {
        match self {
            Set::Ints(ints) => ints.nth(index).map(Element::Int),
            Set::Texts(texts) => texts.nth(index).map(|member| Element::Bytes(member)),
        }
    }

    /// Removes a random member and returns it.
    pub fn pop(&mut self, rng: &mut Rng) -> Option<Box<[u8]>> {
        let index = rng.below(self.len());
        match self {
            Set::Ints(ints) => {
                let value = ints.nth(index)?;
                ints.remove(value);
                Some(itoa::Buffer::new().format(value).as_bytes().into())
            }
            Set::Texts(texts) => texts.remove_nth(index),
        }
    }

    /// All members: integers in ascending order, texts in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = Element<'_>> {
        (0..self.len()).filter_map(|index| self.nth(index))
    }

    /// Passes some members to `emit` and returns the next cursor; see
    /// [`Table::scan`](crate::engine::store::table::Table::scan). An array is passed as a whole.
    pub fn scan(&self, cursor: u64, mut emit: impl FnMut(Element)) -> u64 {
        match self {
            Set::Ints(ints) => {
                ints.iter().for_each(|value| emit(Element::Int(value)));
                0
            }
            Set::Texts(texts) => texts.scan(cursor, |member| emit(Element::Bytes(member))),
        }
    }

    /// The name that `OBJECT ENCODING` replies.
    pub fn encoding(&self) -> &'static str {
        match self {
            Set::Ints(_) => "intset",
            Set::Texts(_) => "hashtable",
        }
    }

    /// Bytes of memory, without this struct itself.
    pub fn bytes(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.bytes(),
            Set::Texts(texts) => allocation(size_of_val(&**texts)) + texts.bytes(),
        }
    }

    fn convert_to_texts(&mut self) {
        if let Set::Ints(ints) = self {
            let mut texts = Dict::default();
            let mut buf = itoa::Buffer::new();
            for value in ints.iter() {
                put(&mut texts, buf.format(value).as_bytes());
            }
            *self = Set::Texts(Box::new(texts));
        }
    }
}

fn put(texts: &mut Dict<Box<[u8]>>, member: &[u8]) -> bool {
    texts.put(member, || member.into(), |_| {})
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet, HashSet};

    fn texts(set: &Set) -> BTreeSet<Vec<u8>> {
        set.iter().map(|member| member.to_vec()).collect()
    }

    /// Integers only, integers beyond the limit, and texts from some step on.
    #[test]
    fn follows_a_set_through_random_changes() {
        for (range, texts_from, encoding) in
            [(400, usize::MAX, "intset"), (2000, usize::MAX, "hashtable"), (400, 3000, "hashtable")]
        {
            let mut rng = Rng::new(41);
            let (mut set, mut model) = (Set::default(), BTreeSet::new());
            for step in 0..10_000 {
                let number = rng.below(range);
                let text = step >= texts_from && number.is_multiple_of(2);
                let member = format!("{}{number}", if text { "t" } else { "" }).into_bytes();
                match rng.below(6) {
                    0..3 => {
                        let added = set.add(&member, &Limits::default());
                        assert_eq!(added, model.insert(member));
                    }
                    3 => assert_eq!(set.remove(&member), model.remove(&member)),
                    4 => assert_eq!(set.contains(&member), model.contains(&member)),
                    _ if rng.below(4) == 0 => match set.pop(&mut rng) {
                        Some(popped) => assert!(model.remove(&*popped)),
                        None => assert!(model.is_empty()),
                    },
                    _ => {}
                }
                assert_eq!(set.len(), model.len());
            }
            assert_eq!(set.encoding(), encoding);
            assert_eq!(texts(&set), model);
        }
    }

    #[test]
    fn converts_at_the_same_size_as_redis() {
        let limits = Limits { set_max_intset_entries: 3, ..Limits::default() };
        let mut set = Set::default();
        (0..3).for_each(|n| assert!(set.add(format!("{n}").as_bytes(), &limits)));
        assert!(!set.add(b"2", &limits));
        assert_eq!(set.encoding(), "intset");
        assert!(set.add(b"3", &limits));
        assert_eq!(set.encoding(), "hashtable");
        assert!(set.remove(b"3") && set.contains(b"0"));
        assert_eq!(set.encoding(), "hashtable");

        let mut spelled = Set::default();
        assert!(spelled.add(b"7", &limits) && spelled.add(b"07", &limits));
        assert_eq!((spelled.encoding(), spelled.len()), ("hashtable", 2));
    }

    #[test]
    fn scans_and_draws_everything() {
        let mut rng = Rng::new(42);
        for n in [100, 3000] {
            let mut set = Set::default();
            (0..n).for_each(|n| assert!(set.add(format!("{n}").as_bytes(), &Limits::default())));
            let (mut seen, mut cursor, mut calls) = (HashSet::new(), 0, 0);
            while cursor != 0 || calls == 0 {
                cursor = set.scan(cursor, |member| drop(seen.replace(member.to_vec())));
                calls += 1;
            }
            assert_eq!((seen.len(), calls == 1), (n, n == 100));
            let drawn: HashSet<_> =
                (0..n * 20).map(|_| set.nth(rng.below(set.len())).unwrap().to_vec()).collect();
            assert_eq!(drawn, seen);
        }
    }

    #[test]
    fn random_members_are_equally_likely() {
        let mut rng = Rng::new(43);
        for others in [&b"0"[..], b"x"] {
            let mut set = Set::default();
            (1..10).for_each(|n| assert!(set.add(format!("{n}").as_bytes(), &Limits::default())));
            assert!(set.add(others, &Limits::default()));
            let mut counts = BTreeMap::new();
            for _ in 0..50_000 {
                *counts.entry(set.nth(rng.below(set.len())).unwrap().to_vec()).or_insert(0) += 1;
            }
            assert_eq!(counts.len(), 10);
            assert!(counts.values().all(|count| (4_600..5_400).contains(count)), "{counts:?}");
        }
    }
}
