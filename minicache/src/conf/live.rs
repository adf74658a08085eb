//! The configuration of a running server, shared by all cores.
//!
//! `CONFIG SET` changes the texts under a lock, derives a new [`Snapshot`] and publishes it. A core
//! keeps the snapshot it has and compares a version number once per batch of commands. A change
//! reaches every core within one batch, and no command takes a lock to read a parameter:
//!
//! ```text
//! core 0: CONFIG SET maxmemory 1gb   lock, texts, snapshot 8, version 7 -> 8
//! core 1: GET a, GET b, GET c        still snapshot 7
//! core 1: next batch                 version is 8: takes snapshot 8
//! ```
//!
//! Redis has one thread and changes the fields of `struct redisServer` in place.

use super::{Config, Settings};
use crate::engine::tuning::Tuning;
use minikit::sync::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The configuration at one moment.
pub struct Snapshot {
    /// All parameters that something obeys, as numbers.
    pub settings: Settings,
    /// Those of the engine.
    pub tuning: Tuning,
}

impl Snapshot {
    /// Derives the numbers of a configuration.
    pub fn of(config: &Config) -> Snapshot {
        let settings = config.settings().clone();
        Snapshot { tuning: settings.tuning(), settings }
    }
}

/// The configuration in force and its texts.
pub struct LiveConfig {
    config: Mutex<Config>,
    snapshot: Mutex<Arc<Snapshot>>,
    version: AtomicU64,
}

impl LiveConfig {
    pub fn new(config: Config) -> LiveConfig {
        let snapshot = Mutex::new(Arc::new(Snapshot::of(&config)));
        LiveConfig { config: Mutex::new(config), snapshot, version: AtomicU64::new(0) }
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.lock())
    }

    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub fn read<T>(&self, look: impl FnOnce(&Config) -> T) -> T {
        look(&self.config.lock())
    }

    /// Changes the texts and publishes the snapshot that follows from them.
    pub fn change<T>(&self, change: impl FnOnce(&mut Config) -> T) -> T {
        let mut config = self.config.lock();
        let outcome = change(&mut config);
        *self.snapshot.lock() = Arc::new(Snapshot::of(&config));
        self.version.fetch_add(1, Ordering::Release);
        outcome
    }
}
