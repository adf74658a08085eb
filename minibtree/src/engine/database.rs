//! The database: opening, recovery, checkpoints, vacuum.
//!
//! # Recovery
//!
//! The control file names the position of the log at which the last complete checkpoint began.
//! Recovery applies every record from there on. The first record of a page after that position is
//! a full image, so recovery need not trust any page. New records follow the last intact one.
//! Nothing is rolled back: the versions of a transaction without a commit bit are dead.
//!
//! ```text
//! log      .. r1 r2 | checkpoint begins | r3 r4 r5 torn
//!                     ^ redo              applied    new records start here
//! ```
//!
//! # Checkpoint
//!
//! 1. `redo` is set to the end of the log. From now on first changes are logged as images.
//! 2. Every dirty page is written, every file is synced. What changed before `redo` is durable.
//! 3. The maps of pages with room and of all-visible pages are written (`minibtree/maps`).
//! 4. The control file is replaced by one that names `redo`.
//! 5. Log segments before `redo` are recycled.
//!
//! Transactions continue meanwhile. PostgreSQL's `StartupXLOG` and `CreateCheckPoint` (`xlog.c`).

use super::heap::vacuum;
use super::pool::Pool;
use super::txn::System;
use super::wal::Wal;
use super::{Error, Heap, Index, Isolation, LongValues, Result, Transaction, maps};
use crate::format::wal::{Control, MAGIC};
use crate::format::{Lsn, PageBytes, RelationId, Xid, page};
use minibtree_small_file as small_file;
use minikit::storage::Disk;
use minikit::sync::Mutex;
use std::sync::Arc;

/// The control file.
const CONTROL: &str = "control";

/// Sizes and intervals.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Pages of 8 KiB that the buffer pool holds. PostgreSQL's `shared_buffers`, in pages.
    pub pool_pages: usize,
    /// Bytes of one file of the log. PostgreSQL's `wal_segment_size`. An existing database keeps
    /// the size it was created with.
    pub wal_segment_bytes: u64,
    /// Bytes of log after which [`Database::needs_checkpoint`] returns true. PostgreSQL's
    /// `max_wal_size`.
    pub checkpoint_wal_bytes: u64,
    /// If false, a commit does not wait for the log: a crash may lose the last commits, never
    /// consistency. PostgreSQL's `synchronous_commit`.
    pub synchronous_commit: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            pool_pages: 16_384,
            wal_segment_bytes: 16 << 20,
            checkpoint_wal_bytes: 1 << 30,
            synchronous_commit: true,
        }
    }
}

/// What a vacuum did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Pages of the heap.
    pub pages: u32,
    /// Slots of dead rows that can be used again.
    pub rows: usize,
    /// Index entries removed, of all indexes.
    pub index_entries: usize,
}

/// An open database. Threads share it through an `Arc`.
pub struct Database {
    disk: Arc<dyn Disk>,
    system: Arc<System>,
    options: Options,
    /// Held during a checkpoint: there is one at a time.
    checkpoint: Mutex<()>,
}

impl Database {
    /// Opens the database on `disk`, or creates it if the disk is empty. Recovers from a crash:
    /// replays the log from the last checkpoint on. The caller has locked the directory.
    pub fn open(disk: Arc<dyn Disk>, mut options: Options) -> Result<Database> {
        let control = read_control(&*disk)?;
        let redo = Lsn(control.map_or(0, |control| control.redo));
        options.wal_segment_bytes = match control {
            Some(control) => control.segment,
            None => {
                write_control(&*disk, redo, options.wal_segment_bytes)?;
                options.wal_segment_bytes
            }
        };

        let wal = Arc::new(Wal::open(Arc::clone(&disk), options.wal_segment_bytes, redo)?);
        let pool = Pool::open(Arc::clone(&disk), Arc::clone(&wal), options.pool_pages)?;
        maps::read(&*disk, &pool)?;
        wal.recover(|bytes, end| {
            let mut changes = minibtree_record::changes(bytes);
            changes.try_for_each(|(change, changed)| pool.redo(&change, changed, end))
        })?;
        pool.relations().iter().for_each(|relation| relation.offer_room());

        let system = Arc::new(System::open(pool, options.synchronous_commit)?);
        Ok(Database { disk, system, options, checkpoint: Mutex::default() })
    }

    /// Starts a transaction. Costs no log: it gets its id when it first writes.
    pub fn begin(&self, isolation: Isolation) -> Transaction {
        Transaction::begin(Arc::clone(&self.system), isolation)
    }

    /// The numbers of all heaps and indexes, including those of uncommitted transactions.
    pub fn relations(&self) -> Vec<RelationId> {
        let ids = self.system.pool.relations().into_iter().map(|it| it.id);
        ids.filter(|id| *id != RelationId::SYSTEM && id.owner() == *id).collect()
    }

    /// A number for a new relation that no relation has ever had.
    pub fn allocate_relation_id(&self) -> Result<RelationId> {
        self.system.allocate_relation_id()
    }

    /// Removes the relations that `is_used` rejects. Call it once after opening, with the
    /// relations that the catalog names: a crash leaves the files of uncommitted `CREATE` and
    /// committed `DROP` behind.
    pub fn remove_orphans(&self, is_used: impl Fn(RelationId) -> bool) -> Result<()> {
        let ids = self.system.pool.relations().into_iter().map(|it| it.id);
        let mut orphans = ids.filter(|id| *id != RelationId::SYSTEM && !is_used(id.owner()));
        orphans.try_for_each(|id| self.system.pool.drop_relation(id))
    }

    /// The heap of this number.
    pub fn heap(&self, id: RelationId) -> Result<Heap> {
        Heap::open(Arc::clone(&self.system), id)
    }

    /// The index of this number.
    pub fn index(&self, id: RelationId) -> Result<Index> {
        Index::open(Arc::clone(&self.system), id)
    }

    /// A copy of a page for inspection, or `None` past the end of its relation.
    pub fn page(&self, id: RelationId, block: u32) -> Result<Option<Box<PageBytes>>> {
        let relation = self.system.pool.relation(id)?;
        let is_there = block < relation.blocks();
        let copy = || Ok(page::copy(&*self.system.pool.read(&relation, block)?));
        is_there.then(copy).transpose()
    }

    /// Waits until the log is durable up to `lsn`. A reader calls it before it answers, with what
    /// [`Transaction::set_seen`] gave it: no client sees a commit that a crash can undo. Does
    /// nothing if `synchronous_commit` is off.
    pub fn wait_durable(&self, lsn: Lsn) -> Result<()> {
        if self.options.synchronous_commit { self.system.pool.wal.flush(lsn) } else { Ok(()) }
    }

    /// The disk of the database, where callers may put temporary files.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// The end of the log.
    pub fn wal_end(&self) -> Lsn {
        self.system.pool.wal.end()
    }

    /// Writes all changed pages, so that recovery starts here. Costs a write per changed page and a
    /// sync per changed relation; transactions continue meanwhile.
    pub fn checkpoint(&self) -> Result<()> {
        let _only_one = self.checkpoint.lock();
        let pool = &self.system.pool;
        let redo = pool.wal.begin_checkpoint();
        pool.flush()?;

        // Also flushes the log up to `redo`, or recovery would begin past its end.
        maps::write(&*self.disk, pool)?;
        write_control(&*self.disk, redo, self.options.wal_segment_bytes)?;
        pool.wal.recycle_before(redo)
    }

    /// Returns true if the log has grown by `checkpoint_wal_bytes` since the last checkpoint.
    pub fn needs_checkpoint(&self) -> bool {
        let bytes = self.system.pool.wal.bytes_since_checkpoint();
        bytes >= self.options.checkpoint_wal_bytes
    }

    /// No snapshot sees a version that a transaction with a smaller id has deleted.
    pub fn horizon(&self) -> Xid {
        self.system.horizon()
    }

    /// Removes the dead versions of a heap, the index entries that point to them, and their long
    /// values. `indexes` are all indexes of the heap. The caller's lock on the heap keeps out a
    /// second vacuum.
    pub fn vacuum(&self, heap: &Heap, indexes: &[Index]) -> Result<Vacuumed> {
        self.vacuum_with(heap, indexes, &mut || Ok(()))
    }

    /// Like [`Database::vacuum`], but calls `pause` after each page, while no page is latched. The
    /// caller can sleep in it, or end the vacuum with an error: what was done so far is kept.
    pub fn vacuum_with(
        &self,
        heap: &Heap,
        indexes: &[Index],
        pause: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Vacuumed> {
        let horizon = self.horizon();
        let (dead, left) = vacuum::collect_dead(heap, pause)?;
        let mut index_entries = 0;
        if !dead.is_empty() {
            // While this snapshot lives, no deleted leaf is reused, so the walk loses no leaf.
            let _snapshot = self.begin(Isolation::ReadCommitted).snapshot();
            for index in indexes {
                index_entries += index.remove(&dead, pause)?;
            }
        }
        vacuum::free(heap, &dead, pause)?;

        // No index points to overflow pages, so their dead slots need no step 2.
        if let Some(pieces) = LongValues::of(heap).pieces() {
            vacuum::free(&pieces, &vacuum::collect_dead(&pieces, pause)?.0, pause)?;
        }
        heap.activity().vacuumed(left, horizon.0);
        Ok(Vacuumed { pages: heap.pages(), rows: dead.len(), index_entries })
    }
}

fn read_control(disk: &dyn Disk) -> Result<Option<Control>> {
    let Some(bytes) = small_file::read(disk, CONTROL)? else {
        let is_new = !disk.list("")?.iter().any(|name| name == "base");
        let missing = || Error::Corrupt("the file control is missing: restore it".into());
        return if is_new { Ok(None) } else { Err(missing()) };
    };
    let control = Control::read(&bytes);
    let control = control.map_err(|error| Error::Corrupt(format!("the file control: {error}")))?;
    if control.magic != MAGIC {
        let text = "the directory holds no minibtree database of this version";
        return Err(Error::Corrupt(text.into()));
    }
    if control.crc != crc32fast::hash(&bytes[Control::redo.start()..]) {
        return Err(Error::Corrupt("the file control is damaged: its checksum is wrong".into()));
    }
    Ok(Some(control))
}

fn write_control(disk: &dyn Disk, redo: Lsn, segment: u64) -> Result<()> {
    let mut bytes = Control { magic: MAGIC, crc: 0, redo: redo.0, segment }.encode();
    let crc = crc32fast::hash(&bytes[Control::redo.start()..]);
    Control::crc.put(&mut bytes, crc);
    Ok(small_file::replace(disk, CONTROL, &bytes)?)
}
