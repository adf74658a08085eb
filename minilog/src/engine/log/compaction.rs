//! Compaction: of each key only the latest record is kept (`cleanup.policy=compact`).
//!
//! A topic of events keeps everything for a while. A topic of states, like the balance of an
//! account or the offset of a consumer group, needs the latest value of each key for ever.
//! Compaction rewrites old segments without the records that a later one replaces.
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
//! `b=` is a tombstone, a record without a value: the key is deleted. It cannot go at once, because
//! a consumer that has read `b=1` must still learn of it. The first compaction that meets it stamps
//! its batch with a *delete horizon*, `delete.retention.ms` from then. The first one after that
//! moment removes it. The golden scripts `compaction_*` replay this.
//!
//! # Bounded memory
//!
//! The map has a hash of each key in place of the key: 16 bytes, keyed at random, so that nobody
//! can find two keys with the same hash. When it is full the first pass ends there, and the second
//! one keeps all records after it: the next compaction goes on from that offset.
//!
//! # Invariants
//!
//! 1. The latest record of every key is never removed, except a tombstone after its horizon.
//! 2. Offsets never change. A batch keeps its first and last offset and its sequence numbers, even
//!    if the records that had them are gone.
//! 3. The newest batch of an idempotent producer stays, if need be without records: recovery takes
//!    the sequence number from it. So do control batches.
//! 4. Only what is durable is rewritten, and what a crash leaves is the old or the new segment.
//!
//! # The swap
//!
//! Segments 0, 100 and 200 become one. Each arrow is one step that a crash can follow:
//!
//! ```text
//! write and sync 0.log.cleaned      -> a crash here: removed at the next start
//! rename it to   0.log.swap, sync   -> from here on recovery completes what follows
//! remove 100, 200, 0.index, sync    -> an index of the old segment must not meet the new one
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

/// Suffixes of a segment that is being rewritten, and of one that is complete.
pub const CLEANED: &str = ".cleaned";
/// See [`CLEANED`].
pub const SWAP: &str = ".swap";

/// What a compaction may use.
pub struct Limits<'a> {
    /// A hash of a key that no client can predict.
    pub hash: &'a (dyn Fn(&[u8]) -> u128 + Sync),
    /// Keys in the map; each takes 32 bytes or a little more.
    pub keys_max: usize,
    /// Asked at every batch: true ends the compaction with `Interrupted`.
    pub must_stop: &'a (dyn Fn() -> bool + Sync),
}

/// A compaction of one log: what is to be rewritten.
pub struct Compaction {
    directory: Arc<Directory>,
    index_interval_bytes: i64,
    /// Until when tombstones are kept that have no horizon yet.
    horizon: i64,
    now: i64,
    /// Sealed segments from the first one on, in groups that become one segment each.
    groups: Vec<Vec<Segment>>,
    /// Everything below was compacted before.
    first_dirty: i64,
    /// The last offset of each idempotent producer.
    newest_batches: BTreeSet<i64>,
}

/// The latest offset of each key.
pub struct LatestOffsets {
    offsets: HashMap<u128, i64>,
    /// The offset after the last record that the map knows: from here the next compaction goes on.
    pub up_to: i64,
}

/// A new segment beside the ones that it replaces.
pub struct Rewritten<'a> {
    group: &'a [Segment],
    /// It, with its indexes in memory.
    pub(super) segment: Segment,
    /// True if anything was removed or stamped.
    changed: bool,
}

impl Compaction {
    /// What there is to do; none if too little of the log is new, or it is not compacted at all.
    pub fn start(log: &Log, now: i64) -> Option<Compaction> {
        let config = &log.config;
        if !config.cleanup.compacts || log.failed {
            return None;
        }

        // From the first segment on, until one is active, not durable, or too young.
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

    /// Pass 1: the latest offset of each key, from the first new record on until the map is full.
    /// Reads the new part of the log; call it without the lock of the log.
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

    /// Pass 2: a new segment for each group that reaches below the end of the map. Each of them
    /// must be swapped in, or dropped, before the next one is asked for.
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

    /// What is left of a batch; none if it is removed.
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
            // A record without a key cannot be replaced; the topic was not compacted when it came.
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

/// The name of a segment that is being rewritten, or is complete.
fn name(base_offset: i64, suffix: &str) -> String {
    format!("{}{suffix}", segment_file(base_offset, Kind::Log))
}

impl Rewritten<'_> {
    /// Returns true if the segment differs from those that were read, and the log still has these:
    /// retention may have deleted some. The caller holds off other changes of files from here until
    /// [`finish_swap`].
    pub fn is_wanted(&self, log: &Log) -> bool {
        let is_there = |source: &Segment| {
            let found = log.segments.get(&source.base_offset);
            found.is_some_and(|it| Arc::ptr_eq(&it.file, &source.file))
        };
        self.changed && !log.failed && self.group.iter().all(is_there)
    }

    /// Makes the new segment durable, from which moment recovery would complete the swap.
    pub fn commit(&self) -> io::Result<()> {
        let Segment { directory, base_offset: base, file, .. } = &self.segment;
        file.sync()?;
        directory.rename(&name(*base, CLEANED), &name(*base, SWAP))?;
        directory.sync()
    }

    /// Forgets the new segment.
    pub fn abandon(self) -> io::Result<()> {
        self.segment.directory.remove(&name(self.segment.base_offset, CLEANED))
    }

    /// Puts the new segment in place of the old ones, for readers. Returns the bases of those.
    pub fn swap(self, log: &mut Log) -> Vec<i64> {
        let bases = self.group.iter().map(|it| it.base_offset).collect::<Vec<_>>();
        bases.iter().for_each(|base| drop(log.segments.remove(base)));
        log.segments.insert(bases[0], self.segment);
        bases
    }
}

/// Replaces the files of the segments `bases`, of which there is at least one, by the one that is
/// complete. Recovery calls it too. Afterwards the new segment has no indexes.
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

/// Neighbors that fit into one segment together.
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
    // A flipped bit must not be copied under a new checksum.
    batches.next_checked()?.map_err(invalid_data)
}

/// A batch with fewer records, and with a delete horizon if one is given. Timestamps of records are
/// relative to the base timestamp, in whose place the horizon is stored.
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
