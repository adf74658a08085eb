//! A clock that only the test moves.
//!
//! Engines do not read a clock: `now` is handed to them. A test hands out the time of this clock.
//!
//! ```
//! use minikit::storage::SimulatedClock;
//! use std::time::Duration;
//!
//! let clock = SimulatedClock::default();
//! let server = clock.clone();
//! clock.advance(Duration::from_secs(30));
//! assert_eq!(server.now(), Duration::from_secs(30));
//! ```
//!
//! FoundationDB and TigerBeetle advance their clocks from an event loop (`testing/time.zig`); here
//! the test decides, since our engines have no timers of their own.

use crate::sync::{Arc, Mutex};
use std::time::Duration;

/// A time that starts at zero. Clones are the same clock.
#[derive(Clone, Debug, Default)]
pub struct SimulatedClock(Arc<Mutex<Duration>>);

impl SimulatedClock {
    /// The time since the start.
    pub fn now(&self) -> Duration {
        *self.0.lock()
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }
}
