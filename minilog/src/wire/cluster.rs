//! The cluster as administrators see it: DescribeLogDirs (key 35), DescribeCluster (60).
//!
//! ```
//! use minilog::wire::cluster::{DescribeClusterRequest, DescribeLogDirsRequest};
//!
//! assert_eq!(DescribeClusterRequest::default().endpoint_type, 1);
//! // `kafka-log-dirs.sh --describe` without topics: null stands for all.
//! assert_eq!(DescribeLogDirsRequest::default().topics, None);
//! ```
//!
//! Kafka counterpart: the JSON files of these names, KIP-700, KIP-113.

use super::topics::ByTopic;
use super::{ErrorCode, message};

message! {
    /// Asks how large partitions are.
    pub struct DescribeLogDirsRequest: key 35, versions 1-5, flexible 2+ {
        0+ topics: Option<Vec<DescribableLogDirTopic>>, "which partitions; null for all";
        DescribableLogDirTopic {
            0+ topic:      String,   "the topic";
            0+ partitions: Vec<i32>, "the partitions";
        }
    }

    /// The data directories and what is in them.
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

    /// Asks for the brokers.
    pub struct DescribeClusterRequest: key 60, versions 0-2, flexible 0+ {
        0+ include_cluster_authorized_operations: bool, "ask for the bits of allowed operations";
        1+ endpoint_type: i8 = 1,                       "1: brokers, 2: controllers";
        2+ include_fenced_brokers: bool,                "also those that have failed";
    }

    /// The brokers.
    pub struct DescribeClusterResponse: key 60, versions 0-2, flexible 0+ {
        0+ throttle_time_ms: i32,                   "delay by quotas";
        0+ error_code:       ErrorCode,             "an error of the whole request";
        0+ error_message:    Option<String>,        "an error in words";
        1+ endpoint_type:    i8 = 1,                "1: brokers, 2: controllers";
        0+ cluster_id:       String,                "22 characters of base64url";
        0+ controller_id:    i32 = -1,              "the broker that creates topics";
        0+ brokers:          Vec<DescribeClusterBroker>, "all brokers";
        DescribeClusterBroker {
            0+ broker_id: i32,            "its number";
            0+ host:      String,         "the host to connect to";
            0+ port:      i32,            "the port to connect to";
            0+ rack:      Option<String>, "its rack";
            2+ is_fenced: bool,           "true if it has failed";
        }
        0+ cluster_authorized_operations: i32 = i32::MIN, "bits; i32::MIN if not asked for";
    }
}
