//! FROM: the relations of a query, and how they are joined.
//!
//! ```text
//! FROM a LEFT JOIN b ON b.x = a.x, c
//!
//! relations   0: a   1: b   2: c
//! from        [Join { Left, 0, 1, b.x = a.x }, 2]
//! ```

use crate::{Expr, OutputColumn, Query};
use minibtree_types::values::Type;

/// A table or something like it in FROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation<Table> {
    /// The name that columns are qualified with.
    pub alias: String,
    /// What it is.
    pub source: Source<Table>,
    /// Position of its first column in the row of the query.
    pub start: usize,
    /// Its columns.
    pub columns: Vec<OutputColumn>,
}

/// What a relation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<Table> {
    /// A table. Its columns are followed by the TID of the row.
    Table(Table),
    /// A subquery, a CTE or VALUES.
    Query(Box<Query<Table>>),
    /// A function that returns rows.
    Function(SetFunction, Vec<Expr<Table>>),
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

impl<Table> Relation<Table> {
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
pub enum FromItem<Table> {
    /// One of [`Select::relations`](crate::Select::relations).
    Relation(usize),
    /// JOIN.
    Join {
        /// INNER or LEFT.
        kind: JoinKind,
        /// The outer side.
        left: Box<FromItem<Table>>,
        /// The side that has NULLs in a left join for a row without a partner.
        right: Box<FromItem<Table>>,
        /// ON.
        condition: Option<Expr<Table>>,
    },
    /// Leaves out rows of the other items: those without a partner (semi join), or those with one
    /// (anti join). The planner makes them of EXISTS and IN.
    Exists {
        /// A semi or an anti join.
        kind: JoinKind,
        /// What partners are looked for in.
        right: Vec<FromItem<Table>>,
        /// What makes a row a partner.
        condition: Expr<Table>,
    },
}

/// One join: its kind, its condition, and the relations of its right side.
pub type Join<'q, Table> = (JoinKind, &'q Option<Expr<Table>>, Vec<usize>);

/// Kinds of joins. A RIGHT JOIN is a LEFT JOIN of the sides swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs.
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
        pub fn $name(&$($mut)? self) -> Vec<&$($mut)? Expr<Table>> {
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

impl<Table> FromItem<Table> {
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

    /// Its joins from below. What is inside the right side of a left join is left out.
    pub fn joins(&self) -> Vec<Join<'_, Table>> {
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
