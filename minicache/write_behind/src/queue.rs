//! The queue of write-behind: which operations go to the backend next, and what if that fails.
//!
//! Nothing here waits, reads a clock or does I/O. With batches of two:
//!
//! ```text
//! submit a=1, b=1, a=2, c=1   newest: a=2 b=1 c=1      a=1 is never written: coalesced
//! next_batch                  in flight: a=2 b=1       no second batch until it is done
//! submit a=3                  newest: a=3 b=1 c=1
//! done(unavailable)           order: a b c             a=3 is newer: the batch goes under it
//! next_batch, after a pause   in flight: a=3           half of it, in case that was too much
//! ```
//!
//! 1. **The last operation of a key wins.** Only a newer one replaces it in `newest`. A batch that
//!    ends removes what it wrote, if that is still the newest.
//! 2. **One batch is in flight**, so two operations of a key never overtake each other. After a
//!    crash operations may be written again: therefore each has a number, and a backend replaces a
//!    row only if the number grows.
//! 3. **An operation is readable until it is written**, whatever the cache has evicted.
//! 4. **Nothing is dropped.** What the backend refuses by itself becomes a dead letter, until a
//!    newer operation of its key takes its place. The backend does not say which operation of a
//!    batch is at fault, so the batch is halved until one is left. One that fails for want of time
//!    is halved, too, and each success doubles the next.
//!
//! Counterparts: Hazelcast's `MapStore`, Infinispan's `AsyncNonBlockingStore`. They have shards;
//! here a program opens a queue for each.

use crate::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// A write of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The key.
    pub key: Arc<[u8]>,
    /// The new value; `None` deletes.
    pub value: Value,
    /// Its number, which grows with every operation of every key.
    pub sequence: u64,
}

impl Operation {
    fn size(&self) -> usize {
        128 + self.key.len() + self.value.as_ref().map_or(0, |it| it.len())
    }
}

/// How batches are made, and how much may be lost.
#[derive(Clone, Debug)]
pub struct Options {
    /// Operations in a batch.
    pub batch_max: usize,
    /// How long an operation waits for others, if its batch is not full.
    pub delay_ms: u64,
    /// From this many bytes on, writers wait for the backend.
    pub high_water: usize,
    /// The pause after a failure. It doubles with each further one, up to a hundred times.
    pub retry_ms: u64,
    /// Syncs the journal before each acknowledgement. Without, a power failure loses writes.
    pub sync: bool,
    /// Bytes of the journal beyond twice what is not written, before it is rewritten.
    pub journal_slack: u64,
}

impl Default for Options {
    fn default() -> Options {
        let (batch_max, delay_ms, high_water, retry_ms) = (128, 100, 16 << 20, 50);
        let (sync, journal_slack) = (true, 1 << 20);
        Options { batch_max, delay_ms, high_water, retry_ms, sync, journal_slack }
    }
}

/// What a writer waits for, once its operation is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// For nothing: it is in the queue.
    Queued,
    /// For the backend: the queue is above its high-water mark.
    WriteThrough,
}

/// Why a backend did not write a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It could not be reached, or asked to try again. Retried forever, with growing pauses.
    Unavailable,
    /// It refuses an operation of the batch, and will again.
    Rejected,
}

/// How much is waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Keys that are not written.
    pub keys: usize,
    /// Bytes of their operations and of dead letters.
    pub bytes: usize,
    /// Operations that the backend refused.
    pub dead_letters: usize,
}

/// See the head of the file.
#[derive(Default)]
pub struct Queue {
    /// How batches are made. A change takes effect with the next batch.
    pub options: Options,
    /// The number of the last operation.
    pub sequence: u64,
    /// The newest operation of each key that is not written, and when the key came.
    newest: HashMap<Arc<[u8]>, (Operation, u64)>,
    /// The keys in it that are not in flight, the one that waits longest first.
    order: VecDeque<Arc<[u8]>>,
    /// What the backend refused, by key.
    dead_letters: HashMap<Arc<[u8]>, Operation>,
    is_in_flight: bool,
    /// Bytes of the operations that are not written, dead letters too.
    pub bytes: usize,
    /// Bytes of the dead letters.
    pub dead_bytes: usize,
    batch_limit: usize,
    pause_ms: u64,
    not_before_ms: u64,
}

impl Queue {
    /// An empty queue, whose first operation has the number after `sequence`.
    pub fn new(options: Options, sequence: u64) -> Queue {
        let (batch_limit, pause_ms) = (options.batch_max, options.retry_ms);
        Queue { sequence, batch_limit, pause_ms, options, ..Queue::default() }
    }

    /// Takes an operation.
    pub fn submit(&mut self, key: &[u8], value: Value, now_ms: u64) -> (Operation, Ack) {
        let operation = Operation { key: key.into(), value, sequence: self.sequence + 1 };
        self.restore(operation.clone(), now_ms);
        let is_high = self.bytes > self.options.high_water;
        (operation, if is_high { Ack::WriteThrough } else { Ack::Queued })
    }

    /// Takes an operation that has a number already: from a journal, or a dead letter again. It
    /// has no effect if a newer one of its key is waiting.
    pub fn restore(&mut self, operation: Operation, now_ms: u64) {
        self.sequence = self.sequence.max(operation.sequence);
        if let Some(older) = self.dead_letters.remove(&operation.key) {
            self.bytes -= older.size();
            self.dead_bytes -= older.size();
        }
        let key = Arc::clone(&operation.key);
        match self.newest.get_mut(&key) {
            Some((newest, _)) if operation.sequence <= newest.sequence => {}
            Some((newest, _)) => {
                self.bytes = self.bytes + operation.size() - newest.size();
                *newest = operation;
            }
            None => {
                self.bytes += operation.size();
                self.order.push_back(Arc::clone(&key));
                self.newest.insert(key, (operation, now_ms));
            }
        }
    }

    /// The operations that go to the backend now, at most one for a key. It writes all of them or
    /// none. Call [`Queue::done`] when it has answered.
    pub fn next_batch(&mut self, now_ms: u64) -> Option<Vec<Operation>> {
        self.next_ms().filter(|next_ms| *next_ms <= now_ms)?;
        self.is_in_flight = true;
        let keys = self.order.drain(..self.order.len().min(self.batch_limit));
        Some(keys.map(|key| self.newest[&key].0.clone()).collect())
    }

    /// When there will be a batch; `None` if one is in flight, or there are no operations.
    pub fn next_ms(&self) -> Option<u64> {
        let oldest = self.order.front().filter(|_| !self.is_in_flight)?;
        let is_full = self.order.len() >= self.batch_limit;
        let delay_ms = if is_full { 0 } else { self.options.delay_ms };
        Some(self.not_before_ms.max(self.newest[oldest].1 + delay_ms))
    }

    /// Ends the batch in flight.
    pub fn done(&mut self, batch: Vec<Operation>, result: Result<(), Failure>, now_ms: u64) {
        self.is_in_flight = false;
        match result {
            Ok(()) => {
                self.pause_ms = self.options.retry_ms;
                self.batch_limit = (self.batch_limit * 2).min(self.options.batch_max);
            }
            // Halved: one operation is at fault, or the backend is too slow for so many at once.
            Err(_) => self.batch_limit = batch.len().div_ceil(2),
        }
        if result == Err(Failure::Unavailable) {
            // Up to half of it less, so that clients do not come back all at once. The product
            // with the golden ratio spreads numbers that are close to each other.
            let random = (self.sequence ^ now_ms).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
            let jitter_ms = random % (self.pause_ms / 2 + 1);
            self.not_before_ms = now_ms + self.pause_ms - jitter_ms;
            self.pause_ms = (self.pause_ms * 2).min(self.options.retry_ms * 100);
        }

        let is_over = result.is_ok() || (result == Err(Failure::Rejected) && batch.len() == 1);
        for operation in batch.into_iter().rev() {
            let (newest, since_ms) = self.newest.get_mut(&operation.key).expect("not written yet");
            if !is_over {
                // Under what is newer, but before what came later.
                self.order.push_front(operation.key);
            } else if newest.sequence != operation.sequence {
                // Changed meanwhile. At the end, or keys that change all the time starve others.
                *since_ms = now_ms;
                self.order.push_back(operation.key);
            } else {
                self.newest.remove(&operation.key);
                match result {
                    Ok(()) => self.bytes -= operation.size(),
                    Err(_) => {
                        self.dead_bytes += operation.size();
                        self.dead_letters.insert(Arc::clone(&operation.key), operation);
                    }
                }
            }
        }
    }

    /// The newest operation of a key that is not written.
    pub fn newest(&self, key: &[u8]) -> Option<&Operation> {
        self.newest.get(key).map(|(operation, _)| operation)
    }

    /// All operations that are not written, dead letters too.
    pub fn unwritten(&self) -> impl Iterator<Item = &Operation> {
        self.dead_letters.values().chain(self.newest.values().map(|(operation, _)| operation))
    }

    /// The operation of a key that the backend refused, if it is the last one.
    pub fn dead_letter(&self, key: &[u8]) -> Option<&Operation> {
        self.dead_letters.get(key)
    }

    /// Takes out what the backend refused, in the order of numbers.
    pub fn take_dead_letters(&mut self) -> Vec<Operation> {
        let mut taken = std::mem::take(&mut self.dead_letters).into_values().collect::<Vec<_>>();
        taken.sort_by_key(|it| it.sequence);
        self.bytes -= std::mem::take(&mut self.dead_bytes);
        taken
    }

    /// Returns true if what the backend may still take is above the high-water mark.
    pub fn is_full(&self) -> bool {
        self.bytes - self.dead_bytes > self.options.high_water
    }

    /// Returns true if the backend did not write the last batch, for want of a connection.
    pub fn is_failing(&self) -> bool {
        self.pause_ms > self.options.retry_ms
    }

    /// How much is waiting.
    pub fn figures(&self) -> Figures {
        let (keys, dead_letters) = (self.newest.len(), self.dead_letters.len());
        Figures { keys, bytes: self.bytes, dead_letters }
    }

    /// Returns true if the backend has every operation, or has refused it.
    pub fn is_written(&self) -> bool {
        self.newest.is_empty()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
