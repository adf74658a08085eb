//! A transaction: its ids, its statements, and how it ends.
//!
//! A transaction gets an id when it first writes. After a savepoint, the next write takes a new id.
//! Rolling back to the savepoint drops the ids taken since, and their versions are dead, like those
//! of any transaction without a commit bit. A commit sets the bits of all remaining ids in one log
//! record.
//!
//! ```text
//! BEGIN; INSERT a; SAVEPOINT s; INSERT b; ROLLBACK TO s; INSERT c; COMMIT
//! ids    10                     11                       12
//! bits of 10 and 12 are set: a and c exist, b does not
//! ```
//!
//! PostgreSQL's `xact.c`. Its subtransactions nest in a tree with a log of their parents
//! (`subtrans.c`), because a subtransaction has a status of its own; here it has none.

use super::snapshot::{Inserted, Snapshot};
use super::{Interrupt, LockKey, LockMode, LockWait, System};
use crate::engine::Result;
use crate::engine::pool::Relation;
use crate::format::{Lsn, RelationId, Tid, Xid};
use minibtree_locks::Waiter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The isolation level: which commits of other transactions a transaction sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Each statement sees what was committed before it began.
    ReadCommitted,
    /// All statements see what was committed before the first one began.
    RepeatableRead,
}

/// A point to roll back to: the lengths of the transaction's lists when it was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Savepoint {
    xids: usize,
    locks: usize,
    created: usize,
    dropped: usize,
}

/// The status of a transaction for the one that asks, which may be the same: `Own`.
pub enum XidStatus {
    Own,
    InProgress,
    Committed,
    Aborted,
}

/// A transaction of one thread. Dropping it rolls it back, which costs nothing per row: versions of
/// a transaction without a commit bit are dead.
pub struct Transaction {
    pub(in crate::engine) system: Arc<System>,
    isolation: Isolation,
    waiter: Waiter,
    /// The ids of its writes in ascending order, without those that were rolled back.
    xids: Vec<Xid>,
    /// The next write takes a new id.
    is_new_xid_due: bool,
    /// The number of the current statement, from 0 on.
    pub(in crate::engine) command: u32,
    snapshot: Option<Arc<Snapshot>>,
    inserted: Arc<Inserted>,
    /// Where the log must be durable before a client is told what the transaction has seen.
    seen: Arc<AtomicU64>,
    locks: Vec<LockKey>,
    created: Vec<RelationId>,
    dropped: Vec<RelationId>,
    has_ended: bool,
}

impl Transaction {
    /// Begins a transaction. Writes no log.
    pub(in crate::engine) fn begin(system: Arc<System>, isolation: Isolation) -> Transaction {
        Transaction {
            waiter: Waiter::new(system.new_owner()),
            system,
            isolation,
            xids: Vec::new(),
            is_new_xid_due: true,
            command: 0,
            snapshot: None,
            inserted: Arc::default(),
            seen: Arc::default(),
            locks: Vec::new(),
            created: Vec::new(),
            dropped: Vec::new(),
            has_ended: false,
        }
    }

    /// The snapshot of the current statement. The first call takes it.
    pub fn snapshot(&mut self) -> Arc<Snapshot> {
        let snapshot = self.snapshot.take().unwrap_or_else(|| {
            let data = self.system.get_snapshot_data();
            self.snapshot_of(data)
        });
        self.snapshot = Some(Arc::clone(&snapshot));
        snapshot
    }

    /// A snapshot of what is committed now, at any isolation level, and of the transaction's own
    /// changes before this statement. DDL reads the catalog with it, under a lock that keeps other
    /// transactions from changing the catalog. PostgreSQL's `GetLatestSnapshot`.
    pub fn latest_snapshot(&self) -> Arc<Snapshot> {
        self.snapshot_of(self.system.get_snapshot_data())
    }

    /// The snapshot of a REPEATABLE READ transaction, without its own changes. `None` at another
    /// level, and before the first statement.
    pub fn original_snapshot(&self) -> Option<Arc<Snapshot>> {
        let snapshot = self.snapshot.as_ref();
        let data = snapshot.filter(|_| self.isolation == Isolation::RepeatableRead)?.data();
        self.system.register(data);
        let (system, data) = (Arc::clone(&self.system), Arc::clone(data));
        let seen = Arc::clone(&self.seen);
        Some(Arc::new(Snapshot::new(system, data, Vec::new(), 0, Arc::default(), seen)))
    }

    /// Begins the next statement. It sees the changes of the statements before it and, under READ
    /// COMMITTED, what other transactions have committed since.
    pub fn next_statement(&mut self) {
        self.command += 1;
        let old = self.snapshot.take();
        if let Some(old) = old.filter(|_| self.isolation == Isolation::RepeatableRead) {
            self.system.register(old.data());
            self.snapshot = Some(self.snapshot_of(Arc::clone(old.data())));
        }
    }

    fn snapshot_of(&self, data: Arc<super::SnapshotData>) -> Arc<Snapshot> {
        let (system, inserted) = (Arc::clone(&self.system), Arc::clone(&self.inserted));
        let (own, seen) = (self.xids.clone(), Arc::clone(&self.seen));
        Arc::new(Snapshot::new(system, data, own, self.command, inserted, seen))
    }

    /// The isolation level it was begun with.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// The transaction id to write with. The first call assigns one, and so does the first call
    /// after a savepoint.
    pub fn xid(&mut self) -> Result<Xid> {
        if self.is_new_xid_due {
            let xid = self.system.assign_xid()?;
            self.xids.push(xid);
            self.is_new_xid_due = false;
            self.acquire(LockKey::Transaction(xid), LockMode::Update, LockWait::Block)?;
        }
        Ok(*self.xids.last().expect("assigned above or before"))
    }

    /// Lets `interrupt` cancel the waits of this transaction.
    pub fn set_interrupt(&mut self, interrupt: Interrupt) {
        self.waiter.interrupt = interrupt;
    }

    /// Fails if it was canceled. For loops that do not wait.
    pub fn check_interrupt(&self) -> Result<()> {
        Ok(self.waiter.interrupt.check()?)
    }

    /// Raises `seen` to where the log must be durable before a client is told what the transaction
    /// has seen ([`Database::wait_durable`](crate::engine::Database::wait_durable)).
    pub fn set_seen(&mut self, seen: Arc<AtomicU64>) {
        self.seen = seen;
    }

    /// Limits how long each wait for a lock may take.
    pub fn set_lock_timeout(&mut self, limit: Option<Duration>) {
        self.waiter.limit = limit;
    }

    /// Drops a heap or index when the transaction commits. The caller holds its lock in mode
    /// [`LockMode::Update`].
    pub fn drop_relation(&mut self, id: RelationId) {
        self.dropped.push(id);
    }

    /// A function that returns true while another transaction waits to have a relation, which this
    /// one has locked in mode [`LockMode::KeyShare`], to itself.
    pub fn watch_relation(&self, id: RelationId) -> impl Fn() -> bool + use<> {
        // An owner of no locks: the table tells the owner of one only about other holders.
        let (system, observer) = (Arc::clone(&self.system), self.system.new_owner());
        let key = LockKey::Relation(id);
        move || system.locks.is_row_locked(observer, key, LockMode::KeyShare)
    }

    /// Locks a relation until the end of the transaction. [`LockMode`] says which statements take
    /// which mode.
    pub fn lock_relation(&mut self, id: RelationId, mode: LockMode, wait: LockWait) -> Result<()> {
        self.acquire(LockKey::Relation(id), mode, wait)
    }

    /// Marks a point to roll back to.
    pub fn savepoint(&mut self) -> Savepoint {
        self.is_new_xid_due = true;
        Savepoint {
            xids: self.xids.len(),
            locks: self.locks.len(),
            created: self.created.len(),
            dropped: self.dropped.len(),
        }
    }

    /// Undoes all changes since the savepoint, and begins the next statement. The savepoint remains
    /// and can be used again.
    pub fn rollback_to(&mut self, savepoint: Savepoint) -> Result<()> {
        let undone = self.xids.split_off(savepoint.xids);
        self.system.end(&undone, None);
        self.is_new_xid_due = true;

        self.system.locks.release(self.waiter.owner, self.locks.drain(savepoint.locks..));
        self.dropped.truncate(savepoint.dropped);
        for id in self.created.split_off(savepoint.created) {
            self.system.pool.drop_relation(id)?;
        }
        self.next_statement();
        Ok(())
    }

    /// Commits. When it returns, the changes and what the transaction has seen are durable (unless
    /// `synchronous_commit` is off); other transactions see the changes a moment earlier.
    ///
    /// An error means a rollback, except [`Error::LogFailed`]: the commit may or may not have
    /// reached the disk, and the process must end.
    ///
    /// [`Error::LogFailed`]: crate::engine::Error::LogFailed
    pub fn commit(mut self) -> Result<()> {
        let system = Arc::clone(&self.system);
        let wal = &system.pool.wal;
        let lsn = match self.xids.as_slice() {
            // Without an id it wrote no rows, but new relations have first pages in the log.
            [] if self.created.is_empty() => Lsn(0),
            [] => wal.end(),
            // This record decides the outcome. After an error, dropping `self` rolls back.
            xids => self.system.commit_log.commit(&self.system.pool, xids)?,
        };
        self.end(Some(lsn));

        if self.system.synchronous_commit || !self.dropped.is_empty() {
            wal.flush(lsn.max(Lsn(self.seen.load(Ordering::Relaxed))))?;
        }
        // As in `drop` below: the next start removes a file that could not be deleted.
        self.dropped.iter().for_each(|id| drop(self.system.pool.drop_relation(*id)));
        Ok(())
    }

    /// Returns true if this is an id of the transaction that it has not rolled back.
    pub(in crate::engine) fn is_own(&self, xid: Xid) -> bool {
        self.xids.contains(&xid)
    }

    /// The status of an id now, not at the time of a snapshot. [`Xid::NONE`] counts as aborted: it
    /// has changed nothing.
    pub(in crate::engine) fn status_of(&self, xid: Xid) -> Result<XidStatus> {
        if xid == Xid::NONE {
            return Ok(XidStatus::Aborted);
        }
        if self.is_own(xid) {
            return Ok(XidStatus::Own);
        }
        // In this order: a transaction sets its bit before it stops running.
        if self.system.is_running(xid) {
            return Ok(XidStatus::InProgress);
        }
        if !self.system.is_committed(xid)? {
            return Ok(XidStatus::Aborted);
        }
        self.seen.fetch_max(self.system.commit_lsn(xid).0, Ordering::Relaxed);
        Ok(XidStatus::Committed)
    }

    /// Remembers that `relation` was created, so that a rollback removes it.
    pub(in crate::engine) fn created(&mut self, relation: &Relation) {
        self.created.push(relation.id);
    }

    /// Remembers which statement inserted a row that the transaction now deletes.
    pub(in crate::engine) fn remember_inserted(&self, id: RelationId, tid: Tid, command: u32) {
        self.inserted.lock().entry((id, tid)).or_insert(command);
    }

    /// Locks a key until the end of the transaction.
    pub(in crate::engine) fn acquire(
        &mut self,
        key: LockKey,
        mode: LockMode,
        wait: LockWait,
    ) -> Result<()> {
        let locks = &self.system.locks;
        if locks.acquire(&self.waiter, key, mode, wait)? {
            self.locks.push(key);
        }
        Ok(())
    }

    /// Returns true if another transaction holds or awaits a conflicting lock. Does not wait.
    pub(in crate::engine) fn is_row_locked(&self, row: LockKey, mode: LockMode) -> bool {
        self.system.locks.is_row_locked(self.waiter.owner, row, mode)
    }

    /// Returns true if any transaction has locked a row. Cheap.
    pub(in crate::engine) fn are_rows_locked(&self) -> bool {
        self.system.locks.has_rows()
    }

    /// Returns true if the transaction has locked the row.
    pub(in crate::engine) fn has_locked(&self, row: LockKey) -> bool {
        self.locks.contains(&row)
    }

    /// Waits until another transaction has ended.
    pub(in crate::engine) fn wait_for(&self, xid: Xid) -> Result<()> {
        let (locks, key) = (&self.system.locks, LockKey::Transaction(xid));
        locks.acquire(&self.waiter, key, LockMode::Share, LockWait::Block)?;
        locks.release(self.waiter.owner, [key]);
        Ok(())
    }

    /// Ends the transaction in memory: new snapshots see that, then its locks are released.
    fn end(&mut self, commit: Option<Lsn>) {
        self.has_ended = true;
        self.snapshot = None;
        if !self.xids.is_empty() {
            self.system.end(&self.xids, commit);
        }
        if !self.locks.is_empty() {
            self.system.locks.release(self.waiter.owner, self.locks.drain(..));
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        self.end(None);
        for id in self.created.drain(..) {
            // If that fails, `Database::remove_orphans` removes the file at the next start.
            let _ = self.system.pool.drop_relation(id);
        }
    }
}
