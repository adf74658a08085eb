//! The wire protocol against Kafka: its field tables, its Rust codec, its bytes.
//!
//! | module | judge |
//! |---|---|
//! | `tables` | the JSON files of Kafka 4.3.0, field by field |
//! | `oracle` | the crate `kafka-protocol`, byte by byte, in every version that both know |
//! | `explain` | the explanation of a request against the decoder |
//! | `hostile` | frames that were cut, damaged or made up |
#![cfg(not(loom))]

mod explain;
mod generate;
mod hostile;
mod oracle;
mod tables;
