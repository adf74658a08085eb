//! Waiting for what another thread or process does.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it: far more than it needs, however busy
/// the machine is.
const PATIENCE: Duration = Duration::from_secs(120);

/// Looks again and again until it is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
