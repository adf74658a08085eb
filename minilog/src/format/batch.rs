//! A record batch (format version 2): the unit that producers send, the log stores and consumers
//! fetch.
//!
//! The producer assembles the batch and computes its checksum. The broker stores it as it came and
//! changes two fields: `base_offset`, which only the broker can assign, and
//! `partition_leader_epoch`. Both are in front of the checksum and not covered by it, so the broker
//! never has to compute a checksum again, or even look at the records. That is why a broker can
//! pass compressed batches through without decompressing them.
//!
//! # Example
//!
//! `kcat` sends the values `3`, `4` and `5` in one batch:
//!
//! ```
//! use minilog::format::batch::{self, BatchHeader};
//!
//! let bytes: [u8; 85] = batch::EXAMPLE;
//! let header = batch::check(&bytes)?;
//! assert_eq!((header.base_offset, header.last_offset(), header.records_count), (0, 2, 3));
//!
//! // The log has 40 records: the broker assigns offsets 40, 41, 42. The checksum still holds.
//! let mut assigned = bytes;
//! BatchHeader::base_offset.put(&mut assigned, 40);
//! assert_eq!(batch::check(&assigned)?.last_offset(), 42);
//!
//! // One bit of a record flips on the disk.
//! let mut damaged = bytes;
//! damaged[70] ^= 1;
//! assert_eq!(
//!     batch::check(&damaged).unwrap_err(),
//!     "the checksum is d74f382f and that of the bytes is b0c1c52e",
//! );
//! # Ok::<(), String>(())
//! ```
//!
//! # What the checksum does not cover
//!
//! Bytes 0 to 20. A crash that zeroes the beginning of a batch can leave one with base offset 0 and
//! a checksum that holds. Recovery therefore also checks that offsets and leader epochs never
//! decrease (`engine::log::recovery`).
//!
//! # Counterpart in Kafka
//!
//! `DefaultRecordBatch.java` in `clients`. Kafka also reads versions 0 and 1, which its brokers no
//! longer accept from producers (KIP-724); here they are an error.

use minikit::layout;

minikit::layout! {
    /// The header of a record batch.
    pub struct BatchHeader = 61 bytes, BigEndian {
        0..8    base_offset:            i64, "offset of the first record";
        8..12   batch_length:           i32, "bytes after this field";
        12..16  partition_leader_epoch: i32, "epoch of the leader that appended it";
        16..17  magic:                  i8,  "version of the format, always 2";
        17..21  crc:                    u32 => layout::hex, "CRC-32C of what follows this field";
        21..23  attributes:             i16 => show_attributes, "compression and flags";
        23..27  last_offset_delta:      i32, "last offset minus base_offset";
        27..35  base_timestamp:         i64, "of the first record, ms since 1970";
        35..43  max_timestamp:          i64, "largest timestamp of the batch";
        43..51  producer_id:            i64, "-1 without idempotence";
        51..53  producer_epoch:         i16, "fences older instances; -1 without";
        53..57  base_sequence:          i32, "number of the first record; -1 without";
        57..61  records_count:          i32, "number of records";
        tail 61..12 + batch_length records,  "the records, possibly compressed";
    }
}

/// Bytes in front of `batch_length`'s count: `base_offset` and `batch_length` itself.
const LOG_OVERHEAD: usize = BatchHeader::batch_length.end();
/// Where the bytes under the checksum begin.
const CRC_START: usize = BatchHeader::crc.end();
/// The only version of the format that this crate reads.
const MAGIC: i8 = 2;

/// The batch of this file's head: what `kcat` 1.7.1 sent for the values `3`, `4` and `5`.
#[rustfmt::skip]
pub const EXAMPLE: [u8; 85] = [
    0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0x49,  0, 0, 0, 0,  2,  0xd7, 0x4f, 0x38, 0x2f,  0, 0,
    0, 0, 0, 2,
    0, 0, 0x01, 0xa2, 0x02, 0x6d, 0xe8, 0xe7,  0, 0, 0x01, 0xa2, 0x02, 0x6d, 0xe8, 0xe7,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,  0xff, 0xff,  0xff, 0xff, 0xff, 0xff,
    0, 0, 0, 3,
    0x0e, 0, 0, 0x00, 0x01, 0x02, b'3', 0,
    0x0e, 0, 0, 0x02, 0x01, 0x02, b'4', 0,
    0x0e, 0, 0, 0x04, 0x01, 0x02, b'5', 0,
];

/// A bit of `attributes`: timestamps were assigned by the broker, not by the producer.
pub const LOG_APPEND_TIME: i16 = 1 << 3;
/// The batch is part of a transaction.
pub const TRANSACTIONAL: i16 = 1 << 4;
/// The batch holds a transaction marker in place of records.
pub const CONTROL: i16 = 1 << 5;
/// `base_timestamp` is the time at which compaction may remove tombstones (KIP-534).
pub const DELETE_HORIZON: i16 = 1 << 6;

/// The compression in the lowest bits of `attributes`; `None` if the number is not assigned.
fn compression(attributes: i16) -> Option<Compression> {
    use Compression::*;
    [None, Gzip, Snappy, Lz4, Zstd].get(usize::from(attributes as u16 & 0b111)).copied()
}

fn show_attributes(attributes: i16) -> String {
    let mut text = match compression(attributes) {
        Some(Compression::None) => "uncompressed".to_owned(),
        Some(compression) => format!("{compression:?}").to_lowercase(),
        None => format!("unknown compression {}", attributes & 0b111),
    };
    let flags = [
        (LOG_APPEND_TIME, ", log append time"),
        (TRANSACTIONAL, ", transactional"),
        (CONTROL, ", control"),
        (DELETE_HORIZON, ", delete horizon"),
    ];
    flags.iter().filter(|(bit, _)| attributes & bit != 0).for_each(|(_, name)| text += name);
    text
}

/// How the records of a batch are compressed: all of them together, after the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Uncompressed.
    None,
    /// The format of RFC 1952.
    Gzip,
    /// Raw snappy from librdkafka, and snappy in xerial's frames from Java.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// The format of RFC 8878.
    Zstd,
}

impl BatchHeader {
    /// The header of `count` uncompressed records from a producer without an id, at base offset 0.
    /// [`seal`] fills in the length and the checksum.
    pub fn new(count: i32, base_timestamp: i64, max_timestamp: i64) -> BatchHeader {
        BatchHeader {
            base_offset: 0,
            batch_length: 0,
            partition_leader_epoch: -1,
            magic: MAGIC,
            crc: 0,
            attributes: 0,
            last_offset_delta: count - 1,
            base_timestamp,
            max_timestamp,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            records_count: count,
        }
    }

    /// The offset of the last record. Compaction keeps it even if that record is gone.
    pub fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// The offset after the last record.
    pub fn next_offset(&self) -> i64 {
        self.last_offset() + 1
    }

    /// The size of the whole batch with its header; `None` if `batch_length` is too small for one.
    pub fn size(&self) -> Option<usize> {
        let size = LOG_OVERHEAD + usize::try_from(self.batch_length).ok()?;
        (size >= Self::SIZE).then_some(size)
    }

    /// How the records are compressed; `None` if the number is not assigned.
    pub fn compression(&self) -> Option<Compression> {
        compression(self.attributes)
    }

    /// Returns true if a bit of `attributes` is set.
    pub fn has(&self, bit: i16) -> bool {
        self.attributes & bit != 0
    }

    /// When compaction may remove the tombstones of the batch; `None` before its first compaction.
    pub fn delete_horizon(&self) -> Option<i64> {
        self.has(DELETE_HORIZON).then_some(self.base_timestamp)
    }

    /// The timestamp of a record with this delta: its own, or the broker's for the whole batch.
    pub fn timestamp(&self, delta: i64) -> i64 {
        match self.has(LOG_APPEND_TIME) {
            true => self.max_timestamp,
            false => self.base_timestamp.saturating_add(delta),
        }
    }

    /// Returns true if an idempotent or transactional producer sent the batch.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id >= 0
    }

    /// The sequence number of the last record. Sequence numbers wrap from `i32::MAX` to 0.
    pub fn last_sequence(&self) -> i32 {
        (self.base_sequence.wrapping_add(self.last_offset_delta)) & i32::MAX
    }
}

/// Checks the batch at the start of `bytes`: length, version, checksum, and that offsets and counts
/// are possible. Does not decode the records. Costs one pass over the batch for the checksum, about
/// 0.1 ns per byte with SSE 4.2. The error says which check failed.
pub fn check(bytes: &[u8]) -> Result<BatchHeader, String> {
    let header = BatchHeader::read(bytes).map_err(|error| error.to_string())?;
    if header.magic != MAGIC {
        let magic = header.magic;
        return Err(format!("the format has version {magic}; only version {MAGIC} is supported"));
    }

    let tail = BatchHeader::tail(bytes).map_err(|error| error.to_string())?;
    let (stored, end) = (header.crc, BatchHeader::SIZE + tail.len());
    let computed = crc32c::crc32c(&bytes[CRC_START..end]);
    if computed != stored {
        return Err(format!(
            "the checksum is {stored:08x} and that of the bytes is {computed:08x}"
        ));
    }

    // A valid checksum only proves that a producer sent these bytes. A producer can have bugs.
    if header.base_offset < 0 || header.last_offset_delta < 0 || header.records_count < 0 {
        return Err("an offset or a count is negative".to_owned());
    }
    if header.base_offset.checked_add(i64::from(header.last_offset_delta) + 1).is_none() {
        return Err("the last offset is beyond 64 bits".to_owned());
    }
    Ok(header)
}

/// Writes the length and the checksum of a finished batch into its header.
///
/// # Panics
/// If `batch` is shorter than a header.
pub fn seal(batch: &mut [u8]) {
    BatchHeader::batch_length.put(batch, (batch.len() - LOG_OVERHEAD) as i32);
    let crc = crc32c::crc32c(&batch[CRC_START..]);
    BatchHeader::crc.put(batch, crc);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_a_real_batch() {
        let header = check(&EXAMPLE).unwrap();
        let expected = BatchHeader {
            base_offset: 0,
            batch_length: 73,
            partition_leader_epoch: 0,
            magic: 2,
            crc: 0xd74f_382f,
            attributes: 0,
            last_offset_delta: 2,
            base_timestamp: 0x01a2_026d_e8e7,
            max_timestamp: 0x01a2_026d_e8e7,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            records_count: 3,
        };
        assert_eq!(header, expected);
        assert_eq!(header.encode()[..], EXAMPLE[..61]);
        assert_eq!(header.size(), Some(85));
    }

    #[test]
    fn every_flipped_bit_after_the_length_is_found() {
        for bit in BatchHeader::magic.start() * 8..EXAMPLE.len() * 8 {
            let mut bytes = EXAMPLE;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(check(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_is_found() {
        for length in 0..EXAMPLE.len() {
            assert!(check(&EXAMPLE[..length]).is_err(), "{length}");
        }
        // What follows the batch does not matter.
        assert!(check(&[&EXAMPLE[..], &[7; 9]].concat()).is_ok());
    }

    #[test]
    fn lengths_are_bounded() {
        for length in [i32::MIN, -1, 0, 48] {
            let mut bytes = EXAMPLE;
            BatchHeader::batch_length.put(&mut bytes, length);
            assert!(check(&bytes).is_err(), "{length}");
            assert_eq!(BatchHeader::read(&bytes).unwrap().size(), None);
        }
    }

    #[test]
    fn a_sealed_batch_with_wrong_numbers_is_refused() {
        let mut bytes = EXAMPLE;
        BatchHeader::records_count.put(&mut bytes, -1);
        seal(&mut bytes);
        assert_eq!(check(&bytes).unwrap_err(), "an offset or a count is negative");
        let mut bytes = EXAMPLE;
        BatchHeader::base_offset.put(&mut bytes, i64::MAX);
        assert_eq!(check(&bytes).unwrap_err(), "the last offset is beyond 64 bits");
    }

    #[test]
    fn sequences_wrap() {
        let header = BatchHeader::read(&EXAMPLE).unwrap();
        let header = BatchHeader { base_sequence: i32::MAX - 1, ..header };
        assert_eq!(header.last_sequence(), 0);
    }

    #[test]
    fn attributes_are_named() {
        assert_eq!(show_attributes(0b11_1011), "lz4, log append time, transactional, control");
        assert_eq!(show_attributes(7), "unknown compression 7");
    }
}
