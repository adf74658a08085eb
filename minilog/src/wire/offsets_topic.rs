//! The records of `__consumer_offsets`: messages that are stored in a log.
//!
//! Kafka stores groups and committed offsets as records of an internal topic, so that they are
//! replicated, compacted and recovered like any other records. Key and value are messages. Two
//! bytes precede each: the kind of record before the key, the version before the value.
//!
//! | kind | key | value |
//! |---|---|---|
//! | 1 | [`OffsetCommitKey`] | [`OffsetCommitValue`] |
//! | 2 | [`GroupMetadataKey`] | [`GroupMetadataValue`] |
//! | 3 and more | groups of the newer protocol, which are skipped | |
//!
//! A record without a value is a tombstone: it deletes the group or offset of its key.
//!
//! # Example
//!
//! What Kafka 4.3.0 wrote when the group `g` committed offset 3 of partition 0 of `t`:
//!
//! ```
//! use minilog::wire::offsets_topic::{Entry, OffsetCommitKey, OffsetCommitValue, decode};
//!
//! let key = b"\0\x01\0\x01g\0\x01t\0\0\0\0";
//! let value = b"\0\x04\0\0\0\0\0\0\0\x03\0\0\0\0\x01\0\0\x01\xa2\x24\xc8\x2d\xaa\x01\0\x10\
//!     \xfd\x81\xa6\x6c\xa1\xbf\x4f\x08\x9e\xb9\xeb\xf1\x39\xb9\xb0\xd2";
//! let entry = decode(key, Some(value))?.expect("an offset");
//!
//! // Our encoding, version 3. It lacks only the topic's id, a tagged field of version 4.
//! let ours = b"\0\x03\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\x01\xa2\x24\xc8\x2d\xaa";
//! assert_eq!(entry.encode(), (key.to_vec(), Some(ours.to_vec())));
//! let Entry::Offset(key, Some(value)) = entry else { panic!() };
//! assert_eq!((key.group.as_str(), key.topic.as_str(), key.partition), ("g", "t", 0));
//! assert_eq!((value.offset, value.leader_epoch, value.metadata.as_str()), (3, 0, ""));
//! # Ok::<(), minilog::wire::codec::DecodeError>(())
//! ```
//!
//! Kafka counterpart: the JSON files of these names in `group-coordinator/src/main/resources`, and
//! `GroupCoordinatorRecordSerde.java`. Versions 0 to 4 are read, and version 3 is written.

use super::codec::{DecodeError, Decoder, Encoder, WireType};
use super::schema::message;
use bytes::Bytes;

/// The version of the values that are written.
const VERSION: i16 = 3;
/// The first version of a value with the flexible encoding.
const FLEXIBLE_FROM: i16 = 4;
const OFFSET: i16 = 1;
const GROUP: i16 = 2;

message! {
    /// Identifies a committed offset.
    pub struct OffsetCommitKey {
        0+ group:     String, "the group";
        0+ topic:     String, "the topic";
        0+ partition: i32,    "the partition";
    }

    /// A committed offset.
    pub struct OffsetCommitValue {
        0+  offset:           i64,      "the next record to process";
        3+  leader_epoch:     i32 = -1, "the leader epoch of the last one processed";
        0+  metadata:         String,   "a note of the client";
        0+  commit_timestamp: i64,      "when it was committed";
        1-1 expire_timestamp: i64 = -1, "when it expires; -1 for the default";
    }

    /// Identifies a group.
    pub struct GroupMetadataKey {
        0+ group: String, "the group";
    }

    /// A group.
    pub struct GroupMetadataValue {
        0+ protocol_type:           String,              "`consumer`, or `connect`";
        0+ generation:              i32,                 "counts the rebalances";
        0+ protocol:                Option<String>,      "the assignor; null without members";
        0+ leader:                  Option<String>,      "the member that assigned";
        2+ current_state_timestamp: i64 = -1,            "when the group became what it is";
        0+ members:                 Vec<MemberMetadata>, "its members";
    }

    /// A member.
    pub struct MemberMetadata {
        0+ member_id:         String,         "the member";
        3+ group_instance_id: Option<String>, "its static instance id, or null";
        0+ client_id:         String,         "the client id it sends";
        0+ client_host:       String,         "the address of its client";
        1+ rebalance_timeout: i32 = -1,       "how long a rebalance waits for it, in ms";
        0+ session_timeout:   i32,            "without a heartbeat it is dead, in ms";
        0+ subscription:      Vec<u8>,        "its metadata for the assignor";
        0+ assignment:        Vec<u8>,        "the partitions it has";
    }
}

/// A decoded record. It is a tombstone if it has no value.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A committed offset.
    Offset(OffsetCommitKey, Option<OffsetCommitValue>),
    /// A group.
    Group(GroupMetadataKey, Option<GroupMetadataValue>),
}

impl Entry {
    /// Encodes the key and the value of the record.
    pub fn encode(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        match self {
            Entry::Offset(key, value) => {
                // Only version 1 has a field for the time when an offset expires.
                let expires = value.as_ref().is_some_and(|it| it.expire_timestamp >= 0);
                let version = if expires { 1 } else { VERSION };
                let value = value.as_ref().map(|it| encode(version, version, it));
                (encode(OFFSET, 0, key), value)
            }
            Entry::Group(key, value) => {
                (encode(GROUP, 0, key), value.as_ref().map(|it| encode(VERSION, VERSION, it)))
            }
        }
    }
}

/// Decodes a record. None if it is of a kind that this broker does not support.
///
/// # Errors
/// If the key or the value cannot be decoded.
pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Entry>, DecodeError> {
    let mut key = Decoder::new(Bytes::copy_from_slice(key), 0, false);
    Ok(match i16::decode(&mut key)? {
        0 | OFFSET => Some(Entry::Offset(WireType::decode(&mut key)?, decode_value(value)?)),
        GROUP => Some(Entry::Group(WireType::decode(&mut key)?, decode_value(value)?)),
        _ => None,
    })
}

fn decode_value<T: WireType>(value: Option<&[u8]>) -> Result<Option<T>, DecodeError> {
    let Some(value) = value else { return Ok(None) };
    let mut number = Decoder::new(Bytes::copy_from_slice(value), 0, false);
    let version = i16::decode(&mut number)?;
    T::decode(&mut number.with_version(version, version >= FLEXIBLE_FROM)).map(Some)
}

/// Encodes a message, prefixed with its number.
fn encode<T: WireType>(number: i16, version: i16, message: &T) -> Vec<u8> {
    let mut encoder = Encoder::new(version, version >= FLEXIBLE_FROM);
    number.encode(&mut encoder);
    message.encode(&mut encoder);
    encoder.into_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Kafka 4.3.0 wrote after a consumer of kafka-python had joined the group `g`.
    const GROUP_VALUE: &[u8] = b"\0\x03\0\x08consumer\0\0\0\x01\0\x05range\
        \0\x26c-c533b480-6085-401a-b949-be1e4e6e9d6f\0\0\x01\xa2\x24\xc8\x2c\xc4\0\0\0\x01\
        \0\x26c-c533b480-6085-401a-b949-be1e4e6e9d6f\xff\xff\0\x01c\0\x0a/127.0.0.1\
        \0\x04\x93\xe0\0\0\xaf\xc8\
        \0\0\0\x0d\0\0\0\0\0\x01\0\x01t\0\0\0\0\
        \0\0\0\x15\0\0\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0\0\0\0\0";
    /// What it wrote after the last member had left.
    const EMPTY_VALUE: &[u8] = b"\0\x03\0\x08consumer\0\0\0\x02\xff\xff\xff\xff\
        \0\0\x01\xa2\x24\xc8\x2e\x3d\0\0\0\0";

    #[test]
    fn group_records_written_by_kafka() {
        for (value, generation, members) in [(GROUP_VALUE, 1, 1), (EMPTY_VALUE, 2, 0)] {
            let key = b"\0\x02\0\x01g";
            let entry = decode(key, Some(value)).unwrap().unwrap();
            assert_eq!(entry.encode(), (key.to_vec(), Some(value.to_vec())));
            let Entry::Group(_, Some(group)) = entry else { panic!("{entry:?}") };
            assert_eq!((group.generation, group.members.len()), (generation, members));
        }
    }

    #[test]
    fn an_offset_with_an_expiration_time_is_written_in_version_1() {
        let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 7 };
        let value = OffsetCommitValue { expire_timestamp: 5, ..Default::default() };
        let entry = Entry::Offset(key, Some(value));
        let (key, value) = entry.encode();
        assert_eq!(value.as_ref().unwrap()[..2], [0, 1]);
        assert_eq!(decode(&key, value.as_deref()), Ok(Some(entry)));
    }

    #[test]
    fn tombstones_other_records_and_damage() {
        let key = b"\0\x02\0\x01g";
        let Ok(Some(Entry::Group(_, None))) = decode(key, None) else { panic!() };
        assert_eq!(decode(b"\0\x03\0\x01g", None), Ok(None));
        for length in 0..GROUP_VALUE.len() {
            assert!(decode(key, Some(&GROUP_VALUE[..length])).is_err());
        }
    }
}
