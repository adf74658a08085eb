//! Committed offsets: OffsetCommit (key 8), OffsetFetch (9), OffsetDelete (47). A group remembers
//! per partition the offset of the next record to process.
//!
//! Version 8 of OffsetFetch turned one group into a list, so both ends have the old form and the
//! list; version 10 of both names topics by id. Kafka's files have structs for the topics of either
//! form, which differ in nothing but their versions; here they are the same.
//!
//! ```
//! use minilog::wire::offsets::OffsetFetchRequest;
//!
//! // Null topics stand for every partition the group has committed, since version 2.
//! let request = OffsetFetchRequest { topics: None, ..OffsetFetchRequest::default() };
//! assert!(request.groups.is_empty());
//! ```
//!
//! Kafka counterpart: the JSON files of these names, KIP-709, KIP-848.

use super::error_code::ErrorCode;
use super::schema::message;
use crate::format::properties::Uuid;

message! {
    /// Commits offsets of a group.
    pub struct OffsetCommitRequest: key 8, versions 2-10, flexible 8+ {
        0+  group_id:          String,         "the group";
        1+  generation_id_or_member_epoch: i32 = -1, "the generation; -1 for a commit from outside";
        1+  member_id:         String,         "the member; empty for a commit from outside";
        7+  group_instance_id: Option<String>, "its static instance id, or null";
        2-4 retention_time_ms: i64 = -1,       "how long to keep the offsets; -1 for the default";
        0+  topics:            Vec<OffsetCommitRequestTopic>, "the offsets, by topic";
    }

    /// The offsets of one topic.
    pub struct OffsetCommitRequestTopic {
        0-9 name:       String,                            "the topic";
        10+ topic_id:   Uuid,                              "the topic's id";
        0+  partitions: Vec<OffsetCommitRequestPartition>, "the offsets, by partition";
    }

    /// The offset of one partition.
    pub struct OffsetCommitRequestPartition {
        0+ partition_index:        i32,            "the partition";
        0+ committed_offset:       i64,            "the next record to process";
        6+ committed_leader_epoch: i32 = -1,       "the leader epoch of the last one processed";
        0+ committed_metadata:     Option<String>, "a note of the client";
    }
}

message! {
    /// What was committed.
    pub struct OffsetCommitResponse: key 8, versions 2-10, flexible 8+ {
        3+ throttle_time_ms: i32,                            "delay by quotas";
        0+ topics:           Vec<OffsetCommitResponseTopic>, "the results, by topic";
    }

    /// The results of one topic.
    pub struct OffsetCommitResponseTopic {
        0-9 name:       String,                             "the topic";
        10+ topic_id:   Uuid,                               "the topic's id";
        0+  partitions: Vec<OffsetCommitResponsePartition>, "the results, by partition";
    }

    /// The result of one partition.
    pub struct OffsetCommitResponsePartition {
        0+ partition_index: i32,       "the partition";
        0+ error_code:      ErrorCode, "why nothing was committed";
    }
}

message! {
    /// Asks for committed offsets.
    pub struct OffsetFetchRequest: key 9, versions 1-10, flexible 6+ {
        0-7 group_id:       String,                       "the group";
        0-7 topics: Option<Vec<OffsetFetchRequestTopics>>, null 2+, "which; null for all";
        8+  groups:         Vec<OffsetFetchRequestGroup>, "the same for several groups";
        7+  require_stable: bool,                         "wait for open transactions";
    }

    /// One group and its partitions.
    pub struct OffsetFetchRequestGroup {
        8+ group_id:     String,                                "the group";
        9+ member_id:    Option<String>,                        "the member, or null";
        9+ member_epoch: i32 = -1,                              "the member's epoch (KIP-848)";
        8+ topics:       Option<Vec<OffsetFetchRequestTopics>>, "which partitions; null for all";
    }

    /// Partitions of one topic.
    pub struct OffsetFetchRequestTopics {
        0-9 name:              String,   "the topic";
        10+ topic_id:          Uuid,     "the topic's id";
        0+  partition_indexes: Vec<i32>, "the partitions";
    }
}

message! {
    /// Committed offsets.
    pub struct OffsetFetchResponse: key 9, versions 1-10, flexible 6+ {
        3+  throttle_time_ms: i32,                            "delay by quotas";
        0-7 topics:           Vec<OffsetFetchResponseTopics>, "the offsets, by topic";
        2-7 error_code:       ErrorCode,                      "an error of the whole request";
        8+  groups:           Vec<OffsetFetchResponseGroup>,  "the same for several groups";
    }

    /// The offsets of one group.
    pub struct OffsetFetchResponseGroup {
        8+ group_id:   String,                         "the group";
        8+ topics:     Vec<OffsetFetchResponseTopics>, "the offsets, by topic";
        8+ error_code: ErrorCode,                      "an error of the whole group";
    }

    /// The offsets of one topic.
    pub struct OffsetFetchResponseTopics {
        0-9 name:       String,                             "the topic";
        10+ topic_id:   Uuid,                               "the topic's id";
        0+  partitions: Vec<OffsetFetchResponsePartitions>, "the offsets, by partition";
    }

    /// The offset of one partition.
    pub struct OffsetFetchResponsePartitions {
        0+ partition_index:        i32,            "the partition";
        0+ committed_offset:       i64,            "the next record to process; -1 for none";
        5+ committed_leader_epoch: i32 = -1,       "the leader epoch of the last one processed";
        0+ metadata:               Option<String>, "the note of the client";
        0+ error_code:             ErrorCode,      "why there is no offset";
    }
}

message! {
    /// Deletes committed offsets of a group.
    pub struct OffsetDeleteRequest: key 47, versions 0-0, flexible 1+ {
        0+ group_id: String,                        "the group";
        0+ topics:   Vec<OffsetDeleteRequestTopic>, "which offsets, by topic";
    }

    /// Partitions of one topic.
    pub struct OffsetDeleteRequestTopic {
        0+ name:       String,                            "the topic";
        0+ partitions: Vec<OffsetDeleteRequestPartition>, "its partitions";
    }

    /// One partition.
    pub struct OffsetDeleteRequestPartition {
        0+ partition_index: i32, "the partition";
    }
}

message! {
    /// What was deleted.
    pub struct OffsetDeleteResponse: key 47, versions 0-0, flexible 1+ {
        0+ error_code:       ErrorCode,                      "an error of the whole request";
        0+ throttle_time_ms: i32,                            "delay by quotas";
        0+ topics:           Vec<OffsetDeleteResponseTopic>, "the results, by topic";
    }

    /// The results of one topic.
    pub struct OffsetDeleteResponseTopic {
        0+ name:       String,                             "the topic";
        0+ partitions: Vec<OffsetDeleteResponsePartition>, "the results, by partition";
    }

    /// The result of one partition.
    pub struct OffsetDeleteResponsePartition {
        0+ partition_index: i32,       "the partition";
        0+ error_code:      ErrorCode, "why it was not deleted";
    }
}
