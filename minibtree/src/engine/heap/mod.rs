//! Heaps: tables whose rows are in no order, each row in one or more versions.
//!
//! # No version is overwritten
//!
//! `UPDATE` adds a version and marks the old one with its transaction id; `DELETE` only marks.
//! Readers take no row locks: the snapshot decides which version they see. A rollback changes no
//! page, because the marks of a transaction without a commit bit do not count.
//!
//! # Chains on a page
//!
//! If no indexed column changes and the page has room, the new version needs no index entries: the
//! old version points to it ([`mod@page`] shows the chain). PostgreSQL calls that a HOT update. Any
//! other update adds an entry for the new version to every index.
//!
//! # Two updates of one row
//!
//! The first one to mark the row wins. The second waits for the first transaction to end:
//!
//! ```text
//! T1  update r: xmax = 1                        commit
//! T2              update r: T1 runs, so wait        | r has a newer version:
//!                                                   | READ COMMITTED   check again, update that
//!                                                   | REPEATABLE READ  error, roll back
//! ```
//!
//! Transactions that wait for the same row form a queue, so that a commit wakes only the first of
//! them ([`mod@lock`]).
//!
//! A value that would make its row longer than a page goes to [`mod@overflow`] pages.
//!
//! PostgreSQL's `heapam.c` and `heapam_visibility.c`. Its free-space map and visibility map are
//! files that it changes in place; ours are in memory, and each checkpoint writes them to a file
//! (`minibtree/maps`).

mod lock;
mod overflow;
mod page;
mod scan;
pub(super) mod vacuum;

pub use overflow::LongValues;
pub use scan::{HeapScan, Row};

use super::pool::{PageMut, PageRef, Relation};
use super::txn::{System, XidStatus};
use super::{Error, Isolation, LockMode, LockWait, Result, Snapshot, Transaction};
use crate::format::heap::{HEAP_ONLY, KEY_UPDATED, TupleHeader, UPDATED};
use crate::format::{ItemPointer, PAGE_SIZE, PageBytes, PageHeader, RelationId, Tid, Xid};
use minibtree_autovacuum::Activity;
use minibtree_maps::ALL_VISIBLE;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The outcome of [`Heap::update`], [`Heap::delete`] or [`Heap::lock`]: PostgreSQL's `TM_Result`.
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
        /// The newest committed version on the same page, or the one that it points to.
        newest: Tid,
    },
    /// The row was deleted: by another transaction after the snapshot was taken (READ COMMITTED),
    /// or by this very statement. Skip it.
    Deleted,
}

/// Tells whether a row conflicts with an insertion of the same unique key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Liveness {
    /// The row exists: committed, or inserted by this transaction.
    Live,
    /// The row was deleted, or its insertion was rolled back.
    Dead,
    /// This transaction inserted or deleted the row, and is still running.
    Undecided(Xid),
}

/// The reason why a version cannot be changed now.
enum Obstacle {
    /// The version is gone, or a committed or own change has replaced or deleted it.
    Changed(Changed),
    /// Another running transaction has changed the row (`by` is its id) or locked it.
    /// The lock must be asked for in `mode`.
    Held { root: Tid, by: Option<Xid>, mode: LockMode },
}

/// A change that was made, or why it was not.
type Outcome = std::result::Result<Changed, Obstacle>;

/// A handle to a heap. Cloning is cheap.
#[derive(Clone)]
pub struct Heap {
    system: Arc<System>,
    relation: Arc<Relation>,
}

impl Heap {
    /// The longest row, in bytes: one that fills a page.
    pub const ROW_MAX: usize = PAGE_SIZE - PageHeader::SIZE - ItemPointer::SIZE - TupleHeader::SIZE;

    /// Creates an empty heap. Rolled back with the transaction.
    pub fn create(transaction: &mut Transaction, id: RelationId) -> Result<Heap> {
        let system = Arc::clone(&transaction.system);
        let relation = system.pool.create_relation(id)?;
        transaction.created(&relation);
        Ok(Heap { system, relation })
    }

    pub(super) fn open(system: Arc<System>, id: RelationId) -> Result<Heap> {
        let relation = system.pool.relation(id)?;
        Ok(Heap { system, relation })
    }

    /// The number that the heap was created with.
    pub fn id(&self) -> RelationId {
        self.relation.id
    }

    /// The number of pages, including those that are only in memory.
    pub fn pages(&self) -> u32 {
        self.relation.blocks()
    }

    /// Counts the changes since the last vacuum, and since the caller last analyzed the rows.
    pub fn activity(&self) -> &Activity {
        &self.relation.activity
    }

    /// Inserts a row. [`Error::TooLarge`] if it is longer than [`Heap::ROW_MAX`].
    pub fn insert(&self, transaction: &mut Transaction, row: &[u8]) -> Result<Tid> {
        Ok(self.insert_many(transaction, &[row])?[0])
    }

    /// Inserts rows. All rows that go to one page share one latch and one log record.
    pub fn insert_many(
        &self,
        transaction: &mut Transaction,
        rows: &[impl AsRef<[u8]>],
    ) -> Result<Vec<Tid>> {
        rows.iter().try_for_each(|row| check_length(row.as_ref()))?;
        let header = TupleHeader::inserted(transaction.xid()?, transaction.command, 0).encode();
        let mut tids = Vec::with_capacity(rows.len());
        while let Some(row) = rows.get(tids.len()) {
            let (mut page, first) = self.add(None, &header, row.as_ref())?;
            let mut added = Some(first);
            while let Some(slot) = added {
                tids.push(Tid { block: page.block(), slot });
                let next = rows.get(tids.len());
                added = next.and_then(|row| page::add(&mut page, &header, row.as_ref()));
            }
            self.clear_visibility(&page);
            self.system.pool.log(std::slice::from_mut(&mut page));

            drop(page);
            self.system.pool.wal.flush_if_large()?;
        }
        self.relation.activity.inserted(tids.len());
        Ok(tids)
    }

    /// Follows the chain that starts at `tid` to the version that the snapshot sees, and copies
    /// its row into `row`. Returns where that version is, or `None` if the snapshot sees none.
    pub fn fetch(&self, tid: Tid, snapshot: &Snapshot, row: &mut Vec<u8>) -> Result<Option<Tid>> {
        let page = self.read(tid.block)?;
        let mut next = page::first_version(&page, tid.slot);
        while let Some(slot) = next {
            let Some((header, bytes)) = page::tuple(&page, slot) else { break };
            let version = Tid { slot, ..tid };
            if snapshot.sees(self.id(), version, &header)? {
                row.clear();
                row.extend_from_slice(bytes);
                return Ok(Some(version));
            }
            next = page::next_version(&page, tid.block, &header);
        }
        Ok(None)
    }

    /// Copies exactly this version into `row`, without checking a snapshot. Returns false if the
    /// version is gone. Used for the recheck after [`Changed::Updated`].
    pub fn fetch_version(&self, tid: Tid, row: &mut Vec<u8>) -> Result<bool> {
        let page = self.read(tid.block)?;
        let Some((_, bytes)) = page::tuple(&page, tid.slot) else { return Ok(false) };
        row.clear();
        row.extend_from_slice(bytes);
        Ok(true)
    }

    /// Returns true if every row on the page of `tid` is seen by every snapshot, so that an
    /// index-only scan need not read it. Reads no page.
    pub fn is_all_visible(&self, tid: Tid) -> bool {
        let bits = || self.map_bits(tid.block).load(Ordering::Acquire);
        tid.block < self.pages() && bits() & ALL_VISIBLE != 0
    }

    /// Reads all rows that the snapshot sees, in the order of their TIDs.
    pub fn scan(&self, snapshot: Arc<Snapshot>) -> HeapScan {
        HeapScan::new(self.clone(), snapshot)
    }

    /// Replaces a version with a new one. Waits for a transaction that is changing the row.
    ///
    /// Set `keys_unchanged` if the index entries of the new row would equal those of the old one.
    pub fn update(
        &self,
        transaction: &mut Transaction,
        tid: Tid,
        row: &[u8],
        keys_unchanged: bool,
    ) -> Result<Changed> {
        check_length(row)?;
        let xid = transaction.xid()?;
        let mode = if keys_unchanged { LockMode::NoKeyUpdate } else { LockMode::Update };
        let changed = self.change(transaction, tid, mode, |heap, transaction, page, old| {
            heap.add_version(transaction, page, tid, old, row, keys_unchanged, xid)
        })?;
        self.system.pool.wal.flush_if_large()?;
        Ok(changed)
    }

    /// Deletes a version. Waits for a transaction that is changing the row.
    pub fn delete(&self, transaction: &mut Transaction, tid: Tid) -> Result<Changed> {
        let xid = transaction.xid()?;
        self.change(transaction, tid, LockMode::Update, |heap, transaction, mut page, old| {
            let flags = old.flags & HEAP_ONLY | KEY_UPDATED;
            let command = transaction.command;
            if transaction.is_own(Xid(old.xmin)) {
                transaction.remember_inserted(heap.id(), tid, old.command);
            }
            let header = TupleHeader { xmax: xid.0, command, next: [0; 6], flags, ..old };
            page::set_header(&mut page, tid.slot, &header);
            heap.clear_visibility(&page);
            heap.relation.activity.replaced();
            heap.system.pool.log(&mut [page]);
            Ok(Ok(Changed::Done { tid, needs_index_entries: false }))
        })
    }

    /// Locks a row until the end of the transaction: `SELECT FOR UPDATE` and its kin.
    pub fn lock(
        &self,
        transaction: &mut Transaction,
        tid: Tid,
        mode: LockMode,
        wait: LockWait,
    ) -> Result<Changed> {
        lock::lock(self, transaction, tid, mode, wait)
    }

    /// The TID that index entries of this version have: the start of its chain.
    pub fn root(&self, tid: Tid) -> Result<Tid> {
        let page = self.read(tid.block)?;
        Ok(self.root_on(&page, tid))
    }

    /// Decides if the row at `tid` conflicts with an insertion of the same unique key.
    pub(super) fn liveness(&self, transaction: &Transaction, tid: Tid) -> Result<Liveness> {
        let page = self.read(tid.block)?;
        for slot in page::chain(&page, tid.block, tid.slot) {
            let Some((header, _)) = page::tuple(&page, slot) else { break };
            let (xmin, xmax) = (Xid(header.xmin), Xid(header.xmax));
            match transaction.status_of(xmin)? {
                XidStatus::InProgress => return Ok(Liveness::Undecided(xmin)),
                XidStatus::Aborted => continue,
                XidStatus::Own | XidStatus::Committed => {}
            }
            match transaction.status_of(xmax)? {
                XidStatus::InProgress => return Ok(Liveness::Undecided(xmax)),
                XidStatus::Aborted => return Ok(Liveness::Live),
                XidStatus::Own | XidStatus::Committed => {}
            }
        }
        Ok(Liveness::Dead)
    }

    /// Latches the page of `tid`, and calls `change` as soon as the version may be changed.
    fn change(
        &self,
        transaction: &mut Transaction,
        tid: Tid,
        mode: LockMode,
        change: impl Fn(&Heap, &Transaction, PageMut, TupleHeader) -> Result<Outcome>,
    ) -> Result<Changed> {
        loop {
            let page = self.write(tid.block)?;
            let outcome = match self.obstacle(transaction, &page, tid, mode)? {
                Ok(header) => change(self, transaction, page, header)?,
                Err(obstacle) => {
                    drop(page);
                    Err(obstacle)
                }
            };
            match outcome {
                Ok(changed) | Err(Obstacle::Changed(changed)) => return Ok(changed),
                Err(Obstacle::Held { root, by, mode }) => {
                    lock::wait_for(self, transaction, root, by, mode, LockWait::Block)?;
                }
            }
        }
    }

    /// Returns the header if the version can be changed, otherwise the obstacle.
    fn obstacle(
        &self,
        transaction: &Transaction,
        page: &PageMut,
        tid: Tid,
        mode: LockMode,
    ) -> Result<std::result::Result<TupleHeader, Obstacle>> {
        let Some((header, _)) = page::tuple(page, tid.slot) else {
            return Ok(Err(Obstacle::Changed(Changed::Deleted)));
        };
        // `FOR KEY SHARE` conflicts only with a change of the key, here or in a newer version.
        let header = match mode {
            LockMode::KeyShare => lock::key_change(transaction, page, tid)?.unwrap_or(header),
            _ => header,
        };
        let changes_key = header.flags & KEY_UPDATED != 0;
        let xmax = Xid(header.xmax);
        let changed = match transaction.status_of(xmax)? {
            XidStatus::Aborted => None,
            _ if mode == LockMode::KeyShare && !changes_key => None,
            XidStatus::InProgress => {
                let root = self.root_on(page, tid);
                return Ok(Err(Obstacle::Held { root, by: Some(xmax), mode }));
            }
            XidStatus::Own if header.command == transaction.command => Some(Changed::Deleted),
            XidStatus::Committed if transaction.isolation() == Isolation::RepeatableRead => {
                return Err(Error::Serialization);
            }
            XidStatus::Own | XidStatus::Committed => {
                Some(self.newest(transaction, page, &header)?)
            }
        };
        if let Some(changed) = changed {
            return Ok(Err(Obstacle::Changed(changed)));
        }

        // No transaction is changing the row, but one may have locked it or wait for it already.
        let held = lock::locked_root(self, transaction, page, tid, mode);
        Ok(held.map_or(Ok(header), |root| Err(Obstacle::Held { root, by: None, mode })))
    }

    /// Follows the chain of a changed version to the newest committed or own one on its page.
    fn newest(
        &self,
        transaction: &Transaction,
        page: &PageMut,
        header: &TupleHeader,
    ) -> Result<Changed> {
        let Some(mut newest) = header.newer() else { return Ok(Changed::Deleted) };
        let mut header = *header;
        while let Some(slot) = page::next_version(page, page.block(), &header) {
            let Some((next, _)) = page::tuple(page, slot) else { break };
            let status = transaction.status_of(Xid(next.xmin))?;
            if !matches!(status, XidStatus::Own | XidStatus::Committed) {
                break;
            }
            newest = Tid { block: page.block(), slot };
            header = next;
        }
        Ok(Changed::Updated { newest })
    }

    /// The start of a version's chain, which HOT updates do not change: it names the row's lock.
    fn root_on(&self, page: &PageBytes, tid: Tid) -> Tid {
        Tid { slot: page::root_of(page, tid.block, tid.slot), ..tid }
    }

    /// Adds the new version of an update, on the page of the old one if it has room, and marks the
    /// old one.
    #[expect(clippy::too_many_arguments, reason = "the two versions and where they are")]
    fn add_version(
        &self,
        transaction: &Transaction,
        mut page: PageMut,
        tid: Tid,
        old: TupleHeader,
        row: &[u8],
        keys_unchanged: bool,
        xid: Xid,
    ) -> Result<Outcome> {
        let command = transaction.command;
        if transaction.is_own(Xid(old.xmin)) {
            transaction.remember_inserted(self.id(), tid, old.command);
        }

        let flags = if keys_unchanged { HEAP_ONLY } else { 0 };
        let header = TupleHeader::inserted(xid, command, flags);
        let mut slot = page::add(&mut page, &header.encode(), row);
        if slot.is_none() {
            let pruned = page::prune(&self.system, &mut page, self.system.horizon())?;
            self.relation.activity.pruned(pruned);
            slot = page::add(&mut page, &header.encode(), row);
        }

        // No room: take another page. Do not wait for its latch, since the holder may want ours.
        // That changes the root, and so counts as a change of the key.
        let moved_mode = LockMode::Update;
        let (other, new) = match slot {
            Some(slot) => (None, Tid { slot, ..tid }),
            None => {
                if let Some(root) = lock::locked_root(self, transaction, &page, tid, moved_mode) {
                    self.system.pool.log(&mut [page]);
                    return Ok(Err(Obstacle::Held { root, by: None, mode: moved_mode }));
                }
                let header = TupleHeader { flags: 0, ..header };
                let (other, slot) = match self.add(Some(tid.block), &header.encode(), row) {
                    Ok(added) => added,
                    Err(error) => {
                        self.system.pool.log(&mut [page]);
                        return Err(error);
                    }
                };
                let new = Tid { block: other.block(), slot };
                (Some(other), new)
            }
        };

        let is_same_key = keys_unchanged && other.is_none();
        let key_updated = if is_same_key { 0 } else { KEY_UPDATED };
        let flags = old.flags & HEAP_ONLY | UPDATED | key_updated;
        let header = TupleHeader { xmax: xid.0, command, next: new.to_bytes(), flags, ..old };
        page::set_header(&mut page, tid.slot, &header);

        let mut pages: Vec<PageMut> = std::iter::once(page).chain(other).collect();
        pages.iter().for_each(|page| self.clear_visibility(page));
        self.relation.activity.replaced();
        self.system.pool.log(&mut pages);
        Ok(Ok(Changed::Done { tid: new, needs_index_entries: !is_same_key }))
    }

    /// Removes the dead versions of a page, unless another thread has latched it.
    fn prune(&self, block: u32) -> Result<()> {
        let pool = &self.system.pool;
        let Some(mut page) = pool.try_write(&self.relation, block)? else { return Ok(()) };
        let pruned = page::prune(&self.system, &mut page, self.system.horizon())?;
        if pruned == 0 {
            return Ok(());
        }
        self.relation.activity.pruned(pruned);
        pool.log(&mut [page]);
        pool.wal.flush_if_large()
    }

    /// Adds a version to a page with room, never to page `avoid`, whose latch the caller holds.
    fn add(
        &self,
        avoid: Option<u32>,
        header: &[u8; TupleHeader::SIZE],
        row: &[u8],
    ) -> Result<(PageMut<'_>, u16)> {
        let pool = &self.system.pool;
        let mut target = self.relation.target.load(Ordering::Relaxed);
        while target < self.pages() {
            let page = match avoid {
                Some(avoid) if avoid == target => None,
                Some(_) => pool.try_write(&self.relation, target)?,
                None => Some(pool.write(&self.relation, target)?),
            };
            if let Some(mut page) = page
                && let Some(slot) = page::add(&mut page, header, row)
            {
                return Ok((page, slot));
            }
            let Some((next, _)) = self.relation.reusable.lock().pop() else { break };
            target = next;
            self.relation.target.store(target, Ordering::Relaxed);
        }

        let mut page = pool.extend(&self.relation)?;
        let slot = page::add(&mut page, header, row).expect("an empty page has room for any row");
        self.relation.target.store(page.block(), Ordering::Relaxed);
        Ok((page, slot))
    }

    /// Clears the bit of a page in the visibility map. Called under the page's latch, before the
    /// change is logged, and before any index entry for a new row exists.
    fn clear_visibility(&self, page: &PageMut) {
        self.map_bits(page.block()).fetch_and(!ALL_VISIBLE, Ordering::Release);
    }

    fn map_bits(&self, block: u32) -> &AtomicU8 {
        &self.relation.entry(block).map_bits
    }

    fn read(&self, block: u32) -> Result<PageRef<'_>> {
        self.check_block(block)?;
        self.system.pool.read(&self.relation, block)
    }

    fn write(&self, block: u32) -> Result<PageMut<'_>> {
        self.check_block(block)?;
        self.system.pool.write(&self.relation, block)
    }

    fn check_block(&self, block: u32) -> Result<()> {
        if block < self.pages() {
            return Ok(());
        }
        let text = format!("heap {} has {} pages, and no page {block}", self.id(), self.pages());
        Err(Error::Corrupt(text))
    }
}

fn check_length(row: &[u8]) -> Result<()> {
    let (size, limit) = (row.len(), Heap::ROW_MAX);
    if size > limit { Err(Error::TooLarge { size, limit }) } else { Ok(()) }
}
