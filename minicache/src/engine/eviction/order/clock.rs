//! Clock: a queue that gives a used key a second turn (F. J. Corbató, "A paging experiment with the
//! Multics system", 1968).
//!
//! ```text
//! newest  oldest
//! d c* b a*         a and c were used, which set their bits and moved nothing
//!                   e arrives. The oldest is a*: it loses its bit and goes to the front.
//! a d c* b          b is the victim, because it was not used since it came
//! e a d c*
//! ```
//!
//! In the textbook the keys stand in a circle and a hand passes over them. Going to the front of
//! the queue is the same: the hand is the end of the queue. A use writes one bit, which is in the
//! entry that the reader has just read. Linux had this as the second chance of its page lists.

use super::{Nodes, Order, list::List};

/// The bit of a key that was used.
const USED: u32 = 1;

/// Clock; see the head of the file.
#[derive(Default)]
pub struct Clock {
    queue: List,
}

impl<N: Nodes> Order<N> for Clock {
    fn inserted(&mut self, nodes: &mut N, slot: u32, _hash: u64) {
        nodes.set_bits(slot, 0);
        self.queue.push_newest(nodes, slot);
    }

    fn used(&mut self, nodes: &mut N, slot: u32, _hash: u64) {
        nodes.set_bits(slot, USED);
    }

    fn removed(&mut self, nodes: &mut N, slot: u32) {
        self.queue.unlink(nodes, slot);
    }

    fn victim(&mut self, nodes: &mut N) -> Option<u32> {
        loop {
            let slot = self.queue.oldest()?;
            if nodes.bits(slot) & USED == 0 {
                return Some(slot);
            }
            nodes.set_bits(slot, 0);
            self.queue.move_to_newest(nodes, slot);
        }
    }

    fn moved(&mut self, nodes: &mut N, _old: u32, new: u32) {
        self.queue.moved(nodes, new);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{drawn, play};
    use super::*;

    #[test]
    fn the_example_of_the_head() {
        let mut clock = play(Clock::default(), 4, "abcdac");
        let mark = |bits| if bits & USED == 0 { "" } else { "*" };
        assert_eq!(drawn(&clock, |it| &it.queue, mark), "d c* b a*");
        assert_eq!(clock.request('e'), Some('b'));
        assert_eq!(drawn(&clock, |it| &it.queue, mark), "e a d c*");
    }
}
