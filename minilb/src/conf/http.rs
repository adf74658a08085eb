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
    /// Locations in it.
    pub nested: Vec<Arc<Location>>,
    /// Different for each location of the configuration, from 0.
    pub id: usize,
}

/// Which URIs a location is for.
#[derive(Clone, Debug)]
pub enum LocationKind {
    /// The whole server.
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

/// Directives that are inherited. `None` means NGINX's default.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `allow` (true) and `deny`, in order.
    pub access_rules: Option<Vec<(bool, Cidr)>>,
    /// `access_log`; empty for `off`.
    pub access_log: Option<Vec<AccessLog>>,
    /// `add_header`
    pub add_header: Option<Vec<AddHeader>>,
    /// `client_body_buffer_size`
    pub client_body_buffer_size: Option<u64>,
    /// `client_body_timeout`
    pub client_body_timeout: Option<Duration>,
    /// `client_header_timeout`
    pub client_header_timeout: Option<Duration>,
    /// `client_max_body_size`
    pub client_max_body_size: Option<u64>,
    /// `default_type`
    pub default_type: Option<String>,
    /// `error_page`
    pub error_page: Option<Vec<ErrorPage>>,
    /// `explain`: the request header `X-Explain` is answered.
    pub explain: Option<bool>,
    /// `keepalive_requests`
    pub keepalive_requests: Option<u64>,
    /// `keepalive_timeout`
    pub keepalive_timeout: Option<Duration>,
    /// `limit_conn`: a zone, and how many requests at a time.
    pub limit_conn: Option<Vec<(String, u32)>>,
    /// `limit_conn_status`
    pub limit_conn_status: Option<u16>,
    /// `limit_req`
    pub limit_req: Option<Vec<LimitReq>>,
    /// `limit_req_status`
    pub limit_req_status: Option<u16>,
    /// `proxy_buffer_size`
    pub proxy_buffer_size: Option<u64>,
    /// `proxy_connect_timeout`
    pub proxy_connect_timeout: Option<Duration>,
    /// `proxy_hide_header`, in lower case.
    pub proxy_hide_header: Option<Vec<String>>,
    /// `proxy_http_version`: 0 or 1.
    pub proxy_http_version: Option<u8>,
    /// `proxy_intercept_errors`
    pub proxy_intercept_errors: Option<bool>,
    /// `proxy_next_upstream`, by word.
    pub proxy_next_upstream: Option<Vec<String>>,
    /// `proxy_next_upstream_timeout`
    pub proxy_next_upstream_timeout: Option<Duration>,
    /// `proxy_next_upstream_tries`
    pub proxy_next_upstream_tries: Option<u64>,
    /// `proxy_pass_header`, in lower case.
    pub proxy_pass_header: Option<Vec<String>>,
    /// `proxy_read_timeout`
    pub proxy_read_timeout: Option<Duration>,
    /// `proxy_redirect`
    pub proxy_redirect: Option<Redirects>,
    /// `proxy_request_buffering`
    pub proxy_request_buffering: Option<bool>,
    /// `proxy_send_timeout`
    pub proxy_send_timeout: Option<Duration>,
    /// `proxy_set_header`
    pub proxy_set_header: Option<Vec<(String, Template)>>,
    /// `proxy_ssl_name`
    pub proxy_ssl_name: Option<String>,
    /// `proxy_ssl_protocols`
    pub proxy_ssl_protocols: Option<Vec<String>>,
    /// `proxy_ssl_server_name`
    pub proxy_ssl_server_name: Option<bool>,
    /// `proxy_ssl_trusted_certificate`
    pub proxy_ssl_trusted_certificate: Option<PathBuf>,
    /// `proxy_ssl_verify`
    pub proxy_ssl_verify: Option<bool>,
    /// `real_ip_header` in lower case, or `proxy_protocol`, which no header can be called.
    pub real_ip_header: Option<String>,
    /// `real_ip_recursive`
    pub real_ip_recursive: Option<bool>,
    /// `recursive_error_pages`
    pub recursive_error_pages: Option<bool>,
    /// `send_timeout`
    pub send_timeout: Option<Duration>,
    /// `set_real_ip_from`
    pub set_real_ip_from: Option<Vec<Cidr>>,
    /// `server_tokens`
    pub server_tokens: Option<bool>,
    /// `ssl_certificate`
    pub ssl_certificate: Option<Vec<PathBuf>>,
    /// `ssl_certificate_key`
    pub ssl_certificate_key: Option<Vec<PathBuf>>,
    /// `ssl_protocols`
    pub ssl_protocols: Option<Vec<String>>,
    /// `types`: by extension, in lower case.
    pub types: Option<Arc<BTreeMap<String, String>>>,
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

/// `proxy_redirect`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// `off`
    Off,
    /// `default`
    Default,
    /// Pairs of a prefix and its replacement.
    Pairs(Vec<(String, Template)>),
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

macro_rules! inherit {
    ($inner:ident, $outer:ident, $($field:ident)*) => {
        $(if $inner.$field.is_none() { $inner.$field.clone_from(&$outer.$field); })*
    };
}

impl Location {
    /// Calls `visit` with this location and all those in it.
    pub fn visit(&self, visit: &mut impl FnMut(&Location)) {
        visit(self);
        self.nested.iter().for_each(|it| it.visit(visit));
    }

    /// Its name in the configuration: the URI, or the pattern.
    pub fn name(&self) -> &str {
        match &self.kind {
            LocationKind::Root => "",
            LocationKind::Exact(uri) | LocationKind::Prefix(uri, _) => uri,
            LocationKind::Pattern(pattern) => pattern.as_str(),
            LocationKind::Named(name) => name,
        }
    }
}

impl Settings {
    /// Takes what is not set here from the block around it.
    pub fn inherit(&mut self, outer: &Settings) {
        inherit!(self, outer,
            access_rules access_log add_header client_body_buffer_size client_body_timeout
            client_header_timeout client_max_body_size default_type error_page explain
            keepalive_requests keepalive_timeout limit_conn limit_conn_status limit_req
            limit_req_status
            proxy_buffer_size proxy_connect_timeout proxy_hide_header proxy_http_version
            proxy_intercept_errors proxy_next_upstream proxy_next_upstream_timeout
            proxy_next_upstream_tries proxy_pass_header proxy_read_timeout proxy_redirect
            proxy_request_buffering proxy_send_timeout proxy_set_header proxy_ssl_name
            proxy_ssl_protocols proxy_ssl_server_name proxy_ssl_trusted_certificate
            proxy_ssl_verify real_ip_header
            real_ip_recursive recursive_error_pages send_timeout set_real_ip_from server_tokens
            ssl_certificate ssl_certificate_key ssl_protocols types);
    }
}
