//! The cache of a fuzz input, and what must hold for it at the end.
//!
//! ```text
//! all clients disconnected    no waiting client, watch, subscription or monitor
//! every shard                 as many slots in use as keys; the wheel holds the keys with a TTL
//! every key is deleted        no slot in use
//! ```
//!
//! Counterpart: `assertion`s of Redis' test suite at the end of every file
//! (`tests/support/test.tcl`).

use minicache::commands::Executor;
use minicache::commands::cache::Cache;
use minicache::commands::Identity;
use minicache::conf::Config;
use minicache::conf::Snapshot;
use minicache::engine::hashing;
use minicache::engine::keyspace::Keyspace;
use minicache::engine::Scope;
use minicache::engine::timestamp::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const DATABASES: usize = 3;
const SHARDS: usize = 4;

/// Parameters that bound the memory and time of one input. They are restored before each packet,
/// because clients may set them.
const LIMITS: [(&str, &[u8]); 2] = [
    ("proto-max-bulk-len", b"1mb"),
    ("client-output-buffer-limit", b"normal 1mb 0 0 pubsub 1mb 0 0 replica 0 0 0"),
];

/// A cache and what time it is.
pub struct Host {
    pub cache: Cache,
    pub now: Timestamp,
    limited_at: AtomicU64,
}

impl Host {
    /// An empty cache of a few shards and databases. `DEBUG` is off, as it is by default.
    pub fn new() -> Host {
        // Fixed hash seeds make a failing input reproducible.
        hashing::fix();
        let mut config = Config::default();
        let databases = DATABASES.to_string();
        config.put("databases", &[databases.as_bytes()]).expect("a number of databases");
        let identity = Identity {
            run_id: "0".repeat(40),
            started_ms: 0,
            port: AtomicUsize::new(0),
            config_file: String::new(),
        };
        Host {
            cache: Cache::new(1, SHARDS, config, identity),
            now: Timestamp { ms: 1_700_000_000_000, us: 0 },
            limited_at: AtomicU64::new(u64::MAX),
        }
    }

    /// The configuration for the next packet.
    pub fn config(&self) -> Arc<Snapshot> {
        let live = &self.cache.config;
        if self.limited_at.load(Ordering::Relaxed) != live.version() {
            live.change(|config| {
                for (name, text) in LIMITS {
                    let words: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
                    config.put(name, &words).expect("the limits are well formed");
                }
            });
            self.limited_at.store(live.version(), Ordering::Relaxed);
        }
        live.snapshot()
    }

    /// The executor of one packet.
    pub fn executor<'c>(&'c self, config: &'c Snapshot) -> Executor<'c> {
        Executor::new(&self.cache, &self.cache.stats.counters[0], config, self.now, clock)
    }

    /// Advances the clock and expires keys, as the server's timer does.
    pub fn pass(&mut self, ms: i64) {
        self.now.ms += ms;
        const BUDGET: usize = 1000;
        let config = self.config();
        let counters = &self.cache.stats.counters[0];
        let mut access = Keyspace::new(self.cache.parts(counters, &config.tuning), self.now);
        for shard in 0..SHARDS {
            access.lock(1 << shard);
            for db in 0..DATABASES {
                access.expire_due(shard, db, BUDGET);
            }
        }
    }

    /// Checks that no client has left anything behind, and that every shard is consistent.
    pub fn check_whole(&self) {
        let cache = &self.cache;
        let registry = &cache.registry;
        assert!(registry.clients.len() == 0 && registry.blocked.count().get() == 0);
        assert!(!registry.monitors.any());
        for scope in [Scope::Channel, Scope::Pattern] {
            assert_eq!(cache.registry.pubsub.lock().count(scope), 0, "{scope:?}");
        }
        for index in 0..SHARDS {
            let cell = cache.shards.lock(index);
            assert!(cell.watched.is_empty(), "no client watches");
            let keys: usize = (0..DATABASES).map(|db| cell.shard.len(db)).sum();
            assert_eq!(cell.shard.slab().used(), keys);
            for db in 0..DATABASES {
                let filed: usize = cell.shard.wheel_levels(db, usize::MAX).iter().sum();
                assert_eq!(filed, cell.shard.volatile_len(db));
            }
        }
    }

    /// Deletes every key, and checks that no slot is in use.
    pub fn check_empty(&self) {
        for index in 0..SHARDS {
            let mut cell = self.cache.shards.lock(index);
            for db in 0..DATABASES {
                while let Some(handle) = cell.shard.random(db) {
                    drop(cell.shard.remove(db, handle));
                }
                assert_eq!((cell.shard.len(db), cell.shard.volatile_len(db)), (0, 0));
            }
            assert_eq!(cell.shard.slab().used(), 0);
        }
    }
}

/// A clock that advances by one microsecond per call.
fn clock() -> u64 {
    static NS: AtomicU64 = AtomicU64::new(0);
    NS.fetch_add(1000, Ordering::Relaxed)
}
