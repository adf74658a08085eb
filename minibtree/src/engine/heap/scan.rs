//! The sequential scan: every row that a snapshot sees, page after page.
//!
//! Each page is latched once: its visible rows are copied, and the latch is released before the
//! caller gets the first row. So a scan that is slow, or never finished, blocks no other thread.
//! PostgreSQL's `heapgetpage` works the same way, but keeps the page pinned and returns pointers
//! into it.
//!
//! A page with many dead versions is pruned, as by PostgreSQL's `heap_page_prune_opt`: all scans of
//! a small hot table would look at them, and updates prune only a full page.

use super::{Heap, page};
use crate::engine::{Result, Snapshot};
use crate::format::heap::HEAP_ONLY;
use crate::format::page::{ALL_VISIBLE, items};
use crate::format::{PageHeader, Tid, Xid};
use std::ops::Range;
use std::sync::Arc;

/// A page with this many dead versions is pruned: so many are worth the record in the log.
const DEAD_MAX: usize = 32;

/// A row found by a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Where this version is.
    pub tid: Tid,
    /// True if index entries have the TID of its chain's start, [`Heap::root`], not its own.
    pub is_heap_only: bool,
    /// False for a version that only an older snapshot may see ([`HeapScan::with_old_versions`]).
    pub is_seen: bool,
    /// The row as it was inserted.
    pub bytes: &'a [u8],
}

/// A sequential scan.
pub struct HeapScan {
    heap: Heap,
    snapshot: Arc<Snapshot>,
    /// The pages still to read. Pages added after the scan began have no rows that it can see.
    blocks: Range<u32>,
    /// The rows of the current page that are left.
    rows: std::vec::IntoIter<PageRow>,
    bytes: Vec<u8>,
    /// If set, versions that were deleted at this id or after it are returned too.
    horizon: Option<Xid>,
    /// Versions that were deleted before this id are dead.
    dead_before: Xid,
}

/// A row of the current page, and where it is in [`HeapScan::bytes`].
struct PageRow {
    tid: Tid,
    is_heap_only: bool,
    is_seen: bool,
    bytes: Range<usize>,
}

impl HeapScan {
    pub(super) fn new(heap: Heap, snapshot: Arc<Snapshot>) -> HeapScan {
        let blocks = 0..heap.pages();
        let (rows, bytes) = (Vec::new().into_iter(), Vec::new());
        let dead_before = heap.system.horizon();
        HeapScan { heap, snapshot, blocks, rows, bytes, horizon: None, dead_before }
    }

    /// Also returns the versions that only an older snapshot may see. An index build needs them:
    /// that snapshot may use the index later.
    pub fn with_old_versions(self) -> HeapScan {
        let horizon = Some(self.heap.system.horizon());
        HeapScan { horizon, ..self }
    }

    /// The same rows as two scans, which threads can read at the same time.
    pub fn halves(mut self) -> [HeapScan; 2] {
        let middle = self.blocks.start.midpoint(self.blocks.end);
        let second = HeapScan::new(self.heap.clone(), Arc::clone(&self.snapshot));
        let blocks = middle..std::mem::replace(&mut self.blocks.end, middle);
        let second = HeapScan { blocks, horizon: self.horizon, ..second };
        [self, second]
    }

    /// The next row, or `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "the row borrows from the scan")]
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        loop {
            if let Some(PageRow { tid, is_heap_only, is_seen, bytes }) = self.rows.next() {
                return Ok(Some(Row { tid, is_heap_only, is_seen, bytes: &self.bytes[bytes] }));
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
        let (mut rows, mut dead) = (Vec::new(), 0);
        for (slot, _) in items(&page) {
            let Some((header, row)) = page::tuple(&page, slot) else { continue };
            let tid = Tid { block, slot };
            let is_seen = all_visible || self.snapshot.sees(relation.id, tid, &header)?;
            let is_old = |it| page::is_dead(&self.heap.system, &header, it).map(|it| !it);
            if is_seen || self.horizon.map_or(Ok(false), is_old)? {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(row);
                let is_heap_only = header.flags & HEAP_ONLY != 0;
                let bytes = start..self.bytes.len();
                rows.push(PageRow { tid, is_heap_only, is_seen, bytes });
            } else if header.xmax != 0 && Xid(header.xmax) < self.dead_before {
                dead += 1;
            }
        }
        self.rows = rows.into_iter();

        drop(page);
        // An index build looks up where the chains of old versions begin, so it must keep them.
        let prunes = dead >= DEAD_MAX && self.horizon.is_none();
        if prunes { self.heap.prune(block) } else { Ok(()) }
    }
}
