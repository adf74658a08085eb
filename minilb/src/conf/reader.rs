//! From statements to a [`Config`], in the order of the file.
//!
//! Each directive is checked and applied when it is read, as NGINX does, so of several errors the
//! same one is reported. What depends on later lines waits for the end of `stream { }`:
//!
//! ```text
//! proxy_pass db;                 an upstream that may follow below, or else an address
//! proxy_timeout 1m;              in `stream`: for every server that has none of its own
//! ```
//!
//! A name that means several addresses gives one peer for each.
//!
//! NGINX counterpart: `ngx_conf_parse` (`ngx_conf_file.c`), `ngx_stream_block` (`ngx_stream.c`),
//! `ngx_stream_upstream_server` (`ngx_stream_upstream.c`), `ngx_stream_core_listen`.
//!
//! Differences: no host names and no UDP in `listen`; `daemon on` and
//! `worker_processes 0` are refused.

use super::config::{Config, ErrorLog, ServerBlock, Target};
use super::directives::{Context, check};
use super::error::{ConfError, Place};
use super::health::{circuit_breaker, health_check};
use super::host::Host;
use super::http::{HttpUpstream, Settings};
use super::http_reader::HttpDraft;
use super::lexer::{Lexer, Statement};
use super::listen::Listen;
use super::template::{Names, Template};
use super::values::{Precision, number, time};
use crate::engine::balance::random::Compare;
use crate::engine::health::check::CheckParams;
use crate::engine::peer::PeerParams;
use crate::engine::pool::PoolLimits;
use crate::engine::upstream::{Method, ServerConfig, UpstreamConfig};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How deep files may include each other: NGINX's limit is the number of open files.
const FILES_MAX: usize = 64;

/// Reads the configuration in `file`. `globals` is the argument of `-g`, and paths that are not
/// absolute are below `prefix`, but those of `include` below the directory of `file`.
///
/// # Errors
/// The first error in NGINX's words.
pub fn read(
    host: &dyn Host,
    file: &Path,
    globals: &str,
    prefix: &Path,
) -> Result<Config, ConfError> {
    let include_dir = file.parent().unwrap_or(Path::new("/"));
    let mut draft = Draft { stream_names: Names::of_stream(), ..Draft::default() };
    draft.http.conf_dir = include_dir.to_owned();
    let mut reader = Reader { host, include_dir, prefix, depth: 0, draft };
    let mut lexer = Lexer::new(globals.into(), None);
    reader.block(Context::Main, &mut lexer, false)?;
    reader.file(Context::Main, file, None)?;
    reader.draft.finish(host)
}

/// Methods that hash or draw have neither of these parameters.
fn check_parameters(method: Method, server: &ServerConfig) -> Result<(), String> {
    let fail = |name| Err(format!("balancing method does not support parameter \"{name}\""));
    match server {
        _ if method.has_backups() => Ok(()),
        ServerConfig { backup: true, .. } => fail("backup"),
        ServerConfig { params: PeerParams { slow_start_ms: 1.., .. }, .. } => fail("slow_start"),
        _ => Ok(()),
    }
}

/// What `server NAME resolve` needs in its upstream.
#[derive(Default)]
struct Resolution {
    /// `zone`
    is_shared: bool,
    /// `resolver` and `resolver_timeout`.
    settings: Settings,
}

#[derive(Default)]
struct ServerDraft {
    /// Of its `{`.
    place: Option<Place>,
    listen: Vec<Listen>,
    /// What `proxy_pass` names, and its place.
    target: Option<(Target, Place)>,
    settings: Settings,
    check: Option<CheckParams>,
}

#[derive(Default)]
struct Draft {
    daemon: Option<()>,
    worker_processes: Option<usize>,
    pid: Option<PathBuf>,
    error_log: Option<ErrorLog>,
    events: Option<()>,
    stream: Option<()>,
    /// Of `stream`, which its servers inherit, and of no block.
    settings: Settings,
    upstreams: BTreeMap<String, UpstreamConfig>,
    servers: Vec<ServerDraft>,
    /// The upstream whose block is open.
    upstream: Option<UpstreamConfig>,
    /// What the upstream whose block is open says about names.
    resolution: Resolution,
    /// By upstream with `server NAME resolve`, and true if it is one of `http`.
    resolutions: BTreeMap<(bool, String), (Resolution, Place)>,
    user: Option<(String, Option<String>)>,
    http: HttpDraft,
    /// Variables of `stream`. While its block is open they are in the place of those of `http`, as
    /// both read `map` in the same way.
    stream_names: Names,
}

impl Draft {
    fn finish(mut self, host: &dyn Host) -> Result<Config, ConfError> {
        let anywhere = |message: &str| ConfError { message: message.to_owned(), place: None };
        self.events.ok_or_else(|| anywhere("no \"events\" section in configuration"))?;
        self.set_name_servers()?;

        let outer = self.settings;
        let server = |ServerDraft { listen, target, mut settings, .. }: ServerDraft| {
            settings.inherit(&outer);
            let target = target.expect("checked at the end of `stream`").0;
            ServerBlock { listen, target, settings }
        };
        let stream_variables = self.stream_names.finish().map_err(|it| anywhere(&it))?;
        Ok(Config {
            worker_processes: self.worker_processes.unwrap_or(1),
            worker_shutdown_timeout: outer.worker_shutdown_timeout,
            worker_connections: outer.worker_connections.unwrap_or(512) as usize,
            pid: self.pid,
            error_log: self.error_log,
            upstreams: self.upstreams,
            servers: self.servers.into_iter().map(server).collect(),
            stream_variables,
            user: self.user,
            http: self.http.finish(|name| host.resolve(name))?,
        })
    }

    /// Tells upstreams who is asked for the names of `server NAME resolve`.
    fn set_name_servers(&mut self) -> Result<(), ConfError> {
        for ((is_http, name), (mut own, place)) in std::mem::take(&mut self.resolutions) {
            let (upstream, outer) = match is_http {
                true => {
                    let upstream = self.http.upstreams.get_mut(&name).map(|it| &mut it.config);
                    (upstream, &self.http.settings)
                }
                false => (self.upstreams.get_mut(&name), &self.settings),
            };
            let upstream = upstream.expect("its block was read");
            if !own.is_shared {
                let message = format!(
                    "resolving names at run time requires upstream \"{name}\" in {place} to be in \
                     shared memory"
                );
                return Err(ConfError { message, place: None });
            }
            own.settings.inherit(outer);
            upstream.name_servers = own.settings.resolver();
            if upstream.name_servers.is_none() {
                let text = "no resolver defined to resolve names at run time in upstream";
                let message = format!("{text} \"{name}\"");
                return Err(ConfError { message, place: Some(place) });
            }
        }
        Ok(())
    }
}

struct Reader<'a> {
    host: &'a dyn Host,
    include_dir: &'a Path,
    prefix: &'a Path,
    /// Files that are open.
    depth: usize,
    draft: Draft,
}

impl Reader<'_> {
    /// Reads a file whose statements belong to `context`. `from` is the place of its `include`.
    fn file(
        &mut self,
        context: Context,
        path: &Path,
        from: Option<Place>,
    ) -> Result<(), ConfError> {
        let name = path.display().to_string();
        // A file that includes itself. NGINX reads on until the system refuses, with this error.
        self.depth += 1;
        let text = match self.depth > FILES_MAX {
            true => Err(io::Error::from_raw_os_error(24)),
            false => self.host.read(path),
        };
        let text = text.map_err(|it| ConfError { message: open_error(path, &it), place: from })?;
        self.block(context, &mut Lexer::new(text, Some(name)), false)?;
        self.depth -= 1;
        Ok(())
    }

    /// Reads statements up to the `}` of a block, or up to the end of the text.
    fn block(
        &mut self,
        context: Context,
        lexer: &mut Lexer,
        is_open: bool,
    ) -> Result<(), ConfError> {
        loop {
            match lexer.next_statement()? {
                Statement::BlockEnd if is_open => return Ok(()),
                Statement::BlockEnd => return Err(lexer.error("unexpected \"}\"")),
                Statement::End if is_open => {
                    return Err(lexer.error("unexpected end of file, expecting \"}\""));
                }
                Statement::End => return Ok(()),
                Statement::Directive { opens_block: true, .. }
                    if lexer.place() == Place::CommandLine =>
                {
                    let text = "block directives are not supported in -g option";
                    return Err(lexer.error(text));
                }
                Statement::Directive { words, opens_block } => {
                    // Their first word is data, unless it is `include`.
                    let is_data = words[0] != "include" && !opens_block;
                    if context.is_data() && is_data {
                        let added = self.draft.http.add_data(context, &words);
                        added.map_err(|it| lexer.error(it))?;
                        continue;
                    }
                    if let Err(message) = check(&words, opens_block, context) {
                        self.skip_unknown(lexer.error(message), &words[0], opens_block, lexer)?;
                        continue;
                    }
                    match words[0].as_str() {
                        "include" => self.include(context, &words[1], lexer)?,
                        "proxy_pass" if !context.is_http() => self.proxy_pass(&words[1], lexer)?,
                        "upstream" if context.is_http() => {
                            self.upstream(context, &words[1], lexer.place(), lexer)?;
                        }
                        _ if opens_block && (context.is_http() || is_http_block(&words[0])) => {
                            self.enter_http(&words, lexer)?;
                        }
                        _ if opens_block => self.enter(&words, lexer)?,
                        name if context.is_http() && !is_of_upstream(context, name) => {
                            let place = lexer.place();
                            let http = &mut self.draft.http;
                            let applied = http.apply(context, &words, place, self.prefix);
                            let checked = applied.and_then(|()| self.check_certificate(&words));
                            checked.map_err(|it| lexer.error(it))?;
                        }
                        _ => {
                            let applied = self.apply(context, &words);
                            let checked = applied.and_then(|()| self.check_certificate(&words));
                            checked.map_err(|it| lexer.error(it))?;
                        }
                    }
                }
            }
        }
    }

    /// A file that is missing is told with its place, and otherwise in the words of OpenSSL.
    fn check_certificate(&self, words: &[String]) -> Result<(), String> {
        let what = match words[0].as_str() {
            "ssl_certificate" => "certificate",
            "ssl_certificate_key" => "certificate key",
            _ => return Ok(()),
        };
        let path = self.include_dir.join(&words[1]);
        let Err(error) = self.host.read(&path) else { return Ok(()) };
        let (path, (number, reason)) = (path.display(), system_error(&error));
        Err(format!(
            "cannot load {what} \"{path}\": BIO_new_file() failed (SSL: error:8{number:07X}:system \
             library::{reason}:calling fopen({path}, r))"
        ))
    }

    /// Skips a directive that is not known and its block, if the host agrees and it protects
    /// nothing. What protects is refused even inside of a block that is skipped.
    fn skip_unknown(
        &self,
        error: ConfError,
        name: &str,
        opens_block: bool,
        lexer: &mut Lexer,
    ) -> Result<(), ConfError> {
        let is_unknown = error.message.starts_with("unknown directive");
        if !is_unknown || may_protect(name) || !self.host.tolerates(&error) {
            return Err(error);
        }
        let mut depth = usize::from(opens_block);
        while depth > 0 {
            match lexer.next_statement()? {
                Statement::Directive { words, .. } if may_protect(&words[0]) => {
                    return Err(lexer.error(format!("\"{}\" may not be skipped", words[0])));
                }
                Statement::Directive { opens_block, .. } => depth += usize::from(opens_block),
                Statement::BlockEnd => depth -= 1,
                Statement::End => {
                    return Err(lexer.error("unexpected end of file, expecting \"}\""));
                }
            }
        }
        Ok(())
    }

    fn include(&mut self, context: Context, path: &str, lexer: &Lexer) -> Result<(), ConfError> {
        let path = self.include_dir.join(path);
        if path.to_string_lossy().contains('[') {
            return Err(lexer.error(format!("\"[\" is not supported in \"{}\"", path.display())));
        }
        // A pattern may match nothing; a file must exist.
        let is_pattern = path.to_string_lossy().contains(['*', '?']);
        let files = if is_pattern { self.host.glob(&path) } else { vec![path] };
        files.iter().try_for_each(|it| self.file(context, it, Some(lexer.place())))
    }

    /// Reads a block that `words` opened.
    fn enter(&mut self, words: &[String], lexer: &mut Lexer) -> Result<(), ConfError> {
        let start = lexer.place();
        match words {
            [name] if name == "events" => {
                set(&mut self.draft.events, (), name).map_err(|it| lexer.error(it))?;
                self.block(Context::Events, lexer, true)
            }
            [name] if name == "stream" => {
                let draft = &mut self.draft;
                set(&mut draft.stream, (), name).map_err(|it| lexer.error(it))?;
                std::mem::swap(&mut draft.stream_names, &mut draft.http.names);
                self.block(Context::Stream, lexer, true)?;
                let draft = &mut self.draft;
                std::mem::swap(&mut draft.stream_names, &mut draft.http.names);
                self.end_stream()
            }
            [name] if name == "server" => {
                self.draft.servers.push(ServerDraft::default());
                self.block(Context::Server, lexer, true)?;
                self.server().place = Some(start);
                if self.server().listen.is_empty() {
                    let message = "no \"listen\" is defined for server".to_owned();
                    return Err(ConfError { message, place: self.server().place.clone() });
                }
                Ok(())
            }
            [_, name] => self.upstream(Context::Stream, name, start, lexer),
            _ => unreachable!("no other block is in the table of directives"),
        }
    }

    /// Reads a block of `http`, or `http` itself.
    fn enter_http(&mut self, words: &[String], lexer: &mut Lexer) -> Result<(), ConfError> {
        let name = words[0].as_str();
        let inside = match name {
            "http" => Context::Http,
            "server" => Context::HttpServer,
            "types" => Context::Types,
            "map" => Context::Map,
            "split_clients" => Context::SplitClients,
            "if" => Context::If,
            _ => Context::Location,
        };
        self.draft.http.enter(words).map_err(|it| lexer.error(it))?;
        self.block(inside, lexer, true)?;
        self.draft.http.leave(name).map_err(|it| lexer.error(it))
    }

    fn upstream(
        &mut self,
        context: Context,
        name: &str,
        start: Place,
        lexer: &mut Lexer,
    ) -> Result<(), ConfError> {
        let is_http = context == Context::Http;
        let is_known = match is_http {
            true => self.draft.http.upstreams.contains_key(name),
            false => self.draft.upstreams.contains_key(name),
        };
        if is_known {
            return Err(lexer.error(format!("duplicate upstream \"{name}\"")));
        }
        self.draft.upstream = Some(UpstreamConfig::default());
        self.draft.resolution = Resolution::default();
        self.draft.http.pool = PoolLimits::default();
        let inside = if is_http { Context::HttpUpstream } else { Context::Upstream };
        self.block(inside, lexer, true)?;

        let upstream = self.draft.upstream.take().expect("set above");
        if upstream.servers.is_empty() {
            return Err(lexer.error("no servers are inside upstream"));
        }
        if upstream.servers.iter().all(|it| it.backup) {
            let message = format!("no servers in upstream \"{name}\"");
            return Err(ConfError { message, place: Some(start) });
        }
        if upstream.servers.iter().any(|it| it.resolve) {
            let resolution = std::mem::take(&mut self.draft.resolution);
            self.draft.resolutions.insert((is_http, name.to_owned()), (resolution, start));
        }
        if is_http {
            let http = &mut self.draft.http;
            let hash_key = http.hash_key.take();
            let upstream = HttpUpstream { config: upstream, pool: http.pool, hash_key };
            http.upstreams.insert(name.to_owned(), upstream);
        } else {
            self.draft.upstreams.insert(name.to_owned(), upstream);
        }
        Ok(())
    }

    /// The checks that need all of `stream`: first every server, then every target, as NGINX's
    /// modules do.
    fn end_stream(&mut self) -> Result<(), ConfError> {
        if let Some(server) = self.draft.servers.iter().find(|it| it.target.is_none()) {
            let message = "no handler for server".to_owned();
            return Err(ConfError { message, place: server.place.clone() });
        }

        for server in &mut self.draft.servers {
            let Some((Target::Upstream(name), place)) = &server.target else { continue };
            let fail = |message: String| ConfError { message, place: Some(place.clone()) };
            if !self.draft.upstreams.contains_key(name) {
                let is_upstream = |it: &str| self.draft.upstreams.contains_key(it);
                let resolve = |it: &str| self.host.resolve(it);
                let servers = servers_at(name, None, is_upstream, resolve).map_err(fail)?;
                self.draft.upstreams.insert(name.clone(), UpstreamConfig::new(servers));
            }
            let connect_timeout = server.settings.proxy_connect_timeout;
            let connect_timeout = connect_timeout.or(self.draft.settings.proxy_connect_timeout);
            let Some(check) = server.check.take() else { continue };
            let upstream = self.draft.upstreams.get_mut(name).expect("inserted above");
            set_check(upstream, check, connect_timeout).map_err(fail)?;
        }
        Ok(())
    }

    /// A directive without block. The error is its message.
    fn apply(&mut self, context: Context, words: &[String]) -> Result<(), String> {
        let (name, arguments) = (words[0].as_str(), &words[1..]);
        let invalid = || format!("\"{name}\" directive invalid value");
        let draft = &mut self.draft;
        match (context, name) {
            (_, "load_module") => load_module(&arguments[0], draft.events.is_some()),
            (_, "daemon") => set(&mut draft.daemon, daemon(&arguments[0])?, name),
            (_, "worker_processes") => {
                let workers = match arguments[0].as_str() {
                    "auto" => Some(0),
                    text => number(text).filter(|it| *it > 0).map(|it| it as usize),
                };
                set_checked(&mut draft.worker_processes, name, || workers.ok_or_else(invalid))
            }
            (_, "pid") => set(&mut draft.pid, self.prefix.join(&arguments[0]), name),
            (_, "error_log") => set(&mut draft.error_log, error_log(self.prefix, arguments)?, name),
            (Context::Upstream, "server") => self.upstream_server(arguments, None),
            (Context::HttpUpstream, "server") => self.upstream_server(arguments, Some(80)),
            // The state of an upstream is shared by all cores, with and without a zone.
            (_, "zone") => {
                draft.resolution.is_shared = true;
                Ok(())
            }
            (_, "use" | "worker_rlimit_nofile") => Ok(()),
            (_, "user") => {
                let user = (arguments[0].clone(), arguments.get(1).cloned());
                set(&mut draft.user, user, name)
            }
            (_, "least_conn" | "least_time" | "hash" | "ip_hash" | "random") => {
                self.method(name, arguments)
            }
            (_, "circuit_breaker") => {
                let upstream = self.draft.upstream.as_mut().expect("its block is open");
                set_checked(&mut upstream.breaker, name, || circuit_breaker(arguments))
            }
            (_, "health_check") => {
                set_checked(&mut self.server().check, name, || health_check(arguments, false))
            }
            (_, "listen") => self.listen(arguments),
            _ => {
                let slots = match context {
                    Context::Server => &mut draft.servers.last_mut().expect("it is open").settings,
                    Context::Upstream | Context::HttpUpstream => &mut draft.resolution.settings,
                    _ => &mut draft.settings,
                };
                draft.http.apply_setting(slots, name, arguments)
            }
        }
    }

    /// How an upstream chooses.
    fn method(&mut self, name: &str, arguments: &[String]) -> Result<(), String> {
        let words = arguments.iter().map(String::as_str).collect::<Vec<_>>();
        let invalid = |word: &str| Err(format!("invalid parameter \"{word}\""));
        let method = match (name, words.as_slice()) {
            ("least_conn", _) => Method::LeastConn,
            ("ip_hash", _) => Method::IpHash,
            ("hash", [_]) => Method::Hash,
            ("hash", [_, "consistent"]) => Method::ConsistentHash,
            ("hash", [_, "consistent", word]) => {
                let percent = word.strip_prefix("balance_factor=").and_then(number);
                match percent.map(u32::try_from) {
                    Some(Ok(percent @ 101..)) => Method::BoundedHash(percent),
                    _ => return invalid(word),
                }
            }
            ("hash", [_, "maglev"]) => Method::Maglev,
            ("least_time", ["header"]) => Method::LeastTime,
            ("least_time", [.., word]) => {
                return Err(format!("\"{word}\" is not supported, only \"least_time header\""));
            }
            ("random", []) => Method::Random(None),
            ("random", ["two"] | ["two", "least_conn"]) => {
                Method::Random(Some(Compare::Connections))
            }
            ("random", ["two", "least_time=header"]) => Method::Random(Some(Compare::Time)),
            (_, [.., word]) => return invalid(word),
            _ => unreachable!("the table of directives has no other"),
        };
        if name == "hash" {
            let http = &mut self.draft.http;
            http.hash_key = Some(Template::compile(words[0], &mut http.names)?);
        }
        let upstream = self.draft.upstream.as_mut().expect("its block is open");
        upstream.servers.iter().try_for_each(|it| check_parameters(method, it))?;
        upstream.method = method;
        Ok(())
    }

    fn server(&mut self) -> &mut ServerDraft {
        self.draft.servers.last_mut().expect("its block is open")
    }

    fn proxy_pass(&mut self, target: &str, lexer: &Lexer) -> Result<(), ConfError> {
        let place = lexer.place();
        let read = match target {
            _ if self.server().target.is_some() => {
                Err("\"proxy_pass\" directive is duplicate".to_owned())
            }
            _ if target.contains('$') => {
                Template::compile(target, &mut self.draft.http.names).map(Target::Dynamic)
            }
            _ => check_upstream_url(target).map(|()| Target::Upstream(target.to_owned())),
        };
        self.server().target = Some((read.map_err(|it| lexer.error(it))?, place));
        Ok(())
    }

    fn listen(&mut self, arguments: &[String]) -> Result<(), String> {
        let listen = Listen::parse(arguments, false)?;
        let address = &listen.address;
        let mut all = self.draft.servers.iter().flat_map(|it| &it.listen);
        if all.any(|it| it.address == *address) {
            return Err(format!("duplicate \"{address}\" address and port pair"));
        }
        self.server().listen.push(listen);
        Ok(())
    }

    fn upstream_server(
        &mut self,
        arguments: &[String],
        default_port: Option<u16>,
    ) -> Result<(), String> {
        let (mut params, mut backup, mut resolve) = (PeerParams::default(), false, false);
        for parameter in &arguments[1..] {
            let invalid = || format!("invalid parameter \"{parameter}\"");
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let count = || number(value).and_then(|it| u32::try_from(it).ok()).ok_or_else(invalid);
            match (key, parameter.contains('=')) {
                ("weight", true) => {
                    params.weight = count()?.into();
                    (params.weight > 0).then_some(()).ok_or_else(invalid)?;
                }
                ("max_fails", true) => params.max_fails = count()?,
                ("max_conns", true) => params.max_conns = count()?,
                ("fail_timeout", true) => {
                    let time = time(value, Precision::Seconds).ok_or_else(invalid)?;
                    params.fail_timeout_s = time.as_secs();
                }
                ("slow_start", true) => {
                    let time = time(value, Precision::Milliseconds).ok_or_else(invalid)?;
                    params.slow_start_ms = time.as_millis() as u64;
                }
                ("backup", false) => backup = true,
                ("down", false) => params.down = true,
                ("resolve", false) => resolve = true,
                ("service", true) => {
                    return Err("the \"service\" parameter is not supported".to_owned());
                }
                _ => return Err(invalid()),
            }
        }

        let name = &arguments[0];
        check_upstream_url(name)?;
        let is_unix = name.starts_with("unix:");
        let address = match (split_port(name).1, default_port) {
            (None, Some(port)) if !is_unix => format!("{name}:{port}"),
            (None, None) if !is_unix => return Err(format!("no port in upstream \"{name}\"")),
            _ => name.clone(),
        };
        // An address needs no resolver.
        let resolve = resolve && !is_unix && !is_ip(name);
        let mut servers = match is_unix || resolve {
            true => servers_of(name, [address], params, backup),
            false => servers_of(name, self.host.resolve(&address), params, backup),
        };
        if servers.is_empty() {
            return Err(format!("host not found in upstream \"{name}\""));
        }
        servers.iter_mut().for_each(|it| it.resolve = resolve);
        let upstream = self.draft.upstream.as_mut().expect("its block is open");
        servers.iter().try_for_each(|it| check_parameters(upstream.method, it))?;
        upstream.servers.extend(servers);
        Ok(())
    }
}

/// NGINX's words for a file that cannot be opened.
pub fn open_error(path: &Path, error: &io::Error) -> String {
    let (number, reason) = system_error(error);
    format!("open() \"{}\" failed ({number}: {reason})", path.display())
}

/// The number of an error of the system, and the system's words for it.
fn system_error(error: &io::Error) -> (i32, String) {
    let text = error.to_string();
    let reason = text.split(" (os error").next().unwrap_or_default();
    (error.raw_os_error().unwrap_or_default(), reason.to_owned())
}

/// Returns true for directives without which a server might let in, or tell, more than it should.
fn may_protect(name: &str) -> bool {
    let parts = "access allow auth deny disable internal jwt limit satisfy secur ssl \
                 valid_referers verify";
    parts.split(' ').any(|it| name.contains(it))
}

/// Returns true for blocks that [`HttpDraft`] reads even outside of `http`.
fn is_http_block(name: &str) -> bool {
    matches!(name, "http" | "map" | "split_clients")
}

/// Returns true for directives that `upstream` has in `stream` as well.
fn is_of_upstream(context: Context, name: &str) -> bool {
    let names = "server least_conn least_time hash ip_hash random zone circuit_breaker resolver \
                 resolver_timeout";
    context == Context::HttpUpstream && names.split(' ').any(|it| it == name)
}

/// One server for each address that a name means, or for `unix:PATH`.
pub fn servers_of(
    name: &str,
    addresses: impl IntoIterator<Item = impl ToString>,
    params: PeerParams,
    backup: bool,
) -> Vec<ServerConfig> {
    let server = |address| ServerConfig {
        name: name.to_owned(),
        address: ToString::to_string(&address).into(),
        params,
        backup,
        resolve: false,
    };
    addresses.into_iter().map(server).collect()
}

/// The servers of an address in `proxy_pass`, which is not the name of an upstream.
pub fn servers_at(
    address: &str,
    default_port: Option<u16>,
    is_upstream: impl Fn(&str) -> bool,
    resolve: impl Fn(&str) -> Vec<SocketAddr>,
) -> Result<Vec<ServerConfig>, String> {
    check_upstream_url(address)?;
    let params = PeerParams::default();
    if address.starts_with("unix:") {
        return Ok(servers_of(address, [address], params, false));
    }
    let (host, port) = split_port(address);
    let found = match (port, default_port) {
        (Some(port), _) if is_upstream(host) => {
            return Err(format!("upstream \"{host}\" may not have port {port}"));
        }
        (Some(_), _) => resolve(address),
        (None, Some(port)) => resolve(&format!("{address}:{port}")),
        (None, None) => return Err(format!("no port in upstream \"{address}\"")),
    };
    match found.is_empty() {
        true => Err(format!("host not found in upstream \"{host}\"")),
        false => Ok(servers_of(address, found, params, false)),
    }
}

/// Has an upstream checked, within the time limit of its location or server.
pub(super) fn set_check(
    upstream: &mut UpstreamConfig,
    mut check: CheckParams,
    timeout: Option<Duration>,
) -> Result<(), String> {
    check.timeout_ms = timeout.map_or(check.timeout_ms, |it| it.as_millis() as u64);
    match upstream.check.replace(check) {
        Some(_) => Err("only one \"health_check\" of an upstream is supported".to_owned()),
        None => Ok(()),
    }
}

/// Sets what a directive sets once.
fn set<T>(slot: &mut Option<T>, value: T, name: &str) -> Result<(), String> {
    set_checked(slot, name, || Ok(value))
}

/// The same; a second directive is refused before its value is looked at.
pub(super) fn set_checked<T>(
    slot: &mut Option<T>,
    name: &str,
    value: impl FnOnce() -> Result<T, String>,
) -> Result<(), String> {
    if slot.is_some() {
        return Err(format!("\"{name}\" directive is duplicate"));
    }
    *slot = Some(value()?);
    Ok(())
}

/// The stream module is built in, so loading it does nothing. No other module can be loaded.
fn load_module(path: &str, is_late: bool) -> Result<(), String> {
    if is_late {
        return Err("\"load_module\" directive is specified too late".to_owned());
    }
    match Path::new(path).file_name().is_some_and(|it| it == "ngx_stream_module.so") {
        true => Ok(()),
        false => Err(format!("module \"{path}\" is not supported, only ngx_stream_module.so")),
    }
}

fn daemon(value: &str) -> Result<(), String> {
    match on_or_off("daemon", value)? {
        false => Ok(()),
        true => Err("\"daemon on\" is not supported, minilb stays in the foreground".to_owned()),
    }
}

pub(super) fn on_or_off(name: &str, value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!(
            "invalid value \"{value}\" in \"{name}\" directive, it must be \"on\" or \"off\""
        )),
    }
}

fn error_log(prefix: &Path, arguments: &[String]) -> Result<ErrorLog, String> {
    const LEVELS: [&str; 8] =
        ["debug", "info", "notice", "warn", "error", "crit", "alert", "emerg"];
    let level = arguments.get(1).map_or("error", String::as_str);
    if !LEVELS.contains(&level) {
        return Err(format!("invalid log level \"{level}\""));
    }
    let file = (arguments[0] != "stderr").then(|| prefix.join(&arguments[0]));
    Ok(ErrorLog { file, level: level.to_owned() })
}

/// `HOST:PORT` in two. The colons inside of `[::1]` separate no port.
pub fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}

/// Returns true for an IP address, with or without a port.
fn is_ip(text: &str) -> bool {
    split_port(text).0.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// The number of a port; `None` if it is none.
pub fn port(text: &str) -> Option<u16> {
    number(text).and_then(|it| u16::try_from(it).ok()).filter(|it| *it > 0)
}

/// The path of `unix:PATH`, or what is wrong with it. The kernel takes 107 bytes.
pub(super) fn unix_path(text: &str) -> Option<Result<&str, &'static str>> {
    Some(match text.strip_prefix("unix:")? {
        "" => Err("no path in the unix domain socket"),
        path if path.len() > 107 => Err("too long path in the unix domain socket"),
        path => Ok(path),
    })
}

pub(super) fn check_upstream_url(text: &str) -> Result<(), String> {
    if let Some(path) = unix_path(text) {
        return path.map(|_| ()).map_err(|it| format!("{it} in upstream \"{text}\""));
    }
    let (host, port_text) = split_port(text);
    if host.is_empty() {
        return Err(format!("no host in upstream \"{text}\""));
    }
    match port_text {
        Some(it) if port(it).is_none() => Err(format!("invalid port in upstream \"{text}\"")),
        _ => Ok(()),
    }
}
