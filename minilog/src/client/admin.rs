//! Administration of a cluster: topics and their configuration, groups and their lag.
//!
//! ```no_run
//! use minilog::client::admin;
//! use minilog::client::cluster::Cluster;
//!
//! let mut cluster = Cluster::connect("127.0.0.1:9092", "me")?;
//! admin::create_topic(&mut cluster, "orders", 3, &[("cleanup.policy".into(), "compact".into())])?;
//! for it in admin::lag(&mut cluster, "billing")? {
//!     println!("{}-{}: {} records to go", it.topic, it.partition, it.end - it.committed);
//! }
//! # Ok::<(), minilog::client::ClientError>(())
//! ```
//!
//! Kafka counterpart: `KafkaAdminClient.java`.

use super::batching::TopicPartition;
use super::cluster::Cluster;
use super::member::Member;
use super::{REQUEST_TIMEOUT, Result, check, missing, retry};
use crate::wire::ErrorCode;
use crate::wire::configs::*;
use crate::wire::group::{DescribeGroupsRequest, DescribedGroup, ListGroupsRequest, ListedGroup};
use crate::wire::list_offsets::LATEST;
use crate::wire::offsets::*;
use crate::wire::topics::*;
use std::collections::BTreeMap;

const TIMEOUT_MS: i32 = REQUEST_TIMEOUT.as_millis() as i32;

/// The progress of a group in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next record to process.
    pub committed: i64,
    /// The offset after the last record.
    pub end: i64,
}

/// Creates a topic and waits until it can be used. -1 partitions means the broker's default.
pub fn create_topic(
    cluster: &mut Cluster,
    name: &str,
    num_partitions: i32,
    configs: &[(String, String)],
) -> Result<()> {
    let configs = configs.iter().cloned();
    let configs = configs.map(|(name, value)| CreatableTopicConfig { name, value: Some(value) });
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions,
        replication_factor: -1,
        configs: configs.collect(),
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    for it in cluster.call(&request)?.topics {
        check(format_args!("topic {name}"), it.error_code, it.error_message)?;
    }
    // In a cluster, brokers learn of a new topic some milliseconds after the controller.
    retry(REQUEST_TIMEOUT, || cluster.refresh(name)).map(|_| ())
}

/// Deletes a topic with all its records.
pub fn delete_topic(cluster: &mut Cluster, name: &str) -> Result<()> {
    let topic = DeleteTopicState { name: Some(name.to_owned()), ..Default::default() };
    let (topics, topic_names) = (vec![topic], vec![name.to_owned()]);
    let request = DeleteTopicsRequest { topics, topic_names, timeout_ms: TIMEOUT_MS };
    let mut all = cluster.call(&request)?.responses.into_iter();
    all.try_for_each(|it| check(format_args!("topic {name}"), it.error_code, it.error_message))
}

/// Adds partitions to a topic until it has `count`.
pub fn create_partitions(cluster: &mut Cluster, name: &str, count: i32) -> Result<()> {
    let topics = vec![CreatePartitionsTopic { name: name.to_owned(), count, assignments: None }];
    let (timeout_ms, validate_only) = (TIMEOUT_MS, false);
    let request = CreatePartitionsRequest { topics, timeout_ms, validate_only };
    let mut all = cluster.call(&request)?.results.into_iter();
    all.try_for_each(|it| check(format_args!("topic {name}"), it.error_code, it.error_message))
}

/// The configuration of a topic.
pub fn topic_configs(cluster: &mut Cluster, name: &str) -> Result<Vec<ConfigEntry>> {
    let (resource_type, resource_name, configuration_keys) = (TOPIC, name.to_owned(), None);
    let resource = DescribeConfigsResource { resource_type, resource_name, configuration_keys };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    let result = cluster.call(&request)?.results.pop();
    let result = result.ok_or_else(|| missing("the configuration"))?;
    check(format_args!("topic {name}"), result.error_code, result.error_message)?;
    Ok(result.configs)
}

/// Sets configuration values of a topic. `None` restores the broker's default.
pub fn alter_topic(
    cluster: &mut Cluster,
    name: &str,
    changes: Vec<(String, Option<String>)>,
) -> Result<()> {
    let configs = changes.into_iter().map(|(name, value)| {
        let config_operation = if value.is_some() { SET } else { DELETE };
        AlterableConfig { name, config_operation, value }
    });
    let (resource_type, resource_name, configs) = (TOPIC, name.to_owned(), configs.collect());
    let resource = AlterConfigsResource { resource_type, resource_name, configs };
    let request =
        IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    let mut all = cluster.call(&request)?.responses.into_iter();
    all.try_for_each(|it| check(format_args!("topic {name}"), it.error_code, it.error_message))
}

/// The groups that the bootstrap broker coordinates.
pub fn groups(cluster: &mut Cluster) -> Result<Vec<ListedGroup>> {
    let response = cluster.call(&ListGroupsRequest::default())?;
    check("the list of groups", response.error_code, None)?;
    Ok(response.groups)
}

/// The state and the members of a group.
pub fn describe_group(cluster: &mut Cluster, group: &str) -> Result<DescribedGroup> {
    let request = DescribeGroupsRequest { groups: vec![group.to_owned()], ..Default::default() };
    let found = cluster.call_group(group, &request)?.groups.pop();
    let mut found = found.ok_or_else(|| missing("the group"))?;
    check(format_args!("group {group}"), found.error_code, found.error_message.take())?;
    Ok(found)
}

/// The committed offsets of a group and the ends of its partitions, sorted.
pub fn lag(cluster: &mut Cluster, group: &str) -> Result<Vec<Lag>> {
    let offsets = committed(cluster, group, &[])?.into_iter();
    let lags = offsets.map(|((topic, partition), committed)| {
        let end = cluster.offset_at(&topic, partition, LATEST)?;
        Ok(Lag { topic, partition, committed, end })
    });
    lags.collect()
}

/// The committed offsets of a group, for those of `partitions` that have one; for all if the list
/// is empty.
pub fn committed(
    cluster: &mut Cluster,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<BTreeMap<TopicPartition, i64>> {
    let topics = partitions.iter().map(|(topic, partition)| OffsetFetchRequestTopics {
        name: topic.clone(),
        partition_indexes: vec![*partition],
        ..Default::default()
    });
    let request = OffsetFetchRequest {
        group_id: group.to_owned(),
        topics: (!partitions.is_empty()).then(|| topics.collect()),
        ..Default::default()
    };
    let response = cluster.call_group(group, &request)?;
    check(format_args!("group {group}"), response.error_code, None)?;

    let mut offsets = BTreeMap::new();
    for topic in response.topics {
        for it in topic.partitions {
            check(format_args!("group {group}"), it.error_code, None)?;
            if it.committed_offset >= 0 {
                offsets.insert((topic.name.clone(), it.partition_index), it.committed_offset);
            }
        }
    }
    Ok(offsets)
}

/// Commits offsets of a group, as one of its members or from outside. The broker refuses commits
/// from outside while the group has members.
pub fn commit_offsets(
    cluster: &mut Cluster,
    group: &str,
    member: Option<&Member>,
    offsets: impl IntoIterator<Item = (TopicPartition, i64)>,
) -> Result<()> {
    let topics = offsets.into_iter().map(|((name, partition_index), committed_offset)| {
        let partition = OffsetCommitRequestPartition {
            partition_index,
            committed_offset,
            ..Default::default()
        };
        OffsetTopic { name, partitions: vec![partition], ..Default::default() }
    });
    let request = OffsetCommitRequest {
        group_id: group.to_owned(),
        generation_id_or_member_epoch: member.map_or(-1, |it| it.generation),
        member_id: member.map_or(String::new(), |it| it.id.clone()),
        topics: topics.collect(),
        ..Default::default()
    };
    let response = cluster.call_group(group, &request)?;
    for it in response.topics.iter().flat_map(|it| &it.partitions) {
        let has_members = member.is_none() && it.error_code == ErrorCode::UNKNOWN_MEMBER_ID;
        let message = has_members.then(|| "the group has members; stop them first".to_owned());
        check(format_args!("group {group}"), it.error_code, message)?;
    }
    Ok(())
}
