//! The lock table: which owners hold locks, which owners wait, and which ones form a deadlock.
//!
//! The caller defines the keys ([`Key`]): minibtree locks rows, relations and transactions. A
//! transaction locks its own id until it ends, so that others can wait for its end. Nothing here is
//! written to disk: after a crash no transaction is left that could hold a lock.
//!
//! Requests queue in the order of their arrival, and a request also waits for those in the queue
//! that it conflicts with, so that sharers that come one after another cannot keep out a writer:
//!
//! ```text
//! held: A Share      queue: B Update      C asks for Share: waits behind B
//! ```
//!
//! ```
//! use minibtree_locks::{Error, Key, LockMode, LockWait, Locks, Waiter};
//!
//! #[derive(Clone, Copy, PartialEq, Eq, Hash)]
//! struct Row(u32);
//!
//! impl Key for Row {
//!     fn is_row(&self) -> bool {
//!         true
//!     }
//! }
//!
//! let (locks, a, b) = (Locks::default(), Waiter::new(1), Waiter::new(2));
//! locks.acquire(&a, Row(7), LockMode::Share, LockWait::Block)?;
//! let refused = locks.acquire(&b, Row(7), LockMode::Update, LockWait::Error);
//! assert_eq!(refused, Err(Error::NotAvailable));
//! locks.release(1, [Row(7)]);
//! assert_eq!(locks.acquire(&b, Row(7), LockMode::Update, LockWait::Error), Ok(true));
//! # Ok::<(), Error>(())
//! ```
//!
//! # Deadlock
//!
//! A request that has waited for a second looks for a cycle: it waits for those that hold its
//! key in a conflicting mode, and for those ahead of it in the queue. A cycle through itself ends
//! its wait with an error.
//!
//! ```text
//! 1 holds a, waits for b     1 -> 2 -> 1: a cycle
//! 2 holds b, waits for a
//! ```
//!
//! PostgreSQL's `lock.c` and `deadlock.c`. There, a row lock is written into the tuple (`xmax`, and
//! a "multixact" if several share it), so that memory does not grow with the number of locked
//! rows. Ours are in memory. A changed row needs no lock here unless a transaction waits for it;
//! `SELECT FOR UPDATE` always takes one.

use minibtree_types::error;
use minibtree_types::error::SqlError;
use minikit::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use minikit::sync::{Condvar, Mutex, MutexGuard};
use std::collections::{HashMap, HashSet, VecDeque, hash_map};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

mod timeouts;

pub use timeouts::{Armed, Timeouts};

/// How long a request waits before it looks for a deadlock. PostgreSQL's `deadlock_timeout`.
const DEADLOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// The strength of a lock, as PostgreSQL's four row locks conflict:
///
/// ```text
///                  KeyShare  Share  NoKeyUpdate  Update
/// KeyShare                                         x
/// Share                               x            x
/// NoKeyUpdate                  x      x            x
/// Update              x        x      x            x
/// ```
///
/// Relations are locked with the same four: readers take `KeyShare`, writers `Share`,
/// `CREATE INDEX` `NoKeyUpdate`, `DROP` and `ALTER` `Update`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    /// `FOR KEY SHARE`: the row keeps its key.
    KeyShare,
    /// `FOR SHARE`: the row stays as it is.
    Share,
    /// `FOR NO KEY UPDATE`, and every `UPDATE` that changes no key.
    NoKeyUpdate,
    /// `FOR UPDATE`, and every `DELETE`.
    Update,
}

impl LockMode {
    fn conflicts(self, other: LockMode) -> bool {
        use LockMode::*;

        match self {
            KeyShare => other == Update,
            Share => other >= NoKeyUpdate,
            NoKeyUpdate => other >= Share,
            Update => true,
        }
    }
}

/// What to do if a lock is not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    /// Wait until the lock is free, or the wait ends with another [`Error`].
    Block,
    /// `NOWAIT` and `SKIP LOCKED`: return [`Error::NotAvailable`].
    Error,
}

/// Why a lock was not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Another owner holds the lock, and the caller does not wait.
    NotAvailable,
    /// The owner is part of a cycle of waiting owners.
    Deadlock {
        /// The owners of the cycle, beginning with the caller.
        cycle: Vec<Owner>,
    },
    /// [`Interrupt::cancel`] was called.
    Canceled,
    /// The wait took longer than the [`Waiter`] allows.
    TimedOut,
}

impl From<Error> for SqlError {
    /// In PostgreSQL's words.
    fn from(error: Error) -> SqlError {
        match error {
            Error::NotAvailable => error!(LOCK_NOT_AVAILABLE, "could not obtain lock on row"),
            Error::Deadlock { .. } => error!(DEADLOCK_DETECTED, "deadlock detected"),
            Error::Canceled => error!(QUERY_CANCELED, "canceling statement due to user request"),
            Error::TimedOut => {
                error!(LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout")
            }
        }
    }
}

/// Stops a waiting transaction from another thread: a cancel request or a timeout.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Signal>);

#[derive(Default)]
struct Signal {
    is_canceled: AtomicBool,
    /// Notified when a lock is granted, or by `cancel`.
    woken: Condvar,
}

impl Interrupt {
    /// Makes the next wait, or the one in progress, return [`Error::Canceled`], once.
    pub fn cancel(&self) {
        self.0.is_canceled.store(true, Ordering::Release);
        self.0.woken.notify_all();
    }

    /// Returns [`Error::Canceled`] if `cancel` was called since the last check. Executors call it
    /// in loops that do not wait.
    pub fn check(&self) -> Result<(), Error> {
        let is_canceled = self.0.is_canceled.load(Ordering::Acquire);
        if is_canceled && self.0.is_canceled.swap(false, Ordering::AcqRel) {
            return Err(Error::Canceled);
        }
        Ok(())
    }
}

/// What can be locked.
pub trait Key: Copy + Eq + Hash {
    /// Returns true for a row: [`Locks::has_rows`] counts them.
    fn is_row(&self) -> bool;
}

/// The owner of locks: a transaction, by a number that it has from its begin on.
pub type Owner = u64;

/// A transaction that asks for locks, and how it waits for them.
pub struct Waiter {
    /// The owner of the locks.
    pub owner: Owner,
    /// Ends a wait.
    pub interrupt: Interrupt,
    /// The longest wait, or `None` for no limit. PostgreSQL's `lock_timeout`.
    pub limit: Option<Duration>,
}

impl Waiter {
    /// A waiter without a time limit.
    pub fn new(owner: Owner) -> Waiter {
        Waiter { owner, interrupt: Interrupt::default(), limit: None }
    }
}

/// The lock table.
pub struct Locks<K> {
    table: Mutex<Table<K>>,
    /// The number of rows in the table. While it is 0, callers skip the check for row locks.
    rows: AtomicUsize,
}

struct Table<K> {
    entries: HashMap<K, Entry>,
    /// The key that each waiting owner waits for.
    waiting: HashMap<Owner, K>,
}

impl<K> Default for Locks<K> {
    fn default() -> Locks<K> {
        let table = Table { entries: HashMap::new(), waiting: HashMap::new() };
        Locks { table: Mutex::new(table), rows: AtomicUsize::new(0) }
    }
}

#[derive(Default)]
struct Entry {
    holders: Vec<(Owner, LockMode)>,
    queue: VecDeque<Request>,
}

struct Request {
    owner: Owner,
    mode: LockMode,
    interrupt: Interrupt,
}

impl Entry {
    /// The others that hold the key in a mode that conflicts.
    fn conflicting(&self, owner: Owner, mode: LockMode) -> impl Iterator<Item = Owner> + '_ {
        let others = self.holders.iter().filter(move |(other, _)| *other != owner);
        others.filter(move |(_, held)| mode.conflicts(*held)).map(|(other, _)| *other)
    }

    fn holds(&self, owner: Owner, mode: LockMode) -> bool {
        self.holders.iter().any(|(holder, held)| *holder == owner && *held >= mode)
    }
}

impl<K: Key> Locks<K> {
    /// Locks a key. Returns true if the owner did not hold it in this mode before.
    ///
    /// # Errors
    /// Those of [`Error`]; then the key is not locked.
    pub fn acquire(
        &self,
        waiter: &Waiter,
        key: K,
        mode: LockMode,
        wait: LockWait,
    ) -> Result<bool, Error> {
        let owner = waiter.owner;
        let mut table = self.table.lock();
        let entry = table.entries.entry(key).or_insert_with(|| {
            self.rows.fetch_add(usize::from(key.is_row()), Ordering::AcqRel);
            Entry::default()
        });
        if entry.holds(owner, mode) {
            return Ok(false);
        }

        // A request that makes a held lock stronger goes first: it waits for holders anyway.
        let is_upgrade = entry.holders.iter().any(|(holder, _)| *holder == owner);
        let must_queue = !is_upgrade && entry.queue.iter().any(|it| it.mode.conflicts(mode));
        if !must_queue && entry.conflicting(owner, mode).next().is_none() {
            entry.holders.push((owner, mode));
            return Ok(true);
        }
        if wait == LockWait::Error {
            return Err(Error::NotAvailable);
        }

        let request = Request { owner, mode, interrupt: waiter.interrupt.clone() };
        let place = if is_upgrade { 0 } else { entry.queue.len() };
        entry.queue.insert(place, request);
        table.waiting.insert(owner, key);
        let (mut table, result) = wait_until_granted(table, waiter, key, mode);
        self.forget_if_unused(&mut table, key);
        result.map(|()| true)
    }

    /// Returns true if another owner holds or awaits this row in a mode that conflicts with `mode`.
    pub fn is_row_locked(&self, owner: Owner, row: K, mode: LockMode) -> bool {
        let table = self.table.lock();
        table.entries.get(&row).is_some_and(|entry| {
            let holds = entry.holds(owner, LockMode::KeyShare);
            let is_next = !holds && entry.queue.iter().any(|it| it.mode.conflicts(mode));
            is_next || entry.conflicting(owner, mode).next().is_some()
        })
    }

    /// Returns true if any row is in the table. Much cheaper than to look for one.
    pub fn has_rows(&self) -> bool {
        self.rows.load(Ordering::Acquire) > 0
    }

    /// Releases keys, and grants them to the next requests in their queues.
    pub fn release(&self, owner: Owner, keys: impl IntoIterator<Item = K>) {
        let mut granted = Vec::new();
        let mut table = self.table.lock();
        for key in keys {
            if let Some(entry) = table.entries.get_mut(&key) {
                entry.holders.retain(|(holder, _)| *holder != owner);
                granted.extend(grant(entry));
            }
            self.forget_if_unused(&mut table, key);
        }

        // A thread that is woken takes the lock of the table, so it must be free by then.
        drop(table);
        granted.iter().for_each(|it| it.0.woken.notify_all());
    }

    fn forget_if_unused(&self, table: &mut Table<K>, key: K) {
        let hash_map::Entry::Occupied(entry) = table.entries.entry(key) else { return };
        if entry.get().holders.is_empty() && entry.get().queue.is_empty() {
            entry.remove();
            self.rows.fetch_sub(usize::from(key.is_row()), Ordering::AcqRel);
        }
    }
}

/// Grants the first requests, until one conflicts with a holder. The caller wakes their threads.
fn grant(entry: &mut Entry) -> Vec<Interrupt> {
    let mut granted = Vec::new();
    while let Some(request) = entry.queue.front()
        && entry.conflicting(request.owner, request.mode).next().is_none()
        && let Some(request) = entry.queue.pop_front()
    {
        entry.holders.push((request.owner, request.mode));
        granted.push(request.interrupt);
    }
    granted
}

/// Waits for a request that is in the queue, and takes it out if it fails.
fn wait_until_granted<'a, K: Key>(
    mut table: MutexGuard<'a, Table<K>>,
    &Waiter { owner, ref interrupt, limit }: &Waiter,
    key: K,
    mode: LockMode,
) -> (MutexGuard<'a, Table<K>>, Result<(), Error>) {
    // The remaining time goes down by each full wait, so no clock is needed.
    let mut left = limit.unwrap_or(Duration::MAX);
    let result = loop {
        if table.entries.get(&key).is_some_and(|entry| entry.holds(owner, mode)) {
            break Ok(());
        }
        if let Err(canceled) = interrupt.check() {
            break Err(canceled);
        }
        if left.is_zero() {
            break Err(Error::TimedOut);
        }
        let timed_out;
        let slice = left.min(DEADLOCK_TIMEOUT);
        (table, timed_out) = interrupt.0.woken.wait_timeout(table, slice);
        if timed_out {
            left -= slice;
            if let Some(cycle) = table.find_cycle(owner) {
                break Err(Error::Deadlock { cycle });
            }
        }
    };

    table.waiting.remove(&owner);
    if result.is_err()
        && let Some(entry) = table.entries.get_mut(&key)
    {
        entry.queue.retain(|request| request.owner != owner);
        grant(entry).iter().for_each(|it| it.0.woken.notify_all());
    }
    (table, result)
}

impl<K: Key> Table<K> {
    /// A cycle of waiting owners that begins with `owner`.
    fn find_cycle(&self, owner: Owner) -> Option<Vec<Owner>> {
        let mut path = vec![owner];
        let mut seen = HashSet::new();
        self.leads_to(owner, &mut path, &mut seen).then_some(path)
    }

    /// Extends the path by what its last owner waits for, until it comes back to `target`.
    fn leads_to(&self, target: Owner, path: &mut Vec<Owner>, seen: &mut HashSet<Owner>) -> bool {
        let last = *path.last().expect("a path begins with an owner");
        for blocker in self.blockers(last) {
            if blocker == target {
                return true;
            }
            if seen.insert(blocker) {
                path.push(blocker);
                if self.leads_to(target, path, seen) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }

    /// The owners that an owner waits for: conflicting holders, and conflicting earlier requests.
    fn blockers(&self, owner: Owner) -> Vec<Owner> {
        let key = self.waiting.get(&owner);
        let Some(entry) = key.and_then(|key| self.entries.get(key)) else { return Vec::new() };
        let Some(place) = entry.queue.iter().position(|request| request.owner == owner) else {
            return Vec::new();
        };

        let mode = entry.queue[place].mode;
        let ahead = entry.queue.range(..place).filter(|it| it.mode.conflicts(mode));
        entry.conflicting(owner, mode).chain(ahead.map(|request| request.owner)).collect()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use minikit::sync::thread;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    struct Relation(u32);

    impl Key for Relation {
        fn is_row(&self) -> bool {
            false
        }
    }

    const A: Relation = Relation(1);
    const B: Relation = Relation(2);

    fn acquire(locks: &Locks<Relation>, owner: Owner, key: Relation) -> Result<bool, Error> {
        locks.acquire(&Waiter::new(owner), key, LockMode::Update, LockWait::Block)
    }

    #[test]
    fn modes_conflict_as_in_the_table() {
        use LockMode::*;

        let modes = [KeyShare, Share, NoKeyUpdate, Update];
        let table = modes.map(|a| modes.map(|b| if a.conflicts(b) { 'x' } else { '.' }));
        let lines = table.map(|line| line.iter().collect::<String>());
        assert_eq!(lines, ["...x", "..xx", ".xxx", "xxxx"]);
    }

    #[test]
    fn a_sharer_waits_behind_a_writer() {
        let locks = Locks::default();
        let share = |owner| locks.acquire(&Waiter::new(owner), A, LockMode::Share, LockWait::Error);
        assert!(share(1).expect("free"));
        assert!(!share(1).expect("held"));
        thread::scope(|scope| {
            let writer = scope.spawn(|| acquire(&locks, 2, A));
            while locks.table.lock().waiting.is_empty() {
                thread::yield_now();
            }
            assert_eq!(share(3), Err(Error::NotAvailable));
            locks.release(1, [A]);
            assert!(writer.join().expect("no panic").expect("granted"));
        });
        locks.release(2, [A]);
        assert!(locks.table.lock().entries.is_empty());
    }

    #[test]
    fn a_cycle_ends_one_wait() {
        let locks = Locks::default();
        acquire(&locks, 1, A).expect("free");
        acquire(&locks, 2, B).expect("free");
        thread::scope(|scope| {
            let first = scope.spawn(|| {
                let result = acquire(&locks, 1, B);
                locks.release(1, [A, B]);
                result
            });
            let second = acquire(&locks, 2, A);
            locks.release(2, [A, B]);
            let results = [first.join().expect("no panic"), second];
            let deadlocks = results.iter().filter(|it| matches!(it, Err(Error::Deadlock { .. })));
            assert!((1..=2).contains(&deadlocks.count()), "{results:?}");
        });
        assert!(locks.table.lock().entries.is_empty());
    }

    #[test]
    fn a_canceled_request_leaves_the_queue() {
        let (locks, waiter) = (Locks::default(), Waiter::new(2));
        acquire(&locks, 1, A).expect("free");
        thread::scope(|scope| {
            let waiting =
                scope.spawn(|| locks.acquire(&waiter, A, LockMode::Share, LockWait::Block));
            while locks.table.lock().waiting.is_empty() {
                thread::yield_now();
            }
            waiter.interrupt.cancel();
            assert_eq!(waiting.join().expect("no panic"), Err(Error::Canceled));
        });
        assert!(locks.table.lock().entries[&A].queue.is_empty());
    }

    #[test]
    fn a_wait_ends_after_its_limit() {
        let limit = Some(Duration::from_millis(10));
        let (locks, waiter) = (Locks::default(), Waiter { limit, ..Waiter::new(2) });
        acquire(&locks, 1, A).expect("free");
        let waited = locks.acquire(&waiter, A, LockMode::Share, LockWait::Block);
        assert_eq!(waited, Err(Error::TimedOut));
        assert!(locks.table.lock().entries[&A].queue.is_empty());
    }
}
