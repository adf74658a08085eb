//! Least connections: the peer with the fewest open connections per unit of weight.
//!
//! Round robin counts connections that begin. If some last long, as those to a database do, peers
//! can end up with very different numbers of open ones. This balancer looks at the open ones.
//!
//! # Example
//!
//! ```text
//!            a weight=2   b weight=1   c weight=1
//! conns      2            2            1
//! per weight 1            2            1             a and c tie, b is out
//! ```
//!
//! The ratios are compared by cross multiplication, `a.conns * c.weight` with
//! `c.conns * a.weight`, so there is no division and no rounding.
//!
//! # Ties
//!
//! At the start every peer has 0 connections, so ties are the usual case. They are resolved by one
//! step of [smooth weighted round robin](super::round_robin) among the tied peers only. If one peer
//! is alone in front, it is picked and the weights stay as they are.
//!
//! NGINX counterpart: `ngx_stream_upstream_get_least_conn_peer`
//! (`ngx_stream_upstream_least_conn_module.c`). Same picks, ties included.

use super::balancer::{Balancer, Choice};
use super::round_robin::pick_smoothly;
use crate::engine::peer::Peer;
use std::cmp::Ordering;

/// The balancer of the directive `least_conn`.
#[derive(Debug)]
pub struct LeastConn;

impl Balancer for LeastConn {
    fn pick(&self, peers: &mut [Peer], choice: &mut Choice<'_>) -> Option<usize> {
        let candidates = peers.iter().filter(|peer| choice.is_candidate(peer));
        let least = candidates.map(Load::of).min_by(Load::compare)?;
        let is_tied = |peer: &Peer| {
            choice.is_candidate(peer) && Load::of(peer).compare(&least) == Ordering::Equal
        };

        // One peer alone in front: nothing to decide, and NGINX leaves the weights as they are.
        let first = peers.iter().position(is_tied)?;
        let has_tie = peers[first + 1..].iter().any(is_tied);
        if has_tie { pick_smoothly(peers, is_tied) } else { Some(first) }
    }
}

/// What a peer carries in proportion to its weight.
struct Load {
    conns: i64,
    weight: i64,
}

impl Load {
    fn of(peer: &Peer) -> Load {
        Load { conns: i64::from(peer.conns), weight: peer.params.weight }
    }

    /// Compares `conns / weight` without dividing.
    fn compare(&self, other: &Load) -> Ordering {
        (self.conns * other.weight).cmp(&(other.conns * self.weight))
    }
}
