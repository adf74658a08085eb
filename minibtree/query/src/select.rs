//! SELECT: what is read, and what is computed of it.
//!
//! ```text
//! SELECT b, count(*) FROM t GROUP BY b
//!
//! row of FROM      a  b  tid of t      filter, keys and arguments of aggregates
//! grouped row      b  count(*)         HAVING, the partition and order of windows, targets
//! ```

use crate::{Expr, FromItem, Relation};
use minibtree_functions::aggregates::Aggregate;
use minibtree_types::values::ColumnType;

/// SELECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select<Table> {
    /// Everything in FROM, in the order of the row.
    pub relations: Vec<Relation<Table>>,
    /// How many columns the row has.
    pub width: usize,
    /// How the relations are joined; several are a cross join.
    pub from: Vec<FromItem<Table>>,
    /// WHERE.
    pub filter: Option<Expr<Table>>,
    /// GROUP BY, aggregates and HAVING.
    pub grouping: Option<Grouping<Table>>,
    /// What its rows are numbered by, after the grouping.
    pub windows: Vec<Window<Table>>,
    /// What is returned, then what only ORDER BY needs.
    pub targets: Vec<Expr<Table>>,
    /// DISTINCT: rows with the same returned targets are made one.
    pub distinct: bool,
}

/// SELECT without anything: one row without columns.
impl<Table> Default for Select<Table> {
    fn default() -> Select<Table> {
        Select {
            relations: Vec::new(),
            width: 0,
            from: Vec::new(),
            filter: None,
            grouping: None,
            windows: Vec::new(),
            targets: Vec::new(),
            distinct: false,
        }
    }
}

/// GROUP BY, aggregates and HAVING.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping<Table> {
    /// What rows are grouped by.
    pub keys: Vec<(Expr<Table>, ColumnType)>,
    /// What is computed of each group.
    pub aggregates: Vec<AggregateCall<Table>>,
    /// HAVING, of the grouped row.
    pub having: Option<Expr<Table>>,
}

/// OVER: rows with the same key are numbered in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window<Table> {
    /// PARTITION BY: the key.
    pub partition: Vec<Expr<Table>>,
    /// ORDER BY, each with `descending` and `nulls_first` of a [`SortKey`](crate::SortKey).
    pub order: Vec<(Expr<Table>, bool, bool)>,
}

/// A call of an aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregateCall<Table> {
    /// Which aggregate.
    pub aggregate: Aggregate,
    /// Its arguments, of the row of FROM; none for `count(*)`.
    pub arguments: Vec<Expr<Table>>,
    /// DISTINCT: values that are equal count once.
    pub distinct: bool,
    /// FILTER: only rows that meet it count.
    pub filter: Option<Expr<Table>>,
}
