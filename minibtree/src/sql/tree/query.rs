//! Queries and changes with every name and type resolved.
//!
//! ```text
//! SELECT b, count(*) FROM t WHERE a > 1 GROUP BY b ORDER BY 2 LIMIT 3
//!
//! Query { body: Select { relations: [t], filter: a > 1,
//!                        grouping: { keys: [b], aggregates: [count(*)] },
//!                        targets: [Column(0), Column(1)] },      of the grouped row
//!         order: [position 1], limit: 3 }
//! ```

use crate::engine::LockMode;
use crate::format::RelationId;
use crate::sql::catalog::Table;
use crate::sql::functions::aggregates::Aggregate;
use crate::sql::values::{ColumnType, Type};
use crate::wire::Result;
use minibtree_expression as expression;
use minibtree_expression::{InnerQuery, SubqueryKind};
use std::sync::Arc;

/// An expression.
pub type Expr = expression::Expr<Query>;
/// A subquery in an expression.
pub type Subquery = expression::Subquery<Query>;
/// Computes an expression of constants.
pub type Compute<'c> = expression::Compute<'c, Query>;

/// A column that a query returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputColumn {
    pub name: String,
    pub column_type: ColumnType,
}

/// A query: its rows in order, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub body: Body,
    /// The columns that are returned: the first targets of the body.
    pub columns: Vec<OutputColumn>,
    pub order: Vec<SortKey>,
    pub limit: Option<Expr>,
    pub offset: Option<Expr>,
    pub lock: Option<Lock>,
}

/// What ORDER BY sorts by: a column of the body's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    pub position: usize,
    pub column_type: ColumnType,
    pub descending: bool,
    pub nulls_first: bool,
}

/// FOR UPDATE and its kin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Its number in the statement. All uses of a CTE have the same: its rows are locked once.
    pub number: usize,
    pub mode: LockMode,
    pub relations: Vec<usize>,
    pub no_wait: bool,
    pub skip_locked: bool,
}

/// Where the rows of a query come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Select(Box<Select>),
    Values(Vec<Vec<Expr>>),
    SetOperation { operator: SetOperator, all: bool, left: Box<Query>, right: Box<Query> },
}

/// UNION and its kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperator {
    Union,
    Intersect,
    Except,
}

/// SELECT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Select {
    /// Everything in FROM, in the order of the row.
    pub relations: Vec<Relation>,
    pub width: usize,
    /// How the relations are joined; several are a cross join.
    pub from: Vec<FromItem>,
    pub filter: Option<Expr>,
    pub grouping: Option<Grouping>,
    /// What its rows are numbered by, after the grouping.
    pub windows: Vec<Window>,
    /// What is returned, then what only ORDER BY needs.
    pub targets: Vec<Expr>,
    /// DISTINCT: by how many of the first targets, all of those that are returned.
    pub distinct: bool,
}

/// A table or something like it in FROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The name that columns are qualified with.
    pub alias: String,
    pub source: Source,
    pub start: usize,
    pub columns: Vec<OutputColumn>,
}

/// What a relation is.
#[derive(Clone, Debug)]
pub enum Source {
    /// A table. Its columns are followed by the TID of the row.
    Table(Arc<Table>),
    /// A subquery, a CTE or VALUES.
    Query(Box<Query>),
    /// A function that returns rows.
    Function(SetFunction, Vec<Expr>),
}

/// A function that returns rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetFunction {
    /// `generate_series(from, to, step)` of integers.
    Series,
    /// `unnest(array)` of elements of this type.
    Unnest(Type),
    /// `pg_partition_ancestors(table)`: there are no partitions, so there are no rows.
    Ancestors,
    /// `mb_pages(relation)`: a row for each page.
    Pages,
    /// `mb_btree(index)`: a row for each level.
    Levels,
}

impl SetFunction {
    /// As it is called.
    pub fn name(self) -> &'static str {
        match self {
            SetFunction::Series => "generate_series",
            SetFunction::Unnest(_) => "unnest",
            SetFunction::Ancestors => "pg_partition_ancestors",
            SetFunction::Pages => "mb_pages",
            SetFunction::Levels => "mb_btree",
        }
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Source) -> bool {
        match (self, other) {
            (Source::Table(left), Source::Table(right)) => left.oid == right.oid,
            (Source::Query(left), Source::Query(right)) => left == right,
            (Source::Function(a, left), Source::Function(b, right)) => a == b && left == right,
            _ => false,
        }
    }
}

impl Eq for Source {}

impl Relation {
    /// Positions of its columns in the row, and of its TID if it is a table.
    pub fn positions(&self) -> std::ops::Range<usize> {
        let tid = usize::from(matches!(self.source, Source::Table(_)));
        self.start..self.start + self.columns.len() + tid
    }

    /// Position of the TID in the row.
    pub fn tid_position(&self) -> usize {
        self.start + self.columns.len()
    }
}

/// How relations are joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromItem {
    Relation(usize),
    Join {
        kind: JoinKind,
        left: Box<FromItem>,
        right: Box<FromItem>,
        condition: Option<Expr>,
    },
    /// Leaves out rows of the other items: those without a partner (semi join), or those with one
    /// (anti join). The planner makes them of EXISTS and IN.
    Exists {
        kind: JoinKind,
        right: Vec<FromItem>,
        condition: Expr,
    },
}

/// Kinds of joins. A RIGHT JOIN is a LEFT JOIN of the sides swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    /// Pairs, and rows of the left side that are in none.
    Left,
    /// Rows of the left side that are in a pair.
    Semi,
    /// Rows of the left side that are in none.
    Anti,
}

/// The conditions of joins, to be read or to be changed.
macro_rules! join_conditions {
    ($name:ident, $iter:ident $(, $mut:ident)?) => {
        /// The conditions of its joins.
        pub fn $name(&$($mut)? self) -> Vec<&$($mut)? Expr> {
            match self {
                FromItem::Relation(_) => Vec::new(),
                FromItem::Join { left, right, condition, .. } => {
                    let sides = left.$name().into_iter().chain(right.$name());
                    sides.chain(condition).collect()
                }
                FromItem::Exists { right, condition, .. } => {
                    let inner = right.$iter().flat_map(Self::$name);
                    inner.chain(std::iter::once(condition)).collect()
                }
            }
        }
    };
}

impl FromItem {
    /// The relations in it.
    pub fn relations(&self) -> Vec<usize> {
        match self {
            FromItem::Relation(number) => vec![*number],
            FromItem::Join { left, right, .. } => {
                left.relations().into_iter().chain(right.relations()).collect()
            }
            FromItem::Exists { right, .. } => right.iter().flat_map(Self::relations).collect(),
        }
    }

    /// Its joins from below, each with the relations of its right side. What is inside the right
    /// side of a left join is left out.
    pub fn joins(&self) -> Vec<(JoinKind, &Option<Expr>, Vec<usize>)> {
        let FromItem::Join { kind, left, right, condition } = self else { return Vec::new() };
        let mut all = left.joins();
        if *kind != JoinKind::Left {
            all.extend(right.joins());
        }
        all.push((*kind, condition, right.relations()));
        all
    }

    join_conditions!(conditions, iter);
    join_conditions!(conditions_mut, iter_mut, mut);

    /// Counts relations from a higher number on.
    pub fn renumber(&mut self, by: usize) {
        match self {
            FromItem::Relation(number) => *number += by,
            FromItem::Join { left, right, .. } => {
                left.renumber(by);
                right.renumber(by);
            }
            FromItem::Exists { right, .. } => right.iter_mut().for_each(|it| it.renumber(by)),
        }
    }
}

/// GROUP BY, aggregates and HAVING.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    pub keys: Vec<(Expr, ColumnType)>,
    pub aggregates: Vec<AggregateCall>,
    /// HAVING, of the grouped row.
    pub having: Option<Expr>,
}

/// OVER: rows with the same key are numbered in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub partition: Vec<Expr>,
    /// Each with the fields of a [`SortKey`] that say which way.
    pub order: Vec<(Expr, bool, bool)>,
}

/// A call of an aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregateCall {
    pub aggregate: Aggregate,
    pub arguments: Vec<Expr>,
    pub distinct: bool,
    pub filter: Option<Expr>,
}

/// INSERT, UPDATE or DELETE.
#[derive(Clone, Debug)]
pub struct Modification {
    pub operation: Operation,
    /// Where the rows come from. For UPDATE and DELETE the first relation is the table, and the
    /// targets are not used; for INSERT the targets are values for the columns named in
    /// `Write::positions`.
    pub source: Query,
    /// RETURNING, of a row with the table's columns first.
    pub returning: Vec<Expr>,
    pub columns: Vec<OutputColumn>,
}

/// What a modification does.
#[derive(Clone, Debug)]
pub enum Operation {
    Insert(Write, Option<Conflict>),
    Update(Write),
    Delete(Write),
}

impl Operation {
    /// The table that is written.
    pub fn table(&self) -> &Arc<Table> {
        match self {
            Operation::Insert(it, _) | Operation::Update(it) | Operation::Delete(it) => &it.table,
        }
    }
}

/// The table that is written, and what becomes of its columns.
#[derive(Clone, Debug)]
pub struct Write {
    pub table: Arc<Table>,
    /// For each column the value to write: for an INSERT of a row of the source, for an UPDATE of
    /// the joined row; `None`: an UPDATE leaves the column as it is.
    pub values: Vec<Option<Expr>>,
    /// CHECK constraints with their names, of a row of the table.
    pub checks: Vec<(String, Expr)>,
    /// What each index computes; empty if none computes anything.
    pub computed: Vec<Computed>,
}

/// What an index computes, of a row of the table.
#[derive(Clone, Debug, Default)]
pub struct Computed {
    /// WHERE: only rows that meet it have entries.
    pub predicate: Option<Expr>,
    /// The columns of its key that are expressions.
    pub expressions: Vec<Expr>,
}

impl Computed {
    /// All that it computes.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.predicate.iter().chain(&self.expressions)
    }
}

/// ON CONFLICT.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// The indexes whose conflicts are meant.
    pub indexes: Vec<RelationId>,
    /// DO UPDATE: new values, and WHERE, of a row with the table's columns (and the TID) first and
    /// those of `excluded` after them; `None`: DO NOTHING.
    pub update: Option<(Vec<Option<Expr>>, Option<Expr>)>,
}

/// What a query is made of, to be read or to be changed.
macro_rules! parts {
    ($expressions:ident, $queries:ident, $conditions:ident, $iter:ident $(, $mut:ident)?) => {
        /// All expressions of the query itself, those inside subqueries in FROM not included.
        fn $expressions(&$($mut)? self) -> Vec<&$($mut)? Expr> {
            let limits = self.limit.$iter().chain(self.offset.$iter());
            let mut all: Vec<&$($mut)? Expr> = limits.collect();
            match &$($mut)? self.body {
                Body::Values(rows) => all.extend(rows.$iter().flatten()),
                Body::SetOperation { .. } => {}
                Body::Select(select) => {
                    all.extend(select.from.$iter().flat_map(FromItem::$conditions));
                    all.extend(select.filter.$iter().chain(select.targets.$iter()));
                    for relation in select.relations.$iter() {
                        if let Source::Function(_, arguments) = &$($mut)? relation.source {
                            all.extend(arguments);
                        }
                    }
                    for window in select.windows.$iter() {
                        let order = window.order.$iter().map(|(expr, ..)| expr);
                        all.extend(window.partition.$iter().chain(order));
                    }
                    if let Some(grouping) = &$($mut)? select.grouping {
                        all.extend(grouping.keys.$iter().map(|(key, _)| key));
                        for call in grouping.aggregates.$iter() {
                            all.extend(call.arguments.$iter().chain(call.filter.$iter()));
                        }
                        all.extend(grouping.having.$iter());
                    }
                }
            }
            all
        }

        /// The queries in it that are no expressions, and how many levels below they are: sides of
        /// a UNION are at the same level, subqueries in FROM one below.
        fn $queries(&$($mut)? self) -> Vec<(&$($mut)? Query, usize)> {
            match &$($mut)? self.body {
                Body::Values(_) => Vec::new(),
                Body::SetOperation { left, right, .. } => vec![(left, 0), (right, 0)],
                Body::Select(select) => {
                    let sources = select.relations.$iter().map(|it| &$($mut)? it.source);
                    let queries = sources.filter_map(|it| match it {
                        Source::Query(query) => Some((&$($mut)? **query, 1)),
                        Source::Table(_) | Source::Function(..) => None,
                    });
                    queries.collect()
                }
            }
        }
    };
}

impl Query {
    /// A query without ORDER BY and LIMIT.
    pub fn plain(body: Body, columns: Vec<OutputColumn>) -> Query {
        Query { body, columns, order: Vec::new(), limit: None, offset: None, lock: None }
    }

    parts!(expressions, inner_queries, conditions, iter);
    parts!(expressions_mut, inner_queries_mut, conditions_mut, iter_mut, mut);

    /// Returns true if it uses columns of a query around it.
    pub fn is_correlated(&self) -> bool {
        let mut is_correlated = false;
        self.walk(0, &mut |expr, depth| {
            is_correlated |= matches!(expr, Expr::Column(column) if column.level > depth);
        });
        is_correlated
    }

    /// Computes the constant parts of its expressions, as [`Expr::fold`] does.
    pub fn fold_parts(&mut self, compute: &mut Compute<'_>) -> Result<()> {
        let read: Vec<usize> = self.expressions().into_iter().flat_map(Expr::positions).collect();
        // The source of an UPDATE has no columns: the new values read its row, too.
        if let (Body::Select(select), false) = (&mut self.body, self.columns.is_empty()) {
            for relation in &mut select.relations {
                if let Source::Query(query) = &mut relation.source {
                    query.drop_columns(|it| read.contains(&(relation.start + it)));
                }
            }
        }
        self.expressions_mut().into_iter().try_for_each(|it| it.fold(compute))?;
        self.inner_queries_mut().into_iter().try_for_each(|(it, _)| it.fold_parts(compute))
    }

    /// Makes NULLs of columns that nobody reads: PostgreSQL's `remove_unused_subquery_outputs`.
    pub fn drop_columns(&mut self, is_read: impl Fn(usize) -> bool) {
        // All uses of a CTE that locks share their rows, whatever each of them reads.
        let (Body::Select(select), None) = (&mut self.body, &self.lock) else { return };
        for (position, target) in select.targets.iter_mut().enumerate() {
            let is_sorted_by = self.order.iter().any(|key| key.position == position);
            let mut is_kept = select.distinct || is_sorted_by || is_read(position);
            target.walk(0, &mut |expr, _| {
                is_kept |= matches!(expr, Expr::Call(function, _) if function.is_volatile());
            });
            if !is_kept {
                *target = Expr::null(target.base());
            }
        }
    }
}

impl InnerQuery for Query {
    fn base(&self) -> Type {
        self.columns[0].column_type.base
    }

    fn walk(&self, depth: usize, each: &mut dyn FnMut(&Expr, usize)) {
        for expr in self.expressions() {
            expr.walk(depth, each);
        }
        for (query, below) in self.inner_queries() {
            query.walk(depth + below, each);
        }
    }

    fn change(
        &mut self,
        depth: usize,
        each: &mut dyn FnMut(&mut Expr, usize) -> Result<()>,
    ) -> Result<()> {
        for expr in self.expressions_mut() {
            expr.change(depth, each)?;
        }
        for (query, below) in self.inner_queries_mut() {
            query.change(depth + below, each)?;
        }
        Ok(())
    }

    fn fold(&mut self, kind: &SubqueryKind, compute: &mut Compute<'_>) -> Result<()> {
        if *kind == SubqueryKind::Exists {
            self.drop_columns(|_| false);
        }
        self.fold_parts(compute)
    }
}
