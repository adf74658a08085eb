//! Idempotent producers: recognizing a batch that was sent twice.
//!
//! A producer that gets no answer sends its batch again, because it cannot know whether the request
//! or the answer was lost. To avoid appending the records twice, each batch carries the id of its
//! producer and the sequence number of its first record, counted per partition.
//!
//! # Example
//!
//! Producer 7 sends batches of three records, with the sequence numbers 0, 3, 3, 9:
//!
//! ```
//! use minilog::engine::log::producers::Producers;
//! use minilog::format::batch::BatchHeader;
//! use minilog::format::snapshot::SnapshotEntry;
//!
//! let mut producers = Producers::default();
//! let batch = |base_sequence: i32| {
//!     let header = BatchHeader { producer_id: 7, base_sequence, ..BatchHeader::new(3, 0, 0) };
//!     SnapshotEntry::of(&BatchHeader { base_offset: base_sequence.into(), ..header })
//! };
//! for sequence in [0, 3] {
//!     assert_eq!(producers.check(&batch(sequence)), Ok(None));
//!     producers.note(batch(sequence));
//! }
//! // A duplicate: nothing is appended, and the producer gets the first answer again, offset 3.
//! assert_eq!(producers.check(&batch(3)).unwrap().unwrap().base_offset(), 3);
//! // 6 to 8 are missing: a batch was lost. The answer is OUT_OF_ORDER_SEQUENCE_NUMBER.
//! assert!(producers.check(&batch(9)).is_err());
//! ```
//!
//! # Why five batches?
//!
//! A producer may have five requests in flight (`max.in.flight.requests.per.connection`), so any of
//! its last five batches can arrive again. Older ones cannot: the producer has their answers.
//!
//! # Counterpart in Kafka
//!
//! `ProducerStateManager.java`, `ProducerStateEntry.java` and `ProducerAppendInfo.checkSequence`.
//! Memory holds the same data for each batch as a snapshot does for the last one, so
//! [`SnapshotEntry`] serves for both. Its two fields for transactions are always -1.

use crate::format::batch::{self, BatchHeader};
use crate::format::snapshot::SnapshotEntry;
use std::collections::{BTreeMap, VecDeque};

/// How many batches of a producer are remembered (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
const BATCHES_MAX: usize = 5;

/// The producers of one partition by id. Each has its last batches, at least one, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Producers(BTreeMap<i64, VecDeque<SnapshotEntry>>);

/// A batch that must not be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceError {
    /// A batch before this one is missing.
    OutOfOrder {
        /// The sequence number of the batch.
        found: i32,
        /// The last sequence number that was appended.
        last: i32,
    },
    /// A newer instance of the producer has appended to this partition.
    OldEpoch {
        /// The epoch of the batch.
        found: i16,
        /// The newest epoch.
        newest: i16,
    },
}

impl Producers {
    /// Checks a batch before it is appended. If it is a duplicate, returns the batch that was
    /// appended the first time.
    ///
    /// An unknown producer may start with any sequence number: its state may have expired, and then
    /// a refusal would lose its records.
    pub fn check(&self, batch: &SnapshotEntry) -> Result<Option<SnapshotEntry>, SequenceError> {
        let Some(batches) = self.0.get(&batch.producer_id) else { return Ok(None) };
        let last = last(batches);
        let (found, newest) = (batch.producer_epoch, last.producer_epoch);
        if found < newest {
            return Err(SequenceError::OldEpoch { found, newest });
        }

        // A new epoch starts at sequence number 0.
        let first = batch.first_sequence();
        let mut expected = 0;
        if found == newest {
            let sequences = |it: &SnapshotEntry| (it.first_sequence(), it.last_sequence);
            let sent = batches.iter().find(|it| sequences(it) == sequences(batch));
            if sent.is_some() {
                return Ok(sent.copied());
            }
            expected = last.last_sequence.wrapping_add(1) & i32::MAX;
        }
        let error = SequenceError::OutOfOrder { found: first, last: last.last_sequence };
        if first == expected { Ok(None) } else { Err(error) }
    }

    /// Remembers a batch that was appended.
    pub fn note(&mut self, batch: SnapshotEntry) {
        let batches = self.0.entry(batch.producer_id).or_default();
        batches.retain(|it| it.producer_epoch == batch.producer_epoch);
        if batches.len() == BATCHES_MAX {
            batches.pop_front();
        }
        batches.push_back(batch);
    }

    /// Remembers a batch of the log if an idempotent producer sent it.
    pub fn note_batch(&mut self, header: &BatchHeader) {
        if header.has_producer_id() && !header.has(batch::CONTROL) {
            self.note(SnapshotEntry::of(header));
        }
    }

    /// Forgets the producers that have sent nothing since `timestamp`.
    pub fn expire(&mut self, timestamp: i64) {
        self.0.retain(|_, batches| last(batches).timestamp >= timestamp);
    }

    /// The last batch of every producer, for a snapshot.
    pub fn last_batches(&self) -> impl Iterator<Item = SnapshotEntry> {
        self.0.values().map(|batches| *last(batches))
    }

    /// The number of producers.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

fn last(batches: &VecDeque<SnapshotEntry>) -> &SnapshotEntry {
    batches.back().expect("a producer is remembered with its first batch")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of three records at an offset that equals its sequence number.
    fn sent(epoch: i16, sequence: i32) -> SnapshotEntry {
        SnapshotEntry {
            producer_id: 1,
            producer_epoch: epoch,
            last_sequence: sequence.wrapping_add(2) & i32::MAX,
            last_offset: i64::from(sequence) + 2,
            offset_delta: 2,
            timestamp: 5,
            coordinator_epoch: -1,
            current_txn_first_offset: -1,
        }
    }

    fn producers(sequences: &[i32]) -> Producers {
        let mut producers = Producers::default();
        sequences.iter().for_each(|sequence| producers.note(sent(0, *sequence)));
        producers
    }

    #[test]
    fn the_last_five_batches_are_recognized() {
        let producers = producers(&[0, 3, 6, 9, 12, 15]);
        for first in [3, 6, 9, 12, 15] {
            assert_eq!(producers.check(&sent(0, first)), Ok(Some(sent(0, first))));
        }
        let error = SequenceError::OutOfOrder { found: 0, last: 17 };
        assert_eq!(producers.check(&sent(0, 0)), Err(error));
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let wrapped = sent(0, i32::MAX - 1);
        let producers = producers(&[i32::MAX - 1]);
        assert_eq!((wrapped.last_sequence, wrapped.base_offset()), (0, i64::from(i32::MAX) - 1));
        assert_eq!(wrapped.first_sequence(), i32::MAX - 1);
        assert_eq!(producers.check(&sent(0, 1)), Ok(None));
        assert_eq!(producers.check(&wrapped), Ok(Some(wrapped)));
    }

    #[test]
    fn a_new_epoch_fences_the_old_one() {
        let mut producers = producers(&[0]);
        assert!(producers.check(&sent(1, 3)).is_err(), "a new instance counts from 0");
        assert_eq!(producers.check(&sent(1, 0)), Ok(None));
        producers.note(sent(1, 0));
        let error = SequenceError::OldEpoch { found: 0, newest: 1 };
        assert_eq!(producers.check(&sent(0, 3)), Err(error));
    }

    #[test]
    fn a_snapshot_keeps_the_last_batch() {
        let mut restored = Producers::default();
        producers(&[0, 3, 6]).last_batches().for_each(|it| restored.note(it));
        assert_eq!(restored.check(&sent(0, 6)), Ok(Some(sent(0, 6))));
        assert_eq!(restored.check(&sent(0, 9)), Ok(None));
        assert!(restored.check(&sent(0, 3)).is_err());
    }

    #[test]
    fn silent_producers_expire() {
        let mut producers = producers(&[0]);
        producers.expire(5);
        assert_eq!(producers.count(), 1);
        producers.expire(6);
        assert_eq!(producers.count(), 0);
    }
}
