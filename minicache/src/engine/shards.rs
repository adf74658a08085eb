//! The shards and their locks: everything that all cores share of the data.
//!
//! ```text
//! core 0: connections ┐                           ┌ shard 0 [lock] keys whose hash begins 000…
//! core 1: connections ┼─ Keyspace (locks held) ───┼ shard 1 [lock] keys whose hash begins 001…
//! core 2: connections ┘                           └ …
//! ```
//!
//! **Why locked shards and not owned ones.** In a shared-nothing design each core owns its shards,
//! and a command for another core's key travels there as a message. A message and its answer cost
//! two wake-ups; an uncontended lock costs about 20 ns. Processor time of two cores per command,
//! nine reads to a write, half of the keys on the other core (`cargo bench -p benches --bench
//! sharing`):
//!
//! | commands in a pipeline | 1 | 16 | 64 |
//! |---|---|---|---|
//! | locked shards | 270 ns | 240 ns | 250 ns |
//! | owned shards, one message a pipeline | 2,770 ns | 490 ns | 320 ns |
//!
//! Redis has one thread that executes and needs neither. With one thread we have one shard, and its
//! lock is taken once for a whole batch of commands.
//!
//! **No deadlock.** Shards are locked in ascending order ([`super::keyspace`]). Registries of
//! clients are locked after shards, one at a time, and never the other way round.

use super::{
    eviction::observer::Observer, hashing, key::Key, lazy_free::LazyFree, rng::Rng,
    store::shard::Shard, watch::Watched,
};
use ahash::RandomState;
use minicache_aof::Log;
use minicache_write_behind::service::Bound;
use minikit::sync::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// The bits of `flags`: reasons to refuse a command.
const SLAB_FULL: u8 = 1;
const BUSY: u8 = 2;
const LOG_FAILED: u8 = 4;

/// Sets of shards are the bits of a `u64`.
pub const SHARDS_MAX: usize = 64;

pub struct LockedShard {
    pub shard: Shard,
    /// Versions of the keys that transactions watch.
    pub watched: Watched,
}

pub struct Shards {
    cells: Box<[Padded]>,
    /// How far a hash is shifted to the right, after one bit, to leave the number of its shard.
    shift: u32,
    hasher: RandomState,
    seeds: AtomicU64,
    peak_memory: AtomicUsize,
    flags: AtomicU8,
    /// Values that are removed but not freed yet.
    pub lazy_free: LazyFree,
    /// Changes for the append-only file.
    pub log: Log,
    /// Keys whose changes go to a database, if there are such.
    pub bound: OnceLock<Bound>,
    /// Learns from the traffic while it is `observed`.
    pub observer: OnceLock<Arc<dyn Observer>>,
    pub observed: AtomicBool,
}

/// A lock on a cache line of its own, so that taking one does not slow down the next.
#[repr(align(128))]
struct Padded {
    cell: Mutex<LockedShard>,
    /// The shard's slab bytes not in use, readable without the lock.
    slab_free: AtomicUsize,
}

impl Shards {
    /// Makes `count` empty shards of `databases` databases; a power of two up to [`SHARDS_MAX`].
    /// `seed` makes their random choices differ from those of other processes.
    pub fn new(count: usize, databases: usize, seed: i64) -> Shards {
        assert!(count.is_power_of_two() && count <= SHARDS_MAX, "{count} shards");
        let hasher = hashing::hasher().clone();
        let seed = hasher.hash_one(seed);
        let cell = |index: u64| Padded {
            cell: Mutex::new(LockedShard {
                shard: Shard::new(databases, hasher.clone(), seed.wrapping_add(index)),
                watched: Watched::default(),
            }),
            slab_free: AtomicUsize::new(0),
        };
        Shards {
            cells: (0..count as u64).map(cell).collect(),
            shift: 63 - count.trailing_zeros(),
            hasher,
            seeds: AtomicU64::new(0),
            peak_memory: AtomicUsize::new(0),
            flags: AtomicU8::new(0),
            lazy_free: LazyFree::default(),
            log: Log::default(),
            bound: OnceLock::new(),
            observer: OnceLock::new(),
            observed: AtomicBool::new(false),
        }
    }

    /// A new random generator, different from all others of this process.
    pub fn rng(&self) -> Rng {
        Rng::new(self.hasher.hash_one(self.seeds.fetch_add(1, Ordering::Relaxed)))
    }

    #[allow(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Hashes a key and finds its shard. Once per key and command.
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        self.key_with_hash(bytes, hashing::hash_key(&self.hasher, bytes))
    }

    /// The key of a hash that was computed before.
    pub fn key_with_hash<'k>(&self, bytes: &'k [u8], hash: u64) -> Key<'k> {
        // The shard is the top bits. Two shifts, because one shard means zero bits, and a shift by
        // 64 is not defined.
        Key { bytes, hash, shard: (hash >> 1 >> self.shift) as usize }
    }

    /// Locks one shard. A caller that holds a lock may only lock shards with higher numbers.
    pub fn lock(&self, index: usize) -> MutexGuard<'_, LockedShard> {
        self.cells[index].cell.lock()
    }

    /// Publishes how much of a locked shard's slab is free, for readers without the lock.
    pub fn note_free(&self, index: usize, locked: &LockedShard) {
        let slab = locked.shard.slab();
        self.cells[index].slab_free.store(slab.free_bytes(), Ordering::Relaxed);
        if slab.is_full() != self.is_full() {
            self.set_flag(SLAB_FULL, slab.is_full());
        }
    }

    /// Returns true if the slab of a recently used shard cannot grow, whatever `maxmemory` is.
    pub fn is_full(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & SLAB_FULL != 0
    }

    /// Records that a script has paused between two changes, or has continued. Called with all
    /// shards locked.
    pub fn set_busy(&self, busy: bool) {
        self.set_flag(BUSY, busy);
    }

    /// Returns true if a script has paused between two changes. With a shard locked, the answer
    /// stays true until it is unlocked.
    pub fn is_busy(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & BUSY != 0
    }

    /// Records that the append-only file cannot be written, or can be again.
    pub fn set_log_failed(&self, failed: bool) {
        self.set_flag(LOG_FAILED, failed);
    }

    pub fn has_log_failed(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & LOG_FAILED != 0
    }

    /// Returns true if there is a reason to refuse some commands: [`is_full`](Self::is_full),
    /// [`is_busy`](Self::is_busy) or [`has_log_failed`](Self::has_log_failed). Every command asks,
    /// so it is one load.
    #[inline]
    pub fn refuses_some(&self) -> bool {
        self.flags.load(Ordering::Relaxed) != 0
    }

    fn set_flag(&self, flag: u8, on: bool) {
        match on {
            true => self.flags.fetch_or(flag, Ordering::Relaxed),
            false => self.flags.fetch_and(!flag, Ordering::Relaxed),
        };
    }

    /// Bytes of memory in use: what the allocator gave, less what is free in slabs.
    pub fn used_memory(&self) -> usize {
        let free: usize = self.cells.iter().map(|c| c.slab_free.load(Ordering::Relaxed)).sum();
        crate::raw::allocated().saturating_sub(free)
    }

    /// Bytes of memory in use once all removed values are freed. `maxmemory` is compared with this;
    /// otherwise a large value would evict other keys while it is being freed.
    pub fn lasting_memory(&self) -> usize {
        self.used_memory().saturating_sub(self.lazy_free.pending_bytes())
    }

    /// The most memory in use at any call of this function.
    pub fn peak_memory(&self) -> usize {
        let used = self.used_memory();
        self.peak_memory.fetch_max(used, Ordering::Relaxed).max(used)
    }
}
