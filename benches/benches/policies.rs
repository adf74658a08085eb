//! Eviction policies beside the caches that Rust programs use: hits per second and hit ratio.
//!
//! ```text
//! request of key 17   get(17): a hit   or   get(17), insert(17): a miss, and another key goes
//! ```
//!
//! `cargo bench -p benches --bench policies`, with 1 and with 2 threads, which take the requests of
//! the trace in turn. A figure in elem/s is hits per second; the hit ratio is printed before it.
//! `BENCHES_OLTP=OLTP.lis` adds the OLTP trace of the ARC paper (FAST 2003), which is not ours to
//! distribute.
//!
//! minicache's orders ([`minicache::policy`]) are for one thread, so each of 16 parts is behind a
//! lock here. moka 0.12 (W-TinyLFU), quick_cache 0.7 (near S3-FIFO) and foyer 0.22 (S3-FIFO, SIEVE;
//! its memory part alone, `foyer-memory`) lock by themselves. All hold the same number of keys.
//! moka applies its log of reads and writes in batches, so it may hold more for a moment.

use std::hint::black_box;
use std::time::Duration;

use ahash::RandomState;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use foyer_memory::{EvictionConfig, S3FifoConfig, SieveConfig};
use minicache::explain::race::Trace;
use minicache::policy::{Cache, ExactLru, Order, S3Fifo, Sieve, Slots, TinyLfu};
use parking_lot::Mutex;

const PARTS: usize = 16;
const REQUESTS: usize = 200_000;
/// Keys in the cache, by name.
const CAPACITIES: [(&str, usize); 2] = [("1k", 1_000), ("10k", 10_000)];

/// A cache of numbers.
trait Cached: Sync {
    /// Reads a key, and inserts it if it is absent. Returns true if it was there.
    fn request(&self, key: u64) -> bool;
}

/// An order of minicache, in parts with a lock each.
struct Parts<O>(Vec<Mutex<Cache<u64, u64, O>>>, RandomState);

impl<O: Order<Slots<u64, u64>> + Default> Parts<O> {
    fn new(capacity: usize) -> Parts<O> {
        let part = || Mutex::new(Cache::new(capacity / PARTS, O::default()));
        Parts(std::iter::repeat_with(part).take(PARTS).collect(), RandomState::new())
    }
}

impl<O: Order<Slots<u64, u64>>> Cached for Parts<O> {
    fn request(&self, key: u64) -> bool {
        let part = self.1.hash_one(key) as usize % PARTS;
        let cache = &mut self.0[part].lock();
        let is_hit = cache.get(&key).is_some_and(|value| black_box(*value) == key);
        if !is_hit {
            cache.insert(key, key);
        }
        is_hit
    }
}

impl Cached for moka::sync::Cache<u64, u64, RandomState> {
    fn request(&self, key: u64) -> bool {
        let is_hit = self.get(&key).is_some_and(|value| value == key);
        if !is_hit {
            self.insert(key, key);
        }
        is_hit
    }
}

impl Cached for quick_cache::sync::Cache<u64, u64, quick_cache::UnitWeighter, RandomState> {
    fn request(&self, key: u64) -> bool {
        let is_hit = self.get(&key).is_some_and(|value| value == key);
        if !is_hit {
            self.insert(key, key);
        }
        is_hit
    }
}

impl Cached for foyer_memory::Cache<u64, u64, RandomState> {
    fn request(&self, key: u64) -> bool {
        let is_hit = self.get(&key).is_some_and(|entry| *entry.value() == key);
        if !is_hit {
            self.insert(key, key);
        }
        is_hit
    }
}

fn moka(capacity: usize) -> impl Cached {
    let builder = moka::sync::Cache::builder().max_capacity(capacity as u64);
    builder.build_with_hasher(RandomState::new())
}

fn quick_cache(capacity: usize) -> impl Cached {
    quick_cache::sync::Cache::with(
        capacity,
        capacity as u64,
        quick_cache::UnitWeighter,
        RandomState::new(),
        quick_cache::sync::DefaultLifecycle::default(),
    )
}

fn foyer(capacity: usize, eviction: impl Into<EvictionConfig>) -> impl Cached {
    let builder = foyer_memory::CacheBuilder::new(capacity).with_shards(PARTS);
    builder.with_eviction_config(eviction).with_hash_builder(RandomState::new()).build()
}

/// Plays the requests on so many threads, which take them in turn. Returns the hits.
fn play(cache: &impl Cached, trace: &[u64], threads: usize) -> usize {
    std::thread::scope(|scope| {
        let player = |index| {
            let own = trace.iter().skip(index).step_by(threads);
            move || own.filter(|key| cache.request(**key)).count()
        };
        let players = (1..threads).map(|index| scope.spawn(player(index))).collect::<Vec<_>>();
        let own = player(0)();
        own + players.into_iter().map(|it| it.join().expect("none panics")).sum::<usize>()
    })
}

fn measure(group: &mut BenchmarkGroup<WallTime>, name: &str, trace: &[u64], cache: impl Cached) {
    for threads in [1, 2] {
        // The first time the cache is cold, so the figures are of the second and the next ones.
        play(&cache, trace, threads);
        let hits = play(&cache, trace, threads);
        let ratio = hits as f64 / trace.len() as f64;
        assert!((0.2..0.9).contains(&ratio), "{name} has {hits} hits");

        group.throughput(Throughput::Elements(hits as u64));
        group.bench_function(format!("{name}/{threads}"), |b| {
            println!("hit ratio {:.1} %", 100.0 * ratio);
            b.iter(|| play(&cache, trace, threads));
        });
    }
}

fn policies(c: &mut Criterion) {
    let zipf = Trace::named("zipf").expect("it is generated").keys;
    let mut traces = vec![("policies", zipf[..REQUESTS].to_vec())];
    if let Ok(path) = std::env::var("BENCHES_OLTP") {
        traces.push(("policies_oltp", Trace::named(&path).expect("a trace").keys));
    }
    for (trace_name, trace) in &traces {
        for (size, capacity) in CAPACITIES {
            let group = &mut c.benchmark_group(format!("{trace_name}/{size}"));
            measure(group, "exact_lru", trace, Parts::<ExactLru>::new(capacity));
            measure(group, "sieve", trace, Parts::<Sieve>::new(capacity));
            measure(group, "s3_fifo", trace, Parts::<S3Fifo>::new(capacity));
            measure(group, "tiny_lfu", trace, Parts::<TinyLfu>::new(capacity));
            measure(group, "moka", trace, moka(capacity));
            measure(group, "quick_cache", trace, quick_cache(capacity));
            measure(group, "foyer_s3_fifo", trace, foyer(capacity, S3FifoConfig::default()));
            measure(group, "foyer_sieve", trace, foyer(capacity, SieveConfig));
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    targets = policies
}
criterion_main!(benches);
