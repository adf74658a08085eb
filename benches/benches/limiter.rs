//! What one rate limit decision costs, beside the crate `governor`.
//!
//! ```text
//! one      one key, one thread       a compare-and-swap
//! shared   one key, two threads      the same word passes between the cores
//! 1k, 1m   that many keys, in turn   a lookup, then the same
//! ```
//!
//! `cargo bench -p benches --bench limiter`. Both run GCRA with nanoseconds in an atomic word, read
//! the same clock of one atomic word, and hash keys with the same `ahash` (the default hasher of
//! `governor` is slower). All keys are known before the measurement begins, and all requests are
//! admitted, which is the case that writes. What is measured is processor time: a wall clock would
//! count the neighbors of a shared machine.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use governor::clock::{Clock, FakeRelativeClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use minigateway::engine::limiter::cell::Cell;
use minigateway::engine::limiter::gcra::Gcra;
use minigateway::engine::store::Store;

/// Requests a second, and at once: more than any run sends.
const RATE: u32 = 1_000_000;
const BURST: u32 = u32::MAX;

/// The gateway chooses the algorithm before it looks up a key, so here it is a type as well.
fn gcra() -> Gcra {
    Gcra::new(RATE.into(), Duration::from_secs(1), BURST.into()).expect("no zero")
}

/// A second after the start.
fn clock() -> FakeRelativeClock {
    let clock = FakeRelativeClock::default();
    clock.advance(Duration::from_secs(1));
    clock
}

fn quota() -> Quota {
    let non_zero = |it| NonZeroU32::new(it).expect("no zero");
    Quota::per_second(non_zero(RATE)).allow_burst(non_zero(BURST))
}

type Map = DashMapStateStore<u64, ahash::RandomState>;
type Keyed = RateLimiter<u64, Map, FakeRelativeClock, NoOpMiddleware<Nanos>>;

fn governor_keyed() -> Keyed {
    RateLimiter::new(quota(), Map::default(), clock())
}

/// The processor time of the calling thread so far.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|it| it.parse().ok());
    Duration::from_nanos(nanoseconds.expect("Linux tells it"))
}

/// Calls `decide` so many times in each of `threads`; the processor time per thread. Every request
/// must be admitted.
fn time(threads: usize, count: u64, decide: impl Fn(u64) -> bool + Sync) -> Duration {
    let work = || {
        let begin = processor_time();
        assert!((0..count).all(|number| decide(black_box(number))), "a request was refused");
        processor_time() - begin
    };
    let spent = std::thread::scope(|scope| {
        let threads = (0..threads).map(|_| scope.spawn(work)).collect::<Vec<_>>();
        threads.into_iter().map(|it| it.join().expect("no thread panics")).sum::<Duration>()
    });
    spent / threads as u32
}

fn one_key(c: &mut Criterion) {
    for (name, threads) in [("one", 1), ("shared", 2)] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        let (gcra, clock) = (gcra(), clock());
        group.bench_function("minigateway", |b| {
            b.iter_custom(|count| {
                let cell = Cell::default();
                let now_ns = || clock.now().as_u64();
                time(threads, count, |_| cell.decide(&gcra, now_ns(), 1).is_admitted())
            });
        });
        group.bench_function("governor", |b| {
            b.iter_custom(|count| {
                let governor = RateLimiter::direct_with_clock(quota(), clock.clone());
                time(threads, count, |_| governor.check().is_ok())
            });
        });
    }
}

fn many_keys(c: &mut Criterion) {
    for (name, keys) in [("limiter/1k", 1_000), ("limiter/1m", 1_000_000)] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        let (gcra, clock, store) = (gcra(), clock(), Store::new(keys));
        let hasher = ahash::RandomState::new();
        let decide = |number: u64| {
            let key = hasher.hash_one(number % keys as u64);
            store.decide(&gcra, key, clock.now().as_u64(), 1).0.is_admitted()
        };
        assert!((0..keys as u64).all(decide), "a request was refused");
        group.bench_function("minigateway", |b| b.iter_custom(|count| time(1, count, decide)));

        let governor = governor_keyed();
        let decide = |number: u64| governor.check_key(&(number % keys as u64)).is_ok();
        assert!((0..keys as u64).all(decide), "a request was refused");
        group.bench_function("governor", |b| b.iter_custom(|count| time(1, count, decide)));
    }
}

criterion_group! {
    name = limiter;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = one_key, many_keys
}
criterion_main!(limiter);
