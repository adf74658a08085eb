//! Statements that change the catalog: CREATE, DROP, TRUNCATE, ALTER.
//!
//! | file | what it is |
//! |---|---|
//! | `table.rs` | CREATE TABLE |
//! | `index.rs` | CREATE INDEX, and the indexes of constraints |
//! | `constraint.rs` | CHECK and foreign keys |
//! | `alter.rs` | ALTER TABLE |
//!
//! Each takes two locks until the transaction ends: that of the catalog, which one transaction at a
//! time holds, and that of the table in mode `Update`, which keeps all readers out. All of them can
//! be rolled back:
//!
//! ```text
//! BEGIN
//! TRUNCATE t      t gets a new, empty heap; the old one stays on disk
//! COPY t ...      into the new heap
//! COMMIT          others see the new heap; the old file is deleted
//! ```
//!
//! PostgreSQL's `tablecmds.c` and `index.c`.

mod alter;
mod constraint;
mod index;
mod table;

use super::catalog::{Catalog, Editor, ForeignKey, Table};
use super::execute::Context;
use super::statement::{Reindex, check_understood, table_name};
use crate::engine::{LockMode, LockWait};
use crate::wire::{Replies, Result, Severity, SqlError, code};
use minibtree_errors::relations::{
    is_needed, is_of_constraint, is_referenced, skipping, undefined_table,
};
use sqlparser::ast::{self, ObjectType};
use std::sync::Arc;

/// Executes a statement that changes the catalog, and returns its tag; `None` for any other
/// statement. Defaults and conditions are evaluated in `context`.
///
/// # Errors
/// `42P01`, `42P07`, `42703`, `23502`, `23505`; `0A000` for what is not supported.
pub fn execute(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    statement: &ast::Statement,
    context: &Context,
    out: &mut Replies,
) -> Result<Option<&'static str>> {
    match statement {
        ast::Statement::CreateTable(create) => {
            table::create(editor, catalog, create, context, out)?;
            Ok(Some("CREATE TABLE"))
        }
        ast::Statement::CreateIndex(create) => {
            index::create(editor, catalog, create, context, out)?;
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
            alter::alter_table(editor, catalog, alter, context, out)?;
            Ok(Some("ALTER TABLE"))
        }
        _ => Ok(None),
    }
}

/// Executes REINDEX.
///
/// # Errors
/// `42P01`, `42809`, `3F000`; `0A000` for another database.
pub fn reindex(
    editor: &mut Editor<'_>,
    catalog: &Catalog,
    reindex: &Reindex,
    context: &Context,
    out: &mut Replies,
) -> Result<()> {
    let wrong = |name: &str, kind: &str| match catalog.has_relation(name) {
        true => error!(WRONG_OBJECT_TYPE, "\"{name}\" is not {kind}"),
        false => undefined_table(name),
    };
    match reindex {
        Reindex::Index(name) => {
            let table = catalog.table_of_index(name).ok_or_else(|| wrong(name, "an index"))?;
            index::rebuild(editor, catalog, table, |it| it == name, context)
        }
        Reindex::Table(name) => {
            let kind = "a table or materialized view";
            let table = catalog.get(name).ok_or_else(|| wrong(name, kind))?;
            if table.indexes.is_empty() {
                let text = format!("table \"{name}\" has no indexes to reindex");
                let notice = SqlError::new(code::SUCCESSFUL_COMPLETION, text);
                out.error(&notice.severity(Severity::Notice));
            }
            index::rebuild(editor, catalog, table, |_| true, context)
        }
        Reindex::Schema(name) if name != "public" => {
            Err(error!(UNDEFINED_SCHEMA, "schema \"{name}\" does not exist"))
        }
        Reindex::Database(name) if name != "postgres" => {
            Err(error!(FEATURE_NOT_SUPPORTED, "can only reindex the currently open database"))
        }
        Reindex::Schema(_) | Reindex::Database(_) => catalog
            .tables()
            .try_for_each(|it| index::rebuild(editor, catalog, it, |_| true, context)),
    }
}

fn lock(editor: &mut Editor<'_>, table: &Table) -> Result<()> {
    Ok(editor.transaction.lock_relation(table.oid, LockMode::Update, LockWait::Block)?)
}

/// Locks a table for a statement that changes its columns or files. `55006` if a cursor of this
/// session reads it; PostgreSQL lets it read the table while an index is rebuilt or dropped.
fn lock_unused(editor: &mut Editor<'_>, table: &Table, what: &str) -> Result<()> {
    lock(editor, table)?;
    if !editor.in_use.contains(&table.oid) {
        return Ok(());
    }
    let why = "because it is being used by active queries in this session";
    Err(error!(OBJECT_IN_USE, "cannot {what} \"{}\" {why}", table.name))
}

/// The catalog as this transaction sees it now.
fn reload(editor: &mut Editor<'_>) -> Result<Catalog> {
    editor.transaction.next_statement();
    let snapshot = editor.transaction.latest_snapshot();
    Catalog::load(editor.database, &snapshot)
}

/// Returns false if no relation has this name. If one has, [`exists`] decides, and the statement is
/// done.
fn is_there(catalog: &Catalog, name: &str, if_not_exists: bool, out: &mut Replies) -> Result<bool> {
    if !catalog.has_relation(name) {
        return Ok(false);
    }
    let error = error!(DUPLICATE_TABLE, "relation \"{name}\" already exists");
    exists(error, if_not_exists, out).map(|()| true)
}

/// What is to be created exists: an error, or with IF NOT EXISTS a notice.
fn exists(error: SqlError, if_not_exists: bool, out: &mut Replies) -> Result<()> {
    if !if_not_exists {
        return Err(error);
    }
    let notice = SqlError { message: format!("{}, skipping", error.message), ..error };
    out.error(&notice.severity(Severity::Notice));
    Ok(())
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
                lock(editor, table)?;
                let mut others = catalog.children_of(table.oid);
                others.retain(|(_, child)| !names.contains(&child.name));
                if !others.is_empty() {
                    let what = format!("table {name}");
                    return Err(is_needed(&what, &what, names_of(&others)));
                }
                lock_unused(editor, table, "DROP TABLE")?;
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

/// Foreign keys and their tables, by their names.
fn names_of(keys: &[(ForeignKey, Arc<Table>)]) -> impl Iterator<Item = (&str, &str)> {
    keys.iter().map(|(key, table)| (&*key.name, &*table.name))
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
        lock(editor, table)?;
        let index = table.indexes.iter().find(|it| it.name == name).expect("it was found so");
        if index.is_constraint {
            return Err(is_of_constraint(&name, &table.name));
        }
        constraint::check_unused(catalog, table, index)?;
        lock_unused(editor, table, "DROP INDEX of")?;
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
        lock_unused(editor, table, "TRUNCATE")?;
        let children = catalog.children_of(table.oid);
        if let Some((_, child)) = children.iter().find(|(_, it)| !names.contains(&it.name)) {
            return Err(is_referenced(name, &child.name));
        }
        editor.truncate(table)?;
    }
    Ok(())
}
