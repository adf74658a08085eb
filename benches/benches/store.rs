//! The keyspace against embedded caches: get, set, evict, expire at a thousand, a hundred thousand
//! and ten million keys.
//!
//! `cargo bench -p benches --bench store`; with `-- /1k/` only the smallest, and so on.
//!
//! Ten million need some five gigabytes; where less is free they are left out, which is said. A
//! cache is filled when the first benchmark on it runs, so a filter saves that time as well.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::hint::black_box;
use std::time::{Duration, Instant};

use ahash::RandomState;
use benches::engine::{Engine, NOW};
use benches::keys::{KEY_BYTES, key, value};
use benches::peers::{Locked, Minicache, Moka, Peer, QuickCache, ReadLocked, Visitor};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use minicache::engine::rng::Rng;

/// A number of keys and its name.
type Size = (usize, &'static str);

const SIZES: [Size; 3] = [(1_000, "1k"), (100_000, "100k"), (10_000_000, "10M")];
/// Memory that must be free before ten million keys are tried.
const FREE_BYTES_LEAST: u64 = 6 << 30;

fn sizes() -> impl Iterator<Item = Size> {
    SIZES.into_iter().filter(|(keys, name)| {
        let fits = *keys < 1_000_000 || available_bytes() >= FREE_BYTES_LEAST;
        if !fits {
            println!("{name} keys left out: less than 6 GiB of memory are available");
        }
        fits
    })
}

/// What the kernel says could be used without swapping.
fn available_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn group<'c>(c: &'c mut Criterion, what: &str, size: Size) -> BenchmarkGroup<'c, WallTime> {
    let mut group = c.benchmark_group(format!("{what}/{}", size.1));
    group.throughput(Throughput::Elements(1));
    group
}

fn everything(c: &mut Criterion) {
    for size in sizes() {
        get_and_set::<Minicache>(c, size);
        get_and_set::<QuickCache>(c, size);
        get_and_set::<Moka>(c, size);
        get_and_set::<Locked>(c, size);
        get_and_set::<ReadLocked>(c, size);
        evict::<Minicache>(c, size);
        evict::<QuickCache>(c, size);
        evict::<Moka>(c, size);
        expire_by_wheel(c, size);
        expire_by_order(c, size);
    }
}

fn filled<P: Peer>(room: usize, keys: usize) -> P {
    let peer = P::with_room_for(room);
    let mut visitor = peer.visit();
    (0..keys as u64).for_each(|number| visitor.set(&key(number), &value(number)));
    drop(visitor);
    peer
}

/// Random keys, all of them there. A value is made of its key, so each can be checked.
fn get_and_set<P: Peer>(c: &mut Criterion, size: Size) {
    let keys = size.0;
    // Caches split their room among parts that fill unevenly.
    let (peer, fill) = (OnceCell::new(), || filled::<P>(2 * keys, keys));
    let (mut rng, mut out) = (Rng::new(1), Vec::new());
    group(c, "get", size).bench_function(P::NAME, |b| {
        let mut visitor = peer.get_or_init(fill).visit();
        b.iter(|| {
            let name = key(rng.below(keys) as u64);
            out.clear();
            assert!(visitor.get(black_box(&name), &mut out), "every key is there");
            assert_eq!(out[..KEY_BYTES], name);
        });
    });
    group(c, "set", size).bench_function(P::NAME, |b| {
        let mut visitor = peer.get_or_init(fill).visit();
        b.iter(|| {
            let number = rng.below(keys) as u64;
            visitor.set(black_box(&key(number)), &value(number));
        });
    });
    assert!(peer.get().is_none_or(|peer| peer.len() == keys), "none was added or lost");
}

/// New keys into a full cache: each costs another one its place.
fn evict<P: Peer>(c: &mut Criterion, size: Size) {
    let keys = size.0;
    let peer = OnceCell::new();
    let mut number = keys as u64;
    group(c, "evict", size).bench_function(P::NAME, |b| {
        let mut visitor = peer.get_or_init(|| filled::<P>(keys, keys)).visit();
        b.iter(|| {
            visitor.add(black_box(&key(number)), &value(number));
            number += 1;
        });
    });
    // quick_cache rounds its room up for each of its parts.
    let kept = |peer: &P| (1..=keys + keys / 4).contains(&peer.len());
    assert!(peer.get().is_none_or(kept), "the cache has the size it was given");
}

/// Keys that die together, beside `keys` others that live on.
const DYING: u64 = 1000;
/// When those others would die: later than any benchmark runs.
const FAR_MS: i64 = NOW.ms + 10 * 365 * 86_400_000;

/// minicache's timing wheel.
fn expire_by_wheel(c: &mut Criterion, size: Size) {
    let (engine, mut now) = (OnceCell::new(), NOW);
    let fill = || {
        let engine = Engine::new(64);
        let mut keyspace = engine.keyspace(0);
        keyspace.lock_all();
        for number in 0..size.0 as u64 {
            keyspace.set_string(
                engine.cache.shards.key(&key(number)),
                &value(number),
                Some(FAR_MS),
            );
        }
        drop(keyspace);
        engine
    };
    let mut group = group(c, "expire", size);
    group.throughput(Throughput::Elements(DYING));
    group.bench_function(Minicache::NAME, |b| {
        let engine = engine.get_or_init(fill);
        let mut keyspace = engine.keyspace(0);
        keyspace.lock_all();
        keyspace.now = now;
        b.iter_custom(|rounds| {
            let mut taken = Duration::ZERO;
            for _ in 0..rounds {
                for number in size.0 as u64..size.0 as u64 + DYING {
                    keyspace.set_string(
                        engine.cache.shards.key(&key(number)),
                        &value(number),
                        Some(keyspace.now.ms + 500),
                    );
                }
                keyspace.now.ms += 1000;
                let start = Instant::now();
                for shard in 0..engine.cache.shards.len() {
                    keyspace.expire_due(shard, 0, usize::MAX);
                }
                taken += start.elapsed();
            }
            taken
        });
        now = keyspace.now;
        let left: usize = keyspace.shards().map(|(_, shard)| shard.len(0)).sum();
        assert_eq!(left, size.0);
    });
}

/// What one writes by hand: a map, and the keys in the order of their deadlines. moka is not here:
/// its clock goes by seconds and cannot be set. quick_cache has no deadlines.
fn expire_by_order(c: &mut Criterion, size: Size) {
    let mut map: HashMap<Box<[u8]>, Box<[u8]>, RandomState> = HashMap::default();
    let mut order: BTreeSet<(i64, Box<[u8]>)> = BTreeSet::new();
    let mut now_ms = NOW.ms;
    let mut group = group(c, "expire", size);
    group.throughput(Throughput::Elements(DYING));
    group.bench_function("map_and_tree", |b| {
        for number in map.len() as u64..size.0 as u64 {
            map.insert(key(number).into(), value(number).into());
            order.insert((FAR_MS, key(number).into()));
        }
        b.iter_custom(|rounds| {
            let mut taken = Duration::ZERO;
            for _ in 0..rounds {
                for number in size.0 as u64..size.0 as u64 + DYING {
                    map.insert(key(number).into(), value(number).into());
                    order.insert((now_ms + 500, key(number).into()));
                }
                now_ms += 1000;
                let start = Instant::now();
                while let Some((deadline, _)) = order.first().filter(|first| first.0 <= now_ms) {
                    black_box(deadline);
                    let (_, name) = order.pop_first().expect("it was there just now");
                    map.remove(&name);
                }
                taken += start.elapsed();
            }
            taken
        });
        assert_eq!((map.len(), order.len()), (size.0, size.0));
    });
}

criterion_group! {
    name = store;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = everything
}
criterion_main!(store);
