//! What a client knows about a cluster, and its connections.
//!
//! A client is given one or more addresses and asks any of them for metadata: the brokers, and
//! which of them leads each partition. Records go to the leader; most other requests to any broker.
//!
//! ```text
//! bootstrap   10.0.0.1:9092                        given by the user
//! metadata    broker 1 = 10.0.0.1:9092, broker 2 = 10.0.0.2:9092
//!             orders-0 is led by 2, orders-1 by 1
//! produce     orders-0  ->  10.0.0.2:9092
//! ```
//!
//! The answer can be outdated at any moment: the leader moved, the topic was deleted. Brokers say
//! so with an error ([`is_retriable`]), after which the client asks again
//! ([`Cluster::forget`]).
//!
//! Kafka counterpart: `Metadata.java` and `ConsumerMetadata.java`. Metadata is not refreshed by
//! time (`metadata.max.age.ms`): partitions that are added to a topic are noticed after an error
//! only.

use super::connection::Connection;
use super::{Call, ClientError, check, is_retriable};
use crate::wire::coordinator::{FindCoordinatorRequest, KEY_TYPE_GROUP};
use crate::wire::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use crate::wire::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait before the same request is tried again.
pub const RETRY_BACKOFF: Duration = Duration::from_millis(100);
/// How long to wait for a topic or coordinator that is being created.
const CREATION_TIMEOUT: Duration = Duration::from_secs(15);

/// Connections to the brokers of a cluster.
pub struct Cluster {
    bootstrap: Vec<String>,
    client_id: String,
    /// For requests that any broker answers. A connection of its own, because on those to the
    /// leaders responses to earlier requests may be outstanding.
    any: Option<Connection>,
    connections: HashMap<String, Connection>,
    /// Addresses of the leaders, by topic and partition.
    leaders: HashMap<String, Vec<String>>,
}

impl Cluster {
    /// A cluster that one of `addresses` belongs to: hosts and ports with commas between them.
    /// Connects to one of them.
    pub fn connect(addresses: &str, client_id: &str) -> Result<Cluster, ClientError> {
        let bootstrap = addresses.split(',').map(|it| it.trim().to_owned()).collect();
        let mut cluster = Cluster {
            bootstrap,
            client_id: client_id.to_owned(),
            any: None,
            connections: HashMap::new(),
            leaders: HashMap::new(),
        };
        cluster.any()?;
        Ok(cluster)
    }

    /// Sends a request to a broker that any broker can answer.
    pub fn call<C: Call>(&mut self, request: &C) -> Result<C::Response, ClientError> {
        let result = self.any()?.call(request);
        if result.is_err() {
            self.any = None;
        }
        result
    }

    /// Sends a request to the coordinator of a group.
    pub fn call_coordinator<C: Call>(
        &mut self,
        group: &str,
        request: &C,
    ) -> Result<C::Response, ClientError> {
        let address = self.coordinator(group)?;
        let result = self.connection(&address)?.call(request);
        self.noticed(&address, result)
    }

    /// The connection to an address, opened if there is none.
    pub fn connection(&mut self, address: &str) -> Result<&mut Connection, ClientError> {
        if !self.connections.contains_key(address) {
            let connection = Connection::open(address, &self.client_id)?;
            self.connections.insert(address.to_owned(), connection);
        }
        Ok(self.connections.get_mut(address).expect("it was inserted"))
    }

    /// Passes a result on. After an error the connection is dropped, since responses to earlier
    /// requests may still be on it.
    pub fn noticed<T>(
        &mut self,
        address: &str,
        result: Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        if result.is_err() {
            self.disconnect(address);
        }
        result
    }

    /// Drops the connection to a broker.
    pub fn disconnect(&mut self, address: &str) {
        self.connections.remove(address);
    }

    /// Forgets who leads the partitions of a topic.
    pub fn forget(&mut self, topic: &str) {
        self.leaders.remove(topic);
    }

    /// The number of partitions of a topic.
    pub fn partitions(&mut self, topic: &str, may_create: bool) -> Result<i32, ClientError> {
        Ok(self.leaders_of(topic, may_create)?.len() as i32)
    }

    /// The address of a partition's leader.
    pub fn leader(&mut self, topic: &str, partition: i32) -> Result<String, ClientError> {
        let leaders = self.leaders_of(topic, false)?;
        match leaders.get(usize::try_from(partition).unwrap_or(usize::MAX)) {
            Some(leader) => Ok(leader.clone()),
            None => Err(ClientError::Refused {
                what: format!("partition {partition} of topic {topic}"),
                code: crate::wire::ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                message: Some(format!("the topic has {} partitions", leaders.len())),
            }),
        }
    }

    fn leaders_of(&mut self, topic: &str, may_create: bool) -> Result<&[String], ClientError> {
        let deadline = Instant::now() + CREATION_TIMEOUT;
        while !self.leaders.contains_key(topic) {
            match self.look_up(topic, may_create) {
                Ok(leaders) => drop(self.leaders.insert(topic.to_owned(), leaders)),
                // A topic that is being created has no leader for some milliseconds.
                Err(error) if may_create && error.is_retriable() && Instant::now() < deadline => {
                    thread::sleep(RETRY_BACKOFF);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(&self.leaders[topic])
    }

    fn look_up(&mut self, topic: &str, may_create: bool) -> Result<Vec<String>, ClientError> {
        let mut response = self.metadata(Some(topic), may_create)?;
        let found = response.topics.pop().ok_or_else(|| missing("the topic"))?;
        check(|| format!("topic {topic}"), found.error_code, None)?;

        let mut partitions = found.partitions;
        partitions.sort_by_key(|it| it.partition_index);
        let mut leaders = Vec::with_capacity(partitions.len());
        for (index, partition) in (0..).zip(&partitions) {
            if partition.partition_index != index {
                return Err(missing("a partition"));
            }
            check(|| format!("{topic}-{index}"), partition.error_code, None)?;
            let broker = response.brokers.iter().find(|it| it.node_id == partition.leader_id);
            let broker = broker.ok_or_else(|| missing("the leader's address"))?;
            leaders.push(address(&broker.host, broker.port));
        }
        Ok(leaders)
    }

    /// Asks for brokers, and for one topic or all of them.
    pub fn metadata(
        &mut self,
        topic: Option<&str>,
        may_create: bool,
    ) -> Result<MetadataResponse, ClientError> {
        let of = |name: &str| MetadataRequestTopic {
            name: Some(name.to_owned()),
            ..MetadataRequestTopic::default()
        };
        self.call(&MetadataRequest {
            topics: topic.map(|topic| vec![of(topic)]),
            allow_auto_topic_creation: may_create,
            ..MetadataRequest::default()
        })
    }

    /// The address of a group's coordinator.
    pub fn coordinator(&mut self, group: &str) -> Result<String, ClientError> {
        let request = FindCoordinatorRequest {
            key: group.to_owned(),
            key_type: KEY_TYPE_GROUP,
            ..FindCoordinatorRequest::default()
        };
        let deadline = Instant::now() + CREATION_TIMEOUT;
        loop {
            let found = self.call(&request)?;
            // The first group of a cluster waits until __consumer_offsets has been created.
            if is_retriable(found.error_code) && Instant::now() < deadline {
                thread::sleep(RETRY_BACKOFF);
                continue;
            }
            check(|| format!("group {group}"), found.error_code, found.error_message)?;
            return Ok(address(&found.host, found.port));
        }
    }

    /// The first offset of a partition at or after `timestamp`, which can also be
    /// [`EARLIEST`](crate::wire::list_offsets::EARLIEST) or
    /// [`LATEST`](crate::wire::list_offsets::LATEST). Returns -1 if all records are older.
    pub fn offset_at(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
    ) -> Result<i64, ClientError> {
        let asked = ListOffsetsPartition {
            partition_index: partition,
            timestamp,
            ..ListOffsetsPartition::default()
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic { name: topic.to_owned(), partitions: vec![asked] }],
            ..ListOffsetsRequest::default()
        };
        let leader = self.leader(topic, partition)?;
        let result = self.connection(&leader)?.call(&request);
        let response = self.noticed(&leader, result)?;
        let found = response.topics.first().and_then(|it| it.partitions.first());
        let found = found.ok_or_else(|| missing("the offset"))?;
        if is_retriable(found.error_code) {
            self.forget(topic);
        }
        check(|| format!("{topic}-{partition}"), found.error_code, None)?;
        Ok(found.offset)
    }

    /// A connection to one of the brokers that the user named.
    fn any(&mut self) -> Result<&mut Connection, ClientError> {
        if self.any.is_none() {
            let mut result = Err(ClientError::Malformed("no address".to_owned()));
            for address in &self.bootstrap {
                result = Connection::open(address, &self.client_id);
                if result.is_ok() {
                    break;
                }
            }
            self.any = Some(result?);
        }
        Ok(self.any.as_mut().expect("it was opened"))
    }
}

fn address(host: &str, port: i32) -> String {
    // An IPv6 address needs brackets in front of a port.
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

pub(crate) fn missing(what: &str) -> ClientError {
    ClientError::Malformed(format!("{what} is missing"))
}
