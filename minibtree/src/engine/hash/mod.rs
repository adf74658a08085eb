//! Hash indexes: linear hashing, one page read per lookup in the usual case.
//!
//! | file | what it is |
//! |---|---|
//! | `mod.rs` | finding a bucket, adding an entry |
//! | `directory.rs` | where the buckets are |
//! | `bucket.rs` | one page of a bucket |
//! | `split.rs` | one more bucket |
//! | `build.rs` | building from sorted entries |
//! | `vacuum.rs` | removing entries |
//!
//! # One more bucket at a time
//!
//! The low bits of a hash name a bucket. A table that doubles when it is full would move half of
//! all entries at once. Linear hashing (Litwin, 1980) splits one bucket at a time, always the next
//! in order and not the full one; addresses have one bit more for the buckets that are split:
//!
//! ```text
//! 3 buckets   0 (..00)  1 (..1)  2 (..10)           0 was split, 1 is the next
//! hash ..11   two bits say 3, which does not exist: one bit, bucket 1
//! split 1     0 (..00)  1 (..01)  2 (..10)  3 (..11)
//! ```
//!
//! # A search with an outdated number of buckets
//!
//! A search computes the bucket from a number of buckets that it remembers ([`Directory`]), latches
//! that page, and reads in it how many bits its entries share (`depth`). If the hash differs from
//! the bucket in one of them, the bucket was split, and the search goes to the bucket with that
//! bit. So an outdated number costs one more page but never misses a key, and a search need not
//! latch the directory. Right links do the same in a B+tree:
//!
//! ```text
//! remembered: 1 bucket, hash ..11     page of bucket 0 says: 2 bits
//! lowest bit that differs: bit 0      page of bucket 1 says: 1 bit, and that one agrees
//! ```
//!
//! # Invariants
//!
//! 1. Entries of a bucket agree with its number in `depth` bits. They are in the bucket's own page
//!    or in its overflow pages.
//! 2. The latch of the bucket's own page protects all of its pages.
//! 3. Latches are taken in the order: smaller bucket, larger bucket, overflow pages, page 0, free
//!    pages. So no two threads wait for each other.
//! 4. One log record makes a split visible. After a crash, all of it has happened or nothing.
//!
//! # When a bucket is split
//!
//! An insertion that fills another sixteenth of a bucket beyond three quarters, or adds an overflow
//! page, splits the next bucket in order. There is no count of entries, because every insertion
//! would have to update it. Buckets fill evenly, so all reach three quarters at about the
//! same time, and their number doubles while the index grows by a tenth. A lookup reads 1.00 pages
//! in the golden script `hash_index_grows`.
//!
//! PostgreSQL: `hash/README`, `_hash_getbucketbuf_from_hashkey`, `_hash_expandtable`. It counts
//! entries in its meta page, marks a bucket while it is split, and finishes a split after a crash.

mod bucket;
mod build;
mod directory;
mod split;
mod vacuum;

pub use build::build;
pub use directory::{Directory, create};
pub use vacuum::remove;

use super::access::{Conflict, Found, IndexFile};
use super::btree::conflict_on;
use super::btree::node::{self, Entry, SearchKey};
use super::heap::Heap;
use super::pool::PageMut;
use super::{Result, Transaction};
use crate::format::{PageBytes, Tid};
use bucket::Special;
use std::ops::Deref;

/// Sixteenths of a bucket's own page that may be full before other buckets are split.
const FILL: usize = 12;

/// Copies all entries with this key into `bytes`, because the bucket may be split before the caller
/// has read them.
pub fn find(
    index: &IndexFile,
    directory: &Directory,
    key: &[u8],
    bytes: &mut Vec<u8>,
) -> Result<Vec<Found>> {
    let hashed = bucket::hashed(key);
    let own = latch_bucket(index, directory, &hashed, IndexFile::read)?;
    let mut found = Vec::new();
    bytes.clear();
    for_each_page(index, &own, |page| {
        for at in node::lower_bound(page, SearchKey::new(&hashed))..node::count(page) {
            let full = node::key(page, at);
            let Some(tid) = full.strip_prefix(&hashed[..]).and_then(|it| it.try_into().ok()) else {
                break;
            };
            let start = bytes.len();
            bytes.extend_from_slice(key);
            let middle = bytes.len();
            bytes.extend_from_slice(node::payload(page, at));
            let (key, payload) = (start..middle, middle..bytes.len());
            found.push(Found { key, tid: Tid::from_bytes(tid), payload });
        }
        Ok(true)
    })?;
    Ok(found)
}

/// Adds an entry.
pub fn insert(
    index: &IndexFile,
    directory: &Directory,
    key: &[u8],
    tid: Tid,
    payload: &[u8],
) -> Result<()> {
    let hashed = bucket::hashed(key);
    let own = latch_bucket(index, directory, &hashed, IndexFile::write)?;
    add(index, directory, own, Entry::leaf(&hashed, tid, payload))
}

/// Checks the rows of all entries with this key. If no row conflicts, adds `entry` unless it is
/// `None`. The latch blocks other insertions of the key between the check and the insertion.
pub fn conflict(
    index: &IndexFile,
    directory: &Directory,
    transaction: &Transaction,
    heap: &Heap,
    key: &[u8],
    entry: Option<(Tid, &[u8])>,
) -> Result<Conflict> {
    let hashed = bucket::hashed(key);
    let own = latch_bucket(index, directory, &hashed, IndexFile::write)?;
    let mut conflict = Conflict::None;
    for_each_page(index, &own, |page| {
        conflict = conflict_on(page, transaction, heap, &hashed)?;
        Ok(conflict == Conflict::None)
    })?;
    if let (Conflict::None, Some((tid, payload))) = (conflict, entry) {
        add(index, directory, own, Entry::leaf(&hashed, tid, payload))?;
    }
    Ok(conflict)
}

/// Adds an entry to a bucket, and perhaps splits another one.
fn add(index: &IndexFile, directory: &Directory, mut own: PageMut, entry: Entry) -> Result<()> {
    let special = bucket::special(&own);
    let is_split_due;
    if node::fits(&own, &entry) {
        let sixteenths = |page: &PageBytes| bucket::used(page) * 16 / node::CAPACITY;
        let before = sixteenths(&own).max(FILL);
        let at = node::position(&own, &entry);
        node::insert(&mut own, at, &entry);
        is_split_due = sixteenths(&own) > before && special.next == 0;
        index.system.pool.log(&mut [own]);
    } else {
        // Move the content of the bucket's own page to an overflow page. So the own page has room
        // for the next insertions, and overflow pages are full.
        let (mut overflow, meta) = directory::allocate(index)?;
        overflow.replace(&bucket::build(special, node::entries(&own).collect()));
        let next = overflow.block();
        own.replace(&bucket::build(Special { next, ..special }, vec![entry]));
        let mut changed: Vec<PageMut> = [own, overflow].into_iter().chain(meta).collect();
        index.system.pool.log(&mut changed);
        is_split_due = true;
    }
    if is_split_due { split::split(index, directory) } else { Ok(()) }
}

/// Calls `look` with the pages of a bucket until `look` returns false. The caller has latched the
/// first page.
fn for_each_page(
    index: &IndexFile,
    own: &PageBytes,
    mut look: impl FnMut(&PageBytes) -> Result<bool>,
) -> Result<()> {
    let mut next = bucket::special(own).next;
    let mut goes_on = look(own)?;
    while goes_on && next != 0 {
        let page = index.read(next)?;
        goes_on = look(&page)?;
        next = bucket::special(&page).next;
    }
    Ok(())
}

/// Latches the bucket that the directory names, or the one that has the hash after a split.
fn latch_bucket<'a, Page: Deref<Target = PageBytes>>(
    index: &'a IndexFile,
    directory: &Directory,
    hashed: &[u8],
    latch: fn(&'a IndexFile, u32) -> Result<Page>,
) -> Result<Page> {
    let hash = bucket::hash_of(hashed);
    let mut bucket = directory::bucket_of(hash, directory.buckets());
    loop {
        let page = latch(index, directory.block(index, bucket)?)?;
        match bucket::next_bucket(&page, bucket, hash) {
            None => return Ok(page),
            Some(next) => bucket = next,
        }
    }
}

/// A bucket of a hash index, for `mb_pages` and golden scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketSummary {
    /// The number of its own page.
    pub block: u32,
    /// The number of low bits in which all hashes agree with the bucket's number.
    pub depth: u16,
    /// The number of entries in its own page and in each overflow page.
    pub entries: Vec<usize>,
    /// The bytes that entries fill in all of its pages.
    pub used_bytes: usize,
}

/// Reads a bucket. Returns `None` if no bucket has this number.
pub fn summary(
    index: &IndexFile,
    directory: &Directory,
    number: u32,
) -> Result<Option<BucketSummary>> {
    if number >= directory.buckets() {
        return Ok(None);
    }
    let block = directory.block(index, number)?;
    let own = index.read(block)?;
    let depth = bucket::special(&own).depth;
    let mut summary = BucketSummary { block, depth, entries: Vec::new(), used_bytes: 0 };
    for_each_page(index, &own, |page| {
        summary.entries.push(node::count(page));
        summary.used_bytes += bucket::used(page);
        Ok(true)
    })?;
    Ok(Some(summary))
}
