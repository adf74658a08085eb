//! Recovery: opening a log in any state that a crash can leave.
//!
//! # What a crash leaves
//!
//! The kernel writes the page cache to the disk in any order, or not at all. Below the recovery
//! point everything is as it was written. Above it, bytes can be missing, cut off, or zero:
//!
//! ```text
//! recovery point = 6          the process wrote     the disk has
//! 00000000000000000000.log    0..2 3..5             0..2 3..5
//! 00000000000000000006.log    6..8 9..11            6..8 9.#      ends in the middle of a batch
//! 00000000000000000012.log    12..14                12..14        intact, but after a gap
//! ```
//!
//! # What recovery does
//!
//! Recovery checks every batch of every segment that reaches above the recovery point, and rebuilds
//! the indexes of those segments. The log ends at the first bad batch: the rest of its segment is
//! truncated, and all later segments are deleted, even the intact segment 12. If it stayed, a
//! consumer would silently skip the lost records 9 to 11.
//!
//! This can lose acknowledged records that were not flushed. That is Kafka's contract as well: it
//! acknowledges records in the page cache and relies on replicas.
//!
//! After a clean shutdown only the last 4 KiB or so of the active segment are read.
//!
//! # What makes a batch bad
//!
//! A wrong length, version or checksum ([`Batches::next_checked`]). The checksum does not cover the
//! first fields, so two more rules apply: offsets must ascend, and the leader epoch must not
//! decrease. If only the end of a write reached the disk, these fields can be zero under a valid
//! checksum. The golden script `torn_header_passes_the_checksum` shows such a batch.
//!
//! # Counterpart in Kafka
//!
//! `LogLoader.java` and `LogSegment.recover`. As in Kafka, an interrupted compaction is completed
//! if it got as far as a `.swap` file. This works for files that Kafka left, too.

use super::batches::{Batches, LOOKUP_WINDOW, RECOVERY_WINDOW, invalid_data};
use super::compaction::{CLEANED, SWAP, finish_swap};
use super::config::LogConfig;
use super::directory::{Directory, TEMPORARY};
use super::log::{EPOCH_FILE, Log};
use super::producers::Producers;
use super::segment::{Indexes, Segment};
use crate::format::checkpoint::{self, EpochEntry};
use crate::format::names::{self, Kind, segment_file};
use crate::format::snapshot;
use std::io;
use std::sync::Arc;

/// What the checkpoints say about a log, before its directory is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// True if the last process left the marker of a clean shutdown.
    pub is_clean: bool,
    /// Everything below this offset is durable (`recovery-point-offset-checkpoint`).
    pub recovery_point: i64,
    /// Everything below this offset was deleted (`log-start-offset-checkpoint`).
    pub log_start_offset: i64,
    /// Everything below this offset was compacted (`cleaner-offset-checkpoint`).
    pub cleaned_up_to: i64,
}

/// What recovery has checked and repaired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of segments whose batches were checked.
    pub segments_checked: usize,
    /// The number of bytes truncated from the end of a segment.
    pub bytes_truncated: u64,
    /// The number of segments deleted because an earlier one was damaged.
    pub segments_deleted: usize,
    /// The bad batch at which the log now ends, and what is wrong with it.
    pub reason: Option<String>,
}

/// Opens the log in a directory, and repairs it if the last shutdown was not clean.
///
/// Costs a directory listing, and reading every segment above the recovery point.
pub fn open(directory: Directory, config: LogConfig, start: Start) -> io::Result<(Log, Report)> {
    let mut recovery = Recovery {
        log: Log::new(directory, config),
        start,
        report: Report::default(),
        changed: false,
    };
    recovery.run()?;
    Ok((recovery.log, recovery.report))
}

/// A log that is being opened.
struct Recovery {
    log: Log,
    start: Start,
    report: Report,
    /// True if a file was created, removed or replaced.
    changed: bool,
}

impl Recovery {
    fn run(&mut self) -> io::Result<()> {
        let files = self.list()?;
        self.log.epochs = self.read_epochs()?;
        let bases = files.iter().filter(|(_, kind)| *kind == Kind::Log).map(|(base, _)| *base);
        let bases = bases.collect::<Vec<_>>();
        self.load_segments(&bases)?;
        // The next flush writes the indexes that were rebuilt.
        let sealed = self.log.segments.values_mut().rev().skip(1);
        sealed.filter(|it| it.indexes.is_some()).for_each(Segment::seal);

        self.remove_orphans(&files, &bases)?;
        let deleted = self.start.log_start_offset;
        if self.log.segments.is_empty() {
            self.log.next_offset = self.log.next_offset.max(deleted);
            self.log.roll()?;
            self.changed = true;
        }
        let end = self.log.next_offset;
        self.log.log_start_offset = self.first_base().max(deleted).min(end);
        self.restore_producers(&files)?;
        self.truncate_epochs()?;

        // Sync the truncation, or the bad bytes could come back after the next crash.
        if self.report.reason.is_some() {
            let (_, active) = self.log.segments.last_key_value().expect("a segment was loaded");
            active.file.sync()?;
        }
        // A sync can take longer than all of the above, so skip it if no file changed.
        if self.changed || self.report.reason.is_some() {
            self.log.directory.sync()?;
        }
        let durable = if self.start.is_clean { end } else { self.start.recovery_point };
        self.log.cleaned_up_to = self.start.cleaned_up_to.clamp(self.log.log_start_offset, end);
        self.log.recovery_point = durable.clamp(self.log.log_start_offset, end);
        Ok(())
    }

    /// Completes or removes what a crash left of unfinished changes. Returns the segments' files.
    fn list(&mut self) -> io::Result<Vec<(i64, Kind)>> {
        let directory = Arc::clone(&self.log.directory);
        let mut names = directory.list()?;

        // Remove unfinished files, and files that Kafka was deleting. If Kafka splits a compaction
        // into several segments it renames the first to `.swap` last. So as long as that one is
        // `.cleaned`, the `.swap` files after it are not complete either.
        let is_cleaned = |name: &&String| name.ends_with(CLEANED);
        let first_cleaned = names.iter().find(is_cleaned).cloned();
        let is_incomplete = |name: &String| {
            let is_swap = name.ends_with(SWAP);
            let after = first_cleaned
                .as_ref()
                .is_some_and(|first| is_swap && name.get(..20) >= first.get(..20));
            let is_index = is_swap && !name.ends_with(".log.swap");
            let ends = [TEMPORARY, CLEANED, ".deleted"];
            after || is_index || ends.iter().any(|end| name.ends_with(end))
        };
        for name in names.extract_if(.., |name| is_incomplete(name)) {
            directory.remove(&name)?;
            self.changed = true;
        }

        for name in names.iter().filter(|name| name.ends_with(SWAP)) {
            self.complete_swap(&names, name)?;
            self.changed = true;
        }
        let names = directory.list()?;
        Ok(names.iter().filter_map(|name| names::parse(name)).collect())
    }

    /// Replaces the segments whose offsets a rewritten segment covers.
    fn complete_swap(&self, names: &[String], swap: &str) -> io::Result<()> {
        let directory = &*self.log.directory;
        let Some((base, Kind::Log)) = names::parse(swap.trim_end_matches(SWAP)) else {
            return Ok(());
        };
        let file = directory.open(swap)?;
        let mut batches = Batches::new(&*file, 0, file.len()?, RECOVERY_WINDOW);
        let mut next_offset = base;
        loop {
            match batches.next_checked()? {
                Ok(Some((header, _))) => next_offset = header.next_offset(),
                Ok(None) => break,
                Err(reason) => {
                    let at = format!("{}/{swap} at byte {}", directory.name(), batches.position);
                    return Err(invalid_data(format!("{at}: {reason}")));
                }
            }
        }
        let logs = names.iter().filter_map(|it| names::parse(it));
        let logs = logs.filter(|(it, kind)| {
            *kind == Kind::Log && (base.saturating_add(1)..next_offset).contains(it)
        });
        let bases = [base].into_iter().chain(logs.map(|(it, _)| it)).collect::<Vec<_>>();
        finish_swap(directory, &bases)
    }

    /// Loads the segments in order. Deletes those after a damaged one.
    fn load_segments(&mut self, bases: &[i64]) -> io::Result<()> {
        self.log.next_offset = bases.first().copied().unwrap_or(0);
        for (index, &base) in bases.iter().enumerate() {
            if self.report.reason.is_none() {
                self.load_segment(base, bases.get(index + 1).copied())?;
                continue;
            }
            self.segment(base)?.remove()?;
            self.report.segments_deleted += 1;
        }
        Ok(())
    }

    /// Loads one segment, which ends before `end` unless it is the last one.
    fn load_segment(&mut self, base: i64, end: Option<i64>) -> io::Result<()> {
        let mut segment = self.segment(base)?;
        let is_durable =
            self.start.is_clean || end.is_some_and(|end| end <= self.start.recovery_point);
        let is_loaded = match end {
            _ if !is_durable => false,
            Some(end) => self.load_sealed(&mut segment, end)?,
            None => self.load_active(&mut segment)?,
        };
        if !is_loaded {
            self.check_segment(&mut segment)?;
        }
        self.log.segments.insert(base, segment);
        Ok(())
    }

    /// Loads a sealed segment below the recovery point without a check. Returns false if one of its
    /// indexes is missing or ends within an entry: then the segment must be checked.
    fn load_sealed(&mut self, segment: &mut Segment, end: i64) -> io::Result<bool> {
        let indexes = segment.indexes.take();
        let last_offset = segment.floor(|it| &it.offsets, i64::MAX);
        let last_time = segment.floor(|it| &it.times, i64::MAX);
        // Unmap the indexes: a process has a limited number of maps. The next lookup maps them.
        segment.files = Default::default();
        let (Ok(_), Ok(last_time)) = (last_offset, last_time) else {
            segment.indexes = indexes;
            return Ok(false);
        };
        segment.max_timestamp = last_time.map(|it| it.found(segment.base_offset));
        segment.size = segment.file.len()?;
        self.log.next_offset = end;
        Ok(true)
    }

    /// Loads the active segment after a clean shutdown, and walks only over the batches after the
    /// last index entry. Returns false if the indexes or those batches are damaged.
    fn load_active(&mut self, segment: &mut Segment) -> io::Result<bool> {
        let base = segment.base_offset;
        let Ok(indexes) = Indexes::load(&self.log.directory, base) else { return Ok(false) };
        let (file, size) = (Arc::clone(&segment.file), segment.file.len()?);
        let last_entry = indexes.offsets.last().map_or(0, |it| it.position as u64);
        let mut batches = Batches::new(&*file, last_entry, size, LOOKUP_WINDOW);
        let mut last_batch = None;
        loop {
            let Ok(batch) = batches.next_header() else { return Ok(false) };
            let Some(batch) = batch else { break };
            last_batch = Some(batch);
        }
        if batches.position != size {
            return Ok(false);
        }

        segment.first_timestamp = batches.header_at(0)?.map(|it| it.max_timestamp);
        segment.max_timestamp = indexes.times.last().map(|it| it.found(base));
        (segment.size, segment.last_batch, segment.indexes) = (size, last_batch, Some(indexes));
        self.log.next_offset = last_batch.map_or(base, |(_, header)| header.next_offset());
        Ok(true)
    }

    /// Checks the batches of a segment, builds its indexes, and truncates it at the first bad one.
    fn check_segment(&mut self, segment: &mut Segment) -> io::Result<()> {
        self.report.segments_checked += 1;
        let (base, file) = (segment.base_offset, Arc::clone(&segment.file));
        let length = file.len()?;
        let mut next_offset = base.max(self.log.next_offset);
        let mut epoch = i32::MIN;
        let mut batches = Batches::new(&*file, 0, length, RECOVERY_WINDOW);
        let reason = loop {
            let header = match batches.next_checked()? {
                Ok(Some((header, _))) => header,
                Ok(None) => break None,
                Err(reason) => break Some(reason),
            };
            if header.base_offset < next_offset || !segment.can_hold(header.last_offset()) {
                let offset = header.base_offset;
                break Some(format!("offset {offset} comes after offset {}", next_offset - 1));
            }
            if header.partition_leader_epoch < epoch {
                let found = header.partition_leader_epoch;
                break Some(format!("leader epoch {found} comes after {epoch}"));
            }
            (next_offset, epoch) = (header.next_offset(), header.partition_leader_epoch);
            if epoch > self.log.leader_epoch() {
                // The checkpoint does not have this leader. With an older epoch, batches appended
                // from now on would look bad to the next recovery.
                self.log.epochs.push(EpochEntry { epoch, start_offset: header.base_offset });
            }
            segment.note_batch(&header, header.size().unwrap_or(0) as u64);
        };

        if let Some(reason) = reason {
            self.report.bytes_truncated += length - segment.size;
            let name = segment_file(base, Kind::Log);
            self.report.reason = Some(format!("{name} at byte {}: {reason}", segment.size));
            file.truncate(segment.size)?;
        }
        self.log.next_offset = next_offset;
        Ok(())
    }

    /// Restores the producers from the newest valid snapshot and the batches after it. Removes
    /// snapshots of offsets that no longer exist.
    fn restore_producers(&mut self, files: &[(i64, Kind)]) -> io::Result<()> {
        let mut from = self.first_base();
        for &(offset, _) in files.iter().filter(|(_, kind)| *kind == Kind::Snapshot) {
            let name = segment_file(offset, Kind::Snapshot);
            if offset > self.log.next_offset || offset < self.first_base() {
                self.log.directory.remove(&name)?;
                self.changed = true;
                continue;
            }
            let bytes = self.log.directory.read(&name)?;
            if let Some(entries) = bytes.and_then(|bytes| snapshot::decode(&bytes)) {
                self.log.producers = Producers::default();
                entries.into_iter().for_each(|it| self.log.producers.note(it));
                from = offset;
            }
        }

        let mut producers = std::mem::take(&mut self.log.producers);
        for segment in self.log.segments.values().filter(|it| self.end_of(it) > from) {
            let Some((position, _)) = segment.find(from)? else { continue };
            let mut batches = segment.batches(position, RECOVERY_WINDOW);
            while let Some((_, header)) = batches.next_header()? {
                producers.note_batch(&header);
            }
        }
        self.log.producers = producers;
        Ok(())
    }

    /// Removes index files without a log: a crash during the deletion of a segment leaves them.
    fn remove_orphans(&mut self, files: &[(i64, Kind)], bases: &[i64]) -> io::Result<()> {
        let is_orphan = |(base, kind): &&(i64, Kind)| {
            !matches!(kind, Kind::Log | Kind::Snapshot) && !bases.contains(base)
        };
        files.iter().filter(is_orphan).try_for_each(|(base, kind)| {
            self.changed = true;
            self.log.directory.remove_segment(*base, &[*kind])
        })
    }

    fn read_epochs(&self) -> io::Result<Vec<EpochEntry>> {
        let bytes = self.log.directory.read(EPOCH_FILE)?.unwrap_or_default();
        let named = |it| invalid_data(format!("{}/{EPOCH_FILE}: {it}", self.log.directory.name()));
        let mut epochs = checkpoint::parse(&String::from_utf8_lossy(&bytes)).map_err(named)?;
        if epochs.is_empty() {
            epochs.push(EpochEntry { epoch: 0, start_offset: 0 });
        }
        Ok(epochs)
    }

    /// Removes leader epochs that begin at or after the end of the log, but keeps at least one.
    fn truncate_epochs(&mut self) -> io::Result<()> {
        let last = *self.log.epochs.last().expect("there is at least one epoch");
        let end = self.log.next_offset;
        self.log.epochs.retain(|it| it.start_offset < end);
        if self.log.epochs.is_empty() {
            self.log.epochs.push(EpochEntry { start_offset: last.start_offset.min(end), ..last });
        }
        if self.log.epochs != self.read_epochs()? {
            let text = checkpoint::print(&self.log.epochs);
            self.log.directory.replace(EPOCH_FILE, text.as_bytes())?;
            self.changed = true;
        }
        Ok(())
    }

    /// Opens a segment's file. Its batches are not known yet.
    fn segment(&self, base: i64) -> io::Result<Segment> {
        let file = self.log.directory.open(&segment_file(base, Kind::Log))?;
        let interval = self.log.config.index_interval_bytes;
        Ok(Segment::new(&self.log.directory, base, file, interval))
    }

    fn first_base(&self) -> i64 {
        self.log.segments.first_key_value().map_or(0, |(base, _)| *base)
    }

    /// The offset after a segment's last one.
    fn end_of(&self, segment: &Segment) -> i64 {
        let next = self.log.segments.range(segment.base_offset + 1..).next();
        next.map_or(self.log.next_offset, |(base, _)| *base)
    }
}
