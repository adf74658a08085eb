//! ANALYZE: collects the statistics that the planner estimates row counts with.
//!
//! PostgreSQL's `analyze.c` reads a sample of 30,000 rows, and only the pages that have them. Ours
//! reads the whole table and keeps a sample of that size, chosen by Vitter's algorithm R.

use super::catalog::Table;
use super::values::{Type, Value};
use crate::engine::{Pause, Snapshot};
use crate::wire::Result;
use minibtree_estimate::{ColumnStatistics, shortened};
use minibtree_statistics::TableStatistics;
use std::sync::Arc;

/// Rows of the sample.
const SAMPLE: usize = 30_000;

/// Collects the statistics of a table. Reads every page; calls `pause` for every hundredth row.
///
/// # Errors
/// Those of reading a page, and those of `pause`.
pub fn analyze(
    table: &Table,
    snapshot: Arc<Snapshot>,
    pause: Pause<'_>,
) -> Result<TableStatistics> {
    let mut rows = table.heap.scan(snapshot);
    let (mut sample, mut count) = (Vec::new(), 0u64);
    // A xorshift generator with a fixed seed: the same table gives the same sample.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    while let Some(found) = rows.next()? {
        count += 1;
        if count % 100 == 0 {
            pause()?;
        }
        if sample.len() < SAMPLE {
            sample.push((count, shortened(table.decode(found.bytes)?)));
            continue;
        }
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let at = (state % count) as usize;
        if at < SAMPLE {
            sample[at] = (count, shortened(table.decode(found.bytes)?));
        }
    }
    let column = |(position, base): (usize, &Type)| {
        let values: Vec<(u64, &Value)> = sample.iter().map(|it| (it.0, &it.1[position])).collect();
        ColumnStatistics::of_sample(*base, &values, count)
    };
    let columns = table.types.iter().enumerate().map(column).collect();
    Ok(TableStatistics { rows: count as f64, pages: table.heap.pages(), columns })
}
