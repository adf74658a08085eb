//! One server of an upstream: what it may take, and what is known about its health.
//!
//! # Passive health checks
//!
//! NGINX sends no probes. It counts failed attempts to connect, and the counter has three rules:
//!
//! ```text
//! a failure               fails += 1, accessed = checked = now
//! fails >= max_fails      the peer is skipped while now - checked <= fail_timeout
//! picked after that       checked = now, so only one connection per fail_timeout tries it
//! it works                fails = 0, but only if accessed < checked
//! ```
//!
//! # Example
//!
//! `max_fails=2 fail_timeout=10`, times in seconds:
//!
//! ```text
//! time   event       fails   accessed   checked
//! 100    failure     1       100        100
//! 101    success     1       100        100       accessed = checked: the failure still counts
//! 109    failure     2       109        109       disabled
//! 119    skipped     2       109        109       119 - 109 <= 10
//! 120    picked      2       109        120
//! 120    success     0       109        120       accessed < checked: healthy again
//! ```
//!
//! Line two is the trap: a success does not clear the counter before `fail_timeout` has passed. Two
//! failures nine seconds apart disable a peer, even with a thousand successes between them.
//!
//! # The weight follows
//!
//! Each failure also takes `weight / max_fails` off the effective weight, and each pick in which
//! the peer takes part gives one back. So a peer that comes back gets its share gradually. The
//! division is of integers: with `weight=1 max_fails=2` nothing is taken off.
//!
//! NGINX counterpart: `ngx_stream_upstream_rr_peer_t` and
//! `ngx_stream_upstream_free_round_robin_peer` (`ngx_stream_upstream_round_robin.c`). NGINX keeps
//! this state per worker process unless the upstream has a `zone`; ours is always shared.

use super::health::breaker::Breaker;
use super::health::check::Check;
use super::health::slow_start::SlowStart;
use super::latency::{Histogram, Latency};
use std::sync::Arc;

/// A peer, from its first configuration to its last: a reload keeps the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerId(pub u64);

/// The parameters of a `server` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerParams {
    /// `weight`: the share of connections, at least 1.
    pub weight: i64,
    /// `max_fails`: failures until the peer is skipped; 0 turns the accounting off.
    pub max_fails: u32,
    /// `fail_timeout`: how long it is skipped, in seconds.
    pub fail_timeout_s: u64,
    /// `max_conns`: connections at a time; 0 means no limit.
    pub max_conns: u32,
    /// `down`: never picked.
    pub down: bool,
    /// `slow_start`: how long it takes to get its whole share back, in milliseconds.
    pub slow_start_ms: u64,
}

impl Default for PeerParams {
    /// What NGINX takes if a `server` line names no parameter.
    fn default() -> PeerParams {
        PeerParams {
            weight: 1,
            max_fails: 1,
            fail_timeout_s: 10,
            max_conns: 0,
            down: false,
            slow_start_ms: 0,
        }
    }
}

/// A server with its state.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its identity.
    pub id: PeerId,
    /// As its `server` line names it: `db.example:5432`.
    pub name: Arc<str>,
    /// `IP:PORT`.
    pub address: Arc<str>,
    /// Its `server` line.
    pub params: PeerParams,
    /// The position in the smooth weighted sequence.
    pub current_weight: i64,
    /// The weight after failures; recovers by 1 per pick.
    pub effective_weight: i64,
    /// Open connections.
    pub conns: u32,
    /// Failures that still count.
    pub fails: u32,
    /// When it failed last, in seconds.
    pub accessed_s: u64,
    /// When it failed last or was tried again, in seconds.
    pub checked_s: u64,
    /// How long it takes to answer; recorded only if the method asks for it.
    pub latency: Latency,
    /// How long connections to it were held that have not failed.
    pub times: Histogram,
    /// What active checks have found.
    pub check: Check,
    /// Its circuit breaker.
    pub breaker: Breaker,
    /// Its way back to a whole share.
    pub slow_start: SlowStart,
    /// Slow start passes it over in the pick that is going on.
    pub sits_out: bool,
}

impl Peer {
    /// A healthy peer without connections.
    pub fn new(id: PeerId, name: Arc<str>, address: Arc<str>, params: PeerParams) -> Peer {
        Peer {
            id,
            name,
            address,
            params,
            current_weight: 0,
            effective_weight: params.weight,
            conns: 0,
            fails: 0,
            accessed_s: 0,
            checked_s: 0,
            latency: Latency::default(),
            times: Histogram::default(),
            check: Check::default(),
            breaker: Breaker::default(),
            slow_start: SlowStart::default(),
            sits_out: false,
        }
    }

    /// Returns true if the peer can get a connection now: not `down`, below `max_conns`, and
    /// neither failures, checks nor its breaker keep it out.
    pub fn is_eligible(&self, now_ms: u64) -> bool {
        self.is_available()
            && !self.is_disabled(now_ms)
            && !self.check.is_unhealthy
            && self.breaker.admits(now_ms)
    }

    /// Returns true if nothing but its health can keep the peer out.
    pub fn is_available(&self) -> bool {
        !self.params.down && !self.is_full()
    }

    /// Returns true if failures keep the peer out at this time.
    pub fn is_disabled(&self, now_ms: u64) -> bool {
        let since_check = seconds(now_ms).saturating_sub(self.checked_s);
        self.has_failed_too_often() && since_check <= self.params.fail_timeout_s
    }

    /// Returns true if the peer has `max_conns` connections.
    pub fn is_full(&self) -> bool {
        self.params.max_conns != 0 && self.conns >= self.params.max_conns
    }

    fn has_failed_too_often(&self) -> bool {
        self.params.max_fails != 0 && self.fails >= self.params.max_fails
    }

    /// The peer takes part in a weighted pick: advances its position, and gives back one unit of
    /// weight that failures took. Returns what it added, before that unit.
    pub fn advance(&mut self) -> i64 {
        let added = self.effective_weight;
        self.current_weight += added;
        if self.effective_weight < self.params.weight {
            self.effective_weight += 1;
        }
        added
    }

    /// The peer was picked. A disabled peer whose time is over is being tried now, so the next
    /// connections go elsewhere until the result is known or `fail_timeout` has passed again.
    pub fn mark_picked(&mut self, now_ms: u64) {
        let now_s = seconds(now_ms);
        if now_s.saturating_sub(self.checked_s) > self.params.fail_timeout_s {
            self.checked_s = now_s;
        }
    }

    /// An attempt succeeded. Clears the failures if the peer was tried again after the last one.
    pub fn record_success(&mut self, now_ms: u64) {
        if self.accessed_s < self.checked_s {
            if self.has_failed_too_often() {
                self.come_back(now_ms);
            }
            self.fails = 0;
        }
    }

    /// The peer was out and is back.
    pub fn come_back(&mut self, now_ms: u64) {
        self.slow_start.begin(self.params.slow_start_ms, now_ms);
    }

    /// An attempt failed. Returns true if the peer is disabled from now on.
    pub fn record_failure(&mut self, now_ms: u64) -> bool {
        let now_s = seconds(now_ms);
        self.fails = self.fails.saturating_add(1);
        self.accessed_s = now_s;
        self.checked_s = now_s;

        // With max_fails=0 nothing is accounted, so the weight stays as well.
        if self.params.max_fails != 0 {
            let lost = self.params.weight / i64::from(self.params.max_fails);
            self.effective_weight = (self.effective_weight - lost).max(0);
        }
        self.has_failed_too_often()
    }
}

/// NGINX's accounting knows whole seconds only.
fn seconds(ms: u64) -> u64 {
    ms / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(params: PeerParams) -> Peer {
        Peer::new(PeerId(0), "a".into(), "127.0.0.1:80".into(), params)
    }

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let mut peer = peer(PeerParams { max_fails: 2, ..PeerParams::default() });
        let state = |it: &Peer| (it.fails, it.accessed_s, it.checked_s);
        assert!(!peer.record_failure(100_000));
        assert_eq!(state(&peer), (1, 100, 100));
        peer.mark_picked(101_000);
        peer.record_success(101_000);
        assert_eq!(state(&peer), (1, 100, 100));
        assert!(peer.record_failure(109_999));
        assert_eq!(state(&peer), (2, 109, 109));
        assert!(!peer.is_eligible(119_999));
        assert!(peer.is_eligible(120_000));
        peer.mark_picked(120_000);
        assert!(!peer.is_eligible(120_000), "only one connection tries it");
        assert_eq!(state(&peer), (2, 109, 120));
        peer.record_success(120_000);
        assert_eq!(state(&peer), (0, 109, 120));
    }

    #[test]
    fn failures_take_weight_in_whole_units() {
        let mut heavy = peer(PeerParams { weight: 5, max_fails: 2, ..PeerParams::default() });
        heavy.record_failure(1);
        assert_eq!(heavy.effective_weight, 3);
        heavy.record_failure(1);
        heavy.record_failure(1);
        assert_eq!(heavy.effective_weight, 0);
        assert_eq!((heavy.advance(), heavy.advance()), (0, 1));

        let mut light = peer(PeerParams { max_fails: 2, ..PeerParams::default() });
        light.record_failure(1);
        assert_eq!(light.effective_weight, 1);
    }

    #[test]
    fn without_max_fails_nothing_disables_a_peer() {
        let mut peer = peer(PeerParams { max_fails: 0, ..PeerParams::default() });
        for now in 0..100 {
            assert!(!peer.record_failure(now));
            assert!(peer.is_eligible(now));
        }
        assert_eq!(peer.effective_weight, 1);
    }
}
