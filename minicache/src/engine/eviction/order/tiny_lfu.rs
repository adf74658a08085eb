//! W-TinyLFU: a new key must win against an old one to stay (G. Einziger, R. Friedman, B. Manes,
//! "TinyLFU", 2017; Caffeine and moka).
//!
//! ```text
//! window, 1 %     probation                protected, 80 % of the rest
//! f               e d c                    b a
//!
//! g arrives       f leaves the window, and has to be used more often than c, the oldest of
//!                 probation, by two. The sketch says f 1, c 3: f is the victim. With f 5, c is.
//! d is used       it moves from probation to protected; the oldest of protected may move back
//! ```
//!
//! The window is an LRU for what is used a few times in a row and then no more, so uses in it are
//! not counted. The rest is an LRU of two segments. A scan cannot get in: its keys have been used
//! once, and the sketch remembers uses of keys that are long gone. That is also its fault: on the
//! OLTP trace the popular keys change, and with 15,000 keys it misses 37.5 % where an exact LRU
//! misses 35.4. Caffeine adapts the size of the window for that.

use super::{Nodes, Order, list::List, sketch::Sketch};

/// Bits of a node: its segment.
const WINDOW: u32 = 0;
const PROBATION: u32 = 1;
const PROTECTED: u32 = 2;
/// The window is this part of all keys.
const WINDOW_PART: usize = 100;
/// How much of the rest is protected, in percent.
const PROTECTED_PERCENT: usize = 80;

/// W-TinyLFU; see the head of the file.
#[derive(Default)]
pub struct TinyLfu {
    /// Window, probation, protected.
    segments: [List; 3],
    sketch: Sketch,
}

impl TinyLfu {
    fn segment(&mut self, bits: u32) -> &mut List {
        &mut self.segments[(bits as usize).min(2)]
    }

    fn len(&self) -> usize {
        self.segments.iter().map(List::len).sum()
    }

    /// Moves a key to the front of a segment.
    fn move_to(&mut self, nodes: &mut impl Nodes, slot: u32, segment: u32) {
        let before = nodes.bits(slot);
        self.segment(before).unlink(nodes, slot);
        nodes.set_bits(slot, segment);
        self.segment(segment).push_newest(nodes, slot);
    }

    fn oldest(&self, segment: u32) -> Option<u32> {
        self.segments[segment as usize].oldest()
    }
}

impl<N: Nodes> Order<N> for TinyLfu {
    fn inserted(&mut self, nodes: &mut N, slot: u32, hash: u64) {
        nodes.set_bits(slot, WINDOW);
        self.segment(WINDOW).push_newest(nodes, slot);
        self.sketch.reserve(self.len());
        self.sketch.record(hash);

        // While the cache fills, nothing has to leave, so there is no duel.
        if self.segment(WINDOW).len() > (self.len() / WINDOW_PART).max(1)
            && let Some(oldest) = self.oldest(WINDOW)
        {
            self.move_to(nodes, oldest, PROBATION);
        }
    }

    fn used(&mut self, nodes: &mut N, slot: u32, hash: u64) {
        let segment = if nodes.bits(slot) == WINDOW { WINDOW } else { PROTECTED };
        self.move_to(nodes, slot, segment);
        if segment == PROTECTED {
            self.sketch.record(hash);
        }

        let main = self.len() - self.segment(WINDOW).len();
        if self.segment(PROTECTED).len() * 100 > main * PROTECTED_PERCENT
            && let Some(oldest) = self.oldest(PROTECTED)
        {
            self.move_to(nodes, oldest, PROBATION);
        }
    }

    fn removed(&mut self, nodes: &mut N, slot: u32) {
        self.segment(nodes.bits(slot)).unlink(nodes, slot);
    }

    fn victim(&mut self, nodes: &mut N) -> Option<u32> {
        let incumbent = self.oldest(PROBATION).or_else(|| self.oldest(PROTECTED));
        let (Some(candidate), Some(incumbent)) = (self.oldest(WINDOW), incumbent) else {
            return self.oldest(WINDOW).or(incumbent);
        };

        // The candidate's last use does not count: the incumbent's next one is still to come. A tie
        // is for the incumbent, or the keys of a scan, or of a loop, would replace each other.
        let uses = [candidate, incumbent].map(|slot| self.sketch.estimate(nodes.hash(slot)));
        if uses[0] <= uses[1] + 1 {
            return Some(candidate);
        }
        self.move_to(nodes, candidate, PROBATION);
        Some(incumbent)
    }

    fn moved(&mut self, nodes: &mut N, _old: u32, new: u32) {
        self.segment(nodes.bits(new)).moved(nodes, new);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{drawn, play};
    use super::*;
    use crate::engine::hashing;

    #[test]
    fn the_example_of_the_head() {
        for (uses_of_f, victim, main) in [(1, 'f', "e d c"), (5, 'c', "f e d")] {
            let mut order = TinyLfu::default();
            order.sketch.reserve(6);
            let mut record = |key: char| order.sketch.record(hashing::hasher().hash_one(key));
            (1..3).for_each(|_| record('c'));
            (1..uses_of_f).for_each(|_| record('f'));

            let mut cache = play(order, 6, "abcdefab");
            assert_eq!(drawn(&cache, |it| &it.segments[0], |_| ""), "f");
            assert_eq!(drawn(&cache, |it| &it.segments[1], |_| ""), "e d c");
            assert_eq!(drawn(&cache, |it| &it.segments[2], |_| ""), "b a");
            assert_eq!(cache.request('g'), Some(victim));
            assert_eq!(drawn(&cache, |it| &it.segments[0], |_| ""), "g");
            assert_eq!(drawn(&cache, |it| &it.segments[1], |_| ""), main);

            assert_eq!(cache.request('d'), None);
            assert_eq!(drawn(&cache, |it| &it.segments[2], |_| ""), "d b a");
        }
    }
}
