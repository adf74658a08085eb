//! A relation's file, and the array that says which of its pages are in memory.
//!
//! Every page access of every query reads the array, so a lookup takes no lock: one atomic load
//! turns a block number into a frame number. It grows in parts that never move. The first has
//! 1,024 entries, and each part has twice as many as the one before:
//!
//! ```text
//! block 0..1024      part 0
//! block 1024..3072   part 1     block 2000: part 1, entry 976
//! block 3072..7168   part 2
//! ```
//!
//! PostgreSQL looks pages up in one partitioned hash table for all relations (`buf_table.c`).

use super::write_page;
use crate::engine::Result;
use crate::format::{PAGE_SIZE, PageBytes, RelationId};
use minibtree_autovacuum::Activity;
use minikit::storage::DiskFile;
use minikit::sync::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

/// Entries of the first part.
const FIRST_PART: usize = 1024;
/// Parts for 2^32 pages: 32 TiB.
const PARTS: usize = 22;

/// The state of a page that is known without reading the page.
#[derive(Default)]
pub struct PageEntry {
    /// The frame of the pool that holds it, plus 1; 0 if it is not in memory.
    frame: AtomicU32,
    /// Free for the relation's kind; heaps keep the visibility bit here. Lost at a restart.
    pub note: AtomicU8,
}

impl PageEntry {
    /// The frame that held the page a moment ago.
    pub fn frame(&self) -> Option<usize> {
        (self.frame.load(Ordering::Acquire) as usize).checked_sub(1)
    }

    /// Sets the frame of the page. The caller holds the latch of the frame.
    pub fn set_frame(&self, frame: Option<usize>) {
        let number = frame.map_or(0, |frame| frame as u32 + 1);
        self.frame.store(number, Ordering::Release);
    }
}

/// An open relation.
pub struct Relation {
    pub id: RelationId,
    file: Box<dyn DiskFile>,
    parts: [OnceLock<Box<[PageEntry]>>; PARTS],
    /// The number of pages, including those that are not in the file yet.
    blocks: AtomicU32,
    /// The page that took the last insertion. A hint: callers check the page.
    pub target: AtomicU32,
    /// Pages known to have room, also a hint. A page can be used only after all transactions up to
    /// the id beside it have ended.
    pub reusable: Mutex<Vec<(u32, u64)>>,
    /// True if the relation was dropped: pages are no longer written to the file.
    pub(super) is_dropped: AtomicBool,
    is_unsynced: AtomicBool,
    /// Of a heap: what has changed since its last VACUUM and ANALYZE.
    pub activity: Activity,
}

impl Relation {
    /// The relation of an open file.
    pub fn new(id: RelationId, file: Box<dyn DiskFile>) -> Result<Relation> {
        let blocks = file.len()?.div_ceil(PAGE_SIZE as u64);
        Ok(Relation {
            id,
            file,
            parts: Default::default(),
            blocks: AtomicU32::new(blocks as u32),
            target: AtomicU32::new(0),
            reusable: Mutex::default(),
            is_dropped: AtomicBool::new(false),
            is_unsynced: AtomicBool::new(false),
            activity: Activity::default(),
        })
    }

    /// The number of pages.
    pub fn blocks(&self) -> u32 {
        self.blocks.load(Ordering::Acquire)
    }

    /// Adds pages at the end and returns the number of the first. They are all zeros, and take no
    /// room in the file until they are written.
    pub fn add_blocks(&self, count: u32) -> u32 {
        self.blocks.fetch_add(count, Ordering::AcqRel)
    }

    /// Makes the relation at least `blocks` pages long.
    pub fn ensure_blocks(&self, blocks: u32) {
        self.blocks.fetch_max(blocks, Ordering::AcqRel);
    }

    /// The entry of a page.
    pub fn entry(&self, block: u32) -> &PageEntry {
        let from_first = block as usize + FIRST_PART;
        let part = (from_first / FIRST_PART).ilog2() as usize;
        let start = FIRST_PART << part;
        let entries =
            self.parts[part].get_or_init(|| (0..start).map(|_| PageEntry::default()).collect());
        &entries[from_first - start]
    }

    /// Reads a page from the file. A page past the end of the file is all zeros: it was added but
    /// never written.
    pub(super) fn read(&self, block: u32, page: &mut PageBytes) -> Result<()> {
        let offset = u64::from(block) * PAGE_SIZE as u64;
        let mut filled = 0;
        while filled < PAGE_SIZE {
            match self.file.read_at(&mut page[filled..], offset + filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        page[filled..].fill(0);
        Ok(())
    }

    /// Writes a page with its checksum to the file, not durably, and not through the pool. The
    /// page is not in memory or the caller holds its latch.
    pub fn write(&self, block: u32, page: &PageBytes) -> Result<()> {
        if self.is_dropped.load(Ordering::Acquire) {
            return Ok(());
        }
        self.is_unsynced.store(true, Ordering::Release);
        write_page(&*self.file, block, page)?;
        self.ensure_blocks(block + 1);
        Ok(())
    }

    /// Makes all pages durable that were written.
    pub fn sync(&self) -> Result<()> {
        // Clear the flag first: a page written during the sync needs another sync.
        if self.is_unsynced.swap(false, Ordering::AcqRel) {
            self.file.sync()?;
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use minikit::storage::{Disk, SimulatedDisk};

    #[test]
    fn every_block_has_an_entry_of_its_own() {
        let file = SimulatedDisk::new(1).create("r").expect("an empty disk");
        let relation = Relation::new(RelationId(1), file).expect("readable");
        let blocks = [0, 1, 1023, 1024, 2000, 3071, 3072, 7167, 7168, 1_000_000];
        for (index, block) in blocks.into_iter().enumerate() {
            assert_eq!(relation.entry(block).frame(), None);
            relation.entry(block).set_frame(Some(index));
        }
        for (index, block) in blocks.into_iter().enumerate() {
            assert_eq!(relation.entry(block).frame(), Some(index));
        }
    }
}
