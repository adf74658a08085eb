//! The write-ahead log: one kind of record, a list of changed pages.
//!
//! A record holds, for each page, either the operations that changed it or its full image. One
//! function applies it (`minibtree/record`), for heaps, indexes and the commit log alike.
//!
//! ```text
//! RecordHeader | PageChange operation operation .. | PageChange operation .. | ..
//! ```
//!
//! An operation is a kind, two numbers and perhaps bytes:
//!
//! | kind | numbers | effect |
//! |---|---|---|
//! | 0 put | at, length | the bytes that follow are written at `at` |
//! | 1 shift | from, to (length follows) | bytes move within the page |
//! | 2 compact | 0, 0 | tuples of a heap page move together at its end |
//!
//! The header contains the record's own position: segments are reused, and old records in them have
//! other positions. PostgreSQL's `XLogRecord` points to the previous record
//! (`xl_prev`) for the same purpose, and names one of twenty resource managers with a redo function
//! each; ours is its `generic_xlog.c` alone.

use crate::Lsn;
use minikit::layout;

minikit::layout! {
    /// The start of a record.
    pub struct RecordHeader = 16 bytes, LittleEndian {
        0..4  length: u32, "bytes of the record, this header included";
        4..8  crc:    u32 => layout::hex, "CRC-32 of the rest of the record";
        8..16 lsn:    u64 => show_lsn, "position of the record in the log";
    }
}

minikit::layout! {
    /// One page that a record changes.
    pub struct PageChange = 12 bytes, LittleEndian {
        0..4   relation: u32, "the relation";
        4..8   block:    u32, "the page";
        8..10  length:   u16, "bytes that follow";
        10..12 hole:     u16, "of an image: where the free space begins, cut out; else 0";
        tail 12..12 + length change, "operations, or the image without its free space";
    }
}

minikit::layout! {
    /// One operation on a page.
    pub struct Operation = 5 bytes, LittleEndian {
        0..1 kind:   u8,  "0 put, 1 shift, 2 compact";
        1..3 first:  u16, "where to put, or from where to shift";
        3..5 second: u16, "how many bytes follow, or where to shift them";
    }
}

/// [`Operation::kind`]: writes bytes.
pub const PUT: u8 = 0;
/// [`Operation::kind`]: moves bytes; their number follows in two bytes.
pub const SHIFT: u8 = 1;
/// [`Operation::kind`]: moves the tuples of a heap page together.
pub const COMPACT: u8 = 2;

minikit::layout! {
    /// The file `control`: where recovery begins.
    pub struct Control = 24 bytes, LittleEndian {
        0..4   magic:   [u8; 4], "`mbt7`: the format of the whole directory";
        4..8   crc:     u32 => layout::hex, "CRC-32 of the rest";
        8..16  redo:    u64 => show_lsn, "the first record that recovery replays";
        16..24 segment: u64, "bytes of a log segment";
    }
}

/// [`Control::magic`] of this version; the catalog's rows are part of the format.
pub const MAGIC: [u8; 4] = *b"mbt7";

/// The CRC-32 of a record without its checksum field.
pub fn checksum(record: &[u8]) -> u32 {
    let field = RecordHeader::crc.range();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&record[..field.start]);
    hasher.update(&record[field.end..]);
    hasher.finalize()
}

/// Returns true if `record` is a whole record that was written at `lsn`.
pub fn is_intact(record: &[u8], lsn: Lsn) -> bool {
    RecordHeader::lsn.get(record) == lsn.0 && RecordHeader::crc.get(record) == checksum(record)
}

/// The changed pages of a record that is intact.
pub fn changes(record: &[u8]) -> impl Iterator<Item = (PageChange, &[u8])> {
    let mut rest = &record[RecordHeader::SIZE..];
    std::iter::from_fn(move || {
        let change = PageChange::read(rest).ok()?;
        let bytes = PageChange::tail(rest).ok()?;
        rest = &rest[PageChange::SIZE + bytes.len()..];
        Some((change, bytes))
    })
}

fn show_lsn(lsn: u64) -> String {
    Lsn(lsn).to_string()
}
