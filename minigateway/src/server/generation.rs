//! A configuration in use: its pipeline, its upstreams and its counters.
//!
//! ```text
//! reload   generation 1 ──> generation 2     unchanged limits keep their buckets,
//!          requests in progress keep 1       upstreams of the same name their server state
//! ```
//!
//! A request keeps its generation until it is logged, so its route, its limits and the concurrency
//! limits that it releases come from the same configuration.

use crate::conf::config::Config;
use crate::conf::file::UpstreamConfig;
use crate::engine::top_keys::TopKeys;
use crate::handlers::filters::Facts;
use crate::handlers::pipeline::Pipeline;
use minikit::sync::Arc;
use minikit::sync::atomic::{AtomicU64, Ordering::Relaxed};
use minilb::engine::health::breaker::BreakerParams;
use minilb::engine::health::check::CheckParams;
use minilb::engine::peer::PeerParams;
use minilb::engine::pool::PoolLimits;
use minilb::engine::upstream::{Method, ServerConfig, UpstreamConfig as Servers};
use minilb::server::access_log::LogFiles;
use minilb::server::http::service::{Retry, Route};
use minilb::server::upstream::SharedUpstream;
use minilb::wire::http1::exchange::{BodyLimits, HELD_BYTES_MAX};
use minilb::wire::http1::framing::Framing;
use std::path::PathBuf;
use std::time::Duration;

/// How long, and for how many requests, a connection to a server is reused.
const POOL: PoolLimits =
    PoolLimits { capacity: 0, requests_max: 100_000, lifetime_ms: 3_600_000, idle_ms_max: 60_000 };
/// The longest response head, in bytes.
const RESPONSE_HEAD_MAX: usize = 16 * 1024;
/// The most bytes of bodies that all requests in progress may hold together.
const HELD_TOTAL_MAX: u64 = 512 << 20;
/// How much of a request body is buffered before the first attempt, for retries.
const BODY_STORED_MAX: usize = 16 * 1024;

/// A configuration in use.
pub struct Generation {
    /// Routes and limits.
    pub pipeline: Pipeline,
    /// Two routes to each upstream: for streamed bodies, and for bodies that are inspected.
    forwards: Vec<[Arc<Route>; 2]>,
    /// The number of requests by version, for each `[versions.NAME]`.
    pub versions: Vec<Vec<AtomicU64>>,
    /// The decisions of each limit.
    pub limits: Vec<LimitCounts>,
    /// The number of ended requests since the configuration was loaded, by [`OUTCOMES`].
    pub requests: [AtomicU64; 4],
    /// The bytes of bodies that requests in progress hold, over all cores and generations.
    held: Arc<AtomicU64>,
    /// The open access log; a reload reopens it.
    pub access_log: LogFiles,
    /// The servers and their state.
    pub upstreams: Vec<Arc<SharedUpstream>>,
}

/// The outcomes of requests, as metrics name them. The constants below are their indices.
pub const OUTCOMES: [&str; 4] = ["forwarded", "refused", "unrouted", "preflight"];
/// Forwarded to an upstream, which may have failed.
pub const FORWARDED: usize = 0;
/// Refused by a limit or another check of the gateway.
pub const REFUSED: usize = 1;
/// No route matches.
pub const UNROUTED: usize = 2;
/// A CORS preflight.
pub const PREFLIGHT: usize = 3;

/// The decisions of a limit since the configuration was loaded.
#[derive(Default)]
pub struct LimitCounts {
    /// Requests by `Outcome`. A limit in dry run counts refusals too, though it refuses nothing.
    pub outcomes: [AtomicU64; 3],
    /// The busiest keys with a bucket in this gateway.
    pub top: TopKeys,
}

impl Generation {
    /// Builds a generation, and takes over buckets and the state of servers from `old`.
    pub fn new(config: Config, old: Option<&Generation>) -> Generation {
        let known = |config: &UpstreamConfig| {
            old?.upstreams.iter().find(|it| it.name == config.name).map(Arc::clone)
        };
        let upstream = |config: &UpstreamConfig| {
            let servers = servers(config);
            match known(config) {
                Some(upstream) => {
                    upstream.reconfigure(&servers);
                    upstream
                }
                None => Arc::new(SharedUpstream::new(&config.name, &servers)),
            }
        };
        let upstreams = config.upstreams.iter().map(upstream).collect::<Vec<_>>();
        let forward = |(config, upstream): (_, &Arc<SharedUpstream>)| {
            [false, true].map(|whole| Arc::new(forward(config, Arc::clone(upstream), whole)))
        };
        // Serve without the log rather than not at all.
        let access_log = LogFiles::open(config.log.access.iter().map(PathBuf::as_path));
        let access_log = access_log.unwrap_or_else(|error| {
            tracing::error!("{error}; running without the access log");
            LogFiles::default()
        });
        let counts = |names: usize| (0..names).map(|_| AtomicU64::new(0)).collect();
        Generation {
            access_log,
            forwards: config.upstreams.iter().zip(&upstreams).map(forward).collect(),
            versions: config.filters.versions.iter().map(|it| counts(it.known.len())).collect(),
            limits: config.limits.iter().map(|_| LimitCounts::default()).collect(),
            requests: Default::default(),
            held: old.map_or_else(Arc::default, |it| Arc::clone(&it.held)),
            upstreams,
            pipeline: Pipeline::new(config, old.map(|it| &it.pipeline)),
        }
    }

    /// Returns where to forward a request of this route.
    pub fn forward(&self, route: usize, facts: &Facts) -> &Arc<Route> {
        let Config { routes, filters, .. } = &self.pipeline.config;
        let version = filters.version(&routes[route], facts);
        let of_version = version.and_then(|(it, version)| it.known[version].upstream.as_ref());
        let is_whole = routes[route].graphql.is_some();
        let is_whole = is_whole || filters.renamed(&routes[route], facts).is_some();
        let upstream = of_version.unwrap_or(&routes[route].upstream);
        &self.forwards[upstream.index][usize::from(is_whole)]
    }

    /// Reserves memory for the bodies that a request holds, and returns its size in bytes: its own
    /// body if it is inspected, and the response body if fields are renamed. `None` if the requests
    /// in progress hold too much.
    pub fn hold(&self, route: usize, facts: &Facts, framing: Framing) -> Option<u64> {
        let Config { routes, filters, .. } = &self.pipeline.config;
        let max = HELD_BYTES_MAX as u64;
        let body = match framing {
            Framing::None => 0,
            Framing::Length(bytes) => bytes.min(max),
            Framing::Chunked => max,
        };
        let bytes = match filters.renamed(&routes[route], facts) {
            Some(_) => body + max,
            None if routes[route].graphql.is_some() => body,
            None => return Some(0),
        };
        let fits = |held: u64| Some(held + bytes).filter(|it| *it <= HELD_TOTAL_MAX);
        self.held.fetch_update(Relaxed, Relaxed, fits).ok().map(|_| bytes)
    }

    /// Releases the memory that [`Generation::hold`] reserved.
    pub fn end_hold(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Relaxed);
    }
}

fn servers(config: &UpstreamConfig) -> Servers {
    let server = |address: &std::net::SocketAddr| ServerConfig {
        name: address.to_string(),
        address: address.to_string().into(),
        params: PeerParams::default(),
        backup: false,
        resolve: false,
    };
    let uri = config.health_check.as_ref().map(|it| it.0.as_str().into());
    let check = CheckParams { timeout_ms: 5000, ..CheckParams::default() };
    Servers {
        method: config.balance.as_ref().map_or(Method::RoundRobin, |it| it.0),
        check: uri.map(|uri| CheckParams { uri: Some(uri), ..check }),
        breaker: config.breaker.then(BreakerParams::default),
        servers: config.addresses.iter().map(server).collect(),
        name_servers: None,
    }
}

fn forward(config: &UpstreamConfig, upstream: Arc<SharedUpstream>, stores_body: bool) -> Route {
    let UpstreamConfig { connect_timeout, timeout, keepalive, body_max, .. } = config;
    let timeout = timeout.as_ref().map_or(Duration::from_secs(10), |it| it.0);
    let max = body_max.unwrap_or(1 << 20);
    let held_max = HELD_BYTES_MAX as u64;
    let whole_max = if max == 0 { held_max } else { max.min(held_max) };
    let body = match stores_body {
        true => BodyLimits { max: whole_max, stored_max: usize::MAX, needs_length: true },
        false => BodyLimits { max, stored_max: BODY_STORED_MAX, needs_length: false },
    };
    Route {
        upstream,
        tls: None,
        pool: PoolLimits { capacity: keepalive.unwrap_or(64), ..POOL },
        connect_timeout: connect_timeout.as_ref().map_or(Duration::from_secs(1), |it| it.0),
        send_timeout: timeout,
        read_timeout: timeout,
        response_head_max: RESPONSE_HEAD_MAX,
        body,
        retry: Retry { tries: config.tries, ..Retry::default() },
    }
}
