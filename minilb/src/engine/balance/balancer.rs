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
    /// Chooses among the peers that are [eligible](Peer::is_eligible) at `now_s`, in seconds, and
    /// not in `tried`. Returns the index of one, or `None` if no peer is left. Costs one or two
    /// passes over the peers.
    fn pick(&self, peers: &mut [Peer], tried: &[PeerId], now_s: u64) -> Option<usize>;
}

/// Returns true if `peer` may be picked: eligible and not tried yet.
pub(super) fn is_candidate(peer: &Peer, tried: &[PeerId], now_s: u64) -> bool {
    !tried.contains(&peer.id) && peer.is_eligible(now_s)
}
