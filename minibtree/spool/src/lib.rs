//! The entries of an index that is built: gathered in any order, sorted, each returned once.
//!
//! ```
//! use minibtree_format::Tid;
//! use minibtree_spool::{Kind, Spool};
//! use minikit::storage::{Disk, SimulatedDisk};
//! use std::sync::Arc;
//!
//! let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new(1));
//! let mut spool = Spool::new(&disk, Kind::Btree, 1 << 20);
//! spool.add(b"pear", Tid { block: 0, slot: 1 }, b"", true)?;
//! spool.add(b"fig", Tid { block: 0, slot: 2 }, b"", true)?;
//! let mut entries = spool.finish()?;
//! let first = entries.next_entry()?.expect("there are two");
//! assert_eq!(first.key, b"fig\0\0\0\0\0\x02"); // a TID ends the key
//! # std::io::Result::Ok(())
//! ```
//!
//! # Order
//!
//! Entries of a B+tree are sorted by key and TID. Those of a hash index have to come bucket by
//! bucket. The low bits of a hash name its bucket, and how many of them is known only when all
//! entries are there; so the bits of the hash are reversed, and precede the key. Then the entries
//! of each bucket are side by side for any number of buckets:
//!
//! ```text
//! hash       01   11   10   00
//! reversed   10   11   01   00      sorted 00 01 10 11: of 4 buckets, 0, 2, 1, 3; of 2, 0 and 1
//! ```
//!
//! # Two threads
//!
//! Each thread gathers and sorts entries in a spool of its own; [`Spool::append`] makes one of
//! both. PostgreSQL's workers do the same with files (`_bt_parallel_scan_and_sort`).
//!
//! PostgreSQL's `BTSpool` in `nbtsort.c` and `HSpool` in `hashsort.c`.

use minibtree_format::Tid;
use minibtree_format::btree::{HEAD, NodePointer};
use minibtree_format::hash::hash;
use minibtree_spill::sorter::{Sorted, Sorter};
use minikit::storage::Disk;
use std::io::Result;
use std::sync::Arc;

/// The bytes of a TID.
const TID: usize = 6;

/// What the entries are sorted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By their keys.
    Btree,
    /// By the reversed hashes of their keys.
    Hash,
}

/// Gathers entries.
pub struct Spool {
    kind: Kind,
    sorter: Sorter,
    bytes: usize,
    key: Vec<u8>,
    payload: Vec<u8>,
}

impl Spool {
    /// A spool without entries. With more than this many bytes of them, it goes on in files.
    pub fn new(disk: &Arc<dyn Disk>, kind: Kind, memory_max: usize) -> Spool {
        let mut sorter = Sorter::new(Arc::clone(disk), memory_max, None);
        sorter.reserve();
        Spool { kind, sorter, bytes: 0, key: Vec::new(), payload: Vec::new() }
    }

    /// Adds an entry. One that is added again, as for each version of a row, is returned once.
    ///
    /// # Errors
    /// If the disk is full, or fails.
    pub fn add(&mut self, key: &[u8], tid: Tid, payload: &[u8], unique: bool) -> Result<()> {
        self.key.clear();
        if self.kind == Kind::Hash {
            self.key.extend_from_slice(&hash(key).reverse_bits().to_be_bytes());
        }
        self.key.extend_from_slice(key);
        self.key.extend_from_slice(&tid.to_bytes());
        self.bytes += NodePointer::SIZE + self.key.len().saturating_sub(HEAD) + payload.len();

        self.payload.clear();
        self.payload.push(u8::from(unique));
        self.payload.extend_from_slice(payload);
        self.sorter.add(&self.key, &self.payload)
    }

    /// Sorts the entries in memory, which saves [`Spool::finish`] the time.
    pub fn sort(&mut self) {
        self.sorter.sort();
    }

    /// Adds all entries of another spool of the same kind.
    pub fn append(&mut self, other: Spool) {
        self.bytes += other.bytes;
        self.sorter.append(other.sorter);
    }

    /// About the bytes that the entries will take on pages.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sorts the entries.
    ///
    /// # Errors
    /// If the disk is full, or fails.
    pub fn finish(self) -> Result<Entries> {
        let (last, last_unique, payload) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Entries { sorted: self.sorter.finish()?, last, last_unique, payload })
    }
}

/// Sorted entries.
pub struct Entries {
    sorted: Sorted,
    /// The key of the last entry, and that of the last unique one, both with their TIDs.
    last: Vec<u8>,
    last_unique: Vec<u8>,
    payload: Vec<u8>,
}

/// An entry.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its key and TID. In a hash index, the reversed hash precedes them.
    pub key: &'a [u8],
    /// What was added with it.
    pub payload: &'a [u8],
    /// True if it is unique, and so is another entry with its key.
    pub is_duplicate: bool,
}

impl Entries {
    /// The next entry, or `None` at the end.
    ///
    /// # Errors
    /// If the disk is full, or fails.
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_>>> {
        while let Some((full, payload)) = self.sorted.next_record()? {
            let (is_unique, payload) = payload.split_first().expect("a byte precedes it");
            let mut is_duplicate = false;
            if *is_unique == 1 {
                let key = &full[..full.len() - TID];
                let last =
                    self.last_unique.len().checked_sub(TID).map(|it| &self.last_unique[..it]);
                is_duplicate = last == Some(key) && self.last_unique != full;
                replace(&mut self.last_unique, full);
            }
            if is_duplicate || self.last != full {
                replace(&mut self.last, full);
                replace(&mut self.payload, payload);
                return Ok(Some(Entry { key: &self.last, payload: &self.payload, is_duplicate }));
            }
        }
        Ok(None)
    }
}

fn replace(buffer: &mut Vec<u8>, bytes: &[u8]) {
    buffer.clear();
    buffer.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use minikit::storage::SimulatedDisk;

    /// The slots of entries in their order, or of the first duplicate.
    fn sorted(kind: Kind, entries: &[(&[u8], u16, bool)]) -> std::result::Result<Vec<u16>, u16> {
        let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new(1));
        let mut spool = Spool::new(&disk, kind, 100);
        for (key, slot, unique) in entries {
            spool.add(key, Tid { block: 0, slot: *slot }, &[7], *unique).unwrap();
        }
        let (mut entries, mut slots) = (spool.finish().unwrap(), Vec::new());
        while let Some(entry) = entries.next_entry().unwrap() {
            let (_, tid) = entry.key.split_last_chunk().unwrap();
            slots.push(Tid::from_bytes(*tid).slot);
            assert_eq!(entry.payload, [7]);
            if entry.is_duplicate {
                return Err(slots[slots.len() - 1]);
            }
        }
        Ok(slots)
    }

    #[test]
    fn versions_of_a_row_are_one_entry_and_no_duplicates() {
        let (a, b) = (&b"a"[..], &b"b"[..]);
        let rows = [(b, 1, true), (a, 3, true), (a, 3, false), (a, 2, false)];
        assert_eq!(sorted(Kind::Btree, &rows), Ok(vec![2, 3, 1]));

        // An old version or a NULL is between two unique entries, or is another version of one.
        assert_eq!(sorted(Kind::Btree, &[(a, 1, true), (a, 2, false), (a, 3, true)]), Err(3));
        assert_eq!(sorted(Kind::Btree, &[(a, 1, false), (a, 1, true), (a, 2, true)]), Err(2));
        assert_eq!(sorted(Kind::Hash, &[(a, 1, true), (b, 2, true), (a, 3, true)]), Err(3));
    }
}
