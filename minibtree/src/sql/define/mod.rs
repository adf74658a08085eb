//! Statements that change the catalog: CREATE, DROP, TRUNCATE, ALTER.
//!
//! | file | what it is |
//! |---|---|
//! | `table.rs` | CREATE TABLE |
//! | `index.rs` | CREATE INDEX, and the indexes of constraints |
//! | `constraint.rs` | CHECK and foreign keys |
//!
//! Each runs in a transaction that holds the lock of the catalog, so one transaction at a time
//! changes it, and locks the table in mode `Update`, so that nobody reads it meanwhile. All of them
//! can be rolled back:
//!
//! ```text
//! BEGIN
//! TRUNCATE t      t gets a new, empty heap; the old one stays on disk
//! COPY t ...      into the new heap
//! COMMIT          others see the new heap; the old file goes
//! ```
//!
//! PostgreSQL's `tablecmds.c` and `index.c`.

mod constraint;
mod index;
mod table;

use super::catalog::{Catalog, Editor, Table, undefined_table};
use super::statement::{folded, table_name};
use crate::engine::{LockMode, LockWait};
use crate::wire::{Replies, Result, Severity, SqlError, code};
use sqlparser::ast::{self, AlterTableOperation, ObjectType, TableConstraint};
use std::sync::Arc;

/// Executes a statement that changes the catalog, and returns its tag; `None` if it is another
/// statement.
///
/// # Errors
/// `42P01`, `42P07`, `42703`, `23502`, `23505`; `0A000` for what is not supported.
pub fn execute(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    statement: &ast::Statement,
    out: &mut Replies,
) -> Result<Option<&'static str>> {
    match statement {
        ast::Statement::CreateTable(create) => {
            table::create(editor, catalog, create, out)?;
            Ok(Some("CREATE TABLE"))
        }
        ast::Statement::CreateIndex(create) => {
            index::create(editor, catalog, create, out)?;
            Ok(Some("CREATE INDEX"))
        }
        ast::Statement::Drop { object_type, if_exists, names, cascade, .. } => {
            if *cascade {
                return Err(SqlError::unsupported("DROP CASCADE"));
            }
            match object_type {
                ObjectType::Table => {
                    drop_tables(editor, catalog, names, *if_exists, out)?;
                    Ok(Some("DROP TABLE"))
                }
                ObjectType::Index => {
                    drop_indexes(editor, catalog, names, *if_exists, out)?;
                    Ok(Some("DROP INDEX"))
                }
                _ => Ok(None),
            }
        }
        ast::Statement::Truncate(truncate) => {
            let names = truncate.table_names.iter().map(|it| it.to_string()).collect::<Vec<_>>();
            let table = if truncate.table { "TABLE " } else { "" };
            check_understood(truncate, &format!("TRUNCATE {table}{}", names.join(", ")))?;
            truncate_tables(editor, catalog, &truncate.table_names)?;
            Ok(Some("TRUNCATE TABLE"))
        }
        ast::Statement::AlterTable(alter) => {
            alter_table(editor, catalog, alter)?;
            Ok(Some("ALTER TABLE"))
        }
        _ => Ok(None),
    }
}

/// Refuses a statement of which something was not understood: what was is written down again and
/// compared with the whole.
fn check_understood(whole: &impl std::fmt::Display, understood: &str) -> Result<()> {
    if whole.to_string() == understood { Ok(()) } else { Err(unsupported!("{whole}")) }
}

fn lock(editor: &mut Editor<'_>, table: &Table, mode: LockMode) -> Result<()> {
    Ok(editor.transaction.lock_relation(table.oid, mode, LockWait::Block)?)
}

/// The catalog as this transaction sees it now.
fn reload(editor: &mut Editor<'_>) -> Result<Catalog> {
    editor.transaction.next_statement();
    let snapshot = editor.transaction.snapshot();
    Catalog::load(editor.database, &snapshot)
}

/// A name for an index, sequence or constraint that is not taken: `t_a_idx`, `t_a_idx1`.
fn free_name(
    table: &str,
    columns: &[String],
    label: &str,
    is_taken: impl Fn(&str) -> bool,
) -> String {
    let mut stem = [&[table.to_owned()], columns].concat().join("_");
    stem.truncate(stem.floor_char_boundary(63 - label.len() - 1));
    let numbers = std::iter::once(String::new()).chain((1..).map(|it: u32| it.to_string()));
    numbers
        .map(|number| format!("{stem}_{label}{number}"))
        .find(|name| !is_taken(name))
        .expect("there are more numbers than names")
}

/// Reports that a relation exists already. Returns true if that is the end of the statement, false
/// if it does not exist.
fn is_there(catalog: &Catalog, name: &str, if_not_exists: bool, out: &mut Replies) -> Result<bool> {
    if !catalog.has_relation(name) {
        return Ok(false);
    }
    let exists =
        SqlError::new(code::DUPLICATE_TABLE, format!("relation \"{name}\" already exists"));
    if !if_not_exists {
        return Err(exists);
    }
    let notice = SqlError { message: format!("{}, skipping", exists.message), ..exists };
    out.error(&notice.severity(Severity::Notice));
    Ok(true)
}

fn skipping(kind: &str, name: &str) -> SqlError {
    let text = format!("{kind} \"{name}\" does not exist, skipping");
    SqlError::new(code::SUCCESSFUL_COMPLETION, text).severity(Severity::Notice)
}

fn drop_tables(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    names: &[ast::ObjectName],
    if_exists: bool,
    out: &mut Replies,
) -> Result<()> {
    let names = names.iter().map(table_name).collect::<Result<Vec<_>, _>>()?;
    for name in &names {
        match catalog.get(name) {
            Some(table) => {
                lock(editor, table, LockMode::Update)?;
                let children = catalog.children_of(table.oid);
                let others = children.iter().find(|(_, child)| !names.contains(&child.name));
                if let Some((key, child)) = others {
                    let text =
                        format!("cannot drop table {name} because other objects depend on it");
                    let detail = format!(
                        "constraint {} on table {} depends on table {name}",
                        key.name, child.name
                    );
                    let hint = "Use DROP ... CASCADE to drop the dependent objects too.";
                    let error = SqlError::new(code::DEPENDENT_OBJECTS_STILL_EXIST, text);
                    return Err(error.detail(detail).hint(hint));
                }
                editor.drop_table(catalog, table)?;
            }
            None if if_exists => out.error(&skipping("table", name)),
            None => {
                let text = format!("table \"{name}\" does not exist");
                return Err(SqlError { message: text, ..undefined_table(name) });
            }
        }
    }
    Ok(())
}

fn drop_indexes(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    names: &[ast::ObjectName],
    if_exists: bool,
    out: &mut Replies,
) -> Result<()> {
    for name in names {
        let name = table_name(name)?;
        let Some(table) = catalog.table_of_index(&name) else {
            if if_exists {
                out.error(&skipping("index", &name));
                continue;
            }
            return Err(error!(UNDEFINED_OBJECT, "index \"{name}\" does not exist"));
        };
        lock(editor, table, LockMode::Update)?;
        let index = table.indexes.iter().find(|it| it.name == name).expect("it was found so");
        if index.is_constraint {
            let text = format!(
                "cannot drop index {name} because constraint {name} on table {} requires it",
                table.name
            );
            let hint = format!("You can drop constraint {name} on table {} instead.", table.name);
            return Err(SqlError::new(code::DEPENDENT_OBJECTS_STILL_EXIST, text).hint(hint));
        }
        constraint::check_unused(catalog, table, index)?;
        editor.drop_index(index)?;
    }
    Ok(())
}

fn truncate_tables(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    targets: &[ast::TruncateTableTarget],
) -> Result<()> {
    let names = targets.iter().map(|it| table_name(&it.name)).collect::<Result<Vec<_>, _>>()?;
    for name in &names {
        let table = catalog.table(name)?;
        lock(editor, table, LockMode::Update)?;
        let children = catalog.children_of(table.oid);
        if let Some((_, child)) = children.iter().find(|(_, it)| !names.contains(&it.name)) {
            let text = "cannot truncate a table referenced in a foreign key constraint";
            let detail = format!("Table \"{}\" references \"{name}\".", child.name);
            let hint = format!(
                "Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.",
                child.name
            );
            let error = SqlError::new(code::FEATURE_NOT_SUPPORTED, text);
            return Err(error.detail(detail).hint(hint));
        }
        editor.truncate(table)?;
    }
    Ok(())
}

fn alter_table(editor: &mut Editor<'_>, catalog: &Catalog, alter: &ast::AlterTable) -> Result<()> {
    let only = if alter.only { "ONLY " } else { "" };
    let operations: Vec<String> = alter.operations.iter().map(ToString::to_string).collect();
    let understood = format!("ALTER TABLE {only}{} {}", alter.name, operations.join(", "));
    check_understood(alter, &understood)?;

    let name = table_name(&alter.name)?;
    lock(editor, catalog.table(&name)?, LockMode::Update)?;
    for operation in &alter.operations {
        // Each operation sees what the ones before it have done.
        let current = reload(editor)?;
        let table = Arc::clone(current.table(&name)?);
        match operation {
            AlterTableOperation::AddConstraint { constraint, not_valid: false } => {
                add_constraint(editor, &current, &table, constraint)?;
            }
            AlterTableOperation::DropConstraint { if_exists, name, drop_behavior: None } => {
                drop_constraint(editor, &current, &table, &folded(name), *if_exists)?;
            }
            other => return Err(unsupported!("ALTER TABLE {other}")),
        }
    }
    Ok(())
}

/// Adds a constraint to a table that may have rows.
fn add_constraint(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    table: &Arc<Table>,
    constraint: &TableConstraint,
) -> Result<()> {
    match constraint {
        TableConstraint::PrimaryKey(_) | TableConstraint::Unique(_) => {
            index::add_constraint(editor, catalog, table, constraint)
        }
        TableConstraint::Check(check) => {
            constraint::add_check(editor, table, check.name.as_ref(), &check.expr, None)
        }
        TableConstraint::ForeignKey(key) => {
            constraint::add_foreign_key(editor, catalog, table, key)
        }
        other => Err(unsupported!("the constraint {other}")),
    }
}

fn drop_constraint(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    table: &Arc<Table>,
    name: &str,
    if_exists: bool,
) -> Result<()> {
    if let Some(index) = table.indexes.iter().find(|it| it.is_constraint && it.name == name) {
        constraint::check_unused(catalog, table, index)?;
        return editor.drop_index(index);
    }
    let is_there = table.checks.iter().any(|it| it.name == name)
        || table.foreign_keys.iter().any(|it| it.name == name);
    match (is_there, if_exists) {
        (true, _) => editor.drop_constraint(table.oid, name),
        (false, true) => Ok(()),
        (false, false) => {
            let text =
                format!("constraint \"{name}\" of relation \"{}\" does not exist", table.name);
            Err(SqlError::new(code::UNDEFINED_OBJECT, text))
        }
    }
}
