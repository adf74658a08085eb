//! The write-ahead log: what changed, on disk before the pages that it changed.
//!
//! # Invariants
//!
//! 1. A page is written to its file only after the log is durable up to the page's LSN.
//! 2. A commit is acknowledged only after the log is durable up to its record. The same holds for
//!    an answer that shows a commit of another transaction.
//! 3. After a failed sync nothing becomes durable any more ([`Error::LogFailed`]).
//!
//! # Group commit
//!
//! Records are appended to a buffer in memory. The first committer that finds no flush in progress
//! writes the buffer and syncs, for itself and for everyone who appended before it took the buffer;
//! the others wait. When the sync returns, one of the waiters takes what has gathered meanwhile.
//! The batch is everything that arrived during the last sync, without a timer:
//!
//! ```text
//! A  append 1 | take 1      | sync ............ | awake
//! B             append 2    | wait ............ | take 2,3 | sync ............ | awake
//! C                           append 3 | wait               ................... | awake
//! ```
//!
//! Three commits, two syncs. The committers flush, not a dedicated thread: with one client, a
//! thread would add two context switches to each commit. The exception is a buffer that exceeds
//! 1 MB before any commit: a thread flushes it, as PostgreSQL's `walwriter.c` does.
//!
//! A flush that ends wakes all that it made durable, and one of those that came too late for it:
//! that one flushes for the others, which sleep on. They wait on two condition variables in turns,
//! flush 1, 3, 5.. on one, flush 2, 4, 6.. on the other.
//!
//! PostgreSQL does the same under `WALWriteLock` (`XLogFlush` and `LWLockAcquireOrWait` in
//! `xlog.c`). It inserts into its buffer under one of eight locks; ours has one mutex, held while
//! a record of about 150 bytes is copied.

use super::{Error, Result};
use crate::format::Lsn;
use crate::format::wal::RecordHeader;
use minibtree_record::{RecordBuilder, is_intact};
use minibtree_segments::Segments;
use minikit::storage::Disk;
use minikit::sync::atomic::{AtomicU64, Ordering};
use minikit::sync::{Condvar, Mutex, MutexGuard, thread};
use std::io;
use std::sync::Arc;

/// A buffer of more bytes is flushed by a thread, without waiting for a commit.
const BUFFER_LARGE: usize = 1 << 20;
/// With more bytes than this in the buffer, writers wait for the disk: that bounds the memory.
const BUFFER_MAX: usize = 8 << 20;
/// No record is longer, in bytes. Recovery takes a larger length for the end of the log.
const RECORD_MAX: usize = 64 << 20;

/// The log. All methods may be called by many threads.
pub struct Wal {
    buffer: Mutex<Buffer>,
    /// What waits for flush `n` waits at `n % 2`.
    flushed: [Condvar; 2],
    /// Everything before this position is durable. Written under the lock of `buffer`.
    durable: AtomicU64,
    /// The files. Locked by the thread that flushes, and by checkpoints.
    segments: Mutex<Segments>,
}

/// The records that no flush has taken yet.
struct Buffer {
    bytes: Vec<u8>,
    /// The empty vector of the last flush: reusing it saves an allocation per flush.
    spare: Vec<u8>,
    /// The log position of the first of `bytes`.
    start: Lsn,
    /// The log position at which recovery begins.
    redo: Lsn,
    /// The number of flushes that have taken the bytes.
    flushes: usize,
    is_flushing: bool,
    failure: Option<io::Error>,
}

impl Buffer {
    fn end(&self) -> Lsn {
        Lsn(self.start.0 + self.bytes.len() as u64)
    }
}

impl Wal {
    /// Opens the log. Call [`Wal::recover`] before the first append.
    pub fn open(disk: Arc<dyn Disk>, segment_bytes: u64, redo: Lsn) -> Result<Wal> {
        let segments = Segments::open(disk, segment_bytes)?;
        let (bytes, spare) = (Vec::new(), Vec::new());
        let buffer = Buffer {
            bytes,
            spare,
            start: redo,
            redo,
            flushes: 0,
            is_flushing: false,
            failure: None,
        };
        Ok(Wal {
            buffer: Mutex::new(buffer),
            flushed: [Condvar::new(), Condvar::new()],
            // What is recovered is durable: recovery may write pages before it knows the end.
            durable: AtomicU64::new(u64::MAX),
            segments: Mutex::new(segments),
        })
    }

    /// Calls `apply` with each record from `redo` on and the position of its end. The next append
    /// follows the last intact record.
    pub fn recover(&self, mut apply: impl FnMut(&[u8], Lsn) -> Result<()>) -> Result<()> {
        let mut segments = self.segments.lock();
        let mut end = self.buffer.lock().redo;
        segments.require(end.0)?;
        while let Some(record) = read(&mut segments, end)? {
            end.0 += record.len() as u64;
            apply(&record, end)?;
        }

        segments.erase_from(end.0)?;
        self.buffer.lock().start = end;
        self.durable.store(end.0, Ordering::Release);
        Ok(())
    }

    /// Appends a record and returns the position of its end. Nothing is durable yet.
    pub fn append(&self, build: impl FnOnce(&mut RecordBuilder)) -> Lsn {
        let mut buffer = self.buffer.lock();
        let (lsn, redo) = (buffer.end(), buffer.redo);
        let mut record = RecordBuilder::new(&mut buffer.bytes, lsn, redo);
        build(&mut record);
        Lsn(lsn.0 + record.finish() as u64)
    }

    /// The end of the last record.
    pub fn end(&self) -> Lsn {
        self.buffer.lock().end()
    }

    /// Returns true if the log is durable up to `lsn`.
    pub fn is_durable(&self, lsn: Lsn) -> bool {
        self.durable.load(Ordering::Acquire) >= lsn.0
    }

    /// Returns when the log is durable up to `lsn`. Flushes it unless another thread is flushing.
    pub fn flush(&self, lsn: Lsn) -> Result<()> {
        while !self.is_durable(lsn) {
            let mut buffer = self.buffer.lock();
            if let Some(failure) = &buffer.failure {
                let (kind, text) = (failure.kind(), failure.to_string());
                return Err(Error::LogFailed(io::Error::new(kind, text)));
            }
            if self.is_durable(lsn) {
                break;
            }
            if buffer.is_flushing {
                // What is still in the buffer becomes durable by the next flush that takes it.
                let flush = buffer.flushes + usize::from(lsn > buffer.start);
                drop(self.flushed[flush % 2].wait(buffer));
                continue;
            }

            buffer.is_flushing = true;
            self.write(buffer);
        }
        Ok(())
    }

    /// Takes all that has been appended, and makes it durable. The caller has set `is_flushing`.
    fn write<'a>(&'a self, mut buffer: MutexGuard<'a, Buffer>) {
        // Swap the buffers, so that others can append during the write and the sync.
        let (start, end) = (buffer.start, buffer.end());
        let mut bytes = std::mem::take(&mut buffer.spare);
        std::mem::swap(&mut bytes, &mut buffer.bytes);
        buffer.start = end;
        buffer.flushes += 1;
        let flush = buffer.flushes;
        drop(buffer);
        let written = self.segments.lock().write(start.0, &bytes);

        buffer = self.buffer.lock();
        buffer.is_flushing = false;
        bytes.clear();
        buffer.spare = bytes;
        match written {
            Ok(()) => self.durable.store(end.0, Ordering::Release),
            Err(error) => buffer.failure = Some(error),
        }
        let has_failed = buffer.failure.is_some();
        // A thread that is woken takes the lock, so it must be free by then.
        drop(buffer);
        let [done, next] = [flush, flush + 1].map(|it| &self.flushed[it % 2]);
        done.notify_all();
        if has_failed { next.notify_all() } else { next.notify_one() }
    }

    /// Flushes a large buffer in the background, or here above [`BUFFER_MAX`]. Hold no latch.
    pub fn flush_if_large(self: &Arc<Wal>) -> Result<()> {
        let mut buffer = self.buffer.lock();
        let (end, length) = (buffer.end(), buffer.bytes.len());
        if length > BUFFER_LARGE && !buffer.is_flushing && buffer.failure.is_none() {
            let wal = Arc::clone(self);
            let flush = move || wal.write(wal.buffer.lock());
            buffer.is_flushing = thread::Builder::new().spawn(flush).is_ok();
        }
        drop(buffer);
        if length > BUFFER_MAX { self.flush(end) } else { Ok(()) }
    }

    /// Waits until no thread is flushing. No other thread may wait for a flush meanwhile.
    pub fn finish_flush(&self) {
        let mut buffer = self.buffer.lock();
        while buffer.is_flushing {
            buffer = self.flushed[buffer.flushes % 2].wait(buffer);
        }
    }

    /// Sets `redo` to the end of the log and returns it: recovery will begin there once this
    /// checkpoint is complete. From now on, the first change of each page is logged as an image.
    pub fn begin_checkpoint(&self) -> Lsn {
        let mut buffer = self.buffer.lock();
        buffer.redo = buffer.end();
        buffer.redo
    }

    /// Recycles the segments before `redo`, which the control file must already name durably.
    pub fn recycle_before(&self, redo: Lsn) -> Result<()> {
        Ok(self.segments.lock().recycle_before(redo.0)?)
    }

    /// Bytes appended since the last checkpoint began.
    pub fn bytes_since_checkpoint(&self) -> u64 {
        let buffer = self.buffer.lock();
        buffer.end().0 - buffer.redo.0
    }
}

/// Reads the record at a position. Returns `None` at the end of the log.
fn read(segments: &mut Segments, position: Lsn) -> Result<Option<Vec<u8>>> {
    let mut record = vec![0; RecordHeader::SIZE];
    segments.read(position.0, &mut record)?;
    let length = RecordHeader::length.get(&record) as usize;
    let is_possible = (RecordHeader::SIZE..RECORD_MAX).contains(&length);
    if !is_possible || RecordHeader::lsn.get(&record) != position.0 {
        return Ok(None);
    }

    record.resize(length, 0);
    segments.read(position.0, &mut record)?;
    Ok(is_intact(&record, position).then_some(record))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use minikit::storage::{SimulatedDisk, Survivors};

    #[test]
    fn megabytes_become_durable_without_a_commit() {
        const RECORDS: usize = 2 * BUFFER_LARGE / RecordHeader::SIZE;

        let disk = SimulatedDisk::new(1);
        let open = || Wal::open(Arc::new(disk.clone()), 16 << 20, Lsn(0)).expect("readable");
        let wal = Arc::new(open());
        wal.recover(|_, _| Ok(())).expect("nothing to recover");
        for _ in 0..RECORDS {
            wal.append(|_| {});
        }
        wal.flush_if_large().expect("the disk works");
        wal.finish_flush();

        disk.crash_with(Survivors::None);
        let mut found = 0;
        let counted = open().recover(|_, _| {
            found += 1;
            Ok(())
        });
        counted.expect("readable");
        assert_eq!(found, RECORDS);
    }
}
