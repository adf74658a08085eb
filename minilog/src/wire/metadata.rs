//! Metadata (key 3): the brokers, the topics, and the leaders of partitions. A client asks for it
//! at the start, every few minutes, and after errors that show that its metadata is outdated.
//! DescribeCluster (60): only the brokers, for administrators.
//!
//! # How clients ask for all topics, or for none
//!
//! | version | all topics | no topics, only brokers |
//! |---|---|---|
//! | 0 | empty array | not possible |
//! | 1+ | null | empty array |
//!
//! Since version 10 a topic has an id as well as a name, and since version 12 clients can ask for a
//! topic by its id alone ([`properties`](crate::format::properties) says why).
//!
//! Kafka counterpart: the JSON files of these names, KIP-516, KIP-700.

use super::{ErrorCode, message};
use crate::format::properties::Uuid;

message! {
    /// Asks for brokers and topics.
    pub struct MetadataRequest: key 3, versions 0-13, flexible 9+ {
        0+   topics: Option<Vec<MetadataRequestTopic>>, null 1+, "which topics; see the module";
        MetadataRequestTopic {
            10+ topic_id: Uuid,                     "the id, or zero";
            0+  name:     Option<String>, null 10+, "the name, or null";
        }
        4+   allow_auto_topic_creation: bool = true,      "create topics that do not exist";
        8-10 include_cluster_authorized_operations: bool, "ask for the bits of allowed operations";
        8+   include_topic_authorized_operations: bool,   "the same per topic";
    }

    /// Brokers and topics.
    pub struct MetadataResponse: key 3, versions 0-13, flexible 9+ {
        3+   throttle_time_ms: i32,                     "delay by quotas";
        0+   brokers:          Vec<MetadataResponseBroker>, "all brokers, with their addresses";
        MetadataResponseBroker {
            0+ node_id: i32,            "its number";
            0+ host:    String,         "the host to connect to";
            0+ port:    i32,            "the port to connect to";
            1+ rack:    Option<String>, "its rack, for clients that prefer a near replica";
        }
        2+   cluster_id:       Option<String>,          "22 characters of base64url";
        1+   controller_id:    i32 = -1,                "the broker that creates topics";
        0+   topics:           Vec<MetadataResponseTopic>, "the topics asked for";
        MetadataResponseTopic {
            0+  error_code:                  ErrorCode, "for instance UNKNOWN_TOPIC_OR_PARTITION";
            0+  name: Option<String>, null 12+, "null if an unknown id was asked for";
            10+ topic_id:                    Uuid,      "zero if an unknown name was asked for";
            1+  is_internal:                 bool,      "true for __consumer_offsets";
            0+  partitions:                  Vec<MetadataResponsePartition>, "its partitions";
            MetadataResponsePartition {
                0+ error_code:       ErrorCode, "for instance LEADER_NOT_AVAILABLE";
                0+ partition_index:  i32,       "its number within the topic";
                0+ leader_id:        i32,       "the broker to produce to and fetch from";
                7+ leader_epoch:     i32 = -1,  "counts the leaders of the partition";
                0+ replica_nodes:    Vec<i32>,  "the brokers that store the partition";
                0+ isr_nodes:        Vec<i32>,  "those of them that are up to date";
                5+ offline_replicas: Vec<i32>,  "those of them that are down";
            }
            8+  topic_authorized_operations: i32 = i32::MIN, "bits; i32::MIN if not asked for";
        }
        8-10 cluster_authorized_operations: i32 = i32::MIN, "bits; i32::MIN if not asked for";
        13+  error_code:       ErrorCode,               "an error of the whole request";
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

impl MetadataRequest {
    /// The topics that a request of `version` asks for; `None` for all.
    pub fn wanted(&self, version: i16) -> Option<&[MetadataRequestTopic]> {
        self.topics.as_deref().filter(|topics| version > 0 || !topics.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_means_all_topics_in_version_0_only() {
        let request = MetadataRequest { topics: Some(vec![]), ..MetadataRequest::default() };
        assert_eq!(request.wanted(0), None);
        assert_eq!(request.wanted(1), Some(&[][..]));
    }
}
