//! ANALYZE: collects the statistics that the planner estimates row counts with.
//!
//! PostgreSQL's `analyze.c` reads a sample of 30,000 rows, and only the pages that have them. Ours
//! reads the whole table and keeps a [`Sample`] of that size.

use super::catalog::Table;
use crate::engine::{Pause, Snapshot};
use crate::wire::Result;
use minibtree_statistics::{Sample, TableStatistics};
use std::sync::Arc;

/// Collects the statistics of a table. Reads every page; calls `pause` for every hundredth row.
///
/// # Errors
/// Those of reading a page, and those of `pause`.
pub fn analyze(
    table: &Table,
    snapshot: Arc<Snapshot>,
    pause: Pause<'_>,
) -> Result<TableStatistics> {
    let (mut rows, mut sample) = (table.heap.scan(snapshot), Sample::default());
    while let Some(found) = rows.next()? {
        if sample.add(|| table.decode(found.bytes))? % 100 == 0 {
            pause()?;
        }
    }
    Ok(sample.statistics(&table.types, table.heap.pages()))
}
