//! Heaps: rows in no order, several versions of each.

use super::txn::{Shared, State};
use super::{Error, Isolation, LockMode, LockWait, Result, Snapshot, Transaction};
use crate::format::{RelationId, Tid, Xid};
use minikit::sync::Arc;

/// One version of a row.
pub(super) struct Version {
    pub row: Vec<u8>,
    pub xmin: Xid,
    pub xmax: Xid,
    pub cmin: u32,
    pub cmax: u32,
    pub next: Option<Tid>,
}

/// What became of a row that [`Heap::update`], [`Heap::delete`] or [`Heap::lock`] was called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Done.
    Done {
        /// The new version after an update, else the version itself.
        tid: Tid,
        /// Index entries must be added for the new version. False after an update that stayed on
        /// the page of the old version and changed no key: the old entries lead to it.
        needs_index_entries: bool,
    },
    /// READ COMMITTED only: another transaction updated the row and committed, after the snapshot
    /// was taken. Nothing was changed. Read the newest version by [`Heap::fetch_version`], check
    /// the statement's condition again, and call again with its TID.
    Updated {
        /// The newest version that is known.
        newest: Tid,
    },
    /// The row was deleted: by another transaction after the snapshot was taken (READ COMMITTED),
    /// or by this very statement. Skip it.
    Deleted,
}

/// A row found by a scan.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Where this version is.
    pub tid: Tid,
    /// What was inserted.
    pub bytes: &'a [u8],
}

/// A handle of a heap. Cloning is cheap.
#[derive(Clone)]
pub struct Heap {
    pub(super) shared: Arc<Shared>,
    pub(super) id: RelationId,
}

impl Heap {
    /// The longest row, in bytes.
    pub const ROW_MAX: usize = 8_120;

    /// The number it was created with.
    pub fn id(&self) -> RelationId {
        self.id
    }

    /// Inserts a row. [`Error::TooLarge`] if it is longer than [`Heap::ROW_MAX`].
    pub fn insert(&self, transaction: &mut Transaction, row: &[u8]) -> Result<Tid> {
        if row.len() > Heap::ROW_MAX {
            return Err(Error::TooLarge { size: row.len(), limit: Heap::ROW_MAX });
        }
        let (xmin, cmin) = (transaction.xid()?, transaction.command);
        let mut state = self.shared.state.lock();
        let row = row.to_vec();
        let version = Version { row, xmin, xmax: Xid::NONE, cmin, cmax: 0, next: None };
        Ok(self.push(&mut state, version))
    }

    /// Follows the same-page chain that starts at `tid` to the version that the snapshot sees,
    /// and copies it into `row`. Returns where that version is, or `None` if the snapshot sees
    /// none.
    pub fn fetch(&self, tid: Tid, snapshot: &Snapshot, row: &mut Vec<u8>) -> Result<Option<Tid>> {
        let state = self.shared.state.lock();
        let Some(version) = self.version(&state, tid) else { return Ok(None) };
        if !snapshot.sees(version, &state.committed) {
            return Ok(None);
        }
        row.clear();
        row.extend_from_slice(&version.row);
        Ok(Some(tid))
    }

    /// Copies exactly this version into `row`, without regard to snapshots. Returns false if the
    /// version is gone. For the recheck after [`Changed::Updated`].
    pub fn fetch_version(&self, tid: Tid, row: &mut Vec<u8>) -> Result<bool> {
        let state = self.shared.state.lock();
        let Some(version) = self.version(&state, tid) else { return Ok(false) };
        row.clear();
        row.extend_from_slice(&version.row);
        Ok(true)
    }

    /// Returns true if every row on the page of `tid` is seen by every snapshot, so that an
    /// index-only scan need not read it. Reads no page.
    pub fn is_all_visible(&self, tid: Tid) -> bool {
        let _ = tid;
        false
    }

    /// Replaces a version by a new one. Waits for a transaction that is changing the row.
    ///
    /// `keys_unchanged` says that no index of the heap has another key or payload for the new row.
    pub fn update(
        &self,
        transaction: &mut Transaction,
        tid: Tid,
        row: &[u8],
        keys_unchanged: bool,
    ) -> Result<Changed> {
        let _ = keys_unchanged;
        if row.len() > Heap::ROW_MAX {
            return Err(Error::TooLarge { size: row.len(), limit: Heap::ROW_MAX });
        }
        let xid = transaction.xid()?;
        if let Some(other) = self.mark(transaction, tid, LockWait::Block, true)? {
            return Ok(other);
        }
        let command = transaction.command;
        let mut state = self.shared.state.lock();
        let row = row.to_vec();
        let new = Version { row, xmin: xid, xmax: Xid::NONE, cmin: command, cmax: 0, next: None };
        let new = self.push(&mut state, new);
        self.version_mut(&mut state, tid).next = Some(new);
        Ok(Changed::Done { tid: new, needs_index_entries: true })
    }

    /// Deletes a version. Waits for a transaction that is changing the row.
    pub fn delete(&self, transaction: &mut Transaction, tid: Tid) -> Result<Changed> {
        transaction.xid()?;
        let other = self.mark(transaction, tid, LockWait::Block, true)?;
        Ok(other.unwrap_or(Changed::Done { tid, needs_index_entries: false }))
    }

    /// Locks a row until the end of the transaction: `SELECT FOR UPDATE` and its kin.
    pub fn lock(
        &self,
        transaction: &mut Transaction,
        tid: Tid,
        mode: LockMode,
        wait: LockWait,
    ) -> Result<Changed> {
        let _ = mode;
        transaction.xid()?;
        let other = self.mark(transaction, tid, wait, false)?;
        Ok(other.unwrap_or(Changed::Done { tid, needs_index_entries: false }))
    }

    /// Reads all rows that the snapshot sees, in the order of their TIDs.
    pub fn scan(&self, snapshot: Arc<Snapshot>) -> HeapScan {
        HeapScan { heap: self.clone(), snapshot, next: 0, row: Vec::new() }
    }

    /// Pages of the heap, as the planner wants to know.
    pub fn pages(&self) -> u32 {
        1
    }

    fn push(&self, state: &mut State, version: Version) -> Tid {
        let heap = state.heaps.get_mut(&self.id.0).expect("dropped relations have no users");
        heap.push(version);
        Tid { block: (heap.len() - 1) as u32 / 50, slot: ((heap.len() - 1) % 50) as u16 + 1 }
    }

    fn version<'a>(&self, state: &'a State, tid: Tid) -> Option<&'a Version> {
        let index = tid.block as usize * 50 + usize::from(tid.slot) - 1;
        state.heaps.get(&self.id.0)?.get(index)
    }

    fn version_mut<'a>(&self, state: &'a mut State, tid: Tid) -> &'a mut Version {
        let heap = state.heaps.get_mut(&self.id.0).expect("dropped relations have no users");
        &mut heap[tid.block as usize * 50 + usize::from(tid.slot) - 1]
    }

    /// Sets xmax, or returns why not.
    fn mark(
        &self,
        transaction: &mut Transaction,
        tid: Tid,
        wait: LockWait,
        delete: bool,
    ) -> Result<Option<Changed>> {
        loop {
            let mut state = self.shared.state.lock();
            let Some(version) = self.version(&state, tid) else {
                return Ok(Some(Changed::Deleted));
            };
            let xmax = version.xmax;
            if transaction.xids.contains(&xmax) {
                return Ok(Some(Changed::Deleted));
            }
            if state.active.contains(&xmax.0) {
                drop(state);
                if wait == LockWait::Error {
                    return Err(Error::LockNotAvailable);
                }
                transaction.wait_for(xmax)?;
                continue;
            }
            if state.committed.contains(&xmax.0) {
                if transaction.isolation() == Isolation::RepeatableRead {
                    return Err(Error::Serialization);
                }
                return Ok(Some(match version.next {
                    Some(newest) => Changed::Updated { newest },
                    None => Changed::Deleted,
                }));
            }
            if delete {
                let command = transaction.command;
                let xid = *transaction.xids.last().expect("assigned by the caller");
                let version = self.version_mut(&mut state, tid);
                (version.xmax, version.cmax, version.next) = (xid, command, None);
            }
            return Ok(None);
        }
    }
}

/// A sequential scan.
pub struct HeapScan {
    heap: Heap,
    snapshot: Arc<Snapshot>,
    next: usize,
    row: Vec<u8>,
}

impl HeapScan {
    /// The next row, or `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "the row borrows from the scan")]
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        loop {
            let tid = Tid { block: self.next as u32 / 50, slot: (self.next % 50) as u16 + 1 };
            let state = self.heap.shared.state.lock();
            let Some(version) = self.heap.version(&state, tid) else { return Ok(None) };
            self.next += 1;
            if self.snapshot.sees(version, &state.committed) {
                self.row.clear();
                self.row.extend_from_slice(&version.row);
                return Ok(Some(Row { tid, bytes: &self.row }));
            }
        }
    }
}
