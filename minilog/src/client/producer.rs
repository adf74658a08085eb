//! A producer: sends batches to the leaders of their partitions, several at a time, and again after
//! an error.
//!
//! # The life of a record
//!
//! 1. [`Producer::send`] appends it to the batch of its partition ([`Batcher`]). A batch that is
//!    full leaves at once, the others when the oldest record has waited for `linger`.
//! 2. A request carries one batch. Up to five requests are on their way to a broker at a time; the
//!    sixth waits for the first response.
//! 3. The response has the offset of the first record, or an error.
//! 4. After an error that may pass, or if the connection breaks, **all** batches on their way to
//!    that broker are sent again, in their order. Their bytes are the same as before, sequence
//!    numbers included: what the broker has appended already it recognizes, and answers with the
//!    old offset.
//!
//! ```text
//! -> batch 0   -> batch 1   -> batch 2
//! <- offset 0  <- (the connection breaks)
//!              -> batch 1   -> batch 2          batch 1 was appended, its response is lost
//!              <- offset 1  <- offset 2         the broker knows batch 1 and appends only batch 2
//! ```
//!
//! Without `idempotence` batches have no numbers, and batch 1 is in the log twice. POC 49 shows
//! both.
//!
//! Kafka counterpart: `KafkaProducer.java` and `Sender.java`. The Java client merges batches for
//! several partitions of a broker into one request, and it sends from a thread of its own.

use super::batching::{Batch, Batcher, TopicPartition, partition_of};
use super::cluster::{Cluster, RETRY_BACKOFF, missing};
use super::connection::{REQUEST_TIMEOUT, Ticket};
use super::{ClientError, check, is_retriable};
use crate::format::record::Record;
use crate::wire::ErrorCode;
use crate::wire::init_producer_id::InitProducerIdRequest;
use crate::wire::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData,
};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The broker remembers this many batches of a producer per partition: more must not be on their
/// way.
const IN_FLIGHT_MAX: usize = 5;

/// How a producer behaves; the names are those of the Java client.
#[derive(Clone, Debug)]
pub struct ProducerOptions {
    /// How the producer calls itself.
    pub client_id: String,
    /// 0: no response; 1: the leader has appended; -1: all replicas in sync have.
    pub acks: i16,
    /// How long a record waits for others to share its batch.
    pub linger: Duration,
    /// The size at which a batch leaves.
    pub batch_size: usize,
    /// Give batches sequence numbers, so that none is appended twice. Needs `acks` -1.
    pub enable_idempotence: bool,
    /// For how long a batch is tried.
    pub delivery_timeout: Duration,
}

impl Default for ProducerOptions {
    /// The defaults of Kafka 4.
    fn default() -> ProducerOptions {
        ProducerOptions {
            client_id: "minilog".to_owned(),
            acks: -1,
            linger: Duration::from_millis(5),
            batch_size: 16_384,
            enable_idempotence: true,
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
    /// When the oldest record in the batcher must leave.
    linger_ends: Option<Instant>,
    /// Requests without response, by the leader's address, in the order in which they were sent.
    in_flight: HashMap<String, VecDeque<InFlight>>,
    deliveries: Vec<Delivery>,
    /// The partition that records without key stick to, by topic.
    sticky: HashMap<String, i32>,
}

struct InFlight {
    ticket: Ticket<ProduceRequest>,
    batch: Batch,
    deadline: Instant,
}

impl Producer {
    /// A producer for the cluster that one of `addresses` belongs to.
    pub fn connect(addresses: &str, options: ProducerOptions) -> Result<Producer, ClientError> {
        let mut cluster = Cluster::connect(addresses, &options.client_id)?;
        let mut producer = None;
        if options.enable_idempotence && options.acks == -1 {
            let deadline = Instant::now() + REQUEST_TIMEOUT;
            let mut response = cluster.call(&InitProducerIdRequest::default())?;
            while is_retriable(response.error_code) && Instant::now() < deadline {
                thread::sleep(RETRY_BACKOFF);
                response = cluster.call(&InitProducerIdRequest::default())?;
            }
            check(|| "a producer id".to_owned(), response.error_code, None)?;
            producer = Some((response.producer_id, response.producer_epoch));
        }
        Ok(Producer {
            batcher: Batcher::new(options.batch_size, producer),
            cluster,
            options,
            linger_ends: None,
            in_flight: HashMap::new(),
            deliveries: Vec::new(),
            sticky: HashMap::new(),
        })
    }

    /// Adds a record; to the partition of its key unless `partition` says which. May send batches,
    /// and waits if five are on their way to a broker. An error may be that of an earlier record.
    /// After one, an idempotent producer cannot go on: the numbers of a lost batch would be
    /// missing.
    pub fn send(
        &mut self,
        topic: &str,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), ClientError> {
        let partition = match (partition, key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partition_of(key, self.cluster.partitions(topic, true)?),
            (None, None) => self.sticky_partition(topic)?,
        };
        self.send_record(topic, partition, now_ms(), Record { key, value, ..Record::default() })
    }

    /// Adds a record with headers and a timestamp in ms since 1970; its deltas do not matter.
    pub fn send_record(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
        record: Record<'_>,
    ) -> Result<(), ClientError> {
        if self.batcher.append(topic, partition, timestamp, record) {
            self.send_open(&(topic.to_owned(), partition))?;
        }
        let linger = self.options.linger;
        let ends = *self.linger_ends.get_or_insert_with(|| Instant::now() + linger);
        if ends <= Instant::now() { self.send_all() } else { Ok(()) }
    }

    /// Sends everything and waits for all responses. Returns what was appended since the last
    /// flush, in the order of the responses.
    pub fn flush(&mut self) -> Result<Vec<Delivery>, ClientError> {
        self.send_all()?;
        while let Some(address) = self.in_flight.keys().next().cloned() {
            self.receive(&address)?;
        }
        Ok(std::mem::take(&mut self.deliveries))
    }

    fn sticky_partition(&mut self, topic: &str) -> Result<i32, ClientError> {
        if let Some(partition) = self.sticky.get(topic) {
            return Ok(*partition);
        }
        let partitions = self.cluster.partitions(topic, true)?;
        let random = RandomState::new().hash_one(topic) % partitions.max(1) as u64;
        self.sticky.insert(topic.to_owned(), random as i32);
        Ok(random as i32)
    }

    fn send_all(&mut self) -> Result<(), ClientError> {
        self.linger_ends = None;
        self.batcher.partitions().iter().try_for_each(|to| self.send_open(to))
    }

    /// Sends the open batch of a partition.
    fn send_open(&mut self, to: &TopicPartition) -> Result<(), ClientError> {
        // Records without key move on to another partition with the next batch.
        self.sticky.remove(&to.0);
        let Some(batch) = self.batcher.take(&to.0, to.1) else { return Ok(()) };
        self.transmit(VecDeque::from([batch]), Instant::now() + self.options.delivery_timeout)
    }

    /// Sends batches in their order, and again after errors, until they are on their way.
    fn transmit(
        &mut self,
        mut batches: VecDeque<Batch>,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        while let Some(batch) = batches.pop_front() {
            match self.transmit_one(&batch, deadline) {
                Ok(()) => {}
                Err(error) if error.is_retriable() && Instant::now() < deadline => {
                    thread::sleep(RETRY_BACKOFF);
                    self.cluster.forget(&batch.to.0);
                    batches.push_front(batch);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn transmit_one(&mut self, batch: &Batch, deadline: Instant) -> Result<(), ClientError> {
        let (topic, partition) = &batch.to;
        self.cluster.partitions(topic, true)?;
        let leader = self.cluster.leader(topic, *partition)?;
        while self.in_flight.get(&leader).is_some_and(|it| it.len() >= IN_FLIGHT_MAX) {
            self.receive(&leader)?;
        }

        let request = self.request(batch);
        let result = self.cluster.connection(&leader).and_then(|it| it.send(&request));
        let ticket = match result {
            Ok(ticket) => ticket,
            Err(error) => {
                // Those before it come first, or the broker would see a gap.
                self.resend(&leader)?;
                return Err(error);
            }
        };
        if self.options.acks == 0 {
            self.deliver(batch, -1);
            return Ok(());
        }
        let in_flight = InFlight { ticket, batch: batch.clone(), deadline };
        self.in_flight.entry(leader).or_default().push_back(in_flight);
        Ok(())
    }

    fn request(&self, batch: &Batch) -> ProduceRequest {
        let partition =
            PartitionProduceData { index: batch.to.1, records: Some(batch.bytes.clone()) };
        let topic = TopicProduceData {
            name: batch.to.0.clone(),
            partition_data: vec![partition],
            ..TopicProduceData::default()
        };
        ProduceRequest {
            acks: self.options.acks,
            timeout_ms: REQUEST_TIMEOUT.as_millis() as i32,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        }
    }

    /// Waits for the oldest response of a broker.
    fn receive(&mut self, address: &str) -> Result<(), ClientError> {
        let Some(queue) = self.in_flight.get_mut(address) else { return Ok(()) };
        let Some(oldest) = queue.front() else {
            self.in_flight.remove(address);
            return Ok(());
        };
        let response = self.cluster.connection(address).and_then(|it| it.wait(&oldest.ticket));
        let outcome = response.and_then(|response| offset_in(response, &oldest.batch.to));
        match outcome {
            Ok(offset) => {
                let appended = queue.pop_front().expect("it was the front");
                self.deliver(&appended.batch, offset);
                Ok(())
            }
            Err(error) if error.is_retriable() && Instant::now() < oldest.deadline => {
                self.resend(address)
            }
            Err(error) => {
                queue.pop_front();
                Err(error)
            }
        }
    }

    /// Drops the connection to a broker and sends again what was on its way to it.
    fn resend(&mut self, address: &str) -> Result<(), ClientError> {
        self.cluster.disconnect(address);
        let queue = self.in_flight.remove(address).unwrap_or_default();
        let Some(deadline) = queue.front().map(|it| it.deadline) else { return Ok(()) };

        thread::sleep(RETRY_BACKOFF);
        queue.iter().for_each(|it| self.cluster.forget(&it.batch.to.0));
        self.transmit(queue.into_iter().map(|it| it.batch).collect(), deadline)
    }

    fn deliver(&mut self, batch: &Batch, base_offset: i64) {
        let (topic, partition) = batch.to.clone();
        self.deliveries.push(Delivery { topic, partition, base_offset, count: batch.count });
    }
}

/// The offset in the response to a request with one batch.
fn offset_in(mut response: ProduceResponse, to: &TopicPartition) -> Result<i64, ClientError> {
    let result = response.responses.pop().and_then(|mut it| it.partition_responses.pop());
    let PartitionProduceResponse { error_code, base_offset, error_message, .. } =
        result.ok_or_else(|| missing("the result of the partition"))?;
    if error_code != ErrorCode::DUPLICATE_SEQUENCE_NUMBER {
        check(|| format!("{}-{}", to.0, to.1), error_code, error_message)?;
    }
    Ok(base_offset)
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_millis() as i64)
}
