//! What all balancers have in common.
//!
//! A balancer sees the peers, those that this connection has tried already, and the time. It
//! answers with an index:
//!
//! ```text
//! peers    a           b (failed)   c
//! tried    a
//! pick     c                              None if c is not eligible either
//! ```
//!
//! It changes nothing but the weights of peers; connections and failures are counted by the
//! [upstream](crate::engine::upstream).
//!
//! NGINX counterpart: `ngx_peer_connection_t.get` (`ngx_event_connect.h`), a function pointer that
//! also counts the connection and falls back to the backup servers.

use crate::engine::peer::{Peer, PeerId};
use std::fmt::Debug;

/// An algorithm that chooses a peer.
pub trait Balancer: Debug + Send {
    /// Chooses among the peers that are [candidates](Choice::is_candidate). Returns the index of
    /// one, or `None` if no peer is left. Costs one or two passes over the peers.
    fn pick(&self, peers: &mut [Peer], choice: &mut Choice<'_>) -> Option<usize>;

    /// What the algorithm goes by in a pick that follows, in words: where a key is, which peers
    /// were drawn. `None` if it is all in the numbers of the peers.
    fn explain(&self, _peers: &[Peer], _choice: &mut Choice<'_>) -> Option<String> {
        None
    }
}

/// What a pick depends on besides the peers.
#[derive(Debug)]
pub struct Choice<'a> {
    /// Peers that this request has tried already.
    pub tried: &'a [PeerId],
    /// The time in milliseconds.
    pub now_ms: u64,
    /// So few peers are healthy that all of them are picked from.
    pub ignores_health: bool,
    /// What methods that hash go by; may be empty.
    pub key: &'a [u8],
    /// How far this request's search has come; kept for its next attempt.
    pub walk: &'a mut Walk,
}

impl Choice<'_> {
    /// Returns true if `peer` may be picked: eligible, not tried yet, and not passed over by its
    /// slow start.
    pub fn is_candidate(&self, peer: &Peer) -> bool {
        let is_fit = peer.is_eligible(self.now_ms) || (self.ignores_health && peer.is_available());
        is_fit && !peer.sits_out && !self.tried.contains(&peer.id)
    }

    /// Counts a step that found no candidate. Returns false after [`STEPS_MAX`] of them: then the
    /// request is balanced by round robin.
    pub(super) fn may_step(&mut self) -> bool {
        self.walk.steps += 1;
        self.walk.steps <= STEPS_MAX
    }
}

/// How often a method that hashes or draws tries again, as in NGINX.
pub const STEPS_MAX: u32 = 20;

/// The search of one request; see the balancer that uses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Steps that found no candidate.
    pub steps: u32,
    /// The hash so far, or the place on the ring.
    pub hash: Option<u64>,
    /// How often the key was hashed.
    pub rehash: u32,
    /// The state of the random numbers.
    pub random: u64,
}

impl Walk {
    /// The next random number (SplitMix64, Steele et al. 2014).
    pub fn next_random(&mut self) -> u64 {
        let number = mix(self.random);
        self.random = self.random.wrapping_add(GOLDEN);
        number
    }
}

/// 2⁶⁴ divided by the golden ratio: steps of this size spread evenly.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number that SplitMix64 makes of a state. Nearby states give unrelated numbers.
pub(super) fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(GOLDEN);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The peer that a number falls on if each peer takes as many numbers as its weight.
pub(super) fn by_weight(peers: &[Peer], number: u64) -> usize {
    let total = peers.iter().map(|it| it.params.weight as u64).sum::<u64>();
    let mut left = number % total.max(1);
    for (index, peer) in peers.iter().enumerate() {
        match left.checked_sub(peer.params.weight as u64) {
            Some(rest) => left = rest,
            None => return index,
        }
    }
    0
}
