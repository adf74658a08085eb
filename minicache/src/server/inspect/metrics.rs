//! The metrics of the cache, as Prometheus scrapes them.
//!
//! ```text
//! minicache_commands_total{command="get"} 1027
//! minicache_keys{db="0"} 20000
//! minicache_memory_used_bytes 1851392
//! ```
//!
//! Names follow the conventions of Prometheus, meanings follow `INFO` (`genRedisInfoString` in
//! `server.c`): `keyspace_hits` is `minicache_keyspace_hits_total`.

use super::{Figures, keys_by_database};
use crate::commands::{Command, cache::Cache, catalogue, stats::CommandCounters};
use crate::engine::{pubsub::Scope, store::shard::ShardStats};
use minikit::admin::Exposition;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) fn write(cache: &Cache, out: &mut Exposition) {
    let shards = Figures::of_all(cache);
    out.gauges("minicache_info", "Always 1; the version is in the label.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1u8);
    commands(cache, out);
    keyspace(&shards, out);
    memory(cache, &shards, out);
    clients(cache, out);
}

fn commands(cache: &Cache, out: &mut Exposition) {
    type Figure = fn(&CommandCounters) -> &AtomicU64;
    let families: [(&str, &str, Figure); 3] = [
        ("commands_total", "Commands executed.", |it| &it.calls),
        ("command_failures_total", "Commands that replied with an error.", |it| &it.failed),
        ("command_rejections_total", "Commands refused before they ran.", |it| &it.rejected),
    ];
    for (name, help, figure) in families {
        let name = format!("minicache_{name}");
        let mut family = out.counters(&name, help);
        for (row, count) in nonzero(cache, figure) {
            family.sample(&[("command", row.name)], count);
        }
    }
    let help = "Time spent in commands, estimated from one in 256 for quick ones.";
    let mut seconds = out.counters("minicache_command_seconds_total", help);
    for (row, ns) in nonzero(cache, |it| &it.took_ns) {
        seconds.sample(&[("command", row.name)], ns as f64 / 1e9);
    }
    let mut errors = out.counters("minicache_errors_total", "Error replies by their code.");
    for (code, count) in cache.stats.totals.errors() {
        errors.sample(&[("code", &code)], count);
    }
    out.gauge("minicache_slow_commands", "Commands in the slow log.", cache.stats.slow_log.len());
}

/// The commands whose figure is not 0, and the figure.
fn nonzero(
    cache: &Cache,
    figure: fn(&CommandCounters) -> &AtomicU64,
) -> impl Iterator<Item = (&'static Command, u64)> {
    let of = move |row: &'static Command| (row, cache.stats.of_command(row.id(), figure));
    catalogue::COMMANDS.iter().map(of).filter(|(_, count)| *count > 0)
}

fn keyspace(shards: &[Figures], out: &mut Exposition) {
    let mut sum = ShardStats::default();
    shards.iter().for_each(|shard| sum.add(&shard.stats));
    for (name, help, count) in [
        ("minicache_keyspace_hits_total", "Reads that found their key.", sum.hits),
        ("minicache_keyspace_misses_total", "Reads that did not.", sum.misses),
        ("minicache_expired_keys_total", "Keys deleted because they expired.", sum.expired),
        ("minicache_evicted_keys_total", "Keys deleted to stay below maxmemory.", sum.evicted),
    ] {
        out.counter(name, help, count);
    }
    let databases = keys_by_database(shards.iter());
    let numbered = databases.iter().enumerate().map(|(db, keys)| (db.to_string(), keys));
    let mut keys = out.gauges("minicache_keys", "Keys by database.");
    for (db, (all, _)) in numbered.clone() {
        keys.sample(&[("db", &db)], *all);
    }
    let mut volatile = out.gauges("minicache_volatile_keys", "Keys with a TTL, by database.");
    for (db, (_, volatile_keys)) in numbered {
        volatile.sample(&[("db", &db)], *volatile_keys);
    }
}

fn memory(cache: &Cache, shards: &[Figures], out: &mut Exposition) {
    let sum = |figure: fn(&Figures) -> usize| shards.iter().map(figure).sum::<usize>();
    let max = cache.config.snapshot().settings.maxmemory;
    for (name, help, bytes) in [
        ("minicache_memory_used_bytes", "What maxmemory limits.", cache.shards.used_memory()),
        ("minicache_memory_peak_bytes", "The highest value so far.", cache.shards.peak_memory()),
        ("minicache_memory_allocated_bytes", "In use in the allocator.", crate::raw::allocated()),
        ("minicache_slab_bytes", "Pages of entries.", sum(|shard| shard.slab_bytes)),
        ("minicache_slab_free_bytes", "Of these, not in use.", sum(|shard| shard.slab_free_bytes)),
        ("minicache_index_bytes", "The indexes of the keys.", sum(|shard| shard.index_bytes)),
    ] {
        out.gauge(name, help, bytes);
    }
    out.gauge("minicache_memory_max_bytes", "maxmemory; 0 for no limit.", max);
}

fn clients(cache: &Cache, out: &mut Exposition) {
    let max = cache.config.snapshot().settings.maxclients;
    let (channels, patterns) = {
        let pubsub = cache.registry.pubsub.lock();
        (pubsub.count(Scope::Channel), pubsub.count(Scope::Pattern))
    };
    let blocked = cache.registry.blocked.count().get();
    out.gauge("minicache_clients", "Clients connected.", cache.registry.clients.len());
    out.gauge("minicache_clients_max", "maxclients.", max);
    out.gauge("minicache_blocked_clients", "Clients in blocking commands.", blocked);
    out.gauge("minicache_pubsub_channels", "Channels with subscribers.", channels);
    out.gauge("minicache_pubsub_patterns", "Patterns with subscribers.", patterns);
    for (name, help, count) in [
        ("minicache_connections_total", "Clients accepted.", cache.stats.connections.accepted()),
        (
            "minicache_refused_connections_total",
            "Clients refused.",
            cache.stats.connections.refused(),
        ),
        (
            "minicache_received_bytes_total",
            "From clients.",
            cache.stats.total(|core| &core.bytes_in),
        ),
        ("minicache_sent_bytes_total", "To clients.", cache.stats.total(|core| &core.bytes_out)),
        ("minicache_output_limit_closes_total", "Clients closed for not reading.", {
            cache.stats.totals.output_limit_closes.load(Ordering::Relaxed)
        }),
    ] {
        out.counter(name, help, count);
    }
}
