//! Adding CHECK constraints and foreign keys. `execute/constraint.rs` enforces foreign keys.

use super::{lock, names_of};
use crate::sql::bind::{self, Binder, insert_write, target_columns};
use crate::sql::catalog::{Catalog, Check, Constraint, Editor, ForeignKey, Table, TableIndex};
use crate::sql::execute::{Context, check_foreign_keys, evaluate};
use crate::sql::statement::{check_actions, folded, table_name};
use crate::sql::values::Value;
use crate::wire::{Result, SqlError, code};
use minibtree_errors::relations::{
    constraint_exists, is_needed, is_violated, no_comparison, no_key, undefined_column,
};
use minibtree_schema::{can_refer, free_name};
use sqlparser::ast;
use std::sync::Arc;

/// Adds a CHECK constraint, and checks the existing rows.
///
/// # Errors
/// `42710`, `23514`, and those of binding the condition.
pub fn add_check(
    editor: &mut Editor<'_>,
    table: &Arc<Table>,
    name: Option<&ast::Ident>,
    condition: &ast::Expr,
    context: &Context,
) -> Result<()> {
    let catalog = super::reload(editor)?;
    let (condition, used) = bind::shown_condition(&catalog, table, condition, "check constraints")?;
    let name = match name {
        Some(name) => folded(name),
        None => {
            let used: Vec<String> = used.iter().map(|it| table.columns[*it].name.clone()).collect();
            let columns = if used.len() == 1 { used } else { Vec::new() };
            free_name(&table.name, &columns, "check", |name| is_taken(table, name))
        }
    };
    if is_taken(table, &name) {
        return Err(constraint_exists(&name, &table.name));
    }
    let check = Check { name: name.clone(), condition };
    editor.add_constraint(table.oid, &Constraint::Check(check))?;

    // The existing rows must meet it.
    let catalog = super::reload(editor)?;
    let mut binder = Binder::new(&catalog, &[]);
    let write = insert_write(&mut binder, catalog.table(&table.name)?, &[])?;
    let bound = write.checks.iter().filter(|it| it.0 == name);
    let mut rows = table.heap.scan(editor.transaction.latest_snapshot());
    while let Some(found) = rows.next()? {
        editor.transaction.check_interrupt()?;
        let values = table.decode(found.bytes)?;
        for (_, condition) in bound.clone() {
            if evaluate(condition, context, &values)? == Value::Bool(false) {
                return Err(is_violated(&table.name, &name));
            }
        }
    }
    Ok(())
}

pub fn is_taken(table: &Table, name: &str) -> bool {
    table.checks.iter().any(|it| it.name == name)
        || table.foreign_keys.iter().any(|it| it.name == name)
        || table.indexes.iter().any(|it| it.is_constraint && it.name == name)
}

/// Adds a foreign key, and checks the existing rows.
///
/// # Errors
/// `42830`, `42804`, `23503`; `0A000` for actions other than NO ACTION.
pub fn add_foreign_key(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    table: &Arc<Table>,
    constraint: &ast::ForeignKeyConstraint,
) -> Result<()> {
    check_actions(constraint)?;
    let parent = Arc::clone(catalog.table(&table_name(&constraint.foreign_table)?)?);
    lock(editor, &parent)?;
    let names: Vec<String> = constraint.columns.iter().map(folded).collect();
    let columns = key_columns(table, &names)?;
    let parent_columns = match constraint.referred_columns.is_empty() {
        false => {
            let names: Vec<String> = constraint.referred_columns.iter().map(folded).collect();
            key_columns(&parent, &names)?
        }
        true => {
            let key = parent.indexes.iter().find(|it| it.is_primary).ok_or_else(|| {
                let text =
                    format!("there is no primary key for referenced table \"{}\"", parent.name);
                SqlError::new(code::UNDEFINED_OBJECT, text)
            })?;
            key.positions()
        }
    };
    let name = match &constraint.name {
        Some(name) => folded(name),
        None => free_name(&table.name, &names, "fkey", |name| is_taken(table, name)),
    };
    if is_taken(table, &name) {
        return Err(constraint_exists(&name, &table.name));
    }
    check_key(table, &columns, &parent, &parent_columns, &name)?;

    let key = ForeignKey { name, columns, parent: parent.oid.0, parent_columns };
    editor.add_constraint(table.oid, &Constraint::ForeignKey(key.clone()))?;
    editor.transaction.next_statement();
    let mut rows = table.heap.scan(editor.transaction.latest_snapshot());
    let parents = [(key, parent)];
    while let Some(found) = rows.next()? {
        editor.transaction.check_interrupt()?;
        let values = table.decode(found.bytes)?;
        check_foreign_keys(table, &parents, &values, editor.transaction)?;
    }
    Ok(())
}

fn key_columns(table: &Table, names: &[String]) -> Result<Vec<usize>> {
    match names.iter().find(|name| !table.has_column(name)) {
        Some(name) => {
            let text =
                format!("column \"{name}\" referenced in foreign key constraint does not exist");
            Err(SqlError { message: text, ..undefined_column(name) })
        }
        None => target_columns(table, names),
    }
}

fn check_key(
    table: &Table,
    columns: &[usize],
    parent: &Table,
    parent_columns: &[usize],
    name: &str,
) -> Result<()> {
    if columns.len() != parent_columns.len() {
        let text = "number of referencing and referenced columns for foreign key disagree";
        return Err(SqlError::new(code::INVALID_FOREIGN_KEY, text));
    }
    if !parent.indexes.iter().any(|it| it.is_key_of(parent_columns)) {
        return Err(no_key(&parent.name));
    }
    for (column, other) in columns.iter().zip(parent_columns) {
        let (left, right) = (table.types[*column], parent.types[*other]);
        if !can_refer(left, right)? {
            let (from, to) = (&table.columns[*column].name, &parent.columns[*other].name);
            return Err(no_comparison(name, (from, left.name()), (to, right.name())));
        }
    }
    Ok(())
}

/// Refuses to drop an index that a foreign key needs.
///
/// # Errors
/// `2BP01`.
pub fn check_unused(catalog: &Catalog, table: &Table, index: &TableIndex) -> Result<()> {
    let mut keys = catalog.children_of(table.oid);
    keys.retain(|(key, _)| index.is_key_of(&key.parent_columns));
    if keys.is_empty() {
        return Ok(());
    }
    let what = format!("constraint {} on table {}", index.name, table.name);
    Err(is_needed(&what, &format!("index {}", index.name), names_of(&keys)))
}
