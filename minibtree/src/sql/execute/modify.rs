//! INSERT, UPDATE and DELETE.
//!
//! # What does an UPDATE do with a row that another transaction has just changed?
//!
//! The engine waits for that transaction. If it commits, the newest version of the row is read, and
//! is changed if it still meets the condition. READ COMMITTED demands that: two transactions that
//! add 1 to a balance must add 2.
//!
//! ```text
//! A: UPDATE .. SET b = b + 1 WHERE id = 1     b 0 -> 1
//! B: UPDATE .. SET b = b + 1 WHERE id = 1     sees 0, waits for A
//! A: COMMIT                                   B reads 1, checks id = 1, writes 2
//! ```
//!
//! PostgreSQL's `nodeModifyTable.c` and, for the second check, `EvalPlanQual` (`execMain.c`).

use super::constraint::{self, ChildCheck, ParentCheck};
use super::context::{Context, Row};
use super::evaluate::{evaluate, is_met};
use super::insertion::{Insertion, USUAL_ROW_BYTES, check_row, computed, encode, encode_new};
use super::insertion::{insert_entries, insert_long, is_indexed};
use super::open::open;
use super::scan::{tid_of, tid_value};
use crate::engine::{Changed, Error, Isolation, LockMode, LockWait, LongValues, Transaction};
use crate::format::Tid;
use crate::sql::catalog::{Table, TableIndex};
use crate::sql::plan::Modify;
use crate::sql::row::{self, Pointer};
use crate::sql::tree::{Conflict, Expr, Operation, Write};
use crate::sql::values::Value;
use crate::wire::{Result, SqlError, code};
use minibtree_errors::queries::second_update;
use std::collections::HashSet;

/// What a modification has done.
#[derive(Default)]
pub struct Outcome {
    pub count: u64,
    pub returned: Vec<Row>,
}

/// Executes a modification.
///
/// # Errors
/// `23505`, `23502`, `23503`, `23514` and whatever evaluating reports.
pub fn modify(plan: &Modify, context: &Context, transaction: &mut Transaction) -> Result<Outcome> {
    let mut memory = context.memory();
    let mut rows = open(&plan.source, context, &[])?;
    let mut changes = Changes::default();
    let mut outcome = Outcome::default();
    let mut insertion = insertion(plan, context);
    while let Some(row) = rows.next()? {
        if let (Some(insertion), Operation::Insert(write, _)) = (&mut insertion, &plan.operation) {
            let mut values = new_row(write, context, &row)?;
            if !write.table.foreign_keys.is_empty() {
                changes.new.push(values.clone());
            }
            insertion.add(&mut values, transaction)?;
            outcome.count += 1;
            continue;
        }
        let changed = match &plan.operation {
            Operation::Insert(write, conflict) => {
                insert(write, conflict.as_ref(), context, transaction, &row, &mut changes)?
            }
            Operation::Update(write) | Operation::Delete(write) => {
                change(plan, write, context, transaction, row, &mut changes)?
            }
        };
        let Some(row) = changed else { continue };
        outcome.count += 1;
        if !plan.returning.is_empty() {
            let values = plan.returning.iter().map(|expr| evaluate(expr, context, &row));
            let values = values.collect::<Result<Row, _>>()?;
            memory.take(&values)?;
            outcome.returned.push(values);
        }
    }
    drop(rows);
    if let Some(mut insertion) = insertion {
        insertion.flush(transaction)?;
    }
    constraint::check_changes(plan, &changes, transaction)?;
    Ok(outcome)
}

/// Gathers the rows of an INSERT that has several, unless RETURNING, ON CONFLICT or the order of
/// errors needs them one by one. Only the error of a too large index entry may come late.
fn insertion(plan: &Modify, context: &Context) -> Option<Insertion> {
    let Operation::Insert(write, None) = &plan.operation else { return None };
    let can_fail = !write.computed.is_empty() || write.table.indexes.iter().any(|it| it.is_unique);
    let is_gathered = plan.source.cost.rows > 1.0 && plan.returning.is_empty() && !can_fail;
    is_gathered.then(|| Insertion::new(write.clone(), Vec::new(), context.clone()))
}

/// The values of a row that is inserted.
fn new_row(write: &Write, context: &Context, source: &[Value]) -> Result<Row> {
    let values = write.values.iter().map(|expr| match expr {
        Some(expr) => evaluate(expr, context, source),
        None => Ok(Value::Null),
    });
    values.collect()
}

/// Rows that foreign keys must be checked for at the end of the statement.
#[derive(Default)]
pub struct Changes {
    /// Rows that were inserted, or updated.
    pub new: Vec<ParentCheck>,
    /// Rows that were deleted, or updated.
    pub old: Vec<ChildCheck>,
    /// Versions that ON CONFLICT must not meet again.
    inserted: HashSet<Tid>,
    /// Versions that ON CONFLICT has replaced.
    replaced: HashSet<Tid>,
}

fn insert(
    write: &Write,
    conflict: Option<&Conflict>,
    context: &Context,
    transaction: &mut Transaction,
    source: &[Value],
    changes: &mut Changes,
) -> Result<Option<Row>> {
    let values = new_row(write, context, source)?;
    check_row(write, context, &values)?;
    let table = &*write.table;
    let mut bytes = Vec::with_capacity(USUAL_ROW_BYTES);
    let mut violation = None;
    let tid = loop {
        if let Some(conflict) = conflict
            && let Some(row) = meet(write, conflict, context, transaction, &values, changes)?
        {
            return Ok(row);
        }
        if let Some(violation) = violation {
            return Err(violation);
        }
        bytes.clear();
        encode_new(table, &values, transaction, &mut bytes)?;
        let tid = table.heap.insert(transaction, &bytes)?;
        match insert_entries(write, context, &values, tid, transaction) {
            Ok(()) => break tid,
            // Another transaction has inserted the key meanwhile, and perhaps deletes it again.
            Err(error) if error.code == code::UNIQUE_VIOLATION && conflict.is_some() => {
                delete(table, tid, transaction)?;
                violation = Some(error).filter(|it| !is_meant(write, conflict, it));
            }
            Err(error) => return Err(error),
        }
    };
    if conflict.is_some() {
        changes.inserted.insert(tid);
    }
    if !table.foreign_keys.is_empty() {
        changes.new.push(values.clone());
    }
    Ok(Some(with_tid(values, tid)))
}

/// Returns true if a duplicate key is a conflict that ON CONFLICT means.
fn is_meant(write: &Write, conflict: Option<&Conflict>, violation: &SqlError) -> bool {
    let name = violation.about.as_ref().and_then(|it| it.constraint.as_ref());
    let mut indexes = write.table.indexes.iter().filter(|it| name == Some(&it.name));
    conflict.zip(indexes.next()).is_some_and(|(it, index)| it.indexes.contains(&index.index.id()))
}

/// Looks for a row that conflicts with a new one, and does what ON CONFLICT says. Returns the row
/// that was updated, if one was, or `None` if there is no conflict.
fn meet(
    write: &Write,
    conflict: &Conflict,
    context: &Context,
    transaction: &mut Transaction,
    values: &[Value],
    changes: &mut Changes,
) -> Result<Option<Option<Row>>> {
    let heap = &write.table.heap;
    for (number, index) in write.table.indexes.iter().enumerate() {
        let is_meant = conflict.indexes.contains(&index.index.id());
        if !is_meant || !is_indexed(write, context, number, values)? {
            continue;
        }
        let computed = computed(write, context, number, values)?;
        if index.columns.iter().any(|it| it.value(values, &computed).is_null()) {
            continue;
        }
        let key = write.table.key_of(index, values, &computed);
        while let Some(root) = index.index.find_live(transaction, heap, &key)? {
            let Some(update) = &conflict.update else {
                // PostgreSQL's `ExecCheckTupleVisible`.
                let (latest, mut bytes) = (transaction.latest_snapshot(), Vec::new());
                let seen = heap.fetch(root, &context.execution.snapshot, &mut bytes)?;
                let is_repeatable = transaction.isolation() == Isolation::RepeatableRead;
                if is_repeatable && heap.fetch(root, &latest, &mut bytes)? != seen {
                    return Err(Error::Serialization.into());
                }
                return Ok(Some(None));
            };
            let rows = (root, values);
            let met = conflict_update(write, update, context, transaction, rows, changes)?;
            if met.is_some() {
                return Ok(met);
            }
        }
    }
    Ok(None)
}

/// The row of a table followed by its TID, as scans fill it in.
fn with_tid(mut values: Row, tid: Tid) -> Row {
    values.push(tid_value(tid));
    values
}

/// ON CONFLICT DO UPDATE of the row that is there. Returns it, if it meets WHERE, or `None` if
/// another transaction has just changed or deleted it.
fn conflict_update(
    write: &Write,
    (values, filter): &(Vec<Option<Expr>>, Option<Expr>),
    context: &Context,
    transaction: &mut Transaction,
    (root, excluded): (Tid, &[Value]),
    changes: &mut Changes,
) -> Result<Option<Option<Row>>> {
    let table = &*write.table;
    let mut bytes = Vec::new();
    // READ COMMITTED updates a row that was committed after the statement began as well.
    let latest = transaction.latest_snapshot();
    let is_repeatable = transaction.isolation() == Isolation::RepeatableRead;
    let snapshot = if is_repeatable { &context.execution.snapshot } else { &latest };
    // Start from a version that the snapshot sees, since the first one of the chain may be pruned.
    let tid = match table.heap.fetch(root, snapshot, &mut bytes)? {
        Some(tid) => tid,
        None if changes.inserted.contains(&root) => root,
        None if is_repeatable => return Err(Error::Serialization.into()),
        None => return Ok(None),
    };
    if changes.inserted.contains(&tid) || changes.replaced.contains(&tid) {
        return Err(second_update());
    }
    // A version that another transaction has made meanwhile may have another key.
    let locked = table.heap.lock(transaction, tid, LockMode::NoKeyUpdate, LockWait::Block)?;
    let Changed::Done { .. } = locked else { return Ok(None) };
    table.heap.fetch_version(tid, &mut bytes)?;
    let old = table.decode(&bytes)?;
    let mut joined = with_tid(old.clone(), tid);
    joined.extend_from_slice(excluded);
    joined.push(Value::Null);
    if !is_met(filter, context, &joined)? {
        return Ok(Some(None));
    }
    let new = updated(values, context, &joined, &old)?;
    check_row(write, context, &new)?;
    changes.replaced.insert(tid);
    match write_version(write, context, transaction, tid, (&old, &new))? {
        Changed::Done { tid, .. } => {
            changes.inserted.insert(tid);
            note_update(write, &old, &new, changes);
            Ok(Some(Some(with_tid(new, tid))))
        }
        Changed::Updated { .. } | Changed::Deleted => {
            unreachable!("the row is locked by this transaction")
        }
    }
}

/// The columns of a row with new values.
fn updated(
    values: &[Option<Expr>],
    context: &Context,
    row: &[Value],
    old: &[Value],
) -> Result<Row> {
    let mut new = old.to_vec();
    for (position, expr) in values.iter().enumerate() {
        if let Some(expr) = expr {
            new[position] = evaluate(expr, context, row)?;
        }
    }
    Ok(new)
}

fn note_update(write: &Write, old: &[Value], new: &[Value], changes: &mut Changes) {
    changes.old.push((old.to_vec(), Some(new.to_vec())));
    let is_same = |it: &usize| is_identical(&old[*it], &new[*it]);
    if write.table.foreign_keys.iter().any(|it| !it.columns.iter().all(is_same)) {
        changes.new.push(new.to_vec());
    }
}

/// The long values that a version points to, by their columns.
fn long_values(table: &Table, tid: Tid) -> Result<Vec<(usize, Pointer)>> {
    let mut bytes = Vec::new();
    if !LongValues::of(&table.heap).exist() || !table.heap.fetch_version(tid, &mut bytes)? {
        return Ok(Vec::new());
    }
    row::pointers(&table.types, &bytes)
}

fn delete_long(
    table: &Table,
    values: impl IntoIterator<Item = Pointer>,
    transaction: &mut Transaction,
) -> Result<()> {
    let mut firsts = values.into_iter().map(|it| Tid::from_bytes(it.first));
    Ok(firsts.try_for_each(|it| LongValues::of(&table.heap).delete(transaction, it))?)
}

/// Updates or deletes the row of the table in a joined row. Returns the row for RETURNING, or
/// `None` if another transaction changed it so that it no longer meets the condition.
fn change(
    plan: &Modify,
    write: &Write,
    context: &Context,
    transaction: &mut Transaction,
    mut joined: Row,
    changes: &mut Changes,
) -> Result<Option<Row>> {
    let table = &*write.table;
    let count = table.columns.len();
    let is_delete = matches!(plan.operation, Operation::Delete(_));
    loop {
        let tid = tid_of(&joined[count]);
        let old = joined[..count].to_vec();
        let (outcome, new) = match is_delete {
            true => (delete(table, tid, transaction)?, None),
            false => {
                let new = updated(&write.values, context, &joined, &old)?;
                check_row(write, context, &new)?;
                (write_version(write, context, transaction, tid, (&old, &new))?, Some(new))
            }
        };
        match outcome {
            Changed::Deleted => return Ok(None),
            Changed::Done { tid, .. } => {
                match new {
                    None => changes.old.push((old, None)),
                    Some(new) => {
                        note_update(write, &old, &new, changes);
                        joined[..count].clone_from_slice(&new);
                        joined[count] = tid_value(tid);
                    }
                }
                if plan.children.is_empty() {
                    changes.old.clear();
                }
                return Ok(Some(joined));
            }
            Changed::Updated { newest } => {
                let mut bytes = Vec::new();
                if !table.heap.fetch_version(newest, &mut bytes)? {
                    return Ok(None);
                }
                let values = table.decode(&bytes)?;
                joined[..count].clone_from_slice(&values);
                joined[count] = tid_value(newest);
                if !is_met(&plan.filter, context, &joined)? {
                    return Ok(None);
                }
            }
        }
    }
}

/// Deletes a row with its long values.
fn delete(table: &Table, tid: Tid, transaction: &mut Transaction) -> Result<Changed> {
    let long = long_values(table, tid)?;
    let deleted = table.heap.delete(transaction, tid)?;
    if let Changed::Done { .. } = deleted {
        delete_long(table, long.into_iter().map(|it| it.1), transaction)?;
    }
    Ok(deleted)
}

/// Adds a version of a row, with its index entries. Both versions share long values that do not
/// change.
fn write_version(
    write: &Write,
    context: &Context,
    transaction: &mut Transaction,
    tid: Tid,
    (old, new): (&[Value], &[Value]),
) -> Result<Changed> {
    let table = &*write.table;
    let (mut left, mut added) = (long_values(table, tid)?, Vec::new());
    let mut bytes = Vec::with_capacity(USUAL_ROW_BYTES);
    let store = |column: usize, value: &[u8]| {
        let at = left.iter().position(|it| it.0 == column);
        if let Some(at) = at.filter(|_| is_identical(&old[column], &new[column])) {
            return Ok(left.swap_remove(at).1);
        }
        let pointer = insert_long(table, value, transaction)?;
        added.push(pointer);
        Ok(pointer)
    };
    encode(table, new, store, &mut bytes)?;
    let is_same = |index: &TableIndex| {
        let key = index.columns.iter().filter(|it| it.expression().is_none());
        key.map(|it| it.position)
            .chain(index.included.iter().copied())
            .all(|it| is_identical(&old[it], &new[it]))
    };
    // A predicate or an expression of an index may use columns that are not in its key.
    let is_placed = |it: &Expr| it.positions().iter().all(|it| is_identical(&old[*it], &new[*it]));
    let keys_unchanged = table.indexes.iter().all(is_same)
        && write.computed.iter().flat_map(|it| it.exprs()).all(is_placed);
    let changed = table.heap.update(transaction, tid, &bytes, keys_unchanged)?;
    match changed {
        Changed::Done { .. } => delete_long(table, left.into_iter().map(|it| it.1), transaction)?,
        Changed::Updated { .. } | Changed::Deleted => delete_long(table, added, transaction)?,
    }
    if let Changed::Done { tid, needs_index_entries: true } = changed {
        insert_entries(write, context, new, tid, transaction)?;
    }
    Ok(changed)
}

/// Returns true if two values print alike too: an index-only scan must not return `1.0` for a row
/// that has `1.00`.
fn is_identical(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Numeric(old), Value::Numeric(new)) => {
            old.as_bigint_and_exponent() == new.as_bigint_and_exponent()
        }
        (Value::Float(old), Value::Float(new)) => old.0.to_bits() == new.0.to_bits(),
        (old, new) => old == new,
    }
}
