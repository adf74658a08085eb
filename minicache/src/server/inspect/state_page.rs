//! The state page: tables of memory, keys, expiry, eviction and clients.
//!
//! ```text
//! Expiry wheel                                     Eviction pool, the next to be evicted first
//! level  one slot spans  reaches     keys          shard  db  key     when it was sampled
//! 0      16 ms           1.0 s         12          3      0   user:7  idle 90 s
//! 1      1.0 s           66 s         840          3      0   user:2  idle 60 s
//! ```
//!
//! Keys are shown by name, cut to [`KEY_CHARS`]: the page is for people who may read the data. All
//! that is walked is bounded ([`WALKED`], [`SAMPLED`]). Redis shows parts of it in `MEMORY STATS`,
//! `DEBUG HTSTATS` and `CLIENT LIST`; it does not show its eviction pool.

use super::{Figures, databases, each_shard, keys_by_database};
use crate::commands::{cache::Cache, catalogue};
use crate::engine::store::shard::{Shard, ShardStats};
use crate::engine::tuning::MaxmemoryPolicy as Policy;
use crate::engine::{eviction::pool::Candidate, rng::Rng, store::slab::ClassUse, store::wheel};
use crate::server::now;
use minikit::admin::StatePage;
use minikit::process::Process;
use minikit::value::Value;
use std::{cmp::Reverse, collections::BTreeMap, sync::atomic::Ordering};

/// Keys counted per shard and level of the wheel: the lists of a busy wheel are long.
const WALKED: usize = 1000;
/// Keys sampled per shard for their encodings.
const SAMPLED: usize = 64;
/// Clients, commands and candidates shown at most.
const ROWS: usize = 24;
/// Characters of a key that are shown.
const KEY_CHARS: usize = 40;

pub(super) fn look(cache: &Cache) -> StatePage {
    let mut page = StatePage::new("minicache");
    let databases = databases(cache);
    let mut rng = cache.shards.rng();
    let views = each_shard(cache, |_, shard| View::of(shard, databases, &mut rng));
    let shards: Vec<&Figures> = views.iter().map(|view| &view.figures).collect();
    server(cache, &mut page);
    memory(cache, &shards, &mut page);
    keys(&views, &mut page);
    busiest_commands(cache, &mut page);
    expiry_wheel(&views, &mut page);
    eviction_pool(cache, &views, &mut page);
    encodings(&views, &mut page);
    slab_pages(&views, &mut page);
    clients(cache, &mut page);
    shard_table(&shards, &mut page);
    page
}

/// What is read from one shard under its lock.
struct View {
    figures: Figures,
    /// Keys per level of the wheel, [`WALKED`] at most.
    wheel: [usize; wheel::LEVELS],
    classes: Vec<ClassUse>,
    candidates: Vec<Candidate>,
    /// Sampled keys of each type and encoding, and their bytes.
    encodings: BTreeMap<(&'static str, &'static str), (usize, usize)>,
}

impl View {
    fn of(shard: &Shard, databases: usize, rng: &mut Rng) -> View {
        let mut wheel = [0; wheel::LEVELS];
        for db in 0..databases {
            let levels = shard.wheel_levels(db, WALKED);
            wheel.iter_mut().zip(levels).for_each(|(sum, keys)| *sum += keys);
        }
        View {
            figures: Figures::of(shard, databases),
            wheel,
            classes: shard.slab().usage(),
            candidates: shard.pool.candidates().to_vec(),
            encodings: sample_encodings(shard, databases, rng),
        }
    }
}

/// Samples keys, starting at a random bucket of each index.
fn sample_encodings(
    shard: &Shard,
    databases: usize,
    rng: &mut Rng,
) -> BTreeMap<(&'static str, &'static str), (usize, usize)> {
    let mut found = BTreeMap::new();
    for db in 0..databases {
        let mut handles = Vec::new();
        let mut cursor = rng.next_u64();
        while cursor != 0 && handles.len() < SAMPLED.min(shard.len(db)) {
            cursor = shard.table(db).scan(cursor, |handle| handles.push(handle));
        }
        for handle in handles {
            let value = shard.value(handle);
            let (count, bytes) =
                found.entry((value.type_name(), value.encoding())).or_insert((0, 0));
            *count += 1;
            *bytes += shard.footprint(handle);
        }
    }
    found
}

fn server(cache: &Cache, page: &mut StatePage) {
    let up_s = (now().ms - cache.stats.identity.started_ms).max(0) / 1000;
    page.list("Server", "")
        .row(["version".into(), env!("CARGO_PKG_VERSION").into()])
        .row(["port".into(), cache.stats.identity.port.load(Ordering::Relaxed).into()])
        .row(["up".into(), span(up_s as u64 * 1000).into()])
        .row(["cores".into(), cache.stats.counters.len().into()])
        .row(["commands".into(), cache.stats.commands().into()])
        .row(["commands per second".into(), cache.stats.rate.per_second().into()])
        .row(["clients".into(), cache.registry.clients.len().into()])
        .row(["clients in blocking commands".into(), cache.registry.blocked.count().get().into()])
        .row(["clients refused".into(), cache.stats.connections.refused().into()])
        .row(["error replies".into(), cache.stats.totals.errors().values().sum::<u64>().into()]);
}

fn memory(cache: &Cache, shards: &[&Figures], page: &mut StatePage) {
    let sum = |figure: fn(&Figures) -> usize| shards.iter().map(|it| figure(it)).sum::<usize>();
    let settings = &cache.config.snapshot().settings;
    let limit = match settings.maxmemory {
        0 => "no limit".to_string(),
        bytes => size(bytes as usize),
    };
    page.list(
        "Memory",
        "Used: what the allocator has handed out, less the free bytes in slab pages.",
    )
    .row(["used".into(), size(cache.shards.used_memory()).into()])
    .row(["maxmemory".into(), limit.into()])
    .row(["maxmemory-policy".into(), settings.maxmemory_policy.name().into()])
    .row(["peak".into(), size(cache.shards.peak_memory()).into()])
    .row(["allocated".into(), size(crate::raw::allocated()).into()])
    .row(["slab pages".into(), size(sum(|it| it.slab_bytes)).into()])
    .row(["free in slab pages".into(), size(sum(|it| it.slab_free_bytes)).into()])
    .row(["indexes of the keys".into(), size(sum(|it| it.index_bytes)).into()])
    .row(["resident".into(), size(Process::look().resident_bytes as usize).into()]);
}

fn keys(views: &[View], page: &mut StatePage) {
    let columns = ["database", "keys", "with a TTL"];
    let table = page.table("Keys", "Databases that are not empty.", &columns);
    for (db, (keys, volatile)) in keys_by_database(views.iter().map(|it| &it.figures))
        .into_iter()
        .enumerate()
        .filter(|(_, (keys, _))| *keys > 0)
    {
        table.row([db.into(), keys.into(), volatile.into()]);
    }
}

fn busiest_commands(cache: &Cache, page: &mut StatePage) {
    let note = "Times are estimated from one in 256 for quick commands.";
    let columns = ["command", "calls", "µs per call", "errors"];
    let calls = |id| cache.stats.of_command(id, |it| &it.calls);
    let mut rows: Vec<_> = catalogue::COMMANDS.iter().map(|row| (calls(row.id()), row)).collect();
    rows.retain(|(calls, _)| *calls > 0);
    rows.sort_by_key(|(calls, _)| Reverse(*calls));
    let table = page.table("Busiest commands", note, &columns);
    for (calls, row) in rows.into_iter().take(ROWS) {
        let ns = cache.stats.of_command(row.id(), |it| &it.took_ns);
        let us = (ns as f64 / 10.0 / calls as f64).round() / 100.0;
        let failed = cache.stats.of_command(row.id(), |it| &it.failed);
        table.row([row.name.into(), calls.into(), us.into(), failed.into()]);
    }
}

fn expiry_wheel(views: &[View], page: &mut StatePage) {
    let note = format!("Counted up to {WALKED} keys per shard, database and level.");
    let columns = ["level", "one slot spans", "reaches", "keys"];
    let table = page.table("Expiry wheel", &note, &columns);
    let keys = |level: usize| views.iter().map(|view| view.wheel[level]).sum::<usize>();
    let is_cut = |level: usize| views.iter().any(|view| view.wheel[level] >= WALKED);
    let cut: Vec<usize> = (0..wheel::LEVELS).filter(|level| is_cut(*level)).collect();
    let all = views.iter().flat_map(|view| &view.figures.keys).map(|(_, volatile)| volatile);
    let uncounted = all.sum::<usize>().saturating_sub((0..wheel::LEVELS).map(keys).sum());
    for level in 0..wheel::LEVELS {
        let slot_ms = wheel::slot_span_ms(level);
        let reach_ms = slot_ms * wheel::SLOTS as u64;
        let keys: Value = match cut.as_slice() {
            // With one level cut short, the keys missing from the sum are on that level.
            [only] if *only == level => (keys(level) + uncounted).into(),
            several if several.contains(&level) => format!("{} or more", keys(level)).into(),
            _ => keys(level).into(),
        };
        table.row([level.into(), span(slot_ms).into(), span(reach_ms).into(), keys]);
    }
}

fn eviction_pool(cache: &Cache, views: &[View], page: &mut StatePage) {
    let policy = cache.config.snapshot().settings.maxmemory_policy;
    let candidates = views.iter().enumerate().flat_map(|(shard, view)| {
        view.candidates.iter().map(move |candidate| (candidate.coldness, shard, candidate))
    });
    let mut candidates: Vec<_> = candidates.collect();
    candidates.sort_by_key(|(coldness, ..)| Reverse(*coldness));
    let note = format!(
        "The coldest {} of {} keys that were sampled for earlier evictions and not evicted. The \
         first of a shard is its next to go.",
        candidates.len().min(ROWS),
        candidates.len()
    );
    let table = page.table("Eviction pool", &note, &["shard", "db", "key", "when it was sampled"]);
    for (coldness, shard, candidate) in candidates.into_iter().take(ROWS) {
        table.row([
            shard.into(),
            candidate.db.into(),
            shown(&candidate.key).into(),
            measure(policy, coldness).into(),
        ]);
    }
}

/// A candidate's coldness in the unit of the policy.
fn measure(policy: Policy, coldness: u64) -> String {
    match policy {
        Policy::AllKeysLru | Policy::VolatileLru | Policy::NoEviction => {
            format!("idle {}", span(coldness))
        }
        Policy::AllKeysLfu | Policy::VolatileLfu => {
            format!("frequency {}", 255u64.saturating_sub(coldness))
        }
        Policy::VolatileTtl => {
            let left_ms = (u64::MAX - coldness).saturating_sub(now().ms.max(0) as u64);
            format!("{} left now", span(left_ms))
        }
        Policy::AllKeysRandom | Policy::VolatileRandom => "drawn".to_string(),
        Policy::Ordered(_) => "not sampled".to_string(),
    }
}

fn encodings(views: &[View], page: &mut StatePage) {
    let mut sum: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for (kind, (count, bytes)) in views.iter().flat_map(|view| &view.encodings) {
        let found = sum.entry(*kind).or_default();
        *found = (found.0 + count, found.1 + bytes);
    }
    let all: usize = sum.values().map(|(count, _)| count).sum();
    let note = format!("Of {all} sampled keys, about {SAMPLED} per shard and database.");
    let columns = ["type", "encoding", "keys", "share", "bytes per key"];
    let table = page.table("Encodings", &note, &columns);
    for ((kind, encoding), (count, bytes)) in sum {
        let share = format!("{:.1} %", count as f64 * 100.0 / all as f64);
        let each = bytes / count;
        table.row([kind.into(), encoding.into(), count.into(), share.into(), each.into()]);
    }
}

fn slab_pages(views: &[View], page: &mut StatePage) {
    let mut sum: BTreeMap<usize, ClassUse> = BTreeMap::new();
    for class in views.iter().flat_map(|view| &view.classes) {
        sum.entry(class.slot_bytes).or_default().add(class);
    }
    let note = "Pages of 64 KiB have slots of one size. Larger entries have pages of their own.";
    let columns = ["slot", "pages", "slots", "in use", "full"];
    let table = page.table("Slab pages", note, &columns);
    for (slot_bytes, class) in sum {
        let slot = if slot_bytes == 0 { "own page".into() } else { slot_bytes.to_string() };
        let full = format!("{:.0} %", class.used as f64 * 100.0 / class.slots.max(1) as f64);
        let ClassUse { pages, slots, used, .. } = class;
        table.row([slot.into(), pages.into(), slots.into(), used.into(), full.into()]);
    }
}

fn clients(cache: &Cache, page: &mut StatePage) {
    let now_ms = now().ms;
    let all = cache.registry.clients.all();
    let note = format!("{} of {}, the latest first.", all.len().min(ROWS), all.len());
    let columns = ["id", "address", "name", "db", "age", "idle", "last command", "unsent bytes"];
    let table = page.table("Clients", &note, &columns);
    for client in all.iter().rev().take(ROWS) {
        let figures = &client.figures;
        let since = |ms: i64| span((now_ms - ms).max(0) as u64);
        let last = figures.last_command.load(Ordering::Relaxed) as usize;
        let last = last.checked_sub(1).and_then(|row| catalogue::COMMANDS.get(row));
        let blocked = if figures.blocked.load(Ordering::Relaxed) { ", waiting" } else { "" };
        table.row([
            client.id.into(),
            (&*client.address).into(),
            shown(&client.about().name).into(),
            figures.db.load(Ordering::Relaxed).into(),
            since(client.since_ms).into(),
            since(figures.active_ms.load(Ordering::Relaxed)).into(),
            format!("{}{blocked}", last.map_or("", |row| row.name)).into(),
            figures.output_bytes.load(Ordering::Relaxed).into(),
        ]);
    }
}

fn shard_table(shards: &[&Figures], page: &mut StatePage) {
    let note = "One lock each. The index has buckets of one cache line, 12 keys at most. Load: \
                keys per bucket.";
    let counts = ["shard", "keys", "volatile", "buckets", "load", "slab", "free"];
    let events = ["hits", "misses", "expired", "evicted"];
    let table = page.table("Shards", note, &[&counts[..], &events].concat());
    for (index, shard) in shards.iter().enumerate() {
        let (keys, volatile) =
            shard.keys.iter().fold((0, 0), |sum, keys| (sum.0 + keys.0, sum.1 + keys.1));
        let counts = [index, keys, volatile, shard.index_buckets].map(Value::from);
        let load = format!("{:.1}", keys as f64 / shard.index_buckets.max(1) as f64);
        let sizes = [load, size(shard.slab_bytes), size(shard.slab_free_bytes)].map(Value::from);
        let ShardStats { hits, misses, expired, evicted, .. } = shard.stats;
        let events = [hits, misses, expired, evicted].map(Value::from);
        table.row(counts.into_iter().chain(sizes).chain(events));
    }
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.2} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

fn span(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..120_000 => format!("{:.1} s", ms as f64 / 1e3),
        120_000..7_200_000 => format!("{:.1} min", ms as f64 / 6e4),
        7_200_000..172_800_000 => format!("{:.1} h", ms as f64 / 3.6e6),
        _ => format!("{:.1} d", ms as f64 / 8.64e7),
    }
}

/// The beginning of a key, printable.
fn shown(key: &[u8]) -> String {
    let text = key.escape_ascii().to_string();
    match text.char_indices().nth(KEY_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
