//! Flushing: making a log durable without stopping it.
//!
//! An append ends in the page cache. It survives the end of the process, and not the loss of power.
//! A flush syncs the files and moves the recovery point up. Syncing takes milliseconds, so it must
//! not happen under the lock of the log, and not on a thread that serves:
//!
//! ```text
//! lock     flush = log.start_flush()     which files, and the end of the log now
//! unlock   flush.run()                   sync; appends go on meanwhile
//! lock     log.finish_flush(&flush)      recovery point = the end of the log as of then
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
//! `flush.messages` and `flush.ms`, which are off: Kafka relies on replicas. A single node has none,
//! hence `--sync always`.

use super::log::Log;
use super::segment::Indexes;
use crate::format::names::{Kind, segment_file};
use minikit::storage::{Disk, DiskFile};
use std::io;
use std::sync::Arc;

/// What a flush will sync.
pub struct Flush {
    disk: Arc<dyn Disk>,
    directory: String,
    segments: Vec<Arc<dyn DiskFile>>,
    /// Indexes of segments that are not written to any more.
    indexes: Vec<(i64, Indexes)>,
    snapshots: Vec<(i64, Vec<u8>)>,
    up_to: i64,
}

impl Flush {
    /// Syncs everything. Takes as long as the disk does; call it without a lock.
    pub fn run(&self) -> io::Result<()> {
        self.segments.iter().try_for_each(|file| file.sync())?;
        for (base_offset, indexes) in &self.indexes {
            self.write(*base_offset, Kind::OffsetIndex, &indexes.offsets.encode())?;
            self.write(*base_offset, Kind::TimeIndex, &indexes.times.encode())?;
        }
        for (offset, bytes) in &self.snapshots {
            self.write(*offset, Kind::Snapshot, bytes)?;
        }
        self.disk.sync_dir(&self.directory)
    }

    /// Everything below this offset is durable after [`Flush::run`].
    pub fn up_to(&self) -> i64 {
        self.up_to
    }

    fn write(&self, offset: i64, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        let name = format!("{}/{}", self.directory, segment_file(offset, kind));
        replace(&*self.disk, &name, bytes)
    }
}

/// The suffix of a file that will replace another one. After a crash it is removed.
pub const TEMPORARY: &str = ".tmp";

/// Replaces the content of a file in one step: after a crash it is the old one or the new one, and
/// the new one for certain after a sync of the directory.
///
/// An index that is cut looks like one with fewer entries, so writing it in place is not enough:
/// the log of its segment may already be below the recovery point, and then nobody checks it again.
pub fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = format!("{name}{TEMPORARY}");
    let file = match disk.open(&temporary) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(&temporary)?,
        opened => opened?,
    };
    file.truncate(0)?;
    file.write_all_at(bytes, 0)?;
    file.sync()?;
    disk.rename(&temporary, name)
}

impl Log {
    /// The files that hold anything after the recovery point. None if there is nothing to do.
    pub fn start_flush(&mut self) -> Option<Flush> {
        self.start(false)
    }

    /// A flush that also writes the indexes of the active segment and the state of the producers:
    /// the last one before a clean shutdown.
    pub fn start_last_flush(&mut self) -> Flush {
        self.take_snapshot();
        if let Some(mut active) = self.segments.last_entry() {
            active.get_mut().seal();
        }
        self.start(true).expect("the active segment is always flushed")
    }

    fn start(&mut self, is_last: bool) -> Option<Flush> {
        if self.recovery_point == self.next_offset && self.sealed.is_empty() && !is_last {
            return None;
        }

        // From the segment that contains the recovery point on.
        let first = self.segments.range(..=self.recovery_point).next_back();
        let first = first.map_or(i64::MIN, |(base_offset, _)| *base_offset);
        let unflushed = self.segments.range(first..);
        let unflushed = unflushed.map(|(_, segment)| Arc::clone(segment.file()));
        let segments = unflushed.collect();
        let mut with_indexes = std::mem::take(&mut self.sealed);
        if is_last {
            with_indexes.extend(self.segments.last_key_value().map(|(base, _)| *base));
        }
        let indexes = with_indexes.into_iter().filter_map(|base| {
            Some((base, self.segments.get(&base)?.indexes_in_memory()?.clone()))
        });
        let indexes = indexes.collect();

        Some(Flush {
            disk: Arc::clone(&self.disk),
            directory: self.directory.clone(),
            segments,
            indexes,
            snapshots: std::mem::take(&mut self.snapshots),
            up_to: self.next_offset,
        })
    }

    /// Moves the recovery point up after a flush that succeeded.
    pub fn finish_flush(&mut self, flush: &Flush) {
        self.recovery_point = self.recovery_point.max(flush.up_to);
    }

    /// Closes the log for appends after a flush that failed.
    pub fn fail(&mut self) {
        self.failed = true;
    }
}
