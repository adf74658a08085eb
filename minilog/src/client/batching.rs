//! Batching: assigning records to partitions, batches and sequence numbers, without I/O.
//!
//! # Which partition?
//!
//! A record with a key goes to partition `murmur2(key) % partitions`, so that records of one key
//! stay in order. Java clients compute the same ([`partition_of`]). Records without a key go to one
//! partition until its batch is full, because one batch of ten records costs the broker less than
//! ten batches (KIP-480).
//!
//! # Example
//!
//! ```
//! use minilog::client::batching::{Batcher, partition_of};
//! use minilog::format::batch::{self, BatchHeader};
//! use minilog::format::record::Record;
//!
//! assert_eq!(partition_of(b"alice", 3), 0);
//!
//! // A batch is full at 100 bytes. The producer has the id 7.
//! let mut batcher = Batcher::new(100, Some((7, 0)));
//! let full = [b"one", b"two", b"six"].map(|value| {
//!     batcher.append("orders", 2, 1_000, Record { value: Some(value), ..Record::default() })
//! });
//! assert_eq!(full, [false, false, false]);
//! let (batch, _) = batcher.take("orders", 2).expect("three records");
//! let header = batch::check(&batch)?;
//! assert_eq!((header.records_count, header.base_sequence), (3, 0));
//!
//! // The next batch continues the sequence. If it arrives first, the broker refuses it.
//! batcher.append("orders", 2, 1_000, Record::default());
//! let (next, _) = batcher.take("orders", 2).expect("one record");
//! assert_eq!(BatchHeader::read(&next)?.base_sequence, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Kafka counterpart: `RecordAccumulator.java`, `BuiltInPartitioner.java`,
//! `MemoryRecordsBuilder.java`, `Utils.murmur2`. KIP-794 weighs partitions by the speed of their
//! brokers; here all are equal.

use crate::format::batch::{self, BatchHeader};
use crate::format::record::Record;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::mem::take;

/// A topic and a partition of it.
pub type TopicPartition = (String, i32);

/// The batches that are being filled, at most one per partition.
pub struct Batcher {
    batch_bytes: usize,
    /// The producer id and epoch, if the producer is idempotent.
    producer: Option<(i64, i16)>,
    open: BTreeMap<TopicPartition, OpenBatch>,
}

/// The batch of a partition. It has no records after it was taken.
#[derive(Default)]
struct OpenBatch {
    /// Space for the header, then the records.
    bytes: Vec<u8>,
    base_timestamp: i64,
    max_timestamp: i64,
    count: i32,
    /// The sequence number of the first record.
    base_sequence: i32,
}

impl Batcher {
    /// A batcher for batches of about `batch_bytes`, of a producer with this id and epoch.
    pub fn new(batch_bytes: usize, producer: Option<(i64, i16)>) -> Batcher {
        Batcher { batch_bytes, producer, open: BTreeMap::new() }
    }

    /// Adds a record with a timestamp in ms since 1970, and sets its deltas. Returns true if the
    /// batch is full and must be [taken](Batcher::take).
    pub fn append(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
        record: Record<'_>,
    ) -> bool {
        let open = self.open.entry((topic.to_owned(), partition)).or_default();
        if open.count == 0 {
            open.bytes.resize(BatchHeader::SIZE, 0);
            (open.base_timestamp, open.max_timestamp) = (timestamp, timestamp);
        }
        let timestamp_delta = timestamp - open.base_timestamp;
        Record { timestamp_delta, offset_delta: open.count, ..record }.encode(&mut open.bytes);
        open.count += 1;
        open.max_timestamp = open.max_timestamp.max(timestamp);
        open.bytes.len() >= self.batch_bytes
    }

    /// The partitions whose batches have records.
    pub fn partitions(&self) -> Vec<TopicPartition> {
        let open = self.open.iter().filter(|(_, it)| it.count > 0);
        open.map(|(to, _)| to.clone()).collect()
    }

    /// Finishes the batch of a partition: fills in its header and assigns sequence numbers. Returns
    /// the batch and its number of records. A retry must send the same bytes, and so the same
    /// sequence numbers. The base offset is 0; the broker replaces it.
    pub fn take(&mut self, topic: &str, partition: i32) -> Option<(Bytes, i32)> {
        let open = self.open.get_mut(&(topic.to_owned(), partition)).filter(|it| it.count > 0)?;
        let OpenBatch { base_timestamp, max_timestamp, base_sequence, .. } = *open;
        let (mut bytes, count) = (take(&mut open.bytes), take(&mut open.count));
        // After i32::MAX comes 0.
        open.base_sequence = base_sequence.wrapping_add(count) & i32::MAX;

        let (producer_id, producer_epoch) = self.producer.unwrap_or((-1, -1));
        let base_sequence = self.producer.map_or(-1, |_| base_sequence);
        let header = BatchHeader::new(count, base_timestamp, max_timestamp);
        let header = BatchHeader { producer_id, producer_epoch, base_sequence, ..header };
        bytes[..BatchHeader::SIZE].copy_from_slice(&header.encode());
        batch::seal(&mut bytes);
        Some((bytes.into(), count))
    }
}

/// The partition of a key: `toPositive(murmur2(key)) % partitions`.
///
/// # Panics
/// If `partitions` is 0.
pub fn partition_of(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff) as i32 % partitions
}

/// MurmurHash2 with Kafka's seed.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let word = u32::from_le_bytes(word.try_into().expect("chunks of four"));
        let word = word.wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ (word ^ word >> 24).wrapping_mul(M);
    }

    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ hash >> 13).wrapping_mul(M);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_is_that_of_java() {
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let mut batcher = Batcher::new(100, Some((1, 0)));
        let open = OpenBatch { base_sequence: i32::MAX, ..Default::default() };
        batcher.open.insert(("t".into(), 0), open);
        batcher.append("t", 0, 5, Record::default());
        batcher.append("t", 0, 3, Record::default());
        let header = batch::check(&batcher.take("t", 0).unwrap().0).unwrap();
        assert_eq!((header.base_sequence, header.last_sequence()), (i32::MAX, 0));
        assert_eq!((header.base_timestamp, header.max_timestamp), (5, 5));
        assert_eq!(batcher.open[&("t".into(), 0)].base_sequence, 1);
        assert!(batcher.take("t", 0).is_none());
    }
}
