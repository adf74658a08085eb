//! An open relation: its file, its pages in memory, and hints where there is room.

use crate::engine::wal::Wal;
use crate::engine::{Error, Result};
use crate::format::{Lsn, PAGE_SIZE, PageBytes, PageHeader, PageKind, RelationId, page as bytes};
use minibtree_autovacuum::Activity;
use minibtree_maps::{HAS_ROOM, IS_WRITTEN};
use minibtree_page_table::{PageEntry, PageTable};
use minikit::storage::DiskFile;
use minikit::sync::Mutex;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// An open relation.
pub struct Relation {
    pub id: RelationId,
    file: Box<dyn DiskFile>,
    table: PageTable,
    /// The number of pages, including those that are not in the file yet.
    blocks: AtomicU32,
    /// The number of pages in the file.
    written: AtomicU32,
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
            table: PageTable::default(),
            blocks: AtomicU32::new(blocks as u32),
            written: AtomicU32::new(blocks as u32),
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
        self.table.entry(block)
    }

    /// The bits of its pages in the maps, up to the last one that has any.
    pub fn map(&self) -> Vec<u8> {
        let bits = |block| self.entry(block).map_bits.load(Ordering::Acquire);
        let mut map: Vec<u8> = (0..self.blocks()).map(bits).collect();
        for (block, _) in &*self.reusable.lock() {
            if let Some(bits) = map.get_mut(*block as usize) {
                *bits |= HAS_ROOM;
            }
        }
        let known = map.iter().rposition(|bits| *bits != 0).map_or(0, |last| last + 1);
        map.truncate(known);
        map
    }

    /// Sets the bits of its first pages. If the file is shorter, reading the others will fail.
    pub fn set_map(&self, map: &[u8]) {
        self.ensure_blocks(map.len() as u32);
        for (block, bits) in (0..).zip(map) {
            self.entry(block).map_bits.store(*bits, Ordering::Release);
        }
    }

    /// Offers the pages with the bit for room to insertions, and clears the bits.
    pub fn offer_room(&self) {
        let clear = |block| self.entry(block).map_bits.fetch_and(!HAS_ROOM, Ordering::AcqRel);
        let has_room = |block: &u32| clear(*block) & HAS_ROOM != 0;
        let pages = (0..self.blocks()).filter(has_room).map(|block| (block, 0));
        self.reusable.lock().extend(pages);
    }

    /// Reads a page from the file. A page past the end of the file is all zeros: it was added but
    /// never written.
    pub(super) fn read(&self, block: u32, page: &mut PageBytes) -> Result<()> {
        let offset = u64::from(block) * PAGE_SIZE as u64;
        let mut filled = 0;
        while filled < PAGE_SIZE && block < self.written.load(Ordering::Acquire) {
            match self.file.read_at(&mut page[filled..], offset + filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        page[filled..].fill(0);
        Ok(())
    }

    /// Fails if a page that was read is not what was last written (`PageIsVerifiedExtended`).
    pub(super) fn check(&self, block: u32, page: &PageBytes, wal: &Wal) -> Result<()> {
        let is_written = self.entry(block).map_bits.load(Ordering::Acquire) & IS_WRITTEN != 0;
        let why = if !bytes::is_intact(page, self.id, block) {
            "damaged: its checksum is wrong"
        } else if is_written && PageHeader::kind.get(page) == PageKind::New as u8 {
            "missing: its file has zeros there, or is too short"
        } else if !wal.is_durable(Lsn(PageHeader::lsn.get(page))) {
            "newer than the log: the end of the log is missing"
        } else {
            return Ok(());
        };
        Err(Error::Corrupt(format!("page {block} of relation {} is {why}", self.id)))
    }

    /// Writes a page with its checksum to the file, not durably, and not through the pool. The
    /// page is not in memory or the caller holds its latch.
    pub fn write(&self, block: u32, page: &PageBytes) -> Result<()> {
        if self.is_dropped.load(Ordering::Acquire) {
            return Ok(());
        }
        self.is_unsynced.store(true, Ordering::Release);

        // A copy, because others may be reading the page.
        let mut page = bytes::copy(page);
        let checksum = bytes::checksum(&page, self.id, block);
        PageHeader::checksum.put(&mut page[..], checksum);
        self.file.write_all_at(&page[..], u64::from(block) * PAGE_SIZE as u64)?;
        self.written.fetch_max(block + 1, Ordering::AcqRel);
        self.entry(block).map_bits.fetch_or(IS_WRITTEN, Ordering::AcqRel);
        self.ensure_blocks(block + 1);
        Ok(())
    }

    /// Makes all pages durable that were written.
    pub fn sync(&self) -> Result<()> {
        // Clear the flag first: a page written during the sync needs another sync.
        if self.is_unsynced.swap(false, Ordering::AcqRel) {
            // Never reported as a full disk, after which one may go on.
            self.file.sync().map_err(io::Error::other)?;
        }
        Ok(())
    }
}
