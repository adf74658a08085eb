//! Compaction: keeping only the latest record of each key (`cleanup.policy=compact`).
//!
//! A topic of events keeps every record for a while. A topic of states, like account balances or
//! the offsets of consumer groups, must keep the latest value of each key forever. Compaction
//! rewrites old segments without the records whose key has a later value.
//!
//! # Example
//!
//! ```text
//! offset  0    1    2    3    4    5      | 6 ..          the active segment is never touched
//! record  a=1  b=1  a=2  c=1  b=   c=2    |
//!
//! pass 1, the map    a -> 2   b -> 4   c -> 5
//! pass 2, the copy             a=2       b=   c=2         offsets stay; there are holes now
//! ```
//!
//! `b=` is a tombstone, a record without a value: it deletes the key. It cannot be removed at once,
//! because a consumer that has read `b=1` must still read the deletion. The first compaction that
//! finds it stamps its batch with a *delete horizon*, `delete.retention.ms` from now. The first
//! compaction after the horizon removes it. The golden scripts `compaction_*` replay this.
//!
//! # Bounded memory
//!
//! The map stores a hash of 16 bytes in place of each key. The hash is randomly keyed, so that no
//! client can construct two keys with the same one. When the map is full, the first pass ends
//! early. The second pass then keeps all records after it, and the next compaction continues there.
//!
//! # Invariants
//!
//! 1. The latest record of every key is never removed, except a tombstone after its horizon.
//! 2. Offsets never change. A batch keeps its first and last offset and its sequence numbers, even
//!    if the records that had them are gone.
//! 3. The newest batch of each idempotent producer stays, if necessary without records: recovery
//!    reads the sequence number from it. Control batches stay as well.
//! 4. Only durable segments are rewritten, and a crash leaves either the old or the new ones.
//!
//! # The swap
//!
//! Segments 0, 100 and 200 become one. A crash can happen after each step:
//!
//! ```text
//! write and sync 0.log.cleaned      -> after a crash here the next start removes it
//! rename it to   0.log.swap, sync   -> from here on the next start completes the swap
//! remove 100, 200, 0.index, sync    -> the old index must not be used with the new segment
//! rename to      0.log, sync        -> its index is missing, so recovery builds it
//! write the index
//! ```
//!
//! # Counterpart in Kafka
//!
//! `Cleaner.java`, `LogCleanerManager.java`, `SkimpyOffsetMap.java`, KIP-534. Kafka hashes keys
//! with MD5 into a buffer of 128 MB, cleans the dirtiest log first, and rolls the active segment
//! after `max.compaction.lag.ms`; here a log waits until its segment is full.

use super::batches::{Batches, RECOVERY_WINDOW, damaged, decompressed, invalid_data};
use super::directory::Directory;
use super::log::Log;
use super::segment::Segment;
use crate::format::batch::{self, BatchHeader};
use crate::format::compression::compress;
use crate::format::names::{Kind, segment_file};
use crate::format::record::{Record, records};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

/// The suffix of a new segment that is not complete yet.
pub const CLEANED: &str = ".cleaned";
/// The suffix of a complete new segment that replaces the old ones.
pub const SWAP: &str = ".swap";

/// The hash function and the limits of a compaction.
pub struct Limits<'a> {
    /// A hash of a key that no client can predict.
    pub hash: &'a (dyn Fn(&[u8]) -> u128 + Sync),
    /// The most keys in the map; each takes a little more than 32 bytes.
    pub keys_max: usize,
    /// Called for every batch: true ends the compaction with `Interrupted`.
    pub must_stop: &'a (dyn Fn() -> bool + Sync),
}

/// A compaction of one log: the segments to rewrite.
pub struct Compaction {
    directory: Arc<Directory>,
    index_interval_bytes: i64,
    /// The delete horizon for tombstones that have none yet.
    horizon: i64,
    now: i64,
    /// Sealed segments from the first one on. Each group of them becomes one segment.
    groups: Vec<Vec<Segment>>,
    /// Everything below this offset was compacted before.
    first_dirty: i64,
    /// The last offset of each idempotent producer.
    newest_batches: BTreeSet<i64>,
}

/// The latest offset of each key.
pub struct LatestOffsets {
    offsets: HashMap<u128, i64>,
    /// The map covers the records below this offset. The next compaction starts here.
    pub up_to: i64,
}

/// A new segment, and the segments that it will replace.
pub struct Rewritten<'a> {
    group: &'a [Segment],
    /// The new segment, with its indexes in memory.
    pub(super) segment: Segment,
    /// True if anything was removed or stamped.
    changed: bool,
}

impl Compaction {
    /// Plans a compaction. None if the log is not compacted, or too little of it is new.
    pub fn start(log: &Log, now: i64) -> Option<Compaction> {
        let config = &log.config;
        if !config.cleanup.compacts || log.failed {
            return None;
        }

        // Take segments from the first one on, until one is active, not durable, or too young.
        let ends = log.segments().skip(1).map(|it| it.base_offset);
        let (mut sources, mut dirty_bytes, mut is_overdue) = (Vec::new(), 0, false);
        for (segment, end) in log.segments().zip(ends) {
            let max = segment.max_timestamp;
            let age = max.map_or(0, |it| now.saturating_sub(it.timestamp));
            let is_durable = end <= log.recovery_point && segment.indexes.is_none();
            if !is_durable || max.is_some() && age < config.min_compaction_lag_ms {
                break;
            }
            if end > log.cleaned_up_to {
                dirty_bytes += segment.size;
                is_overdue |= age > config.max_compaction_lag_ms;
            }
            sources.push(segment.clone());
        }
        let bytes: u64 = sources.iter().map(|it| it.size).sum();
        let ratio = dirty_bytes as f64 / bytes.max(1) as f64;
        if dirty_bytes == 0 || ratio <= config.min_cleanable_dirty_ratio && !is_overdue {
            return None;
        }

        Some(Compaction {
            directory: Arc::clone(&log.directory),
            index_interval_bytes: config.index_interval_bytes,
            horizon: now.saturating_add(config.delete_retention_ms),
            now,
            groups: group(sources, config.segment_bytes as u64),
            first_dirty: log.cleaned_up_to,
            newest_batches: log.producers.last_batches().map(|it| it.last_offset).collect(),
        })
    }

    /// Pass 1: maps each key to its latest offset, from the first new record on until the map is
    /// full. Reads the new part of the log, so call it without the lock of the log.
    pub fn map(&self, limits: &Limits<'_>) -> io::Result<LatestOffsets> {
        let mut latest = LatestOffsets { offsets: HashMap::new(), up_to: self.first_dirty };
        for source in self.groups.iter().flatten() {
            let mut batches = source.batches(0, RECOVERY_WINDOW);
            while let Some((header, bytes)) = next_batch(&mut batches, limits)? {
                if header.last_offset() < self.first_dirty || header.has(batch::CONTROL) {
                    continue;
                }
                for record in records(&decompressed(&header, bytes)?) {
                    let record = record.map_err(|_| damaged())?;
                    let offset = header.base_offset + i64::from(record.offset_delta);
                    let Some(key) = record.key.filter(|_| offset >= self.first_dirty) else {
                        continue;
                    };
                    let key = (limits.hash)(key);
                    let offsets = &mut latest.offsets;
                    if offsets.len() >= limits.keys_max && !offsets.contains_key(&key) {
                        return Ok(LatestOffsets { up_to: offset, ..latest });
                    }
                    offsets.insert(key, offset);
                }
                latest.up_to = header.next_offset();
            }
        }
        Ok(latest)
    }

    /// Pass 2: rewrites each group of segments that begins below the end of the map. The caller
    /// must swap in or abandon each new segment before it asks for the next.
    pub fn rewrite<'a>(
        &'a self,
        latest: &'a LatestOffsets,
        limits: &'a Limits<'_>,
    ) -> impl Iterator<Item = io::Result<Rewritten<'a>>> {
        let groups = self.groups.iter().filter(|group| group[0].base_offset < latest.up_to);
        groups.map(|group| self.rewrite_group(group, latest, limits))
    }

    fn rewrite_group<'a>(
        &'a self,
        group: &'a [Segment],
        latest: &LatestOffsets,
        limits: &Limits<'_>,
    ) -> io::Result<Rewritten<'a>> {
        let base = group[0].base_offset;
        let file = self.directory.create_file(&name(base, CLEANED))?;
        let mut segment = Segment::new(&self.directory, base, file, self.index_interval_bytes);

        let mut changed = group.len() > 1;
        for source in group {
            let mut batches = source.batches(0, RECOVERY_WINDOW);
            while let Some((header, bytes)) = next_batch(&mut batches, limits)? {
                let left = self.filter(&header, bytes, latest, limits)?;
                changed |= !matches!(left, Some(Cow::Borrowed(_)));
                if let Some(bytes) = left {
                    let header = BatchHeader::read(&bytes).expect("it begins with a header");
                    segment.append(&header, &bytes)?;
                }
            }
        }
        segment.seal();
        Ok(Rewritten { group, segment, changed })
    }

    /// Removes records from a batch. Returns the batch that is left, or none if nothing is.
    fn filter<'b>(
        &self,
        header: &BatchHeader,
        batch: &'b [u8],
        LatestOffsets { offsets, up_to }: &LatestOffsets,
        limits: &Limits<'_>,
    ) -> io::Result<Option<Cow<'b, [u8]>>> {
        if header.has(batch::CONTROL) || header.base_offset >= *up_to {
            return Ok(Some(batch.into()));
        }
        let bytes = decompressed(header, batch)?;
        let all = records(&bytes).collect::<Result<Vec<_>, _>>().map_err(|_| damaged())?;
        let is_past_horizon = header.delete_horizon().is_some_and(|it| it <= self.now);
        let is_kept = |record: &&Record<'_>| {
            let offset = header.base_offset + i64::from(record.offset_delta);
            // A record without a key was appended before the topic became compacted: drop it.
            let is_latest = |key| offsets.get(&(limits.hash)(key)).is_none_or(|it| *it <= offset);
            let is_latest = record.key.is_some_and(is_latest);
            offset >= *up_to || is_latest && (record.value.is_some() || !is_past_horizon)
        };
        let kept = all.iter().filter(is_kept).cloned().collect::<Vec<_>>();

        let has_tombstone = kept.iter().any(|it| it.value.is_none());
        let needs_horizon = has_tombstone && header.delete_horizon().is_none();
        if kept.len() == all.len() && !needs_horizon {
            return Ok(Some(batch.into()));
        }
        if kept.is_empty() && !self.newest_batches.contains(&header.last_offset()) {
            return Ok(None);
        }
        let horizon = needs_horizon.then_some(self.horizon);
        Ok(Some(rebuild(header, kept, horizon)?.into()))
    }
}

/// The file name of a new segment.
fn name(base_offset: i64, suffix: &str) -> String {
    format!("{}{suffix}", segment_file(base_offset, Kind::Log))
}

impl Rewritten<'_> {
    /// Returns true if the new segment differs from the old ones and the log still has all of
    /// those: retention may have deleted some. From here until [`finish_swap`] the caller must
    /// prevent other changes of files.
    pub fn is_wanted(&self, log: &Log) -> bool {
        let is_there = |source: &Segment| {
            let found = log.segments.get(&source.base_offset);
            found.is_some_and(|it| Arc::ptr_eq(&it.file, &source.file))
        };
        self.changed && !log.failed && self.group.iter().all(is_there)
    }

    /// Makes the new segment durable. From then on recovery completes the swap after a crash.
    pub fn commit(&self) -> io::Result<()> {
        let Segment { directory, base_offset: base, file, .. } = &self.segment;
        file.sync()?;
        directory.rename(&name(*base, CLEANED), &name(*base, SWAP))?;
        directory.sync()
    }

    /// Removes the new segment's file.
    pub fn abandon(self) -> io::Result<()> {
        self.segment.directory.remove(&name(self.segment.base_offset, CLEANED))
    }

    /// Lets readers use the new segment. Returns the base offsets of the segments it replaces.
    pub fn swap(self, log: &mut Log) -> Vec<i64> {
        let bases = self.group.iter().map(|it| it.base_offset).collect::<Vec<_>>();
        bases.iter().for_each(|base| drop(log.segments.remove(base)));
        log.segments.insert(bases[0], self.segment);
        bases
    }
}

/// Replaces the files of the segments `bases`, at least one, with the new segment's file. Recovery
/// calls it too. The new segment has no index files afterwards.
pub(super) fn finish_swap(directory: &Directory, bases: &[i64]) -> io::Result<()> {
    use Kind::*;

    let (first, others) = bases.split_first().expect("a segment was rewritten");
    for base in others {
        directory.remove_segment(*base, &[Log, OffsetIndex, TimeIndex, Snapshot])?;
    }
    directory.remove_segment(*first, &[OffsetIndex, TimeIndex])?;
    directory.sync()?;

    directory.rename(&name(*first, SWAP), &segment_file(*first, Log))?;
    directory.sync()
}

/// Groups neighboring segments that fit into one segment (`groupSegmentsBySize` in Kafka).
fn group(sources: Vec<Segment>, segment_bytes: u64) -> Vec<Vec<Segment>> {
    let mut groups: Vec<Vec<Segment>> = Vec::new();
    for source in sources {
        match groups.last_mut() {
            Some(group)
                if group.iter().map(|it| it.size).sum::<u64>() + source.size <= segment_bytes
                    && i32::try_from(source.base_offset - group[0].base_offset).is_ok() =>
            {
                group.push(source);
            }
            _ => groups.push(vec![source]),
        }
    }
    groups
}

/// The next batch, unless the compaction must stop.
fn next_batch<'a>(
    batches: &'a mut Batches<'_>,
    limits: &Limits<'_>,
) -> io::Result<Option<(BatchHeader, &'a [u8])>> {
    if (limits.must_stop)() {
        return Err(io::ErrorKind::Interrupted.into());
    }
    // A damaged batch must not be rewritten: a new checksum would hide the damage.
    batches.next_checked()?.map_err(invalid_data)
}

/// Builds a batch with fewer records, and with a delete horizon if one is given. The horizon
/// replaces the base timestamp, so the records' relative timestamps are adjusted.
fn rebuild(
    header: &BatchHeader,
    mut kept: Vec<Record<'_>>,
    horizon: Option<i64>,
) -> io::Result<Vec<u8>> {
    let mut new = *header;
    if let Some(horizon) = horizon {
        let moved = header.base_timestamp.wrapping_sub(horizon);
        let relative = |it: &Record<'_>| it.timestamp_delta.wrapping_add(moved);
        kept.iter_mut().for_each(|it| it.timestamp_delta = relative(it));
        new.base_timestamp = horizon;
        new.attributes |= batch::DELETE_HORIZON;
    }
    let timestamp = |it: &Record<'_>| new.base_timestamp.wrapping_add(it.timestamp_delta);
    let latest = kept.iter().map(timestamp).max();
    new.max_timestamp = latest.unwrap_or(header.max_timestamp);
    new.records_count = kept.len() as i32;

    let mut records = Vec::new();
    kept.iter().for_each(|record| record.encode(&mut records));
    let compression = header.compression().ok_or_else(damaged)?;
    let records = compress(compression, records)?;
    let mut bytes = [&new.encode()[..], &records].concat();
    batch::seal(&mut bytes);
    Ok(bytes)
}
