//! The part of the configuration that the engine obeys, as one plain struct.
//!
//! The engine knows nothing of `redis.conf`: names, texts and errors of the parameters belong to
//! [`conf`](crate::conf). It builds a [`Tuning`] whenever `CONFIG SET` changes something, and a
//! core takes the new one before its next batch of commands. Within a batch the values do not
//! change.
//!
//! ```text
//! "maxmemory" "100mb", "maxmemory-policy" "allkeys-lru"      text, in conf
//!      └─> Settings { maxmemory: 104857600, … }              numbers, in conf
//!               └─> Tuning { maxmemory: 104857600, policy: Lru, … }   what the engine acts on
//! ```
//!
//! Every field is the parameter of the same name; the table in `conf/table.rs` documents them. In
//! Redis these are fields of `struct redisServer` (`server.h`) that any function may read.

use super::{
    events::Events, eviction::lfu::Lfu, eviction::lru::Lru, eviction::order::Algorithm,
    eviction::policy::Policy, eviction::random::Random, eviction::ttl::Ttl, values::Limits,
};

/// The parameters that the engine obeys.
pub struct Tuning {
    pub databases: usize,
    /// Bytes; 0 for no limit.
    pub maxmemory: u64,
    pub maxmemory_policy: MaxmemoryPolicy,
    pub maxmemory_samples: usize,
    /// Ranks keys for `maxmemory_policy`.
    pub policy: Box<dyn Policy>,
    /// How the access frequency counter grows and decays.
    pub lfu: Lfu,
    /// When values leave their compact encodings.
    pub limits: Limits,
    /// Frees evicted values on another thread.
    pub lazyfree_lazy_eviction: bool,
    /// Frees expired values on another thread.
    pub lazyfree_lazy_expire: bool,
    /// Frees overwritten values on another thread.
    pub lazyfree_lazy_server_del: bool,
    /// The keyspace events that are published.
    pub notify_keyspace_events: Events,
}

impl Tuning {
    /// Returns true if keys are evicted when memory runs out.
    pub fn evicts(&self) -> bool {
        self.maxmemory_policy != MaxmemoryPolicy::NoEviction
    }
}

/// Which keys may be evicted, and in which order. "Volatile" keys have a time to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxmemoryPolicy {
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
    AllKeysLru,
    AllKeysLfu,
    AllKeysRandom,
    /// All keys are kept in an order; Redis has no such policy.
    Ordered(Algorithm),
    /// No keys: commands that need memory are refused.
    NoEviction,
}

impl MaxmemoryPolicy {
    pub const ALL: [MaxmemoryPolicy; 13] = [
        MaxmemoryPolicy::VolatileLru,
        MaxmemoryPolicy::VolatileLfu,
        MaxmemoryPolicy::VolatileRandom,
        MaxmemoryPolicy::VolatileTtl,
        MaxmemoryPolicy::AllKeysLru,
        MaxmemoryPolicy::AllKeysLfu,
        MaxmemoryPolicy::AllKeysRandom,
        MaxmemoryPolicy::NoEviction,
        MaxmemoryPolicy::Ordered(Algorithm::ExactLru),
        MaxmemoryPolicy::Ordered(Algorithm::Clock),
        MaxmemoryPolicy::Ordered(Algorithm::Sieve),
        MaxmemoryPolicy::Ordered(Algorithm::S3Fifo),
        MaxmemoryPolicy::Ordered(Algorithm::TinyLfu),
    ];

    /// The name in `CONFIG` and `INFO`.
    pub const fn name(self) -> &'static str {
        match self {
            MaxmemoryPolicy::VolatileLru => "volatile-lru",
            MaxmemoryPolicy::VolatileLfu => "volatile-lfu",
            MaxmemoryPolicy::VolatileRandom => "volatile-random",
            MaxmemoryPolicy::VolatileTtl => "volatile-ttl",
            MaxmemoryPolicy::AllKeysLru => "allkeys-lru",
            MaxmemoryPolicy::AllKeysLfu => "allkeys-lfu",
            MaxmemoryPolicy::AllKeysRandom => "allkeys-random",
            MaxmemoryPolicy::NoEviction => "noeviction",
            MaxmemoryPolicy::Ordered(algorithm) => algorithm.name(),
        }
    }

    /// Returns true if only keys with a time to live may be evicted.
    pub fn is_volatile(self) -> bool {
        use MaxmemoryPolicy::*;
        matches!(self, VolatileLru | VolatileLfu | VolatileRandom | VolatileTtl)
    }

    /// Returns true if keys record how often they are used instead of when.
    pub fn is_lfu(self) -> bool {
        matches!(self, MaxmemoryPolicy::VolatileLfu | MaxmemoryPolicy::AllKeysLfu)
    }

    /// The order in which the keys are kept; `None` if they are sampled.
    pub fn order(self) -> Option<Algorithm> {
        match self {
            MaxmemoryPolicy::Ordered(algorithm) => Some(algorithm),
            _ => None,
        }
    }

    /// The ranking of keys under this policy. Without eviction keys still record when they were
    /// used, for `OBJECT IDLETIME`.
    pub fn ranking(self, lfu: Lfu) -> Box<dyn Policy> {
        use MaxmemoryPolicy::*;
        match self {
            AllKeysLfu | VolatileLfu => Box::new(lfu),
            AllKeysRandom | VolatileRandom => Box::new(Random),
            VolatileTtl => Box::new(Ttl),
            AllKeysLru | VolatileLru | NoEviction | Ordered(_) => Box::new(Lru),
        }
    }
}
