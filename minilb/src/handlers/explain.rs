//! Why a request went to its server, a line for each step.
//!
//! ```text
//! location /, to upstream app
//! attempt 1, round robin: 10.0.0.1:80
//! server 10.0.0.1:80: current 0 to -1, effective 4 to 5 of 5, 0 open
//! server 10.0.0.2:80: current 0 to 1, effective 1 to 1 of 1, 3 open
//! server 10.0.0.3:80: current 0 to 0, effective 1 to 1 of 1, 0 open, breaker open for 21.4 s more
//! retried: upstream timed out
//! attempt 2, round robin: 10.0.0.2:80; 9 retries are left in the budget
//! ...
//! not retried: POST, LOCK and PATCH are not sent twice
//! ```
//!
//! The numbers are those before the pick, weights also after it. `minilb why` prints these lines; a
//! location with `explain on` answers the request header `X-Explain` with those of its attempts.

use crate::engine::health::breaker::State;
use crate::engine::peer::Peer;
use crate::engine::upstream::{Attempts, Picked, Upstream};
use std::fmt::Write;

/// The request header that asks for it, and the response headers that carry it.
pub const HEADER: &str = "X-Explain";

/// More servers are counted only: clients limit the length of a response head.
const SERVERS_MAX: usize = 20;

/// Explains a pick. `before` are the peers and `attempts` the attempts as they were; `picked` is
/// what came out of it.
pub fn pick(
    before: &[Peer],
    upstream: &Upstream,
    attempts: &mut Attempts,
    picked: Option<&Picked>,
    now_ms: u64,
) -> Vec<String> {
    let number = attempts.count() + 1;
    let method = upstream.method().name();
    let mut first = match picked {
        None => format!("attempt {number}, {method}: no server is left"),
        Some(it) if it.is_probe => {
            format!("attempt {number}, {method}: {}, as the probe of its breaker", it.address)
        }
        Some(it) => format!("attempt {number}, {method}: {}", it.address),
    };
    if let Some(detail) = upstream.explain(before, attempts, now_ms) {
        write!(first, "; {detail}").expect("a string takes all");
    }
    if let Some(left) = upstream.retries_left() {
        write!(first, "; {left} retries are left in the budget").expect("a string takes all");
    }

    if upstream.is_panic(now_ms) {
        first += "; so few servers are usable that their health is ignored";
    }

    let mut lines = vec![first];
    for (before, after) in before.iter().zip(upstream.peers()).take(SERVERS_MAX) {
        let Peer { address, current_weight, effective_weight, params, conns, .. } = before;
        let weight = params.weight;
        let Peer { current_weight: current, effective_weight: effective, .. } = after;
        let mut line = format!(
            "server {address}: current {current_weight} to {current}, \
             effective {effective_weight} to {effective} of {weight}, {conns} open"
        );
        if upstream.backups().iter().any(|it| it.id == before.id) {
            line += ", backup";
        }
        if let Some(latency_us) = before.latency.at(now_ms) {
            write!(line, ", latency {:.2} ms", latency_us / 1000.0).expect("a string takes all");
        }
        let is_picked = picked.is_some_and(|it| it.id == before.id);
        if !is_picked && let Some(reason) = reason(before, after.sits_out, attempts, now_ms) {
            write!(line, ", {reason}").expect("a string takes all");
        }
        lines.push(line);
    }
    if before.len() > SERVERS_MAX {
        lines.push(format!("and {} more servers", before.len() - SERVERS_MAX));
    }
    lines
}

/// What keeps a peer out of a pick.
pub fn reason(peer: &Peer, sits_out: bool, attempts: &Attempts, now_ms: u64) -> Option<String> {
    let seconds = |until_ms: u64| until_ms.saturating_sub(now_ms) as f64 / 1000.0;
    if attempts.has_tried(peer.id) {
        return Some("tried already".to_owned());
    }
    if peer.params.down {
        return Some("down".to_owned());
    }
    if peer.is_full() {
        return Some("max_conns is reached".to_owned());
    }
    if peer.is_disabled(now_ms) {
        let until_s = peer.checked_s.saturating_add(peer.params.fail_timeout_s);
        let until_ms = until_s.saturating_add(1).saturating_mul(1000);
        return Some(format!("{} fails, out for {:.1} s more", peer.fails, seconds(until_ms)));
    }
    if peer.check.is_unhealthy {
        return Some("unhealthy by its checks".to_owned());
    }
    match peer.breaker.state {
        State::Open(until_ms) if until_ms > now_ms => {
            Some(format!("breaker open for {:.1} s more", seconds(until_ms)))
        }
        State::HalfOpen => Some("breaker half-open, its probe is under way".to_owned()),
        _ if sits_out => {
            let share = peer.slow_start.share(peer.params.slow_start_ms, now_ms);
            Some(format!("slow start, {} % of its turns", share / 10))
        }
        _ => None,
    }
}
