//! The set of integers: a sorted array, as narrow as its widest member allows.
//!
//! Sets of ids are common. A sorted array is searched by bisection, and needs no hashes and no
//! pointers:
//!
//! ```text
//! {5, -3, 700}            16 bits each:  -3    5  700
//! add 70000               one member needs more, so all get 32 bits
//! {5, -3, 700, 70000}                    -3    5  700  70000
//! ```
//!
//! Widths are 16, 32 and 64 bits and never shrink: a set that has had a large number is likely to
//! get another. An insertion moves all larger members, at most 4 KiB under the default limit of 512
//! members.
//!
//! Counterpart in Redis: `intset.c`.

use super::{allocation, reserve_one, shrink_if_sparse};

#[derive(Clone)]
pub enum IntSet {
    /// All members fit into 16 bits.
    Narrow(Vec<i16>),
    /// All fit into 32 bits.
    Middle(Vec<i32>),
    /// Some need 64 bits.
    Wide(Vec<i64>),
}

/// Evaluates an expression with the vector of any width.
macro_rules! with_members {
    ($set:expr, $members:ident => $result:expr) => {
        match $set {
            IntSet::Narrow($members) => $result,
            IntSet::Middle($members) => $result,
            IntSet::Wide($members) => $result,
        }
    };
}

impl IntSet {
    pub fn new() -> IntSet {
        IntSet::Narrow(Vec::new())
    }

    pub fn len(&self) -> usize {
        with_members!(self, members => members.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, value: i64) -> bool {
        self.index_of(value).is_ok()
    }

    /// Adds a member. Returns false if it is one already.
    pub fn insert(&mut self, value: i64) -> bool {
        let Err(index) = self.index_of(value) else { return false };
        self.widen_for(value);
        match self {
            IntSet::Narrow(members) => insert_at(members, index, value as i16),
            IntSet::Middle(members) => insert_at(members, index, value as i32),
            IntSet::Wide(members) => insert_at(members, index, value),
        }
        true
    }

    /// Removes a member. Returns false if it is none.
    pub fn remove(&mut self, value: i64) -> bool {
        let Ok(index) = self.index_of(value) else { return false };
        with_members!(self, members => {
            members.remove(index);
            shrink_if_sparse(members);
        });
        true
    }

    /// The member at an index, in ascending order.
    #[expect(clippy::useless_conversion, reason = "one of the three widths is i64")]
    pub fn nth(&self, index: usize) -> Option<i64> {
        with_members!(self, members => members.get(index).map(|value| i64::from(*value)))
    }

    /// The members in ascending order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + '_ {
        (0..self.len()).map(|index| self.nth(index).expect("it is below the length"))
    }

    /// Bytes of memory, without this struct itself.
    pub fn bytes(&self) -> usize {
        with_members!(self, members => allocation(members.capacity() * width(members)))
    }

    /// The index of `value`, or as an error the index at which it would be inserted.
    #[expect(clippy::useless_conversion, reason = "one of the three widths is i64")]
    fn index_of(&self, value: i64) -> Result<usize, usize> {
        with_members!(self, members => {
            members.binary_search_by_key(&value, |member| i64::from(*member))
        })
    }

    /// Converts all members to the width that `value` needs, if it is more than theirs.
    fn widen_for(&mut self, value: i64) {
        let narrow = i16::try_from(value).is_ok();
        let middle = i32::try_from(value).is_ok();
        *self = match self {
            IntSet::Narrow(members) if !narrow && middle => {
                IntSet::Middle(members.iter().map(|member| i32::from(*member)).collect())
            }
            IntSet::Narrow(_) | IntSet::Middle(_) if !middle => IntSet::Wide(self.iter().collect()),
            _ => return,
        };
    }
}

fn insert_at<T>(members: &mut Vec<T>, index: usize, value: T) {
    reserve_one(members);
    members.insert(index, value);
}

fn width<T>(_: &[T]) -> usize {
    size_of::<T>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rng::Rng;
    use std::collections::BTreeSet;

    fn check(set: &IntSet, model: &BTreeSet<i64>) {
        assert_eq!(set.len(), model.len());
        assert!(set.iter().eq(model.iter().copied()));
    }

    #[test]
    fn follows_a_set_through_random_changes() {
        let mut rng = Rng::new(31);
        for bits in [8, 20, 40, 64] {
            let (mut set, mut model) = (IntSet::new(), BTreeSet::new());
            for _ in 0..3000 {
                let value = rng.next_u64() as i64 >> (64 - bits + rng.below(bits.min(8)));
                if rng.below(3) > 0 {
                    assert_eq!(set.insert(value), model.insert(value));
                } else {
                    assert_eq!(set.remove(value), model.remove(&value));
                }
                assert_eq!(set.contains(value ^ 1), model.contains(&(value ^ 1)));
            }
            check(&set, &model);
        }
    }

    #[test]
    fn widens_at_the_bounds_and_not_before() {
        let mut set = IntSet::new();
        let mut model = BTreeSet::new();
        let mut add = |value: i64| {
            assert!(set.insert(value) && model.insert(value));
            check(&set, &model);
            with_members!(&set, members => width(members))
        };
        assert_eq!([add(i16::MAX.into()), add(i16::MIN.into()), add(0)], [2, 2, 2]);
        assert_eq!([add(32_768), add(i32::MIN.into()), add(1)], [4, 4, 4]);
        assert_eq!([add(i64::from(i32::MIN) - 1), add(i64::MAX), add(2)], [8, 8, 8]);

        let mut narrow_to_wide = IntSet::new();
        assert!(narrow_to_wide.insert(7) && narrow_to_wide.insert(i64::MIN));
        assert!(narrow_to_wide.iter().eq([i64::MIN, 7]));
        assert_eq!((narrow_to_wide.nth(1), narrow_to_wide.nth(2)), (Some(7), None));
    }
}
