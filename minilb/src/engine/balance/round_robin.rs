//! Smooth weighted round robin: each peer in turn, the heavy ones more often, with the turns of the
//! light ones spread between them.
//!
//! # Why smooth?
//!
//! With weights 5, 1, 1 the naive way sends five connections to `a`, then one each to `b` and `c`:
//! `a a a a a b c`. The shares are right, but `a` gets a burst of five while the others idle. The
//! smooth sequence has the same shares and spreads them: `a a b a c a a`.
//!
//! # How
//!
//! In each pick every candidate's current weight grows by its effective weight. The largest is
//! picked, the first one if several are equal, and pays the sum of what was added:
//!
//! ```text
//!         before      after adding 5 1 1    pick    after paying 7
//!   1     0  0  0        5  1  1            a         -2  1  1
//!   2    -2  1  1        3  2  2            a         -4  2  2
//!   3    -4  2  2        1  3  3            b          1 -4  3
//!   4     1 -4  3        6 -3  4            a         -1 -3  4
//!   5    -1 -3  4        4 -2  5            c          4 -2 -2
//!   6     4 -2 -2        9 -1 -1            a          2 -1 -1
//!   7     2 -1 -1        7  0  0            a          0  0  0      and again from the start
//! ```
//!
//! The sum of the current weights is 0 after every pick as long as all peers take part, so after
//! `5 + 1 + 1` picks each peer has been chosen as often as its weight says.
//!
//! NGINX counterpart: `ngx_stream_upstream_get_peer` (`ngx_stream_upstream_round_robin.c`). Same
//! sequence, ties and recovery of the effective weight included.

use super::balancer::{Balancer, Choice};
use crate::engine::peer::Peer;

/// The default of an upstream.
#[derive(Debug)]
pub struct RoundRobin;

impl Balancer for RoundRobin {
    fn pick(&self, peers: &mut [Peer], choice: &mut Choice<'_>) -> Option<usize> {
        pick_smoothly(peers, |peer| choice.is_candidate(peer))
    }
}

/// One step of the sequence among the peers that satisfy `is_candidate`. Returns the index of the
/// peer picked, or `None` if there is no candidate. `is_candidate` must not look at the weights
/// that change here.
pub(super) fn pick_smoothly(
    peers: &mut [Peer],
    is_candidate: impl Fn(&Peer) -> bool,
) -> Option<usize> {
    let mut best: Option<(usize, i64)> = None;
    let mut total = 0;
    for (index, peer) in peers.iter_mut().enumerate().filter(|(_, peer)| is_candidate(peer)) {
        total += peer.advance();
        // Only a larger weight wins, so the first of equal ones stays.
        if best.is_none_or(|(_, weight)| peer.current_weight > weight) {
            best = Some((index, peer.current_weight));
        }
    }

    let (index, _) = best?;
    peers[index].current_weight -= total;
    Some(index)
}
