//! What an engine writes: three small traits.
//!
//! ```text
//! Hooks                 limit, refusal, reload        every engine
//!   ├─ Service          async fn connection           for `PerCore` and `Spread`
//!   └─ BlockingService  fn connection                 for `PerConnection`
//! ```
//!
//! The head of [`server`](super) says which of the two an engine should implement.
//!
//! Redis counterpart: `acceptCommonHandler` and `readQueryFromClient` (`networking.c`). PostgreSQL
//! counterpart: `BackendMain` (`tcop/backend_startup.c`), which serves one client in one process.

use std::rc::Rc;
use std::time::Duration;

use super::{BlockingStream, Shutdown, Stream};
use crate::connections::Connections;
use crate::sync::Arc;

/// What the server asks of an engine in every shape.
pub trait Hooks: Send + Sync + 'static {
    /// The counter of open connections. Must return the same one each time.
    fn connections(&self) -> &Connections;

    /// How many clients may be connected at once. Called for every accepted client, so the answer
    /// may change while the server runs.
    fn max_connections(&self) -> usize;

    /// The bytes sent to a client above the limit before its connection is closed, in the engine's
    /// own protocol.
    fn refusal(&self) -> Vec<u8>;

    /// How long to wait for connections to end by themselves after shutdown is requested. The
    /// default is ten seconds, what Redis gives its replicas.
    fn drain_timeout(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// Reloads the configuration. Called for each SIGHUP, on a thread of its own, never twice at
    /// the same time; signals that arrive during a call lead to one more call.
    ///
    /// An engine that cannot apply the new configuration keeps the old one and logs the reason.
    /// The default does nothing but log, so that SIGHUP (which the shell sends when a terminal
    /// closes) does not end a server that has nothing to reload. Redis ignores it too
    /// (`setupSignalHandlers`, `server.c`).
    fn reload(&self) {
        tracing::info!("SIGHUP ignored: this server has nothing to reload");
    }
}

/// An engine whose connections are tasks that wait asynchronously; shared by all cores.
pub trait Service: Hooks {
    /// State that belongs to one core. It is created, used and dropped on that core's thread, so it
    /// needs no locks.
    type Core: 'static;

    /// Creates the state of core `index` (counted from 0), inside the core's runtime.
    fn core(&self, index: usize) -> Self::Core;

    /// Serves one client until either side closes. Runs as a task of its own and stays on its core.
    ///
    /// After `shutdown` is requested it should answer what it has read, and return. If it is still
    /// running after the drain timeout, the task is dropped at its current `await`. A panic in it
    /// closes this connection only.
    fn connection(
        self: Arc<Self>,
        core: Rc<Self::Core>,
        stream: Stream,
        shutdown: Shutdown,
    ) -> impl Future<Output = ()> + 'static;

    /// The periodic work of a core; started once per core, before the first client. It runs on
    /// while connections drain and is dropped after the last of them has closed.
    fn background(
        self: Arc<Self>,
        core: Rc<Self::Core>,
        shutdown: Shutdown,
    ) -> impl Future<Output = ()> + 'static;
}

/// An engine whose connections are threads that may block: on locks, disk reads and long scans.
pub trait BlockingService: Hooks {
    /// Stack size of a connection's thread in bytes. Only pages that are touched become resident,
    /// so the size limits recursion rather than costing memory.
    const STACK_BYTES: usize = 256 * 1024;

    /// Serves one client until either side closes. Runs on a thread of its own.
    ///
    /// Between two requests it should wait in [`BlockingStream::read_or_shutdown`], which returns 0
    /// when the server shuts down, and return then. Inside a request it reads with
    /// [`Read`](std::io::Read), which shutdown does not interrupt before the drain timeout. A panic
    /// in it closes this connection only.
    fn connection(&self, stream: BlockingStream, shutdown: Shutdown);
}
