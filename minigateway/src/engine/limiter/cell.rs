//! The state of one key: an atomic word that threads share without a lock.
//!
//! ```text
//! 1 token left          thread A             thread B
//!                       read: 1 left         read: 1 left
//!                       decide: admitted     decide: admitted
//!                       compare-and-swap: ok
//!                                            compare-and-swap: fails, the word has changed
//!                                            decide again on the new word: refused
//! ```
//!
//! A plain read, decision and store would admit both requests. `tests/loom_limiter.rs` runs every
//! interleaving of two threads.
//!
//! All accesses are relaxed, because the word is the whole state and guards no other memory.
//!
//! `governor` does the same (`state/in_memory.rs`). NGINX locks the whole shared memory zone, with
//! the tree of all keys, for every request.

use super::{Decision, Limiter};
use minikit::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The state of one key, for any algorithm whose state is one word.
#[derive(Debug, Default)]
pub struct Cell {
    word: AtomicU64,
}

impl Cell {
    /// Calls [`Limiter::decide`], and repeats it if another thread changed the word meanwhile.
    #[inline]
    pub fn decide(&self, limiter: &impl Limiter<State = u64>, now_ns: u64, cost: u64) -> Decision {
        self.update(|word| limiter.decide(word, now_ns, cost))
    }

    /// Returns the current word.
    pub fn load(&self) -> u64 {
        self.word.load(Relaxed)
    }

    /// Changes the word atomically. `change` may run several times; the last result is stored.
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
