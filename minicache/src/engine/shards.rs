//! The shards and their locks: the data that all cores share.
//!
//! ```text
//! core 0: connections ┐                           ┌ shard 0 [lock] keys whose hash begins 000…
//! core 1: connections ┼─ Keyspace (locks held) ───┼ shard 1 [lock] keys whose hash begins 001…
//! core 2: connections ┘                           └ …
//! ```
//!
//! **Why locked shards and not owned ones.** In a shared-nothing design each core owns its shards,
//! and a command for another core's key travels there as a message. A message and its answer cost
//! two wake-ups; an uncontended lock costs about 20 ns. CPU time per command of two cores, nine
//! reads per write, half of the keys on the other core (`cargo bench -p benches --bench sharing`):
//!
//! | commands in a pipeline | 1 | 16 | 64 |
//! |---|---|---|---|
//! | locked shards | 270 ns | 240 ns | 250 ns |
//! | owned shards, one message a pipeline | 2,770 ns | 490 ns | 320 ns |
//!
//! Redis executes commands in one thread and needs neither. With one thread we have one shard, and
//! lock it once for a whole batch of commands.
//!
//! **No deadlock.** Shards are locked in ascending order ([`super::keyspace`]). Registries of
//! clients are locked after shards, one at a time, and no shard is locked after a registry.

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

/// The most shards: a set of shards is a `u64` bit mask.
pub const SHARDS_MAX: usize = 64;

pub struct LockedShard {
    pub shard: Shard,
    /// Versions of the keys that transactions watch.
    pub watched: Watched,
}

pub struct Shards {
    cells: Box<[Padded]>,
    /// The right shift of a hash, after a shift by one bit, that leaves the number of its shard.
    shift: u32,
    hasher: RandomState,
    seeds: AtomicU64,
    peak_memory: AtomicUsize,
    flags: AtomicU8,
    /// Removed values that are not freed yet.
    pub lazy_free: LazyFree,
    /// Changes for the append-only file.
    pub log: Log,
    /// The keys that write-behind binds to tables, if any.
    pub bound: OnceLock<Bound>,
    /// Gets a sample of the traffic while `observed` is true.
    pub observer: OnceLock<Arc<dyn Observer>>,
    pub observed: AtomicBool,
}

/// A lock on its own cache lines, so that locking one shard does not slow down the next.
#[repr(align(128))]
struct Padded {
    cell: Mutex<LockedShard>,
    /// The free bytes of the shard's slab, readable without the lock.
    slab_free: AtomicUsize,
}

impl Shards {
    /// Creates `count` empty shards (a power of two up to [`SHARDS_MAX`]) of `databases` databases.
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

    /// Creates a random generator, seeded differently from all others of this process.
    pub fn rng(&self) -> Rng {
        Rng::new(self.hasher.hash_one(self.seeds.fetch_add(1, Ordering::Relaxed)))
    }

    #[allow(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Hashes a key and finds its shard. Called once per key and command.
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        self.key_with_hash(bytes, hashing::hash_key(&self.hasher, bytes))
    }

    /// Returns a key whose hash was computed before.
    pub fn key_with_hash<'k>(&self, bytes: &'k [u8], hash: u64) -> Key<'k> {
        // The top bits are the shard number. Two shifts, because with one shard there are zero
        // bits, and a shift by 64 is undefined.
        Key { bytes, hash, shard: (hash >> 1 >> self.shift) as usize }
    }

    /// Locks one shard. A caller that holds a lock may only lock shards with higher numbers.
    pub fn lock(&self, index: usize) -> MutexGuard<'_, LockedShard> {
        self.cells[index].cell.lock()
    }

    /// Stores how much of a locked shard's slab is free, for readers without the lock.
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

    /// Returns true if a script has paused between two changes. The result is stable while a shard
    /// is locked.
    pub fn is_busy(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & BUSY != 0
    }

    /// Records that the append-only file cannot be written, or can be written again.
    pub fn set_log_failed(&self, failed: bool) {
        self.set_flag(LOG_FAILED, failed);
    }

    pub fn has_log_failed(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & LOG_FAILED != 0
    }

    /// Returns true if there is a reason to refuse some commands: [`is_full`](Self::is_full),
    /// [`is_busy`](Self::is_busy) or [`has_log_failed`](Self::has_log_failed). Every command calls
    /// it, so it is a single load.
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

    /// Returns the bytes in use: allocated memory minus the free bytes of slabs.
    pub fn used_memory(&self) -> usize {
        let free: usize = self.cells.iter().map(|c| c.slab_free.load(Ordering::Relaxed)).sum();
        crate::raw::allocated().saturating_sub(free)
    }

    /// Returns the bytes that will be in use after all removed values are freed. This is compared
    /// with `maxmemory`; otherwise keys would be evicted while a large removed value is still being
    /// freed.
    pub fn lasting_memory(&self) -> usize {
        self.used_memory().saturating_sub(self.lazy_free.pending_bytes())
    }

    /// Returns the largest memory use at any call of this function.
    pub fn peak_memory(&self) -> usize {
        let used = self.used_memory();
        self.peak_memory.fetch_max(used, Ordering::Relaxed).max(used)
    }
}
