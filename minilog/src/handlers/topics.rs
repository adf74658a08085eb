//! Creating, deleting and describing topics.
//!
//! Creating and deleting block on the disk, so both give [`Step::Blocking`]. A topic can have any
//! number of partitions and one replica: this is a cluster of one node, and says so with Kafka's
//! own error. Configuration values of a topic are refused until they are kept over a restart.
//!
//! Kafka counterpart: `ReplicationControlManager.createTopics`.

use super::{Broker, Call, Step, find_topic};
use crate::engine::log::log::LogConfig;
use crate::engine::topics::TopicError;
use crate::wire::ErrorCode;
use crate::wire::configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, SOURCE_DEFAULT, TOPIC,
};
use crate::wire::topics::{
    CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use std::sync::Arc;

/// Creates topics.
pub(super) fn create_topics(
    broker: &Arc<Broker>,
    call: Call,
    request: CreateTopicsRequest,
) -> Step {
    let broker = Arc::clone(broker);
    Step::Blocking(Box::new(move || {
        let topics =
            request.topics.iter().map(|topic| create(&broker, topic, request.validate_only));
        let topics = topics.collect();
        call.encode(&CreateTopicsResponse { topics, ..CreateTopicsResponse::default() })
    }))
}

fn create(broker: &Broker, wanted: &CreatableTopic, validate_only: bool) -> CreatableTopicResult {
    let mut result = CreatableTopicResult {
        name: wanted.name.clone(),
        num_partitions: if wanted.num_partitions < 0 {
            broker.settings.num_partitions
        } else {
            wanted.num_partitions
        },
        replication_factor: 1,
        configs: Some(Vec::new()),
        ..CreatableTopicResult::default()
    };
    let refuse = |error_code, text: &str| CreatableTopicResult {
        name: wanted.name.clone(),
        error_code,
        error_message: Some(text.to_owned()),
        ..CreatableTopicResult::default()
    };

    if ![-1, 1].contains(&wanted.replication_factor) {
        let text = "the cluster has one broker, so the replication factor must be 1";
        return refuse(ErrorCode::INVALID_REPLICATION_FACTOR, text);
    }
    if !wanted.assignments.is_empty() {
        let text = "the cluster has one broker: leave the assignment to it";
        return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, text);
    }
    if let Some(config) = wanted.configs.first() {
        let text = format!("{}: configuration of a topic is not supported", config.name);
        return refuse(ErrorCode::INVALID_CONFIG, &text);
    }
    if validate_only {
        let exists = broker.topics.catalog().by_name(&wanted.name).is_some();
        return if exists { refuse(ErrorCode::TOPIC_ALREADY_EXISTS, "it exists") } else { result };
    }

    let (log, random) = (broker.topics.config().log.clone(), broker.settings.random);
    match broker.topics.create(&wanted.name, result.num_partitions, log, random()) {
        Ok(topic) => {
            result.topic_id = topic.id;
            result
        }
        Err(error) => {
            let (error_code, text) = explain(&error, &wanted.name);
            refuse(error_code, &text)
        }
    }
}

/// Deletes topics.
pub(super) fn delete_topics(
    broker: &Arc<Broker>,
    call: Call,
    request: DeleteTopicsRequest,
) -> Step {
    let broker = Arc::clone(broker);
    Step::Blocking(Box::new(move || {
        let by_name = request.topic_names.into_iter();
        let by_name =
            by_name.map(|it| DeleteTopicState { name: Some(it), ..DeleteTopicState::default() });
        let responses = request.topics.into_iter().chain(by_name).map(|it| delete(&broker, it));
        let responses = responses.collect();
        call.encode(&DeleteTopicsResponse { responses, ..DeleteTopicsResponse::default() })
    }))
}

fn delete(broker: &Broker, wanted: DeleteTopicState) -> DeletableTopicResult {
    let catalog = broker.topics.catalog();
    let name = wanted.name.as_deref().unwrap_or_default();
    let deleted = match find_topic(&catalog, name, wanted.topic_id) {
        Err(error_code) => Err((error_code, error_code.to_string())),
        Ok(topic) => broker.topics.delete(&topic.name).map_err(|error| explain(&error, name)),
    };
    match deleted {
        Ok(topic) => DeletableTopicResult {
            name: Some(topic.name.clone()),
            topic_id: topic.id,
            ..DeletableTopicResult::default()
        },
        Err((error_code, text)) => DeletableTopicResult {
            name: wanted.name,
            topic_id: wanted.topic_id,
            error_code,
            error_message: Some(text),
        },
    }
}

fn explain(error: &TopicError, name: &str) -> (ErrorCode, String) {
    match error {
        TopicError::Exists => {
            (ErrorCode::TOPIC_ALREADY_EXISTS, format!("Topic '{name}' already exists."))
        }
        TopicError::Unknown => {
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("there is no topic '{name}'"))
        }
        TopicError::InvalidName => {
            let text = "a topic is named by up to 249 letters, digits, '.', '_' and '-'";
            (ErrorCode::INVALID_TOPIC_EXCEPTION, text.to_owned())
        }
        TopicError::InvalidPartitions => {
            let text = "a topic has between 1 and 10,000 partitions";
            (ErrorCode::INVALID_PARTITIONS, text.to_owned())
        }
        TopicError::Storage(error) => (ErrorCode::KAFKA_STORAGE_ERROR, error.to_string()),
    }
}

/// The configuration of topics, for `kafka-topics --describe`.
pub(super) fn describe_configs(
    broker: &Broker,
    call: Call,
    request: &DescribeConfigsRequest,
) -> Step {
    let results = request.resources.iter().map(|resource| describe(broker, resource));
    let results = results.collect();
    call.respond(&DescribeConfigsResponse { results, ..DescribeConfigsResponse::default() })
}

fn describe(broker: &Broker, resource: &DescribeConfigsResource) -> DescribeConfigsResult {
    let mut result = DescribeConfigsResult {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        ..DescribeConfigsResult::default()
    };
    let catalog = broker.topics.catalog();
    if resource.resource_type != TOPIC {
        return result;
    }
    let Some(topic) = catalog.by_name(&resource.resource_name) else {
        result.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        return result;
    };

    let config = topic.partitions[0].with_log(|log| log.config().clone());
    let wanted = |name: &str| match &resource.configuration_keys {
        Some(keys) => keys.iter().any(|it| it == name),
        None => true,
    };
    let values = values(&config).into_iter().filter(|(name, _)| wanted(name));
    let values = values.map(|(name, value)| DescribeConfigsResourceResult {
        name: name.to_owned(),
        value: Some(value),
        config_source: SOURCE_DEFAULT,
        read_only: true,
        ..DescribeConfigsResourceResult::default()
    });
    result.configs = values.collect();
    result
}

/// Every value by Kafka's name. -1 is no limit.
fn values(config: &LogConfig) -> [(&'static str, String); 7] {
    let or_none = |value: Option<i64>| value.unwrap_or(-1).to_string();
    [
        ("cleanup.policy", "delete".to_owned()),
        ("index.interval.bytes", config.index_interval_bytes.to_string()),
        ("max.message.bytes", config.message_bytes_max.to_string()),
        ("retention.bytes", or_none(config.retention_bytes.map(|it| it as i64))),
        ("retention.ms", or_none(config.retention_ms)),
        ("segment.bytes", config.segment_bytes.to_string()),
        ("segment.ms", config.segment_ms.to_string()),
    ]
}
