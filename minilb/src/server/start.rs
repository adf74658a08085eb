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
//! If the addresses are the same, the listening sockets stay as they are, so no client in their
//! queues is lost. Sessions that run go on with the servers they have. `worker_processes` and `pid`
//! are those of the start.
//!
//! Upstreams that the new configuration no longer has live on in the sessions that use them.
//!
//! NGINX counterpart: `ngx_init_cycle` (`ngx_cycle.c`) and `ngx_reconfigure`
//! (`ngx_process_cycle.c`): there, new processes serve new connections.

use super::clock::Clock;
use super::files::System;
use super::forward::CoreBuffer;
use super::session;
use super::upstream::SharedUpstream;
use crate::conf::config::{Config, ServerBlock};
use crate::conf::error::ConfError;
use crate::conf::reader::read;
use minikit::connections::Connections;
use minikit::server::{
    Bound, Hooks, ListenerHandle, Options, PerCore, ServerError, Service, Shutdown, Stream, run,
};
use minikit::sync::{Arc, Mutex};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::OnceLock;

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// `-c`
    pub file: PathBuf,
    /// `-g`
    pub globals: String,
    /// `-p`
    pub prefix: PathBuf,
}

impl Source {
    /// Reads it.
    ///
    /// # Errors
    /// The first error of the configuration.
    pub fn read(&self) -> Result<Config, ConfError> {
        read(&System, &self.file, &self.globals, &self.prefix)
    }
}

/// A configuration and the upstreams that it names.
struct Generation {
    config: Config,
    upstreams: BTreeMap<String, Arc<SharedUpstream>>,
}

impl Generation {
    /// Upstreams that `old` has are taken over with their state.
    fn new(config: Config, old: Option<&Generation>) -> Generation {
        let take_over = |(name, config): (&String, _)| {
            let known = old.and_then(|it| it.upstreams.get(name));
            let upstream = match known {
                Some(upstream) => {
                    upstream.reconfigure(config);
                    Arc::clone(upstream)
                }
                None => Arc::new(SharedUpstream::new(name, config)),
            };
            (name.clone(), upstream)
        };
        let upstreams = config.upstreams.iter().map(take_over).collect();
        Generation { config, upstreams }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.config.servers.iter().flat_map(|it| &it.listen).copied().collect()
    }

    /// The server that listens at the address a client has connected to: one with exactly this
    /// address before one with a wildcard.
    fn server_at(&self, local: SocketAddr) -> Option<&ServerBlock> {
        let is_exact = |it: &SocketAddr| *it == local;
        let is_wildcard = |it: &SocketAddr| it.ip().is_unspecified() && it.port() == local.port();
        let servers = &self.config.servers;
        let exact = servers.iter().find(|it| it.listen.iter().any(is_exact));
        exact.or_else(|| servers.iter().find(|it| it.listen.iter().any(is_wildcard)))
    }
}

struct LoadBalancer {
    source: Source,
    current: Mutex<Arc<Generation>>,
    /// Set when the server is ready.
    listeners: OnceLock<ListenerHandle>,
    connections: Connections,
    workers: usize,
    clock: Clock,
}

/// What belongs to one core.
struct Core {
    index: usize,
    buffer: CoreBuffer,
}

/// Serves until SIGTERM, SIGINT or SIGQUIT.
///
/// # Errors
/// If an address cannot be bound or a thread cannot be started.
pub fn serve(
    source: Source,
    config: Config,
    ready: impl FnOnce(&Bound),
) -> Result<(), ServerError> {
    let workers = match config.worker_processes {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        given => given,
    };
    let generation = Generation::new(config, None);
    let options =
        Options { listen: generation.addresses(), threads: workers, ..Options::default() };
    let balancer = Arc::new(LoadBalancer {
        source,
        current: Mutex::new(Arc::new(generation)),
        listeners: OnceLock::new(),
        connections: Connections::new(),
        workers,
        clock: Clock::new(),
    });
    let shape = PerCore(Arc::clone(&balancer));
    run(options, shape, Shutdown::new(), |bound, listeners| {
        balancer.listeners.get_or_init(|| listeners);
        ready(bound);
    })
}

impl LoadBalancer {
    fn current(&self) -> Arc<Generation> {
        Arc::clone(&self.current.lock())
    }

    fn try_reload(&self) -> Result<(), Box<dyn std::error::Error>> {
        let config = self.source.read()?;
        let old = self.current();
        let mut addresses = config.servers.iter().flat_map(|it| &it.listen).copied();
        let addresses = addresses.by_ref().collect::<Vec<_>>();
        if addresses != old.addresses() {
            let listeners = self.listeners.get().ok_or("not ready to reload yet")?;
            listeners.listen(&addresses)?;
        }
        *self.current.lock() = Arc::new(Generation::new(config, Some(&old)));
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
        Core { index, buffer: CoreBuffer::new() }
    }

    async fn connection(self: Arc<Self>, core: Rc<Core>, client: Stream, _shutdown: Shutdown) {
        let generation = self.current();
        // A client may have connected to an address that a reload has just removed.
        let local = client.local().parse().ok();
        let Some(server) = local.and_then(|it| generation.server_at(it)) else { return };
        let upstream = &generation.upstreams[&server.upstream];
        session::serve(client, server, upstream, self.clock, &core.buffer).await;
    }

    /// SIGQUIT is NGINX's word for a graceful end; one core waits for it.
    async fn background(self: Arc<Self>, core: Rc<Core>, shutdown: Shutdown) {
        if core.index != 0 {
            return;
        }
        let quit = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::quit());
        match quit {
            Ok(mut quit) => {
                quit.recv().await;
                shutdown.request();
            }
            Err(error) => tracing::warn!("SIGQUIT is not handled: {error}"),
        }
    }
}
