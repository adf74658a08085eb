//! A waker for models: loom's notification behind the standard library's `Wake`.
//!
//! A task under tokio returns `Pending` and runs again when its waker is called. A model's thread
//! sleeps in [`Alarm::wait`] instead. Where no wake ever comes no thread can run, and loom calls
//! that a deadlock: a missed wake is a failed model.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::Notify;

/// What a waker rings.
pub struct Alarm {
    bell: Notify,
}

impl Alarm {
    /// One that nobody has rung, and a waker that rings it.
    pub fn new() -> (Arc<Alarm>, Waker) {
        let alarm = Arc::new(Alarm { bell: Notify::new() });
        (Arc::clone(&alarm), Waker::from(alarm))
    }

    /// Sleeps until it has been rung since the last call.
    pub fn wait(&self) {
        self.bell.wait();
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.bell.notify();
    }
}

/// What a task does: polls, and sleeps wherever that is not ready.
pub fn block_on<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let (alarm, waker) = Alarm::new();
    loop {
        if let Poll::Ready(value) = poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        alarm.wait();
    }
}
