//! A hash index: page 0, which says where the buckets are, and the pages of a bucket.
//!
//! A page of a bucket is laid out like a leaf of a B+tree ([`btree`](crate::btree)), with keys that
//! begin with their hash. So a search compares hashes that are side by side, and the code for one
//! page is the same:
//!
//! ```text
//! key  c2 01 3a 7f | 01 80 00 00 2a | 00 00 00 07 00 02     hash, column 42, TID (7,2)
//! head c2 01 3a 7f   01 80 00 00                            in the item pointer
//! ```
//!
//! Such an entry takes 19 bytes. PostgreSQL's takes 20 and holds the hash but not the key
//! (`HashMetaPageData` and `HashPageOpaqueData` in `hash.h`), so it reads the row to compare keys,
//! and its hash indexes can neither be unique nor answer a query alone.

minikit::layout! {
    /// What follows the header of page 0.
    pub struct HashMeta = 140 bytes, LittleEndian {
        0..4   buckets: u32, "buckets in use";
        4..8   free:    u32, "the first free overflow page, or 0";
        8..140 starts:  [u8; 132], "33 page numbers: where each group of buckets begins, or 0";
    }
}

minikit::layout! {
    /// The special space of a page of a bucket.
    pub struct HashSpecial = 16 bytes, LittleEndian {
        0..6   leaf:   [u8; 6], "zeros: a leaf without a right sibling";
        6..8   depth:  u16, "low bits of a hash that all entries share with the bucket's number";
        8..12  bucket: u32, "the bucket";
        12..16 next:   u32, "its next page, an overflow page, or 0";
    }
}

impl HashSpecial {
    /// The special space of a bucket without overflow pages.
    pub fn new(bucket: u32, depth: u32) -> HashSpecial {
        HashSpecial { leaf: [0; 6], depth: depth as u16, bucket, next: 0 }
    }
}

/// The hash of a key: CRC-32, mixed so that low bits, which choose the bucket, depend on all.
/// The same on every machine, because it is on disk.
pub fn hash(key: &[u8]) -> u32 {
    let mut hash = crc32fast::hash(key);
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}
