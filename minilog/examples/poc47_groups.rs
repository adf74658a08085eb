//! POC 47: which consumer reads which records when one joins a group, and when one leaves?
//!
//! `cargo run --release -p minilog --example poc47_groups`
//!
//! Two consumers of one group read a topic with four partitions. One thread polls them in turn, so
//! that every step of the rebalance is visible. The second one leaves without a commit, so its
//! records are read twice. `--against HOST:PORT` does the same with Kafka.

mod common;

use common::Broker;
use minilog::client::consumer::{Consumer, ConsumerOptions, ConsumerRecord};
use minilog::client::producer::{Producer, ProducerOptions};
use minilog::client::{ClientError, admin};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TOPIC: &str = "poc47-orders";
const PARTITIONS: i32 = 4;
const SHORT: Duration = Duration::from_millis(50);

fn main() -> Result<(), ClientError> {
    print!("{}", run(&Broker::from_arguments())?);
    Ok(())
}

fn run(broker: &Broker) -> Result<String, ClientError> {
    let mut text = String::new();
    broker.fresh_topic(TOPIC, PARTITIONS)?;
    // Use a new group in each run: an old one would continue where the last run stopped.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_nanos());
    let group = format!("poc47-{now}");
    let (mut seen, mut again) = (BTreeMap::new(), 0);

    // ANCHOR: alone
    produce(broker, 1)?;
    let mut alone = join(broker, &group, "a")?;
    while seen.len() < 4 {
        again += count(&mut seen, &alone.poll(SHORT)?);
    }
    alone.commit()?;
    // ANCHOR_END: alone
    text += &format!("a alone            a {}  {} records\n", owned(&alone), seen.len());

    // ANCHOR: joins
    let mut second = join(broker, &group, "b")?;
    while alone.positions.len() != 2 || second.positions.len() != 2 {
        again += count(&mut seen, &alone.poll(SHORT)?);
        again += count(&mut seen, &second.poll(SHORT)?);
    }
    // ANCHOR_END: joins
    let both = owned(&alone) == "01" || owned(&second) == "01";
    assert!(both && owned(&alone) != owned(&second), "ranges");
    text += &format!("b joins            each has two of the four, {again} records twice\n");

    // ANCHOR: leaves
    produce(broker, 2)?;
    while seen.len() < 8 {
        again += count(&mut seen, &alone.poll(SHORT)?);
        again += count(&mut seen, &second.poll(SHORT)?);
    }
    alone.commit()?;
    second.close()?; // Commits nothing.
    while alone.positions.len() != 4 {
        again += count(&mut seen, &alone.poll(SHORT)?);
    }
    // ANCHOR_END: leaves
    text += &format!("b leaves           a {}  {} records\n", owned(&alone), seen.len());

    while again < 2 {
        again += count(&mut seen, &alone.poll(SHORT)?);
    }
    alone.commit()?;
    text += &format!("b's part again     {again} records twice, because b did not commit\n");

    let lags = admin::lag(alone.cluster(), &group)?;
    let lag = lags.iter().map(|it| it.end - it.committed).sum::<i64>();
    text += &format!("a commits          lag {lag} in {} partitions\n", lags.len());
    alone.close()?;
    Ok(text)
}

/// Sends one record to each partition.
fn produce(broker: &Broker, round: u8) -> Result<(), ClientError> {
    let mut producer = Producer::connect(&broker.address, ProducerOptions::default())?;
    for partition in 0..PARTITIONS {
        producer.send(TOPIC, Some(partition), None, Some(&[round]))?;
    }
    producer.flush().map(|_| ())
}

fn join(broker: &Broker, group: &str, name: &str) -> Result<Consumer, ClientError> {
    let options = ConsumerOptions {
        client_id: name.to_owned(),
        heartbeat_interval: SHORT,
        ..ConsumerOptions::default()
    };
    let mut consumer = Consumer::connect(&broker.address, options)?;
    consumer.subscribe(group, &[TOPIC]);
    Ok(consumer)
}

/// Adds records to those seen. Returns the number of records that had been seen before.
fn count(seen: &mut BTreeMap<(i32, i64), ()>, records: &[ConsumerRecord]) -> usize {
    let known = records.iter().filter(|it| seen.insert((it.partition, it.offset), ()).is_some());
    known.count()
}

/// The partitions of a consumer, like `0123`.
fn owned(consumer: &Consumer) -> String {
    consumer.positions.keys().map(|(_, partition)| partition.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_recorded_one() {
        let output = run(&Broker::start()).expect("the broker answers");
        common::assert_recorded("poc47_groups", &output);
    }
}
