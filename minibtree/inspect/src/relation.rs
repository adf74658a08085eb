//! A file of pages: a heap with its pages, a B+tree with its levels, a hash index with its buckets.
//!
//! The pages of an index are found as a search finds them, from page 0 on. What a damaged file says
//! wrongly is shown in its place, and the rest goes on.

use crate::page::{self, CAPACITY, Entry, PageSummary};
use minibtree_format::hash::{HashMeta, HashSpecial};
use minibtree_format::page::{is_intact, items};
use minibtree_format::{Item, PAGE_SIZE, PageBytes, PageHeader, PageKind, RelationId};
use std::collections::BTreeSet;
use std::fmt::Write;

/// A level of a B+tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Nodes that are part of the tree, from left to right.
    pub pages: Vec<u32>,
    /// Their entries, without high keys.
    pub entries: usize,
    /// Bytes of the nodes that entries fill, high keys included.
    pub used: usize,
    /// Bytes of the keys of the entries; of a leaf, with the TID.
    pub key_bytes: usize,
}

impl Level {
    /// The part of its pages that is filled, in percent.
    pub fn fill(&self) -> f64 {
        100.0 * self.used as f64 / (self.pages.len() * CAPACITY).max(1) as f64
    }

    /// The mean length of a key in bytes: of inner nodes, of a separator.
    pub fn key_mean(&self) -> f64 {
        self.key_bytes as f64 / self.entries.max(1) as f64
    }
}

/// The levels of a B+tree, the root's first. `read` returns a page, or `None` after the last one.
///
/// # Errors
/// What `read` returns, or what `damaged` makes of a text that says which page cannot be right.
pub fn levels<E>(
    mut read: impl FnMut(u32) -> Result<Option<Box<PageBytes>>, E>,
    damaged: impl Fn(String) -> E,
) -> Result<Vec<Level>, E> {
    let (mut levels, mut seen) = (Vec::new(), BTreeSet::new());
    let mut first = Some(0);
    while let Some(block) = first.take() {
        let (mut level, mut next) = (Level::default(), Some(block));
        let mut height = None;
        while let Some(block) = next {
            let page = read(block)?.filter(|it| page::is(it, PageKind::Btree));
            let page = page.ok_or_else(|| damaged(format!("page {block} is no node of a tree")))?;
            if !seen.insert(block) {
                return Err(damaged(format!("page {block} is in the tree twice")));
            }

            let summary = PageSummary::of(&page);
            if *height.get_or_insert(summary.level) != summary.level {
                let text = format!("page {block} is on another level than its left sibling");
                return Err(damaged(text));
            }
            let entries = inside(&page);
            first =
                first.or(entries.first().filter(|_| summary.level > Some(0)).map(|it| it.child));
            level.pages.push(block);
            level.entries += summary.items;
            level.used += CAPACITY.saturating_sub(summary.free);
            level.key_bytes += entries.iter().map(|it| it.key.len()).sum::<usize>();
            next = summary.next;
        }
        levels.push(level);
    }
    Ok(levels)
}

/// The entries of a node without its high key.
fn inside(page: &PageBytes) -> Vec<Entry> {
    let has_high_key = page::is(page, PageKind::Btree) && page::special(page).right != 0;
    page::entries(page).into_iter().skip(usize::from(has_high_key)).collect()
}

/// A relation's file.
pub struct Relation<'a> {
    id: RelationId,
    bytes: &'a [u8],
}

impl<'a> Relation<'a> {
    /// The bytes of the file of a relation.
    pub fn new(id: RelationId, bytes: &'a [u8]) -> Relation<'a> {
        Relation { id, bytes }
    }

    /// The number of whole pages.
    pub fn pages(&self) -> u32 {
        (self.bytes.len() / PAGE_SIZE) as u32
    }

    /// A page.
    pub fn page(&self, block: u32) -> Option<&'a PageBytes> {
        self.bytes.chunks_exact(PAGE_SIZE).nth(block as usize)?.try_into().ok()
    }

    /// What the file holds, with `parts_max` lines of each list.
    pub fn explain(&self, parts_max: usize) -> String {
        let Some(first) = self.page(0) else { return "no page\n".to_owned() };
        let mut text = match PageHeader::kind.get(first) {
            kind if kind == PageKind::Btree as u8 => self.explain_tree(parts_max),
            kind if kind == PageKind::Hash as u8 => self.explain_hash(first, parts_max),
            _ => self.explain_pages(parts_max),
        };

        let all = (0..self.pages()).filter_map(|block| Some((block, self.page(block)?)));
        let damaged = all.filter(|(block, page)| !is_intact(page, self.id, *block));
        let damaged: Vec<String> = damaged.map(|(block, _)| block.to_string()).collect();
        if !damaged.is_empty() {
            let pages = first_of(&damaged, parts_max).join(", ");
            _ = writeln!(text, "damaged pages, whose checksum is wrong: {pages}");
        }
        match self.bytes.len() % PAGE_SIZE {
            0 => {}
            rest => _ = writeln!(text, "{rest} bytes after the last whole page"),
        }
        text
    }

    fn explain_pages(&self, parts_max: usize) -> String {
        let mut counts = [0; 4];
        let mut lines = Vec::new();
        for block in 0..self.pages() {
            let Some(page) = self.page(block) else { break };
            let it = PageSummary::of(page);
            if ["heap", "overflow"].contains(&it.kind.as_str()) {
                for (_, item) in items(page) {
                    counts[match item {
                        Item::Normal { .. } => 0,
                        Item::Redirect { .. } => 1,
                        Item::Dead => 2,
                        Item::Unused => 3,
                    }] += 1;
                }
            }
            let PageSummary { kind, items, free, lsn, flags, .. } = it;
            let line = format!("{block:>6}  {kind:<8}  {items:>5}  {free:>5}  {lsn}  {flags}");
            lines.push(line.trim_end().to_owned());
        }

        let kind = self.page(0).map_or(String::new(), |it| PageSummary::of(it).kind);
        let [rows, redirects, dead, unused] = counts;
        let mut text = format!("{kind}, pages: {}\n", self.pages());
        if kind != "system" {
            text += &format!(
                "{rows} versions of rows; other slots: {redirects} redirects, {dead} dead, \
                 {unused} unused\n"
            );
        }
        text += "\n  page  kind      items   free  lsn         flags\n";
        text + &list(&lines, parts_max)
    }

    fn explain_tree(&self, parts_max: usize) -> String {
        let read = |block| Ok(self.page(block).map(minibtree_format::page::copy));
        let levels = match levels(read, |text| text) {
            Ok(levels) => levels,
            Err(text) => return format!("B+tree, damaged: {text}\n"),
        };
        let in_tree: usize = levels.iter().map(|it| it.pages.len()).sum();
        let rest = (self.pages() as usize).saturating_sub(in_tree);
        let mut text = format!("B+tree, pages in the tree: {in_tree}, others: {rest}\n\n");
        text += "level   pages  entries   fill  mean key\n";
        for (level, it) in (0..levels.len()).rev().zip(&levels) {
            let (pages, entries, fill, key) =
                (it.pages.len(), it.entries, it.fill(), it.key_mean());
            _ = writeln!(
                text,
                "{level:>5}  {pages:>6}  {entries:>7}  {fill:>3.0} %  {key:>5.1} bytes"
            );
        }

        for (level, it) in (0..levels.len()).rev().zip(&levels) {
            let nodes = it.pages.iter().flat_map(|block| self.explain_node(*block));
            _ = writeln!(text, "\nlevel {level}");
            text += &list(&nodes.collect::<Vec<_>>(), parts_max);
        }
        text
    }

    /// A line for a node, and of an inner node one for each separator.
    fn explain_node(&self, block: u32) -> Vec<String> {
        let Some(page) = self.page(block) else { return Vec::new() };
        let (it, entries) = (PageSummary::of(page), inside(page));
        let fill = fill_percent(it.free);
        let first = entries.first().map_or_else(String::new, |it| show_key(&it.key));
        let end = match (it.next, page::entries(page).first()) {
            (Some(right), Some(high)) => format!(" below {} -> {right}", show_key(&high.key)),
            _ => String::new(),
        };
        let mut lines =
            vec![format!("  page {block}: {} entries, {fill:.0} % full, {first}{end}", it.items)];
        if it.level > Some(0) {
            let child = |it: &Entry| format!("    {} -> {}", show_key(&it.key), it.child);
            lines.extend(entries.iter().map(child));
        }
        lines
    }

    fn explain_hash(&self, first: &PageBytes, parts_max: usize) -> String {
        let meta = HashMeta::read(&first[PageHeader::SIZE..]).expect("a page is longer");
        let (buckets, pages) = (meta.buckets, self.pages());
        let mut text = format!("hash index, buckets: {buckets}, pages: {pages}\n");
        let free = self.chain(meta.free, parts_max);
        _ = writeln!(text, "free overflow pages: {free}\n\ndirectory");

        let starts =
            meta.starts.chunks_exact(4).map(|it| u32::from_le_bytes([it[0], it[1], it[2], it[3]]));
        let starts: Vec<u32> = starts.collect();
        let mut lines = Vec::new();
        for (group, start) in starts.iter().enumerate() {
            let (from, count) = group_of(group);
            if u64::from(from) >= u64::from(buckets) {
                break;
            }
            let to = from + (count - 1).min(buckets - 1 - from);
            _ = writeln!(text, "  group {group}: buckets {from} to {to} from page {start} on");
            if *start == 0 {
                continue;
            }
            let places = (from..=to).zip((*start..=u32::MAX).take(parts_max + 1));
            lines.extend(
                places.map(|(bucket, block)| self.explain_bucket(bucket, block, parts_max)),
            );
            lines.truncate(parts_max + 1);
        }
        text += "\nbucket    page  depth  entries   fill  overflow pages\n";
        let shown = lines.len().min(parts_max);
        text += &list(&lines[..shown], parts_max);
        match (buckets as usize).saturating_sub(shown) {
            0 => {}
            rest => _ = writeln!(text, "  .. {rest} more"),
        }
        text
    }

    fn explain_bucket(&self, bucket: u32, block: u32, parts_max: usize) -> String {
        let place = format!("{bucket:>6}  {block:>6}");
        let Some(page) = self.page(block).filter(|it| page::is_bucket(it)) else {
            return format!("{place}  no page of a bucket");
        };
        let at = PAGE_SIZE - HashSpecial::SIZE;
        let special = HashSpecial::read(&page[at..]).expect("as long as its space");
        let it = PageSummary::of(page);
        let fill = fill_percent(it.free);
        let overflow = self.chain(special.next, parts_max);
        let (depth, entries) = (special.depth, it.items);
        let wrong = match special.bucket == bucket {
            true => String::new(),
            false => format!(", and it says that it is of bucket {}", special.bucket),
        };
        format!("{place}  {depth:>5}  {entries:>7}  {fill:>3.0} %  {overflow}{wrong}")
    }

    /// The overflow pages from `next` on.
    fn chain(&self, mut next: u32, parts_max: usize) -> String {
        let mut blocks = Vec::new();
        while next != 0 && blocks.len() <= parts_max {
            let page = self.page(next).filter(|it| page::is_bucket(it));
            blocks.push(match page {
                Some(_) => next.to_string(),
                None => format!("{next}, which is no overflow page"),
            });
            next = page.map_or(0, |it| PageSummary::of(it).next.unwrap_or(0));
        }
        if blocks.is_empty() { "none".to_owned() } else { first_of(&blocks, parts_max).join(", ") }
    }
}

/// The part of an index page that is filled if so many bytes are free, in percent.
fn fill_percent(free: usize) -> f64 {
    100.0 * CAPACITY.saturating_sub(free) as f64 / CAPACITY as f64
}

/// The first bucket of a group of a hash directory, and how many it has.
fn group_of(group: usize) -> (u32, u32) {
    match group {
        0 => (0, 1),
        _ => (1 << (group - 1), 1 << (group - 1)),
    }
}

/// A key as text if it is printable, else in hexadecimal.
fn show_key(key: &[u8]) -> String {
    match key {
        [] => "(lowest)".to_owned(),
        _ if key.iter().all(|it| (b' '..=b'~').contains(it)) => {
            format!("\"{}\"", key.escape_ascii())
        }
        _ => key.iter().map(|it| format!("{it:02x}")).collect(),
    }
}

/// The first items, and how many more there are.
fn first_of(items: &[String], max: usize) -> Vec<String> {
    let mut shown = items[..items.len().min(max)].to_vec();
    let rest = items.len() - shown.len();
    shown.extend((rest > 0).then(|| format!(".. {rest} more")));
    shown
}

/// Lines, of which the first are shown.
fn list(lines: &[String], max: usize) -> String {
    let lines = first_of(lines, max).into_iter().map(|it| match it.strip_prefix("..") {
        Some(rest) => format!("  ..{rest}\n"),
        None => it + "\n",
    });
    lines.collect()
}
