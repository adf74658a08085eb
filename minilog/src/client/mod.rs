//! A Kafka client on the protocol tables of this crate: a producer, a consumer, and the
//! administration requests of the command line.
//!
//! | module | what it is |
//! |---|---|
//! | [`connection`] | one connection: versions, requests, responses |
//! | [`cluster`] | metadata: the leader of each partition, the coordinator of a group |
//! | [`batching`] | assembling batches with sequence numbers, without I/O |
//! | [`producer`] | sending batches, one at a time, and retrying after an error |
//! | [`member`] | a member of a consumer group: joins and heartbeats |
//! | [`assignor`] | assigning partitions to members, without I/O |
//! | [`consumer`] | fetching records from assigned partitions, alone or in a group |
//! | [`admin`] | topics, configuration, groups and their lag |
//!
//! # Example
//!
//! ```no_run
//! use minilog::client::consumer::{Consumer, ConsumerOptions};
//! use minilog::client::producer::{Producer, ProducerOptions};
//! use std::time::Duration;
//!
//! let mut producer = Producer::connect("127.0.0.1:9092", ProducerOptions::default())?;
//! producer.send("orders", None, Some(b"alice"), Some(b"3 apples"))?;
//! let deliveries = producer.flush()?;
//! println!("partition {} offset {}", deliveries[0].partition, deliveries[0].base_offset);
//!
//! let mut consumer = Consumer::connect("127.0.0.1:9092", ConsumerOptions::default())?;
//! consumer.subscribe("billing", &["orders"]);
//! for record in consumer.poll(Duration::from_secs(1))? {
//!     println!("{:?} {:?}", record.key, record.value);
//! }
//! consumer.commit()?;
//! consumer.close()?;
//! # Ok::<(), minilog::client::ClientError>(())
//! ```
//!
//! # Differences from the Java client
//!
//! All work happens on the caller's thread, inside the calls above: there is no background thread
//! for batches or heartbeats. Flush a producer before a longer pause. A consumer that is not polled
//! for `session_timeout` is removed from its group. Only [`commit`](consumer::Consumer::commit)
//! commits offsets: `enable.auto.commit` is not supported.

pub mod admin;
pub mod assignor;
pub mod batching;
pub mod cluster;
pub mod connection;
pub mod consumer;
pub mod member;
pub mod producer;

use crate::wire::codec::DecodeError;
use crate::wire::error_code::ErrorCode;
use std::time::{Duration, Instant};
use std::{fmt, io, thread};

/// The time limit for a response: `request.timeout.ms` of the Java client.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause before a retry: `retry.backoff.ms`.
pub const RETRY_BACKOFF: Duration = Duration::from_millis(100);

/// The result of a client call.
pub type Result<T> = std::result::Result<T, ClientError>;

/// The reason why a call failed.
#[derive(Debug)]
pub enum ClientError {
    /// A broker could not be reached, or the connection failed. A retry may help.
    Connection {
        /// Host and port.
        address: String,
        /// The error from the operating system.
        error: io::Error,
    },
    /// The broker answered with an error, or does not support the request in any of our versions.
    Refused {
        /// The subject of the request, for example `topic orders`.
        what: String,
        /// The error.
        code: ErrorCode,
        /// The broker's explanation, if it gave one.
        message: Option<String>,
    },
    /// The broker sent bytes that are not the response to the request.
    Malformed(String),
}

impl ClientError {
    /// Returns true if a retry may succeed: the connection broke, or the metadata was outdated.
    pub fn is_retriable(&self) -> bool {
        match self {
            ClientError::Connection { .. } => true,
            ClientError::Refused { code, .. } => code.is_retriable(),
            ClientError::Malformed(_) => false,
        }
    }

    /// Returns true if a commit failed because of a rebalance. The next poll joins again.
    pub fn is_rebalance(&self) -> bool {
        use ErrorCode as E;
        let codes = [E::REBALANCE_IN_PROGRESS, E::ILLEGAL_GENERATION, E::UNKNOWN_MEMBER_ID];
        matches!(self, ClientError::Refused { code, .. } if codes.contains(code))
    }
}

/// Returns an error unless `code` is [`ErrorCode::NONE`]. `what` is the subject of the request.
fn check(what: impl fmt::Display, code: ErrorCode, message: Option<String>) -> Result<()> {
    match code {
        ErrorCode::NONE => Ok(()),
        code => Err(ClientError::Refused { what: what.to_string(), code, message }),
    }
}

/// The error for a response that lacks `what`.
fn missing(what: &str) -> ClientError {
    ClientError::Malformed(format!("{what} is missing"))
}

/// Repeats a call while it fails with a retriable error, for at most `timeout`.
fn retry<T>(timeout: Duration, mut call: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + timeout;
    loop {
        match call() {
            Err(error) if error.is_retriable() && Instant::now() < deadline => {
                thread::sleep(RETRY_BACKOFF);
            }
            result => return result,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Connection { address, error } => write!(f, "broker {address}: {error}"),
            ClientError::Refused { what, code, message } => {
                let meaning = message.as_deref().or(code.explain().map(|(_, meaning)| meaning));
                let meaning = meaning.unwrap_or("refused").trim_end_matches('.');
                write!(f, "{what}: {meaning} ({code})")
            }
            ClientError::Malformed(text) => write!(f, "the broker's response is malformed: {text}"),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<DecodeError> for ClientError {
    fn from(error: DecodeError) -> ClientError {
        ClientError::Malformed(error.to_string())
    }
}
