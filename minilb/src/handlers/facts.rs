//! What is known of a client's connection and of a request that is done.
//!
//! ```text
//! Client   peer 192.0.2.9:51234, connection 17, requests 3      while the request runs
//! Done     status 200, sent 850, attempts [127.0.0.1:8081 502, 127.0.0.1:8082 200]    for the log
//! ```

use crate::conf::listen::Address;
use crate::wire::proxy_protocol::Addresses;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};

/// A client's connection.
#[derive(Clone, Debug)]
pub struct Client {
    /// The client's address.
    pub peer: Address,
    /// The address that it has connected to.
    pub local: Address,
    /// A number that no other connection of this process has.
    pub connection: u64,
    /// Requests on the connection so far, this one included.
    pub requests: u64,
    /// When the current request began, in milliseconds since the start of the server.
    pub began_ms: u64,
    /// What the PROXY protocol says of the client of a proxy in front.
    pub proxied: Option<Addresses>,
    /// What protects the connection.
    pub transport: Transport,
    /// Its requests are streams of HTTP/2.
    pub is_http2: bool,
}

/// What protects a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Nothing.
    Plain,
    /// Nothing, at an address where TLS is expected.
    PlainAtTlsPort,
    /// TLS.
    Tls {
        /// `$ssl_protocol`
        protocol: &'static str,
        /// `$ssl_cipher`, in OpenSSL's words.
        cipher: &'static str,
        /// The session was resumed.
        is_reused: bool,
    },
}

impl Client {
    /// A client before its first request.
    pub fn new(peer: impl Into<Address>, local: impl Into<Address>, connection: u64) -> Client {
        Client {
            peer: peer.into(),
            local: local.into(),
            connection,
            requests: 0,
            began_ms: 0,
            proxied: None,
            transport: Transport::Plain,
            is_http2: false,
        }
    }

    /// `http` or `https`, and its default port.
    pub fn scheme(&self) -> (&'static str, u16) {
        match self.transport {
            Transport::Tls { .. } => ("https", 443),
            _ => ("http", 80),
        }
    }

    /// A number for the current request that nobody can guess, the same at each call.
    pub fn request_id(&self) -> u128 {
        static KEYS: OnceLock<[RandomState; 2]> = OnceLock::new();
        let keys = KEYS.get_or_init(|| [RandomState::new(), RandomState::new()]);
        let [high, low] = keys.each_ref().map(|it| it.hash_one((self.connection, self.requests)));
        (u128::from(high) << 64) | u128::from(low)
    }
}

/// How a request ended.
#[derive(Debug, Default)]
pub struct Done {
    /// The status that was sent, or NGINX's: 499 if the client has gone, 444 if nothing was sent.
    pub status: u16,
    /// Bytes sent to the client, head included.
    pub sent: u64,
    /// Milliseconds from the first byte of the request to the last one of the response.
    pub elapsed_ms: u64,
    /// Each attempt, in order.
    pub attempts: Vec<AttemptLog>,
    /// How its servers were chosen, if the client has asked.
    pub explained: Vec<String>,
}

impl Done {
    /// Forgets the last request.
    pub fn clear(&mut self) {
        self.attempts.clear();
        self.explained.clear();
        (self.status, self.sent, self.elapsed_ms) = (0, 0, 0);
    }
}

/// One attempt, as the log shows it.
#[derive(Clone, Debug, Default)]
pub struct AttemptLog {
    /// The server, `IP:PORT` or `unix:PATH`; `None` if none was left.
    pub address: Option<Arc<str>>,
    /// Its status, or 502 or 504 if it gave none.
    pub status: u16,
    /// When it began, in milliseconds since the start of the server.
    pub began_ms: u64,
    /// Milliseconds until the connection was made.
    pub connect_ms: Option<u64>,
    /// Milliseconds until the response head was there.
    pub header_ms: Option<u64>,
    /// Milliseconds until the end.
    pub response_ms: u64,
    /// Bytes of the response body.
    pub length: u64,
    /// An error page has led to this upstream; the log separates it by a colon.
    pub is_redirected: bool,
}

impl AttemptLog {
    /// An attempt that begins.
    pub fn new(address: Option<Arc<str>>, began_ms: u64) -> AttemptLog {
        AttemptLog { address, began_ms, ..AttemptLog::default() }
    }
}
