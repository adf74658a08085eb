//! Waiting in tests for another thread or process.
//!
//! ```text
//! wait_until("it listens", || TcpStream::connect(address).is_ok());
//! ```
//!
//! A sleep of a fixed length is too short on a busy machine and too long on every other.

use std::time::{Duration, Instant};

/// How long anything may take before a test fails: far more than it needs on the busiest machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Checks `is_so` every millisecond until it returns true.
///
/// # Panics
/// After [`PATIENCE`], with `what` in the message.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
