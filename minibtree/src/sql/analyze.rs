//! ANALYZE: looking at the rows of a table to estimate by.
//!
//! ```text
//! column    1 1 1 1 2 3 4 5 6 9          n = 10
//! common    1: 0.4                       values that are clearly more frequent than the others
//! histogram 2 3 4 5 6 9                  the others, divided into parts of equal size
//! distinct  7
//! ```
//!
//! PostgreSQL's `analyze.c`. It reads a sample of 30,000 rows; ours reads every row and keeps a
//! sample of the same size, chosen by Vitter's algorithm R.

use super::catalog::Table;
use super::plan::{ColumnStatistics, TableStatistics};
use super::values::{Type, Value, compare, key, row};
use crate::engine::{Interrupt, Snapshot};
use crate::wire::Result;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

/// Rows of the sample.
const SAMPLE: usize = 30_000;
/// Most common values, and parts of a histogram: `default_statistics_target`.
const TARGET: usize = 100;

/// Looks at all rows of a table that the snapshot sees.
///
/// # Errors
/// What reading reports.
pub fn analyze(
    table: &Table,
    snapshot: Arc<Snapshot>,
    interrupt: &Interrupt,
) -> Result<TableStatistics> {
    let mut rows = table.heap.scan(snapshot);
    let (mut sample, mut count) = (Vec::new(), 0u64);
    // A small generator of pseudo-random numbers: the same sample for the same table.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    while let Some(found) = rows.next()? {
        interrupt.check()?;
        count += 1;
        if sample.len() < SAMPLE {
            sample.push((count, row::decode(&table.types, found.bytes)?));
            continue;
        }
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let at = (state % count) as usize;
        if at < SAMPLE {
            sample[at] = (count, row::decode(&table.types, found.bytes)?);
        }
    }
    let column = |(position, base): (usize, &Type)| {
        let values: Vec<(u64, &Value)> = sample.iter().map(|it| (it.0, &it.1[position])).collect();
        column(*base, &values, count)
    };
    let columns = table.types.iter().enumerate().map(column).collect();
    Ok(TableStatistics { rows: count as f64, pages: table.heap.pages(), columns })
}

/// The statistics of a column from a sample of its values, with the numbers of their rows.
fn column(base: Type, sample: &[(u64, &Value)], rows: u64) -> ColumnStatistics {
    if sample.is_empty() {
        return ColumnStatistics::default();
    }
    let padded = base == Type::Bpchar;
    let mut values: Vec<(u64, &Value)> =
        sample.iter().copied().filter(|(_, value)| !value.is_null()).collect();
    let nulls = sample.len() - values.len();
    let order = |a: &(u64, &Value), b: &(u64, &Value)| compare(a.1, b.1, padded);
    values.sort_by(|a, b| order(a, b).then(a.0.cmp(&b.0)));

    let mut counts = HashMap::<Vec<u8>, (usize, &Value)>::new();
    for (_, value) in &values {
        let key = key::hashed(std::iter::once((base, *value)));
        counts.entry(key).or_insert((0, value)).0 += 1;
    }
    let distinct = estimate_distinct(
        &counts,
        values.len(),
        rows as f64 * (values.len() as f64) / sample.len() as f64,
    );
    let common = most_common(&counts, sample.len(), values.len(), padded);
    let is_common = |value: &Value| common.iter().any(|it| compare(&it.0, value, padded).is_eq());
    let others: Vec<&Value> =
        values.iter().map(|it| it.1).filter(|value| !is_common(value)).collect();
    let histogram = histogram(&others, padded);
    ColumnStatistics {
        null_fraction: nulls as f64 / sample.len() as f64,
        distinct,
        common,
        histogram,
        correlation: correlation(&values),
    }
}

/// Haas and Stokes' estimate, as PostgreSQL uses it: from how many values occur once.
fn estimate_distinct(counts: &HashMap<Vec<u8>, (usize, &Value)>, sampled: usize, rows: f64) -> f64 {
    let (d, n) = (counts.len() as f64, sampled as f64);
    let once = counts.values().filter(|it| it.0 == 1).count() as f64;
    if sampled == 0 || n >= rows {
        return d;
    }
    if once == n {
        return rows;
    }
    (n * d / (n - once + once * n / rows)).clamp(d, rows)
}

/// Values that are more frequent than an average one by a quarter.
fn most_common(
    counts: &HashMap<Vec<u8>, (usize, &Value)>,
    sampled: usize,
    known: usize,
    padded: bool,
) -> Vec<(Value, f64)> {
    let average = known as f64 / counts.len().max(1) as f64;
    let all_fit = counts.len() <= TARGET && counts.values().all(|it| it.0 > 1);
    let is_frequent = |it: &&(usize, &Value)| it.0 > 1 && (all_fit || it.0 as f64 > average * 1.25);
    let mut frequent: Vec<&(usize, &Value)> = counts.values().filter(is_frequent).collect();
    let by_count = |a: &&(usize, &Value), b: &&(usize, &Value)| -> Ordering {
        b.0.cmp(&a.0).then_with(|| compare(a.1, b.1, padded))
    };
    frequent.sort_by(by_count);
    frequent.truncate(TARGET);
    let fraction = |count: usize| count as f64 / sampled as f64;
    frequent.iter().map(|(count, value)| ((*value).clone(), fraction(*count))).collect()
}

fn histogram(sorted: &[&Value], padded: bool) -> Vec<Value> {
    let mut different = sorted.to_vec();
    different.dedup_by(|a, b| compare(a, b, padded).is_eq());
    if different.len() < 2 {
        return Vec::new();
    }
    let parts = (different.len() - 1).min(TARGET);
    (0..=parts).map(|part| sorted[part * (sorted.len() - 1) / parts].clone()).collect()
}

/// Between the order of the values and that of their rows: Pearson's coefficient of the ranks.
fn correlation(sorted: &[(u64, &Value)]) -> f64 {
    let n = sorted.len() as f64;
    if sorted.len() < 2 {
        return 0.0;
    }
    let mut by_row: Vec<(u64, usize)> =
        sorted.iter().enumerate().map(|(rank, it)| (it.0, rank)).collect();
    by_row.sort_unstable();
    let products: f64 =
        by_row.iter().enumerate().map(|(place, it)| place as f64 * it.1 as f64).sum();
    let sum = n * (n - 1.0) / 2.0;
    let squares = n * (n - 1.0) * (2.0 * n - 1.0) / 6.0;
    (n * products - sum * sum) / (n * squares - sum * sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_head() {
        let values = [1, 1, 1, 1, 2, 3, 4, 5, 6, 9].map(Value::Int);
        let sample: Vec<(u64, &Value)> = (1..).zip(&values).collect();
        let found = column(Type::Int4, &sample, 10);
        assert_eq!(found.common, [(Value::Int(1), 0.4)]);
        assert_eq!(found.histogram, [2, 3, 4, 5, 6, 9].map(Value::Int));
        assert_eq!((found.distinct, found.null_fraction), (7.0, 0.0));
        assert!((found.correlation - 1.0).abs() < 1e-9);
    }
}
