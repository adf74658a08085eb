//! What an `http` block decides about requests: the [`HttpService`] of this crate.
//!
//! ```text
//! begin            the servers of the address the client has connected to; the default one
//! decide           Host ─> server, URI ─> [phases](super::phases)
//! recover          the same for a failure: `error_page`
//! write_request    proxy_set_header, then NGINX's defaults, then what the client sent
//! write_response   Server, Date, Content-Type, ..., what the upstream sent, add_header
//! log              each access_log
//! ```
//!
//! Each request holds the configuration that it began with; a reload does not change it halfway.
//!
//! NGINX counterpart: `ngx_http_process_request`, `ngx_http_proxy_handler`,
//! `ngx_http_upstream_process_headers`, `ngx_http_header_filter`, `ngx_http_log_handler`.

use super::access_log::LogFiles;
use super::http::core::{HttpCore, unix_ms};
use super::http::service::{
    Answer, AttemptTarget, Client, ClientLimits, Decision, Done, HttpService, Retry, Route,
};
use super::limits::{Counted, Zones};
use super::phases::{Entry, Phases};
use super::resolver::find_upstream;
use super::retirement::Retirement;
use super::statistics::{CoreCounts, Writing};
use super::tls::{UpstreamTls, of_site, of_upstream};
use super::upstream::SharedUpstream;
use crate::conf::http::*;
use crate::conf::listen::{Address, Listen};
use crate::conf::template::{Template, Variable};
use crate::engine::upstream::Method;
use crate::handlers::facts::Transport;
use crate::handlers::locate::VirtualServers;
use crate::handlers::state::RequestState;
use crate::handlers::variables::{View, is_hidden};
use crate::handlers::{date, explain, header_rules, target, uri};
use crate::wire::http1::exchange::{BodyLimits, Exchange};
use crate::wire::http1::head::{Header, Known, RequestHead, ResponseHead};
use crate::wire::http1::status::SERVER;
use crate::wire::http1::writer::HeadWriter;
use minikit::connections::Connections;
use minikit::sync::Arc;
use minilb_dns::client::Resolver;
use rustls::{ClientConfig, ServerConfig};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// The default of `client_max_body_size`.
pub(super) const BODY_BYTES_MAX: u64 = 1 << 20;
/// Statuses that `add_header` is for, unless it says `always`.
const ADD_HEADER: [u16; 10] = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308];

/// A configuration with all that serving it needs.
#[derive(Debug)]
pub struct HttpGeneration {
    config: HttpConfig,
    /// By address that is listened at.
    sites: Vec<Site>,
    upstreams: BTreeMap<String, Arc<SharedUpstream>>,
    /// By [`Location::id`], for those that may proxy to `https`.
    pub tls: Vec<Option<Arc<ClientConfig>>>,
    /// By [`Location::id`].
    pub(super) routes: Vec<Option<Arc<Route>>>,
    /// `limit_req_zone` and `limit_conn_zone`.
    pub zones: Zones,
    /// Names that were asked for.
    pub resolver: Resolver,
    /// Its log files.
    pub logs: LogFiles,
    /// `worker_shutdown_timeout`
    pub retirement: Option<Arc<Retirement>>,
    hostname: String,
}

/// An address that is listened at.
#[derive(Debug)]
pub struct Site {
    /// What all its `listen` lines say together.
    pub listen: Listen,
    servers: VirtualServers,
    /// `listen … ssl`
    pub tls: Option<Arc<ServerConfig>>,
}

impl Site {
    /// All addresses of these servers.
    fn all(servers: &Arc<[HttpServer]>) -> Result<Vec<Site>, String> {
        let mut sites = Vec::<Site>::new();
        for listen in servers.iter().flat_map(|it| &it.listen) {
            match sites.iter_mut().find(|it| it.listen.address == listen.address) {
                Some(site) => site.listen.merge(listen),
                None => {
                    let servers = VirtualServers::of(servers, &listen.address);
                    sites.push(Site { listen: listen.clone(), servers, tls: None });
                }
            }
        }
        for site in sites.iter_mut().filter(|it| it.listen.ssl) {
            let alpn = ["h2", "http/1.1", "http/1.0"];
            let is_http2 = site.listen.http2 || site.listen.http2_on;
            let alpn = if is_http2 { &alpn[..] } else { &alpn[1..] };
            site.tls = Some(of_site(servers, &site.servers, alpn)?);
        }
        Ok(sites)
    }
}

impl HttpGeneration {
    /// Prepares a configuration. `upstreams` and `zones` have those that it names. Without
    /// `opens_logs` it must not log.
    ///
    /// # Errors
    /// If a log file cannot be opened, or a certificate cannot be used.
    pub fn new(
        config: HttpConfig,
        upstreams: &BTreeMap<String, Arc<SharedUpstream>>,
        zones: Zones,
        opens_logs: bool,
    ) -> Result<HttpGeneration, String> {
        let mut routes = Vec::new();
        routes.resize_with(config.locations, || None);
        let (mut tls, mut logs) = (vec![None; config.locations], Vec::new());
        for location in config.servers.iter().flat_map(|it| it.root.all()) {
            let files = location.settings.access_log.iter().flatten().filter(|_| opens_logs);
            logs.extend(files.map(|it| it.file.as_path()));
            // Variables may lead to either scheme.
            let may_be_https = match &location.action {
                Action::Proxy(proxy) => proxy.is_https,
                Action::ProxyTo(url) => url.may_begin_with("https://"),
                _ => false,
            };
            let config_of = || of_upstream(&location.settings);
            tls[location.id] = may_be_https.then(config_of).transpose()?;
            if let Action::Proxy(proxy) = &location.action {
                let tls = tls[location.id].as_ref();
                let tls = tls.map(|it| UpstreamTls::new(it, &location.settings, &proxy.host));
                let upstream = Arc::clone(&upstreams[&proxy.upstream]);
                if location.is_checked {
                    upstream.check_tls.lock().clone_from(&tls);
                }
                let pool = config.upstreams[&proxy.upstream].pool;
                let route = route(&location.settings, upstream, pool, tls);
                routes[location.id] = Some(Arc::new(route));
            }
        }

        let sites = Site::all(&config.servers.iter().cloned().collect())?;
        let logs = LogFiles::open(logs.into_iter())?;
        let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(HttpGeneration {
            config,
            upstreams: upstreams.clone(),
            sites,
            tls,
            routes,
            zones,
            resolver: Resolver::default(),
            logs,
            retirement: None,
            hostname,
        })
    }

    /// What `proxy_pass` means whose variables gave this URL: the name of an `upstream` block, an
    /// address, or a name that has one.
    ///
    /// # Errors
    /// The status of the failure: 500 if it is no URL, 502 if the name has no address.
    pub(super) async fn target(&self, url: &[u8], location: &Location) -> Result<Dynamic, u16> {
        let url = std::str::from_utf8(url).map_err(|_| 500_u16)?;
        let tls = self.tls[location.id].as_ref();
        let (is_https, rest) = match url.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) if tls.is_some() => (true, rest),
            _ => {
                tracing::error!("invalid URL prefix in \"{url}\"");
                return Err(500);
            }
        };
        let (host, uri) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (settings, port) = (&location.settings, if is_https { 443 } else { 80 });
        let upstream = match self.upstreams.get(host) {
            Some(upstream) => Arc::clone(upstream),
            None => {
                let servers = settings.resolver();
                let found = find_upstream(&self.resolver, servers.as_ref(), host, Some(port));
                found.await.inspect_err(|it| tracing::error!("{it}")).map_err(|_| 502_u16)?
            }
        };
        let uri = match uri {
            "" => None,
            uri if uri.starts_with('?') => Some(format!("/{uri}")),
            uri => Some(uri.to_owned()),
        };
        let tls = tls.filter(|_| is_https).map(|it| UpstreamTls::new(it, settings, host));
        let pool = self.config.upstreams.get(host).map(|it| it.pool).unwrap_or_default();
        let route = Arc::new(route(settings, upstream, pool, tls));
        let proxy = ProxyPass { upstream: host.to_owned(), host: host.to_owned(), is_https, uri };
        Ok(Dynamic { proxy, route })
    }

    /// The addresses to listen at.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.sites.iter().map(|it| &it.listen.address)
    }

    /// Limits of a connection before its first request.
    pub fn limits(&self, client: &Client) -> ClientLimits {
        let default = self.site(&client.local).and_then(|it| it.servers.default_server());
        let server = &self.config.servers[default.unwrap_or_default()];
        self.client_limits(&server.root.settings, client)
    }

    fn client_limits(&self, settings: &Settings, client: &Client) -> ClientLimits {
        let defaults = ClientLimits::default();
        ClientLimits {
            header: settings.client_header_timeout.unwrap_or(defaults.header),
            body: settings.client_body_timeout.unwrap_or(defaults.body),
            send: settings.send_timeout.unwrap_or(defaults.send),
            keep_alive: match client.transport {
                Transport::PlainAtTlsPort => Duration::ZERO,
                _ => settings.keepalive_timeout.unwrap_or(defaults.keep_alive),
            },
            requests_max: settings.keepalive_requests.unwrap_or(defaults.requests_max),
            retirement: self.retirement.clone(),
        }
    }

    /// What clients of `local` have connected to.
    pub fn site(&self, local: &Address) -> Option<&Site> {
        let exact = self.sites.iter().find(|it| it.listen.address == *local);
        exact.or_else(|| self.sites.iter().find(|it| it.listen.is_wildcard_for(local)))
    }
}

fn route(
    settings: &Settings,
    upstream: Arc<SharedUpstream>,
    pool: crate::engine::pool::PoolLimits,
    tls: Option<UpstreamTls>,
) -> Route {
    let or_minute = |it: Option<Duration>| it.unwrap_or(Duration::from_secs(60));
    let is_streamed = settings.proxy_request_buffering == Some(false);
    let stored_max = settings.client_body_buffer_size.unwrap_or(16 * 1024) as usize;
    let http_1_0 = settings.proxy_http_version != Some(1);
    Route {
        upstream,
        tls,
        pool,
        connect_timeout: or_minute(settings.proxy_connect_timeout),
        send_timeout: or_minute(settings.proxy_send_timeout),
        read_timeout: or_minute(settings.proxy_read_timeout),
        response_head_max: settings.proxy_buffer_size.unwrap_or(4096) as usize,
        body: BodyLimits {
            max: settings.client_max_body_size.unwrap_or(BODY_BYTES_MAX),
            stored_max: if is_streamed { 0 } else { stored_max },
            needs_length: http_1_0 || !is_streamed,
        },
        retry: retry(settings),
    }
}

fn retry(settings: &Settings) -> Retry {
    let tries = settings.proxy_next_upstream_tries.unwrap_or(0) as usize;
    let timeout = settings.proxy_next_upstream_timeout.unwrap_or_default();
    let Some(words) = &settings.proxy_next_upstream else {
        return Retry { tries, timeout, ..Retry::default() };
    };
    let has = |word: &str| words.iter().any(|it| it == word) && !words.iter().any(|it| it == "off");
    let statuses = words.iter().filter_map(|it| it.strip_prefix("http_")?.parse().ok());
    Retry {
        on_error: has("error"),
        on_timeout: has("timeout"),
        on_invalid_header: has("invalid_header"),
        statuses: if has("off") { Vec::new() } else { statuses.collect() },
        non_idempotent: has("non_idempotent"),
        tries,
        timeout,
    }
}

/// What a `proxy_pass` with variables has come to.
pub(super) struct Dynamic {
    proxy: ProxyPass,
    pub route: Arc<Route>,
}

/// What a request carries.
#[derive(Default)]
pub struct RequestContext {
    pub(super) generation: Option<Arc<HttpGeneration>>,
    server: usize,
    pub(super) location: Option<Arc<Location>>,
    pub(super) dynamic: Option<Dynamic>,
    pub(super) state: RequestState,
    /// Places in `limit_conn`, until the end of the request.
    pub(super) counted: RefCell<Vec<Counted>>,
    writing: RefCell<Option<Writing>>,
    /// Where values are put together.
    line: RefCell<Vec<u8>>,
    /// Headers of an answer of our own, for the log.
    answer: RefCell<Vec<(&'static str, Vec<u8>)>>,
}

impl RequestContext {
    pub(super) fn generation(&self) -> &HttpGeneration {
        self.generation.as_ref().expect("set by `begin`")
    }

    pub(super) fn server(&self) -> &HttpServer {
        &self.generation().config.servers[self.server]
    }

    pub(super) fn location(&self) -> &Location {
        self.location.as_ref().unwrap_or(&self.server().root)
    }

    fn proxy(&self) -> Option<&ProxyPass> {
        match &self.location().action {
            Action::Proxy(proxy) => Some(proxy),
            Action::ProxyTo(_) => self.dynamic.as_ref().map(|it| &it.proxy),
            _ => None,
        }
    }

    /// The value of a template for a request that is not done.
    pub(super) fn text(
        &self,
        template: &Template,
        (exchange, client): (&Exchange, &Client),
    ) -> Vec<u8> {
        let done = Done::default();
        self.view(&exchange.request, &exchange.response, client, &done).text(template)
    }

    pub(super) fn view<'a>(
        &'a self,
        request: &'a RequestHead,
        response: &'a ResponseHead,
        client: &'a Client,
        done: &'a Done,
    ) -> View<'a> {
        let server = self.server();
        View {
            request,
            response,
            client,
            done,
            answer: &[],
            body_bytes_sent: 0,
            request_length: request.length() as u64,
            state: &self.state,
            variables: &self.generation().config.variables,
            server_name: &server.server_name,
            hostname: &self.generation().hostname,
            proxy: self.proxy(),
            depth: 0,
            unix_ms,
        }
    }
}

/// The decisions of the current configuration, for one core.
pub struct Nginx<'a> {
    /// The configuration for the next request.
    pub current: &'a dyn Fn() -> Arc<HttpGeneration>,
    /// The core.
    pub core: &'a HttpCore<RequestContext>,
    /// For `stub_status`.
    pub connections: &'a Connections,
    /// By core.
    pub counts: &'a [Arc<CoreCounts>],
    /// This core.
    pub index: usize,
    /// Written at most once a second.
    pub date: &'a RefCell<DateCache>,
}

/// The value of `Date`, and when the core's clock shows the second after it.
#[derive(Debug, Default)]
pub struct DateCache {
    next_ms: u64,
    text: Vec<u8>,
}

impl DateCache {
    /// The value for now, by the core's clock.
    pub fn text(&mut self, now_ms: u64) -> &[u8] {
        if self.next_ms <= now_ms {
            let unix_ms = unix_ms();
            self.next_ms = now_ms + 1000 - unix_ms % 1000;
            self.text.clear();
            date::http(unix_ms / 1000, &mut self.text);
        }
        &self.text
    }
}

impl HttpService for Nginx<'_> {
    type Context = RequestContext;

    fn begin(&self, client: &Client, context: &mut RequestContext) -> ClientLimits {
        let generation = (self.current)();
        let default = generation.site(&client.local).and_then(|it| it.servers.default_server());
        context.server = default.unwrap_or_default();
        context.generation = Some(generation);
        context.location = None;
        context.dynamic = None;
        context.state.begin(context.generation().config.variables.len());
        context.answer.borrow_mut().clear();
        self.counts[self.index].count_request();

        context.generation().client_limits(&context.server().root.settings, client)
    }

    async fn decide(
        &self,
        exchange: &Exchange,
        client: &Client,
        context: &mut RequestContext,
    ) -> Decision {
        let request = &exchange.request;
        *context.writing.borrow_mut() = Some(Writing::new(&self.counts[self.index]));
        let Some(args) = uri::normalize(request.uri(), &mut context.state.path) else {
            return Phases { nginx: self, exchange, client }.recover(400, context).await;
        };
        context.state.args.extend_from_slice(args);
        context.state.has_args = request.uri().contains(&b'?');
        context.state.is_quoted = request.uri().iter().any(|it| matches!(it, b'%' | b'+'));

        let generation = Arc::clone(context.generation.as_ref().expect("set by `begin`"));
        let servers = &generation.config.servers;
        let site = generation.site(&client.local);
        let found = site.and_then(|it| it.servers.find(servers, request.host()));
        context.server = found.unwrap_or(context.server);
        // The first pattern that matches is why this server was found, if no exact name was.
        for name in &servers[context.server].names {
            if let ServerName::Pattern(pattern) = name
                && pattern.has_groups()
                && context.state.capture(pattern, request.host())
            {
                break;
            }
        }
        let phases = Phases { nginx: self, exchange, client };
        match client.transport {
            Transport::PlainAtTlsPort => phases.recover(497, context).await,
            _ => phases.enter(Entry::Server, context).await,
        }
    }

    async fn recover(
        &self,
        status: u16,
        exchange: &Exchange,
        client: &Client,
        context: &mut RequestContext,
    ) -> Decision {
        Phases { nginx: self, exchange, client }.recover(status, context).await
    }

    fn explains(&self, exchange: &Exchange, context: &RequestContext) -> bool {
        context.location().settings.explain == Some(true)
            && exchange.request.headers().get(explain::HEADER.as_bytes()).is_some()
    }

    fn response_status(&self, exchange: &Exchange, context: &RequestContext) -> u16 {
        context.state.error_status.unwrap_or(exchange.response.status())
    }

    fn ends_connection(&self, context: &RequestContext, _answer: Option<&Answer>) -> bool {
        context.state.ends_connection
    }

    fn intercepts(&self, exchange: &Exchange, context: &RequestContext) -> bool {
        let settings = &context.location().settings;
        let mut pages = settings.error_page.iter().flatten();
        settings.proxy_intercept_errors == Some(true)
            && pages.any(|it| it.status == exchange.response.status())
    }

    fn balance_key(
        &self,
        exchange: &Exchange,
        client: &Client,
        context: &RequestContext,
        key: &mut Vec<u8>,
    ) {
        let proxy = context.proxy().expect("the request has a route");
        // Addresses that a resolver has found take turns.
        let upstreams = &context.generation().config.upstreams;
        let Some(upstream) = upstreams.get(&proxy.upstream) else { return };
        if upstream.config.method == Method::IpHash {
            match context.state.real_ip.as_ref().unwrap_or(&client.peer).ip() {
                IpAddr::V4(ip) => key.extend_from_slice(&ip.octets()[..3]),
                IpAddr::V6(ip) => key.extend_from_slice(&ip.octets()),
            }
        }
        if let Some(template) = &upstream.hash_key {
            let (done, response) = (Done::default(), &exchange.response);
            context.view(&exchange.request, response, client, &done).append(template, key);
        }
    }

    fn write_request(
        &self,
        request: &RequestHead,
        client: &Client,
        context: &RequestContext,
        attempt: &AttemptTarget<'_>,
        out: &mut Vec<u8>,
    ) {
        let location = context.location();
        let settings = &location.settings;
        let proxy = context.proxy().expect("the request has a route");
        let mut line = context.line.borrow_mut();
        line.clear();
        match (&location.action, &proxy.uri) {
            // The URI that variables gave is sent as it is.
            (Action::ProxyTo(_), Some(uri)) => line.extend_from_slice(uri.as_bytes()),
            _ => target::append(proxy, &location.kind, request.uri(), &context.state, &mut line),
        }
        let version = settings.proxy_http_version.unwrap_or(0);
        let method = if context.state.is_get { b"GET" } else { request.method() };
        let mut head = HeadWriter::request(out, method, &line, version, attempt.framing);
        drop(line);

        let (response, done) = (ResponseHead::default(), Done::default());
        let set = settings.proxy_set_header.as_deref().unwrap_or_default();
        let is_set = |name: &[u8]| set.iter().any(|(it, _)| is_name(it, name));
        let view = context.view(request, &response, client, &done);
        for (name, value) in set {
            write_header(&mut head, &view, context, name, value);
        }
        if !is_set(b"Host") {
            head.header(b"Host", proxy.host.as_bytes());
        }
        if !is_set(b"Connection") {
            head.text(b"Connection", b"close");
        }
        head.framing();
        for header in request.end_to_end() {
            if header.known != Known::Host && !is_set(header.name) {
                head.pass(header);
            }
        }
        head.finish();
    }

    fn write_response(
        &self,
        exchange: &Exchange,
        client: &Client,
        context: &RequestContext,
        answer: Option<&Answer>,
        head: &mut HeadWriter<'_>,
    ) {
        let settings = &context.location().settings;
        let response = &exchange.response;
        let passed = settings.proxy_pass_header.as_deref().unwrap_or_default();
        let hidden = settings.proxy_hide_header.as_deref().unwrap_or_default();
        let is_passed = |name: &[u8]| passed.iter().any(|it| is_name(it, name));
        let of_upstream = || response.headers().filter(|_| answer.is_none());

        let is_given = |known| {
            !passed.is_empty() && of_upstream().any(|it| it.known == known && is_passed(it.name))
        };
        if !is_given(Known::Server) {
            let name = if settings.server_tokens == Some(false) { "minilb" } else { SERVER };
            head.text(b"Server", name.as_bytes());
        }
        if !is_given(Known::Date) {
            head.text(b"Date", self.date.borrow_mut().text(self.core.clock.now_ms()));
        }
        for (name, value) in answer.iter().flat_map(|it| &it.headers) {
            head.header(name.as_bytes(), value);
        }
        if let Some(answer) = answer {
            context.answer.borrow_mut().clone_from(&answer.headers);
        }
        let is_hidden_by_name = |name: &[u8]| hidden.iter().any(|it| is_name(it, name));
        let content_type = of_upstream().find(|it| it.known == Known::ContentType);
        if let Some(header) = content_type.filter(|it| !is_hidden_by_name(it.name)) {
            head.pass(header);
        }
        head.framing();

        let status = answer.map_or_else(|| self.response_status(exchange, context), |it| it.status);
        let done = Done { status, ..Done::default() };
        let view = context.view(&exchange.request, response, client, &done);
        if answer.is_none() {
            for header in response.end_to_end() {
                let Header { known, name, .. } = header;
                let is_hidden = is_hidden(known, name) && !is_passed(name);
                let is_written = known == Known::ContentType;
                if is_written || is_hidden || is_hidden_by_name(name) {
                    continue;
                }
                match header_rules::rewrite(&header, settings, &view) {
                    Some(value) if known == Known::Location => {
                        head.header(name, &absolute(value, exchange, client, context));
                    }
                    Some(value) => head.header(name, &value),
                    None => head.pass(header),
                }
            }
        }
        for AddHeader { name, value, always } in settings.add_header.iter().flatten() {
            if *always || ADD_HEADER.contains(&status) {
                write_header(head, &view, context, name, value);
            }
        }
    }

    fn log(&self, exchange: &Exchange, client: &Client, context: &RequestContext, done: &Done) {
        context.counted.borrow_mut().clear();
        context.writing.borrow_mut().take();
        let logs = context.location().settings.access_log.as_deref().unwrap_or_default();
        for log in logs {
            let mut view = context.view(&exchange.request, &exchange.response, client, done);
            let answer = context.answer.borrow();
            view.answer = &answer;
            // Chunk sizes and `100 Continue` count as body, as in NGINX.
            view.body_bytes_sent = match client.is_http2 {
                true => exchange.downloaded(),
                false => done.sent.saturating_sub(exchange.head_length() as u64),
            };
            view.request_length += exchange.uploaded();
            let mut line = context.line.borrow_mut();
            line.clear();
            view.append_log(&log.format, &mut line);
            line.push(b'\n');
            context.generation().logs.write(&log.file, &line);
        }
    }
}

impl Nginx<'_> {
    /// Where a request that was decided goes, in words.
    pub fn explain(&self, context: &RequestContext) -> Vec<String> {
        let location = match context.location().kind.name() {
            "" => "no location".to_owned(),
            name => format!("location {name}"),
        };
        vec![match context.proxy() {
            Some(proxy) => format!("{location}, to upstream {}", proxy.upstream),
            None => format!("{location}, answered here"),
        }]
    }
}

/// Writes a header whose value is a template, unless it is empty.
fn write_header(
    head: &mut HeadWriter<'_>,
    view: &View<'_>,
    context: &RequestContext,
    name: &str,
    value: &Template,
) {
    let mut text = context.line.borrow_mut();
    text.clear();
    view.append(value, &mut text);
    if !text.is_empty() {
        head.header(name.as_bytes(), &text);
    }
}

pub(super) fn redirect(status: u16, location: Vec<u8>) -> Answer {
    let mut answer = Answer::page(status);
    answer.headers.push(("Location", location));
    answer
}

/// Puts scheme, host and port in front of a path (`absolute_redirect on`).
pub(super) fn absolute(
    location: Vec<u8>,
    exchange: &Exchange,
    client: &Client,
    context: &RequestContext,
) -> Vec<u8> {
    if !location.starts_with(b"/") {
        return location;
    }
    let done = Done::default();
    let view = context.view(&exchange.request, &exchange.response, client, &done);
    let (scheme, default_port) = client.scheme();
    let mut absolute = format!("{scheme}://").into_bytes();
    match exchange.request.host() {
        [] => view.append_variable(&Variable::ServerAddr, &mut absolute),
        host => absolute.extend_from_slice(host),
    }
    if ![0, default_port].contains(&client.local.port()) {
        absolute.extend_from_slice(format!(":{}", client.local.port()).as_bytes());
    }
    absolute.extend_from_slice(&location);
    absolute
}

/// The type of the body of `return`: by the extension of the URI, or `default_type`.
pub(super) fn content_type<'a>(location: &'a Location, path: &[u8]) -> &'a str {
    let settings = &location.settings;
    let file = path.rsplit(|it| *it == b'/').next().unwrap_or_default();
    let extension = file.iter().rposition(|it| *it == b'.').map(|dot| &file[dot + 1..]);
    let extension = extension.and_then(|it| std::str::from_utf8(it).ok()).unwrap_or_default();
    let extension = extension.to_ascii_lowercase();
    let by_extension = match &settings.types {
        Some(types) => types.get(&extension).map(String::as_str),
        // NGINX's own three.
        None => match extension.as_str() {
            "html" => Some("text/html"),
            "gif" => Some("image/gif"),
            "jpg" => Some("image/jpeg"),
            _ => None,
        },
    };
    by_extension.or(settings.default_type.as_deref()).unwrap_or("text/plain")
}

fn is_name(one: &str, other: &[u8]) -> bool {
    one.as_bytes().eq_ignore_ascii_case(other)
}
