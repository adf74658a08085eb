//! Finding the page of a bucket.
//!
//! Buckets come in groups, each as large as all groups before it together, and the pages of a group
//! are side by side. So the page of a bucket is computed from one number per group. Overflow pages
//! are between the groups, wherever the file ended:
//!
//! ```text
//! bucket  0   1   2 3   4 5 6 7           group 0, 1, 2, 3
//! page    1   2   3 4   7 8 9 10          starts: 1, 2, 3, 7; pages 5 and 6 are overflow pages
//! ```
//!
//! Page 0 holds these numbers. A handle to the index caches them, because a lookup that also read
//! page 0 would read two pages. An outdated cache is harmless: groups never move, and the page of a
//! bucket tells a search if the bucket was split ([`hash`](super)).
//!
//! Pages of a group that are not in use yet take no space on disk. PostgreSQL allocates large
//! groups in four steps (`_hash_spareindex`).

use super::bucket::{self, Special};
use crate::engine::access::IndexFile;
use crate::engine::pool::{PageMut, Relation};
use crate::engine::txn::System;
use crate::engine::{Error, Result};
use crate::format::hash::HashMeta;
use crate::format::{PageBytes, PageHeader, PageKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The page that holds the numbers.
pub const META: u32 = 0;
/// Groups: 2^32 buckets.
const GROUPS: usize = 33;

/// A handle's cached copy of page 0.
pub struct Directory {
    buckets: AtomicU32,
    starts: [AtomicU32; GROUPS],
}

/// Initializes an empty relation as an index with one bucket.
pub fn create(system: &System, relation: &Arc<Relation>) -> Result<()> {
    let mut meta = system.pool.extend(relation)?;
    let mut own = system.pool.extend(relation)?;
    own.replace(&bucket::build(Special::new(0, 0), Vec::new()));

    let mut starts = [0; 132];
    starts[..4].copy_from_slice(&own.block().to_le_bytes());
    meta.initialize(PageKind::Hash, 0);
    let fields = HashMeta { buckets: 1, free: 0, starts };
    meta.put(PageHeader::SIZE, &fields.encode());
    let lower = (PageHeader::SIZE + HashMeta::SIZE) as u16;
    meta.put(PageHeader::lower.start(), &lower.to_le_bytes());
    system.pool.log(&mut [meta, own]);
    Ok(())
}

impl Directory {
    /// Reads page 0.
    pub fn open(index: &IndexFile) -> Result<Directory> {
        let directory =
            Directory { buckets: AtomicU32::new(1), starts: [const { AtomicU32::new(0) }; GROUPS] };
        directory.refresh(&*index.read(META)?);

        // The last group may extend past the end of the file. Reserve its pages.
        let last = group_of(directory.buckets() - 1);
        let start = directory.starts[last].load(Ordering::Relaxed);
        index.relation.ensure_blocks(start + first_of(last).max(1));
        Ok(directory)
    }

    /// The number of buckets in the cached copy, which may be outdated.
    pub fn buckets(&self) -> u32 {
        self.buckets.load(Ordering::Acquire)
    }

    /// The page of a bucket.
    pub fn block(&self, index: &IndexFile, bucket: u32) -> Result<u32> {
        let group = group_of(bucket);
        let start = &self.starts[group];
        if start.load(Ordering::Acquire) == 0 {
            self.refresh(&*index.read(META)?);
        }
        match start.load(Ordering::Acquire) {
            0 => Err(Error::Corrupt(format!("index {} has no bucket {bucket}", index.relation.id))),
            start => Ok(start + (bucket - first_of(group))),
        }
    }

    /// Updates the cached copy from page 0.
    pub fn refresh(&self, meta: &PageBytes) {
        let fields = meta_of(meta);
        for (start, bytes) in self.starts.iter().zip(fields.starts.chunks_exact(4)) {
            let bytes = bytes.try_into().expect("chunks of 4");
            start.store(u32::from_le_bytes(bytes), Ordering::Release);
        }
        self.buckets.fetch_max(fields.buckets, Ordering::AcqRel);
    }
}

/// The fields of page 0.
pub fn meta_of(meta: &PageBytes) -> HashMeta {
    HashMeta::read(&meta[PageHeader::SIZE..]).expect("a page is longer")
}

/// Adds a bucket to page 0. `start` is the first page of its group if the group is new.
pub fn add_bucket(meta: &mut PageMut, bucket: u32, start: Option<u32>) {
    let buckets = PageHeader::SIZE + HashMeta::buckets.start();
    meta.put(buckets, &(bucket + 1).to_le_bytes());
    if let Some(start) = start {
        let at = PageHeader::SIZE + HashMeta::starts.start() + 4 * group_of(bucket);
        meta.put(at, &start.to_le_bytes());
    }
}

/// Sets the first free overflow page in page 0.
pub fn set_free(meta: &mut PageMut, free: u32) {
    meta.put(PageHeader::SIZE + HashMeta::free.start(), &free.to_le_bytes());
}

/// Takes a free overflow page, or adds one at the end of the file. Also returns page 0 if it has
/// changed; the caller must log it in the same record.
pub fn allocate(index: &IndexFile) -> Result<(PageMut<'_>, Option<PageMut<'_>>)> {
    let mut meta = index.write(META)?;
    let free = meta_of(&meta).free;
    if free == 0 {
        drop(meta);
        return Ok((index.system.pool.extend(&index.relation)?, None));
    }
    let page = index.write(free)?;
    set_free(&mut meta, bucket::special(&page).next);
    Ok((page, Some(meta)))
}

/// The bucket of a hash in an index with this number of buckets.
pub fn bucket_of(hash: u32, buckets: u32) -> u32 {
    // Use the bits of the largest bucket number, or one bit less if that bucket does not exist.
    let mask = u32::MAX.checked_shr((buckets - 1).leading_zeros()).unwrap_or(0);
    let bucket = hash & mask;
    if bucket < buckets { bucket } else { bucket & mask >> 1 }
}

/// The group of a bucket: 0, then 1, then 2 and 3, then 4 to 7.
pub fn group_of(bucket: u32) -> usize {
    (u32::BITS - bucket.leading_zeros()) as usize
}

/// The first bucket of a group.
pub fn first_of(group: usize) -> u32 {
    if group == 0 { 0 } else { 1 << (group - 1) }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_new_bucket_takes_from_one_bucket_only() {
        for buckets in 1..200u32 {
            let from = buckets - (1 << buckets.ilog2());
            for hash in (0..10_000u32).map(|it| it.wrapping_mul(0x9e37_79b9)) {
                let (before, after) = (bucket_of(hash, buckets), bucket_of(hash, buckets + 1));
                assert!(after == before || (before == from && after == buckets));
            }
        }
        assert_eq!(bucket_of(u32::MAX, 1), 0);
    }

    #[test]
    fn groups_follow_each_other() {
        for group in 0..31 {
            assert_eq!(group_of(first_of(group)), group);
            assert_eq!(group_of(first_of(group + 1) - 1), group);
        }
    }
}
