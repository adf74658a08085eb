//! The files of the log: segments of equal length, filled with zeros before they are used.
//!
//! A byte of the log at position `p` is in file `wal/{p / segment_bytes}`. The zeros are there so
//! that a commit's sync writes data only: growing a file also changes its length, and the sync has
//! to write that too. A checkpoint gives segments before it new names, so that a busy log stops
//! allocating after a while (PostgreSQL's `RemoveOldXlogFiles`).
//!
//! ```text
//! before the checkpoint   wal/..4  wal/..5  wal/..6      redo in ..6
//! after it                wal/..6  wal/..7  wal/..8      4 is now 7, 5 is 8
//! ```
//!
//! What such a segment still holds is harmless: a record names its own position, and these name
//! old ones.

use crate::engine::Result;
use crate::format::Lsn;
use crate::format::wal::RecordHeader;
use minikit::storage::{Disk, DiskFile};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The directory.
const DIRECTORY: &str = "wal";
/// A segment under construction.
const NEW: &str = "wal/new";
/// Segments that are kept in advance.
const SPARE_SEGMENTS: u64 = 2;
/// Longer records do not exist: a larger length is not a record.
const RECORD_MAX: usize = 64 << 20;

/// The segments of a log.
pub struct Segments {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    /// Numbers of the files that exist.
    existing: BTreeSet<u64>,
    open: Option<(u64, Box<dyn DiskFile>)>,
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
        Ok(Segments { disk, segment_bytes, existing, open: None })
    }

    /// Writes bytes at a position and makes them durable.
    pub fn write(&mut self, mut position: Lsn, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (number, offset) = self.place(position);
            let length = bytes.len().min((self.segment_bytes - offset) as usize);
            let file = self.segment(number)?;
            file.write_all_at(&bytes[..length], offset)?;
            file.sync()?;
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
        let segment_bytes = self.segment_bytes;
        for number in self.existing.split_off(&(last + 1)) {
            self.disk.remove(&name(number))?;
        }
        self.disk.sync_dir(DIRECTORY)?;

        let file = self.segment(last)?;
        file.truncate(offset)?;
        file.truncate(segment_bytes)?;
        file.sync()?;
        Ok(())
    }

    /// Uses the segments before `redo` again, or removes them.
    pub fn recycle_before(&mut self, redo: Lsn) -> Result<()> {
        let (first, _) = self.place(redo);
        let kept = self.existing.split_off(&first);
        let old = std::mem::replace(&mut self.existing, kept);
        for number in old {
            let last = self.existing.last().copied().unwrap_or(first);
            if last < first + SPARE_SEGMENTS {
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

    /// Fills `bytes` from `position` on. Where no segment is, they stay zeros.
    fn read_bytes(&mut self, mut position: Lsn, mut bytes: &mut [u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (number, offset) = self.place(position);
            let length = bytes.len().min((self.segment_bytes - offset) as usize);
            let (part, rest) = bytes.split_at_mut(length);
            if self.existing.contains(&number) {
                read_or_zeros(self.segment(number)?, part, offset)?;
            }
            bytes = rest;
            position.0 += length as u64;
        }
        Ok(())
    }

    /// The file of a segment, created if it is missing.
    fn segment(&mut self, number: u64) -> Result<&dyn DiskFile> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
            if !self.existing.contains(&number) {
                self.create(number)?;
            }
            self.open = Some((number, self.disk.open(&name(number))?));
        }
        let (_, file) = self.open.as_ref().expect("opened above");
        Ok(&**file)
    }

    fn create(&mut self, number: u64) -> Result<()> {
        /// Zeros written at a time.
        const CHUNK: u64 = 1 << 20;

        // A crash may have left one unfinished.
        if self.disk.list(DIRECTORY)?.iter().any(|it| NEW.ends_with(it.as_str())) {
            self.disk.remove(NEW)?;
        }
        let file = self.disk.create(NEW)?;
        let zeros = vec![0; self.segment_bytes.min(CHUNK) as usize];
        for offset in (0..self.segment_bytes).step_by(zeros.len()) {
            let length = zeros.len().min((self.segment_bytes - offset) as usize);
            file.write_all_at(&zeros[..length], offset)?;
        }
        file.sync()?;

        // Only a whole segment gets its name.
        self.disk.rename(NEW, &name(number))?;
        self.disk.sync_dir(DIRECTORY)?;
        self.existing.insert(number);
        Ok(())
    }
}

/// Fills `bytes` from the file. A crash in the middle of `erase_from` leaves a file that is too
/// short: what is missing counts as zeros, as it was about to be.
fn read_or_zeros(file: &dyn DiskFile, mut bytes: &mut [u8], mut offset: u64) -> Result<()> {
    while !bytes.is_empty() {
        match file.read_at(bytes, offset)? {
            0 => {
                bytes.fill(0);
                break;
            }
            count => {
                bytes = &mut bytes[count..];
                offset += count as u64;
            }
        }
    }
    Ok(())
}

fn name(number: u64) -> String {
    format!("{DIRECTORY}/{number:016x}")
}
