//! What administrators ask a cluster: topics, their configuration, groups and how far they lag.
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
use super::cluster::{Cluster, RETRY_BACKOFF, missing};
use super::connection::REQUEST_TIMEOUT;
use super::consumer::committed;
use super::{ClientError, check};
use crate::wire::ErrorCode;
use crate::wire::configs::{
    AlterConfigsResource, AlterableConfig, DELETE, DescribeConfigsRequest, DescribeConfigsResource,
    DescribeConfigsResourceResult, IncrementalAlterConfigsRequest, SET, TOPIC,
};
use crate::wire::group::{DescribeGroupsRequest, DescribedGroup, ListGroupsRequest, ListedGroup};
use crate::wire::list_offsets::LATEST;
use crate::wire::offsets::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use crate::wire::topics::{
    CreatableTopic, CreatableTopicConfig, CreatePartitionsRequest, CreatePartitionsTopic,
    CreateTopicsRequest, DeleteTopicState, DeleteTopicsRequest,
};
use std::collections::BTreeMap;
use std::thread;
use std::time::Instant;

const TIMEOUT_MS: i32 = REQUEST_TIMEOUT.as_millis() as i32;

/// How far a group has read a partition.
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

/// Creates a topic and waits until it can be used. -1 partitions are the broker's default.
pub fn create_topic(
    cluster: &mut Cluster,
    name: &str,
    partitions: i32,
    configs: &[(String, String)],
) -> Result<(), ClientError> {
    let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
        name: name.clone(),
        value: Some(value.clone()),
    });
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: -1,
        configs: configs.collect(),
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: TIMEOUT_MS,
        ..CreateTopicsRequest::default()
    };
    for result in cluster.call(&request)?.topics {
        check(|| format!("topic {name}"), result.error_code, result.error_message)?;
    }

    // In a cluster the brokers hear of it some milliseconds after the controller.
    cluster.forget(name);
    let deadline = Instant::now() + REQUEST_TIMEOUT;
    loop {
        match cluster.partitions(name, false) {
            Err(error) if error.is_retriable() && Instant::now() < deadline => {
                thread::sleep(RETRY_BACKOFF);
            }
            result => return result.map(|_| ()),
        }
    }
}

/// Deletes a topic with all its records.
pub fn delete_topic(cluster: &mut Cluster, name: &str) -> Result<(), ClientError> {
    let topic = DeleteTopicState { name: Some(name.to_owned()), ..DeleteTopicState::default() };
    let request = DeleteTopicsRequest {
        topics: vec![topic],
        topic_names: vec![name.to_owned()],
        timeout_ms: TIMEOUT_MS,
    };
    cluster.forget(name);
    for result in cluster.call(&request)?.responses {
        check(|| format!("topic {name}"), result.error_code, result.error_message)?;
    }
    Ok(())
}

/// Raises the number of partitions of a topic.
pub fn create_partitions(cluster: &mut Cluster, name: &str, count: i32) -> Result<(), ClientError> {
    let topic = CreatePartitionsTopic { name: name.to_owned(), count, assignments: None };
    let request = CreatePartitionsRequest {
        topics: vec![topic],
        timeout_ms: TIMEOUT_MS,
        ..CreatePartitionsRequest::default()
    };
    cluster.forget(name);
    for result in cluster.call(&request)?.results {
        check(|| format!("topic {name}"), result.error_code, result.error_message)?;
    }
    Ok(())
}

/// The configuration of a topic.
pub fn topic_configs(
    cluster: &mut Cluster,
    name: &str,
) -> Result<Vec<DescribeConfigsResourceResult>, ClientError> {
    let resource = DescribeConfigsResource {
        resource_type: TOPIC,
        resource_name: name.to_owned(),
        configuration_keys: None,
    };
    let request =
        DescribeConfigsRequest { resources: vec![resource], ..DescribeConfigsRequest::default() };
    let result = cluster.call(&request)?.results.pop();
    let result = result.ok_or_else(|| missing("the configuration"))?;
    check(|| format!("topic {name}"), result.error_code, result.error_message)?;
    Ok(result.configs)
}

/// Sets configuration values of a topic; a value of `None` is the broker's default again.
pub fn alter_topic(
    cluster: &mut Cluster,
    name: &str,
    changes: Vec<(String, Option<String>)>,
) -> Result<(), ClientError> {
    let changes = changes.into_iter().map(|(name, value)| AlterableConfig {
        name,
        config_operation: if value.is_some() { SET } else { DELETE },
        value,
    });
    let resource = AlterConfigsResource {
        resource_type: TOPIC,
        resource_name: name.to_owned(),
        configs: changes.collect(),
    };
    let request =
        IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    for result in cluster.call(&request)?.responses {
        check(|| format!("topic {name}"), result.error_code, result.error_message)?;
    }
    Ok(())
}

/// The groups of the broker that answers.
pub fn groups(cluster: &mut Cluster) -> Result<Vec<ListedGroup>, ClientError> {
    let response = cluster.call(&ListGroupsRequest::default())?;
    check(|| "the list of groups".to_owned(), response.error_code, None)?;
    Ok(response.groups)
}

/// State and members of a group.
pub fn describe_group(cluster: &mut Cluster, group: &str) -> Result<DescribedGroup, ClientError> {
    let request = DescribeGroupsRequest {
        groups: vec![group.to_owned()],
        ..DescribeGroupsRequest::default()
    };
    let mut found = cluster.call_coordinator(group, &request)?.groups;
    let found = found.pop().ok_or_else(|| missing("the group"))?;
    check(|| format!("group {group}"), found.error_code, found.error_message.clone())?;
    Ok(found)
}

/// The committed offsets of a group beside the ends of the partitions, sorted.
pub fn lag(cluster: &mut Cluster, group: &str) -> Result<Vec<Lag>, ClientError> {
    let offsets = committed(cluster, group, &[])?.into_iter();
    let of = |((topic, partition), committed): (TopicPartition, i64)| {
        let end = cluster.offset_at(&topic, partition, LATEST)?;
        Ok(Lag { topic, partition, committed, end })
    };
    offsets.map(of).collect()
}

/// Commits offsets of a group from outside. The broker refuses while the group has members.
pub fn commit_offsets(
    cluster: &mut Cluster,
    group: &str,
    offsets: &BTreeMap<TopicPartition, i64>,
) -> Result<(), ClientError> {
    let topics = offsets.iter().map(|((topic, partition), offset)| OffsetCommitRequestTopic {
        name: topic.clone(),
        partitions: vec![OffsetCommitRequestPartition {
            partition_index: *partition,
            committed_offset: *offset,
            ..OffsetCommitRequestPartition::default()
        }],
        ..OffsetCommitRequestTopic::default()
    });
    let request = OffsetCommitRequest {
        group_id: group.to_owned(),
        topics: topics.collect(),
        ..OffsetCommitRequest::default()
    };
    for result in
        cluster.call_coordinator(group, &request)?.topics.iter().flat_map(|it| &it.partitions)
    {
        let message = match result.error_code {
            ErrorCode::UNKNOWN_MEMBER_ID => Some("the group has members; stop them first".into()),
            _ => None,
        };
        check(|| format!("group {group}"), result.error_code, message)?;
    }
    Ok(())
}
