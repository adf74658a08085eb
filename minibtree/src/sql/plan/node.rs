//! Plans: trees of nodes.
//!
//! A node says what to do and what that is expected to cost; `execute` does it. Plans are shared by
//! all executions of a prepared statement, so nothing in them changes.
//!
//! PostgreSQL's `plannodes.h`.

use crate::engine::LockMode;
use crate::format::RelationId;
use crate::sql::catalog::{ForeignKey, Table};
use crate::sql::tree::{AggregateCall, Expr, JoinKind, Lock, Operation, SetOperator, SubqueryKind};
use crate::sql::values::Type;
use crate::wire::Field;
use std::rc::Rc;
use std::sync::Arc;

/// What a node is expected to cost, in units of a page that is read in sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Before its first row.
    pub startup: f64,
    /// After its last row.
    pub total: f64,
    /// How many rows.
    pub rows: f64,
    /// Bytes of a row.
    pub width: f64,
}

/// A step of a plan.
#[derive(Debug)]
pub struct Node {
    /// Its number, for measurements.
    pub id: usize,
    /// What it is expected to cost.
    pub cost: Cost,
    /// What it does.
    pub kind: Kind,
}

/// A table that is read, and where its columns go.
#[derive(Debug)]
pub struct Scanned {
    /// The table.
    pub table: Arc<Table>,
    /// Its name in the query.
    pub alias: String,
    /// Position of its first column in the row.
    pub start: usize,
    /// Columns of the row.
    pub width: usize,
    /// Which columns of the table are used. Others stay NULL.
    pub needed: Vec<bool>,
    /// The TID is used.
    pub needs_tid: bool,
}

/// The part of an index that is read: equal to values in its first columns, then a range of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Values of the first columns.
    pub equal: Vec<Expr>,
    /// The least value of the next column, and whether it is included.
    pub lower: Option<(Expr, bool)>,
    /// The greatest value of the next column, and whether it is included.
    pub upper: Option<(Expr, bool)>,
}

/// What rows are sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortBy {
    /// A value of each row.
    pub expr: Expr,
    /// Its type.
    pub base: Type,
    /// `DESC`
    pub descending: bool,
    /// `NULLS FIRST`
    pub nulls_first: bool,
}

/// What a node does.
#[derive(Debug)]
pub enum Kind {
    /// One row of NULLs, or the input, if the condition is met; it is evaluated once.
    Result {
        /// The condition.
        condition: Option<Expr>,
        /// The input.
        input: Option<Rc<Node>>,
        /// Columns of the row, if there is no input.
        width: usize,
    },
    /// Leaves out rows of a join.
    Filter {
        /// The input.
        input: Rc<Node>,
        /// Which rows are returned.
        condition: Option<Expr>,
    },
    /// Reads a table page by page.
    SeqScan {
        /// The table.
        scanned: Scanned,
        /// Which rows are returned.
        filter: Option<Expr>,
    },
    /// Reads rows that an index leads to.
    IndexScan {
        /// The table.
        scanned: Scanned,
        /// Which index of the table.
        index: usize,
        /// Which part of it.
        bounds: Bounds,
        /// The conditions that the bounds are made of.
        conditions: Vec<Expr>,
        /// From large keys to small ones.
        is_backward: bool,
        /// The index has all columns that are used.
        is_only: bool,
        /// Which rows are returned.
        filter: Option<Expr>,
    },
    /// `generate_series`.
    Series {
        /// From, to, step.
        arguments: Vec<Expr>,
        /// Position of the number in the row.
        position: usize,
        /// Columns of the row.
        width: usize,
        /// Its name in the query.
        alias: String,
        /// Which rows are returned.
        filter: Option<Expr>,
    },
    /// `VALUES`.
    Values {
        /// The rows.
        rows: Vec<Vec<Expr>>,
    },
    /// A subquery in FROM.
    SubqueryScan {
        /// The subquery.
        query: Rc<Node>,
        /// How many columns it returns.
        columns: usize,
        /// Position of the first one in the row.
        start: usize,
        /// Columns of the row.
        width: usize,
        /// Its name in the query.
        alias: String,
        /// Which rows are returned.
        filter: Option<Expr>,
    },
    /// For each row of one side, reads the other side.
    NestedLoop {
        /// Kind of join.
        kind: JoinKind,
        /// The side that is read once.
        outer: Rc<Node>,
        /// The side that is read for each row of the other one.
        inner: Rc<Node>,
        /// The inner side depends on the row of the outer one; else its rows are kept.
        is_parameterized: bool,
        /// Which pairs are returned.
        condition: Option<Expr>,
        /// Positions that the inner side fills.
        positions: Vec<usize>,
    },
    /// Keeps one side in a hash table and looks the other side up.
    HashJoin {
        /// Kind of join.
        kind: JoinKind,
        /// The side that is looked up.
        outer: Rc<Node>,
        /// The side that is kept.
        inner: Rc<Node>,
        /// Values of both sides that are equal, and their type.
        keys: Vec<(Expr, Expr, Type)>,
        /// Which pairs are returned.
        condition: Option<Expr>,
        /// Positions that the inner side fills.
        positions: Vec<usize>,
    },
    /// One row for each group, or for all rows if there are no keys.
    Aggregate {
        /// The input.
        input: Rc<Node>,
        /// What is grouped by.
        keys: Vec<(Expr, Type)>,
        /// What is computed.
        aggregates: Vec<AggregateCall>,
        /// Which groups are returned.
        having: Option<Expr>,
    },
    /// Computes the columns that are returned.
    Project {
        /// The input.
        input: Rc<Node>,
        /// The columns.
        targets: Vec<Expr>,
    },
    /// Leaves out rows that have been returned before.
    Distinct {
        /// The input.
        input: Rc<Node>,
        /// The types of its columns.
        types: Vec<Type>,
    },
    /// Sorts.
    Sort {
        /// The input.
        input: Rc<Node>,
        /// By what.
        keys: Vec<SortBy>,
        /// How many rows are wanted at most: LIMIT and OFFSET.
        bound: Option<(Expr, Option<Expr>)>,
    },
    /// Stops early.
    Limit {
        /// The input.
        input: Rc<Node>,
        /// How many rows.
        limit: Option<Expr>,
        /// After leaving out how many.
        offset: Option<Expr>,
    },
    /// The rows of one input after those of the other.
    Append {
        /// The inputs.
        inputs: Vec<Rc<Node>>,
    },
    /// INTERSECT and EXCEPT.
    SetOperation {
        /// Which.
        operator: SetOperator,
        /// Counts duplicates.
        all: bool,
        /// The first input.
        left: Rc<Node>,
        /// The second.
        right: Rc<Node>,
        /// The types of their columns.
        types: Vec<Type>,
    },
}

impl Node {
    /// The nodes whose rows it reads, the outer side first.
    pub fn inputs(&self) -> Vec<&Rc<Node>> {
        match &self.kind {
            Kind::Result { input, .. } => input.iter().collect(),
            Kind::SeqScan { .. }
            | Kind::IndexScan { .. }
            | Kind::Series { .. }
            | Kind::Values { .. } => Vec::new(),
            Kind::SubqueryScan { query: input, .. }
            | Kind::Filter { input, .. }
            | Kind::Aggregate { input, .. }
            | Kind::Project { input, .. }
            | Kind::Distinct { input, .. }
            | Kind::Sort { input, .. }
            | Kind::Limit { input, .. } => vec![input],
            Kind::NestedLoop { outer, inner, .. } | Kind::HashJoin { outer, inner, .. } => {
                vec![outer, inner]
            }
            Kind::Append { inputs } => inputs.iter().collect(),
            Kind::SetOperation { left, right, .. } => vec![left, right],
        }
    }
}

/// A subquery of an expression.
#[derive(Debug)]
pub struct SubPlan {
    /// What is asked.
    pub kind: SubqueryKind,
    /// How its rows are found.
    pub node: Rc<Node>,
    /// The types of its columns.
    pub types: Vec<Type>,
    /// It uses columns of the query around it, so it is executed anew for each row.
    pub is_correlated: bool,
}

/// FOR UPDATE and its kin: what happens to each row that the plan returns.
#[derive(Debug)]
pub struct LockRows {
    /// How.
    pub lock: Lock,
    /// The tables whose rows are locked.
    pub relations: Vec<LockedRelation>,
    /// WHERE, which a row that has changed must meet again.
    pub filter: Option<Expr>,
    /// The columns that are returned.
    pub targets: Vec<Expr>,
    /// LIMIT.
    pub limit: Option<Expr>,
    /// OFFSET.
    pub offset: Option<Expr>,
}

/// A table whose rows are locked.
#[derive(Debug)]
pub struct LockedRelation {
    /// The table.
    pub table: Arc<Table>,
    /// Position of its first column in the row; the TID is after its last.
    pub start: usize,
}

/// INSERT, UPDATE or DELETE.
#[derive(Debug)]
pub struct Modify {
    /// What is done.
    pub operation: Operation,
    /// The rows that are inserted or changed.
    pub source: Rc<Node>,
    /// WHERE, which a row that has changed must meet again.
    pub filter: Option<Expr>,
    /// RETURNING.
    pub returning: Vec<Expr>,
    /// The foreign keys of the table, with the tables that they refer to.
    pub parents: Vec<(ForeignKey, Arc<Table>)>,
    /// The foreign keys that refer to the table, with the tables that have them.
    pub children: Vec<(ForeignKey, Arc<Table>)>,
}

/// What a statement does.
#[derive(Debug, Default)]
pub enum Plan {
    /// Nothing: rows that are inserted come from outside.
    #[default]
    Copy,
    /// Returns rows.
    Query(Rc<Node>),
    /// Locks rows and returns them.
    Lock(Rc<Node>, LockRows),
    /// Changes rows.
    Modify(Modify),
}

/// A plan and what a client may ask about it.
#[derive(Debug, Default)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The subqueries of its expressions.
    pub subplans: Vec<SubPlan>,
    /// How many nodes it has.
    pub nodes: usize,
    /// The tables that are locked before it is executed.
    pub tables: Vec<(RelationId, LockMode)>,
    /// Types of the parameters.
    pub parameters: Vec<Type>,
    /// The columns of the result; none for statements without one.
    pub fields: Vec<Field>,
    /// Their types.
    pub types: Vec<Type>,
}
