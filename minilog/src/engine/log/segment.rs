//! A segment: one file of batches and its two indexes.
//!
//! A log is not one file. Old records are deleted by deleting whole files, in constant time, and
//! only the last segment is written to: the others never change and need no recovery.
//!
//! # Example
//!
//! Base offset 100, three batches, an index entry after 4 KiB. Reading offset 117:
//!
//! ```text
//! position        0            4100         8200
//! log             [100 .. 109] [110 .. 119] [120 .. 129]
//! offset index    (19 -> 4100)                            relative to 100
//!
//! 1. floor(17) in the index: none, so begin at position 0
//! 2. walk: 100..109 ends before 117; 110..119 does not: position 4100
//! 3. read from 4100 on. The client gets 110 to 119 and skips what it did not ask for.
//! ```
//!
//! The unit of reading is the batch: the broker does not cut one open to drop seven records.
//!
//! # Counterpart in Kafka
//!
//! `LogSegment.java`; the rule when an index gets an entry is that of `LogSegment.append`. There
//! are no transaction indexes here.

use super::batches::{Batches, LOOKUP_WINDOW, damaged, decompressed, invalid_data};
use super::directory::Directory;
use super::index::{Entry, SparseIndex, floor_in_file};
use crate::format::batch::BatchHeader;
use crate::format::index::{OffsetEntry, TimeEntry};
use crate::format::names::{Kind, segment_file};
use crate::format::record::records;
use bytes::Bytes;
use minikit::storage::DiskFile;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

const IN_MEMORY: &str = "the active segment has its indexes in memory";

/// One file of the log with its indexes. A copy shares the file.
#[derive(Clone)]
pub struct Segment {
    /// Where its files are.
    pub(super) directory: Arc<Directory>,
    /// The offset of the first record, and the name of the files.
    pub base_offset: i64,
    /// The file of batches.
    pub file: Arc<dyn DiskFile>,
    /// Bytes of complete batches. The file may be longer after a write that failed.
    pub size: u64,
    /// In memory until they are in their files, where lookups find them from then on.
    pub indexes: Option<Indexes>,
    /// The files of the two indexes, mapped by the first lookup.
    pub(super) files: [OnceLock<Bytes>; 2],
    index_interval_bytes: u64,
    bytes_since_index_entry: u64,
    /// The timestamp of the first batch, from which rolling by time counts. After a restart it is
    /// known of the active segment only.
    pub(super) first_timestamp: Option<i64>,
    /// The largest timestamp, and the last offset of the batch that has it; none if empty.
    pub max_timestamp: Option<TimestampOffset>,
    /// The last batch and its position, for consumers at the end of the log. Known likewise.
    pub(super) last_batch: Option<(u64, BatchHeader)>,
}

/// Where the batches of a segment are.
#[derive(Clone, Debug, Default)]
pub struct Indexes {
    /// From offsets to positions.
    pub offsets: SparseIndex<OffsetEntry>,
    /// From timestamps to offsets.
    pub times: SparseIndex<TimeEntry>,
}

/// A timestamp and an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The offset.
    pub offset: i64,
}

/// A range of a segment's file: what a fetch answers with.
#[derive(Clone)]
pub struct Slice {
    /// The file. Deleting the segment does not close it.
    pub file: Arc<dyn DiskFile>,
    /// Where the first batch begins.
    pub position: u64,
    /// Bytes. The last batch may be cut; clients ignore it and ask again.
    pub length: usize,
    /// True in the active segment, whose pages are in memory. Reading another one may block.
    pub is_active: bool,
}

impl Slice {
    /// Reads the bytes.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.length];
        self.file.read_exact_at(&mut bytes, self.position)?;
        Ok(bytes)
    }
}

impl PartialEq for Slice {
    fn eq(&self, other: &Slice) -> bool {
        let range = |it: &Slice| (it.position, it.length);
        Arc::ptr_eq(&self.file, &other.file) && range(self) == range(other)
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at {}", self.length, self.position)
    }
}

impl Segment {
    /// A segment without batches yet, in a file that may have some.
    pub fn new(
        directory: &Arc<Directory>,
        base_offset: i64,
        file: Box<dyn DiskFile>,
        index_interval_bytes: i64,
    ) -> Segment {
        Segment {
            directory: Arc::clone(directory),
            base_offset,
            file: file.into(),
            size: 0,
            indexes: Some(Indexes::default()),
            files: Default::default(),
            index_interval_bytes: index_interval_bytes as u64,
            bytes_since_index_entry: 0,
            first_timestamp: None,
            max_timestamp: None,
            last_batch: None,
        }
    }

    /// Returns true if an offset fits the 32 bits that an index entry has for it.
    pub fn can_hold(&self, offset: i64) -> bool {
        i32::try_from(offset - self.base_offset).is_ok()
    }

    /// Writes a batch with its final `header` to the end of the file, and indexes it. After an
    /// error the segment is as before; bytes may be in the file after its end.
    pub fn append(&mut self, header: &BatchHeader, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.size)?;
        self.note_batch(header, bytes.len() as u64);
        Ok(())
    }

    /// Counts a batch that is in the file, directly after the last one, and gives it an index entry
    /// if the last entry is far enough away. Recovery builds the indexes by the same calls.
    pub(super) fn note_batch(&mut self, header: &BatchHeader, size: u64) {
        let (timestamp, offset) = (header.max_timestamp, header.last_offset());
        self.first_timestamp.get_or_insert(timestamp);
        self.last_batch = Some((self.size, *header));
        if self.max_timestamp.is_none_or(|it| it.timestamp < timestamp) {
            self.max_timestamp = Some(TimestampOffset { timestamp, offset });
        }

        if self.bytes_since_index_entry > self.index_interval_bytes {
            let relative_offset = (offset - self.base_offset) as i32;
            let entry = OffsetEntry { relative_offset, position: self.size as i32 };
            self.indexes.as_mut().expect(IN_MEMORY).offsets.push(entry);
            self.seal();
            self.bytes_since_index_entry = 0;
        }
        self.bytes_since_index_entry += size;
        self.size += size;
    }

    /// Gives the largest timestamp so far an index entry. The last one of a sealed segment is from
    /// where the next start learns it.
    pub(super) fn seal(&mut self) {
        if let Some(TimestampOffset { timestamp, offset }) = self.max_timestamp {
            let relative_offset = (offset - self.base_offset) as i32;
            let entry = TimeEntry { timestamp, relative_offset };
            self.indexes.as_mut().expect(IN_MEMORY).times.push(entry);
        }
    }

    /// The bytes from the batch with `offset` on, at most `length_max` of them and none at or after
    /// position `end`. The first batch is whole even if it is longer than `length_max`, or a client
    /// with a small limit would never get past it. None if all batches are below `offset`.
    pub fn read(&self, offset: i64, length_max: usize, end: u64) -> io::Result<Option<Slice>> {
        let Some((position, header)) = self.find(offset)? else { return Ok(None) };
        let first = header.size().unwrap_or(BatchHeader::SIZE) as u64;
        let length = (length_max as u64).max(first).min(end.saturating_sub(position));
        let (file, length) = (Arc::clone(&self.file), length as usize);
        Ok(Some(Slice { file, position, length, is_active: false }))
    }

    /// The position and header of the first batch that ends at or after `offset`. Costs a binary
    /// search, and a walk over about 4 KiB of headers.
    pub fn find(&self, offset: i64) -> io::Result<Option<(u64, BatchHeader)>> {
        if let Some((_, last)) = self.last_batch.filter(|(_, it)| it.base_offset <= offset) {
            return Ok(self.last_batch.filter(|_| offset <= last.last_offset()));
        }
        let entry = self.floor(|it| &it.offsets, offset - self.base_offset)?;
        let position = entry.map_or(0, |it| it.position as u64);
        let mut batches = self.batches(position, LOOKUP_WINDOW);
        while let Some((position, header)) = batches.next_header()? {
            if header.last_offset() >= offset {
                return Ok(Some((position, header)));
            }
        }
        Ok(None)
    }

    /// The first record at or after `timestamp`, among those from offset `from` on.
    ///
    /// Timestamps come from producers and need not ascend, so this is not a binary search for a
    /// record: the time index only tells which part of the segment has smaller ones throughout.
    pub fn find_timestamp(&self, timestamp: i64, from: i64) -> io::Result<Option<TimestampOffset>> {
        // Up to and with this entry's batch, no record has a timestamp above the entry's.
        let below = self.floor(|it| &it.times, timestamp.saturating_sub(1))?;
        let from =
            below.map_or(from, |it| from.max(self.base_offset + i64::from(it.relative_offset)));
        let Some((position, _)) = self.find(from)? else { return Ok(None) };

        let mut batches = self.batches(position, LOOKUP_WINDOW);
        while let Some((position, header)) = batches.next_header()? {
            if header.max_timestamp < timestamp || header.last_offset() < from {
                continue;
            }
            let size = (batches.position - position) as usize;
            let bytes = batches.bytes_at(position, size)?.ok_or_else(damaged)?;
            if let Some(found) = find_in_batch(&header, bytes, timestamp, from)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The last entry of an index whose key is at most `key`, from memory or from its file.
    pub(super) fn floor<E: Entry>(
        &self,
        index: impl Fn(&Indexes) -> &SparseIndex<E>,
        key: i64,
    ) -> io::Result<Option<E>> {
        if let Some(indexes) = &self.indexes {
            return Ok(index(indexes).floor(key));
        }
        let file = &self.files[usize::from(E::KIND == Kind::TimeIndex)];
        if file.get().is_none() {
            let name = segment_file(self.base_offset, E::KIND);
            let bytes = minilog_mapped::map(&*self.directory.open_to_read(&name)?)?;
            if !bytes.len().is_multiple_of(E::SIZE) {
                return Err(invalid_data(format!("{}/{name} is damaged", self.directory.name())));
            }
            file.get_or_init(|| bytes);
        }
        Ok(file.get().and_then(|it| floor_in_file(it, key)))
    }

    /// Removes the files. Readers that hold a [`Slice`] can finish. The log goes first: indexes
    /// without one are removed at the next start.
    pub fn remove(&self) -> io::Result<()> {
        use Kind::*;
        let kinds = [Log, OffsetIndex, TimeIndex, TransactionIndex, Snapshot];
        self.directory.remove_segment(self.base_offset, &kinds)
    }

    /// A walk over the batches from `position`, where one begins.
    pub(super) fn batches(&self, position: u64, window: usize) -> Batches<'_> {
        Batches::new(&*self.file, position, self.size, window)
    }
}

impl TimeEntry {
    /// The timestamp with its offset, in a segment with this base offset.
    pub(super) fn found(&self, base_offset: i64) -> TimestampOffset {
        let offset = base_offset + i64::from(self.relative_offset);
        TimestampOffset { timestamp: self.timestamp, offset }
    }
}

impl Indexes {
    /// Replaces the files; they are durable after a sync of the directory.
    pub(super) fn write(&self, directory: &Directory, base_offset: i64) -> io::Result<()> {
        let name = |kind| segment_file(base_offset, kind);
        directory.replace(&name(Kind::OffsetIndex), &self.offsets.encode())?;
        directory.replace(&name(Kind::TimeIndex), &self.times.encode())
    }

    /// Reads the files of a sealed segment. `InvalidData` if one of them is damaged.
    pub fn load(directory: &Directory, base_offset: i64) -> io::Result<Indexes> {
        Ok(Indexes { offsets: load(directory, base_offset)?, times: load(directory, base_offset)? })
    }
}

fn load<E: Entry>(directory: &Directory, base_offset: i64) -> io::Result<SparseIndex<E>> {
    let name = segment_file(base_offset, E::KIND);
    let index = directory.read(&name)?.and_then(|bytes| SparseIndex::decode(&bytes));
    index.ok_or_else(|| invalid_data(format!("{}/{name} is damaged", directory.name())))
}

/// The first record of a batch at or after `timestamp` and at or after offset `from`.
fn find_in_batch(
    header: &BatchHeader,
    bytes: &[u8],
    timestamp: i64,
    from: i64,
) -> io::Result<Option<TimestampOffset>> {
    for record in records(&decompressed(header, bytes)?) {
        let record = record.map_err(invalid_data)?;
        let found = TimestampOffset {
            timestamp: header.timestamp(record.timestamp_delta),
            offset: header.base_offset + i64::from(record.offset_delta),
        };
        if found.timestamp >= timestamp && found.offset >= from {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
