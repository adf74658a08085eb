//! What a statement does with the rows of its nodes.

use crate::Node;
use minibtree_expression::SubqueryKind;
use minibtree_pg_catalog::objects::ForeignKey;
use minibtree_query::{Expr, JoinKind, Lock, Operation};
use minibtree_types::values::Type;
use std::rc::Rc;

/// What a statement does.
#[derive(Debug, Default)]
pub enum Plan<Table> {
    /// COPY FROM: the rows come from the client.
    #[default]
    Copy,
    /// Returns the rows.
    Query(Rc<Node<Table>>),
    /// Locks the rows, and returns them.
    Lock(Rc<LockRows<Table>>),
    /// Writes a table.
    Modify(Box<Modify<Table>>),
}

/// FOR UPDATE, FOR SHARE: each row of the plan is locked before it is returned.
#[derive(Debug)]
pub struct LockRows<Table> {
    /// Where the rows come from.
    pub input: Rc<Node<Table>>,
    /// How they are locked.
    pub lock: Lock,
    /// Each with the position of its first column in the row; the TID is after its last.
    pub relations: Vec<(Table, usize)>,
    /// What a row that has changed must meet again: the conditions of the joins, with the positions
    /// of their right sides, which are NULL if a left join finds none, and WHERE.
    pub joins: Vec<(JoinKind, Option<Expr<Table>>, Vec<usize>)>,
    /// WHERE.
    pub filter: Option<Expr<Table>>,
    /// The columns that are returned.
    pub targets: Vec<Expr<Table>>,
    /// LIMIT: how many rows are locked.
    pub limit: Option<Expr<Table>>,
    /// OFFSET.
    pub offset: Option<Expr<Table>>,
}

/// INSERT, UPDATE or DELETE.
#[derive(Debug)]
pub struct Modify<Table> {
    /// Which of them, and the table.
    pub operation: Operation<Table>,
    /// Where the rows come from.
    pub source: Rc<Node<Table>>,
    /// WHERE, which a row that has changed must meet again.
    pub filter: Option<Expr<Table>>,
    /// RETURNING.
    pub returning: Vec<Expr<Table>>,
    /// The foreign keys of the table, with the tables that they refer to.
    pub parents: Vec<(ForeignKey, Table)>,
    /// The foreign keys that refer to the table, with the tables that have them.
    pub children: Vec<(ForeignKey, Table)>,
}

/// A subquery of an expression.
#[derive(Debug)]
pub struct SubPlan<Table> {
    /// What is asked of it.
    pub kind: SubqueryKind,
    /// Where its rows come from.
    pub node: Rc<Node<Table>>,
    /// The types of its columns.
    pub types: Vec<Type>,
    /// It uses columns of the query around it, so it is executed anew for each row.
    pub is_correlated: bool,
}
