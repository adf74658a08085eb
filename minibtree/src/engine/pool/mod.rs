//! The buffer pool: pages in memory.
//!
//! A frame is a place for a page, with a latch (a reader-writer lock). A page is found by its
//! relation's array (`minibtree/page_table`), not by a hash table. The latch is also the pin: a
//! latched frame keeps its page, and a thread that waited for a latch checks that the page is still
//! there.
//!
//! # Invariants
//!
//! 1. A frame's tag is the page it holds, and changes only under its exclusive latch.
//! 2. A page is in at most one frame: loads of the same page exclude each other.
//! 3. A page is written to its file only after the log is durable up to its LSN.
//! 4. A thread that found a frame in the array checks the tag after it has the latch. If the frame
//!    was taken for another page between the two steps, the thread looks the page up again.
//! 5. A frame is dirty from the log record of a change until its page is written, and both happen
//!    under its latch: a checkpoint, which latches every frame in turn, misses no change.
//!
//! # Eviction
//!
//! The clock algorithm: each access marks the frame as used; the hand goes round, clears marks, and
//! takes the first frame that has no mark and is not latched.
//!
//! ```text
//! frame   0     1     2     3
//! used    yes   no    yes   no      hand at 0, frame 1 is latched
//! used    no    no    no    no      0: cleared, 1: skipped, 2: cleared, 3: taken
//! ```
//!
//! PostgreSQL's `bufmgr.c` and `freelist.c` count uses up to five, and pin pages with a reference
//! count beside the latch, because its executor keeps pages pinned between calls. Ours copies the
//! rows that it needs and releases the latch.

mod page;
mod relation;

pub use page::{PageMut, PageRef};
pub use relation::Relation;

use super::wal::Wal;
use super::{Error, Result};
use crate::format::wal::PageChange;
use crate::format::{Lsn, PageHeader, RelationId};
use minibtree_buffer_usage::{PageUse, count, trace};
pub use minibtree_buffer_usage::{buffer_usage, trace_pages};
use minibtree_buffers::{Addresses, Buffer};
use minibtree_maps::of_page;
use minikit::storage::Disk;
use minikit::sync::{Mutex, RwLock, thread};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The directory of the relations.
const DIRECTORY: &str = "base";
/// Locks that loads share: loads of pages with different locks run in parallel.
const LOADING: usize = 64;
/// The fewest frames: a few threads could latch all frames of a smaller pool.
const FRAMES_MIN: usize = 64;

/// The pool, and the relations whose pages it holds.
pub struct Pool {
    pub disk: Arc<dyn Disk>,
    pub wal: Arc<Wal>,
    frames: Box<[Frame]>,
    pages: Addresses,
    /// The next frame that the clock's hand looks at.
    hand: AtomicUsize,
    /// Locks by page number, for invariant 2.
    loading: [Mutex<()>; LOADING],
    relations: RwLock<BTreeMap<RelationId, Arc<Relation>>>,
}

/// A place for a page. In one cache line, since a lookup waits for each line that it reads.
#[repr(align(64))]
pub struct Frame {
    latch: RwLock<FrameData>,
    is_used: AtomicBool,
    is_dirty: AtomicBool,
}

/// The state that the latch protects.
pub struct FrameData {
    /// The page in the frame, or `None`.
    tag: Option<(RelationId, u32)>,
    relation: Option<Arc<Relation>>,
    bytes: Buffer,
}

impl FrameData {
    fn tag(&self) -> (RelationId, u32) {
        self.tag.expect("a latched page is in its frame")
    }
}

impl Pool {
    /// A pool of `frames` frames over the relations of a disk. Creates the directory if it is
    /// missing.
    pub fn open(disk: Arc<dyn Disk>, wal: Arc<Wal>, frames: usize) -> Result<Pool> {
        let relations = open_relations(&*disk)?;
        let buffers = minibtree_buffers::allocate(frames.max(FRAMES_MIN))?;
        let frame = |bytes| Frame {
            latch: RwLock::new(FrameData { tag: None, relation: None, bytes }),
            is_used: AtomicBool::new(false),
            is_dirty: AtomicBool::new(false),
        };
        Ok(Pool {
            disk,
            wal,
            pages: Addresses::of(&buffers),
            frames: buffers.into_iter().map(frame).collect(),
            hand: AtomicUsize::new(0),
            loading: std::array::from_fn(|_| Mutex::default()),
            relations: RwLock::new(relations),
        })
    }

    /// All relations.
    pub fn relations(&self) -> Vec<Arc<Relation>> {
        self.relations.read().values().cloned().collect()
    }

    /// The relation of this number.
    pub fn relation(&self, id: RelationId) -> Result<Arc<Relation>> {
        self.relations.read().get(&id).cloned().ok_or(Error::NotFound(id))
    }

    /// Creates an empty relation. Its file survives a crash.
    pub fn create_relation(&self, id: RelationId) -> Result<Arc<Relation>> {
        let mut relations = self.relations.write();
        if relations.contains_key(&id) {
            return Err(Error::AlreadyExists(id));
        }
        let file = self.disk.create(&name(id))?;
        self.disk.sync_dir(DIRECTORY)?;
        let relation = Arc::new(Relation::new(id, file)?);
        relations.insert(id, Arc::clone(&relation));
        Ok(relation)
    }

    /// Removes a relation with its pages, its file and its overflow pages. A thread that still has
    /// a handle can read the old content.
    pub fn drop_relation(&self, id: RelationId) -> Result<()> {
        if id != id.overflow() {
            self.drop_relation(id.overflow())?;
        }
        let Some(relation) = self.relations.write().remove(&id) else { return Ok(()) };
        relation.is_dropped.store(true, Ordering::Release);
        for (number, frame) in self.frames.iter().enumerate() {
            let is_here = || matches!(frame.latch.read().tag, Some((owner, _)) if owner == id);
            if is_here() {
                let mut data = frame.latch.write();
                if matches!(data.tag, Some((owner, _)) if owner == id) {
                    self.vacate(number, frame, &mut data);
                }
            }
        }
        self.disk.remove(&name(id))?;
        self.disk.sync_dir(DIRECTORY)?;
        Ok(())
    }

    /// Latches a page for reading.
    pub fn read<'a>(&'a self, relation: &Arc<Relation>, block: u32) -> Result<PageRef<'a>> {
        let (guard, _) = self.latch(relation, block, PageUse::Read, |frame| frame.latch.read())?;
        Ok(PageRef { guard })
    }

    /// Latches a page for changing.
    pub fn write<'a>(&'a self, relation: &Arc<Relation>, block: u32) -> Result<PageMut<'a>> {
        self.write_as(relation, block, PageUse::Read)
    }

    fn write_as(&self, relation: &Arc<Relation>, block: u32, load: PageUse) -> Result<PageMut<'_>> {
        let (guard, frame) = self.latch(relation, block, load, |frame| frame.latch.write())?;
        Ok(PageMut::new(guard, frame))
    }

    /// Latches a page, loading it first if it is not in memory. A load is counted as `load`.
    fn latch<'a, G: Deref<Target = FrameData>>(
        &'a self,
        relation: &Arc<Relation>,
        block: u32,
        load: PageUse,
        latch: impl Fn(&'a Frame) -> G,
    ) -> Result<(G, &'a Frame)> {
        let tag = Some((relation.id, block));
        let mut page_use = PageUse::Hit;
        loop {
            if let Some(number) = relation.entry(block).frame() {
                self.pages.prefetch(number);
                let frame = &self.frames[number];
                let guard = latch(frame);
                if guard.tag == tag {
                    frame.touch();
                    count(relation.id, page_use);
                    trace(relation.id, block);
                    return Ok((guard, frame));
                }
            }
            if self.load(relation, block, true)? {
                page_use = load;
            }
        }
    }

    /// Latches a page for changing if that is possible without waiting for another latch.
    pub fn try_write<'a>(
        &'a self,
        relation: &Arc<Relation>,
        block: u32,
    ) -> Result<Option<PageMut<'a>>> {
        let tag = Some((relation.id, block));
        self.load(relation, block, true)?;
        let Some(number) = relation.entry(block).frame() else { return Ok(None) };
        let frame = &self.frames[number];
        let guard = frame.latch.try_write().filter(|guard| guard.tag == tag);
        Ok(guard.map(|guard| PageMut::new(guard, frame)))
    }

    /// Adds a page at the end of a relation. It is all zeros.
    pub fn extend<'a>(&'a self, relation: &Arc<Relation>) -> Result<PageMut<'a>> {
        let block = relation.add_blocks(1);
        self.write_as(relation, block, PageUse::Written)
    }

    /// Logs the changes of some pages as one record: after a crash all of them are there or none.
    /// Returns the end of the record.
    pub fn log(&self, pages: &mut [PageMut]) -> Lsn {
        let lsn = self.wal.append(|record| {
            for page in pages.iter() {
                let (operations, is_whole) = page.changes();
                record.page(page.relation(), page.block(), page, operations, is_whole);
            }
        });
        pages.iter_mut().for_each(|page| page.set_logged(lsn));
        lsn
    }

    /// Applies a change from the log during recovery.
    pub fn redo(&self, change: &PageChange, changed: &[u8], end: Lsn) -> Result<()> {
        // Skip relations that a later record of the log drops.
        let Ok(relation) = self.relation(RelationId(change.relation)) else { return Ok(()) };
        relation.ensure_blocks(change.block + 1);

        // A page's first change is its image, so a torn page in the file does no harm.
        self.load(&relation, change.block, change.hole == 0)?;
        let mut page = self.write(&relation, change.block)?;
        minibtree_record::redo(&mut page.guard.bytes, change, changed, end);
        relation.entry(change.block).map_bits.store(of_page(&page), Ordering::Release);
        page.frame.is_dirty.store(true, Ordering::Release);
        Ok(())
    }

    /// Writes every dirty page and makes the files durable.
    pub fn flush(&self) -> Result<()> {
        for frame in &self.frames {
            // Latch before checking: a page whose change is being logged is not marked yet.
            self.write_back(frame, &frame.latch.read())?;
        }
        self.relations().iter().try_for_each(|relation| relation.sync())
    }

    /// Loads a page. Returns false if it was in memory. Verifies the checksum if `check` is true.
    fn load(&self, relation: &Arc<Relation>, block: u32, check: bool) -> Result<bool> {
        let hash = (relation.id.0 as usize).wrapping_mul(31).wrapping_add(block as usize);
        let _loading = self.loading[hash % LOADING].lock();
        if relation.entry(block).frame().is_some() {
            return Ok(false);
        }

        let (number, mut data) = self.victim()?;
        relation.read(block, &mut data.bytes)?;
        if check {
            relation.check(block, &data.bytes, &self.wal)?;
        }
        data.tag = Some((relation.id, block));
        data.relation = Some(Arc::clone(relation));
        relation.entry(block).set_frame(Some(number));
        Ok(true)
    }

    /// Frees a frame: writes its page if that is dirty (PostgreSQL's `StrategyGetBuffer`).
    fn victim(&self) -> Result<(usize, minikit::sync::RwLockWriteGuard<'_, FrameData>)> {
        for turn in 1.. {
            let number = self.hand.fetch_add(1, Ordering::Relaxed) % self.frames.len();
            let frame = &self.frames[number];
            if !frame.is_used.swap(false, Ordering::Relaxed)
                && let Some(mut data) = frame.latch.try_write()
            {
                // If the disk is full, a clean page can go instead.
                let written = self.write_back(frame, &data);
                if written.is_ok() || turn > 2 * self.frames.len() {
                    written?;
                    self.vacate(number, frame, &mut data);
                    return Ok((number, data));
                }
            }

            // The hand has gone round twice and found every frame latched: let their threads run.
            if turn % (2 * self.frames.len()) == 0 {
                thread::yield_now();
            }
        }
        unreachable!("the clock goes round until it finds a frame")
    }

    /// Forgets the page of a frame.
    fn vacate(&self, number: usize, frame: &Frame, data: &mut FrameData) {
        if let (Some(relation), Some((_, block))) = (data.relation.take(), data.tag.take()) {
            debug_assert_eq!(relation.entry(block).frame(), Some(number));
            relation.entry(block).set_frame(None);
        }
        frame.is_dirty.store(false, Ordering::Release);
    }

    /// Writes the page of a frame to its file if it is dirty. The caller has latched the frame.
    fn write_back(&self, frame: &Frame, data: &FrameData) -> Result<()> {
        let Some(relation) = &data.relation else { return Ok(()) };
        if !frame.is_dirty.load(Ordering::Acquire) || relation.is_dropped.load(Ordering::Acquire) {
            return Ok(());
        }

        // The log first: otherwise a crash could leave a change that no record explains.
        self.wal.flush(Lsn(PageHeader::lsn.get(&data.bytes[..])))?;
        relation.write(data.tag().1, &data.bytes)?;
        count(relation.id, PageUse::Written);
        frame.is_dirty.store(false, Ordering::Release);
        Ok(())
    }
}

impl Drop for Pool {
    /// Waits for a running flush of the log, so that no late write reaches a reopened database.
    fn drop(&mut self) {
        self.wal.finish_flush();
    }
}

impl Frame {
    fn touch(&self) {
        // Stored only if it changes: a page that everyone reads stays in every core's cache.
        if !self.is_used.load(Ordering::Relaxed) {
            self.is_used.store(true, Ordering::Relaxed);
        }
    }
}

fn open_relations(disk: &dyn Disk) -> Result<BTreeMap<RelationId, Arc<Relation>>> {
    let names = minibtree_small_file::directory(disk, DIRECTORY)?;
    let ids = names.into_iter().filter_map(|name| name.parse().ok());
    let open = |id| {
        let id = RelationId(id);
        Ok((id, Arc::new(Relation::new(id, disk.open(&name(id))?)?)))
    };
    ids.map(open).collect()
}

fn name(id: RelationId) -> String {
    format!("{DIRECTORY}/{id}")
}
