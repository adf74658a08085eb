//! The sequential scan: every row that a snapshot sees, page after page.
//!
//! A page is latched once. Visible rows are copied, and the latch is released before the caller
//! gets the first one: a scan that is slow, or never finished, blocks no other thread.
//! PostgreSQL's `heapgetpage` works the same way, but keeps the page pinned and returns pointers
//! into it.

use super::{Heap, page};
use crate::engine::{Result, Snapshot};
use crate::format::heap::HEAP_ONLY;
use crate::format::page::{ALL_VISIBLE, items};
use crate::format::{PageHeader, Tid};
use std::ops::Range;
use std::sync::Arc;

/// A row found by a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Where this version is.
    pub tid: Tid,
    /// True if index entries have the TID of its chain's start, [`Heap::root`], not its own.
    pub is_heap_only: bool,
    /// The row as it was inserted.
    pub bytes: &'a [u8],
}

/// A sequential scan.
pub struct HeapScan {
    heap: Heap,
    snapshot: Arc<Snapshot>,
    /// The pages still to read. Pages added after the scan began have no rows that it can see.
    blocks: Range<u32>,
    /// Rows of the current page, and where they are in `bytes`.
    rows: std::vec::IntoIter<(Tid, bool, Range<usize>)>,
    bytes: Vec<u8>,
}

impl HeapScan {
    pub(super) fn new(heap: Heap, snapshot: Arc<Snapshot>) -> HeapScan {
        let blocks = 0..heap.pages();
        HeapScan { heap, snapshot, blocks, rows: Vec::new().into_iter(), bytes: Vec::new() }
    }

    /// The next row, or `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "the row borrows from the scan")]
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        loop {
            if let Some((tid, is_heap_only, range)) = self.rows.next() {
                return Ok(Some(Row { tid, is_heap_only, bytes: &self.bytes[range] }));
            }
            let Some(block) = self.blocks.next() else { return Ok(None) };
            self.read_page(block)?;
        }
    }

    fn read_page(&mut self, block: u32) -> Result<()> {
        let relation = &self.heap.relation;
        let page = self.heap.system.pool.read(relation, block)?;
        let all_visible = PageHeader::flags.get(&page[..]) & ALL_VISIBLE != 0;

        self.bytes.clear();
        let mut rows = Vec::new();
        for (slot, _) in items(&page) {
            let Some((header, row)) = page::tuple(&page, slot) else { continue };
            let tid = Tid { block, slot };
            if all_visible || self.snapshot.sees(relation.id, tid, &header)? {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(row);
                rows.push((tid, header.flags & HEAP_ONLY != 0, start..self.bytes.len()));
            }
        }
        self.rows = rows.into_iter();
        Ok(())
    }
}
