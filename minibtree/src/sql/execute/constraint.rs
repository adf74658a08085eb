//! Foreign keys, with NO ACTION: checked once the statement has made all its changes.
//!
//! * A new row needs a parent: a row of the parent table with its key. The check locks the parent
//!   FOR KEY SHARE, so that no transaction deletes it before the new row is committed.
//! * A row whose key was deleted or changed must have no child left, unless another row has the key
//!   now.
//!
//! PostgreSQL's `ri_triggers.c`, whose triggers run the same checks as SQL queries.

use super::modify::Changes;
use crate::engine::{Changed, Direction, KeyRange, LockMode, LockWait, Snapshot, Transaction};
use crate::format::Tid;
use crate::sql::catalog::{ForeignKey, Table, TableIndex};
use crate::sql::plan::Modify;
use crate::sql::values::{Value, compare};
use crate::wire::Result;
use minibtree_errors::relations::{has_children, no_parent};

/// The values of a row that needs a parent.
pub type ParentCheck = Vec<Value>;
/// The values of a row that is gone, and those that it has now, if it was updated.
pub type ChildCheck = (Vec<Value>, Option<Vec<Value>>);

/// Checks the foreign keys of all rows that a statement has changed.
///
/// # Errors
/// `23503`.
pub fn check_changes(
    plan: &Modify,
    changes: &Changes,
    transaction: &mut Transaction,
) -> Result<()> {
    let table = plan.operation.table();
    if !plan.parents.is_empty() {
        for values in &changes.new {
            check_foreign_keys(table, &plan.parents, values, transaction)?;
        }
    }
    if !plan.children.is_empty() && !changes.old.is_empty() {
        // The check must see the statement's own changes.
        transaction.next_statement();
        for change in &changes.old {
            check_children(table, plan, change, transaction)?;
        }
    }
    Ok(())
}

/// Checks that a row has its parents.
///
/// # Errors
/// `23503`.
pub fn check_foreign_keys(
    table: &Table,
    parents: &[(ForeignKey, std::sync::Arc<Table>)],
    values: &[Value],
    transaction: &mut Transaction,
) -> Result<()> {
    for (key, parent) in parents {
        // A key with a NULL refers to nothing.
        if key.columns.iter().any(|it| values[*it].is_null()) {
            continue;
        }
        if !lock_parent(key, parent, values, transaction)? {
            let shown = table.key_text(&key.columns, values);
            return Err(no_parent(&table.name, &key.name, &shown, &parent.name));
        }
    }
    Ok(())
}

/// Locks the parent of a row. Returns false if it has none.
fn lock_parent(
    key: &ForeignKey,
    parent: &Table,
    values: &[Value],
    transaction: &mut Transaction,
) -> Result<bool> {
    let Some(index) = parent.indexes.iter().find(|it| it.is_key_of(&key.parent_columns)) else {
        return Err(error!(INTERNAL_ERROR, "a foreign key lost its unique index"));
    };
    // The key in the order of the index.
    let mut wanted = vec![Value::Null; parent.columns.len()];
    for (column, position) in key.columns.iter().zip(&key.parent_columns) {
        // The column of the parent may be a smaller integer, whose keys have fewer bytes.
        if matches!(values[*column], Value::Int(it) if !parent.types[*position].holds(it)) {
            return Ok(false);
        }
        wanted[*position] = values[*column].clone();
    }
    let key = parent.key_of(index, &wanted, &[]);
    let is_meant = |values: &[Value]| parent.key_of(index, values, &[]) == key;

    // A row that another transaction inserted and has not committed is no parent. An update in
    // progress that keeps the key does not matter: KEY SHARE does not wait for it.
    transaction.next_statement();
    let snapshot = transaction.snapshot();
    let range = KeyRange::equal(&key);
    let mut entries = index.index.scan(snapshot.clone(), range, Direction::Forward);
    while let Some(entry) = entries.next()? {
        if lock_row(parent, entry.tid, &is_meant, &snapshot, transaction)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Locks the newest version of a row that the snapshot sees. Returns false if it sees none, or if
/// the row is gone or not meant anymore.
fn lock_row(
    table: &Table,
    root: Tid,
    is_meant: &impl Fn(&[Value]) -> bool,
    snapshot: &Snapshot,
    transaction: &mut Transaction,
) -> Result<bool> {
    let mut bytes = Vec::new();
    let Some(mut tid) = table.heap.fetch(root, snapshot, &mut bytes)? else { return Ok(false) };
    while is_meant(&table.decode(&bytes)?) {
        match table.heap.lock(transaction, tid, LockMode::KeyShare, LockWait::Block)? {
            Changed::Done { .. } => return Ok(true),
            Changed::Updated { newest } if table.heap.fetch_version(newest, &mut bytes)? => {
                tid = newest;
            }
            Changed::Updated { .. } | Changed::Deleted => break,
        }
    }
    Ok(false)
}

fn check_children(
    table: &Table,
    plan: &Modify,
    (old, new): &ChildCheck,
    transaction: &mut Transaction,
) -> Result<()> {
    for (key, child) in &plan.children {
        let is_same = |position: &usize| {
            let new = new.as_ref().map(|it| &it[*position]);
            new.is_some_and(|new| is_equal(&old[*position], new))
        };
        let is_unreferable = key.parent_columns.iter().any(|it| old[*it].is_null());
        if is_unreferable || key.parent_columns.iter().all(is_same) {
            continue;
        }
        let wanted: Vec<&Value> = key.parent_columns.iter().map(|it| &old[*it]).collect();
        // Another row of the statement may have the key now.
        if has_row(table, &key.parent_columns, &wanted, transaction)?
            || !has_row(child, &key.columns, &wanted, transaction)?
        {
            continue;
        }
        let shown = table.key_text(&key.parent_columns, old);
        return Err(has_children(&table.name, &key.name, &shown, &child.name));
    }
    Ok(())
}

fn is_equal(left: &Value, right: &Value) -> bool {
    !left.is_null() && !right.is_null() && compare(left, right, true).is_eq()
}

/// Returns true if a row has these values, and locks it: a transaction that is about to delete it
/// is waited for. Reads an index that begins with one of them, or the whole table.
///
/// Rows that were committed after the snapshot of a REPEATABLE READ transaction count as well.
fn has_row(
    table: &Table,
    columns: &[usize],
    wanted: &[&Value],
    transaction: &mut Transaction,
) -> Result<bool> {
    let snapshot = transaction.latest_snapshot();
    let is_meant = |values: &[Value]| {
        columns.iter().zip(wanted).all(|(column, wanted)| is_equal(&values[*column], wanted))
    };
    let is_usable =
        |it: &&TableIndex| it.predicate.is_none() && columns.contains(&it.columns[0].position);
    let index = table.indexes.iter().find(is_usable);
    let Some(index) = index else {
        let mut rows = table.heap.scan(snapshot.clone());
        while let Some(found) = rows.next()? {
            let tid = found.tid;
            if is_meant(&table.decode(found.bytes)?)
                && lock_row(table, tid, &is_meant, &snapshot, transaction)?
            {
                return Ok(true);
            }
        }
        return Ok(false);
    };

    let first = &index.columns[0];
    let at = columns.iter().position(|it| *it == first.position).expect("it was looked for");
    let mut key = Vec::new();
    crate::sql::values::key::append(table.order_of(index, first), wanted[at], &mut key);
    let direction = Direction::Forward;
    let mut entries = index.index.scan(snapshot.clone(), KeyRange::equal(&key), direction);
    while let Some(entry) = entries.next()? {
        if lock_row(table, entry.tid, &is_meant, &snapshot, transaction)? {
            return Ok(true);
        }
    }
    Ok(false)
}
