//! One timer for all timeouts of a connection.
//!
//! ```text
//!  0 s   set 75 s (keepalive)      timer set for 75 s
//! 20 s   set 60 s (read)           due at 80 s; the timer stays at 75 s
//! 20 s   set 75 s (keepalive)      due at 95 s; the timer stays
//! 75 s   the timer fires           not due yet: set for 95 s
//! ```
//!
//! A timer of the runtime costs a lock and a place in a wheel each time it is set. Timeouts of HTTP
//! almost never pass, and a later one replaces the last with each read. So the timer is set only
//! when the new deadline is earlier, or when it fires: about once a minute and connection.
//!
//! NGINX counterpart: `ngx_event_add_timer`, which leaves a timer that is within 300 ms of the new
//! one.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// When the current wait must end.
#[derive(Debug)]
pub struct Deadline {
    due: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Deadline {
    /// Due after `timeout`.
    pub fn new(timeout: Duration) -> Deadline {
        let due = after(timeout);
        Deadline { due, timer: Box::pin(tokio::time::sleep_until(due)) }
    }

    /// Due after `timeout` from now.
    pub fn set(&mut self, timeout: Duration) {
        self.due = after(timeout);
        if self.due < self.timer.deadline() {
            self.timer.as_mut().reset(self.due);
        }
    }

    /// Ready when the deadline has passed.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= self.due {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.due);
        }
        Poll::Pending
    }
}

/// A time that far in the future that the clock cannot count to it is thirty years away.
fn after(timeout: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    Instant::now() + timeout.min(FAR)
}
