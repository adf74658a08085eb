//! Adding an entry, and splitting as many levels as necessary.
//!
//! # Example
//!
//! Leaf 5 is full, and so is its parent 2. Latches are taken upwards; then everything changes, and
//! one log record describes all of it:
//!
//! ```text
//! latch 5; full: new page 9        separator k goes to the parent
//! latch 2; full: new page 10       separator m goes to its parent
//! latch 0; has room
//! log   5 (left half), 9 (right half), 2 (left half), 10 (right half), 0 (one entry)
//! ```
//!
//! After a crash either all of that has happened or none, so recovery never has to finish a split.
//! Readers wait only for these pages, and only while the new content is copied into them.
//!
//! PostgreSQL logs each level separately, so that it holds two latches at most, and marks the left
//! page until the parent knows the right one (`BTP_INCOMPLETE_SPLIT`).

use super::node::{self, Entry, Split};
use super::search::{ROOT, write_node};
use super::vacuum::allocate;
use crate::engine::Result;
use crate::engine::access::IndexFile;
use crate::engine::pool::PageMut;

/// Adds an entry to its node, which the caller has latched.
pub fn insert<'a>(index: &'a IndexFile, page: PageMut<'a>, entry: Entry) -> Result<()> {
    // Take all latches and pages first: this can fail, and nothing has changed yet.
    let mut splits: Vec<(PageMut, PageMut, Split)> = Vec::new();
    let (mut page, mut entry) = (page, entry);
    let mut at = node::position(&page, &entry);
    while !node::fits(&page, &entry) && page.block() != ROOT {
        let right = allocate(index)?;
        let split = node::split(&page, at, &entry, right.block());
        let level = node::special(&page).level;
        let parent = write_node(index, level + 1, &split.separator)?;
        entry = Entry::inner(split.separator.clone(), right.block());
        splits.push((page, right, split));
        page = parent;
        at = node::position(&page, &entry);
    }
    let root_children = match node::fits(&page, &entry) {
        true => None,
        false => Some((allocate(index)?, allocate(index)?)),
    };

    // From here on nothing can fail.
    let mut changed = Vec::with_capacity(1);
    match root_children {
        None => {
            node::insert(&mut page, at, &entry);
            changed.push(page);
        }
        Some((left, right)) => changed.extend(raise_root(page, left, right, at, &entry)),
    }
    for (mut left, mut right, split) in splits {
        left.replace(&split.left);
        right.replace(&split.right);
        changed.extend([left, right]);
    }
    index.system.pool.log(&mut changed);
    Ok(())
}

/// Moves the content of a full root to two new pages. The tree becomes one level higher.
fn raise_root<'a>(
    mut root: PageMut<'a>,
    mut left: PageMut<'a>,
    mut right: PageMut<'a>,
    at: usize,
    entry: &Entry,
) -> [PageMut<'a>; 3] {
    let level = node::special(&root).level;
    let split = node::split(&root, at, entry, right.block());
    left.replace(&split.left);
    right.replace(&split.right);
    let children =
        [Entry::inner(Vec::new(), left.block()), Entry::inner(split.separator, right.block())];
    root.replace(&node::build(level + 1, None, &children));
    [root, left, right]
}
