//! ListOffsets (key 2): turns a point in time into an offset. Consumers without a committed offset
//! start with it, and tools measure lag with it.
//!
//! `timestamp` is in milliseconds since 1970, or one of the constants below. Later ones (-4 to -6)
//! concern tiered storage.
//!
//! ```
//! use minilog::wire::list_offsets::{EARLIEST, LATEST, ListOffsetsPartition};
//!
//! // `kcat -o beginning` and `kcat -o end` ask for:
//! let beginning = ListOffsetsPartition { timestamp: EARLIEST, ..Default::default() };
//! let end = ListOffsetsPartition { timestamp: LATEST, ..Default::default() };
//! assert_eq!((beginning.timestamp, end.timestamp), (-2, -1));
//! ```
//!
//! Kafka counterpart: `ListOffsetsRequest.json`, `ListOffsetsRequest.java`.

use super::error_code::ErrorCode;
use super::schema::message;
use super::topics::ByTopic;

/// The offset after the last record (with isolation level 1, before the first open transaction).
pub const LATEST: i64 = -1;
/// The first offset of the log.
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
}
