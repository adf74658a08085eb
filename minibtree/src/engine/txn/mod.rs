//! Transactions: which are running, which have committed, and what each one sees.
//!
//! | file | what it is |
//! |---|---|
//! | `commit_log.rs` | a bit per transaction, on pages |
//! | `recent.rs` | commits that are not durable yet |
//! | `snapshot.rs` | which versions a statement sees |
//! | `transaction.rs` | begin, statements, savepoints, commit, rollback |
//!
//! This file has the state that they share, [`System`], with the list of running transactions,
//! PostgreSQL's `procarray.c`. Locks and deadlocks are in the crate `minibtree/locks`.
//!
//! # The order of a commit
//!
//! 1. The bit in the commit log is set. Its log record decides the outcome.
//! 2. The transaction leaves the list of running ones: new snapshots see it.
//! 3. Its locks are released: waiting transactions go on.
//! 4. The log becomes durable up to the record.
//! 5. The client gets its reply.
//!
//! Between 2 and 4 other transactions may read changes that a crash can still undo. They must not
//! tell a client before those are durable, so they note a log position to wait for, and no version
//! is removed before the commit that deleted it is durable. In return, no hot row is locked for the
//! time of a sync. PostgreSQL releases locks after 4.

mod commit_log;
mod recent;
mod snapshot;
mod transaction;

pub use minibtree_locks::{Interrupt, LockMode, LockWait};
pub use snapshot::Snapshot;
pub use transaction::{Isolation, Savepoint, Transaction, XidStatus};

use super::Result;
use super::pool::Pool;
use crate::format::{Lsn, RelationId, Tid, Xid};
use commit_log::CommitLog;
use minibtree_locks::{Key, Locks, Owner};
use minikit::sync::Mutex;
use minikit::sync::atomic::{AtomicU64, Ordering};
use recent::RecentCommits;
use snapshot::SnapshotData;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What can be locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockKey {
    /// A running transaction. It holds this lock until it ends; others wait for it there.
    Transaction(Xid),
    /// A row, named by the first version of its chain.
    Row(RelationId, Tid),
    /// The first place among those that wait for the transaction that is changing a row.
    Queue(RelationId, Tid),
    /// A heap or index.
    Relation(RelationId),
}

impl Key for LockKey {
    fn is_row(&self) -> bool {
        matches!(self, LockKey::Row(..))
    }
}

/// The state that all transactions of a database share.
pub struct System {
    pub pool: Pool,
    commit_log: CommitLog,
    locks: Locks<LockKey>,
    running: Mutex<Running>,
    next_owner: AtomicU64,
    synchronous_commit: bool,
}

/// The transactions that have written and not ended, and the snapshots in use.
struct Running {
    /// The next transaction id.
    next: Xid,
    /// Ids below it are reserved in the log.
    limit: Xid,
    /// In order.
    active: Vec<Xid>,
    /// The number of snapshots in use by `xmin`. The smallest `xmin` holds the horizon back.
    registered: BTreeMap<Xid, usize>,
    recent: RecentCommits,
    /// The data of the last snapshot; `None` if a transaction began to write or ended since.
    snapshot_data: Option<Arc<SnapshotData>>,
}

impl System {
    /// Opens the commit log in a recovered pool.
    pub fn open(pool: Pool, synchronous_commit: bool) -> Result<System> {
        let commit_log = CommitLog::open(&pool)?;
        let next = commit_log.xid_limit(&pool)?;
        let running = Running {
            next,
            limit: next,
            active: Vec::new(),
            registered: BTreeMap::new(),
            recent: RecentCommits::default(),
            snapshot_data: None,
        };
        Ok(System {
            pool,
            commit_log,
            locks: Locks::default(),
            running: Mutex::new(running),
            next_owner: AtomicU64::new(1),
            synchronous_commit,
        })
    }

    /// A number for a new relation.
    pub fn allocate_relation_id(&self) -> Result<RelationId> {
        self.commit_log.next_relation(&self.pool)
    }

    /// No snapshot sees a version that a smaller id deleted and committed (`OldestXmin`), and no
    /// crash undoes that commit.
    pub fn horizon(&self) -> Xid {
        let mut running = self.running.lock();
        let active = running.active.first().copied();
        let oldest = running.registered.keys().next().copied();
        active.into_iter().chain(oldest).fold(self.first_undurable(&mut running), Xid::min)
    }

    fn first_undurable(&self, running: &mut Running) -> Xid {
        running.recent.first_undurable(&self.pool.wal, running.next)
    }

    /// Where the log must be durable before the commit of this id may be revealed.
    pub fn commit_lsn(&self, xid: Xid) -> Lsn {
        let mut running = self.running.lock();
        let is_durable = xid < self.first_undurable(&mut running);
        if is_durable { Lsn(0) } else { running.recent.last() }
    }

    /// The id that the next transaction will get.
    pub fn next_xid(&self) -> Xid {
        self.running.lock().next
    }

    /// Returns true if the commit bit is set. A transaction sets it before it stops running, so
    /// check [`System::is_running`] first if that matters.
    pub fn is_committed(&self, xid: Xid) -> Result<bool> {
        Ok(self.commit_log.bits(&self.pool, xid)? >> (xid.0 & 15) & 1 == 1)
    }

    /// Returns true if the transaction has not ended.
    pub fn is_running(&self, xid: Xid) -> bool {
        self.running.lock().active.binary_search(&xid).is_ok()
    }

    fn new_owner(&self) -> Owner {
        self.next_owner.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes the next transaction id.
    fn assign_xid(&self) -> Result<Xid> {
        let mut running = self.running.lock();
        if running.next >= running.limit {
            running.limit = self.commit_log.raise_xid_limit(&self.pool)?;
        }
        let xid = running.next;
        running.next.0 += 1;
        running.active.push(xid);
        running.snapshot_data = None;
        Ok(xid)
    }

    /// Removes transactions from the running ones. `commit` is the end of their commit record.
    fn end(&self, xids: &[Xid], commit: Option<Lsn>) {
        let mut running = self.running.lock();
        running.active.retain(|xid| !xids.contains(xid));
        running.snapshot_data = None;
        if let Some(lsn) = commit.filter(|_| self.synchronous_commit) {
            running.recent.push(&self.pool.wal, lsn, xids[0]);
        }
    }

    /// The data of a new snapshot, and registers the snapshot. Both happen under one lock, or the
    /// horizon could pass `xmin` in between.
    fn get_snapshot_data(&self) -> Arc<SnapshotData> {
        let mut running = self.running.lock();
        let data = running.snapshot_data.take().unwrap_or_else(|| {
            Arc::new(SnapshotData {
                xmin: running.active.first().copied().unwrap_or(running.next),
                xmax: running.next,
                active: running.active.clone(),
                first_undurable: self.first_undurable(&mut running),
                lsn: running.recent.last(),
            })
        });
        *running.registered.entry(data.xmin).or_default() += 1;
        running.snapshot_data = Some(Arc::clone(&data));
        data
    }

    /// Registers one more snapshot with the data of one that is registered.
    fn register(&self, data: &SnapshotData) {
        *self.running.lock().registered.entry(data.xmin).or_default() += 1;
    }

    /// Removes one snapshot with this `xmin`.
    fn unregister(&self, xmin: Xid) {
        let mut running = self.running.lock();
        if let Some(count) = running.registered.get_mut(&xmin) {
            *count -= 1;
            if *count == 0 {
                running.registered.remove(&xmin);
            }
        }
    }
}
