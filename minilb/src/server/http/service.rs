//! What decides about requests. Everything else in this folder is the same for a load balancer and
//! for a gateway.
//!
//! # The life of a request, seen from here
//!
//! ```text
//! begin             the first byte has come
//! decide            Answer(Answer)    written to the client
//!                   Forward(route)    write_request for each attempt ─> write_response
//! recover           no server answered, or the body was too large: another decision
//! error_answer      the request cannot be understood
//! log               the last byte was sent
//! ```
//!
//! A service has one value per core thread or shares one between them, as it likes. What it needs
//! to remember between these calls is its [`HttpService::Context`], which is reused for the next
//! request, so that it need not allocate.
//!
//! NGINX counterpart: the phases of `ngx_http_core_run_phases` and `ngx_http_upstream_conf_t`.
//! Pingora counterpart: the trait `ProxyHttp`.

use crate::engine::pool::PoolLimits;
pub use crate::handlers::facts::{AttemptLog, Client, Done};
use crate::server::upstream::SharedUpstream;
use crate::wire::http1::exchange::{BodyLimits, Exchange};
use crate::wire::http1::framing::Framing;
use crate::wire::http1::head::RequestHead;
use crate::wire::http1::status;
use crate::wire::http1::writer::HeadWriter;
use minikit::sync::Arc;
use std::net::SocketAddr;
use std::time::Duration;

/// Decides about requests.
pub trait HttpService: Sized {
    /// What a request carries from its decision to its log line; reused for the next request.
    type Context: Default + 'static;

    /// A request begins on the connection. Prepares the context for it, so that even a request that
    /// cannot be understood gets an answer, and returns the limits that hold for it.
    fn begin(&self, client: &Client, context: &mut Self::Context) -> ClientLimits;

    /// Decides what happens to the request in `exchange.request`. It may wait, for a shared store
    /// or because the request is delayed.
    fn decide(
        &self,
        exchange: &Exchange,
        client: &Client,
        context: &mut Self::Context,
    ) -> impl Future<Output = Decision>;

    /// Appends what methods that hash go by. The default is nothing: round robin.
    fn balance_key(
        &self,
        _exchange: &Exchange,
        _client: &Client,
        _context: &Self::Context,
        _key: &mut Vec<u8>,
    ) {
    }

    /// Appends the head for one attempt: [`HeadWriter::request`], headers,
    /// [`HeadWriter::finish`].
    fn write_request(
        &self,
        request: &RequestHead,
        client: &Client,
        context: &Self::Context,
        attempt: &AttemptTarget<'_>,
        out: &mut Vec<u8>,
    );

    /// Adds the headers of the response that the client gets: of `answer` if there is one, or else
    /// of `exchange.response`.
    fn write_response(
        &self,
        exchange: &Exchange,
        client: &Client,
        context: &Self::Context,
        answer: Option<&Answer>,
        head: &mut HeadWriter<'_>,
    );

    /// Decides about a request again that has failed with this status before the client was sent
    /// anything. It may be forwarded once more, as long as its body is held.
    fn recover(
        &self,
        status: u16,
        _exchange: &Exchange,
        _client: &Client,
        context: &mut Self::Context,
    ) -> impl Future<Output = Decision> {
        let answer = self.error_answer(status, context);
        async move { Decision::Answer(answer) }
    }

    /// Returns true if the response of the upstream server is a failure, which
    /// [`HttpService::recover`] decides about.
    fn intercepts(&self, _exchange: &Exchange, _context: &Self::Context) -> bool {
        false
    }

    /// The status that the client gets with the response of an upstream server.
    fn response_status(&self, exchange: &Exchange, _context: &Self::Context) -> u16 {
        exchange.response.status()
    }

    /// The answer to a request that failed with this status.
    fn error_answer(&self, status: u16, _context: &mut Self::Context) -> Answer {
        Answer::page(status)
    }

    /// The request is done. Called before the client's next request is looked at.
    fn log(&self, exchange: &Exchange, client: &Client, context: &Self::Context, done: &Done);
}

/// What happens to a request.
#[derive(Debug)]
pub enum Decision {
    /// It is answered here.
    Answer(Answer),
    /// It goes to an upstream server.
    Forward(Arc<Route>),
    /// The connection is closed without a word (NGINX's status 444).
    Close,
}

/// A response of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 599.
    pub status: u16,
    /// For [`HttpService::write_response`].
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// Not sent to `HEAD`.
    pub body: Vec<u8>,
}

impl Answer {
    /// NGINX's page for this status; an empty body if it has none.
    pub fn page(status: u16) -> Answer {
        let mut body = Vec::new();
        if !status::has_page(status) {
            return Answer { status, headers: Vec::new(), body };
        }
        status::page(status, &mut body);
        Answer { status, headers: vec![("Content-Type", b"text/html".to_vec())], body }
    }

    /// A body with its type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        let headers = vec![("Content-Type", content_type.as_bytes().to_vec())];
        Answer { status, headers, body: body.into() }
    }
}

/// How a request reaches an upstream server.
#[derive(Debug)]
pub struct Route {
    /// Where it goes.
    pub upstream: Arc<SharedUpstream>,
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
    /// Its address.
    pub address: SocketAddr,
    /// The name of its upstream.
    pub upstream: &'a str,
    /// The framing of the request body.
    pub framing: Framing,
}

/// Limits of a client's connection.
#[derive(Clone, Copy, Debug)]
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
        }
    }
}
