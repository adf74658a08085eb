//! How much a broker can take from producers that are not the limit.
//!
//! `kafka-producer-perf-test.sh` makes, copies and times each record, which costs more CPU than
//! either broker spends on it, so it shows itself. Here batches are made once and sent again
//! and again, five on the way on each connection, as a producer with the defaults does.
//!
//! ```text
//! connection 0   -> batch -> batch -> batch -> batch -> batch   <- 5 offsets   -> 5 batches …
//! connection 1   the same, and so on
//! ```

use std::time::Duration;

use bytes::Bytes;
use minilog::client::admin;
use minilog::client::batching::Batcher;
use minilog::client::cluster::Cluster;
use minilog::client::producer::{Producer, ProducerOptions};
use minilog::format::record::Record;
use minilog::wire::codec::Records;
use minilog::wire::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use minilog::wire::{decode_response, encode_request};

use crate::generator::{self, Load, Pace, Traffic};
use crate::model::{Better, Comparison, Row};
use crate::provider::Server;
use crate::rounds::{self, Rounds};
use crate::{Effort, Result};

/// The title of the comparison.
pub const TITLE: &str = "Produce throughput with prepared batches";
/// Its only row.
pub const ROW: &str = "16 KiB batches, acks=all";
/// The planned seconds of one round.
pub const SECONDS: f64 = 4.0;

const BATCH_BYTES: usize = 16_384;
/// Partitions of a topic.
pub const PARTITIONS: u64 = 4;
/// Bytes of a record's value.
pub const VALUE_BYTES: usize = 100;
const CONNECTIONS: usize = 4;
/// `max.in.flight.requests.per.connection`
const PIPELINE: u64 = 5;
/// The last version without tagged fields: correlation ids and lengths have fixed places.
const VERSION: i16 = 8;
/// Where the correlation id of a request is.
const CORRELATION_ID: std::ops::Range<usize> = 8..12;

/// Measures both brokers in turns, after one round of each that is not counted.
pub fn compare(rounds: &mut Rounds, effort: Effort, servers: &[Server; 2]) -> Result<Comparison> {
    let requests = match effort {
        Effort::Quick => 10_000,
        Effort::Normal => 20_000,
        Effort::Full => 60_000,
    };
    let mut samples = [Vec::new(), Vec::new()];
    for number in 0..=rounds.count {
        let turn = rounds.turn(number.saturating_sub(1), "saturate", SECONDS, |side| {
            megabytes_per_second(&servers[side], &format!("saturate-{number}"), requests)
        })?;
        if number > 0 {
            rounds::push(&mut samples, turn);
        }
    }
    let [ours, theirs] = samples;
    Ok(Comparison {
        id: "saturation".into(),
        title: TITLE.into(),
        detail: format!("{CONNECTIONS} connections, {PIPELINE} requests on each, records of 100 B"),
        meaning:
            "MB a second of batches that were made before: the load needs little CPU, and the \
                  broker's core is the limit. Every batch was acknowledged."
                .into(),
        command: format!("our generator, closed loop: {requests} batches of {BATCH_BYTES} B"),
        against: servers[1].name.into(),
        unit: "MB/s".into(),
        better: Better::Higher,
        rows: vec![Row { name: ROW.into(), ours, theirs, command: String::new(), bar: None }],
        curves: Vec::new(),
    })
}

fn megabytes_per_second(server: &Server, topic: &str, requests: u64) -> Result<f64> {
    let sent = send_batches(server, topic, VALUE_BYTES, requests)?;
    Ok(sent.bytes as f64 / 1e6 / sent.elapsed.as_secs_f64())
}

/// What [`send_batches`] has sent.
pub struct Sent {
    /// How long it took.
    pub elapsed: Duration,
    /// Bytes of all batches.
    pub bytes: u64,
    /// Records of a batch.
    pub records: u64,
}

/// Creates a topic of [`PARTITIONS`] with one record in each, and sends batches to it in turn.
pub fn send_batches(
    server: &Server,
    topic: &str,
    value_bytes: usize,
    requests: u64,
) -> Result<Sent> {
    let address = server.address.to_string();
    let mut cluster = Cluster::connect(&address, "comparisons")?;
    admin::create_topic(&mut cluster, topic, PARTITIONS as i32, &[])?;
    // Kafka's partitions have no leader for some milliseconds. This producer tries again.
    let mut producer = Producer::connect(&address, ProducerOptions::default())?;
    for partition in 0..PARTITIONS as i32 {
        producer.send(topic, Some(partition), None, Some(b"ready"))?;
    }
    producer.flush()?;

    let pace = Pace::Closed { pipeline: PIPELINE };
    let load = Load { address: server.address, connections: CONNECTIONS, requests, pace };
    let mut batches = Batches::new(topic, value_bytes);
    let elapsed = generator::drive(load, &mut batches)?.elapsed;
    Ok(Sent { elapsed, bytes: batches.batch_bytes * requests, records: batches.records })
}

/// The same batch for each partition in turn.
pub struct Batches {
    /// A request for each partition.
    frames: Vec<Vec<u8>>,
    batch_bytes: u64,
    /// Records of a batch.
    pub records: u64,
}

impl Batches {
    /// Batches for a topic, of records with this many bytes.
    pub fn new(topic: &str, value_bytes: usize) -> Batches {
        let mut batcher = Batcher::new(BATCH_BYTES, None);
        let value = vec![b'v'; value_bytes];
        let record = Record { value: Some(&value), ..Record::default() };
        while !batcher.append(topic, 0, 1_700_000_000_000, record.clone()) {}
        let (batch, records) = batcher.take(topic, 0).unwrap_or_default();
        let records = records as u64;

        let frame = |index| {
            let data = PartitionProduceData { index, records: Some(Records::Bytes(batch.clone())) };
            let topic = TopicProduceData {
                name: topic.into(),
                partition_data: vec![data],
                ..TopicProduceData::default()
            };
            let request = ProduceRequest {
                acks: -1,
                timeout_ms: 30_000,
                topic_data: vec![topic],
                ..ProduceRequest::default()
            };
            encode_request(0, "comparisons", VERSION, &request).to_vec()
        };
        Batches {
            frames: (0..PARTITIONS as i32).map(frame).collect(),
            batch_bytes: batch.len() as u64,
            records,
        }
    }
}

impl Traffic for Batches {
    type Asked = i32;

    fn request(&mut self, sequence: u64, out: &mut Vec<u8>) -> i32 {
        let (at, correlation_id) = (out.len(), sequence as i32);
        out.extend_from_slice(&self.frames[(sequence % PARTITIONS) as usize]);
        out[at..][CORRELATION_ID].copy_from_slice(&correlation_id.to_be_bytes());
        correlation_id
    }

    fn answer(&mut self, asked: &i32, bytes: &[u8]) -> Result<Option<usize>> {
        let Some((size, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
        let size = u32::from_be_bytes(*size) as usize;
        let Some(frame) = rest.get(..size) else { return Ok(None) };
        let (correlation_id, response) =
            decode_response::<ProduceResponse>(Bytes::copy_from_slice(frame), VERSION)?;
        let result = response.responses.first().and_then(|it| it.partition_responses.first());
        match result {
            Some(it) if !it.error_code.is_error() && correlation_id == *asked => Ok(Some(4 + size)),
            _ => Err(format!("the answer to request {asked} is {response:?}").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minilog::wire::ErrorCode;
    use minilog::wire::encode_response;
    use minilog::wire::produce::{PartitionProduceResponse, TopicProduceResponse};

    #[test]
    fn an_error_in_an_answer_ends_the_run() {
        let mut batches = Batches::new("t", VALUE_BYTES);
        let mut out = Vec::new();
        let asked = batches.request(7, &mut out);
        assert_eq!(out[CORRELATION_ID], [0, 0, 0, 7]);
        let answer = |error_code| {
            let it = PartitionProduceResponse { error_code, ..Default::default() };
            let it = TopicProduceResponse { partition_responses: vec![it], ..Default::default() };
            let response = ProduceResponse { responses: vec![it], ..Default::default() };
            encode_response(7, VERSION, &response).to_vec()
        };
        let good = answer(ErrorCode::NONE);
        assert_eq!(batches.answer(&asked, &good[..9]).unwrap(), None);
        assert_eq!(batches.answer(&asked, &good).unwrap(), Some(good.len()));
        assert!(batches.answer(&asked, &answer(ErrorCode::KAFKA_STORAGE_ERROR)).is_err());
        assert!(batches.answer(&8, &good).is_err());
    }
}
