//! INSERT, UPDATE and DELETE: a query, and what becomes of its rows.
//!
//! ```text
//! UPDATE t SET a = a + 1 WHERE b = 2 RETURNING a
//!
//! Modification { operation: Update(t, values: [Column(0) + 1, None]),
//!                source: FROM t WHERE b = 2,
//!                returning: [Column(0)] }
//! ```

use crate::{Expr, OutputColumn, Query};
use minibtree_format::RelationId;

/// INSERT, UPDATE or DELETE.
#[derive(Clone, Debug)]
pub struct Modification<Table> {
    /// Which of them, and the table.
    pub operation: Operation<Table>,
    /// Where the rows come from. For UPDATE and DELETE the first relation is the table, and the
    /// targets are not used; for INSERT they are what [`Write::values`] is computed of.
    pub source: Query<Table>,
    /// RETURNING, of a row with the table's columns first.
    pub returning: Vec<Expr<Table>>,
    /// The columns of RETURNING.
    pub columns: Vec<OutputColumn>,
}

/// What a modification does.
#[derive(Clone, Debug)]
pub enum Operation<Table> {
    /// INSERT, and ON CONFLICT.
    Insert(Write<Table>, Option<Conflict<Table>>),
    /// UPDATE.
    Update(Write<Table>),
    /// DELETE.
    Delete(Write<Table>),
}

impl<Table> Operation<Table> {
    /// The table that is written.
    pub fn table(&self) -> &Table {
        match self {
            Operation::Insert(it, _) | Operation::Update(it) | Operation::Delete(it) => &it.table,
        }
    }
}

/// The table that is written, and what becomes of its columns.
#[derive(Clone, Debug)]
pub struct Write<Table> {
    /// The table.
    pub table: Table,
    /// For each column the value to write: for an INSERT of a row of the source, for an UPDATE of
    /// the joined row; `None`: an UPDATE leaves the column as it is.
    pub values: Vec<Option<Expr<Table>>>,
    /// CHECK constraints with their names, of a row of the table.
    pub checks: Vec<(String, Expr<Table>)>,
    /// What each index computes; empty if none computes anything.
    pub computed: Vec<Computed<Table>>,
}

/// What an index computes, of a row of the table.
#[derive(Clone, Debug)]
pub struct Computed<Table> {
    /// WHERE: only rows that meet it have entries.
    pub predicate: Option<Expr<Table>>,
    /// The columns of its key that are expressions.
    pub expressions: Vec<Expr<Table>>,
}

impl<Table> Computed<Table> {
    /// All that it computes.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr<Table>> {
        self.predicate.iter().chain(&self.expressions)
    }
}

/// ON CONFLICT.
#[derive(Clone, Debug)]
pub struct Conflict<Table> {
    /// The indexes whose conflicts are meant.
    pub indexes: Vec<RelationId>,
    /// DO UPDATE; `None`: DO NOTHING.
    pub update: Option<ConflictUpdate<Table>>,
}

/// New values and WHERE, of a row with the table's columns (and the TID) first and those of
/// `excluded` after them. A column without a value stays as it is.
pub type ConflictUpdate<Table> = (Vec<Option<Expr<Table>>>, Option<Expr<Table>>);
