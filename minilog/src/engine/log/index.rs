//! Sparse indexes: sorted entries, searched in two halves until one is left.
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
//! The entries of the active segment are only in memory ([`SparseIndex`]). The file is written when
//! the segment is sealed, and at a clean shutdown. A crash loses the entries, but after a crash
//! nobody could trust them anyway: the files have no checksum, so recovery builds them again from
//! the log. Kafka maps the files of the active segment and writes each entry at once, with the same
//! result after a crash. Leaving that out saves two system calls per 4 KiB of log.
//!
//! # Why are the files of sealed segments not mapped into memory?
//!
//! Kafka maps them. We compared three ways to look an offset up in each of 3,000 segments of 16 MiB
//! whose index files are in the page cache, in µs of CPU and what stays after all lookups:
//!
//! | | first lookup | later ones | memory | mappings, of 65,530 a process may have |
//! |---|---|---|---|---|
//! | read the files, keep the entries | 70 | 0.5 | 288 MB | |
//! | map the files | 12 | 0.5 | page cache | 6,000 |
//! | search in the file, a `pread` a step | 7 | 7 | page cache | |
//!
//! [`floor_in_file`] does the last. A fetch makes one lookup and then sends up to 1 MiB, which
//! costs 300 µs, so the difference is 2 %; an error of the disk is an error and not a SIGBUS;
//! nothing is `unsafe`; and a simulated disk can stand in.
//!
//! Kafka counterpart: `AbstractIndex.java`, with its binary search that prefers the end of the file
//! (`indexSlotRangeFor`), so that a lookup touches few pages. Consumers read the end from the
//! active segment, whose entries are in memory here.

use super::batches::invalid_data;
use crate::format::index::{OffsetEntry, TimeEntry};
use crate::format::names::Kind;
use minikit::layout::ByteOrder::BigEndian;
use minikit::layout::FieldType;
use minikit::storage::DiskFile;
use std::io;

/// An entry with the number by which its index is sorted.
pub trait Entry: FieldType {
    /// What its file is.
    const KIND: Kind;

    /// What lookups compare.
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

    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.0.len() * E::SIZE];
        let places = bytes.chunks_mut(E::SIZE).zip(&self.0);
        places.for_each(|(place, entry)| entry.write(place, BigEndian));
        bytes
    }

    /// Reads the bytes of a file. None if they are no index: an entry is cut, or keys do not
    /// ascend, as with the zeros that a crash leaves in a preallocated file.
    pub fn decode(bytes: &[u8]) -> Option<SparseIndex<E>> {
        let entries = bytes.chunks(E::SIZE);
        let entries = entries.map(|it| (it.len() == E::SIZE).then(|| E::read(it, BigEndian)));
        let entries = entries.collect::<Option<Vec<_>>>()?;
        let ascends = entries.windows(2).all(|pair| pair[0].key() < pair[1].key());
        ascends.then_some(SparseIndex(entries))
    }
}

/// The last entry of a sealed segment's index whose key is at most `key`. Costs log2(entries) reads
/// of the file. `InvalidData` if an entry is cut.
pub fn floor_in_file<E: Entry>(file: &dyn DiskFile, key: i64) -> io::Result<Option<E>> {
    let (length, size) = (file.len()?, E::SIZE as u64);
    if !length.is_multiple_of(size) {
        return Err(invalid_data("an index of the log is damaged"));
    }
    let entry = |number: u64| {
        let mut bytes = [0; TimeEntry::SIZE];
        let bytes = &mut bytes[..E::SIZE];
        file.read_exact_at(bytes, number * size)?;
        io::Result::Ok(E::read(bytes, BigEndian))
    };

    // Entries below `low` have keys up to `key`, those from `high` on do not.
    let (mut low, mut high) = (0, length / size);
    while low < high {
        let middle = low.midpoint(high);
        match entry(middle)?.key() <= key {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low.checked_sub(1).map(entry).transpose()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use minikit::storage::{Disk, SimulatedDisk};

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
            let file = SimulatedDisk::new(1).create("index").unwrap();
            file.write_all_at(&index.encode(), 0).unwrap();
            for key in -1..25 {
                let walked = keys.iter().filter(|it| i64::from(**it) <= key).max().copied();
                let found = index.floor(key);
                assert_eq!(found.map(|it| it.relative_offset), walked, "{keys:?} {key}");
                assert_eq!(floor_in_file::<OffsetEntry>(&*file, key).unwrap(), found);
            }
            file.truncate(4).unwrap();
            assert!(floor_in_file::<OffsetEntry>(&*file, 0).is_err());
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
