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
use super::health::breaker::{BreakerParams, State};
use super::health::check::CheckParams;
use super::health::outlier;
use super::health::retry_budget::RetryBudget;
use super::peer::{Peer, PeerId, PeerParams};
use minilb_dns::NameServers;
use std::sync::Arc;

/// How an upstream chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// What NGINX does without a directive.
    #[default]
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

    /// Its directive.
    pub fn name(self) -> &'static str {
        match self {
            Method::RoundRobin => "round robin",
            Method::LeastConn => "least_conn",
            Method::Hash => "hash",
            Method::ConsistentHash => "hash consistent",
            Method::BoundedHash(_) => "hash consistent balance_factor",
            Method::Maglev => "hash maglev",
            Method::IpHash => "ip_hash",
            Method::Random(None) => "random",
            Method::Random(Some(Compare::Connections)) => "random two",
            Method::Random(Some(Compare::Time)) => "random two least_time",
            Method::LeastTime => "least_time",
        }
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
    /// `resolve`: its address is a name with a port, see [`super::resolve`].
    pub resolve: bool,
}

/// An `upstream` block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamConfig {
    /// How to choose.
    pub method: Method,
    /// The servers in the order of the file.
    pub servers: Vec<ServerConfig>,
    /// `health_check`
    pub check: Option<CheckParams>,
    /// `circuit_breaker`, which replaces `max_fails`.
    pub breaker: Option<BreakerParams>,
    /// `resolver`, if servers are to be resolved.
    pub name_servers: Option<NameServers>,
}

impl UpstreamConfig {
    /// These servers in turn, with what `max_fails` does about their health.
    pub fn new(servers: Vec<ServerConfig>) -> UpstreamConfig {
        UpstreamConfig { servers, ..UpstreamConfig::default() }
    }
}

/// Servers and their state.
#[derive(Debug)]
pub struct Upstream {
    method: Method,
    balancer: Box<dyn Balancer>,
    /// The primary servers, then the backups.
    groups: [Vec<Peer>; 2],
    next_id: u64,
    check: Option<CheckParams>,
    breaker: Option<BreakerParams>,
    budget: RetryBudget,
    /// A server has `slow_start`.
    has_slow_start: bool,
    /// When servers are compared next.
    compare_ms: u64,
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

    /// Returns true if the peer was tried.
    pub fn has_tried(&self, id: PeerId) -> bool {
        self.tried.contains(&id)
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
    /// This attempt decides about a breaker that is half open.
    pub is_probe: bool,
    /// How long the connection was held, set before it is released.
    pub took_us: u64,
    /// The breaker has heard of this attempt.
    is_judged: bool,
}

/// What an attempt has changed about the health of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `max_fails` was reached.
    Disabled,
    /// Its breaker has opened.
    Opened,
    /// Its breaker has closed.
    Closed,
}

/// Checks that begin: how, of which peer, and where.
pub type DueChecks = (CheckParams, Vec<(PeerId, Arc<str>)>);

/// How a connection to a peer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was of use, or its client has gone.
    Finished,
    /// It could not be established, or broke.
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
            check: None,
            breaker: None,
            budget: RetryBudget::default(),
            has_slow_start: false,
            compare_ms: 0,
        };
        upstream.reconfigure(config);
        upstream
    }

    /// Replaces method and servers. Servers that stay keep their state; see the head of the file.
    pub fn reconfigure(&mut self, config: &UpstreamConfig) {
        let peers = std::mem::take(&mut self.groups).into_iter().flatten();
        let mut known = peers.map(Some).collect::<Vec<_>>();
        self.check.clone_from(&config.check);
        self.breaker.clone_from(&config.breaker);
        self.has_slow_start = config.servers.iter().any(|it| it.params.slow_start_ms > 0);

        for server in &config.servers {
            // Each known peer is taken once: two equal lines are two peers.
            let is_same = |it: &Peer| *it.name == *server.name && it.address == server.address;
            let same = known.iter_mut().find(|it| it.as_ref().is_some_and(is_same));
            let mut peer = match same.and_then(Option::take) {
                Some(peer) => with_params(peer, server.params),
                None => self.new_peer(server),
            };
            // What nothing updates any longer must not keep a server out.
            match self.breaker {
                Some(_) => peer.params.max_fails = 0,
                None => peer.breaker = Default::default(),
            }
            if self.check.is_none() {
                peer.check = Default::default();
            }
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
        if let (0, Some(percent)) = (attempts.count, self.retries_percent()) {
            self.budget.deposit(percent);
        }
        if !attempts.on_backups {
            if let Some(picked) = self.pick_from(0, attempts, now_ms) {
                return Some(picked);
            }
            attempts.on_backups = true;
        }
        self.pick_from(1, attempts, now_ms)
    }

    fn pick_from(&mut self, group: usize, attempts: &mut Attempts, now_ms: u64) -> Option<Picked> {
        let ignores_health = group == 0 && self.is_panic(now_ms);
        let peers = &mut self.groups[group];
        if self.has_slow_start {
            for peer in peers.iter_mut() {
                let duration_ms = peer.params.slow_start_ms;
                peer.sits_out = !peer.slow_start.takes_part(duration_ms, now_ms);
            }
        }
        let Attempts { tried, key, walk, .. } = attempts;
        let mut choice = Choice { tried, now_ms, ignores_health, key, walk };
        let mut index = self.balancer.pick(peers, &mut choice);
        // Nobody else is there, so the slow ones have to help.
        if index.is_none() && peers.iter().any(|it| it.sits_out) {
            peers.iter_mut().for_each(|it| it.sits_out = false);
            index = self.balancer.pick(peers, &mut choice);
        }
        let peer = &mut peers[index?];
        let is_probe = self.breaker.is_some() && peer.breaker.begin();
        peer.mark_picked(now_ms);
        peer.conns += 1;
        attempts.tried.push(peer.id);
        attempts.count += 1;
        let address = Arc::clone(&peer.address);
        Some(Picked { id: peer.id, address, is_probe, took_us: 0, is_judged: false })
    }

    /// The connection is to try another server: it must have made fewer attempts than there are
    /// servers that are not `down`, and the budget must pay for one more.
    ///
    /// # Errors
    /// If it must not; the error says why.
    pub fn begin_retry(&mut self, attempts: &Attempts) -> Result<(), &'static str> {
        if attempts.count >= self.peers().filter(|it| !it.params.down).count() {
            return Err("there are no more servers");
        }
        match self.retries_percent() {
            Some(_) if !self.budget.withdraw() => Err("the budget for retries is spent"),
            _ => Ok(()),
        }
    }

    /// Retries that are left, if there is a budget.
    pub fn retries_left(&self) -> Option<u64> {
        self.retries_percent().map(|_| self.budget.left())
    }

    fn retries_percent(&self) -> Option<u32> {
        self.breaker.as_ref()?.retries_percent
    }

    /// The connection to the peer is established. NGINX counts this as a success at once and does
    /// not wait for the end of the connection, which may be hours away.
    pub fn connected(&mut self, picked: &mut Picked, now_ms: u64) -> Option<Change> {
        if let Some(peer) = self.peer_mut(picked.id) {
            peer.record_success(now_ms);
        }
        self.judge(picked, false, now_ms)
    }

    /// Returns true if it has circuit breakers.
    pub fn has_breaker(&self) -> bool {
        self.breaker.is_some()
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

    /// Tells the breaker how the attempt has ended; once for each attempt, later calls are ignored.
    pub fn judge(&mut self, picked: &mut Picked, is_failure: bool, now_ms: u64) -> Option<Change> {
        let params = self.breaker.clone()?;
        if std::mem::replace(&mut picked.is_judged, true) {
            return None;
        }
        let is_probe = picked.is_probe;
        let peer = self.peer_mut(picked.id)?;
        if peer.breaker.record(is_failure, is_probe, &params, now_ms) {
            // A failed probe opens it again, however many others are open.
            if is_probe {
                peer.breaker.open(&params, now_ms);
                return Some(Change::Opened);
            }
            return self.open(picked.id, &params, now_ms).then_some(Change::Opened);
        }
        let is_closed = is_probe && !is_failure;
        is_closed.then(|| {
            peer.come_back(now_ms);
            Change::Closed
        })
    }

    /// Opens a breaker, if one more may be open. Returns true if so.
    fn open(&mut self, id: PeerId, params: &BreakerParams, now_ms: u64) -> bool {
        let others = self.peers().filter(|it| it.id != id && it.breaker.state != State::Closed);
        let (open, all) = (others.count(), self.peers().count());
        let may_open = outlier::may_eject(open, all, params.max_ejected_percent);
        if let Some(peer) = self.peer_mut(id).filter(|_| may_open) {
            peer.breaker.open(params, now_ms);
        }
        may_open
    }

    /// Returns true if so few primary servers are usable that their health is to be ignored. Backup
    /// servers are the better way out.
    pub fn is_panic(&self, now_ms: u64) -> bool {
        let percent = self.breaker.as_ref().map_or(0, |it| it.panic_percent);
        if percent == 0 || !self.groups[1].is_empty() {
            return false;
        }
        let available = self.groups[0].iter().filter(|it| !it.params.down);
        let usable = available.clone().filter(|it| it.is_eligible(now_ms)).count();
        outlier::is_panic(usable, available.count(), percent)
    }

    /// Compares the servers once per window. Returns those whose breakers have opened.
    pub fn compare(&mut self, now_ms: u64) -> Vec<Arc<str>> {
        let mut opened = Vec::new();
        let Some(params) = self.breaker.clone().filter(|_| now_ms >= self.compare_ms) else {
            return opened;
        };
        self.compare_ms = now_ms + params.window_ms;

        let mut rates = Vec::new();
        for peer in self.groups.iter_mut().flatten().filter(|it| it.breaker.state == State::Closed)
        {
            peer.breaker.forgive();
            let (requests, failures) = peer.breaker.window.totals(params.window_ms, now_ms);
            if requests >= params.requests.max(1) {
                let rate = 100.0 - f64::from(failures) * 100.0 / f64::from(requests);
                rates.push((peer.id, Arc::clone(&peer.address), rate));
            }
        }
        let values = rates.iter().map(|it| it.2).collect::<Vec<_>>();
        let Some(threshold) = outlier::threshold(&values, params.stdev_milli) else {
            return opened;
        };
        for (id, address, _) in rates.into_iter().filter(|it| it.2 < threshold) {
            if self.open(id, &params, now_ms) {
                opened.push(address);
            }
        }
        opened
    }

    /// The checks that must begin now.
    pub fn due_checks(&mut self, now_ms: u64) -> Option<DueChecks> {
        let params = self.check.clone()?;
        let peers = self.groups.iter_mut().flatten().filter(|it| !it.params.down);
        let due = peers.filter_map(|it| {
            let is_due = it.check.begin(now_ms);
            is_due.then(|| (it.id, Arc::clone(&it.address)))
        });
        Some((params, due.collect()))
    }

    /// A check has ended. Returns true if the health of the peer has changed; then `passed` is what
    /// it is now.
    pub fn record_check(&mut self, id: PeerId, passed: bool, random: u64, now_ms: u64) -> bool {
        let Some(params) = self.check.clone() else { return false };
        let Some(peer) = self.peer_mut(id) else { return false };
        let has_changed = peer.check.record(passed, &params, random, now_ms);
        if has_changed && passed {
            peer.come_back(now_ms);
        }
        has_changed
    }

    /// The connection to the peer is closed. A peer that a reload has removed is ignored.
    pub fn release(
        &mut self,
        picked: &mut Picked,
        outcome: Outcome,
        now_ms: u64,
    ) -> Option<Change> {
        let is_only = self.only_peer().is_some();
        let is_failed = outcome == Outcome::Failed;
        let mut change = None;
        if is_failed {
            change = self.judge(picked, true, now_ms);
        }
        let peer = self.peer_mut(picked.id)?;
        peer.conns -= 1;
        if !is_failed {
            peer.times.record(picked.took_us);
        }
        if picked.is_probe && !picked.is_judged {
            peer.breaker.abandon(now_ms);
        }
        match is_failed {
            // The failures of the only server are not counted: see the head of the file.
            _ if is_only => {}
            false => peer.record_success(now_ms),
            true if peer.record_failure(now_ms) => change = Some(Change::Disabled),
            true => {}
        }
        change
    }

    /// How it chooses.
    pub fn method(&self) -> Method {
        self.method
    }

    /// What the method went by in a pick, in words. `before` are the peers and `attempts` the
    /// attempts as they were.
    pub fn explain(&self, before: &[Peer], attempts: &mut Attempts, now_ms: u64) -> Option<String> {
        let Attempts { tried, key, walk, .. } = attempts;
        let ignores_health = self.is_panic(now_ms);
        let mut choice = Choice { tried, now_ms, ignores_health, key, walk };
        self.balancer.explain(&before[..self.groups[0].len()], &mut choice)
    }

    /// The backup servers.
    pub fn backups(&self) -> &[Peer] {
        &self.groups[1]
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
