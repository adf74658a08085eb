//! Least time: the peer that will probably answer first, by latency and open requests.
//!
//! Connections alone mislead when servers differ: a slow one with one request can take longer than
//! a fast one with five. The load of a peer is the time that its queue should take:
//!
//! ```text
//! load = latency * (conns + 1) / weight
//!
//!           a           b           c
//! latency   10 ms       10 ms       80 ms       estimates (`engine/latency.rs`)
//! conns     5           9           0
//! load      60          100         80          a, although c is idle
//! ```
//!
//! A peer that has not answered yet counts as the fastest of the others. If it counted as 0 it
//! would get every request until its first answer; as their mean, none while they are idle.
//!
//! `least_time header` compares all peers, and ties are resolved by smooth weighted round robin.
//! `random two least_time=header` compares two random ones, so that several load balancers with
//! the same estimates do not all choose the same server at once.
//!
//! Counterpart: P2C with peak-EWMA in linkerd (`tower::balance::p2c`, `tower::load::peak_ewma`).
//! NGINX Plus has both directives (`ngx_http_upstream_least_time_module`); its formula is not
//! published, so only the names are the same.

use super::balancer::{Balancer, Choice};
use super::round_robin::pick_smoothly;
use crate::engine::peer::Peer;

/// The balancer of the directive `least_time header`.
#[derive(Debug)]
pub struct LeastTime;

impl Balancer for LeastTime {
    fn pick(&self, peers: &mut [Peer], choice: &mut Choice<'_>) -> Option<usize> {
        let unknown = lowest(peers.iter().filter(|it| choice.is_candidate(it)), choice.now_ms);
        let load = |peer: &Peer| load(peer, unknown, choice.now_ms);
        let candidates = peers.iter().filter(|it| choice.is_candidate(it));
        let least = candidates.map(load).min_by(f64::total_cmp)?;
        pick_smoothly(peers, |it| choice.is_candidate(it) && load(it) <= least)
    }
}

/// The lowest latency of peers that have answered; 1 µs if none has, so that connections decide.
pub(super) fn lowest<'a>(peers: impl Iterator<Item = &'a Peer>, now_ms: u64) -> f64 {
    peers.filter_map(|it| it.latency.at(now_ms)).min_by(f64::total_cmp).unwrap_or(1.0)
}

/// How long a peer's requests should take, with one more, per unit of weight.
pub(super) fn load(peer: &Peer, unknown_us: f64, now_ms: u64) -> f64 {
    let latency = peer.latency.at(now_ms).unwrap_or(unknown_us);
    latency * f64::from(peer.conns + 1) / peer.params.weight as f64
}
