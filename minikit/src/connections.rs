//! Counting connections: how many are open, accepted and refused, and how many each core has.
//!
//! Several threads accept, so the limit on connections is the one thing they must agree on. A
//! single counter keeps it: a connection takes a [`Permit`], and dropping the permit gives it back.
//! No path out of a connection (end of stream, error, panic, the end of its runtime) can forget to.
//!
//! ```text
//! limit 2      current  accepted  refused
//! A connects      1         1        0
//! B connects      2         2        0
//! C is refused    2         2        1
//! A closes        1         2        1
//! D connects      2         3        1
//! ```
//!
//! Invariants, checked in every order of events by `tests/loom_connections.rs`:
//! 1. `current` never exceeds the limit passed to the `enter` that raised it.
//! 2. When all permits are dropped, `current` is 0.
//! 3. Each client is counted once: as accepted or as refused.
//! 4. [`CoreLoads::assign`] picks a core with the fewest connections, and a core's count is 0 when
//!    its permits are dropped.
//!
//! Redis counterpart: `listLength(server.clients)` against `server.maxclients` in
//! `acceptCommonHandler` (`networking.c`); one thread accepts there, so a plain comparison is
//! enough. Envoy counterpart of [`CoreLoads`]: `ExactConnectionBalanceImpl`
//! (`connection_balancer_impl.cc`).

use std::cell::Cell;

use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The counts; clones share them.
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
    /// All counts at zero.
    pub fn new() -> Connections {
        Connections::default()
    }

    /// Returns a permit for one more connection, or `None` (counted as a refusal) if `limit` are
    /// open already.
    ///
    /// The limit is an argument because it may change while the server runs. Lowering it closes no
    /// connection.
    pub fn enter(&self, limit: usize) -> Option<Permit> {
        let one_more = |open: usize| (open < limit).then(|| open + 1);
        if self.counts.current.fetch_update(Relaxed, Relaxed, one_more).is_err() {
            self.counts.refused.fetch_add(1, Relaxed);
            return None;
        }
        self.counts.accepted.fetch_add(1, Relaxed);
        Some(Permit { counts: Arc::clone(&self.counts) })
    }

    /// Connections open now.
    pub fn current(&self) -> usize {
        self.counts.current.load(Relaxed)
    }

    /// Connections accepted since the start.
    pub fn accepted(&self) -> u64 {
        self.counts.accepted.load(Relaxed)
    }

    /// Connections refused since the start.
    pub fn refused(&self) -> u64 {
        self.counts.refused.load(Relaxed)
    }
}

/// The right of one client to be connected, given back on drop.
#[derive(Debug)]
pub struct Permit {
    counts: Arc<Counts>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.counts.current.fetch_sub(1, Relaxed);
    }
}

/// How many connections each core has, for an acceptor that assigns the next one.
///
/// One thread assigns and any thread gives back, so the type is not `Sync`: a second assigning
/// thread could pick the same core at the same moment. A count goes down when its connection
/// closes, not when the acceptor hears of it; with late counts the acceptor keeps choosing wrong
/// (seastar#3514).
#[derive(Debug)]
pub struct CoreLoads {
    open: Arc<Vec<AtomicUsize>>,
    /// Where the next search begins, so that equal cores take turns. Without it core 0 would get
    /// every client of a server whose connections close before the next one comes (seastar#290).
    next: Cell<usize>,
}

impl CoreLoads {
    /// `cores` cores without connections. At least one.
    pub fn new(cores: usize) -> CoreLoads {
        let open = (0..cores).map(|_| AtomicUsize::new(0)).collect();
        CoreLoads { open: Arc::new(open), next: Cell::new(0) }
    }

    /// Counts one more connection on the core with the fewest and returns that core. Looks at every
    /// core once.
    pub fn assign(&self) -> CorePermit {
        let cores = self.open.len();
        let in_turn = (0..cores).map(|step| (self.next.get() + step) % cores);
        let fewest = in_turn.min_by_key(|core| self.open[*core].load(Relaxed));
        let core = fewest.expect("a server has at least one core");

        self.open[core].fetch_add(1, Relaxed);
        self.next.set((core + 1) % cores);
        CorePermit { open: Arc::clone(&self.open), core }
    }

    /// Connections open on a core now.
    pub fn current(&self, core: usize) -> usize {
        self.open[core].load(Relaxed)
    }
}

/// One connection in the count of its core, given back on drop.
#[derive(Debug)]
pub struct CorePermit {
    open: Arc<Vec<AtomicUsize>>,
    core: usize,
}

impl CorePermit {
    /// The core, counted from 0.
    pub fn index(&self) -> usize {
        self.core
    }
}

impl Drop for CorePermit {
    fn drop(&mut self) {
        self.open[self.core].fetch_sub(1, Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_table_at_the_head_of_the_file() {
        let connections = Connections::new();
        let counts = || (connections.current(), connections.accepted(), connections.refused());
        let a = connections.enter(2);
        assert_eq!(counts(), (1, 1, 0));
        let b = connections.enter(2);
        assert_eq!(counts(), (2, 2, 0));
        assert!(connections.enter(2).is_none());
        assert_eq!(counts(), (2, 2, 1));
        drop(a);
        assert_eq!(counts(), (1, 2, 1));
        let d = connections.enter(2);
        assert_eq!(counts(), (2, 3, 1));
        drop((b, d));
        assert_eq!(counts(), (0, 3, 1));
    }

    #[test]
    fn a_lowered_limit_closes_nothing_and_accepts_nothing() {
        let connections = Connections::new();
        let open: Vec<_> = (0..3).map(|_| connections.enter(3)).collect();
        assert!(connections.enter(1).is_none());
        assert_eq!(connections.current(), 3);
        drop(open);
        assert!(connections.enter(1).is_some());
    }

    #[test]
    fn a_limit_of_zero_refuses_everyone() {
        let connections = Connections::new();
        assert!(connections.enter(0).is_none());
        assert_eq!((connections.current(), connections.refused()), (0, 1));
    }

    #[test]
    fn ties_take_turns_and_a_core_that_empties_is_filled_first() {
        let loads = CoreLoads::new(3);
        let mut open: Vec<_> = (0..6).map(|_| loads.assign()).collect();
        let cores: Vec<_> = open.iter().map(CorePermit::index).collect();
        assert_eq!(cores, [0, 1, 2, 0, 1, 2]);
        open.retain(|it| it.index() != 1);
        let refilled: Vec<_> = (0..2).map(|_| loads.assign()).collect();
        assert!(refilled.iter().all(|it| it.index() == 1));
        drop((open, refilled));
        assert_eq!((0..3).map(|core| loads.current(core)).sum::<usize>(), 0);
    }
}
