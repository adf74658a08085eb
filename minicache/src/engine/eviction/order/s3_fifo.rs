//! S3-FIFO: a small queue before a main queue, and a ghost (J. Yang and others, "FIFO queues are
//! all you need for cache eviction", SOSP 2023).
//!
//! ```text
//! small, a tenth     main, the rest     ghost: hashes of evicted keys
//! e d c*2 b          a                  x
//!
//! b was not used     evicted, and its hash goes to the ghost
//! c was used twice   it moves to main
//! x arrives          the ghost knows it: it goes to main at once
//! a was used         at the end of main it goes round once more, with one use less
//! ```
//!
//! Most keys are used once. They pass through the small queue and never reach the main one, so a
//! scan evicts a tenth of the cache and no more. A key that was evicted too early comes back soon,
//! and the ghost lets it in. Uses are counted in two bits, up to three; nothing moves on a use.
//!
//! # Difference from the paper
//!
//! The paper gives the queues a capacity. Here memory limits the cache and the number of keys
//! varies, so the small queue is a tenth of the keys that there are. While the cache fills, the
//! first tenth of the keys moves there from main.

use super::{Nodes, Order, ghost::Ghost, list::List};

/// Bits of a node: the uses, at most three, and the queue.
const USES: u32 = 0b11;
const IN_MAIN: u32 = 0b100;
/// From how many uses on a key moves to main when it leaves the small queue.
const USES_FOR_MAIN: u32 = 2;
/// The small queue is this part of all keys.
const SMALL_PART: usize = 10;

/// S3-FIFO; see the head of the file.
#[derive(Default)]
pub struct S3Fifo {
    small: List,
    main: List,
    ghost: Ghost,
    has_evicted: bool,
}

impl S3Fifo {
    fn len(&self) -> usize {
        self.small.len() + self.main.len()
    }

    fn queue(&mut self, bits: u32) -> &mut List {
        if bits & IN_MAIN == 0 { &mut self.small } else { &mut self.main }
    }

    fn push(&mut self, nodes: &mut impl Nodes, slot: u32, bits: u32) {
        nodes.set_bits(slot, bits);
        self.queue(bits).push_newest(nodes, slot);
    }

    /// The oldest key of main that was not used since its last round.
    fn main_victim(&mut self, nodes: &mut impl Nodes) -> Option<u32> {
        loop {
            let slot = self.main.oldest()?;
            let uses = nodes.bits(slot) & USES;
            if uses == 0 {
                return Some(slot);
            }
            nodes.set_bits(slot, IN_MAIN | (uses - 1));
            self.main.move_to_newest(nodes, slot);
        }
    }

    /// The oldest key of the small queue that was used less than twice; the others move to main.
    fn small_victim(&mut self, nodes: &mut impl Nodes) -> Option<u32> {
        let keys = self.len();
        loop {
            let slot = self.small.oldest()?;
            if nodes.bits(slot) & USES < USES_FOR_MAIN {
                self.ghost.remember(nodes.hash(slot), keys - keys / SMALL_PART);
                return Some(slot);
            }
            self.small.unlink(nodes, slot);
            self.push(nodes, slot, IN_MAIN);
        }
    }
}

impl<N: Nodes> Order<N> for S3Fifo {
    fn inserted(&mut self, nodes: &mut N, slot: u32, hash: u64) {
        let to_main = self.ghost.forget(hash) || !self.has_evicted;
        self.push(nodes, slot, if to_main { IN_MAIN } else { 0 });
        if !self.has_evicted && self.small.len() < self.len() / SMALL_PART {
            let oldest = self.main.oldest().expect("main has most of the keys");
            self.main.unlink(nodes, oldest);
            self.push(nodes, oldest, nodes.bits(oldest) & USES);
        }
    }

    fn used(&mut self, nodes: &mut N, slot: u32, _hash: u64) {
        let bits = nodes.bits(slot);
        if bits & USES < USES {
            nodes.set_bits(slot, bits + 1);
        }
    }

    fn removed(&mut self, nodes: &mut N, slot: u32) {
        self.queue(nodes.bits(slot)).unlink(nodes, slot);
    }

    fn victim(&mut self, nodes: &mut N) -> Option<u32> {
        self.has_evicted = true;
        let small_is_full = self.small.len() * SMALL_PART >= self.len();
        let victim = if small_is_full { self.small_victim(nodes) } else { None };
        victim.or_else(|| self.main_victim(nodes))
    }

    fn moved(&mut self, nodes: &mut N, _old: u32, new: u32) {
        self.queue(nodes.bits(new)).moved(nodes, new);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{drawn, play};
    use super::*;
    use crate::engine::hashing;

    #[test]
    fn the_example_of_the_head() {
        let mut order = S3Fifo { has_evicted: true, ..S3Fifo::default() };
        let mut remember = |key: char| order.ghost.remember(hashing::hasher().hash_one(key), 4);
        ['a', 'x'].into_iter().for_each(&mut remember);
        let mark = |bits: u32| ["", "*", "*2"][(bits & USES) as usize];
        let mut cache = play(order, 5, "abcdecc");
        assert_eq!(drawn(&cache, |it| &it.small, mark), "e d c*2 b");
        assert_eq!(drawn(&cache, |it| &it.main, mark), "a");

        assert_eq!(cache.request('x'), Some('b'), "not used");
        assert_eq!(drawn(&cache, |it| &it.main, mark), "x a", "the ghost knew it");
        assert_eq!(cache.request('f'), Some('d'), "c was used twice");
        assert_eq!(drawn(&cache, |it| &it.small, mark), "f e");
        assert_eq!(drawn(&cache, |it| &it.main, mark), "c x a");

        assert_eq!(cache.request('a'), None);
        let evicted = [0, 1, 2].map(|_| cache.evict().map(|(key, ())| key));
        assert_eq!(evicted, ['e', 'f', 'x'].map(Some), "a goes round once more");
        assert_eq!(drawn(&cache, |it| &it.main, mark), "a c");
    }
}
