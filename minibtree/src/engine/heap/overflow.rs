//! Overflow pages: values too long for the page of their row.
//!
//! A long value is cut into pieces that fill a page each. The pieces are rows of a second heap,
//! which is created when the first long value is stored. The row holds the TID of the first piece,
//! and each piece holds the TID of the next. Here a row with a value of 20,000 bytes:
//!
//! ```text
//! heap 16385                     its overflow pages
//! (0,1)  7, -> (2,1) 20,000      (2,1)  -> (1,1)  8,135 bytes
//!                                (1,1)  -> (0,1)  8,135 bytes
//!                                (0,1)            3,730 bytes
//! ```
//!
//! # Who frees them?
//!
//! Pieces have `xmin` and `xmax` like any row. The transaction that inserts a row inserts its
//! pieces; the one that deletes the row, or replaces the value, deletes them. A rollback or a crash
//! needs no cleanup, and [`vacuum`](super::vacuum) frees a piece once no snapshot can see its row.
//! An update of other columns keeps the pieces: both versions of the row point to them.
//!
//! Reading a piece checks no snapshot: if a snapshot sees the row, vacuum keeps its pieces.
//!
//! PostgreSQL's TOAST (`heaptoast.c`, `toast_internals.c`) finds the pieces through an index on
//! value and sequence number, so it can read part of a value.

use super::{Changed, Heap};
use crate::engine::{Error, Result, Transaction};
use crate::format::Tid;
use crate::format::heap::Piece;
use std::sync::Arc;

/// The `next` of the last piece.
const END: [u8; 6] = [0; 6];

/// The long values of a heap.
pub struct LongValues<'a> {
    heap: &'a Heap,
}

impl LongValues<'_> {
    /// The long values that rows of `heap` point to.
    pub fn of(heap: &Heap) -> LongValues<'_> {
        LongValues { heap }
    }

    /// Stores a value and returns the TID of its first piece. The same transaction must insert the
    /// row that points to it. Costs a page and a log record for every 8 kB.
    pub fn insert(&self, transaction: &mut Transaction, value: &[u8]) -> Result<Tid> {
        let pieces = self.pieces_or_create()?;
        let mut next = END;
        // Insert the last piece first: each piece holds the TID of the next.
        for data in value.chunks(Heap::ROW_MAX - Piece::SIZE).rev() {
            let piece = [&Piece { next }.encode()[..], data].concat();
            next = pieces.insert(transaction, &piece)?.to_bytes();
        }
        Ok(Tid::from_bytes(next))
    }

    /// Reads the value that starts at `first`. [`Error::Corrupt`] if it is not `length` bytes.
    pub fn fetch(&self, first: Tid, length: usize) -> Result<Vec<u8>> {
        let mut value = Vec::with_capacity(length);
        self.each_piece(first, |_, data| {
            value.extend_from_slice(data);
            if value.len() <= length { Ok(()) } else { Err(self.damaged(first)) }
        })?;
        if value.len() == length { Ok(value) } else { Err(self.damaged(first)) }
    }

    /// Deletes all pieces of a value, when its row is deleted or gets a version without the value.
    pub fn delete(&self, transaction: &mut Transaction, first: Tid) -> Result<()> {
        let pieces = self.pieces().ok_or_else(|| self.damaged(first))?;
        self.each_piece(first, |tid, _| match pieces.delete(transaction, tid)? {
            Changed::Done { .. } => Ok(()),
            Changed::Updated { .. } | Changed::Deleted => Err(self.damaged(tid)),
        })
    }

    /// Returns true if the heap of the pieces exists; without it, no row has a long value.
    pub fn exist(&self) -> bool {
        self.pieces().is_some()
    }

    /// The heap of the pieces, or `None` if no long value was ever stored.
    pub(in crate::engine) fn pieces(&self) -> Option<Heap> {
        Heap::open(Arc::clone(&self.heap.system), self.heap.id().overflow()).ok()
    }

    /// Opens the heap of the pieces, or creates it. A rollback does not remove the heap, because
    /// other transactions may have stored pieces in it.
    fn pieces_or_create(&self) -> Result<Heap> {
        let (system, id) = (Arc::clone(&self.heap.system), self.heap.id().overflow());
        match system.pool.create_relation(id) {
            Ok(relation) => Ok(Heap { system, relation }),
            Err(Error::AlreadyExists(_)) => Heap::open(system, id),
            Err(error) => Err(error),
        }
    }

    fn each_piece(&self, first: Tid, mut each: impl FnMut(Tid, &[u8]) -> Result<()>) -> Result<()> {
        let pieces = self.pieces().ok_or_else(|| self.damaged(first))?;
        let (mut next, mut bytes) = (first, Vec::new());
        loop {
            let is_there = pieces.fetch_version(next, &mut bytes)?;
            let piece = Piece::read(&bytes).ok().filter(|_| is_there);
            let piece = piece.ok_or_else(|| self.damaged(next))?;
            each(next, &bytes[Piece::SIZE..])?;
            if piece.next == END {
                return Ok(());
            }
            next = Tid::from_bytes(piece.next);
        }
    }

    fn damaged(&self, tid: Tid) -> Error {
        let text = format!("a long value of heap {} is damaged at {tid}", self.heap.id());
        Error::Corrupt(text)
    }
}
