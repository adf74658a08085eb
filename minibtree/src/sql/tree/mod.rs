//! The trees between the syntax and the plan: expressions and queries with every name and type
//! resolved. Pure data.
//!
//! # The row of a query
//!
//! Each query has one row layout: the columns of all relations in its FROM clause, one after
//! another. A column is a position in that row, wherever in the plan it is used, so joins need not
//! renumber anything:
//!
//! ```text
//! FROM a (x, y), b (z)      row:  x  y  tid of a  z  tid of b
//! a scan of b fills positions 3 and 4; a join merges what its two sides have filled
//! ```
//!
//! GROUP BY begins a new layout: the keys, then the aggregates. A subquery that uses a column of
//! the query around it names the level and the position there.
//!
//! PostgreSQL's `Query`, `RangeTblEntry`, `Var` and `SubLink`; there, `setrefs.c` renumbers the
//! columns for each node of the plan.

mod query;

pub use minibtree_expression::{Column, Deparser, SubqueryKind};
pub use query::{
    AggregateCall, Body, Compute, Computed, Conflict, Expr, FromItem, Grouping, JoinKind, Lock,
    Modification, Operation, OutputColumn, Query, Relation, Select, SetFunction, SetOperator,
    SortKey, Source, Subquery, Window, Write,
};
