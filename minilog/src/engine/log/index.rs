//! Sparse indexes: sorted entries, and the binary search in them.
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
//! // No entry has offset 125. The batch with offset 119 begins at byte 8,200: walk from there.
//! assert_eq!(index.floor(25).map(|it| it.position), Some(8200));
//! assert_eq!(index.floor(5), None, "before the first entry: walk from byte 0");
//! ```
//!
//! # When is an index file written?
//!
//! The entries of the active segment are only in memory ([`SparseIndex`]). The flush after the
//! segment is sealed writes the file, and so does a clean shutdown. A crash loses the entries, but
//! an index file could not be trusted after a crash anyway: it has no checksum, so recovery
//! rebuilds it from the log. Kafka writes each entry at once, into the mapping of a preallocated
//! file. Recovery is the same, but on a full disk a write to such a mapping raises SIGBUS.
//!
//! # Where are the entries of sealed segments?
//!
//! In the page cache. Their files are never written again, so the first lookup maps the file into
//! memory ([`minilog_mapped`]), and the segment keeps the mapping. [`floor_in_file`] searches it
//! without a system call. A lookup with one `pread` per step takes 11.4 µs of CPU instead of 2.6;
//! keeping all entries in the process takes 288 MB for 3,000 segments of 16 MiB. Truncating a
//! mapped file would raise SIGBUS as well, but minilog never truncates an index. At the start a
//! missing index, or one that ends within an entry, is rebuilt from the log.
//!
//! Kafka counterpart: `AbstractIndex.java` and `LazyIndex.java`. Kafka's binary search tries the
//! end of the file first (`indexSlotRangeFor`), so that most lookups touch few pages. Here most
//! lookups are in the active segment, whose entries are in memory.

use crate::format::index::{OffsetEntry, TimeEntry};
use crate::format::names::Kind;
use minikit::layout::ByteOrder::BigEndian;
use minikit::layout::FieldType;

/// An entry with the number by which its index is sorted.
pub trait Entry: FieldType {
    /// The kind of its file.
    const KIND: Kind;

    /// The key of lookups.
    fn key(&self) -> i64;
}

impl Entry for OffsetEntry {
    const KIND: Kind = Kind::OffsetIndex;

    fn key(&self) -> i64 {
        self.relative_offset.into()
    }
}

impl Entry for TimeEntry {
    const KIND: Kind = Kind::TimeIndex;

    fn key(&self) -> i64 {
        self.timestamp
    }
}

/// Entries in memory, in ascending order of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparseIndex<E>(Vec<E>);

impl<E> Default for SparseIndex<E> {
    fn default() -> SparseIndex<E> {
        SparseIndex(Vec::new())
    }
}

impl<E: Entry> SparseIndex<E> {
    /// Adds an entry if its key is above the last one. Timestamps may repeat, and a second entry
    /// with the same one would add nothing.
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

    /// Encodes the index file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.0.len() * E::SIZE];
        let places = bytes.chunks_mut(E::SIZE).zip(&self.0);
        places.for_each(|(place, entry)| entry.write(place, BigEndian));
        bytes
    }

    /// Decodes an index file. None if an entry is cut off or the keys do not ascend, as in the
    /// zeros that a crash leaves in a preallocated file.
    pub fn decode(bytes: &[u8]) -> Option<SparseIndex<E>> {
        let entries = bytes.chunks(E::SIZE);
        let entries = entries.map(|it| (it.len() == E::SIZE).then(|| E::read(it, BigEndian)));
        let entries = entries.collect::<Option<Vec<_>>>()?;
        let ascends = entries.windows(2).all(|pair| pair[0].key() < pair[1].key());
        ascends.then_some(SparseIndex(entries))
    }
}

/// The last entry of an index file whose key is at most `key`. Costs log2(entries) comparisons.
pub fn floor_in_file<E: Entry>(file: &[u8], key: i64) -> Option<E> {
    let entry = |number: usize| E::read(&file[number * E::SIZE..][..E::SIZE], BigEndian);

    // Entries below `low` have keys up to `key`, entries from `high` on have larger ones.
    let (mut low, mut high) = (0, file.len() / E::SIZE);
    while low < high {
        let middle = low.midpoint(high);
        match entry(middle).key() <= key {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low.checked_sub(1).map(entry)
}

#[cfg(all(test, not(loom)))]
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
            let file = index.encode();
            for key in -1..25 {
                let walked = keys.iter().filter(|it| i64::from(**it) <= key).max().copied();
                let found = index.floor(key);
                assert_eq!(found.map(|it| it.relative_offset), walked, "{keys:?} {key}");
                assert_eq!(floor_in_file::<OffsetEntry>(&file, key), found);
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
