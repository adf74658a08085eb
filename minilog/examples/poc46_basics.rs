//! POC 46: in which order does a consumer get records?
//!
//! `cargo run --release -p minilog --example poc46_basics`
//!
//! Six events of three customers go to a topic with three partitions, twice: without keys to show
//! the problem, with keys to show the solution. Then the topic is read again from offset 2.
//! `--against HOST:PORT` does the same with Kafka.

mod common;

use common::Broker;
use minilog::client::ClientError;
use minilog::client::consumer::{Consumer, ConsumerOptions, ConsumerRecord};
use minilog::client::producer::{Producer, ProducerOptions};
use minilog::wire::list_offsets::LATEST;
use std::time::Duration;

const ORDERS: [(&str, &str); 6] = [
    ("alice", "creates a cart"),
    ("bob", "creates a cart"),
    ("alice", "adds apples"),
    ("carol", "creates a cart"),
    ("alice", "pays"),
    ("bob", "pays"),
];
const PARTITIONS: i32 = 3;

fn main() -> Result<(), ClientError> {
    print!("{}", run(&Broker::from_arguments())?);
    Ok(())
}

fn run(broker: &Broker) -> Result<String, ClientError> {
    let mut text = String::new();

    broker.fresh_topic("poc46-spread", PARTITIONS)?;
    let mut producer = Producer::connect(&broker.address, ProducerOptions::default())?;
    // ANCHOR: spread
    for (partition, (customer, event)) in (0..PARTITIONS).cycle().zip(ORDERS) {
        let value = format!("{customer} {event}");
        producer.send("poc46-spread", Some(partition), None, Some(value.as_bytes()))?;
    }
    producer.flush()?;
    // ANCHOR_END: spread
    text += "Spread over three partitions, read one partition after another\n\n";
    text += &show(&read(broker, "poc46-spread", 0)?);

    broker.fresh_topic("poc46-keyed", PARTITIONS)?;
    // ANCHOR: keyed
    for (customer, event) in ORDERS {
        let value = format!("{customer} {event}");
        producer.send("poc46-keyed", None, Some(customer.as_bytes()), Some(value.as_bytes()))?;
    }
    let mut deliveries = producer.flush()?;
    // ANCHOR_END: keyed
    text += "\nWith the customer as key\n\n";
    text += &show(&read(broker, "poc46-keyed", 0)?);

    text += "\nWhat the broker acknowledged, one batch per line\n\n";
    deliveries.sort_by_key(|it| it.partition);
    for it in &deliveries {
        let (partition, base_offset, count) = (it.partition, it.base_offset, it.count);
        text += &format!("partition {partition} from offset {base_offset}: {count} records\n");
    }

    text += "\nReading removes nothing: the keyed topic again, from offset 2 on\n\n";
    text += &show(&read(broker, "poc46-keyed", 2)?);
    Ok(text)
}

/// Reads a topic from `offset` on, partition by partition.
fn read(broker: &Broker, topic: &str, offset: i64) -> Result<Vec<ConsumerRecord>, ClientError> {
    // ANCHOR: read
    let mut all = Vec::new();
    for partition in 0..PARTITIONS {
        let mut consumer = Consumer::connect(&broker.address, ConsumerOptions::default())?;
        let end = consumer.cluster().offset_at(topic, partition, LATEST)?;
        consumer.assign(topic, partition, Some(offset.min(end)));
        while consumer.positions.values().any(|position| position.is_none_or(|it| it < end)) {
            all.extend(consumer.poll(Duration::from_secs(1))?);
        }
    }
    // ANCHOR_END: read
    Ok(all)
}

fn show(records: &[ConsumerRecord]) -> String {
    let line = |it: &ConsumerRecord| {
        let value = String::from_utf8_lossy(it.value.as_deref().unwrap_or_default());
        format!("partition {} offset {}  {value}\n", it.partition, it.offset)
    };
    records.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_recorded_one() {
        let output = run(&Broker::start()).expect("the broker answers");
        common::assert_recorded("poc46_basics", &output);
    }
}
