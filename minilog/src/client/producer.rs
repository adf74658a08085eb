//! A producer: collects records in batches, sends each batch to the leader of its partition, and
//! retries after errors.
//!
//! # The life of a record
//!
//! 1. [`Producer::send`] appends it to the batch of its partition ([`Batcher`]). A full batch is
//!    sent at once, the others after the oldest record has waited for `linger`.
//! 2. A request contains one batch. The response has the offset of the first record, or an error.
//! 3. After a retriable error, or if the connection breaks, the same bytes are sent again,
//!    including the sequence number. If the broker has appended the batch already, it recognizes
//!    the number and answers with the old offset.
//!
//! ```text
//! -> batch, sequence 7     appended at offset 41
//! <- (the connection breaks: the response is lost)
//! -> batch, sequence 7     a duplicate
//! <- offset 41
//! ```
//!
//! With `acks` other than -1 batches have no sequence numbers, and a retry can append a batch
//! twice. POC 49 shows both cases.
//!
//! Kafka counterpart: `KafkaProducer.java` and `Sender.java`. The Java client sends from a
//! background thread, has up to five requests in flight to each broker, and puts batches of several
//! partitions into one request. This one waits for each response: if that takes 0.1 ms, batches of
//! 16 KiB give 160 MB/s.

use super::batching::{Batcher, TopicPartition, partition_of};
use super::cluster::Cluster;
use super::{REQUEST_TIMEOUT, Result, check, missing, retry};
use crate::format::record::Record;
use crate::wire::ErrorCode;
use crate::wire::codec::Records;
use crate::wire::produce::{
    InitProducerIdRequest, PartitionProduceData, ProduceRequest, TopicProduceData,
};
use std::mem::take;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The options of a producer. The names are those of the Java client.
#[derive(Clone, Debug)]
pub struct ProducerOptions {
    /// 0: no response; 1: the leader has appended the batch; -1: all in-sync replicas have. Only
    /// with -1 do batches have sequence numbers, so that none is appended twice
    /// (`enable.idempotence`).
    pub acks: i16,
    /// How long a record waits for others to share its batch.
    pub linger: Duration,
    /// The size at which a batch is sent.
    pub batch_size: usize,
    /// How long to retry a batch.
    pub delivery_timeout: Duration,
}

impl Default for ProducerOptions {
    /// The defaults of Kafka 4.
    fn default() -> ProducerOptions {
        ProducerOptions {
            acks: -1,
            linger: Duration::from_millis(5),
            batch_size: 16_384,
            delivery_timeout: Duration::from_secs(120),
        }
    }
}

/// A batch that was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the first record; -1 with `acks` 0.
    pub base_offset: i64,
    /// The number of records.
    pub count: i32,
}

/// Sends records to topics.
pub struct Producer {
    cluster: Cluster,
    options: ProducerOptions,
    batcher: Batcher,
    /// When the oldest record in the batcher must be sent.
    linger_ends: Option<Instant>,
    deliveries: Vec<Delivery>,
    /// The partition of keyless records, modulo the topic's partitions. Each batch advances it.
    next_partition: i32,
}

impl Producer {
    /// Connects to the cluster of the broker at `address`.
    pub fn connect(address: &str, options: ProducerOptions) -> Result<Producer> {
        let mut cluster = Cluster::connect(address, "minilog")?;
        cluster.creates_topics = true;
        let mut id_and_epoch = || {
            let response = cluster.call(&InitProducerIdRequest::default())?;
            check("a producer id", response.error_code, None)?;
            Ok((response.producer_id, response.producer_epoch))
        };
        let is_idempotent = options.acks == -1;
        let producer = is_idempotent.then(|| retry(REQUEST_TIMEOUT, &mut id_and_epoch));
        Ok(Producer {
            batcher: Batcher::new(options.batch_size, producer.transpose()?),
            cluster,
            options,
            linger_ends: None,
            deliveries: Vec::new(),
            // Short-lived producers should not all start with the same partition.
            next_partition: now_ms() as i32 & 0xffff,
        })
    }

    /// Adds a record to `partition`, or to the partition of its key. May send batches, so an error
    /// may concern earlier records. After an error an idempotent producer must be created again,
    /// because the sequence numbers of the lost batch would be missing.
    pub fn send(
        &mut self,
        topic: &str,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<()> {
        // A topic that was just created has no leaders for some milliseconds.
        let count = retry(REQUEST_TIMEOUT, || self.cluster.partitions(topic))?.max(1);
        let partition = match (partition, key) {
            (Some(partition), _) => {
                // The partition may have been added since the last refresh. Retrying is no use.
                if !(0..count).contains(&partition) {
                    self.cluster.refresh(topic)?;
                    self.cluster.leader(topic, partition)?;
                }
                partition
            }
            (None, Some(key)) => partition_of(key, count),
            (None, None) => self.next_partition % count,
        };
        self.send_record(topic, partition, now_ms(), Record { key, value, ..Default::default() })
    }

    /// Adds a record with headers and a timestamp in ms since 1970. Ignores the record's deltas.
    pub fn send_record(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
        record: Record<'_>,
    ) -> Result<()> {
        let to = || (topic.to_owned(), partition);
        // Together with earlier records, a large one could exceed `max.message.bytes`.
        if record.value.is_some_and(|it| it.len() >= self.options.batch_size) {
            self.send_batch(&to())?;
        }
        if self.batcher.append(topic, partition, timestamp, record) {
            self.send_batch(&to())?;
        }
        let linger = self.options.linger;
        let ends = *self.linger_ends.get_or_insert_with(|| Instant::now() + linger);
        if ends <= Instant::now() { self.send_all() } else { Ok(()) }
    }

    /// Sends all batches. Returns the batches appended since the last flush, in that order.
    pub fn flush(&mut self) -> Result<Vec<Delivery>> {
        self.send_all()?;
        Ok(take(&mut self.deliveries))
    }

    fn send_all(&mut self) -> Result<()> {
        self.linger_ends = None;
        self.batcher.partitions().iter().try_for_each(|to| self.send_batch(to))
    }

    /// Sends the batch of a partition, and retries for up to `delivery_timeout`.
    fn send_batch(&mut self, (topic, partition): &TopicPartition) -> Result<()> {
        let Some((bytes, count)) = self.batcher.take(topic, *partition) else { return Ok(()) };
        self.next_partition = (self.next_partition + 1) & i32::MAX;

        let records = Some(Records::Bytes(bytes));
        let data = PartitionProduceData { index: *partition, records };
        let (name, partition_data) = (topic.clone(), vec![data]);
        let request = ProduceRequest {
            acks: self.options.acks,
            timeout_ms: REQUEST_TIMEOUT.as_millis() as i32,
            topic_data: vec![TopicProduceData { name, partition_data, ..Default::default() }],
            ..Default::default()
        };
        let base_offset = retry(self.options.delivery_timeout, || {
            let sent = self.transmit(topic, *partition, &request);
            sent.inspect_err(|_| self.cluster.disconnect())
        })?;
        let (topic, partition) = (topic.clone(), *partition);
        self.deliveries.push(Delivery { topic, partition, base_offset, count });
        Ok(())
    }

    /// Sends a batch once. Returns the offset of its first record.
    fn transmit(&mut self, topic: &str, partition: i32, request: &ProduceRequest) -> Result<i64> {
        let leader = self.cluster.leader(topic, partition)?;
        if request.acks == 0 {
            self.cluster.connection(&leader)?.send(request)?;
            return Ok(-1);
        }

        let mut response = self.cluster.call_at(&leader, request)?;
        let result = response.responses.pop().and_then(|mut it| it.partition_responses.pop());
        let result = result.ok_or_else(|| missing("the result of the partition"))?;
        // A duplicate is not an error: the response to the first attempt was lost.
        if result.error_code != ErrorCode::DUPLICATE_SEQUENCE_NUMBER {
            let what = format_args!("{topic}-{partition}");
            check(what, result.error_code, result.error_message)?;
        }
        Ok(result.base_offset)
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_millis() as i64)
}
