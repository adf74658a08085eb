//! Statistics: what `INFO`, `LATENCY` and the metrics report (the `stat_` fields of `struct
//! redisServer`).
//!
//! ```text
//! core 0   Counters { get: 9 calls, … }  ┐
//! core 1   Counters { get: 4 calls, … }  ┴─ added up only when somebody asks: 13 calls
//! ```
//!
//! What every command counts is kept per core, so that counting costs a load and a store
//! ([`add`](crate::engine::counter::add)); what happens rarely is shared.

use super::latency::{Histogram, Monitor};
use super::{catalogue, slow_log::SlowLog};
use minikit::connections::Connections;
use minikit::sync::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

/// All statistics of a server.
#[derive(Default)]
pub struct Statistics {
    pub connections: Connections,
    pub rate: Rate,
    pub rate_in: Rate,
    pub rate_out: Rate,
    /// Bytes in use before the first client connected.
    pub startup_memory: usize,
    pub totals: Totals,
    pub counters: Box<[Counters]>,
    pub slow_log: SlowLog,
    pub latency: Monitor,
    pub saves: Saves,
    /// What `INFO` says about the process.
    pub identity: Identity,
}

impl Statistics {
    /// Statistics of a server that starts, with `cores` cores.
    pub fn new(cores: usize, identity: Identity) -> Statistics {
        Statistics {
            startup_memory: crate::raw::allocated(),
            counters: (0..cores.max(1)).map(|_| Counters::new()).collect(),
            identity,
            ..Statistics::default()
        }
    }

    /// Changes to keys since the last snapshot that was asked for.
    pub fn unsaved_changes(&self) -> u64 {
        self.total(|core| &core.changes).saturating_sub(self.saves.changes.load(Ordering::Relaxed))
    }

    /// Takes note that a snapshot would have been written.
    pub fn note_save(&self, now_ms: i64) {
        self.saves.at_s.store(now_ms / 1000, Ordering::Relaxed);
        self.saves.changes.store(self.total(|core| &core.changes), Ordering::Relaxed);
    }

    /// Unix seconds when a snapshot was last asked for; the start counts as one.
    pub fn last_save_s(&self) -> i64 {
        match self.saves.at_s.load(Ordering::Relaxed) {
            0 => self.identity.started_ms / 1000,
            at_s => at_s,
        }
    }

    pub fn commands(&self) -> u64 {
        let commands = self.counters.iter().flat_map(|core| &core.commands);
        commands.map(|command| command.calls.load(Ordering::Relaxed)).sum()
    }

    /// The sum of a figure over all cores.
    pub fn total(&self, figure: impl Fn(&Counters) -> &AtomicU64) -> u64 {
        self.counters.iter().map(|core| figure(core).load(Ordering::Relaxed)).sum()
    }

    /// The sum of a command's figure over all cores.
    pub fn of_command(&self, id: usize, figure: fn(&CommandCounters) -> &AtomicU64) -> u64 {
        self.total(|core| figure(core.of(id)))
    }
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

    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().clone()
    }

    pub fn reset(&self) {
        self.errors.lock().clear();
        self.output_limit_closes.store(0, Ordering::Relaxed);
    }
}

/// Figures that one core writes and anybody may read. One writer each, so adding is a load and a
/// store: no locked instruction on the way of every command.
pub struct Counters {
    commands: Box<[CommandCounters]>,
    pub changes: AtomicU64,
    /// System calls that read or wrote something, and the bytes.
    pub reads: AtomicU64,
    pub writes: AtomicU64,
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
}

/// What is counted of one command.
#[derive(Default)]
pub struct CommandCounters {
    pub calls: AtomicU64,
    /// How long in all, in nanoseconds; quick commands are sampled.
    pub took_ns: AtomicU64,
    pub failed: AtomicU64,
    pub rejected: AtomicU64,
    /// How long each took; of quick commands, those that were timed.
    pub latency: Histogram,
}

impl Counters {
    pub fn new() -> Counters {
        Counters {
            commands: (0..catalogue::COUNT).map(|_| CommandCounters::default()).collect(),
            changes: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
        }
    }

    pub fn of(&self, command: usize) -> &CommandCounters {
        &self.commands[command]
    }

    /// Forgets everything. Only nearly exact while other cores count.
    pub fn reset(&self) {
        for CommandCounters { calls, took_ns, failed, rejected, latency } in &self.commands {
            [calls, took_ns, failed, rejected].iter().for_each(|n| n.store(0, Ordering::Relaxed));
            latency.reset();
        }
        let Counters { reads, writes, bytes_in, bytes_out, .. } = self;
        [reads, writes, bytes_in, bytes_out].iter().for_each(|n| n.store(0, Ordering::Relaxed));
    }
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

/// What distinguishes this server from others, and from its earlier runs.
#[derive(Default)]
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

/// A rate per second between the last two samples of a count. The upkeep task
/// [samples](Self::sample) it, because counting reads no clock.
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
