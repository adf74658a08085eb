//! A node of a B+tree: item pointers with the head of the key, cells, and the right link.
//!
//! The first 8 bytes of a key, its head, are in the item pointer and not in the cell. A binary
//! search compares heads, which are side by side in a few cache lines, and reads a cell only if
//! they are equal:
//!
//! ```text
//! key  01 80 00 00 2a | 00 00 00 07 00 02      column 42, then TID (7,2): 11 bytes
//! head 01 80 00 00 2a   00 00 00               the first 8, big-endian, zeros after a short key
//! cell                           07 00 02      the other 3
//! ```
//!
//! Such an entry takes 15 bytes; PostgreSQL's takes 20 (`IndexTupleData` and `ItemIdData`), and its
//! search reads the tuple for every comparison.
//!
//! Cells by level and flag:
//!
//! | level | cell |
//! |---|---|
//! | inner | child (4 bytes), rest of the key |
//! | leaf | rest of the key |
//! | leaf, `PAYLOAD` set | payload length (2 bytes), payload, rest of the key |
//!
//! A node that is not the rightmost of its level has a *high key* in slot 0: every key of the node
//! is less, and keys equal to it or greater are in the nodes to the right. PostgreSQL's
//! `BTPageOpaqueData` (`nbtree.h`) also has a left link; our backward scans go through the parent.

minikit::layout! {
    /// Where one entry of a node is, and how its key begins.
    pub struct NodePointer = 12 bytes, LittleEndian {
        0..2  offset: u16, "start of the cell";
        2..4  length: u16, "bits 0-13 bytes of the key, bit 15: the cell has a payload";
        4..12 head:   [u8; 8], "the first 8 bytes of the key";
    }
}

minikit::layout! {
    /// The special space of a node.
    pub struct NodeSpecial = 16 bytes, LittleEndian {
        0..4  right:      u32, "the right sibling, or 0";
        4..6  level:      u16, "0 for leaves";
        6..8  flags:      u16, "bit 0: deleted";
        8..16 deleted_at: u64, "the next transaction id when it was deleted";
    }
}

/// Bit of [`NodePointer::length`]: the cell has a payload.
pub const PAYLOAD: u16 = 1 << 15;
/// Bits of [`NodePointer::length`] that are the length of the key.
pub const KEY_LENGTH: u16 = (1 << 14) - 1;
/// Bit of [`NodeSpecial::flags`]: the node was merged into its left sibling.
pub const DELETED: u16 = 1;
/// Bytes of the key in the item pointer.
pub const HEAD: usize = 8;
/// The distance of the entries that a search compares first: the pool fetches them in advance.
pub const FIRST_STEP: usize = 40;
