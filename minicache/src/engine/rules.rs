//! The settings in force, with what follows from them, shared by all cores.
//!
//! `CONFIG SET` changes the texts under a lock, derives new [`Rules`] and publishes them. A core
//! holds on to the rules it has and looks at a version number once per batch of commands; so a
//! change reaches every core within one batch, and no command pays for the possibility.

use super::config::settings::{OutputLimit, Policy as PolicyName};
use super::config::{Config, Settings};
use super::store::policy::{Lfu, Lru, Policy, Random, Ttl};
use super::values::Limits;
use minikit::sync::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a client without a limit may leave unread. Redis lets it owe any amount. Here it is cut off
/// at so many bytes that came on top of others it had not read, because a client that asks and
/// never reads must not take the memory of all the others.
pub const UNREAD_MAX: u64 = 256 << 20;

/// One state of the configuration.
pub struct Rules {
    /// The numbers of the parameters.
    pub settings: Settings,
    /// The judge of `maxmemory-policy`.
    pub policy: Box<dyn Policy>,
    /// When containers change their encoding.
    pub limits: Limits,
}

impl Rules {
    fn new(settings: &Settings) -> Rules {
        Rules {
            policy: policy_of(settings),
            limits: Limits {
                hash_max_listpack_entries: settings.hash_max_listpack_entries as usize,
                hash_max_listpack_value: settings.hash_max_listpack_value as usize,
                zset_max_listpack_entries: settings.zset_max_listpack_entries as usize,
                zset_max_listpack_value: settings.zset_max_listpack_value as usize,
                set_max_intset_entries: settings.set_max_intset_entries as usize,
                list_max_listpack_size: settings.list_max_listpack_size,
            },
            settings: settings.clone(),
        }
    }

    /// Whether keys are evicted when memory is short.
    pub fn evicts(&self) -> bool {
        self.settings.maxmemory_policy != PolicyName::NoEviction
    }

    /// How much a client may leave unread.
    pub fn output_limit(&self, subscriber: bool) -> OutputLimit {
        match subscriber {
            true => self.settings.output_limit_pubsub,
            false => self.settings.output_limit_normal,
        }
    }

    /// How long the reply to a command may become that could reply without end.
    pub fn reply_bytes_max(&self) -> usize {
        match self.output_limit(false).hard_bytes {
            0 => UNREAD_MAX as usize,
            bytes => bytes as usize,
        }
    }

    /// The frequency counter's rules, where keys have one.
    pub fn lfu(&self) -> Option<Lfu> {
        self.settings.maxmemory_policy.is_lfu().then(|| lfu_of(&self.settings))
    }
}

fn policy_of(settings: &Settings) -> Box<dyn Policy> {
    match settings.maxmemory_policy {
        PolicyName::AllKeysLfu | PolicyName::VolatileLfu => Box::new(lfu_of(settings)),
        PolicyName::AllKeysRandom | PolicyName::VolatileRandom => Box::new(Random),
        PolicyName::VolatileTtl => Box::new(Ttl),
        PolicyName::AllKeysLru | PolicyName::VolatileLru | PolicyName::NoEviction => Box::new(Lru),
    }
}

fn lfu_of(settings: &Settings) -> Lfu {
    Lfu { log_factor: settings.lfu_log_factor, decay_minutes: settings.lfu_decay_time }
}

/// Where the rules are kept and changed.
pub struct RuleBook {
    config: Mutex<Config>,
    rules: Mutex<Arc<Rules>>,
    version: AtomicU64,
}

impl RuleBook {
    /// The rules of a configuration.
    pub fn new(config: Config) -> RuleBook {
        let rules = Arc::new(Rules::new(config.settings()));
        RuleBook {
            config: Mutex::new(config),
            rules: Mutex::new(rules),
            version: AtomicU64::new(0),
        }
    }

    /// The rules in force.
    pub fn current(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.lock())
    }

    /// A number that changes with the rules.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Reads the configuration's texts.
    pub fn read<T>(&self, look: impl FnOnce(&Config) -> T) -> T {
        look(&self.config.lock())
    }

    /// Changes the configuration and puts the rules that follow from it in force.
    pub fn change<T>(&self, change: impl FnOnce(&mut Config) -> T) -> T {
        let mut config = self.config.lock();
        let outcome = change(&mut config);
        *self.rules.lock() = Arc::new(Rules::new(config.settings()));
        self.version.fetch_add(1, Ordering::Release);
        outcome
    }
}
