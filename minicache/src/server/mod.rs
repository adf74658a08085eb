//! Sockets, tasks and clocks: the only place that has any.
//!
//! ```text
//! core 0: own runtime, own listener ── connections ──┐
//! core 1: own runtime, own listener ── connections ──┴── Cache (shards and their locks)
//! ```
//!
//! * [`connection`]: one client, from its first byte to its last.
//! * [`upkeep`]: what happens without being asked for: keys expire, idle clients leave, the server stops.
//! * [`start`]: from options to a running server, the Redis way of starting included.
//!
//! A core shares nothing with another but the [`Cache`]. Its connections share its buffers, because only one of them runs
//! at a time: ten thousand idle clients hold no buffer at all.

pub mod connection;
pub mod start;
pub mod upkeep;

use crate::engine::access::Moment;
use crate::engine::cache::Cache;
use crate::engine::rules::Rules;
use connection::Connection;
use minikit::connections::Connections;
use minikit::server::{Service, Shutdown, Stream};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Bytes read at most in one system call; also what one batch of a pipeline can hold.
const READ_MAX: usize = 64 * 1024;

/// minicache as a service of minikit's server.
pub struct Server {
    /// What it serves.
    pub cache: Arc<Cache>,
}

/// What one core owns.
pub struct Core {
    /// Its number.
    pub index: usize,
    /// The cache, shared with the other cores.
    pub cache: Arc<Cache>,
    /// Where reads go.
    scratch: RefCell<Box<[u8]>>,
    /// A reply buffer with room, between uses.
    spare: RefCell<Vec<u8>>,
    /// The rules this core knows, and their version.
    rules: RefCell<Arc<Rules>>,
    rules_version: Cell<u64>,
}

impl Core {
    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        let version = self.cache.rules.version();
        if self.rules_version.replace(version) != version {
            *self.rules.borrow_mut() = self.cache.rules.current();
        }
        Arc::clone(&self.rules.borrow())
    }
}

impl Service for Server {
    type Core = Core;

    fn core(&self, index: usize) -> Core {
        Core {
            index,
            cache: Arc::clone(&self.cache),
            scratch: RefCell::new(vec![0; READ_MAX].into_boxed_slice()),
            spare: RefCell::default(),
            rules: RefCell::new(self.cache.rules.current()),
            rules_version: Cell::new(self.cache.rules.version()),
        }
    }

    async fn connection(self: Arc<Self>, core: Rc<Core>, stream: Stream, _shutdown: Shutdown) {
        Connection::new(core, stream).serve().await;
    }

    async fn background(self: Arc<Self>, core: Rc<Core>, shutdown: Shutdown) {
        upkeep::run(&core, &shutdown).await;
    }

    fn connections(&self) -> &Connections {
        &self.cache.connections
    }

    fn max_connections(&self) -> usize {
        self.cache.rules.current().settings.maxclients as usize
    }

    fn refusal(&self) -> Vec<u8> {
        b"-ERR max number of clients reached\r\n".to_vec()
    }
}

/// The time of day.
pub fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment { ms: since.as_millis() as i64, us: since.subsec_micros() % 1000 }
}

/// Nanoseconds since the first call.
pub fn monotonic_ns() -> u64 {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
