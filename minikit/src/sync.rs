//! Locks, counters and threads under one name, so that a model checker can stand in for the
//! machine.
//!
//! Shared state is written against this module instead of `std::sync`. In an ordinary build the two
//! are the same thing. Built with `RUSTFLAGS="--cfg loom"` the names mean
//! [loom](https://docs.rs/loom)'s versions, which run a small program through *every* order in
//! which its threads could have met:
//!
//! ```text
//! two threads, counter 0     the order of most runs
//! A: read 0                  A: read 0
//! B: read 0                  A: write 1
//! A: write 1                 B: read 1
//! B: write 1  -> 1, lost     B: write 2  -> 2      loom runs both, and reports the first
//! ```
//!
//! **A lock here cannot fail.** The standard mutex remembers that a thread panicked while holding
//! it and makes every later `lock()` an error, so a bug that ends one connection would end all.
//! The engines keep the data under a lock consistent between any two of their own steps, so the
//! next holder finds something it can work with. The panic has already printed what went wrong.
//!
//! Redis needs none of this: one thread executes all commands (`server.c`), and its few background
//! threads meet it through `pthread_mutex_t` queues (`bio.c`).

#[cfg(not(loom))]
use std::sync as imp;

#[cfg(loom)]
use loom::sync as imp;

#[cfg(not(loom))]
pub use std::thread;

#[cfg(loom)]
pub use loom::thread;

pub use imp::{Arc, MutexGuard, RwLockReadGuard, RwLockWriteGuard, atomic};

use std::time::Duration;

/// Mutual exclusion whose `lock` gives the guard itself; see the head of the file for why it never
/// fails.
///
/// The size and the cost of `std::sync::Mutex`: uncontended, one compare-and-swap to enter and one
/// swap to leave.
#[derive(Debug, Default)]
pub struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    /// A free lock around `value`.
    pub fn new(value: T) -> Mutex<T> {
        Mutex(imp::Mutex::new(value))
    }

    /// Waits for the lock and holds it until the guard is dropped.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Many readers or one writer, with guards as [`Mutex`] gives them.
///
/// Uncontended, entering and leaving are one atomic operation each, for readers too: two threads
/// that read the same lock all the time pass its cache line back and forth.
#[derive(Debug, Default)]
pub struct RwLock<T>(imp::RwLock<T>);

impl<T> RwLock<T> {
    /// A free lock around `value`.
    pub fn new(value: T) -> RwLock<T> {
        RwLock(imp::RwLock::new(value))
    }

    /// Waits until no writer holds the lock, and shares it until the guard is dropped.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Waits for the lock and holds it alone until the guard is dropped.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Takes the lock alone if it is free. Never waits.
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        use std::sync::TryLockError::{Poisoned, WouldBlock};

        match self.0.try_write() {
            Ok(guard) => Some(guard),
            Err(Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(WouldBlock) => None,
        }
    }
}

/// Wakes threads that wait for a change of what a [`Mutex`] protects.
#[derive(Debug, Default)]
pub struct Condvar(imp::Condvar);

impl Condvar {
    /// A condition that no thread waits for yet.
    pub fn new() -> Condvar {
        Condvar(imp::Condvar::new())
    }

    /// Releases the lock, waits to be notified and takes the lock again. It may return without a
    /// notification, so check the condition in a loop.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The same, for at most `timeout`. The second value is true if it timed out.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        let waited = self.0.wait_timeout(guard, timeout);
        let (guard, result) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        (guard, result.timed_out())
    }

    /// Wakes one thread that waits.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all threads that wait.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_panic_under_the_lock_does_not_close_it() {
        let shared = Arc::new(Mutex::new(1));
        let inside = Arc::clone(&shared);
        let died = thread::spawn(move || {
            let mut held = inside.lock();
            *held = 2;
            panic!("on purpose, with the lock held");
        })
        .join();
        assert!(died.is_err());
        assert_eq!(*shared.lock(), 2);
    }

    #[test]
    fn it_costs_what_the_standard_one_costs() {
        assert_eq!(size_of::<Mutex<u64>>(), size_of::<std::sync::Mutex<u64>>());
    }
}
