//! A page of a bucket: a leaf whose keys begin with their hash, and the next step of a search.
//!
//! ```text
//! special space   bucket 1, depth 2       all hashes end in ..01
//! a search for hash ..11 comes here       bit 1 differs: bucket 1 + 2
//! ```
//!
//! PostgreSQL's `HashPageOpaqueData`, whose `hasho_prevblkno` has the same purpose as `depth`.

use crate::engine::btree::node::{self, Entry};
use crate::engine::pool::PageMut;
pub use crate::format::hash::HashSpecial as Special;
use crate::format::hash::hash;
use crate::format::{PAGE_SIZE, PageBytes, PageHeader, PageKind};

/// Where the special space begins.
const SPECIAL: usize = PAGE_SIZE - Special::SIZE;

/// The special space.
pub fn special(page: &PageBytes) -> Special {
    Special::read(&page[SPECIAL..]).expect("the special space has this size")
}

/// Sets the next page of the bucket.
pub fn set_next(page: &mut PageMut, next: u32) {
    page.put(SPECIAL + Special::next.start(), &next.to_le_bytes());
}

/// Builds a page of entries, which must fit.
pub fn build(special: Special, mut entries: Vec<Entry>) -> Box<PageBytes> {
    entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    let mut page = node::build(0, None, &entries);
    PageHeader::kind.put(&mut page[..], PageKind::Hash as u8);
    page[SPECIAL..].copy_from_slice(&special.encode());
    page
}

/// The bytes that entries fill.
pub fn used(page: &PageBytes) -> usize {
    let (lower, upper) = (PageHeader::lower.get(page), PageHeader::upper.get(page));
    node::CAPACITY - usize::from(upper.saturating_sub(lower))
}

/// The key of an entry, without its TID.
pub fn hashed(key: &[u8]) -> Vec<u8> {
    [&hash(key).to_be_bytes(), key].concat()
}

/// The hash with which the key of an entry begins.
pub fn hash_of(hashed: &[u8]) -> u32 {
    let hash = hashed.first_chunk().expect("a key of a bucket begins with its hash");
    u32::from_be_bytes(*hash)
}

/// The next bucket to search if `bucket` has been split since the search computed its number. The
/// lowest bit in which the hash differs names a bucket that exists; higher bits may not.
pub fn next_bucket(page: &PageBytes, bucket: u32, hash: u32) -> Option<u32> {
    let mask = (1u64 << special(page).depth) - 1;
    let differs = (hash ^ bucket) & mask as u32;
    (differs != 0).then(|| bucket | 1 << differs.trailing_zeros())
}
