//! Creating, deleting and growing topics, deleting their records, and reporting their size.
//!
//! All but the last block on the disk. The cluster has one node, so a replication factor other than
//! 1 is refused with Kafka's `INVALID_REPLICATION_FACTOR`.
//!
//! # DeleteRecords
//!
//! ```text
//! offsets 0..999 in segments 0, 400, 800;  kafka-delete-records.sh: partition 0, offset 500
//! the log starts at 500; segment 0 is deleted, segment 400 still has 500 to 799
//! ```
//!
//! The new start is written to the checkpoint before the response. Kafka writes it within a minute:
//! after an earlier `kill -9` the deleted records of segment 400 can be read again.
//!
//! Kafka counterpart: `ReplicationControlManager.createTopics`, `ReplicaManager.deleteRecords`.

use super::group::Groups;
use super::group_log::OFFSETS_TOPIC;
use super::parameters::{self, Overrides};
use super::{Broker, Failure, configs, find_partition, find_topic, storage_error};
use crate::engine::log::partition::Partition;
use crate::format::properties::Uuid;
use crate::wire::ErrorCode;
use crate::wire::configs::ConfigEntry;
use crate::wire::topics::*;

const OFFSETS_ARE_INSIDE: &str = "__consumer_offsets is internal: groups store their offsets in it";
const ONE_BROKER: &str = "the cluster has one broker: leave the assignment to it";

/// The error code and message of a response.
pub fn outcome(result: Result<(), Failure>) -> (ErrorCode, Option<String>) {
    result.map_or_else(|it| (it.error_code, Some(it.text)), |()| (ErrorCode::NONE, None))
}

pub fn create_topics(broker: &Broker, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        create(broker, &topic, request.validate_only).unwrap_or_else(|it| {
            let (name, error_code, error_message) = (topic.name, it.error_code, Some(it.text));
            CreatableTopicResult { name, error_code, error_message, ..Default::default() }
        })
    });
    CreateTopicsResponse { topics: topics.collect(), ..Default::default() }
}

fn create(
    broker: &Broker,
    wanted: &CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, Failure> {
    if wanted.name == OFFSETS_TOPIC {
        return Err(Failure::new(ErrorCode::INVALID_TOPIC_EXCEPTION, OFFSETS_ARE_INSIDE));
    }
    if ![-1, 1].contains(&wanted.replication_factor) {
        let text = "the cluster has one broker, so the replication factor must be 1";
        return Err(Failure::new(ErrorCode::INVALID_REPLICATION_FACTOR, text));
    }
    if !wanted.assignments.is_empty() {
        return Err(Failure::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, ONE_BROKER));
    }

    let name = &wanted.name;
    let default = broker.num_partitions;
    let partitions = if wanted.num_partitions == -1 { default } else { wanted.num_partitions };
    let mut overrides = Overrides::default();
    for config in &wanted.configs {
        let value = config.value.as_deref().unwrap_or_default();
        parameters::set(&mut overrides, &config.name, value)?;
    }
    let configs = configs::topic_values(&overrides, &broker.topics.config);
    let topic_id = if validate_only {
        broker.topics.check_new(name, partitions, &overrides).map(|()| Uuid::default())?
    } else {
        broker.topics.create(name, partitions, overrides)?.id
    };

    let configs = configs.into_iter().map(|ConfigEntry { name, value, config_source, .. }| {
        CreatableTopicConfigs { name, value, config_source, ..Default::default() }
    });
    Ok(CreatableTopicResult {
        name: name.clone(),
        topic_id,
        num_partitions: partitions,
        replication_factor: 1,
        configs: Some(configs.collect()),
        ..Default::default()
    })
}

pub fn delete_topics(broker: &Broker, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let by_name = request.topic_names.into_iter();
    let by_name = by_name.map(|it| DeleteTopicState { name: Some(it), ..Default::default() });
    let wanted = request.topics.into_iter().chain(by_name);
    let mut responses = wanted.map(|it| find_deletable(broker, it)).collect::<Vec<_>>();

    // Delete all of them at once, to share the syncs.
    let found = responses.iter_mut().filter(|it| !it.error_code.is_error()).collect::<Vec<_>>();
    let names = found.iter().filter_map(|it| it.name.clone()).collect::<Vec<_>>();
    let deleted = broker.topics.delete(&names);
    for ((response, name), deleted) in found.into_iter().zip(&names).zip(deleted) {
        match deleted {
            // If the log of the groups has failed, the offsets stay until they expire.
            Ok(()) => drop(Groups::event(broker, |it, _, out| it.delete_topic(name, out))),
            failed => (response.error_code, response.error_message) = outcome(failed),
        }
    }
    DeleteTopicsResponse { responses, ..Default::default() }
}

/// The response for a topic, with an error if it cannot be deleted.
fn find_deletable(broker: &Broker, wanted: DeleteTopicState) -> DeletableTopicResult {
    let catalog = broker.topics.catalog();
    let name = wanted.name.as_deref().unwrap_or_default();
    let (error_code, error_message) = match find_topic(&catalog, name, wanted.topic_id) {
        Ok(topic) if topic.name != OFFSETS_TOPIC => {
            let (name, topic_id) = (Some(topic.name.clone()), topic.id);
            return DeletableTopicResult { name, topic_id, ..Default::default() };
        }
        Ok(_) => (ErrorCode::INVALID_TOPIC_EXCEPTION, Some(OFFSETS_ARE_INSIDE.to_owned())),
        Err(error_code) => (error_code, None),
    };
    let DeleteTopicState { name, topic_id } = wanted;
    DeletableTopicResult { name, topic_id, error_code, error_message }
}

pub fn create_partitions(
    broker: &Broker,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let results = request.topics.into_iter().map(|it| {
        let added = match it.assignments {
            _ if it.name == OFFSETS_TOPIC => {
                Err(Failure::new(ErrorCode::INVALID_TOPIC_EXCEPTION, OFFSETS_ARE_INSIDE))
            }
            Some(_) => Err(Failure::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, ONE_BROKER)),
            None => broker.topics.add_partitions(&it.name, it.count, request.validate_only),
        };
        let (error_code, error_message) = outcome(added);
        CreatePartitionsTopicResult { name: it.name, error_code, error_message }
    });
    CreatePartitionsResponse { results: results.collect(), throttle_time_ms: 0 }
}

pub fn delete_records(broker: &Broker, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let catalog = broker.topics.catalog();
    let mut response = DeleteRecordsResponse::default();
    for ByTopic { name, partitions } in request.topics {
        let found = match name.as_str() {
            OFFSETS_TOPIC => Err(ErrorCode::INVALID_TOPIC_EXCEPTION),
            name => find_topic(&catalog, name, Uuid::default()),
        };
        let partitions = partitions.iter().map(|wanted| {
            let partition_index = wanted.partition_index;
            let deleted = find_partition(found, partition_index).and_then(|it| {
                if !it.with_log(|log| log.config.cleanup.deletes) {
                    return Err(ErrorCode::POLICY_VIOLATION);
                }
                it.delete_records_before(wanted.offset).ok_or(ErrorCode::OFFSET_OUT_OF_RANGE)
            });
            let error_code = deleted.err().unwrap_or(ErrorCode::NONE);
            let low_watermark = deleted.unwrap_or(-1);
            DeleteRecordsPartitionResult { partition_index, low_watermark, error_code }
        });
        response.topics.push(ByTopic { partitions: partitions.collect(), name });
    }

    // Make the new starts durable first, then delete files: a crash must not bring records back.
    let written = broker.topics.write_checkpoints();
    let now = (broker.groups.now)().timestamp;
    let delete = |it: &Partition| it.delete_old_segments(now).map(drop);
    if let Err(error) = written.and_then(|()| broker.topics.each_partition(delete)) {
        let error_code = storage_error(&error);
        let results = response.topics.iter_mut().flat_map(|it| &mut it.partitions);
        results.for_each(|it| it.error_code = error_code);
    }
    response
}

/// The size of partitions on the disk, for `kafka-log-dirs.sh`.
pub fn describe_log_dirs(
    broker: &Broker,
    request: &DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let catalog = broker.topics.catalog();
    let is_wanted = |name: &str, number: i32| match &request.topics {
        None => true,
        Some(topics) => topics.iter().any(|it| it.topic == name && it.partitions.contains(&number)),
    };
    let topics = catalog.topics().map(|topic| {
        let partitions = (0..).zip(&topic.partitions).filter(|it| is_wanted(&topic.name, it.0));
        let partitions = partitions.map(|(partition_index, it)| {
            let partition_size = it.with_log(|log| log.size() as i64);
            DescribeLogDirsPartition { partition_index, partition_size, ..Default::default() }
        });
        ByTopic { name: topic.name.clone(), partitions: partitions.collect() }
    });
    let topics = topics.filter(|it| !it.partitions.is_empty()).collect();
    let log_dir = broker.data_dir.clone();
    let results = vec![DescribeLogDirsResult { log_dir, topics, ..Default::default() }];
    DescribeLogDirsResponse { results, ..Default::default() }
}
