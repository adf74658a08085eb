//! The life of a server: from the addresses it binds to the last client it waits for.
//!
//! An engine supplies a [`Service`] (what to do with one connection); [`run`] does the rest and
//! returns when the server is over.
//!
//! ```text
//!           control thread                core 0              core 1          ... --threads N
//! run ────> bind all sockets
//!           start the cores ────────────> own runtime         own runtime
//!                                         own listener        own listener    (SO_REUSEPORT)
//!           all up: on_ready <─ ready ─── accept              accept
//!           │                             │ client A          │ client C      stay on their core
//!           │                             │ client B          │
//! SIGTERM ─> shutdown.request() ────────> close listener      close listener
//! (again:                                 tell A, B           tell C
//!  exit now)                              wait for them, at most `drain_timeout`
//! Ok(()) <─ join <─────────────────────── end                 end
//! ```
//!
//! **Why a listener per core?** With one listener someone has to hand connections out, and every
//! client then costs a wake-up on another core. Sockets that share a port through `SO_REUSEPORT`
//! let the kernel hand them out, by a hash of both addresses. The price: the split is by luck, even
//! only over many connections.
//!
//! **Why is the control thread not one of the cores?** A core may be busy for a second inside one
//! command. The second Ctrl-C must end the process even then.
//!
//! Redis counterpart: `listenToPort`, `sigShutdownHandler` and `prepareForShutdown` (`server.c`),
//! `acceptTcpHandler` (`networking.c`). Redis has one event loop and leaves the clients to their
//! fate at shutdown; it waits for replicas only.

mod accept;
mod core_thread;
mod listen;
mod shutdown;
mod signals;
mod stream;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::connections::Connections;
use crate::sync::{Arc, thread};

pub(crate) use self::accept::Listener;
use self::core_thread::{CoreThread, Moves};
pub use self::listen::Doors;
use self::listen::{CoreSockets, Sockets};
pub use self::shutdown::Shutdown;
pub use self::stream::Stream;

/// What an engine does with its connections; shared by all cores.
pub trait Service: Send + Sync + 'static {
    /// What one core owns alone; it is made, used and dropped on that core's thread.
    type Core: 'static;

    /// Makes the state of core `index` (counted from 0), inside the core's runtime.
    fn core(&self, index: usize) -> Self::Core;

    /// Serves one client until either side is done with the other. Runs as a task of its own, on
    /// the core that accepted the client. Once `shutdown` is requested it should answer what it has
    /// read, and return; it is dropped where it stands when the time to drain is over. A panic in
    /// it ends this connection only.
    fn connection(
        self: Arc<Self>,
        core: Rc<Self::Core>,
        stream: Stream,
        shutdown: Shutdown,
    ) -> impl Future<Output = ()> + 'static;

    /// What a core does beside its connections (periodic work); started once per core, before the
    /// first client. It goes on while connections drain and is dropped after the last of them.
    fn background(
        self: Arc<Self>,
        core: Rc<Self::Core>,
        shutdown: Shutdown,
    ) -> impl Future<Output = ()> + 'static;

    /// The gauge in which the server counts its clients. Always the same one.
    fn connections(&self) -> &Connections;

    /// How many clients may be inside; asked at every accept.
    fn max_connections(&self) -> usize;

    /// What a client beyond the limit is sent before its connection is closed, in the engine's own
    /// protocol.
    fn refusal(&self) -> Vec<u8>;
}

/// Where and how to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// The TCP addresses; port 0 takes any free port. An IPv6 wildcard (`[::]`) takes IPv4 clients
    /// as well, where the system is set up so.
    pub listen: Vec<SocketAddr>,
    /// The path of a Unix socket. A socket that an ended process left there is replaced; a live
    /// one, or a file of any other kind, is an error. Removed at the end.
    pub unix: Option<PathBuf>,
    /// How many cores serve; 0 means as many as this process may use.
    pub threads: usize,
    /// How long to wait for connections to end by themselves after a request to shut down.
    pub drain_timeout: Duration,
    /// How many clients may wait in the kernel to be accepted, per listener. The kernel caps it at
    /// `net.core.somaxconn`.
    pub backlog: u16,
}

impl Default for Options {
    /// No address yet, all cores, ten seconds to drain (what Redis gives its replicas), Redis's
    /// backlog.
    fn default() -> Options {
        Options {
            listen: Vec::new(),
            unix: None,
            threads: 0,
            drain_timeout: Duration::from_secs(10),
            backlog: 511,
        }
    }
}

impl Options {
    fn cores(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            given => given,
        }
    }
}

/// The addresses that were really bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The first TCP address, with the port the system chose where 0 was asked for.
    pub tcp: Option<SocketAddr>,
    /// The path of the Unix socket.
    pub unix: Option<PathBuf>,
}

impl fmt::Display for Bound {
    /// The TCP address, else the path: one address, so that a line that ends in it is easy to take
    /// apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.tcp, &self.unix) {
            (Some(address), _) => address.fmt(f),
            (None, Some(path)) => path.display().fmt(f),
            (None, None) => f.write_str("nothing"),
        }
    }
}

/// Why a server could not start, or did not end well. The message says what to try.
#[derive(Debug)]
pub enum ServerError {
    /// Neither a TCP address nor a Unix socket was asked for.
    NoAddress,
    /// A TCP address could not be bound.
    Listen {
        /// The option that asked for it.
        flag: &'static str,
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A Unix socket could not be made.
    Unix {
        /// What was asked for.
        path: PathBuf,
        /// What the system said, or what is there already.
        source: io::Error,
    },
    /// The system gave no thread, or no event queue, for a core.
    Start {
        /// What the system said.
        source: io::Error,
    },
    /// A core panicked outside of its connections; the others were drained.
    Core {
        /// Which one, counted from 0.
        index: usize,
    },
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerError::NoAddress => {
                f.write_str("nothing to listen on: give a TCP address or a Unix socket")
            }
            ServerError::Listen { flag, address, source } => {
                write!(f, "cannot listen on {address}: {source}. {}", advice(flag, address, source))
            }
            ServerError::Unix { path, source } => {
                write!(f, "cannot listen on {}: {source}", path.display())
            }
            ServerError::Start { source } => write!(
                f,
                "cannot start a core: {source}. Fewer threads, or a higher `ulimit -n`, may help"
            ),
            ServerError::Core { index } => {
                write!(f, "core {index} panicked; its message is on standard error")
            }
        }
    }
}

fn advice(flag: &str, address: &SocketAddr, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => format!(
            "`ss -ltnp 'sport = :{}'` shows who has it; {flag} takes another (port 0: any)",
            address.port()
        ),
        io::ErrorKind::PermissionDenied => {
            format!("Ports below 1024 are for the administrator; {flag} takes another")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("No interface here has that address; {flag} takes 127.0.0.1 or 0.0.0.0")
        }
        _ => format!("{flag} takes another address"),
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ServerError::Listen { source, .. }
            | ServerError::Unix { source, .. }
            | ServerError::Start { source } => Some(source),
            ServerError::NoAddress | ServerError::Core { .. } => None,
        }
    }
}

/// Serves until `shutdown` is requested, by its holder, by SIGTERM or by SIGINT, and all cores have
/// drained.
///
/// `on_ready` is called once, when every core accepts; the [`Doors`] let it listen elsewhere later.
/// Blocks the calling thread, which takes the signals; a second signal ends the process at once,
/// with status 1.
///
/// # Errors
/// [`ServerError`] where an address, a thread or a runtime could not be had, or a core panicked.
/// Connections cut at the end of `drain_timeout` are logged and no error.
pub fn run<S: Service>(
    options: Options,
    service: Arc<S>,
    shutdown: Shutdown,
    on_ready: impl FnOnce(&Bound, Doors),
) -> Result<(), ServerError> {
    let sockets = Sockets::bind(&options, options.cores())?;
    let (senders, moves) = sockets.per_core.iter().map(|_| mpsc::unbounded_channel()).unzip();
    let doors = Doors::new(senders, &sockets, options.backlog);
    let control = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| ServerError::Start { source })?;
    let bound = sockets.bound.clone();
    control.block_on(async {
        signals::watch(shutdown.clone()).map_err(|source| ServerError::Start { source })?;
        let (report, reports) = mpsc::channel(1);
        let parts = sockets.per_core.into_iter().zip::<Vec<_>>(moves);
        let cores = start_cores(parts, &service, &shutdown, options.drain_timeout, report)?;
        supervise(reports, cores.len(), || on_ready(&bound, doors)).await;
        join(cores)
    })
}

/// One thread per set of sockets. Where a thread cannot be had, those already running are told to
/// stop, and end with the process.
fn start_cores<S: Service>(
    parts: impl Iterator<Item = (CoreSockets, Moves)>,
    service: &Arc<S>,
    shutdown: &Shutdown,
    drain_timeout: Duration,
    report: mpsc::Sender<()>,
) -> Result<Vec<thread::JoinHandle<Result<(), ServerError>>>, ServerError> {
    let start = |(index, (sockets, moves))| {
        let core = CoreThread {
            index,
            sockets,
            moves,
            service: Arc::clone(service),
            shutdown: shutdown.clone(),
            drain_timeout,
            report: report.clone(),
        };
        thread::Builder::new().name(format!("core-{index}")).spawn(move || core.run())
    };
    parts.enumerate().map(start).collect::<io::Result<_>>().map_err(|source| {
        shutdown.request();
        ServerError::Start { source }
    })
}

/// Returns when all cores have ended. A core reports once, when it accepts, and holds its end of
/// the channel for as long as it lives.
async fn supervise(mut reports: mpsc::Receiver<()>, cores: usize, on_ready: impl FnOnce()) {
    for _ in 0..cores {
        if reports.recv().await.is_none() {
            return;
        }
    }
    on_ready();
    while reports.recv().await.is_some() {}
}

/// The first thing that went wrong on any core.
fn join(cores: Vec<thread::JoinHandle<Result<(), ServerError>>>) -> Result<(), ServerError> {
    let mut cores = cores.into_iter().enumerate();
    cores.try_for_each(|(index, core)| core.join().unwrap_or(Err(ServerError::Core { index })))
}
