//! Records: written by changing pages, applied by one function.
//!
//! # Example
//!
//! A page is changed twice after a checkpoint. The first record has its image, because a crash
//! could tear the page in two while it is written and the operations alone cannot mend that. The
//! second has the operation only, 37 bytes:
//!
//! ```text
//! lsn 0/000000A0  relation 1 block 3  image, 112 bytes
//! lsn 0/0000012C  relation 1 block 3  put 4 bytes at 20
//! ```
//!
//! PostgreSQL does the same for its `GenericXLog` records and its full-page writes
//! (`generic_xlog.c`, `XLogRecordAssemble` in `xloginsert.c`).

use minibtree_format::page::compact;
use minibtree_format::wal::{COMPACT, Operation, PUT, PageChange, RecordHeader, SHIFT, checksum};
pub use minibtree_format::wal::{changes, is_intact};
use minibtree_format::{Lsn, PAGE_SIZE, PageBytes, PageHeader, RelationId};

/// Operations on one page, in the order in which they were done, encoded for the log.
#[derive(Default)]
pub struct Operations(Vec<u8>);

impl Operations {
    /// Writes `bytes` into `page` at `at`.
    pub fn put(&mut self, page: &mut PageBytes, at: usize, bytes: &[u8]) {
        page[at..at + bytes.len()].copy_from_slice(bytes);
        self.push(PUT, at, bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Moves `length` bytes of `page` from `from` to `to`.
    pub fn shift(&mut self, page: &mut PageBytes, from: usize, to: usize, length: usize) {
        page.copy_within(from..from + length, to);
        self.push(SHIFT, from, to);
        self.0.extend_from_slice(&(length as u16).to_le_bytes());
    }

    /// Moves the tuples of a heap page together.
    pub fn compact(&mut self, page: &mut PageBytes) {
        compact(page);
        self.push(COMPACT, 0, 0);
    }

    /// Returns true if nothing was done.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets what was done, after it has been logged.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn push(&mut self, kind: u8, first: usize, second: usize) {
        let operation = Operation { kind, first: first as u16, second: second as u16 };
        // Those of a usual change need one allocation.
        self.0.reserve(if self.0.is_empty() { 256 } else { Operation::SIZE });
        self.0.extend_from_slice(&operation.encode());
    }
}

/// Builds one record at the end of the log's buffer.
pub struct RecordBuilder<'a> {
    buffer: &'a mut Vec<u8>,
    start: usize,
    lsn: Lsn,
    redo: Lsn,
}

impl<'a> RecordBuilder<'a> {
    /// Starts a record at position `lsn`. Recovery begins at `redo`.
    pub fn new(buffer: &'a mut Vec<u8>, lsn: Lsn, redo: Lsn) -> RecordBuilder<'a> {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; RecordHeader::SIZE]);
        RecordBuilder { buffer, start, lsn, redo }
    }

    /// Adds a changed page: its operations, or its image if this is the first change after the
    /// last checkpoint or if `whole` says so.
    pub fn page(
        &mut self,
        relation: RelationId,
        block: u32,
        page: &PageBytes,
        operations: &Operations,
        whole: bool,
    ) {
        let is_first = PageHeader::lsn.get(page) <= self.redo.0;
        let (lower, upper) = (PageHeader::lower.get(page), PageHeader::upper.get(page));
        let image = [&page[..usize::from(lower)], &page[usize::from(upper)..]];
        let (parts, hole): (&[&[u8]], u16) = match whole || is_first {
            true => (&image, lower),
            false => (&[&operations.0], 0),
        };

        let length = parts.iter().map(|part| part.len()).sum::<usize>() as u16;
        let change = PageChange { relation: relation.0, block, length, hole };
        self.buffer.extend_from_slice(&change.encode());
        parts.iter().for_each(|part| self.buffer.extend_from_slice(part));
    }

    /// Ends the record. Returns its length.
    pub fn finish(self) -> usize {
        let record = &mut self.buffer[self.start..];
        let length = record.len();
        RecordHeader::length.put(record, length as u32);
        RecordHeader::lsn.put(record, self.lsn.0);
        let crc = checksum(record);
        RecordHeader::crc.put(record, crc);
        length
    }
}

/// Changes a page as a record says. The record is intact, so its numbers are those that were
/// valid when it was written.
pub fn redo(page: &mut PageBytes, change: &PageChange, mut bytes: &[u8], end: Lsn) {
    if change.hole != 0 {
        let (front, back) = bytes.split_at(usize::from(change.hole));
        page.fill(0);
        page[..front.len()].copy_from_slice(front);
        page[PAGE_SIZE - back.len()..].copy_from_slice(back);
        bytes = &[];
    }

    while let Ok(operation) = Operation::read(bytes) {
        let (first, second) = (usize::from(operation.first), usize::from(operation.second));
        bytes = &bytes[Operation::SIZE..];
        match operation.kind {
            PUT => {
                let (put, rest) = bytes.split_at(second);
                page[first..first + second].copy_from_slice(put);
                bytes = rest;
            }
            SHIFT => {
                let (length, rest) = bytes.split_at(2);
                let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
                page.copy_within(first..first + length, second);
                bytes = rest;
            }
            _ => compact(page),
        }
    }
    PageHeader::lsn.put(page, end.0);
}
