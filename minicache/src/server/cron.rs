//! Background work: expiry, eviction after `maxmemory` was lowered, unused memory, idle clients,
//! rates.
//!
//! Each core runs [`run`] beside its connections and expires the keys of its share of the shards.
//! Core 0 also does the work that exists once per server. How long a core sleeps between two rounds
//! depends on what the last round left:
//!
//! ```text
//! round          next round after    left behind
//! Idle           100 ms              nothing: no key has a TTL
//! Volatile       20 ms               keys with a TTL, none of them due
//! Unfinished     0 ms                due keys: a round handles at most 500 per shard and database
//! ```
//!
//! **How long does an expired key take memory on an idle server?** At most 36 ms: the 16 ms of a
//! tick of the wheel and 20 ms until the next round, unless more than [`KEYS_MAX`] expire at once.
//! Redis gives no such bound, because `activeExpireCycle` samples keys.
//!
//! The counterparts in Redis are `serverCron`, `databasesCron` and `clientsCron` (`server.c`),
//! which run `hz` times per second.

use super::{Core, monotonic_ns, now};
use crate::engine::{eviction::evict_one, keyspace::Keyspace, mailbox::Message};
use crate::raw;
use minikit::server::Shutdown;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Keys expired under one lock: about 0.1 ms, for which a command may have to wait.
const KEYS_MAX: usize = 500;

/// What a round has left. The greater one of two decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Round {
    Idle,
    Volatile,
    Unfinished,
}

/// Does the background work of `core` until the server shuts down, then closes all clients.
pub(super) async fn run(core: &Core, shutdown: &Shutdown) {
    let (mut last, mut next_shard, mut high) = (Round::Idle, 0, 0);
    loop {
        let pause = match last {
            Round::Idle => Duration::from_millis(100),
            Round::Volatile => Duration::from_millis(20),
            Round::Unfinished => Duration::ZERO,
        };
        tokio::select! {
            () = shutdown.requested() => break,
            () = tokio::time::sleep(pause) => {}
        }

        last = expire(core);
        if core.index == 0 {
            last = last.max(evict(core, &mut next_shard)).max(limit_tracking(core));
            close_idle_clients(core);
            sample_rates(core);
            core.cache.shards.peak_memory();
            return_memory(&mut high);
        }
    }
    if core.index == 0 {
        let clients = core.cache.registry.clients.all();
        clients.iter().for_each(|client| client.mailbox.deliver(Message::Close));
    }
}

/// Expires the due keys of this core's shards.
fn expire(core: &Core) -> Round {
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

    // A script that has paused must find its keys as it left them.
    if cache.shards.is_busy() {
        return Round::Idle;
    }

    // Deleted keys leave holes in pages. Compaction is done here so that no command pays for it.
    keyspace.shards_mut().filter(|shard| shard.slab().is_fragmented()).for_each(|shard| {
        shard.compact();
    });

    let mut round = Round::Idle;
    for db in 0..config.tuning.databases {
        let volatile = keyspace.shards().map(|(_, shard)| shard.volatile_len(db)).sum::<usize>();
        if volatile > 0 {
            let finished = keyspace.expire_due(index, db, KEYS_MAX);
            round = round.max(if finished { Round::Volatile } else { Round::Unfinished });
        }
    }
    round
}

/// Evicts keys after `maxmemory` was lowered. Commands evict too, but none may arrive.
fn evict(core: &Core, next_shard: &mut usize) -> Round {
    let (cache, config) = (&core.cache, core.config());
    let limit = config.tuning.maxmemory;
    let parts = cache.parts(&cache.stats.counters[core.index], &config.tuning);
    for _ in 0..KEYS_MAX {
        let enough = limit == 0 || cache.shards.lasting_memory() as u64 <= limit;
        if enough || cache.shards.is_busy() {
            return Round::Idle;
        }
        let Some(evicted) = evict_one(parts.shards, parts.tuning, now(), next_shard) else {
            return Round::Idle;
        };
        parts.publish_eviction(evicted);
    }
    Round::Unfinished
}

/// Shrinks the tracking table after `tracking-table-max-keys` was lowered.
fn limit_tracking(core: &Core) -> Round {
    let tracking = &core.cache.registry.tracking;
    match !tracking.any() || tracking.limit(core.config().settings.tracking_table_max_keys) {
        true => Round::Idle,
        false => Round::Unfinished,
    }
}

/// Returns memory to the system once an eighth of the most allocated since the last time is free,
/// as after a flush. The allocator keeps it otherwise; Redis's returns unused pages after a while.
///
/// Looking through the free memory takes milliseconds, so another thread does it.
fn return_memory(high: &mut usize) {
    const LEAST: usize = 8 << 20;
    let used = raw::allocated();
    if used + LEAST.max(*high / 8) < *high {
        tokio::task::spawn_blocking(raw::give_back);
        *high = used;
    }
    *high = used.max(*high);
}

/// Closes clients that have sent nothing for `timeout` seconds. Subscribers and blocked clients are
/// exempt, because silence is normal for them.
fn close_idle_clients(core: &Core) {
    let timeout_s = i64::from(core.config().settings.timeout);
    if timeout_s == 0 || monotonic_ns() / 1_000_000_000 < timeout_s as u64 {
        return;
    }
    let now_ms = now().ms;
    for client in core.cache.registry.clients.all() {
        let figures = &client.figures;
        let idle_s = (now_ms - figures.active_ms.load(Ordering::Relaxed)) / 1000;
        let exempt = client.is_subscriber() || figures.blocked.load(Ordering::Relaxed);
        if idle_s > timeout_s && !exempt {
            core.cache.registry.clients.dismiss(&client);
        }
    }
}

/// Updates the rates of commands and bytes per second that `INFO` shows.
fn sample_rates(core: &Core) {
    let (stats, now_ms) = (&core.cache.stats, now().ms);
    stats.rate.sample(stats.commands(), now_ms);
    stats.rate_in.sample(stats.total(|core| &core.bytes_in), now_ms);
    stats.rate_out.sample(stats.total(|core| &core.bytes_out), now_ms);
}
