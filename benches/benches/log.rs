//! minilog's engine: what an append, a lookup, a checksum and a compaction cost, and how that grows
//! with the log and with the number of partitions.
//!
//! `cargo bench -p benches --bench log`; with `-- /1k/` only the small logs, and so on.
//!
//! Logs are counted in batches of 1 KiB with ten records each. Segments have 4 MiB, so a large log
//! has many of them. Files are in memory (`/dev/shm`): a thousand partitions are made without
//! waiting for the disk a thousand times, and no figure is the disk's.
//!
//! ```text
//! append/1k       1 MiB, only the active segment
//! append/10k     10 MiB, 2 sealed segments
//! append/100k   100 MiB, 25 sealed segments
//! ```
//!
//! An append should cost the same in all of them. A lookup by offset finds its segment in a map
//! and searches its index, which is mapped if the segment is sealed. A lookup by timestamp compares
//! the largest timestamps of all segments first. Compaction reads and writes the
//! whole log, so its figure is per record.

use std::cell::LazyCell;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use minikit::storage::{Disk, RealDisk};
use minilog::engine::log::compaction::{Compaction, Limits};
use minilog::engine::log::config::{Cleanup, LogConfig};
use minilog::engine::log::directory::Directory;
use minilog::engine::log::log::Log;
use minilog::engine::log::partition::Partition;
use minilog::format::batch::{self, BatchHeader};
use minilog::format::record::{Record, batch_of};

/// Batches of a log, and the name of that number.
const SIZES: [(u64, &str); 3] = [(1_000, "1k"), (10_000, "10k"), (100_000, "100k")];
/// Partitions that take turns.
const PARTITIONS: [(usize, &str); 3] = [(10, "10"), (100, "100"), (1_000, "1k")];
/// Bytes under a checksum: a small batch, a full one of a producer, the largest that is accepted.
const LENGTHS: [(usize, &str); 3] = [(1 << 10, "1k"), (16 << 10, "16k"), (1 << 20, "1M")];
/// Records of a batch.
const RECORDS: u64 = 10;
/// A record's value: with keys and headers ten of them make 1 KiB.
const VALUE: [u8; 80] = [b'v'; 80];
/// Milliseconds between two batches.
const BATCH_MS: i64 = 10;
/// The time of the first batch.
const START_MS: i64 = 1_700_000_000_000;

fn config(compacts: bool) -> LogConfig {
    let cleanup = Cleanup { deletes: !compacts, compacts };
    LogConfig { segment_bytes: 4 << 20, cleanup, ..LogConfig::default() }
}

/// A directory for logs, which is removed in the end. Logs are made when the first benchmark on
/// them runs, so that a filter saves the time.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let name = format!("minilog-bench-{}-{name}", std::process::id());
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.into() } else { std::env::temp_dir() };
        let path = parent.join(name);
        std::fs::create_dir_all(&path).expect("the temporary directory is writable");
        Scratch(path)
    }

    /// An empty log.
    fn log(&self, number: usize, compacts: bool) -> Partition {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(&self.0));
        let directory = Directory::create(disk, &format!("bench-{number}")).expect("a new name");
        Partition::new(Log::create(directory, config(compacts)).expect("the disk works"))
    }

    /// A log of `batches` batches with `keys` different keys, whose sealed segments are durable.
    fn filled(&self, batches: u64, keys: u64, compacts: bool) -> Partition {
        let partition = self.log(0, compacts);
        for number in 0..batches {
            partition.append(&batch(number, keys)).expect("the disk works");
        }
        if compacts {
            partition.with_log(Log::roll).expect("the disk works");
        }
        partition.flush().expect("the disk works");
        partition
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("ours");
    }
}

/// A batch as a producer sends it. Its keys follow those of the batch before.
fn batch(number: u64, keys: u64) -> Vec<u8> {
    let key = |index: u64| ((number * RECORDS + index) % keys).to_be_bytes();
    let keys = (0..RECORDS).map(key).collect::<Vec<_>>();
    let record = |offset_delta: usize| Record {
        offset_delta: offset_delta as i32,
        key: Some(&keys[offset_delta]),
        value: Some(&VALUE),
        ..Record::default()
    };
    let records = (0..keys.len()).map(record).collect::<Vec<_>>();
    batch_of(timestamp_of(number), &records)
}

/// The timestamp of all records of a batch.
fn timestamp_of(number: u64) -> i64 {
    START_MS + BATCH_MS * number as i64
}

/// Numbers below `count` in an order that is not theirs.
fn numbers(count: u64) -> impl FnMut() -> u64 {
    let mut number = 0;
    move || {
        number = (number + 7_919) % count;
        number
    }
}

fn group<'c>(c: &'c mut Criterion, what: &str, size: &str) -> BenchmarkGroup<'c, WallTime> {
    c.benchmark_group(format!("{what}/{size}"))
}

fn parse(c: &mut Criterion) {
    let bytes = batch(7, 1_000);
    c.bench_function("parse/batch_header", |b| {
        b.iter(|| {
            let header = BatchHeader::read(black_box(&bytes)).expect("it has a header");
            assert_eq!(header.records_count, RECORDS as i32);
        });
    });
}

/// The checksum alone, and with the checks that every batch of a producer goes through.
fn checksum(c: &mut Criterion) {
    for (length, name) in LENGTHS {
        let value = vec![b'v'; length - BatchHeader::SIZE];
        let bytes = batch_of(START_MS, &[Record { value: Some(&value), ..Record::default() }]);
        let mut group = group(c, "checksum", name);
        group.throughput(Throughput::Bytes(length as u64));
        let crc = BatchHeader::read(&bytes).expect("it has a header").crc;
        group.bench_function("crc32c", |b| {
            b.iter(|| {
                assert_eq!(crc32c::crc32c(&black_box(&bytes)[BatchHeader::crc.end()..]), crc)
            });
        });
        group.bench_function("check", |b| {
            b.iter(|| batch::check(black_box(&bytes)).expect("it is valid"));
        });
    }
}

/// Random offsets and timestamps of a log, then an append to it.
fn lookup_and_append(c: &mut Criterion) {
    for (batches, name) in SIZES {
        let scratch = Scratch::new(name);
        let partition = LazyCell::new(|| scratch.filled(batches, batches, false));
        let mut next = numbers(batches);
        let mut lookup = group(c, "lookup", name);
        lookup.bench_function("offset", |b| {
            b.iter(|| {
                let offset = (next() * RECORDS) as i64 + 3;
                let (slice, _) = partition.read(black_box(offset), 1 << 20).expect("it is there");
                assert!(slice.is_some_and(|it| it.length > 0));
            });
        });
        lookup.bench_function("timestamp", |b| {
            b.iter(|| {
                let number = next();
                let timestamp = black_box(timestamp_of(number));
                let found = partition.with_log(|log| log.find_timestamp(timestamp));
                let found = found.expect("the disk works").expect("it is there");
                assert_eq!(found.offset, (number * RECORDS) as i64);
            });
        });
        lookup.finish();

        let bytes = batch(batches, batches);
        let mut append = group(c, "append", name);
        append.throughput(Throughput::Bytes(bytes.len() as u64));
        append.bench_function("batch", |b| {
            b.iter(|| partition.append(black_box(&bytes)).expect("the disk works"));
        });
    }
}

/// One append to each partition in turn: what changes is how cold the caches are.
fn partitions(c: &mut Criterion) {
    for (count, name) in PARTITIONS {
        let scratch = Scratch::new(&format!("partitions-{name}"));
        let create = || (0..count).map(|it| scratch.log(it, false)).collect::<Vec<_>>();
        let partitions = LazyCell::new(create);
        let (bytes, mut turn) = (batch(0, 1_000), (0..count).cycle());
        group(c, "partitions", name).bench_function("append", |b| {
            b.iter(|| {
                let partition = turn.next().expect("a cycle has no end");
                partitions[partition].append(black_box(&bytes)).expect("the disk works")
            });
        });
    }
}

/// Both passes over a log in which every key has ten records: nine of them go. The new segments
/// are not swapped in, so the log is the same for the next time.
fn compaction(c: &mut Criterion) {
    let state = RandomState::new();
    let hash = |key: &[u8]| u128::from(state.hash_one(key));
    let limits = Limits { hash: &hash, keys_max: usize::MAX, must_stop: &|| false };
    for (batches, name) in SIZES {
        let scratch = Scratch::new(&format!("compaction-{name}"));
        let (records, keys) = (batches * RECORDS, batches);
        let compaction = LazyCell::new(|| {
            let partition = scratch.filled(batches, keys, true);
            let started = partition.with_log(|log| Compaction::start(log, timestamp_of(batches)));
            started.expect("all of it is new")
        });
        let latest = LazyCell::new(|| compaction.map(&limits).expect("the disk works"));

        let mut group = group(c, "compact", name);
        group.throughput(Throughput::Elements(records));
        group.bench_function("map", |b| {
            b.iter(|| {
                let latest = compaction.map(&limits).expect("the disk works");
                assert_eq!(latest.up_to, records as i64);
            });
        });
        group.bench_function("rewrite", |b| {
            b.iter(|| {
                for rewritten in compaction.rewrite(&latest, &limits) {
                    rewritten.and_then(|it| it.abandon()).expect("the disk works");
                }
            });
        });
    }
}

criterion_group! {
    name = log;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = parse, checksum, lookup_and_append, partitions, compaction
}
criterion_main!(log);
