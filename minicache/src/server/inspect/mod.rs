//! What the admin endpoint shows of a cache: metrics for Prometheus, health, and the state page.
//!
//! ```text
//! GET /metrics   ─> [metrics]    counts of each shard
//! GET /          ─> [state_page] also pages, the wheel, candidates for eviction, sampled keys
//! GET /healthz   ─> 200 if every lock can be taken and no shutdown has begun
//! ```
//!
//! **What does a request cost the clients?** Shards are locked one after another, each for some
//! microseconds (metrics) or at most about a millisecond (state page: everything it walks is
//! bounded). So the sums are not those of one instant. The counterparts in Redis (`INFO`, `MEMORY
//! STATS`, `DEBUG HTSTATS`) are exact, and its one thread serves no client meanwhile.

mod metrics;
mod state_page;

use crate::commands::cache::Cache;
use crate::engine::store::shard::{Shard, ShardStats};
use minikit::admin::{Exposition, Inspect, StatePage};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(super) struct Inspector(pub(super) Arc<Cache>);

impl Inspect for Inspector {
    fn metrics(&self, out: &mut Exposition) {
        metrics::write(&self.0, out);
    }

    fn state_page(&self) -> StatePage {
        state_page::look(&self.0)
    }

    fn healthy(&self) -> Result<(), String> {
        if self.0.stop.load(Ordering::Relaxed) {
            return Err("shutting down".to_string());
        }
        each_shard(&self.0, |_, _| ());
        Ok(())
    }
}

/// Calls `look` with each shard, one locked after the other.
fn each_shard<T>(cache: &Cache, mut look: impl FnMut(usize, &Shard) -> T) -> Vec<T> {
    (0..cache.shards.len()).map(|index| look(index, &cache.shards.lock(index).shard)).collect()
}

struct Figures {
    /// Keys of each database, and how many of them have a TTL.
    keys: Vec<(usize, usize)>,
    index_bytes: usize,
    index_buckets: usize,
    slab_bytes: usize,
    slab_free_bytes: usize,
    stats: ShardStats,
}

impl Figures {
    fn of(shard: &Shard, databases: usize) -> Figures {
        let indexes = (0..databases).map(|db| shard.index_size(db));
        let (index_bytes, index_buckets) =
            indexes.fold((0, 0), |sum, index| (sum.0 + index.0, sum.1 + index.1));
        Figures {
            keys: (0..databases).map(|db| (shard.len(db), shard.volatile_len(db))).collect(),
            index_bytes,
            index_buckets,
            slab_bytes: shard.slab().page_bytes(),
            slab_free_bytes: shard.slab().free_bytes(),
            stats: shard.stats,
        }
    }

    fn of_all(cache: &Cache) -> Vec<Figures> {
        let databases = databases(cache);
        each_shard(cache, |_, shard| Figures::of(shard, databases))
    }
}

fn databases(cache: &Cache) -> usize {
    cache.config.snapshot().settings.databases as usize
}

/// Keys, and keys with a TTL, of each database in all shards.
fn keys_by_database<'a>(shards: impl Iterator<Item = &'a Figures>) -> Vec<(usize, usize)> {
    let mut databases = Vec::new();
    for shard in shards {
        databases.resize(shard.keys.len(), (0, 0));
        let one = databases.iter_mut().zip(&shard.keys);
        one.for_each(|(sum, keys)| *sum = (sum.0 + keys.0, sum.1 + keys.1));
    }
    databases
}

#[cfg(test)]
mod tests;
