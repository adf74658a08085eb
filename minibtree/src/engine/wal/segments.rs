//! The files of the log: segments of equal length.
//!
//! A byte of the log at position `p` is in file `wal/{p / segment_bytes}`. A file grows by zeros a
//! megabyte ahead of the log, so that most commits overwrite: a sync that also has to write a new
//! length writes the file system's journal too. A longer flush, as of a COPY, needs no zeros.
//!
//! A checkpoint gives segments before it new names, as many as the log has needed between two
//! checkpoints, so that a busy log stops allocating (PostgreSQL's `RemoveOldXlogFiles` and
//! `CheckPointDistanceEstimate`).
//!
//! ```text
//! before the checkpoint   wal/..4  wal/..5  wal/..6      redo in ..6
//! after it                wal/..6  wal/..7  wal/..8      4 is now 7, 5 is 8
//! ```
//!
//! What such a segment still holds is harmless: a record names its own position, and these name
//! old ones. What a file does not have yet counts as zeros, and zeros are no record, so it does not
//! matter which part of the growth a crash leaves.
//!
//! PostgreSQL fills each new segment with 16 MB of zeros (`wal_init_zero`). `fallocate` would save
//! nothing: what it allocates is marked as unwritten, and the first sync of each part of it writes
//! the journal.

use crate::engine::Result;
use crate::format::Lsn;
use crate::format::wal::RecordHeader;
use minikit::storage::{Disk, DiskFile};
use std::collections::BTreeSet;
use std::sync::Arc;

const DIRECTORY: &str = "wal";
/// A file grows to a multiple of this, unless a flush is longer.
const GROWTH: u64 = 1 << 20;
/// Segments that are kept in advance at least: PostgreSQL's `min_wal_size` of 80 MB.
const SPARE_MIN: u64 = 5;
/// Longer records do not exist: a larger length is not a record.
const RECORD_MAX: usize = 64 << 20;

pub struct Segments {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    /// Numbers of the files that exist.
    existing: BTreeSet<u64>,
    open: Option<Segment>,
    /// How many segments the log needs between two checkpoints.
    spare: u64,
}

struct Segment {
    number: u64,
    file: Box<dyn DiskFile>,
    length: u64,
}

impl Segments {
    /// The segments on a disk. Creates the directory if it is missing.
    pub fn open(disk: Arc<dyn Disk>, segment_bytes: u64) -> Result<Segments> {
        if !disk.list("")?.iter().any(|name| name == DIRECTORY) {
            disk.create_dir(DIRECTORY)?;
            disk.sync_dir("")?;
        }
        let names = disk.list(DIRECTORY)?;
        let existing = names.iter().filter_map(|it| u64::from_str_radix(it, 16).ok()).collect();
        Ok(Segments { disk, segment_bytes, existing, open: None, spare: SPARE_MIN })
    }

    /// Writes bytes at a position and makes them durable.
    pub fn write(&mut self, mut position: Lsn, mut bytes: &[u8]) -> Result<()> {
        let segment_bytes = self.segment_bytes;
        while !bytes.is_empty() {
            let (number, offset) = self.place(position);
            let length = bytes.len().min((segment_bytes - offset) as usize);
            let segment = self.segment(number)?;
            segment.file.write_all_at(&bytes[..length], offset)?;

            // Small flushes are followed by more of them, which shall find zeros to overwrite.
            let end = offset + length as u64;
            if end > segment.length {
                let is_small = (length as u64) < GROWTH;
                let grown = if is_small { end.next_multiple_of(GROWTH) } else { end };
                segment.length = grown.min(segment_bytes);
                let zeros = vec![0; (segment.length - end) as usize];
                segment.file.write_all_at(&zeros, end)?;
            }
            segment.file.sync()?;
            bytes = &bytes[length..];
            position.0 += length as u64;
        }
        Ok(())
    }

    /// Reads the record at `position`. Returns `None` at the end of the log.
    pub fn read(&mut self, position: Lsn) -> Result<Option<Vec<u8>>> {
        let mut record = vec![0; RecordHeader::SIZE];
        self.read_bytes(position, &mut record)?;
        let length = RecordHeader::length.get(&record) as usize;
        let is_possible = (RecordHeader::SIZE..RECORD_MAX).contains(&length);
        if !is_possible || RecordHeader::lsn.get(&record) != position.0 {
            return Ok(None);
        }

        record.resize(length, 0);
        self.read_bytes(position, &mut record)?;
        Ok(super::record::is_intact(&record, position).then_some(record))
    }

    /// Removes everything from `end` on. Otherwise a record that a crash left behind the end could
    /// become valid again: the log grows until it touches it.
    pub fn erase_from(&mut self, end: Lsn) -> Result<()> {
        let (last, offset) = self.place(end);
        for number in self.existing.split_off(&(last + 1)) {
            self.disk.remove(&name(number))?;
        }
        self.disk.sync_dir(DIRECTORY)?;

        let segment = self.segment(last)?;
        segment.file.truncate(offset)?;
        segment.length = offset;
        segment.file.sync()?;
        Ok(())
    }

    /// Uses the segments before `redo` again, or removes them.
    pub fn recycle_before(&mut self, redo: Lsn) -> Result<()> {
        let (first, _) = self.place(redo);
        let kept = self.existing.split_off(&first);
        let old = std::mem::replace(&mut self.existing, kept);
        self.spare = SPARE_MIN.max(self.spare * 9 / 10).max(old.len() as u64);
        for number in old {
            let last = self.existing.last().copied().unwrap_or(first);
            if last < first + self.spare {
                self.disk.rename(&name(number), &name(last + 1))?;
                self.existing.insert(last + 1);
            } else {
                self.disk.remove(&name(number))?;
            }
        }
        self.disk.sync_dir(DIRECTORY)?;
        Ok(())
    }

    /// The number of the segment of a position, and the offset within it.
    fn place(&self, position: Lsn) -> (u64, u64) {
        (position.0 / self.segment_bytes, position.0 % self.segment_bytes)
    }

    /// Fills `bytes` from `position` on. What no file has stays zeros.
    fn read_bytes(&mut self, mut position: Lsn, mut bytes: &mut [u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (number, offset) = self.place(position);
            let length = bytes.len().min((self.segment_bytes - offset) as usize);
            let (part, rest) = bytes.split_at_mut(length);
            if self.existing.contains(&number) {
                let segment = self.segment(number)?;
                let there = (length as u64).min(segment.length.saturating_sub(offset));
                segment.file.read_exact_at(&mut part[..there as usize], offset)?;
            }
            bytes = rest;
            position.0 += length as u64;
        }
        Ok(())
    }

    /// The file of a segment, created if it is missing.
    fn segment(&mut self, number: u64) -> Result<&mut Segment> {
        if self.open.as_ref().is_none_or(|open| open.number != number) {
            let file = if self.existing.contains(&number) {
                self.disk.open(&name(number))?
            } else {
                let file = self.disk.create(&name(number))?;
                self.disk.sync_dir(DIRECTORY)?;
                self.existing.insert(number);
                file
            };
            self.open = Some(Segment { number, length: file.len()?, file });
        }
        Ok(self.open.as_mut().expect("opened above"))
    }
}

fn name(number: u64) -> String {
    format!("{DIRECTORY}/{number:016x}")
}
