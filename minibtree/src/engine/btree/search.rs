//! Finding a leaf, and why one latch at a time is enough (Lehman and Yao, 1981).
//!
//! # The problem
//!
//! A search reads in the parent that key 7 is in page 2, releases the parent, and latches page 2.
//! In between, another thread splits page 2:
//!
//! ```text
//! parent  [ .. -> 2 ]              parent  [ .. -> 2, 6 -> 3 ]
//! page 2  4 5 6 7           =>     page 2  4 5    page 3  6 7
//!         ^ the search is about to latch it
//! ```
//!
//! Key 7 is not in page 2 any more. A search that trusts the parent reports that it does not exist.
//! The golden script `naive_search_misses_a_key_during_a_split` shows it with
//! [`naive`](super::naive).
//!
//! # The answer
//!
//! Every node has an upper bound of its keys (high key) and the page of its right sibling (right
//! link). A search for a key not less than the high key goes right. So an outdated parent costs one
//! more page read but never a missed key, and the way down holds no latch between nodes.
//!
//! # Invariants
//!
//! 1. A node's keys are less than its high key; keys not less than it are further right.
//! 2. Keys move right only (splits), except when a node is merged into its left sibling; then it
//!    is marked as deleted, and a search that reads it starts again at the root.
//! 3. The root stays in page 0: a full root moves its content to two new pages.
//! 4. Latches are taken from lower to higher levels and from left to right, so no two threads wait
//!    for each other. A search holds one at a time, and may take them in any order.
//! 5. A deleted node's page is reused only after all transactions that ran at its deletion have
//!    ended. So a search never reads a page that has become another node in the meantime.
//!
//! PostgreSQL's `nbtree/README` and `_bt_search`, `_bt_moveright`. There, the root can be any page,
//! and a meta page says which one.

use super::node::{self, SearchKey};
use crate::engine::Result;
use crate::engine::access::IndexFile;
use crate::engine::pool::{PageMut, PageRef};
use crate::format::PageBytes;
use std::sync::atomic::Ordering;

/// The page of the root.
pub const ROOT: u32 = 0;

/// Latches the leaf that covers `key` for reading. For a backward scan, which passes `low`, latches
/// the one with the greatest smaller key, and sets `low` to a lower bound of the leaf's keys: the
/// last separator on the way down.
pub fn read_leaf<'a>(
    index: &'a IndexFile,
    key: &[u8],
    mut low: Option<&mut Vec<u8>>,
) -> Result<PageRef<'a>> {
    let (search, before) = (SearchKey::new(key), low.is_some());
    'restart: loop {
        let mut block = ROOT;
        low.iter_mut().for_each(|low| low.clear());
        loop {
            let page = index.read(block)?;
            let special = node::special(&page);
            let is_right = node::is_right_of(&page, search, before);
            if special.flags & crate::format::btree::DELETED != 0 {
                continue 'restart;
            }
            if special.level == 0 && !is_right {
                return Ok(page);
            }
            let child = if is_right { 0 } else { node::child_index(&page, search, before) };
            if is_right || child > node::first(&page) {
                low.iter_mut().for_each(|low| **low = node::key(&page, child));
            }
            block = if is_right { special.right } else { node::child(&page, child) };
        }
    }
}

/// Latches the node that covers `key` on a level, for changing.
pub fn write_node<'a>(index: &'a IndexFile, level: u16, key: &[u8]) -> Result<PageMut<'a>> {
    let search = SearchKey::new(key);
    loop {
        // Read down to the node above, then latch the child for changing.
        let mut block = ROOT;
        let mut is_child = false;
        while !is_child {
            let page = index.read(block)?;
            let special = node::special(&page);
            if node::is_right_of(&page, search, false) {
                block = special.right;
            } else if special.level > level {
                is_child = special.level == level + 1;
                block = node::child(&page, node::child_index(&page, search, false));
            } else {
                break;
            }
        }

        // Since then the node may have been split or deleted, or may be a root that was raised.
        let mut page = index.write(block)?;
        while node::is_at(&page, level) && node::is_right_of(&page, search, false) {
            let right = node::special(&page).right;
            drop(page);
            page = index.write(right)?;
        }
        if node::is_at(&page, level) {
            return Ok(page);
        }
    }
}

/// Latches the leaf for a new entry. Skips the search if the entry goes to the end of the index, as
/// with ascending keys.
pub fn write_leaf<'a>(index: &'a IndexFile, key: &[u8]) -> Result<PageMut<'a>> {
    let hint = index.relation.target.load(Ordering::Relaxed);
    if hint != ROOT {
        let page = index.write(hint)?;
        let is_rightmost = node::is_at(&page, 0) && node::special(&page).right == 0;
        let is_behind = |page: &PageBytes| {
            node::count(page) > 0 && node::compare(page, 0, SearchKey::new(key)).is_lt()
        };
        if is_rightmost && is_behind(&page) {
            return Ok(page);
        }
    }

    let page = write_node(index, 0, key)?;
    if node::special(&page).right == 0 {
        index.relation.target.store(page.block(), Ordering::Relaxed);
    }
    Ok(page)
}
