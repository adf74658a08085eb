//! POC 49, first half: is a record in the log twice if its producer had to send it again?
//!
//! `cargo run --release -p minilog --example poc49_idempotence`
//!
//! A producer whose connection breaks cannot know whether its batch was appended, so it sends the
//! batch again. This program sends each batch explicitly, with the same bytes as a producer, to
//! show each response. `--against HOST:PORT` does the same with Kafka.

mod common;

use bytes::Bytes;
use common::Broker;
use minilog::client::ClientError;
use minilog::client::batching::Batcher;
use minilog::client::cluster::Cluster;
use minilog::format::record::Record;
use minilog::wire::codec::Records;
use minilog::wire::list_offsets::LATEST;
use minilog::wire::produce::{
    InitProducerIdRequest, PartitionProduceData, ProduceRequest, TopicProduceData,
};

const TOPIC: &str = "poc49-payments";

fn main() -> Result<(), ClientError> {
    print!("{}", run(&Broker::from_arguments())?);
    Ok(())
}

fn run(broker: &Broker) -> Result<String, ClientError> {
    let mut text = "Without a producer id\n\n".to_owned();
    let mut cluster = broker.fresh_topic(TOPIC, 1)?;
    // ANCHOR: naive
    let payment = batch(&mut Batcher::new(1000, None), "pay 100");
    text += &line("pay 100", &send(&mut cluster, &payment)?);
    text += &line("pay 100, sent again", &send(&mut cluster, &payment)?);
    // ANCHOR_END: naive
    text += &format!("records in the log      {}\n", cluster.offset_at(TOPIC, 0, LATEST)?);

    text += "\nWith a producer id\n\n";
    let mut cluster = broker.fresh_topic(TOPIC, 1)?;
    // ANCHOR: idempotent
    let id = cluster.call(&InitProducerIdRequest::default())?.producer_id;
    let mut numbered = Batcher::new(1000, Some((id, 0)));
    let batches = (0..7).map(|n| batch(&mut numbered, &format!("pay {n}"))).collect::<Vec<_>>();
    text += &line("sequence 0", &send(&mut cluster, &batches[0])?);
    text += &line("sequence 0, again", &send(&mut cluster, &batches[0])?);
    text += &line("sequence 2, 1 is lost", &send(&mut cluster, &batches[2])?);
    text += &line("sequence 1", &send(&mut cluster, &batches[1])?);
    text += &line("sequence 2", &send(&mut cluster, &batches[2])?);
    // ANCHOR_END: idempotent
    text += &format!("records in the log      {}\n", cluster.offset_at(TOPIC, 0, LATEST)?);

    text += "\nHow far back the broker remembers\n\n";
    for (number, batch) in (3..6).zip(&batches[3..]) {
        text += &line(&format!("sequence {number}"), &send(&mut cluster, batch)?);
    }
    text += &line("sequence 1, again", &send(&mut cluster, &batches[1])?);
    text += &line("sequence 0, again", &send(&mut cluster, &batches[0])?);

    text += "\nA restarted instance of the producer, epoch 1\n\n";
    // ANCHOR: fence
    let restarted = batch(&mut Batcher::new(1000, Some((id, 1))), "pay 100");
    text += &line("epoch 1, sequence 0", &send(&mut cluster, &restarted)?);
    text += &line("epoch 0, sequence 6", &send(&mut cluster, &batches[6])?);
    // ANCHOR_END: fence
    text += &format!("records in the log      {}\n", cluster.offset_at(TOPIC, 0, LATEST)?);
    Ok(text)
}

/// A batch of one record, with the next sequence number of the producer.
fn batch(batcher: &mut Batcher, value: &str) -> Bytes {
    let record = Record { value: Some(value.as_bytes()), ..Record::default() };
    batcher.append(TOPIC, 0, 1_700_000_000_000, record);
    batcher.take(TOPIC, 0).expect("it has a record").0
}

/// Sends a batch. Returns the broker's answer: an offset or an error.
fn send(cluster: &mut Cluster, batch: &Bytes) -> Result<String, ClientError> {
    let records = Some(Records::Bytes(batch.clone()));
    let partition = PartitionProduceData { index: 0, records };
    let topic = TopicProduceData {
        name: TOPIC.to_owned(),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    };
    let leader = cluster.leader(TOPIC, 0)?;
    let response = cluster.connection(&leader)?.call(&request)?;
    let results = response.responses.iter().flat_map(|it| &it.partition_responses);
    let answer = results.map(|it| match it.error_code.is_error() {
        true => it.error_code.to_string(),
        false => format!("offset {}", it.base_offset),
    });
    Ok(answer.collect())
}

fn line(what: &str, answer: &str) -> String {
    format!("{what:<22}  {answer}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_recorded_one() {
        let output = run(&Broker::start()).expect("the broker answers");
        common::assert_recorded("poc49_idempotence", &output);
    }
}
