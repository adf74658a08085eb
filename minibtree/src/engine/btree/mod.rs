//! B+trees: entries in the order of their keys, found in a few page reads.
//!
//! | file | what it is |
//! |---|---|
//! | `node.rs` | one page: search, add, split |
//! | `search.rs` | the way down, and why it needs one latch at a time |
//! | `insert.rs` | adding an entry, splitting upwards |
//! | `scan.rs` | ranges, both ways |
//! | `build.rs` | building from sorted entries |
//! | `vacuum.rs` | removing entries and empty leaves |
//! | `naive.rs` | the search that misses a key |
//!
//! # Example
//!
//! Three levels of pages of 8 KiB, with 8-byte keys: about 320 entries a leaf and 400 children an
//! inner node, so a lookup among 50 million rows reads three pages, and the upper two are always in
//! memory.
//!
//! The TID is the last column of every key. So entries are unique even if keys are not, a split
//! always finds a place to separate, and finding the entry of one row costs the same no matter how
//! many rows share its key.
//!
//! PostgreSQL's `nbtree`. Not here: deduplication, bottom-up deletion, left links, a meta page.

mod build;
mod insert;
mod naive;
pub mod node;
mod scan;
mod search;
mod vacuum;

pub use naive::NaiveSearch;
pub use scan::IndexScan;
pub use vacuum::remove;

use super::access::{Conflict, IndexFile};
use super::heap::{Heap, Liveness};
use super::pool::{PageMut, Relation};
use super::txn::System;
use super::{Result, Transaction};
use crate::format::btree::DELETED;
use crate::format::{PAGE_SIZE, PageBytes, PageHeader, Tid};
use build::Builder;
use node::{Entry, SearchKey};

/// Initializes an empty relation as an empty tree.
pub fn create(system: &System, relation: &std::sync::Arc<Relation>) -> Result<()> {
    let mut root = system.pool.extend(relation)?;
    root.replace(&node::build(0, None, []));
    system.pool.log(std::slice::from_mut(&mut root));
    Ok(())
}

/// The number of levels, including the leaves.
pub fn height(index: &IndexFile) -> Result<u32> {
    let root = index.read(search::ROOT)?;
    Ok(u32::from(node::special(&root).level) + 1)
}

/// Adds an entry.
pub fn insert(index: &IndexFile, key: &[u8], tid: Tid, payload: &[u8]) -> Result<()> {
    let entry = Entry::leaf(key, tid, payload);
    insert::insert(index, search::write_leaf(index, &entry.key)?, entry)
}

/// Checks the rows of all entries with this key. If no row conflicts, adds `entry` unless it is
/// `None`.
pub fn conflict(
    index: &IndexFile,
    transaction: &Transaction,
    heap: &Heap,
    key: &[u8],
    entry: Option<(Tid, &[u8])>,
) -> Result<Conflict> {
    // All insertions of this key latch this leaf first, so none can come between our check and our
    // insertion.
    let first = search::write_leaf(index, key)?;
    let mut next_page = None;
    loop {
        let page: &PageBytes = next_page.as_deref().unwrap_or(&*first);
        let conflict = conflict_on(page, transaction, heap, key)?;
        if conflict != Conflict::None {
            return Ok(conflict);
        }

        // The next leaf can hold more entries with the key only if the high key begins with it.
        if !node::high_key(page).is_some_and(|high| high.starts_with(key)) {
            break;
        }
        next_page = Some(index.read(node::special(page).right)?);
    }
    drop(next_page);
    if let Some((tid, payload)) = entry {
        insert_from(index, first, Entry::leaf(key, tid, payload))?;
    }
    Ok(Conflict::None)
}

/// Checks the rows of the entries with this key on one page.
pub fn conflict_on(
    page: &PageBytes,
    transaction: &Transaction,
    heap: &Heap,
    key: &[u8],
) -> Result<Conflict> {
    for at in node::lower_bound(page, SearchKey::new(key))..node::count(page) {
        let full = node::key(page, at);
        if user_key(&full) != key {
            break;
        }
        match heap.liveness(transaction, tid(&full))? {
            Liveness::Live => return Ok(Conflict::Row(tid(&full))),
            Liveness::Undecided(xid) => return Ok(Conflict::Undecided(xid)),
            Liveness::Dead => {}
        }
    }
    Ok(Conflict::None)
}

/// Adds an entry to the leaf `first` or to one right of it, with `first` latched throughout.
fn insert_from(index: &IndexFile, first: PageMut, entry: Entry) -> Result<()> {
    let key = SearchKey::new(&entry.key);
    if !node::is_right_of(&first, key, false) {
        return insert::insert(index, first, entry);
    }
    let mut page = index.write(node::special(&first).right)?;
    while node::is_right_of(&page, SearchKey::new(&entry.key), false) {
        page = index.write(node::special(&page).right)?;
    }
    insert::insert(index, page, entry)
}

/// Fills an empty tree. `next` returns the entries in their order, each in the vector it is given.
pub fn build(
    index: &IndexFile,
    mut next: impl FnMut(Vec<u8>) -> Result<Option<Entry>>,
) -> Result<()> {
    let mut builder = Builder::new(index);
    while let Some(entry) = next(builder.spare.pop().unwrap_or_default())? {
        builder.add(0, entry)?;
    }
    builder.finish()
}

/// The key of an entry as the caller gave it.
pub fn user_key(full: &[u8]) -> &[u8] {
    &full[..full.len() - 6]
}

/// The TID of an entry.
pub fn tid(full: &[u8]) -> Tid {
    let (_, tid) = full.split_last_chunk().expect("the key of a leaf ends in a TID");
    Tid::from_bytes(*tid)
}

/// A node of an index, for `mb_btree`, golden scripts and the figures made of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSummary {
    /// Its page number.
    pub block: u32,
    /// The level, counted from 0 for leaves.
    pub level: u16,
    /// True if it was merged into its left sibling and its page is not reused yet.
    pub is_deleted: bool,
    /// The keys of its entries. Keys of a leaf end in their TID; the first key of an inner node is
    /// empty.
    pub keys: Vec<Vec<u8>>,
    /// The children of an inner node.
    pub children: Vec<u32>,
    /// Keys are less than this one, unless it is the last node of its level.
    pub high_key: Option<Vec<u8>>,
    /// The right sibling.
    pub right: Option<u32>,
    /// Bytes of the page that are not free.
    pub used_bytes: usize,
}

/// Reads a node.
pub fn summary(index: &IndexFile, block: u32) -> Result<NodeSummary> {
    let page = index.read(block)?;
    let special = node::special(&page);
    let entries = node::first(&page)..node::count(&page);
    let children = entries.clone().filter(|_| special.level > 0);
    let free = PageHeader::upper.get(&page[..]) - PageHeader::lower.get(&page[..]);
    Ok(NodeSummary {
        block,
        level: special.level,
        is_deleted: special.flags & DELETED != 0,
        keys: entries.map(|at| node::key(&page, at)).collect(),
        children: children.map(|at| node::child(&page, at)).collect(),
        high_key: node::high_key(&page),
        right: (special.right != 0).then_some(special.right),
        used_bytes: PAGE_SIZE - usize::from(free),
    })
}
