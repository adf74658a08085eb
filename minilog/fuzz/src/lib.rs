//! The bodies of the fuzz targets: what must hold for any bytes.
//!
//! ```text
//! cargo +nightly fuzz run recovery --fuzz-dir minilog/fuzz
//! ```
//!
//! * [`frames`]: a request that can be decoded is the same after it was encoded again, and any
//!   frame can be explained.
//! * [`formats`]: the files of a partition are decoded or refused.
//! * [`recovery`]: whatever the files of a log are, it opens, can be read to its end, takes a batch
//!   and finds it again after a restart.
//!
//! None of them panics. Kafka has no counterpart; librdkafka fuzzes its regular expressions only.

pub mod formats;
pub mod frames;
pub mod recovery;
