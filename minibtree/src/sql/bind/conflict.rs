//! ON CONFLICT: the indexes that it is about, and what becomes of the row that is there.
//!
//! ```text
//! UNIQUE (a, b)                        ON CONFLICT (b, a)
//! UNIQUE (lower(email))                ON CONFLICT (lower(email))
//! UNIQUE (a) WHERE is_open             ON CONFLICT (a) WHERE is_open
//! ```
//!
//! PostgreSQL's `transformOnConflictArbiter` (`parse_clause.c`) and `infer_arbiter_indexes`
//! (`plancat.c`). A collation or operator class in the target is refused.

use super::expression::boolean;
use super::from;
use super::implied::is_implied;
use super::level::Binder;
use super::select::column;
use super::write::{PREDICATES, assignments, computed, condition, index_expression};
use crate::format::RelationId;
use crate::sql::catalog::{Table, TableIndex};
use crate::sql::statement::{parse_expression, table_name};
use crate::sql::tree::{Conflict, ConflictUpdate, Expr};
use crate::wire::{Result, SqlError};
use minibtree_errors::queries::{no_conflict_target, no_unique_index};
use minibtree_grammar::QUOTE;
use sqlparser::ast;
use std::sync::Arc;

/// Binds ON CONFLICT.
///
/// # Errors
/// `42P10` if no unique index has the keys that it names, `42704` if there is no such constraint.
pub fn conflict(
    binder: &mut Binder,
    table: &Arc<Table>,
    alias: &str,
    on: &ast::OnConflict,
) -> Result<Conflict> {
    let unique = table.indexes.iter().filter(|it| it.is_unique);
    let indexes = match &on.conflict_target {
        None => unique.map(|it| it.index.id()).collect(),
        Some(ast::ConflictTarget::Columns { columns, predicate }) => {
            inferred(binder, table, columns, predicate.as_ref())?
        }
        Some(ast::ConflictTarget::OnConstraint(name)) => {
            let name = table_name(name)?;
            let found: Vec<_> =
                unique.filter(|it| it.name == name).map(|it| it.index.id()).collect();
            if found.is_empty() {
                let text =
                    format!("constraint \"{name}\" for table \"{}\" does not exist", table.name);
                return Err(SqlError::new("42704", text));
            }
            found
        }
    };
    let update = match &on.action {
        ast::OnConflictAction::DoNothing => None,
        ast::OnConflictAction::DoUpdate(_) if on.conflict_target.is_none() => {
            return Err(no_conflict_target());
        }
        ast::OnConflictAction::DoUpdate(update) => {
            Some(binder.inside("", |binder| conflict_update(binder, table, alias, update))?)
        }
    };
    Ok(Conflict { indexes, update })
}

/// The unique indexes with these columns and expressions as keys, in any order, whose predicates
/// follow from this one (`infer_arbiter_indexes`).
fn inferred(
    binder: &mut Binder,
    table: &Arc<Table>,
    targets: &[ast::Ident],
    predicate: Option<&ast::Expr>,
) -> Result<Vec<RelationId>> {
    let mut wanted = Vec::new();
    for target in targets {
        // Places in a text that is parsed on its own are not those in the statement.
        let place = |error| SqlError { position: Some(target.span.start.column), ..error };
        let exprs = match target.quote_style {
            Some(QUOTE) => match parse_expression(&format!("({})", target.value)).map_err(place)? {
                ast::Expr::Tuple(exprs) => exprs,
                expr => vec![expr],
            },
            _ => vec![ast::Expr::Identifier(target.clone())],
        };
        for expr in exprs {
            wanted.push(index_expression(binder, table, &expr).map_err(place)?.expr);
        }
    }
    let conditions = predicate.map(|it| condition(binder, table, it, PREDICATES)).transpose()?;
    let conditions = conditions.map_or(Vec::new(), Expr::conjuncts);

    let computed = computed(binder, table)?;
    let is_meant = |(number, index): &(usize, &TableIndex)| {
        let keys = index.columns.iter().map(|key| match key.expression() {
            Some(expression) => computed[*number].expressions[expression].clone(),
            None => column(key.position, table.columns[key.position].column_type),
        });
        let keys: Vec<Expr> = keys.collect();
        let predicate = computed.get(*number).and_then(|it| it.predicate.as_ref());
        index.is_unique
            && keys.iter().all(|it| wanted.contains(it))
            && wanted.iter().all(|it| keys.contains(it))
            && predicate.is_none_or(|it| is_implied(it, &conditions))
    };
    let found = table.indexes.iter().enumerate().filter(is_meant);
    let found: Vec<RelationId> = found.map(|it| it.1.index.id()).collect();
    if found.is_empty() { Err(no_unique_index()) } else { Ok(found) }
}

fn conflict_update(
    binder: &mut Binder,
    table: &Arc<Table>,
    alias: &str,
    update: &ast::DoUpdate,
) -> Result<ConflictUpdate> {
    let (_, mut names) = from::table_relation(binder, table, alias)?;
    let (_, excluded) = from::table_relation(binder, table, "excluded")?;
    names.extend(excluded);
    binder.level().names = names;
    binder.clause("UPDATE", false);
    let values = assignments(binder, table, &update.assignments)?;
    binder.clause("WHERE", false);
    let filter = update.selection.as_ref().map(|it| boolean(binder, it, "WHERE")).transpose()?;
    Ok((values, filter))
}
