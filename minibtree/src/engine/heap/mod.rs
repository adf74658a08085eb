//! Heaps: rows in no order, several versions of each.
//!
//! # No version is overwritten
//!
//! `UPDATE` adds a version and marks the old one with its transaction id; `DELETE` only marks.
//! Readers take no row locks: the snapshot decides which version they see. Rolling back means to do
//! nothing, since the marks of a transaction without a commit bit do not count.
//!
//! # Chains on a page
//!
//! If no indexed column changes and the page has room, the new version needs no index entries: the
//! old version points to it ([`mod@page`] shows the chain). An update that cannot stay on its page
//! is an insertion with new entries in every index.
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
//! Those who wait for one row form a queue ([`LockKey::Row`]), so that a commit wakes one of them
//! and not all.
//!
//! A value that would make its row longer than a page is in [`mod@overflow`] pages.
//!
//! PostgreSQL's `heapam.c` and `heapam_visibility.c`. Not here: a durable free-space map (pages
//! with room are found again by the next vacuum), and the map of all-visible pages is in memory
//! and filled as pages are read.

mod overflow;
mod page;
mod scan;
pub(super) mod vacuum;

pub use overflow::LongValues;
pub use scan::{HeapScan, Row};

use super::pool::{PageMut, PageRef, Relation};
use super::txn::{LockKey, System};
use super::{Error, Isolation, LockMode, LockWait, Result, Snapshot, Transaction};
use crate::format::heap::{HEAP_ONLY, KEY_UPDATED, TupleHeader, UPDATED};
use crate::format::page::ALL_VISIBLE;
use crate::format::{ItemPointer, PAGE_SIZE, PageHeader, RelationId, Tid, Xid};
use std::sync::Arc;
use std::sync::atomic::Ordering;

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

/// Whether a row exists for an insertion with the same unique key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Liveness {
    /// It does: committed, or of the own transaction.
    Live,
    /// It does not.
    Dead,
    /// That depends on how this transaction ends.
    Undecided(Xid),
}

/// What keeps a version from being changed.
enum Obstacle {
    /// It was changed already.
    Changed(Changed),
    /// Another transaction has changed or locked it, and runs.
    Held { row: LockKey, by: Option<Xid> },
}

/// A handle of a heap. Cloning is cheap.
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

    /// The number it was created with.
    pub fn id(&self) -> RelationId {
        self.relation.id
    }

    /// Pages of the heap, as the planner wants to know.
    pub fn pages(&self) -> u32 {
        self.relation.blocks()
    }

    /// Inserts a row. [`Error::TooLarge`] if it is longer than [`Heap::ROW_MAX`].
    pub fn insert(&self, transaction: &mut Transaction, row: &[u8]) -> Result<Tid> {
        Ok(self.insert_many(transaction, &[row])?[0])
    }

    /// Inserts rows: as many as a page has room for with one latch and one log record.
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
            self.note_changed(&page);
            self.system.pool.log(std::slice::from_mut(&mut page));

            drop(page);
            self.system.pool.wal.flush_if_large()?;
        }
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

    /// Copies exactly this version into `row`, without regard to snapshots. Returns false if the
    /// version is gone. For the recheck after [`Changed::Updated`].
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
        tid.block < self.pages() && self.relation.entry(tid.block).note.load(Ordering::Acquire) != 0
    }

    /// Reads all rows that the snapshot sees, in the order of their TIDs.
    pub fn scan(&self, snapshot: Arc<Snapshot>) -> HeapScan {
        HeapScan::new(self.clone(), snapshot)
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
            heap.note_changed(&page);
            heap.system.pool.log(&mut [page]);
            Ok(Changed::Done { tid, needs_index_entries: false })
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
        loop {
            // The latch keeps the version as it is while the lock is entered into the table.
            let page = self.write(tid.block)?;
            let (row, by) = match self.obstacle(transaction, &page, tid, mode)? {
                Ok(_) => {
                    let row = self.row_key(&page, tid);
                    match transaction.acquire(row, mode, LockWait::Error) {
                        Ok(()) => {
                            return Ok(Changed::Done { tid, needs_index_entries: false });
                        }
                        // One that waited for the row got it a moment ago, without the latch.
                        Err(Error::LockNotAvailable) => (row, None),
                        Err(error) => return Err(error),
                    }
                }
                Err(Obstacle::Changed(changed)) => return Ok(changed),
                Err(Obstacle::Held { row, by }) => (row, by),
            };
            drop(page);
            wait_for(transaction, row, by, mode, wait)?;
        }
    }

    /// The TID that index entries of a version use: the start of its chain.
    pub fn root(&self, tid: Tid) -> Result<Tid> {
        let page = self.read(tid.block)?;
        Ok(Tid { slot: page::root_of(&page, tid.block, tid.slot), ..tid })
    }

    /// Whether a row with a unique key exists, for the insertion of another one with it.
    pub(super) fn liveness(&self, transaction: &Transaction, tid: Tid) -> Result<Liveness> {
        let page = self.read(tid.block)?;
        for slot in page::chain(&page, tid.block, tid.slot) {
            let Some((header, _)) = page::tuple(&page, slot) else { break };
            let (xmin, xmax) = (Xid(header.xmin), Xid(header.xmax));
            match self.fate(transaction, xmin)? {
                Fate::Running => return Ok(Liveness::Undecided(xmin)),
                Fate::RolledBack => continue,
                Fate::Own | Fate::Committed => {}
            }
            match self.fate(transaction, xmax)? {
                Fate::Running => return Ok(Liveness::Undecided(xmax)),
                Fate::RolledBack => return Ok(Liveness::Live),
                Fate::Own | Fate::Committed => {}
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
        change: impl Fn(&Heap, &Transaction, PageMut, TupleHeader) -> Result<Changed>,
    ) -> Result<Changed> {
        loop {
            let page = self.write(tid.block)?;
            match self.obstacle(transaction, &page, tid, mode)? {
                Ok(header) => return change(self, transaction, page, header),
                Err(Obstacle::Changed(changed)) => return Ok(changed),
                Err(Obstacle::Held { row, by }) => {
                    drop(page);
                    wait_for(transaction, row, by, mode, LockWait::Block)?;
                }
            }
        }
    }

    /// The header of a version that may be changed, or what keeps it from that.
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
        let xmax = Xid(header.xmax);
        let changed = match self.fate(transaction, xmax)? {
            Fate::RolledBack => None,
            // A weak lock does not mind an update that leaves the key.
            Fate::Running if mode == LockMode::KeyShare && header.flags & KEY_UPDATED == 0 => None,
            Fate::Running => {
                let row = self.row_key(page, tid);
                return Ok(Err(Obstacle::Held { row, by: Some(xmax) }));
            }
            Fate::Own if header.command == transaction.command => Some(Changed::Deleted),
            Fate::Own => Some(self.newest(transaction, page, &header)?),
            Fate::Committed if transaction.isolation() == Isolation::RepeatableRead => {
                return Err(Error::Serialization);
            }
            Fate::Committed => Some(self.newest(transaction, page, &header)?),
        };
        if let Some(changed) = changed {
            return Ok(Err(Obstacle::Changed(changed)));
        }

        // Nobody is changing it; it can still be locked, or others can be ahead in the queue.
        if transaction.are_rows_locked() {
            let row = self.row_key(page, tid);
            if transaction.is_row_locked(row, mode) {
                return Ok(Err(Obstacle::Held { row, by: None }));
            }
        }
        Ok(Ok(header))
    }

    /// What a changed version has become: the newest version that is committed.
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
            if !matches!(self.fate(transaction, Xid(next.xmin))?, Fate::Own | Fate::Committed) {
                break;
            }
            newest = Tid { block: page.block(), slot };
            header = next;
        }
        Ok(Changed::Updated { newest })
    }

    /// How a transaction ended, if it did. 0 counts as rolled back: its mark does not count.
    fn fate(&self, transaction: &Transaction, xid: Xid) -> Result<Fate> {
        if xid == Xid::NONE {
            return Ok(Fate::RolledBack);
        }
        if transaction.is_own(xid) {
            return Ok(Fate::Own);
        }
        // In this order: a transaction sets its bit before it stops running.
        if self.system.is_running(xid) {
            return Ok(Fate::Running);
        }
        let is_committed = self.system.is_committed(xid)?;
        Ok(if is_committed { Fate::Committed } else { Fate::RolledBack })
    }

    /// What a row is locked by: the first slot of its chain, which updates on the page keep.
    fn row_key(&self, page: &PageMut, tid: Tid) -> LockKey {
        let slot = page::root_of(page, tid.block, tid.slot);
        LockKey::Row(self.id(), Tid { slot, ..tid })
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
    ) -> Result<Changed> {
        let command = transaction.command;
        if transaction.is_own(Xid(old.xmin)) {
            transaction.remember_inserted(self.id(), tid, old.command);
        }

        let flags = if keys_unchanged { HEAP_ONLY } else { 0 };
        let header = TupleHeader::inserted(xid, command, flags);
        let mut slot = page::add(&mut page, &header.encode(), row);
        if slot.is_none() && page::prune(&self.system, &mut page, self.system.horizon())? {
            slot = page::add(&mut page, &header.encode(), row);
        }

        // No room: another page. It is not waited for, because its holder may wait for ours.
        let (other, new) = match slot {
            Some(slot) => (None, Tid { slot, ..tid }),
            None => {
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

        let key_updated = if keys_unchanged { 0 } else { KEY_UPDATED };
        let flags = old.flags & HEAP_ONLY | UPDATED | key_updated;
        let header = TupleHeader { xmax: xid.0, command, next: new.to_bytes(), flags, ..old };
        page::set_header(&mut page, tid.slot, &header);
        let needs_index_entries = other.is_some() || !keys_unchanged;

        let mut pages: Vec<PageMut> = std::iter::once(page).chain(other).collect();
        pages.iter().for_each(|page| self.note_changed(page));
        self.system.pool.log(&mut pages);
        Ok(Changed::Done { tid: new, needs_index_entries })
    }

    /// Adds a version to a page with room. With `avoid`, the caller has that page latched.
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

    /// Notes that not everyone sees all rows of a page any more. Called under its latch, before
    /// any index entry for a new row exists.
    fn note_changed(&self, page: &PageMut) {
        self.relation.entry(page.block()).note.store(0, Ordering::Release);
    }

    fn read(&self, block: u32) -> Result<PageRef<'_>> {
        self.check_block(block)?;
        let page = self.system.pool.read(&self.relation, block)?;
        if PageHeader::flags.get(&page[..]) & ALL_VISIBLE != 0 {
            let note = &self.relation.entry(block).note;
            if note.load(Ordering::Relaxed) == 0 {
                note.store(1, Ordering::Release);
            }
        }
        Ok(page)
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

/// How a transaction ended.
enum Fate {
    Own,
    Running,
    Committed,
    RolledBack,
}

/// Waits for a row that others hold: first for its turn in the queue, then for the transaction
/// that is changing the row.
fn wait_for(
    transaction: &mut Transaction,
    row: LockKey,
    by: Option<Xid>,
    mode: LockMode,
    wait: LockWait,
) -> Result<()> {
    if wait == LockWait::Error {
        return Err(Error::LockNotAvailable);
    }
    transaction.acquire(row, mode, wait)?;
    by.map_or(Ok(()), |xid| transaction.wait_for(xid))
}

fn check_length(row: &[u8]) -> Result<()> {
    let (size, limit) = (row.len(), Heap::ROW_MAX);
    if size > limit { Err(Error::TooLarge { size, limit }) } else { Ok(()) }
}
