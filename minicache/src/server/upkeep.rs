//! What happens without being asked for: keys die on time, memory shrinks to a lowered `maxmemory`,
//! clients that fell silent leave, the server stops.
//!
//! Every core looks after its share of the shards (`serverCron` and `databasesCron` in `server.c`).
//! How late can a dead key still take memory on an idle server? The wheel's tick is 16 ms, and
//! while keys have deadlines a core looks every 20: a key is gone at most 36 ms after its time,
//! however many there are, unless more than [`BUDGET`] are due at once. Redis promises nothing
//! here: it samples.

use super::{Core, monotonic_ns, now};
use crate::commands::stats::Counters;
use crate::engine::eviction::evict_one;
use crate::engine::keyspace::Keyspace;
use crate::engine::mailbox::Message;
use minikit::server::Shutdown;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Between two looks while keys have deadlines.
const PAUSE_SHORT: Duration = Duration::from_millis(20);
/// Between two looks otherwise.
const PAUSE_LONG: Duration = Duration::from_millis(100);
/// Keys dealt with under one lock, about a tenth of a millisecond. More wait for the next round,
/// which follows at once.
const BUDGET: usize = 500;

/// Looks after core `core` until the server is to stop, and then tells every client.
pub async fn run(core: &Core, shutdown: &Shutdown) {
    let (mut next, mut turn) = (Round::Idle, 0);
    loop {
        let pause = match next {
            Round::Idle => PAUSE_LONG,
            Round::Volatile => PAUSE_SHORT,
            Round::Unfinished => Duration::ZERO,
        };
        tokio::select! {
            () = shutdown.requested() => break,
            () = tokio::time::sleep(pause) => {}
        }
        next = expire_round(core);
        if core.index == 0 {
            next = next.max(evict_round(core, &mut turn));
            next = next.max(tracking_round(core));
            dismiss_idle(core);
            sample_rates(core);
            core.cache.shards.peak_memory();
        }
    }
    if core.index == 0 {
        core.cache
            .registry
            .clients
            .all()
            .iter()
            .for_each(|client| client.mailbox.deliver(Message::Close));
    }
}

/// Lets `INFO` know how fast the counters grow.
fn sample_rates(core: &Core) {
    let (cache, now_ms) = (&core.cache, now().ms);
    let sum = |figure: fn(&Counters) -> &AtomicU64| {
        cache.stats.counters.iter().map(|core| figure(core).load(Ordering::Relaxed)).sum()
    };
    cache.stats.rate.sample(cache.stats.commands(), now_ms);
    cache.stats.rate_in.sample(sum(|core| &core.bytes_in), now_ms);
    cache.stats.rate_out.sample(sum(|core| &core.bytes_out), now_ms);
}

/// What a round leaves to be done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Round {
    /// No key has a deadline.
    Idle,
    /// Some have.
    Volatile,
    /// Some are due already.
    Unfinished,
}

fn expire_round(core: &Core) -> Round {
    let paused = core.cache.registry.pause.holds(now().ms, true).is_some();
    if paused || !core.cache.active_expiry.load(Ordering::Relaxed) {
        return Round::Idle;
    }
    let cores = core.cache.stats.counters.len();
    let shards = (core.index..core.cache.shards.len()).step_by(cores);
    shards.map(|index| expire_shard(core, index)).max().unwrap_or(Round::Idle)
}

fn expire_shard(core: &Core, index: usize) -> Round {
    let (cache, config) = (&core.cache, core.config());
    let counters = &cache.stats.counters[core.index];
    let mut keyspace = Keyspace::new(cache.parts(counters, &config.tuning), now());
    keyspace.lock(1 << index);
    keyspace.shards_mut().filter(|shard| shard.slab().wastes()).for_each(|shard| {
        shard.compact();
    });
    let mut round = Round::Idle;
    for db in 0..config.tuning.databases {
        let volatile = keyspace.shards().map(|(_, shard)| shard.volatile_len(db)).sum::<usize>();
        if volatile > 0 {
            let finished = keyspace.expire_due(index, db, BUDGET);
            round = round.max(if finished { Round::Volatile } else { Round::Unfinished });
        }
    }
    round
}

/// Evicts keys after `maxmemory` was lowered, in case no command arrives that would do it.
fn evict_round(core: &Core, turn: &mut usize) -> Round {
    let (cache, config) = (&core.cache, core.config());
    let limit = config.tuning.maxmemory;
    let parts = cache.parts(&cache.stats.counters[core.index], &config.tuning);
    for _ in 0..BUDGET {
        let over = limit > 0 && cache.shards.lasting_memory() as u64 > limit;
        if !over {
            return Round::Idle;
        }
        let Some(evicted) = evict_one(parts.shards, parts.tuning, now(), turn) else {
            return Round::Idle;
        };
        parts.publish_eviction(evicted);
    }
    Round::Unfinished
}

/// Forgets what clients have read where `tracking-table-max-keys` was lowered.
fn tracking_round(core: &Core) -> Round {
    let tracking = &core.cache.registry.tracking;
    if !tracking.any() || tracking.limit(core.config().settings.tracking_table_max_keys) {
        Round::Idle
    } else {
        Round::Unfinished
    }
}

/// Sends away clients that have been silent for longer than `timeout`, unless they listen or wait.
fn dismiss_idle(core: &Core) {
    let timeout_s = i64::from(core.config().settings.timeout);
    if timeout_s == 0 || monotonic_ns() / 1_000_000_000 < timeout_s as u64 {
        return;
    }
    let now_ms = now().ms;
    for client in core.cache.registry.clients.all() {
        let figures = &client.figures;
        let silent_s = (now_ms - figures.active_ms.load(Ordering::Relaxed)) / 1000;
        let exempt = client.is_subscriber() || figures.blocked.load(Ordering::Relaxed);
        if silent_s > timeout_s && !exempt {
            core.cache.registry.clients.dismiss(&client);
        }
    }
}
