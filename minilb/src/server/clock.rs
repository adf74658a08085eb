//! The time since the start, for everything that measures how long something took.
//!
//! ```text
//! let clock = Clock::new();
//! clock.now_ms()              1534
//! clock.now_us()              1534207  for latencies, which are often below a millisecond
//! ```

use std::time::Instant;

/// Counts from the start of the server.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Begins to count.
    pub fn new() -> Clock {
        Clock(Instant::now())
    }

    /// Whole microseconds.
    pub fn now_us(self) -> u64 {
        self.0.elapsed().as_micros() as u64
    }

    /// Whole milliseconds.
    pub fn now_ms(self) -> u64 {
        self.0.elapsed().as_millis() as u64
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}
