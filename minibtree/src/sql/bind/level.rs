//! Name scopes: a stack of levels, one for each query around the expression.
//!
//! ```text
//! SELECT (SELECT max(b.z) FROM b WHERE b.x = a.x) FROM a
//!
//! levels   0: a (x, y)
//!          1: b (x, z)        a.x is found one level up: Column { level: 1, position: 0 }
//! ```
//!
//! PostgreSQL's `ParseState`, whose parents form the same chain.

use crate::sql::catalog::Catalog;
use crate::sql::tree::{AggregateCall, Column, Expr, Query, Relation, Source, Window};
use crate::sql::values::{ColumnType, Type};
use crate::wire::Result;
use minibtree_errors::relations::{missing_relation, undefined_column};

/// The state of binding a statement.
pub struct Binder<'a> {
    pub catalog: &'a Catalog,
    /// The types of the parameters; `None` if nothing has decided one yet.
    pub parameters: Vec<Option<Type>>,
    /// The queries around the expression, from the outside in.
    pub levels: Vec<Level>,
    /// The locking clauses so far, which have numbers.
    pub locks: usize,
    /// Casts of constants are kept, not computed, because the catalog shows the expression.
    pub keeps_casts: bool,
}

/// A query that is being bound.
#[derive(Default)]
pub struct Level {
    /// The relations of its FROM clause.
    pub relations: Vec<Relation>,
    /// The columns that can be named, in the order of `*`.
    pub names: Vec<Name>,
    pub aggregates: Vec<AggregateCall>,
    pub windows: Vec<Window>,
    /// The clause that is being bound, as error messages name it.
    pub clause: &'static str,
    /// The name of a clause that belongs to no query: it has no subqueries and parameters.
    pub detached: Option<&'static str>,
    /// Aggregates are allowed in the clause.
    pub allows_aggregates: bool,
    pub ctes: Vec<(String, Query)>,
}

/// A column that can be named.
#[derive(Clone, Debug)]
pub struct Name {
    pub table: String,
    pub name: String,
    pub position: usize,
    pub column_type: ColumnType,
    /// USING has merged it into another column, which its name alone now stands for.
    pub is_merged: bool,
}

/// An expression and its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    pub expr: Expr,
    pub column_type: ColumnType,
    /// Where it is in the statement; 0 is unknown.
    pub start: u64,
}

impl Typed {
    /// An expression of a type without a modifier.
    pub fn new(expr: Expr, base: Type) -> Typed {
        Typed { expr, column_type: base.plain(), start: 0 }
    }

    /// The type without its modifier.
    pub fn base(&self) -> Type {
        self.column_type.base
    }
}

impl<'a> Binder<'a> {
    /// A binder at the start of a statement.
    pub fn new(catalog: &'a Catalog, parameters: &[Option<Type>]) -> Binder<'a> {
        let parameters = parameters.to_vec();
        Binder { catalog, parameters, levels: Vec::new(), locks: 0, keeps_casts: false }
    }

    /// Binds in a new level inside the current one.
    pub fn inside<T>(
        &mut self,
        clause: &'static str,
        bind: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.levels.push(Level { clause, detached: clause.strip_suffix('s'), ..Level::default() });
        let bound = bind(self);
        self.levels.pop();
        bound
    }

    /// The innermost query that is being bound.
    pub fn level(&mut self) -> &mut Level {
        self.levels.last_mut().expect("something is bound")
    }

    /// Sets the clause of the current query that is bound next.
    pub fn clause(&mut self, clause: &'static str, allows_aggregates: bool) {
        let level = self.level();
        (level.clause, level.allows_aggregates) = (clause, allows_aggregates);
    }

    /// A column by its name alone.
    ///
    /// # Errors
    /// `42703` or `42702`.
    pub fn column(&self, name: &str) -> Result<Typed> {
        for (level, names) in self.visible() {
            let mut found = names.iter().filter(|it| it.name == name && !it.is_merged);
            let Some(first) = found.next() else { continue };
            if found.next().is_some() {
                return Err(error!(AMBIGUOUS_COLUMN, "column reference \"{name}\" is ambiguous"));
            }
            return Ok(first.at(level));
        }
        Err(undefined_column(name))
    }

    /// A column of a relation.
    ///
    /// # Errors
    /// `42703`, `42702` or `42P01`.
    pub fn column_of(&self, table: &str, name: &str) -> Result<Typed> {
        for (level, names) in self.visible() {
            if !names.iter().any(|it| it.table == table) {
                continue;
            }
            let mut found = names.iter().filter(|it| it.table == table && it.name == name);
            let first = found.next().ok_or_else(|| undefined_column(&format!("{table}.{name}")))?;
            if found.next().is_none() {
                return Ok(first.at(level));
            }
            // ON CONFLICT of a table with this name sees two of them.
            return Err(match table {
                "excluded" => error!(AMBIGUOUS_ALIAS, "table reference \"{table}\" is ambiguous"),
                _ => error!(AMBIGUOUS_COLUMN, "column reference \"{name}\" is ambiguous"),
            });
        }
        // A table that has another name in this query.
        let relations = self.levels.iter().rev().flat_map(|it| &it.relations);
        let is_meant = |it: &&Relation| matches!(&it.source, Source::Table(it) if it.name == table);
        let renamed = relations.filter(is_meant).find(|it| it.alias != table);
        Err(missing_relation(table, renamed.map(|it| &*it.alias)))
    }

    /// Returns true if a relation of this name is in scope.
    pub fn has_table(&self, table: &str) -> bool {
        self.visible().any(|(_, names)| names.iter().any(|it| it.table == table))
    }

    fn visible(&self) -> impl Iterator<Item = (usize, &[Name])> {
        self.levels.iter().rev().enumerate().map(|(level, it)| (level, &it.names[..]))
    }

    /// The query of this name in a WITH clause, if there is one.
    ///
    /// # Errors
    /// `0A000` if it is correlated and is not used in the query that has the WITH clause itself.
    pub fn cte(&self, name: &str) -> Result<Option<Query>> {
        for (distance, level) in self.levels.iter().rev().enumerate() {
            let Some((_, query)) = level.ctes.iter().rev().find(|it| it.0 == name) else {
                continue;
            };
            if distance > 0 && query.is_correlated() {
                return Err(unsupported!("the correlated query {name}"));
            }
            return Ok(Some(query.clone()));
        }
        Ok(None)
    }
}

impl Name {
    /// The column as an expression in a subquery that is `level` levels below.
    pub fn at(&self, level: usize) -> Typed {
        let (position, column_type) = (self.position, self.column_type);
        let expr = Expr::Column(Column { level, position, column_type });
        Typed { expr, column_type, start: 0 }
    }
}
