//! The tables of the file, as they are written. `reference.toml` beside the README has every key.
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
//! Clients, versions and browsers: [`super::front`]. A key that does not exist is an error. NGINX'
//! nearest relatives are `limit_req_zone`, `upstream` and `location`.

#![allow(missing_docs, reason = "the reference has each key")]

use super::error::{ConfError, unknown};
use super::front::{ApiKeysTable, CorsConfig, HeaderChanges, JwtTable, VersionsTable};
use super::redis::RedisConfig;
use super::values::{
    Balance, Cost, HeaderName, Host, KeyPart, KeysMax, Method, Name, Network, Pattern, Rate,
    Reference, Time,
};
use minigateway_graphql as graphql;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use toml::Spanned;

/// Tables by their names.
pub type Tables<T> = BTreeMap<Name, Spanned<T>>;

/// The tables. What the command line knows as well, `listen` for instance, is not here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct File {
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

/// The names of the tables of a [`File`]. All other keys are options of the command line.
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

/// `[upstreams.NAME]`: where requests go.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamConfig {
    #[serde(skip)]
    pub name: String,
    pub servers: Vec<Spanned<String>>,
    #[serde(skip)]
    pub addresses: Vec<SocketAddr>,
    pub balance: Option<Balance>,
    pub health_check: Option<String>,
    #[serde(default)]
    pub breaker: bool,
    #[serde(default)]
    pub tries: usize,
    pub connect_timeout: Option<Time>,
    pub timeout: Option<Time>,
    pub keepalive: Option<usize>,
    pub body_max: Option<u64>,
}

/// `[[routes]]`: which requests go where, what they pay, and what is asked of them.
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
    pub cost: Option<Cost>,
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

/// Reads the tables of `text`.
///
/// # Errors
/// The first mistake: malformed TOML, a key that does not exist, a value of the wrong type.
pub fn parse(text: &str) -> Result<File, ConfError> {
    let tables = from_str::<BTreeMap<Spanned<String>, toml::Value>>(text)?;
    for (key, value) in &tables {
        // What is no table is an option of the command line, which checks it.
        let name = key.as_ref().as_str();
        let is_table = value.is_table()
            || value.as_array().is_some_and(|it| it.iter().any(toml::Value::is_table));
        if is_table && !SECTIONS.contains(&name) {
            let message = unknown("table", name, SECTIONS.into_iter());
            return Err(ConfError::at(text, key.span(), message));
        }
        if name == "routes" && value.is_table() {
            let message = "routes are a list; each of them begins with [[routes]]";
            return Err(ConfError::at(text, key.span(), message));
        }
    }
    from_str(text)
}

fn from_str<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ConfError> {
    toml::from_str(text).map_err(|error| {
        // The names of Rust's types mean nothing to an operator.
        let message = error.message().trim_end().replace('`', "\"").replace("u64", "a number");
        let mut message =
            message.replace("usize", "a number").replace("a sequence", "a list as in [\"a\"]");
        if let Some(end) = message.find("expected struct") {
            message.replace_range(end.., "expected a table");
        }
        match error.span() {
            Some(span) => ConfError::at(text, span, message),
            None => ConfError::whole(message),
        }
    })
}
