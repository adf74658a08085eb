//! The life of a server: from the addresses it binds to the last client it waits for.
//!
//! An engine implements [`Hooks`] and one of two service traits; [`run`] does the rest and returns
//! when the server has shut down.
//!
//! # Which shape?
//!
//! | shape | a connection is | choose it for |
//! |---|---|---|
//! | [`PerCore`] | a task on the core that accepted it | many small requests |
//! | [`Spread`] | a task on the core with the fewest connections | few heavy connections |
//! | [`PerConnection`] | a thread | requests that wait for locks or disk |
//!
//! minicache, minilb and minigateway use the first, minilog the second, minibtree the third. The
//! first two run a [`Service`], the third a [`BlockingService`].
//!
//! **May a request block?** A core thread serves hundreds of clients; while one request waits for a
//! lock or reads a page from disk, the others wait too. If that cannot be avoided, take
//! `PerConnection`. It was measured faster than tasks for a SQL engine (41,000 against 31,000
//! transactions per second at one connection) and is cheap enough: 17.8 kB resident per idle
//! connection, so 1,000 clients cost 18 MB. What it does not give is tens of thousands of clients.
//!
//! **Otherwise: are there many connections, or few that carry much?** With `PerCore` the kernel
//! assigns clients to cores by a hash of their addresses, for free, and evenly over hundreds of
//! connections. Over ten it is luck (seastar#3526, envoy#7831): `Spread` counts instead, for the
//! price of one more thread and a hand-over per connection.
//!
//! All shapes share one accept loop, limit, refusal, drain and set of signals.
//!
//! # The life of a server
//!
//! ```text
//!           control thread                core-0              core-1          ... --threads N
//! run ────> bind all sockets
//!           start the threads ──────────> own runtime         own runtime
//!                                         own listener        own listener    (PerCore)
//!           all up: on_ready <─ ready ─── accept              accept
//!           │                             │ client A          │ client C      stay on their core
//! SIGHUP ───> hooks.reload()              │ client B          │
//! SIGTERM ──> shutdown.request() ───────> close listener      close listener
//! (again:                                 tell A, B           tell C
//!  exit now)                              wait for them, at most `drain_timeout()`
//! Ok(()) <─ join <─────────────────────── end                 end
//! ```
//!
//! In the other two shapes the listener belongs to a thread `accept`.
//!
//! **Why is the control thread not one of the cores?** A core may be busy for a second with one
//! command. The second Ctrl-C must end the process even then.
//!
//! Redis counterpart: `listenToPort`, `sigShutdownHandler` and `prepareForShutdown` (`server.c`),
//! `acceptTcpHandler` (`networking.c`). Redis has one event loop. At shutdown it waits for its
//! replicas, but not for clients.

mod accept;
mod error;
mod listen;
mod options;
mod per_connection;
mod per_core;
mod service;
mod shape;
mod shutdown;
mod signals;
mod spread;
mod stream;
mod thread;

use tokio::sync::mpsc;

use crate::sync::Arc;

use self::accept::Acceptor;
pub(crate) use self::accept::Listener;
pub use self::error::ServerError;
pub use self::listen::ListenerHandle;
pub use self::options::{Bound, Options};
pub use self::per_connection::{BlockingStream, PerConnection};
pub use self::per_core::PerCore;
pub use self::service::{BlockingService, Hooks, Service};
use self::shape::Shape;
pub use self::shutdown::Shutdown;
pub use self::spread::Spread;
pub use self::stream::Stream;
use self::thread::ServerThreads;

/// Serves in the given shape ([`PerCore`], [`Spread`] or [`PerConnection`] around the engine) until
/// `shutdown` is requested, by its holder, by SIGTERM or by SIGINT, and all connections have ended.
///
/// `on_ready` is called once, when every thread accepts; the [`ListenerHandle`] can change the
/// addresses later. Blocks the calling thread, which handles the signals; a second signal ends the
/// process at once, with status 1.
///
/// # Errors
/// [`ServerError`] if an address, a thread or a runtime was refused, or a thread of the server
/// panicked. Connections cut after `drain_timeout()` are logged and are no error.
pub fn run<P: Shape>(
    options: Options,
    shape: P,
    shutdown: Shutdown,
    on_ready: impl FnOnce(&Bound, ListenerHandle),
) -> Result<(), ServerError> {
    let sets = listen::bind(&options, shape.acceptors(&options))?;
    let tcp = sets.iter().flatten().find_map(|it| it.address.tcp());
    let bound = Bound { tcp, unix: options.unix.first().cloned() };
    let (senders, changes): (_, Vec<_>) = sets.iter().map(|_| mpsc::unbounded_channel()).unzip();
    let listeners = ListenerHandle::new(senders, &sets, &options);
    let acceptors = sets.into_iter().zip(changes);
    let acceptors = acceptors.map(|(sockets, changes)| Acceptor { sockets, changes }).collect();

    let control = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServerError::Start)?;
    let result = control.block_on(async {
        signals::watch(shutdown.clone(), Arc::clone(shape.hooks())).map_err(ServerError::Start)?;
        let mut threads = ServerThreads::new(shutdown);
        shape.start(acceptors, &options, &mut threads)?;
        threads.supervise(|| on_ready(&bound, listeners)).await
    });

    // Does not wait for a reload that is still running.
    control.shutdown_background();
    result
}
