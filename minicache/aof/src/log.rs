//! The changes, as commands, on their way to the file (`alsoPropagate` in `server.c`,
//! `feedAppendOnlyFile` in `aof.c`).
//!
//! A keyspace collects the changes of its commands in a [`Unit`], and appends it to the [`Log`]
//! before it unlocks its shards. So the log has the changes of a key in the order in which they
//! were made, on whichever cores, and a transaction, whose shards stay locked, as a whole:
//!
//! ```text
//! core 0: lock shard 2, INCR a, append INCR a, unlock
//! core 1:                                              lock shard 2, SPOP s, append SREM s x, …
//! ```
//!
//! The log is locked after the shards, only for the time of a copy.
//!
//! **Which replies wait for the disk?** With `appendfsync always`, replies wait until all changes
//! so far are synced, and the core serves other clients meanwhile. One sync covers all changes that
//! arrived during the previous one. Otherwise replies wait only if a sync takes longer than
//! [`LATE_MS`], as in Redis, or if more than [`UNSYNCED_MAX`] bytes are unsynced.

use crate::AppendFsync;
use minikit::sync::{Condvar, Mutex};
use std::mem::take;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// If a sync takes longer than this, in milliseconds, replies wait.
const LATE_MS: i64 = 2000;
/// If more bytes than this are unsynced, replies wait.
const UNSYNCED_MAX: u64 = 64 << 20;

/// The state that the cores share with the thread that writes the file.
#[derive(Default)]
pub struct Log {
    /// True if changes are logged.
    pub on: AtomicBool,
    tail: Mutex<Tail>,
    filled: Condvar,
    /// The bytes ever appended, and how many of them are as durable as `appendfsync` requires.
    end: AtomicU64,
    durable: AtomicU64,
    /// The start of the current write or sync, in Unix milliseconds; 0 if there is none.
    pub busy_since_ms: AtomicI64,
    waiting: Mutex<Vec<(u64, Waker)>>,
    /// The last error when writing the file.
    pub failure: Mutex<String>,
    /// Set by `BGREWRITEAOF`, until the rewrite has ended.
    pub rewriting: AtomicBool,
    /// Rewrites that have ended.
    pub rewrites: AtomicU64,
    /// True if the last of them failed.
    pub last_rewrite_failed: AtomicBool,
    /// Bytes of all files.
    pub size: AtomicU64,
    /// Bytes of all files after the last rewrite.
    pub base_size: AtomicU64,
}

/// The commands that are not in the file yet.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
    /// The database of the last command; `None` at the start of a file.
    db: Option<usize>,
}

/// The changes of one keyspace since its shards were locked.
#[derive(Default)]
pub struct Unit {
    bytes: Vec<u8>,
    /// The databases of the first and of the last command.
    databases: Option<(usize, usize)>,
    /// The offset and the number of the commands that take effect together.
    start: usize,
    commands: usize,
    /// True if the running command has logged other commands instead of itself.
    rewritten: bool,
    /// The change counter of the core at the end of the last command.
    changes: u64,
}

impl Unit {
    /// Boxed and out of line, so that a server without the file does not pay for it in each batch.
    #[cold]
    fn new(changes: &AtomicU64) -> Box<Unit> {
        Box::new(Unit { changes: changes.load(Ordering::Relaxed), ..Unit::default() })
    }

    /// Adds a command on `db`.
    pub fn push<'a>(&mut self, db: usize, args: impl ExactSizeIterator<Item = &'a [u8]>) {
        if self.databases.is_some_and(|(_, last)| last != db) {
            select(&mut self.bytes, db);
        }
        self.databases = Some((self.databases.map_or(db, |(first, _)| first), db));
        encode(&mut self.bytes, args);
        self.commands += 1;
    }

    /// Adds a command instead of the running one.
    pub fn rewrite(&mut self, db: usize, args: &[&[u8]]) {
        self.push(db, args.iter().copied());
        self.rewritten = true;
    }

    /// Ends a command. Returns true if it must be logged as it was sent: it has changed something,
    /// as the counter `changes` shows, and was not rewritten.
    pub fn end_command(&mut self, changes: u64) -> bool {
        let changed = std::mem::replace(&mut self.changes, changes) != changes;
        !take(&mut self.rewritten) && changed
    }

    /// Ends a group of changes. Several commands become a transaction.
    pub fn end(&mut self) {
        if self.commands > 1 {
            self.bytes.splice(self.start..self.start, *b"*1\r\n$5\r\nMULTI\r\n");
            encode(&mut self.bytes, [&b"EXEC"[..]].into_iter());
        }
        (self.start, self.commands) = (self.bytes.len(), 0);
    }
}

impl Log {
    /// Returns true if changes are logged.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Creates a unit for a core with the counter `changes`; `None` if nothing is logged.
    #[inline]
    pub fn unit(&self, changes: &AtomicU64) -> Option<Box<Unit>> {
        if self.is_on() { Some(Unit::new(changes)) } else { None }
    }

    /// Moves a unit to the end of the log. The shards of its keys must be locked.
    pub fn append(&self, unit: &mut Unit) {
        let Some((first, last)) = unit.databases.take() else { return };
        let mut tail = self.tail.lock();
        let before = tail.bytes.len();
        if tail.db != Some(first) {
            select(&mut tail.bytes, first);
        }
        tail.bytes.append(&mut unit.bytes);
        tail.db = Some(last);
        (unit.start, unit.commands) = (0, 0);

        self.end.fetch_add((tail.bytes.len() - before) as u64, Ordering::Relaxed);
        if before == 0 {
            self.filled.notify_one();
        }
    }

    /// Appends the removal of a key that was evicted.
    pub fn append_removal(&self, db: usize, key: &[u8]) {
        if self.is_on() {
            let mut unit = Unit::default();
            unit.push(db, [&b"DEL"[..], key].into_iter());
            self.append(&mut unit);
        }
    }

    /// Waits up to `timeout` for commands and moves them to the end of `into`. The next one begins
    /// with `SELECT` if it opens a `new_file`. Returns the position after the last.
    pub fn take(&self, into: &mut Vec<u8>, timeout: Duration, new_file: bool) -> u64 {
        let mut tail = self.tail.lock();
        if tail.bytes.is_empty() && !timeout.is_zero() {
            tail = self.filled.wait_timeout(tail, timeout).0;
        }
        into.append(&mut tail.bytes);
        if new_file {
            tail.db = None;
        }
        self.end.load(Ordering::Relaxed)
    }

    /// Returns the position that replies must wait for, if they must wait.
    pub fn awaited(&self, policy: AppendFsync, now_ms: i64) -> Option<u64> {
        let end = self.end.load(Ordering::Relaxed);
        let unsynced = end.saturating_sub(self.durable.load(Ordering::Acquire));
        let since_ms = self.busy_since_ms.load(Ordering::Relaxed);
        let is_late = since_ms != 0 && now_ms - since_ms > LATE_MS;
        let waits = policy == AppendFsync::Always || is_late || unsynced > UNSYNCED_MAX;
        (unsynced > 0 && waits).then_some(end)
    }

    /// Returns `Ready` if the log is durable up to `position`.
    pub fn poll_durable(&self, position: u64, context: &Context<'_>) -> Poll<()> {
        // Check under the lock, so that a later `publish` finds the waker.
        let mut waiting = self.waiting.lock();
        let durable = self.durable.load(Ordering::Acquire);
        if durable < position {
            waiting.push((position, context.waker().clone()));
            return Poll::Pending;
        }
        waiting.extract_if(.., |it| it.0 <= durable).for_each(|it| it.1.wake());
        Poll::Ready(())
    }

    /// Returns true if replies wait.
    pub fn is_waited_for(&self) -> bool {
        !self.waiting.lock().is_empty()
    }

    /// Stores the position up to which the log is durable, and wakes a connection that waits. That
    /// wakes the others: from its core it takes no system call. If it ended, the next round does.
    pub fn publish(&self, position: u64) {
        self.durable.store(position, Ordering::Release);
        let mut waiting = self.waiting.lock();
        waiting.extract_if(.., |it| it.0 <= position).take(1).for_each(|it| it.1.wake());
    }
}

fn select(out: &mut Vec<u8>, db: usize) {
    encode(out, [&b"SELECT"[..], itoa::Buffer::new().format(db).as_bytes()].into_iter());
}

/// Appends a command as a client would send it.
pub fn encode<'a>(out: &mut Vec<u8>, args: impl ExactSizeIterator<Item = &'a [u8]>) {
    let header = |out: &mut Vec<u8>, mark: u8, number: usize| {
        out.push(mark);
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        out.extend_from_slice(b"\r\n");
    };
    header(out, b'*', args.len());
    for arg in args {
        header(out, b'$', arg.len());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}
