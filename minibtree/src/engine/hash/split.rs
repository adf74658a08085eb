//! One more bucket: the next bucket in order gives half of its entries to a new one.
//!
//! # Example
//!
//! Bucket 1 has an overflow page. Splitting it makes bucket 3. The entries are copied, full pages
//! first; then one log record replaces the two buckets' own pages, and the old overflow page is
//! free:
//!
//! ```text
//! before   1 -> 9             page 9: overflow, full
//! copy     new overflow pages, if halves are longer than a page: logged one by one
//! record   1 (half), 3 (half), 0 (4 buckets, 9 is free), 9 (next free page)
//! ```
//!
//! Meanwhile readers wait for the latch of bucket 1. The split needs the same memory and number of
//! latches however long the bucket is. A crash before the record leaves the old bucket unchanged;
//! the new overflow pages are lost until the index is built again.
//!
//! PostgreSQL lets readers in during a split: it marks the new bucket as being populated, and a
//! reader reads both buckets (`_hash_splitbucket`).

use super::bucket::{self, Special};
use super::directory::{self, Directory, META};
use crate::engine::Result;
use crate::engine::access::IndexFile;
use crate::engine::btree::node::{self, Entry};
use crate::engine::pool::PageMut;
use crate::format::PageBytes;

/// Buckets are numbered by 31 bits.
const BUCKETS_MAX: u32 = 1 << 31;

/// Splits the next bucket in order. Does nothing if another thread has already split it.
pub fn split(index: &IndexFile, directory: &Directory) -> Result<()> {
    let new_bucket = directory.buckets();
    if new_bucket == BUCKETS_MAX {
        return Ok(());
    }
    let depth = new_bucket.ilog2();
    let old_bucket = new_bucket - (1 << depth);
    let mut old = index.write(directory.block(index, old_bucket)?)?;
    if u32::from(bucket::special(&old).depth) != depth {
        drop(old);
        directory.refresh(&*index.read(META)?);
        return Ok(());
    }

    // The latch on the old bucket makes this the only thread that creates the new one.
    // The first bucket of a group is a power of two, which is also the size of the group.
    let is_group = new_bucket.is_power_of_two();
    let start = is_group.then(|| index.relation.add_blocks(new_bucket));
    let new_block = match start {
        Some(start) => start,
        None => directory.block(index, new_bucket)?,
    };
    let mut halves = [old_bucket, new_bucket].map(|it| Half::new(it, depth + 1));
    let overflow = distribute(index, &old, depth, &mut halves)?;

    // All latches, in order; from here on nothing can fail.
    let mut new = index.system.pool.write(&index.relation, new_block)?;
    let mut last = overflow.map(|(_, last)| index.write(last)).transpose()?;
    let mut meta = index.write(META)?;
    let [left, right] = halves.map(Half::own_page);
    old.replace(&left);
    new.replace(&right);
    directory::add_bucket(&mut meta, new_bucket, start);
    if let (Some((first, _)), Some(last)) = (overflow, &mut last) {
        bucket::set_next(last, directory::meta_of(&meta).free);
        directory::set_free(&mut meta, first);
    }
    let mut changed: Vec<PageMut> = [old, new].into_iter().chain(last).chain([meta]).collect();
    index.system.pool.log(&mut changed);
    directory.refresh(changed.last().expect("page 0"));
    Ok(())
}

/// Distributes the entries of a bucket to its halves. Returns the bucket's first and last overflow
/// page.
fn distribute(
    index: &IndexFile,
    old: &PageBytes,
    depth: u32,
    halves: &mut [Half; 2],
) -> Result<Option<(u32, u32)>> {
    let mut overflow: Option<(u32, u32)> = None;
    let mut entries: Vec<Entry> = node::entries(old).collect();
    let mut next = bucket::special(old).next;
    loop {
        for entry in entries {
            let half = (bucket::hash_of(&entry.key) >> depth & 1) as usize;
            halves[half].add(entry, |full| write_overflow(index, full))?;
        }
        if next == 0 {
            return Ok(overflow);
        }
        overflow = Some((overflow.map_or(next, |(first, _)| first), next));
        let page = index.read(next)?;
        entries = node::entries(&page).collect();
        next = bucket::special(&page).next;
    }
}

/// Writes a full page of a bucket under construction. Returns its number.
pub fn write_overflow(index: &IndexFile, full: &PageBytes) -> Result<u32> {
    let (mut page, meta) = directory::allocate(index)?;
    page.replace(full);
    let block = page.block();
    let mut changed: Vec<PageMut> = [page].into_iter().chain(meta).collect();
    index.system.pool.log(&mut changed);
    Ok(block)
}

/// A bucket under construction: the entries of its own page. Overflow pages are already written.
pub struct Half {
    special: Special,
    entries: Vec<Entry>,
    size: usize,
}

impl Half {
    /// An empty bucket.
    pub fn new(bucket: u32, depth: u32) -> Half {
        Half { special: Special::new(bucket, depth), entries: Vec::new(), size: 0 }
    }

    /// Adds an entry. If it does not fit, `write` is called with an overflow page of the earlier
    /// entries, and returns its page number.
    pub fn add(
        &mut self,
        entry: Entry,
        write: impl FnOnce(&PageBytes) -> Result<u32>,
    ) -> Result<()> {
        if self.size + entry.size() > node::CAPACITY {
            let full = bucket::build(self.special, std::mem::take(&mut self.entries));
            self.special.next = write(&full)?;
            self.size = 0;
        }
        self.size += entry.size();
        self.entries.push(entry);
        Ok(())
    }

    /// The bucket's own page.
    pub fn own_page(self) -> Box<PageBytes> {
        bucket::build(self.special, self.entries)
    }
}
