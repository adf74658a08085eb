//! End-to-end latency: from the moment a record is due until a consumer has it.
//!
//! A thread sends a record to one partition at a fixed rate and waits for its acknowledgement; it
//! is an open loop, because latency counts from the timetable and not from when the record could be
//! sent. Another thread consumes with long polls, as every Kafka consumer does.
//!
//! ```text
//! due 5.000 ms   Produce, acks=all   append, answer
//!                                    the waiting Fetch is answered      arrived 5.160 ms
//! ```
//!
//! On a busy machine the sender itself wakes up late, and that counts as well. How late it was is a
//! row of its own: no broker can be faster than that.
//!
//! Kafka's own tool, `kafka-e2e-latency.sh`, sends the next record when the last one has arrived
//! and prints percentiles in whole milliseconds; its mean has fractions and is the last row.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use minilog::client::admin;
use minilog::client::cluster::Cluster;
use minilog::client::consumer::{Consumer, ConsumerOptions};
use minilog::client::producer::{Producer, ProducerOptions};

use super::producer_perf::{Tool, output};
use crate::model::{Better, Comparison, Row};
use crate::provider::Server;
use crate::rounds::{self, Rounds};
use crate::{Effort, Result};

/// The title of the comparison.
pub const TITLE: &str = "End-to-end latency";
/// The row that a goal is about.
pub const ROW: &str = "p99 at 1,000 records/s";

/// Records a second, far below what one core serves.
const RATE: u64 = 1_000;
/// Bytes of a value.
const VALUE_BYTES: usize = 100;
const PERCENTILES: [(f64, &str); 3] =
    [(50.0, "p50 at 1,000 records/s"), (99.0, ROW), (99.9, "p99.9 at 1,000 records/s")];
/// The row of what is not the broker's.
const LATE_ROW: &str = "p99 of how late the sender was";
/// The row of Kafka's tool.
const TOOL_ROW: &str = "mean of kafka-e2e-latency.sh";

/// The planned seconds of one round.
pub fn seconds(effort: Effort) -> f64 {
    // The tool adds two starts of Java and a millisecond or two for each record.
    records(effort) as f64 * (1.0 / RATE as f64 + 0.001) + 6.0
}

/// Records of one round, of our generator and of the tool each.
fn records(effort: Effort) -> u64 {
    match effort {
        Effort::Quick => 2_000,
        Effort::Normal => 5_000,
        Effort::Full => 20_000,
    }
}

/// Measures both brokers in turns, after one round of each that is not counted.
pub fn compare(
    rounds: &mut Rounds,
    tool: &Tool,
    effort: Effort,
    servers: &[Server; 2],
) -> Result<Comparison> {
    let (records, mut samples) = (records(effort), [Vec::new(), Vec::new()]);
    for number in 0..=rounds.count {
        let turn = rounds.turn(number.saturating_sub(1), "latency", seconds(effort), |side| {
            let address = servers[side].address;
            let (latency, late) = end_to_end(address, &format!("latency-{number}"), records)?;
            Ok((latency, late, mean_of_tool(tool, address, &format!("tool-{number}"), records)?))
        })?;
        if number > 0 {
            rounds::push(&mut samples, turn);
        }
    }

    type Sample = (Histogram<u64>, Histogram<u64>, f64);
    let row = |name: &str, command: &str, of: &dyn Fn(&Sample) -> f64| {
        let [ours, theirs] = samples.each_ref().map(|all| all.iter().map(of).collect());
        Row { name: name.into(), ours, theirs, command: command.into(), bar: None }
    };
    let rows = PERCENTILES
        .iter()
        .map(|(percentile, name)| row(name, "", &|it| milliseconds(&it.0, *percentile)));
    let mut rows = rows.collect::<Vec<_>>();
    rows.push(row(LATE_ROW, "", &|it| milliseconds(&it.1, 99.0)));
    let command = format!("kafka-e2e-latency.sh ADDRESS TOPIC {records} all {VALUE_BYTES}");
    rows.push(row(TOOL_ROW, &command, &|it| it.2));
    Ok(Comparison {
        id: "latency".into(),
        title: TITLE.into(),
        detail: format!("acks=all, one partition, {VALUE_BYTES} B"),
        meaning: "From when a record was due by the timetable until a consumer in the same \
                  process had it. Every record arrived once and in order."
            .into(),
        command: format!("our generator: {records} records, linger.ms=0, one consumer"),
        against: servers[1].name.into(),
        unit: "ms".into(),
        better: Better::Lower,
        rows,
        curves: Vec::new(),
    })
}

fn milliseconds(histogram: &Histogram<u64>, percentile: f64) -> f64 {
    histogram.value_at_percentile(percentile) as f64 / 1e6
}

/// Sends `records` at [`RATE`]. Returns their latencies, and how late they were sent, both in
/// nanoseconds.
fn end_to_end(
    address: SocketAddr,
    topic: &str,
    records: u64,
) -> Result<(Histogram<u64>, Histogram<u64>)> {
    let address = address.to_string();
    admin::create_topic(&mut Cluster::connect(&address, "comparisons")?, topic, 1, &[])?;
    let mut consumer = Consumer::connect(&address, ConsumerOptions::default())?;
    consumer.assign(topic, 0, Some(0));
    let options = ProducerOptions { linger: Duration::ZERO, ..ProducerOptions::default() };
    let mut producer = Producer::connect(&address, options)?;

    let start = Instant::now();
    let consuming = thread::spawn(move || -> Result<Histogram<u64>> {
        let (mut latency, mut expected) = (Histogram::new(3)?, 0);
        while expected < records {
            for record in consumer.poll(Duration::from_secs(20))? {
                let due = record.value.as_deref().and_then(<[u8]>::first_chunk).copied();
                let due = u64::from_be_bytes(due.ok_or("a record without a time")?);
                if record.offset != expected as i64 || due != due_at(expected) {
                    return Err(format!("record {} is not {expected}", record.offset).into());
                }
                latency.record(start.elapsed().as_nanos() as u64 - due)?;
                expected += 1;
            }
        }
        Ok(latency)
    });

    let (mut value, mut late) = ([0; VALUE_BYTES], Histogram::new(3)?);
    for number in 0..records {
        let due = due_at(number);
        let left = Duration::from_nanos(due).saturating_sub(start.elapsed());
        thread::sleep(left);
        late.record(start.elapsed().as_nanos() as u64 - due)?;
        value[..8].copy_from_slice(&due.to_be_bytes());
        producer.send(topic, Some(0), None, Some(&value))?;
    }
    let latency = consuming.join().map_err(|_| "the consumer panicked")??;
    Ok((latency, late))
}

/// When a record is to be sent, in nanoseconds. The first second is for the consumer to connect.
fn due_at(number: u64) -> u64 {
    1_000_000_000 + number * (1_000_000_000 / RATE)
}

fn mean_of_tool(tool: &Tool, address: SocketAddr, topic: &str, records: u64) -> Result<f64> {
    let mut command = tool.other("kafka-e2e-latency.sh");
    command.args([&address.to_string(), topic, &records.to_string(), "all"]);
    let text = output(command.arg(VALUE_BYTES.to_string()))?;
    Ok(mean(&text).ok_or(text)?)
}

/// The number in `Avg latency: 0.6543 ms`.
fn mean(output: &str) -> Option<f64> {
    let line = output.lines().find_map(|line| line.strip_prefix("Avg latency: "))?;
    line.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_has_fractions() {
        let text = "0\t12.3\nAvg latency: 0.6543 ms\n\nPercentiles: 50th = 0, 99th = 3\n";
        assert_eq!(mean(text), Some(0.6543));
        assert_eq!(mean("usage"), None);
    }
}
