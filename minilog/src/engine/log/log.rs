//! The log: a sequence of segments, of which only the last one is written to.
//!
//! # Example
//!
//! `segment_bytes` 200, batches of 85 bytes with three records each:
//!
//! ```text
//! append  0..2    00000000000000000000.log   85
//! append  3..5    00000000000000000000.log  170
//! append  6..8    170 + 85 > 200: roll
//!                 00000000000000000006.log   85
//! read 4          the last segment whose name is at most 4 is 0; the batch at byte 85
//! read 9          the end of the log: no records yet, but no error
//! read 10         OFFSET_OUT_OF_RANGE
//! ```
//!
//! The golden scripts `roll_by_size` and `lookup_between_batches` replay it.
//!
//! # Invariants
//!
//! 1. There is always at least one segment. The one with the highest base offset is the active
//!    segment, and only it is written to.
//! 2. Offsets ascend through the whole log. There may be gaps, but no offset occurs twice.
//! 3. Everything below `recovery_point` is durable.
//! 4. `log_start_offset <= next_offset` and `recovery_point <= next_offset`.
//!
//! # Counterpart in Kafka
//!
//! `UnifiedLog.java` and `LocalLog.java`. Kafka iterates over the records of every batch to
//! validate their number and timestamps (`LogValidator.java`). Here the header and the checksum are
//! enough, and the records stay opaque, except that a compacted topic checks for keys. The cost: if
//! a producer writes a wrong number of records into the header, its consumers find out, not the
//! broker. `LogAppendTime` is not supported: it would change the checksum.

use super::batches::decompressed;
use super::config::LogConfig;
use super::directory::Directory;
use super::producers::{Producers, SequenceError};
use super::segment::{Segment, Slice, TimestampOffset};
use crate::format::batch::{self, BatchHeader};
use crate::format::checkpoint::{self, EpochEntry};
use crate::format::names::{Kind, segment_file};
use crate::format::record::records;
use crate::format::snapshot::{self, SnapshotEntry};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

/// A log in a directory of its own.
pub struct Log {
    /// The directory of its files.
    pub directory: Arc<Directory>,
    /// Its configuration. A change takes effect with the next append.
    pub config: LogConfig,
    /// The segments by base offset.
    pub(super) segments: BTreeMap<i64, Segment>,
    /// The offset that the next record gets.
    pub next_offset: i64,
    /// The first offset that can be read.
    pub log_start_offset: i64,
    /// Everything below this offset is durable.
    pub recovery_point: i64,
    /// Everything below this offset was compacted.
    pub cleaned_up_to: i64,
    /// The epochs of all leaders so far, oldest first; at least one.
    pub(super) epochs: Vec<EpochEntry>,
    /// The state of idempotent producers.
    pub producers: Producers,
    /// Snapshots that the next flush writes, each with the offset that names it.
    pub(super) snapshots: Vec<(i64, Vec<u8>)>,
    /// True if the log refuses appends: a write or a flush failed, so the end of the file is
    /// unknown, or the topic is deleted.
    pub failed: bool,
    /// A buffer for the batch with its assigned offset.
    scratch: Vec<u8>,
}

/// The result of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of the first record.
    pub base_offset: i64,
    /// The offset of the last record.
    pub last_offset: i64,
    /// True if the batch was in the log before, at these offsets, and nothing was appended.
    pub is_duplicate: bool,
    /// True if `flush.messages` records are not durable: acknowledge after a flush.
    pub needs_flush: bool,
}

/// Why a batch was not appended.
#[derive(Debug)]
pub enum AppendError {
    /// The bytes are not a valid batch. A retry may help: the network can have damaged them.
    Batch(String),
    /// The batch is intact but not allowed. A retry does not help.
    InvalidRecord(&'static str),
    /// A timestamp is too far from the broker's clock.
    Timestamp(String),
    /// The batch is longer than `max.message.bytes`.
    TooLarge(String),
    /// Another batch of the producer is missing, or a newer producer has taken over.
    Sequence(SequenceError),
    /// The disk failed. If the partial write could be undone the log is as before; if not, it
    /// refuses appends until it is opened again.
    Storage(io::Error),
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendError::Batch(text)
            | AppendError::Timestamp(text)
            | AppendError::TooLarge(text) => f.write_str(text),
            AppendError::InvalidRecord(text) => f.write_str(text),
            AppendError::Sequence(SequenceError::OutOfOrder { found, last }) => {
                write!(f, "out of order: sequence number {found} after {last}")
            }
            AppendError::Sequence(SequenceError::OldEpoch { found, newest }) => {
                write!(f, "the producer's epoch is {found}, and the newest one is {newest}")
            }
            AppendError::Storage(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for AppendError {
    fn from(error: io::Error) -> AppendError {
        AppendError::Storage(error)
    }
}

/// Why nothing was read.
#[derive(Debug)]
pub enum ReadError {
    /// The offset was deleted, or is beyond the end of the log.
    OffsetOutOfRange,
    /// The disk failed.
    Storage(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> ReadError {
        ReadError::Storage(error)
    }
}

/// The timestamp of a record that has none.
const NO_TIMESTAMP: i64 = -1;

/// The file with the first offset of each leader.
pub(super) const EPOCH_FILE: &str = "leader-epoch-checkpoint";

impl Log {
    /// Creates an empty log in a new directory. Its files are durable when this returns.
    /// [`recovery::open`](super::recovery::open) opens an existing log.
    pub fn create(directory: Directory, config: LogConfig) -> io::Result<Log> {
        let mut log = Log::new(directory, config);
        let epochs = checkpoint::print(&log.epochs);
        log.directory.replace(EPOCH_FILE, epochs.as_bytes())?;
        log.roll()?;
        log.directory.sync()?;
        Ok(log)
    }

    pub(super) fn new(directory: Directory, config: LogConfig) -> Log {
        Log {
            directory: Arc::new(directory),
            config,
            segments: BTreeMap::new(),
            next_offset: 0,
            log_start_offset: 0,
            recovery_point: 0,
            cleaned_up_to: 0,
            epochs: vec![EpochEntry { epoch: 0, start_offset: 0 }],
            producers: Producers::default(),
            snapshots: Vec::new(),
            failed: false,
            scratch: Vec::new(),
        }
    }

    /// Appends one batch as a producer sent it, and assigns its offsets.
    ///
    /// Costs one pass for the checksum, one copy, and one write to the page cache. The batch is
    /// durable after the next [`Flush`](super::flush::Flush). After an error the log is as before.
    pub fn append(&mut self, bytes: &[u8]) -> Result<Appended, AppendError> {
        self.append_at(bytes, None)
    }

    /// Like [`Log::append`], and also compares the batch's timestamps with `now`, in ms since 1970.
    pub fn append_at(&mut self, bytes: &[u8], now: Option<i64>) -> Result<Appended, AppendError> {
        if self.failed {
            let text = "the log is closed for appends after an earlier failure of its disk";
            return Err(io::Error::other(text).into());
        }
        let mut header = self.validate(bytes)?;
        if let Some(now) = now {
            self.check_timestamps(&header, now)?;
        }

        // A duplicate gets the same answer as the first time: that one may have been lost.
        if header.has_producer_id() {
            let checked = self.producers.check(&SnapshotEntry::of(&header));
            if let Some(sent) = checked.map_err(AppendError::Sequence)? {
                return Ok(self.appended(sent.base_offset(), sent.last_offset, true));
            }
        }

        // Both fields are in front of the checksum's range, so the producer's checksum stays valid.
        header.base_offset = self.next_offset;
        header.partition_leader_epoch = self.leader_epoch();
        self.scratch.clear();
        self.scratch.extend_from_slice(bytes);
        BatchHeader::base_offset.put(&mut self.scratch, header.base_offset);
        BatchHeader::partition_leader_epoch.put(&mut self.scratch, header.partition_leader_epoch);

        self.roll_if_full(&header, bytes.len() as u64)?;
        let active = self.segments.last_entry().expect("invariant 1").into_mut();
        let end = active.size;
        if let Err(error) = active.append(&header, &self.scratch) {
            // The file may end with part of the batch. No read reaches that far, but a clean
            // shutdown promises that the file ends with a complete batch.
            self.failed = active.file.truncate(end).is_err();
            return Err(error.into());
        }

        self.next_offset = header.next_offset();
        self.producers.note_batch(&header);
        Ok(self.appended(header.base_offset, header.last_offset(), false))
    }

    fn appended(&self, base_offset: i64, last_offset: i64, is_duplicate: bool) -> Appended {
        let needs_flush = last_offset >= self.recovery_point && self.needs_flush();
        Appended { base_offset, last_offset, is_duplicate, needs_flush }
    }

    /// Checks that the bytes are exactly one batch, and one that a producer may send.
    fn validate(&self, bytes: &[u8]) -> Result<BatchHeader, AppendError> {
        let (length, max) = (bytes.len(), self.config.message_bytes_max);
        if length > max as usize {
            let text = format!("the batch has {length} bytes, and max.message.bytes is {max}");
            return Err(AppendError::TooLarge(text));
        }
        // All versions of the format have their version number at the same place.
        if bytes.get(BatchHeader::magic.start()).is_some_and(|it| [0, 1].contains(it)) {
            let text = "format versions 0 and 1 are not supported; use version 2";
            return Err(AppendError::InvalidRecord(text));
        }
        if BatchHeader::read(bytes).ok().and_then(|it| it.size()) != Some(length) {
            let text = "a produce request must have exactly one batch per partition";
            return Err(AppendError::InvalidRecord(text));
        }

        let header = batch::check(bytes).map_err(AppendError::Batch)?;
        let problem = if header.base_offset != 0 {
            "the broker assigns offsets: the base offset must be 0"
        } else if header.records_count < 1 || header.last_offset_delta + 1 != header.records_count {
            "the number of records differs from the number of offsets"
        } else if header.compression().is_none() {
            "the compression of the batch is unknown"
        } else if header.has(batch::TRANSACTIONAL) {
            "transactions are not supported"
        } else if header.has(batch::CONTROL) {
            "clients must not send control batches"
        } else if header.has(batch::LOG_APPEND_TIME) {
            "clients must not send batches with LogAppendTime"
        } else if header.has_producer_id() && header.base_sequence < 0 {
            "a batch with a producer id needs a sequence number"
        } else if self.config.cleanup.compacts && !has_keys(&header, bytes) {
            "a compacted topic accepts only records with a key"
        } else {
            return Ok(header);
        };
        Err(AppendError::InvalidRecord(problem))
    }

    /// Refuses a batch whose first or largest timestamp is too far from the broker's clock. Kafka
    /// checks each record; here the header is enough to refuse the whole batch.
    fn check_timestamps(&self, header: &BatchHeader, now: i64) -> Result<(), AppendError> {
        let min = now.saturating_sub(self.config.timestamp_before_max_ms);
        let max = now.saturating_add(self.config.timestamp_after_max_ms);
        let found = [header.base_timestamp, header.max_timestamp];
        let is_valid = |it: &i64| *it == NO_TIMESTAMP || (min..=max).contains(it);
        let refused = |invalid| {
            let text = "One or more records have been rejected due to invalid timestamp";
            let range = format!("should be within [{min}, {max}]");
            AppendError::Timestamp(format!("{text}: {invalid} {range}"))
        };
        found.into_iter().find(|it| !is_valid(it)).map(refused).map_or(Ok(()), Err)
    }

    /// Starts a new segment if the batch does not fit the active one, by size, age or offset.
    fn roll_if_full(&mut self, header: &BatchHeader, size: u64) -> io::Result<()> {
        let (_, active) = self.segments.last_key_value().expect("invariant 1");
        let is_too_long = active.size + size > self.config.segment_bytes as u64;
        let age =
            active.first_timestamp.map_or(0, |first| header.max_timestamp.saturating_sub(first));
        let is_too_old = age > self.config.segment_ms;
        let is_out_of_reach = !active.can_hold(header.last_offset());
        if active.size > 0 && (is_too_long || is_too_old || is_out_of_reach) {
            self.roll()?;
        }
        Ok(())
    }

    /// Seals the active segment, starts the next one, and takes a snapshot of the producers. The
    /// next flush syncs all of it, on another thread.
    pub fn roll(&mut self) -> io::Result<()> {
        let file = self.directory.create_file(&segment_file(self.next_offset, Kind::Log))?;
        let interval = self.config.index_interval_bytes;
        let next = Segment::new(&self.directory, self.next_offset, file, interval);
        if let Some(mut active) = self.segments.last_entry() {
            active.get_mut().seal();
        }
        self.segments.insert(self.next_offset, next);
        self.take_snapshot();
        Ok(())
    }

    /// Takes a snapshot of the producers, which the next flush writes. Not at the start of the log:
    /// no producer is known there.
    pub(super) fn take_snapshot(&mut self) {
        if self.segments.first_key_value().is_some_and(|(base, _)| *base == self.next_offset) {
            return;
        }
        let entries = self.producers.last_batches().collect::<Vec<_>>();
        self.snapshots.push((self.next_offset, snapshot::encode(&entries)));
    }

    /// The bytes of the log from the batch that contains `offset` on: at most `length_max` bytes,
    /// but at least that whole batch, and nothing from the offset `limit` on. `limit` must be the
    /// base offset of a batch or the end of the log.
    ///
    /// None if there are no records yet: `offset` is at least `limit`, but not beyond the end.
    pub fn read(
        &self,
        offset: i64,
        length_max: usize,
        limit: i64,
    ) -> Result<Option<Slice>, ReadError> {
        if offset < self.log_start_offset || offset > self.next_offset {
            return Err(ReadError::OffsetOutOfRange);
        }
        if offset >= limit {
            return Ok(None);
        }

        // The offset is in the last segment that begins at or below it. After a compaction it can
        // be in the gap after that segment: then the next segment has the first batch to read.
        let (&base_offset, _) = self.segments.range(..=offset).next_back().ok_or_else(|| {
            ReadError::Storage(io::Error::other("the segment of the first offset is missing"))
        })?;
        for segment in self.segments.range(base_offset..).map(|(_, segment)| segment) {
            // Find the position of `limit`, unless it is the end of the log.
            let after = if limit < self.next_offset { segment.find(limit)? } else { None };
            let end = after.map_or(segment.size, |(position, _)| position);
            if let Some(slice) = segment.read(offset, length_max, end)? {
                let is_active = !self.is_sealed(segment.base_offset);
                return Ok((slice.length > 0).then_some(Slice { is_active, ..slice }));
            }
        }
        Ok(None)
    }

    /// Returns true if an offset is in a sealed segment, one that is no longer written to.
    pub fn is_sealed(&self, offset: i64) -> bool {
        let (&active, _) = self.segments.last_key_value().expect("invariant 1");
        offset < active
    }

    /// The first record at or after `timestamp` (`ListOffsets` with a timestamp).
    ///
    /// Costs a comparison per segment, then a search in one of them.
    pub fn find_timestamp(&self, timestamp: i64) -> io::Result<Option<TimestampOffset>> {
        for segment in self.segments.values() {
            if segment.max_timestamp.is_some_and(|max| max.timestamp >= timestamp)
                && let Some(found) = segment.find_timestamp(timestamp, self.log_start_offset)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The last leader epoch up to `epoch`, and the offset after its last record
    /// (`OffsetForLeaderEpoch`). None if `epoch` is -1 or no leader has had that epoch yet.
    pub fn end_of_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        let after = self.epochs.partition_point(|it| it.epoch <= epoch);
        let last = after.checked_sub(1).map_or(epoch, |it| self.epochs[it].epoch);
        let end = match self.epochs.get(after) {
            Some(next) => next.start_offset,
            None if last == epoch => self.next_offset,
            None => return None,
        };
        (epoch != -1).then_some((last, end))
    }

    /// The record with the largest timestamp (`ListOffsets` with -3).
    pub fn find_max_timestamp(&self) -> io::Result<Option<TimestampOffset>> {
        let timestamps = self.segments.values().filter_map(|it| Some(it.max_timestamp?.timestamp));
        timestamps.max().map_or(Ok(None), |max| self.find_timestamp(max))
    }

    /// Makes all records before `offset` unreadable. The next [`Log::remove_old_segments`] removes
    /// segments without a readable record.
    pub fn delete_records_before(&mut self, offset: i64) {
        self.log_start_offset = self.log_start_offset.max(offset.min(self.next_offset));
    }

    /// Takes the segments that retention no longer keeps out of the log, oldest first, and moves
    /// the start of the log up. The caller removes their files, on a thread that serves no clients.
    ///
    /// Removes whole segments only: deleting some records of a file would mean rewriting the rest
    /// of it. If the active segment is too old as well, an empty one replaces it.
    pub fn remove_old_segments(&mut self, now: i64) -> io::Result<Vec<Segment>> {
        let mut removed = Vec::new();
        while self.may_remove_first(now) {
            if self.segments.len() == 1 {
                self.roll()?;
            }
            let (_, segment) = self.segments.pop_first().expect("invariant 1");
            let (&next, _) = self.segments.first_key_value().expect("one is left");
            self.log_start_offset = self.log_start_offset.max(next);
            removed.push(segment);
        }
        Ok(removed)
    }

    fn may_remove_first(&self, now: i64) -> bool {
        let mut segments = self.segments.values();
        let first = segments.next().expect("invariant 1");
        let end = segments.next().map_or(self.next_offset, |it| it.base_offset);
        // A deleted topic's log is failed too. Its files may belong to a new topic of that name.
        if self.failed || first.size == 0 && self.segments.len() == 1 {
            return false;
        }
        if end <= self.log_start_offset {
            return true;
        }

        let age = first.max_timestamp.map_or(0, |it| now.saturating_sub(it.timestamp));
        let is_too_old = self.config.retention_ms >= 0 && age > self.config.retention_ms;
        // Never delete so much that less than `retention.bytes` is left.
        let rest = self.size() - first.size;
        let promised = u64::try_from(self.config.retention_bytes);
        let is_too_long = promised.is_ok_and(|promised| rest >= promised);
        self.config.cleanup.deletes && (is_too_old || is_too_long)
    }

    /// Returns true if a flush would have nothing to do.
    pub fn is_durable(&self) -> bool {
        self.recovery_point == self.next_offset && self.sealed_have_indexes()
    }

    /// Returns true if the indexes of all sealed segments are in their files.
    pub(super) fn sealed_have_indexes(&self) -> bool {
        self.segments.values().rev().skip(1).all(|it| it.indexes.is_none())
    }

    /// Returns true if `flush.messages` records or more are not durable.
    pub fn needs_flush(&self) -> bool {
        self.next_offset - self.recovery_point >= self.config.flush_messages
    }

    /// Returns true if every append waits for a flush, and consumers see records only after it.
    pub fn waits_for_flush(&self) -> bool {
        self.config.flush_messages == 1
    }

    /// The epoch of the current leader.
    pub fn leader_epoch(&self) -> i32 {
        self.epochs.last().map_or(0, |it| it.epoch)
    }

    /// The size of all segments in bytes.
    pub fn size(&self) -> u64 {
        self.segments.values().map(|it| it.size).sum()
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segments.values()
    }

    /// Renames the directory. The new name is durable after a sync of its parent. Opens the files
    /// again, so that later errors name them correctly.
    pub fn rename_directory(&mut self, name: &str) -> io::Result<()> {
        self.directory = Arc::new(self.directory.rename_to(name)?);
        for (base_offset, segment) in &mut self.segments {
            segment.directory = Arc::clone(&self.directory);
            segment.file = self.directory.open(&segment_file(*base_offset, Kind::Log))?.into();
        }
        Ok(())
    }
}

/// Returns true if every record can be decoded, has a key, and has consecutive offsets: compaction
/// relies on all three.
fn has_keys(header: &BatchHeader, bytes: &[u8]) -> bool {
    let bytes = decompressed(header, bytes).unwrap_or_default();
    let mut count = 0;
    let is_valid = records(&bytes).all(|record| {
        count += 1;
        record.is_ok_and(|it| it.key.is_some() && it.offset_delta == count - 1)
    });
    is_valid && count == header.records_count
}
