//! The visibility map and the free-space map: what is known of pages without reading them.
//!
//! Both are in memory, with bits for each page. A checkpoint writes them to the file `maps`, and
//! the next start reads it:
//!
//! ```text
//! relation 16385, pages 0 to 5    1 1 3 0 2 1    1: every snapshot sees every row
//!                                                2: there is room; a B+tree can use the page again
//! ```
//!
//! # Nothing of it is logged. Why is a bit right after a crash?
//!
//! The page itself says that all its rows are seen, and that is logged with the change of the page.
//! Its bit in the map follows by three rules:
//!
//! 1. The bit is cleared before the change of the page is logged, and set after it.
//! 2. A checkpoint reads the maps after it has fixed where recovery begins, and makes the log
//!    durable up to its end before it writes the file.
//! 3. Recovery sets the bits of every page that it changes, as the page then says ([`of_page`]).
//!
//! So take a page whose bit is set in the file. The log was made durable after the record that made
//! the page all-visible. If a later record made it something else, the bit was read before that
//! record, which therefore comes after the place where recovery begins, and rule 3 clears the bit.
//!
//! A third bit, 4, says that the page has been written. If there are zeros in its place then, or
//! the file is too short, the page was lost. PostgreSQL takes zeros for an empty page, always.
//!
//! A wrong bit for room costs a look at the page, so no rule is needed for it. And without the file
//! nothing is known, until the next VACUUM.
//!
//! ```
//! use minibtree_format::RelationId;
//!
//! let file = minibtree_maps::encode([(RelationId(16385), vec![1, 1, 3, 0, 2, 1])]);
//! let maps: Vec<_> = minibtree_maps::decode(&file).collect();
//! assert_eq!(maps, [(RelationId(16385), &[1, 1, 3, 0, 2, 1][..])]);
//!
//! // A damaged file counts as none.
//! assert_eq!(minibtree_maps::decode(&file[..file.len() - 1]).count(), 0);
//! ```
//!
//! PostgreSQL has a file of each kind for every table, and logs each bit that it sets
//! (`visibilitymap.c`). Its free-space map (`freespace.c`) is a tree by the amount of room; it is
//! not logged either.

use minibtree_format::btree::{DELETED, NodeSpecial};
pub use minibtree_format::page::ALL_VISIBLE;
use minibtree_format::{PAGE_SIZE, PageBytes, PageHeader, PageKind, RelationId};

/// Bit of a page: it has room for rows, or a B+tree can use it again.
pub const HAS_ROOM: u8 = 2;
/// Bit of a page: it has been written. If its place in the file is empty, the page was lost.
pub const IS_WRITTEN: u8 = 4;
/// A page of a heap with more free bytes than this is offered to insertions.
const ROOM: u16 = PAGE_SIZE as u16 / 8;

minikit::layout! {
    /// The start of the file.
    pub struct MapsHeader = 4 bytes, LittleEndian {
        0..4 crc: u32 => minikit::layout::hex, "CRC-32 of the rest";
    }
}

minikit::layout! {
    /// What is known of the first pages of a relation. Nothing is known of the others.
    pub struct RelationMap = 8 bytes, LittleEndian {
        0..4 relation: u32, "the relation";
        4..8 pages:    u32, "pages that follow, a byte each";
        tail 8..8 + pages bits, "bit 0 all visible, bit 1 room, bit 2 written";
    }
}

/// The bits of a page, from the page.
pub fn of_page(page: &PageBytes) -> u8 {
    const HEAP: u8 = PageKind::Heap as u8;
    const OVERFLOW: u8 = PageKind::Overflow as u8;
    const BTREE: u8 = PageKind::Btree as u8;

    let has_room = match PageHeader::kind.get(page) {
        HEAP | OVERFLOW => {
            let (lower, upper) = (PageHeader::lower.get(page), PageHeader::upper.get(page));
            upper.saturating_sub(lower) > ROOM
        }
        BTREE => NodeSpecial::flags.get(&page[PAGE_SIZE - NodeSpecial::SIZE..]) & DELETED != 0,
        _ => false,
    };
    PageHeader::flags.get(page) & ALL_VISIBLE | if has_room { HAS_ROOM } else { 0 }
}

/// The file, for the bits of some relations.
pub fn encode(maps: impl IntoIterator<Item = (RelationId, Vec<u8>)>) -> Vec<u8> {
    let mut file = vec![0; MapsHeader::SIZE];
    for (relation, bits) in maps {
        let header = RelationMap { relation: relation.0, pages: bits.len() as u32 };
        file.extend_from_slice(&header.encode());
        file.extend_from_slice(&bits);
    }
    let crc = crc32fast::hash(&file[MapsHeader::SIZE..]);
    MapsHeader::crc.put(&mut file, crc);
    file
}

/// The bits in a file, by relation; none if it is damaged.
pub fn decode(file: &[u8]) -> impl Iterator<Item = (RelationId, &[u8])> {
    let (header, rest) = file.split_at_checked(MapsHeader::SIZE).unwrap_or_default();
    let is_intact = MapsHeader::read(header).is_ok_and(|it| it.crc == crc32fast::hash(rest));
    let mut rest = if is_intact { rest } else { &[] };
    std::iter::from_fn(move || {
        let map = RelationMap::read(rest).ok()?;
        let bits = RelationMap::tail(rest).ok()?;
        rest = &rest[RelationMap::SIZE + bits.len()..];
        Some((RelationId(map.relation), bits))
    })
}
