//! Removing the entries of dead rows, and overflow pages that have become empty.
//!
//! Buckets are visited in order, including those that splits add during the vacuum: a split moves
//! entries only to a bucket that is visited later. Buckets are never merged, as in PostgreSQL
//! (`hashbulkdelete`).

use super::bucket;
use super::directory::{self, Directory, META};
use crate::engine::Result;
use crate::engine::access::IndexFile;
use crate::engine::btree::node::{self, Entry};
use crate::engine::btree::tid;
use crate::engine::heap::vacuum::Pause;
use crate::engine::pool::PageMut;
use crate::format::Tid;
use std::collections::HashSet;

/// Removes the entries that point to `dead` rows. Returns the number of entries removed.
pub fn remove(
    index: &IndexFile,
    directory: &Directory,
    dead: &HashSet<Tid>,
    pause: Pause<'_>,
) -> Result<usize> {
    let mut removed = 0;
    let mut number = 0;
    while number < directory.buckets() {
        pause()?;
        // The latch of the bucket's own page protects its overflow pages.
        let mut own = index.write(directory.block(index, number)?)?;
        let (count, _) = remove_from(index, &mut own, dead);
        removed += count;
        let mut last: Option<PageMut> = None;
        let mut next = bucket::special(&own).next;
        while next != 0 {
            let mut page = index.write(next)?;
            next = bucket::special(&page).next;
            let (count, is_empty) = remove_from(index, &mut page, dead);
            removed += count;
            if is_empty {
                unlink(index, last.as_mut().unwrap_or(&mut own), page)?;
            } else {
                last = Some(page);
            }
        }
        number += 1;
    }
    Ok(removed)
}

/// Removes entries from one page. Returns their number, and true if the page is now empty.
fn remove_from(index: &IndexFile, page: &mut PageMut, dead: &HashSet<Tid>) -> (usize, bool) {
    let count = node::count(page);
    let kept: Vec<Entry> =
        node::entries(page).filter(|entry| !dead.contains(&tid(&entry.key))).collect();
    let left = kept.len();
    if left < count {
        let image = bucket::build(bucket::special(page), kept);
        page.replace(&image);
        index.system.pool.log(std::slice::from_mut(page));
    }
    (count - left, left == 0)
}

/// Removes an empty overflow page from its bucket. `before` is the page that points to it.
fn unlink(index: &IndexFile, before: &mut PageMut, mut page: PageMut) -> Result<()> {
    let mut meta = index.write(META)?;
    bucket::set_next(before, bucket::special(&page).next);
    bucket::set_next(&mut page, directory::meta_of(&meta).free);
    directory::set_free(&mut meta, page.block());
    // Two records: a crash between them leaks the page, but loses no entry.
    index.system.pool.log(std::slice::from_mut(before));
    index.system.pool.log(&mut [page, meta]);
    Ok(())
}
