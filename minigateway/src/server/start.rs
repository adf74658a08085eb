//! From a configuration to a running server, and from one configuration to the next.
//!
//! ```text
//! SIGHUP ─> read the file ─ mistake ─> log its place, keep the old one
//!                         └ fine ────> generation + 1; connections stay open
//! ```
//!
//! A reload does not change the listening address, the threads and the admin endpoint.
//!
//! NGINX counterpart: `ngx_init_cycle` (`ngx_cycle.c`), which starts new processes; there, clients
//! keep the old configuration until they close their connection.

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

/// Clients at a time.
const CONNECTIONS_MAX: usize = 20_000;

/// Reads and checks a file.
///
/// # Errors
/// `FILE:LINE:COLUMN: MISTAKE`, or why the file cannot be read.
pub fn load(file: &Path) -> Result<Config, String> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
    // Keys are beside the configuration, wherever the program was started.
    let directory = file.parent().unwrap_or(Path::new("."));
    let open = |name: &str| {
        let path = directory.join(name);
        std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    read(&text, &resolve, &open).map_err(|error| format!("{name}:{error}"))
}

fn resolve(server: &str) -> Result<Vec<SocketAddr>, String> {
    let addresses = server.to_socket_addrs().map(Iterator::collect);
    addresses.map_err(|error| format!("\"{server}\", which is to be HOST:PORT: {error}"))
}

/// A running gateway.
pub struct Server {
    file: PathBuf,
    pub(super) current: Arc<Current>,
    connections: Connections,
    clock: Clock,
    cores: usize,
}

/// What belongs to one core.
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

    /// The connection is closed without a word, as by NGINX.
    fn refusal(&self) -> Vec<u8> {
        Vec::new()
    }

    fn reload(&self) {
        match load(&self.file) {
            Ok(config) => {
                let old = self.current.get();
                if config.options != old.pipeline.config.options {
                    tracing::warn!("changes of listen, unix, admin and threads take a restart");
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
        // A Unix socket has no address; all of its clients are the machine itself.
        let address = |text: String| text.parse().unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
        let (peer, local): (SocketAddr, _) = (address(stream.peer()), address(stream.local()));
        let mut client = Client::new(peer, local, core.http.next_connection());
        serve_http(stream, &mut client, &core.gateway, &core.http, &shutdown).await;
    }

    async fn background(self: Arc<Self>, core: Rc<Core>, _shutdown: Shutdown) {
        loop {
            // One core checks servers, those of the current configuration alone.
            let mut is_idle = true;
            for upstream in self.current.get().upstreams.iter().filter(|_| core.index == 0) {
                is_idle &= !checks::begin(upstream, self.clock, || core.http.next_random());
            }
            tokio::time::sleep(if is_idle { checks::IDLE_TICK } else { checks::TICK }).await;
            core.http.expire_connections();
        }
    }
}
