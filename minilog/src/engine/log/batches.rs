//! Walking over the batches of a file, the only way to find one without an index.
//!
//! ```text
//! position   0         85        170                 900
//!            [batch 0] [batch 1] [batch 2 ........] [batch 3]
//! next_header(): the header at 0 says length 73, so the next one is at 0 + 12 + 73 = 85, and so on
//! ```
//!
//! Headers alone are enough to find an offset, so [`Batches`] reads small windows and jumps from
//! header to header. Recovery needs every byte for the checksums and takes larger windows.
//!
//! Kafka counterpart: `FileLogInputStream.java`, which reads each header with a call of its own.

use crate::format::batch::{self, BatchHeader};
use crate::format::compression::decompress;
use minikit::storage::DiskFile;
use std::error::Error;
use std::io;

/// For lookups: as much as an index skips, so that one read usually suffices.
pub const LOOKUP_WINDOW: usize = 4 * 1024;
/// For recovery: large enough to read the disk sequentially.
pub const RECOVERY_WINDOW: usize = 1024 * 1024;
/// The most bytes that a batch may decompress to: a thousand times the default size limit.
const DECOMPRESSED_BYTES_MAX: usize = 1 << 30;

/// A walk over the batches of a file, which reads it in windows.
pub struct Batches<'a> {
    file: &'a dyn DiskFile,
    /// Where the next batch begins.
    pub position: u64,
    /// The end of the valid bytes. A write in progress may have put more after them.
    end: u64,
    window: usize,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    start: u64,
}

/// A valid batch, none at the end of the file, or the reason why the next batch is invalid.
pub type Checked<'a> = Result<Option<(BatchHeader, &'a [u8])>, String>;

impl<'a> Batches<'a> {
    /// The batches of `file` from `position`, where one begins, to `end`.
    pub fn new(file: &'a dyn DiskFile, position: u64, end: u64, window: usize) -> Batches<'a> {
        Batches { file, position, end, window, buffer: Vec::new(), start: 0 }
    }

    /// The next batch's position and header. None at the end, or if less than a header is left.
    /// `InvalidData` if the length in the header is impossible.
    pub fn next_header(&mut self) -> io::Result<Option<(u64, BatchHeader)>> {
        let position = self.position;
        let Some(header) = self.header_at(position)? else { return Ok(None) };
        self.position += header.size().ok_or_else(damaged)? as u64;
        Ok(Some((position, header)))
    }

    /// The next batch, checked by [`batch::check`]. If it is invalid the walk does not advance.
    pub fn next_checked(&mut self) -> io::Result<Checked<'_>> {
        let position = self.position;
        if position == self.end {
            return Ok(Ok(None));
        }
        let Some(header) = self.header_at(position)? else {
            return Ok(Err("the header of a batch is cut off".to_owned()));
        };
        let Some(size) = header.size() else {
            return Ok(Err(format!(
                "batch_length is {}, which is impossible",
                header.batch_length
            )));
        };
        let Some(bytes) = self.bytes_at(position, size)? else {
            return Ok(Err("a batch is cut off".to_owned()));
        };
        if let Err(reason) = batch::check(bytes) {
            return Ok(Err(reason));
        }
        self.position += size as u64;
        Ok(Ok(self.bytes_at(position, size)?.map(|bytes| (header, bytes))))
    }

    /// The header at `position`. None at the end, or if less than a header is left.
    pub fn header_at(&mut self, position: u64) -> io::Result<Option<BatchHeader>> {
        let bytes = self.bytes_at(position, BatchHeader::SIZE)?;
        Ok(bytes.map(|bytes| BatchHeader::read(bytes).expect("as long as a header")))
    }

    /// Reads `length` bytes at `position`. None if the file ends before that.
    pub fn bytes_at(&mut self, position: u64, length: usize) -> io::Result<Option<&[u8]>> {
        let left = self.end.saturating_sub(position);
        if left < length as u64 {
            return Ok(None);
        }

        // Read the next window, unless the buffer has the bytes already.
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

/// The decompressed records of a batch. `InvalidData` if they are damaged.
pub fn decompressed(header: &BatchHeader, batch: &[u8]) -> io::Result<Vec<u8>> {
    let compression = header.compression().ok_or_else(damaged)?;
    decompress(compression, &batch[BatchHeader::SIZE..], DECOMPRESSED_BYTES_MAX)
}

/// The error for a batch of the log that is not as it was appended.
pub fn damaged() -> io::Error {
    invalid_data("a batch of the log is damaged")
}

/// The error for a file that is not as it was written.
pub fn invalid_data(error: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
