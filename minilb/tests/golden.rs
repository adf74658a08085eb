//! Golden scripts: upstreams under connections, failures and reloads, one phenomenon a file.
//!
//! `UPDATE_GOLDEN=1 cargo test -p minilb --test golden` records anew; read `git diff` before you
//! believe it.
//!
//! | command | what it does |
//! |---|---|
//! | `config [METHOD;] server NAME PARAMETER ...; ...` | the upstream; later ones reload it |
//! | `resolved NAME ADDRESS ...` | the addresses of a server with `resolve`; none if it is gone |
//! | `unresolved NAME` | the name servers have failed |
//! | `at SECONDS` | sets the clock; decimals are allowed |
//! | `refuse NAME ...`, `accept NAME ...` | servers refuse connections, or accept again |
//! | `connect COUNT` | connections that end at once: the servers they reach |
//! | `open COUNT` | the same, but they stay open |
//! | `takes NAME MS` | how long a server takes to answer, from here on |
//! | `fail NAME ...` | servers answer 500 from here on; `accept` ends that, too |
//! | `checks` | the active checks that are due: what each has found |
//! | `compare` | compares the servers, as the running proxy does once per window |
//! | `begin COUNT` | attempts without a result so far |
//! | `close NAME` | closes one open connection |
//! | `key TEXT` | what methods that hash go by, from here on; `ip_hash` takes an address |
//! | `keys COUNT` | connects once for each of so many keys: the servers, and the keys that moved |
//! | `peers` | the state of each |
//!
//! In `limit`, `rate R burst B [nodelay|delay D]` sets a `limit_req`, and `at MS KEY ...` sends
//! requests: each prints its key and the milliseconds that it waits, or `refused`.
//!
//! In `simulation`, `clients` and `servers` set up a world (`examples/simulation`) around an
//! `upstream` as nginx.conf has it, with `checks` once per second if they are wanted; `down`, `up`
//! and `slow NAME MS` change it, `run SECONDS` lets time pass.
//!
//! `connect` prints `!a` for a failed attempt at `a`, `-` for a connection that no server is left
//! for, `a:500` for an answer 500, and joins the attempts of one connection by `>`.
#![cfg(not(loom))]

use minilb::conf::health::{circuit_breaker, health_check};
use minilb::engine::balance::random::Compare;
use minilb::engine::health::breaker::State;
use minilb::engine::limit::rate::RateZone;
use minilb::engine::peer::PeerParams;
use minilb::engine::resolve::ResolvedServers;
use minilb::engine::upstream::{
    Attempts, Method, Outcome, Picked, ServerConfig, Upstream, UpstreamConfig,
};
use simulation::{Clients, Server, World};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

#[path = "../examples/simulation/mod.rs"]
mod simulation;

#[test]
fn balancing() {
    for folder in ["balance", "health"] {
        let scripts = format!("{}/tests/golden/{folder}", env!("CARGO_MANIFEST_DIR"));
        minikit::golden::run_dir(scripts, |_| {
            let mut lab = Lab::default();
            move |line: &str| lab.run(line)
        });
    }
}

#[test]
fn limits() {
    let scripts = format!("{}/tests/golden/limit", env!("CARGO_MANIFEST_DIR"));
    minikit::golden::run_dir(scripts, |_| {
        let (mut zone, mut burst, mut delay) = (RateZone::new(1000, 1 << 20), 0, None);
        move |line: &str| {
            let words = line.split(' ').collect::<Vec<_>>();
            let number = |index: usize| words[index].parse::<u64>().expect("a number");
            if words[0] == "rate" {
                zone = RateZone::new(number(1) * 1000, 1 << 20);
                burst = number(3);
                delay = match words.get(4) {
                    Some(&"nodelay") => None,
                    Some(_) => Some(number(5)),
                    None => Some(0),
                };
                return String::new();
            }
            let now_ms = number(1);
            let answers = words[2..].iter().map(|key| {
                match zone.admit(key.as_bytes(), burst, now_ms, true) {
                    Some(excess) => format!("{key} {}", zone.delay_ms(excess, delay)),
                    None => format!("{key} refused"),
                }
            });
            answers.collect::<Vec<_>>().join("\n")
        }
    });
}

#[test]
fn simulations() {
    let scripts = format!("{}/tests/golden/simulation", env!("CARGO_MANIFEST_DIR"));
    minikit::golden::run_dir(scripts, |_| {
        let mut clients = Clients { rate: 100, timeout_ms: 1000, tries: 3, seed: 1 };
        let mut server = Server::with(1, 10, 100);
        let (mut world, mut has_checks) = (None::<World>, false);
        move |line: &str| {
            let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
            let numbers = numbers(rest);
            let name = |it: &str| format!("{it}:80");
            match (command, &mut world) {
                ("clients", _) => {
                    clients.rate = numbers["rate"];
                    clients.timeout_ms = numbers["timeout"];
                    clients.tries = numbers["tries"] as usize;
                }
                ("servers", _) => {
                    let workers = numbers["workers"] as usize;
                    server = Server::with(workers, numbers["takes"], numbers["queue"] as usize);
                    server.cold_requests = numbers.get("cold").copied().unwrap_or_default();
                }
                ("checks", _) => has_checks = true,
                ("upstream", _) => {
                    let config = simulation::upstream(rest);
                    world = Some(World::new(&config, server.clone(), clients, has_checks));
                }
                ("run", Some(world)) => return run_seconds(world, rest.parse().expect("seconds")),
                ("down" | "up", Some(world)) => world.set_down(&name(rest), command == "down"),
                ("slow", Some(world)) => {
                    let (server, ms) = rest.split_once(' ').expect("a server and milliseconds");
                    let server = world.servers.get_mut(&name(server)).expect("of the upstream");
                    server.takes_ms = ms.parse().expect("milliseconds");
                }
                _ => panic!("unknown command: {line}"),
            }
            String::new()
        }
    });
}

/// `rate=100 tries=3`
fn numbers(text: &str) -> BTreeMap<&str, u64> {
    let pairs = text.split(' ').filter_map(|it| it.split_once('='));
    pairs.filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect()
}

/// A line for each second: what clients see, and the attempts that each server gets.
fn run_seconds(world: &mut World, seconds: u64) -> String {
    let mut table = "requests  attempts  failed  p50  p99".to_owned();
    let names = world.servers.keys().map(|it| it.trim_end_matches(":80"));
    names.for_each(|it| write!(table, "  {it:>4}").expect("a string takes everything"));
    for _ in 0..seconds {
        let before = world.servers.values().map(|it| it.attempts).collect::<Vec<_>>();
        let tally = world.run(1000);
        let (p50, p99) = (tally.percentile(50), tally.percentile(99));
        let (requests, attempts, failed) = (tally.requests, tally.attempts, tally.failed);
        write!(table, "\n{requests:>8}  {attempts:>8}  {failed:>6}  {p50:>3}  {p99:>3}")
            .expect("a string takes everything");
        for (server, before) in world.servers.values().zip(before) {
            write!(table, "  {:>4}", server.attempts - before).expect("a string takes everything");
        }
    }
    table
}

#[derive(Default)]
struct Lab {
    upstream: Option<Upstream>,
    servers: Option<ResolvedServers>,
    refusing: BTreeSet<String>,
    failing: BTreeSet<String>,
    open: Vec<(String, Picked)>,
    now_ms: u64,
    latencies_ms: BTreeMap<String, u64>,
    /// Of the requests that follow, or empty.
    key: Vec<u8>,
    /// Counts connections, so that each draws other numbers.
    random: u64,
    /// The servers that the last `keys` reached.
    keys: Vec<String>,
}

impl Lab {
    fn run(&mut self, line: &str) -> String {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let count = || rest.parse::<usize>().expect("a number of connections");
        match command {
            "config" => self.configure(rest),
            "resolved" => {
                let mut words = rest.split(' ');
                let name = words.next().expect("a name");
                self.resolved(name, Some(words.map(Into::into).collect()));
            }
            "unresolved" => self.resolved(rest, None),
            "at" => {
                self.now_ms = (rest.parse::<f64>().expect("seconds") * 1000.0) as u64;
            }
            "takes" => {
                let (name, ms) = rest.split_once(' ').expect("a name and milliseconds");
                self.latencies_ms.insert(name.to_owned(), ms.parse().expect("milliseconds"));
            }
            "key" => self.key = key(rest),
            "keys" => return self.keys(rest),
            "refuse" => self.refusing.extend(rest.split(' ').map(str::to_owned)),
            "fail" => self.failing.extend(rest.split(' ').map(str::to_owned)),
            "accept" => {
                let is_other = |it: &String| !rest.split(' ').any(|name| name == it);
                self.refusing.retain(is_other);
                self.failing.retain(is_other);
            }
            "checks" => return self.checks(),
            "compare" => {
                let now_ms = self.now_ms;
                let opened = self.upstream().compare(now_ms);
                return opened
                    .iter()
                    .map(|it| format!("outlier {it}"))
                    .collect::<Vec<_>>()
                    .join(" ");
            }
            "connect" => return self.connect(count(), false),
            "open" => return self.connect(count(), true),
            "begin" => {
                let begun = (0..count()).map(|_| self.begin());
                return begun.collect::<Vec<_>>().join(" ");
            }
            "close" => self.close(rest),
            "peers" => return self.peers(),
            _ => panic!("unknown command: {line}"),
        }
        String::new()
    }

    fn upstream(&mut self) -> &mut Upstream {
        self.upstream.as_mut().expect("`config` comes first")
    }

    fn configure(&mut self, text: &str) {
        let mut config = UpstreamConfig::new(Vec::new());
        for directive in text.split(';').map(str::trim) {
            match directive.split(' ').collect::<Vec<_>>()[..] {
                ["least_conn"] => config.method = Method::LeastConn,
                ["hash"] => config.method = Method::Hash,
                ["hash", "consistent"] => config.method = Method::ConsistentHash,
                ["ip_hash"] => config.method = Method::IpHash,
                ["hash", "maglev"] => config.method = Method::Maglev,
                ["hash", "consistent", factor] => {
                    let percent = factor.strip_prefix("balance_factor=").expect("the factor");
                    config.method = Method::BoundedHash(percent.parse().expect("a number"));
                }
                ["random"] => config.method = Method::Random(None),
                ["random", "two"] => {
                    config.method = Method::Random(Some(Compare::Connections));
                }
                ["random", "two", "least_time=header"] => {
                    config.method = Method::Random(Some(Compare::Time));
                }
                ["least_time", "header"] => config.method = Method::LeastTime,
                ["circuit_breaker", ref parameters @ ..] => {
                    let parameters = parameters.iter().map(|it| it.to_string());
                    let breaker = circuit_breaker(&parameters.collect::<Vec<_>>());
                    config.breaker = Some(breaker.expect("valid parameters"));
                }
                ["health_check", ref parameters @ ..] => {
                    let parameters = parameters.iter().map(|it| it.to_string());
                    let check = health_check(&parameters.collect::<Vec<_>>(), false);
                    config.check = Some(check.expect("valid parameters"));
                }
                ["server", name, ref parameters @ ..] => {
                    config.servers.push(server(name, parameters));
                }
                _ => panic!("unknown directive: {directive}"),
            }
        }
        let servers = self.servers.get_or_insert_with(|| ResolvedServers::new(&config));
        servers.reconfigure(&config);
        let config = servers.config();
        match &mut self.upstream {
            Some(upstream) => upstream.reconfigure(&config),
            None => self.upstream = Some(Upstream::new(&config)),
        }
    }

    fn resolved(&mut self, name: &str, found: Option<Vec<Arc<str>>>) {
        let servers = self.servers.as_mut().expect("`config` comes first");
        if servers.resolved(name, found, 0) {
            let config = servers.config();
            self.upstream().reconfigure(&config);
        }
    }

    fn connect(&mut self, count: usize, stay_open: bool) -> String {
        let connections = (0..count).map(|_| self.connect_once(stay_open));
        connections.collect::<Vec<_>>().join(" ")
    }

    /// The servers that one connection tried.
    fn connect_once(&mut self, stays_open: bool) -> String {
        let now_ms = self.now_ms;
        let mut attempts = Attempts::default();
        self.random += 1;
        attempts.clear(self.random);
        attempts.key().extend_from_slice(&self.key);
        let mut tried = Vec::new();
        while let Some(mut picked) = self.upstream().pick(&mut attempts, now_ms) {
            let name = picked.address.to_string();
            if self.refusing.contains(&name) {
                self.upstream().release(&mut picked, Outcome::Failed, now_ms);
                tried.push(format!("!{name}"));
                if self.upstream().begin_retry(&attempts).is_ok() {
                    continue;
                }
                return tried.join(">");
            }

            if self.failing.contains(&name) {
                self.upstream().judge(&mut picked, true, now_ms);
                self.upstream().release(&mut picked, Outcome::Finished, now_ms);
                tried.push(format!("{name}:500"));
                return tried.join(">");
            }
            self.upstream().connected(&mut picked, now_ms);
            if let Some(ms) = self.latencies_ms.get(&name).copied() {
                self.upstream().record_latency(picked.id, ms * 1000, false, now_ms);
            }
            tried.push(name.clone());
            if stays_open {
                self.open.push((name, picked));
            } else {
                self.upstream().release(&mut picked, Outcome::Finished, now_ms);
            }
            return tried.join(">");
        }
        tried.push("-".to_owned());
        tried.join(">")
    }

    /// The server of an attempt that is still going on.
    fn begin(&mut self) -> String {
        let now_ms = self.now_ms;
        let picked = self.upstream().pick(&mut Attempts::default(), now_ms).expect("a server");
        let name = picked.address.to_string();
        self.open.push((name.clone(), picked));
        name
    }

    /// How many of the keys `key-0`, `key-1` ... reach each server.
    fn keys(&mut self, count: &str) -> String {
        let count = count.parse().expect("a number of keys");
        let names = (0..count).map(|number| {
            self.key = format!("key-{number}").into_bytes();
            self.connect_once(false)
        });
        let names = names.collect::<Vec<_>>();
        self.key.clear();

        let mut reached = BTreeMap::<&str, usize>::new();
        names.iter().for_each(|it| *reached.entry(it.as_str()).or_default() += 1);
        let lines = reached.into_iter().map(|(name, count)| format!("{name} {count}"));
        let mut lines = lines.collect::<Vec<_>>();
        if self.keys.len() == names.len() {
            let moved = self.keys.iter().zip(&names).filter(|(old, new)| old != new).count();
            lines.push(format!("moved {moved}"));
        }
        self.keys = names;
        lines.join("\n")
    }

    fn close(&mut self, name: &str) {
        let index = self.open.iter().position(|it| it.0 == name).expect("an open connection");
        let (_, mut picked) = self.open.remove(index);
        let now_ms = self.now_ms;
        self.upstream().release(&mut picked, Outcome::Finished, now_ms);
    }

    /// Runs the checks that are due: a server passes if it accepts.
    fn checks(&mut self) -> String {
        let now_ms = self.now_ms;
        let (_, due) = self.upstream().due_checks(now_ms).expect("`health_check` is configured");
        let results = due.into_iter().map(|(id, name)| {
            let passed = !self.refusing.contains(&*name);
            let change = match (self.upstream().record_check(id, passed, 0, now_ms), passed) {
                (true, true) => ": healthy",
                (true, false) => ": unhealthy",
                (false, _) => "",
            };
            format!("{name} {}{change}", if passed { "passed" } else { "failed" })
        });
        results.collect::<Vec<_>>().join(", ")
    }

    fn peers(&mut self) -> String {
        let now_ms = self.now_ms;
        let mut table = "peer  weight  effective  current  conns  fails\n".to_owned();
        for it in self.upstream().peers() {
            let note = match it.breaker.state {
                _ if it.is_disabled(now_ms) => "  disabled".to_owned(),
                _ if it.check.is_unhealthy => "  unhealthy".to_owned(),
                State::Open(until_ms) => format!("  open until {} s", until_ms / 1000),
                State::HalfOpen => "  half-open".to_owned(),
                State::Closed => String::new(),
            };
            let (weight, effective) = (it.params.weight, it.effective_weight);
            writeln!(
                table,
                "{:<4}  {weight:>6}  {effective:>9}  {:>7}  {:>5}  {:>5}{note}",
                it.address, it.current_weight, it.conns, it.fails
            )
            .expect("a string takes everything");
        }
        table
    }
}

/// A text, or the bytes of an IPv4 address that `ip_hash` looks at.
fn key(text: &str) -> Vec<u8> {
    match text.parse::<std::net::Ipv4Addr>() {
        Ok(ip) => ip.octets()[..3].to_vec(),
        Err(_) => text.as_bytes().to_vec(),
    }
}

fn server(name: &str, parameters: &[&str]) -> ServerConfig {
    let mut params = PeerParams::default();
    let (mut backup, mut resolve) = (false, false);
    for parameter in parameters {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, "1"));
        let value = value.parse::<u32>().expect("a number");
        match key {
            "weight" => params.weight = value.into(),
            "max_fails" => params.max_fails = value,
            "slow_start" => params.slow_start_ms = u64::from(value) * 1000,
            "fail_timeout" => params.fail_timeout_s = value.into(),
            "max_conns" => params.max_conns = value,
            "down" => params.down = true,
            "backup" => backup = true,
            "resolve" => resolve = true,
            _ => panic!("unknown parameter: {parameter}"),
        }
    }
    ServerConfig { name: name.to_owned(), address: name.into(), params, backup, resolve }
}
