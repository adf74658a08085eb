//! A producer snapshot: the state of all idempotent producers of a partition at one offset.
//!
//! To recognize a batch that was sent twice, the broker keeps the sequence numbers of each
//! producer's latest batches. After a restart it could restore them by reading the whole log. To
//! avoid this, every roll of a segment writes a snapshot, named after the base offset of the new
//! segment, and a restart reads the log only from the newest snapshot on.
//!
//! # Example
//!
//! ```
//! use minilog::format::snapshot::{self, SnapshotEntry};
//!
//! let entry = SnapshotEntry {
//!     producer_id: 1000, producer_epoch: 0, last_sequence: 9, last_offset: 41, offset_delta: 4,
//!     timestamp: 1_700_000_000_000, coordinator_epoch: -1, current_txn_first_offset: -1,
//! };
//! let bytes = snapshot::encode(&[entry]);
//! assert_eq!(bytes.len(), 10 + 46);
//! assert_eq!(snapshot::decode(&bytes), Some(vec![entry]));
//!
//! // If a snapshot is damaged, the broker ignores it and reads more of the log.
//! assert_eq!(snapshot::decode(&bytes[..50]), None);
//! ```
//!
//! Memory holds the last five batches of a producer, a snapshot only the last one. After a restart
//! a duplicate of an older batch is therefore refused as out of order.
//!
//! Kafka counterpart: `ProducerStateManager.java` (`writeSnapshot`, `readSnapshot`).

use super::batch::BatchHeader;
use minikit::layout;

minikit::layout! {
    /// In front of the entries.
    pub struct SnapshotHeader = 10 bytes, BigEndian {
        0..2   version: i16,                 "always 1";
        2..6   crc:     u32 => layout::hex,  "CRC-32C of everything after this field";
        6..10  count:   i32,                 "number of entries";
    }
}

minikit::layout! {
    /// One producer.
    pub struct SnapshotEntry = 46 bytes, BigEndian {
        0..8    producer_id:              i64, "assigned by InitProducerId";
        8..10   producer_epoch:           i16, "its newest epoch";
        10..14  last_sequence:            i32, "sequence number of its last record";
        14..22  last_offset:              i64, "offset of its last record";
        22..26  offset_delta:             i32, "records of its last batch, minus 1";
        26..34  timestamp:                i64, "largest timestamp of its last batch";
        34..38  coordinator_epoch:        i32, "of its last transaction marker; -1 without";
        38..46  current_txn_first_offset: i64, "where its open transaction began; -1 without";
    }
}

const VERSION: i16 = 1;

impl SnapshotEntry {
    /// The entry for a producer whose last batch has this header.
    pub fn of(header: &BatchHeader) -> SnapshotEntry {
        SnapshotEntry {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
            coordinator_epoch: -1,
            current_txn_first_offset: -1,
        }
    }

    /// The offset of the batch's first record.
    pub fn base_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }

    /// The sequence number of the batch's first record. Sequence numbers wrap from `i32::MAX` to 0.
    pub fn first_sequence(&self) -> i32 {
        self.last_sequence.wrapping_sub(self.offset_delta) & i32::MAX
    }
}

/// Encodes a snapshot.
pub fn encode(entries: &[SnapshotEntry]) -> Vec<u8> {
    let header = SnapshotHeader { version: VERSION, crc: 0, count: entries.len() as i32 };
    let mut bytes = header.encode().to_vec();
    entries.iter().for_each(|entry| bytes.extend_from_slice(&entry.encode()));
    let crc = crc32c::crc32c(&bytes[SnapshotHeader::crc.end()..]);
    SnapshotHeader::crc.put(&mut bytes, crc);
    bytes
}

/// Decodes a snapshot; none if it is damaged or of another version.
pub fn decode(bytes: &[u8]) -> Option<Vec<SnapshotEntry>> {
    let header = SnapshotHeader::read(bytes).ok()?;
    let (entries, rest) = bytes[SnapshotHeader::SIZE..].as_chunks::<{ SnapshotEntry::SIZE }>();
    let is_whole = rest.is_empty() && usize::try_from(header.count) == Ok(entries.len());
    let crc = crc32c::crc32c(&bytes[SnapshotHeader::crc.end()..]);
    let is_valid = header.version == VERSION && header.crc == crc;
    (is_valid && is_whole).then(|| entries.iter().map(SnapshotEntry::decode).collect())
}
