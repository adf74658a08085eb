//! The two sparse indexes of a segment.
//!
//! The log itself can be read in one direction only: each batch says how long it is, so finding
//! offset 900,000 means to walk over all batches before it. The offset index stores, about every
//! 4 KiB of log, where one batch begins. A lookup finds the last entry at or below the wanted
//! offset by binary search, and walks the log for at most about 4 KiB from there. The time index
//! does the same from timestamps to offsets.
//!
//! An entry per batch would make the index exact and about ten times larger. Sparse, it has 8 bytes
//! for 4,096 of log: the index of a segment of 1 GiB takes 2 MiB and stays in memory.
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
//! Offsets are relative to the segment, so four bytes are enough. An entry holds the *last* offset
//! of its batch: the entry is written when the batch is.
//!
//! # Counterpart in Kafka
//!
//! `OffsetIndex.java` and `TimeIndex.java`. Kafka preallocates the files of the active segment to
//! 10 MiB and maps them into memory; a full disk is then a SIGBUS. The engine appends to them.
//! Neither has checksums: after a crash they are built again from the log.

minikit::layout! {
    /// An entry of `.index`.
    pub struct OffsetEntry = 8 bytes, BigEndian {
        0..4  relative_offset: i32, "last offset of a batch, minus the segment's base offset";
        4..8  position:        i32, "the byte of the segment where that batch begins";
    }
}

minikit::layout! {
    /// An entry of `.timeindex`: all records up to this offset are at most this old.
    pub struct TimeEntry = 12 bytes, BigEndian {
        0..8   timestamp:       i64, "largest timestamp of the segment so far, ms since 1970";
        8..12  relative_offset: i32, "last offset of the batch with it, minus the base offset";
    }
}
