//! The threads beside the clients of an open database: checkpoints, the cleaner, deadlines.
//!
//! ```text
//! thread        looks every    and
//! checkpoint    0.5 s          makes a checkpoint if the log has grown long enough
//! cleaner       60 s           vacuums and analyzes the tables that have changed enough
//! timeouts      next deadline  cancels statements that are late
//! ```
//!
//! The server and the library both run them; what each does when the log cannot be written is
//! theirs: the server ends the process, the library refuses all further statements.
//!
//! PostgreSQL's `checkpointer.c` and `autovacuum.c` are processes, and its deadlines signals.

mod background;

pub use background::{Background, Rest};
use minibtree_locks::Timeouts;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often the length of the log is looked at.
const CHECKPOINT_LOOK: Duration = Duration::from_millis(500);
/// How often the cleaner looks for tables that need it: PostgreSQL's `autovacuum_naptime`. A look
/// at busy tables takes most of a core for half a second.
const CLEANER_LOOK: Duration = Duration::from_secs(60);
/// How long the cleaner rests after 64 pages, so that it takes little of the disk and of a core.
/// PostgreSQL's `autovacuum_vacuum_cost_delay`.
const CLEANER_REST: Duration = Duration::from_millis(2);

/// The threads, until they are stopped.
pub struct Upkeep {
    checkpointer: Background,
    cleaner: Background,
    timer: Timer,
}

/// The thread of the deadlines.
struct Timer {
    timeouts: Arc<Timeouts>,
    thread: JoinHandle<()>,
}

impl Upkeep {
    /// Starts the threads. `checkpoint` makes a checkpoint if one is needed. `clean` cleans the
    /// tables, and calls the function that it is given to rest: false tells it to stop.
    ///
    /// A panic of one of them ends its thread: see [`Upkeep::is_sound`].
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn start(
        timeouts: &Arc<Timeouts>,
        mut checkpoint: impl FnMut() + Send + 'static,
        mut clean: impl FnMut(&dyn Fn() -> bool) + Send + 'static,
    ) -> io::Result<Upkeep> {
        let look = move |rest: Rest<'_>| clean(&|| rest(CLEANER_REST));
        let checkpointer = Background::start("checkpoint", CHECKPOINT_LOOK, move |_| checkpoint())?;
        let cleaner = Background::start("cleaner", CLEANER_LOOK, look)?;
        let (timeouts, served) = (Arc::clone(timeouts), Arc::clone(timeouts));
        let thread = Builder::new().name("timeouts".to_owned()).spawn(move || served.serve())?;
        Ok(Upkeep { checkpointer, cleaner, timer: Timer { timeouts, thread } })
    }

    /// Returns true unless one of the threads has ended by a panic.
    pub fn is_sound(&self) -> bool {
        self.checkpointer.is_running() && self.cleaner.is_running()
    }

    /// Ends the threads, and waits until their last look has ended. Returns false if one of them
    /// had ended by a panic.
    pub fn stop(self) -> bool {
        self.timer.timeouts.stop();
        let _ = self.timer.thread.join();
        let are_sound = [self.cleaner.stop(), self.checkpointer.stop()];
        are_sound == [true, true]
    }
}

/// The time of day as PostgreSQL counts it: in microseconds since 2000.
pub fn now() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_1970.as_micros() as i64 - 946_684_800_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_panic_of_a_checkpoint_is_noticed() {
        let (called, calls) = mpsc::channel();
        let checkpoint = move || {
            let _ = called.send(());
            panic!("the disk is gone");
        };
        let upkeep = Upkeep::start(&Arc::default(), checkpoint, |_| {}).expect("threads");
        assert!(upkeep.is_sound());
        calls.recv().expect("it looks");
        while upkeep.is_sound() {
            std::thread::yield_now();
        }
        assert!(!upkeep.stop());
    }
}
