//! The numbers by which everything on disk is named.
//!
//! ```
//! use minibtree_format::Tid;
//!
//! let tid = Tid { block: 7, slot: 2 };
//! assert_eq!(tid.to_string(), "(7,2)");
//! assert_eq!(tid.to_bytes(), [0, 0, 0, 7, 0, 2]); // big-endian: bytes sort as TIDs do
//! assert_eq!(Tid::from_bytes(tid.to_bytes()), tid);
//! ```
//!
//! PostgreSQL has the same four: `RelFileNumber`, `ItemPointerData`, `TransactionId`,
//! `XLogRecPtr`. Its transaction ids have 32 bits and wrap, which costs it freezing and emergency
//! vacuums; ours have 64.

use std::fmt;

/// Names a relation (a heap or an index) and its file. Not reused after a drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelationId(pub u32);

impl RelationId {
    /// The commit log and the counters. The caller's numbers begin with 1.
    pub const SYSTEM: RelationId = RelationId(0);
    /// The first number that the engine hands out. Smaller ones are for the caller's catalog.
    pub const FIRST_ALLOCATED: RelationId = RelationId(16_384);
    /// The bit that turns the number of a heap into the number of its overflow relation.
    const OVERFLOW: u32 = 1 << 31;

    /// The relation with the overflow pages of this heap.
    pub fn overflow(self) -> RelationId {
        RelationId(self.0 | RelationId::OVERFLOW)
    }

    /// The heap that has these overflow pages; another relation itself.
    pub fn owner(self) -> RelationId {
        RelationId(self.0 & !RelationId::OVERFLOW)
    }
}

impl fmt::Display for RelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a version of a row is: page number and slot. PostgreSQL's `ctid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tid {
    /// The page within the heap, from 0 on.
    pub block: u32,
    /// The slot within the page, from 1 on.
    pub slot: u16,
}

impl Tid {
    /// The bytes, in an order that sorts as TIDs do.
    pub fn to_bytes(self) -> [u8; 6] {
        let [a, b, c, d] = self.block.to_be_bytes();
        let [e, f] = self.slot.to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// The TID of these bytes.
    pub fn from_bytes([a, b, c, d, e, f]: [u8; 6]) -> Tid {
        Tid { block: u32::from_be_bytes([a, b, c, d]), slot: u16::from_be_bytes([e, f]) }
    }
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.block, self.slot)
    }
}

/// A transaction id, in the order in which transactions first wrote. 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xid(pub u64);

impl Xid {
    /// No transaction.
    pub const NONE: Xid = Xid(0);
}

/// A position in the write-ahead log: bytes since the database was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    /// As PostgreSQL prints it: two hexadecimal halves.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:08X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}
