//! The whole server without its sockets, split by concern. Commands see all of it; the engine is
//! handed the parts it works on ([`Cache::parts`]).
//!
//! ```text
//! shards      the keys                          engine::shards
//! registry    the clients, and what they have subscribed to, wait for or track
//! stats       counters, slow log, latency       INFO, LATENCY, metrics
//! config      parameters                        CONFIG
//! ```
//!
//! Redis keeps all of it in one global `struct redisServer server` (`server.h`).

use super::stats::{Counters, Identity, Statistics};
use super::{
    advise::Advisor, blocked::BlockedCommand, monitors::Monitors, pause::Pause,
    scripts::registry::Scripts,
};
use crate::conf::{Config, Host, LiveConfig};
use crate::engine::{
    blocking::Blocked, clients::Clients, keyspace::Parts, pubsub::PubSub, shards::Shards,
    tracking::Tracking, tuning::Tuning,
};
use minikit::sync::Mutex;
use std::sync::{Arc, OnceLock, atomic::AtomicBool};

/// The server; see the head of the file.
pub struct Cache {
    /// The keys.
    pub shards: Shards,
    /// The clients.
    pub registry: Registry,
    /// The cache of scripts, and the script that runs.
    pub scripts: Scripts,
    /// What is counted.
    pub stats: Statistics,
    /// What `CACHE ADVISE` knows.
    pub advisor: Arc<Advisor>,
    /// The configuration in force.
    pub config: LiveConfig,
    /// The process that runs this, if one does.
    pub host: OnceLock<Box<dyn Host>>,
    /// Set by `SHUTDOWN`.
    pub stop: AtomicBool,
    /// True unless `DEBUG SET-ACTIVE-EXPIRE 0` stopped the search for expired keys.
    pub active_expiry: AtomicBool,
}

/// Clients, and what they have asked to be told.
#[derive(Default)]
pub struct Registry {
    /// The connected clients.
    pub clients: Clients,
    /// Subscriptions.
    pub pubsub: Mutex<PubSub>,
    /// Blocking commands that wait.
    pub blocked: Blocked<BlockedCommand>,
    /// Client-side caches.
    pub tracking: Tracking,
    /// Clients in `MONITOR`.
    pub monitors: Monitors,
    pub(crate) pause: Pause,
}

impl Cache {
    /// An empty cache for `cores` cores, of `shards` shards: a power of two up to
    /// [`SHARDS_MAX`](crate::engine::shards::SHARDS_MAX).
    pub fn new(cores: usize, shards: usize, config: Config, identity: Identity) -> Cache {
        let settings = config.settings();
        let shards = Shards::new(shards, settings.databases as usize, identity.started_ms);
        let (policy, before) = (settings.maxmemory_policy, &settings.tuning().policy);
        for index in 0..shards.len() {
            shards.lock(index).shard.set_order(policy.order(), &**before, identity.started_ms);
        }
        let advisor = Arc::<Advisor>::default();
        let _ = shards.observer.set(advisor.clone()); // the first and only time
        Cache {
            shards,
            advisor,
            registry: Registry::default(),
            scripts: Scripts::default(),
            stats: Statistics::new(cores, identity),
            config: LiveConfig::new(config),
            host: OnceLock::new(),
            stop: AtomicBool::new(false),
            active_expiry: AtomicBool::new(true),
        }
    }

    /// The parts that a keyspace works on.
    pub fn parts<'c>(&'c self, counters: &'c Counters, tuning: &'c Tuning) -> Parts<'c> {
        Parts {
            shards: &self.shards,
            pubsub: &self.registry.pubsub,
            tracking: &self.registry.tracking,
            waiters: self.registry.blocked.count(),
            dirty: &counters.changes,
            tuning,
        }
    }
}
