//! What the two kinds of index share: access to their pages, and the results of a lookup.
//!
//! PostgreSQL's `genam.h`.

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

/// An entry that a scan has copied: the ranges of its key and payload in the bytes of the scan.
pub struct Found {
    pub key: Range<usize>,
    pub tid: Tid,
    pub payload: Range<usize>,
}

/// The outcome of checking the rows of a unique key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    None,
    Row(Tid),
    /// This transaction has not ended: wait for it, then check again.
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
