//! Plans: trees of nodes.
//!
//! A node says what to do and what that is expected to cost; the executor does it. Plans are shared
//! by all executions of a prepared statement, so nothing in them changes.
//!
//! ```text
//! SELECT abalance FROM pgbench_accounts WHERE aid = $1
//!
//! Project { targets: [Column(2)] }
//!   IndexScan { index: 0, bounds: equal [[$1]], conditions: aid = $1 }
//! ```
//!
//! ```
//! use minibtree_cost::Cost;
//! use minibtree_plan::{Kind, Node, Scanned};
//! use std::cell::Cell;
//! use std::rc::Rc;
//!
//! let (count, cost) = (Cell::new(0), Cost::default());
//! let (alias, needed) = ("a".to_owned(), vec![true, false]);
//! let scanned = Scanned { table: "t", alias, start: 0, width: 3, needed, needs_tid: false };
//! let scan = Rc::new(Node::new(&count, cost, Kind::SeqScan { scanned, filter: None }));
//! let limit = Kind::Limit { input: Rc::clone(&scan), limit: None, offset: None };
//! let limit = Node::new(&count, cost, limit);
//!
//! assert_eq!((scan.id, limit.id), (0, 1));
//! let below = limit.inputs()[0];
//! assert_eq!(below.scanned().map(|it| it.table), Some("t"));
//! ```
//!
//! As in a query, a table is a value of the type `Table`, and all nodes below the grouping have the
//! row of the query: see [`minibtree_query`].
//!
//! PostgreSQL's `plannodes.h`.

mod kind;
mod statement;

pub use kind::Kind;
pub use statement::{LockRows, Modify, Plan, SubPlan};

use minibtree_cost::Cost;
use minibtree_query::Expr;
use minibtree_types::values::Type;
use std::cell::Cell;
use std::rc::Rc;

/// A step of a plan.
#[derive(Debug)]
pub struct Node<Table> {
    /// Its number, which no other node of the plan has.
    pub id: usize,
    /// What it is expected to cost, the nodes below it included.
    pub cost: Cost,
    /// What it does.
    pub kind: Kind<Table>,
}

impl<Table> Node<Table> {
    /// A node with a number that no other node of the plan has.
    pub fn new(count: &Cell<usize>, cost: Cost, kind: Kind<Table>) -> Node<Table> {
        Node { id: count.replace(count.get() + 1), cost, kind }
    }

    /// The table that it reads, or an index of it.
    pub fn scanned(&self) -> Option<&Scanned<Table>> {
        match &self.kind {
            Kind::SeqScan { scanned, .. }
            | Kind::IndexScan { scanned, .. }
            | Kind::BitmapScan { scanned, .. }
            | Kind::BitmapIndexScan { scanned, .. } => Some(scanned),
            _ => None,
        }
    }

    /// The nodes whose rows it reads, the outer side first.
    pub fn inputs(&self) -> Vec<&Rc<Node<Table>>> {
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

/// A table that a node reads, and the positions of its columns in the row of the query.
#[derive(Debug)]
pub struct Scanned<Table> {
    /// The table.
    pub table: Table,
    /// Its name in the query.
    pub alias: String,
    /// Position of its first column in the row.
    pub start: usize,
    /// Columns of the row.
    pub width: usize,
    /// For each column of the table, true if the query uses it. The others stay NULL.
    pub needed: Vec<bool>,
    /// The TID of the row is used, by an UPDATE or a lock.
    pub needs_tid: bool,
}

/// The part of an index that is read: equal to values in its first columns, then a range of one.
///
/// ```text
/// index (a, b, c), WHERE a IN (1, 2) AND b >= 3     equal [[1, 2]], lower (3, included)
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds<Table> {
    /// For each of the first columns, the values that it may equal: one, or those of an IN.
    pub equal: Vec<Vec<Expr<Table>>>,
    /// The least value of the next column, and whether it is included.
    pub lower: Option<(Expr<Table>, bool)>,
    /// The greatest value of the next column, and whether it is included.
    pub upper: Option<(Expr<Table>, bool)>,
}

/// The whole index.
impl<Table> Default for Bounds<Table> {
    fn default() -> Bounds<Table> {
        Bounds { equal: Vec::new(), lower: None, upper: None }
    }
}

/// What rows are sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortBy<Table> {
    /// The value.
    pub expr: Expr<Table>,
    /// Its type.
    pub base: Type,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// How a join finds rows with equal keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The inner side is in a hash table.
    Hash,
    /// Both sides are in the order of the keys, ascending, NULLs last.
    Merge {
        /// The rows of the inner side are kept, because equal keys of the outer side read them
        /// again.
        is_materialized: bool,
    },
}
