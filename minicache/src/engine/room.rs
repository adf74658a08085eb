//! Making room: keys are given up until memory in use is within `maxmemory`.
//!
//! Every shard has candidates of its own, and is asked in turn:
//!
//! ```text
//! used 101 MB, maxmemory 100 MB    shard 0 gives up a key, shard 1, shard 2 … used 99.9 MB: enough
//! ```
//!
//! It happens before a command that may need memory, in front of its locks (`performEvictions` in
//! `evict.c`, which gives up after a while and goes on in the background; here a key costs so
//! little that it does not).

use super::access::{Moment, publish_event};
use super::cache::Cache;
use super::events::Events;
use super::store::shard::{Evicted, Sampling};
use super::tracking::{Change, Changes};
use super::tuning::Tuning;

/// Makes room until memory in use is at most `maxmemory`; false where that cannot be done. Call it
/// without locks.
///
/// Shards are asked in turn, so that with several of them the evicted keys come from all.
pub fn make_room(cache: &Cache, tuning: &Tuning, now: Moment, turn: &mut usize) -> bool {
    while cache.lasting_memory() as u64 > tuning.maxmemory {
        if !evict_any(cache, tuning, now, turn) {
            return false;
        }
    }
    true
}

/// Evicts a key from the next shard that has one to give up; false where none has. Call it without
/// locks.
pub fn evict_any(cache: &Cache, tuning: &Tuning, now: Moment, turn: &mut usize) -> bool {
    tuning.evicts()
        && (0..cache.shards()).any(|_| {
            *turn = (*turn + 1) % cache.shards();
            evict_one(cache, tuning, now, *turn)
        })
}

fn evict_one(cache: &Cache, tuning: &Tuning, now: Moment, index: usize) -> bool {
    let mut cell = cache.lock(index);
    let evicted = cell.shard.evict(Sampling {
        policy: &*tuning.policy,
        volatile_only: tuning.maxmemory_policy.is_volatile(),
        samples: tuning.maxmemory_samples,
        now_ms: now.ms,
    });
    let Some(Evicted { db, key, object }) = evicted else { return false };
    if let Some(object) = object {
        cache.lazy_free.object(object, tuning.lazyfree_lazy_eviction);
    }
    cell.watched.touch(db, &key);
    cache.note_free(index, &cell);
    if cache.tracking.any() {
        let mut changes = Changes::default();
        changes.push(Change::Key { key: key[..].into(), by_client: false });
        cache.tracking.tell(changes);
    }
    let wanted = tuning.notify_keyspace_events;
    if wanted.contains(Events::EVICTED) {
        publish_event(cache, wanted, db, "evicted", &key);
    }
    true
}
