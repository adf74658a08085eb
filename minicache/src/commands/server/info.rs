//! `INFO`: how the server is doing, section by section, in the names that monitoring tools know.
//!
//! `info.txt` is the page with the values that never change; a row without a value there is written
//! by a function of its section here, in the order of the page. Figures of things that are not here
//! (replicas, snapshots, scripts) are zero: tools ask for them by name and trip over their absence.
//!
//! ```text
//! info.txt                 calls                            the page
//! redis_mode:standalone                                     redis_mode:standalone
//! os:                      page.row("os", "Linux 6.18")     os:Linux 6.18
//! arch_bits:               page.row("arch_bits", 64)        arch_bits:64
//! ```

use super::Call;
use crate::commands::{REDIS_VERSION, cache::Cache, catalogue};
use crate::conf::ProcessInfo;
use crate::engine::clients::{Client, Figures};
use crate::engine::store::shard::{Shard, ShardStats};
use crate::engine::{error::Answer, pubsub::Scope};
use std::fmt::{Display, Write};
use std::str::Lines;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const TEMPLATE: &str = include_str!("info.txt");

type Section = fn(&mut Call, &mut Page);

/// The sections in order. The flag is true if `INFO` without arguments shows the section.
const SECTIONS: [(&str, bool, Section); 13] = [
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
    ("Cluster", true, |_, _| {}),
    ("Keyspace", true, keyspace),
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
    let mut page = Page { text: String::new(), template: "".lines() };
    for (name, by_default, write) in SECTIONS {
        if shows(name, by_default) {
            page.begin(name);
            write(c, &mut page);
            page.copy_until("");
        }
    }
    c.out.verbatim(&page.text);
    Ok(())
}

struct Page {
    text: String,
    /// The rows of the section in `info.txt` that are not written yet.
    template: Lines<'static>,
}

impl Page {
    fn begin(&mut self, section: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\r\n");
        }
        write!(self.text, "# {section}\r\n").expect("writing to a string cannot fail");
        let mut sections = TEMPLATE.split("\n\n");
        let rows = sections.find_map(|it| it.strip_prefix("# ")?.strip_prefix(section));
        self.template = rows.unwrap_or_default().trim_start().lines();
    }

    /// Writes the rows of the template before `row`, or all that are left.
    fn copy_until(&mut self, row: &str) {
        for fixed in self.template.by_ref().take_while(|fixed| *fixed != row) {
            write!(self.text, "{fixed}\r\n").expect("writing to a string cannot fail");
        }
    }

    fn row(&mut self, name: &str, value: impl Display) {
        self.copy_until(&format!("{name}:"));
        write!(self.text, "{name}:{value}\r\n").expect("writing to a string cannot fail");
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
    page.row("minicache_version", env!("CARGO_PKG_VERSION"));
    page.row("os", &process.system);
    page.row("arch_bits", usize::BITS);
    page.row("process_id", std::process::id());
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
    let (scripts, script_bytes) = cache.scripts.size();
    page.row("used_memory_scripts_eval", script_bytes);
    page.row("number_of_cached_scripts", scripts);
    page.size("used_memory_scripts", script_bytes);
    page.size("maxmemory", settings.maxmemory as usize);
    page.row("maxmemory_policy", settings.maxmemory_policy.name());
    page.row("allocator_frag_ratio", ratio(allocated, used));
    page.row("allocator_frag_bytes", allocated.saturating_sub(used));
    page.row("allocator_rss_ratio", ratio(resident, allocated));
    page.row("allocator_rss_bytes", resident as i64 - allocated as i64);
    page.row("mem_fragmentation_ratio", ratio(resident, used));
    page.row("mem_fragmentation_bytes", resident as i64 - used as i64);
    page.row("mem_clients_normal", cache.registry.clients.memory());
    page.row("lazyfree_pending_objects", cache.shards.lazy_free.pending());
    page.row("lazyfreed_objects", cache.shards.lazy_free.freed());
}

/// Bytes of the indexes of all databases.
pub(super) fn index_bytes(c: &Call) -> usize {
    let databases = 0..c.settings.databases as usize;
    let of = |shard: &Shard| databases.clone().map(|db| shard.index_size(db).0).sum::<usize>();
    c.keyspace.shards().map(|(_, shard)| of(shard)).sum()
}

fn percent(part: usize, whole: usize) -> String {
    format!("{:.2}%", part as f64 * 100.0 / whole.max(1) as f64)
}

fn ratio(one: usize, other: usize) -> String {
    format!("{:.2}", one as f64 / other.max(1) as f64)
}

fn persistence(c: &mut Call, page: &mut Page) {
    let stats = &c.cache.stats;
    page.row("rdb_changes_since_last_save", stats.unsaved_changes());
    page.row("rdb_last_save_time", stats.last_save_s());
    page.row("rdb_saves", stats.saves.count.load(Ordering::Relaxed));

    let log = &c.cache.shards.log;
    let status = |failed: bool| if failed { "err" } else { "ok" };
    page.row("aof_enabled", u8::from(log.is_on()));
    page.row("aof_rewrite_in_progress", u8::from(log.rewriting.load(Ordering::Relaxed)));
    page.row("aof_last_bgrewrite_status", status(log.last_rewrite_failed.load(Ordering::Relaxed)));
    page.row("aof_rewrites", log.rewrites.load(Ordering::Relaxed));
    page.row("aof_last_write_status", status(c.cache.shards.has_log_failed()));
    page.row("aof_current_size", log.size.load(Ordering::Relaxed));
    page.row("aof_base_size", log.base_size.load(Ordering::Relaxed));

    if let Some(bound) = c.cache.shards.bound.get() {
        let figures = bound.queue.figures();
        page.row("write_behind_keys", figures.keys);
        page.row("write_behind_bytes", figures.bytes);
        page.row("write_behind_dead_letters", figures.dead_letters);
    }
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
    page.row("total_net_input_bytes", cache.stats.total(|core| &core.bytes_in));
    page.row("total_net_output_bytes", cache.stats.total(|core| &core.bytes_out));
    page.row("instantaneous_input_kbps", kilobytes(cache.stats.rate_in.per_second()));
    page.row("instantaneous_output_kbps", kilobytes(cache.stats.rate_out.per_second()));
    page.row("rejected_connections", cache.stats.connections.refused());
    page.row("expired_keys", totals.expired);
    page.row("evicted_keys", totals.evicted);
    page.row("evicted_clients", cache.registry.clients.evicted.load(Ordering::Relaxed));
    page.row("keyspace_hits", totals.hits);
    page.row("keyspace_misses", totals.misses);
    page.row("pubsub_channels", pubsub.count(Scope::Channel));
    page.row("pubsub_patterns", pubsub.count(Scope::Pattern));
    page.row("pubsubshard_channels", 0);
    let tracked = ["tracking_total_keys", "tracking_total_items", "tracking_total_prefixes"];
    for (name, count) in tracked.iter().zip(cache.registry.tracking.counts()) {
        page.row(name, count);
    }
    page.row("total_error_replies", cache.stats.totals.errors().values().sum::<u64>());
    page.row("total_reads_processed", cache.stats.total(|core| &core.reads));
    page.row("total_writes_processed", cache.stats.total(|core| &core.writes));
    page.row("client_output_buffer_limit_disconnections", {
        cache.stats.totals.output_limit_closes.load(Ordering::Relaxed)
    });
}

fn kilobytes(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / 1024.0)
}

fn replication(c: &mut Call, page: &mut Page) {
    page.row("master_replid", &c.cache.stats.identity.run_id);
}

/// The process that runs the server; empty under tests, which have none.
fn process(cache: &Cache) -> ProcessInfo {
    cache.host.get().map(|host| host.process()).unwrap_or_default()
}

fn cpu(c: &mut Call, page: &mut Page) {
    let process = process(c.cache);
    page.row("used_cpu_sys", format!("{:.6}", process.system_cpu_seconds));
    page.row("used_cpu_user", format!("{:.6}", process.user_cpu_seconds));
    let (user, system) = process.thread_cpu_seconds;
    page.row("used_cpu_sys_main_thread", format!("{system:.6}"));
    page.row("used_cpu_user_main_thread", format!("{user:.6}"));
}

fn command_stats(c: &mut Call, page: &mut Page) {
    for row in &catalogue::COMMANDS {
        let of = |figure| c.cache.stats.of_command(row.id(), figure);
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
            let ttl_ms = average_ttl_ms(c, db);
            let row = format!("keys={keys},expires={volatile},avg_ttl={ttl_ms}");
            page.row(&format!("db{db}"), row);
        }
    }
}

/// The mean time left of a few random keys per shard. Redis has a mean of samples too.
fn average_ttl_ms(c: &mut Call, db: usize) -> i64 {
    let now_ms = c.keyspace.now.ms;
    let sampled = c.keyspace.shards_mut().flat_map(|shard| shard.sample_deadlines(db));
    let left: Vec<i64> = sampled.map(|deadline| deadline.saturating_sub(now_ms).max(0)).collect();
    let sum: i128 = left.iter().map(|ms| i128::from(*ms)).sum();
    (sum / left.len().max(1) as i128) as i64
}
