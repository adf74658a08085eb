//! A Kafka client on the protocol tables of this crate: a producer, a consumer, and what the
//! command line asks a cluster.
//!
//! | module | what it is |
//! |---|---|
//! | [`connection`] | one connection: versions, requests, responses |
//! | [`cluster`] | which broker leads a partition; requests that any broker answers |
//! | [`batching`] | records become batches with sequence numbers, without I/O |
//! | [`producer`] | sends batches, several at a time, and again after an error |
//! | [`member`] | a member of a consumer group: joins and heartbeats |
//! | [`assignor`] | which member reads which partition, without I/O |
//! | [`consumer`] | fetches records from assigned partitions, alone or in a group |
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
//! Everything happens on the caller's thread, inside of the calls above; no thread sends or
//! heartbeats in the background. A producer must be flushed before its caller does something else
//! for long, and a consumer that is not polled for `session_timeout` leaves its group. Only
//! [`commit`](consumer::Consumer::commit) commits offsets: `enable.auto.commit` is not supported.

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

/// How long a broker may take for a response: `request.timeout.ms` of the Java client.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait before the same request is tried again: `retry.backoff.ms`.
pub const RETRY_BACKOFF: Duration = Duration::from_millis(100);

/// What a call of the client gives.
pub type Result<T> = std::result::Result<T, ClientError>;

/// Why the client could not do what it was asked for.
#[derive(Debug)]
pub enum ClientError {
    /// A broker could not be reached, or the connection failed. Trying again may help.
    Connection {
        /// Host and port.
        address: String,
        /// What the operating system says.
        error: io::Error,
    },
    /// The broker answered with an error, or has no version of the request that the client knows.
    Refused {
        /// What was asked for, as `topic orders`.
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
    /// Returns true if the same call can succeed later without any change: the connection broke, or
    /// the metadata was outdated.
    pub fn is_retriable(&self) -> bool {
        match self {
            ClientError::Connection { .. } => true,
            ClientError::Refused { code, .. } => code.is_retriable(),
            ClientError::Malformed(_) => false,
        }
    }

    /// Returns true if a commit came too late: the next poll joins the group again.
    pub fn is_rebalance(&self) -> bool {
        use ErrorCode as E;
        let codes = [E::REBALANCE_IN_PROGRESS, E::ILLEGAL_GENERATION, E::UNKNOWN_MEMBER_ID];
        matches!(self, ClientError::Refused { code, .. } if codes.contains(code))
    }
}

/// An error unless `code` is [`ErrorCode::NONE`]. `what` was asked for, as `topic orders`.
fn check(what: impl fmt::Display, code: ErrorCode, message: Option<String>) -> Result<()> {
    match code {
        ErrorCode::NONE => Ok(()),
        code => Err(ClientError::Refused { what: what.to_string(), code, message }),
    }
}

/// The error of a response that lacks what was asked for.
fn missing(what: &str) -> ClientError {
    ClientError::Malformed(format!("{what} is missing"))
}

/// Repeats a call while its error may pass, for `timeout` at most.
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
