//! A segment: one file of batches and its two indexes.
//!
//! A log is split into segments for two reasons: old records can be deleted in constant time, by
//! deleting whole files, and only the last segment is written to, so the others need no recovery.
//!
//! # Example
//!
//! A segment with base offset 100, three batches, and an index entry after 4 KiB. A read at 117:
//!
//! ```text
//! position        0            4100         8200
//! log             [100 .. 109] [110 .. 119] [120 .. 129]
//! offset index    (19 -> 4100)                            relative to 100
//!
//! 1. floor(17) in the index: none, so start at position 0
//! 2. walk: 100..109 ends before 117; 110..119 does not: position 4100
//! 3. read from 4100 on. The client gets 110 to 119 and skips the records before 117.
//! ```
//!
//! Reads return whole batches: the broker does not open a batch to drop its first seven records.
//!
//! # Counterpart in Kafka
//!
//! `LogSegment.java`. An index gets an entry by the same rule as in `LogSegment.append`. There are
//! no transaction indexes here.

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

/// One file of the log with its indexes. A clone shares the file.
#[derive(Clone)]
pub struct Segment {
    /// The directory of its files.
    pub(super) directory: Arc<Directory>,
    /// The offset of the first record, and the name of the files.
    pub base_offset: i64,
    /// The file of batches.
    pub file: Arc<dyn DiskFile>,
    /// The size of all complete batches. After a failed write the file may be longer.
    pub size: u64,
    /// The indexes in memory. None once they are in their files: then lookups search those.
    pub indexes: Option<Indexes>,
    /// The files of the two indexes, which the first lookup maps.
    pub(super) files: [OnceLock<Bytes>; 2],
    index_interval_bytes: u64,
    bytes_since_index_entry: u64,
    /// The first batch's timestamp, for `segment.ms`. After a restart only the active segment has
    /// it.
    pub(super) first_timestamp: Option<i64>,
    /// The largest timestamp, and the last offset of the batch that has it; none if empty.
    pub max_timestamp: Option<TimestampOffset>,
    /// The position and header of the last batch, so that consumers at the end of the log need no
    /// search. After a restart only the active segment has it.
    pub(super) last_batch: Option<(u64, BatchHeader)>,
}

/// The two indexes of a segment.
#[derive(Clone, Debug, Default)]
pub struct Indexes {
    /// Maps offsets to positions.
    pub offsets: SparseIndex<OffsetEntry>,
    /// Maps timestamps to offsets.
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

/// A range of a segment's file, which a fetch response sends.
#[derive(Clone)]
pub struct Slice {
    /// The file. Deleting the segment does not close it.
    pub file: Arc<dyn DiskFile>,
    /// The position of the first batch.
    pub position: u64,
    /// The length in bytes. The last batch may be incomplete; clients ignore it and fetch it again.
    pub length: usize,
    /// True in the active segment, whose pages are in memory. Reads of other segments may block.
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
    /// A segment without batches. If the file has some, the caller adds them with `note_batch`.
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

    /// Returns true if an offset fits into the 32 bits of an index entry.
    pub fn can_hold(&self, offset: i64) -> bool {
        i32::try_from(offset - self.base_offset).is_ok()
    }

    /// Appends a batch to the file and to the indexes. `header` is its header with the assigned
    /// offset. After an error the segment is as before, but the file may have bytes after its end.
    pub fn append(&mut self, header: &BatchHeader, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.size)?;
        self.note_batch(header, bytes.len() as u64);
        Ok(())
    }

    /// Adds the next batch of the file to the segment's state, with an index entry if the last
    /// entry is far enough away. Recovery rebuilds the indexes with the same function.
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

    /// Adds a time index entry for the largest timestamp so far. After a restart the largest
    /// timestamp of a sealed segment is known from its last entry.
    pub(super) fn seal(&mut self) {
        if let Some(TimestampOffset { timestamp, offset }) = self.max_timestamp {
            let relative_offset = (offset - self.base_offset) as i32;
            let entry = TimeEntry { timestamp, relative_offset };
            self.indexes.as_mut().expect(IN_MEMORY).times.push(entry);
        }
    }

    /// The bytes from the batch with `offset` on, at most `length_max` of them, and none from the
    /// position `end` on. The first batch is complete even if it is longer than `length_max`: a
    /// client with a small limit must get past it. None if all batches are below `offset`.
    pub fn read(&self, offset: i64, length_max: usize, end: u64) -> io::Result<Option<Slice>> {
        let Some((position, header)) = self.find(offset)? else { return Ok(None) };
        let first = header.size().unwrap_or(BatchHeader::SIZE) as u64;
        let length = (length_max as u64).max(first).min(end.saturating_sub(position));
        let (file, length) = (Arc::clone(&self.file), length as usize);
        Ok(Some(Slice { file, position, length, is_active: false }))
    }

    /// The position and header of the first batch that ends at or after `offset`. Costs a binary
    /// search and a walk over the headers in about 4 KiB of log.
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
    /// Timestamps come from producers and may be out of order, so this cannot be a binary search
    /// for a record. The time index only says up to which offset all timestamps are smaller.
    pub fn find_timestamp(&self, timestamp: i64, from: i64) -> io::Result<Option<TimestampOffset>> {
        // No record up to the end of this entry's batch has a timestamp above the entry's.
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

    /// Removes the files. Readers that hold a [`Slice`] can finish. The log is removed first: after
    /// a crash in between, recovery removes indexes without a log.
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
