//! First in, first out: the order of arrival, whatever is used later.
//!
//! ```text
//! newest  oldest
//! d c b a           b and a are used: nothing changes
//! e d c b           e arrives, a is evicted although it was used
//! ```
//!
//! It is the floor that the others are measured from: Clock, SIEVE and S3-FIFO are this queue with
//! a second chance for keys that were used.

use crate::engine::eviction::order::{Nodes, Order, list::List};

/// First in, first out; see the head of the file.
#[derive(Default)]
pub struct Fifo {
    queue: List,
}

impl<N: Nodes> Order<N> for Fifo {
    fn inserted(&mut self, nodes: &mut N, slot: u32, _hash: u64) {
        self.queue.push_newest(nodes, slot);
    }

    fn used(&mut self, _nodes: &mut N, _slot: u32, _hash: u64) {}

    fn removed(&mut self, nodes: &mut N, slot: u32) {
        self.queue.unlink(nodes, slot);
    }

    fn victim(&mut self, _nodes: &mut N) -> Option<u32> {
        self.queue.oldest()
    }

    fn moved(&mut self, nodes: &mut N, _old: u32, new: u32) {
        self.queue.moved(nodes, new);
    }
}
