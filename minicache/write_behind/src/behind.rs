//! A queue and its journal, shared by threads: any number that write, and one that works.
//!
//! ```text
//! writer   put(a=1)    submit ─> journal: append, sync ─> acknowledged
//! worker   work        next_batch ─> journal up to it ─> the database ─> done
//! reader   newest(a)   before it asks the database
//! ```
//!
//! 1. **Acknowledged after the sync.** Writers that come while another one syncs are in the next
//!    append together (group commit).
//! 2. **The journal before the database.** Otherwise the database could have a number that a crash
//!    makes the journal forget. It would be given out again, and the write that gets it ignored.
//! 3. **The database before the queue.** An operation leaves the queue after the database has it,
//!    so a reader that misses in the cache and asks [`newest`](WriteBehind::newest) first and the
//!    database then never sees an old row.
//!
//! A server whose threads must not wait calls [`submit`](WriteBehind::submit), lets a thread
//! [`keep_journal`](WriteBehind::keep_journal), and sends a reply when
//! [`poll_safe`](WriteBehind::poll_safe) is ready.

use crate::Value;
use crate::journal::{Journal, append_operation};
use crate::queue::{Ack, Failure, Figures, Operation, Options, Queue};
use minikit::storage::Disk;
use minikit::sync::{Condvar, Mutex};
use std::io::{self, ErrorKind};
use std::mem::take;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// See the head of the file.
pub struct WriteBehind {
    /// Locked before the state.
    journal: Mutex<Journal>,
    state: Mutex<State>,
    /// There are records for a journal that nobody wrote.
    submitted: Condvar,
    /// A batch is due earlier than it was, or has ended.
    changed: Condvar,
    start: Instant,
}

#[derive(Default)]
struct State {
    queue: Queue,
    /// Records that are not in the journal.
    records: Vec<u8>,
    /// The number up to which operations are in it.
    durable: u64,
    is_closed: bool,
    /// Closed, and the journal keeps what the backend does not take at once.
    is_stopped: bool,
    /// Of replies that wait.
    wakers: Vec<Waker>,
}

impl WriteBehind {
    /// Opens the journal of a directory; what it holds will be written first. Numbers begin after
    /// `sequence` if it is new: choose one that is higher than those of the backend, such as the
    /// microseconds since 1970.
    pub fn open(disk: Arc<dyn Disk>, options: Options, sequence: u64) -> io::Result<WriteBehind> {
        let mut queue = Queue::new(options, sequence);
        let journal = Mutex::new(Journal::open(disk, &mut queue)?);
        let durable = queue.sequence;
        let state = Mutex::new(State { queue, durable, ..State::default() });
        let (submitted, changed) = (Condvar::new(), Condvar::new());
        Ok(WriteBehind { journal, state, submitted, changed, start: Instant::now() })
    }

    // ---- writing ----

    /// Writes a key, or deletes it. Returns when the operation is in the journal, and above the
    /// high-water mark when it is in the backend, for which another thread has to be at work.
    ///
    /// # Errors
    /// If the journal fails, now or before, the operation may still be written. If this waited for
    /// the backend, and that refused it, it is a dead letter.
    pub fn put(&self, key: &[u8], value: Option<&[u8]>) -> io::Result<()> {
        let (sequence, ack) = self.submit(key, value.map(Into::into));
        self.sync_to(sequence)?;

        let mut state = self.state.lock();
        let is_mine = |it: &Operation| it.sequence == sequence;
        while ack == Ack::WriteThrough && state.queue.newest(key).is_some_and(is_mine) {
            state = self.changed.wait(state);
        }
        match state.queue.dead_letter(key).is_some_and(is_mine) {
            true => Err(io::Error::new(ErrorKind::InvalidData, "rejected by the backend")),
            false => Ok(()),
        }
    }

    /// Queues a write without waiting for anything. Returns its number.
    pub fn submit(&self, key: &[u8], value: Value) -> (u64, Ack) {
        let mut state = self.state.lock();
        let (due_before, now_ms) = (state.queue.next_ms(), self.now_ms());
        let (operation, ack) = state.queue.submit(key, value, now_ms);
        if state.records.is_empty() {
            self.submitted.notify_all();
        }
        append_operation(&mut state.records, &operation);
        if state.queue.next_ms() != due_before {
            self.changed.notify_all();
        }
        (operation.sequence, ack)
    }

    /// Appends everything up to a number, at least, to the journal.
    fn sync_to(&self, sequence: u64) -> io::Result<()> {
        // Group commit: threads that wait here while another one syncs are in the next append
        // together, which the first of them does.
        let mut journal = self.journal.lock();
        if journal.sequence >= sequence {
            return Ok(());
        }
        let mut state = self.state.lock();
        let records = take(&mut state.records);
        let (last, sync) = (state.queue.sequence, state.queue.options.sync);
        let snapshot = journal.snapshot_if_long(&state.queue);
        drop(state);
        journal.write(&records, snapshot, last, sync)?;

        let mut state = self.state.lock();
        state.durable = last;
        let wakers = take(&mut state.wakers);
        drop((state, journal));
        wakers.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Appends what is submitted until the queue is closed. Only for writers that do not
    /// [`put`](WriteBehind::put).
    ///
    /// # Errors
    /// If the journal fails. What was not acknowledged may be lost, and nothing is any more.
    pub fn keep_journal(&self) -> io::Result<()> {
        loop {
            let mut state = self.state.lock();
            while state.records.is_empty() && !state.is_closed {
                state = self.submitted.wait(state);
            }
            if state.records.is_empty() {
                return Ok(());
            }
            let sequence = state.queue.sequence;
            drop(state);
            self.sync_to(sequence)?;
        }
    }

    /// The number that a reply must wait for before it is sent, if it must. Replies of commands
    /// that did not write do not wait for the backend.
    pub fn awaited(&self, wrote: bool) -> Option<u64> {
        let state = self.state.lock();
        let last = state.queue.sequence;
        (state.durable < last || wrote && state.queue.is_full()).then_some(last)
    }

    /// Ready when everything up to a number is in the journal and, for commands that wrote, the
    /// queue is below its high-water mark.
    pub fn poll_safe(&self, sequence: u64, wrote: bool, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.durable >= sequence && !(wrote && state.queue.is_full()) {
            return Poll::Ready(());
        }
        state.wakers.push(context.waker().clone());
        Poll::Pending
    }

    // ---- reading ----

    /// The value of a key that is not in the backend yet: `Some(None)` if it is to be deleted.
    pub fn newest(&self, key: &[u8]) -> Option<Value> {
        self.state.lock().queue.newest(key).map(|it| it.value.clone())
    }

    /// Returns true if dead letters alone are above the high-water mark: waiting does not help.
    pub fn has_too_many_dead_letters(&self) -> bool {
        let queue = &self.state.lock().queue;
        queue.dead_bytes > queue.options.high_water
    }

    /// Bytes at the end of the journal that were found not to be whole records.
    pub fn ignored(&self) -> usize {
        self.journal.lock().ignored
    }

    /// How much is waiting.
    pub fn figures(&self) -> Figures {
        self.state.lock().queue.figures()
    }

    // ---- the backend ----

    /// Writes batches with `write` until the queue is closed and empty. `write` applies all
    /// operations or none, each only if its number is higher than that of the row, and none after
    /// a later batch.
    ///
    /// # Errors
    /// If the journal fails.
    pub fn work(
        &self,
        mut write: impl FnMut(&[Operation]) -> Result<(), Failure>,
    ) -> io::Result<()> {
        let mut state = self.state.lock();
        loop {
            let now_ms = self.now_ms();
            if let Some(batch) = state.queue.next_batch(now_ms) {
                drop(state);
                // The journal before the database.
                self.sync_to(batch.iter().map(|it| it.sequence).max().unwrap_or(0))?;
                let result = write(&batch);
                state = self.state.lock();
                state.queue.done(batch, result, self.now_ms());
                take(&mut state.wakers).into_iter().for_each(Waker::wake);
                self.changed.notify_all();
            } else if state.is_closed && state.queue.is_written()
                || state.is_stopped && state.queue.is_failing()
            {
                return Ok(());
            } else if let Some(next_ms) = state.queue.next_ms() {
                let pause = Duration::from_millis(next_ms - now_ms);
                state = self.changed.wait_timeout(state, pause).0;
            } else {
                state = self.changed.wait(state);
            }
        }
    }

    /// Takes out the operations that the backend refused. They are in the journal until then.
    pub fn take_dead_letters(&self) -> Vec<Operation> {
        self.state.lock().queue.take_dead_letters()
    }

    /// Lets the worker end when everything is written, and no longer wait for more.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.queue.options.delay_ms = 0;
        self.submitted.notify_all();
        self.changed.notify_all();
    }

    /// The same, but what the backend does not take at once stays in the journal.
    pub fn stop(&self) {
        self.state.lock().is_stopped = true;
        self.close();
    }

    fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
