//! The whole cache: the shards and their locks, and everything clients share.
//!
//! ```text
//! core 0: connections ┐                         ┌ shard 0 [lock] keys whose hash begins 000…
//! core 1: connections ┼─ Access (locks held) ───┼ shard 1 [lock] keys whose hash begins 001…
//! core 2: connections ┘                         └ …
//! ```
//!
//! **Why locked shards and not owned ones.** In a shared-nothing design each core owns its shards
//! and a command for another core's key travels there by message. A message and its answer cost two
//! wake-ups, a lock that nobody else wants about 20 ns. Processor time of two cores per command,
//! nine reads to a write, half of the keys the other's (`cargo bench -p benches --bench sharing`):
//!
//! | commands in a pipeline | 1 | 16 | 64 |
//! |---|---|---|---|
//! | locked shards | 270 ns | 240 ns | 250 ns |
//! | owned shards, one message a pipeline | 2,770 ns | 490 ns | 320 ns |
//!
//! Redis has one thread that executes and needs neither; with one thread we have one shard, and its
//! lock is taken once for a whole batch of commands.
//!
//! **No deadlock**: shards are locked in ascending order ([`crate::engine::access`]); the
//! registries below are locked after shards, one at a time, and never the other way round.

use super::blocking::Blocked;
use super::clients::Clients;
use super::hashing;
use super::latency::{Histogram, Monitor};
use super::lazy_free::LazyFree;
use super::pause::Pause;
use super::pubsub::PubSub;
use super::rng::Rng;
use super::store::shard::Shard;
use super::tracking::Tracking;
use super::watch::Watched;
use crate::commands::blocked::BlockedCommand;
use crate::commands::catalogue;
use crate::commands::monitors::Monitors;
use crate::commands::slow_log::SlowLog;
use crate::conf::{Config, Host, LiveConfig};
use ahash::RandomState;
use minikit::connections::Connections;
use minikit::sync::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

/// Shards are named by the bits of a 64-bit set.
pub const SHARDS_MAX: usize = 64;

/// What one lock protects.
pub struct Cell {
    /// The keys.
    pub shard: Shard,
    /// Versions of the keys that transactions watch.
    pub watched: Watched,
}

/// The cache; see the head of the file.
pub struct Cache {
    cells: Box<[Padded]>,
    hasher: RandomState,
    seeds: AtomicU64,
    /// `CONFIG`, and what follows from it.
    pub config: LiveConfig,
    /// Who is connected.
    pub clients: Clients,
    /// How many came and how many were turned away.
    pub connections: Connections,
    /// Commands per second, lately.
    pub rate: Rate,
    /// Bytes per second read from clients, lately.
    pub rate_in: Rate,
    /// Bytes per second written to clients, lately.
    pub rate_out: Rate,
    /// Bytes in use before the first client came.
    pub startup_memory: usize,
    peak_memory: AtomicUsize,
    slab_full: AtomicBool,
    /// Who hears what.
    pub pubsub: Mutex<PubSub>,
    /// Clients in blocking commands.
    pub blocked: Blocked<BlockedCommand>,
    /// Who has what in a cache of its own.
    pub tracking: Tracking,
    /// Figures that several cores write.
    pub totals: Totals,
    /// Figures of each core.
    pub counters: Box<[Counters]>,
    /// The commands that took long.
    pub slow_log: SlowLog,
    /// The moments when something took long.
    pub latency: Monitor,
    /// What would have been saved.
    pub saves: Saves,
    /// What `INFO` says about the process.
    pub identity: Identity,
    /// Who sees every command.
    pub monitors: Monitors,
    /// Whether clients are kept waiting.
    pub pause: Pause,
    /// The process that runs this, if one does.
    pub host: OnceLock<Box<dyn Host>>,
    /// What is gone but not freed yet.
    pub lazy_free: LazyFree,
    /// Set by `SHUTDOWN`.
    pub stop: AtomicBool,
    /// Whether dead keys are looked for; `DEBUG SET-ACTIVE-EXPIRE` switches it.
    pub active_expiry: AtomicBool,
}

/// A lock on a cache line of its own, so that taking one does not slow the next.
#[repr(align(128))]
struct Padded {
    cell: Mutex<Cell>,
    /// The shard's slab bytes not in use, readable without the lock.
    slab_free: AtomicUsize,
}

/// Counters that several cores write.
#[derive(Default)]
pub struct Totals {
    /// Clients closed for not reading.
    pub output_limit_closes: AtomicU64,
    errors: Mutex<BTreeMap<String, u64>>,
}

impl Totals {
    /// Counts an error reply under its code. Codes beyond the first hundred are not told apart.
    pub fn count_error(&self, code: &str) {
        const CODES_MAX: usize = 100;
        let mut errors = self.errors.lock();
        let known = errors.contains_key(code) || errors.len() < CODES_MAX;
        *errors.entry(if known { code } else { "OTHER" }.to_string()).or_default() += 1;
    }

    /// Error replies by code.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().clone()
    }

    /// Forgets the errors.
    pub fn reset(&self) {
        self.errors.lock().clear();
        self.output_limit_closes.store(0, Ordering::Relaxed);
    }
}

/// Figures that one core writes and anybody may read. One writer each, so adding is a load and a
/// store: no locked instruction on the way of every command.
pub struct Counters {
    commands: Box<[CommandCounters]>,
    /// Changes to keys.
    pub changes: AtomicU64,
    /// Bytes read from clients.
    pub bytes_in: AtomicU64,
    /// Bytes written to clients.
    pub bytes_out: AtomicU64,
}

/// What is counted of one command.
#[derive(Default)]
pub struct CommandCounters {
    /// How often it ran.
    pub calls: AtomicU64,
    /// How long in all, in nanoseconds; quick commands are sampled.
    pub took_ns: AtomicU64,
    /// How often it answered with an error.
    pub failed: AtomicU64,
    /// How often it was refused before it ran.
    pub rejected: AtomicU64,
    /// How long each took; of quick commands, those that were timed.
    pub latency: Histogram,
}

impl Counters {
    fn new() -> Counters {
        Counters {
            commands: (0..catalogue::COUNT).map(|_| CommandCounters::default()).collect(),
            changes: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
        }
    }

    /// The figures of one command.
    pub fn of(&self, command: usize) -> &CommandCounters {
        &self.commands[command]
    }

    /// How many commands ran.
    pub fn calls(&self) -> u64 {
        self.commands.iter().map(|command| command.calls.load(Ordering::Relaxed)).sum()
    }

    /// Forgets everything. Only nearly exact while other cores count.
    pub fn reset(&self) {
        for CommandCounters { calls, took_ns, failed, rejected, latency } in &self.commands {
            [calls, took_ns, failed, rejected].iter().for_each(|n| n.store(0, Ordering::Relaxed));
            latency.reset();
        }
        self.bytes_in.store(0, Ordering::Relaxed);
        self.bytes_out.store(0, Ordering::Relaxed);
    }
}

/// Adds to a counter that this core alone writes; returns what it was.
pub fn add(counter: &AtomicU64, by: u64) -> u64 {
    let before = counter.load(Ordering::Relaxed);
    counter.store(before.wrapping_add(by), Ordering::Relaxed);
    before
}

/// The snapshots that were asked for. None is written, but tools count the changes since.
#[derive(Default)]
pub struct Saves {
    /// Unix seconds of the last one; 0 before the first.
    pub at_s: AtomicI64,
    /// The changes there had been by then.
    pub changes: AtomicU64,
    /// How many were asked for by name: `SAVE` and `BGSAVE`.
    pub count: AtomicU64,
}

/// Who this server is.
pub struct Identity {
    /// 40 hexadecimal digits, new at every start.
    pub run_id: String,
    /// Unix milliseconds.
    pub started_ms: i64,
    /// The TCP port, once it is known.
    pub port: AtomicUsize,
    /// The configuration file it was started with.
    pub config_file: String,
}

impl Cache {
    /// An empty cache for `cores` cores, of `shards` shards: a power of two up to [`SHARDS_MAX`].
    pub fn new(cores: usize, shards: usize, config: Config, identity: Identity) -> Cache {
        assert!(shards.is_power_of_two() && shards <= SHARDS_MAX, "{shards} shards");
        let hasher = hashing::hasher().clone();
        let seed = hasher.hash_one(identity.started_ms);
        let databases = config.settings().databases as usize;
        let cell = |index: u64| Padded {
            cell: Mutex::new(Cell {
                shard: Shard::new(databases, hasher.clone(), seed.wrapping_add(index)),
                watched: Watched::default(),
            }),
            slab_free: AtomicUsize::new(0),
        };
        Cache {
            cells: (0..shards as u64).map(cell).collect(),
            hasher,
            seeds: AtomicU64::new(0),
            config: LiveConfig::new(config),
            clients: Clients::default(),
            connections: Connections::new(),
            rate: Rate::default(),
            rate_in: Rate::default(),
            rate_out: Rate::default(),
            startup_memory: crate::raw::allocated(),
            peak_memory: AtomicUsize::new(0),
            slab_full: AtomicBool::new(false),
            pubsub: Mutex::new(PubSub::default()),
            blocked: Blocked::default(),
            tracking: Tracking::default(),
            totals: Totals::default(),
            counters: (0..cores.max(1)).map(|_| Counters::new()).collect(),
            slow_log: SlowLog::default(),
            latency: Monitor::default(),
            saves: Saves::default(),
            identity,
            monitors: Monitors::default(),
            pause: Pause::default(),
            host: OnceLock::new(),
            lazy_free: LazyFree::default(),
            stop: AtomicBool::new(false),
            active_expiry: AtomicBool::new(true),
        }
    }

    /// A generator of random numbers of its own for every caller.
    pub fn rng(&self) -> Rng {
        Rng::new(self.hasher.hash_one(self.seeds.fetch_add(1, Ordering::Relaxed)))
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.cells.len()
    }

    /// The hash of a key.
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The shard that keys with this hash are in: its top bits.
    pub fn shard_of_hash(&self, hash: u64) -> usize {
        // Two shifts, because one shard means zero bits, and a shift by 64 is not defined.
        (hash >> 1 >> (63 - self.cells.len().trailing_zeros())) as usize
    }

    /// The shard a key is in.
    pub fn shard_of(&self, key: &[u8]) -> usize {
        if self.cells.len() == 1 { 0 } else { self.shard_of_hash(self.hash(key)) }
    }

    /// Locks one shard. Holding one already, take only higher ones.
    pub fn lock(&self, index: usize) -> MutexGuard<'_, Cell> {
        self.cells[index].cell.lock()
    }

    /// Lets everybody know how much of a shard's slab is free. Call it with the shard locked.
    pub fn note_free(&self, index: usize, cell: &Cell) {
        let slab = cell.shard.slab();
        self.cells[index].slab_free.store(slab.free_bytes(), Ordering::Relaxed);
        if slab.is_full() != self.slab_full.load(Ordering::Relaxed) {
            self.slab_full.store(slab.is_full(), Ordering::Relaxed);
        }
    }

    /// Whether a shard that was used lately has no room for more entries, whatever `maxmemory`
    /// says.
    pub fn is_full(&self) -> bool {
        self.slab_full.load(Ordering::Relaxed)
    }

    /// Bytes of memory in use: what the allocator gave, less what lies free in slabs.
    pub fn used_memory(&self) -> usize {
        let free: usize = self.cells.iter().map(|c| c.slab_free.load(Ordering::Relaxed)).sum();
        crate::raw::allocated().saturating_sub(free)
    }

    /// Bytes of memory that will be in use once everything that is gone is freed, which is what
    /// `maxmemory` judges: else a key that is large would take others with it while it goes.
    pub fn lasting_memory(&self) -> usize {
        self.used_memory().saturating_sub(self.lazy_free.pending_bytes())
    }

    /// The most memory that was in use whenever it was looked at.
    pub fn peak_memory(&self) -> usize {
        let used = self.used_memory();
        self.peak_memory.fetch_max(used, Ordering::Relaxed).max(used)
    }

    /// Changes to keys since the last snapshot that was asked for.
    pub fn unsaved_changes(&self) -> u64 {
        self.changes().saturating_sub(self.saves.changes.load(Ordering::Relaxed))
    }

    /// Takes note that a snapshot would have been written.
    pub fn note_save(&self, now_ms: i64) {
        self.saves.at_s.store(now_ms / 1000, Ordering::Relaxed);
        self.saves.changes.store(self.changes(), Ordering::Relaxed);
    }

    /// Unix seconds when a snapshot was last asked for; the start counts as one.
    pub fn last_save_s(&self) -> i64 {
        match self.saves.at_s.load(Ordering::Relaxed) {
            0 => self.identity.started_ms / 1000,
            at_s => at_s,
        }
    }

    fn changes(&self) -> u64 {
        self.counters.iter().map(|core| core.changes.load(Ordering::Relaxed)).sum()
    }

    /// Commands executed on all cores.
    pub fn commands(&self) -> u64 {
        self.counters.iter().map(Counters::calls).sum()
    }
}

/// A rate per second over the last while: whoever has a clock [samples](Self::sample) a count now
/// and then.
#[derive(Default)]
pub struct Rate {
    count: AtomicU64,
    at_ms: AtomicI64,
    per_second: AtomicU64,
}

impl Rate {
    /// Notes a count that only grows.
    pub fn sample(&self, count: u64, now_ms: i64) {
        let grown = count.saturating_sub(self.count.swap(count, Ordering::Relaxed));
        let passed_ms = now_ms - self.at_ms.swap(now_ms, Ordering::Relaxed);
        if passed_ms > 0 {
            self.per_second.store(grown * 1000 / passed_ms as u64, Ordering::Relaxed);
        }
    }

    /// The rate between the last two samples.
    pub fn per_second(&self) -> u64 {
        self.per_second.load(Ordering::Relaxed)
    }
}
