//! The server: sockets, tasks and the thread that writes to the disk.
//!
//! | module | what it is |
//! |---|---|
//! | [`connection`] | one client from its first byte to its last |
//! | [`send`] | responses, from memory or by `sendfile` |
//! | [`maintenance`] | flushing, checkpoints and retention, on a thread of their own |
//! | `inspect` | metrics, health and the state page |
//! | [`start`] | from options to a running server |

pub mod connection;
mod inspect;
pub mod maintenance;
pub mod send;
pub mod start;

use crate::engine::group::events::Now;
use crate::handlers::group::Groups;
use crate::handlers::{Broker, Meter};
use minikit::connections::Connections;
use minikit::server::{Hooks, Service, Shutdown, Stream};
use minilog_purgatory::Purgatory;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use self::maintenance::Maintenance;

/// The state shared by all connections; minikit's server calls its [`Hooks`] and [`Service`].
pub struct Server {
    /// The topics and groups that the handlers work on.
    pub broker: Arc<Broker>,
    /// Asks the thread that flushes for a flush.
    pub maintenance: Arc<Maintenance>,
    /// The number and time of requests so far, in the order of [`APIS`](crate::wire::APIS).
    pub requests: Vec<Meter>,
    /// The number of clients.
    pub connections: Connections,
    /// The maximum number of clients.
    pub connections_max: usize,
}

impl Hooks for Server {
    fn connections(&self) -> &Connections {
        &self.connections
    }

    fn max_connections(&self) -> usize {
        self.connections_max
    }

    /// Kafka closes the connection without a word (`max.connections`), and so do we.
    fn refusal(&self) -> Vec<u8> {
        Vec::new()
    }
}

impl Service for Server {
    /// The number of the core, and the requests that wait on it.
    type Core = (usize, Purgatory);

    fn core(&self, index: usize) -> Self::Core {
        (index, Purgatory::default())
    }

    async fn connection(self: Arc<Self>, core: Rc<Self::Core>, stream: Stream, shutdown: Shutdown) {
        let peer = stream.peer();
        match connection::serve(&self, &core.1, stream, shutdown).await {
            Ok(()) => tracing::debug!("{peer} left"),
            Err(error) => tracing::info!("{peer}: connection closed: {error}"),
        }
    }

    /// Every core advances its own timers. Core 0 also ticks the groups. A group that changes is
    /// appended to `__consumer_offsets` here, as in a request; the maintenance thread flushes it.
    async fn background(self: Arc<Self>, core: Rc<Self::Core>, _shutdown: Shutdown) {
        let (index, purgatory) = &*core;
        let tick_groups = async {
            loop {
                let planned = Instant::now() + GROUPS_EVERY;
                tokio::time::sleep_until(planned.into()).await;
                Groups::tick(&self.broker, planned.elapsed().as_millis() as i64);
            }
        };
        tokio::select! {
            () = purgatory.run() => {}
            () = tick_groups, if *index == 0 => {}
        }
    }
}

/// How often the deadlines of groups are checked.
const GROUPS_EVERY: Duration = Duration::from_millis(100);

/// The current time by both clocks.
pub fn now() -> Now {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    Now { monotonic: START.elapsed().as_millis() as i64, timestamp: now_ms() }
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_millis() as i64)
}
