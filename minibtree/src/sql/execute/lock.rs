//! FOR UPDATE and FOR SHARE: each row is locked before it is returned.
//!
//! If another transaction has changed the row, the newest version is read, and is returned if it
//! still meets WHERE and ON, as in an UPDATE. A subquery locks its rows when the statement begins;
//! in PostgreSQL, whose `nodeLockRows.c` this is, when they are read.

use super::context::{Context, Row};
use super::evaluate::{evaluate, is_met};
use super::open::{limits, open};
use super::scan::{tid_of, tid_value};
use crate::engine::{Changed, Error, LockWait, Transaction};
use crate::sql::plan::LockRows;
use crate::sql::tree::JoinKind;
use crate::sql::values::Value;
use crate::wire::{Result, SqlError, code};
use minibtree_streams::rows::Rows;
use std::rc::Rc;

/// Rows that are locked as they are returned.
pub struct Locking {
    plan: Rc<LockRows>,
    rows: Box<dyn Rows>,
    left: Option<u64>,
    skipped: u64,
}

impl Locking {
    pub fn open(plan: &Rc<LockRows>, context: &Context) -> Result<Locking> {
        let (left, skipped) = limits(&plan.limit, &plan.offset, context)?;
        let rows = open(&plan.input, context, &[])?;
        Ok(Locking { plan: Rc::clone(plan), rows, left, skipped })
    }

    /// The next row, locked.
    ///
    /// # Errors
    /// `55P03` with NOWAIT, `40001`, `40P01`.
    pub fn next(
        &mut self,
        context: &Context,
        transaction: &mut Transaction,
    ) -> Result<Option<Row>> {
        if self.left == Some(0) {
            return Ok(None);
        }
        while let Some(row) = self.rows.next()? {
            let Some(row) = lock_row(&self.plan, context, transaction, row)? else { continue };
            if self.skipped > 0 {
                self.skipped -= 1;
                continue;
            }
            self.left = self.left.map(|left| left - 1);
            let values = self.plan.targets.iter().map(|expr| evaluate(expr, context, &row));
            return values.collect::<Result<_, _>>().map(Some);
        }
        Ok(None)
    }
}

/// Locks the rows that a joined row consists of. Returns `None` if one is gone, no longer meets
/// WHERE, or is locked with SKIP LOCKED: the query must not return the joined row.
fn lock_row(
    plan: &LockRows,
    context: &Context,
    transaction: &mut Transaction,
    mut row: Row,
) -> Result<Option<Row>> {
    let may_fail = plan.lock.no_wait || plan.lock.skip_locked;
    let wait = if may_fail { LockWait::Error } else { LockWait::Block };
    let mut has_changed = false;
    for (table, start) in &plan.relations {
        let position = start + table.columns.len();
        loop {
            match table.heap.lock(transaction, tid_of(&row[position]), plan.lock.mode, wait) {
                Ok(Changed::Done { .. }) => break,
                Ok(Changed::Deleted) => return Ok(None),
                Ok(Changed::Updated { newest }) => {
                    let mut bytes = Vec::new();
                    if !table.heap.fetch_version(newest, &mut bytes)? {
                        return Ok(None);
                    }
                    let values = table.decode(&bytes)?;
                    row[*start..position].clone_from_slice(&values);
                    row[position] = tid_value(newest);
                    has_changed = true;
                }
                Err(Error::LockNotAvailable) if plan.lock.skip_locked => return Ok(None),
                Err(Error::LockNotAvailable) => {
                    let text =
                        format!("could not obtain lock on row in relation \"{}\"", table.name);
                    return Err(SqlError::new(code::LOCK_NOT_AVAILABLE, text));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    if !has_changed {
        return Ok(Some(row));
    }
    for (kind, condition, right) in &plan.joins {
        match is_met(condition, context, &row)? {
            true => {}
            false if *kind == JoinKind::Left => right.iter().for_each(|it| row[*it] = Value::Null),
            false => return Ok(None),
        }
    }
    Ok(is_met(&plan.filter, context, &row)?.then_some(row))
}
