//! Scans: the entries of a range, forwards along the right links, backwards through the parents.
//!
//! A leaf is latched once; its entries that are in the range are copied, and the latch is released.
//! Between two leaves a scan remembers a key, not a position on a page, so splits and merges do no
//! harm:
//!
//! * forwards, the next leaf is the right sibling, and the remembered key is the high key. If the
//!   sibling has been merged into its neighbor since, the scan searches for the key;
//! * backwards, the remembered key is the smallest that the leaf could hold. The next leaf is the
//!   one with the greatest smaller key. The scan finds it from the root, because leaves have no
//!   left links, which every split and merge would have to maintain. That costs a descent for
//!   every few hundred entries.
//!
//! PostgreSQL's `_bt_readpage` copies in the same way; its backward scans follow left links and
//! check what they find (`_bt_lock_and_validate_left`).

use super::node::{self, SearchKey};
use super::search::read_leaf;
use crate::engine::access::IndexFile;
use crate::engine::access::{Direction, ENTRY_MAX, Found, IndexEntry};
use crate::engine::{Error, Result, Snapshot};
use crate::format::{PageBytes, Tid};
use minibtree_key_range::KeyRange;
use std::mem::take;
use std::sync::Arc;

/// A scan of an index.
pub struct IndexScan {
    index: IndexFile,
    /// Prevents the reuse of deleted pages that the scan may still read.
    _snapshot: Arc<Snapshot>,
    range: KeyRange,
    direction: Direction,
    /// Where the scan continues; `None` at its end.
    next: Option<Next>,
    copied: Copied,
}

/// Where a scan continues after a leaf.
enum Next {
    /// In the leaf that covers this key. `block` is the page where it was, if known.
    Forward { key: Vec<u8>, block: Option<u32> },
    /// In the leaf with the greatest key less than this one, or with `None`, of the whole index.
    Backward { key: Option<Vec<u8>> },
    /// Nowhere: the hash lookup failed, and the scan returns this error.
    Failed(Error),
}

/// The entries of a leaf that are in the range and were not returned yet.
#[derive(Default)]
struct Copied {
    entries: std::vec::IntoIter<Found>,
    bytes: Vec<u8>,
}

impl IndexScan {
    pub(in crate::engine) fn new(
        index: IndexFile,
        snapshot: Arc<Snapshot>,
        mut range: KeyRange,
        direction: Direction,
    ) -> IndexScan {
        // A scan needs the bound where it begins only once.
        let next = Some(match direction {
            Direction::Forward => Next::Forward { key: take(&mut range.start), block: None },
            Direction::Backward => Next::Backward { key: range.end.take() },
        });
        let copied = Copied::default();
        IndexScan { index, _snapshot: snapshot, range, direction, next, copied }
    }

    /// A scan over entries that a lookup in a hash index has already copied.
    pub(in crate::engine) fn of_found(
        index: IndexFile,
        snapshot: Arc<Snapshot>,
        bytes: Vec<u8>,
        found: Result<Vec<Found>>,
    ) -> IndexScan {
        let scan = IndexScan::new(index, snapshot, KeyRange::all(), Direction::Forward);
        let (next, found) = match found {
            Ok(found) => (None, found),
            Err(error) => (Some(Next::Failed(error)), Vec::new()),
        };
        IndexScan { next, copied: Copied { entries: found.into_iter(), bytes }, ..scan }
    }

    /// The next entry, or `None` at the end of the range.
    #[expect(clippy::should_implement_trait, reason = "the entry borrows from the scan")]
    pub fn next(&mut self) -> Result<Option<IndexEntry<'_>>> {
        loop {
            let found = match self.direction {
                Direction::Forward => self.copied.entries.next(),
                Direction::Backward => self.copied.entries.next_back(),
            };
            if let Some(Found { key, tid, payload }) = found {
                let (key, payload) = (&self.copied.bytes[key], &self.copied.bytes[payload]);
                return Ok(Some(IndexEntry { key, tid, payload }));
            }
            match self.next.take() {
                None => return Ok(None),
                Some(Next::Forward { key, block }) => self.read_forward(key, block)?,
                Some(Next::Backward { key }) => self.read_backward(key)?,
                Some(Next::Failed(error)) => return Err(error),
            }
        }
    }

    fn read_forward(&mut self, key: Vec<u8>, block: Option<u32>) -> Result<()> {
        let known = block.map(|block| self.index.read(block)).transpose()?;
        let page = match known.filter(|page| node::is_at(page, 0)) {
            Some(page) => page,
            None => read_leaf(&self.index, &key, None)?,
        };

        let from = node::lower_bound(&page, SearchKey::new(&key));
        let end = self.copied.read(&page, from, self.range.end.as_deref());
        if end == node::count(&page)
            && let Some(high) = node::high_key(&page)
            && self.range.end.as_ref().is_none_or(|end| high < *end)
        {
            let right = node::special(&page).right;
            self.next = Some(Next::Forward { key: high, block: Some(right) });
        }
        Ok(())
    }

    fn read_backward(&mut self, key: Option<Vec<u8>>) -> Result<()> {
        // An open end becomes a key greater than all others: longer than any, and all 0xff.
        let key = key.unwrap_or_else(|| vec![0xff; ENTRY_MAX + 16]);
        let mut low = Vec::new();
        let page = read_leaf(&self.index, &key, Some(&mut low))?;
        let from = node::lower_bound(&page, SearchKey::new(&self.range.start));
        self.copied.read(&page, from, Some(&key));

        // Continue to the left of this leaf, unless the range or the index ends here.
        if !low.is_empty() && low > self.range.start {
            self.next = Some(Next::Backward { key: Some(low) });
        }
        Ok(())
    }
}

impl Copied {
    /// Copies the entries from index `from` on that are less than `end`. Returns the index after
    /// them. Compares each with `end`: a second binary search costs a lookup more than one entry.
    fn read(&mut self, page: &PageBytes, from: usize, end: Option<&[u8]>) -> usize {
        let (bound, bytes) = (end.map(SearchKey::new), &mut self.bytes);
        let is_in = |index| bound.is_none_or(|end| node::compare(page, index, end).is_lt());
        let count = node::count(page).max(from);
        let end = (from..count).find(|index| !is_in(*index)).unwrap_or(count);
        bytes.clear();
        bytes.reserve(32 * (end - from));
        let mut found = Vec::with_capacity(end - from);
        for index in from..end {
            let start = bytes.len();
            node::read_key(page, index, bytes);
            let tid = *bytes.last_chunk().expect("the key of a leaf ends in a TID");
            bytes.truncate(bytes.len() - tid.len());
            let middle = bytes.len();
            bytes.extend_from_slice(node::payload(page, index));
            let (key, payload) = (start..middle, middle..bytes.len());
            found.push(Found { key, tid: Tid::from_bytes(tid), payload });
        }
        self.entries = found.into_iter();
        end
    }
}
