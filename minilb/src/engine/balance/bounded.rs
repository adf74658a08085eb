//! Consistent hashing with bounded loads: a popular key does not bring its server down.
//!
//! The [ring](super::ring) sends every request for a key to one server. If a key is asked for by
//! everybody, that server gets all of it while the others idle. Here no server may have more than
//! its share of the open requests times a factor; what would be too much goes on along the ring:
//!
//! ```text
//! factor 125 %, three servers, 7 open requests and this one: 8 * 1.25 = 10 slots
//!
//!            a     b     c
//! slots      3     3     4          rounding: the remainder goes by cumulative weight
//! conns      3     1     3
//! key of a ──X───> b                a is full; b is next on the ring
//! ```
//!
//! While nobody is full this is the ring itself, and a key overflows always to the same server, so
//! caches stay warm. HAProxy recommends 125 to 200 %: nearer to 100 % more keys leave their server,
//! and far above it a popular key is hardly bounded.
//!
//! Paper: Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads",
//! arXiv:1608.01350. Counterpart: HAProxy's `hash-balance-factor` (`chash_server_is_eligible` in
//! `src/lb_chash.c`), same slots. NGINX has none; the parameter is ours, the name HAProxy's.

use super::balancer::{Balancer, Choice};
use super::ring::Ring;
use super::round_robin::{RoundRobin, pick_smoothly};
use crate::engine::peer::Peer;

/// The balancer of the directive `hash KEY consistent balance_factor=PERCENT`.
#[derive(Debug)]
pub struct Bounded {
    ring: Ring,
    factor: u64,
}

impl Bounded {
    /// The ring of these peers, with a limit of `factor` percent of the mean.
    pub fn new(peers: &[Peer], factor: u32) -> Bounded {
        Bounded { ring: Ring::new(peers), factor: factor.into() }
    }

    /// How many connections each peer may have if there is one more than now. Peers that get none
    /// have no slots.
    pub fn slots(&self, peers: &[Peer], now_ms: u64) -> Vec<u64> {
        let eligible = || peers.iter().filter(|it| it.is_eligible(now_ms));
        let weights = eligible().map(|it| it.params.weight as u64).sum::<u64>().max(1);
        let served = eligible().map(|it| u64::from(it.conns)).sum::<u64>();
        let total = ((served + 1) * self.factor).div_ceil(100);
        let (each, rest) = (total / weights, total % weights);

        // A whole number of slots for each unit of weight, and the rest in proportion.
        let mut before = 0;
        let slots = peers.iter().map(|peer| {
            if !peer.is_eligible(now_ms) {
                return 0;
            }
            let weight = peer.params.weight as u64;
            let share = (before + weight) * rest / weights - before * rest / weights;
            before += weight;
            (weight * each + share).max(1)
        });
        slots.collect()
    }
}

impl Balancer for Bounded {
    fn pick(&self, peers: &mut [Peer], choice: &mut Choice<'_>) -> Option<usize> {
        if peers.len() < 2 || choice.key.is_empty() {
            return RoundRobin.pick(peers, choice);
        }
        let slots = self.slots(peers, choice.now_ms);
        let full = peers.iter().zip(slots).filter(|(it, slots)| u64::from(it.conns) >= *slots);
        let full = full.map(|(it, _)| it.id).collect::<Vec<_>>();
        for name in self.ring.names_from(choice.key) {
            let is_here =
                |it: &Peer| it.name == *name && choice.is_candidate(it) && !full.contains(&it.id);
            if let Some(index) = pick_smoothly(peers, is_here) {
                return Some(index);
            }
        }
        // All that are left were tried or are full.
        RoundRobin.pick(peers, choice)
    }

    fn explain(&self, peers: &[Peer], choice: &mut Choice<'_>) -> Option<String> {
        let slots = self.slots(peers, choice.now_ms);
        let place = self.ring.explain(peers, choice)?;
        Some(format!("{place}; the servers may have {slots:?} open, in their order"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::peer::{PeerId, PeerParams};

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let peer = |(id, conns): (u64, u32)| {
            let name = ["a", "b", "c"][id as usize];
            let mut peer = Peer::new(PeerId(id), name.into(), name.into(), PeerParams::default());
            peer.conns = conns;
            peer
        };
        let mut peers = [(0, 3), (1, 1), (2, 3)].map(peer);
        let bounded = Bounded::new(&peers, 125);
        assert_eq!(bounded.slots(&peers, 0), [3, 3, 4]);
        // A server that is out leaves its slots to the others.
        peers[1].params.down = true;
        assert_eq!(bounded.slots(&peers, 0), [4, 0, 5]);
    }
}
