//! What the nodes of a plan do.

use crate::{Bounds, LockRows, Method, Node, Scanned, SortBy};
use minibtree_query::{AggregateCall, Expr, JoinKind, SetFunction, SetOperator};
use minibtree_types::values::Type;
use std::rc::Rc;

/// What a node does.
#[derive(Debug)]
pub enum Kind<Table> {
    /// If the condition, evaluated once, is met: the rows of the input, or one row without columns.
    Result {
        /// The condition; it uses no column.
        condition: Option<Expr<Table>>,
        /// Where the rows come from.
        input: Option<Rc<Node<Table>>>,
    },
    /// Leaves out rows of a join.
    Filter {
        /// The join.
        input: Rc<Node<Table>>,
        /// What a row must meet.
        condition: Option<Expr<Table>>,
    },
    /// Reads a table page by page.
    SeqScan {
        /// The table.
        scanned: Scanned<Table>,
        /// What a row must meet.
        filter: Option<Expr<Table>>,
    },
    /// Reads the entries of an index within bounds, and the rows that they point to.
    IndexScan {
        /// The table.
        scanned: Scanned<Table>,
        /// The number of the index among those of the table.
        index: usize,
        /// The part of the index that is read.
        bounds: Bounds<Table>,
        /// The conditions that the bounds are made of.
        conditions: Option<Expr<Table>>,
        /// From the last entry to the first.
        is_backward: bool,
        /// An index-only scan: the index has all columns that the query uses.
        is_only: bool,
        /// What a row must meet besides.
        filter: Option<Expr<Table>>,
    },
    /// Reads the rows of a bitmap in the order of their pages.
    BitmapScan {
        /// The table.
        scanned: Scanned<Table>,
        /// What makes the bitmap.
        bitmap: Rc<Node<Table>>,
        /// The conditions that made the bitmap.
        recheck: Option<Expr<Table>>,
        /// What a row must meet besides.
        filter: Option<Expr<Table>>,
    },
    /// Makes a bitmap of the TIDs in an index. Returns no rows; nor does [`Kind::BitmapMerge`].
    BitmapIndexScan {
        /// The table.
        scanned: Scanned<Table>,
        /// The number of the index among those of the table.
        index: usize,
        /// The part of the index that is read.
        bounds: Bounds<Table>,
        /// The conditions that the bounds are made of.
        conditions: Option<Expr<Table>>,
    },
    /// Intersects or unites bitmaps.
    BitmapMerge {
        /// What makes the bitmaps.
        inputs: Vec<Rc<Node<Table>>>,
        /// Unites them.
        is_union: bool,
    },
    /// Calls a function that returns rows. WITH ORDINALITY adds a column with their numbers.
    Function {
        /// The function.
        function: SetFunction,
        /// Its arguments.
        arguments: Vec<Expr<Table>>,
        /// The names of its columns.
        columns: Vec<String>,
        /// Position of the first of them in the row.
        position: usize,
        /// How many columns the row has.
        width: usize,
        /// Its name in the query.
        alias: String,
        /// What a row must meet.
        filter: Option<Expr<Table>>,
    },
    /// Rows that the statement has itself.
    Values {
        /// The rows.
        rows: Vec<Vec<Expr<Table>>>,
    },
    /// Moves the rows of a subquery in FROM to their place in the row of the query.
    SubqueryScan {
        /// The subquery.
        query: Rc<Node<Table>>,
        /// How many of its columns are returned.
        columns: usize,
        /// Position of the first of them in the row.
        start: usize,
        /// How many columns the row has.
        width: usize,
        /// Its name in the query.
        alias: String,
        /// What a row must meet.
        filter: Option<Expr<Table>>,
    },
    /// The rows of a subquery with FOR UPDATE or FOR SHARE.
    Locked {
        /// What locks the rows before the rest of the statement is executed.
        lock: Rc<LockRows<Table>>,
        /// Its number among those of the statement.
        number: usize,
    },
    /// For each row of one side, reads the other side.
    NestedLoop {
        /// Which rows it returns.
        kind: JoinKind,
        /// The side that is read once.
        outer: Rc<Node<Table>>,
        /// The side that is read for each row of the outer one.
        inner: Rc<Node<Table>>,
        /// The bounds of the inner side use the outer row.
        is_parameterized: bool,
        /// The inner side is read once and kept, otherwise executed again for each outer row.
        is_kept: bool,
        /// No row of the outer side has two partners.
        is_unique: bool,
        /// What makes two rows a pair.
        condition: Option<Expr<Table>>,
        /// Positions of the inner side in the row.
        positions: Vec<usize>,
    },
    /// Finds rows of the inner side that have the keys of one of the outer side.
    EquiJoin {
        /// Which rows it returns.
        kind: JoinKind,
        /// How it finds them.
        method: Method,
        /// The outer side.
        outer: Rc<Node<Table>>,
        /// The inner side.
        inner: Rc<Node<Table>>,
        /// Values of both sides that are equal, and their type.
        keys: Vec<(Expr<Table>, Expr<Table>, Type)>,
        /// No row of the outer side has two partners.
        is_unique: bool,
        /// What makes two rows with equal keys a pair.
        condition: Option<Expr<Table>>,
        /// Positions of the inner side in the row.
        positions: Vec<usize>,
    },
    /// One row for each group, or for all rows if there are no keys.
    Aggregate {
        /// Where the rows come from.
        input: Rc<Node<Table>>,
        /// What they are grouped by.
        keys: Vec<(Expr<Table>, Type)>,
        /// What is computed of each group.
        aggregates: Vec<AggregateCall<Table>>,
        /// What a group must meet.
        having: Option<Expr<Table>>,
    },
    /// Computes the columns that are returned.
    Project {
        /// Where the rows come from.
        input: Rc<Node<Table>>,
        /// The columns.
        targets: Vec<Expr<Table>>,
    },
    /// Leaves out rows whose key has been returned before.
    Distinct {
        /// Where the rows come from.
        input: Rc<Node<Table>>,
        /// The key.
        keys: Vec<(Expr<Table>, Type)>,
    },
    /// Adds the number of each row among those with the same key. The input is sorted by the key.
    Window {
        /// Where the rows come from.
        input: Rc<Node<Table>>,
        /// The key.
        partition: Vec<(Expr<Table>, Type)>,
    },
    /// Sorts rows.
    Sort {
        /// Where the rows come from.
        input: Rc<Node<Table>>,
        /// What they are sorted by.
        keys: Vec<SortBy<Table>>,
        /// LIMIT and OFFSET of the node above: only so many of the first rows are kept.
        bound: Option<(Expr<Table>, Option<Expr<Table>>)>,
    },
    /// Some of the rows, as they come.
    Limit {
        /// Where the rows come from.
        input: Rc<Node<Table>>,
        /// How many are returned.
        limit: Option<Expr<Table>>,
        /// How many are left out before them.
        offset: Option<Expr<Table>>,
    },
    /// The rows of one input after those of the other.
    Append {
        /// Where the rows come from.
        inputs: Vec<Rc<Node<Table>>>,
    },
    /// INTERSECT or EXCEPT.
    SetOperation {
        /// Which one.
        operator: SetOperator,
        /// ALL: equal rows are not made one.
        all: bool,
        /// The rows before the operator.
        left: Rc<Node<Table>>,
        /// The rows after it.
        right: Rc<Node<Table>>,
        /// The types of the columns.
        types: Vec<Type>,
    },
}
