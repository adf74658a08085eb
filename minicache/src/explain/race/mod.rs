//! `minicache race`: the eviction policies on one trace, beside the best that any could do.
//!
//! ```text
//! $ minicache race --sizes 1000,10000 zipf
//! zipf: 2,000,000 requests of 94,138 keys; hit ratio in percent by cache size in keys
//! policy                1000    10000
//! allkeys-exact-lru    50.58    73.59
//! …
//! belady               66.46    84.77     knows the future
//! ```
//!
//! A requested key that is not in the cache is a miss and is added, as a cache-aside client does.
//! Every key counts as one, so this compares the orders alone. At equal memory the links count as
//! well: `cargo run -p comparisons` measures that on servers.
//!
//! Traces, the optimum and the reports are in `minicache-race`. For Redis's sampled LRU and LFU
//! time passes with the requests, 4 ms each, as when the OLTP trace was recorded.

mod fifo;

use crate::client::policy::{Algorithm, Cache, Order, Slots};
use crate::commands::advise::sampled::Sampled;
use crate::engine::eviction::{lfu::Lfu, lru::Lru, policy::Policy};
use crate::engine::hashing;
use fifo::Fifo;
pub use minicache_race::Trace;
use minicache_race::{Misses, Race, json, page, table};

/// What races, and how the outcome is shown.
#[derive(clap::Args, Clone, Debug)]
pub struct RaceArgs {
    /// Traces: zipf, scan, loop, or a file: the ARC format if it ends in .lis, else a key a line; -
    /// for keys and -.lis for the ARC format from standard input
    #[arg(value_name = "TRACE", required = true)]
    traces: Vec<String>,
    /// Numbers of keys that the cache holds [default: six parts of the keys of the trace]
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    sizes: Vec<usize>,
    /// How the outcome is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// The form of the output.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Format {
    Table,
    Json,
    /// A page with a chart for each trace
    Html,
}

/// Races every policy on every trace and returns the report, as whole lines.
///
/// # Errors
/// If a trace cannot be read, is empty, or a size is 0.
pub fn race(args: RaceArgs) -> Result<String, String> {
    if args.sizes.contains(&0) {
        return Err("a cache of 0 keys has no policy".into());
    }
    // The sketch of W-TinyLFU depends on the hash of keys. Every run shall print the same.
    hashing::fix();
    let races = args.traces.iter().map(|name| {
        let trace = Trace::named(name)?;
        let sizes =
            if args.sizes.is_empty() { sizes_for(trace.distinct) } else { args.sizes.clone() };
        Ok(run(&trace, sizes))
    });
    let races = races.collect::<Result<Vec<Race>, String>>()?;
    Ok(match args.format {
        Format::Table => table(&races),
        Format::Json => json(&races),
        Format::Html => page(&races),
    })
}

/// From a thousandth to a third of the keys.
fn sizes_for(distinct: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> =
        [1000, 300, 100, 30, 10, 3].map(|part| (distinct / part).max(1)).into();
    sizes.dedup();
    sizes
}

fn run(trace: &Trace, sizes: Vec<usize>) -> Race {
    let lru: Misses = &|keys, size| misses(keys, size, sampled(Lru));
    let lfu: Misses = &|keys, size| misses(keys, size, sampled(LFU));
    let fifo: Misses = &|keys, size| misses(keys, size, Box::new(Fifo::default()));
    let orders = Algorithm::ALL
        .map(|it| (it.name(), move |keys: &[u64], size: usize| misses(keys, size, it.order())));
    let mut policies = vec![("allkeys-lru", lru), ("allkeys-lfu", lfu), ("fifo", fifo)];
    policies.extend(orders.iter().map(|(name, misses)| (*name, misses as Misses)));
    Race::run(trace, sizes, &policies)
}

/// A policy of Redis with a clock that goes on by 4 ms with every request.
fn sampled(policy: impl Policy + 'static) -> Box<Sampled> {
    let mut now_ms = 0;
    let clock = move || {
        now_ms += 4;
        now_ms
    };
    Box::new(Sampled::new(Box::new(policy), Box::new(clock)))
}

/// The defaults of `redis.conf`.
const LFU: Lfu = Lfu { log_factor: 10, decay_minutes: 1 };

/// Plays a trace on a cache of `size` keys.
fn misses(keys: &[u64], size: usize, order: Box<dyn Order<Slots<u64, ()>>>) -> usize {
    let mut cache = Cache::new(size, order);
    let mut misses = 0;
    for key in keys {
        if cache.get(key).is_none() {
            cache.insert(*key, ());
            misses += 1;
        }
    }
    misses
}

#[cfg(test)]
mod tests;
