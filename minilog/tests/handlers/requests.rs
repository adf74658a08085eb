//! Answers that were compared with those of Kafka 4.3.

use super::{call, send};
use minikit::storage::SimulatedDisk;
use minilog::format::batch;
use minilog::handlers::{Broker, Step};
use minilog::wire::ErrorCode;
use minilog::wire::fetch::{FetchPartition, FetchRequest, FetchTopic};
use minilog::wire::topics::*;
use std::sync::Arc;

/// A broker whose topic `orders` has one batch of 85 bytes.
fn broker() -> Arc<Broker> {
    let broker = super::broker(&SimulatedDisk::new(1), i64::MAX).expect("a broker");
    let catalog = broker.topics.catalog();
    let orders = catalog.by_name("orders").expect("it");
    let appended = orders.partitions[0].append(&batch::EXAMPLE).expect("a valid batch");
    assert_eq!(appended.base_offset, 0);
    broker
}

/// A fetch from offset 0 of partitions of `orders`, which waits for `min_bytes`.
fn fetch(partitions: &[i32], min_bytes: i32, max_bytes: i32) -> FetchRequest {
    let partitions = partitions.iter().map(|partition| FetchPartition {
        partition: *partition,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    });
    let (topic, partitions) = ("orders".to_owned(), partitions.collect());
    let topics = vec![FetchTopic { topic, partitions, ..FetchTopic::default() }];
    FetchRequest { max_wait_ms: 500, min_bytes, max_bytes, topics, ..FetchRequest::default() }
}

/// Otherwise a consumer of a deleted topic and an idle one would fetch in a busy loop.
#[test]
fn a_missing_partition_does_not_end_the_wait_for_the_others() {
    let waits = |it: FetchRequest| matches!(send(&broker(), 11, &it), Step::Delay(_));
    assert!(waits(fetch(&[0, 7], 1_000, 1 << 20)));
    assert!(!waits(fetch(&[0, 7], 85, 1 << 20)), "there are enough bytes");
    assert!(!waits(fetch(&[7], 1_000, 1 << 20)), "there is nothing to wait for");
    let mut beyond = fetch(&[0], 1_000, 1 << 20);
    beyond.topics[0].partitions[0].fetch_offset = 100;
    assert!(!waits(beyond), "the offset is out of range");
}

/// A fetch must not wait for more bytes than its response may contain.
#[test]
fn min_bytes_above_max_bytes_does_not_wait() {
    let waits = |it: FetchRequest| matches!(send(&broker(), 11, &it), Step::Delay(_));
    assert!(waits(fetch(&[0], 100, 100)));
    assert!(!waits(fetch(&[0], 100, 80)));
}

/// A compacted topic is like a table, whose rows are not deleted by age.
#[test]
fn records_of_a_compacted_topic_cannot_be_deleted_by_offset() {
    let broker = broker();
    for (name, policy) in [("table", "compact"), ("both", "compact,delete")] {
        let config = [("cleanup.policy".to_owned(), policy.to_owned())];
        broker.topics.create(name, 1, config.into()).expect("a new topic");
    }
    let topics = ["orders", "table", "both"].map(|name| ByTopic {
        name: name.to_owned(),
        partitions: vec![DeleteRecordsPartition { partition_index: 0, offset: 0 }],
    });
    let request = DeleteRecordsRequest { topics: topics.into(), ..Default::default() };
    let response: DeleteRecordsResponse = call(&broker, 2, &request);
    let errors = response.topics.iter().map(|it| it.partitions[0].error_code).collect::<Vec<_>>();
    assert_eq!(errors, [ErrorCode::NONE, ErrorCode::POLICY_VIOLATION, ErrorCode::NONE]);
}
