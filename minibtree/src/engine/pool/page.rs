//! Latched pages: shared for reading, exclusive for changing.
//!
//! A [`PageMut`] records what is done to it, and [`Pool::log`](super::Pool::log) turns that into a
//! log record. Code cannot change a page in any other way, and debug builds panic if a page is
//! released with changes that were not logged.

use super::{Frame, FrameData};
use crate::format::{Lsn, PageBytes, PageHeader, PageKind, RelationId, page};
use minibtree_buffer_usage::{PageUse, count};
use minibtree_record::Operations;
use minikit::sync::{RwLockReadGuard, RwLockWriteGuard};
use std::ops::Deref;
use std::sync::atomic::Ordering;

/// A page latched for reading. Other threads can read it too, but none can change or evict it.
pub struct PageRef<'a> {
    pub(super) guard: RwLockReadGuard<'a, FrameData>,
}

impl PageRef<'_> {
    /// The number of the page.
    pub fn block(&self) -> u32 {
        self.guard.tag().1
    }
}

impl Deref for PageRef<'_> {
    type Target = PageBytes;

    fn deref(&self) -> &PageBytes {
        &self.guard.bytes
    }
}

/// A page latched for changing. No other thread can read or change it.
pub struct PageMut<'a> {
    pub(super) guard: RwLockWriteGuard<'a, FrameData>,
    pub(super) frame: &'a Frame,
    operations: Operations,
    is_whole: bool,
}

impl Deref for PageMut<'_> {
    type Target = PageBytes;

    fn deref(&self) -> &PageBytes {
        &self.guard.bytes
    }
}

impl<'a> PageMut<'a> {
    pub(super) fn new(guard: RwLockWriteGuard<'a, FrameData>, frame: &'a Frame) -> PageMut<'a> {
        PageMut { guard, frame, operations: Operations::default(), is_whole: false }
    }

    /// The number of the page.
    pub fn block(&self) -> u32 {
        self.guard.tag().1
    }

    /// The relation of the page.
    pub fn relation(&self) -> RelationId {
        self.guard.tag().0
    }

    /// Writes bytes. Logged as these bytes, unless the image is logged anyway.
    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        match self.is_whole {
            true => self.guard.bytes[at..at + bytes.len()].copy_from_slice(bytes),
            false => self.operations.put(&mut self.guard.bytes, at, bytes),
        }
    }

    /// Moves bytes within the page. Logged as three numbers.
    pub fn shift(&mut self, from: usize, to: usize, length: usize) {
        self.operations.shift(&mut self.guard.bytes, from, to, length);
    }

    /// Moves the tuples of a heap page together. Logged as five bytes.
    pub fn compact(&mut self) {
        self.operations.compact(&mut self.guard.bytes);
    }

    /// Initializes the page as empty. Logged as its image.
    pub fn initialize(&mut self, kind: PageKind, special: usize) {
        page::initialize(&mut self.guard.bytes, kind, special);
        self.is_whole = true;
    }

    /// Replaces the content by that of `page`. Logged as its image.
    pub fn replace(&mut self, page: &PageBytes) {
        let lsn = self.lsn();
        *self.guard.bytes = *page;
        PageHeader::lsn.put(&mut self.guard.bytes[..], lsn.0);
        self.is_whole = true;
    }

    /// Returns true if it has changes that are not logged yet.
    pub fn is_changed(&self) -> bool {
        self.is_whole || !self.operations.is_empty()
    }

    /// The end of the last record that changed it.
    pub fn lsn(&self) -> Lsn {
        Lsn(PageHeader::lsn.get(&self[..]))
    }

    /// The operations that [`Pool::log`](super::Pool::log) writes, and true if the image is
    /// logged instead.
    pub(super) fn changes(&self) -> (&Operations, bool) {
        (&self.operations, self.is_whole)
    }

    /// Notes that the changes are in the log.
    pub(super) fn set_logged(&mut self, lsn: Lsn) {
        PageHeader::lsn.put(&mut self.guard.bytes[..], lsn.0);
        if !self.frame.is_dirty.swap(true, Ordering::AcqRel) {
            count(self.relation(), PageUse::Dirtied);
        }
        self.operations.clear();
        self.is_whole = false;
    }
}

impl Drop for PageMut<'_> {
    fn drop(&mut self) {
        debug_assert!(
            !self.is_changed() || std::thread::panicking(),
            "changes of a page are not logged"
        );
    }
}
