//! How many clients are inside, how many came, how many were turned away.
//!
//! Every core accepts for itself, so the limit on clients is the one thing the cores have to agree
//! on. It is kept by a single counter: a client enters by taking a [`Place`] and leaves by dropping
//! it, so no path out of a connection (end of stream, error, panic, the end of its runtime) can
//! forget to give it back.
//!
//! ```text
//! limit 2      current  accepted  refused
//! A enters        1         1        0
//! B enters        2         2        0
//! C is refused    2         2        1
//! A leaves        1         2        1
//! D enters        2         3        1
//! ```
//!
//! Invariants, checked in every order of events by `tests/loom_connections.rs`:
//! 1. `current` never exceeds the limit it was entered under.
//! 2. When all places are dropped, `current` is 0.
//! 3. Whoever asks is counted once: as accepted or as refused.
//!
//! The counterpart in Redis is `listLength(server.clients)` against `server.maxclients` in
//! `acceptCommonHandler` (`networking.c`); one thread accepts there, so a plain comparison is
//! enough.

use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The gauge itself; clones share the same counts.
///
/// Relaxed ordering is enough throughout: the numbers guard no other memory.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    current: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl Connections {
    /// A gauge at zero.
    pub fn new() -> Connections {
        Connections::default()
    }

    /// A place for one more client, or `None` (counted as a refusal) where `limit` are inside
    /// already.
    ///
    /// The limit is an argument because it may change while the server runs; lowering it sends
    /// nobody away.
    pub fn enter(&self, limit: usize) -> Option<Place> {
        let one_more = |inside: usize| (inside < limit).then(|| inside + 1);
        if self.counts.current.fetch_update(Relaxed, Relaxed, one_more).is_err() {
            self.counts.refused.fetch_add(1, Relaxed);
            return None;
        }
        self.counts.accepted.fetch_add(1, Relaxed);
        Some(Place { counts: Arc::clone(&self.counts) })
    }

    /// Clients inside now.
    pub fn current(&self) -> usize {
        self.counts.current.load(Relaxed)
    }

    /// Clients let in since the start.
    pub fn accepted(&self) -> u64 {
        self.counts.accepted.load(Relaxed)
    }

    /// Clients turned away since the start.
    pub fn refused(&self) -> u64 {
        self.counts.refused.load(Relaxed)
    }
}

/// One client's place inside, given back on drop.
#[derive(Debug)]
pub struct Place {
    counts: Arc<Counts>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.counts.current.fetch_sub(1, Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_table_at_the_head_of_the_file() {
        let gauge = Connections::new();
        let counts = || (gauge.current(), gauge.accepted(), gauge.refused());
        let a = gauge.enter(2);
        assert_eq!(counts(), (1, 1, 0));
        let b = gauge.enter(2);
        assert_eq!(counts(), (2, 2, 0));
        assert!(gauge.enter(2).is_none());
        assert_eq!(counts(), (2, 2, 1));
        drop(a);
        assert_eq!(counts(), (1, 2, 1));
        let d = gauge.enter(2);
        assert_eq!(counts(), (2, 3, 1));
        drop((b, d));
        assert_eq!(counts(), (0, 3, 1));
    }

    #[test]
    fn a_lowered_limit_sends_nobody_away_and_lets_nobody_in() {
        let gauge = Connections::new();
        let inside: Vec<_> = (0..3).map(|_| gauge.enter(3)).collect();
        assert!(gauge.enter(1).is_none());
        assert_eq!(gauge.current(), 3);
        drop(inside);
        assert!(gauge.enter(1).is_some());
    }

    #[test]
    fn a_limit_of_zero_refuses_everyone() {
        let gauge = Connections::new();
        assert!(gauge.enter(0).is_none());
        assert_eq!((gauge.current(), gauge.refused()), (0, 1));
    }
}
