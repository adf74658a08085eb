//! The statistics that ANALYZE collects, and the rows of the catalog that keep them.
//!
//! A row for the table and at least one for each column, here of the example in
//! `minibtree/estimate`:
//!
//! ```text
//! SIZES         (16385, 10, 1)                       heap, rows, pages
//! STATISTICS    (16385, 1, 0, 23, 0, 4, 7, 1, 1, 6, ..)
//!                                                    heap, number, part, type, fraction of NULLs,
//!                                                      width, distinct, correlation, number of
//!                                                      common values, length of the histogram, and
//!                                                      both as the bytes of a row
//! ```
//!
//! The values of a text column can take 200 kB. A row has to fit a page, so it holds a part of
//! them. The key is the heap, not the table, because TRUNCATE and ALTER TABLE give a table a new
//! heap with other rows.
//!
//! ```
//! use minibtree_estimate::ColumnStatistics;
//! use minibtree_format::RelationId;
//! use minibtree_statistics::{TableStatistics, column_rows, read, size_row};
//! use minibtree_types::values::{Type, Value};
//!
//! let values: Vec<Value> = (1..=30).map(|it| Value::Text("long".repeat(200 + it))).collect();
//! let sample: Vec<(u64, &Value)> = (1..).zip(&values).collect();
//! let column = ColumnStatistics::of_sample(Type::Text, &sample, 30);
//! let columns = vec![ColumnStatistics::default(), column];
//! let table = TableStatistics { rows: 30.0, pages: 4, columns };
//!
//! let heap = RelationId(16385);
//! let rows = column_rows(heap, &[Type::Int4, Type::Text], &table);
//! assert_eq!(rows.len(), 1 + 4);
//! assert_eq!(*read(vec![size_row(heap, &table)], rows)?[&heap], table);
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```
//!
//! PostgreSQL's `pg_statistic`, with a row for each column, and `pg_class.reltuples`.

mod sample;

use Type::{Bytea, Float8, Int2, Int4, Int8};
use minibtree_estimate::ColumnStatistics;
use minibtree_format::RelationId;
use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::values::{Float, Type, Value};
pub use sample::Sample;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The types of the row of a table.
pub const SIZES: &[Type] = &[Int8, Float8, Int8];
/// The types of a row of a column.
pub const STATISTICS: &[Type] =
    &[Int8, Int2, Int4, Int8, Float8, Float8, Float8, Float8, Int4, Int4, Bytea];
/// The most bytes of values in a row: with them it fits a page.
const PART: usize = 7_900;

/// The statistics of all tables, by the numbers of their heaps.
pub type Statistics = HashMap<RelationId, Arc<TableStatistics>>;

/// The statistics of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableStatistics {
    /// The number of its rows.
    pub rows: f64,
    /// The number of its pages when it was analyzed.
    pub pages: u32,
    /// The statistics of its columns, in order.
    pub columns: Vec<ColumnStatistics>,
}

/// The row of a table with this heap.
pub fn size_row(heap: RelationId, table: &TableStatistics) -> Vec<Value> {
    vec![Value::Int(heap.0.into()), float(table.rows), Value::Int(table.pages.into())]
}

/// The rows of its columns, which have these types.
pub fn column_rows(heap: RelationId, types: &[Type], table: &TableStatistics) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for ((number, base), column) in (1..).zip(types).zip(&table.columns) {
        let (common, histogram) = (column.common.len(), column.histogram.len());
        let values = column.common.iter().map(|it| &it.0).chain(&column.histogram).cloned();
        let fractions = column.common.iter().map(|it| float(it.1));
        let mut bytes = Vec::new();
        let values: Vec<Value> = values.chain(fractions).collect();
        minibtree_row::encode(&types_of(*base, common, histogram), &values, &mut bytes);

        let row = |(part, bytes): (i64, &[u8])| {
            vec![
                Value::Int(heap.0.into()),
                Value::Int(number),
                Value::Int(part),
                Value::Int(base.oid().into()),
                float(column.null_fraction),
                float(column.width),
                float(column.distinct),
                float(column.correlation),
                Value::Int(common as i64),
                Value::Int(histogram as i64),
                Value::Bytes(bytes.to_vec()),
            ]
        };
        // A column of which no value is known has a row, too.
        let nothing = bytes.is_empty().then_some(&[][..]);
        rows.extend((0..).zip(bytes.chunks(PART).chain(nothing)).map(row));
    }
    rows
}

/// Reads the rows of all tables, and of all columns.
///
/// # Errors
/// `XX001` for other values.
pub fn read(sizes: Vec<Vec<Value>>, columns: Vec<Vec<Value>>) -> Result<Statistics> {
    let mut columns = read_columns(columns)?;
    let table = |row: Vec<Value>| {
        let [Value::Int(heap), Value::Float(rows), Value::Int(pages)] = row[..] else {
            return Err(damaged());
        };
        let columns = columns.remove(&heap).unwrap_or_default();
        let table = TableStatistics { rows: rows.0, pages: pages as u32, columns };
        Ok((RelationId(heap as u32), Arc::new(table)))
    };
    sizes.into_iter().map(table).collect()
}

/// The columns of each heap, in order.
fn read_columns(rows: Vec<Vec<Value>>) -> Result<BTreeMap<i64, Vec<ColumnStatistics>>> {
    // The rows of each column, by heap, number and part.
    let mut parts: BTreeMap<(i64, i64), BTreeMap<i64, Vec<Value>>> = BTreeMap::new();
    for mut row in rows {
        let rest = row.split_off(row.len().min(3));
        let [Value::Int(heap), Value::Int(number), Value::Int(part)] = row[..] else {
            return Err(damaged());
        };
        parts.entry((heap, number)).or_default().insert(part, rest);
    }

    let mut columns: BTreeMap<i64, Vec<ColumnStatistics>> = BTreeMap::new();
    for ((heap, _), rows) in parts {
        let mut whole = Vec::new();
        for row in rows.values() {
            let Some(Value::Bytes(part)) = row.last() else { return Err(damaged()) };
            whole.extend_from_slice(part);
        }
        let row = rows.values().next().expect("one was inserted");
        columns.entry(heap).or_default().push(read_column(row, &whole)?);
    }
    Ok(columns)
}

/// Reads a row of a column from its type on. `bytes` are the values of all of its rows.
fn read_column(row: &[Value], bytes: &[u8]) -> Result<ColumnStatistics> {
    use Value::{Float, Int};

    let [Int(oid), Float(nulls), Float(width), Float(distinct), Float(order), counts @ ..] = row
    else {
        return Err(damaged());
    };
    let [Int(common), Int(histogram), _] = counts else { return Err(damaged()) };
    let base = Type::from_oid(*oid as u32).ok_or_else(damaged)?;
    let (common, histogram) = (*common as usize, *histogram as usize);
    let mut values = minibtree_row::decode(&types_of(base, common, histogram), bytes)?;
    let fractions = values.split_off(common + histogram).into_iter();
    let fraction = |value| if let Float(it) = value { Ok(it.0) } else { Err(damaged()) };
    let fractions = fractions.map(fraction).collect::<Result<Vec<_>>>()?;
    let histogram = values.split_off(common);
    Ok(ColumnStatistics {
        null_fraction: nulls.0,
        width: width.0,
        distinct: distinct.0,
        correlation: order.0,
        common: values.into_iter().zip(fractions).collect(),
        histogram,
    })
}

/// The types of the common values, the histogram, and the fractions of the common values.
fn types_of(base: Type, common: usize, histogram: usize) -> Vec<Type> {
    let values = std::iter::repeat_n(base, common + histogram);
    values.chain(std::iter::repeat_n(Float8, common)).collect()
}

fn float(number: f64) -> Value {
    Value::Float(Float(number))
}

fn damaged() -> SqlError {
    SqlError::new(code::DATA_CORRUPTED, "a row of the statistics is damaged")
}
