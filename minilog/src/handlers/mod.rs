//! The request handlers, one file per family of requests. A handler takes a request and returns its
//! response, or a [`Step`] if it may have to wait. It does no network I/O.
//!
//! | module | requests |
//! |---|---|
//! | [`produce`] | Produce |
//! | [`fetch`] | Fetch, and waiting for records |
//! | [`list_offsets`] | ListOffsets, OffsetForLeaderEpoch |
//! | [`metadata`] | ApiVersions, Metadata, DescribeCluster |
//! | [`group`] | waiting for the other members of a group |
//! | `group_members` | JoinGroup, SyncGroup, Heartbeat, LeaveGroup |
//! | `group_offsets` | OffsetCommit, OffsetFetch, OffsetDelete |
//! | `group_admin` | FindCoordinator, ListGroups, DescribeGroups, DeleteGroups |
//! | [`group_log`] | reading and writing `__consumer_offsets` |
//! | [`catalog`] | the list of topics, and the data directory |
//! | [`topics`] | CreateTopics, DeleteTopics, CreatePartitions, DeleteRecords, DescribeLogDirs |
//! | [`configs`] | DescribeConfigs, IncrementalAlterConfigs |
//! | [`parameters`] | the names and values of a topic's configuration |
//! | [`producer_ids`] | InitProducerId |
//!
//! The [crate]'s head follows a request from its frame to its response. A connection handles one
//! request at a time, including its wait. This keeps responses in the order of requests, as the
//! protocol requires. Kafka mutes the channel for the same reason (`SocketServer.scala`). Kafka
//! counterpart: `KafkaApis.scala`.

pub mod catalog;
mod configs;
mod fetch;
pub mod group;
pub(crate) mod group_admin;
pub mod group_log;
mod group_members;
mod group_offsets;
mod list_offsets;
mod metadata;
pub mod parameters;
mod produce;
pub mod producer_ids;
mod topics;

use crate::engine::log::partition::Partition;
use crate::format::properties::Uuid;
use crate::wire::api::RequestHeader;
use crate::wire::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::wire::codec::Frame;
use crate::wire::schema::Message;
use crate::wire::{ErrorCode, Request, RequestError, decode_request, encode_response};
use bytes::Bytes;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use self::catalog::{Catalog, Topic, Topics};
use self::group::Groups;
use self::producer_ids::ProducerIds;

/// The maximum length of a request frame (`socket.request.max.bytes`).
pub const FRAME_BYTES_MAX: usize = 100 * 1024 * 1024;

/// The state of the broker, which all connections share.
pub struct Broker {
    /// The topics.
    pub topics: Topics,
    /// `auto.create.topics.enable`: true if Metadata requests may create topics.
    pub auto_create_topics: bool,
    /// `num.partitions`: the number of partitions of a topic created without one.
    pub num_partitions: i32,
    /// `log.dirs`: the data directory as an absolute path.
    pub data_dir: String,
    /// Ids for idempotent producers.
    pub producer_ids: ProducerIds,
    /// Consumer groups.
    pub groups: Groups,
    /// The host and port that clients are told to connect to; set once the server listens.
    pub advertised: OnceLock<(String, u16)>,
}

/// What the server does after a request.
pub enum Step {
    /// Sends the response.
    Respond(Frame),
    /// Sends nothing: the client expects no response.
    Silent {
        /// True if a flush is needed.
        needs_flush: bool,
    },
    /// Closes the connection for this reason.
    Close(String),
    /// Waits for other clients or the disk, then sends the response.
    Delay(Box<dyn Delayed>),
    /// Calls this on a thread that may block, then sends the response.
    Blocking(Box<dyn FnOnce() -> Frame + Send>),
}

/// A waiting request: a fetch for records, a member for its group, a producer for the disk.
pub trait Delayed: Send {
    /// Ready with the response when the wait is over.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Frame>;

    /// The maximum time to wait.
    fn timeout(&self) -> Duration;

    /// The response after the timeout.
    fn finish(&mut self) -> Frame;

    /// Returns true if the request waits for a flush.
    fn needs_flush(&self) -> bool {
        false
    }
}

/// Counts one kind of work: how often it was done, its total time, and how much is in progress.
#[derive(Debug, Default)]
pub struct Meter {
    done: AtomicI64,
    microseconds: AtomicI64,
    in_progress: AtomicI64,
}

/// Work in progress; dropping it ends the measurement.
pub struct Timed<'a>(&'a Meter, Instant);

impl Meter {
    /// Starts the measurement of one piece of work.
    pub fn start(&self) -> Timed<'_> {
        self.in_progress.fetch_add(1, Relaxed);
        Timed(self, Instant::now())
    }

    /// The number done, their total time in microseconds, and the number in progress.
    pub fn values(&self) -> Vec<i64> {
        [&self.done, &self.microseconds, &self.in_progress].map(|it| it.load(Relaxed)).into()
    }
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        let Timed(meter, start) = self;
        meter.microseconds.fetch_add(start.elapsed().as_micros() as i64, Relaxed);
        meter.done.fetch_add(1, Relaxed);
        meter.in_progress.fetch_sub(1, Relaxed);
    }
}

/// The fields of a request's header that its response needs.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The version of the request and of the response.
    pub version: i16,
    /// The correlation id, which the response repeats.
    pub correlation_id: i32,
}

impl Call {
    /// Encodes the response.
    pub fn encode<M: Message>(self, body: &M) -> Frame {
        encode_response(self.correlation_id, self.version, body)
    }

    /// The step that sends a response.
    pub fn respond<M: Message>(self, body: &M) -> Step {
        Step::Respond(self.encode(body))
    }

    /// The step that computes the response on a thread that may block, and sends it.
    fn blocking<M: Message>(
        self,
        broker: &Arc<Broker>,
        job: impl FnOnce(&Broker) -> M + Send + 'static,
    ) -> Step {
        let broker = Arc::clone(broker);
        Step::Blocking(Box::new(move || self.encode(&job(&broker))))
    }
}

/// Handles one frame, without its size prefix. `host` is the client's address in Java's form,
/// `/127.0.0.1`, which DescribeGroups shows.
pub fn handle(broker: &Arc<Broker>, host: &str, frame: Bytes) -> Step {
    let (header, body) = match decode_request(frame) {
        Ok(request) => request,
        Err(RequestError::Unsupported(it)) if it.request_api_key == ApiVersionsRequest::KEY => {
            let call = Call { version: 0, correlation_id: it.correlation_id };
            return call.respond(&ApiVersionsResponse::unsupported());
        }
        Err(error) => return Step::Close(error.to_string()),
    };

    let RequestHeader { request_api_version: version, correlation_id, client_id, .. } = header;
    let call = Call { version, correlation_id };
    let client = (client_id.as_deref().unwrap_or_default(), host);
    use Request::*;
    match body {
        Produce(body) => produce::produce(broker, call, body),
        Fetch(body) => fetch::fetch(broker, call, body),
        ListOffsets(body) => call.blocking(broker, |it| list_offsets::list_offsets(it, body)),
        OffsetForLeaderEpoch(body) => call.respond(&list_offsets::end_of_epoch(broker, body)),
        Metadata(body) => metadata::metadata(broker, call, body),
        ApiVersions(body) => call.respond(&metadata::api_versions(version, &body)),
        DescribeCluster(_) => call.respond(&metadata::describe_cluster(broker)),
        FindCoordinator(body) => group_admin::find_coordinator(broker, call, body),
        JoinGroup(body) => group_members::join_group(broker, client, call, body),
        SyncGroup(body) => group_members::sync_group(broker, call, body),
        Heartbeat(body) => call.respond(&group_members::heartbeat(broker, body)),
        LeaveGroup(body) => call.respond(&group_members::leave_group(broker, version, body)),
        OffsetCommit(body) => group_offsets::offset_commit(broker, call, body),
        OffsetFetch(body) => group_offsets::offset_fetch(broker, call, body),
        OffsetDelete(body) => group_offsets::offset_delete(broker, call, body),
        ListGroups(body) => call.respond(&group_admin::list_groups(broker, &body)),
        DescribeGroups(body) => call.respond(&group_admin::describe_groups(broker, version, &body)),
        DeleteGroups(body) => group_admin::delete_groups(broker, call, body),
        CreateTopics(body) => call.blocking(broker, |it| topics::create_topics(it, body)),
        DeleteTopics(body) => call.blocking(broker, |it| topics::delete_topics(it, body)),
        CreatePartitions(body) => call.blocking(broker, |it| topics::create_partitions(it, body)),
        DeleteRecords(body) => call.blocking(broker, |it| topics::delete_records(it, body)),
        DescribeLogDirs(body) => call.respond(&topics::describe_log_dirs(broker, &body)),
        DescribeConfigs(body) => call.respond(&configs::describe_configs(broker, &body)),
        IncrementalAlterConfigs(body) => call.blocking(broker, |it| configs::alter(it, body)),
        InitProducerId(body) => call.blocking(broker, move |it| it.producer_ids.assign(&body)),
    }
}

impl Broker {
    /// The host and port that clients are told to connect to.
    pub fn address(&self) -> (String, i32) {
        let (host, port) = self.advertised.get().cloned().unwrap_or_default();
        (host, port.into())
    }

    /// A new random id in the format of Java's UUIDs.
    pub fn new_uuid(&self) -> String {
        let mut hex = (self.topics.random)().map(|byte| format!("{byte:02x}")).concat();
        [8, 13, 18, 23].into_iter().for_each(|at| hex.insert(at, '-'));
        hex
    }
}

/// Logs an error of the disk. The protocol can only transmit this code, not the text.
#[cfg_attr(not(feature = "server"), expect(unused_variables, reason = "nothing logs"))]
fn storage_error(error: &io::Error) -> ErrorCode {
    #[cfg(feature = "server")]
    tracing::error!("{error}");
    ErrorCode::KAFKA_STORAGE_ERROR
}

/// The reason why a change is refused, in the two fields that responses have for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error.
    pub error_code: ErrorCode,
    /// The error in words.
    pub text: String,
}

impl Failure {
    fn new(error_code: ErrorCode, text: impl Into<String>) -> Failure {
        Failure { error_code, text: text.into() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::new(storage_error(&error), error.to_string())
    }
}

/// The topic or partition that a request names, or the error if it does not exist.
type Found<'a, T> = Result<&'a Arc<T>, ErrorCode>;

/// The topic that a request names, by name, or by id if the name is empty.
fn find_topic<'a>(catalog: &'a Catalog, name: &str, id: Uuid) -> Found<'a, Topic> {
    match name {
        "" => catalog.by_id(id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID),
        name => catalog.by_name(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    }
}

/// Refuses a client whose `known` leader epoch differs from `current`; -1 means it sent none.
fn check_epoch(current: i32, known: i32) -> Result<(), ErrorCode> {
    match known {
        -1 => Ok(()),
        _ if known < current => Err(ErrorCode::FENCED_LEADER_EPOCH),
        _ if known > current => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
        _ => Ok(()),
    }
}

/// A partition of a topic by its number.
fn find_partition(topic: Found<'_, Topic>, number: i32) -> Found<'_, Partition> {
    topic?.partitions.get(number as usize).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}
