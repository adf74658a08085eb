//! An upstream: its primary servers, its backup servers, and the connections they carry.
//!
//! # The life of a connection
//!
//! ```text
//! Attempts::default()
//! pick ─> Some(peer) ─ connect fails ──> release(Failed)  ─> pick again, other peers
//!      │             └ connect works ──> connected ─ ... ─> release(Finished)
//!      └> None: "no live upstreams"
//! ```
//!
//! [`Attempts`] belongs to one connection of a client: the peers it has tried, and its move to the
//! backup servers. When no primary server is left, the connection moves to the backups for good.
//!
//! # Example
//!
//! `server a; server b; server c backup;`, where `a` and `b` refuse connections:
//!
//! ```text
//! pick     a     release(Failed)   tried a
//! pick     b     release(Failed)   tried a b
//! pick     c                       no primary left: the backups
//! ```
//!
//! # One server alone
//!
//! If the upstream has one server and no backup, failures are not counted: skipping the only server
//! would turn a short problem into `fail_timeout` seconds without service.
//!
//! # Reload
//!
//! [`Upstream::reconfigure`] takes the servers of the new configuration. A server that is written
//! as before (the first argument of its line) and has the same address keeps its [`PeerId`],
//! connections and failures; otherwise each reload would send clients to servers known to be dead.
//! Connections of the old configuration release by `PeerId`, so the counters stay exact. If the
//! weight has changed, the peer's place in the sequence starts anew.
//!
//! NGINX counterpart: `ngx_stream_upstream_get_round_robin_peer`, `…_notify_…` and `…_free_…`
//! (`ngx_stream_upstream_round_robin.c`). NGINX starts new worker processes at a reload, and they
//! know nothing of failures and connections (with a `zone`, since 1.27, some of it).

use super::balance::balancer::{Balancer, Choice, Walk};
use super::balance::bounded::Bounded;
use super::balance::hash::Hash;
use super::balance::ip_hash::IpHash;
use super::balance::least_conn::LeastConn;
use super::balance::least_time::LeastTime;
use super::balance::maglev::Maglev;
use super::balance::random::{Compare, Random};
use super::balance::ring::Ring;
use super::balance::round_robin::RoundRobin;
use super::peer::{Peer, PeerId, PeerParams};
use std::sync::Arc;

/// How an upstream chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The default.
    RoundRobin,
    /// `least_conn`
    LeastConn,
    /// `hash KEY`
    Hash,
    /// `hash KEY consistent`
    ConsistentHash,
    /// `hash KEY consistent balance_factor=PERCENT`
    BoundedHash(u32),
    /// `hash KEY maglev`
    Maglev,
    /// `ip_hash`
    IpHash,
    /// `random`, or `random two` with what it compares.
    Random(Option<Compare>),
    /// `least_time header`
    LeastTime,
}

impl Method {
    /// Returns true if upstreams with this method may have backup servers.
    pub fn has_backups(self) -> bool {
        matches!(self, Method::RoundRobin | Method::LeastConn | Method::LeastTime)
    }

    /// Returns true if the method goes by how long servers take to answer.
    pub fn needs_latency(self) -> bool {
        matches!(self, Method::LeastTime | Method::Random(Some(Compare::Time)))
    }

    fn balancer(self, peers: &[Peer]) -> Box<dyn Balancer> {
        match self {
            Method::RoundRobin => Box::new(RoundRobin),
            Method::LeastConn => Box::new(LeastConn),
            Method::Hash => Box::new(Hash),
            Method::ConsistentHash => Box::new(Ring::new(peers)),
            Method::IpHash => Box::new(IpHash),
            Method::BoundedHash(factor) => Box::new(Bounded::new(peers, factor)),
            Method::Maglev => Box::new(Maglev::new(peers)),
            Method::Random(two) => Box::new(Random { two }),
            Method::LeastTime => Box::new(LeastTime),
        }
    }
}

/// A `server` line of an upstream; one for each address if its name has several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// The first argument as it is written: `db.example:5432`.
    pub name: String,
    /// The address it means: `192.0.2.7:5432`.
    pub address: Arc<str>,
    /// The other arguments.
    pub params: PeerParams,
    /// `backup`
    pub backup: bool,
}

/// An `upstream` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamConfig {
    /// How to choose.
    pub method: Method,
    /// The servers in the order of the file.
    pub servers: Vec<ServerConfig>,
}

/// Servers and their state.
#[derive(Debug)]
pub struct Upstream {
    method: Method,
    balancer: Box<dyn Balancer>,
    /// The primary servers, then the backups.
    groups: [Vec<Peer>; 2],
    next_id: u64,
}

/// What one client connection has tried so far.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    tried: Vec<PeerId>,
    on_backups: bool,
    count: usize,
    key: Vec<u8>,
    walk: Walk,
}

impl Attempts {
    /// Forgets all of them, for the next connection or request. `random` is a number that differs
    /// from one to the next.
    pub fn clear(&mut self, random: u64) {
        self.tried.clear();
        self.key.clear();
        (self.on_backups, self.count) = (false, 0);
        self.walk = Walk { random, ..Walk::default() };
    }

    /// What methods that hash go by, to be appended to before the first pick.
    pub fn key(&mut self) -> &mut Vec<u8> {
        &mut self.key
    }

    /// How many attempts were made.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// A chosen server; the upstream counts a connection to it until [`Upstream::release`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    /// Which peer.
    pub id: PeerId,
    /// Where to connect.
    pub address: Arc<str>,
}

/// How a connection to a peer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was established, and is closed now.
    Finished,
    /// It could not be established.
    Failed,
}

impl Upstream {
    /// An upstream whose servers are all healthy.
    pub fn new(config: &UpstreamConfig) -> Upstream {
        let mut upstream = Upstream {
            method: config.method,
            balancer: Box::new(RoundRobin),
            groups: Default::default(),
            next_id: 0,
        };
        upstream.reconfigure(config);
        upstream
    }

    /// Replaces method and servers. Servers that stay keep their state; see the head of the file.
    pub fn reconfigure(&mut self, config: &UpstreamConfig) {
        let peers = std::mem::take(&mut self.groups).into_iter().flatten();
        let mut known = peers.map(Some).collect::<Vec<_>>();

        for server in &config.servers {
            // Each known peer is taken once: two equal lines are two peers.
            let same = known.iter_mut().find(|it| {
                let it = it.as_ref();
                it.is_some_and(|it| *it.name == *server.name && it.address == server.address)
            });
            let peer = match same.and_then(Option::take) {
                Some(peer) => with_params(peer, server.params),
                None => self.new_peer(server),
            };
            let group = usize::from(server.backup);
            self.groups[group].push(peer);
        }
        self.method = config.method;
        self.balancer = self.method.balancer(&self.groups[0]);

        // What was counted while there were others must not keep the only server out.
        if let Some(only) = self.only_peer() {
            only.fails = 0;
        }
    }

    fn new_peer(&mut self, server: &ServerConfig) -> Peer {
        let id = PeerId(self.next_id);
        self.next_id += 1;
        Peer::new(id, server.name.as_str().into(), Arc::clone(&server.address), server.params)
    }

    /// Chooses a server for the next attempt and counts a connection to it. Returns `None` if no
    /// server is left for this connection.
    pub fn pick(&mut self, attempts: &mut Attempts, now_ms: u64) -> Option<Picked> {
        if !attempts.on_backups {
            if let Some(picked) = self.pick_from(0, attempts, now_ms) {
                return Some(picked);
            }
            attempts.on_backups = true;
        }
        self.pick_from(1, attempts, now_ms)
    }

    fn pick_from(&mut self, group: usize, attempts: &mut Attempts, now_ms: u64) -> Option<Picked> {
        let peers = &mut self.groups[group];
        let Attempts { tried, key, walk, .. } = attempts;
        let mut choice = Choice { tried, now_ms, key, walk };
        let index = self.balancer.pick(peers, &mut choice)?;
        let peer = &mut peers[index];
        peer.mark_picked(now_ms);
        peer.conns += 1;
        attempts.tried.push(peer.id);
        attempts.count += 1;
        Some(Picked { id: peer.id, address: Arc::clone(&peer.address) })
    }

    /// Returns true if the connection may try another server: it has made fewer attempts than there
    /// are servers, `down` ones included.
    pub fn may_retry(&self, attempts: &Attempts) -> bool {
        attempts.count < self.peers().count()
    }

    /// The connection to the peer is established. NGINX counts this as a success at once and does
    /// not wait for the end of the connection, which may be hours away.
    pub fn connected(&mut self, id: PeerId) {
        if let Some(peer) = self.peer_mut(id) {
            peer.record_success();
        }
    }

    /// Returns true if latencies must be recorded.
    pub fn needs_latency(&self) -> bool {
        self.method.needs_latency()
    }

    /// The head of an answer of the peer has come, or the attempt failed, after this time.
    pub fn record_latency(&mut self, id: PeerId, sample_us: u64, is_failure: bool, now_ms: u64) {
        if let Some(peer) = self.peer_mut(id) {
            peer.latency.record(sample_us, is_failure, now_ms);
        }
    }

    /// The connection to the peer is closed. Returns true if its failure has disabled the peer. A
    /// peer that a reload has removed is ignored.
    pub fn release(&mut self, id: PeerId, outcome: Outcome, now_ms: u64) -> bool {
        let is_only = self.only_peer().is_some();
        let Some(peer) = self.peer_mut(id) else { return false };
        peer.conns -= 1;
        match outcome {
            // The failures of the only server are not counted: see the head of the file.
            _ if is_only => false,
            Outcome::Finished => {
                peer.record_success();
                false
            }
            Outcome::Failed => peer.record_failure(now_ms),
        }
    }

    /// All peers with their state, primary servers first.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.groups.iter().flatten()
    }

    fn only_peer(&mut self) -> Option<&mut Peer> {
        let mut peers = self.groups.iter_mut().flatten();
        let first = peers.next()?;
        peers.next().is_none().then_some(first)
    }

    fn peer_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.groups.iter_mut().flatten().find(|it| it.id == id)
    }
}

/// A peer after a reload. A changed weight makes its old place in the sequence meaningless.
fn with_params(mut peer: Peer, params: PeerParams) -> Peer {
    if params.weight != peer.params.weight {
        peer.current_weight = 0;
        peer.effective_weight = params.weight;
    }
    peer.params = params;
    peer
}
