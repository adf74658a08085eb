//! `statement_timeout`: cancels a statement that runs too long, as a cancel request would.
//!
//! ```text
//! SET statement_timeout = 100      each statement from here on is armed for 100 ms
//! SELECT ..                        armed; done after 3 ms: disarmed
//! SELECT ..                        armed; after 100 ms its interrupt is set: 57014
//! ```
//!
//! The server runs [`Timeouts::serve`] on a thread that sleeps until the next deadline. PostgreSQL
//! asks the kernel for SIGALRM (`timeout.c`).

use crate::Interrupt;
use minikit::sync::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the thread sleeps if nothing is armed.
const IDLE: Duration = Duration::from_secs(3_600);

/// All deadlines.
#[derive(Default)]
pub struct Timeouts {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    armed: BTreeMap<(Instant, u64), Interrupt>,
    last: u64,
    is_stopped: bool,
}

/// A deadline, until it is dropped.
pub struct Armed {
    timeouts: Arc<Timeouts>,
    key: (Instant, u64),
}

impl Timeouts {
    /// Sets the interrupt after this time, unless the returned [`Armed`] is dropped earlier.
    pub fn arm(self: &Arc<Self>, after: Duration, interrupt: &Interrupt) -> Armed {
        let mut state = self.state.lock();
        state.last += 1;
        let key = (Instant::now() + after, state.last);
        state.armed.insert(key, interrupt.clone());
        self.changed.notify_all();
        Armed { timeouts: Arc::clone(self), key }
    }

    /// Cancels statements whose deadline has passed, until [`Timeouts::stop`].
    pub fn serve(&self) {
        let mut state = self.state.lock();
        while !state.is_stopped {
            let now = Instant::now();
            let later = state.armed.split_off(&(now, u64::MAX));
            std::mem::replace(&mut state.armed, later).values().for_each(Interrupt::cancel);
            let next = state.armed.first_key_value();
            let sleep = next.map_or(IDLE, |((deadline, _), _)| deadline.duration_since(now));
            state = self.changed.wait_timeout(state, sleep).0;
        }
    }

    /// Ends [`Timeouts::serve`].
    pub fn stop(&self) {
        self.state.lock().is_stopped = true;
        self.changed.notify_all();
    }
}

impl Armed {
    /// Returns true if the time is over.
    pub fn has_expired(&self) -> bool {
        !self.timeouts.state.lock().armed.contains_key(&self.key)
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.timeouts.state.lock().armed.remove(&self.key);
    }
}
