//! The tables of the configuration file. `reference.toml` beside the README documents every key.
//!
//! ```toml
//! [limits.per_client]
//! algorithm = "token_bucket"
//! rate = "10/s"
//! key = ["ip"]
//! [upstreams.api]
//! servers = ["127.0.0.1:9000"]
//! [[routes]]
//! path = "/*"
//! upstream = "api"
//! limits = ["per_client"]
//! ```
//!
//! Tables for clients, versions and CORS are in [`super::filters`]. An unknown key is an error. The
//! NGINX counterparts are `limit_req_zone`, `upstream` and `location`.

#![allow(missing_docs, reason = "reference.toml documents each key")]

use super::error::{ConfError, unknown};
use super::filters::{ApiKeysTable, CorsConfig, HeaderChanges, JwtTable, VersionsTable};
use super::redis::RedisConfig;
use super::values::{
    Balance, HeaderName, Host, KeyPart, KeysMax, Method, Name, Network, Pattern, Rate, Reference,
    RequestCost, Target, Timeout,
};
use minigateway_graphql as graphql;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use toml::Spanned;

/// Tables by name.
pub type Tables<T> = BTreeMap<Name, Spanned<T>>;

/// Options that are flags too: `listen`, `unix`, `admin` and `threads`.
pub type Options = (Option<SocketAddr>, Option<PathBuf>, Option<SocketAddr>, Option<u16>);

/// The whole file. Its options are kept to detect changes at a reload.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    pub listen: Option<SocketAddr>,
    pub unix: Option<PathBuf>,
    pub admin: Option<SocketAddr>,
    pub threads: Option<u16>,
    pub answers: Answers,
    pub log: LogTable,
    pub limits: Tables<LimitTable>,
    pub redis: Option<RedisConfig>,
    pub upstreams: Tables<UpstreamConfig>,
    pub api_keys: Tables<ApiKeysTable>,
    pub jwt: Tables<JwtTable>,
    pub versions: Tables<VersionsTable>,
    pub cors: Tables<CorsConfig>,
    pub routes: Vec<Spanned<RouteConfig>>,
}

/// The names of the tables of a [`File`].
#[rustfmt::skip]
pub const SECTIONS: [&str; 10] = [
    "answers", "log", "limits", "redis", "upstreams",
    "api_keys", "jwt", "versions", "cors", "routes",
];

/// `[answers]`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answers {
    pub x_ratelimit: bool,
    pub explain: bool,
}

/// `[log]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogTable {
    pub access: Option<PathBuf>,
    pub trace: bool,
}

/// The name of an algorithm.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlgorithmName {
    TokenBucket,
    LeakyBucket,
    FixedWindow,
    SlidingWindow,
    Concurrency,
}

/// `[limits.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitTable {
    pub algorithm: AlgorithmName,
    pub rate: Option<Spanned<Rate>>,
    pub limit: Option<Spanned<u64>>,
    pub burst: Option<Spanned<u64>>,
    pub key: Vec<KeyPart>,
    pub keys_max: Option<KeysMax>,
    #[serde(default)]
    pub tiers: Vec<String>,
    #[serde(default)]
    pub allow: Vec<Network>,
    #[serde(default)]
    pub dry_run: bool,
    pub shared: Option<Spanned<bool>>,
    pub lease: Option<Spanned<u64>>,
}

/// `[upstreams.NAME]`: a group of servers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamConfig {
    #[serde(skip)]
    pub name: String,
    pub servers: Vec<Spanned<String>>,
    #[serde(skip)]
    pub addresses: Vec<SocketAddr>,
    pub balance: Option<Balance>,
    pub health_check: Option<Target>,
    #[serde(default)]
    pub breaker: bool,
    #[serde(default)]
    pub tries: usize,
    pub connect_timeout: Option<Timeout>,
    pub timeout: Option<Timeout>,
    pub keepalive: Option<usize>,
    pub body_max: Option<u64>,
}

/// `[[routes]]`: the conditions of a route, its upstream, its limits and its checks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    pub path: Pattern,
    pub host: Option<Host>,
    #[serde(default)]
    pub methods: Vec<Method>,
    #[serde(default)]
    pub headers: BTreeMap<HeaderName, String>,
    pub upstream: Reference,
    #[serde(default)]
    pub limits: Vec<Reference>,
    pub cost: Option<RequestCost>,
    pub auth: Option<Reference>,
    #[serde(default)]
    pub scopes: Vec<String>,
    pub versions: Option<Reference>,
    pub cors: Option<Reference>,
    pub graphql: Option<graphql::Cost>,
    #[serde(default)]
    pub request_headers: HeaderChanges,
    #[serde(default)]
    pub response_headers: HeaderChanges,
}

/// Replaces words of Rust and its libraries, which mean nothing to an operator.
const RUST_WORDS: [(&str, &str); 11] = [
    ("`", "\""),
    ("map, expected a sequence", "table, expected a list; each route begins with [[routes]]"),
    ("u64", "a number"),
    ("u32", "a number"),
    ("u16", "a number"),
    ("usize", "a number"),
    ("missing field", "missing key"),
    ("a sequence", "a list as in [\"a\"]"),
    ("a map", "a table"),
    ("invalid socket address syntax", "write an address in numbers, as in \"127.0.0.1:8000\""),
    ("struct ", "a table, "),
];

/// Parses a file. The error is malformed TOML, an unknown key, or a value of the wrong type.
pub(super) fn parse(text: &str) -> Result<File, ConfError> {
    toml::from_str(text).map_err(|error| {
        let message = error.message().trim_end();
        let mut quoted = message.split('`').skip(1).step_by(2);
        let message = match message.split(' ').nth(1).filter(|_| message.starts_with("unknown ")) {
            Some(kind @ ("field" | "variant")) => {
                let kind = if kind == "field" { "key" } else { "value" };
                unknown(kind, quoted.next().unwrap_or_default(), quoted)
            }
            _ => RUST_WORDS
                .iter()
                .fold(message.to_owned(), |it, (word, plain)| it.replace(word, plain)),
        };
        ConfError::at(text, error.span().unwrap_or_default(), message)
    })
}
