//! The page: 8 KiB, with item pointers growing from the front and tuples from the back.
//!
//! ```text
//! 0        20                lower            upper              special      8192
//! | header | item pointers ->|   free space   |<- tuples         | special    |
//! ```
//!
//! An item pointer keeps its place when its tuple moves, so a TID (page, slot) is stable and the
//! free space can be kept in one piece. Heap pages have 4-byte item pointers, declared here; index
//! pages have longer ones (`btree.rs`).
//!
//! ```
//! use minibtree_format::{ItemPointer, PageHeader};
//!
//! let header = PageHeader {
//!     lsn: 0x1020, checksum: 0, lower: 24, upper: 8150, special: 8192, kind: 2, flags: 0,
//! };
//! let pointer = ItemPointer { offset: 8150, length_and_state: 1 << 14 | 42 };
//! let bytes = [header.encode().as_slice(), &pointer.encode()].concat();
//! assert_eq!(
//!     PageHeader::explain(&bytes[..20]).to_string(),
//!     "0000  20 10 00 00 00 00 00 00  lsn       0/00001020  last log record that changed it\n\
//!      0008  00 00 00 00              checksum  0x0         CRC-32 of the rest and its place\n\
//!      000c  18 00                    lower     24          end of the item pointers\n\
//!      000e  d6 1f                    upper     8150        start of the tuples\n\
//!      0010  00 20                    special   8192        start of the special space\n\
//!      0012  02                       kind      heap        what the page belongs to\n\
//!      0013  00                       flags     0           bits: all visible, unused slots\n",
//! );
//! ```
//!
//! PostgreSQL's `PageHeaderData` and `ItemIdData` (`bufpage.h`, `itemid.h`) are the same idea with
//! a 16-bit checksum.

use crate::{Lsn, RelationId};
use minikit::layout;

/// Bytes of a page.
pub const PAGE_SIZE: usize = 8192;

/// A page in memory.
pub type PageBytes = [u8; PAGE_SIZE];

minikit::layout! {
    /// The start of every page.
    pub struct PageHeader = 20 bytes, LittleEndian {
        0..8   lsn:      u64 => show_lsn,    "last log record that changed it";
        8..12  checksum: u32 => layout::hex, "CRC-32 of the rest and its place";
        12..14 lower:    u16,                "end of the item pointers";
        14..16 upper:    u16,                "start of the tuples";
        16..18 special:  u16,                "start of the special space";
        18..19 kind:     u8 => show_kind,    "what the page belongs to";
        19..20 flags:    u8,                 "bits: all visible, unused slots";
    }
}

minikit::layout! {
    /// What follows the header of page 0 of the system relation.
    pub struct Counters = 12 bytes, LittleEndian {
        0..8  xid_limit:     u64, "transaction ids below it may have been used";
        8..12 next_relation: u32, "the next number for a relation";
    }
}

minikit::layout! {
    /// Where one tuple of a heap page is.
    pub struct ItemPointer = 4 bytes, LittleEndian {
        0..2 offset:           u16, "start of the tuple; of a redirect, the slot it leads to";
        2..4 length_and_state: u16 => show_state, "bits 0-13 length, bits 14-15 state";
    }
}

/// What a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PageKind {
    /// Never written.
    New = 0,
    /// Commit log and counters.
    System = 1,
    /// Rows.
    Heap = 2,
    /// A node of a B+tree.
    Btree = 3,
    /// A bucket of a hash index, or its first page.
    Hash = 4,
    /// Pieces of long values.
    Overflow = 5,
}

/// Flag of [`PageHeader::flags`]: every row of the page is seen by every snapshot.
pub const ALL_VISIBLE: u8 = 1;
/// Flag of [`PageHeader::flags`]: a slot before the end of the item pointers may be unused.
pub const HAS_UNUSED: u8 = 2;

/// What a slot of a heap page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Nothing; it can be used.
    Unused,
    /// A tuple of `length` bytes at `offset`.
    Normal {
        /// Its first byte.
        offset: usize,
        /// Its bytes.
        length: usize,
    },
    /// The tuple moved up its chain: look in this slot.
    Redirect {
        /// The slot.
        slot: u16,
    },
    /// No tuple, but index entries may still point here.
    Dead,
}

impl ItemPointer {
    /// The item pointer of an item.
    pub fn of(item: Item) -> ItemPointer {
        let (offset, length, state) = match item {
            Item::Unused => (0, 0, 0),
            Item::Normal { offset, length } => (offset as u16, length as u16, 1),
            Item::Redirect { slot } => (slot, 0, 2),
            Item::Dead => (0, 0, 3),
        };
        ItemPointer { offset, length_and_state: state << 14 | length }
    }

    /// The item it describes.
    pub fn item(self) -> Item {
        let length = usize::from(self.length_and_state & 0x3fff);
        match self.length_and_state >> 14 {
            0 => Item::Unused,
            1 => Item::Normal { offset: self.offset.into(), length },
            2 => Item::Redirect { slot: self.offset },
            _ => Item::Dead,
        }
    }
}

/// The CRC-32 of a page without its checksum field, and of its place: in another place, it is
/// damaged. PostgreSQL's `pg_checksum_page` adds the block, but not the relation.
pub fn checksum(page: &PageBytes, relation: RelationId, block: u32) -> u32 {
    let field = PageHeader::checksum.range();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&page[..field.start]);
    hasher.update(&page[field.end..]);
    hasher.update(&relation.0.to_le_bytes());
    hasher.update(&block.to_le_bytes());
    hasher.finalize()
}

/// Returns true if the checksum is correct, or the page was never written.
pub fn is_intact(page: &PageBytes, relation: RelationId, block: u32) -> bool {
    let stored = PageHeader::checksum.get(page);
    stored == checksum(page, relation, block) || *page == [0; PAGE_SIZE]
}

/// A page of zeros, allocated on the heap: the threads of connections have small stacks.
pub fn zeros() -> Box<PageBytes> {
    vec![0; PAGE_SIZE].into_boxed_slice().try_into().expect("as long as a page")
}

/// A copy of a page, on the heap.
pub fn copy(page: &PageBytes) -> Box<PageBytes> {
    let mut copy = zeros();
    copy.copy_from_slice(page);
    copy
}

/// Makes `page` an empty page with `special` bytes of special space.
pub fn initialize(page: &mut PageBytes, kind: PageKind, special: usize) {
    let special = (PAGE_SIZE - special) as u16;
    page.fill(0);
    PageHeader::lower.put(page, PageHeader::SIZE as u16);
    PageHeader::upper.put(page, special);
    PageHeader::special.put(page, special);
    PageHeader::kind.put(page, kind as u8);
}

/// The items of a heap page in the order of their slots, with slot numbers from 1 on.
pub fn items(page: &PageBytes) -> impl Iterator<Item = (u16, Item)> + '_ {
    let end = usize::from(PageHeader::lower.get(page)).min(PAGE_SIZE);
    let pointers = page[PageHeader::SIZE..end.max(PageHeader::SIZE)].chunks_exact(4);
    pointers.zip(1..).map(|(bytes, slot)| {
        let bytes = bytes.try_into().expect("chunks of 4");
        (slot, ItemPointer::decode(bytes).item())
    })
}

/// Moves the tuples of a heap page together at its end, so that the free space is one piece.
/// The result depends only on the page, so the log records just the operation.
pub fn compact(page: &mut PageBytes) {
    let old = copy(page);
    let mut upper = usize::from(PageHeader::special.get(&old[..]));
    for (slot, item) in items(&old) {
        let Item::Normal { offset, length } = item else { continue };
        upper -= length;
        page[upper..upper + length].copy_from_slice(&old[offset..offset + length]);
        let pointer = ItemPointer::of(Item::Normal { offset: upper, length });
        let at = slot_offset(slot);
        page[at..at + ItemPointer::SIZE].copy_from_slice(&pointer.encode());
    }
    PageHeader::upper.put(page, upper as u16);
}

/// Where the item pointer of a slot of a heap page is.
pub fn slot_offset(slot: u16) -> usize {
    PageHeader::SIZE + (usize::from(slot) - 1) * ItemPointer::SIZE
}

fn show_lsn(lsn: u64) -> String {
    Lsn(lsn).to_string()
}

fn show_kind(kind: u8) -> String {
    match kind {
        0 => "new".into(),
        1 => "system".into(),
        2 => "heap".into(),
        3 => "btree".into(),
        4 => "hash".into(),
        5 => "overflow".into(),
        other => format!("unknown {other}"),
    }
}

fn show_state(bits: u16) -> String {
    match (ItemPointer { offset: 0, length_and_state: bits }).item() {
        Item::Unused => "unused".into(),
        Item::Normal { length, .. } => format!("normal, {length} bytes"),
        Item::Redirect { .. } => "redirect".into(),
        Item::Dead => "dead".into(),
    }
}
