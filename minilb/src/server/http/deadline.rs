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

use crate::server::clock::Clock;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep_until};

/// When the current wait must end.
#[derive(Debug)]
pub struct Deadline {
    clock: Clock,
    due_ms: u64,
    timer: Pin<Box<Sleep>>,
    /// When the timer fires; not later than `due_ms`.
    timer_ms: u64,
    /// The timer will wake the connection's task, so it need not be polled before it fires.
    is_armed: bool,
}

impl Deadline {
    /// Due after `timeout`.
    pub fn new(clock: Clock, timeout: Duration) -> Deadline {
        let due_ms = after(clock, timeout);
        let timer = Box::pin(sleep_until(clock.instant(due_ms).into()));
        Deadline { clock, due_ms, timer, timer_ms: due_ms, is_armed: false }
    }

    /// Due after `timeout` from now.
    pub fn set(&mut self, timeout: Duration) {
        self.due_ms = after(self.clock, timeout);
        if self.due_ms < self.timer_ms {
            self.reset_timer();
        }
    }

    /// Ready when the deadline has passed.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_armed && self.clock.now_ms() < self.timer_ms {
            return Poll::Pending;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.clock.now_ms() >= self.due_ms {
                return Poll::Ready(());
            }
            self.reset_timer();
        }
        self.is_armed = true;
        Poll::Pending
    }

    fn reset_timer(&mut self) {
        (self.timer_ms, self.is_armed) = (self.due_ms, false);
        self.timer.as_mut().reset(self.clock.instant(self.due_ms).into());
    }
}

fn after(clock: Clock, timeout: Duration) -> u64 {
    clock.now_ms().saturating_add(timeout.as_millis() as u64)
}
