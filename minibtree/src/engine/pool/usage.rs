//! Pages that a thread has used, for EXPLAIN (BUFFERS). PostgreSQL's `pgBufferUsage` is a global of
//! each backend process; a client is a thread here.

use crate::format::RelationId;
use std::cell::Cell;

thread_local! {
    static USAGE: Cell<[u64; 4]> = const { Cell::new([0; 4]) };
}

/// What happened to a page, by its place in [`buffer_usage`].
#[derive(Clone, Copy)]
pub enum PageUse {
    Hit,
    Read,
    Dirtied,
    Written,
}

/// Counts a page, unless it is of the commit log: PostgreSQL's is not in the buffer pool.
pub fn count(relation: RelationId, page_use: PageUse) {
    let mut usage = USAGE.get();
    usage[page_use as usize] += u64::from(relation != RelationId::SYSTEM);
    USAGE.set(usage);
}

/// Pages that this thread has so far found in the pool, read from their files, changed for the
/// first time since they were written, and written to make room or to extend a relation.
pub fn buffer_usage() -> [u64; 4] {
    USAGE.get()
}
