//! What ANALYZE has found out about tables.
//!
//! PostgreSQL's `pg_statistic` and `pg_class.reltuples`. Ours are kept in memory: after a restart
//! the planner knows the sizes of tables and nothing else, until the next ANALYZE.

use crate::format::RelationId;
use minibtree_estimate::ColumnStatistics;
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
