//! The request to stop, as seen from every task of every core.
//!
//! Each idle connection waits for two things: bytes, and this. Waiting means standing in a queue
//! behind a lock, and with one queue for the whole server all cores would meet at that lock on
//! every wake-up. So every core has a bell of its own, and the core passes the ring of the big one
//! on:
//!
//! ```text
//! SIGTERM, SHUTDOWN -> request() -> [server's bell] -> core 0 -> [its bell] -> clients A, B
//!                                                   -> core 1 -> [its bell] -> client C
//! ```
//!
//! The counterpart in Redis is the flag `server.shutdown_asap`, read by its one thread in
//! `serverCron` (`server.c`).

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::sync::Arc;

/// A handle on the request to stop; clones speak of the same request. Once made, a request stays.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// Rung by `request`.
    server: Arc<Bell>,
    /// Where this handle's holder waits.
    near: Arc<Bell>,
}

#[derive(Debug, Default)]
struct Bell {
    rung: AtomicBool,
    waiting: Notify,
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown::new()
    }
}

impl Shutdown {
    /// A request nobody has made yet.
    pub fn new() -> Shutdown {
        let bell = Arc::new(Bell::default());
        Shutdown { server: Arc::clone(&bell), near: bell }
    }

    /// Asks the whole server to stop, from any thread and also from within a connection. Repeating
    /// it does nothing more.
    pub fn request(&self) {
        self.server.ring();
    }

    /// Whether someone has asked. One atomic load.
    pub fn is_requested(&self) -> bool {
        self.server.rung.load(Ordering::Acquire)
    }

    /// Waits until someone asks, or returns at once where that has happened. Waiting again and
    /// again in a loop is cheaper with one future that is pinned outside of it.
    pub async fn requested(&self) {
        self.near.heard().await;
    }

    /// The same request, with a place to wait that only one core uses. It must be relayed there.
    pub(super) fn for_core(&self) -> Shutdown {
        Shutdown { server: Arc::clone(&self.server), near: Arc::default() }
    }

    /// Wakes those who wait at this handle's own place.
    pub(super) fn relay(&self) {
        self.near.ring();
    }
}

impl Bell {
    fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.waiting.notify_waiters();
    }

    async fn heard(&self) {
        // Made before the look at the flag: a ring between the two reaches a future that exists
        // already.
        let ring = self.waiting.notified();
        if !self.rung.load(Ordering::Acquire) {
            ring.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime without drivers needs no resources").block_on(future)
    }

    #[test]
    fn a_request_is_seen_by_all_clones_and_stays() {
        let shutdown = Shutdown::new();
        let clone = shutdown.clone();
        assert!(!clone.is_requested());
        shutdown.request();
        shutdown.request();
        assert!(clone.is_requested());
        block_on(async {
            clone.requested().await;
            clone.requested().await;
        });
    }

    #[test]
    fn a_request_from_another_thread_wakes_the_waiting() {
        let shutdown = Shutdown::new();
        let far = shutdown.clone();
        let thread = std::thread::spawn(move || far.request());
        block_on(shutdown.requested());
        thread.join().expect("it only rings");
    }

    #[test]
    fn a_core_hears_when_it_is_relayed_and_knows_at_once() {
        let shutdown = Shutdown::new();
        let core = shutdown.for_core();
        shutdown.request();
        assert!(core.is_requested(), "the flag is one for all");
        assert!(!core.near.rung.load(Ordering::Relaxed), "the bell is not");
        core.relay();
        block_on(core.requested());
    }

    #[test]
    fn a_request_made_by_a_core_reaches_the_server() {
        let shutdown = Shutdown::new();
        shutdown.for_core().request();
        block_on(shutdown.requested());
    }
}
