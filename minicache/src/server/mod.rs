//! Sockets, tasks and clocks. No other module has any.
//!
//! ```text
//! core 0: own runtime, own listener ── connections ──┐
//! core 1: own runtime, own listener ── connections ──┴── Cache (shards and their locks)
//! ```
//!
//! * [`connection`]: a client's connection, from its first byte to its last.
//! * [`cron`]: background work.
//! * [`aof`]: the thread that writes the append-only file.
//! * `write_behind`: keys that are bound to tables of a database.
//! * [`start`]: from options to a running server.
//! * [`redis_style`]: the command line of a `redis-server`, with log lines in its format ([`log`]).
//! * [`host`]: what `CONFIG SET` changes in the process: addresses, directory, limits.
//! * [`addresses`]: the words of `bind`, resolved.
//! * [`inspect`]: what the admin endpoint shows of a cache.
//!
//! Cores share nothing but the [`Cache`]. The connections of a core share its buffers, because only
//! one of them runs at a time: ten thousand idle clients hold no buffer. In Redis one thread
//! executes all commands, and `io-threads` only read and write (`networking.c`).

mod addresses;
pub mod aof;
mod connection;
mod cron;
mod host;
mod inspect;
mod log;
pub mod redis_style;
pub mod start;
#[cfg(feature = "postgres")]
mod write_behind;

use crate::commands::cache::Cache;
use crate::conf::{Settings, Snapshot};
use crate::engine::timestamp::Timestamp;
use connection::Connection;
use minikit::connections::Connections;
use minikit::server::{Hooks, Service, Shutdown, Stream};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{net::SocketAddr, rc::Rc, sync::Arc};

/// Bytes read at most in one system call; also what one batch of a pipeline can hold.
const READ_MAX: usize = 64 * 1024;

/// minicache as a service of minikit's server.
struct Server {
    cache: Arc<Cache>,
}

struct Core {
    index: usize,
    cache: Arc<Cache>,
    /// The buffer that connections read into.
    scratch: RefCell<Box<[u8]>>,
    /// The buffer that replies are written to. Empty between uses; its capacity is kept.
    spare: RefCell<Vec<u8>>,
    /// The configuration this core works with, and its version.
    config: RefCell<Arc<Snapshot>>,
    config_version: Cell<u64>,
}

impl Core {
    /// The configuration in force. Takes a lock only after it has changed.
    fn config(&self) -> Arc<Snapshot> {
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

    /// For replies to be read. Redis does not wait, and test suites that stop a server with open
    /// connections expect it to end soon.
    fn drain_timeout(&self) -> Duration {
        Duration::from_millis(250)
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

    /// Serves a client. The future of an `async fn` would have room for the stream twice.
    fn connection(
        self: Arc<Self>,
        core: Rc<Core>,
        stream: Stream,
        shutdown: Shutdown,
    ) -> impl Future<Output = ()> + 'static {
        let is_denied = is_denied(&core.config().settings, &stream.peer());
        if let seconds @ 1.. = core.config().settings.tcp_keepalive {
            stream.keep_alive(Duration::from_secs(seconds.into()));
        }
        let mut connection = Connection::new(core, stream, shutdown);
        if is_denied {
            connection.refuse(DENIED);
        }
        connection.serve()
    }

    async fn background(self: Arc<Self>, core: Rc<Core>, shutdown: Shutdown) {
        cron::run(&core, &shutdown).await;
    }
}

/// The reply to a client that protected mode refuses.
const DENIED: &[u8] =
    b"-DENIED Protected mode: there is no password, so only clients on this machine \
    are let in. Set a password (requirepass), or switch protected-mode off where no stranger can \
    reach this address.\r\n";

/// Returns true if protected mode refuses a client: it is on another machine, and no password is
/// set (`clientAcceptHandler` in `networking.c`). The address of a Unix socket does not parse.
fn is_denied(settings: &Settings, peer: &str) -> bool {
    let is_remote = || peer.parse().is_ok_and(|peer: SocketAddr| !peer.ip().is_loopback());
    settings.protected_mode && settings.requirepass.is_empty() && is_remote()
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
    fn protected_mode_refuses_remote_clients_without_a_password() {
        let mut config = Config::default();
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
