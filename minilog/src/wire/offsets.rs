//! Committed offsets: OffsetCommit (key 8), OffsetFetch (9), OffsetDelete (47). For each partition
//! a group stores the offset of the next record to process.
//!
//! Version 8 of OffsetFetch replaced one group by a list of groups, so request and response have
//! fields for both forms. Version 10 of OffsetFetch and OffsetCommit identifies topics by id.
//! Kafka's files declare separate structs for the topics of each form, which differ only in their
//! versions; here one struct serves both.
//!
//! Since version 2 null in place of topics means all partitions that the group has committed.
//!
//! Kafka counterpart: the JSON files of these names, KIP-709, KIP-848.

use super::topics::ByTopic;
use super::{ErrorCode, message};
use crate::format::properties::Uuid;

message! {
    /// Commits offsets of a group.
    pub struct OffsetCommitRequest: key 8, versions 2-10, flexible 8+ {
        0+  group_id:          String,         "the group";
        1+  generation_id_or_member_epoch: i32 = -1, "the generation; -1 for a commit from outside";
        1+  member_id:         String,         "the member; empty for a commit from outside";
        7+  group_instance_id: Option<String>, "its static instance id, or null";
        2-4 retention_time_ms: i64 = -1,       "how long to keep the offsets; -1 for the default";
        0+  topics:            Vec<OffsetTopic<OffsetCommitRequestPartition>>, "the offsets";
        OffsetCommitRequestPartition {
            0+ partition_index:        i32,      "the partition";
            0+ committed_offset:       i64,      "the next record to process";
            6+ committed_leader_epoch: i32 = -1, "the leader epoch of the last one processed";
            0+ committed_metadata:     Option<String>, "a note of the client";
        }
    }

    /// The results of the commits.
    pub struct OffsetCommitResponse: key 8, versions 2-10, flexible 8+ {
        3+ throttle_time_ms: i32,                            "delay by quotas";
        0+ topics:           Vec<OffsetTopic<OffsetCommitResponsePartition>>, "the results";
        OffsetCommitResponsePartition {
            0+ partition_index: i32,       "the partition";
            0+ error_code:      ErrorCode, "why nothing was committed";
        }
    }

    /// Asks for committed offsets.
    pub struct OffsetFetchRequest: key 9, versions 1-10, flexible 6+ {
        0-7 group_id:       String,                       "the group";
        0-7 topics: Option<Vec<OffsetFetchRequestTopics>>, null 2+, "which; null for all";
        OffsetFetchRequestTopics {
            0-9 name:              String,   "the topic";
            10+ topic_id:          Uuid,     "the topic's id";
            0+  partition_indexes: Vec<i32>, "the partitions";
        }
        8+  groups:         Vec<OffsetFetchRequestGroup>, "the same for several groups";
        OffsetFetchRequestGroup {
            8+ group_id:     String,                                "the group";
            9+ member_id:    Option<String>,                        "the member, or null";
            9+ member_epoch: i32 = -1,                              "the member's epoch (KIP-848)";
            8+ topics: Option<Vec<OffsetFetchRequestTopics>>, "which partitions; null for all";
        }
        7+  require_stable: bool,                         "wait for open transactions";
    }

    /// Committed offsets.
    pub struct OffsetFetchResponse: key 9, versions 1-10, flexible 6+ {
        3+  throttle_time_ms: i32,                            "delay by quotas";
        0-7 topics:           Vec<OffsetTopic<OffsetFetchResponsePartitions>>, "the offsets";
        OffsetFetchResponsePartitions {
            0+ partition_index:        i32,       "the partition";
            0+ committed_offset:       i64,       "the next record to process; -1 for none";
            5+ committed_leader_epoch: i32 = -1,  "the leader epoch of the last one processed";
            0+ metadata:               Option<String>, "the note of the client";
            0+ error_code:             ErrorCode, "why there is no offset";
        }
        2-7 error_code:       ErrorCode,                      "an error of the whole request";
        8+  groups:           Vec<OffsetFetchResponseGroup>,  "the same for several groups";
        OffsetFetchResponseGroup {
            8+ group_id:   String,                         "the group";
            8+ topics:     Vec<OffsetTopic<OffsetFetchResponsePartitions>>, "the offsets, by topic";
            8+ error_code: ErrorCode,                      "an error of the whole group";
        }
    }

    /// Deletes committed offsets of a group.
    pub struct OffsetDeleteRequest: key 47, versions 0-0, flexible 1+ {
        0+ group_id: String,                        "the group";
        0+ topics:   Vec<ByTopic<OffsetDeleteRequestPartition>>, "which offsets";
        OffsetDeleteRequestPartition {
            0+ partition_index: i32, "the partition";
        }
    }

    /// The results of the deletions.
    pub struct OffsetDeleteResponse: key 47, versions 0-0, flexible 1+ {
        0+ error_code:       ErrorCode,                      "an error of the whole request";
        0+ throttle_time_ms: i32,                            "delay by quotas";
        0+ topics:           Vec<ByTopic<OffsetCommitResponsePartition>>, "the results";
    }

    /// Partitions of one topic.
    pub struct OffsetTopic<P> {
        0-9 name:       String, "the topic";
        10+ topic_id:   Uuid,   "the topic's id";
        0+  partitions: Vec<P>, "what is said of each partition";
    }
}
