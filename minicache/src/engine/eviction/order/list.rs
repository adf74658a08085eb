//! A doubly linked list of slots, whose links are beside the keys.
//!
//! ```text
//! newest                    oldest
//! slot 7 <──> slot 2 <──> slot 5        push_newest(9)      9 7 2 5
//!                                       unlink(2)           9 7 5
//! ```
//!
//! Every operation takes constant time and touches two neighbors at most. Redis has the same list
//! for other things (`adlist.c`), with pointers of 8 bytes in an allocation for each node.

use super::{Links, NONE, Nodes};

#[derive(Clone, Debug)]
pub struct List {
    pub(super) newest: u32,
    pub(super) oldest: u32,
    len: usize,
}

impl Default for List {
    fn default() -> List {
        List { newest: NONE, oldest: NONE, len: 0 }
    }
}

impl List {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn push_newest(&mut self, nodes: &mut impl Nodes, slot: u32) {
        nodes.set_links(slot, Links { newer: NONE, older: self.newest });
        match self.newest {
            NONE => self.oldest = slot,
            older => nodes.set_links(older, Links { newer: slot, ..nodes.links(older) }),
        }
        self.newest = slot;
        self.len += 1;
    }

    pub fn unlink(&mut self, nodes: &mut impl Nodes, slot: u32) {
        let Links { newer, older } = nodes.links(slot);
        self.set_older(nodes, newer, older);
        self.set_newer(nodes, older, newer);
        self.len -= 1;
    }

    pub fn move_to_newest(&mut self, nodes: &mut impl Nodes, slot: u32) {
        if slot != self.newest {
            self.unlink(nodes, slot);
            self.push_newest(nodes, slot);
        }
    }

    /// Makes the neighbors of a node that was copied to `new` point there.
    pub fn moved(&mut self, nodes: &mut impl Nodes, new: u32) {
        let Links { newer, older } = nodes.links(new);
        self.set_older(nodes, newer, new);
        self.set_newer(nodes, older, new);
    }

    /// The oldest slot, or `None` if the list is empty.
    pub fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// Makes `older` the slot after `slot`; after `NONE` comes the newest.
    fn set_older(&mut self, nodes: &mut impl Nodes, slot: u32, older: u32) {
        match slot {
            NONE => self.newest = older,
            slot => nodes.set_links(slot, Links { older, ..nodes.links(slot) }),
        }
    }

    fn set_newer(&mut self, nodes: &mut impl Nodes, slot: u32, newer: u32) {
        match slot {
            NONE => self.oldest = newer,
            slot => nodes.set_links(slot, Links { newer, ..nodes.links(slot) }),
        }
    }
}
