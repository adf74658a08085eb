//! What ANALYZE has found out about tables.
//!
//! PostgreSQL's `pg_statistic` and `pg_class.reltuples`. Ours are kept in memory: after a restart
//! the planner knows the sizes of tables and nothing else, until the next ANALYZE.

use crate::format::RelationId;
use crate::sql::values::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// What is known about all tables, by the numbers of their heaps.
pub type Statistics = HashMap<RelationId, Arc<TableStatistics>>;

/// What is known about a table.
#[derive(Clone, Debug, Default)]
pub struct TableStatistics {
    pub rows: f64,
    /// Its pages then.
    pub pages: u32,
    pub columns: Vec<ColumnStatistics>,
}

/// What is known about a column.
#[derive(Clone, Debug, Default)]
pub struct ColumnStatistics {
    pub null_fraction: f64,
    pub distinct: f64,
    /// The most frequent values, with the fraction of rows that have them.
    pub common: Vec<(Value, f64)>,
    /// Values that divide the others into parts of equal size.
    pub histogram: Vec<Value>,
    /// How much the order of the values is that of the rows: 1 is the same, -1 the reverse.
    pub correlation: f64,
}
