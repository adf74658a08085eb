//! The topic `__consumer_offsets`, which stores groups and their offsets across restarts.
//!
//! The topic has one partition, because there is one broker and one lock for all groups; Kafka's
//! has 50 by default. The first FindCoordinator request creates it.
//!
//! Kafka counterpart: `CoordinatorLoaderImpl.java`, `GroupCoordinatorRecordHelpers.java`.

use super::group::Written;
use super::{Broker, Failure};
use crate::engine::group::coordinator::Coordinator;
use crate::engine::group::events::{Join, Now, Record};
use crate::engine::group::group::{Group, Member, State};
use crate::engine::group::offsets::Committed;
use crate::engine::log::batches::decompressed;
use crate::engine::log::log::{AppendError, ReadError};
use crate::engine::log::partition::Partition;
use crate::format::batch::BatchHeader;
use crate::format::record::{self, batch_of, records};
use crate::wire::ErrorCode;
use crate::wire::offsets_topic::*;
use std::io;
use std::sync::Arc;

/// The topic with the state of consumer groups, which only the broker writes to.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Its configuration. It is compacted only: retention must not delete committed offsets.
const CONFIG: [(&str, &str); 3] = [
    ("cleanup.policy", "compact"),
    ("compression.type", "producer"),
    ("segment.bytes", "104857600"),
];
/// A batch ends when it is longer than this, which is less than half of `max.message.bytes`.
const BATCH_BYTES: usize = 400 * 1024;
/// The size of each read when the topic is loaded.
const READ_BYTES: usize = 1024 * 1024;

/// The partition with the records, once the topic exists.
pub(super) fn partition(broker: &Broker) -> Option<Arc<Partition>> {
    let catalog = broker.topics.catalog();
    catalog.by_name(OFFSETS_TOPIC).map(|topic| Arc::clone(&topic.partitions[0]))
}

/// Creates the topic if it is missing. Blocks on the disk.
pub(super) fn create(broker: &Broker) -> Result<(), Failure> {
    let config = CONFIG.map(|(name, value)| (name.to_owned(), value.to_owned()));
    match broker.topics.create(OFFSETS_TOPIC, 1, config.into()) {
        Err(it) if it.error_code != ErrorCode::TOPIC_ALREADY_EXISTS => Err(it),
        _ => Ok(()),
    }
}

/// Appends records. With `--sync always` the result says which flush to wait for.
pub(super) fn append(
    broker: &Broker,
    coordinator: &Coordinator,
    now: Now,
    records: &[Record],
) -> Result<Written, ErrorCode> {
    if records.is_empty() {
        return Ok(Written(None));
    }
    // Only FindCoordinator creates the topic. This error makes the client send one.
    let log = partition(broker).ok_or(ErrorCode::NOT_COORDINATOR)?;

    let (mut written, mut batch, mut bytes) = (None, Vec::new(), 0);
    for record in records {
        let (key, value) = entry(coordinator, now, record).encode();
        bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        batch.push((key, value));
        if bytes > BATCH_BYTES {
            written = append_batch(&log, now, &batch)?;
            (batch, bytes) = (Vec::new(), 0);
        }
    }
    if !batch.is_empty() {
        written = append_batch(&log, now, &batch)?;
    }
    Ok(Written(written.map(|end| (log, end))))
}

/// Appends keys and values as one batch. Returns the offset after it if it needs a flush.
fn append_batch(
    log: &Partition,
    now: Now,
    batch: &[(Vec<u8>, Option<Vec<u8>>)],
) -> Result<Option<i64>, ErrorCode> {
    let numbered = batch.iter().enumerate().map(|(index, (key, value))| record::Record {
        offset_delta: index as i32,
        key: Some(key),
        value: value.as_deref(),
        ..record::Record::default()
    });
    let bytes = batch_of(now.timestamp, &numbered.collect::<Vec<_>>());
    match log.append(&bytes) {
        Ok(appended) => Ok(appended.needs_flush.then_some(appended.last_offset + 1)),
        // The record of a group is too large, because of its members' metadata.
        Err(AppendError::TooLarge(_)) => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(_) => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
    }
}

/// Converts a record to the key and value of the log.
fn entry(coordinator: &Coordinator, now: Now, record: &Record) -> Entry {
    match record {
        Record::Group(id) => {
            let value = coordinator.group(id).map(|group| group_value(group, now));
            Entry::Group(GroupMetadataKey { group: id.clone() }, value)
        }
        Record::Offset { group, topic, partition, committed } => {
            let (group, partition) = (group.clone(), *partition);
            let value = committed.as_ref().map(|it| OffsetCommitValue {
                offset: it.offset,
                leader_epoch: it.leader_epoch,
                metadata: it.metadata.clone(),
                commit_timestamp: it.timestamp,
                expire_timestamp: it.expires.unwrap_or(-1),
            });
            Entry::Offset(OffsetCommitKey { group, topic: topic.clone(), partition }, value)
        }
    }
}

fn group_value(group: &Group, now: Now) -> GroupMetadataValue {
    let protocol = group.protocol.clone().unwrap_or_default();
    let members = group.members.iter().map(|(id, it)| MemberMetadata {
        member_id: id.clone(),
        group_instance_id: it.join.instance_id.clone(),
        client_id: it.join.client_id.clone(),
        client_host: it.join.client_host.clone(),
        rebalance_timeout: it.join.rebalance_timeout_ms as i32,
        session_timeout: it.join.session_timeout_ms as i32,
        subscription: it.metadata(&protocol).to_vec(),
        assignment: it.assignment.clone(),
    });
    GroupMetadataValue {
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        generation: group.generation,
        protocol: group.protocol.clone(),
        leader: group.leader.clone(),
        current_state_timestamp: match group.state {
            State::Empty { since } => since,
            _ => now.timestamp,
        },
        members: members.collect(),
    }
}

/// Loads all groups and offsets from the log. Returns the number of records that cannot be decoded.
/// They are skipped: one bad record must not disable all groups.
///
/// # Errors
/// If the disk fails.
pub fn load(broker: &Broker) -> io::Result<usize> {
    let Some(log) = partition(broker) else { return Ok(0) };
    let (mut offset, mut skipped) = (log.offsets().log_start_offset, 0);
    loop {
        let read = log.read(offset, READ_BYTES).map_err(|error| match error {
            ReadError::Storage(error) => error,
            ReadError::OffsetOutOfRange => io::Error::other("__consumer_offsets is shorter now"),
        })?;
        let (Some(slice), _) = read else { return Ok(skipped) };
        let bytes = slice.read()?;

        // The last batch may be incomplete. The next read starts with it.
        let mut rest = &bytes[..];
        while let Ok(tail) = BatchHeader::tail(rest) {
            let header = BatchHeader::read(rest).map_err(io::Error::other)?;
            let (batch, after) = rest.split_at(BatchHeader::SIZE + tail.len());
            skipped += load_batch(broker, &header, batch);
            (rest, offset) = (after, header.next_offset());
        }
    }
}

/// Loads the records of a batch. Returns the number of records that cannot be decoded.
fn load_batch(broker: &Broker, header: &BatchHeader, batch: &[u8]) -> usize {
    let Ok(bytes) = decompressed(header, batch) else { return header.records_count as usize };
    let (mut state, now) = broker.groups.lock();
    let mut skipped = 0;
    for record in records(&bytes) {
        let entry = record.ok().and_then(|it| decode(it.key?, it.value).ok()?);
        match entry {
            Some(Entry::Group(key, value)) => {
                let group = value.map(|it| group_of(&key.group, now, it));
                state.coordinator.restore(now, &key.group, group);
            }
            Some(Entry::Offset(key, value)) => {
                let OffsetCommitKey { group, topic, partition } = key;
                let committed = value.map(|it| Committed {
                    offset: it.offset,
                    leader_epoch: it.leader_epoch,
                    metadata: it.metadata,
                    timestamp: it.commit_timestamp,
                    expires: Some(it.expire_timestamp).filter(|it| *it >= 0),
                });
                state.coordinator.apply(now, Record::Offset { group, topic, partition, committed });
            }
            None => skipped += 1,
        }
    }
    skipped
}

/// Builds a group as it was after its last rebalance.
fn group_of(id: &str, now: Now, value: GroupMetadataValue) -> Group {
    let mut group = Group::new(id, now, 0);
    let protocol = value.protocol.clone().unwrap_or_default();
    let members = value.members.into_iter().map(|it| {
        let session_timeout_ms = it.session_timeout.into();
        let join = Join {
            member_id: it.member_id.clone(),
            instance_id: it.group_instance_id,
            client_id: it.client_id,
            client_host: it.client_host,
            session_timeout_ms,
            // Version 0 of the record has no rebalance timeout, like version 0 of JoinGroup.
            rebalance_timeout_ms: match it.rebalance_timeout {
                ..0 => session_timeout_ms,
                timeout => timeout.into(),
            },
            protocols: vec![(protocol.clone(), it.subscription)],
            ..Default::default()
        };
        let (assignment, waiting) = (it.assignment, None);
        (it.member_id, Member { join, assignment, session_ends: 0, has_synced: true, waiting })
    });
    group.members = members.collect();
    group.generation = value.generation;
    group.protocol_type = Some(value.protocol_type).filter(|it| !it.is_empty());
    group.protocol = value.protocol;
    group.leader = value.leader.filter(|it| group.members.contains_key(it));
    group.leader = group.leader.or_else(|| group.members.keys().next().cloned());
    group.state = match group.members.is_empty() {
        true => State::Empty { since: value.current_state_timestamp },
        false => State::Stable { until: None },
    };
    group
}
