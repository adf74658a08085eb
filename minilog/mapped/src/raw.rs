//! Mapping a file into memory: the one call that needs `unsafe`.
//!
//! ```text
//! 00000000000000000000.index, 4,000 bytes, sealed        bytes[0..4000] are the page cache's
//! ```
//!
//! Kafka counterpart: `AbstractIndex.createMappedBuffer`.
#![allow(unsafe_code)]

use bytes::Bytes;
use memmap2::MmapOptions;
use std::io;
use std::os::fd::BorrowedFd;

/// Maps the first `length` bytes of a file read-only. The file must have that many bytes, and must
/// never be written or truncated again.
pub fn map(file: BorrowedFd<'_>, length: usize) -> io::Result<Bytes> {
    // SAFETY: the bytes of a map must not change while a slice refers to them. minilog writes an
    // index once, under a temporary name, and then only replaces or removes it as a whole, which
    // does not change the mapped file. The lock of the data directory keeps a second broker out. A
    // user can break this by writing to the file, as in Kafka. If a page cannot be read, because
    // the file was truncated or the disk fails, the process ends with SIGBUS.
    let mapped = unsafe { MmapOptions::new().len(length).map(&file)? };
    Ok(Bytes::from_owner(mapped))
}
