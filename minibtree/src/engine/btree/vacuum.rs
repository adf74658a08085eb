//! Removing the entries of dead rows, and leaves that have become empty.
//!
//! The leaves are visited from left to right. An empty leaf is merged into its left sibling, which
//! takes over its key range; the parent loses an entry:
//!
//! ```text
//! parent  [ .. c -> 4, f -> 5, k -> 6 ]        parent  [ .. c -> 4, k -> 6 ]
//! leaf 4  c d  [high f] -> 5             =>    leaf 4  c d  [high k] -> 6
//! leaf 5       [high k] -> 6                   leaf 5  deleted
//! ```
//!
//! One log record covers all three. A search that is about to read page 5 finds it deleted and
//! starts again; page 5 is reused only when no such search can still be running.
//!
//! A leaf that is the first child of its parent stays, even if it is empty: the sibling that would
//! take over belongs to another parent, whose separators would have to change. PostgreSQL merges to
//! the right instead, in two steps with a half-dead page in between (`_bt_pagedel`), and has the
//! same exception for the last child.

use super::node::{self, Entry, SearchKey};
use super::search::{ROOT, read_leaf, write_node};
use super::tid;
use crate::engine::Result;
use crate::engine::access::IndexFile;
use crate::engine::heap::vacuum::Pause;
use crate::engine::pool::PageMut;
use crate::format::btree::DELETED;
use crate::format::{PageHeader, PageKind, Tid};
use std::collections::HashSet;

/// Removes the entries that point to `dead` rows. Returns the number of entries removed.
pub fn remove(index: &IndexFile, dead: &HashSet<Tid>, pause: Pause<'_>) -> Result<usize> {
    let mut removed = 0;
    let mut left = None;
    let mut block = leftmost(index)?;
    loop {
        pause()?;
        let mut page = index.write(block)?;
        let kept: Vec<Entry> =
            node::entries(&page).filter(|entry| !dead.contains(&tid(&entry.key))).collect();
        let entries = node::count(&page) - node::first(&page);
        let right = node::special(&page).right;
        if kept.len() < entries {
            removed += entries - kept.len();
            let high = node::high_key(&page);
            let high = high.as_deref().map(|key| (key, right));
            page.replace(&node::build(0, high, &kept));
            index.system.pool.log(std::slice::from_mut(&mut page));
        }
        drop(page);

        let is_merged = match left {
            Some(left) if kept.is_empty() => merge(index, left, block)?,
            _ => false,
        };
        if !is_merged {
            left = Some(block);
        }
        if right == 0 {
            return Ok(removed);
        }
        block = right;
    }
}

/// Merges an empty leaf into its left sibling. Returns false if the leaf has changed meanwhile, is
/// the first child of its parent, or has a high key that does not fit into the sibling.
fn merge(index: &IndexFile, left: u32, block: u32) -> Result<bool> {
    if block == ROOT {
        return Ok(false);
    }
    let mut left = index.write(left)?;
    let Some(low) = node::high_key(&left) else { return Ok(false) };
    let mut page = index.write(block)?;
    let is_empty = node::count(&page) == node::first(&page);
    if node::special(&left).right != block || !is_empty {
        return Ok(false);
    }

    // Check that the two are neighbors in the same parent.
    let mut parent = write_node(index, 1, &low)?;
    let at = node::child_index(&parent, SearchKey::new(&low), false);
    if at <= node::first(&parent)
        || node::child(&parent, at) != block
        || node::child(&parent, at - 1) != left.block()
    {
        return Ok(false);
    }

    // The new high key may be longer than the old one, so check that it fits.
    let entries: Vec<Entry> = node::entries(&left).collect();
    let high = node::high_key(&page);
    let needed: usize = entries.iter().map(Entry::size).sum::<usize>()
        + high.as_ref().map_or(0, |key| node::high_key_size(key));
    if needed > node::CAPACITY {
        return Ok(false);
    }

    let high = high.as_deref().map(|key| (key, node::special(&page).right));
    left.replace(&node::build(0, high, &entries));
    let deleted_at = index.system.next_xid().0;
    node::mark_deleted(&mut page, deleted_at);
    node::remove(&mut parent, at);
    let block = page.block();
    index.system.pool.log(&mut [left, page, parent]);
    index.relation.reusable.lock().push((block, deleted_at));
    Ok(true)
}

/// A page for a new node: one deleted before all running transactions began, or a new last page.
pub fn allocate(index: &IndexFile) -> Result<PageMut<'_>> {
    let pool = &index.system.pool;
    while let Some(block) = take_reusable(index) {
        // The list may be that of a checkpoint, so the page decides. No waiting for its latch: if
        // it is part of the tree, its holder may wait for one of ours.
        if let Some(page) = pool.try_write(&index.relation, block)?
            && PageHeader::kind.get(&page[..]) == PageKind::Btree as u8
            && node::special(&page).flags & DELETED != 0
            && node::special(&page).deleted_at < index.system.horizon().0
        {
            return Ok(page);
        }
    }
    pool.extend(&index.relation)
}

fn take_reusable(index: &IndexFile) -> Option<u32> {
    let mut reusable = index.relation.reusable.lock();
    if reusable.is_empty() {
        return None;
    }
    let horizon = index.system.horizon();
    let place = reusable.iter().position(|(_, deleted_at)| *deleted_at < horizon.0)?;
    Some(reusable.swap_remove(place).0)
}

/// The first leaf.
fn leftmost(index: &IndexFile) -> Result<u32> {
    let page = read_leaf(index, &[], None)?;
    Ok(page.block())
}
