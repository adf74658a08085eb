//! `INFO`: how the server is doing, section by section, in the names that monitoring tools know.
//!
//! Figures of things that are not here (replicas, snapshots, scripts) are left out unless a common
//! tool trips over their absence.

use super::Call;
use crate::commands::connection::REDIS_VERSION;
use crate::commands::table;
use crate::engine::cache::{CommandCounters, Counters};
use crate::engine::error::Answer;
use crate::engine::pubsub::Scope;
use crate::engine::store::shard::ShardStats;
use minikit::process::Process;
use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes a section.
type Section = fn(&mut Call, &mut Page);

/// The sections in their order, and whether `INFO` shows them without being asked.
const SECTIONS: [(&str, bool, Section); 11] = [
    ("Server", true, server),
    ("Clients", true, clients),
    ("Memory", true, memory),
    ("Persistence", true, persistence),
    ("Stats", true, stats),
    ("Replication", true, replication),
    ("CPU", true, cpu),
    ("Modules", true, |_, _| {}),
    ("Commandstats", false, command_stats),
    ("Errorstats", true, error_stats),
    ("Cluster", true, |_, page| page.row("cluster_enabled", 0)),
];

/// `INFO [section …]`
pub fn info(c: &mut Call) -> Answer {
    let asked: Vec<Vec<u8>> = c.args.from(1).iter().map(<[u8]>::to_ascii_lowercase).collect();
    let shows = |name: &str, by_default: bool| {
        let has = |word: &str| asked.iter().any(|section| section == word.as_bytes());
        has(&name.to_lowercase())
            || has("all")
            || has("everything")
            || (by_default && (asked.is_empty() || has("default")))
    };
    let mut page = Page::default();
    for (name, by_default, write) in SECTIONS {
        if shows(name, by_default) {
            page.title(name);
            write(c, &mut page);
        }
    }
    if shows("Keyspace", true) {
        page.title("Keyspace");
        keyspace(c, &mut page);
    }
    c.out.verbatim(&page.0);
    Ok(())
}

/// The text as it grows.
#[derive(Default)]
struct Page(String);

impl Page {
    fn title(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push_str("\r\n");
        }
        write!(self.0, "# {name}\r\n").expect("writing to a string cannot fail");
    }

    fn row(&mut self, name: &str, value: impl Display) {
        write!(self.0, "{name}:{value}\r\n").expect("writing to a string cannot fail");
    }

    /// A size twice: in bytes, and for people.
    fn size(&mut self, name: &str, bytes: usize) {
        self.row(name, bytes);
        self.row(&format!("{name}_human"), human(bytes));
    }
}

fn human(bytes: usize) -> String {
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 1024.0 && unit < 4 {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes}B")
    } else {
        format!("{size:.2}{}", ["", "K", "M", "G", "T"][unit])
    }
}

fn server(c: &mut Call, page: &mut Page) {
    let (cache, now) = (c.store.cache, c.store.now);
    let settings = &c.store.rules.settings;
    let up_s = (now.ms - cache.identity.started_ms).max(0) / 1000;
    page.row("redis_version", REDIS_VERSION);
    page.row("redis_git_sha1", "00000000");
    page.row("redis_git_dirty", 0);
    page.row("minicache_version", env!("CARGO_PKG_VERSION"));
    page.row("redis_mode", "standalone");
    page.row("os", std::env::consts::OS);
    page.row("arch_bits", usize::BITS);
    page.row("process_id", std::process::id());
    page.row("run_id", &cache.identity.run_id);
    page.row("tcp_port", cache.identity.port.load(Ordering::Relaxed));
    page.row("server_time_usec", now.ms * 1000 + i64::from(now.us));
    page.row("uptime_in_seconds", up_s);
    page.row("uptime_in_days", up_s / 86_400);
    page.row("hz", settings.hz);
    page.row("configured_hz", settings.hz);
    page.row("lru_clock", (now.ms / 1000) & 0xff_ffff);
    page.row("config_file", &cache.identity.config_file);
    page.row("threads", cache.counters.len());
    page.row("shards", cache.shards());
}

fn clients(c: &mut Call, page: &mut Page) {
    let cache = c.store.cache;
    page.row("connected_clients", cache.clients.len());
    page.row("cluster_connections", 0);
    page.row("maxclients", c.store.rules.settings.maxclients);
    page.row("blocked_clients", cache.waiting.len());
    page.row("tracking_clients", 0);
    page.row("clients_in_timeout_table", cache.waiting.len());
}

fn memory(c: &mut Call, page: &mut Page) {
    let (cache, settings) = (c.store.cache, &c.store.rules.settings);
    let process = Process::look();
    let (used, allocated) = (cache.used_memory(), crate::raw::allocated());
    let index: usize = c
        .store
        .shards()
        .flat_map(|(_, shard)| (0..settings.databases as usize).map(|db| shard.index_size(db).0))
        .sum();
    let resident = process.resident_bytes as usize;
    page.size("used_memory", used);
    page.size("used_memory_rss", resident);
    page.size("used_memory_peak", cache.peak_memory());
    page.row("used_memory_overhead", index);
    page.row("used_memory_dataset", used.saturating_sub(index));
    page.row("allocator_allocated", allocated);
    page.row("allocator_active", allocated);
    page.row("allocator_resident", resident);
    page.size("used_memory_lua", 0);
    page.size("maxmemory", settings.maxmemory as usize);
    page.row("maxmemory_policy", settings.maxmemory_policy.name());
    page.row("allocator_frag_ratio", ratio(allocated, used));
    page.row("allocator_frag_bytes", allocated.saturating_sub(used));
    page.row("mem_fragmentation_ratio", ratio(resident, used));
    page.row("mem_fragmentation_bytes", resident.saturating_sub(used));
    page.row("mem_not_counted_for_evict", 0);
    page.row("mem_allocator", "libc");
    page.row("active_defrag_running", 0);
    page.row("lazyfree_pending_objects", 0);
}

fn ratio(one: usize, other: usize) -> String {
    format!("{:.2}", one as f64 / other.max(1) as f64)
}

fn persistence(c: &mut Call, page: &mut Page) {
    let changes = sum(c, |core| &core.changes);
    page.row("loading", 0);
    page.row("async_loading", 0);
    page.row("rdb_changes_since_last_save", changes);
    page.row("rdb_bgsave_in_progress", 0);
    page.row("rdb_last_save_time", c.store.cache.identity.started_ms / 1000);
    page.row("rdb_last_bgsave_status", "ok");
    page.row("aof_enabled", 0);
    page.row("aof_rewrite_in_progress", 0);
    page.row("aof_rewrite_scheduled", 0);
    page.row("aof_last_bgrewrite_status", "ok");
    page.row("aof_last_write_status", "ok");
}

fn sum(c: &Call, figure: impl Fn(&Counters) -> &AtomicU64) -> u64 {
    c.store.cache.counters.iter().map(|core| figure(core).load(Ordering::Relaxed)).sum()
}

fn stats(c: &mut Call, page: &mut Page) {
    let cache = c.store.cache;
    let mut totals = ShardStats::default();
    for (_, shard) in c.store.shards() {
        totals.add(&shard.stats);
    }
    let pubsub = cache.pubsub.lock();
    page.row("total_connections_received", cache.connections.accepted());
    page.row("total_commands_processed", cache.commands());
    page.row("instantaneous_ops_per_sec", cache.rate.per_second());
    page.row("total_net_input_bytes", sum(c, |core| &core.bytes_in));
    page.row("total_net_output_bytes", sum(c, |core| &core.bytes_out));
    page.row("rejected_connections", cache.connections.refused());
    page.row("expired_keys", totals.expired);
    page.row("expired_stale_perc", "0.00");
    page.row("evicted_keys", totals.evicted);
    page.row("evicted_clients", 0);
    page.row("keyspace_hits", totals.hits);
    page.row("keyspace_misses", totals.misses);
    page.row("pubsub_channels", pubsub.count(Scope::Channel));
    page.row("pubsub_patterns", pubsub.count(Scope::Pattern));
    page.row("latest_fork_usec", 0);
    page.row("total_forks", 0);
    page.row("tracking_total_keys", 0);
    page.row("unexpected_error_replies", 0);
    page.row("total_error_replies", cache.totals.errors().values().sum::<u64>());
    page.row("client_output_buffer_limit_disconnections", {
        cache.totals.output_limit_closes.load(Ordering::Relaxed)
    });
}

fn replication(c: &mut Call, page: &mut Page) {
    page.row("role", "master");
    page.row("connected_slaves", 0);
    page.row("master_failover_state", "no-failover");
    page.row("master_replid", &c.store.cache.identity.run_id);
    page.row("master_repl_offset", 0);
    page.row("second_repl_offset", -1);
    page.row("repl_backlog_active", 0);
}

fn cpu(_: &mut Call, page: &mut Page) {
    let process = Process::look();
    page.row("used_cpu_sys", format!("{:.6}", process.system_cpu_seconds));
    page.row("used_cpu_user", format!("{:.6}", process.user_cpu_seconds));
}

fn command_stats(c: &mut Call, page: &mut Page) {
    for row in &table::COMMANDS {
        let of =
            |figure: fn(&CommandCounters) -> &AtomicU64| sum(c, |core| figure(core.of(row.id())));
        let (calls, rejected) = (of(|n| &n.calls), of(|n| &n.rejected));
        if calls + rejected == 0 {
            continue;
        }
        let us = of(|n| &n.took_ns) / 1000;
        let failed = of(|n| &n.failed);
        let per_call = us as f64 / calls.max(1) as f64;
        page.row(
            &format!("cmdstat_{}", row.name),
            format!(
                "calls={calls},usec={us},usec_per_call={per_call:.2},rejected_calls={rejected},\
                 failed_calls={failed}"
            ),
        );
    }
}

fn error_stats(c: &mut Call, page: &mut Page) {
    for (code, count) in c.store.cache.totals.errors() {
        page.row(&format!("errorstat_{code}"), format!("count={count}"));
    }
}

fn keyspace(c: &mut Call, page: &mut Page) {
    for db in 0..c.store.rules.settings.databases as usize {
        let keys: usize = c.store.shards().map(|(_, shard)| shard.len(db)).sum();
        let volatile: usize = c.store.shards().map(|(_, shard)| shard.volatile_len(db)).sum();
        if keys > 0 {
            page.row(&format!("db{db}"), format!("keys={keys},expires={volatile},avg_ttl=0"));
        }
    }
}
