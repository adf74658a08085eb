//! The statistics that ANALYZE collects.
//!
//! PostgreSQL's `pg_statistic` and `pg_class.reltuples`. Ours are kept in memory: after a restart
//! the planner knows the sizes of tables and nothing else, until the next ANALYZE.

use crate::format::RelationId;
use minibtree_estimate::ColumnStatistics;
use std::collections::HashMap;
use std::sync::Arc;

/// The statistics of all tables, by the numbers of their heaps.
pub type Statistics = HashMap<RelationId, Arc<TableStatistics>>;

/// The statistics of a table.
#[derive(Clone, Debug, Default)]
pub struct TableStatistics {
    pub rows: f64,
    /// The number of its pages when it was analyzed.
    pub pages: u32,
    pub columns: Vec<ColumnStatistics>,
}
