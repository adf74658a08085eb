//! Two sides that are sorted by their keys, merged.
//!
//! ```text
//! outer   1 2 2 4
//! inner   2 2 3 4 7 8
//!
//! 1       no partner: the inner side is at 2 already
//! 2       the group 2 2 is read, and kept until the outer side has a greater key
//! 2       the same group again
//! 4       3 is skipped, the group is 4; 7 and 8 are never read
//! ```
//!
//! # What if both sides have many rows of one key?
//!
//! Each pair of them is a pair of the join, so the group is needed once for each outer row.
//! PostgreSQL marks the place of its first row and goes back there (`ExecMarkPos`,
//! `ExecRestrPos`), which not all nodes can: above those it has a Materialize node. We keep the
//! group in memory; a group beyond the statement's limit is refused.

use crate::memory::Memory;
use crate::{Join, Partners};
use minibtree_spill::batches::{KeyedRows, Row};
use minibtree_types::error::Result;
use std::rc::Rc;

/// A merge join.
pub struct MergeJoin {
    outer: KeyedRows,
    inner: KeyedRows,
    /// The first row of the inner side after the group.
    ahead: Option<(Vec<u8>, Row)>,
    /// The key of the group, and its rows. Before the first group it is empty.
    key: Vec<u8>,
    group: Rc<Vec<Row>>,
    /// What the group takes.
    memory: Memory,
    has_begun: bool,
    /// Outer rows without partners matter, so all of them are read.
    keeps_outer: bool,
}

impl MergeJoin {
    /// Joins two sides, each in the ascending order of its keys. Rows of the outer one with an
    /// empty key have no partners, wherever they come.
    pub fn new(outer: KeyedRows, inner: KeyedRows, keeps_outer: bool, memory: Memory) -> MergeJoin {
        let (key, group) = (Vec::new(), Rc::default());
        let has_begun = false;
        MergeJoin { outer, inner, ahead: None, key, group, memory, has_begun, keeps_outer }
    }

    /// Goes on to the group of a key, which may have no rows.
    fn advance(&mut self, key: &[u8]) -> Result<()> {
        let mut rows = Vec::new();
        self.memory = self.memory.another();
        while let Some((next, row)) = self.ahead.take() {
            if *next > *key {
                self.ahead = Some((next, row));
                break;
            }
            if *next == *key {
                self.memory.take(&row)?;
                rows.push(row);
            }
            self.ahead = (self.inner)()?;
            let is_sorted = self.ahead.as_ref().is_none_or(|it| it.0 >= next);
            debug_assert!(is_sorted, "the inner side of a merge join is not sorted");
        }
        (self.key, self.group) = (key.to_vec(), Rc::new(rows));
        Ok(())
    }
}

impl Join for MergeJoin {
    fn next(&mut self) -> Result<Option<(Row, Partners)>> {
        let Some((key, row)) = (self.outer)()? else { return Ok(None) };
        if !std::mem::replace(&mut self.has_begun, true) {
            self.ahead = (self.inner)()?;
        }
        if key.is_empty() {
            return Ok(Some((row, None)));
        }

        debug_assert!(key >= self.key, "the outer side of a merge join is not sorted");
        if key != self.key {
            self.advance(&key)?;
            if self.group.is_empty() && self.ahead.is_none() && !self.keeps_outer {
                return Ok(None);
            }
        }
        Ok(Some((row, Some(Rc::clone(&self.group)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashJoin;
    use minibtree_types::values::Value;
    use minikit::storage::{Disk, SimulatedDisk};
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::sync::Arc;

    fn side(keys: &[u8]) -> KeyedRows {
        let rows = keys.iter().enumerate().map(|(number, key)| {
            // Zero stands for NULL.
            let key = if *key == 0 { Vec::new() } else { vec![*key] };
            (key, vec![Value::Int(number as i64)])
        });
        let mut rows = rows.collect::<Vec<_>>().into_iter();
        Box::new(move || Ok(rows.next()))
    }

    fn pairs(mut join: impl Join) -> Vec<(Row, Vec<Row>)> {
        let next =
            || join.next().unwrap().map(|(row, it)| (row, it.map_or(vec![], |it| it.to_vec())));
        std::iter::from_fn(next).collect()
    }

    proptest! {
        #[test]
        fn merging_finds_what_hashing_finds(
            mut outer in prop::collection::vec(0_u8..9, 0..40),
            mut inner in prop::collection::vec(1_u8..9, 0..40),
        ) {
            outer.sort_by_key(|it| if *it == 0 { u8::MAX } else { *it });
            inner.sort_unstable();
            let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new(1));
            let statement = Rc::new(Cell::new(0));
            let memory = Memory::new(&statement, 1 << 20);
            let hash = HashJoin::new(side(&outer), side(&inner), &disk, memory.another());
            let hash = pairs(hash);
            let merge = |keeps_outer| {
                pairs(MergeJoin::new(side(&outer), side(&inner), keeps_outer, memory.another()))
            };
            prop_assert_eq!(&merge(true), &hash);

            // Otherwise only rows without partners may be missing.
            let with_partners = |all: Vec<(Row, Vec<Row>)>| {
                all.into_iter().filter(|it| !it.1.is_empty()).collect::<Vec<_>>()
            };
            prop_assert_eq!(with_partners(merge(false)), with_partners(hash));
            prop_assert_eq!(statement.get(), 0);
        }
    }

    #[test]
    fn the_inner_side_is_not_read_to_its_end() {
        let count = Rc::new(Cell::new(0));
        let (mut rows, counted) = (side(&[2, 2, 3, 4, 7, 8]), Rc::clone(&count));
        let inner: KeyedRows = Box::new(move || {
            counted.set(counted.get() + 1);
            rows()
        });
        let memory = Memory::new(&Rc::default(), 1 << 20);
        let found = pairs(MergeJoin::new(side(&[1, 2, 2, 4]), inner, false, memory));
        assert_eq!(found.iter().map(|it| it.1.len()).collect::<Vec<_>>(), [0, 2, 2, 1]);
        assert_eq!(count.get(), 5);
    }
}
