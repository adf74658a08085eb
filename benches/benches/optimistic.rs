//! What a search without latches saves: the same tree searched by versions and by a latch for each
//! node, and a `BTreeMap` in a mutex. One thread, and two that share the root.
//!
//! `cargo bench -p benches --bench optimistic`; with `-- /1k/` only the small tree.
//!
//! Measured is processor time per lookup, of all threads together. A wall clock would count the
//! neighbors of a shared machine. Time asleep, as for the mutex, does not count.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use minibtree_optimistic::Tree;

const SIZES: [(u64, &str); 2] = [(1_000, "1k"), (1_000_000, "1M")];

/// The key of a number: a bijection, so keys of different numbers differ.
fn key(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
}

/// Processor time of this thread. The kernel brings it up to date when the thread yields.
fn processor_time() -> Duration {
    thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.expect("this needs Linux"))
}

/// The processor time of `lookups` lookups by each thread, divided by their number.
fn time(
    threads: u64,
    lookups: u64,
    keys: u64,
    get: impl Fn(u64) -> Option<u64> + Sync,
) -> Duration {
    let work = |thread: u64| {
        let before = processor_time();
        let mut number = thread * keys / 2;
        for _ in 0..lookups {
            number = (number + 7_919) % keys;
            assert_eq!(black_box(get(key(number))), Some(number));
        }
        processor_time() - before
    };
    let work = &work;
    let sum: Duration = thread::scope(|scope| {
        let running: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        running.into_iter().map(|it| it.join().expect("it does not panic")).sum()
    });
    sum / threads as u32
}

fn everything(criterion: &mut Criterion) {
    for (keys, name) in SIZES {
        let (tree, mut map) = (Tree::default(), BTreeMap::new());
        for number in 0..keys {
            tree.insert(key(number), number);
            map.insert(key(number), number);
        }
        let map = Mutex::new(map);
        let locked = |key: u64| map.lock().expect("no thread panics").get(&key).copied();
        for threads in [1, 2] {
            let mut group = criterion.benchmark_group(format!("get/{name}"));
            group.bench_function(format!("versions/{threads}"), |bencher| {
                bencher.iter_custom(|count| time(threads, count, keys, |it| tree.get(it)));
            });
            group.bench_function(format!("latches/{threads}"), |bencher| {
                bencher.iter_custom(|count| time(threads, count, keys, |it| tree.get_latched(it)));
            });
            group.bench_function(format!("BTreeMap in a mutex/{threads}"), |bencher| {
                bencher.iter_custom(|count| time(threads, count, keys, locked));
            });
            group.finish();
        }
    }
}

criterion_group!(benches, everything);
criterion_main!(benches);
