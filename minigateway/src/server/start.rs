//! Starts the server from a configuration, and reloads the configuration.
//!
//! ```text
//! SIGHUP ─> read the file ─ error ─> log its location, keep the old one
//!                         └ valid ─> generation + 1; connections stay open
//! ```
//!
//! A reload does not change the listening address, the threads or the admin endpoint.
//!
//! NGINX counterpart: `ngx_init_cycle` (`ngx_cycle.c`). NGINX starts new processes, and open
//! connections keep the old configuration until they are closed.

use super::generation::Generation;
use super::service::{Context, Current, Gateway};
use crate::conf::config::{Config, read};
use minikit::connections::Connections;
use minikit::server::{
    Bound, Hooks, Options, PerCore, ServerError, Service, Shutdown, Stream, run,
};
use minikit::sync::Arc;
use minilb::server::checks;
use minilb::server::clock::Clock;
use minilb::server::http::connection::serve as serve_http;
use minilb::server::http::core::HttpCore;
use minilb::server::http::service::Client;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// The most client connections at a time.
const CONNECTIONS_MAX: usize = 20_000;

/// Reads and checks a configuration file.
///
/// # Errors
/// `FILE:LINE:COLUMN: MESSAGE`, or the reason why the file cannot be read.
pub fn load(file: &Path) -> Result<Config, String> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
    // Paths of key files are relative to the configuration file.
    let directory = file.parent().unwrap_or(Path::new("."));
    let open = |name: &str| {
        let path = directory.join(name);
        std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    read(&text, &resolve, &open).map_err(|error| format!("{name}:{error}"))
}

fn resolve(server: &str) -> Result<Vec<SocketAddr>, String> {
    let addresses = server.to_socket_addrs().map(Iterator::collect);
    addresses.map_err(|error| format!("cannot resolve \"{server}\" (HOST:PORT): {error}"))
}

/// A running gateway.
pub struct Server {
    file: PathBuf,
    pub(super) current: Arc<Current>,
    connections: Connections,
    clock: Clock,
    cores: usize,
}

/// The state of one core.
pub struct Core {
    index: usize,
    http: HttpCore<Context>,
    gateway: Gateway,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// If an address cannot be bound or a thread cannot be started.
pub fn serve(
    options: Options,
    admin: Option<SocketAddr>,
    file: PathBuf,
    config: Config,
    ready: impl FnOnce(&Bound),
) -> Result<(), ServerError> {
    let cores = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        given => given,
    };
    let server = Arc::new(Server {
        file,
        current: Arc::new(Current::new(Generation::new(config, None))),
        connections: Connections::new(),
        clock: Clock::new(),
        cores,
    });
    let _admin = admin.map(|it| minikit::admin::start(it, Arc::clone(&server))).transpose()?;
    run(options, PerCore(server), Shutdown::new(), |bound, _| ready(bound))
}

impl Hooks for Server {
    fn connections(&self) -> &Connections {
        &self.connections
    }

    fn max_connections(&self) -> usize {
        CONNECTIONS_MAX
    }

    /// NGINX also closes a connection beyond the maximum without a response.
    fn refusal(&self) -> Vec<u8> {
        Vec::new()
    }

    fn reload(&self) {
        match load(&self.file) {
            Ok(config) => {
                let old = self.current.get();
                if config.options != old.pipeline.config.options {
                    tracing::warn!("changes of listen, unix, admin and threads need a restart");
                }
                self.current.set(Generation::new(config, Some(&old)));
                tracing::info!("reconfigured");
            }
            Err(error) => tracing::error!("{error}; the old configuration stays"),
        }
    }
}

impl Service for Server {
    type Core = Core;

    fn core(&self, index: usize) -> Core {
        let http = HttpCore::new(self.clock, index, self.cores);
        Core { index, http, gateway: Gateway::new(Arc::clone(&self.current)) }
    }

    async fn connection(self: Arc<Self>, core: Rc<Core>, stream: Stream, shutdown: Shutdown) {
        // Clients of a Unix socket have no address; treat them as local.
        let address = |text: String| text.parse().unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
        let (peer, local): (SocketAddr, _) = (address(stream.peer()), address(stream.local()));
        let mut client = Client::new(peer, local, core.http.next_connection());
        serve_http(stream, &mut client, &core.gateway, &core.http, &shutdown).await;
    }

    async fn background(self: Arc<Self>, core: Rc<Core>, _shutdown: Shutdown) {
        let tick = if core.index == 0 { checks::TICK } else { Duration::from_secs(1) };
        loop {
            // One core runs the health checks of the current configuration's servers.
            for upstream in self.current.get().upstreams.iter().filter(|_| core.index == 0) {
                checks::begin(upstream, self.clock, || core.http.next_random());
            }
            tokio::time::sleep(tick).await;
            core.http.expire_connections(|_| true);
        }
    }
}
