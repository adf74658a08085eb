//! What both kinds of index stand on: their pages, ranges of keys, and what a look-up found.
//!
//! ```
//! use minibtree::engine::KeyRange;
//!
//! let range = KeyRange::all().at_least(b"b").up_to(b"c");
//! assert!(range.contains(b"b") && range.contains(b"c\x07") && !range.contains(b"d"));
//! assert!(!KeyRange::all().after(b"b").contains(b"b\xff"));
//! ```
//!
//! PostgreSQL's `genam.h` and `skey.h`: there, a range is a list of comparisons.

use super::pool::{PageMut, PageRef, Relation};
use super::txn::System;
use super::{Error, Result};
use crate::format::{PageBytes, PageHeader, PageKind, Tid, Xid};
use std::ops::Range;
use std::sync::Arc;

/// The longest key with its payload, in bytes: three entries must fit a page.
pub const ENTRY_MAX: usize = 2_600;

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From small keys to large ones.
    Forward,
    /// From large keys to small ones.
    Backward,
}

/// The entries that a scan returns: those whose key, with the TID after it, is at least `start`
/// and less than `end` as bytes.
///
/// A bound stands for all keys that begin with it: `at_least(k)` and `up_to(k)` include the entries
/// of key `k` itself, `after(k)` and `before(k)` leave them out. So the first columns of a
/// composite key are a bound too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    pub(super) start: Vec<u8>,
    /// `None`: no end.
    pub(super) end: Option<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> KeyRange {
        KeyRange { start: Vec::new(), end: None }
    }

    /// The keys that begin with `key`.
    pub fn equal(key: &[u8]) -> KeyRange {
        KeyRange { start: key.to_vec(), end: successor(key) }
    }

    /// Not less than `key`.
    pub fn at_least(self, key: &[u8]) -> KeyRange {
        KeyRange { start: key.to_vec(), ..self }
    }

    /// Greater than every key that begins with `key`.
    pub fn after(self, key: &[u8]) -> KeyRange {
        match successor(key) {
            Some(start) => KeyRange { start, ..self },
            // Nothing is greater than 0xff, 0xff ..: an empty range.
            None => KeyRange { start: Vec::new(), end: Some(Vec::new()) },
        }
    }

    /// Less than `key`.
    pub fn before(self, key: &[u8]) -> KeyRange {
        KeyRange { end: Some(key.to_vec()), ..self }
    }

    /// Not greater than the keys that begin with `key`.
    pub fn up_to(self, key: &[u8]) -> KeyRange {
        KeyRange { end: successor(key), ..self }
    }

    /// Returns true if an entry with these bytes is in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        *key >= *self.start && self.end.as_ref().is_none_or(|end| *key < **end)
    }
}

/// The smallest byte string that is greater than all that begin with `key`.
fn successor(key: &[u8]) -> Option<Vec<u8>> {
    let last = key.iter().rposition(|byte| *byte != 0xff)?;
    let mut next = key[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

/// An entry found by a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry<'a> {
    /// The key as it was inserted.
    pub key: &'a [u8],
    /// The row: the start of its chain of versions.
    pub tid: Tid,
    /// The payload as it was inserted.
    pub payload: &'a [u8],
}

/// Where in the bytes of a scan an entry is.
pub struct Found {
    pub key: Range<usize>,
    pub tid: Tid,
    pub payload: Range<usize>,
}

/// What a look for a unique key found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    None,
    Row(Tid),
    /// Wait for this transaction and look again.
    Undecided(Xid),
}

/// The pages of an index.
#[derive(Clone)]
pub struct IndexFile {
    pub system: Arc<System>,
    pub relation: Arc<Relation>,
    pub kind: PageKind,
}

impl IndexFile {
    /// Latches any of its pages for reading.
    pub fn read(&self, block: u32) -> Result<PageRef<'_>> {
        let page = self.system.pool.read(&self.relation, block)?;
        self.check(block, &page)?;
        Ok(page)
    }

    /// Latches any of its pages for changing.
    pub fn write(&self, block: u32) -> Result<PageMut<'_>> {
        let page = self.system.pool.write(&self.relation, block)?;
        self.check(block, &page)?;
        Ok(page)
    }

    fn check(&self, block: u32, page: &PageBytes) -> Result<()> {
        if PageHeader::kind.get(page) == self.kind as u8 {
            return Ok(());
        }
        Err(Error::Corrupt(format!("page {block} does not belong to index {}", self.relation.id)))
    }
}
