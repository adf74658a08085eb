//! The naive log: one file and nothing else. It works until the file is large or the power fails.
//!
//! ```
//! use minilog::engine::log::flat::FlatLog;
//! use minikit::storage::SimulatedDisk;
//!
//! let disk = SimulatedDisk::new(1);
//! let mut log = FlatLog::open(&disk, "flat")?;
//! for value in [&b"a"[..], b"bb", b"ccc"] {
//!     log.append(value)?;
//! }
//! let (value, bytes_read) = log.read(2)?;
//! assert_eq!(value, Some(b"ccc".to_vec()));
//! assert_eq!(bytes_read, 5 + 6 + 7, "all of the log");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! An entry is a length of four bytes followed by the value. The offset of an entry is the number
//! of entries before it, so a lookup has to read all of their lengths. That is the first fault: the
//! cost of a read grows with the log. The second fault: after a crash in the middle of a write, the
//! file ends before the length says, or it has the right length and some of its bytes are zero. The
//! log cannot detect either. The golden script `flat_log` shows both faults.
//!
//! [`super::log`] fixes the first with an index and the second with checksums.

use minikit::storage::{Disk, DiskFile};
use std::io;

/// One file of entries.
pub struct FlatLog {
    file: Box<dyn DiskFile>,
}

impl FlatLog {
    /// Opens the log, or creates it.
    pub fn open(disk: &dyn Disk, name: &str) -> io::Result<FlatLog> {
        match disk.open(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(FlatLog { file: disk.create(name)? })
            }
            file => Ok(FlatLog { file: file? }),
        }
    }

    /// Adds an entry to the end.
    pub fn append(&mut self, value: &[u8]) -> io::Result<()> {
        let length = (value.len() as u32).to_be_bytes();
        self.file.append(&[&length[..], value].concat()).map(drop)
    }

    /// Returns the entry at `offset`, none if the log ends before it, and the number of bytes from
    /// the start of the log that the search went through.
    pub fn read(&self, offset: u64) -> io::Result<(Option<Vec<u8>>, u64)> {
        let (mut position, mut length) = (0, [0; 4]);
        let end = self.file.len()?;
        for number in 0.. {
            if self.file.read_at(&mut length, position)? < length.len() {
                break;
            }
            position += 4;
            let claimed = u64::from(u32::from_be_bytes(length));
            let mut value = vec![0; claimed.min(end - position) as usize];
            let read = self.file.read_at(&mut value, position)?;
            position += read as u64;

            if number == offset {
                value.truncate(read);
                return Ok((Some(value), position));
            }
        }
        Ok((None, position))
    }
}
