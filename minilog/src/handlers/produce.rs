//! Produce: appending batches, and answering when they are as durable as the topic promises.
//!
//! With `acks=1` the answer means that the leader has appended the batch, with `acks=all` (-1) that
//! every in-sync replica has. On a single node these are the same: there is no other replica to
//! wait for. If the topic has `flush.messages` N, an append that leaves N or more records not
//! durable is answered after the next flush. With `acks=0` the client wants no answer, so the
//! broker can report an error only by closing the connection.
//!
//! An error concerns one partition. The other batches of the request are appended.
//!
//! Kafka counterpart: `KafkaApis.handleProduceRequest`, `ReplicaManager.appendRecords`.

use super::group_log::OFFSETS_TOPIC;
use super::{Broker, Call, Delayed, Found, Step, find_partition, find_topic, storage_error};
use crate::engine::log::log::AppendError;
use crate::engine::log::partition::Partition;
use crate::engine::log::producers::SequenceError::{OldEpoch, OutOfOrder};
use crate::wire::ErrorCode;
use crate::wire::codec::{Frame, Records};
use crate::wire::produce::*;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A response that waits until the batches that it acknowledges are durable.
struct DelayedProduce {
    call: Call,
    response: ProduceResponse,
    timeout: Duration,
    needed: Vec<Needed>,
}

/// A batch that is appended but not durable yet.
struct Needed {
    partition: Arc<Partition>,
    /// The recovery point that covers the batch.
    recovery_point: i64,
    /// The indexes of its topic and its partition in the response.
    result: (usize, usize),
}

/// Handles Produce: appends the batches of a request.
pub(super) fn produce(broker: &Arc<Broker>, call: Call, request: ProduceRequest) -> Step {
    let catalog = broker.topics.catalog();
    let refused = match (&request.transactional_id, request.acks) {
        (Some(_), _) => Some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        (None, -1..=1) => None,
        (None, _) => Some(ErrorCode::INVALID_REQUIRED_ACKS),
    };

    let now = (broker.groups.now)().timestamp;
    let (mut response, mut needed) = (ProduceResponse::default(), Vec::new());
    for (topic_index, topic) in request.topic_data.into_iter().enumerate() {
        let found = find_topic(&catalog, &topic.name, topic.topic_id);
        let refused = match found {
            Ok(found) if found.name == OFFSETS_TOPIC => Some(ErrorCode::INVALID_TOPIC_EXCEPTION),
            _ => refused,
        };
        let partitions = topic.partition_data.into_iter().enumerate().map(|(index, data)| {
            let partition = refused.map_or(find_partition(found, data.index), Err);
            append(partition, &data, now, (topic_index, index), &mut needed)
        });
        response.responses.push(TopicProduceResponse {
            partition_responses: partitions.collect(),
            name: topic.name,
            topic_id: topic.topic_id,
        });
    }

    if request.acks == 0 {
        let results = response.responses.iter().flat_map(|it| &it.partition_responses);
        let error = results.map(|it| it.error_code).find(|it| it.is_error());
        let needs_flush = !needed.is_empty();
        let silent = Step::Silent { needs_flush };
        return error.map_or(silent, |it| Step::Close(format!("{it} with acks=0")));
    }
    if needed.is_empty() {
        return call.respond(&response);
    }
    let timeout = Duration::from_millis(request.timeout_ms.max(0) as u64);
    Step::Delay(Box::new(DelayedProduce { call, response, timeout, needed }))
}

fn append(
    partition: Found<'_, Partition>,
    data: &PartitionProduceData,
    now: i64,
    result: (usize, usize),
    needed: &mut Vec<Needed>,
) -> PartitionProduceResponse {
    let mut response =
        PartitionProduceResponse { index: data.index, base_offset: -1, ..Default::default() };
    let partition = match partition {
        Ok(partition) => partition,
        Err(error) => return PartitionProduceResponse { error_code: error, ..response },
    };

    let records = data.records.as_ref().and_then(Records::bytes);
    match partition.append_at(records.map(|it| &it[..]).unwrap_or_default(), Some(now)) {
        Ok(appended) => {
            response.base_offset = appended.base_offset;
            response.log_start_offset = partition.offsets().log_start_offset;
            if appended.needs_flush {
                let recovery_point = appended.last_offset + 1;
                needed.push(Needed { partition: Arc::clone(partition), recovery_point, result });
            }
        }
        Err(error) => {
            response.error_code = error_code(&error);
            response.error_message = Some(error.to_string());
        }
    }
    response
}

fn error_code(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Batch(_) => ErrorCode::CORRUPT_MESSAGE,
        AppendError::InvalidRecord(_) => ErrorCode::INVALID_RECORD,
        AppendError::Timestamp(_) => ErrorCode::INVALID_TIMESTAMP,
        AppendError::TooLarge(_) => ErrorCode::MESSAGE_TOO_LARGE,
        AppendError::Sequence(OutOfOrder { .. }) => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        AppendError::Sequence(OldEpoch { .. }) => ErrorCode::INVALID_PRODUCER_EPOCH,
        AppendError::Storage(error) => storage_error(error),
    }
}

impl Delayed for DelayedProduce {
    /// Ready once every batch is durable, or never will be because its log has failed.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Frame> {
        let poll = |it: &Needed| it.partition.poll_durable(it.recovery_point, context.waker());
        self.needed.retain(|it| poll(it) != Poll::Ready(true));
        if self.needed.iter().any(|it| poll(it).is_pending()) {
            return Poll::Pending;
        }
        Poll::Ready(self.fail(ErrorCode::KAFKA_STORAGE_ERROR))
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The batches are appended and may still become durable, as after any timeout in Kafka.
    fn finish(&mut self) -> Frame {
        self.fail(ErrorCode::REQUEST_TIMED_OUT)
    }

    fn needs_flush(&self) -> bool {
        true
    }
}

impl DelayedProduce {
    /// The response, with this error for the batches that are not durable.
    fn fail(&mut self, error_code: ErrorCode) -> Frame {
        for needed in &self.needed {
            let (topic, partition) = needed.result;
            let result = &mut self.response.responses[topic].partition_responses[partition];
            result.error_code = error_code;
        }
        self.call.encode(&self.response)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::engine::group::coordinator::GroupConfig;
    use crate::engine::group::events::Now;
    use crate::engine::log::config::LogConfig;
    use crate::engine::log::log::Log;
    use crate::format::batch::{self, BatchHeader};
    use crate::format::record::{Record, batch_of};
    use crate::handlers::catalog::Topics;
    use crate::handlers::group::Groups;
    use crate::handlers::parameters::Overrides;
    use crate::handlers::producer_ids::ProducerIds;
    use crate::wire::decode_response;
    use crate::wire::fetch::{FetchPartition, FetchRequest, FetchTopic};
    use crate::wire::produce::TopicProduceData;
    use bytes::Bytes;
    use minikit::storage::{Disk, Faults, SimulatedDisk};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    /// A minute after the timestamp of the example batch.
    const NOW: Now = Now { monotonic: 0, timestamp: 1_795_337_147_207 };

    /// A broker with `--sync always` and the topic `orders`.
    fn broker(disk: &SimulatedDisk) -> Arc<Broker> {
        let config = LogConfig { flush_messages: 1, ..Default::default() };
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let (topics, _) = Topics::open(Arc::clone(&shared), config, || [3; 16]).unwrap();
        topics.create("orders", 1, Overrides::default()).unwrap();
        Arc::new(Broker {
            topics,
            auto_create_topics: false,
            num_partitions: 1,
            data_dir: String::new(),
            producer_ids: ProducerIds::new(shared),
            groups: Groups::new(GroupConfig::default(), || NOW),
            advertised: OnceLock::new(),
        })
    }

    /// Sends one batch, which must wait for the flush.
    fn send(broker: &Arc<Broker>) -> Box<dyn Delayed> {
        let records = Some(Records::Bytes(Bytes::from_static(&batch::EXAMPLE)));
        let topic = TopicProduceData {
            name: "orders".into(),
            partition_data: vec![PartitionProduceData { index: 0, records }],
            ..Default::default()
        };
        let request = ProduceRequest { acks: -1, topic_data: vec![topic], ..Default::default() };
        match produce(broker, Call { version: 9, correlation_id: 1 }, request) {
            Step::Delay(waiting) => waiting,
            _ => panic!("acknowledged before the flush"),
        }
    }

    fn error_of(frame: Frame) -> ErrorCode {
        let frame = Bytes::from(frame.to_vec()).slice(Frame::SIZE_BYTES..);
        let (_, response) = decode_response::<ProduceResponse>(frame, 9).unwrap();
        response.responses[0].partition_responses[0].error_code
    }

    #[test]
    fn nothing_is_acknowledged_before_the_flush() {
        let broker = broker(&SimulatedDisk::new(1));
        let mut waiting = send(&broker);
        let context = &mut Context::from_waker(Waker::noop());
        assert!(waiting.poll(context).is_pending());
        broker.topics.flush(Log::needs_flush).unwrap();
        let Poll::Ready(frame) = waiting.poll(context) else { panic!("still waits") };
        assert_eq!(error_of(frame), ErrorCode::NONE);
    }

    #[test]
    fn a_failed_flush_is_an_error_and_closes_the_log() {
        let disk = SimulatedDisk::new(1);
        let broker = broker(&disk);
        let mut waiting = send(&broker);
        disk.set_faults(Faults { fail_sync: 1, ..Default::default() });
        assert!(broker.topics.flush(Log::needs_flush).is_err());

        // A second flush that succeeds would prove nothing: the log stays closed.
        disk.set_faults(Faults::default());
        let context = &mut Context::from_waker(Waker::noop());
        let Poll::Ready(frame) = waiting.poll(context) else { panic!("waits for ever") };
        assert_eq!(error_of(frame), ErrorCode::KAFKA_STORAGE_ERROR);
        let catalog = broker.topics.catalog();
        let partition = &catalog.by_name("orders").unwrap().partitions[0];
        assert!(partition.append(&batch::EXAMPLE).is_err());
    }

    /// Counts its wake-ups. Its strong count shows whether a partition still holds it.
    #[derive(Default)]
    struct Alarm(AtomicUsize);

    impl Wake for Alarm {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_producer_learns_that_its_topic_is_deleted() {
        let broker = broker(&SimulatedDisk::new(1));
        let mut waiting = send(&broker);
        let alarm = Arc::new(Alarm::default());
        let waker = Waker::from(Arc::clone(&alarm));
        assert!(waiting.poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(broker.topics.delete(&["orders".to_owned()])[0].is_ok());
        assert_eq!(alarm.0.load(Ordering::SeqCst), 1);
        let ready = waiting.poll(&mut Context::from_waker(&waker));
        let Poll::Ready(frame) = ready else { panic!("waits for a flush that never comes") };
        assert_eq!(error_of(frame), ErrorCode::KAFKA_STORAGE_ERROR);
    }

    #[test]
    fn a_finished_fetch_unregisters_its_waker() {
        let broker = broker(&SimulatedDisk::new(1));
        let partition = FetchPartition { partition_max_bytes: 1, ..Default::default() };
        let (topic, partitions) = ("orders".into(), vec![partition]);
        let topics = vec![FetchTopic { topic, partitions, ..Default::default() }];
        let (min_bytes, max_wait_ms) = (1, 500);
        let request = FetchRequest { min_bytes, max_wait_ms, topics, ..Default::default() };
        let call = Call { version: 9, correlation_id: 1 };
        let Step::Delay(mut waiting) = super::super::fetch::fetch(&broker, call, request) else {
            panic!("nothing was produced");
        };
        let alarm = Arc::new(Alarm::default());
        let waker = Waker::from(Arc::clone(&alarm));
        assert!(waiting.poll(&mut Context::from_waker(&waker)).is_pending());
        drop((waiting, waker));
        assert_eq!(Arc::strong_count(&alarm), 1, "the idle partition keeps its task");
    }

    #[test]
    fn records_from_the_future_are_refused() {
        let broker = broker(&SimulatedDisk::new(1));
        let catalog = broker.topics.catalog();
        let partition = catalog.by_name("orders").unwrap().partitions[0].clone();
        let (hour, now) = (3_600_000, NOW.timestamp);
        let record = |timestamp_delta, offset_delta| Record {
            timestamp_delta,
            offset_delta,
            value: Some(b"v"),
            ..Default::default()
        };
        let appended = |first, last| {
            let records = [record(0, 0), record(last, 1)];
            let bytes = Bytes::from(batch_of(first, &records));
            let data = PartitionProduceData { index: 0, records: Some(Records::Bytes(bytes)) };
            append(Ok(&partition), &data, now, (0, 0), &mut Vec::new())
        };
        assert_eq!(appended(now, hour).error_code, ErrorCode::NONE);

        let refused = appended(now, hour + 1);
        assert_eq!(refused.error_code, ErrorCode::INVALID_TIMESTAMP);
        let expected = "One or more records have been rejected due to invalid timestamp: \
                        1795340747208 should be within [-9223370241517628600, 1795340747207]";
        assert_eq!(refused.error_message.as_deref(), Some(expected));

        // The past has no limit unless the topic has one.
        assert_eq!(appended(0, 0).error_code, ErrorCode::NONE);
        partition.set_config(LogConfig { timestamp_before_max_ms: 10, ..Default::default() });
        assert_eq!(appended(now - 11, 0).error_code, ErrorCode::INVALID_TIMESTAMP);
        assert_eq!(appended(now - 10, 0).error_code, ErrorCode::NONE);
    }

    #[test]
    fn invalid_and_corrupt_batches_get_kafkas_error_codes() {
        let broker = broker(&SimulatedDisk::new(1));
        let catalog = broker.topics.catalog();
        let partition = &catalog.by_name("orders").unwrap().partitions[0];
        let changed = |change: fn(&mut Vec<u8>)| {
            let mut bytes = batch::EXAMPLE.to_vec();
            change(&mut bytes);
            partition.append(&bytes).map_err(|it| error_code(&it)).unwrap_err()
        };
        assert_eq!(changed(|it| it.clear()), ErrorCode::INVALID_RECORD);
        assert_eq!(changed(|it| it.truncate(84)), ErrorCode::INVALID_RECORD);
        assert_eq!(changed(|it| it.extend(batch::EXAMPLE)), ErrorCode::INVALID_RECORD);
        assert_eq!(changed(|it| BatchHeader::magic.put(it, 1)), ErrorCode::INVALID_RECORD);
        assert_eq!(changed(|it| BatchHeader::base_offset.put(it, 1)), ErrorCode::INVALID_RECORD);
        assert_eq!(changed(|it| BatchHeader::magic.put(it, 3)), ErrorCode::CORRUPT_MESSAGE);
        assert_eq!(changed(|it| it[84] = 1), ErrorCode::CORRUPT_MESSAGE);
        let empty = |it: &mut Vec<u8>| {
            it.truncate(BatchHeader::SIZE);
            BatchHeader::records_count.put(it, 0);
            batch::seal(it);
        };
        assert_eq!(changed(empty), ErrorCode::INVALID_RECORD);
        let lies = |it: &mut Vec<u8>| {
            BatchHeader::records_count.put(it, 4);
            batch::seal(it);
        };
        assert_eq!(changed(lies), ErrorCode::INVALID_RECORD);
    }

    #[test]
    fn a_flush_that_takes_too_long_is_a_timeout() {
        let broker = broker(&SimulatedDisk::new(1));
        assert_eq!(error_of(send(&broker).finish()), ErrorCode::REQUEST_TIMED_OUT);
    }
}
