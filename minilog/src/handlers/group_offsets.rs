//! OffsetCommit, OffsetFetch and OffsetDelete: the committed offsets of groups.
//!
//! A commit is answered, and visible to OffsetFetch, only when its record is in the log. With
//! `--sync always` both also wait for the disk, so an offset that a client has seen survives a
//! crash.
//!
//! Kafka counterpart: `OffsetMetadataManager.java`.

use super::catalog::Catalog;
use super::group::{Groups, Refusal, State, Written};
use super::{Broker, Call, Step, find_partition, find_topic};
use crate::engine::group::events::{Effects, Identity, Record};
use crate::engine::group::offsets::{Committed, Offsets};
use crate::format::properties::Uuid;
use crate::wire::ErrorCode;
use crate::wire::offsets::*;
use crate::wire::topics::ByTopic;
use std::sync::Arc;

/// `offset.metadata.max.bytes`: the longest text that a client may commit with an offset.
const METADATA_BYTES_MAX: usize = 4096;
/// The first version of OffsetFetch with several groups.
const FETCH_BATCHED_FROM: i16 = 8;
/// The first version of both requests with topic ids in place of names.
const TOPIC_IDS_FROM: i16 = 10;

/// Commits offsets.
pub fn offset_commit(broker: &Arc<Broker>, call: Call, request: OffsetCommitRequest) -> Step {
    let catalog = broker.topics.catalog();
    let now = (broker.groups.now)();
    let expires = Some(request.retention_time_ms).filter(|it| *it >= 0);
    let expires = expires.map(|it| now.timestamp.saturating_add(it));
    let from = Identity {
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        generation: request.generation_id_or_member_epoch,
    };

    // Each partition becomes a record, or an error in the response.
    let (mut effects, mut response) = (Effects::default(), OffsetCommitResponse::default());
    for topic in request.topics {
        let found = find_topic(&catalog, &topic.name, topic.topic_id);
        let partitions = topic.partitions.into_iter().map(|it| {
            let partition_index = it.partition_index;
            let metadata = it.committed_metadata.unwrap_or_default();
            let error_code = match find_partition(found, partition_index) {
                Ok(_) if metadata.len() > METADATA_BYTES_MAX => {
                    ErrorCode::OFFSET_METADATA_TOO_LARGE
                }
                found => found.err().unwrap_or(ErrorCode::NONE),
            };
            if !error_code.is_error() {
                let (offset, leader_epoch) = (it.committed_offset, it.committed_leader_epoch);
                let timestamp = now.timestamp;
                effects.records.push(Record::Offset {
                    group: request.group_id.clone(),
                    topic: found.map(|it| it.name.clone()).unwrap_or_default(),
                    partition: partition_index,
                    committed: Some(Committed {
                        offset,
                        leader_epoch,
                        metadata,
                        timestamp,
                        expires,
                    }),
                });
            }
            OffsetCommitResponsePartition { partition_index, error_code }
        });
        let partitions = partitions.collect();
        let (name, topic_id) = (topic.name, topic.topic_id);
        response.topics.push(OffsetTopic { name, topic_id, partitions });
    }

    let written = {
        let (mut state, now) = broker.groups.lock();
        let checked = state.coordinator.check_commit(now, &request.group_id, &from);
        checked.map_err(Refusal::from).and_then(|()| state.carry_out(broker, now, effects))
    };
    Groups::respond(broker, written, move |result| {
        if let Err(error) = result {
            let partitions = response.topics.iter_mut().flat_map(|it| &mut it.partitions);
            let valid = partitions.filter(|it| !it.error_code.is_error());
            valid.for_each(|it| it.error_code = error);
        }
        call.encode(&response)
    })
}

/// Returns committed offsets: of one group up to version 7, of several from version 8 on.
pub fn offset_fetch(broker: &Arc<Broker>, call: Call, request: OffsetFetchRequest) -> Step {
    let is_batched = call.version >= FETCH_BATCHED_FROM;
    let OffsetFetchRequest { group_id, topics, groups, .. } = request;
    let single = OffsetFetchRequestGroup { group_id, topics, ..Default::default() };
    let groups = if is_batched { groups } else { vec![single] };
    let catalog = broker.topics.catalog();
    let (groups, written) = {
        let (state, _) = broker.groups.lock();
        let fetch = |it| fetch_group(&state, &catalog, call.version, it);
        (groups.into_iter().map(fetch).collect::<Vec<_>>(), Written::so_far(broker))
    };

    Groups::respond(broker, Ok(written), move |result| {
        let mut response = OffsetFetchResponse::default();
        let error_code = result.err().unwrap_or(ErrorCode::NONE);
        if is_batched {
            let with_error = |it| OffsetFetchResponseGroup { error_code, ..it };
            response.groups = groups.into_iter().map(with_error).collect();
        } else {
            response.topics = groups.into_iter().flat_map(|it| it.topics).collect();
            response.error_code = error_code;
        }
        call.encode(&response)
    })
}

fn fetch_group(
    state: &State,
    catalog: &Catalog,
    version: i16,
    wanted: OffsetFetchRequestGroup,
) -> OffsetFetchResponseGroup {
    // A group that does not exist has committed nothing.
    let none = Offsets::default();
    let group = state.coordinator.group(&wanted.group_id);
    let offsets = group.map_or(&none, |it| &it.offsets);
    // Versions that name topics by id cannot name a deleted topic, so it is left out.
    let all = offsets.topics().filter_map(|(name, partitions)| {
        let id = catalog.by_name(name).map(|it| it.id);
        Some(OffsetFetchRequestTopics {
            name: name.to_owned(),
            topic_id: if version >= TOPIC_IDS_FROM { id? } else { Uuid::default() },
            partition_indexes: partitions.keys().copied().collect(),
        })
    });
    let topics = wanted.topics.unwrap_or_else(|| all.collect());
    let topics = topics.into_iter().map(|it| fetch_topic(offsets, catalog, version, it));
    let (group_id, topics) = (wanted.group_id, topics.collect());
    OffsetFetchResponseGroup { group_id, topics, ..Default::default() }
}

/// The committed offsets of a topic's partitions; -1 for a partition without one.
fn fetch_topic(
    offsets: &Offsets,
    catalog: &Catalog,
    version: i16,
    wanted: OffsetFetchRequestTopics,
) -> OffsetTopic<OffsetFetchResponsePartitions> {
    let name = match version {
        TOPIC_IDS_FROM.. => catalog.by_id(wanted.topic_id).map(|it| it.name.as_str()),
        _ => Some(wanted.name.as_str()),
    };
    let error_code = name.map_or(ErrorCode::UNKNOWN_TOPIC_ID, |_| ErrorCode::NONE);
    let partitions = wanted.partition_indexes.into_iter().map(|partition_index| {
        let committed = name.and_then(|it| offsets.get(it, partition_index));
        OffsetFetchResponsePartitions {
            partition_index,
            committed_offset: committed.map_or(-1, |it| it.offset),
            committed_leader_epoch: committed.map_or(-1, |it| it.leader_epoch),
            metadata: Some(committed.map(|it| it.metadata.clone()).unwrap_or_default()),
            error_code,
        }
    });
    OffsetTopic { partitions: partitions.collect(), name: wanted.name, topic_id: wanted.topic_id }
}

/// Deletes committed offsets of a group without members.
pub fn offset_delete(broker: &Arc<Broker>, call: Call, request: OffsetDeleteRequest) -> Step {
    let catalog = broker.topics.catalog();
    let (mut effects, mut response) = (Effects::default(), OffsetDeleteResponse::default());
    for topic in request.topics {
        let found = find_topic(&catalog, &topic.name, Uuid::default());
        let partitions = topic.partitions.into_iter().map(|it| {
            let (group, partition_index) = (request.group_id.clone(), it.partition_index);
            let (topic, partition, committed) = (topic.name.clone(), partition_index, None);
            effects.records.push(Record::Offset { group, topic, partition, committed });
            let error_code =
                find_partition(found, partition_index).err().unwrap_or(ErrorCode::NONE);
            OffsetCommitResponsePartition { partition_index, error_code }
        });
        response.topics.push(ByTopic { partitions: partitions.collect(), name: topic.name });
    }

    let written = {
        let (mut state, now) = broker.groups.lock();
        let checked = state.coordinator.empty_group(&request.group_id).map(drop);
        checked.map_err(Refusal::from).and_then(|()| state.carry_out(broker, now, effects))
    };
    Groups::respond(broker, written, move |result| {
        if let Err(error_code) = result {
            response = OffsetDeleteResponse { error_code, ..Default::default() };
        }
        call.encode(&response)
    })
}
