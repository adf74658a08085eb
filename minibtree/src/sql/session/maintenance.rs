//! VACUUM, ANALYZE and REINDEX.
//!
//! ```text
//! VACUUM VERBOSE t    INFO:  vacuumed "t": 45 pages, 10 dead rows and 10 index entries removed
//! ANALYZE             every table is sampled, and every cached plan is made again
//! REINDEX TABLE t     each index of t is built into a new file; the old ones go at the commit
//! ```
//!
//! PostgreSQL's `commands/vacuum.c` and `indexcmds.c` commit after each table. Here the statement
//! is one transaction, so it holds the locks of all its tables until the end.

use super::Session;
use crate::engine::{LockMode, LockWait, Pause, Vacuumed};
use crate::sql::analyze::analyze as collect_statistics;
use crate::sql::catalog::Table;
use crate::sql::define;
use crate::sql::shared::Shared;
use crate::sql::statement::{Reindex, Vacuum};
use crate::wire::{Replies, Result, Severity, SqlError, code};
use minibtree_statistics::TableStatistics;
use std::rc::Rc;
use std::sync::Arc;

/// Collects the statistics of tables, or of all tables if none is named.
///
/// # Errors
/// `42P01`.
pub fn analyze(session: &mut Session, names: &[String], out: &mut Replies) -> Result<()> {
    analyze_tables(session, names)?;
    out.command_complete("ANALYZE");
    Ok(())
}

fn analyze_tables(session: &mut Session, names: &[String]) -> Result<()> {
    each_table(session, names, |session, table| {
        let interrupt = session.interrupt.clone();
        analyze_table(session, table, LockWait::Block, &mut || Ok(interrupt.check()?))
    })?;
    plan_again(&session.shared);
    Ok(())
}

/// Collects the statistics of a table that is locked. Calls `pause` for every hundredth row.
pub fn analyze_table(
    session: &mut Session,
    table: &Table,
    wait: LockWait,
    pause: Pause<'_>,
) -> Result<()> {
    session.transaction()?.lock_relation(table.heap.id(), LockMode::Update, wait)?;
    let snapshot = session.transaction()?.snapshot();
    let found = collect_statistics(table, snapshot, pause)?;
    table.heap.activity().analyzed();
    keep_statistics(session, table, found)
}

/// Stores the statistics of a table whose heap is locked. The planner uses them from now on, even
/// if the transaction is rolled back.
fn keep_statistics(session: &mut Session, table: &Table, found: TableStatistics) -> Result<()> {
    let shared = Arc::clone(&session.shared);
    session.editor(&shared.database)?.set_statistics(table, &found)?;
    Arc::make_mut(&mut shared.statistics.lock()).insert(table.heap.id(), Arc::new(found));
    Ok(())
}

/// Makes every session plan its cached statements again, with the new statistics.
pub fn plan_again(shared: &Shared) {
    shared.versions.begin_change();
    shared.versions.end_change();
}

/// Removes dead rows from tables, or from all tables if none is named.
///
/// # Errors
/// `25001` in a block, beside other statements in one Query, or in a pipeline; `42P01`.
pub fn vacuum(session: &mut Session, vacuum: &Vacuum, out: &mut Replies) -> Result<()> {
    if session.is_in_block() {
        return Err(error!(ACTIVE_SQL_TRANSACTION, "VACUUM cannot run inside a transaction block"));
    }
    if session.is_pipeline {
        return Err(error!(ACTIVE_SQL_TRANSACTION, "VACUUM cannot be executed within a pipeline"));
    }
    each_table(session, &vacuum.tables, |session, table| {
        let interrupt = session.interrupt.clone();
        let mut pause = || Ok(interrupt.check()?);
        let done = vacuum_table(session, table, LockWait::Block, &mut pause)?;
        if vacuum.verbose {
            let text = format!(
                "vacuumed \"{}\": {} pages, {} dead rows and {} index entries removed",
                table.name, done.pages, done.rows, done.index_entries
            );
            let info = SqlError::new(code::SUCCESSFUL_COMPLETION, text);
            out.error(&info.severity(Severity::Info));
        }
        Ok(())
    })?;
    match vacuum.analyze {
        true => analyze_tables(session, &vacuum.tables)?,
        false => plan_again(&session.shared),
    }
    out.command_complete("VACUUM");
    Ok(())
}

/// Vacuums a table that is locked.
pub fn vacuum_table(
    session: &mut Session,
    table: &Table,
    wait: LockWait,
    pause: Pause<'_>,
) -> Result<Vacuumed> {
    // The lock of the heap keeps out a second vacuum.
    let heap = table.heap.id();
    session.transaction()?.lock_relation(heap, LockMode::Update, wait)?;
    let indexes: Vec<_> = table.indexes.iter().map(|it| it.index.clone()).collect();
    let done = session.shared.database.vacuum_with(&table.heap, &indexes, pause)?;

    // The planner and `pg_class` believe these numbers. What is known of columns stays.
    let known = session.shared.statistics.lock().get(&heap).cloned();
    let size = (table.heap.activity().rows() as f64, table.heap.pages());
    if known.as_ref().map(|it| (it.rows, it.pages)) != Some(size) {
        let columns = known.map_or(Vec::new(), |it| it.columns.clone());
        keep_statistics(session, table, TableStatistics { rows: size.0, pages: size.1, columns })?;
    }
    Ok(done)
}

/// Rebuilds indexes.
///
/// # Errors
/// `25001` for a schema or database in a block; those of [`define::reindex`].
pub fn reindex(session: &mut Session, reindex: &Reindex, out: &mut Replies) -> Result<()> {
    let many = match reindex {
        Reindex::Schema(_) => Some("SCHEMA"),
        Reindex::Database(_) => Some("DATABASE"),
        Reindex::Index(_) | Reindex::Table(_) => None,
    };
    if let Some(what) = many.filter(|_| session.is_in_block()) {
        let text = format!("REINDEX {what} cannot run inside a transaction block");
        return Err(SqlError::new(code::ACTIVE_SQL_TRANSACTION, text));
    }
    session.define(|editor, catalog, context| {
        define::reindex(editor, catalog, reindex, context, out)?;
        out.command_complete("REINDEX");
        Ok(())
    })
}

/// Locks each named table, or every table, against DROP and calls `each` with it.
fn each_table(
    session: &mut Session,
    names: &[String],
    mut each: impl FnMut(&mut Session, &Table) -> Result<()>,
) -> Result<()> {
    session.refresh_catalog()?;
    let catalog = Rc::clone(&session.catalog);
    let names = match names {
        [] => catalog.tables().map(|it| it.name.clone()).collect(),
        names => names.to_vec(),
    };
    for name in names {
        let oid = catalog.table(&name)?.oid;
        session.transaction()?.lock_relation(oid, LockMode::KeyShare, LockWait::Block)?;
        session.refresh_catalog()?;
        let table = Arc::clone(session.catalog.table(&name)?);
        each(session, &table)?;
    }
    Ok(())
}
