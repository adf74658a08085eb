//! From a configuration to a running server, and from one configuration to the next.
//!
//! # Reload
//!
//! ```text
//! SIGHUP ─> read nginx.conf ─ error ─> log it, keep the old one
//!                           └ fine ──> new addresses are bound, if they have changed
//!                                      each upstream takes its new servers, and keeps its state
//!                                      new connections see the new configuration
//! ```
//!
//! A listening socket whose address is still there stays as it is, so no client in its queue is
//! lost. Sessions that run go on with the servers they have. `worker_processes` and `pid`
//! are those of the start.
//!
//! Upstreams that the new configuration no longer has live on in the sessions that use them.
//!
//! NGINX counterpart: `ngx_init_cycle` (`ngx_cycle.c`) and `ngx_reconfigure`
//! (`ngx_process_cycle.c`): there, new processes serve new connections.

use super::checks;
use super::clock::Clock;
use super::files::System;
use super::forward::{CoreBuffer, Endpoint};
use super::http::connection;
use super::http::core::HttpCore;
use super::http::http2::{self, Http2Stream};
use super::http::service::Client;
use super::limits;
use super::nginx::{DateCache, HttpGeneration, Nginx, RequestContext};
use super::preread::{self, in_time};
use super::resolver;
use super::retirement::{Retirement, cut_off};
use super::session::{self, Streams};
use super::statistics::CoreCounts;
use super::tls::{self, StreamTls};
use super::upstream::SharedUpstream;
use super::user::User;
use crate::conf::config::{Config, ServerBlock};
use crate::conf::error::ConfError;
use crate::conf::host::Host;
use crate::conf::listen::{Address, Listen};
use crate::conf::reader::read;
use crate::engine::peer::Peer;
use crate::engine::upstream::{Method, UpstreamConfig};
use crate::handlers::facts::Transport;
use minikit::connections::Connections;
use minikit::server::{
    Bound, Hooks, ListenerHandle, Options, PerCore, Service, Shutdown, Stream, run,
};
use minikit::sync::atomic::{AtomicBool, Ordering::Relaxed};
use minikit::sync::{Arc, Mutex};
use rustls::ServerConfig;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{Permissions, set_permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_local;

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// `-c`
    pub file: PathBuf,
    /// `-g`
    pub globals: String,
    /// `-p`
    pub prefix: PathBuf,
    /// `--lenient`
    pub lenient: bool,
}

impl Source {
    /// Reads it from `host`.
    ///
    /// # Errors
    /// The first error of the configuration.
    pub fn read(&self, host: &dyn Host) -> Result<Config, ConfError> {
        read(host, &self.file, &self.globals, &self.prefix)
    }
}

/// A configuration and the upstreams that it names.
struct Generation {
    config: Config,
    upstreams: BTreeMap<String, Arc<SharedUpstream>>,
    http_upstreams: BTreeMap<String, Arc<SharedUpstream>>,
    http: Arc<HttpGeneration>,
    /// By server of `stream`.
    tls: Vec<StreamTls>,
}

impl Generation {
    /// Upstreams that `old` has are taken over with their state.
    fn new(config: Config, old: Option<&Generation>, opens_logs: bool) -> Result<Self, String> {
        let upstreams = take_over(&config.upstreams, old.map(|it| &it.upstreams));
        let http = config.http.upstreams.iter().map(|(name, it)| (name, &it.config));
        let http_upstreams = take_over(http, old.map(|it| &it.http_upstreams));
        let zones = limits::take_over(&config.http.zones, old.map(|it| &it.http.zones));
        let mut http =
            HttpGeneration::new(config.http.clone(), &http_upstreams, zones, opens_logs)?;
        let retirement = |timeout| Arc::new(Retirement { replaced: Shutdown::new(), timeout });
        http.retirement = config.worker_shutdown_timeout.map(retirement);
        let tls = config.servers.iter().map(StreamTls::of).collect::<Result<_, _>>()?;
        Ok(Generation { config, upstreams, http_upstreams, http: Arc::new(http), tls })
    }

    fn upstreams(&self) -> impl Iterator<Item = &Arc<SharedUpstream>> {
        self.http_upstreams.values().chain(self.upstreams.values())
    }

    /// Where to listen: by TCP, and at the paths of Unix sockets.
    fn addresses(&self) -> (Vec<SocketAddr>, Vec<PathBuf>) {
        let stream = self.config.servers.iter().flat_map(|it| &it.listen).map(|it| &it.address);
        let (mut tcp, mut unix) = (Vec::new(), Vec::new());
        for address in self.http.addresses().chain(stream) {
            match address {
                Address::Ip(address) => tcp.push(*address),
                Address::Unix(path) => unix.push(PathBuf::from(&**path)),
            }
        }
        (tcp, unix)
    }

    /// The server that listens at the address a client has connected to, and its `listen`: one with
    /// exactly this address before one with a wildcard.
    fn server_at(&self, local: &Address) -> Option<(&ServerBlock, &StreamTls, &Listen)> {
        let all = self.config.servers.iter().zip(&self.tls);
        let mut all = all.flat_map(|(it, tls)| it.listen.iter().map(move |at| (it, tls, at)));
        let exact = all.clone().find(|(_, _, it)| it.address == *local);
        exact.or_else(|| all.find(|(_, _, it)| it.is_wildcard_for(local)))
    }
}

/// The `http` part of a configuration. Without `opens_logs` it must not log.
///
/// # Errors
/// If a certificate cannot be used, or a log file cannot be opened.
pub fn http_generation(config: Config, opens_logs: bool) -> Result<Arc<HttpGeneration>, String> {
    Ok(Generation::new(config, None, opens_logs)?.http)
}

/// Makes the upstreams of a configuration. Those that were there before keep their state.
fn take_over<'a>(
    configs: impl IntoIterator<Item = (&'a String, &'a UpstreamConfig)>,
    old: Option<&BTreeMap<String, Arc<SharedUpstream>>>,
) -> BTreeMap<String, Arc<SharedUpstream>> {
    let take_over = |(name, config): (&String, _)| {
        let upstream = match old.and_then(|it| it.get(name)) {
            Some(upstream) => {
                upstream.reconfigure(config);
                Arc::clone(upstream)
            }
            None => Arc::new(SharedUpstream::new(name, config)),
        };
        (name.clone(), upstream)
    };
    configs.into_iter().map(take_over).collect()
}

/// A running server.
pub(super) struct LoadBalancer {
    source: Source,
    current: Mutex<Arc<Generation>>,
    /// Set when the server is ready.
    listeners: OnceLock<ListenerHandle>,
    connections: Connections,
    workers: usize,
    /// By core, for `stub_status`.
    counts: Vec<Arc<CoreCounts>>,
    clock: Clock,
    user: Option<User>,
    /// Beside the `listen` lines.
    listen: Option<SocketAddr>,
    /// SIGQUIT has come.
    is_quitting: AtomicBool,
}

/// What the command line of `serve` adds to the configuration.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct ServeOptions {
    /// An address for the first server, beside its `listen` lines; port 0 takes any free one
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// Serve metrics, health and the state page here [default: off]
    #[arg(long, value_name = "ADDR:PORT")]
    pub admin: Option<SocketAddr>,
    /// Core threads in place of worker_processes; 0 takes all
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// How long the header of the PROXY protocol and the handshake of TLS may take in `http`: the
/// default of `client_header_timeout`.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);

/// What belongs to one core.
pub(super) struct Core {
    index: usize,
    buffer: CoreBuffer,
    http: HttpCore<RequestContext>,
    date: RefCell<DateCache>,
}

/// Serves until SIGTERM, SIGINT or SIGQUIT.
///
/// # Errors
/// If an address cannot be bound or a thread cannot be started.
pub fn serve(
    source: Source,
    mut config: Config,
    serve: ServeOptions,
    ready: impl FnOnce(&Bound),
) -> Result<(), Box<dyn Error>> {
    let workers = match serve.threads.unwrap_or(config.worker_processes) {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        given => given,
    };
    let user = match &config.user {
        Some((name, group)) => User::find(name, group.as_deref())?,
        None => None,
    };
    let listen = serve.listen.map(any_port).transpose()?;
    add_listen(&mut config, listen)?;
    let generation = Generation::new(config, None, true)?;
    let (tcp, unix) = generation.addresses();
    let options = Options {
        listen: tcp,
        ipv6_only: true,
        unix: unix.clone(),
        threads: workers,
        ..Options::default()
    };
    let balancer = Arc::new(LoadBalancer {
        source,
        current: Mutex::new(Arc::new(generation)),
        listeners: OnceLock::new(),
        connections: Connections::new(),
        workers,
        counts: (0..workers).map(|_| Arc::default()).collect(),
        clock: Clock::new(),
        user,
        listen,
        is_quitting: AtomicBool::new(false),
    });
    let admin = serve.admin.map(|it| minikit::admin::start(it, Arc::clone(&balancer)));
    let _admin = admin.transpose()?;
    let shape = PerCore(Arc::clone(&balancer));
    Ok(run(options, shape, Shutdown::new(), |bound, listeners| {
        balancer.listeners.get_or_init(|| listeners);
        admit_everyone(&unix);
        ready(bound);
    })?)
}

/// Lets programs of every user open these sockets, as NGINX does.
fn admit_everyone(paths: &[PathBuf]) {
    for path in paths {
        if let Err(error) = set_permissions(path, Permissions::from_mode(0o666)) {
            tracing::error!("chmod() \"{}\" failed ({error})", path.display());
        }
    }
}

/// Chooses a port for an address without one.
fn any_port(address: SocketAddr) -> std::io::Result<SocketAddr> {
    match address.port() {
        0 => std::net::TcpListener::bind(address)?.local_addr(),
        _ => Ok(address),
    }
}

/// Lets the first server listen at one more address, in front of its own.
fn add_listen(config: &mut Config, listen: Option<SocketAddr>) -> Result<(), String> {
    let Some(address) = listen else { return Ok(()) };
    let http = config.http.servers.first_mut().map(|it| &mut it.listen);
    let listens = http.or_else(|| config.servers.first_mut().map(|it| &mut it.listen));
    let listens = listens.ok_or("--listen needs a server in the configuration")?;
    listens.insert(0, Listen::at(address));
    Ok(())
}

impl LoadBalancer {
    /// Each upstream with its name, its method and a copy of its servers; and the time in ms.
    pub(super) fn look(&self) -> (Vec<(String, Method, Vec<Peer>)>, u64) {
        let (generation, now_ms) = (self.current(), self.clock.now_ms());
        let look = |it: &Arc<SharedUpstream>| {
            let state = it.state();
            (it.name.clone(), state.method(), state.peers().cloned().collect())
        };
        (generation.upstreams().map(look).collect(), now_ms)
    }

    fn current(&self) -> Arc<Generation> {
        Arc::clone(&self.current.lock())
    }

    fn try_reload(&self) -> Result<(), Box<dyn Error>> {
        let lenient = self.source.lenient;
        let mut config = self.source.read(&System { lenient, ..System::default() })?;
        add_listen(&mut config, self.listen)?;
        let old = self.current();
        let new = Generation::new(config, Some(&old), true)?;
        let addresses = new.addresses();
        if addresses != old.addresses() {
            let listeners = self.listeners.get().ok_or("not ready to reload yet")?;
            listeners.listen(&addresses.0, Some(&addresses.1))?;
            admit_everyone(&addresses.1);
        }
        *self.current.lock() = Arc::new(new);
        old.http.retirement.iter().for_each(|it| it.replaced.request());
        Ok(())
    }
}

impl Hooks for LoadBalancer {
    fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Each client takes two of a worker's connections, one of them to a server.
    fn max_connections(&self) -> usize {
        self.workers * self.current().config.worker_connections / 2
    }

    /// NGINX closes the connection without a word, and so do we.
    fn refusal(&self) -> Vec<u8> {
        Vec::new()
    }

    /// NGINX waits without limit on SIGQUIT, and not at all on SIGTERM.
    fn drain_timeout(&self) -> Duration {
        match self.is_quitting.load(Relaxed) {
            true => self.current().config.worker_shutdown_timeout.unwrap_or(Duration::MAX),
            false => Duration::from_secs(10),
        }
    }

    fn reload(&self) {
        match self.try_reload() {
            Ok(()) => tracing::info!("reconfigured"),
            Err(error) => tracing::error!("[emerg] {error}; the old configuration stays"),
        }
    }
}

impl Service for LoadBalancer {
    type Core = Core;

    fn core(&self, index: usize) -> Core {
        if let Some(Err(error)) = self.user.map(User::enter) {
            tracing::error!("[emerg] cannot change the user: {error}");
            std::process::exit(1);
        }
        let http = HttpCore::new(self.clock, index, self.workers);
        Core { index, buffer: CoreBuffer::default(), http, date: RefCell::default() }
    }

    async fn connection(self: Arc<Self>, core: Rc<Core>, client: Stream, shutdown: Shutdown) {
        let generation = self.current();
        let Some((peer, local)) = ends_of(&client) else { return };
        let mut info = Client::new(peer, local, core.http.next_connection());
        let server = generation.server_at(&info.local);
        let (listen, tls) = match (server, generation.http.site(&info.local)) {
            (Some((_, _, listen)), _) => (listen, None),
            (None, Some(site)) => (&site.listen, site.tls.clone()),
            // A client may have connected to an address that a reload has just removed.
            (None, None) => return,
        };
        if listen.proxy_protocol {
            let limit = server.map_or(HEADER_TIMEOUT, |(it, ..)| {
                it.settings.proxy_protocol_timeout.unwrap_or(Duration::from_secs(30))
            });
            match preread::proxy_protocol(&client, limit).await {
                Ok(proxied) => info.proxied = proxied,
                Err(error) => {
                    let (peer, local) = (&info.peer, &info.local);
                    return tracing::error!("{error}, client: {peer}, server: {local}");
                }
            }
        }
        if let Some((server, tls, listen)) = server {
            let variables = &*generation.config.stream_variables;
            let (resolver, connect) = (&generation.http.resolver, tls.connect.as_ref());
            let streams =
                Streams { upstreams: &generation.upstreams, variables, resolver, connect };
            let (clock, buffer) = (self.clock, &core.buffer);
            let accept = tls.accept.clone().filter(|_| listen.ssl);
            let serve = session::serve(client, accept, info, server, streams, clock, buffer);
            // Boxed, or a client of `http` would be as large.
            cut_off(generation.http.retirement.as_ref(), Box::pin(serve).as_mut()).await;
            return;
        }
        let (mut is_http2, may_be_http2) = (listen.http2, listen.http2_on && tls.is_none());
        drop(generation);
        if may_be_http2 {
            // A client that says nothing, or goes away, gets no other answer by HTTP/1.
            is_http2 |=
                matches!(in_time(HEADER_TIMEOUT, preread::is_http2(&client)).await, Ok(true));
        }
        match is_http2 || tls.is_some() {
            true => Box::pin(self.with_tls_or_http2(core, client, info, tls, shutdown)).await,
            false => self.requests(core, client, &mut info, shutdown).await,
        }
    }

    async fn background(self: Arc<Self>, core: Rc<Core>, shutdown: Shutdown) {
        let of_server = async {
            if core.index == 0 {
                tokio::join!(self.signals(shutdown), self.watch_servers(&core));
            }
        };
        tokio::join!(of_server, self.expire_connections(&core.http));
    }
}

impl LoadBalancer {
    /// Serves a client of TLS or HTTP/2. Boxed, or one of plain HTTP/1.1 would be as large.
    async fn with_tls_or_http2(
        self: Arc<Self>,
        core: Rc<Core>,
        client: Stream,
        mut info: Client,
        tls: Option<Arc<ServerConfig>>,
        shutdown: Shutdown,
    ) {
        let Some(config) = tls else { return self.http2(core, client, info, shutdown).await };
        match in_time(HEADER_TIMEOUT, preread::is_tls(&client)).await {
            Ok(true) => {}
            Ok(false) => {
                info.transport = Transport::PlainAtTlsPort;
                return self.requests(core, client, &mut info, shutdown).await;
            }
            Err(_) => return,
        }
        match in_time(HEADER_TIMEOUT, tls::accept(client, config)).await {
            Ok((stream, transport, is_http2)) => {
                info.transport = transport;
                match is_http2 {
                    true => self.http2(core, stream, info, shutdown).await,
                    false => self.requests(core, stream, &mut info, shutdown).await,
                }
            }
            Err(error) => tracing::info!("{error} while SSL handshaking, client: {}", info.peer),
        }
    }

    /// Serves requests of HTTP/1.1: those of a connection, or the one of a stream of HTTP/2.
    async fn requests(
        self: Arc<Self>,
        core: Rc<Core>,
        stream: impl Endpoint,
        info: &mut Client,
        shutdown: Shutdown,
    ) {
        let current = || Arc::clone(&self.current.lock().http);
        let nginx = Nginx {
            current: &current,
            core: &core.http,
            connections: &self.connections,
            counts: &self.counts,
            index: core.index,
            date: &core.date,
        };
        connection::serve(stream, info, &nginx, &core.http, &shutdown).await;
    }

    async fn http2(
        self: Arc<Self>,
        core: Rc<Core>,
        stream: impl Endpoint,
        mut info: Client,
        shutdown: Shutdown,
    ) {
        let limits = self.current().http.limits(&info);
        info.is_http2 = true;
        let start = |stream: Http2Stream, number| {
            info.requests = number - 1;
            let (balancer, core) = (Arc::clone(&self), Rc::clone(&core));
            let (mut info, shutdown) = (info.clone(), shutdown.clone());
            spawn_local(async move { balancer.requests(core, stream, &mut info, shutdown).await });
        };
        http2::serve(stream, limits.requests_max, limits.keep_alive, &shutdown, start).await;
    }

    /// Checks the servers of the current configuration and asks for the addresses of their names. A
    /// reload ends the checks of the old one.
    async fn watch_servers(&self, core: &Core) {
        loop {
            let generation = self.current();
            for upstream in generation.upstreams() {
                resolver::begin(upstream, &generation.http, self.clock);
                checks::begin(upstream, self.clock, || core.http.next_random());
            }
            drop(generation);
            tokio::time::sleep(checks::TICK).await;
        }
    }

    /// Closes what should no longer be idle, once a second.
    async fn expire_connections(&self, core: &HttpCore<RequestContext>) {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        loop {
            seconds.tick().await;
            let http = Arc::clone(&self.current().http);
            let all = || http.tls.iter().flatten();
            core.expire_connections(|tls| all().any(|it| Arc::ptr_eq(it, &tls.config)));
        }
    }

    /// Waits for the signals that only NGINX has: SIGQUIT ends the server when its clients have
    /// ended, SIGUSR1 opens its log files anew.
    async fn signals(&self, shutdown: Shutdown) {
        let signals = (signal(SignalKind::quit()), signal(SignalKind::user_defined1()));
        let (Ok(mut quit), Ok(mut reopen)) = signals else {
            tracing::warn!("SIGQUIT and SIGUSR1 are not handled");
            return;
        };
        loop {
            tokio::select! {
                _ = quit.recv() => {
                    self.is_quitting.store(true, Relaxed);
                    shutdown.request();
                }
                _ = reopen.recv() => self.current().http.logs.reopen(),
            }
        }
    }
}

/// The client's end of a connection and ours. Returns `None` if the client has gone already.
fn ends_of(client: &Stream) -> Option<(Address, Address)> {
    let (peer, local) = (client.peer(), client.local());
    if client.as_tcp().is_some() {
        return Some((Address::Ip(peer.parse().ok()?), Address::Ip(local.parse().ok()?)));
    }
    // The path, and a port that is none.
    let path = local.strip_suffix(":0").unwrap_or(&local);
    Some((Address::Unix("".into()), Address::Unix(path.into())))
}
