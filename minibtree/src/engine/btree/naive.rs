//! The search that everyone writes first, kept to show what is wrong with it.
//!
//! It reads in the parent which child has the key, lets go of the parent, and looks in that child,
//! and nowhere else. Alone it is right. If the child is split between the two steps, the key may
//! have moved, and the search reports that it does not exist. `tests/golden/naive_search` stops it
//! between the steps, and shows the real search beside it, which goes right ([`search`]).
//!
//! The other naive answer, to keep the parent latched until the child is, makes every search wait
//! at the root for every split. PostgreSQL's first B-tree did worse: it locked the whole index for
//! a scan.
//!
//! [`search`]: super::search

use super::node::{self, SearchKey};
use super::search::ROOT;
use crate::engine::Result;
use crate::engine::access::IndexFile;

/// A search that has read the root and not yet the leaf of a tree with two levels.
pub struct NaiveSearch {
    index: IndexFile,
    child: u32,
}

impl NaiveSearch {
    /// Reads the root and lets go of it.
    pub(in crate::engine) fn begin(index: &IndexFile, key: &[u8]) -> Result<NaiveSearch> {
        let root = index.read(ROOT)?;
        let child = match node::special(&root).level {
            0 => ROOT,
            _ => node::child(&root, node::child_index(&root, SearchKey::new(key), false)),
        };
        Ok(NaiveSearch { index: index.clone(), child })
    }

    /// The page in which it is going to look.
    pub fn child(&self) -> u32 {
        self.child
    }

    /// Looks in that page only. Returns true if an entry with the key is there.
    pub fn finish(self, key: &[u8]) -> Result<bool> {
        let leaf = self.index.read(self.child)?;
        let at = node::lower_bound(&leaf, SearchKey::new(key));
        Ok(at < node::count(&leaf) && node::key(&leaf, at).starts_with(key))
    }
}
