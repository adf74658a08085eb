//! A consumer: reads records of partitions from an offset on, alone or as a member of a group.
//!
//! # The life of a poll
//!
//! 1. In a group: send what the [`Member`] has to say, take the response if it is there. A
//!    rebalance commits the positions, so that the next owner of a partition goes on where this one
//!    stopped.
//! 2. A partition without position gets one: the committed offset, or else where
//!    [`ConsumerOptions::auto_offset_reset`] says.
//! 3. A fetch for each broker that leads some of the partitions. The broker waits for records, at
//!    most until the next heartbeat is due.
//! 4. The response has whole batches. Records before the position are skipped: a fetch from the
//!    middle of a batch returns all of it.
//!
//! ```text
//! position 4    fetch at 4    batch 3-5  ->  records 4 5    position 6
//! ```
//!
//! # What is committed
//!
//! The position: the offset of the first record that the caller has not got yet. With
//! `enable_auto_commit` a poll commits what **earlier** polls returned, at most every five seconds,
//! before a rebalance, and [`Consumer::close`] the last time. A consumer that dies between two
//! commits leaves records that the next owner gets again: at least once.
//!
//! Kafka counterpart: `ClassicKafkaConsumer.java` and `Fetcher.java`. One poll returns everything
//! that one fetch brought (`max.poll.records` is not supported), and there is no fetch ahead.

use super::batching::TopicPartition;
use super::cluster::{Cluster, RETRY_BACKOFF};
use super::connection::{Connection, Ticket};
use super::member::{Member, MemberOptions, Outcome, Step};
use super::{ClientError, check, is_retriable};
use crate::format::batch::{self, BatchHeader, Compression};
use crate::format::compression::decompress;
use crate::format::record::records;
use crate::wire::ErrorCode;
use crate::wire::codec::Records;
use crate::wire::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData};
use crate::wire::group::{HeartbeatRequest, JoinGroupRequest, SyncGroupRequest};
use crate::wire::list_offsets::{EARLIEST, LATEST};
use crate::wire::offsets::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetFetchRequest, OffsetFetchRequestTopic,
};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// The records of a compressed batch must not be longer than this.
const DECOMPRESSED_BYTES_MAX: usize = 100 << 20;
/// `auto.commit.interval.ms`
const COMMIT_INTERVAL: Duration = Duration::from_secs(5);

/// How a consumer behaves; the names are those of the Java client.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// How the consumer calls itself.
    pub client_id: String,
    /// Where to begin in a partition without committed offset.
    pub auto_offset_reset: Reset,
    /// Commit what earlier polls returned, without being asked.
    pub enable_auto_commit: bool,
    /// Bytes of one fetch, except for a larger batch.
    pub fetch_max_bytes: i32,
    /// Timeouts in a group.
    pub member: MemberOptions,
}

impl Default for ConsumerOptions {
    fn default() -> ConsumerOptions {
        ConsumerOptions {
            client_id: "minilog".to_owned(),
            auto_offset_reset: Reset::Earliest,
            enable_auto_commit: true,
            fetch_max_bytes: 8 << 20,
            member: MemberOptions::default(),
        }
    }
}

/// An end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// The oldest record.
    Earliest,
    /// Only records that are yet to come.
    Latest,
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
    /// The value; none marks a deletion.
    pub value: Option<Bytes>,
}

/// Reads records of topics.
pub struct Consumer {
    cluster: Cluster,
    options: ConsumerOptions,
    /// The next offset of each partition; none before the first fetch.
    positions: BTreeMap<TopicPartition, Option<i64>>,
    group: Option<Group>,
}

/// The consumer as a member.
struct Group {
    member: Member,
    /// A connection of its own: a fetch in front of a heartbeat would delay it.
    coordinator: Option<Connection>,
    waiting: Option<Waiting>,
    commit_at: Instant,
}

/// What the coordinator has been asked.
enum Waiting {
    Join(Ticket<JoinGroupRequest>),
    Sync(Ticket<SyncGroupRequest>),
    Heartbeat(Ticket<HeartbeatRequest>),
}

impl Consumer {
    /// A consumer for the cluster that one of `addresses` belongs to.
    pub fn connect(addresses: &str, options: ConsumerOptions) -> Result<Consumer, ClientError> {
        let cluster = Cluster::connect(addresses, &options.client_id)?;
        Ok(Consumer { cluster, options, positions: BTreeMap::new(), group: None })
    }

    /// Reads this partition from now on, from `offset` or where the options say.
    pub fn assign(&mut self, topic: &str, partition: i32, offset: Option<i64>) {
        self.positions.insert((topic.to_owned(), partition), offset);
    }

    /// Joins a group with the next polls; the group decides which partitions are read.
    pub fn subscribe(&mut self, group: &str, topics: &[&str]) {
        self.positions.clear();
        self.group = Some(Group {
            member: Member::new(group, topics, self.options.member.clone()),
            coordinator: None,
            waiting: None,
            commit_at: Instant::now() + COMMIT_INTERVAL,
        });
    }

    /// The partitions that are read, with the offset of the next record if it is known.
    pub fn positions(&self) -> &BTreeMap<TopicPartition, Option<i64>> {
        &self.positions
    }

    /// The member of the group, if there is one.
    pub fn member(&self) -> Option<&Member> {
        self.group.as_ref().map(|it| &it.member)
    }

    /// The cluster, for other requests.
    pub fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// Goes on at `offset`. A partition that is not assigned stays so.
    pub fn seek(&mut self, topic: &str, partition: i32, offset: i64) {
        if let Some(position) = self.positions.get_mut(&(topic.to_owned(), partition)) {
            *position = Some(offset);
        }
    }

    /// The next records, in order within each partition; none if none arrive within `timeout`. Also
    /// keeps the membership alive, which [`MemberOptions::session_timeout`] limits.
    pub fn poll(&mut self, timeout: Duration) -> Result<Vec<ConsumerRecord>, ClientError> {
        let deadline = Instant::now() + timeout;
        loop {
            let mut until = deadline;
            if self.group.is_some() {
                self.take_part(deadline)?;
                let due = self.group.as_ref().and_then(|it| it.member.due());
                until = due.map_or(deadline, |due| due.min(deadline));
            }

            self.find_positions()?;
            if self.positions.is_empty() {
                // Without assignment the time is spent waiting for the coordinator, or here.
                if self.group.as_ref().is_none_or(|it| it.waiting.is_none()) {
                    thread::sleep(until.saturating_duration_since(Instant::now()));
                }
            } else {
                let records = self.fetch(until)?;
                if !records.is_empty() {
                    return Ok(records);
                }
            }
            if Instant::now() >= deadline {
                return Ok(Vec::new());
            }
        }
    }

    /// Commits the positions: everything that polls have returned.
    pub fn commit(&mut self) -> Result<(), ClientError> {
        let Some(group) = &mut self.group else { return Ok(()) };
        let known = self.positions.iter().filter_map(|(to, offset)| Some((to, (*offset)?)));
        let topics = known.map(|((topic, partition), offset)| OffsetCommitRequestTopic {
            name: topic.clone(),
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: *partition,
                committed_offset: offset,
                ..OffsetCommitRequestPartition::default()
            }],
            ..OffsetCommitRequestTopic::default()
        });
        let topics = topics.collect::<Vec<_>>();
        group.commit_at = Instant::now() + COMMIT_INTERVAL;
        if topics.is_empty() {
            return Ok(());
        }

        let request = OffsetCommitRequest {
            group_id: group.member.group().to_owned(),
            generation_id_or_member_epoch: group.member.generation(),
            member_id: group.member.id().to_owned(),
            topics,
            ..OffsetCommitRequest::default()
        };
        let response = self.cluster.call_coordinator(group.member.group(), &request)?;
        for topic in response.topics {
            for result in topic.partitions {
                let what = || format!("the offset of {}-{}", topic.name, result.partition_index);
                check(what, result.error_code, None)?;
            }
        }
        Ok(())
    }

    /// Commits with `enable_auto_commit`, and leaves the group: the others need not wait for the
    /// session to end.
    pub fn close(mut self) -> Result<(), ClientError> {
        if self.options.enable_auto_commit {
            self.commit()?;
        }
        if let Some(group) = &self.group
            && let Some(request) = group.member.leave_request()
        {
            self.cluster.call_coordinator(group.member.group(), &request)?;
        }
        Ok(())
    }

    /// Does what the membership needs. Waits for the coordinator until `deadline` if there is
    /// nothing to read meanwhile.
    fn take_part(&mut self, deadline: Instant) -> Result<(), ClientError> {
        let group = self.group.as_mut().expect("the caller has looked");
        let is_auto = self.options.enable_auto_commit;
        if is_auto && group.commit_at <= Instant::now() {
            // If it fails, the next one contains it.
            let _ = self.commit();
        }
        loop {
            let until = if self.positions.is_empty() { deadline } else { Instant::now() };
            let outcome = match self.step(until) {
                Ok(Some(outcome)) => outcome,
                Ok(None) => return Ok(()),
                Err(ClientError::Connection { .. }) => Outcome::FindCoordinator,
                Err(error) => return Err(error),
            };
            let group = self.group.as_mut().expect("it is there");
            match outcome {
                Outcome::Continue => {}
                Outcome::CountPartitions(topics) => {
                    let mut partitions = BTreeMap::new();
                    for topic in topics {
                        self.cluster.forget(&topic);
                        if let Ok(count) = self.cluster.partitions(&topic, false) {
                            partitions.insert(topic, count);
                        }
                    }
                    group.member.assign(&partitions);
                }
                Outcome::Assigned(partitions) => {
                    self.positions = partitions.into_iter().map(|it| (it, None)).collect();
                }
                Outcome::Rebalance => {
                    if is_auto {
                        let _ = self.commit();
                    }
                    self.positions.clear();
                }
                Outcome::Lost => self.positions.clear(),
                Outcome::FindCoordinator => {
                    group.coordinator = None;
                    group.waiting = None;
                    group.member.on_disconnect(Instant::now());
                    thread::sleep(RETRY_BACKOFF);
                    if Instant::now() >= deadline {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Sends the next request of the member, or waits for a response until `until`. `None` if there
    /// is nothing to do before then.
    fn step(&mut self, until: Instant) -> Result<Option<Outcome>, ClientError> {
        let group = self.group.as_mut().expect("the caller has looked");
        if group.coordinator.is_none() {
            let address = self.cluster.coordinator(group.member.group())?;
            group.coordinator = Some(Connection::open(&address, &self.options.client_id)?);
        }
        let connection = group.coordinator.as_mut().expect("it was opened");

        let Some(waiting) = &group.waiting else {
            let Some(step) = group.member.next_step(Instant::now()) else { return Ok(None) };
            group.waiting = Some(match step {
                Step::Join(request) => Waiting::Join(connection.send(&request)?),
                Step::Sync(request) => Waiting::Sync(connection.send(&request)?),
                Step::Heartbeat(request) => Waiting::Heartbeat(connection.send(&request)?),
            });
            return Ok(Some(Outcome::Continue));
        };
        let member = &mut group.member;
        let now = Instant::now();
        let outcome = match waiting {
            Waiting::Join(ticket) => {
                connection.receive(ticket, until)?.map(|it| member.on_join(it))
            }
            Waiting::Sync(ticket) => {
                connection.receive(ticket, until)?.map(|it| member.on_sync(&it, now))
            }
            Waiting::Heartbeat(ticket) => {
                connection.receive(ticket, until)?.map(|it| member.on_heartbeat(&it, now))
            }
        };
        if outcome.is_some() {
            group.waiting = None;
        }
        outcome.transpose()
    }

    /// Gives a position to each partition that has none.
    fn find_positions(&mut self) -> Result<(), ClientError> {
        let unknown = self.positions.iter().filter(|(_, offset)| offset.is_none());
        let unknown = unknown.map(|(to, _)| to.clone()).collect::<Vec<_>>();
        if unknown.is_empty() {
            return Ok(());
        }
        let committed = match &self.group {
            Some(group) => committed(&mut self.cluster, group.member.group(), &unknown)?,
            None => BTreeMap::new(),
        };
        for to in unknown {
            let offset = match committed.get(&to) {
                Some(offset) => *offset,
                None => self.reset(&to)?,
            };
            self.positions.insert(to, Some(offset));
        }
        Ok(())
    }

    fn reset(&mut self, (topic, partition): &TopicPartition) -> Result<i64, ClientError> {
        let timestamp = match self.options.auto_offset_reset {
            Reset::Earliest => EARLIEST,
            Reset::Latest => LATEST,
        };
        self.cluster.offset_at(topic, *partition, timestamp)
    }

    /// Fetches from all leaders at once. They wait for records until `until`.
    fn fetch(&mut self, until: Instant) -> Result<Vec<ConsumerRecord>, ClientError> {
        let mut by_leader = BTreeMap::<String, Vec<(TopicPartition, i64)>>::new();
        for (to, offset) in &self.positions {
            let Some(offset) = offset else { continue };
            let leader = self.cluster.leader(&to.0, to.1)?;
            by_leader.entry(leader).or_default().push((to.clone(), *offset));
        }

        let responses = self.fetch_from(&by_leader, until);
        if responses.is_err() {
            // Responses may be outstanding on the connections to the other leaders.
            by_leader.keys().for_each(|it| self.cluster.disconnect(it));
            self.positions.keys().for_each(|(topic, _)| self.cluster.forget(topic));
        }
        let mut records = Vec::new();
        for response in responses? {
            self.take_response(response, &mut records)?;
        }
        Ok(records)
    }

    fn fetch_from(
        &mut self,
        by_leader: &BTreeMap<String, Vec<(TopicPartition, i64)>>,
        until: Instant,
    ) -> Result<Vec<FetchResponse>, ClientError> {
        let mut tickets = Vec::new();
        for (leader, partitions) in by_leader {
            let request = self.fetch_request(partitions, until);
            tickets.push((leader, self.cluster.connection(leader)?.send(&request)?));
        }
        let responses =
            tickets.iter().map(|(leader, ticket)| self.cluster.connection(leader)?.wait(ticket));
        responses.collect()
    }

    fn fetch_request(&self, from: &[(TopicPartition, i64)], until: Instant) -> FetchRequest {
        let mut topics = BTreeMap::<&str, Vec<FetchPartition>>::new();
        for ((topic, partition), offset) in from {
            topics.entry(topic).or_default().push(FetchPartition {
                partition: *partition,
                fetch_offset: *offset,
                partition_max_bytes: self.options.fetch_max_bytes,
                ..FetchPartition::default()
            });
        }
        let topics = topics.into_iter().map(|(topic, partitions)| FetchTopic {
            topic: topic.to_owned(),
            partitions,
            ..FetchTopic::default()
        });
        let wait = until.saturating_duration_since(Instant::now());
        FetchRequest {
            max_wait_ms: wait.min(Duration::from_millis(500)).as_millis() as i32,
            min_bytes: 1,
            max_bytes: self.options.fetch_max_bytes,
            topics: topics.collect(),
            ..FetchRequest::default()
        }
    }

    fn take_response(
        &mut self,
        response: FetchResponse,
        records: &mut Vec<ConsumerRecord>,
    ) -> Result<(), ClientError> {
        check(|| "a fetch".to_owned(), response.error_code, None)?;
        for topic in response.responses {
            for data in topic.partitions {
                self.take_partition(&topic.topic, &data, records)?;
            }
        }
        Ok(())
    }

    fn take_partition(
        &mut self,
        topic: &str,
        data: &PartitionData,
        records: &mut Vec<ConsumerRecord>,
    ) -> Result<(), ClientError> {
        let to = (topic.to_owned(), data.partition_index);
        match data.error_code {
            // Retention has deleted the record, or the topic was created again.
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                let offset = self.reset(&to)?;
                self.positions.insert(to, Some(offset));
                return Ok(());
            }
            code if is_retriable(code) && code != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                self.cluster.forget(topic);
                thread::sleep(RETRY_BACKOFF);
                return Ok(());
            }
            code => check(|| format!("{topic}-{}", to.1), code, None)?,
        }
        let bytes = data.records.as_ref().and_then(Records::bytes);
        let Some(Some(position)) = self.positions.get_mut(&to) else { return Ok(()) };
        decode_batches(&to, bytes.unwrap_or(&Bytes::new()), position, records)
    }
}

/// Appends the records of whole batches from `position` on, and moves it behind them.
fn decode_batches(
    (topic, partition): &TopicPartition,
    bytes: &Bytes,
    position: &mut i64,
    out: &mut Vec<ConsumerRecord>,
) -> Result<(), ClientError> {
    let malformed = |text: &dyn std::fmt::Display| {
        ClientError::Malformed(format!("{topic}-{partition}: {text}"))
    };
    let mut at = 0;
    while let Ok(header) = BatchHeader::read(&bytes[at..]) {
        let size = header.size().ok_or_else(|| malformed(&"a batch has no length"))?;
        // The last batch of a fetch may be cut.
        if at + size > bytes.len() {
            break;
        }
        let batch = bytes.slice(at..at + size);
        batch::check(&batch).map_err(|error| malformed(&error))?;
        at += size;

        let compression = header.attributes.compression();
        let compression = compression.ok_or_else(|| malformed(&"an unknown compression"))?;
        let mut body = batch.slice(BatchHeader::SIZE..);
        if compression != Compression::None {
            let plain = decompress(compression, &body, DECOMPRESSED_BYTES_MAX);
            body = Bytes::from(plain.map_err(|error| malformed(&error))?);
        }
        // A control batch holds the marker of a transaction, which is no record.
        for record in records(if header.attributes.is_control() { &[] } else { &body }) {
            let record = record.map_err(|error| malformed(&error))?;
            let offset = header.base_offset.saturating_add(record.offset_delta.into());
            if offset >= *position {
                out.push(ConsumerRecord {
                    topic: topic.clone(),
                    partition: *partition,
                    offset,
                    timestamp: header.base_timestamp.saturating_add(record.timestamp_delta),
                    key: record.key.map(|it| body.slice_ref(it)),
                    value: record.value.map(|it| body.slice_ref(it)),
                });
            }
        }
        // Compaction leaves gaps: the header says where the batch ends, not the last record.
        *position = (*position).max(header.next_offset());
    }
    if at == 0 && !bytes.is_empty() {
        return Err(malformed(&"a batch is larger than the response"));
    }
    Ok(())
}

/// The committed offsets of a group, for those of the partitions that have one.
pub fn committed(
    cluster: &mut Cluster,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<BTreeMap<TopicPartition, i64>, ClientError> {
    let topics = partitions.iter().map(|(topic, partition)| OffsetFetchRequestTopic {
        name: topic.clone(),
        partition_indexes: vec![*partition],
    });
    let request = OffsetFetchRequest {
        group_id: group.to_owned(),
        topics: (!partitions.is_empty()).then(|| topics.collect()),
        ..OffsetFetchRequest::default()
    };
    let response = cluster.call_coordinator(group, &request)?;
    check(|| format!("group {group}"), response.error_code, None)?;

    let mut offsets = BTreeMap::new();
    for topic in response.topics {
        for found in topic.partitions {
            check(|| format!("group {group}"), found.error_code, None)?;
            if found.committed_offset >= 0 {
                offsets.insert((topic.name.clone(), found.partition_index), found.committed_offset);
            }
        }
    }
    Ok(offsets)
}
