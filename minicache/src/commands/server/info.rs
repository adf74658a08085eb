//! `INFO`: how the server is doing, section by section, in the names that monitoring tools know.
//!
//! Figures of things that are not here (replicas, snapshots, scripts) are zero: tools ask for them
//! by name and trip over their absence.

use super::Call;
use crate::commands::{
    REDIS_VERSION, cache::Cache, catalogue, stats::CommandCounters, stats::Counters,
};
use crate::conf::ProcessInfo;
use crate::engine::clients::{Client, Figures};
use crate::engine::store::shard::{Shard, ShardStats};
use crate::engine::{error::Answer, pubsub::Scope};
use std::fmt::{Display, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

type Section = fn(&mut Call, &mut Page);

/// The sections in their order, and whether `INFO` shows them without being asked.
const SECTIONS: [(&str, bool, Section); 12] = [
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
    ("Latencystats", false, latency_stats),
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

    /// Rows of what is not here.
    fn zeros(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.row(name, 0));
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
    let (cache, now) = (c.cache, c.keyspace.now);
    let settings = c.settings;
    let up_s = (now.ms - cache.stats.identity.started_ms).max(0) / 1000;
    let process = process(cache);
    page.row("redis_version", REDIS_VERSION);
    page.row("redis_git_sha1", "00000000");
    page.row("redis_git_dirty", 0);
    page.row("redis_build_id", 0);
    page.row("minicache_version", env!("CARGO_PKG_VERSION"));
    page.row("redis_mode", "standalone");
    page.row("os", &process.system);
    page.row("arch_bits", usize::BITS);
    page.row("monotonic_clock", "POSIX clock_gettime");
    page.row("multiplexing_api", "epoll");
    page.row("process_id", std::process::id());
    page.row("process_supervised", "no");
    page.row("run_id", &cache.stats.identity.run_id);
    page.row("tcp_port", cache.stats.identity.port.load(Ordering::Relaxed));
    page.row("server_time_usec", now.ms * 1000 + i64::from(now.us));
    page.row("uptime_in_seconds", up_s);
    page.row("uptime_in_days", up_s / 86_400);
    page.row("hz", settings.hz);
    page.row("configured_hz", settings.hz);
    page.row("lru_clock", (now.ms / 1000) & 0xff_ffff);
    page.row("executable", &process.executable);
    page.row("config_file", &cache.stats.identity.config_file);
    page.row("io_threads_active", u8::from(cache.stats.counters.len() > 1));
    page.row("threads", cache.stats.counters.len());
    page.row("shards", cache.shards.len());
}

fn clients(c: &mut Call, page: &mut Page) {
    let cache = c.cache;
    let all = cache.registry.clients.all();
    let most = |figure: fn(&Figures) -> &AtomicUsize| {
        all.iter().map(|client| figure(&client.figures).load(Ordering::Relaxed)).max().unwrap_or(0)
    };
    page.row("connected_clients", all.len());
    page.row("cluster_connections", 0);
    page.row("maxclients", c.settings.maxclients);
    page.row("client_recent_max_input_buffer", most(|figures| &figures.input_bytes));
    page.row("client_recent_max_output_buffer", most(|figures| &figures.output_bytes));
    let waits = |client: &&Arc<Client>| client.figures.blocked.load(Ordering::Relaxed);
    page.row("blocked_clients", all.iter().filter(waits).count());
    page.row("tracking_clients", cache.registry.tracking.clients());
    page.row("clients_in_timeout_table", cache.registry.blocked.count().get());
}

fn memory(c: &mut Call, page: &mut Page) {
    let (cache, settings) = (c.cache, c.settings);
    let process = process(cache);
    let resident = process.resident_bytes;
    let (used, allocated) = (cache.shards.used_memory(), crate::raw::allocated());
    let (peak, startup) = (cache.shards.peak_memory(), cache.stats.startup_memory);
    let overhead = startup + index_bytes(c);
    let dataset = used.saturating_sub(overhead);
    page.size("used_memory", used);
    page.size("used_memory_rss", resident);
    page.size("used_memory_peak", peak);
    page.row("used_memory_peak_perc", percent(used, peak));
    page.row("used_memory_overhead", overhead);
    page.row("used_memory_startup", startup);
    page.row("used_memory_dataset", dataset);
    page.row("used_memory_dataset_perc", percent(dataset, used.saturating_sub(startup)));
    page.row("allocator_allocated", allocated);
    page.row("allocator_active", allocated);
    page.row("allocator_resident", resident);
    page.size("total_system_memory", process.machine_memory_bytes);
    no_scripts(page);
    page.size("maxmemory", settings.maxmemory as usize);
    page.row("maxmemory_policy", settings.maxmemory_policy.name());
    page.row("allocator_frag_ratio", ratio(allocated, used));
    page.row("allocator_frag_bytes", allocated.saturating_sub(used));
    page.row("allocator_rss_ratio", ratio(resident, allocated));
    page.row("allocator_rss_bytes", resident as i64 - allocated as i64);
    page.row("rss_overhead_ratio", "1.00");
    page.row("rss_overhead_bytes", 0);
    page.row("mem_fragmentation_ratio", ratio(resident, used));
    page.row("mem_fragmentation_bytes", resident as i64 - used as i64);
    page.row("mem_not_counted_for_evict", 0);
    page.zeros(&["mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves"]);
    page.row("mem_clients_normal", cache.registry.clients.memory());
    page.zeros(&["mem_cluster_links", "mem_aof_buffer"]);
    page.row("mem_allocator", "libc");
    page.row("active_defrag_running", 0);
    page.row("lazyfree_pending_objects", cache.shards.lazy_free.pending());
    page.row("lazyfreed_objects", cache.shards.lazy_free.freed());
}

fn index_bytes(c: &Call) -> usize {
    let databases = 0..c.settings.databases as usize;
    let of = |shard: &Shard| databases.clone().map(|db| shard.index_size(db).0).sum::<usize>();
    c.keyspace.shards().map(|(_, shard)| of(shard)).sum()
}

fn no_scripts(page: &mut Page) {
    page.zeros(&["used_memory_lua", "used_memory_vm_eval"]);
    page.row("used_memory_lua_human", "0B");
    page.zeros(&["used_memory_scripts_eval", "number_of_cached_scripts", "number_of_functions"]);
    page.zeros(&["number_of_libraries", "used_memory_vm_functions"]);
    page.size("used_memory_vm_total", 0);
    page.zeros(&["used_memory_functions"]);
    page.size("used_memory_scripts", 0);
}

fn percent(part: usize, whole: usize) -> String {
    format!("{:.2}%", part as f64 * 100.0 / whole.max(1) as f64)
}

fn ratio(one: usize, other: usize) -> String {
    format!("{:.2}", one as f64 / other.max(1) as f64)
}

fn persistence(c: &mut Call, page: &mut Page) {
    let cache = c.cache;
    page.zeros(&["loading", "async_loading", "current_cow_peak", "current_cow_size"]);
    page.row("current_cow_size_age", 0);
    page.row("current_fork_perc", "0.00");
    page.zeros(&["current_save_keys_processed", "current_save_keys_total"]);
    page.row("rdb_changes_since_last_save", cache.stats.unsaved_changes());
    page.row("rdb_bgsave_in_progress", 0);
    page.row("rdb_last_save_time", cache.stats.last_save_s());
    page.row("rdb_last_bgsave_status", "ok");
    page.row("rdb_last_bgsave_time_sec", -1);
    page.row("rdb_current_bgsave_time_sec", -1);
    page.row("rdb_saves", cache.stats.saves.count.load(Ordering::Relaxed));
    page.zeros(&["rdb_last_cow_size", "rdb_last_load_keys_expired", "rdb_last_load_keys_loaded"]);
    page.zeros(&["aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"]);
    page.row("aof_last_rewrite_time_sec", -1);
    page.row("aof_current_rewrite_time_sec", -1);
    page.row("aof_last_bgrewrite_status", "ok");
    page.zeros(&["aof_rewrites", "aof_rewrites_consecutive_failures"]);
    page.row("aof_last_write_status", "ok");
    page.zeros(&["aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"]);
}

fn sum(c: &Call, figure: impl Fn(&Counters) -> &AtomicU64) -> u64 {
    c.cache.stats.counters.iter().map(|core| figure(core).load(Ordering::Relaxed)).sum()
}

fn stats(c: &mut Call, page: &mut Page) {
    let cache = c.cache;
    let mut totals = ShardStats::default();
    for (_, shard) in c.keyspace.shards() {
        totals.add(&shard.stats);
    }
    let pubsub = cache.registry.pubsub.lock();
    page.row("total_connections_received", cache.stats.connections.accepted());
    page.row("total_commands_processed", cache.stats.commands());
    page.row("instantaneous_ops_per_sec", cache.stats.rate.per_second());
    page.row("total_net_input_bytes", sum(c, |core| &core.bytes_in));
    page.row("total_net_output_bytes", sum(c, |core| &core.bytes_out));
    page.zeros(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    page.row("instantaneous_input_kbps", kilobytes(cache.stats.rate_in.per_second()));
    page.row("instantaneous_output_kbps", kilobytes(cache.stats.rate_out.per_second()));
    page.row("instantaneous_input_repl_kbps", "0.00");
    page.row("instantaneous_output_repl_kbps", "0.00");
    page.row("rejected_connections", cache.stats.connections.refused());
    page.zeros(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
    page.row("expired_keys", totals.expired);
    page.row("expired_stale_perc", "0.00");
    page.zeros(&["expired_time_cap_reached_count", "expire_cycle_cpu_milliseconds"]);
    page.row("evicted_keys", totals.evicted);
    page.row("evicted_clients", cache.registry.clients.evicted.load(Ordering::Relaxed));
    page.zeros(&["total_eviction_exceeded_time", "current_eviction_exceeded_time"]);
    page.row("keyspace_hits", totals.hits);
    page.row("keyspace_misses", totals.misses);
    page.row("pubsub_channels", pubsub.count(Scope::Channel));
    page.row("pubsub_patterns", pubsub.count(Scope::Pattern));
    page.row("pubsubshard_channels", pubsub.count(Scope::Shard));
    page.zeros(&["latest_fork_usec", "total_forks", "migrate_cached_sockets"]);
    page.zeros(&["slave_expires_tracked_keys", "active_defrag_hits", "active_defrag_misses"]);
    page.zeros(&["active_defrag_key_hits", "active_defrag_key_misses"]);
    page.zeros(&["total_active_defrag_time", "current_active_defrag_time"]);
    let tracked = ["tracking_total_keys", "tracking_total_items", "tracking_total_prefixes"];
    tracked
        .iter()
        .zip(cache.registry.tracking.counts())
        .for_each(|(name, count)| page.row(name, count));
    page.row("unexpected_error_replies", 0);
    page.row("total_error_replies", cache.stats.totals.errors().values().sum::<u64>());
    page.row("dump_payload_sanitizations", 0);
    page.row("client_output_buffer_limit_disconnections", {
        cache.stats.totals.output_limit_closes.load(Ordering::Relaxed)
    });
}

fn kilobytes(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / 1024.0)
}

fn replication(c: &mut Call, page: &mut Page) {
    page.row("role", "master");
    page.row("connected_slaves", 0);
    page.row("master_failover_state", "no-failover");
    page.row("master_replid", &c.cache.stats.identity.run_id);
    page.row("master_replid2", "0".repeat(40));
    page.row("master_repl_offset", 0);
    page.row("second_repl_offset", -1);
    page.row("repl_backlog_active", 0);
    page.row("repl_backlog_size", 1 << 20);
    page.zeros(&["repl_backlog_first_byte_offset", "repl_backlog_histlen"]);
}

/// The process that runs the server; empty under tests, which have none.
fn process(cache: &Cache) -> ProcessInfo {
    cache.host.get().map(|host| host.process()).unwrap_or_default()
}

fn cpu(c: &mut Call, page: &mut Page) {
    let process = process(c.cache);
    page.row("used_cpu_sys", format!("{:.6}", process.system_cpu_seconds));
    page.row("used_cpu_user", format!("{:.6}", process.user_cpu_seconds));
    page.row("used_cpu_sys_children", "0.000000");
    page.row("used_cpu_user_children", "0.000000");
}

fn command_stats(c: &mut Call, page: &mut Page) {
    for row in &catalogue::COMMANDS {
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
    for (code, count) in c.cache.stats.totals.errors() {
        page.row(&format!("errorstat_{code}"), format!("count={count}"));
    }
}

fn latency_stats(c: &mut Call, page: &mut Page) {
    let percents = &c.settings.latency_tracking_info_percentiles;
    for row in &catalogue::COMMANDS {
        let latencies = super::latencies(c, row);
        if latencies.is_empty() {
            continue;
        }
        let us = |percent: f64| latencies.percentile_ns(percent) as f64 / 1000.0;
        let one = |percent: &f64| format!("p{percent}={:.3}", us(*percent));
        let all: Vec<String> = percents.iter().map(one).collect();
        page.row(&format!("latency_percentiles_usec_{}", row.name), all.join(","));
    }
}

fn keyspace(c: &mut Call, page: &mut Page) {
    for db in 0..c.settings.databases as usize {
        let keys: usize = c.keyspace.shards().map(|(_, shard)| shard.len(db)).sum();
        let volatile: usize = c.keyspace.shards().map(|(_, shard)| shard.volatile_len(db)).sum();
        if keys > 0 {
            page.row(&format!("db{db}"), format!("keys={keys},expires={volatile},avg_ttl=0"));
        }
    }
}
