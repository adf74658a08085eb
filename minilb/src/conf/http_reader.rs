//! The directives of `http { }`, read into a draft, and the draft made into an
//! [`HttpConfig`].
//!
//! ```text
//! http {                  open(Http)            a scope on the stack
//!     server {            open(Server)
//!         location / {    open(Location)
//!             return 204; apply                 changes the innermost scope
//!         }               close                 the scope goes to the one around it
//!     }                   close
//! }                       close, finish         inheritance, and upstreams by name
//! ```
//!
//! NGINX counterpart: `ngx_http_block` and `ngx_http_merge_servers` (`ngx_http.c`),
//! `ngx_http_core_module.c`, `ngx_http_proxy_module.c`.

use super::directives::Context;
use super::error::{ConfError, Place};
use super::health::health_check;
use super::http::*;
use super::http_lists::*;
use super::listen::Listen;
use super::map::Map;
use super::pattern::Pattern;
use super::reader::{
    check_upstream_url, on_or_off, servers_at, set_check, set_checked, split_port,
};
use super::resolver::name_servers;
use super::rewrite::{Condition, Return, Rewrite, Step, parse_set};
use super::split_clients::SplitClients;
use super::template::{Definition, Names, Template};
use super::values::{Precision, number, size, time};
use crate::engine::health::check::CheckParams;
use crate::engine::pool::PoolLimits;
use crate::engine::upstream::UpstreamConfig;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// NGINX's predefined log format.
const COMBINED: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status \
                        $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";

/// Flags that are checked, and have no effect here.
const FLAGS_IGNORED: &str = "multi_accept proxy_buffering proxy_ssl_session_reuse sendfile \
     ssl_prefer_server_ciphers ssl_session_tickets tcp_nodelay tcp_nopush";

/// Sets the field that is called like the directive, if it is listed, and returns the result.
macro_rules! set_fields {
    ($slots:ident, $name:ident, $($value:expr => $($field:ident)*;)*) => {
        match $name {
            $($(stringify!($field) => return set_checked(&mut $slots.$field, $name, $value),)*)*
            _ => {}
        }
    };
}

/// An open or closed block.
#[derive(Debug, Default)]
struct Scope {
    settings: Settings,
    names: Vec<ServerName>,
    listen: Vec<Listen>,
    kind: LocationKind,
    /// Of an `if`.
    condition: Option<Condition>,
    steps: Vec<Step>,
    action: Option<(Draft, Place)>,
    check: Option<(CheckParams, Place)>,
    nested: Vec<Scope>,
}

#[derive(Debug)]
enum Draft {
    StubStatus,
    /// True for `https`, host and port, and the URI.
    Proxy(bool, String, Option<String>),
    /// With variables.
    ProxyTo(Template),
}

/// What was read of `http { }`.
#[derive(Debug, Default)]
pub struct HttpDraft {
    is_seen: bool,
    /// The innermost last.
    open: Vec<Scope>,
    servers: Vec<Scope>,
    /// Of `http` itself, when its block has ended.
    pub settings: Settings,
    formats: BTreeMap<String, Arc<Template>>,
    /// Extensions of an open `types { }`.
    types: BTreeMap<String, String>,
    /// The open `map` or `split_clients`, and its variable.
    map: Option<Map>,
    split: Option<(String, SplitClients)>,
    /// Variables of the configuration.
    pub names: Names,
    zones: BTreeMap<String, ZoneConfig>,
    /// Where certificates are.
    pub conf_dir: PathBuf,
    /// Finished `upstream` blocks.
    pub upstreams: BTreeMap<String, HttpUpstream>,
    /// Of the open `upstream` block.
    pub pool: PoolLimits,
    /// Of the open `upstream` block.
    pub hash_key: Option<Template>,
}

impl HttpDraft {
    /// A block begins. `words` are those in front of its `{`.
    pub(super) fn enter(&mut self, words: &[String]) -> Result<(), String> {
        let (mut kind, mut condition) = (LocationKind::Root, None);
        match words[0].as_str() {
            "http" if self.is_seen => return Err("\"http\" directive is duplicate".to_owned()),
            "types" => return Ok(()),
            "map" | "split_clients" => return self.enter_data(words),
            "location" => {
                kind = location_kind(&words[1..], &mut self.names)?;
                self.check_location(&kind)?;
            }
            "if" => condition = Some(Condition::parse(&words[1..], &mut self.names)?),
            _ => {}
        }
        self.is_seen = true;
        self.open.push(Scope { kind, condition, ..Scope::default() });
        Ok(())
    }

    fn check_location(&self, kind: &LocationKind) -> Result<(), String> {
        let outer = self.open.last().expect("a location is inside of a server");
        let (LocationKind::Exact(uri) | LocationKind::Prefix(uri, _) | LocationKind::Named(uri)) =
            kind
        else {
            return Ok(());
        };
        if matches!(kind, LocationKind::Named(_)) && self.open.len() > 2 {
            return Err(format!("named location \"{uri}\" can be on the server level only"));
        }
        match &outer.kind {
            LocationKind::Exact(outer) => {
                return Err(format!(
                    "location \"{uri}\" cannot be inside the exact location \"{outer}\""
                ));
            }
            LocationKind::Prefix(prefix, _) if !uri.starts_with(prefix.as_str()) => {
                return Err(format!("location \"{uri}\" is outside location \"{prefix}\""));
            }
            _ => {}
        }
        let is_same = |it: &Scope| match (&it.kind, kind) {
            (LocationKind::Exact(one), LocationKind::Exact(other)) => one == other,
            (LocationKind::Prefix(one, _), LocationKind::Prefix(other, _)) => one == other,
            _ => false,
        };
        match outer.nested.iter().any(is_same) {
            true => Err(format!("duplicate location \"{uri}\"")),
            false => Ok(()),
        }
    }

    /// The innermost block ends.
    pub(super) fn leave(&mut self, name: &str) -> Result<(), String> {
        if let Some(map) = self.map.take() {
            let name = map.name.clone();
            return self.names.define(&name, Definition::Map(Arc::new(map)));
        }
        if let Some((name, split)) = self.split.take() {
            split.finish()?;
            return self.names.define(&name, Definition::Split(Arc::new(split)));
        }
        if name == "types" {
            let types = std::mem::take(&mut self.types);
            self.scope().settings.types = Some(Arc::new(types));
            return Ok(());
        }

        let mut scope = self.open.pop().expect("it was opened");
        match (self.open.last_mut(), scope.condition.take()) {
            (None, _) => self.settings = scope.settings,
            (Some(outer), Some(condition)) => outer.steps.push(Step::If(condition, scope.steps)),
            (Some(_), None) if name == "server" => {
                if scope.listen.is_empty() {
                    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 80);
                    scope.listen.push(Listen::at(address));
                }
                self.servers.push(scope);
            }
            (Some(outer), None) => outer.nested.push(scope),
        }
        Ok(())
    }

    fn scope(&mut self) -> &mut Scope {
        self.open.last_mut().expect("a block is open")
    }

    fn enter_data(&mut self, words: &[String]) -> Result<(), String> {
        let variable = &words[2];
        let name = variable.strip_prefix('$').filter(|it| !it.is_empty());
        let name = name.ok_or_else(|| format!("invalid variable name \"{variable}\""))?;
        let name = name.to_ascii_lowercase();
        let source = Template::compile(&words[1], &mut self.names)?;
        match words[0].as_str() {
            "map" => self.map = Some(Map::new(name, source)),
            _ => self.split = Some((name, SplitClients::new(source))),
        }
        Ok(())
    }

    /// A line of `types { }`, `map { }` or `split_clients { }`.
    pub(super) fn add_data(&mut self, context: Context, words: &[String]) -> Result<(), String> {
        match context {
            Context::Types => {
                for extension in &words[1..] {
                    self.types.insert(extension.to_ascii_lowercase(), words[0].clone());
                }
                Ok(())
            }
            Context::Map => self.map.as_mut().expect("a map is open").add(words, &mut self.names),
            _ => self.split.as_mut().expect("a split is open").1.add(words),
        }
    }

    /// A directive without block.
    pub(super) fn apply(
        &mut self,
        context: Context,
        words: &[String],
        place: Place,
        prefix: &Path,
    ) -> Result<(), String> {
        let (name, arguments) = (words[0].as_str(), &words[1..]);
        match name {
            "listen" => self.listen(arguments),
            "server_name" => self.server_name(arguments),
            "set" | "return" | "rewrite" | "break" => {
                let names = &mut self.names;
                let step = match name {
                    "set" => parse_set(arguments, names)?,
                    "return" => Step::Return(Return::parse(arguments, names)?),
                    "rewrite" => Step::Rewrite(Box::new(Rewrite::parse(arguments, names)?)),
                    _ => Step::Break,
                };
                self.scope().steps.push(step);
                Ok(())
            }
            "stub_status" => {
                self.scope().action = Some((Draft::StubStatus, place));
                Ok(())
            }
            "limit_req_zone" | "limit_conn_zone" => {
                let (zone, config) = zone(name, arguments, &mut self.names)?;
                match self.zones.insert(zone.clone(), config) {
                    Some(_) => Err(format!("{name} \"{zone}\" is already bound to another key")),
                    None => Ok(()),
                }
            }
            "proxy_pass" => self.proxy_pass(&arguments[0], place),
            "health_check" => set_checked(&mut self.scope().check, name, || {
                Ok((health_check(arguments, true)?, place))
            }),
            "log_format" => self.log_format(arguments),
            "access_log" => self.access_log(arguments, prefix),
            "keepalive" | "keepalive_requests" | "keepalive_time" | "keepalive_timeout"
                if context == Context::HttpUpstream =>
            {
                self.pool_limit(name, &arguments[0])
            }
            _ => self.setting(name, arguments),
        }
    }

    /// `keepalive` of an upstream, and its limits.
    fn pool_limit(&mut self, name: &str, text: &str) -> Result<(), String> {
        let invalid = || format!("\"{name}\" directive invalid value");
        let ms = || time(text, Precision::Milliseconds).map(|it| it.as_millis() as u64);
        match name {
            "keepalive" => {
                let capacity = number(text).filter(|it| *it > 0);
                let invalid = || format!("invalid value \"{text}\" in \"keepalive\" directive");
                self.pool.capacity = capacity.ok_or_else(invalid)? as usize;
            }
            "keepalive_timeout" => self.pool.idle_ms_max = ms().ok_or_else(invalid)?,
            "keepalive_time" => self.pool.lifetime_ms = ms().ok_or_else(invalid)?,
            _ => self.pool.requests_max = number(text).ok_or_else(invalid)?,
        }
        Ok(())
    }

    fn listen(&mut self, arguments: &[String]) -> Result<(), String> {
        let listen = Listen::parse(arguments, true)?;
        let address = listen.address.clone();
        if self.scope().listen.iter().any(|it| it.address == address) {
            return Err(format!("a duplicate listen {address}"));
        }
        let others = self.servers.iter().flat_map(|it| &it.listen);
        if listen.is_default && others.clone().any(|it| it.address == address && it.is_default) {
            return Err(format!("a duplicate default server for {address}"));
        }
        self.scope().listen.push(listen);
        Ok(())
    }

    fn server_name(&mut self, names: &[String]) -> Result<(), String> {
        for name in names {
            let lower = name.to_ascii_lowercase();
            let is_wildcard = lower.starts_with("*.") && lower.len() > 2;
            if (lower.starts_with('*') && !is_wildcard) || lower == "." {
                return Err(format!("server name \"{name}\" is invalid"));
            }
            let parsed = if let Some(pattern) = name.strip_prefix('~') {
                ServerName::Pattern(Pattern::compile(pattern, false, &mut self.names)?)
            } else if let Some(suffix) = lower.strip_prefix("*.") {
                ServerName::Suffix(format!(".{suffix}"), false)
            } else if lower.starts_with('.') {
                ServerName::Suffix(lower, true)
            } else if let Some(prefix) = lower.strip_suffix(".*") {
                ServerName::Prefix(format!("{prefix}."))
            } else {
                ServerName::Exact(lower)
            };
            self.scope().names.push(parsed);
        }
        Ok(())
    }

    fn proxy_pass(&mut self, url: &str, place: Place) -> Result<(), String> {
        let is_proxy = |it: &Draft| matches!(it, Draft::Proxy(..) | Draft::ProxyTo(_));
        if self.scope().action.as_ref().is_some_and(|(it, _)| is_proxy(it)) {
            return Err("\"proxy_pass\" directive is duplicate".to_owned());
        }
        if url.contains('$') {
            let template = Template::compile(url, &mut self.names)?;
            self.scope().action = Some((Draft::ProxyTo(template), place));
            return Ok(());
        }
        let scope = self.scope();
        let (is_https, rest) = match url.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            _ => return Err("invalid URL prefix".to_owned()),
        };
        // The path of a Unix socket ends at a colon.
        let (end, uri) = match rest.strip_prefix("unix:") {
            Some(path) => {
                let end = path.find(':').map_or(rest.len(), |it| it + 5);
                check_upstream_url(&rest[..end])?;
                (end, rest.get(end + 1..).unwrap_or_default())
            }
            None => {
                let end = rest.find('/').unwrap_or(rest.len());
                (end, &rest[end..])
            }
        };
        let (host, uri) =
            (rest[..end].to_owned(), Some(uri.to_owned()).filter(|it| !it.is_empty()));
        if host.is_empty() {
            return Err(format!("no host in upstream \"{rest}\""));
        }
        if matches!(scope.kind, LocationKind::Pattern(_) | LocationKind::Named(_)) && uri.is_some()
        {
            let text = "\"proxy_pass\" cannot have URI part in location given by regular \
                        expression, or inside named location, or inside \"if\" statement, or \
                        inside \"limit_except\" block";
            return Err(text.to_owned());
        }
        scope.action = Some((Draft::Proxy(is_https, host, uri), place));
        Ok(())
    }

    fn log_format(&mut self, arguments: &[String]) -> Result<(), String> {
        let name = &arguments[0];
        if name == "combined" || self.formats.contains_key(name) {
            return Err(format!("duplicate \"log_format\" name \"{name}\""));
        }
        let mut texts = &arguments[1..];
        if let Some(escape) = texts.first().and_then(|it| it.strip_prefix("escape=")) {
            if escape != "default" {
                return Err(format!("unknown log format escaping \"{escape}\""));
            }
            texts = &texts[1..];
        }
        let format = Template::compile(&texts.concat(), &mut self.names)?;
        self.formats.insert(name.clone(), Arc::new(format));
        Ok(())
    }

    fn access_log(&mut self, arguments: &[String], prefix: &Path) -> Result<(), String> {
        let log = match arguments[0].as_str() {
            "off" => None,
            path => {
                let name = arguments.get(1).map_or("combined", String::as_str);
                let combined =
                    || Template::compile(COMBINED, &mut Names::default()).expect("NGINX's own");
                let format = match self.formats.get(name) {
                    Some(format) => Arc::clone(format),
                    None if name == "combined" => Arc::new(combined()),
                    None => return Err(format!("unknown log format \"{name}\"")),
                };
                if let Some(parameter) = arguments.get(2) {
                    return Err(format!("invalid parameter \"{parameter}\""));
                }
                Some(AccessLog { file: prefix.join(path), format })
            }
        };
        self.scope().settings.access_log.get_or_insert_default().extend(log);
        Ok(())
    }

    /// A directive that blocks inherit.
    fn setting(&mut self, name: &str, arguments: &[String]) -> Result<(), String> {
        let mut slots = std::mem::take(&mut self.scope().settings);
        let applied = self.apply_setting(&mut slots, name, arguments);
        self.scope().settings = slots;
        applied
    }

    /// The same for the settings of any block: `stream` has those of TLS in common with `http`.
    pub(super) fn apply_setting(
        &mut self,
        slots: &mut Settings,
        name: &str,
        arguments: &[String],
    ) -> Result<(), String> {
        let conf_dir = &self.conf_dir;
        let text = arguments[0].as_str();
        let invalid = || format!("\"{name}\" directive invalid value");
        let duration = || time(text, Precision::Milliseconds).ok_or_else(invalid);
        let bytes = || size(text).ok_or_else(invalid);
        let count = || number(text).ok_or_else(|| format!("invalid number \"{text}\""));
        let flag = || on_or_off(name, text);
        set_fields!(slots, name,
            bytes => client_body_buffer_size client_max_body_size preread_buffer_size
                proxy_buffer_size;
            duration => client_body_timeout client_header_timeout keepalive_timeout
                preread_timeout proxy_connect_timeout proxy_next_upstream_timeout
                proxy_protocol_timeout proxy_read_timeout proxy_send_timeout proxy_timeout
                resolver_timeout send_timeout ssl_handshake_timeout worker_shutdown_timeout;
            count => keepalive_requests proxy_next_upstream_tries proxy_ssl_verify_depth
                worker_connections;
            flag => explain http2 proxy_half_close proxy_intercept_errors proxy_protocol
                proxy_request_buffering proxy_ssl proxy_ssl_server_name proxy_ssl_verify
                real_ip_recursive recursive_error_pages server_tokens ssl_preread;
            || name_servers(arguments) => resolver;
            || limit_status(text) => limit_conn_status limit_req_status;
            || Ok(text.to_owned()) => default_type;
            || Ok(text.to_ascii_lowercase()) => real_ip_header;
            || Ok(conf_dir.join(text)) => proxy_ssl_trusted_certificate;
            || protocols(arguments) => proxy_ssl_protocols ssl_protocols;
        );
        match name {
            "proxy_http_version" => set_checked(&mut slots.proxy_http_version, name, || {
                let version = ["1.0", "1.1"].iter().position(|it| *it == text);
                version.map(|it| it as u8).ok_or_else(|| format!("invalid value \"{text}\""))
            }),
            // Buffers of NGINX that we do not have; the values are checked all the same.
            "proxy_buffers" => match (number(text), size(&arguments[1])) {
                (Some(_), Some(_)) => Ok(()),
                _ => Err(invalid()),
            },
            "proxy_busy_buffers_size"
            | "types_hash_max_size"
            | "server_names_hash_bucket_size"
            | "server_names_hash_max_size" => bytes().map(|_| ()),
            _ if FLAGS_IGNORED.split(' ').any(|it| it == name) => flag().map(|_| ()),
            // Ciphers are those of the library, which keeps sessions in memory.
            "proxy_ssl_ciphers" | "ssl_ciphers" | "ssl_dhparam" | "ssl_ecdh_curve"
            | "ssl_session_cache" => Ok(()),
            "ssl_session_timeout" => duration().map(|_| ()),
            "ssl_certificate" | "ssl_certificate_key" | "proxy_ssl_name" => {
                ssl_setting(slots, conf_dir, name, text)
            }
            _ => list_setting(slots, &mut self.names, name, arguments),
        }
    }

    /// Makes the configuration. Upstreams are known now, wherever they stand.
    ///
    /// # Errors
    /// If a `proxy_pass` names a host that is neither an upstream nor resolvable.
    pub fn finish(
        self,
        resolve: impl Fn(&str) -> Vec<SocketAddr>,
    ) -> Result<HttpConfig, ConfError> {
        let mut upstreams = self.upstreams;
        let (mut servers, mut locations) = (Vec::new(), 0);
        for mut scope in self.servers {
            let names = match std::mem::take(&mut scope.names) {
                names if names.is_empty() => vec![ServerName::Exact(String::new())],
                names => names,
            };
            let server_name = match &names[0] {
                ServerName::Exact(name) => name.clone(),
                ServerName::Suffix(name, true) => name[1..].to_owned(),
                ServerName::Suffix(name, false) => format!("*{name}"),
                ServerName::Prefix(name) => format!("{name}*"),
                ServerName::Pattern(it) => format!("~{}", it.as_str().replace("(?P<", "(?<")),
            };
            let mut listen = std::mem::take(&mut scope.listen);
            let http2_on = scope.settings.http2.or(self.settings.http2) == Some(true);
            listen.iter_mut().for_each(|it| it.http2_on = http2_on);
            let (outer, count) = (&self.settings, &mut locations);
            let root = location(scope, outer, &mut upstreams, &resolve, count)?;
            servers.push(HttpServer { names, server_name, listen, root });
        }

        let anywhere = |message| ConfError { message, place: None };
        let variables = self.names.finish().map_err(anywhere)?;
        let config = HttpConfig { upstreams, servers, locations, variables, zones: self.zones };
        check_zones(&config).map_err(anywhere)?;
        Ok(config)
    }
}

/// Makes a location of a scope, and those in it.
fn location(
    mut scope: Scope,
    outer: &Settings,
    upstreams: &mut BTreeMap<String, HttpUpstream>,
    resolve: &impl Fn(&str) -> Vec<SocketAddr>,
    count: &mut usize,
) -> Result<Arc<Location>, ConfError> {
    let id = *count;
    *count += 1;
    scope.settings.inherit(outer);
    let action = match scope.action {
        None => Action::NotFound,
        Some((Draft::StubStatus, _)) => Action::StubStatus,
        Some((Draft::ProxyTo(url), _)) => Action::ProxyTo(url),
        Some((Draft::Proxy(is_https, host, uri), place)) => {
            let fail = |message| ConfError { message, place: Some(place.clone()) };
            let upstream = upstream_of(&host, is_https, upstreams, resolve).map_err(fail)?;
            // NGINX's name for the other end.
            let host = if host.starts_with("unix:") { "localhost".to_owned() } else { host };
            Action::Proxy(ProxyPass { upstream, host, is_https, uri })
        }
    };
    set_default_redirect(&mut scope.settings, &action, &scope.kind);
    let is_checked = scope.check.is_some();
    if let Some((check, place)) = scope.check {
        let fail = |message| ConfError { message, place: Some(place) };
        let upstream = match &action {
            Action::Proxy(proxy) => upstreams.get_mut(&proxy.upstream),
            _ => None,
        };
        let upstream = upstream.ok_or("\"health_check\" needs \"proxy_pass\" in its location");
        let timeout = scope.settings.proxy_read_timeout;
        upstream
            .map_err(str::to_owned)
            .and_then(|it| set_check(&mut it.config, check, timeout))
            .map_err(fail)?;
    }
    let mut nested = Vec::new();
    for inner in scope.nested {
        nested.push(location(inner, &scope.settings, upstreams, resolve, count)?);
    }
    let settings = Arc::new(scope.settings);
    let (kind, steps) = (scope.kind, scope.steps);
    Ok(Arc::new(Location { kind, settings, steps, action, is_checked, nested, id }))
}

/// `proxy_redirect default`, which is also what a location with `proxy_pass` has without the
/// directive: the server's own address becomes the URI of the location. Where the server depends on
/// the request, there is no default, and nobody redirects to a Unix socket.
fn set_default_redirect(settings: &mut Settings, action: &Action, kind: &LocationKind) {
    let Action::Proxy(proxy) = action else { return };
    if proxy.is_unix() {
        return;
    }
    let scheme = if proxy.is_https { "https" } else { "http" };
    let (from, to) = match &proxy.uri {
        Some(uri) => (uri.as_str(), kind.name()),
        None => ("/", "/"),
    };
    let from = Template::text(format!("{scheme}://{}{from}", proxy.host));
    let rule = HeaderRule { from: Match::Text(from), to: vec![Template::text(to)] };
    let rules = settings.proxy_redirect.get_or_insert_with(|| vec![HeaderRule::default()]);
    for default in rules.iter_mut().filter(|it| matches!(it.from, Match::Default)) {
        *default = rule.clone();
    }
}

/// The name of the upstream that `proxy_pass http://host` means; makes one of an address.
fn upstream_of(
    host: &str,
    is_https: bool,
    upstreams: &mut BTreeMap<String, HttpUpstream>,
    resolve: &impl Fn(&str) -> Vec<SocketAddr>,
) -> Result<String, String> {
    if upstreams.contains_key(host) {
        return Ok(host.to_owned());
    }
    let (key, port) = match (is_https, split_port(host).1) {
        // A host without port is another upstream for the other scheme.
        (true, None) => (format!("{host}:443"), 443),
        _ => (host.to_owned(), 80),
    };
    if upstreams.contains_key(&key) {
        return Ok(key);
    }
    let servers = servers_at(host, Some(port), |it| upstreams.contains_key(it), resolve)?;
    let config = UpstreamConfig::new(servers);
    let upstream = HttpUpstream { config, pool: PoolLimits::default(), hash_key: None };
    upstreams.insert(key.clone(), upstream);
    Ok(key)
}

/// A certificate, a key or a name, without variables.
fn ssl_setting(
    slots: &mut Settings,
    conf_dir: &Path,
    name: &str,
    text: &str,
) -> Result<(), String> {
    match name {
        // The default.
        "proxy_ssl_name" if text == "$proxy_host" => {}
        _ if text.contains('$') => return Err(format!("variables are not supported: \"{text}\"")),
        "proxy_ssl_name" => slots.proxy_ssl_name = Some(text.to_owned()),
        "ssl_certificate" => {
            slots.ssl_certificate.get_or_insert_default().push(conf_dir.join(text));
        }
        _ => slots.ssl_certificate_key.get_or_insert_default().push(conf_dir.join(text)),
    }
    Ok(())
}

/// `ssl_protocols`
fn protocols(words: &[String]) -> Result<Vec<String>, String> {
    const KNOWN: [&str; 6] = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
    match words.iter().find(|it| !KNOWN.contains(&it.as_str())) {
        Some(word) => Err(format!("invalid value \"{word}\"")),
        None if !words.iter().any(|it| it == "TLSv1.2" || it == "TLSv1.3") => {
            Err(format!("only TLSv1.2 and TLSv1.3 are supported, not \"{}\"", words.join(" ")))
        }
        None => Ok(words.to_vec()),
    }
}

fn location_kind(words: &[String], names: &mut Names) -> Result<LocationKind, String> {
    let (modifier, uri) = match words {
        [modifier, uri] => (modifier.as_str(), uri.as_str()),
        // A modifier without a space after it.
        [word] => match word.as_str() {
            it if it.starts_with("~*") => it.split_at(2),
            it if it.starts_with('=') || it.starts_with('~') => it.split_at(1),
            it if it.starts_with("^~") => it.split_at(2),
            it => ("", it),
        },
        _ => unreachable!("one or two arguments"),
    };
    match modifier {
        "" if uri.starts_with('@') => Ok(LocationKind::Named(uri.to_owned())),
        "" => Ok(LocationKind::Prefix(uri.to_owned(), false)),
        "=" => Ok(LocationKind::Exact(uri.to_owned())),
        "^~" => Ok(LocationKind::Prefix(uri.to_owned(), true)),
        "~" => Ok(LocationKind::Pattern(Pattern::compile(uri, false, names)?)),
        "~*" => Ok(LocationKind::Pattern(Pattern::compile(uri, true, names)?)),
        _ => Err(format!("invalid location modifier \"{modifier}\"")),
    }
}
