//! What a node looks like from outside: for `mb_btree`, golden scripts and the figures made of
//! them.

use super::Index;
use super::node;
use super::search::read;
use crate::engine::Result;
use crate::format::btree::DELETED;
use crate::format::{PAGE_SIZE, PageHeader};

/// A node of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSummary {
    /// Its page.
    pub block: u32,
    /// Steps above the leaves.
    pub level: u16,
    /// True if it was merged into its left sibling and waits to be used again.
    pub is_deleted: bool,
    /// The keys of its entries; of a leaf, with their TIDs. The first one of an inner node is
    /// empty.
    pub keys: Vec<Vec<u8>>,
    /// The children of an inner node.
    pub children: Vec<u32>,
    /// Keys are less than this one, unless it is the last node of its level.
    pub high_key: Option<Vec<u8>>,
    /// The right sibling.
    pub right: Option<u32>,
    /// Bytes of the page that are not free.
    pub used_bytes: usize,
}

/// Reads a node.
pub fn summary(index: &Index, block: u32) -> Result<NodeSummary> {
    let page = read(index, block)?;
    let special = node::special(&page);
    let entries = node::first(&page)..node::count(&page);
    let children = entries.clone().filter(|_| special.level > 0);
    let free = PageHeader::upper.get(&page[..]) - PageHeader::lower.get(&page[..]);
    Ok(NodeSummary {
        block,
        level: special.level,
        is_deleted: special.flags & DELETED != 0,
        keys: entries.map(|at| node::key(&page, at)).collect(),
        children: children.map(|at| node::child(&page, at)).collect(),
        high_key: node::high_key(&page),
        right: (special.right != 0).then_some(special.right),
        used_bytes: PAGE_SIZE - usize::from(free),
    })
}
