//! ALTER TABLE: columns and constraints.
//!
//! ```text
//! ALTER TABLE t ADD COLUMN d int DEFAULT 5, DROP COLUMN b
//!
//! t (a, b, c)        rows 1 2 3
//! t (a, b, c, d)          1 2 3 5      new heap, new indexes, all rows again
//! t (a, c, d)             1   3 5      and again
//! ```
//!
//! Adding or dropping a column rewrites the table, because rows do not say how many columns they
//! have. Costs a new heap and new indexes. PostgreSQL's `ATExecAddColumn` (`tablecmds.c`) need not:
//! it keeps a constant default for older rows, and a dropped column keeps its place in the row.

use super::constraint::{self, is_taken};
use super::table::{self, Definition};
use super::{exists, index, lock_unused, names_of, reload};
use crate::sql::bind::{Binder, computed, insert_write};
use crate::sql::catalog::{Catalog, Column, Editor, Table};
use crate::sql::execute::{Context, Insertion};
use crate::sql::statement::{check_understood, folded, table_name};
use crate::sql::values::Value;
use crate::wire::{Replies, Result, SqlError, code};
use minibtree_errors::relations::{has_nulls, is_needed, skipping};
use sqlparser::ast::{self, AlterTableOperation, DropBehavior, TableConstraint};
use std::sync::Arc;

/// Executes ALTER TABLE.
///
/// # Errors
/// `42P01`, `42701`, `42703`, `2BP01`, `23502`, and those of constraints; `0A000`.
pub fn alter_table(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    alter: &ast::AlterTable,
    context: &Context,
    out: &mut Replies,
) -> Result<()> {
    let only = if alter.only { "ONLY " } else { "" };
    let texts: Vec<String> = alter.operations.iter().map(ToString::to_string).collect();
    let understood = format!("ALTER TABLE {only}{} {}", alter.name, texts.join(", "));
    check_understood(alter, &understood)?;

    let name = table_name(&alter.name)?;
    lock_unused(editor, catalog.table(&name)?, "ALTER TABLE")?;
    let mut operations: Vec<&AlterTableOperation> = alter.operations.iter().collect();
    operations.sort_by_key(|it| pass(it));
    for operation in operations {
        // Each operation sees what the ones before it have done.
        let current = reload(editor)?;
        let table = Arc::clone(current.table(&name)?);
        match operation {
            AlterTableOperation::AddConstraint { constraint, not_valid: false } => {
                add_constraint(editor, &current, &table, constraint, context)?;
            }
            AlterTableOperation::DropConstraint {
                if_exists,
                name,
                drop_behavior: None | Some(DropBehavior::Restrict),
            } => {
                let missing = drop_constraint(editor, &current, &table, &folded(name), *if_exists)?;
                missing.iter().for_each(|it| out.error(it));
            }
            AlterTableOperation::AddColumn {
                if_not_exists,
                column_def,
                column_position: None,
                ..
            } => {
                add_column(editor, &current, &table, (column_def, *if_not_exists), context, out)?;
            }
            AlterTableOperation::DropColumn {
                column_names,
                if_exists,
                drop_behavior: None | Some(DropBehavior::Restrict),
                ..
            } if column_names.len() == 1 => {
                let name = folded(&column_names[0]);
                drop_column(editor, &current, &table, (&name, *if_exists), context, out)?;
            }
            other => return Err(unsupported!("ALTER TABLE {other}")),
        }
    }
    Ok(())
}

/// What is dropped goes first, and constraints may use new columns (`AlterTablePass`).
fn pass(operation: &AlterTableOperation) -> usize {
    match operation {
        AlterTableOperation::DropColumn { .. } | AlterTableOperation::DropConstraint { .. } => 0,
        AlterTableOperation::AddColumn { .. } => 1,
        AlterTableOperation::AddConstraint {
            constraint: TableConstraint::ForeignKey(_), ..
        } => 3,
        _ => 2,
    }
}

/// Adds a constraint to a table that may have rows.
pub fn add_constraint(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    table: &Arc<Table>,
    constraint: &TableConstraint,
    context: &Context,
) -> Result<()> {
    match constraint {
        TableConstraint::PrimaryKey(_) | TableConstraint::Unique(_) => {
            index::add_constraint(editor, catalog, table, constraint)
        }
        TableConstraint::Check(check) => {
            constraint::add_check(editor, table, check.name.as_ref(), &check.expr, context)
        }
        TableConstraint::ForeignKey(key) => {
            constraint::add_foreign_key(editor, catalog, table, key)
        }
        other => Err(unsupported!("the constraint {other}")),
    }
}

/// Removes a constraint. Returns a notice if there is none of this name, but IF EXISTS is given.
fn drop_constraint(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    table: &Arc<Table>,
    name: &str,
    if_exists: bool,
) -> Result<Option<SqlError>> {
    if let Some(index) = table.indexes.iter().find(|it| it.is_constraint && it.name == name) {
        constraint::check_unused(catalog, table, index)?;
        return editor.drop_index(index).map(|()| None);
    }
    if is_taken(table, name) {
        return editor.drop_constraint(table.oid, name).map(|()| None);
    }
    let what = format!("constraint \"{name}\" of relation");
    match if_exists {
        true => Ok(Some(skipping(&what, &table.name))),
        false => Err(error!(UNDEFINED_OBJECT, "{what} \"{}\" does not exist", table.name)),
    }
}

fn add_column(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    table: &Arc<Table>,
    (column, if_not_exists): (&ast::ColumnDef, bool),
    context: &Context,
    out: &mut Replies,
) -> Result<()> {
    let name = folded(&column.name);
    if table.has_column(&name) {
        let text = format!("column \"{name}\" of relation \"{}\" already exists", table.name);
        return exists(SqlError::new(code::DUPLICATE_COLUMN, text), if_not_exists, out);
    }
    let mut definition = Definition::default();
    table::add_column(catalog, &table.name, &mut definition, column)?;
    if !definition.sequences.is_empty() {
        return Err(SqlError::unsupported("ADD COLUMN with a sequence"));
    }

    let old = table.columns.iter().cloned().enumerate().map(|(at, column)| (column, Some(at)));
    let new = definition.columns.into_iter().map(|column| (column, None));
    rewrite(editor, catalog, table, &old.chain(new).collect::<Vec<_>>(), context)?;
    for constraint in &definition.constraints {
        let current = reload(editor)?;
        let table = Arc::clone(current.table(&table.name)?);
        add_constraint(editor, &current, &table, constraint, context)?;
    }
    Ok(())
}

fn drop_column(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    table: &Arc<Table>,
    (name, if_exists): (&str, bool),
    context: &Context,
    out: &mut Replies,
) -> Result<()> {
    let Some(position) = table.columns.iter().position(|it| it.name == name) else {
        let what = format!("column \"{name}\" of relation");
        if !if_exists {
            return Err(error!(UNDEFINED_COLUMN, "{what} \"{}\" does not exist", table.name));
        }
        out.error(&skipping(&what, &table.name));
        return Ok(());
    };
    let mut others = catalog.children_of(table.oid);
    let uses = |key: &crate::sql::catalog::ForeignKey| key.parent_columns.contains(&position);
    others.retain(|(key, it)| it.oid != table.oid && uses(key));
    if !others.is_empty() {
        let what = format!("column {name} of table {}", table.name);
        return Err(is_needed(&what, &what, names_of(&others)));
    }
    if table.columns.len() == 1
        || table.foreign_keys.iter().any(|it| uses(it) && it.parent == table.oid.0)
    {
        return Err(unsupported!("DROP COLUMN of the only column, or of a self-referenced one"));
    }

    // Also drop the constraints and indexes that use the column, and the sequence of its default.
    let mut binder = Binder::new(catalog, &[]);
    for (check, condition) in insert_write(&mut binder, table, &[])?.checks {
        if condition.positions().contains(&position) {
            editor.drop_constraint(table.oid, &check)?;
        }
    }
    let mut left_over = (**table).clone();
    for (index, computed) in table.indexes.iter().zip(computed(&mut binder, table)?) {
        if computed.exprs().any(|it| it.positions().contains(&position)) {
            editor.drop_index(index)?;
            left_over.indexes.retain(|it| it.name != index.name);
        }
    }
    let default = table.columns[position].default.as_ref().map(|it| it.text.as_str());
    for (sequence, id) in catalog.sequences_of(table.oid) {
        if default == Some(&*table::next_value(&sequence)) {
            editor.drop_sequence(id)?;
        }
    }
    let left = table.columns.iter().cloned().enumerate().filter(|it| it.0 != position);
    let left: Vec<_> = left.map(|(at, column)| (column, Some(at))).collect();
    rewrite(editor, catalog, &left_over, &left, context)
}

/// Writes all rows of a table to a new heap, with other columns.
fn rewrite(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    table: &Table,
    columns: &[(Column, Option<usize>)],
    context: &Context,
) -> Result<()> {
    let mut rows = table.heap.scan(editor.transaction.latest_snapshot());
    editor.redefine(catalog, table, columns)?;

    let current = reload(editor)?;
    let mut binder = Binder::new(&current, &[]);
    let kept: Vec<usize> = (0..columns.len()).filter(|it| columns[*it].1.is_some()).collect();
    let write = insert_write(&mut binder, current.table(&table.name)?, &kept)?;
    let mut insertion = Insertion::new(write, Vec::new(), context.clone());
    while let Some(found) = rows.next()? {
        editor.transaction.check_interrupt()?;
        let old = table.decode(found.bytes)?;
        let value = |at: &Option<usize>| at.map_or(Value::Null, |it| old[it].clone());
        let mut values = columns.iter().map(|(_, at)| value(at)).collect();
        insertion.insert(&mut values, editor.transaction).map_err(|error| match error.code {
            code::NOT_NULL_VIOLATION => {
                let name = &columns.last().expect("a column was added").0.name;
                has_nulls(&table.name, name)
            }
            _ => error,
        })?;
    }
    insertion.flush(editor.transaction)
}
