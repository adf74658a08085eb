//! Exact LRU: the keys in order of their last use, in a linked list.
//!
//! ```text
//! newest  oldest
//! d c b a           b is used: it moves to the front
//! b d c a           a is the victim
//! ```
//!
//! A use unlinks the key and links it again, which writes to five entries: the key's own, its two
//! old neighbors, and the front. In a cache of millions of keys each of these is a cache miss of
//! the processor, on every read. Redis therefore samples (`eviction/mod.rs`), and loses at most 0.5
//! percentage points. A single scan of keys that are read once pushes out everything else: the
//! golden script `scan_pushes_out_an_exact_lru`.

use super::{Nodes, Order, list::List};

/// Exact LRU; see the head of the file.
#[derive(Default)]
pub struct ExactLru {
    by_use: List,
}

impl<N: Nodes> Order<N> for ExactLru {
    fn inserted(&mut self, nodes: &mut N, slot: u32, _hash: u64) {
        self.by_use.push_newest(nodes, slot);
    }

    fn used(&mut self, nodes: &mut N, slot: u32, _hash: u64) {
        self.by_use.move_to_newest(nodes, slot);
    }

    fn removed(&mut self, nodes: &mut N, slot: u32) {
        self.by_use.unlink(nodes, slot);
    }

    fn victim(&mut self, _nodes: &mut N) -> Option<u32> {
        self.by_use.oldest()
    }

    fn moved(&mut self, nodes: &mut N, _old: u32, new: u32) {
        self.by_use.moved(nodes, new);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{drawn, play};
    use super::*;

    #[test]
    fn the_example_of_the_head() {
        let mut lru = play(ExactLru::default(), 4, "abcdb");
        assert_eq!(drawn(&lru, |it| &it.by_use, |_| ""), "b d c a");
        assert_eq!(lru.request('e'), Some('a'));
    }
}
