//! The two sparse indexes of a segment.
//!
//! Without an index a log can only be walked from its start: each batch says how long it is, so
//! finding offset 900,000 means walking over all batches before it. The offset index stores where
//! one batch begins, about every 4 KiB of log. A lookup finds the last entry at or below the offset
//! by binary search, and walks over the log from there, for about 4 KiB at most. The time index
//! maps timestamps to offsets in the same way.
//!
//! An index with an entry per batch would be exact, and about ten times larger for batches of 400
//! bytes. A sparse index takes 8 bytes per 4,096 bytes of log: for a segment of 1 GiB that is 2
//! MiB, which stays in the page cache.
//!
//! # Example
//!
//! A segment that begins with offset 100 and has a batch with the offsets 140 to 149 at byte 4,200:
//!
//! ```
//! use minilog::format::index::{OffsetEntry, TimeEntry};
//!
//! let entry = OffsetEntry { relative_offset: 49, position: 4200 };
//! assert_eq!(entry.encode(), [0, 0, 0, 49, 0, 0, 0x10, 0x68]);
//!
//! // The largest timestamp up to that batch was 1,700,000,000,000, at offset 132.
//! let entry = TimeEntry { timestamp: 1_700_000_000_000, relative_offset: 32 };
//! assert_eq!(entry.encode(), [0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0, 0, 0, 0, 32]);
//! ```
//!
//! Offsets are relative to the segment's base offset, so four bytes are enough. An entry holds the
//! *last* offset of its batch, and the position where that batch begins.
//!
//! # Counterpart in Kafka
//!
//! `OffsetIndex.java` and `TimeIndex.java`. Kafka preallocates the files of the active segment to
//! 10 MiB and maps them into memory, so a full disk means a SIGBUS. Here they are written as a
//! whole when the segment is sealed. They have no checksums, here as in Kafka: after a crash they
//! are rebuilt from the log.

minikit::layout! {
    /// An entry of an `.index` file.
    pub struct OffsetEntry = 8 bytes, BigEndian {
        0..4  relative_offset: i32, "last offset of a batch, minus the segment's base offset";
        4..8  position:        i32, "the byte of the segment where that batch begins";
    }
}

minikit::layout! {
    /// An entry of a `.timeindex` file: no record up to this offset has a later timestamp.
    pub struct TimeEntry = 12 bytes, BigEndian {
        0..8   timestamp:       i64, "largest timestamp of the segment so far, ms since 1970";
        8..12  relative_offset: i32, "last offset of the batch with it, minus the base offset";
    }
}
