//! Fetch (key 1): a consumer reads record batches from partitions, each from an offset on.
//!
//! One request can name many partitions, and waits for records (`handlers::fetch`). A response
//! contains the bytes of the segment file unchanged, even if they are compressed. So it can begin
//! with records before the offset of the request: the broker sends the whole batch that contains
//! the offset, and the consumer skips these records.
//!
//! # Fetch sessions
//!
//! A consumer of a thousand partitions would have to name all of them in every request. Since
//! version 7 the broker can keep the list in a session (KIP-227). If it answers with `session_id`
//! 0, there is no session, and the client sends the whole list each time.
//!
//! Kafka counterpart: `FetchRequest.json`, `FetchResponse.json`.

use super::codec::Records;
use super::{ErrorCode, message};
use crate::format::properties::Uuid;

message! {
    /// Reads batches from partitions.
    pub struct FetchRequest: key 1, versions 4-18, flexible 12+ {
        0-14 replica_id:      i32 = -1,              "the broker that replicates; -1 for consumers";
        0+   max_wait_ms:     i32,                   "how long to wait for `min_bytes`";
        0+   min_bytes:       i32,                   "answer when this much is there";
        3+   max_bytes:       i32 = i32::MAX,        "the limit of the whole response";
        4+   isolation_level: i8,                    "0: all records; 1: committed ones only";
        7+   session_id:      i32,                   "the fetch session, or 0";
        7+   session_epoch:   i32 = -1,              "0 opens a session; -1 is without one";
        0+   topics:          Vec<FetchTopic<FetchPartition>>, "where to read";
        FetchPartition {
            0+  partition:            i32,      "the partition";
            9+  current_leader_epoch: i32 = -1, "the leader epoch that the client knows";
            0+  fetch_offset:         i64,      "the offset to read from";
            12+ last_fetched_epoch:   i32 = -1, "the epoch of the last record of a replica";
            5+  log_start_offset:     i64 = -1, "the first offset of a replica";
            0+  partition_max_bytes:  i32,      "the limit of this partition";
        }
        7+   forgotten_topics_data: Vec<FetchTopic<i32>>, "what to remove from the session";
        11+  rack_id:         String,                "the consumer's rack";
    }

    /// Batches of partitions.
    pub struct FetchResponse: key 1, versions 4-18, flexible 12+ {
        1+  throttle_time_ms: i32,                         "delay by quotas";
        7+  error_code:       ErrorCode,                   "an error of the whole request";
        7+  session_id:       i32,                         "the fetch session, or 0";
        0+  responses:        Vec<FetchTopic<PartitionData>>, "the results";
        PartitionData {
            0+  partition_index:    i32,       "the partition";
            0+  error_code:         ErrorCode, "why nothing was read";
            0+  high_watermark:     i64,       "the end of what is replicated";
            4+  last_stable_offset: i64 = -1,  "the first offset of an open transaction";
            5+  log_start_offset:   i64 = -1,  "the first offset of the log";
            4+  aborted_transactions: Option<Vec<AbortedTransaction>>, "what to skip";
            AbortedTransaction {
                4+ producer_id:  i64, "its producer";
                4+ first_offset: i64, "its first record";
            }
            11+ preferred_read_replica: i32 = -1, "a nearer broker to read from";
            0+  records:            Option<Records>, "record batches";
        }
    }

    /// Partitions of one topic.
    pub struct FetchTopic<P> {
        0-12 topic:      String, "the topic";
        13+  topic_id:   Uuid,   "the topic's id";
        0+   partitions: Vec<P>, "what is said of each partition";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::batch;
    use crate::wire::codec::{Piece, Records};
    use crate::wire::encode_response;
    use bytes::Bytes;

    #[test]
    fn batches_are_a_separate_piece_of_the_frame() {
        let records = Some(Records::Bytes(Bytes::from_static(&batch::EXAMPLE)));
        let partitions = vec![PartitionData { high_watermark: 3, records, ..Default::default() }];
        let topic = FetchTopic { topic: "orders".into(), partitions, ..Default::default() };
        let response = FetchResponse { responses: vec![topic], ..Default::default() };

        let frame = encode_response(1, 12, &response);
        let pieces = frame.pieces().collect::<Vec<_>>();
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces[1], Piece::Bytes(&batch::EXAMPLE));
        // Three counts of tagged fields: of the partition, the topic and the response.
        assert_eq!(pieces[2], Piece::Bytes(&[0, 0, 0]));
    }
}
