//! Walking over the batches of a file: the only way through a log without an index.
//!
//! ```text
//! position   0         85        170                 900
//!            [batch 0] [batch 1] [batch 2 ........] [batch 3]
//! header_at(0): length 73, next at 0 + 12 + 73 = 85, and so on
//! ```
//!
//! Headers alone are enough to find an offset, so [`Batches`] reads small windows and jumps from
//! header to header. Recovery needs every byte for the checksums and takes larger windows.
//!
//! Kafka counterpart: `FileLogInputStream.java`, which reads each header with a call of its own.

use crate::format::batch::BatchHeader;
use minikit::storage::DiskFile;
use std::io;

/// For lookups: as much as an index skips, so that one read usually suffices.
pub const LOOKUP_WINDOW: usize = 4 * 1024;
/// For recovery: large enough that the disk works sequentially.
pub const RECOVERY_WINDOW: usize = 1024 * 1024;

/// A view of a file that reads it in windows.
pub struct Batches<'a> {
    file: &'a dyn DiskFile,
    /// Bytes of the file that count; more may follow that are not yet valid.
    end: u64,
    window: usize,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    start: u64,
}

impl<'a> Batches<'a> {
    /// The batches in the first `end` bytes of `file`.
    pub fn new(file: &'a dyn DiskFile, end: u64, window: usize) -> Batches<'a> {
        Batches { file, end, window, buffer: Vec::new(), start: 0 }
    }

    /// The header at `position`. None at the end, and if less than a header is left.
    pub fn header_at(&mut self, position: u64) -> io::Result<Option<BatchHeader>> {
        let bytes = self.bytes_at(position, BatchHeader::SIZE)?;
        Ok(bytes.map(|bytes| BatchHeader::read(bytes).expect("as long as a header")))
    }

    /// `length` bytes from `position` on. None if the file ends before that.
    pub fn bytes_at(&mut self, position: u64, length: usize) -> io::Result<Option<&[u8]>> {
        let left = self.end.saturating_sub(position);
        if left < length as u64 {
            return Ok(None);
        }

        // Read a window from here on, unless the one at hand has the bytes.
        let is_at_hand = position >= self.start
            && position + length as u64 <= self.start + self.buffer.len() as u64;
        if !is_at_hand {
            let wanted = (self.window.max(length) as u64).min(left) as usize;
            self.buffer.resize(wanted, 0);
            self.start = position;
            self.file.read_exact_at(&mut self.buffer, position)?;
        }
        let from = (position - self.start) as usize;
        Ok(Some(&self.buffer[from..from + length]))
    }
}
