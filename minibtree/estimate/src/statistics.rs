//! Statistics of a column: ANALYZE computes them from a sample of its values, and the planner
//! estimates from them how many rows have a value.
//!
//! ```text
//! column    1 1 1 1 2 3 4 5 6 9          n = 10
//! common    1: 0.4                       values that are clearly more frequent than the others
//! histogram 2 3 4 5 6 9                  the others, divided into parts of equal size
//! distinct  7
//!
//! a = 1     0.4                          a = 3     (1 - 0.4) / 6
//! a < 4     0.4 + 0.6 * 2 / 5            two of five parts are below 4
//! ```
//!
//! PostgreSQL's `analyze.c` and `selfuncs.c`.

use minibtree_functions::casts::position_of;
use minibtree_types::values::{Type, Value, compare, key};
use std::cmp::Ordering;
use std::collections::HashMap;

/// Most common values, and parts of a histogram: `default_statistics_target`.
const TARGET: usize = 100;

/// The statistics of a column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnStatistics {
    /// The fraction of rows in which the column is NULL.
    pub null_fraction: f64,
    /// The average bytes of a value.
    pub width: f64,
    /// The number of different values.
    pub distinct: f64,
    /// The most frequent values, with the fraction of rows that have them.
    pub common: Vec<(Value, f64)>,
    /// Values that divide the others into parts of equal size.
    pub histogram: Vec<Value>,
    /// The correlation of value order and row order: 1 is the same order, -1 the reverse.
    pub correlation: f64,
}

impl ColumnStatistics {
    /// The statistics of a column from a sample of its values, with the numbers of their rows.
    pub fn of_sample(base: Type, sample: &[(u64, &Value)], rows: u64) -> ColumnStatistics {
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
        let is_common =
            |value: &Value| common.iter().any(|it| compare(&it.0, value, padded).is_eq());
        let others: Vec<&Value> =
            values.iter().map(|it| it.1).filter(|value| !is_common(value)).collect();
        let histogram = histogram(&others, padded);
        ColumnStatistics {
            null_fraction: nulls as f64 / sample.len() as f64,
            width: width(base, values.iter().map(|it| it.1)),
            distinct,
            common,
            histogram,
            correlation: correlation(&values),
        }
    }

    /// The fraction of rows equal to a value. `None` stands for a value not known yet.
    pub fn equal(&self, value: Option<&Value>) -> f64 {
        let known = 1.0 - self.null_fraction;
        let Some(value) = value else { return known / self.distinct.max(1.0) };
        let same =
            |it: &&(Value, f64)| same_kind(&it.0, value) && compare(&it.0, value, true).is_eq();
        if let Some((_, fraction)) = self.common.iter().find(same) {
            return *fraction;
        }
        let common: f64 = self.common.iter().map(|it| it.1).sum();
        let others = (self.distinct - self.common.len() as f64).max(1.0);
        (known - common).max(0.0) / others
    }

    /// The least and the greatest value that are known.
    pub fn range(&self) -> Option<(&Value, &Value)> {
        let all = || self.common.iter().map(|it| &it.0).chain(&self.histogram);
        let least = all().min_by(|a, b| compare(a, b, true))?;
        Some((least, all().max_by(|a, b| compare(a, b, true))?))
    }

    /// The fraction of rows with a smaller value; `None` if the statistics cannot tell.
    pub fn below(&self, value: &Value) -> Option<f64> {
        let mut below = 0.0;
        let mut rest = 1.0 - self.null_fraction;
        for (common, fraction) in &self.common {
            if !same_kind(common, value) {
                return None;
            }
            rest -= fraction;
            below += if compare(common, value, true).is_lt() { *fraction } else { 0.0 };
        }
        let histogram = &self.histogram;
        if histogram.len() < 2 || !same_kind(&histogram[0], value) {
            return (!self.common.is_empty()).then_some(below);
        }
        let parts = (histogram.len() - 1) as f64;
        let at = histogram.partition_point(|it| compare(it, value, true).is_lt());
        let position = match at {
            0 => 0.0,
            at if at == histogram.len() => parts,
            at => {
                let between = |low: &Value, high: &Value| {
                    let (low, high) = (position_of(low)?, position_of(high)?);
                    Some(((position_of(value)? - low) / (high - low)).clamp(0.0, 1.0))
                };
                (at - 1) as f64 + between(&histogram[at - 1], &histogram[at]).unwrap_or(0.5)
            }
        };
        Some(below + rest.max(0.0) * position / parts)
    }
}

/// The average bytes of values. Those of any length have a header of one or four bytes.
fn width<'v>(base: Type, values: impl ExactSizeIterator<Item = &'v Value>) -> f64 {
    let count = values.len() as f64;
    let bytes = |value: &Value| match value {
        Value::Text(text) if base.size() < 0 => text.len() as f64,
        Value::Bytes(bytes) => bytes.len() as f64,
        _ => base.width(),
    };
    let header = |bytes: f64| {
        if base.size() > 0 {
            0.0
        } else if bytes < 127.0 {
            1.0
        } else {
            4.0
        }
    };
    let all = values.map(|it| bytes(it) + header(bytes(it))).sum::<f64>();
    if count == 0.0 { base.width() } else { (all / count).round() }
}

fn same_kind(left: &Value, right: &Value) -> bool {
    std::mem::discriminant(left) == std::mem::discriminant(right)
}

/// Haas and Stokes' estimate, as in PostgreSQL, from the number of values that occur once.
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

/// Values over a quarter more frequent than the average; all of them if they fit and repeat.
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

/// The correlation of value order and row order: Pearson's coefficient of the ranks.
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

/// A row of a sample without the ends of long values: a sample of them does not fit in memory.
/// PostgreSQL leaves out values of more than 1 kB (`WIDTH_THRESHOLD`).
pub fn shortened(mut row: Vec<Value>) -> Vec<Value> {
    const BYTES: usize = 1_024;

    for value in &mut row {
        match value {
            Value::Text(text) if text.len() > BYTES => {
                *text = text[..text.floor_char_boundary(BYTES)].to_owned();
            }
            Value::Bytes(bytes) if bytes.len() > BYTES => *bytes = bytes[..BYTES].to_vec(),
            _ => {}
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_head() {
        let values = [1, 1, 1, 1, 2, 3, 4, 5, 6, 9].map(Value::Int);
        let sample: Vec<(u64, &Value)> = (1..).zip(&values).collect();
        let found = ColumnStatistics::of_sample(Type::Int4, &sample, 10);
        assert_eq!(found.common, [(Value::Int(1), 0.4)]);
        assert_eq!(found.histogram, [2, 3, 4, 5, 6, 9].map(Value::Int));
        assert_eq!((found.distinct, found.null_fraction), (7.0, 0.0));
        assert!((found.correlation - 1.0).abs() < 1e-9);

        let equal = [1, 3].map(|it| found.equal(Some(&Value::Int(it))));
        assert_eq!(equal, [0.4, 0.6 / 6.0]);
        assert_eq!(found.below(&Value::Int(4)), Some(0.4 + 0.6 * 2.0 / 5.0));
    }
}
