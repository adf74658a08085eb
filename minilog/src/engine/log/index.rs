//! A sparse index in memory: sorted entries, searched in two halves until one is left.
//!
//! # Example
//!
//! A segment with base offset 100 and an entry about every 4 KiB:
//!
//! ```
//! use minilog::engine::log::index::SparseIndex;
//! use minilog::format::index::OffsetEntry;
//!
//! let mut index = SparseIndex::default();
//! for (relative_offset, position) in [(9, 4100), (19, 8200), (29, 12300)] {
//!     index.push(OffsetEntry { relative_offset, position });
//! }
//! // Offset 125 is in no entry. The batch with offset 119 begins at byte 8,200: walk from there.
//! assert_eq!(index.floor(25).map(|it| it.position), Some(8200));
//! assert_eq!(index.floor(5), None, "before the first entry: walk from byte 0");
//! ```
//!
//! # When is it written?
//!
//! The entries of the active segment are only in memory. The file is written when the segment is
//! sealed, and at a clean shutdown. A crash loses the entries, but after a crash nobody could trust
//! them anyway: the files have no checksum, so recovery builds them again from the log. Kafka maps
//! the files of the active segment and writes each entry at once, with the same result after a
//! crash. Leaving that out saves two system calls per 4 KiB of log.
//!
//! The index of a sealed segment is read back at its first lookup. 1 GiB of log has 2 MiB of it.
//!
//! Kafka counterpart: `AbstractIndex.java`, with its binary search that prefers the end of the file
//! (`indexSlotRangeFor`), because old pages of a mapped file may not be in memory. Ours are.

use crate::format::index::{OffsetEntry, TimeEntry};

/// An entry with the number by which its index is sorted.
pub trait Entry: Copy {
    /// Bytes of an entry in the file.
    const SIZE: usize;

    /// What lookups compare.
    fn key(&self) -> i64;

    /// Appends the bytes of the entry.
    fn encode_into(&self, out: &mut Vec<u8>);

    /// Reads [`Entry::SIZE`] bytes.
    fn decode_from(bytes: &[u8]) -> Self;
}

impl Entry for OffsetEntry {
    const SIZE: usize = OffsetEntry::SIZE;

    fn key(&self) -> i64 {
        self.relative_offset.into()
    }

    fn encode_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.encode());
    }

    fn decode_from(bytes: &[u8]) -> OffsetEntry {
        OffsetEntry::read(bytes).expect("the caller gives SIZE bytes")
    }
}

impl Entry for TimeEntry {
    const SIZE: usize = TimeEntry::SIZE;

    fn key(&self) -> i64 {
        self.timestamp
    }

    fn encode_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.encode());
    }

    fn decode_from(bytes: &[u8]) -> TimeEntry {
        TimeEntry::read(bytes).expect("the caller gives SIZE bytes")
    }
}

/// Entries in ascending order of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparseIndex<E>(Vec<E>);

impl<E> Default for SparseIndex<E> {
    fn default() -> SparseIndex<E> {
        SparseIndex(Vec::new())
    }
}

impl<E: Entry> SparseIndex<E> {
    /// Adds an entry, unless its key is not above the last one. Timestamps may repeat; an entry
    /// that repeats one adds nothing.
    pub fn push(&mut self, entry: E) {
        if self.last().is_none_or(|last| last.key() < entry.key()) {
            self.0.push(entry);
        }
    }

    /// The last entry whose key is at most `key`. Costs log2(entries) comparisons.
    pub fn floor(&self, key: i64) -> Option<E> {
        let after = self.0.partition_point(|entry| entry.key() <= key);
        Some(self.0[after.checked_sub(1)?])
    }

    /// The last entry.
    pub fn last(&self) -> Option<E> {
        self.0.last().copied()
    }

    /// All entries in order.
    pub fn entries(&self) -> &[E] {
        &self.0
    }

    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * E::SIZE);
        self.0.iter().for_each(|entry| entry.encode_into(&mut bytes));
        bytes
    }

    /// Reads the bytes of a file. None if they are no index: an entry is cut, or keys do not
    /// ascend, as with the zeros that a crash leaves in a preallocated file.
    pub fn decode(bytes: &[u8]) -> Option<SparseIndex<E>> {
        let entries = bytes.chunks(E::SIZE);
        let entries = entries.map(|it| (it.len() == E::SIZE).then(|| E::decode_from(it)));
        let entries = entries.collect::<Option<Vec<_>>>()?;
        let ascends = entries.windows(2).all(|pair| pair[0].key() < pair[1].key());
        ascends.then_some(SparseIndex(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(keys: &[i32]) -> SparseIndex<OffsetEntry> {
        let mut index = SparseIndex::default();
        for &relative_offset in keys {
            index.push(OffsetEntry { relative_offset, position: relative_offset * 10 });
        }
        index
    }

    #[test]
    fn floor_agrees_with_a_walk() {
        for keys in [&[][..], &[3], &[0, 1, 2], &[1, 5, 7, 20]] {
            let index = index(keys);
            for key in -1..25 {
                let walked = keys.iter().filter(|it| i64::from(**it) <= key).max().copied();
                assert_eq!(index.floor(key).map(|it| it.relative_offset), walked, "{keys:?} {key}");
            }
        }
    }

    #[test]
    fn bytes_round_trip_and_damage_is_found() {
        let index = index(&[1, 5, 7]);
        let bytes = index.encode();
        assert_eq!(SparseIndex::decode(&bytes), Some(index));
        assert_eq!(SparseIndex::<OffsetEntry>::decode(&bytes[..20]), None);
        assert_eq!(SparseIndex::<OffsetEntry>::decode(&[&bytes[..], &[0; 16]].concat()), None);
    }
}
