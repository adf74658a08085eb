//! Row locks: `SELECT FOR UPDATE` and its kin, and waiting for a row.
//!
//! A transaction that changes a row holds it by its `xmax`; one that only locks it is in the lock
//! table ([`LockKey::Row`]). Those that wait for an `xmax` form a queue ([`LockKey::Queue`]), so
//! that a commit wakes only the first. They do not hold the row: it may be changed again meanwhile.
//!
//! ```text
//! T1  update r          xmax = 1
//! T2  update r          Queue(r) is its own, waits for T1
//! T3  update r          waits for Queue(r)
//! T1  delete r          goes on: T2 and T3 do not hold r
//! ```
//!
//! # Who deletes a row with `FOR KEY SHARE`?
//!
//! No transaction, or a foreign key would lose its parent. The lock is on the root of a chain, and
//! updates that keep the key and the page leave the root. Any other change looks for the lock there
//! first: a new key, a deletion, and an update that has to move the row to another page.
//!
//! PostgreSQL's `heap_lock_tuple`, and its tuple locks (`README.tuplock`). There, an update copies
//! the lockers of a row to the new version, so it may move a row that is locked `FOR KEY SHARE`.

use super::{Changed, Heap, Obstacle, page};
use crate::engine::pool::PageMut;
use crate::engine::txn::{LockKey, XidStatus};
use crate::engine::{Error, LockMode, LockWait, Result, Transaction};
use crate::format::heap::{KEY_UPDATED, TupleHeader};
use crate::format::{Tid, Xid};

/// [`Heap::lock`].
pub fn lock(
    heap: &Heap,
    transaction: &mut Transaction,
    tid: Tid,
    mode: LockMode,
    wait: LockWait,
) -> Result<Changed> {
    loop {
        // The latch keeps the version as it is while the lock is entered into the table.
        let page = heap.write(tid.block)?;
        let (root, by) = match heap.obstacle(transaction, &page, tid, mode)? {
            Ok(_) => {
                let root = heap.root_on(&page, tid);
                let row = LockKey::Row(heap.id(), root);
                match transaction.acquire(row, mode, LockWait::Error) {
                    Ok(()) => return Ok(Changed::Done { tid, needs_index_entries: false }),
                    // A waiting transaction was granted the lock just now, without the latch.
                    Err(Error::LockNotAvailable) => (root, None),
                    Err(error) => return Err(error),
                }
            }
            Err(Obstacle::Changed(changed)) => return Ok(changed),
            Err(Obstacle::Held { root, by, .. }) => (root, by),
        };
        drop(page);
        wait_for(heap, transaction, root, by, mode, wait)?;
    }
}

/// The first version, from this one on, whose key another transaction has changed or is
/// changing. Versions with the same key are on one page ([`Heap::add_version`]).
pub fn key_change(
    transaction: &Transaction,
    page: &PageMut,
    tid: Tid,
) -> Result<Option<TupleHeader>> {
    for slot in page::chain(page, tid.block, tid.slot) {
        let Some((header, _)) = page::tuple(page, slot) else { break };
        let is_change = header.flags & KEY_UPDATED != 0;
        if is_change && !matches!(transaction.status_of(Xid(header.xmax))?, XidStatus::Aborted) {
            return Ok(Some(header));
        }
    }
    Ok(None)
}

/// The root of a row that another transaction has locked, or waits for, in a conflicting mode.
pub fn locked_root(
    heap: &Heap,
    transaction: &Transaction,
    page: &PageMut,
    tid: Tid,
    mode: LockMode,
) -> Option<Tid> {
    if !transaction.are_rows_locked() {
        return None;
    }
    let root = heap.root_on(page, tid);
    transaction.is_row_locked(LockKey::Row(heap.id(), root), mode).then_some(root)
}

/// Waits for a row: for those that have locked it, or for the transaction that is changing it.
pub fn wait_for(
    heap: &Heap,
    transaction: &mut Transaction,
    root: Tid,
    by: Option<Xid>,
    mode: LockMode,
    wait: LockWait,
) -> Result<()> {
    if wait == LockWait::Error {
        return Err(Error::LockNotAvailable);
    }
    let row = LockKey::Row(heap.id(), root);
    let Some(xid) = by else { return transaction.acquire(row, mode, wait) };

    // Those in the queue wait for all that have locked the row, and so must not be waited for.
    if !transaction.has_locked(row) {
        transaction.acquire(LockKey::Queue(heap.id(), root), mode, wait)?;
    }
    transaction.wait_for(xid)
}
