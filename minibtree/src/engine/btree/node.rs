//! A node: searching a page, adding an entry, splitting one page into two.
//!
//! # Example
//!
//! A full leaf of words is split. The right half begins with `cherry`, the left ends in `carrot`.
//! The separator for the parent is the shortest prefix of `cherry` that is greater than `carrot`:
//!
//! ```text
//! apple banana carrot | cherry damson elder
//! separator  "ch"                                  not "cherry" and a TID: suffix truncation
//! left   [high key ch]  apple banana carrot        right -> right
//! right  [old high key] cherry damson elder        right -> old right sibling
//! ```
//!
//! Short separators make inner nodes wide and trees flat. A split looks at the points within a few
//! entries of the middle and takes one with a short separator. When an append splits the rightmost
//! page, the left page keeps nine tenths of the entries, so ascending keys leave pages that are
//! almost full.
//!
//! PostgreSQL's `nbtsearch.c` (`_bt_binsrch`), `nbtsplitloc.c` and `_bt_truncate`.

use crate::engine::pool::PageMut;
use crate::format::btree::{DELETED, FIRST_STEP, HEAD, KEY_LENGTH};
use crate::format::btree::{NodePointer, NodeSpecial, PAYLOAD};
use crate::format::{PAGE_SIZE, PageBytes, PageHeader, PageKind, Tid, page as format};
use std::cmp::Ordering;

/// Where the special space begins.
const SPECIAL: usize = PAGE_SIZE - NodeSpecial::SIZE;
/// Bytes that entries with their item pointers can fill.
pub const CAPACITY: usize = SPECIAL - PageHeader::SIZE;
/// The part of a page that appending fills before it goes on to the next one, in percent.
pub const FILL_FACTOR: usize = 90;

/// The distances of the entries that the steps of a search compare: of 320 entries 8, 5 and 6.
const STEPS: [usize; 3] = [FIRST_STEP, 7, 1];

/// The special space.
pub fn special(page: &PageBytes) -> NodeSpecial {
    NodeSpecial::read(&page[SPECIAL..]).expect("the special space has this size")
}

/// Returns true if the node is part of the tree and on this level; leaves are level 0.
pub fn is_at(page: &PageBytes, level: u16) -> bool {
    let special = special(page);
    special.level == level && special.flags & DELETED == 0
}

/// The number of entries, including the high key.
pub fn count(page: &PageBytes) -> usize {
    (usize::from(PageHeader::lower.get(page)) - PageHeader::SIZE) / NodePointer::SIZE
}

/// The index of the first entry that is not the high key.
pub fn first(page: &PageBytes) -> usize {
    usize::from(special(page).right != 0)
}

fn pointer_offset(index: usize) -> usize {
    PageHeader::SIZE + index * NodePointer::SIZE
}

fn pointer(page: &PageBytes, index: usize) -> NodePointer {
    NodePointer::read(&page[pointer_offset(index)..]).expect("callers keep to `count`")
}

/// The two parts of a cell: the child or payload, and the rest of the key.
fn cell_parts<'a>(page: &'a PageBytes, pointer: &NodePointer) -> (&'a [u8], &'a [u8]) {
    let cell = &page[usize::from(pointer.offset)..];
    let front = if special(page).level > 0 {
        4
    } else if pointer.length & PAYLOAD != 0 {
        2 + usize::from(u16::from_le_bytes([cell[0], cell[1]]))
    } else {
        0
    };
    let rest = usize::from(pointer.length & KEY_LENGTH).saturating_sub(HEAD);
    cell[..front + rest].split_at(front)
}

/// Appends the key of an entry to `bytes`.
pub fn read_key(page: &PageBytes, index: usize, bytes: &mut Vec<u8>) {
    let pointer = pointer(page, index);
    let in_head = usize::from(pointer.length & KEY_LENGTH).min(HEAD);
    bytes.extend_from_slice(&pointer.head[..in_head]);
    bytes.extend_from_slice(cell_parts(page, &pointer).1);
}

/// The key of an entry.
pub fn key(page: &PageBytes, index: usize) -> Vec<u8> {
    let mut key = Vec::new();
    read_key(page, index, &mut key);
    key
}

/// The payload of an entry of a leaf.
pub fn payload(page: &PageBytes, index: usize) -> &[u8] {
    cell_parts(page, &pointer(page, index)).0.get(2..).unwrap_or_default()
}

/// The child of an entry of an inner node.
pub fn child(page: &PageBytes, index: usize) -> u32 {
    let offset = usize::from(pointer(page, index).offset);
    let bytes = page[offset..].first_chunk().expect("a cell of an inner node begins with a child");
    u32::from_le_bytes(*bytes)
}

/// A key to search for, with its head ready for comparison.
#[derive(Clone, Copy)]
pub struct SearchKey<'a> {
    head: u64,
    bytes: &'a [u8],
}

impl<'a> SearchKey<'a> {
    /// A key of these bytes.
    pub fn new(bytes: &'a [u8]) -> SearchKey<'a> {
        SearchKey { head: u64::from_be_bytes(head(bytes)), bytes }
    }
}

/// The first bytes of a key, zeros after a short one.
fn head(key: &[u8]) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let length = key.len().min(HEAD);
    head[..length].copy_from_slice(&key[..length]);
    head
}

/// Compares the key of an entry with `key`: heads first, then the rests, then the lengths, since a
/// short key's head, padded with zeros, equals the head of a longer key that has zeros there.
pub fn compare(page: &PageBytes, index: usize, key: SearchKey) -> Ordering {
    let at = pointer_offset(index) + NodePointer::head.start();
    let head = page[at..].first_chunk().expect("callers keep to `count`");
    u64::from_be_bytes(*head).cmp(&key.head).then_with(|| compare_rest(page, index, key))
}

/// Compares keys with equal heads. Not inlined, so that a search is a short loop over heads.
#[inline(never)]
fn compare_rest(page: &PageBytes, index: usize, key: SearchKey) -> Ordering {
    let pointer = pointer(page, index);
    let by_length = usize::from(pointer.length & KEY_LENGTH).cmp(&key.bytes.len());
    match key.bytes.get(HEAD..) {
        Some(rest @ [_, ..]) => cell_parts(page, &pointer).1.cmp(rest).then(by_length),
        _ => by_length,
    }
}

/// The first index in `from..` whose key is at least `key`, or with `or_equal`, greater than it.
///
/// Each step compares entries at equal distances, whatever the outcomes. The processor can wait for
/// their cache lines at once, where a binary search waits for one after the other.
fn bound(page: &PageBytes, from: usize, key: SearchKey, or_equal: bool) -> usize {
    let behind = if or_equal { Ordering::Greater } else { Ordering::Equal };
    let is_before = |index: &usize| compare(page, *index, key) < behind;
    let (mut low, mut high) = (0, count(page));
    for step in STEPS {
        let before = (low + step - 1..high).step_by(step).filter(is_before).count();
        low = from.max(low + before * step);
        high = high.min(low + step - 1);
    }
    low
}

/// The index of the first entry of a leaf whose key is not less than `key`.
pub fn lower_bound(page: &PageBytes, key: SearchKey) -> usize {
    bound(page, first(page), key, false)
}

/// The index of the child that covers `key`; with `before`, of the one with the greatest smaller
/// key. The first entry of an inner node covers all keys less than the second.
pub fn child_index(page: &PageBytes, key: SearchKey, before: bool) -> usize {
    bound(page, first(page) + 1, key, !before) - 1
}

/// Returns true if `key` belongs to a node further right; with `before`, if keys less than it do.
pub fn is_right_of(page: &PageBytes, key: SearchKey, before: bool) -> bool {
    let behind = if before { Ordering::Equal } else { Ordering::Greater };
    special(page).right != 0 && compare(page, 0, key) < behind
}

/// An entry that is not on a page yet.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its whole key; of a leaf's entry, with the TID at the end.
    pub key: Vec<u8>,
    /// The child or payload: the bytes of the cell before the rest of the key.
    front: Vec<u8>,
    has_payload: bool,
}

impl Entry {
    /// An entry of a leaf.
    pub fn leaf(key: &[u8], tid: Tid, payload: &[u8]) -> Entry {
        Entry::of_full_key([key, &tid.to_bytes()].concat(), payload)
    }

    /// An entry of a leaf whose key ends in its TID.
    pub fn of_full_key(key: Vec<u8>, payload: &[u8]) -> Entry {
        if payload.is_empty() {
            return Entry { key, front: Vec::new(), has_payload: false };
        }
        let front = [&(payload.len() as u16).to_le_bytes(), payload].concat();
        Entry { key, front, has_payload: true }
    }

    /// An entry of an inner node: the keys in `child` are not less than `key`.
    pub fn inner(key: Vec<u8>, child: u32) -> Entry {
        Entry { key, front: child.to_le_bytes().to_vec(), has_payload: false }
    }

    /// A high key.
    fn high(key: &[u8], level: u16) -> Entry {
        match level {
            0 => Entry::of_full_key(key.to_vec(), &[]),
            _ => Entry::inner(key.to_vec(), 0),
        }
    }

    /// An entry that is on a page.
    fn read(page: &PageBytes, index: usize) -> Entry {
        let pointer = pointer(page, index);
        let front = cell_parts(page, &pointer).0.to_vec();
        Entry { key: key(page, index), front, has_payload: pointer.length & PAYLOAD != 0 }
    }

    /// The bytes that it takes on a page, including its item pointer.
    pub fn size(&self) -> usize {
        NodePointer::SIZE + self.front.len() + self.key.len().saturating_sub(HEAD)
    }

    /// The same entry without a key: the first entry of an inner node has no lower bound.
    pub fn without_key(self) -> Entry {
        Entry { key: Vec::new(), ..self }
    }

    fn cell(&self) -> Vec<u8> {
        [&self.front, self.key.get(HEAD..).unwrap_or_default()].concat()
    }

    fn pointer(&self, offset: usize) -> NodePointer {
        let payload = if self.has_payload { PAYLOAD } else { 0 };
        let length = self.key.len() as u16 | payload;
        NodePointer { offset: offset as u16, length, head: head(&self.key) }
    }
}

/// The bytes that a high key takes, including its item pointer.
pub fn high_key_size(key: &[u8]) -> usize {
    Entry::inner(key.to_vec(), 0).size()
}

/// The entries of a node without the high key.
pub fn entries(page: &PageBytes) -> impl Iterator<Item = Entry> + '_ {
    (first(page)..count(page)).map(|index| Entry::read(page, index))
}

/// The high key, if the node has one.
pub fn high_key(page: &PageBytes) -> Option<Vec<u8>> {
    (special(page).right != 0).then(|| key(page, 0))
}

/// Builds a node. `high` is the high key and the right sibling. The entries must fit.
pub fn build<'a>(
    level: u16,
    high: Option<(&[u8], u32)>,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Box<PageBytes> {
    let mut page = format::zeros();
    format::initialize(&mut page, PageKind::Btree, NodeSpecial::SIZE);
    let right = high.map_or(0, |(_, right)| right);
    let special = NodeSpecial { right, level, flags: 0, deleted_at: 0 };
    page[SPECIAL..].copy_from_slice(&special.encode());

    let (mut lower, mut upper) = (PageHeader::SIZE, SPECIAL);
    let mut push = |entry: &Entry| {
        for part in [entry.key.get(HEAD..).unwrap_or_default(), &entry.front] {
            upper -= part.len();
            page[upper..upper + part.len()].copy_from_slice(part);
        }
        page[lower..lower + NodePointer::SIZE].copy_from_slice(&entry.pointer(upper).encode());
        lower += NodePointer::SIZE;
    };
    if let Some((key, _)) = high {
        push(&Entry::high(key, level));
    }
    entries.into_iter().for_each(push);
    PageHeader::lower.put(&mut page[..], lower as u16);
    PageHeader::upper.put(&mut page[..], upper as u16);
    page
}

/// A node that is not part of the tree and can be used at once.
pub fn unused() -> Box<PageBytes> {
    let mut page = build(0, None, []);
    let special = NodeSpecial { flags: DELETED, ..special(&page) };
    page[SPECIAL..].copy_from_slice(&special.encode());
    page
}

/// Returns true if the node has room for the entry.
pub fn fits(page: &PageBytes, entry: &Entry) -> bool {
    let (lower, upper) = (PageHeader::lower.get(page), PageHeader::upper.get(page));
    usize::from(upper - lower) >= entry.size()
}

/// The index at which an entry belongs.
pub fn position(page: &PageBytes, entry: &Entry) -> usize {
    let is_inner = usize::from(special(page).level > 0);
    bound(page, first(page) + is_inner, SearchKey::new(&entry.key), false)
}

/// Adds an entry that fits. Logs the cell, a shift of the item pointers after it, the new item
/// pointer, and the two ends of the free space.
pub fn insert(page: &mut PageMut, index: usize, entry: &Entry) {
    let lower = usize::from(PageHeader::lower.get(&page[..]));
    let cell = entry.cell();
    let upper = usize::from(PageHeader::upper.get(&page[..])) - cell.len();
    if !cell.is_empty() {
        page.put(upper, &cell);
    }

    let at = pointer_offset(index);
    if at < lower {
        page.shift(at, at + NodePointer::SIZE, lower - at);
    }
    page.put(at, &entry.pointer(upper).encode());
    let [a, b] = ((lower + NodePointer::SIZE) as u16).to_le_bytes();
    let [c, d] = (upper as u16).to_le_bytes();
    page.put(PageHeader::lower.start(), &[a, b, c, d]);
}

/// Removes the entry of an inner node. Its cell is wasted until the node is split.
pub fn remove(page: &mut PageMut, index: usize) {
    let lower = usize::from(PageHeader::lower.get(&page[..]));
    let (at, next) = (pointer_offset(index), pointer_offset(index + 1));
    if next < lower {
        page.shift(next, at, lower - next);
    }
    page.put(PageHeader::lower.start(), &((lower - NodePointer::SIZE) as u16).to_le_bytes());
}

/// Marks a node as no longer part of the tree.
pub fn mark_deleted(page: &mut PageMut, deleted_at: u64) {
    let special = NodeSpecial { flags: DELETED, deleted_at, ..special(page) };
    page.put(SPECIAL, &special.encode());
}

/// The two halves of a split node, and the separator.
pub struct Split {
    /// The new content of the node's own page.
    pub left: Box<PageBytes>,
    /// The content of the new page.
    pub right: Box<PageBytes>,
    /// The key for the parent's entry, which points to the new page.
    pub separator: Vec<u8>,
}

/// Splits a full node and adds `entry` at `index` in the process. The right half goes to page
/// `right_block`.
pub fn split(page: &PageBytes, index: usize, entry: &Entry, right_block: u32) -> Split {
    let special = special(page);
    let mut entries: Vec<Entry> = entries(page).collect();
    let at = index - first(page);
    let is_append = special.right == 0 && at == entries.len();
    entries.insert(at, entry.clone());

    let (middle, separator) = split_point(&entries, special.level, high_key(page), is_append);
    let mut right: Vec<Entry> = entries.split_off(middle);
    if special.level > 0 {
        let first = right.remove(0).without_key();
        right.insert(0, first);
    }
    let old_high = high_key(page);
    let old_high = old_high.as_deref().map(|key| (key, special.right));
    Split {
        left: build(special.level, Some((&separator, right_block)), &entries),
        right: build(special.level, old_high, &right),
        separator,
    }
}

/// The index of the first entry of the right half, and the separator.
fn split_point(
    entries: &[Entry],
    level: u16,
    old_high: Option<Vec<u8>>,
    is_append: bool,
) -> (usize, Vec<u8>) {
    let total: usize = entries.iter().map(Entry::size).sum();
    let percent = if is_append { FILL_FACTOR } else { 50 };
    let old_high_size = old_high.map_or(0, |key| high_key_size(&key));
    let separator = |middle: usize| match level {
        0 => shortest_separator(&entries[middle - 1].key, &entries[middle].key),
        _ => entries[middle].key.clone(),
    };

    // Prefer points near the ideal one; a shorter separator makes up for a distance of a few
    // entries.
    let mut best: Option<(usize, usize, Vec<u8>)> = None;
    let mut left = 0;
    let wish = entries.iter().scan(0, |sum, entry| {
        *sum += entry.size();
        Some(*sum)
    });
    let wish = wish.take_while(|sum| *sum * 100 <= total * percent).count();
    let slack = if is_append { 0 } else { entries.len() / 32 };
    for middle in 1..entries.len() {
        left += entries[middle - 1].size();
        let candidate = separator(middle);
        let fits_left = left + high_key_size(&candidate) <= CAPACITY;
        let fits_right = total - left + old_high_size <= CAPACITY;
        let distance = middle.abs_diff(wish).saturating_sub(slack);
        let cost = distance * CAPACITY + candidate.len() * entries.len() + middle.abs_diff(wish);
        if fits_left && fits_right && best.as_ref().is_none_or(|(least, ..)| cost < *least) {
            best = Some((cost, middle, candidate));
        }
    }
    let (_, middle, separator) = best.expect("an entry takes at most a third of a page");
    (middle, separator)
}

/// The shortest key that is greater than `left` and not greater than `right`.
pub fn shortest_separator(left: &[u8], right: &[u8]) -> Vec<u8> {
    let common = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    right[..(common + 1).min(right.len())].to_vec()
}
