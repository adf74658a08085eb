//! ApiVersions, Metadata and DescribeCluster, which a client sends first: the supported requests,
//! the topics, and the broker that has them.
//!
//! There is one broker, so it leads every partition. A Metadata request creates the missing topics
//! that it names, if both the client and the broker allow it (`allow_auto_topic_creation`,
//! `auto.create.topics.enable`). This is how the first `kcat -P` to a new topic works.
//!
//! Kafka counterpart: `KafkaApis.handleTopicMetadataRequest`, `AutoTopicCreationManager`.

use super::catalog::{Catalog, Topic};
use super::group_log::OFFSETS_TOPIC;
use super::parameters::Overrides;
use super::{Broker, Call, Step};
use crate::format::names::is_topic_name;
use crate::format::properties::Uuid;
use crate::wire::api_versions::*;
use crate::wire::metadata::*;
use crate::wire::{APIS, ErrorCode};
use std::sync::Arc;

/// Lists the supported requests and their versions.
pub fn api_versions(version: i16, request: &ApiVersionsRequest) -> ApiVersionsResponse {
    let names = [&request.client_software_name, &request.client_software_version];
    if version >= 3 && !names.iter().all(|name| is_software_name(name)) {
        let error_code = ErrorCode::INVALID_REQUEST;
        return ApiVersionsResponse { error_code, ..Default::default() };
    }
    let api_keys = APIS.iter().map(advertised).collect();
    ApiVersionsResponse { api_keys, ..Default::default() }
}

/// Describes the broker and topics. Creates missing topics, on a thread that may block.
pub fn metadata(broker: &Arc<Broker>, call: Call, request: MetadataRequest) -> Step {
    let missing = missing_topics(broker, call, &request);
    if missing.is_empty() {
        return call.respond(&describe(broker, call, &request));
    }

    call.blocking(broker, move |broker| {
        for name in missing {
            // If this fails the topic is still missing, and the response says so. If another client
            // has created it meanwhile, the response is the same as if this had succeeded.
            let count = broker.num_partitions;
            let _ = broker.topics.create(&name, count, Overrides::default());
        }
        describe(broker, call, &request)
    })
}

/// The names of the topics to create.
fn missing_topics(broker: &Broker, call: Call, request: &MetadataRequest) -> Vec<String> {
    let catalog = broker.topics.catalog();
    let allowed =
        broker.auto_create_topics && (request.allow_auto_topic_creation || call.version < 4);
    let topics = request.wanted(call.version).unwrap_or_default();
    let is_missing = |name: &String| {
        is_topic_name(name) && name != OFFSETS_TOPIC && catalog.by_name(name).is_none()
    };
    let names = topics.iter().filter_map(|it| it.name.clone());
    names.filter(|it| allowed && is_missing(it)).collect()
}

fn describe(broker: &Broker, call: Call, request: &MetadataRequest) -> MetadataResponse {
    let catalog = broker.topics.catalog();
    let (host, port) = broker.address();
    let node_id = broker.topics.meta.node_id;
    let topics = match request.wanted(call.version) {
        None => catalog.topics().map(|topic| describe_topic(topic, node_id)).collect(),
        Some(topics) => topics.iter().map(|it| describe_wanted(&catalog, it, node_id)).collect(),
    };
    MetadataResponse {
        brokers: vec![MetadataResponseBroker { node_id, host, port, rack: None }],
        cluster_id: Some(broker.topics.meta.cluster_id.clone()),
        controller_id: node_id,
        topics,
        ..Default::default()
    }
}

fn describe_wanted(
    catalog: &Catalog,
    wanted: &MetadataRequestTopic,
    node_id: i32,
) -> MetadataResponseTopic {
    let (topic, error_code) = match &wanted.name {
        Some(name) if !is_topic_name(name) => (None, ErrorCode::INVALID_TOPIC_EXCEPTION),
        Some(name) => (catalog.by_name(name), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        None => (catalog.by_id(wanted.topic_id), ErrorCode::UNKNOWN_TOPIC_ID),
    };
    match topic {
        Some(topic) => describe_topic(topic, node_id),
        None => MetadataResponseTopic {
            error_code,
            name: wanted.name.clone(),
            topic_id: if wanted.name.is_some() { Uuid::default() } else { wanted.topic_id },
            ..Default::default()
        },
    }
}

fn describe_topic(topic: &Topic, node_id: i32) -> MetadataResponseTopic {
    let partitions =
        topic.partitions.iter().enumerate().map(|(number, partition)| MetadataResponsePartition {
            partition_index: number as i32,
            leader_id: node_id,
            leader_epoch: partition.offsets().leader_epoch,
            replica_nodes: vec![node_id],
            isr_nodes: vec![node_id],
            ..Default::default()
        });
    MetadataResponseTopic {
        name: Some(topic.name.clone()),
        topic_id: topic.id,
        is_internal: topic.name == OFFSETS_TOPIC,
        partitions: partitions.collect(),
        ..Default::default()
    }
}

/// Describes the broker, for admin clients.
pub fn describe_cluster(broker: &Broker) -> DescribeClusterResponse {
    let (host, port) = broker.address();
    let broker_id = broker.topics.meta.node_id;
    let node = DescribeClusterBroker { broker_id, host, port, ..Default::default() };
    DescribeClusterResponse {
        cluster_id: broker.topics.meta.cluster_id.clone(),
        controller_id: broker_id,
        brokers: vec![node],
        ..Default::default()
    }
}
