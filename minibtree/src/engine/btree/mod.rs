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
//! | `summary.rs` | what a node looks like from outside |
//! | `naive.rs` | the search that misses a key |
//!
//! # Example
//!
//! Three levels of pages of 8 KiB, with 8-byte keys: about 320 entries a leaf and 400 children an
//! inner node, so a lookup among 50 million rows reads three pages, and the upper two are always in
//! memory.
//!
//! The TID is the last column of every key. So entries are unique even if keys are not, a split
//! always finds a place to separate, and the entry of one row among many with the same key is
//! found as fast as any other.
//!
//! PostgreSQL's `nbtree`. Not here: deduplication, bottom-up deletion, left links, a meta page.

mod build;
mod insert;
mod naive;
mod node;
mod scan;
mod search;
mod summary;
mod vacuum;

pub use naive::NaiveSearch;
pub use scan::IndexScan;
pub use summary::NodeSummary;

use super::heap::{Heap, Liveness};
use super::pool::{PageMut, Relation};
use super::txn::System;
use super::{Error, Result, Snapshot, Transaction};
use crate::format::{PageBytes, RelationId, Tid, Xid};
use build::Builder;
use node::{Entry, SearchKey};
use std::collections::HashSet;
use std::sync::Arc;

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
///
/// ```
/// use minibtree::engine::KeyRange;
///
/// let range = KeyRange::all().at_least(b"b").up_to(b"c");
/// assert!(range.contains(b"b") && range.contains(b"c\x07") && !range.contains(b"d"));
/// assert!(!KeyRange::all().after(b"b").contains(b"b\xff"));
/// ```
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

/// A handle of an index. Cloning is cheap.
#[derive(Clone)]
pub struct Index {
    system: Arc<System>,
    relation: Arc<Relation>,
}

/// What a look for a unique key found.
enum Conflict {
    None,
    /// A live row.
    Row(Tid),
    /// Wait for this transaction and look again.
    Undecided(Xid),
}

impl Index {
    /// The longest key with its payload, in bytes: three entries must fit a page.
    pub const ENTRY_MAX: usize = 2_600;

    /// Creates an empty B+tree. Rolled back with the transaction.
    pub fn create(transaction: &mut Transaction, id: RelationId) -> Result<Index> {
        let system = Arc::clone(transaction.system());
        let relation = system.pool().create_relation(id)?;
        transaction.created(&relation);
        let mut root = system.pool().extend(&relation)?;
        root.replace(&node::build(0, None, []));
        system.pool().log(std::slice::from_mut(&mut root));
        drop(root);
        Ok(Index { system, relation })
    }

    pub(super) fn open(system: Arc<System>, id: RelationId) -> Result<Index> {
        let relation = system.pool().relation(id)?;
        Ok(Index { system, relation })
    }

    /// The number it was created with.
    pub fn id(&self) -> RelationId {
        self.relation.id()
    }

    /// Pages of the index, as the planner wants to know.
    pub fn pages(&self) -> u32 {
        self.relation.blocks()
    }

    /// Levels, the leaves included: the pages that a lookup reads.
    pub fn height(&self) -> Result<u32> {
        let root = search::read(self, search::ROOT)?;
        Ok(u32::from(node::special(&root).level) + 1)
    }

    /// What the node in a page looks like.
    pub fn node(&self, block: u32) -> Result<NodeSummary> {
        summary::summary(self, block)
    }

    /// Adds an entry. [`Error::TooLarge`] if key and payload are longer than
    /// [`Index::ENTRY_MAX`].
    pub fn insert(
        &self,
        transaction: &mut Transaction,
        key: &[u8],
        tid: Tid,
        payload: &[u8],
    ) -> Result<()> {
        check_length(key, payload)?;
        transaction.xid()?;
        let entry = Entry::leaf(key, tid, payload);
        insert::insert(self, search::write_leaf(self, &entry.key)?, entry)?;
        self.system.pool().wal().flush_if_large()
    }

    /// Adds an entry, unless a live row of `heap` has the same key. Waits for a transaction that
    /// has inserted or deleted such a row and is not finished.
    pub fn insert_unique(
        &self,
        transaction: &mut Transaction,
        heap: &Heap,
        key: &[u8],
        tid: Tid,
        payload: &[u8],
    ) -> Result<()> {
        check_length(key, payload)?;
        transaction.xid()?;
        loop {
            // All insertions of this key latch this leaf first, so no other can come between the
            // look and the insertion.
            let first = search::write_leaf(self, key)?;
            match self.conflict(transaction, heap, &first, key)? {
                Conflict::Row(existing) => return Err(Error::UniqueViolation { existing }),
                Conflict::Undecided(xid) => {
                    drop(first);
                    transaction.wait_for(xid)?;
                }
                Conflict::None => {
                    self.insert_from(first, Entry::leaf(key, tid, payload))?;
                    return self.system.pool().wal().flush_if_large();
                }
            }
        }
    }

    /// Finds the live row with this key: committed or of this transaction. Waits for a transaction
    /// that has inserted or deleted such a row and is not finished. For `ON CONFLICT`.
    pub fn find_live(
        &self,
        transaction: &mut Transaction,
        heap: &Heap,
        key: &[u8],
    ) -> Result<Option<Tid>> {
        transaction.xid()?;
        loop {
            let first = search::write_leaf(self, key)?;
            let conflict = self.conflict(transaction, heap, &first, key)?;
            drop(first);
            match conflict {
                Conflict::None => return Ok(None),
                Conflict::Row(tid) => return Ok(Some(tid)),
                Conflict::Undecided(xid) => transaction.wait_for(xid)?,
            }
        }
    }

    /// Fills an empty index of this transaction with entries in any order, much faster than one by
    /// one: sorts them in memory, then writes full pages from left to right.
    ///
    /// With `unique`, two entries with the same key are [`Error::UniqueViolation`]. An entry of a
    /// version that [`Heap::scan`] returned needs the TID of [`Heap::root`].
    pub fn build(
        &self,
        transaction: &mut Transaction,
        unique: bool,
        entries: impl Iterator<Item = Result<(Vec<u8>, Tid, Vec<u8>)>>,
    ) -> Result<()> {
        transaction.xid()?;
        let mut sorted: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for entry in entries {
            let (mut key, tid, payload) = entry?;
            check_length(&key, &payload)?;
            key.extend_from_slice(&tid.to_bytes());
            sorted.push((key, payload));
        }
        sorted.sort_unstable();
        if unique
            && let Some(pair) =
                sorted.windows(2).find(|it| user_key(&it[0].0) == user_key(&it[1].0))
        {
            return Err(Error::UniqueViolation { existing: tid(&pair[0].0) });
        }

        let mut builder = Builder::new(self);
        for (key, payload) in sorted {
            builder.add(0, Entry::of_full_key(key, &payload))?;
        }
        builder.finish()
    }

    /// Reads the entries of a range in their order. The snapshot is what the caller fetches rows
    /// with; while it lives, pages that the scan may still visit are not used again.
    pub fn scan(
        &self,
        snapshot: Arc<Snapshot>,
        range: KeyRange,
        direction: Direction,
    ) -> IndexScan {
        IndexScan::new(self.clone(), snapshot, range, direction)
    }

    /// Removes the entries of dead rows. Returns how many there were.
    pub(super) fn remove(&self, dead: &HashSet<Tid>) -> Result<usize> {
        vacuum::remove(self, dead)
    }

    /// Looks at the rows of all entries with this key, from the leaf on where they begin.
    fn conflict(
        &self,
        transaction: &Transaction,
        heap: &Heap,
        first: &PageMut,
        key: &[u8],
    ) -> Result<Conflict> {
        let mut next_page = None;
        loop {
            let page: &PageBytes = next_page.as_deref().unwrap_or(first);
            let count = node::count(page);
            for at in node::lower_bound(page, SearchKey::new(key))..count {
                let full = node::key(page, at);
                if user_key(&full) != key {
                    return Ok(Conflict::None);
                }
                match heap.liveness(transaction, tid(&full))? {
                    Liveness::Live => return Ok(Conflict::Row(tid(&full))),
                    Liveness::Undecided(xid) => return Ok(Conflict::Undecided(xid)),
                    Liveness::Dead => {}
                }
            }

            // The next leaf can hold more of them only if the high key begins with the key.
            if !node::high_key(page).is_some_and(|high| high.starts_with(key)) {
                return Ok(Conflict::None);
            }
            let right = node::special(page).right;
            next_page = Some(search::read(self, right)?);
        }
    }

    /// Adds an entry to the leaf `first` or one right of it. `first` stays latched meanwhile.
    fn insert_from(&self, first: PageMut, entry: Entry) -> Result<()> {
        let key = SearchKey::new(&entry.key);
        if !node::is_right_of(&first, key, false) {
            return insert::insert(self, first, entry);
        }
        let mut page = search::write(self, node::special(&first).right)?;
        while node::is_right_of(&page, SearchKey::new(&entry.key), false) {
            page = search::write(self, node::special(&page).right)?;
        }
        insert::insert(self, page, entry)
    }
}

/// The key of an entry as the caller gave it.
fn user_key(full: &[u8]) -> &[u8] {
    &full[..full.len() - 6]
}

/// The TID of an entry.
fn tid(full: &[u8]) -> Tid {
    let (_, tid) = full.split_last_chunk().expect("the key of a leaf ends in a TID");
    Tid::from_bytes(*tid)
}

fn check_length(key: &[u8], payload: &[u8]) -> Result<()> {
    let (size, limit) = (key.len() + payload.len(), Index::ENTRY_MAX);
    if size > limit { Err(Error::TooLarge { size, limit }) } else { Ok(()) }
}
