//! Overflow pages: values that do not fit a row.
//!
//! A long value is cut into pieces as long as a page. The pieces are rows of another heap, which
//! belongs to this one and is created with the first of them. The row keeps the TID of the first
//! piece, and each piece that of the next:
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
//! Pieces are versions as rows are. The transaction that inserts the row inserts them; the one that
//! deletes the row, or gives it another value, deletes them. So a rollback and a crash need
//! nothing, and [`vacuum`](super::vacuum) frees a piece when no snapshot sees the row any more that
//! had it. An update of other columns keeps them: old and new version have the same pointer.
//!
//! No snapshot is needed to read them. Who sees a row keeps from being freed what it points to.
//!
//! PostgreSQL's TOAST (`heaptoast.c`, `toast_internals.c`): there, an index on value and number
//! finds the pieces, so that a part of a value can be read alone.

use super::{Changed, Heap};
use crate::engine::{Error, Result, Transaction};
use crate::format::Tid;
use crate::format::heap::Piece;
use std::sync::Arc;

/// Where the last piece leads.
const END: [u8; 6] = [0; 6];

/// The long values of a heap.
pub struct LongValues<'a> {
    heap: &'a Heap,
}

impl LongValues<'_> {
    /// Those of this heap, whose rows point to them.
    pub fn of(heap: &Heap) -> LongValues<'_> {
        LongValues { heap }
    }

    /// Stores a value, and returns where. A row that is inserted by the same transaction has to
    /// point to it. Costs a page and a log record for every 8 kB.
    pub fn insert(&self, transaction: &mut Transaction, value: &[u8]) -> Result<Tid> {
        let pieces = self.pieces_or_create()?;
        let mut next = END;
        // The last piece comes first, since the others lead to it.
        for data in value.chunks(Heap::ROW_MAX - Piece::SIZE).rev() {
            let piece = [&Piece { next }.encode()[..], data].concat();
            next = pieces.insert(transaction, &piece)?.to_bytes();
        }
        Ok(Tid::from_bytes(next))
    }

    /// Reads a value of so many bytes.
    pub fn fetch(&self, first: Tid, length: usize) -> Result<Vec<u8>> {
        let mut value = Vec::with_capacity(length);
        self.each_piece(first, |_, data| {
            value.extend_from_slice(data);
            if value.len() <= length { Ok(()) } else { Err(self.damaged(first)) }
        })?;
        if value.len() == length { Ok(value) } else { Err(self.damaged(first)) }
    }

    /// Deletes a value: no later version of its row points to it.
    pub fn delete(&self, transaction: &mut Transaction, first: Tid) -> Result<()> {
        let pieces = self.pieces().ok_or_else(|| self.damaged(first))?;
        self.each_piece(first, |tid, _| match pieces.delete(transaction, tid)? {
            Changed::Done { .. } => Ok(()),
            Changed::Updated { .. } | Changed::Deleted => Err(self.damaged(tid)),
        })
    }

    /// Returns false if no row of the heap points to a long value.
    pub fn exist(&self) -> bool {
        self.pieces().is_some()
    }

    /// The heap of the pieces, if there is one.
    pub(in crate::engine) fn pieces(&self) -> Option<Heap> {
        Heap::open(Arc::clone(&self.heap.system), self.heap.id().overflow()).ok()
    }

    /// Creates the heap of the pieces, unless somebody else has. A rollback leaves it there: others
    /// may have inserted into it.
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
        let text = format!("the long value of heap {} at {tid} is damaged", self.heap.id());
        Error::Corrupt(text)
    }
}
