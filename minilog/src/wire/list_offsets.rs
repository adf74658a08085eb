//! ListOffsets (key 2) maps a point in time to an offset. Consumers without a committed offset
//! start with it, and tools use it to measure lag. OffsetForLeaderEpoch (key 23) maps a leader
//! epoch to the offset after its last record. A consumer that restarts or learns of a new leader
//! uses it to check that the last record it has read is still in the log (KIP-320).
//!
//! `timestamp` is in milliseconds since 1970, or one of the constants below.
//!
//! Kafka counterpart: the JSON files of these names, `ListOffsetsRequest.java`.

use super::topics::ByTopic;
use super::{ErrorCode, message};

/// The offset after the last record, or with isolation level 1 that of the first open transaction.
pub const LATEST: i64 = -1;
/// The first offset of the log: `kcat -o beginning`.
pub const EARLIEST: i64 = -2;
/// The offset of the record with the largest timestamp; since version 7 (KIP-734).
pub const MAX_TIMESTAMP: i64 = -3;

message! {
    /// Asks for offsets at timestamps.
    pub struct ListOffsetsRequest: key 2, versions 1-11, flexible 6+ {
        0+  replica_id:      i32,                   "the broker that replicates; -1 for consumers";
        2+  isolation_level: i8,                    "0: all records; 1: committed ones only";
        0+  topics:          Vec<ByTopic<ListOffsetsPartition>>, "what to look up";
        ListOffsetsPartition {
            0+ partition_index:      i32,      "the partition";
            4+ current_leader_epoch: i32 = -1, "the leader epoch that the client knows";
            0+ timestamp:            i64,      "ms since 1970, or negative: see the module";
        }
        10+ timeout_ms:      i32,                   "how long to wait for tiered storage";
    }

    /// Offsets.
    pub struct ListOffsetsResponse: key 2, versions 1-11, flexible 6+ {
        2+ throttle_time_ms: i32,                           "delay by quotas";
        0+ topics:           Vec<ByTopic<ListOffsetsPartitionResponse>>, "the results";
        ListOffsetsPartitionResponse {
            0+ partition_index: i32,       "the partition";
            0+ error_code:      ErrorCode, "why there is no offset";
            1+ timestamp:       i64 = -1,  "the timestamp of the record found; -1 without";
            1+ offset:          i64 = -1,  "the first offset at or after the timestamp; -1 if none";
            4+ leader_epoch:    i32 = -1,  "the leader epoch of the record";
        }
    }

    /// Asks where the records of a leader end.
    pub struct OffsetForLeaderEpochRequest: key 23, versions 2-4, flexible 4+ {
        3+ replica_id: i32 = -2,                  "the broker that replicates; -1 for consumers";
        0+ topics:     Vec<EpochTopic<OffsetForLeaderPartition>>, "what to look up";
        OffsetForLeaderPartition {
            0+ partition:            i32,      "the partition";
            2+ current_leader_epoch: i32 = -1, "the leader epoch that the client knows";
            0+ leader_epoch:         i32,      "the epoch of the record that it has read";
        }
    }

    /// Ends of epochs.
    pub struct OffsetForLeaderEpochResponse: key 23, versions 2-4, flexible 4+ {
        2+ throttle_time_ms: i32,                             "delay by quotas";
        0+ topics:           Vec<EpochTopic<EpochEndOffset>>, "the results";
        EpochEndOffset {
            0+ error_code:   ErrorCode, "why there is no offset";
            0+ partition:    i32,       "the partition";
            1+ leader_epoch: i32 = -1,  "the last epoch up to that of the request";
            0+ end_offset:   i64 = -1,  "the offset after its last record; -1 if unknown";
        }
    }

    /// Partitions of one topic.
    pub struct EpochTopic<P> {
        0+ topic:      String, "the topic";
        0+ partitions: Vec<P>, "what is said of each partition";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Request, decode_request, encode_response};

    /// The request of Kafka 4.3.0's consumer, version 4, when it restarts at offset 5.
    const REQUEST: &[u8] = b"\0\x17\0\x04\0\0\0\x0a\0\x10console-consumer\0\
        \xff\xff\xff\xff\x02\x07orders\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    /// The response that lets it go on: epoch 0 ends at offset 7.
    const RESPONSE: &[u8] = b"\0\0\0\x27\0\0\0\x0a\0\0\0\0\0\x02\x07orders\
        \x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0";

    #[test]
    fn a_restarted_consumer_checks_its_leader_epoch() {
        let Request::OffsetForLeaderEpoch(request) = decode_request(REQUEST.into()).unwrap().1
        else {
            panic!("another request")
        };
        let asked = OffsetForLeaderPartition { current_leader_epoch: 0, ..Default::default() };
        assert_eq!((request.replica_id, &request.topics[0].partitions), (-1, &vec![asked]));

        let end = EpochEndOffset { leader_epoch: 0, end_offset: 7, ..Default::default() };
        let topic = EpochTopic { topic: "orders".into(), partitions: vec![end] };
        let response = OffsetForLeaderEpochResponse { topics: vec![topic], throttle_time_ms: 0 };
        assert_eq!(encode_response(10, 4, &response).to_vec(), RESPONSE);
    }
}
