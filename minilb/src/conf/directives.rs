//! Every directive of minilb, where it may be, and how many arguments it takes.
//!
//! # Example
//!
//! ```text
//! proxy_pass a;     in `server`      found
//! proxy_pass a;     in `stream`      "proxy_pass" directive is not allowed here
//! proxy_pas a;                       unknown directive "proxy_pas", did you mean "proxy_pass"?
//! ```
//!
//! The last part is ours; the rest are NGINX's words.
//!
//! NGINX counterpart: the `ngx_command_t` tables of its modules and `ngx_conf_handler`
//! (`ngx_conf_file.c`), which checks in the same order.

use std::ops::RangeInclusive;

/// A kind of block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Outside of all blocks.
    Main,
    /// `events { }`
    Events,
    /// `stream { }`
    Stream,
    /// `upstream NAME { }` in `stream`
    Upstream,
    /// `server { }` in `stream`
    Server,
    /// `http { }`
    Http,
    /// `upstream NAME { }` in `http`
    HttpUpstream,
    /// `server { }` in `http`
    HttpServer,
    /// `location { }`
    Location,
    /// `types { }`
    Types,
    /// `map SOURCE VARIABLE { }`
    Map,
    /// `split_clients SOURCE VARIABLE { }`
    SplitClients,
    /// `if CONDITION { }`
    If,
}

impl Context {
    /// Returns true for `http { }` and what is in it.
    pub fn is_http(self) -> bool {
        matches!(self, Http | HttpUpstream | HttpServer | Location | If) || self.is_data()
    }

    /// Returns true for blocks whose lines are no directives.
    pub fn is_data(self) -> bool {
        matches!(self, Types | Map | SplitClients)
    }
}

use Context::*;

/// Directives, separated by spaces, that may be in the same places and take as many arguments.
struct Directive {
    names: &'static str,
    contexts: &'static [Context],
    arguments: RangeInclusive<usize>,
    is_block: bool,
}

impl Directive {
    fn is_allowed_in(&self, context: Context) -> bool {
        self.contexts.is_empty() || self.contexts.contains(&context)
    }
}

const fn line(
    names: &'static str,
    contexts: &'static [Context],
    arguments: RangeInclusive<usize>,
) -> Directive {
    Directive { names, contexts, arguments, is_block: false }
}

const fn block(
    names: &'static str,
    contexts: &'static [Context],
    arguments: RangeInclusive<usize>,
) -> Directive {
    Directive { names, contexts, arguments, is_block: true }
}

/// In every context.
const ANYWHERE: &[Context] = &[];
/// Where most directives of `http` may be.
const HTTP: &[Context] = &[Http, HttpServer, Location];
const SERVERS: &[Context] = &[Http, HttpServer];
const TLS: &[Context] = &[Http, HttpServer, Stream, Server];
/// What `ngx_http_rewrite_module` has, which is all that may be in `if`.
const REWRITE: &[Context] = &[HttpServer, Location, If];
const UPSTREAMS: &[Context] = &[Upstream, HttpUpstream];
const RESOLVER: &[Context] = &[Stream, Server, Upstream, Http, HttpServer, Location, HttpUpstream];

const DIRECTIVES: &[Directive] = &[
    line("include", ANYWHERE, 1..=1),
    line("error_log", &[Main], 1..=2),
    block("events http stream", &[Main], 0..=0),
    block("upstream", &[Stream, Http], 1..=1),
    line("server", UPSTREAMS, 1..=usize::MAX),
    line("least_conn", UPSTREAMS, 0..=0),
    line("circuit_breaker", UPSTREAMS, 0..=usize::MAX),
    line("health_check", &[Server, Location], 0..=usize::MAX),
    block("server", &[Stream, Http], 0..=0),
    line("listen", &[Server], 1..=usize::MAX),
    line("proxy_pass", &[Server, Location], 1..=1),
    line("resolver", RESOLVER, 1..=usize::MAX),
    line("resolver_timeout", RESOLVER, 1..=1),
    line("http2", SERVERS, 1..=1),
    line("proxy_connect_timeout", &[Stream, Server, Http, HttpServer, Location], 1..=1),
    line("hash", &[HttpUpstream], 1..=3),
    line("least_time", &[HttpUpstream], 1..=2),
    line("ip_hash", &[HttpUpstream], 0..=0),
    line("random", &[HttpUpstream], 0..=2),
    line("keepalive_timeout", &[HttpUpstream, Http, HttpServer, Location], 1..=2),
    line("keepalive_requests", &[HttpUpstream, Http, HttpServer, Location], 1..=1),
    line("zone", UPSTREAMS, 1..=2),
    line("listen server_name", &[HttpServer], 1..=usize::MAX),
    block("location", &[HttpServer, Location], 1..=2),
    block("types", HTTP, 0..=0),
    block("map split_clients", &[Stream, Http], 2..=2),
    block("if", &[HttpServer, Location], 1..=usize::MAX),
    line("set", REWRITE, 2..=2),
    line("break", REWRITE, 0..=0),
    line("return", REWRITE, 1..=2),
    line("rewrite", REWRITE, 2..=3),
    line("stub_status", &[HttpServer, Location], 0..=1),
    line("error_page", HTTP, 2..=usize::MAX),
    line("limit_conn proxy_buffers proxy_set_header", HTTP, 2..=2),
    line("limit_conn_zone", &[Http], 2..=2),
    line("access_log limit_req", HTTP, 1..=3),
    line("limit_req_zone", &[Http], 3..=4),
    line("add_header", HTTP, 2..=3),
    line("log_format", &[Http], 2..=usize::MAX),
    line("proxy_next_upstream proxy_ssl_protocols", HTTP, 1..=usize::MAX),
    line("proxy_cookie_flags", HTTP, 1..=4),
    line("proxy_cookie_domain proxy_cookie_path proxy_redirect", HTTP, 1..=2),
    line("server_names_hash_bucket_size server_names_hash_max_size", &[Http], 1..=1),
    line("ssl_protocols", TLS, 1..=usize::MAX),
    line("ssl_session_cache", TLS, 1..=2),
    line("user", &[Main], 1..=2),
    line(
        "allow client_body_buffer_size client_body_timeout client_max_body_size default_type \
         deny explain limit_conn_log_level limit_conn_status limit_req_log_level \
         limit_req_status proxy_buffer_size proxy_buffering proxy_busy_buffers_size \
         proxy_hide_header proxy_http_version proxy_intercept_errors \
         proxy_next_upstream_timeout proxy_next_upstream_tries proxy_pass_header \
         proxy_read_timeout proxy_request_buffering proxy_send_timeout proxy_ssl_ciphers \
         proxy_ssl_name proxy_ssl_server_name proxy_ssl_session_reuse \
         proxy_ssl_trusted_certificate proxy_ssl_verify proxy_ssl_verify_depth real_ip_header \
         real_ip_recursive recursive_error_pages send_timeout sendfile server_tokens \
         set_real_ip_from tcp_nodelay tcp_nopush types_hash_max_size",
        HTTP,
        1..=1,
    ),
    line("client_header_timeout", SERVERS, 1..=1),
    line(
        "ssl_certificate ssl_certificate_key ssl_ciphers ssl_dhparam ssl_ecdh_curve \
         ssl_prefer_server_ciphers ssl_session_tickets ssl_session_timeout",
        TLS,
        1..=1,
    ),
    line(
        "preread_buffer_size preread_timeout proxy_half_close proxy_protocol \
         proxy_protocol_timeout proxy_ssl proxy_ssl_ciphers proxy_ssl_name \
         proxy_ssl_server_name proxy_ssl_session_reuse proxy_ssl_trusted_certificate \
         proxy_ssl_verify proxy_ssl_verify_depth proxy_timeout ssl_handshake_timeout ssl_preread",
        &[Stream, Server],
        1..=1,
    ),
    line(
        "daemon load_module pid worker_processes worker_rlimit_nofile worker_shutdown_timeout",
        &[Main],
        1..=1,
    ),
    line("proxy_ssl_protocols", &[Stream, Server], 1..=usize::MAX),
    line("multi_accept use worker_connections", &[Events], 1..=1),
    line("keepalive keepalive_time", &[HttpUpstream], 1..=1),
];

/// Checks a statement that begins with `words[0]` in the given context.
///
/// # Errors
/// NGINX's message if the directive is unknown, in the wrong place, lacks its block or has the
/// wrong number of arguments.
pub fn check(words: &[String], opens_block: bool, context: Context) -> Result<(), String> {
    let name = words[0].as_str();
    let mut same_name =
        DIRECTIVES.iter().filter(|it| it.names.split(' ').any(|it| it == name)).peekable();
    if same_name.peek().is_none() {
        return Err(unknown(name));
    }
    let mut here = same_name.filter(|it| it.is_allowed_in(context)).peekable();
    let count = words.len() - 1;
    let Some(directive) = here.peek() else {
        // NGINX would make a location of the `if`.
        if context == If {
            return Err(format!("\"{name}\" is not supported inside of \"if\""));
        }
        return Err(format!("\"{name}\" directive is not allowed here"));
    };
    if opens_block && !directive.is_block {
        return Err(format!("directive \"{name}\" is not terminated by \";\""));
    }
    if directive.is_block && !opens_block {
        return Err(format!("directive \"{name}\" has no opening \"{{\""));
    }
    if !here.any(|it| it.arguments.contains(&count)) {
        return Err(format!("invalid number of arguments in \"{name}\" directive"));
    }
    Ok(())
}

fn unknown(name: &str) -> String {
    let similarity = |it: &&str| strsim::jaro_winkler(it, name);
    let names = DIRECTIVES.iter().flat_map(|it| it.names.split(' '));
    let nearest = names.max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
    // Below this, the names have little more in common than a letter or two.
    match nearest.filter(|it| similarity(it) >= 0.85) {
        Some(nearest) => format!("unknown directive \"{name}\", did you mean \"{nearest}\"?"),
        None => format!("unknown directive \"{name}\""),
    }
}
