//! The tables of the file, as they are written.
//!
//! ```toml
//! listen = "127.0.0.1:8000"             # as the flag --listen, like `admin` and `threads`
//!
//! [answers]
//! x_ratelimit = true                    # GitHub's X-RateLimit-* headers, in addition
//! explain = false                       # true: `X-Explain: 1` is answered, to any client
//!
//! [log]
//! access = "access.log"                 # a line of JSON per request; none if left out
//! trace = false                         # true: X-Request-Id and traceparent, to both sides
//!
//! [limits.per_client]
//! algorithm = "token_bucket"            # leaky_bucket fixed_window sliding_window concurrency
//! rate = "10/s"
//! burst = 20                            # the number that may wait, for a leaky_bucket
//! key = ["ip"]                          # ip route host header:NAME client tier claim:NAME
//! keys_max = 100_000                    # busy keys at once; 24 bytes each
//! dry_run = false                       # true: count refusals, and refuse nothing
//!
//! [limits.per_account]
//! algorithm = "fixed_window"
//! rate = "1000/m"
//! key = ["header:X-Account"]
//! shared = true                         # with all gateways that have the same store
//! lease = 10                            # deducted at once; 1: every request asks
//!
//! [redis]
//! url = "redis://127.0.0.1:6379/0"      # or minicache; redis://[USER]:PASSWORD@HOST:PORT/DB
//! timeout = "20ms"                      # a request waits no longer
//! when_down = "admit"                   # or "refuse"
//! prefix = "minigateway"                # keys are {minigateway}:per_account:...
//!
//! [limits.in_progress]
//! algorithm = "concurrency"
//! limit = 100                           # in place of a rate
//! key = []                              # all requests together
//!
//! [upstreams.api]
//! servers = ["127.0.0.1:9000", "127.0.0.1:9001"]   # names are resolved when the file is read
//! connect_timeout = "1s"
//! timeout = "10s"                       # between two reads or writes
//! keepalive = 64                        # idle connections per core
//! body_max = 1_048_576                  # bytes of a request body
//!
//! [[routes]]
//! path = "/v1/users/{id}"               # or "/v1/*"
//! host = "api.example.com"              # any host if left out
//! methods = ["GET"]                     # any method if left out
//! headers = { "X-Canary" = "1" }        # all of these must be there
//! upstream = "api"
//! limits = ["per_client"]
//! cost = 1                              # what a request counts as
//! ```
//!
//! Clients, versions and browsers: [`super::front`]. A key that does not exist is an error. NGINX'
//! nearest relatives are `limit_req_zone`, `upstream` and `location`.

use super::error::{ConfError, unknown};
use super::front::{ApiKeysTable, CorsConfig, HeaderChanges, JwtTable, VersionsTable};
use super::redis::RedisConfig;
use super::values::{
    Cost, HeaderName, Host, KeyPart, KeysMax, Method, Name, Pattern, Rate, Reference, Time,
};
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
#[allow(missing_docs)]
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
pub const SECTIONS: [&str; 10] = [
    "answers",
    "log",
    "limits",
    "redis",
    "upstreams",
    "api_keys",
    "jwt",
    "versions",
    "cors",
    "routes",
];

/// `[answers]`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Answers {
    pub x_ratelimit: bool,
    pub explain: bool,
}

/// `[log]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LogTable {
    pub access: Option<PathBuf>,
    pub trace: bool,
}

/// The name of an algorithm.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
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
#[allow(missing_docs)]
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
    pub dry_run: bool,
    pub shared: Option<Spanned<bool>>,
    pub lease: Option<Spanned<u64>>,
}

/// `[upstreams.NAME]`: where requests go.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct UpstreamConfig {
    #[serde(skip)]
    pub name: String,
    pub servers: Vec<Spanned<String>>,
    #[serde(skip)]
    pub addresses: Vec<SocketAddr>,
    pub connect_timeout: Option<Time>,
    pub timeout: Option<Time>,
    pub keepalive: Option<usize>,
    pub body_max: Option<u64>,
}

/// `[[routes]]`: which requests go where, what they pay, and what is asked of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
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
    #[serde(default)]
    pub request_headers: HeaderChanges,
    #[serde(default)]
    pub response_headers: HeaderChanges,
}

/// Reads the tables of `text`.
///
/// # Errors
/// The first mistake: TOML that is none, a key that does not exist, a value of the wrong type.
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
        let mut message = message.replace("a sequence", "a list as in [\"a\"]");
        if let Some(end) = message.find("expected struct") {
            message.replace_range(end.., "expected a table");
        }
        match error.span() {
            Some(span) => ConfError::at(text, span, message),
            None => ConfError::whole(message),
        }
    })
}
