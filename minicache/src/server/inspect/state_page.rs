//! The state page: tables of what the cache holds and how its parts are doing.
//!
//! ```text
//! Expiry wheel                                     Eviction pool, the next to go first
//! level  one slot spans  reaches     keys          shard  db  key     coldness
//! 0      16 ms           1.0 s         12          3      0   user:7  idle 90 s
//! 1      1.0 s           66 s         840          3      0   user:2  idle 60 s
//! ```
//!
//! Keys are shown by name, cut to some forty characters, so the page is for whoever may read the
//! data. Everything walked is bounded ([`WALKED`], [`SAMPLED`]). Redis shows some of this to those
//! who know where to ask: `MEMORY STATS`, `DEBUG HTSTATS`, `CLIENT LIST`, and the pool to nobody.

use super::{Figures, databases, each_shard, keys_by_database, of_command};
use crate::commands::cache::Cache;
use crate::commands::catalogue;
use crate::engine::eviction::pool::Candidate;
use crate::engine::rng::Rng;
use crate::engine::store::shard::Shard;
use crate::engine::store::slab::ClassUse;
use crate::engine::store::wheel;
use crate::engine::tuning::MaxmemoryPolicy as Policy;
use crate::server::now;
use minikit::admin::StatePage;
use minikit::process::Process;
use minikit::value::Value;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// Keys counted per shard and level of the wheel: the lists of a busy wheel are long.
const WALKED: usize = 1000;
/// Keys per shard whose encodings are looked at.
const SAMPLED: usize = 64;
/// Clients, commands and candidates shown at most.
const ROWS: usize = 24;
/// Characters of a key that are shown.
const KEY_CHARS: usize = 40;

/// The whole page.
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

/// What is seen of one shard under its lock.
struct View {
    figures: Figures,
    /// Keys per level of the wheel, [`WALKED`] at most.
    wheel: [usize; wheel::LEVELS],
    classes: Vec<ClassUse>,
    candidates: Vec<Candidate>,
    /// How many sampled keys there are of each type and encoding, and their bytes.
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

/// Looks at keys from a random place of each index on.
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
            cursor = shard.scan(db, cursor, |handle| handles.push(handle));
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
        .row(["commands per second, lately".into(), cache.stats.rate.per_second().into()])
        .row(["clients".into(), cache.registry.clients.len().into()])
        .row(["clients in blocking commands".into(), cache.registry.blocked.count().get().into()])
        .row(["clients turned away".into(), cache.stats.connections.refused().into()])
        .row(["error replies".into(), cache.stats.totals.errors().values().sum::<u64>().into()]);
}

fn memory(cache: &Cache, shards: &[&Figures], page: &mut StatePage) {
    let sum = |figure: fn(&Figures) -> usize| shards.iter().map(|it| figure(it)).sum::<usize>();
    let settings = &cache.config.snapshot().settings;
    let limit = match settings.maxmemory {
        0 => "no limit".to_string(),
        bytes => size(bytes as usize),
    };
    page.list("Memory", "Used is what the allocator gave, less what lies free in slab pages.")
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
    let columns = ["database", "keys", "with a deadline"];
    let table = page.table("Keys", "Databases that hold any.", &columns);
    for (db, (keys, volatile)) in keys_by_database(views.iter().map(|it| &it.figures))
        .into_iter()
        .enumerate()
        .filter(|(_, (keys, _))| *keys > 0)
    {
        table.row([db.into(), keys.into(), volatile.into()]);
    }
}

fn busiest_commands(cache: &Cache, page: &mut StatePage) {
    let note = "Of quick commands one in 256 is timed, and counts for all.";
    let columns = ["command", "calls", "µs per call", "errors"];
    let calls = |id| of_command(cache, id, |it| &it.calls);
    let mut rows: Vec<_> = catalogue::COMMANDS.iter().map(|row| (calls(row.id()), row)).collect();
    rows.retain(|(calls, _)| *calls > 0);
    rows.sort_by_key(|(calls, _)| std::cmp::Reverse(*calls));
    let table = page.table("Busiest commands", note, &columns);
    for (calls, row) in rows.into_iter().take(ROWS) {
        let ns = of_command(cache, row.id(), |it| &it.took_ns);
        let us = format!("{:.2}", ns as f64 / 1000.0 / calls as f64);
        let failed = of_command(cache, row.id(), |it| &it.failed);
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
            // What is missing from the sum can only be here.
            [only] if *only == level => (keys(level) + uncounted).into(),
            several if several.contains(&level) => format!("{} or more", keys(level)).into(),
            _ => keys(level).into(),
        };
        table.row([level.into(), span(slot_ms).into(), span(reach_ms).into(), keys]);
    }
}

fn eviction_pool(cache: &Cache, views: &[View], page: &mut StatePage) {
    let policy = cache.config.snapshot().settings.maxmemory_policy;
    let note = "The coldest keys that were sampled, kept from one eviction to the next. The first \
                of each shard is the next to go. Empty until something is evicted.";
    let table = page.table("Eviction pool", note, &["shard", "db", "key", "when it was sampled"]);
    for (index, view) in views.iter().enumerate() {
        for candidate in view.candidates.iter().rev().take(ROWS) {
            table.row([
                index.into(),
                candidate.db.into(),
                shown(&candidate.key).into(),
                coldness(policy, candidate.coldness).into(),
            ]);
        }
    }
}

/// A policy's measure in words.
fn coldness(policy: Policy, coldness: u64) -> String {
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
    }
}

fn encodings(views: &[View], page: &mut StatePage) {
    let mut sum: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for (kind, (count, bytes)) in views.iter().flat_map(|view| &view.encodings) {
        let found = sum.entry(*kind).or_default();
        *found = (found.0 + count, found.1 + bytes);
    }
    let all: usize = sum.values().map(|(count, _)| count).sum();
    let note = format!("Of {all} keys looked at, {SAMPLED} or so in each shard and database.");
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
    let note = "Pages of 64 KiB are cut into slots of one size. Larger entries have pages of their \
                own.";
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
            client.address.as_str().into(),
            shown(&client.about.lock().name).into(),
            figures.db.load(Ordering::Relaxed).into(),
            since(client.since_ms).into(),
            since(figures.active_ms.load(Ordering::Relaxed)).into(),
            format!("{}{blocked}", last.map_or("", |row| row.name)).into(),
            figures.output_bytes.load(Ordering::Relaxed).into(),
        ]);
    }
}

fn shard_table(shards: &[&Figures], page: &mut StatePage) {
    let columns = [
        "shard",
        "keys",
        "volatile",
        "buckets",
        "keys per bucket",
        "slab",
        "free",
        "hits",
        "misses",
        "expired",
        "evicted",
    ];
    let note = "One lock each. A bucket of the index is a cache line of 12 places.";
    let table = page.table("Shards", note, &columns);
    for (index, shard) in shards.iter().enumerate() {
        let (keys, volatile) =
            shard.keys.iter().fold((0, 0), |sum, keys| (sum.0 + keys.0, sum.1 + keys.1));
        let load = format!("{:.1}", keys as f64 / shard.index_buckets.max(1) as f64);
        table.row([
            index.into(),
            keys.into(),
            volatile.into(),
            shard.index_buckets.into(),
            load.into(),
            size(shard.slab_bytes).into(),
            size(shard.slab_free_bytes).into(),
            shard.stats.hits.into(),
            shard.stats.misses.into(),
            shard.stats.expired.into(),
            shard.stats.evicted.into(),
        ]);
    }
}

/// Bytes for people.
fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.2} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

/// A length of time for people.
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
