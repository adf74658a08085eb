//! Sockets, tasks and clocks: the only place that has any.
//!
//! ```text
//! core 0: own runtime, own listener ── connections ──┐
//! core 1: own runtime, own listener ── connections ──┴── Cache (shards and their locks)
//! ```
//!
//! * [`connection`]: one client, from its first byte to its last.
//! * [`upkeep`]: what happens without being asked for: keys expire, idle clients leave, the server
//!   stops.
//! * [`start`]: from options to a running server.
//! * [`host`]: what `CONFIG SET` changes in the process: addresses, directory, limits.
//! * [`addresses`]: the words of `bind`, resolved.
//! * [`redis_style`]: the same the way a `redis-server` is started, with [`log`] lines in its form.
//! * [`inspect`]: what the admin endpoint shows of a cache.
//!
//! A core shares nothing with another but the [`Cache`]. Its connections share its buffers, because
//! only one of them runs at a time: ten thousand idle clients hold no buffer at all.

pub mod addresses;
pub mod connection;
pub mod host;
pub mod inspect;
pub mod log;
pub mod redis_style;
pub mod start;
pub mod upkeep;

use crate::commands::cache::Cache;
use crate::conf::{Settings, Snapshot};
use crate::engine::timestamp::Timestamp;
use connection::Connection;
use minikit::connections::Connections;
use minikit::server::{Hooks, Service, Shutdown, Stream};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::AsyncWriteExt;

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
    /// The configuration this core works with, and its version.
    config: RefCell<Arc<Snapshot>>,
    config_version: Cell<u64>,
}

impl Core {
    /// The configuration in force.
    pub fn config(&self) -> Arc<Snapshot> {
        let version = self.cache.config.version();
        if self.config_version.replace(version) != version {
            *self.config.borrow_mut() = self.cache.config.snapshot();
        }
        Arc::clone(&self.config.borrow())
    }
}

impl Hooks for Server {
    fn connections(&self) -> &Connections {
        &self.cache.stats.connections
    }

    fn max_connections(&self) -> usize {
        self.cache.config.snapshot().settings.maxclients as usize
    }

    fn refusal(&self) -> Vec<u8> {
        b"-ERR max number of clients reached\r\n".to_vec()
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
            config: RefCell::new(self.cache.config.snapshot()),
            config_version: Cell::new(self.cache.config.version()),
        }
    }

    async fn connection(self: Arc<Self>, core: Rc<Core>, mut stream: Stream, shutdown: Shutdown) {
        if is_denied(&core.config().settings, &stream.peer()) {
            // A client that has gone needs no reason.
            let _ = stream.write_all(DENIED).await;
            return;
        }
        if let seconds @ 1.. = core.config().settings.tcp_keepalive {
            stream.keep_alive(Duration::from_secs(seconds.into()));
        }
        Connection::new(core, stream, shutdown).serve().await;
    }

    async fn background(self: Arc<Self>, core: Rc<Core>, shutdown: Shutdown) {
        upkeep::run(&core, &shutdown).await;
    }
}

/// What a client hears whom protected mode keeps out.
const DENIED: &[u8] =
    b"-DENIED Protected mode: there is no password, so only clients on this machine \
    are let in. Set a password (requirepass), or switch protected-mode off where no stranger can \
    reach this address.\r\n";

/// Whether protected mode keeps a client out: there is no password, and it comes from elsewhere
/// (`clientAcceptHandler` in `networking.c`). A Unix socket has no port that could be read.
fn is_denied(settings: &Settings, peer: &str) -> bool {
    let elsewhere = || peer.parse().is_ok_and(|peer: SocketAddr| !peer.ip().is_loopback());
    settings.protected_mode && settings.requirepass.is_empty() && elsewhere()
}

/// The time of day.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp { ms: since.as_millis() as i64, us: since.subsec_micros() % 1000 }
}

/// Nanoseconds since the first call.
pub fn monotonic_ns() -> u64 {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Config;

    #[test]
    fn protected_mode_keeps_strangers_out_while_there_is_no_password() {
        let mut config = Config::new();
        for (peer, denied) in [
            ("127.0.0.1:5000", false),
            ("[::1]:5000", false),
            ("/tmp/socket:0", false),
            ("192.0.2.7:5000", true),
            ("[2001:db8::1]:5000", true),
        ] {
            assert_eq!(is_denied(config.settings(), peer), denied, "{peer}");
        }
        config.put("requirepass", &[b"secret"]).unwrap();
        assert!(!is_denied(config.settings(), "192.0.2.7:5000"));
        config.put("requirepass", &[b""]).unwrap();
        config.put("protected-mode", &[b"no"]).unwrap();
        assert!(!is_denied(config.settings(), "192.0.2.7:5000"));
    }
}
