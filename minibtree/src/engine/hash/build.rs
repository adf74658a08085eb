//! Building from sorted entries: computes the number of buckets, then writes each page once.
//!
//! ```text
//! 100,000 entries of 22 bytes: 512 buckets, 53 % full
//! page    0        1 .. 512       513 ..
//!         counts   own pages      overflow pages
//! ```
//!
//! Entries come bucket by bucket, sorted by their reversed hashes (`minibtree/spool`). As in a
//! B+tree's build, their pages do not go through the pool and the log, and are synced before the
//! log has page 0, which counts them. PostgreSQL's `hashsort.c` sorts by bucket as well, and then
//! inserts and logs entries one by one.

use super::bucket;
use super::directory::{self, Directory, META};
use super::split::Half;
use crate::engine::Result;
use crate::engine::access::IndexFile;
use crate::engine::btree::node::{CAPACITY, Entry};
use crate::format::PageBytes;

/// The greatest average fill of the buckets' own pages, in percent.
const FILL: usize = 80;

/// Fills an empty index with sorted entries, which take about `bytes` on pages.
pub fn build(
    index: &IndexFile,
    directory: &Directory,
    bytes: usize,
    entries: impl Iterator<Item = Result<Entry>>,
) -> Result<()> {
    let buckets = (bytes / (CAPACITY * FILL / 100) + 1).next_power_of_two() as u32;
    let depth = buckets.ilog2();
    let first_bits = |hash: u32| hash.checked_shr(u32::BITS - depth).unwrap_or(0);

    // Groups follow each other without a gap, from page 1 on: the page of bucket b is b + 1.
    let mut end = 1 + buckets;
    let mut write_overflow = |full: &PageBytes| {
        index.relation.write(end, full)?;
        end += 1;
        Ok(end - 1)
    };
    let (mut entries, mut first) = (entries.peekable(), None);
    for bits in 0..buckets {
        let number = first_bits(bits.reverse_bits());
        let mut bucket = Half::new(number, depth);
        let is_here = |it: &Entry| first_bits(bucket::hash_of(&it.key)) == bits;
        while let Some(entry) = entries.next_if(|it| it.as_ref().map_or(true, is_here)) {
            let mut entry = entry?;
            let hash = bucket::hash_of(&entry.key).reverse_bits();
            entry.key[..4].copy_from_slice(&hash.to_be_bytes());
            bucket.add(entry, &mut write_overflow)?;
        }
        let page = bucket.own_page();
        match number {
            0 => first = Some(page),
            _ => index.relation.write(number + 1, &page)?,
        }
    }

    // The first bucket is in the pool. All others must be durable before the log refers to them.
    index.relation.ensure_blocks(1 + buckets);
    index.relation.sync()?;
    let mut own = index.write(1)?;
    own.replace(&first.expect("there is a bucket 0"));
    let mut meta = index.write(META)?;
    for group in 0..=directory::group_of(buckets - 1) {
        let first = directory::first_of(group);
        directory::add_bucket(&mut meta, first, Some(first + 1));
    }
    directory::add_bucket(&mut meta, buckets - 1, None);
    directory.refresh(&meta);
    index.system.pool.log(&mut [own, meta]);
    Ok(())
}
