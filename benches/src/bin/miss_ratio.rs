//! The miss ratio of the eviction policies on a trace of keys, beside an exact LRU.
//!
//! ```text
//! zstd -dc OLTP.lis.zst | cargo run --release -p benches --bin miss_ratio -- 1000 5000 15000
//! ```
//!
//! Reads a trace in the format of the ARC paper (N. Megiddo, D. S. Modha, "ARC: A Self-Tuning, Low
//! Overhead Replacement Cache", FAST 2003): each line is `first_page count …` and stands for a
//! request of every page from `first_page` on. A requested page that is not in the cache is a miss
//! and is set, as a cache-aside client would do.
//!
//! The arguments are numbers of keys. `maxmemory` is set to what that number of keys of 1 KiB each
//! takes; the engine evicts by memory, so how many keys it really holds is measured and printed.
//! The exact LRU is given the same number of keys, which is the same memory, because all entries
//! have one size. Its own cost, two pointers per key in a list, is not counted against it.
//!
//! Time matters, because the LRU clock has a resolution of one second and the LFU counters decay by
//! the minute. The OLTP trace was recorded in one hour: 914,145 requests, so 3.9 ms each.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::process::ExitCode;
use std::sync::Arc;

use benches::engine::{Engine, NOW};
use minicache::conf::Snapshot;
use minicache::engine::eviction::evict_until_below_limit;
use minicache::engine::keyspace::Keyspace;
use minicache::engine::timestamp::Timestamp;
use minicache::raw::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of a value. With its key it takes a slot of 1,024 bytes.
const VALUE: usize = 1000;
/// What a key takes: its slot, and its share of the index.
const BYTES_PER_KEY: usize = 1024 + 9;
/// The time from one request to the next.
const REQUEST_US: i64 = 3_938;
/// What is measured: `maxmemory-policy` and `maxmemory-samples`.
const CASES: [(&str, &str); 3] =
    [("allkeys-lru", "5"), ("allkeys-lru", "10"), ("allkeys-lfu", "5")];

fn main() -> ExitCode {
    let sizes: Result<Vec<usize>, _> = std::env::args().skip(1).map(|arg| arg.parse()).collect();
    let sizes = match sizes {
        Ok(sizes) if !sizes.is_empty() => sizes,
        _ => {
            eprintln!("usage: miss_ratio KEYS... < TRACE, with numbers of keys");
            return ExitCode::from(2);
        }
    };
    let trace = match read_trace(std::io::stdin().lock()) {
        Ok(trace) => trace,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };

    println!("{} requests", trace.len());
    println!("policy       samples    keys  miss ratio  exact LRU");
    for keys in sizes {
        for (policy, samples) in CASES {
            let (ratio, held) = simulate(&trace, policy, samples, keys);
            let exact = exact_lru(&trace, held);
            println!("{policy:<12} {samples:>7} {held:>7}  {ratio:>10.4}  {exact:>9.4}");
        }
    }
    ExitCode::SUCCESS
}

/// Reads the pages that a trace requests, one after the other.
fn read_trace(lines: impl BufRead) -> Result<Vec<u64>, String> {
    let mut trace = Vec::new();
    for (index, line) in lines.lines().enumerate() {
        let line = line.map_err(|error| format!("cannot read the trace: {error}"))?;
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), Some(Ok(count))) = (numbers.next(), numbers.next()) else {
            return Err(format!("line {}: not `first_page count …`: {line}", index + 1));
        };
        trace.extend(first..first.saturating_add(count));
    }
    if trace.is_empty() { Err("the trace is empty".to_string()) } else { Ok(trace) }
}

/// Replays a trace with memory for `keys` keys. Returns the miss ratio and the number of keys that
/// the cache held at the end.
fn simulate(trace: &[u64], policy: &str, samples: &str, keys: usize) -> (f64, usize) {
    let engine = Engine::new(1);
    let limit = engine.cache.shards.used_memory() + keys * BYTES_PER_KEY;
    engine.cache.config.change(|config| {
        for (name, value) in [
            ("maxmemory", limit.to_string().as_str()),
            ("maxmemory-policy", policy),
            ("maxmemory-samples", samples),
        ] {
            config.put(name, &[value.as_bytes()]).expect("the parameter takes the value");
        }
    });
    let config: Arc<Snapshot> = engine.cache.config.snapshot();
    let parts = engine.cache.parts(&engine.cache.stats.counters[0], &config.tuning);

    let value = vec![b'v'; VALUE];
    let (mut misses, mut next_shard) = (0_usize, 0);
    for (index, page) in trace.iter().enumerate() {
        let elapsed_us = index as i64 * REQUEST_US;
        let now = Timestamp { ms: NOW.ms + elapsed_us / 1000, us: 0 };

        // As a server does: evict before the command, without a lock.
        evict_until_below_limit(&engine.cache.shards, &config.tuning, now, &mut next_shard, |_| {})
            .expect("every key is eligible");

        let mut keyspace = Keyspace::new(parts, now);
        keyspace.lock_all();
        let name = page.to_string();
        let key = keyspace.key(name.as_bytes());
        if keyspace.read(key).is_none() {
            misses += 1;
            keyspace.set_string(key, &value, None);
        }
    }
    let held = engine.cache.shards.lock(0).shard.len(0);
    (misses as f64 / trace.len() as f64, held)
}

/// The miss ratio of a cache of `capacity` keys that always evicts the least recently used one.
fn exact_lru(trace: &[u64], capacity: usize) -> f64 {
    let mut used_at = HashMap::new();
    let mut by_use = BTreeMap::new();
    let mut misses = 0_usize;
    for (time, page) in trace.iter().enumerate() {
        match used_at.insert(*page, time) {
            Some(before) => {
                by_use.remove(&before);
            }
            None => misses += 1,
        }
        by_use.insert(time, *page);

        if by_use.len() > capacity
            && let Some((_, oldest)) = by_use.pop_first()
        {
            used_at.remove(&oldest);
        }
    }
    misses as f64 / trace.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stands_for_consecutive_pages() {
        assert_eq!(read_trace(&b"7 3 0 0\n2 1 0 1\n"[..]), Ok(vec![7, 8, 9, 2]));
        assert!(read_trace(&b"7\n"[..]).is_err());
        assert!(read_trace(&b""[..]).is_err());
    }

    #[test]
    fn an_exact_lru_evicts_the_least_recently_used() {
        // 3 evicts 2, because 1 was used after it; then 2 misses and evicts 1.
        assert_eq!(exact_lru(&[1, 2, 1, 3, 2, 3], 2), 4.0 / 6.0);
        assert_eq!(exact_lru(&[1, 2, 3, 1, 2, 3], 3), 0.5);
    }

    #[test]
    fn a_loop_that_fits_misses_once_per_key() {
        let trace: Vec<u64> = (0..3000).map(|request| request % 300).collect();
        for (policy, samples) in CASES {
            assert_eq!(simulate(&trace, policy, samples, 400), (0.1, 300), "{policy}");
        }
    }
}
