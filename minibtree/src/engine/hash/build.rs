//! Building from all entries at once: computes the number of buckets, then writes each page once.
//!
//! ```text
//! 100,000 entries of 22 bytes: 512 buckets, 53 % full
//! page    0        1 .. 512       513 ..
//!         counts   own pages      overflow pages
//! ```
//!
//! Each page is logged once, as its image. PostgreSQL's `hashsort.c` sorts by bucket as well, and
//! then inserts and logs entries one by one.

use super::bucket;
use super::directory::{self, Directory, META};
use super::split::{Half, write_overflow};
use crate::engine::Result;
use crate::engine::access::IndexFile;
use crate::engine::btree::check_unique;
use crate::engine::btree::node::{CAPACITY, Entry};
use crate::format::Tid;

/// The greatest average fill of the buckets' own pages, in percent.
const FILL: usize = 80;

/// Fills an empty index.
pub fn build(
    index: &IndexFile,
    directory: &Directory,
    unique: bool,
    rows: Vec<(Vec<u8>, Tid, Vec<u8>)>,
) -> Result<()> {
    let entry = |(key, tid, payload): (Vec<u8>, Tid, Vec<u8>)| {
        Entry::leaf(&bucket::hashed(&key), tid, &payload)
    };
    let mut entries: Vec<Entry> = rows.into_iter().map(entry).collect();
    let size: usize = entries.iter().map(Entry::size).sum();
    let buckets = (size / (CAPACITY * FILL / 100) + 1).next_power_of_two() as u32;
    let bucket_of = |entry: &Entry| directory::bucket_of(bucket::hash_of(&entry.key), buckets);
    entries.sort_unstable_by(|a, b| bucket_of(a).cmp(&bucket_of(b)).then(a.key.cmp(&b.key)));
    if unique {
        check_unique(&entries)?;
    }

    // Groups follow each other without a gap, from page 1 on: the page of bucket b is b + 1.
    let pool = &index.system.pool;
    index.relation.ensure_blocks(1 + buckets);
    let mut entries = entries.into_iter().peekable();
    for number in 0..buckets {
        let mut bucket = Half::new(number, buckets.ilog2());
        while let Some(entry) = entries.next_if(|entry| bucket_of(entry) == number) {
            bucket.add(entry, |full| write_overflow(index, full))?;
        }
        let mut own = pool.write(&index.relation, number + 1)?;
        own.replace(&bucket.own_page());
        pool.log(&mut [own]);
        pool.wal.flush_if_large()?;
    }

    let mut meta = index.write(META)?;
    for group in 0..=directory::group_of(buckets - 1) {
        let first = directory::first_of(group);
        directory::add_bucket(&mut meta, first, Some(first + 1));
    }
    directory::add_bucket(&mut meta, buckets - 1, None);
    pool.log(std::slice::from_mut(&mut meta));
    directory.refresh(&meta);
    Ok(())
}
