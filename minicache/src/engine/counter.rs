//! Counters that one core writes and any core reads.
//!
//! ```text
//! core 0   commands: load 41, store 42        core 1   INFO: load 42, maybe 41
//! ```
//!
//! With one writer an addition is a load and a store, not a locked instruction; a reader sees the
//! value of a moment ago. Redis counts in plain fields of `struct redisServer`.

use std::sync::atomic::{AtomicU64, Ordering};

/// Adds to a counter that only this core writes, and returns its previous value.
pub fn add(counter: &AtomicU64, by: u64) -> u64 {
    let before = counter.load(Ordering::Relaxed);
    counter.store(before.wrapping_add(by), Ordering::Relaxed);
    before
}
