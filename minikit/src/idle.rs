//! Closing a connection that waits for a request, and no other.
//!
//! A server that shuts down should close idle connections at once and let busy ones answer the
//! request they have begun. A thread blocked in `read` cannot look at a flag; another thread has to
//! end its `read` by closing the receiving half of the socket. But the same call would cut off a
//! request that is half read. [`IdleState`] decides between the two cases:
//!
//! ```text
//!            begin_wait                         close
//!      ┌────────────────────> Waiting ──────────────────────┐ true: close the half
//!    Busy <──────────────────                               v
//!      └───────────────────────────────────────────────> Closing    (final)
//!            end_wait                           close: false
//! ```
//!
//! The two threads meet in one atomic word, so there are only three orders of events. `close` comes
//!
//! 1. before `begin_wait`: `begin_wait` finds `Closing` and returns false; the connection ends.
//! 2. between `begin_wait` and `end_wait`: `close` finds `Waiting` and returns true; its caller
//!    closes the receiving half, and `read` returns 0.
//! 3. after `end_wait`: `close` finds `Busy` and returns false; the request is answered, and case 1
//!    ends the connection after it.
//!
//! A request whose first bytes arrive at the moment of case 2 is read if it is complete and lost if
//! it is not, as if it had arrived a moment later. `tests/loom_idle.rs` runs all orders.
//!
//! PostgreSQL counterpart: `DoingCommandRead` and `ProcessClientReadInterrupt` (`tcop/postgres.c`),
//! where a signal takes the role of `close`.

use crate::sync::atomic::{AtomicU8, Ordering::AcqRel, Ordering::Acquire};

const BUSY: u8 = 0;
const WAITING: u8 = 1;
const CLOSING: u8 = 2;

/// The state of one connection: busy at first, which is 0 and therefore the default.
#[derive(Debug, Default)]
pub struct IdleState(AtomicU8);

impl IdleState {
    /// The connection's thread is about to wait for a request. Returns false if the connection
    /// should end instead. One compare-and-swap on a word that no other thread writes until
    /// shutdown.
    pub fn begin_wait(&self) -> bool {
        self.0.compare_exchange(BUSY, WAITING, AcqRel, Acquire).is_ok()
    }

    /// The wait is over: bytes, an error or the end of the stream have come. A connection that is
    /// being closed stays so.
    pub fn end_wait(&self) {
        // Fails if `close` came first; `begin_wait` reports that after this request.
        let _ = self.0.compare_exchange(WAITING, BUSY, AcqRel, Acquire);
    }

    /// Another thread asks the connection to end. Returns true, once, if the connection is waiting
    /// and the caller must close the receiving half of its socket.
    pub fn close(&self) -> bool {
        self.0.swap(CLOSING, AcqRel) == WAITING
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_three_orders_at_the_head_of_the_file() {
        let before = IdleState::default();
        assert!(!before.close());
        assert!(!before.begin_wait());

        let between = IdleState::default();
        assert!(between.begin_wait());
        assert!(between.close());
        between.end_wait();
        assert!(!between.begin_wait());

        let after = IdleState::default();
        assert!(after.begin_wait());
        after.end_wait();
        assert!(!after.close());
        assert!(!after.begin_wait());
        assert!(!after.close(), "the half is closed once at most");
    }
}
