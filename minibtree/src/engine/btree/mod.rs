//! B+trees.

use super::heap::Heap;
use super::txn::Shared;
use super::{Error, Result, Snapshot, Transaction};
use crate::format::{RelationId, Tid, Xid};
use minikit::sync::Arc;

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
    pub(super) shared: Arc<Shared>,
    pub(super) id: RelationId,
}

impl Index {
    /// The longest key with its payload, in bytes: three entries must fit a page.
    pub const ENTRY_MAX: usize = 2_600;

    /// The number it was created with.
    pub fn id(&self) -> RelationId {
        self.id
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
        let _ = transaction;
        let size = key.len() + payload.len();
        if size > Index::ENTRY_MAX {
            return Err(Error::TooLarge { size, limit: Index::ENTRY_MAX });
        }
        let mut state = self.shared.state.lock();
        let index = state.indexes.get_mut(&self.id.0).ok_or(Error::NotFound(self.id))?;
        index.insert([key, &tid.to_bytes()].concat(), payload.to_vec());
        Ok(())
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
        match self.find_live(transaction, heap, key)? {
            Some(existing) => Err(Error::UniqueViolation { existing }),
            None => self.insert(transaction, key, tid, payload),
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
        let range = KeyRange::equal(key);
        'again: loop {
            let state = self.shared.state.lock();
            let index = state.indexes.get(&self.id.0).ok_or(Error::NotFound(self.id))?;
            let versions = state.heaps.get(&heap.id.0).ok_or(Error::NotFound(heap.id))?;
            for entry in index.range(range.start.clone()..).take_while(|it| range.contains(it.0)) {
                let tid = split_key(entry.0).1;
                let index = tid.block as usize * 50 + usize::from(tid.slot) - 1;
                let version = &versions[index];
                let mine = |xid: Xid| transaction.xids.contains(&xid);
                for xid in [version.xmin, version.xmax] {
                    if state.active.contains(&xid.0) && !mine(xid) {
                        drop(state);
                        transaction.wait_for(xid)?;
                        continue 'again;
                    }
                }
                let done = |xid: Xid| mine(xid) || state.committed.contains(&xid.0);
                if done(version.xmin) && !done(version.xmax) {
                    return Ok(Some(tid));
                }
            }
            return Ok(None);
        }
    }

    /// Fills an empty index of this transaction with entries in any order, much faster than one by
    /// one: sorts them, then writes full pages from left to right.
    pub fn build(
        &self,
        transaction: &mut Transaction,
        entries: impl Iterator<Item = Result<(Vec<u8>, Tid, Vec<u8>)>>,
    ) -> Result<()> {
        for entry in entries {
            let (key, tid, payload) = entry?;
            self.insert(transaction, &key, tid, &payload)?;
        }
        Ok(())
    }

    /// Reads the entries of a range in their order. The snapshot is what the caller fetches rows
    /// with; while it lives, pages that the scan may still visit are not used again.
    pub fn scan(
        &self,
        snapshot: Arc<Snapshot>,
        range: KeyRange,
        direction: Direction,
    ) -> IndexScan {
        let _ = snapshot;
        let state = self.shared.state.lock();
        let index = state.indexes.get(&self.id.0);
        let entries = index.into_iter().flatten().filter(|it| range.contains(it.0));
        let mut entries: Vec<_> = entries.map(|it| (it.0.clone(), it.1.clone())).collect();
        if direction == Direction::Forward {
            entries.reverse();
        }
        IndexScan { entries, current: Default::default() }
    }

    /// Pages of the index, as the planner wants to know.
    pub fn pages(&self) -> u32 {
        1
    }
}

fn split_key(entry: &[u8]) -> (&[u8], Tid) {
    let (key, tid) = entry.split_last_chunk().expect("every entry ends in a TID");
    (key, Tid::from_bytes(*tid))
}

/// A scan of an index.
pub struct IndexScan {
    entries: Vec<(Vec<u8>, Vec<u8>)>,
    current: (Vec<u8>, Vec<u8>),
}

impl IndexScan {
    /// The next entry, or `None` at the end of the range.
    #[expect(clippy::should_implement_trait, reason = "the entry borrows from the scan")]
    pub fn next(&mut self) -> Result<Option<IndexEntry<'_>>> {
        let Some(entry) = self.entries.pop() else { return Ok(None) };
        self.current = entry;
        let (key, tid) = split_key(&self.current.0);
        Ok(Some(IndexEntry { key, tid, payload: &self.current.1 }))
    }
}
