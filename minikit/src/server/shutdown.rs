//! The request to shut down, as every task of every core sees it.
//!
//! Each idle connection waits for two things: bytes, and this. A waiting task is an entry in a list
//! behind a lock, and with one list for the whole server all cores would contend for that lock on
//! every wake-up. So every core has a [`Latch`] of its own, and relays the server's:
//!
//! ```text
//! SIGTERM, SHUTDOWN -> request() -> [server's latch] -> core 0 -> [its latch] -> clients A, B
//!                                                    -> core 1 -> [its latch] -> client C
//! ```
//!
//! Redis counterpart: the flag `server.shutdown_asap`, read by its one thread in `serverCron`
//! (`server.c`).

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::sync::Arc;

/// A handle on the request to shut down; clones refer to the same request, which cannot be undone.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// Set by `request`.
    server: Arc<Latch>,
    /// What `requested` waits for.
    local: Arc<Latch>,
}

/// A flag that is set once, and the tasks that wait for it.
#[derive(Debug, Default)]
struct Latch {
    set: AtomicBool,
    waiting: Notify,
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown::new()
    }
}

impl Shutdown {
    /// Shutdown not requested yet.
    pub fn new() -> Shutdown {
        let latch = Arc::new(Latch::default());
        Shutdown { server: Arc::clone(&latch), local: latch }
    }

    /// Asks the whole server to shut down, from any thread and also from within a connection. A
    /// second call does nothing.
    pub fn request(&self) {
        self.server.set();
    }

    /// Returns true if shutdown was requested. One atomic load.
    pub fn is_requested(&self) -> bool {
        self.server.set.load(Ordering::Acquire)
    }

    /// Waits until shutdown is requested, or returns at once if it was already. In a loop, create
    /// the future once outside and pin it: that is cheaper than a new one each time.
    pub async fn requested(&self) {
        self.local.wait().await;
    }

    /// The same request, with a latch that only one core waits for. That core must call `relay`.
    pub(super) fn for_core(&self) -> Shutdown {
        Shutdown { server: Arc::clone(&self.server), local: Arc::default() }
    }

    /// Wakes the tasks that wait for this handle's own latch.
    pub(super) fn relay(&self) {
        self.local.set();
    }
}

impl Latch {
    fn set(&self) {
        self.set.store(true, Ordering::Release);
        self.waiting.notify_waiters();
    }

    async fn wait(&self) {
        // Created before the flag is read: `notify_waiters` reaches every future that exists, so a
        // `set` between the two lines is not lost.
        let notified = self.waiting.notified();
        if !self.set.load(Ordering::Acquire) {
            notified.await;
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
    fn a_request_from_another_thread_wakes_a_waiting_task() {
        let shutdown = Shutdown::new();
        let far = shutdown.clone();
        let thread = std::thread::spawn(move || far.request());
        block_on(shutdown.requested());
        thread.join().expect("it only sets a flag");
    }

    #[test]
    fn a_core_sees_the_flag_at_once_and_wakes_when_relayed() {
        let shutdown = Shutdown::new();
        let core = shutdown.for_core();
        shutdown.request();
        assert!(core.is_requested(), "all share the flag");
        assert!(!core.local.set.load(Ordering::Relaxed), "but not the latch");
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
