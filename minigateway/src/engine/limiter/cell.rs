//! The state of one key as an atomic word that threads share without a lock.
//!
//! ```text
//! 1 token left          thread A             thread B
//!                       read: 1 left         read: 1 left
//!                       decide: admitted     decide: admitted
//!                       swap, it succeeds
//!                                            swap, it fails: the word is no longer what B read
//!                                            decide again, on the new word: refused
//! ```
//!
//! The naive way, read, decide and store, admits both. `tests/loom_limiter.rs` runs two threads
//! through every order.
//!
//! All accesses are relaxed: the word is the whole state, and says nothing about other memory.
//!
//! `governor` does the same (`state/in_memory.rs`). NGINX takes the lock of the zone in shared
//! memory, for the tree of all keys, at each request.

use super::{Decision, Limiter};
use minikit::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One key of any algorithm that keeps one word.
#[derive(Debug, Default)]
pub struct Cell {
    word: AtomicU64,
}

impl Cell {
    /// Calls [`Limiter::decide`], again if another thread changed the word meanwhile.
    #[inline]
    pub fn decide(&self, limiter: &impl Limiter<State = u64>, now_ns: u64, cost: u64) -> Decision {
        self.update(|word| limiter.decide(word, now_ns, cost))
    }

    /// The current word.
    pub fn load(&self) -> u64 {
        self.word.load(Relaxed)
    }

    /// Changes the word in one step, as far as other threads can see. `change` may run several
    /// times; the last run counts.
    #[inline]
    pub fn update<R>(&self, mut change: impl FnMut(&mut u64) -> R) -> R {
        let mut old = self.word.load(Relaxed);
        loop {
            let mut new = old;
            let result = change(&mut new);
            if new == old {
                return result;
            }
            match self.word.compare_exchange_weak(old, new, Relaxed, Relaxed) {
                Ok(_) => return result,
                Err(seen) => old = seen,
            }
        }
    }
}
