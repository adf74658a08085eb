//! Caches that live in a program, and what they have in common: bytes under keys of bytes.
//!
//! ```
//! use benches::peers::{Locked, Peer, Visitor};
//! let peer = Locked::with_room_for(10);
//! peer.visit().set(b"k", b"v");
//! let mut out = Vec::new();
//! assert!(peer.visit().get(b"k", &mut out));
//! assert_eq!(out, b"v");
//! ```
//!
//! Each of them hashes with `ahash` and gives the value as a reply needs it: copied to the end of
//! a buffer. minicache takes its lock for every operation, as for a client that does not pipeline.
//! What the peers do not do and minicache does: types, deadlines per key, watchers, events, memory
//! to the byte.

use std::collections::HashMap;
use std::sync::Arc;

use ahash::RandomState;
use minicache::engine::eviction::evict_one;
use minicache::engine::key::Key;
use minicache::engine::keyspace::Keyspace;
use parking_lot::{Mutex, RwLock};

use crate::engine::{Engine, NOW};

/// A cache.
pub trait Peer: Sync {
    /// As the tables call it.
    const NAME: &'static str;

    /// An empty one. Those that evict do so from this many keys on.
    fn with_room_for(keys: usize) -> Self;

    /// A thread's way to it.
    fn visit(&self) -> impl Visitor + '_;

    /// How many keys there are, once everything is settled.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a thread does with a cache.
pub trait Visitor {
    /// Appends the value of a key to `out`; whether there is one.
    fn get(&mut self, key: &[u8], out: &mut Vec<u8>) -> bool;

    /// Puts a value under a key.
    fn set(&mut self, key: &[u8], value: &[u8]);

    /// Puts a value under a key that is not there, and makes room where it is full.
    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.set(key, value);
    }
}

/// minicache's keyspace with 64 shards, by the interface its commands use.
pub struct Minicache(Engine);

/// A thread's access to minicache.
struct MinicacheVisitor<'e> {
    keyspace: Keyspace<'e>,
    engine: &'e Engine,
    next_shard: usize,
}

impl Peer for Minicache {
    const NAME: &'static str = "minicache";

    fn with_room_for(_: usize) -> Minicache {
        Minicache(Engine::new(64))
    }

    fn visit(&self) -> impl Visitor + '_ {
        MinicacheVisitor { keyspace: self.0.keyspace(0), engine: &self.0, next_shard: 0 }
    }

    fn len(&self) -> usize {
        (0..self.0.cache.shards.len())
            .map(|index| self.0.cache.shards.lock(index).shard.len(0))
            .sum()
    }
}

impl MinicacheVisitor<'_> {
    fn lock<'k>(&mut self, key: &'k [u8]) -> Key<'k> {
        let key = self.engine.cache.shards.key(key);
        self.keyspace.lock(1 << key.shard);
        key
    }
}

impl Visitor for MinicacheVisitor<'_> {
    fn get(&mut self, key: &[u8], out: &mut Vec<u8>) -> bool {
        let key = self.lock(key);
        let found = match self.keyspace.string(key) {
            Ok(Some(minicache::engine::Str::Bytes(bytes))) => {
                out.extend_from_slice(bytes);
                true
            }
            _ => false,
        };
        self.keyspace.release();
        found
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        let key = self.lock(key);
        self.keyspace.set_string(key, value, None);
        self.keyspace.release();
    }

    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.set(key, value);
        let Engine { cache, config } = self.engine;
        let evicted = evict_one(&cache.shards, &config.tuning, NOW, &mut self.next_shard);
        assert!(evicted.is_some(), "there is a key to evict");
    }
}

type Map = HashMap<Box<[u8]>, Box<[u8]>, RandomState>;

/// The standard library's map (hashbrown) behind a mutex. Evicts nothing.
pub struct Locked(Mutex<Map>);

impl Peer for Locked {
    const NAME: &'static str = "mutex_map";

    fn with_room_for(_: usize) -> Locked {
        Locked(Mutex::default())
    }

    fn visit(&self) -> impl Visitor + '_ {
        self
    }

    fn len(&self) -> usize {
        self.0.lock().len()
    }
}

impl Visitor for &Locked {
    fn get(&mut self, key: &[u8], out: &mut Vec<u8>) -> bool {
        let map = self.0.lock();
        map.get(key).map(|value| out.extend_from_slice(value)).is_some()
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.lock().insert(key.into(), value.into());
    }
}

/// The same behind a lock that lets readers in together.
pub struct ReadLocked(RwLock<Map>);

impl Peer for ReadLocked {
    const NAME: &'static str = "rwlock_map";

    fn with_room_for(_: usize) -> ReadLocked {
        ReadLocked(RwLock::default())
    }

    fn visit(&self) -> impl Visitor + '_ {
        self
    }

    fn len(&self) -> usize {
        self.0.read().len()
    }
}

impl Visitor for &ReadLocked {
    fn get(&mut self, key: &[u8], out: &mut Vec<u8>) -> bool {
        let map = self.0.read();
        map.get(key).map(|value| out.extend_from_slice(value)).is_some()
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.write().insert(key.into(), value.into());
    }
}

/// moka, a TinyLFU cache whose policy works in batches behind the operations.
pub struct Moka(pub moka::sync::Cache<Box<[u8]>, Arc<[u8]>, RandomState>);

impl Peer for Moka {
    const NAME: &'static str = "moka";

    fn with_room_for(keys: usize) -> Moka {
        let builder = moka::sync::Cache::builder().max_capacity(keys as u64);
        Moka(builder.build_with_hasher(RandomState::new()))
    }

    fn visit(&self) -> impl Visitor + '_ {
        self
    }

    fn len(&self) -> usize {
        self.0.run_pending_tasks();
        self.0.entry_count() as usize
    }
}

impl Visitor for &Moka {
    fn get(&mut self, key: &[u8], out: &mut Vec<u8>) -> bool {
        self.0.get(key).map(|value| out.extend_from_slice(&value)).is_some()
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }
}

/// quick_cache, an S3-FIFO-like cache.
pub struct QuickCache(quick_cache::sync::Cache<Box<[u8]>, Arc<[u8]>>);

impl Peer for QuickCache {
    const NAME: &'static str = "quick_cache";

    fn with_room_for(keys: usize) -> QuickCache {
        QuickCache(quick_cache::sync::Cache::new(keys))
    }

    fn visit(&self) -> impl Visitor + '_ {
        self
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl Visitor for &QuickCache {
    fn get(&mut self, key: &[u8], out: &mut Vec<u8>) -> bool {
        self.0.get(key).map(|value| out.extend_from_slice(&value)).is_some()
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }
}
