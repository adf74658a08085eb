//! The bodies of the fuzz targets: properties that hold for any input.
//!
//! ```text
//! cargo +nightly fuzz run recovery --fuzz-dir minilog/fuzz
//! ```
//!
//! * [`frames`]: a request that can be decoded survives encoding and decoding, and any frame can be
//!   explained.
//! * [`formats`]: the files of a partition are decoded or refused.
//! * [`recovery`]: a log that opens, from any files, can be read to its end, accepts a batch, and
//!   has it after a restart.
//!
//! None of them panics. Kafka has no counterpart; librdkafka fuzzes only its regular expressions.

pub mod formats;
pub mod frames;
pub mod recovery;
