//! A thread that looks at regular intervals if there is something to do: checkpoints, cleaning.
//!
//! ```
//! use minibtree_upkeep::Background;
//! use std::sync::mpsc;
//! use std::time::Duration;
//!
//! let (looked, looks) = mpsc::channel();
//! let thread = Background::start("example", Duration::from_millis(1), move |wait| {
//!     // A long look rests now and then. The server does not wait for the end of a rest.
//!     let may_go_on = wait(Duration::from_micros(10));
//!     let _ = looked.send(may_go_on);
//! })?;
//! assert_eq!(looks.recv(), Ok(true));
//! assert!(thread.stop());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! PostgreSQL has a process for each of them, which sleeps in `WaitLatch`.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Rests for a time. Returns false, at once, if the thread has to end.
pub type Rest<'r> = &'r dyn Fn(Duration) -> bool;

/// A thread that runs until it is stopped.
#[derive(Debug)]
pub struct Background {
    thread: JoinHandle<()>,
    /// Dropping it ends the thread.
    running: mpsc::Sender<()>,
}

impl Background {
    /// Starts a thread that calls `look`, the first time after an interval.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn start(
        name: &str,
        interval: Duration,
        mut look: impl FnMut(Rest<'_>) + Send + 'static,
    ) -> io::Result<Background> {
        let (running, is_running) = mpsc::channel();
        let thread = Builder::new().name(name.to_owned()).spawn(move || {
            let rest = |time| is_running.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
            while rest(interval) {
                look(&rest);
            }
        })?;
        Ok(Background { thread, running })
    }

    /// Returns true unless a look has panicked.
    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Ends the thread, and waits until its last look has ended. Returns false if a look has
    /// panicked.
    pub fn stop(self) -> bool {
        drop(self.running);
        self.thread.join().is_ok()
    }
}
