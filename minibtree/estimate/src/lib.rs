//! Estimates how many rows have a value, from the statistics that ANALYZE collects about a column:
//! PostgreSQL's `pg_statistic` and `selfuncs.c`.
//!
//! This crate knows values, not tables or plans. minibtree's ANALYZE hands it a sample, and the
//! planner asks it about each condition:
//!
//! ```
//! use minibtree_estimate::ColumnStatistics;
//! use minibtree_types::values::{Type, Value};
//!
//! let values = [1, 1, 1, 1, 2, 3, 4, 5, 6, 9].map(Value::Int);
//! let sample: Vec<(u64, &Value)> = (1..).zip(&values).collect();
//! let column = ColumnStatistics::of_sample(Type::Int4, &sample, 10);
//! let rows = 10.0 * column.equal(Some(&Value::Int(1)));
//! assert_eq!(rows, 4.0);
//! assert_eq!(column.range(), Some((&Value::Int(1), &Value::Int(9))));
//! ```

mod statistics;

pub use statistics::{ColumnStatistics, shortened};
