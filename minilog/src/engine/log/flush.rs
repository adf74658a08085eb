//! Flushing: making a log durable without stopping it.
//!
//! An append writes to the page cache. The records survive the end of the process, but not a loss
//! of power. A flush syncs the files and moves the recovery point up. Syncing takes milliseconds,
//! so it must not happen under the lock of the log or on a thread that serves clients:
//!
//! ```text
//! lock     flush = Flush::start(log)     collect the files, note the end of the log
//! unlock   flush.run()                   sync; appends continue meanwhile
//! lock     flush.finish(log)             recovery point = the end that start() noted
//! ```
//!
//! # The order of syncs
//!
//! The recovery point promises that everything below it needs no check after a crash. So before it
//! moves, a flush syncs the segments, the indexes of sealed segments and the names of new files.
//! The checkpoint that stores the recovery point is written last.
//!
//! # A failed sync
//!
//! After a failed sync nothing is known about the bytes on the disk, and a second sync that
//! succeeds proves nothing (the head of [`minikit::storage`] shows why). The log refuses appends
//! until the process restarts and recovers it.
//!
//! Kafka counterpart: `UnifiedLog.flush`, called after a roll, and by `flush.messages` and
//! `flush.ms`, which are off by default: Kafka relies on replicas. A single node has none, hence
//! `--sync always`, which sets `flush.messages` to 1 for all topics. For `flush.messages` Kafka
//! syncs inside the append, under the lock of the log; here only the response waits.

use super::directory::Directory;
use super::log::Log;
use super::segment::Indexes;
use crate::format::names::{Kind, segment_file};
use minikit::storage::DiskFile;
use std::io;
use std::sync::Arc;

/// The files that a flush syncs and writes.
pub struct Flush {
    directory: Arc<Directory>,
    segments: Vec<Arc<dyn DiskFile>>,
    /// Indexes of sealed segments.
    indexes: Vec<(i64, Indexes)>,
    snapshots: Vec<(i64, Vec<u8>)>,
    up_to: i64,
}

impl Flush {
    /// Collects the files that have changed since the last flush. None if none have, or if an
    /// earlier flush failed.
    pub fn start(log: &mut Log) -> Option<Flush> {
        (!log.is_durable() && !log.failed).then(|| Flush::collect(log, 1))
    }

    /// Starts the last flush before a clean shutdown. It also writes the indexes of the active
    /// segment and a snapshot of the producers. None if an earlier flush failed: that is not clean.
    pub fn start_last(log: &mut Log) -> Option<Flush> {
        log.take_snapshot();
        log.segments.last_entry().expect("there is an active segment").get_mut().seal();
        (!log.failed).then(|| Flush::collect(log, 0))
    }

    /// Collects all files, except the indexes of the last `active` segments, which is 0 or 1.
    fn collect(log: &mut Log, active: usize) -> Flush {
        // The first file to sync is that of the segment that contains the recovery point.
        let first = log.segments.range(..=log.recovery_point).next_back();
        let first = first.map_or(i64::MIN, |(base_offset, _)| *base_offset);
        let segments = log.segments.range(first..).map(|(_, it)| Arc::clone(&it.file)).collect();

        let sealed = log.segments.iter().rev().skip(active);
        let indexes = sealed.filter_map(|(base, it)| Some((*base, it.indexes.clone()?)));
        Flush {
            directory: Arc::clone(&log.directory),
            segments,
            indexes: indexes.collect(),
            snapshots: std::mem::take(&mut log.snapshots),
            up_to: log.next_offset,
        }
    }

    /// Syncs and writes the files. Call it without a lock: it waits for the disk.
    pub fn run(&self) -> io::Result<()> {
        self.segments.iter().try_for_each(|file| file.sync())?;
        for (base_offset, indexes) in &self.indexes {
            indexes.write(&self.directory, *base_offset)?;
        }
        for (offset, bytes) in &self.snapshots {
            self.directory.replace(&segment_file(*offset, Kind::Snapshot), bytes)?;
        }
        self.directory.sync()
    }

    /// Moves the recovery point of the log up after [`Flush::run`] has succeeded, and frees the
    /// indexes that are now in their files.
    pub fn finish(&self, log: &mut Log) {
        log.recovery_point = log.recovery_point.max(self.up_to);
        let active = log.segments.last_key_value().map(|(base_offset, _)| *base_offset);
        for (base_offset, _) in self.indexes.iter().filter(|(it, _)| Some(*it) != active) {
            log.segments.get_mut(base_offset).into_iter().for_each(|it| it.indexes = None);
        }
    }
}
