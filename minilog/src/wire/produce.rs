//! Produce (key 0): a producer sends record batches for partitions. InitProducerId (22): an
//! idempotent producer first asks for an id, so that the broker can recognize batches sent twice
//! ([`producers`](crate::engine::log::producers)).
//!
//! The batches are in the format of the log ([`crate::format::batch`]) and stay opaque here: the
//! decoder slices them out of the frame without a copy.
//!
//! Since version 13 a topic is identified by its id. The head of `handlers::produce` says what
//! `acks` promises. Version 6 of InitProducerId is not stable in Kafka 4.3 and not supported here.
//!
//! Kafka counterpart: the JSON files of these names, KIP-98, KIP-360, KIP-467, KIP-951.

use super::codec::Records;
use super::{ErrorCode, message};
use crate::format::properties::Uuid;

message! {
    /// Appends batches to partitions.
    pub struct ProduceRequest: key 0, versions 3-13, flexible 9+ {
        3+ transactional_id: Option<String>,        "the transactional id, or null";
        0+ acks:             i16,                   "0, 1, or -1 for all";
        0+ timeout_ms:       i32,                   "how long to wait for acks";
        0+ topic_data:       Vec<TopicProduceData>, "what to append, by topic";
        TopicProduceData {
            0-12 name:           String,                    "the topic";
            13+  topic_id:       Uuid,                      "the topic's id";
            0+   partition_data: Vec<PartitionProduceData>, "what to append, by partition";
            PartitionProduceData {
                0+ index:   i32,             "the partition";
                0+ records: Option<Records>, "record batches";
            }
        }
    }

    /// The offsets of the batches, or errors.
    pub struct ProduceResponse: key 0, versions 3-13, flexible 9+ {
        0+  responses:        Vec<TopicProduceResponse>, "the results, by topic";
        TopicProduceResponse {
            0-12 name:                String,                        "the topic";
            13+  topic_id:            Uuid,                          "the topic's id";
            0+   partition_responses: Vec<PartitionProduceResponse>, "the results, by partition";
            PartitionProduceResponse {
                0+ index:              i32,       "the partition";
                0+ error_code:         ErrorCode, "why nothing was appended";
                0+ base_offset:        i64,       "the offset of the first record";
                2+ log_append_time_ms: i64 = -1,  "the broker's timestamp, if the topic uses it";
                5+ log_start_offset:   i64 = -1,  "the first offset of the log";
                8+ record_errors:      Vec<BatchIndexAndErrorMessage>, "records that are not valid";
                BatchIndexAndErrorMessage {
                    8+ batch_index:               i32,            "its number within the batch";
                    8+ batch_index_error_message: Option<String>, "what is wrong";
                }
                8+ error_message:      Option<String>, "an error in words";
            }
        }
        1+  throttle_time_ms: i32,                       "delay by quotas";
    }

    /// Asks for a producer id.
    pub struct InitProducerIdRequest: key 22, versions 0-5, flexible 2+ {
        0+ transactional_id:       Option<String>, "the transactional id, or null";
        0+ transaction_timeout_ms: i32,            "when the broker aborts a transaction";
        3+ producer_id:            i64 = -1,       "the id the producer has; -1 for a new one";
        3+ producer_epoch:         i16 = -1,       "its epoch";
    }

    /// The producer id.
    pub struct InitProducerIdResponse: key 22, versions 0-5, flexible 2+ {
        0+ throttle_time_ms: i32,       "delay by quotas";
        0+ error_code:       ErrorCode, "why there is none";
        0+ producer_id:      i64 = -1,  "the id";
        0+ producer_epoch:   i16,       "its epoch";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::batch;
    use crate::wire::{self, Request};
    use bytes::Bytes;

    #[test]
    fn batches_are_decoded_without_a_copy() {
        let records = Some(Records::Bytes(Bytes::from_static(&batch::EXAMPLE)));
        let partition = PartitionProduceData { index: 0, records };
        let (name, partition_data) = ("orders".into(), vec![partition]);
        let topic = TopicProduceData { name, partition_data, ..Default::default() };
        let topic_data = vec![topic];
        let request = ProduceRequest { acks: -1, topic_data, ..Default::default() };
        let frame = Bytes::from(wire::encode_request(1, "me", 7, &request).to_vec());

        // The server reads the size and then the frame.
        let (_, decoded) = wire::decode_request(frame.slice(4..)).unwrap();
        let Request::Produce(body) = decoded else { panic!("another request") };
        let records = body.topic_data[0].partition_data[0].records.as_ref();
        let records = records.and_then(Records::bytes).unwrap();
        assert_eq!(records[..], batch::EXAMPLE);
        assert!(frame.as_ptr_range().contains(&records.as_ptr()), "they were copied");
    }
}
