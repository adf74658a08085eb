//! SIEVE: a queue that used keys need not leave (Y. Zhang and others, "SIEVE is simpler than LRU",
//! NSDI 2024).
//!
//! ```text
//! newest   oldest
//! d c* b a*         a and c were used; the hand is at the oldest, a
//!                   e arrives. The hand clears a*, and goes on to b, which is the victim.
//! e d c* a          the hand is at c; a stays where it is
//!                   f arrives. The hand clears c*, and goes on to d, which is the victim.
//! f e c a           the hand is at e
//! ```
//!
//! The difference from Clock is one thing: a key that was used stays in its place, instead of going
//! to the front. So new keys stay together near the front, and the hand, which comes from the
//! other end, soon finds those that nobody used again: most keys of most workloads are used once.
//! The old and often used ones remain at the end, and the hand passes them once in a long round.
//!
//! It does not resist a long scan as well as S3-FIFO: every key of the scan stays until the hand
//! comes by. On the scan trace of the tests it still misses less than an LRU, 0.60 against 0.67.

use super::{NONE, Nodes, Order, list::List};

/// The bit of a key that was used.
const USED: u32 = 1;

/// SIEVE; see the head of the file.
pub struct Sieve {
    queue: List,
    /// The slot that is looked at next, or `NONE` for the oldest.
    hand: u32,
}

impl Default for Sieve {
    fn default() -> Sieve {
        Sieve { queue: List::default(), hand: NONE }
    }
}

impl<N: Nodes> Order<N> for Sieve {
    fn inserted(&mut self, nodes: &mut N, slot: u32, _hash: u64) {
        nodes.set_bits(slot, 0);
        self.queue.push_newest(nodes, slot);
    }

    fn used(&mut self, nodes: &mut N, slot: u32, _hash: u64) {
        nodes.set_bits(slot, USED);
    }

    fn removed(&mut self, nodes: &mut N, slot: u32) {
        if self.hand == slot {
            self.hand = nodes.links(slot).newer;
        }
        self.queue.unlink(nodes, slot);
    }

    fn victim(&mut self, nodes: &mut N) -> Option<u32> {
        // From the newest the hand goes back to the oldest. A round clears all bits, so it ends.
        loop {
            if self.hand == NONE {
                self.hand = self.queue.oldest()?;
            }
            if nodes.bits(self.hand) & USED == 0 {
                return Some(self.hand);
            }
            nodes.set_bits(self.hand, 0);
            self.hand = nodes.links(self.hand).newer;
        }
    }

    fn moved(&mut self, nodes: &mut N, old: u32, new: u32) {
        self.queue.moved(nodes, new);
        if self.hand == old {
            self.hand = new;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{drawn, play};
    use super::*;

    #[test]
    fn the_example_of_the_head() {
        let mut sieve = play(Sieve::default(), 4, "abcdac");
        let mark = |bits| if bits & USED == 0 { "" } else { "*" };
        assert_eq!(drawn(&sieve, |it| &it.queue, mark), "d c* b a*");
        assert_eq!(sieve.request('e'), Some('b'));
        assert_eq!(drawn(&sieve, |it| &it.queue, mark), "e d c* a");
        assert_eq!(sieve.request('f'), Some('d'));
        assert_eq!(drawn(&sieve, |it| &it.queue, mark), "f e c a");
        let hand = sieve.order().hand;
        assert_eq!(sieve.key(hand), Some(&'e'));
    }
}
