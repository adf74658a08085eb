//! A consumer: reads records from partitions, alone or as a member of a group.
//!
//! # The life of a poll
//!
//! 1. In a group, the [`Member`] sends the heartbeat or the other requests that are due. After a
//!    rebalance it returns the new assignment.
//! 2. A partition without a position gets one: the committed offset, or the one that
//!    [`ConsumerOptions::auto_offset_reset`] selects.
//! 3. The consumer sends a fetch to each broker that leads some of its partitions. The broker waits
//!    for records, at most until the next heartbeat is due.
//! 4. A response contains whole batches, so the consumer skips the records before its position.
//!
//! ```text
//! position 4    fetch at 4    batch 3-5  ->  records 4 5    position 6
//! ```
//!
//! # Which offsets are committed?
//!
//! [`Consumer::commit`] commits the positions: for each partition the offset of the next record to
//! return. If a consumer dies before it commits, or loses a partition in a rebalance, the next
//! owner gets some records again. This is at-least-once delivery.
//!
//! Kafka counterpart: `ClassicKafkaConsumer.java` and `Fetcher.java`. One poll returns all records
//! of one fetch (`max.poll.records` is not supported), and nothing is fetched in advance.

use super::admin::{commit_offsets, committed};
use super::batching::TopicPartition;
use super::cluster::Cluster;
use super::member::Member;
use super::{ClientError, RETRY_BACKOFF, Result, check};
use crate::engine::log::batches::decompressed;
use crate::format::batch::{self, BatchHeader};
use crate::format::record::records;
use crate::wire::ErrorCode;
use crate::wire::codec::Records;
use crate::wire::fetch::{FetchPartition, FetchRequest, FetchTopic};
use crate::wire::list_offsets::EARLIEST;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// How long a broker may wait for records: `fetch.max.wait.ms`.
const FETCH_WAIT_MAX: Duration = Duration::from_millis(500);

/// The options of a consumer. The names and most defaults are those of the Java client.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// The client id that is sent with every request.
    pub client_id: String,
    /// Where to start in a partition without a committed offset: [`EARLIEST`], or
    /// [`LATEST`](crate::wire::list_offsets::LATEST).
    pub auto_offset_reset: i64,
    /// The size limit of one fetch, which only a single larger batch may exceed.
    pub fetch_max_bytes: i32,
    /// In a group, use the assignor `cooperative-sticky` instead of `range`. All members need the
    /// same.
    pub is_cooperative: bool,
    /// The broker removes the member after this time without a heartbeat.
    pub session_timeout: Duration,
    /// The time between two heartbeats.
    pub heartbeat_interval: Duration,
}

impl Default for ConsumerOptions {
    fn default() -> ConsumerOptions {
        ConsumerOptions {
            client_id: "minilog".to_owned(),
            auto_offset_reset: EARLIEST,
            fetch_max_bytes: 8 << 20,
            is_cooperative: false,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
        }
    }
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerRecord {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key, if it has one.
    pub key: Option<Bytes>,
    /// The value; none in a tombstone.
    pub value: Option<Bytes>,
}

/// Reads records of topics.
pub struct Consumer {
    cluster: Cluster,
    options: ConsumerOptions,
    /// The assigned partitions and their next offsets; none before the first fetch.
    pub positions: BTreeMap<TopicPartition, Option<i64>>,
    member: Option<Member>,
}

impl Consumer {
    /// Connects to the cluster of the broker at `address`.
    pub fn connect(address: &str, options: ConsumerOptions) -> Result<Consumer> {
        let cluster = Cluster::connect(address, &options.client_id)?;
        Ok(Consumer { cluster, options, positions: BTreeMap::new(), member: None })
    }

    /// Assigns a partition: polls read it from `offset` on, or from where the options say. Moves
    /// the position if the partition is assigned already.
    pub fn assign(&mut self, topic: &str, partition: i32, offset: Option<i64>) {
        self.positions.insert((topic.to_owned(), partition), offset);
    }

    /// Makes the next polls join a group, which then assigns the partitions.
    pub fn subscribe(&mut self, group: &str, topics: &[&str]) {
        self.positions.clear();
        self.member = Some(Member::new(group, topics, self.options.clone()));
    }

    /// The cluster, for other requests.
    pub fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// Returns the next records, in order within each partition. The result is empty if none arrive
    /// within `timeout`. Polls also send heartbeats, so they must be more frequent than
    /// [`ConsumerOptions::session_timeout`]. Retriable errors are retried until the timeout.
    pub fn poll(&mut self, timeout: Duration) -> Result<Vec<ConsumerRecord>> {
        let deadline = Instant::now() + timeout;
        loop {
            let result = self.poll_once(deadline).inspect_err(|_| self.cluster.disconnect());
            let is_over = Instant::now() >= deadline;
            match result {
                Ok(records) if records.is_empty() && !is_over => {}
                Err(error) if error.is_retriable() && !is_over => thread::sleep(RETRY_BACKOFF),
                result => return result,
            }
        }
    }

    fn poll_once(&mut self, deadline: Instant) -> Result<Vec<ConsumerRecord>> {
        let mut until = deadline;
        if let Some(member) = &mut self.member {
            // Without partitions, wait here for the coordinator; otherwise the fetch below waits.
            let owned = self.positions.keys().cloned().collect();
            let wait = if self.positions.is_empty() { deadline } else { Instant::now() };
            let changed = member.advance(&mut self.cluster, &owned, wait);
            if let Some(assigned) = changed.or_else(|error| member.on_error(error))? {
                self.positions.retain(|it, _| assigned.contains(it));
                let added = assigned.difference(&owned).map(|it| (it.clone(), None));
                self.positions.extend(added);
            }
            until = member.due().min(deadline);
        }

        self.find_positions()?;
        if self.positions.is_empty() {
            thread::sleep(until.saturating_duration_since(Instant::now()));
            return Ok(Vec::new());
        }
        self.fetch(until)
    }

    /// Commits the positions, and so all records that polls have returned.
    pub fn commit(&mut self) -> Result<()> {
        let Some(member) = &self.member else { return Ok(()) };
        let known = self.positions.iter().filter_map(|(to, offset)| Some((to.clone(), (*offset)?)));
        commit_offsets(&mut self.cluster, &member.group, Some(member), known)
    }

    /// Leaves the group, so that the others need not wait for the session timeout. Commits nothing.
    pub fn close(mut self) -> Result<()> {
        self.member.map_or(Ok(()), |member| member.leave(&mut self.cluster))
    }

    /// Finds a position for each partition that has none.
    fn find_positions(&mut self) -> Result<()> {
        let unknown = self.positions.iter().filter(|(_, offset)| offset.is_none());
        let unknown = unknown.map(|(to, _)| to.clone()).collect::<Vec<_>>();
        let known = match &self.member {
            Some(member) if !unknown.is_empty() => {
                committed(&mut self.cluster, &member.group, &unknown)?
            }
            _ => BTreeMap::new(),
        };
        for to in unknown {
            let offset = known.get(&to).map_or_else(|| self.reset(&to), |offset| Ok(*offset))?;
            self.positions.insert(to, Some(offset));
        }
        Ok(())
    }

    fn reset(&mut self, (topic, partition): &TopicPartition) -> Result<i64> {
        self.cluster.offset_at(topic, *partition, self.options.auto_offset_reset)
    }

    /// Fetches from all leaders in parallel. They wait for records up to `until`.
    fn fetch(&mut self, until: Instant) -> Result<Vec<ConsumerRecord>> {
        let wait = until.saturating_duration_since(Instant::now()).min(FETCH_WAIT_MAX);
        let mut requests = BTreeMap::<String, FetchRequest>::new();
        for ((topic, partition), offset) in &self.positions {
            let leader = self.cluster.leader(topic, *partition)?;
            let request = requests.entry(leader).or_insert_with(|| FetchRequest {
                max_wait_ms: wait.as_millis() as i32,
                min_bytes: 1,
                max_bytes: self.options.fetch_max_bytes,
                ..Default::default()
            });
            let partition = FetchPartition {
                partition: *partition,
                fetch_offset: offset.expect("find_positions was called"),
                partition_max_bytes: self.options.fetch_max_bytes,
                ..Default::default()
            };
            let (topic, partitions) = (topic.clone(), vec![partition]);
            request.topics.push(FetchTopic { topic, partitions, ..Default::default() });
        }

        let mut all_pending = Vec::new();
        for (leader, request) in &requests {
            all_pending.push((leader, self.cluster.connection(leader)?.send(request)?));
        }
        let mut fetched = Vec::new();
        for (leader, pending) in all_pending {
            let response = self.cluster.connection(leader)?.wait(&pending)?;
            check("a fetch", response.error_code, None)?;
            for FetchTopic { topic, partitions, .. } in response.responses {
                let partitions = partitions.into_iter();
                fetched.extend(partitions.map(|it| ((topic.clone(), it.partition_index), it)));
            }
        }

        // Handle all errors before any record: an error after that would lose records, because
        // their positions have moved.
        for (to, data) in &fetched {
            if data.error_code == ErrorCode::OFFSET_OUT_OF_RANGE {
                // Retention has deleted the record, or the topic was created again.
                let offset = self.reset(to)?;
                self.positions.insert(to.clone(), Some(offset));
            } else {
                check(format_args!("{}-{}", to.0, to.1), data.error_code, None)?;
            }
        }
        let mut records = Vec::new();
        for (to, data) in fetched {
            let bytes = data.records.as_ref().and_then(Records::bytes);
            if let (Some(bytes), Some(Some(position))) = (bytes, self.positions.get_mut(&to)) {
                read_batches(&to, bytes, position, &mut records)?;
            }
        }
        Ok(records)
    }
}

/// Appends the records of complete batches from `position` on to `out`, and advances `position`.
fn read_batches(
    (topic, partition): &TopicPartition,
    bytes: &[u8],
    position: &mut i64,
    out: &mut Vec<ConsumerRecord>,
) -> Result<()> {
    let malformed = |text: &str| ClientError::Malformed(format!("{topic}-{partition}: {text}"));
    let mut rest = bytes;
    while let Some((header, body)) = take_batch(&mut rest).map_err(|error| malformed(&error))? {
        for record in records(&body) {
            let record = record.map_err(malformed)?;
            let offset = header.base_offset.saturating_add(record.offset_delta.into());
            if offset >= *position {
                out.push(ConsumerRecord {
                    topic: topic.clone(),
                    partition: *partition,
                    offset,
                    timestamp: header.timestamp(record.timestamp_delta),
                    key: record.key.map(|it| body.slice_ref(it)),
                    value: record.value.map(|it| body.slice_ref(it)),
                });
            }
        }
        // After a compaction the last record may be missing, so use the end from the header.
        *position = (*position).max(header.next_offset());
    }
    if rest.len() == bytes.len() && !bytes.is_empty() {
        return Err(malformed("a batch is larger than the response"));
    }
    Ok(())
}

/// Takes the first batch of `bytes`: its header, and its records decompressed. Returns `None` if
/// the batch is incomplete, like the last one of a fetch may be.
///
/// # Errors
/// If the batch is damaged.
pub fn take_batch(bytes: &mut &[u8]) -> std::result::Result<Option<(BatchHeader, Bytes)>, String> {
    let Ok(tail) = BatchHeader::tail(bytes) else { return Ok(None) };
    let header = batch::check(bytes)?;
    let (batch, rest) = bytes.split_at(BatchHeader::SIZE + tail.len());
    *bytes = rest;

    // A control batch contains the marker of a transaction, which is not a record.
    let records = match header.has(batch::CONTROL) {
        true => Vec::new(),
        false => decompressed(&header, batch).map_err(|error| error.to_string())?,
    };
    Ok(Some((header, records.into())))
}
