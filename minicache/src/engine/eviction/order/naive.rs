//! The naive LRU: a vector of slots in order of use, and what that costs.
//!
//! ```text
//! oldest        newest
//! a b c d                  b is used: find it, take it out, push it
//! a c d b                  evict a: take out the first, move all others down
//! c d b
//! ```
//!
//! A use touches every slot once: those before the key are looked at, those after it are moved. On
//! the Zipf trace of the tests that makes 986 slots a request in a cache of 1,000 keys, while
//! [`ExactLru`](super::ExactLru) touches five at any size, for the same evictions. That is the
//! reason for the links.

use super::{Nodes, Order};

/// The naive LRU; see the head of the file.
#[derive(Default)]
pub struct Naive {
    oldest_first: Vec<u32>,
    /// Slots looked at or moved so far.
    pub steps: u64,
}

impl Naive {
    fn take(&mut self, slot: u32) {
        let at = self.oldest_first.iter().position(|other| *other == slot);
        self.oldest_first.remove(at.expect("the slot was inserted"));

        // Those before it were looked at, those after it are moved.
        self.steps += self.oldest_first.len() as u64 + 1;
    }
}

impl<N: Nodes> Order<N> for Naive {
    fn inserted(&mut self, _nodes: &mut N, slot: u32, _hash: u64) {
        self.oldest_first.push(slot);
    }

    fn used(&mut self, _nodes: &mut N, slot: u32, _hash: u64) {
        self.take(slot);
        self.oldest_first.push(slot);
    }

    fn removed(&mut self, _nodes: &mut N, slot: u32) {
        self.take(slot);
    }

    fn victim(&mut self, _nodes: &mut N) -> Option<u32> {
        self.oldest_first.first().copied()
    }

    fn moved(&mut self, _nodes: &mut N, old: u32, new: u32) {
        let at = self.oldest_first.iter_mut().find(|slot| **slot == old);
        *at.expect("the slot was inserted") = new;
    }
}
