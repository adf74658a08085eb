//! The array that says which pages of a relation are in memory.
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

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// Entries of the first part.
const FIRST_PART: usize = 1024;
/// Parts for 2^32 pages: 32 TiB.
const PARTS: usize = 22;

/// The state of a page that is known without reading the page.
#[derive(Debug, Default)]
pub struct PageEntry {
    /// The frame of the pool that holds it, plus 1; 0 if it is not in memory.
    frame: AtomicU32,
    /// What the maps say of it (`minibtree/maps`): after recovery, if it is all-visible.
    pub map_bits: AtomicU8,
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

/// An entry for each page of a relation.
#[derive(Debug, Default)]
pub struct PageTable {
    parts: [OnceLock<Box<[PageEntry]>>; PARTS],
}

impl PageTable {
    /// The entry of a page.
    pub fn entry(&self, block: u32) -> &PageEntry {
        let from_first = block as usize + FIRST_PART;
        let part = (from_first / FIRST_PART).ilog2() as usize;
        let start = FIRST_PART << part;
        let entries =
            self.parts[part].get_or_init(|| (0..start).map(|_| PageEntry::default()).collect());
        &entries[from_first - start]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_has_an_entry_of_its_own() {
        let table = PageTable::default();
        let blocks = [0, 1, 1023, 1024, 2000, 3071, 3072, 7167, 7168, 1_000_000];
        for (index, block) in blocks.into_iter().enumerate() {
            assert_eq!(table.entry(block).frame(), None);
            table.entry(block).set_frame(Some(index));
        }
        for (index, block) in blocks.into_iter().enumerate() {
            assert_eq!(table.entry(block).frame(), Some(index));
        }
    }
}
