//! The cleaner: runs VACUUM and ANALYZE on tables that have changed enough, so that no client has
//! to. PostgreSQL's autovacuum.
//!
//! ```text
//! look 1   t: 251 of 1,000 rows updated    vacuumed, analyzed, plans are made again
//! look 2   t: 400 more, but a transaction from before holds the horizon: nothing can be removed
//! look 3   the transaction has ended       vacuumed, analyzed
//! ```
//!
//! The cleaner is a session without a client. It never waits for a lock: a table that a statement
//! is altering or dropping is left to the next look. Reads and writes of the table continue, and
//! a page is latched only while its own dead versions are removed. If a statement waits to have the
//! table to itself, like ALTER TABLE or CREATE INDEX, the cleaner leaves it after 64 pages at most,
//! and begins again at the next look.
//!
//! PostgreSQL's `autovacuum.c` has a launcher and workers; the thresholds are the same. A statement
//! that has waited for a worker for a second cancels it (`ProcSleep` in `proc.c`).

use super::{Session, maintenance};
use crate::engine::{Error, Interrupt, LockMode, LockWait, Result as EngineResult, Vacuumed};
use crate::format::RelationId;
use crate::sql::catalog::{HEAPS, Table};
use crate::sql::shared::Shared;
use crate::wire::{Result, code};
use std::rc::Rc;
use std::sync::Arc;

/// The cleaner rests after this many pages, or hundreds of rows: each is one call of `pause`.
const REST_AFTER: u32 = 64;

/// What the cleaner has done with a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// The name of the table.
    pub table: String,
    /// What a vacuum did, if there was one.
    pub vacuumed: Option<Vacuumed>,
    /// True if statistics were collected.
    pub is_analyzed: bool,
}

/// Cleans every table that needs it, each in a transaction of its own, then the catalog. Calls
/// `rest` after every 64 pages, while no page is latched, and stops if it returns false.
///
/// # Errors
/// What the engine reports; `57014` after `rest` has returned false.
pub fn clean_tables(shared: &Arc<Shared>, rest: &dyn Fn() -> bool) -> Result<Vec<Cleaned>> {
    let mut session = Session::new(Arc::clone(shared), Interrupt::default());
    session.refresh_catalog()?;
    let catalog = Rc::clone(&session.catalog);
    let mut cleaned = Vec::new();
    for table in catalog.tables() {
        match clean(&mut session, table, rest) {
            Ok(done) => cleaned.extend(done),
            Err(error) if error.code == code::LOCK_NOT_AVAILABLE => session.abort(),
            Err(error) => return Err(error),
        }
    }
    for (id, _) in HEAPS {
        clean_catalog(&mut session, id, rest)?;
    }
    Ok(cleaned)
}

/// Vacuums a heap of the catalog if it needs that and no other transaction holds its lock.
fn clean_catalog(session: &mut Session, id: RelationId, rest: &dyn Fn() -> bool) -> Result<()> {
    let shared = Arc::clone(&session.shared);
    let heap = shared.database.heap(id)?;
    if !heap.activity().needs_vacuum(0.0, shared.database.horizon().0) {
        return Ok(());
    }
    let transaction = session.begin_statement()?;
    match transaction.lock_relation(id, LockMode::Update, LockWait::Error) {
        Ok(()) => drop(shared.database.vacuum_with(&heap, &[], &mut pause(rest, || false))?),
        Err(Error::LockNotAvailable) => {}
        Err(error) => return Err(error.into()),
    }
    session.commit()
}

/// What a vacuum calls after each page. It ends the vacuum if another transaction wants the table.
fn pause(
    rest: &dyn Fn() -> bool,
    is_wanted: impl Fn() -> bool,
) -> impl FnMut() -> EngineResult<()> {
    let mut calls = 0;
    move || {
        calls += 1;
        if calls % REST_AFTER != 0 {
            return Ok(());
        }
        match rest() {
            false => Err(Error::Canceled),
            true if is_wanted() => Err(Error::LockNotAvailable),
            true => Ok(()),
        }
    }
}

fn clean(session: &mut Session, table: &Table, rest: &dyn Fn() -> bool) -> Result<Option<Cleaned>> {
    let shared = Arc::clone(&session.shared);
    let known = shared.statistics.lock().get(&table.heap.id()).map_or(0.0, |it| it.rows);
    let activity = table.heap.activity();
    let needs_vacuum = activity.needs_vacuum(known, shared.database.horizon().0);
    let needs_analyze = activity.needs_analyze(known);
    if !needs_vacuum && !needs_analyze {
        return Ok(None);
    }

    let transaction = session.begin_statement()?;
    transaction.lock_relation(table.oid, LockMode::KeyShare, LockWait::Error)?;
    let is_wanted = transaction.watch_relation(table.oid);
    session.refresh_catalog()?;
    // The table may have been dropped or truncated before it was locked.
    let current = session.catalog.by_oid(table.oid).cloned();
    let Some(table) = current.filter(|it| it.heap.id() == table.heap.id()) else {
        session.abort();
        return Ok(None);
    };

    let mut pause = pause(rest, is_wanted);
    let mut vacuumed = None;
    if needs_vacuum {
        vacuumed = Some(maintenance::vacuum_table(session, &table, LockWait::Error, &mut pause)?);
    }
    if needs_analyze {
        maintenance::analyze_table(session, &table, LockWait::Error, &mut pause)?;
    }
    session.commit()?;
    if needs_analyze {
        maintenance::plan_again(&shared);
    }
    Ok(Some(Cleaned { table: table.name.clone(), vacuumed, is_analyzed: needs_analyze }))
}
