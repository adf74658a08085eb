//! Queries and changes with every name and type resolved: the trees between the syntax and the
//! plan. Pure data.
//!
//! ```text
//! SELECT b, count(*) FROM t WHERE a > 1 GROUP BY b ORDER BY 2 LIMIT 3
//!
//! Query { body: Select { relations: [t], filter: a > 1,
//!                        grouping: { keys: [b], aggregates: [count(*)] },
//!                        targets: [Column(0), Column(1)] },      of the grouped row
//!         order: [position 1], limit: 3 }
//! ```
//!
//! A table in a query is a value of the type `Table`, whatever the caller has for one.
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

mod from;
mod modification;
mod select;
mod walk;

pub use from::{FromItem, Join, JoinKind, Relation, SetFunction, Source};
pub use modification::{Computed, Conflict, ConflictUpdate, Modification, Operation, Write};
pub use select::{AggregateCall, Grouping, Select, Window};

use minibtree_locks::LockMode;
use minibtree_types::values::ColumnType;

/// An expression in a query.
pub type Expr<Table> = minibtree_expression::Expr<Query<Table>>;
/// A subquery in an expression.
pub type Subquery<Table> = minibtree_expression::Subquery<Query<Table>>;
/// Computes an expression of constants.
pub type Compute<'c, Table> = minibtree_expression::Compute<'c, Query<Table>>;

/// A query: its rows in order, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query<Table> {
    /// Where the rows come from.
    pub body: Body<Table>,
    /// The columns that are returned: the first targets of the body.
    pub columns: Vec<OutputColumn>,
    /// ORDER BY.
    pub order: Vec<SortKey>,
    /// LIMIT.
    pub limit: Option<Expr<Table>>,
    /// OFFSET.
    pub offset: Option<Expr<Table>>,
    /// FOR UPDATE and its kin.
    pub lock: Option<Lock>,
}

/// A column that a query returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputColumn {
    /// Its name: an alias, or what PostgreSQL calls such an expression.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
}

/// What ORDER BY sorts by: a column of the body's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// The position of the column.
    pub position: usize,
    /// Its type.
    pub column_type: ColumnType,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// FOR UPDATE and its kin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Its number in the statement. All uses of a CTE have the same: its rows are locked once.
    pub number: usize,
    /// How strong the lock is.
    pub mode: LockMode,
    /// The relations whose rows are locked, by their numbers in FROM.
    pub relations: Vec<usize>,
    /// NOWAIT: a row that another transaction has locked is an error.
    pub no_wait: bool,
    /// SKIP LOCKED: such a row is left out.
    pub skip_locked: bool,
}

/// Where the rows of a query come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<Table> {
    /// SELECT.
    Select(Box<Select<Table>>),
    /// VALUES.
    Values(Vec<Vec<Expr<Table>>>),
    /// Two queries whose rows are put together or compared.
    SetOperation {
        /// Which one.
        operator: SetOperator,
        /// ALL: rows that are equal are not made one.
        all: bool,
        /// The query before the operator.
        left: Box<Query<Table>>,
        /// The query after it.
        right: Box<Query<Table>>,
    },
}

/// UNION and its kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperator {
    /// Rows of either side.
    Union,
    /// Rows of both sides.
    Intersect,
    /// Rows of the left side that the right side has not.
    Except,
}
