//! Plans: trees of nodes.
//!
//! A node says what to do and what that is expected to cost; `execute` does it. Plans are shared by
//! all executions of a prepared statement, so nothing in them changes.
//!
//! PostgreSQL's `plannodes.h`.

use crate::engine::LockMode;
use crate::format::RelationId;
use crate::sql::catalog::{Catalog, ForeignKey, Table};
use crate::sql::tree::{
    AggregateCall, Expr, JoinKind, Lock, Operation, SetFunction, SetOperator, SubqueryKind,
};
use crate::sql::values::Type;
use crate::wire::{Field, SqlError};
use minibtree_cost::Cost;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// A step of a plan.
#[derive(Debug)]
pub struct Node {
    pub id: usize,
    pub cost: Cost,
    pub kind: Kind,
}

/// A table that a node reads, and the positions of its columns in the row of the query.
#[derive(Debug)]
pub struct Scanned {
    pub table: Arc<Table>,
    /// Its name in the query.
    pub alias: String,
    /// Position of its first column in the row.
    pub start: usize,
    /// Columns of the row.
    pub width: usize,
    /// For each column of the table, true if the query uses it. The others stay NULL.
    pub needed: Vec<bool>,
    pub needs_tid: bool,
}

/// The part of an index that is read: equal to values in its first columns, then a range of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// For each of the first columns, the values that it may equal: one, or those of an IN.
    pub equal: Vec<Vec<Expr>>,
    /// The least value of the next column, and whether it is included.
    pub lower: Option<(Expr, bool)>,
    /// The greatest value of the next column, and whether it is included.
    pub upper: Option<(Expr, bool)>,
}

/// What rows are sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortBy {
    pub expr: Expr,
    pub base: Type,
    pub descending: bool,
    pub nulls_first: bool,
}

/// How a join finds rows with equal keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The inner side is in a hash table.
    Hash,
    /// Both sides are in the order of the keys, ascending, NULLs last.
    Merge { is_materialized: bool },
}

/// What a node does.
#[derive(Debug)]
pub enum Kind {
    /// If the condition, evaluated once, is met: the rows of the input, or one row of NULLs.
    Result {
        condition: Option<Expr>,
        input: Option<Rc<Node>>,
        width: usize,
    },
    /// Leaves out rows of a join.
    Filter {
        input: Rc<Node>,
        condition: Option<Expr>,
    },
    /// Reads a table page by page.
    SeqScan {
        scanned: Scanned,
        filter: Option<Expr>,
    },
    /// Reads the entries of an index within bounds, and the rows that they point to.
    IndexScan {
        scanned: Scanned,
        index: usize,
        bounds: Bounds,
        /// The conditions that the bounds are made of.
        conditions: Option<Expr>,
        is_backward: bool,
        /// An index-only scan: the index has all columns that the query uses.
        is_only: bool,
        filter: Option<Expr>,
    },
    /// Reads the rows of a bitmap in the order of their pages.
    BitmapScan {
        scanned: Scanned,
        bitmap: Rc<Node>,
        /// The conditions that made the bitmap.
        recheck: Option<Expr>,
        filter: Option<Expr>,
    },
    /// Makes a bitmap of the TIDs in an index. Returns no rows; nor does [`Kind::BitmapMerge`].
    BitmapIndexScan {
        scanned: Scanned,
        index: usize,
        bounds: Bounds,
        conditions: Option<Expr>,
    },
    /// Intersects or unites bitmaps.
    BitmapMerge {
        inputs: Vec<Rc<Node>>,
        is_union: bool,
    },
    /// Calls a function that returns rows. WITH ORDINALITY adds a column with their numbers.
    Function {
        function: SetFunction,
        arguments: Vec<Expr>,
        columns: Vec<String>,
        position: usize,
        width: usize,
        alias: String,
        filter: Option<Expr>,
    },
    Values {
        rows: Vec<Vec<Expr>>,
    },
    SubqueryScan {
        query: Rc<Node>,
        columns: usize,
        start: usize,
        width: usize,
        alias: String,
        filter: Option<Expr>,
    },
    /// The rows of a subquery with FOR UPDATE or FOR SHARE, by its number in [`Planned::locked`].
    Locked {
        lock: Rc<LockRows>,
        number: usize,
    },
    /// For each row of one side, reads the other side.
    NestedLoop {
        kind: JoinKind,
        outer: Rc<Node>,
        inner: Rc<Node>,
        /// The bounds of the inner side use the outer row.
        is_parameterized: bool,
        /// The inner side is read once and kept, otherwise executed again for each outer row.
        is_kept: bool,
        /// No row of the outer side has two partners.
        is_unique: bool,
        condition: Option<Expr>,
        positions: Vec<usize>,
    },
    /// Finds rows of the inner side that have the keys of one of the outer side.
    EquiJoin {
        kind: JoinKind,
        method: Method,
        outer: Rc<Node>,
        inner: Rc<Node>,
        /// Values of both sides that are equal, and their type.
        keys: Vec<(Expr, Expr, Type)>,
        /// No row of the outer side has two partners.
        is_unique: bool,
        condition: Option<Expr>,
        positions: Vec<usize>,
    },
    /// One row for each group, or for all rows if there are no keys.
    Aggregate {
        input: Rc<Node>,
        keys: Vec<(Expr, Type)>,
        aggregates: Vec<AggregateCall>,
        having: Option<Expr>,
    },
    /// Computes the columns that are returned.
    Project {
        input: Rc<Node>,
        targets: Vec<Expr>,
    },
    /// Leaves out rows whose key has been returned before.
    Distinct {
        input: Rc<Node>,
        keys: Vec<(Expr, Type)>,
    },
    /// Adds the number of each row among those with the same key. The input is sorted by the key.
    Window {
        input: Rc<Node>,
        partition: Vec<(Expr, Type)>,
    },
    Sort {
        input: Rc<Node>,
        keys: Vec<SortBy>,
        /// LIMIT and OFFSET of the node above: only so many of the first rows are kept.
        bound: Option<(Expr, Option<Expr>)>,
    },
    Limit {
        input: Rc<Node>,
        limit: Option<Expr>,
        offset: Option<Expr>,
    },
    /// The rows of one input after those of the other.
    Append {
        inputs: Vec<Rc<Node>>,
    },
    SetOperation {
        operator: SetOperator,
        all: bool,
        left: Rc<Node>,
        right: Rc<Node>,
        types: Vec<Type>,
    },
}

impl Node {
    /// A node with a number that no other node of the plan has.
    pub fn new(count: &Cell<usize>, cost: Cost, kind: Kind) -> Node {
        Node { id: count.replace(count.get() + 1), cost, kind }
    }

    /// The table that it reads, or an index of it.
    pub fn scanned(&self) -> Option<&Scanned> {
        match &self.kind {
            Kind::SeqScan { scanned, .. }
            | Kind::IndexScan { scanned, .. }
            | Kind::BitmapScan { scanned, .. }
            | Kind::BitmapIndexScan { scanned, .. } => Some(scanned),
            _ => None,
        }
    }

    /// The nodes whose rows it reads, the outer side first.
    pub fn inputs(&self) -> Vec<&Rc<Node>> {
        match &self.kind {
            Kind::Result { input, .. } => input.iter().collect(),
            Kind::SeqScan { .. }
            | Kind::IndexScan { .. }
            | Kind::BitmapIndexScan { .. }
            | Kind::Function { .. }
            | Kind::Values { .. } => Vec::new(),
            Kind::BitmapScan { bitmap, .. } => vec![bitmap],
            Kind::Locked { lock, .. } => vec![&lock.input],
            Kind::SubqueryScan { query: input, .. }
            | Kind::Filter { input, .. }
            | Kind::Aggregate { input, .. }
            | Kind::Project { input, .. }
            | Kind::Distinct { input, .. }
            | Kind::Window { input, .. }
            | Kind::Sort { input, .. }
            | Kind::Limit { input, .. } => vec![input],
            Kind::NestedLoop { outer, inner, .. } | Kind::EquiJoin { outer, inner, .. } => {
                vec![outer, inner]
            }
            Kind::Append { inputs } | Kind::BitmapMerge { inputs, .. } => inputs.iter().collect(),
            Kind::SetOperation { left, right, .. } => vec![left, right],
        }
    }
}

/// A subquery of an expression.
#[derive(Debug)]
pub struct SubPlan {
    pub kind: SubqueryKind,
    pub node: Rc<Node>,
    pub types: Vec<Type>,
    /// It uses columns of the query around it, so it is executed anew for each row.
    pub is_correlated: bool,
}

/// FOR UPDATE, FOR SHARE: each row of the plan is locked before it is returned.
#[derive(Debug)]
pub struct LockRows {
    pub input: Rc<Node>,
    pub lock: Lock,
    /// Each with the position of its first column in the row; the TID is after its last.
    pub relations: Vec<(Arc<Table>, usize)>,
    /// What a row that has changed must meet again: the conditions of the joins, with the positions
    /// of their right sides, which are NULL if a left join finds none, and WHERE.
    pub joins: Vec<(JoinKind, Option<Expr>, Vec<usize>)>,
    pub filter: Option<Expr>,
    pub targets: Vec<Expr>,
    pub limit: Option<Expr>,
    pub offset: Option<Expr>,
}

/// INSERT, UPDATE or DELETE.
#[derive(Debug)]
pub struct Modify {
    pub operation: Operation,
    pub source: Rc<Node>,
    /// WHERE, which a row that has changed must meet again.
    pub filter: Option<Expr>,
    pub returning: Vec<Expr>,
    /// The foreign keys of the table, with the tables that they refer to.
    pub parents: Vec<(ForeignKey, Arc<Table>)>,
    /// The foreign keys that refer to the table, with the tables that have them.
    pub children: Vec<(ForeignKey, Arc<Table>)>,
}

/// What a statement does.
#[derive(Debug, Default)]
pub enum Plan {
    /// COPY FROM: the rows come from the client.
    #[default]
    Copy,
    Query(Rc<Node>),
    Lock(Rc<LockRows>),
    Modify(Box<Modify>),
}

/// A plan and what a client may ask about it.
#[derive(Debug, Default)]
pub struct Planned {
    /// The catalog that it was made for.
    pub catalog: Rc<Catalog>,
    pub plan: Plan,
    pub subplans: Vec<SubPlan>,
    /// Subqueries that lock their rows, which are executed before the rest of the statement. One
    /// may read those before it.
    pub locked: Vec<Rc<LockRows>>,
    pub nodes: usize,
    /// The tables that are locked before it is executed.
    pub tables: Vec<(RelationId, LockMode)>,
    pub parameters: Vec<Type>,
    /// The columns of the result; `None` for statements without one.
    pub fields: Option<Vec<Field>>,
    pub types: Vec<Type>,
    /// The error of a constant part, with which the statement fails whatever the rows are.
    pub failure: Option<SqlError>,
}
