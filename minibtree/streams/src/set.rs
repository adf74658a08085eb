//! INTERSECT and EXCEPT.
//!
//! ```text
//! left 1 1 1 2    right 1 1 3
//!
//! INTERSECT  1       INTERSECT ALL  1 1      as often as both have it
//! EXCEPT     2       EXCEPT ALL     1 2      as often as the left side has it more
//! ```

use crate::memory::Memory;
use minibtree_spill::batches::{KeyedRows, Row};
use minibtree_types::error::Result;
use std::collections::{HashMap, HashSet};

/// The rows of INTERSECT, or of EXCEPT; all of them, or each once.
///
/// # Errors
/// Those of the sides; `53200` if the statement has too much memory.
pub fn set_rows(
    mut left: KeyedRows,
    mut right: KeyedRows,
    is_intersection: bool,
    all: bool,
    mut memory: Memory,
) -> Result<Vec<Row>> {
    // How often the right side has each row.
    let mut counts = HashMap::<Vec<u8>, u64>::new();
    while let Some((key, row)) = right()? {
        memory.take(&row)?;
        *counts.entry(key).or_default() += 1;
    }

    let (mut rows, mut seen) = (Vec::new(), HashSet::new());
    while let Some((key, row)) = left()? {
        let count = counts.get_mut(&key).filter(|count| **count > 0);
        let is_in_both = count.is_some();
        if let (true, Some(count)) = (all, count) {
            *count -= 1;
        }
        if is_in_both == is_intersection && (all || seen.insert(key)) {
            memory.take(&row)?;
            rows.push(row);
        }
    }
    Ok(rows)
}
