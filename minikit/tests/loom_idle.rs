//! The shutdown of a connection in every order with its request loop.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r --no-default-features -p minikit --test loom_idle`
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use minikit::idle::IdleState;

/// A connection that waits twice, and a shutdown at any moment. After it no wait begins unnoticed:
/// either `begin_wait` refuses, or `close` reports that the thread waits.
#[test]
fn a_busy_connection_is_not_cut_and_a_waiting_one_is_not_forgotten() {
    loom::model(|| {
        let state = Arc::new(IdleState::default());
        let other = Arc::clone(&state);
        let shutdown = thread::spawn(move || other.close());

        let first = state.begin_wait();
        if first {
            state.end_wait();
        }
        let second = state.begin_wait();

        let was_waiting = shutdown.join().expect("it does not panic");
        if second {
            // The thread would now be blocked in `read`.
            assert!(was_waiting, "a waiting thread is forgotten");
        }
        if !first {
            assert!(!second && !was_waiting, "a connection that has ended is cut");
        }
        assert!(!state.begin_wait(), "a connection waits again after the shutdown");
        assert!(!state.close(), "the half is closed twice");
    });
}
