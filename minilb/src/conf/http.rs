//! What an `http { }` block means, with inheritance resolved.
//!
//! ```text
//! http {
//!     proxy_read_timeout 5s;                     settings of every location below
//!     upstream app { server 192.0.2.1; }         upstreams["app"], port 80
//!     server {
//!         server_name a.example *.b.example;     names
//!         location /api/ {                       locations[0]: Prefix, action Proxy
//!             rewrite ^/api/x /y last;           steps
//!             proxy_pass http://app/v1/;         target "app", uri "/v1/"
//!         }
//!     }
//! }
//! ```
//!
//! A directive that is not set in a block is inherited from the one around it. Directives that may
//! be repeated (`proxy_set_header`, `add_header`) are inherited only if the block has none of them,
//! which surprises many people, and is NGINX's rule.

use super::cidr::Cidr;
use super::listen::Listen;
use super::pattern::Pattern;
use super::rewrite::Step;
use super::template::{Definition, Template};
use crate::engine::pool::PoolLimits;
use crate::engine::upstream::UpstreamConfig;
use minilb_dns::NameServers;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A whole `http { }` block.
#[derive(Clone, Debug, Default)]
pub struct HttpConfig {
    /// By name.
    pub upstreams: BTreeMap<String, HttpUpstream>,
    /// In the order of the file.
    pub servers: Vec<HttpServer>,
    /// How many there are.
    pub locations: usize,
    /// Variables that the configuration defines, by slot.
    pub variables: Vec<Definition>,
    /// `limit_req_zone` and `limit_conn_zone`, by name.
    pub zones: BTreeMap<String, ZoneConfig>,
}

/// `limit_req_zone` or `limit_conn_zone`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneConfig {
    /// What is counted.
    pub key: Template,
    /// Memory in bytes.
    pub size: u64,
    /// Thousandths of a request per second; `None` counts requests at a time.
    pub rate: Option<u64>,
}

/// `upstream` in `http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUpstream {
    /// Servers and method.
    pub config: UpstreamConfig,
    /// `keepalive` and its limits.
    pub pool: PoolLimits,
    /// The key of `hash`.
    pub hash_key: Option<Template>,
}

/// `server { }` in `http`.
#[derive(Clone, Debug)]
pub struct HttpServer {
    /// `server_name`, in order; one empty name if there is none.
    pub names: Vec<ServerName>,
    /// `$server_name`: the first of them as it is written, but without a leading dot.
    pub server_name: String,
    /// `listen`
    pub listen: Vec<Listen>,
    /// What holds where no location matches, with `return` of the server itself.
    pub root: Arc<Location>,
}

/// One name of `server_name`, in lower case.
#[derive(Clone, Debug)]
pub enum ServerName {
    /// `a.example`
    Exact(String),
    /// `*.example` as `.example`; true if `.example` was written, which means `example` as well.
    Suffix(String, bool),
    /// `a.*` as `a.`
    Prefix(String),
    /// `~^(?<name>.+)$`
    Pattern(Pattern),
}

/// `location`, or the server around it.
#[derive(Clone, Debug)]
pub struct Location {
    /// Which URIs it is for.
    pub kind: LocationKind,
    /// Directives, with what is inherited.
    pub settings: Arc<Settings>,
    /// What runs first.
    pub steps: Vec<Step>,
    /// What it does then.
    pub action: Action,
    /// It has `health_check`.
    pub is_checked: bool,
    /// Locations in it.
    pub nested: Vec<Arc<Location>>,
    /// Different for each location of the configuration, from 0.
    pub id: usize,
}

/// Which URIs a location is for.
#[derive(Clone, Debug, Default)]
pub enum LocationKind {
    /// The whole server.
    #[default]
    Root,
    /// `location = /uri`
    Exact(String),
    /// `location /uri`; true for `^~`, which keeps regular expressions from being tried.
    Prefix(String, bool),
    /// `location ~ pattern` or `~*`
    Pattern(Pattern),
    /// `location @name`, which only `error_page` leads to.
    Named(String),
}

/// What a location does with a request.
#[derive(Clone, Debug, Default)]
pub enum Action {
    /// Nothing: there are no files to serve, so the answer is 404.
    #[default]
    NotFound,
    /// `stub_status`
    StubStatus,
    /// `proxy_pass`
    Proxy(ProxyPass),
    /// `proxy_pass` with variables, the whole URL.
    ProxyTo(Template),
}

/// `proxy_pass`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyPass {
    /// A name in [`HttpConfig::upstreams`].
    pub upstream: String,
    /// `$proxy_host`: host and port as they are written.
    pub host: String,
    /// `https://`
    pub is_https: bool,
    /// What replaces the prefix of the location, if a URI is written.
    pub uri: Option<String>,
}

impl ProxyPass {
    /// Returns true for `http://unix:PATH`.
    pub fn is_unix(&self) -> bool {
        self.upstream.starts_with("unix:")
    }
}

/// Each line is a directive that blocks inherit, and the type of its value.
macro_rules! settings {
    ($($(#[$note:meta])* $directive:ident: $type:ty,)*) => {
        /// Directives that are inherited. `None` means NGINX's default.
        #[derive(Clone, Debug, Default)]
        pub struct Settings {
            $(
                #[doc = concat!("`", stringify!($directive), "`.")]
                $(#[$note])*
                pub $directive: Option<$type>,
            )*
        }

        impl Settings {
            /// Takes what is not set here from the block around it.
            pub fn inherit(&mut self, outer: &Settings) {
                $(if self.$directive.is_none() {
                    self.$directive.clone_from(&outer.$directive);
                })*
            }
        }
    };
}

settings! {
    /// Of `allow` (true) and `deny`, in order.
    access_rules: Vec<(bool, Cidr)>,
    /// Empty for `off`.
    access_log: Vec<AccessLog>,
    add_header: Vec<AddHeader>,
    client_body_buffer_size: u64,
    client_body_timeout: Duration,
    client_header_timeout: Duration,
    client_max_body_size: u64,
    default_type: String,
    error_page: Vec<ErrorPage>,
    /// The request header `X-Explain` is answered.
    explain: bool,
    http2: bool,
    keepalive_requests: u64,
    keepalive_timeout: Duration,
    /// A zone, and how many requests at a time.
    limit_conn: Vec<(String, u32)>,
    limit_conn_status: u16,
    limit_req: Vec<LimitReq>,
    limit_req_status: u16,
    proxy_buffer_size: u64,
    proxy_connect_timeout: Duration,
    /// Empty for `off`, like those below.
    proxy_cookie_domain: Vec<HeaderRule>,
    /// What each adds are words of flags.
    proxy_cookie_flags: Vec<HeaderRule>,
    proxy_cookie_path: Vec<HeaderRule>,
    /// In lower case.
    proxy_hide_header: Vec<String>,
    /// 0 or 1.
    proxy_http_version: u8,
    proxy_intercept_errors: bool,
    /// By word.
    proxy_next_upstream: Vec<String>,
    proxy_next_upstream_timeout: Duration,
    proxy_next_upstream_tries: u64,
    /// In lower case.
    proxy_pass_header: Vec<String>,
    proxy_read_timeout: Duration,
    proxy_redirect: Vec<HeaderRule>,
    proxy_request_buffering: bool,
    proxy_send_timeout: Duration,
    proxy_set_header: Vec<(String, Template)>,
    proxy_ssl_name: String,
    proxy_ssl_protocols: Vec<String>,
    proxy_ssl_server_name: bool,
    proxy_ssl_trusted_certificate: PathBuf,
    proxy_ssl_verify: bool,
    proxy_ssl_verify_depth: u64,
    /// In lower case, or `proxy_protocol`, which no header can be called.
    real_ip_header: String,
    real_ip_recursive: bool,
    recursive_error_pages: bool,
    resolver: NameServers,
    resolver_timeout: Duration,
    send_timeout: Duration,
    set_real_ip_from: Vec<Cidr>,
    server_tokens: bool,
    ssl_certificate: Vec<PathBuf>,
    ssl_certificate_key: Vec<PathBuf>,
    ssl_protocols: Vec<String>,
    /// By extension, in lower case.
    types: Arc<BTreeMap<String, String>>,
    // Of `stream` alone.
    preread_buffer_size: u64,
    preread_timeout: Duration,
    proxy_half_close: bool,
    proxy_protocol: bool,
    proxy_protocol_timeout: Duration,
    proxy_ssl: bool,
    proxy_timeout: Duration,
    ssl_handshake_timeout: Duration,
    worker_connections: u64,
    worker_shutdown_timeout: Duration,
    ssl_preread: bool,
}

/// `error_page`, for one status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    /// The status of the failure.
    pub status: u16,
    /// The status that the client gets.
    pub shown: Shown,
    /// A path, a named location, or the address of a redirect.
    pub page: Template,
}

/// The status that a client gets with an error page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// That of the failure.
    OfError,
    /// `=`: that of the page.
    OfPage,
    /// `=200`
    Fixed(u16),
}

/// `limit_req`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitReq {
    /// The zone.
    pub zone: String,
    /// `burst`: requests that may wait, or pass at once.
    pub burst: u64,
    /// `delay`: of these, how many pass at once; `None` means `nodelay`, all of them.
    pub delay: Option<u64>,
}

/// `proxy_redirect` or `proxy_cookie_…`
#[derive(Clone, Debug, Default)]
pub struct HeaderRule {
    /// What it is for.
    pub from: Match,
    /// What comes in place of it.
    pub to: Vec<Template>,
}

/// What a [`HeaderRule`] is for.
#[derive(Clone, Debug, Default)]
pub enum Match {
    /// `proxy_redirect default` where no `proxy_pass` says what that is: nothing.
    #[default]
    Default,
    /// A text, which the header has.
    Text(Template),
    /// `~` or `~*`
    Pattern(Pattern),
}

/// `add_header`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddHeader {
    /// Its name.
    pub name: String,
    /// Its value; not added if it is empty.
    pub value: Template,
    /// `always`: to responses of every status.
    pub always: bool,
}

/// `access_log`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// The file.
    pub file: PathBuf,
    /// The format.
    pub format: Arc<Template>,
}

impl Settings {
    /// `resolver`, with `resolver_timeout`.
    pub fn resolver(&self) -> Option<NameServers> {
        let params = self.resolver.clone()?;
        let timeout = self.resolver_timeout.unwrap_or(params.timeout);
        Some(NameServers { timeout, ..params })
    }
}

impl Location {
    /// This location and all those in it.
    pub fn all(&self) -> Vec<&Location> {
        let mut all = vec![self];
        all.extend(self.nested.iter().flat_map(|it| it.all()));
        all
    }
}

impl LocationKind {
    /// The name of the location in the configuration: the URI, or the pattern.
    pub fn name(&self) -> &str {
        match self {
            LocationKind::Root => "",
            LocationKind::Exact(uri) | LocationKind::Prefix(uri, _) => uri,
            LocationKind::Pattern(pattern) => pattern.as_str(),
            LocationKind::Named(name) => name,
        }
    }
}
