//! Flushing: making a log durable without stopping it.
//!
//! An append ends in the page cache. It survives the end of the process, and not the loss of power.
//! A flush syncs the files and moves the recovery point up. Syncing takes milliseconds, so it must
//! not happen under the lock of the log, and not on a thread that serves:
//!
//! ```text
//! lock     flush = Flush::start(log)     which files, and the end of the log now
//! unlock   flush.run()                   sync; appends go on meanwhile
//! lock     flush.finish(log)             recovery point = the end of the log as of then
//! ```
//!
//! # In which order
//!
//! The recovery point promises that everything below it needs no check after a crash. So the files
//! are synced before it moves, the indexes of sealed segments and the names of new files included,
//! and the checkpoint with the recovery point is written last.
//!
//! # A failed sync
//!
//! Nothing is known about the bytes then, and a second sync that succeeds proves nothing (the head
//! of [`minikit::storage`] shows why). The log takes no more appends until the process starts
//! again and recovers.
//!
//! Kafka counterpart: `UnifiedLog.flush`, called by the scheduler after a roll and by the settings
//! `flush.messages` and `flush.ms`, which are off: Kafka relies on replicas. A single node has
//! none, hence `--sync always`, which is `flush.messages` 1 for all topics. Kafka syncs inside of
//! the append and holds the lock of the log meanwhile; here the response waits and nothing else.

use super::directory::Directory;
use super::log::Log;
use super::segment::Indexes;
use crate::format::names::{Kind, segment_file};
use minikit::storage::DiskFile;
use std::io;
use std::sync::Arc;

/// What a flush will sync.
pub struct Flush {
    directory: Arc<Directory>,
    segments: Vec<Arc<dyn DiskFile>>,
    /// Indexes of segments that are not written to any more.
    indexes: Vec<(i64, Indexes)>,
    snapshots: Vec<(i64, Vec<u8>)>,
    up_to: i64,
}

impl Flush {
    /// The files of a log that hold anything after the recovery point. None if there is nothing to
    /// do, or an earlier flush failed.
    pub fn start(log: &mut Log) -> Option<Flush> {
        (!log.is_durable() && !log.failed).then(|| Flush::collect(log, 1))
    }

    /// A flush that also writes the indexes of the active segment and the state of the producers:
    /// the last one before a clean shutdown. None if an earlier flush failed: that is not clean.
    pub fn start_last(log: &mut Log) -> Option<Flush> {
        log.take_snapshot();
        log.segments.last_entry().expect("there is an active segment").get_mut().seal();
        (!log.failed).then(|| Flush::collect(log, 0))
    }

    /// Everything but the indexes of the last `active` segments.
    fn collect(log: &mut Log, active: usize) -> Flush {
        // From the segment that contains the recovery point on.
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

    /// Syncs everything. Takes as long as the disk does; call it without a lock.
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

    /// Moves the recovery point of the log up, after [`Flush::run`] succeeded, and frees the
    /// indexes that are in their files now.
    pub fn finish(&self, log: &mut Log) {
        log.recovery_point = log.recovery_point.max(self.up_to);
        let active = log.segments.last_key_value().map(|(base_offset, _)| *base_offset);
        for (base_offset, _) in self.indexes.iter().filter(|(it, _)| Some(*it) != active) {
            log.segments.get_mut(base_offset).into_iter().for_each(|it| it.indexes = None);
        }
    }
}
