//! How a request reaches an upstream server, and the limits of its client's connection.
//!
//! Defaults are NGINX's: `proxy_next_upstream error timeout`, 60 s between two reads or writes,
//! 1000 requests on a connection.

use crate::engine::pool::PoolLimits;
use crate::server::retirement::Retirement;
use crate::server::tls::UpstreamTls;
use crate::server::upstream::SharedUpstream;
use crate::wire::http1::exchange::BodyLimits;
use crate::wire::http1::framing::Framing;
use minikit::sync::Arc;
use std::time::Duration;

/// How a request reaches an upstream server.
#[derive(Debug)]
pub struct Route {
    /// Where it goes.
    pub upstream: Arc<SharedUpstream>,
    /// `https`
    pub tls: Option<UpstreamTls>,
    /// Idle connections that each core keeps.
    pub pool: PoolLimits,
    /// `proxy_connect_timeout`
    pub connect_timeout: Duration,
    /// `proxy_send_timeout`: between two writes.
    pub send_timeout: Duration,
    /// `proxy_read_timeout`: between two reads.
    pub read_timeout: Duration,
    /// The longest response head: `proxy_buffer_size`.
    pub response_head_max: usize,
    /// Limits of the request body.
    pub body: BodyLimits,
    /// When another server is tried.
    pub retry: Retry,
}

/// `proxy_next_upstream` and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The connection could not be made, or broke.
    pub on_error: bool,
    /// A timeout passed.
    pub on_timeout: bool,
    /// The response was malformed.
    pub on_invalid_header: bool,
    /// Statuses that are like failures: 500, 502, 503, 504, 429, and 403, 404, which are not
    /// counted as one.
    pub statuses: Vec<u16>,
    /// Even POST, LOCK and PATCH, after they were sent.
    pub non_idempotent: bool,
    /// `proxy_next_upstream_tries`; 0 means no limit but the number of servers.
    pub tries: usize,
    /// `proxy_next_upstream_timeout`; zero means no limit.
    pub timeout: Duration,
}

impl Default for Retry {
    /// NGINX's default: `error timeout`.
    fn default() -> Retry {
        Retry {
            on_error: true,
            on_timeout: true,
            on_invalid_header: false,
            statuses: Vec::new(),
            non_idempotent: false,
            tries: 0,
            timeout: Duration::ZERO,
        }
    }
}

/// The server of one attempt.
#[derive(Clone, Copy, Debug)]
pub struct AttemptTarget<'a> {
    /// The name of its upstream.
    pub upstream: &'a str,
    /// The framing of the request body.
    pub framing: Framing,
}

/// Limits of a client's connection.
#[derive(Clone, Debug)]
pub struct ClientLimits {
    /// `client_header_timeout`: for a whole request head.
    pub header: Duration,
    /// `client_body_timeout`: between two reads of a body.
    pub body: Duration,
    /// `send_timeout`: between two writes.
    pub send: Duration,
    /// `keepalive_timeout`: for the first byte of the next request; zero closes at once.
    pub keep_alive: Duration,
    /// `keepalive_requests`
    pub requests_max: u64,
    /// `worker_shutdown_timeout`: after a reload, if there is one.
    pub retirement: Option<Arc<Retirement>>,
}

impl Default for ClientLimits {
    /// NGINX's defaults.
    fn default() -> ClientLimits {
        ClientLimits {
            header: Duration::from_secs(60),
            body: Duration::from_secs(60),
            send: Duration::from_secs(60),
            keep_alive: Duration::from_secs(75),
            requests_max: 1000,
            retirement: None,
        }
    }
}
