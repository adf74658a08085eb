//! The time since the start, for everything that measures how long something took.
//!
//! ```text
//! let clock = Clock::new();
//! clock.now_ms()              1534
//! clock.now_us()              1534207  for latencies, which are often below a millisecond
//! clock.during_poll(|| ...)   inside, both stand still
//! ```
//!
//! # Why it stands still
//!
//! A request asks for the time at some 15 places, within two polls of its task: one when the client
//! has sent it, one when the server has answered. Within a poll nothing waits, so all these places
//! mean the same moment, and the system's clock is read once for it.
//!
//! NGINX counterpart: `ngx_time_update` and `ngx_current_msec`, read once per wait for events.

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    /// During a poll, its time.
    static POLL_US: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Counts from the start of the server. A process has one.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Begins to count.
    pub fn new() -> Clock {
        Clock(Instant::now())
    }

    /// Whole microseconds.
    pub fn now_us(self) -> u64 {
        POLL_US.get().unwrap_or_else(|| self.read_us())
    }

    /// Whole milliseconds.
    pub fn now_ms(self) -> u64 {
        self.now_us() / 1000
    }

    /// When the clock will show this time, in milliseconds, at most thirty years after its start:
    /// the runtime cannot count to every time.
    pub fn instant(self, ms: u64) -> Instant {
        const FAR_MS: u64 = 30 * 365 * 24 * 60 * 60 * 1000;
        self.0 + Duration::from_millis(ms.min(FAR_MS))
    }

    /// Polls a task, during which the clock stands still.
    pub fn during_poll<T>(self, poll: impl FnOnce() -> T) -> T {
        /// Lets the clock go on, even after a panic.
        struct End;
        impl Drop for End {
            fn drop(&mut self) {
                POLL_US.set(None);
            }
        }

        POLL_US.set(Some(self.read_us()));
        let _end = End;
        poll()
    }

    fn read_us(self) -> u64 {
        self.0.elapsed().as_micros() as u64
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}
