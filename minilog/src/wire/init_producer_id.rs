//! InitProducerId (key 22): a producer asks for an id, so that the broker can recognize batches
//! that it sends twice.
//!
//! How it does that is in [`producers`](crate::engine::log::producers). A producer with
//! `transactional_id` gets the same id after a restart and a higher epoch, which shuts out its
//! former instance.
//!
//! ```
//! use minilog::wire::init_producer_id::InitProducerIdRequest;
//!
//! // What `kafka-console-producer.sh` asks for: an id without transactions.
//! let request = InitProducerIdRequest::default();
//! assert_eq!(request.transactional_id, None);
//! assert_eq!((request.producer_id, request.producer_epoch), (-1, -1));
//! ```
//!
//! Kafka counterpart: `InitProducerIdRequest.json`, KIP-98, KIP-360. Version 6 (two-phase commit)
//! is not stable in Kafka 4.3 and absent here.

use super::{ErrorCode, message};

message! {
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
