//! Indexes: an index finds the rows that have a key.
//!
//! An index is a list of entries, each a key, a TID and a payload. The two kinds differ in how they
//! find the entries of a key:
//!
//! | | [`btree`](super::btree) | [`hash`](super::hash) |
//! |---|---|---|
//! | order of entries | by key | none |
//! | can be asked for | ranges, both ways | one key |
//! | pages of a lookup | one for each level, three among 50 million rows | one, in the usual case |
//! | an insertion of ascending keys changes | the last leaf | any page |
//!
//! The first page of an index says which kind it is, so [`Database::index`] opens both.
//! `CREATE INDEX … USING hash` is [`Index::create_hash`], then [`Index::build`] as for a B+tree.
//!
//! PostgreSQL's access methods (`amapi.h`) are tables of functions, because extensions add more.
//!
//! [`Database::index`]: super::Database::index

use super::access::{Conflict, Direction, ENTRY_MAX, IndexFile};
use super::btree::node::Entry;
use super::btree::{self, IndexScan, NaiveSearch, NodeSummary};
use super::hash::{self, BucketSummary, Directory};
use super::heap::{Heap, vacuum::Pause};
use super::txn::System;
use super::{Error, Result, Snapshot, Transaction};
use crate::format::{PageHeader, PageKind, RelationId, Tid};
use minibtree_key_range::KeyRange;
use minibtree_spool::{Kind, Spool};
use std::collections::HashSet;
use std::sync::Arc;

/// A handle to an index. Cloning is cheap.
#[derive(Clone)]
pub struct Index {
    file: IndexFile,
    /// For a hash index, the pages of its buckets.
    directory: Option<Arc<Directory>>,
}

impl Index {
    /// The longest key with its payload, in bytes: three entries must fit a page.
    pub const ENTRY_MAX: usize = ENTRY_MAX;

    /// Creates an empty B+tree. Rolled back with the transaction.
    pub fn create(transaction: &mut Transaction, id: RelationId) -> Result<Index> {
        let system = Arc::clone(&transaction.system);
        let relation = system.pool.create_relation(id)?;
        transaction.created(&relation);
        btree::create(&system, &relation)?;
        Index::open(system, id)
    }

    /// Creates an empty hash index. Rolled back with the transaction.
    pub fn create_hash(transaction: &mut Transaction, id: RelationId) -> Result<Index> {
        let system = Arc::clone(&transaction.system);
        let relation = system.pool.create_relation(id)?;
        transaction.created(&relation);
        hash::create(&system, &relation)?;
        Index::open(system, id)
    }

    pub(super) fn open(system: Arc<System>, id: RelationId) -> Result<Index> {
        let relation = system.pool.relation(id)?;
        let kind = PageHeader::kind.get(&system.pool.read(&relation, 0)?[..]);
        let is_hash = kind == PageKind::Hash as u8;
        let kind = if is_hash { PageKind::Hash } else { PageKind::Btree };
        let file = IndexFile { system, relation, kind };
        let directory = is_hash.then(|| Directory::open(&file).map(Arc::new)).transpose()?;
        Ok(Index { file, directory })
    }

    /// The number that the index was created with.
    pub fn id(&self) -> RelationId {
        self.file.relation.id
    }

    /// Returns true for a hash index: it has an answer only for [`KeyRange::equal`].
    pub fn is_hash(&self) -> bool {
        self.directory.is_some()
    }

    /// The number of pages, including those that are only in memory.
    pub fn pages(&self) -> u32 {
        self.file.relation.blocks()
    }

    /// Pages that a lookup reads: the levels of a B+tree, or 1 (without overflow pages).
    pub fn height(&self) -> Result<u32> {
        if self.directory.is_some() { Ok(1) } else { btree::height(&self.file) }
    }

    /// Describes the node in a page of a B+tree.
    pub fn node(&self, block: u32) -> Result<NodeSummary> {
        btree::summary(&self.file, block)
    }

    /// Begins the search that misses keys, in a B+tree of two levels.
    pub fn naive_search(&self, key: &[u8]) -> Result<NaiveSearch> {
        NaiveSearch::begin(&self.file, key)
    }

    /// Describes a bucket of a hash index. `None` if it has fewer buckets, or is a B+tree.
    pub fn bucket(&self, bucket: u32) -> Result<Option<BucketSummary>> {
        self.directory.as_ref().map_or(Ok(None), |it| hash::summary(&self.file, it, bucket))
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
        match &self.directory {
            None => btree::insert(&self.file, key, tid, payload)?,
            Some(directory) => hash::insert(&self.file, directory, key, tid, payload)?,
        }
        self.file.system.pool.wal.flush_if_large()
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
        match self.live_or_insert(transaction, heap, key, Some((tid, payload)))? {
            Some(existing) => Err(Error::UniqueViolation { existing }),
            None => self.file.system.pool.wal.flush_if_large(),
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
        self.live_or_insert(transaction, heap, key, None)
    }

    fn live_or_insert(
        &self,
        transaction: &mut Transaction,
        heap: &Heap,
        key: &[u8],
        entry: Option<(Tid, &[u8])>,
    ) -> Result<Option<Tid>> {
        transaction.xid()?;
        loop {
            let conflict = match &self.directory {
                None => btree::conflict(&self.file, transaction, heap, key, entry)?,
                Some(it) => hash::conflict(&self.file, it, transaction, heap, key, entry)?,
            };
            match conflict {
                Conflict::None => return Ok(None),
                Conflict::Row(tid) => return Ok(Some(tid)),
                Conflict::Undecided(xid) => transaction.wait_for(xid)?,
            }
        }
    }

    /// A spool for the entries of [`Index::build`], which takes about so much memory.
    pub fn spool(&self, memory_max: usize) -> Spool {
        let kind = if self.is_hash() { Kind::Hash } else { Kind::Btree };
        Spool::new(&self.file.system.pool.disk, kind, memory_max)
    }

    /// Fills an empty index of this transaction, page by page, much faster than by insertions.
    ///
    /// Two entries with the same key are [`Error::UniqueViolation`] if both are unique. An entry of
    /// a version that [`Heap::scan`] returned needs the TID of [`Heap::root`].
    pub fn build(&self, transaction: &mut Transaction, spool: Spool) -> Result<()> {
        transaction.xid()?;
        let bytes = spool.bytes();
        let mut sorted = spool.finish()?;
        let mut next = |mut key: Vec<u8>| -> Result<Option<Entry>> {
            transaction.check_interrupt()?;
            let Some(found) = sorted.next_entry()? else { return Ok(None) };
            if found.is_duplicate {
                return Err(Error::UniqueViolation { existing: btree::tid(found.key) });
            }
            check_length(btree::user_key(found.key), found.payload)?;
            key.clear();
            key.extend_from_slice(found.key);
            Ok(Some(Entry::of_full_key(key, found.payload)))
        };
        let Some(directory) = &self.directory else { return btree::build(&self.file, next) };
        let entries = std::iter::from_fn(|| next(Vec::new()).transpose());
        hash::build(&self.file, directory, bytes, entries)
    }

    /// Reads the entries of a range; a B+tree returns them in order. Pass the snapshot that rows
    /// are fetched with: while it lives, no page that the scan may still visit is reused. A hash
    /// index accepts only [`KeyRange::equal`] with a whole key.
    pub fn scan(
        &self,
        snapshot: Arc<Snapshot>,
        range: KeyRange,
        direction: Direction,
    ) -> IndexScan {
        let Some(directory) = &self.directory else {
            return IndexScan::new(self.file.clone(), snapshot, range, direction);
        };
        let mut bytes = Vec::new();
        // The range of an empty key is the range of all keys.
        let is_key = !range.start.is_empty() && range == KeyRange::equal(&range.start);
        let found = match is_key {
            true => hash::find(&self.file, directory, &range.start, &mut bytes),
            false => Err(Error::Corrupt(format!("hash index {} has no order", self.id()))),
        };
        IndexScan::of_found(self.file.clone(), snapshot, bytes, found)
    }

    /// Removes the entries of dead rows. Returns how many there were.
    pub(super) fn remove(&self, dead: &HashSet<Tid>, pause: Pause<'_>) -> Result<usize> {
        match &self.directory {
            None => btree::remove(&self.file, dead, pause),
            Some(directory) => hash::remove(&self.file, directory, dead, pause),
        }
    }
}

fn check_length(key: &[u8], payload: &[u8]) -> Result<()> {
    let (size, limit) = (key.len() + payload.len(), ENTRY_MAX);
    if size > limit { Err(Error::TooLarge { size, limit }) } else { Ok(()) }
}
