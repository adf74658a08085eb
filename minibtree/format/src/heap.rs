//! A version of a row on a heap page: a header of 27 bytes, then the row.
//!
//! `UPDATE` writes a new version and keeps the old one. `xmin` and `xmax` decide which snapshots
//! see each. Transaction 7 inserted a row, transaction 9 updated it:
//!
//! ```text
//! slot 1: xmin 7, xmax 9, next (0,2), updated       seen by snapshots from before the commit of 9
//! slot 2: xmin 9, xmax 0, heap-only                 seen by snapshots from after it
//! ```
//!
//! PostgreSQL's `HeapTupleHeaderData` (`htup_details.h`) has the same fields and hint bits. Ours
//! has none: our commit log is a bitmap that is cheap to read, so reading never dirties a page.
//!
//! A value that would make its row longer than a page is cut into pieces. The pieces are rows of a
//! second heap, whose pages are the overflow pages. Each piece has the TID of the next:
//!
//! ```
//! use minibtree_format::heap::Piece;
//!
//! let bytes = [&[0, 0, 0, 4, 0, 1][..], b"the data"].concat();
//! assert_eq!(
//!     Piece::explain(&bytes).to_string(),
//!     "0000  00 00 00 04 00 01        next  (4,1)       the next piece, or (0,0)\n\
//!      0006  74 68 65 20 64 61 74 61  data  \"the data\"  bytes of the value\n",
//! );
//! ```

use crate::{Tid, Xid};

minikit::layout! {
    /// The header of a version.
    pub struct TupleHeader = 27 bytes, LittleEndian {
        0..8   xmin:    u64, "the transaction that inserted it";
        8..16  xmax:    u64, "the transaction that deleted or updated it, or 0";
        16..20 command: u32, "the statement of xmin, or of xmax if that is set";
        20..26 next:    [u8; 6] => show_tid, "the newer version, if flag bit 1 is set";
        26..27 flags:   u8 => show_flags, "bit 0 heap-only, bit 1 updated, bit 2 key updated";
        tail 27.. row,  "what the caller inserted";
    }
}

minikit::layout! {
    /// A piece of a long value.
    pub struct Piece = 6 bytes, LittleEndian {
        0..6  next: [u8; 6] => show_tid, "the next piece, or (0,0)";
        tail 6.. data, "bytes of the value";
    }
}

/// No index entry points to this version: the chain of an older version on its page leads to it.
pub const HEAP_ONLY: u8 = 1;
/// `xmax` wrote a newer version, at `next`. Without it, `xmax` deleted the row.
pub const UPDATED: u8 = 2;
/// `xmax` deleted the row or changed one of its keys, which conflicts with `FOR KEY SHARE`.
pub const KEY_UPDATED: u8 = 4;

impl TupleHeader {
    /// The header of a new version.
    pub fn inserted(xid: Xid, command: u32, flags: u8) -> TupleHeader {
        TupleHeader { xmin: xid.0, xmax: 0, command, next: [0; 6], flags }
    }

    /// The newer version, if there is one.
    pub fn newer(&self) -> Option<Tid> {
        (self.flags & UPDATED != 0).then(|| Tid::from_bytes(self.next))
    }
}

fn show_tid(bytes: [u8; 6]) -> String {
    Tid::from_bytes(bytes).to_string()
}

fn show_flags(flags: u8) -> String {
    let names = [(HEAP_ONLY, "heap-only"), (UPDATED, "updated"), (KEY_UPDATED, "key updated")];
    let set = names.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name);
    set.collect::<Vec<_>>().join(", ")
}
