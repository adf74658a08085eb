//! POC 48: what does a stream processor count if it dies between its output and its commit?
//!
//! `cargo run --release -p minilog --example poc48_streams`
//!
//! A word count like that of Kafka Streams: it reads lines in a group, keeps its counts in memory,
//! and writes each change to a compacted topic, from which the next instance restores the counts.
//! The first instance dies after it has written and before it commits. `--against HOST:PORT` does
//! the same with Kafka.

mod common;

use common::Broker;
use minilog::client::ClientError;
use minilog::client::admin;
use minilog::client::consumer::{Consumer, ConsumerOptions, ConsumerRecord};
use minilog::client::producer::{Producer, ProducerOptions};
use minilog::wire::list_offsets::LATEST;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LINES: &str = "poc48-lines";
const COUNTS: &str = "poc48-counts";
const TEXT: [&str; 3] = ["the log is a log", "the table is a view", "a view of the log"];

fn main() -> Result<(), ClientError> {
    print!("{}", run(&Broker::from_arguments())?);
    Ok(())
}

fn run(broker: &Broker) -> Result<String, ClientError> {
    let mut parts = Vec::new();
    for (title, remembers_offsets) in
        [("Counts alone in the changelog", false), ("Each count with the offset of its line", true)]
    {
        let mut cluster = broker.fresh_topic(COUNTS, 1)?;
        let compacted = ("cleanup.policy".to_owned(), Some("compact".to_owned()));
        admin::alter_topic(&mut cluster, COUNTS, vec![compacted])?;
        broker.fresh_topic(LINES, 1)?;
        let mut producer = Producer::connect(&broker.address, ProducerOptions::default())?;
        for line in TEXT {
            producer.send(LINES, Some(0), None, Some(line.as_bytes()))?;
        }
        producer.flush()?;
        // Use a new group in each run: an old one would continue where the last run stopped.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_nanos());
        let group = format!("poc48-{now}");

        let mut first = WordCount::restore(broker, remembers_offsets)?;
        first.process_all(broker, &group, Commit::Never)?;
        let mut text = format!("{title}\n\nfirst instance, dies    {}\n", first.show());
        drop(first);

        let mut second = WordCount::restore(broker, remembers_offsets)?;
        text += &format!("second, restored        {}\n", second.show());
        second.process_all(broker, &group, Commit::AfterOutput)?;
        text += &format!("second, all lines read  {}\n", second.show());
        parts.push(text);
    }
    Ok(parts.join("\n"))
}

/// When the offsets of the lines are committed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Commit {
    AfterOutput,
    /// The process dies before the commit.
    Never,
}

/// The processor and its state, which can be restored from the changelog.
struct WordCount {
    /// For each word its count, and the offset after the line that changed it last.
    counts: BTreeMap<String, (u64, i64)>,
    remembers_offsets: bool,
}

impl WordCount {
    // ANCHOR: restore
    /// Restores the state from the changelog: the last record of each word.
    fn restore(broker: &Broker, remembers_offsets: bool) -> Result<WordCount, ClientError> {
        let mut counts = BTreeMap::new();
        let mut consumer = Consumer::connect(&broker.address, ConsumerOptions::default())?;
        for record in read_to_end(&mut consumer, COUNTS)? {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let value = text(record.value.as_deref().unwrap_or_default());
            let (count, next) = value.split_once(' ').unwrap_or((&value, "0"));
            let state = (count.parse().unwrap_or(0), next.parse().unwrap_or(0));
            counts.insert(text(record.key.as_deref().unwrap_or_default()), state);
        }
        Ok(WordCount { counts, remembers_offsets })
    }
    // ANCHOR_END: restore

    // ANCHOR: process
    /// Reads, counts, writes the changes, commits what was read: in this order.
    fn process_all(
        &mut self,
        broker: &Broker,
        group: &str,
        commit: Commit,
    ) -> Result<(), ClientError> {
        let mut consumer = Consumer::connect(&broker.address, ConsumerOptions::default())?;
        consumer.subscribe(group, &[LINES]);
        let mut producer = Producer::connect(&broker.address, ProducerOptions::default())?;

        let mut lines = 0;
        while lines < TEXT.len() {
            for line in consumer.poll(Duration::from_secs(1))? {
                lines += 1;
                for (word, value) in self.count(&line) {
                    producer.send(
                        COUNTS,
                        Some(0),
                        Some(word.as_bytes()),
                        Some(value.as_bytes()),
                    )?;
                }
            }
        }
        producer.flush()?;
        if commit == Commit::AfterOutput {
            consumer.commit()?;
        }
        consumer.close()
    }

    /// Counts the words of a line. Returns what changed, for the changelog.
    fn count(&mut self, line: &ConsumerRecord) -> BTreeMap<String, String> {
        let value = String::from_utf8_lossy(line.value.as_deref().unwrap_or_default());
        let (mut changes, next) = (BTreeMap::new(), line.offset + 1);
        let state = self.counts.clone();
        for word in value.split(' ') {
            // The state is newer than this line: the line was counted by an instance that died.
            let counted_up_to = state.get(word).map_or(0, |(_, next)| *next);
            if self.remembers_offsets && counted_up_to > line.offset {
                continue;
            }
            let (count, counted) = self.counts.entry(word.to_owned()).or_default();
            (*count, *counted) = (*count + 1, next);
            changes.insert(word.to_owned(), format!("{count} {next}"));
        }
        changes
    }
    // ANCHOR_END: process

    fn show(&self) -> String {
        let counts = self.counts.iter().map(|(word, (count, _))| format!("{word} {count}"));
        if self.counts.is_empty() {
            "nothing".to_owned()
        } else {
            counts.collect::<Vec<_>>().join("  ")
        }
    }
}

/// All records of a topic with one partition.
fn read_to_end(consumer: &mut Consumer, topic: &str) -> Result<Vec<ConsumerRecord>, ClientError> {
    let end = consumer.cluster().offset_at(topic, 0, LATEST)?;
    consumer.assign(topic, 0, Some(0));
    let mut all = Vec::new();
    while consumer.positions.values().any(|position| position.is_none_or(|it| it < end)) {
        all.extend(consumer.poll(Duration::from_secs(1))?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_recorded_one() {
        let output = run(&Broker::start()).expect("the broker answers");
        common::assert_recorded("poc48_streams", &output);
    }
}
