//! Pages that a thread has used, for EXPLAIN (BUFFERS, PAGES). PostgreSQL's `pgBufferUsage` is a
//! global of each backend process; a client is a thread here.
//!
//! ```
//! use minibtree_buffer_usage::{PageUse, buffer_usage, count};
//! use minibtree_format::RelationId;
//!
//! count(RelationId(16_384), PageUse::Read);
//! count(RelationId::SYSTEM, PageUse::Read); // the commit log: not counted
//! assert_eq!(buffer_usage(), [0, 1, 0, 0]);
//! ```

use minibtree_format::RelationId;
use std::cell::{Cell, RefCell};

/// A trace has the first pages of a statement: a scan of a large table uses millions.
const TRACE_MAX: usize = 1_000;

thread_local! {
    static USAGE: Cell<[u64; 4]> = const { Cell::new([0; 4]) };
    static IS_TRACED: Cell<bool> = const { Cell::new(false) };
    static TRACE: RefCell<Vec<(RelationId, u32)>> = const { RefCell::new(Vec::new()) };
}

/// What happened to a page, by its place in [`buffer_usage`].
#[derive(Clone, Copy, Debug)]
pub enum PageUse {
    /// Found in the pool.
    Hit,
    /// Read from its file.
    Read,
    /// Changed for the first time since it was written.
    Dirtied,
    /// Written to make room, or added to a relation.
    Written,
}

/// Counts a page, unless it is of the commit log: PostgreSQL's is not in the buffer pool.
pub fn count(relation: RelationId, page_use: PageUse) {
    let mut usage = USAGE.get();
    usage[page_use as usize] += u64::from(relation != RelationId::SYSTEM);
    USAGE.set(usage);
}

/// Remembers that a page was latched, if the thread is traced.
pub fn trace(relation: RelationId, block: u32) {
    if IS_TRACED.get() && relation != RelationId::SYSTEM {
        TRACE.with_borrow_mut(|trace| {
            let is_new = trace.len() < TRACE_MAX && trace.last() != Some(&(relation, block));
            trace.extend(is_new.then_some((relation, block)));
        });
    }
}

/// Begins or ends a trace of this thread. Returns the pages that it has latched since the last
/// call, in order and up to a maximum; a page that is used several times in a row is there once.
pub fn trace_pages(is_traced: bool) -> Vec<(RelationId, u32)> {
    IS_TRACED.set(is_traced);
    TRACE.take()
}

/// Pages that this thread has so far found in the pool, read from their files, changed for the
/// first time since they were written, and written to make room or to extend a relation.
pub fn buffer_usage() -> [u64; 4] {
    USAGE.get()
}
