//! The planner's numbers: how many rows have a value, and what a step costs.
//!
//! | module | what it is |
//! |---|---|
//! | [`cost`] | what a node costs, in PostgreSQL's units |
//! | `statistics` | the statistics that ANALYZE collects of a column, and estimates from them |
//!
//! This crate knows values, not tables or plans. minibtree's ANALYZE hands it a sample, and the
//! planner asks it about each condition and each access path:
//!
//! ```
//! use minibtree_estimate::{ColumnStatistics, cost};
//! use minibtree_types::values::{Type, Value};
//!
//! let values = [1, 1, 1, 1, 2, 3, 4, 5, 6, 9].map(Value::Int);
//! let sample: Vec<(u64, &Value)> = (1..).zip(&values).collect();
//! let column = ColumnStatistics::of_sample(Type::Int4, &sample, 10);
//! let rows = 10.0 * column.equal(Some(&Value::Int(1)));
//! assert_eq!(rows, 4.0);
//!
//! let scan = cost::seq_scan(1.0, 10.0, 1.0, rows, 4.0);
//! assert_eq!(format!("{:.3}", scan.total), "1.125");
//! ```

pub mod cost;
mod statistics;

pub use statistics::{ColumnStatistics, shortened};
