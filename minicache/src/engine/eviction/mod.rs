//! Eviction: deleting keys until memory use is back within `maxmemory`.
//!
//! # When it runs
//!
//! Before every command, if `maxmemory` is set and exceeded; the caller must hold no shard lock.
//! Also in the background, a few hundred keys at a time, in case `CONFIG SET` lowers the limit and
//! no command follows.
//!
//! # Which key is evicted?
//!
//! The policy decides; `maxmemory-policy` selects it. There are two kinds. The policies in
//! [`order`] keep all keys in an order and so know the next victim (`allkeys-sieve`,
//! `allkeys-s3fifo`, …); Redis has none of these. The policies in [`policy`] are Redis's own. Redis
//! does not keep its keys in eviction order: an exact LRU list costs two pointers per key and a
//! list move per read. It samples five keys per eviction, and keeps the best candidates of earlier
//! samples in a pool of sixteen. We do the same: every shard has a [`pool`].
//!
//! # Example
//!
//! `allkeys-lru`, memory in use one key over the limit:
//!
//! ```text
//! sample    a idle 3 s, b 90 s, c 12 s, d 5 s, e 60 s
//! pool      a d c e b          coldest last
//! evict     b                  the pool keeps a d c e for the next eviction
//! sample    f 1 s, g 20 s, …   nothing colder than e
//! evict     e                  found by the first sample, kept in the pool
//! ```
//!
//! The golden script `eviction_pool_remembers` replays it. `tests/golden/eviction` also has a
//! script for each of the eight Redis policies.
//!
//! # What sampling costs
//!
//! Miss ratios on the OLTP trace of the ARC paper (Megiddo and Modha, FAST 2003; 914,145 requests
//! in one hour), entries of 1 KiB, compared with an exact LRU of the same number of keys:
//!
//! | keys in memory | exact LRU | `allkeys-lru` | with 10 samples | `allkeys-lfu` |
//! |---|---|---|---|---|
//! | 986 | 0.674 | 0.679 | 0.676 | 0.663 |
//! | 4,976 | 0.464 | 0.468 | 0.465 | 0.469 |
//! | 14,941 | 0.354 | 0.357 | 0.355 | 0.358 |
//!
//! (`zstd -dc OLTP.lis.zst | cargo run --release -p benches --bin miss_ratio -- 1000 5000 15000`.)
//! So five samples and the pool miss at most 0.5 percentage points more than an exact list, and ten
//! samples at most 0.2. The LFU runs held up to 12 keys fewer.
//!
//! # Differences from Redis (`performEvictions` in `evict.c`)
//!
//! - Redis stops after the time that `maxmemory-eviction-tenacity` allows, and continues in a
//!   timer. The loop here runs until memory is within the limit.
//! - Redis has one pool. Here each shard has its own, and the loop visits the shards in turn, so
//!   the evicted key is the coldest candidate of one shard, not of all.

pub(crate) mod lfu;
pub(crate) mod lru;
pub(crate) mod observer;
pub mod order;
pub(crate) mod policy;
pub(crate) mod pool;
pub(crate) mod random;
pub(crate) mod ttl;

use super::shards::{LockedShard, Shards};
use super::store::{shard::Sampling, shard::Shard, slab::Handle};
use super::{object::Object, timestamp::Timestamp, tuning::Tuning};

/// Memory use exceeds `maxmemory` and no key is eligible: the policy is `noeviction`, or it is a
/// `volatile-*` policy and no key has a TTL.
#[derive(Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// A key that was evicted.
#[derive(Debug, PartialEq, Eq)]
pub struct EvictedKey {
    pub(crate) db: usize,
    /// The key.
    pub key: Box<[u8]>,
}

/// Evicts keys until memory use is at most `maxmemory`, and passes each to `publish`, which informs
/// subscribers and client-side caches.
///
/// The caller must hold no shard lock: shards are locked one at a time, starting after
/// `next_shard`, so that no single shard is drained. No lock is held while `publish` runs.
///
/// # Errors
/// [`OutOfMemory`] if the limit is still exceeded and no shard has an eligible key.
pub fn evict_until_below_limit(
    shards: &Shards,
    tuning: &Tuning,
    now: Timestamp,
    next_shard: &mut usize,
    mut publish: impl FnMut(EvictedKey),
) -> Result<(), OutOfMemory> {
    while shards.lasting_memory() as u64 > tuning.maxmemory {
        publish(evict_one(shards, tuning, now, next_shard).ok_or(OutOfMemory)?);
    }
    Ok(())
}

/// Evicts one key, from the first shard after `next_shard` that has an eligible one. Returns `None`
/// if no shard has one, or the policy is `noeviction`. The caller must hold no shard lock.
pub fn evict_one(
    shards: &Shards,
    tuning: &Tuning,
    now: Timestamp,
    next_shard: &mut usize,
) -> Option<EvictedKey> {
    if !tuning.evicts() {
        return None;
    }
    let sampling = Sampling {
        policy: &*tuning.policy,
        volatile_only: tuning.maxmemory_policy.is_volatile(),
        samples: tuning.maxmemory_samples,
        now_ms: now.ms,
    };

    (0..shards.len()).find_map(|_| {
        *next_shard = (*next_shard + 1) % shards.len();
        let mut locked = shards.lock(*next_shard);
        let (evicted, object) = evict_from(&mut locked, &sampling)?;

        // Under the lock; otherwise a later change of the key could precede this in the log.
        shards.log.append_removal(evicted.db, &evicted.key);

        // Freeing a large value can take milliseconds; with lazyfree another thread does it.
        if let Some(object) = object {
            shards.lazy_free.object(object, tuning.lazyfree_lazy_eviction);
        }

        // The loop reads memory use without a lock, so update this shard's share of it before
        // releasing the lock.
        shards.note_free(*next_shard, &locked);

        // The caller publishes events and invalidations after this lock is released. Publishing
        // locks the registries and wakes other cores, which would keep this shard locked too long.
        Some(evicted)
    })
}

/// Evicts the victim of a shard's order, or the coldest candidate of a shard without one. Returns
/// the key and its value if that is on the heap, or `None` if no key of the shard is eligible.
fn evict_from(
    locked: &mut LockedShard,
    sampling: &Sampling<'_>,
) -> Option<(EvictedKey, Option<Object>)> {
    let shard = &mut locked.shard;
    let (db, handle) = match shard.victim() {
        Some(victim) => victim,
        None => coldest(shard, sampling)?,
    };
    let key: Box<[u8]> = shard.key(handle).into();
    let object = shard.remove(db, handle);
    shard.stats.evicted += 1;

    // WATCH must see an eviction as a change, or EXEC would run on a value that no longer exists.
    locked.watched.touch(db, &key);
    Some((EvictedKey { db, key }, object))
}

/// Samples keys and returns the coldest candidate, with its database.
fn coldest(shard: &mut Shard, sampling: &Sampling<'_>) -> Option<(usize, Handle)> {
    shard.sample_into_pool(sampling);

    // A candidate may have been sampled minutes ago. It may be deleted by now, or have lost the TTL
    // that made it eligible; such candidates are dropped.
    loop {
        let candidate = shard.pool.take_coldest()?;
        if let Some(handle) = shard.find_eligible(&candidate, sampling.volatile_only) {
            return Some((candidate.db, handle));
        }
    }
}
