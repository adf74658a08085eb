//! POC 50: how do batches affect the producer, the disk and the consumer?
//!
//! `cargo run --release -p minilog --example poc50_tuning`
//!
//! Sends the same 10,000 records of 100 bytes with different settings. Requests and bytes are the
//! same in every run, so a test compares them; `-- --times` adds records per second, which depend
//! on the machine. `--against HOST:PORT` does the same with Kafka.

mod common;

use common::Broker;
use minilog::client::ClientError;
use minilog::client::admin;
use minilog::client::cluster::Cluster;
use minilog::client::consumer::{Consumer, ConsumerOptions};
use minilog::client::producer::{Producer, ProducerOptions};
use minilog::wire::list_offsets::LATEST;
use minilog::wire::topics::DescribeLogDirsRequest;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const TOPIC: &str = "poc50-tuning";
const RECORDS: usize = 10_000;
const VALUE: [u8; 100] = [b'x'; 100];
/// Longer than a run: only the size of a batch decides when it is sent.
const LONG: Duration = Duration::from_secs(60);

fn main() -> Result<(), ClientError> {
    let has_times = std::env::args().any(|it| it == "--times");
    print!("{}", run(&Broker::from_arguments(), has_times)?);
    Ok(())
}

fn run(broker: &Broker, has_times: bool) -> Result<String, ClientError> {
    let head =
        |text: &str| if has_times { format!("{text}  records/s\n") } else { format!("{text}\n") };
    let rate = |start: Instant| match has_times {
        true => format!("  {:>9.0}\n", RECORDS as f64 / start.elapsed().as_secs_f64()),
        false => "\n".to_owned(),
    };

    let mut text = head("linger.ms  batch.size  acks  requests  bytes/record");
    // ANCHOR: producer
    for (linger, batch_size, acks) in [
        (Duration::ZERO, 16_384, -1),
        (LONG, 1_024, -1),
        (LONG, 131_072, -1),
        (LONG, 131_072, 0),
        (LONG, 16_384, -1),
    ] {
        broker.fresh_topic(TOPIC, 1)?;
        let options = ProducerOptions { linger, batch_size, acks, ..ProducerOptions::default() };
        let mut producer = Producer::connect(&broker.address, options)?;
        let start = Instant::now();
        for _ in 0..RECORDS {
            producer.send(TOPIC, Some(0), None, Some(&VALUE))?;
        }
        let requests = producer.flush()?.len();
        // ANCHOR_END: producer
        let rate = rate(start);
        let bytes = bytes_on_disk(broker)? as f64 / RECORDS as f64;
        let linger = if linger.is_zero() { "0" } else { "long" };
        text += &format!(
            "{linger:>9}  {batch_size:>10}  {acks:>4}  {requests:>8}  {bytes:>12.1}{rate}"
        );
    }

    text += &head("\nfetch.max.bytes  polls");
    for fetch_max_bytes in [1 << 14, 1 << 17, 1 << 20] {
        let options = ConsumerOptions { fetch_max_bytes, ..ConsumerOptions::default() };
        let mut consumer = Consumer::connect(&broker.address, options)?;
        consumer.assign(TOPIC, 0, Some(0));
        let (mut polls, mut records, start) = (0, 0, Instant::now());
        while records < RECORDS {
            records += consumer.poll(Duration::from_secs(10))?.len();
            polls += 1;
        }
        text += &format!("{fetch_max_bytes:>15}  {polls:>5}{}", rate(start));
    }
    Ok(text + &monitor(broker)?)
}

/// Prints the number to monitor in production: the lag of a group.
fn monitor(broker: &Broker) -> Result<String, ClientError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_nanos());
    let group = format!("poc50-{now}");
    let mut text = "\n                      committed  end    lag\n".to_owned();
    // ANCHOR: lag
    let options = ConsumerOptions { fetch_max_bytes: 1 << 19, ..ConsumerOptions::default() };
    let mut consumer = Consumer::connect(&broker.address, options)?;
    consumer.subscribe(&group, &[TOPIC]);
    for when in ["after the first poll", "after all of them"] {
        let mut records = 0;
        while records == 0 || when == "after all of them" && records < RECORDS {
            let polled = consumer.poll(Duration::from_secs(10))?;
            records = polled.last().map_or(records, |it| it.offset as usize + 1);
        }
        consumer.commit()?;
        for it in admin::lag(consumer.cluster(), &group)? {
            let lag = it.end - it.committed;
            text += &format!("{when:<20}  {:>9}  {:>5}  {lag:>5}\n", it.committed, it.end);
        }
    }
    // ANCHOR_END: lag
    consumer.close()?;
    Ok(text)
}

/// The size of the topic's segments.
fn bytes_on_disk(broker: &Broker) -> Result<i64, ClientError> {
    let mut cluster = Cluster::connect(&broker.address, "poc50")?;
    // With `acks` 0 the producer does not know when its records are in the log, so wait for them.
    while cluster.offset_at(TOPIC, 0, LATEST)? < RECORDS as i64 {
        thread::sleep(Duration::from_millis(10));
    }
    let response = cluster.call(&DescribeLogDirsRequest::default())?;
    let topics = response.results.iter().flat_map(|it| &it.topics).filter(|it| it.name == TOPIC);
    Ok(topics.flat_map(|it| &it.partitions).map(|it| it.partition_size).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_recorded_one() {
        let output = run(&Broker::start(), false).expect("the broker answers");
        common::assert_recorded("poc50_tuning", &output);
    }
}
