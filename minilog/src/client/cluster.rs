//! A client's metadata of a cluster, and its connections to the brokers.
//!
//! The user gives a client one address. There it asks for metadata: the brokers, and which of them
//! leads each partition. Produce and Fetch go to the leader, most other requests to any broker.
//!
//! ```text
//! bootstrap   10.0.0.1:9092                        given by the user
//! metadata    broker 1 = 10.0.0.1:9092, broker 2 = 10.0.0.2:9092
//!             orders-0 is led by 2, orders-1 by 1
//! produce     orders-0  ->  10.0.0.2:9092
//! ```
//!
//! Metadata can become outdated at any time: the leader moves, the topic is deleted. Then a broker
//! answers with an error ([`ClientError::is_retriable`]), and the client asks for metadata again.
//!
//! Kafka counterpart: `Metadata.java` and `ConsumerMetadata.java`. Metadata does not expire
//! (`metadata.max.age.ms`): the client notices added partitions only after an error.

use super::connection::Connection;
use super::{ClientError, REQUEST_TIMEOUT, Result, check, missing, retry};
use crate::wire::group::{FindCoordinatorRequest, KEY_TYPE_GROUP};
use crate::wire::list_offsets::{ListOffsetsPartition, ListOffsetsRequest};
use crate::wire::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use crate::wire::topics::ByTopic;
use crate::wire::{ErrorCode, RequestBody};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Connections to the brokers of a cluster.
#[derive(Default)]
pub struct Cluster {
    bootstrap: String,
    client_id: String,
    connections: HashMap<String, Connection>,
    /// Addresses of the leaders, by topic and partition.
    leaders: HashMap<String, Vec<String>>,
    /// True for producers: a Metadata request then creates missing topics, if the broker allows it.
    pub(super) creates_topics: bool,
}

impl Cluster {
    /// Connects to the broker at `bootstrap`, a host and a port.
    pub fn connect(bootstrap: &str, client_id: &str) -> Result<Cluster> {
        let (bootstrap, client_id) = (bootstrap.to_owned(), client_id.to_owned());
        let mut cluster = Cluster { bootstrap, client_id, ..Default::default() };
        cluster.connection(&cluster.bootstrap.clone())?;
        Ok(cluster)
    }

    /// Sends a request that any broker can answer.
    pub fn call<C: RequestBody>(&mut self, request: &C) -> Result<C::Response> {
        self.call_at(&self.bootstrap.clone(), request)
    }

    /// Sends a request to the broker at `address`. There must be no pending response from it.
    pub fn call_at<C: RequestBody>(&mut self, address: &str, request: &C) -> Result<C::Response> {
        self.connection(address)?.call(request).inspect_err(|_| self.disconnect())
    }

    /// Sends a request to the coordinator of a group.
    pub fn call_group<C: RequestBody>(&mut self, group: &str, request: &C) -> Result<C::Response> {
        let address = self.coordinator(group)?;
        self.call_at(&address, request)
    }

    /// The connection to an address. Opens it if there is none.
    pub fn connection(&mut self, address: &str) -> Result<&mut Connection> {
        match self.connections.entry(address.to_owned()) {
            Entry::Occupied(open) => Ok(open.into_mut()),
            Entry::Vacant(none) => Ok(none.insert(Connection::open(address, &self.client_id)?)),
        }
    }

    /// Drops all connections and the known leaders. After an error there may be pending responses,
    /// and the leaders may have changed.
    pub fn disconnect(&mut self) {
        self.connections.clear();
        self.leaders.clear();
    }

    /// Asks for the brokers, and for one topic or all topics.
    pub fn metadata(&mut self, topic: Option<&str>) -> Result<MetadataResponse> {
        let named = |it: &str| MetadataRequestTopic { name: Some(it.into()), ..Default::default() };
        let topics = topic.map(|it| vec![named(it)]);
        let allow_auto_topic_creation = self.creates_topics;
        self.call(&MetadataRequest { topics, allow_auto_topic_creation, ..Default::default() })
    }

    /// Refreshes the leaders of a topic's partitions. Returns the number of partitions.
    pub fn refresh(&mut self, topic: &str) -> Result<i32> {
        let mut response = self.metadata(Some(topic))?;
        let mut found = response.topics.pop().ok_or_else(|| missing("the topic"))?;
        check(format_args!("topic {topic}"), found.error_code, None)?;

        found.partitions.sort_by_key(|it| it.partition_index);
        let mut leaders = Vec::with_capacity(found.partitions.len());
        for (index, partition) in (0..).zip(&found.partitions) {
            check(format_args!("{topic}-{index}"), partition.error_code, None)?;
            let broker = response.brokers.iter().find(|it| it.node_id == partition.leader_id);
            let broker = broker.filter(|_| partition.partition_index == index);
            let broker = broker.ok_or_else(|| missing("the leader of a partition"))?;
            leaders.push(address(&broker.host, broker.port));
        }
        let count = leaders.len() as i32;
        self.leaders.insert(topic.to_owned(), leaders);
        Ok(count)
    }

    /// The number of partitions of a topic, from the metadata if known.
    pub fn partitions(&mut self, topic: &str) -> Result<i32> {
        let known = self.leaders.get(topic).map(|it| it.len() as i32);
        known.map_or_else(|| self.refresh(topic), Ok)
    }

    /// The address of a partition's leader.
    pub fn leader(&mut self, topic: &str, partition: i32) -> Result<String> {
        let count = self.partitions(topic)?;
        let leader = self.leaders[topic].get(partition as usize).cloned();
        leader.ok_or_else(|| ClientError::Refused {
            what: format!("partition {partition} of topic {topic}"),
            code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            message: Some(format!("the topic has {count} partitions")),
        })
    }

    /// The address of a group's coordinator.
    pub fn coordinator(&mut self, group: &str) -> Result<String> {
        let (key, key_type) = (group.to_owned(), KEY_TYPE_GROUP);
        let request = FindCoordinatorRequest { key, key_type, ..Default::default() };
        // The first group of a cluster must wait until __consumer_offsets has been created.
        retry(REQUEST_TIMEOUT, || {
            let found = self.call(&request)?;
            check(format_args!("group {group}"), found.error_code, found.error_message)?;
            Ok(address(&found.host, found.port))
        })
    }

    /// The first offset of a partition at or after `timestamp`, which can also be
    /// [`EARLIEST`](crate::wire::list_offsets::EARLIEST) or
    /// [`LATEST`](crate::wire::list_offsets::LATEST). Returns -1 if all records are older.
    pub fn offset_at(&mut self, topic: &str, partition: i32, timestamp: i64) -> Result<i64> {
        let asked =
            ListOffsetsPartition { partition_index: partition, timestamp, ..Default::default() };
        let topics = vec![ByTopic { name: topic.to_owned(), partitions: vec![asked] }];
        let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
        let leader = self.leader(topic, partition)?;
        let response = self.call_at(&leader, &request)?;
        let found = response.topics.first().and_then(|it| it.partitions.first());
        let found = found.ok_or_else(|| missing("the offset"))?;
        check(format_args!("{topic}-{partition}"), found.error_code, None)
            .inspect_err(|_| self.disconnect())?;
        Ok(found.offset)
    }
}

fn address(host: &str, port: i32) -> String {
    // An IPv6 address must be in brackets before a port.
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
