//! A partition: one log shared by threads.
//!
//! Producers append under a lock. Consumers take the same lock for the few hundred nanoseconds of a
//! lookup, and read the file after they release it. They may read up to the *high watermark*, the
//! offset below which every replica has the records. A single node has no other replicas, so its
//! high watermark is the end of the log, or with `flush.messages` 1 the end of the durable part.
//!
//! # Waiting
//!
//! A consumer at the high watermark waits for the next record. It registers a [`Waker`] and then
//! checks the watermark again. An append moves the watermark, then wakes all registered wakers:
//!
//! ```text
//! consumer                         producer
//! read: nothing at 41
//! register its waker
//!                                  append: the high watermark is 42
//! check again: 42                  wake all registered wakers
//! ```
//!
//! In every interleaving the consumer sees the new watermark or is woken: `tests/loom_partition.rs`
//! tries them all. Without the second check, a consumer would miss a record that arrives between
//! its first read and the registration, and would sleep until the next one.
//!
//! # Counterpart in Kafka
//!
//! `Partition.scala`, `UnifiedLog.highWatermark`, and `DelayedFetchPurgatory`, which holds an
//! object for each waiting fetch. Here the connection's own task waits (`minilog_purgatory`).

use super::compaction::{Compaction, Limits, Rewritten, finish_swap};
use super::config::LogConfig;
use super::flush::Flush;
use super::log::{AppendError, Appended, Log, ReadError};
use super::segment::{Segment, Slice};
use minikit::sync::Mutex;
use minikit::sync::atomic::{AtomicI64, Ordering};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// A log, its high watermark, and the consumers that wait for it.
pub struct Partition {
    log: Mutex<Log>,
    high_watermark: AtomicI64,
    /// Everything below this offset is durable.
    recovery_point: AtomicI64,
    /// The wakers, by the address of the task that they wake.
    waiting: Mutex<BTreeMap<usize, Waker>>,
    /// Held while files are synced, deleted or replaced, so that only one thread does so at a time.
    maintenance: Mutex<()>,
}

/// The offsets of a partition at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// The first offset that can be read.
    pub log_start_offset: i64,
    /// The first offset that cannot be read yet.
    pub high_watermark: i64,
    /// The epoch of the leader.
    pub leader_epoch: i32,
}

impl Partition {
    /// Shares a log. With `flush.messages` 1 consumers see records only after a flush.
    pub fn new(log: Log) -> Partition {
        // Recovered records are readable even above the recovery point: recovery has checked them.
        let high_watermark = AtomicI64::new(log.next_offset);
        let recovery_point = AtomicI64::new(log.recovery_point);
        let (log, waiting) = (Mutex::new(log), Mutex::new(BTreeMap::new()));
        let maintenance = Mutex::new(());
        Partition { log, high_watermark, recovery_point, waiting, maintenance }
    }

    /// Appends a batch, see [`Log::append`]. Consumers see it at once, or after the next flush.
    pub fn append(&self, bytes: &[u8]) -> Result<Appended, AppendError> {
        self.append_at(bytes, None)
    }

    /// Appends a batch after a check of its timestamps, see [`Log::append_at`].
    pub fn append_at(&self, bytes: &[u8], now: Option<i64>) -> Result<Appended, AppendError> {
        let (appended, is_visible) = {
            let mut log = self.log.lock();
            let (appended, is_visible) = (log.append_at(bytes, now)?, !log.waits_for_flush());
            if is_visible {
                // Under the lock, so that the watermark never moves back.
                self.high_watermark.store(log.next_offset, Ordering::Release);
            }
            (appended, is_visible)
        };
        if is_visible {
            self.wake();
        }
        Ok(appended)
    }

    /// Reads from `offset` up to the high watermark, see [`Log::read`]. Also returns the offsets.
    pub fn read(
        &self,
        offset: i64,
        length_max: usize,
    ) -> Result<(Option<Slice>, Offsets), ReadError> {
        let log = self.log.lock();
        let offsets = self.offsets_of(&log);
        let slice = log.read(offset, length_max, offsets.high_watermark)?;
        Ok((slice, offsets))
    }

    /// The first offset that cannot be read yet. Does not take the lock.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark.load(Ordering::Acquire)
    }

    /// The offset below which everything is durable. Does not take the lock.
    pub fn recovery_point(&self) -> i64 {
        self.recovery_point.load(Ordering::Acquire)
    }

    /// The offsets of the partition, read under the lock.
    pub fn offsets(&self) -> Offsets {
        self.offsets_of(&self.log.lock())
    }

    fn offsets_of(&self, log: &Log) -> Offsets {
        Offsets {
            log_start_offset: log.log_start_offset,
            high_watermark: self.high_watermark(),
            leader_epoch: log.leader_epoch(),
        }
    }

    /// Wakes `waker` when the high watermark or the recovery point moves, or the log fails. The
    /// caller must check them again after this call. Spurious wakes are possible.
    pub fn wake_on_append(&self, waker: &Waker) {
        self.waiting.lock().insert(waker.data().addr(), waker.clone());
    }

    /// Ready with true when everything below `end` is durable, and with false if the log has
    /// failed, so that it never will be. While pending, wakes `waker` after every change.
    pub fn poll_durable(&self, end: i64, waker: &Waker) -> Poll<bool> {
        // Register before the check: then a flush between the two wakes us.
        self.wake_on_append(waker);
        let is_durable = self.recovery_point() >= end;
        match is_durable || self.with_log(|log| log.failed) {
            true => Poll::Ready(is_durable),
            false => Poll::Pending,
        }
    }

    /// Unregisters a waker. Without this an idle partition would keep every task that ever waited.
    pub fn forget(&self, waker: &Waker) {
        self.waiting.lock().remove(&waker.data().addr());
    }

    fn wake(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        waiting.into_values().for_each(Waker::wake);
    }

    /// Makes all records durable. Blocks on the disk; call it on a thread that serves no clients.
    pub fn flush(&self) -> io::Result<()> {
        self.run_flush(Flush::start).unwrap_or(Ok(()))
    }

    /// Runs the last flush before a clean shutdown.
    pub fn close(&self) -> io::Result<()> {
        let failed = || Err(io::Error::other("a log has failed; the next start recovers it"));
        self.run_flush(Flush::start_last).unwrap_or_else(failed)
    }

    /// Runs the flush that `start` returns, or returns none if there is none.
    fn run_flush(&self, start: fn(&mut Log) -> Option<Flush>) -> Option<io::Result<()>> {
        let _maintenance = self.maintenance.lock();
        let flush = start(&mut self.log.lock())?;
        let result = flush.run();
        {
            let mut log = self.log.lock();
            match &result {
                Ok(()) => flush.finish(&mut log),
                Err(_) => log.failed = true,
            }
            self.recovery_point.store(log.recovery_point, Ordering::Release);
            self.high_watermark.fetch_max(log.recovery_point, Ordering::Release);
        }
        // Wake after a failure too: producers that wait for the flush must get an error.
        self.wake();
        Some(result)
    }

    /// Makes all records before `offset` unreadable; -1 means the high watermark. Returns the new
    /// start of the log, or none if the offset is negative or above the high watermark.
    pub fn delete_records_before(&self, offset: i64) -> Option<i64> {
        let mut log = self.log.lock();
        let end = self.high_watermark();
        let offset = if offset == -1 { end } else { offset };
        if !(0..=end).contains(&offset) {
            return None;
        }
        log.delete_records_before(offset);
        Some(log.log_start_offset)
    }

    /// Replaces the configuration of the log.
    pub fn set_config(&self, config: LogConfig) {
        {
            let mut log = self.log.lock();
            log.config = config;
            if !log.waits_for_flush() {
                self.high_watermark.store(log.next_offset, Ordering::Release);
            }
        }
        self.wake();
    }

    /// Deletes the segments that retention no longer keeps, and returns their number. Blocks on the
    /// disk like [`Partition::flush`].
    pub fn delete_old_segments(&self, now: i64) -> io::Result<usize> {
        let _maintenance = self.maintenance.lock();
        let removed = self.with_log(|log| log.remove_old_segments(now))?;
        removed.iter().try_for_each(Segment::remove)?;
        Ok(removed.len())
    }

    /// Compacts the log if enough of it is new, and returns true if it did. Blocks while it reads
    /// and rewrites segments, but holds the lock only to plan the compaction and to swap segments.
    pub fn compact(&self, now: i64, limits: &Limits<'_>) -> io::Result<bool> {
        // Only durable segments are compacted, so flush first.
        let is_flushed = |it: &Log| !it.is_sealed(it.recovery_point) && it.sealed_have_indexes();
        if self.with_log(|log| log.config.cleanup.compacts && !is_flushed(log)) {
            self.flush()?;
        }
        let Some(compaction) = self.with_log(|log| Compaction::start(log, now)) else {
            return Ok(false);
        };
        let latest = compaction.map(limits)?;
        for rewritten in compaction.rewrite(&latest, limits) {
            self.swap(rewritten?)?;
        }
        self.with_log(|log| log.cleaned_up_to = log.cleaned_up_to.max(latest.up_to));
        Ok(true)
    }

    /// Replaces old segments with the rewritten one.
    fn swap(&self, rewritten: Rewritten<'_>) -> io::Result<()> {
        let _maintenance = self.maintenance.lock();
        if !self.with_log(|log| rewritten.is_wanted(log)) {
            return rewritten.abandon();
        }
        rewritten.commit()?;

        // Switch readers first: the new file is open, and its name may change under them.
        let directory = Arc::clone(&rewritten.segment.directory);
        let indexes = rewritten.segment.indexes.clone().unwrap_or_default();
        let bases = self.with_log(|log| rewritten.swap(log));
        let finished = finish_swap(&directory, &bases).and_then(|()| {
            indexes.write(&directory, bases[0])?;
            directory.sync()
        });
        self.with_log(|log| match &finished {
            Ok(()) => log.segments.get_mut(&bases[0]).into_iter().for_each(|it| it.indexes = None),
            // Readers use the new segment, but the directory may still have the old files.
            Err(_) => log.failed = true,
        });
        finished
    }

    /// Calls `change` while no file is synced, deleted or replaced. Then wakes all waiters.
    pub fn with_files<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        let _maintenance = self.maintenance.lock();
        let changed = self.with_log(change);
        self.wake();
        changed
    }

    /// Calls `access` with the log while its lock is held.
    pub fn with_log<T>(&self, access: impl FnOnce(&mut Log) -> T) -> T {
        access(&mut self.log.lock())
    }
}
