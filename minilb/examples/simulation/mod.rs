//! A world of clients and servers in virtual time, around the engine that the proxy runs.
//!
//! A server has workers, and a queue in front of them; a request takes a worker for some time. The
//! proxy gives up an attempt after its timeout, but the server does not know that and goes on
//! working: the waste that makes overloads last.
//!
//! ```text
//! arrivals ─> Upstream::pick ─> queue of a server ─> worker ─> answer
//!                 ^                  │ full: 503    │ late: given up
//!                 └── begin_retry ───┴──────────────┘
//! ```
//!
//! Everything is decided by the configuration, the numbers and the seed, so each run is the same.

#![allow(dead_code, reason = "each example uses a part of it")]

use minilb::conf::host::Host;
use minilb::conf::reader::read;
use minilb::engine::upstream::{Attempts, Outcome, Picked, Upstream, UpstreamConfig};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The body of an `upstream` block as the proxy reads it. The server `a` is at 10.0.0.1:80.
pub fn upstream(body: &str) -> UpstreamConfig {
    struct Memory(String);
    impl Host for Memory {
        fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
            Ok(self.0.clone().into_bytes())
        }
        fn glob(&self, _: &Path) -> Vec<PathBuf> {
            Vec::new()
        }
        fn resolve(&self, name: &str) -> Vec<SocketAddr> {
            let number = name.bytes().next().unwrap_or_default().wrapping_sub(b'a') + 1;
            vec![SocketAddr::from(([10, 0, 0, number], 80))]
        }
    }
    let text = format!(
        "events {{}} http {{ upstream u {{ {body} }} \
         server {{ location / {{ proxy_pass http://u; health_check interval=1s; }} }} }}"
    );
    let host = Memory(text);
    let config = read(&host, Path::new("nginx.conf"), "", Path::new("/")).expect("valid");
    config.http.upstreams["u"].config.clone()
}

/// The clients, and what the proxy does for them.
#[derive(Clone, Copy, Debug)]
pub struct Clients {
    /// Requests per second.
    pub rate: u64,
    /// `proxy_read_timeout`
    pub timeout_ms: u64,
    /// `proxy_next_upstream_tries`
    pub tries: usize,
    /// Of the random numbers.
    pub seed: u64,
}

/// A server.
#[derive(Clone, Debug)]
pub struct Server {
    /// How many requests it works on at a time.
    pub workers: usize,
    /// How long one takes.
    pub takes_ms: u64,
    /// How many may wait; more are answered 503.
    pub queue_max: usize,
    /// It refuses connections.
    pub is_down: bool,
    /// Its first requests after it was down take ten times as long: its caches are cold.
    pub cold_requests: u64,
    warm: u64,
    busy: usize,
    queue: VecDeque<u64>,
    /// Attempts that have reached it.
    pub attempts: u64,
}

impl Server {
    /// A server that is up, with so many workers, the time of a request, and the longest queue.
    pub const fn with(workers: usize, takes_ms: u64, queue_max: usize) -> Server {
        Server {
            workers,
            takes_ms,
            queue_max,
            is_down: false,
            cold_requests: 0,
            warm: 0,
            busy: 0,
            queue: VecDeque::new(),
            attempts: 0,
        }
    }
}

/// What has happened since it was last asked for.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests of clients.
    pub requests: u64,
    /// Attempts at servers.
    pub attempts: u64,
    /// Requests that got no answer, or an error.
    pub failed: u64,
    /// Latencies of the answers in ms, sorted.
    pub latencies_ms: Vec<u64>,
}

impl Tally {
    /// The latency that this percentage of the answers was below, in ms.
    pub fn percentile(&self, percent: usize) -> u64 {
        let index = self.latencies_ms.len() * percent / 100;
        self.latencies_ms.get(index).copied().unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    /// A worker has done an attempt.
    Done(u64),
    /// The proxy gives an attempt up.
    Timeout(u64),
    Checks,
}

#[derive(Debug)]
struct Attempt {
    picked: Picked,
    server: String,
    attempts: Attempts,
    arrived_ms: u64,
    began_ms: u64,
}

/// The world.
#[derive(Debug)]
pub struct World {
    /// The engine.
    pub upstream: Upstream,
    /// By name.
    pub servers: BTreeMap<String, Server>,
    clients: Clients,
    has_checks: bool,
    now_ms: u64,
    next_id: u64,
    arrivals: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    /// Attempts that the proxy waits for.
    open: BTreeMap<u64, Attempt>,
    /// Attempts that servers work on, given up or not.
    at_work: BTreeMap<u64, String>,
    tally: Tally,
}

impl World {
    /// At time 0. Active checks run only with `has_checks`.
    pub fn new(
        config: &UpstreamConfig,
        server: Server,
        clients: Clients,
        has_checks: bool,
    ) -> World {
        let names = config.servers.iter().map(|it| it.name.clone()).collect::<BTreeSet<_>>();
        let mut world = World {
            upstream: Upstream::new(config),
            servers: names.into_iter().map(|it| (it, server.clone())).collect(),
            clients,
            has_checks,
            now_ms: 0,
            next_id: 0,
            arrivals: 0,
            events: BinaryHeap::new(),
            open: BTreeMap::new(),
            at_work: BTreeMap::new(),
            tally: Tally::default(),
        };
        world.servers.values_mut().for_each(|it| it.warm = it.cold_requests);
        world.at(0, Event::Arrival);
        world.at(0, Event::Checks);
        world
    }

    /// Lets time pass. Returns what has happened.
    pub fn run(&mut self, ms: u64) -> Tally {
        let end_ms = self.now_ms + ms;
        while let Some(Reverse((at_ms, _, event))) = self.events.peek().copied() {
            if at_ms >= end_ms {
                break;
            }
            self.events.pop();
            self.now_ms = at_ms;
            self.handle(event);
        }
        self.now_ms = end_ms;
        self.tally.latencies_ms.sort_unstable();
        std::mem::take(&mut self.tally)
    }

    /// A server goes down, and loses what it works on, or comes back with cold caches.
    pub fn set_down(&mut self, name: &str, is_down: bool) {
        let server = self.servers.get_mut(name).expect("a server of the configuration");
        (server.is_down, server.warm, server.busy) = (is_down, 0, 0);
        server.queue.clear();
        if is_down {
            self.at_work.retain(|_, it| it != name);
            let lost = self.open.iter().filter(|(_, it)| it.server == name);
            let lost = lost.map(|(id, _)| *id).collect::<Vec<_>>();
            lost.into_iter().for_each(|id| self.give_up(id));
        }
    }

    fn at(&mut self, at_ms: u64, event: Event) {
        self.next_id += 1;
        self.events.push(Reverse((at_ms, self.next_id, event)));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrival => {
                self.arrivals += 1;
                self.tally.requests += 1;
                let mut attempts = Attempts::default();
                attempts.clear(self.clients.seed + self.arrivals);
                attempts.key().extend_from_slice(self.arrivals.to_string().as_bytes());
                self.attempt(attempts, self.now_ms);
                self.at(self.arrivals * 1000 / self.clients.rate, Event::Arrival);
            }
            Event::Done(id) => self.done(id),
            Event::Timeout(id) => self.give_up(id),
            Event::Checks if self.has_checks => {
                let due = self.upstream.due_checks(self.now_ms);
                for (peer, name) in due.into_iter().flat_map(|it| it.1) {
                    let passed = !self.servers[&self.name_at(&name)].is_down;
                    self.upstream.record_check(peer, passed, 0, self.now_ms);
                }
                self.upstream.compare(self.now_ms);
                self.at(self.now_ms + 1000, Event::Checks);
            }
            Event::Checks => {}
        }
    }

    fn name_at(&self, address: &str) -> String {
        let peer = self.upstream.peers().find(|it| &*it.address == address);
        peer.expect("a peer").name.to_string()
    }

    /// The next attempt of a request.
    fn attempt(&mut self, mut attempts: Attempts, arrived_ms: u64) {
        let Some(picked) = self.upstream.pick(&mut attempts, self.now_ms) else {
            self.tally.failed += 1;
            return;
        };
        self.tally.attempts += 1;
        self.next_id += 1;
        let (id, name) = (self.next_id, self.name_at(&picked.address));
        let server = self.servers.get_mut(&name).expect("each peer has a server");
        server.attempts += 1;
        let is_refused = server.is_down || server.queue.len() >= server.queue_max;
        let began_ms = self.now_ms;
        let attempt = Attempt { picked, server: name.clone(), attempts, arrived_ms, began_ms };
        self.open.insert(id, attempt);
        if is_refused {
            return self.give_up(id);
        }
        server.queue.push_back(id);
        self.at_work.insert(id, name.clone());
        self.at(self.now_ms + self.clients.timeout_ms, Event::Timeout(id));
        self.work(&name);
    }

    /// Gives waiting requests to idle workers.
    fn work(&mut self, name: &str) {
        let mut started = Vec::new();
        let server = self.servers.get_mut(name).expect("a server");
        while server.busy < server.workers {
            let Some(id) = server.queue.pop_front() else { break };
            server.busy += 1;
            server.warm += 1;
            let is_cold = server.warm <= server.cold_requests;
            started.push((id, server.takes_ms * if is_cold { 10 } else { 1 }));
        }
        for (id, takes_ms) in started {
            self.at(self.now_ms + takes_ms, Event::Done(id));
        }
    }

    /// A worker is done, whether the proxy still waits or not.
    fn done(&mut self, id: u64) {
        let Some(name) = self.at_work.remove(&id) else { return };
        self.servers.get_mut(&name).expect("a server").busy -= 1;
        self.work(&name);
        let Some(mut attempt) = self.open.remove(&id) else { return };
        let (now_ms, took_ms) = (self.now_ms, self.now_ms - attempt.began_ms);
        self.upstream.record_latency(attempt.picked.id, took_ms * 1000, false, now_ms);
        self.upstream.judge(&mut attempt.picked, false, now_ms);
        self.upstream.release(&mut attempt.picked, Outcome::Finished, now_ms);
        self.tally.latencies_ms.push(now_ms - attempt.arrived_ms);
    }

    /// An attempt has failed: another one, if that is allowed.
    fn give_up(&mut self, id: u64) {
        let Some(mut attempt) = self.open.remove(&id) else { return };
        let (now_ms, took_ms) = (self.now_ms, self.now_ms - attempt.began_ms);
        self.upstream.record_latency(attempt.picked.id, took_ms * 1000, true, now_ms);
        self.upstream.release(&mut attempt.picked, Outcome::Failed, now_ms);
        let has_tries = attempt.attempts.count() < self.clients.tries;
        if has_tries && self.upstream.begin_retry(&attempt.attempts).is_ok() {
            return self.attempt(attempt.attempts, attempt.arrived_ms);
        }
        self.tally.failed += 1;
    }
}

/// Compares an output with the recorded one, which the pages include; `UPDATE_GOLDEN=1` records.
#[cfg(test)]
pub fn check_recorded(name: &str, output: &str) {
    let path = format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, output).expect("the folder is writable");
    }
    assert_eq!(std::fs::read_to_string(path).expect("recorded"), output);
}
