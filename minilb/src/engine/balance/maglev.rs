//! Maglev: a table of 65,537 slots that says which peer a key belongs to.
//!
//! # Why not the ring?
//!
//! Shares on the ring differ by some 8 %, and a pick searches thousands of points. Here all shares
//! are equal to within one slot, and a pick is one look into the table. The price: a peer that goes
//! moves a few keys of the others as well, where the ring moves only its own.
//!
//! # How the table is filled
//!
//! Each peer has a permutation of the slots, `offset + skip * j mod M`, from two hashes of its
//! address. In turn, each takes the next slot of its permutation that is free. `M` is a prime, so
//! every `skip` visits all slots. The example of the paper, with `M = 7`:
//!
//! ```text
//!      offset  skip   permutation            slot   0  1  2  3  4  5  6
//! B0   3       4      3 0 4 1 5 2 6          all    B1 B0 B1 B0 B2 B2 B0
//! B1   0       2      0 2 4 6 1 3 5          no B1  B0 B0 B0 B0 B2 B2 B2
//! B2   3       1      3 4 5 6 0 1 2
//! ```
//!
//! Of the five slots of B0 and B2, one has moved (slot 6). A peer of half the largest weight takes
//! part in every second turn.
//!
//! If a peer cannot be used, the hash is mixed again, up to twenty times; then round robin.
//!
//! Paper: Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
//! section 3.4. Counterpart: Envoy's `maglev_lb.cc`; same turns and weights, but Envoy hashes with
//! xxHash64. NGINX has none; the directive is ours.

use super::balancer::{Balancer, Choice, STEPS_MAX, mix};
use super::round_robin::RoundRobin;
use crate::engine::peer::Peer;

/// The size of the table: a prime, about 100 times the largest number of peers to be expected.
const SLOTS: u64 = 65_537;

/// The balancer of the directive `hash KEY maglev`.
#[derive(Debug)]
pub struct Maglev {
    /// The index of a peer, by slot.
    table: Vec<u32>,
    peers: usize,
}

impl Maglev {
    /// The table of these peers. Costs some milliseconds.
    pub fn new(peers: &[Peer]) -> Maglev {
        let permutations = peers.iter().map(|peer| {
            let hash = u64::from(crc32fast::hash(peer.address.as_bytes()));
            let (offset, skip) = (mix(hash) % SLOTS, mix(!hash) % (SLOTS - 1) + 1);
            (offset, skip, peer.params.weight as u64)
        });
        Maglev { table: fill(&permutations.collect::<Vec<_>>(), SLOTS), peers: peers.len() }
    }

    /// How many slots each peer has.
    pub fn shares(&self) -> Vec<usize> {
        let mut shares = vec![0; self.peers];
        self.table.iter().for_each(|it| shares[*it as usize] += 1);
        shares
    }
}

impl Balancer for Maglev {
    fn pick(&self, peers: &mut [Peer], choice: &mut Choice<'_>) -> Option<usize> {
        let is_over = choice.walk.steps > STEPS_MAX;
        if peers.len() < 2 || choice.key.is_empty() || is_over {
            return RoundRobin.pick(peers, choice);
        }
        let mut hash = choice.walk.hash.unwrap_or(u64::from(crc32fast::hash(choice.key)));
        loop {
            choice.walk.hash = Some(hash);
            let index = self.table[(hash % SLOTS) as usize] as usize;
            if choice.is_candidate(&peers[index]) {
                return Some(index);
            }
            hash = mix(hash);
            if !choice.may_step() {
                return RoundRobin.pick(peers, choice);
            }
        }
    }

    fn explain(&self, peers: &[Peer], choice: &mut Choice<'_>) -> Option<String> {
        let slot = u64::from(crc32fast::hash(choice.key)) % SLOTS;
        let owner = peers.get(self.table[slot as usize] as usize)?;
        Some(format!("slot {slot} of {SLOTS} belongs to {}", owner.name))
    }
}

/// Fills a table from the offset, skip and weight of each peer.
fn fill(permutations: &[(u64, u64, u64)], slots: u64) -> Vec<u32> {
    const FREE: u32 = u32::MAX;
    let mut table = vec![FREE; slots as usize];
    let largest = permutations.iter().map(|it| it.2).max().unwrap_or(1);
    let mut next = permutations.iter().map(|it| it.0).collect::<Vec<_>>();
    let mut targets = vec![0; permutations.len()];
    let mut left = if permutations.is_empty() { 0 } else { slots };
    for turn in 1.. {
        for (index, (_, skip, weight)) in permutations.iter().enumerate() {
            if left == 0 {
                return table;
            }
            // The heaviest peer takes part in every turn, one of half its weight in every second.
            if turn * weight < targets[index] {
                continue;
            }
            targets[index] += largest;
            while table[next[index] as usize] != FREE {
                next[index] = (next[index] + skip) % slots;
            }
            table[next[index] as usize] = index as u32;
            left -= 1;
        }
        if left == 0 {
            break;
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        assert_eq!(fill(&[(3, 4, 1), (0, 2, 1), (3, 1, 1)], 7), [1, 0, 1, 0, 2, 2, 0]);
        assert_eq!(fill(&[(3, 4, 1), (3, 1, 1)], 7), [0, 0, 0, 0, 1, 1, 1]);
    }

    /// Envoy's documentation of the Maglev load balancer has these numbers.
    #[test]
    fn shares_follow_the_weights_as_in_envoy() {
        let table = fill(&[(17, 3, 1), (99, 5, 2)], SLOTS);
        let light = table.iter().filter(|it| **it == 0).count();
        assert_eq!((light, table.len() - light), (21_846, 43_691));
    }
}
