//! Administration of topics: CreateTopics (key 19), DeleteTopics (20), DeleteRecords (21),
//! DescribeLogDirs (35), CreatePartitions (37).
//!
//! Each request can name several topics and gets a result for each: some may succeed while others
//! fail. With `validate_only` the request is checked but not carried out.
//!
//! Kafka counterpart: the JSON files of these names; `ReplicationControlManager.java` answers them.

use super::{ErrorCode, message};
use crate::format::properties::Uuid;

message! {
    /// Creates topics.
    pub struct CreateTopicsRequest: key 19, versions 2-7, flexible 5+ {
        0+ topics:        Vec<CreatableTopic>, "what to create";
        CreatableTopic {
            0+ name:               String, "its name";
            0+ num_partitions:     i32,    "partitions; -1 for the broker's default";
            0+ replication_factor: i16,    "replicas of each; -1 for the broker's default";
            0+ assignments:        Vec<CreatableReplicaAssignment>, "brokers of each partition";
            CreatableReplicaAssignment {
                0+ partition_index: i32,      "the partition";
                0+ broker_ids:      Vec<i32>, "the brokers that store it, the leader first";
            }
            0+ configs:            Vec<CreatableTopicConfig>, "its configuration";
            CreatableTopicConfig {
                0+ name:  String,         "for instance cleanup.policy";
                0+ value: Option<String>, "for instance compact";
            }
        }
        0+ timeout_ms:    i32 = 60_000,        "how long to wait";
        1+ validate_only: bool,                "check and create nothing";
    }

    /// The topics created.
    pub struct CreateTopicsResponse: key 19, versions 2-7, flexible 5+ {
        2+ throttle_time_ms: i32,                       "delay by quotas";
        0+ topics:           Vec<CreatableTopicResult>, "the results, by topic";
        CreatableTopicResult {
            0+ name:               String,         "the topic";
            7+ topic_id:           Uuid,           "its id";
            0+ error_code:         ErrorCode,      "why it was not created";
            1+ error_message:      Option<String>, "an error in words";
            5+ num_partitions:     i32 = -1,       "partitions";
            5+ replication_factor: i16 = -1,       "replicas of each";
            5+ configs:            Option<Vec<CreatableTopicConfigs>>, "its configuration";
            CreatableTopicConfigs {
                5+ name:          String,         "for instance cleanup.policy";
                5+ value:         Option<String>, "for instance compact";
                5+ read_only:     bool,           "true if it cannot be altered";
                5+ config_source: i8 = -1,        "where the value comes from: see `configs`";
                5+ is_sensitive:  bool,           "true for passwords, whose value is null";
            }
        }
    }

    /// Deletes topics with all their records.
    pub struct DeleteTopicsRequest: key 20, versions 1-6, flexible 4+ {
        6+  topics:      Vec<DeleteTopicState>, "what to delete";
        DeleteTopicState {
            6+ name:     Option<String>, "the name, or null";
            6+ topic_id: Uuid,           "the id, or zero";
        }
        0-5 topic_names: Vec<String>,           "what to delete";
        0+  timeout_ms:  i32,                   "how long to wait";
    }

    /// The topics deleted.
    pub struct DeleteTopicsResponse: key 20, versions 1-6, flexible 4+ {
        1+ throttle_time_ms: i32,                       "delay by quotas";
        0+ responses:        Vec<DeletableTopicResult>, "the results, by topic";
        DeletableTopicResult {
            0+ name:          Option<String>, null 6+, "the topic; null for an unknown id";
            6+ topic_id:      Uuid,                    "its id";
            0+ error_code:    ErrorCode,               "why it was not deleted";
            5+ error_message: Option<String>,          "an error in words";
        }
    }

    /// Deletes the records before an offset.
    pub struct DeleteRecordsRequest: key 21, versions 0-2, flexible 2+ {
        0+ topics:     Vec<ByTopic<DeleteRecordsPartition>>, "where";
        DeleteRecordsPartition {
            0+ partition_index: i32, "the partition";
            0+ offset:          i64, "the first offset to keep; -1 for the high watermark";
        }
        0+ timeout_ms: i32,                     "how long to wait";
    }

    /// The new starts of the logs.
    pub struct DeleteRecordsResponse: key 21, versions 0-2, flexible 2+ {
        0+ throttle_time_ms: i32,                           "delay by quotas";
        0+ topics:           Vec<ByTopic<DeleteRecordsPartitionResult>>, "the results";
        DeleteRecordsPartitionResult {
            0+ partition_index: i32,       "the partition";
            0+ low_watermark:   i64,       "the first offset of the log";
            0+ error_code:      ErrorCode, "why nothing was deleted";
        }
    }

    /// Adds partitions to topics.
    pub struct CreatePartitionsRequest: key 37, versions 0-3, flexible 2+ {
        0+ topics:        Vec<CreatePartitionsTopic>, "which topics";
        CreatePartitionsTopic {
            0+ name:        String, "the topic";
            0+ count:       i32,    "partitions afterwards, the existing ones included";
            0+ assignments: Option<Vec<CreatePartitionsAssignment>>, "brokers of the new ones";
            CreatePartitionsAssignment {
                0+ broker_ids: Vec<i32>, "the brokers that store it, the leader first";
            }
        }
        0+ timeout_ms:    i32,                        "how long to wait";
        0+ validate_only: bool,                       "check and create nothing";
    }

    /// The topics changed.
    pub struct CreatePartitionsResponse: key 37, versions 0-3, flexible 2+ {
        0+ throttle_time_ms: i32,                              "delay by quotas";
        0+ results:          Vec<CreatePartitionsTopicResult>, "the results, by topic";
        CreatePartitionsTopicResult {
            0+ name:          String,         "the topic";
            0+ error_code:    ErrorCode,      "why nothing was created";
            0+ error_message: Option<String>, "an error in words";
        }
    }

    /// Asks for the size of partitions.
    pub struct DescribeLogDirsRequest: key 35, versions 1-5, flexible 2+ {
        0+ topics: Option<Vec<DescribableLogDirTopic>>, "which partitions; null for all";
        DescribableLogDirTopic {
            0+ topic:      String,   "the topic";
            0+ partitions: Vec<i32>, "the partitions";
        }
    }

    /// The data directories and the partitions in them.
    pub struct DescribeLogDirsResponse: key 35, versions 1-5, flexible 2+ {
        0+ throttle_time_ms: i32,                        "delay by quotas";
        3+ error_code:       ErrorCode,                  "an error of the whole request";
        0+ results:          Vec<DescribeLogDirsResult>, "the data directories";
        DescribeLogDirsResult {
            0+ error_code:   ErrorCode,                 "KAFKA_STORAGE_ERROR if it has failed";
            0+ log_dir:      String,                    "its absolute path";
            0+ topics:       Vec<ByTopic<DescribeLogDirsPartition>>, "the topics in it";
            DescribeLogDirsPartition {
                0+ partition_index: i32,  "the partition";
                0+ partition_size:  i64,  "bytes of its segments";
                0+ offset_lag:      i64,  "records not replicated yet";
                0+ is_future_key:   bool, "true while it is copied to another directory";
            }
            4+ total_bytes:  i64 = -1,                  "size of the volume";
            4+ usable_bytes: i64 = -1,                  "free bytes of the volume";
            5+ is_cordoned:  bool,                      "true if it takes no new partitions";
        }
    }

    /// Partitions of one topic, in requests and responses of several APIs.
    pub struct ByTopic<P> {
        0+ name:       String, "the topic";
        0+ partitions: Vec<P>, "what is said of each partition";
    }
}
