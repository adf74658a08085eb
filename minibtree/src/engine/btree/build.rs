//! Bulk building: sorted entries fill pages from left to right.
//!
//! ```text
//! level 1            [ -> 1, c -> 2, .. ]          grows as leaves are finished
//! level 0   1: a b   2: c d   3: e ..              one page at a time, nine tenths full
//! ```
//!
//! A build searches and splits nothing. It writes each page once, bypassing the pool and the log:
//! no other transaction sees the index, and its pages are synced before the commit. Only the root
//! goes through the log. PostgreSQL's `nbtsort.c`, which also logs the pages as images if
//! `wal_level` asks for that.

use super::node::{self, CAPACITY, Entry, FILL_FACTOR};
use super::search::ROOT;
use crate::engine::Result;
use crate::engine::access::IndexFile;

/// The page of a level that is being filled.
struct Level {
    block: u32,
    entries: Vec<Entry>,
    size: usize,
    /// The smallest key that the page can hold: its separator in the parent.
    low: Vec<u8>,
}

/// Builds an index whose root is empty.
pub struct Builder<'a> {
    index: &'a IndexFile,
    levels: Vec<Level>,
    next_block: u32,
    /// Vectors of keys that are on their pages, for the next ones: a build has millions of them.
    pub spare: Vec<Vec<u8>>,
}

impl<'a> Builder<'a> {
    pub fn new(index: &'a IndexFile) -> Builder<'a> {
        Builder { index, levels: Vec::new(), next_block: ROOT + 1, spare: Vec::new() }
    }

    /// Adds an entry to a level. Leaves are level 0. Entries must be added in key order.
    pub fn add(&mut self, level: usize, entry: Entry) -> Result<()> {
        if level == self.levels.len() {
            let block = self.new_block();
            self.levels.push(Level { block, entries: Vec::new(), size: 0, low: Vec::new() });
        }
        let current = &self.levels[level];
        let is_full = (current.size + entry.size()) * 100 > CAPACITY * FILL_FACTOR;
        if is_full && !current.entries.is_empty() {
            return self.finish_page(level, entry);
        }
        let current = &mut self.levels[level];
        current.size += entry.size();
        current.entries.push(entry);
        Ok(())
    }

    /// Writes the last page of every level, and the root.
    pub fn finish(mut self) -> Result<()> {
        let mut level = 0;
        while level < self.levels.len() {
            let Level { block, entries, low, .. } = &mut self.levels[level];
            let (block, low) = (*block, std::mem::take(low));
            let page = node::build(level as u16, None, &*entries);
            if level + 1 == self.levels.len() {
                // The only page of its level is the root. Its children must be durable first, and
                // the page that this level was given before it became the root: it is free now.
                self.index.relation.write(block, &node::unused())?;
                self.index.relation.sync()?;
                self.index.relation.reusable.lock().push((block, 0));

                let mut root = self.index.write(ROOT)?;
                root.replace(&page);
                self.index.system.pool.log(std::slice::from_mut(&mut root));
                return Ok(());
            }
            self.index.relation.write(block, &page)?;
            self.add(level + 1, Entry::inner(low, block))?;
            level += 1;
        }
        Ok(())
    }

    /// Writes the current page of a level and begins the next one with an entry.
    fn finish_page(&mut self, level: usize, entry: Entry) -> Result<()> {
        // If a long high key does not fit, move the last entries to the next page as well.
        let mut carried = vec![entry];
        let next = self.new_block();
        let current = &mut self.levels[level];
        let separator = loop {
            let last = current.entries.last().expect("one entry always fits with its high key");
            let separator = match level {
                0 => node::shortest_separator(&last.key, &carried[0].key),
                _ => carried[0].key.clone(),
            };
            if current.size + node::high_key_size(&separator) <= CAPACITY {
                break separator;
            }
            current.size -= last.size();
            carried.splice(0..0, current.entries.pop());
        };
        if level > 0 {
            let first = carried.remove(0).without_key();
            carried.insert(0, first);
        }

        let page = node::build(level as u16, Some((&separator, next)), &current.entries);
        let block = std::mem::replace(&mut current.block, next);
        let low = std::mem::replace(&mut current.low, separator);
        current.size = carried.iter().map(Entry::size).sum();
        let written = std::mem::replace(&mut current.entries, carried);
        self.spare.extend(written.into_iter().map(|entry| entry.key));
        self.index.relation.write(block, &page)?;
        self.add(level + 1, Entry::inner(low, block))
    }

    fn new_block(&mut self) -> u32 {
        self.next_block += 1;
        self.next_block - 1
    }
}
