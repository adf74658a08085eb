//! The server: sockets, tasks and the thread that writes to the disk.
//!
//! | module | what it is |
//! |---|---|
//! | [`connection`] | one client from its first byte to its last |
//! | [`send`] | responses, from memory or by `sendfile` |
//! | [`upkeep`] | flushing, checkpoints and retention, on a thread of their own |
//! | `inspect` | metrics, health and the state page |
//! | [`start`] | from options to a running server |

pub mod connection;
mod inspect;
pub mod send;
pub mod start;
pub mod upkeep;

use crate::handlers::Broker;
use minikit::connections::Connections;
use minikit::server::{Hooks, Service, Shutdown, Stream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use self::upkeep::Upkeep;

/// What the server shapes of minikit call.
pub struct Server {
    /// What the handlers work on.
    pub broker: Arc<Broker>,
    /// The thread that flushes.
    pub upkeep: Arc<Upkeep>,
    /// The number of clients.
    pub connections: Connections,
    /// How many there may be.
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
    type Core = ();

    fn core(&self, _index: usize) {}

    async fn connection(self: Arc<Self>, _core: Rc<()>, stream: Stream, shutdown: Shutdown) {
        let peer = stream.peer();
        match connection::serve(&self, stream, shutdown).await {
            Ok(()) => tracing::debug!("{peer} left"),
            Err(error) => tracing::info!("{peer}: connection closed: {error}"),
        }
    }

    /// The periodic work is that of the upkeep thread.
    async fn background(self: Arc<Self>, _core: Rc<()>, _shutdown: Shutdown) {}
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_millis() as i64)
}
