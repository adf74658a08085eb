//! Ghost caches: what other policies and sizes would hold of the sampled keys.
//!
//! ```text
//! resident   9 sampled keys are in the server, 1,080 bytes      so the others may hold as much
//! ghosts     allkeys-sieve, allkeys-s3fifo, …                   1,080 bytes each
//!            the server's own policy                            1,080 bytes and 1 MiB, for 64 MiB
//!
//! GET k      server: miss       sieve: hit       s3fifo: miss, as in the server
//! SET k v    server: added      sieve: has it    s3fifo: inserted
//! ```
//!
//! A key that is read and missing will be added by the client, as in cache-aside, so a ghost that
//! has it saves a read of the database. A ghost without a key that the server has inserts it at
//! once. It has the hash, the size and the deadline of a key, and no value.
//!
//! The size of the sample is not a 64th of `maxmemory`, because hashes are random and memory is
//! used for more than keys. So the ghosts hold as many bytes as there are of sampled keys in the
//! server when keys are evicted, on average.

use super::cache::{Cache, Slots};
use super::sampled::Sampled;
use crate::engine::eviction::observer::{Event, SAMPLED, Stored};
use crate::engine::eviction::order::{Algorithm, Order};
use crate::engine::tuning::{MaxmemoryPolicy, Tuning};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Memory that one ghost has more than the server.
const MORE_BYTES: u64 = 64 << 20;
/// Bytes of a key in a ghost, measured: its slot of 56, vectors that are half full, the index, the
/// ghost queue or the sketch.
const BYTES_OF_KEY: u64 = 160;
/// All ghosts together take at most this part of `maxmemory`, or [`BYTES_LEAST`].
const PART_OF_MEMORY: u64 = 64;
const BYTES_LEAST: u64 = 128 << 10;
/// The weight of the latest size in the average.
const WEIGHT: f64 = 1.0 / 64.0;
/// Bytes of the links of an order in an entry.
const LINKS: i64 = 8;

/// The ghosts, and what they are compared with.
pub struct Ghosts {
    /// The server's, when they began.
    pub policy: MaxmemoryPolicy,
    pub ghosts: Vec<Ghost>,
    /// Reads of sampled keys, and those that the server missed.
    pub requests: u64,
    pub misses: u64,
    /// Bits of a hash that are zero in the sample: 63, or more when that would be too many keys.
    pub sampled: u64,
    /// The sampled keys in the server, with their bytes.
    resident: HashMap<u64, u32>,
    resident_bytes: u64,
    /// Bytes that a ghost may hold; `None` before the first eviction.
    capacity: Option<f64>,
    now_ms: Arc<AtomicI64>,
}

/// One ghost cache.
pub struct Ghost {
    pub policy: MaxmemoryPolicy,
    /// Bytes of `maxmemory` beyond the server's.
    pub more_bytes: u64,
    /// Reads that it missed.
    pub misses: u64,
    /// What an entry takes more than in the server.
    links: i64,
    keys: Cache<u64, Stored, Box<dyn Order<Slots<u64, Stored>>>>,
    bytes: u64,
}

impl Ghosts {
    /// One of every policy that evicts among all keys, and one with more memory.
    pub fn new(tuning: &Tuning) -> Ghosts {
        let now_ms = Arc::default();
        let policy = tuning.maxmemory_policy;
        let sampling = [MaxmemoryPolicy::AllKeysLru, MaxmemoryPolicy::AllKeysLfu];
        let all = sampling.into_iter().chain(Algorithm::ALL.map(MaxmemoryPolicy::Ordered));
        let mut ghosts = vec![Ghost::new(policy, MORE_BYTES, tuning, &now_ms)];
        let others = all.filter(|other| *other != policy);
        ghosts.extend(others.map(|other| Ghost::new(other, 0, tuning, &now_ms)));
        Ghosts {
            policy,
            ghosts,
            requests: 0,
            misses: 0,
            sampled: SAMPLED,
            resident: HashMap::new(),
            resident_bytes: 0,
            capacity: None,
            now_ms,
        }
    }

    /// Counts anew.
    pub fn reset(&mut self) {
        (self.requests, self.misses) = (0, 0);
        self.ghosts.iter_mut().for_each(|ghost| ghost.misses = 0);
    }

    /// Forgets all keys, but not how many fit.
    pub fn clear(&mut self) {
        self.resident.clear();
        self.resident_bytes = 0;
        self.ghosts.iter_mut().for_each(|ghost| ghost.retain(|_| false));
    }

    /// Bytes that the ghosts take, about.
    pub fn memory(&self) -> u64 {
        let keys = self.ghosts.iter().map(|ghost| ghost.keys.len() as u64).sum::<u64>();
        (keys + self.resident.len() as u64) * BYTES_OF_KEY
    }

    /// Plays an event of a sampled key on all ghosts.
    pub fn observe(&mut self, maxmemory: u64, now_ms: i64, hash: u64, event: Event) {
        if hash & self.sampled != 0 {
            return;
        }
        match event {
            Event::Read(found) => {
                self.now_ms.store(now_ms, Ordering::Relaxed);
                self.requests += 1;
                self.misses += u64::from(found.is_none());
                self.each(|ghost, limit| ghost.read(hash, found, now_ms, limit));
            }
            Event::Added(stored) => {
                self.settle(hash, Some(stored.bytes));
                self.each(|ghost, limit| ghost.write(hash, stored, false, limit));
            }
            Event::Overwritten(stored) => {
                self.settle(hash, Some(stored.bytes));
                self.each(|ghost, limit| ghost.write(hash, stored, true, limit));
            }
            Event::Removed => {
                self.settle(hash, None);
                self.each(|ghost, _| ghost.remove(hash));
            }
            Event::Evicted => {
                self.capacity.get_or_insert(self.resident_bytes as f64);
                self.average();
                self.settle(hash, None);
            }
        }
        if let Event::Read(Some(stored)) = event {
            self.settle(hash, Some(stored.bytes));
        }
        while self.memory() > (maxmemory / PART_OF_MEMORY).max(BYTES_LEAST) {
            self.sample_half();
        }
    }

    fn each(&mut self, mut play: impl FnMut(&mut Ghost, u64)) {
        // A sample of one key in 2^n of a cache that is larger by 64 MiB is larger by a 2^n-th.
        let one_in = self.sampled + 1;
        let capacity = self.capacity;
        for ghost in &mut self.ghosts {
            let more = ghost.more_bytes / one_in;
            play(ghost, capacity.map_or(u64::MAX, |bytes| bytes.round() as u64 + more));
        }
    }

    /// Notes that a key is in the server, or is not.
    fn settle(&mut self, hash: u64, bytes: Option<u32>) {
        let before = match bytes {
            Some(bytes) => self.resident.insert(hash, bytes),
            None => self.resident.remove(&hash),
        };
        self.resident_bytes += u64::from(bytes.unwrap_or(0));
        self.resident_bytes -= u64::from(before.unwrap_or(0));
        if bytes.is_some() && before.is_none() {
            self.average();
        }
    }

    fn average(&mut self) {
        let resident = self.resident_bytes as f64;
        if let Some(capacity) = &mut self.capacity {
            *capacity += (resident - *capacity) * WEIGHT;
        }
    }

    /// Leaves out half of the sampled keys, for all ghosts and for good. What was counted is halved
    /// too, so that the time before counts no more than the time after.
    fn sample_half(&mut self) {
        self.sampled = self.sampled << 1 | 1;
        let sampled = self.sampled;
        (self.requests, self.misses) = (self.requests / 2, self.misses / 2);
        self.resident.retain(|hash, _| hash & sampled == 0);
        let before = self.resident_bytes.max(1) as f64;
        self.resident_bytes = self.resident.values().map(|bytes| u64::from(*bytes)).sum();
        let left = self.resident_bytes as f64 / before;
        self.capacity = self.capacity.map(|bytes| bytes * left);
        for ghost in &mut self.ghosts {
            ghost.misses /= 2;
            ghost.retain(|hash| hash & sampled == 0);
        }
    }
}

impl Ghost {
    fn new(
        policy: MaxmemoryPolicy,
        more_bytes: u64,
        tuning: &Tuning,
        now_ms: &Arc<AtomicI64>,
    ) -> Ghost {
        let clock = Arc::clone(now_ms);
        let order: Box<dyn Order<_>> = match policy.order() {
            Some(algorithm) => algorithm.order(),
            None => {
                let clock = Box::new(move || clock.load(Ordering::Relaxed));
                Box::new(Sampled::new(policy.ranking(tuning.lfu), clock))
            }
        };
        let links = |policy: MaxmemoryPolicy| if policy.order().is_some() { LINKS } else { 0 };
        Ghost {
            policy,
            more_bytes,
            misses: 0,
            links: links(policy) - links(tuning.maxmemory_policy),
            keys: Cache::new(usize::MAX, order),
            bytes: 0,
        }
    }

    fn read(&mut self, hash: u64, found: Option<Stored>, now_ms: i64, limit: u64) {
        // The server's key expires by itself. One that only the ghost has expires here.
        let expired = |stored: &Stored| stored.deadline.is_some_and(|deadline| deadline <= now_ms);
        if self.keys.peek(&hash).is_some_and(|stored| expired(stored)) {
            self.remove(hash);
        }

        let hit = self.keys.get(&hash).is_some();
        self.misses += u64::from(!hit);
        if let Some(stored) = found {
            self.write(hash, stored, false, limit);
        }
    }

    /// Inserts a key or changes its size; `used` if that is a use of the key.
    fn write(&mut self, hash: u64, stored: Stored, used: bool, limit: u64) {
        let size = self.size(&stored);
        if size > limit {
            return self.remove(hash);
        }
        let known = if used { self.keys.get(&hash) } else { self.keys.peek(&hash) };
        let before = known.map(|known| std::mem::replace(known, stored));
        self.bytes = self.bytes + size - before.map_or(0, |before| self.size(&before));

        // The victim is chosen before the new key is in the order.
        while self.bytes > limit
            && let Some((_, evicted)) = self.keys.evict()
        {
            self.bytes -= self.size(&evicted);
        }
        if before.is_none() {
            self.keys.insert(hash, stored);
        }
    }

    fn retain(&mut self, keep: impl Fn(u64) -> bool) {
        let (mut bytes, links) = (0, self.links);
        self.keys.retain(|hash, stored| {
            let kept = keep(*hash);
            bytes += if kept { size(stored, links) } else { 0 };
            kept
        });
        self.bytes = bytes;
    }

    fn remove(&mut self, hash: u64) {
        if let Some((_, stored)) = self.keys.remove(&hash) {
            self.bytes -= self.size(&stored);
        }
    }

    fn size(&self, stored: &Stored) -> u64 {
        size(stored, self.links)
    }
}

fn size(stored: &Stored, links: i64) -> u64 {
    u64::from(stored.bytes).saturating_add_signed(links)
}
