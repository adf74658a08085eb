//! The files of the log: segments of equal length.
//!
//! The byte at position `p` of the log is in file `wal/{p / segment_bytes}`. A file grows by zeros
//! a megabyte ahead of the log, so that most commits overwrite bytes: if the file's length changes,
//! a sync also writes the file system's journal. A long flush, as of COPY, skips the zeros.
//!
//! A checkpoint renames old segments for future use, as many as the log has needed between two
//! checkpoints, so that a busy log stops allocating (PostgreSQL's `RemoveOldXlogFiles` and
//! `CheckPointDistanceEstimate`).
//!
//! ```text
//! before the checkpoint   wal/..4  wal/..5  wal/..6      redo in ..6
//! after it                wal/..6  wal/..7  wal/..8      4 is now 7, 5 is 8
//! ```
//!
//! The old records in a renamed segment are harmless: a record contains its position, and theirs do
//! not match. Bytes past the end of a file read as zeros, and zeros are no record, so a crash may
//! leave any part of the growth.
//!
//! The system may forget what a long flush has written: only a restart reads it, and the next flush
//! can have the memory. PostgreSQL's `XLogFileClose` asks for that, unless the log is archived.
//!
//! PostgreSQL fills each new segment with 16 MB of zeros (`wal_init_zero`). `fallocate` would save
//! nothing: the file system marks the new blocks as unwritten, and the first sync of each part
//! writes the journal.
//!
//! ```
//! use minibtree_segments::Segments;
//! use minikit::storage::{Disk, SimulatedDisk};
//! use std::sync::Arc;
//!
//! let disk = Arc::new(SimulatedDisk::new(1));
//! let mut segments = Segments::open(Arc::clone(&disk) as Arc<dyn Disk>, 1 << 10)?;
//! segments.write(1_020, b"a record")?; // four bytes in segment 0, four in segment 1
//! assert_eq!(disk.list("wal")?, ["0000000000000000", "0000000000000001"]);
//! let mut record = [0; 8];
//! segments.read(1_020, &mut record)?;
//! assert_eq!(&record, b"a record");
//! # std::io::Result::Ok(())
//! ```

use minikit::storage::{Disk, DiskFile};
use rustix::fs::{Advice, fadvise};
use std::collections::BTreeSet;
use std::io::{Error, Result};
use std::num::NonZeroU64;
use std::sync::Arc;

const DIRECTORY: &str = "wal";
/// A file grows to a multiple of this, unless a flush is longer.
const GROWTH: u64 = 1 << 20;
/// The fewest segments that are kept in advance: PostgreSQL's `min_wal_size` of 80 MB.
const SPARE_MIN: u64 = 5;

/// The segments of a log. A position is a byte of it, counted from its beginning.
pub struct Segments {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    /// Numbers of the files that exist.
    existing: BTreeSet<u64>,
    open: Option<Segment>,
    /// The number of segments that the log needs between two checkpoints.
    spare: u64,
}

struct Segment {
    number: u64,
    file: Box<dyn DiskFile>,
    length: u64,
}

impl Segments {
    /// Opens the segments on a disk. Creates the directory if it is missing.
    pub fn open(disk: Arc<dyn Disk>, segment_bytes: u64) -> Result<Segments> {
        let names = minibtree_small_file::directory(&*disk, DIRECTORY)?;
        let existing = names.iter().filter_map(|it| u64::from_str_radix(it, 16).ok()).collect();
        Ok(Segments { disk, segment_bytes, existing, open: None, spare: SPARE_MIN })
    }

    /// Writes bytes at a position and makes them durable.
    pub fn write(&mut self, mut position: u64, mut bytes: &[u8]) -> Result<()> {
        let segment_bytes = self.segment_bytes;
        while !bytes.is_empty() {
            let (number, offset) = self.place(position);
            let length = bytes.len().min((segment_bytes - offset) as usize);
            let segment = self.segment(number)?;
            segment.file.write_all_at(&bytes[..length], offset)?;

            // More small flushes will follow a small one, and should find zeros to overwrite.
            let end = offset + length as u64;
            if end > segment.length {
                let is_small = (length as u64) < GROWTH;
                let grown = if is_small { end.next_multiple_of(GROWTH) } else { end };
                segment.length = grown.min(segment_bytes);
                let zeros = vec![0; (segment.length - end) as usize];
                segment.file.write_all_at(&zeros, end)?;
            }
            segment.file.sync()?;

            if let Some(file) = segment.file.as_fd().filter(|_| length as u64 >= GROWTH) {
                // Only advice: nothing is wrong if the system keeps the bytes.
                let _ = fadvise(file, offset, NonZeroU64::new(length as u64), Advice::DontNeed);
            }
            bytes = &bytes[length..];
            position += length as u64;
        }
        Ok(())
    }

    /// Reads from `position` on into `bytes`. Bytes that no file has remain zeros.
    pub fn read(&mut self, mut position: u64, mut bytes: &mut [u8]) -> Result<()> {
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
            position += length as u64;
        }
        Ok(())
    }

    /// Fails unless the segment of `position` has the bytes before it.
    pub fn require(&self, position: u64) -> Result<()> {
        let (number, offset) = self.place(position);
        if offset > 0 && self.disk.open(&name(number))?.len()? < offset {
            return Err(Error::other(format!("{} ends before byte {offset}", name(number))));
        }
        Ok(())
    }

    /// Removes all bytes from `end` on. Otherwise a record that a crash left after `end` could be
    /// valid again when the log has grown up to its position.
    pub fn erase_from(&mut self, end: u64) -> Result<()> {
        let (last, offset) = self.place(end);
        for number in self.existing.split_off(&(last + 1)) {
            self.disk.remove(&name(number))?;
        }
        self.disk.sync_dir(DIRECTORY)?;

        let segment = self.segment(last)?;
        segment.file.truncate(offset)?;
        segment.length = offset;
        segment.file.sync()
    }

    /// Renames the segments before `redo` for future use, or removes them.
    pub fn recycle_before(&mut self, redo: u64) -> Result<()> {
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
        self.disk.sync_dir(DIRECTORY)
    }

    /// The number of the segment of a position, and the offset within it.
    fn place(&self, position: u64) -> (u64, u64) {
        (position / self.segment_bytes, position % self.segment_bytes)
    }

    /// The file of a segment, created if it is missing.
    fn segment(&mut self, number: u64) -> Result<&mut Segment> {
        if self.open.as_ref().is_none_or(|open| open.number != number) {
            if self.existing.insert(number) {
                self.disk.create(&name(number))?;
                self.disk.sync_dir(DIRECTORY)?;
            }
            let file = self.disk.open(&name(number))?;
            self.open = Some(Segment { number, length: file.len()?, file });
        }
        Ok(self.open.as_mut().expect("opened above"))
    }
}

fn name(number: u64) -> String {
    format!("{DIRECTORY}/{number:016x}")
}
