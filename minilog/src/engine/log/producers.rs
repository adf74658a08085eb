//! Idempotent producers: recognizing a batch that was sent twice.
//!
//! A producer that gets no answer sends its batch again, because it cannot know if the request or
//! the answer was lost. So that this does not append the records twice, each batch has the id of
//! its producer and the sequence number of its first record, counted per partition.
//!
//! # Example
//!
//! Producer 7 sends batches of three records, with the sequence numbers 0, 3, 3, 9:
//!
//! ```
//! use minilog::engine::log::producers::{Producers, Sent, Sequence};
//!
//! let mut producers = Producers::default();
//! let batch = |sequence: i32, offset: i64| Sent {
//!     first_sequence: sequence,
//!     last_sequence: sequence + 2,
//!     last_offset: offset + 2,
//!     timestamp: 0,
//! };
//! for (sequence, offset) in [(0, 0), (3, 3)] {
//!     assert_eq!(producers.check(7, 0, sequence, sequence + 2), Ok(Sequence::Next));
//!     producers.note(7, 0, batch(sequence, offset));
//! }
//! // A duplicate: nothing is appended, and the answer is the one that was lost, offset 3.
//! assert_eq!(producers.check(7, 0, 3, 5), Ok(Sequence::Duplicate(batch(3, 3))));
//! // 6 to 8 are missing: a batch was lost. The answer is OUT_OF_ORDER_SEQUENCE.
//! assert!(producers.check(7, 0, 9, 11).is_err());
//! ```
//!
//! # Why five batches?
//!
//! A producer may have five requests under way (`max.in.flight.requests.per.connection`), so any of
//! its last five batches can arrive again. Older ones cannot: their answer was received.
//!
//! # Counterpart in Kafka
//!
//! `ProducerStateManager.java`, `ProducerStateEntry.java` and `ProducerAppendInfo.checkSequence`.
//! Transactions are not supported, so the entries have neither a coordinator epoch nor the offset
//! of an open transaction.

use crate::format::batch::BatchHeader;
use crate::format::snapshot::SnapshotEntry;
use std::collections::{BTreeMap, VecDeque};

/// How many batches of a producer are remembered (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
const BATCHES_MAX: usize = 5;

/// The producers of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Producers(BTreeMap<i64, Producer>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Producer {
    epoch: i16,
    /// The last batches, oldest first; at least one.
    batches: VecDeque<Sent>,
}

/// A batch that was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Sequence number of its first record.
    pub first_sequence: i32,
    /// Sequence number of its last record.
    pub last_sequence: i32,
    /// Offset of its last record.
    pub last_offset: i64,
    /// Its largest timestamp.
    pub timestamp: i64,
}

impl Sent {
    /// The offset of the first record.
    pub fn base_offset(&self) -> i64 {
        // Sequence numbers wrap from the largest to 0, and their difference does not.
        let delta = self.last_sequence.wrapping_sub(self.first_sequence) & i32::MAX;
        self.last_offset - i64::from(delta)
    }
}

/// What the sequence numbers of a batch say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// Append it.
    Next,
    /// It was appended before, as this.
    Duplicate(Sent),
}

/// A batch that must not be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceError {
    /// Batches before it are missing.
    OutOfOrder {
        /// The sequence number it has.
        found: i32,
        /// The last one that was appended.
        last: i32,
    },
    /// A newer instance of the producer has appended to this partition.
    OldEpoch {
        /// The epoch it has.
        found: i16,
        /// The newest one.
        newest: i16,
    },
}

impl Producers {
    /// Judges a batch of a producer before it is appended.
    ///
    /// An unknown producer may begin with any sequence number: its state may have expired, and
    /// refusing it would lose its records.
    pub fn check(
        &self,
        producer_id: i64,
        epoch: i16,
        first_sequence: i32,
        last_sequence: i32,
    ) -> Result<Sequence, SequenceError> {
        let Some(producer) = self.0.get(&producer_id) else { return Ok(Sequence::Next) };
        if epoch < producer.epoch {
            return Err(SequenceError::OldEpoch { found: epoch, newest: producer.epoch });
        }

        let last = producer.last().last_sequence;
        let follows = if epoch > producer.epoch {
            // A new instance counts from 0 again.
            first_sequence == 0
        } else {
            let is_same = |sent: &&Sent| {
                (sent.first_sequence, sent.last_sequence) == (first_sequence, last_sequence)
            };
            if let Some(sent) = producer.batches.iter().find(is_same) {
                return Ok(Sequence::Duplicate(*sent));
            }
            first_sequence == last.wrapping_add(1) & i32::MAX
        };
        let error = SequenceError::OutOfOrder { found: first_sequence, last };
        if follows { Ok(Sequence::Next) } else { Err(error) }
    }

    /// Remembers a batch that was appended.
    pub fn note(&mut self, producer_id: i64, epoch: i16, sent: Sent) {
        let new = || Producer { epoch, batches: VecDeque::with_capacity(BATCHES_MAX) };
        let producer = self.0.entry(producer_id).or_insert_with(new);
        if producer.epoch != epoch {
            producer.epoch = epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == BATCHES_MAX {
            producer.batches.pop_front();
        }
        producer.batches.push_back(sent);
    }

    /// Remembers a batch of the log, if an idempotent producer sent it.
    pub fn note_batch(&mut self, header: &BatchHeader) {
        if header.has_producer_id() && !header.attributes.is_control() {
            let sent = Sent {
                first_sequence: header.base_sequence,
                last_sequence: header.last_sequence(),
                last_offset: header.last_offset(),
                timestamp: header.max_timestamp,
            };
            self.note(header.producer_id, header.producer_epoch, sent);
        }
    }

    /// Forgets the producers that have sent nothing since `timestamp`.
    pub fn expire(&mut self, timestamp: i64) {
        self.0.retain(|_, producer| producer.last().timestamp >= timestamp);
    }

    /// The last batch of every producer, for a snapshot.
    pub fn to_snapshot(&self) -> Vec<SnapshotEntry> {
        let entry = |(&producer_id, producer): (&i64, &Producer)| {
            let last = producer.last();
            SnapshotEntry {
                producer_id,
                producer_epoch: producer.epoch,
                last_sequence: last.last_sequence,
                last_offset: last.last_offset,
                offset_delta: (last.last_offset - last.base_offset()) as i32,
                timestamp: last.timestamp,
                coordinator_epoch: -1,
                current_txn_first_offset: -1,
            }
        };
        self.0.iter().map(entry).collect()
    }

    /// The producers of a snapshot.
    pub fn from_snapshot(entries: &[SnapshotEntry]) -> Producers {
        let mut producers = Producers::default();
        for entry in entries {
            let first_sequence = entry.last_sequence.wrapping_sub(entry.offset_delta) & i32::MAX;
            let sent = Sent {
                first_sequence,
                last_sequence: entry.last_sequence,
                last_offset: entry.last_offset,
                timestamp: entry.timestamp,
            };
            producers.note(entry.producer_id, entry.producer_epoch, sent);
        }
        producers
    }

    /// The last offset of each producer's newest batch.
    pub fn newest_batches(&self) -> impl Iterator<Item = i64> {
        self.0.values().map(|it| it.last().last_offset)
    }

    /// How many producers are known.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl Producer {
    fn last(&self) -> &Sent {
        self.batches.back().expect("a producer is remembered with its first batch")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Appends a batch of three records at an offset that equals its sequence number.
    fn note(producers: &mut Producers, epoch: i16, sequence: i32) {
        producers.note(1, epoch, sent(sequence));
    }

    fn sent(sequence: i32) -> Sent {
        Sent {
            first_sequence: sequence,
            last_sequence: sequence.wrapping_add(2) & i32::MAX,
            last_offset: i64::from(sequence) + 2,
            timestamp: 5,
        }
    }

    #[test]
    fn the_last_five_batches_are_recognized() {
        let mut producers = Producers::default();
        (0..6).for_each(|number| note(&mut producers, 0, number * 3));
        for number in 1..6 {
            let first = number * 3;
            let expected = Ok(Sequence::Duplicate(sent(first)));
            assert_eq!(producers.check(1, 0, first, first + 2), expected);
        }
        let error = SequenceError::OutOfOrder { found: 0, last: 17 };
        assert_eq!(producers.check(1, 0, 0, 2), Err(error));
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let mut producers = Producers::default();
        note(&mut producers, 0, i32::MAX - 1);
        let wrapped = sent(i32::MAX - 1);
        assert_eq!((wrapped.last_sequence, wrapped.base_offset()), (0, i64::from(i32::MAX) - 1));
        assert_eq!(producers.check(1, 0, 1, 3), Ok(Sequence::Next));
        let again = producers.check(1, 0, i32::MAX - 1, 0);
        assert_eq!(again, Ok(Sequence::Duplicate(wrapped)));
    }

    #[test]
    fn a_new_epoch_fences_the_old_one() {
        let mut producers = Producers::default();
        note(&mut producers, 0, 0);
        assert!(producers.check(1, 1, 3, 5).is_err(), "a new instance counts from 0");
        assert_eq!(producers.check(1, 1, 0, 2), Ok(Sequence::Next));
        note(&mut producers, 1, 0);
        let error = SequenceError::OldEpoch { found: 0, newest: 1 };
        assert_eq!(producers.check(1, 0, 3, 5), Err(error));
    }

    #[test]
    fn a_snapshot_keeps_the_last_batch() {
        let mut producers = Producers::default();
        (0..3).for_each(|number| note(&mut producers, 0, number * 3));
        let restored = Producers::from_snapshot(&producers.to_snapshot());
        assert_eq!(restored.check(1, 0, 6, 8), Ok(Sequence::Duplicate(sent(6))));
        assert_eq!(restored.check(1, 0, 9, 11), Ok(Sequence::Next));
        assert!(restored.check(1, 0, 3, 5).is_err());
    }

    #[test]
    fn silent_producers_expire() {
        let mut producers = Producers::default();
        note(&mut producers, 0, 0);
        producers.expire(5);
        assert_eq!(producers.count(), 1);
        producers.expire(6);
        assert_eq!(producers.count(), 0);
    }
}
