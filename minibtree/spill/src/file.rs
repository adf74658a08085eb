//! Temporary files, and records in them.
//!
//! A temporary file has no name: it is created, then removed while it is open. The system frees it
//! when it is closed, so an error, a cancelled statement and `kill -9` leave nothing behind. Only a
//! crash between the two calls leaves an empty file, which [`remove_leftovers`] removes at the next
//! start. PostgreSQL keeps the names, removes each file at the end of its transaction, and after a
//! crash all of `pgsql_tmp` (`RemovePgTempFiles` in `fd.c`).
//!
//! A record in a file is the lengths of key and payload, four bytes each, and then both:
//!
//! ```text
//! 03 00 00 00  02 00 00 00  f i g  4 2
//! ```

use minikit::storage::{Disk, DiskFile};
use std::io::{self, Result};
use std::ops::Range;
use std::sync::Arc;

/// The directory of temporary files.
const DIRECTORY: &str = "pgsql_tmp";

/// The size of a read or a write, in bytes.
pub const BUFFER: usize = 32 << 10;

/// Bytes of the lengths before a record.
const LENGTHS: usize = 8;

/// Creates a file that the system removes when it is closed.
fn temporary(disk: &dyn Disk) -> Result<Arc<dyn DiskFile>> {
    match disk.create_dir(DIRECTORY) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let mut number = 0;
    loop {
        let name = format!("{DIRECTORY}/{number}");
        match disk.create(&name) {
            Ok(file) => {
                disk.remove(&name)?;
                return Ok(Arc::from(file));
            }
            // Another statement has created this name and not removed it yet.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Removes the files that a crash has left. Call it at startup, before any statement runs.
///
/// # Errors
/// If the disk fails.
pub fn remove_leftovers(disk: &dyn Disk) -> Result<()> {
    let remove = |name: String| disk.remove(&format!("{DIRECTORY}/{name}"));
    let remove_all = || match disk.list("")?.iter().any(|name| name == DIRECTORY) {
        true => disk.list(DIRECTORY)?.into_iter().try_for_each(remove),
        false => Ok(()),
    };
    remove_all().map_err(failed)
}

/// The error of the disk, with the reason why it was used.
fn failed(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("could not use a temporary file: {error}"))
}

/// Appends a record to bytes.
pub fn append(key: &[u8], payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(key.len() as u32).to_le_bytes());
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(payload);
}

/// The lengths of key and payload of the record at the front of bytes.
fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let (key, rest) = bytes.split_first_chunk()?;
    let payload = rest.first_chunk()?;
    Some((u32::from_le_bytes(*key) as usize, u32::from_le_bytes(*payload) as usize))
}

/// Splits the record at the front of bytes into key and payload. It must be complete.
pub fn record(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (key, payload) = lengths(bytes).expect("a record begins with its lengths");
    bytes[LENGTHS..][..key + payload].split_at(key)
}

/// Writes records one after another.
pub struct Writer {
    file: Arc<dyn DiskFile>,
    buffer: Vec<u8>,
    /// The number of bytes in the file, without those in the buffer.
    written: u64,
}

impl Writer {
    /// A new file.
    ///
    /// # Errors
    /// If the disk is full, or fails.
    pub fn create(disk: &dyn Disk) -> Result<Writer> {
        let file = temporary(disk).map_err(failed)?;
        Ok(Writer { file, buffer: Vec::new(), written: 0 })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// If the disk is full, or fails.
    pub fn add(&mut self, key: &[u8], payload: &[u8]) -> Result<()> {
        append(key, payload, &mut self.buffer);
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// The number of bytes so far.
    pub fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// A reader for a part of the file.
    ///
    /// # Errors
    /// If the disk is full, or fails.
    pub fn read(&mut self, part: Range<u64>) -> Result<Reader> {
        self.flush()?;
        Ok(Reader { file: Arc::clone(&self.file), part, buffer: Vec::new(), at: 0 })
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_all_at(&self.buffer, self.written).map_err(failed)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// Reads the records of a part of a file.
pub struct Reader {
    file: Arc<dyn DiskFile>,
    /// The part of the file that is not in the buffer yet.
    part: Range<u64>,
    buffer: Vec<u8>,
    /// Where the current record begins in the buffer.
    at: usize,
}

impl Reader {
    /// Moves to the next record, or to the first on the first call. Returns its key and payload,
    /// or `None` at the end.
    ///
    /// # Errors
    /// If the disk is full, or fails.
    pub fn next_record(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        if self.buffer.is_empty() && self.part.is_empty() {
            return Ok(None);
        }
        if let Some((key, payload)) = lengths(&self.buffer[self.at..]) {
            self.at += LENGTHS + key + payload;
        }
        if self.at == self.buffer.len() && self.part.is_empty() {
            (self.buffer, self.at) = (Vec::new(), 0);
            return Ok(None);
        }
        self.fill(LENGTHS)?;
        let (key, payload) = lengths(&self.buffer[self.at..]).expect("filled above");
        self.fill(LENGTHS + key + payload)?;
        Ok(Some(self.current()))
    }

    /// The current record.
    pub fn current(&self) -> (&[u8], &[u8]) {
        record(&self.buffer[self.at..])
    }

    /// Reads until the buffer has this many bytes of the current record.
    fn fill(&mut self, wanted: usize) -> Result<()> {
        let kept = self.buffer.len() - self.at;
        if kept >= wanted {
            return Ok(());
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        let left = self.part.end - self.part.start;
        let more = left.min(BUFFER.max(wanted - kept) as u64) as usize;
        self.buffer.resize(kept + more.max(wanted - kept), 0);
        let buffer = &mut self.buffer[kept..];
        self.file.read_exact_at(buffer, self.part.start).map_err(failed)?;
        self.part.start += more as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minikit::storage::SimulatedDisk;

    #[test]
    fn a_temporary_file_has_no_name_and_leftovers_are_removed() {
        let disk = SimulatedDisk::new(1);
        let mut writer = Writer::create(&disk).unwrap();
        writer.add(b"fig", b"42").unwrap();
        assert!(disk.list(DIRECTORY).unwrap().is_empty());
        let mut reader = writer.read(0..writer.bytes()).unwrap();
        assert_eq!(reader.next_record().unwrap(), Some((&b"fig"[..], &b"42"[..])));
        assert_eq!(reader.next_record().unwrap(), None);

        // As a crash between creation and removal leaves it.
        disk.create("pgsql_tmp/0").unwrap();
        Writer::create(&disk).expect("another name");
        remove_leftovers(&disk).unwrap();
        assert!(disk.list(DIRECTORY).unwrap().is_empty());
    }
}
