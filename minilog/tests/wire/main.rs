//! The wire protocol against Kafka: the tables of fields, the codec, the bytes.
//!
//! | module | compared with |
//! |---|---|
//! | `tables` | the JSON files of Kafka 4.3.0, field by field |
//! | `oracle` | the crate `kafka-protocol`, byte by byte, in every version that both know |
//! | `explain` | the explanation of a request against the decoder |
//! | `hostile` | nothing: truncated, damaged and random frames must not panic |
#![cfg(not(loom))]

mod explain;
mod generate;
mod hostile;
mod oracle;
mod tables;
