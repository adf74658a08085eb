//! The search that everyone writes first, kept to show what is wrong with it.
//!
//! It reads in the parent which child has the key, releases the parent, and looks in that child
//! only. In one thread it is correct. If another thread splits the child between the two steps, the
//! key may have moved, and the search misses it. `tests/golden/naive_search` stops the search
//! between the steps, and shows beside it the real one, which follows the right link ([`search`]).
//!
//! The other naive solution, keeping the parent latched until the child is, makes every search wait
//! at the root for every split. PostgreSQL's first B-tree did worse: it locked the whole index for
//! a scan.
//!
//! [`search`]: super::search

use super::node::{self, SearchKey};
use super::search::ROOT;
use crate::engine::Result;
use crate::engine::access::IndexFile;

/// A search in a tree of two levels that has read the root but not the leaf.
pub struct NaiveSearch {
    index: IndexFile,
    child: u32,
}

impl NaiveSearch {
    /// Reads the root and releases its latch.
    pub(in crate::engine) fn begin(index: &IndexFile, key: &[u8]) -> Result<NaiveSearch> {
        let root = index.read(ROOT)?;
        let child = match node::special(&root).level {
            0 => ROOT,
            _ => node::child(&root, node::child_index(&root, SearchKey::new(key), false)),
        };
        Ok(NaiveSearch { index: index.clone(), child })
    }

    /// The page that [`NaiveSearch::finish`] will read.
    pub fn child(&self) -> u32 {
        self.child
    }

    /// Reads that page only. Returns true if it has an entry with the key.
    pub fn finish(self, key: &[u8]) -> Result<bool> {
        let leaf = self.index.read(self.child)?;
        let at = node::lower_bound(&leaf, SearchKey::new(key));
        Ok(at < node::count(&leaf) && node::key(&leaf, at).starts_with(key))
    }
}
