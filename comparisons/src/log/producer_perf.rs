//! Kafka's own load tool for producing, against both brokers: throughput, and CPU of the broker and
//! of the tool.
//!
//! CPU is the figure to trust. The tool is a Java program that needs more of a core than either
//! broker, so throughput shows the tool: the third table says how much CPU it needs for a record,
//! and with a core of its own it cannot send more than one divided by that.
//!
//! ```text
//! kafka-producer-perf-test.sh --topic perf-100-1 --num-records 1000000 --record-size 100 …
//!   1000000 records sent, 473373.0 records/sec (45.14 MB/sec), 21.3 ms avg latency, …
//!   /proc/PID/task/*/schedstat before, after     0.41 s / 1,000,000 = 410 ns a record
//!   cutime, cstime of /proc/self/stat            2.9 s / 1,000,000  = 2,900 ns a record
//! ```
//!
//! Every run has a topic of its own, so that no broker has more data than the other.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use minikit::harness::usage;

use crate::model::{Better, Comparison};
use crate::provider::{self, Server};
use crate::rounds::{self, Rounds};
use crate::{Effort, Result, model, process};

/// The title of the comparison of CPU time.
pub const CPU: &str = "Broker CPU per record produced";
/// The title of the same by bytes.
pub const CPU_PER_GB: &str = "Broker CPU per GB produced";
/// The title of the comparison of the tool's own CPU time.
pub const TOOL_CPU: &str = "CPU of the load tool per record produced";
/// The title of the comparison of throughput.
pub const THROUGHPUT: &str = "Produce throughput";
/// Bytes of a record's value, and the name of the row.
pub const SIZES: [(u64, &str); 2] = [(100, "100 B, acks=all"), (1024, "1 KiB, acks=all")];

/// A run of the tool that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(180);
/// Partitions of a topic.
const PARTITIONS: u64 = 4;
/// The planned seconds of the three Java starts of one run.
const START_SECONDS: f64 = 4.0;
/// The planned bytes per second of one run.
const BYTES_PER_SECOND: f64 = 30e6;

/// One row: a size of records.
pub struct Row {
    name: &'static str,
    record_bytes: u64,
    records: u64,
}

impl Row {
    /// The rows; the number of records depends on the effort.
    pub fn all(effort: Effort) -> Vec<Row> {
        let bytes = match effort {
            Effort::Quick => 50_000_000,
            Effort::Normal => 100_000_000,
            Effort::Full => 400_000_000,
        };
        let row = |(record_bytes, name)| Row { name, record_bytes, records: bytes / record_bytes };
        SIZES.map(row).into()
    }

    /// The planned seconds of one run.
    pub fn seconds(&self) -> f64 {
        (self.records * self.record_bytes) as f64 / BYTES_PER_SECOND + START_SECONDS
    }

    /// The arguments of the tool, without topic and address.
    fn arguments(&self) -> String {
        let Row { records, record_bytes, .. } = self;
        format!("--num-records {records} --record-size {record_bytes} --throughput -1")
    }
}

/// Kafka's load tools on this machine.
pub struct Tool {
    program: PathBuf,
}

impl Tool {
    /// Finds it in `$KAFKA_HOME/bin` or on the PATH.
    pub fn find() -> Result<Tool> {
        const NAME: &str = "kafka-producer-perf-test.sh";
        let found = provider::in_home("kafka", NAME).or_else(|| provider::on_path(NAME));
        let how = super::KAFKA.install;
        let program = found.ok_or_else(|| format!("{NAME} is missing. To get it: {how}"))?;
        Ok(Tool { program })
    }

    /// For the report.
    pub fn describe(&self) -> String {
        format!("load tool: {}, {PARTITIONS} partitions, its own batching", self.program.display())
    }

    fn create_topic(&self, server: &Server, topic: &str) -> Result<()> {
        let mut command = self.other("kafka-topics.sh");
        command.args(["--bootstrap-server", &server.address.to_string(), "--create"]);
        command.args(["--topic", topic, "--partitions", &PARTITIONS.to_string()]);
        output(&mut command).map(|_| ())
    }

    /// Another tool of the same folder.
    pub fn other(&self, name: &str) -> Command {
        Command::new(self.program.with_file_name(name))
    }

    /// One run: records a second. All records must have been acknowledged.
    fn run(&self, server: &Server, row: &Row, topic: &str) -> Result<f64> {
        let mut command = Command::new(&self.program);
        command.args(["--topic", topic]).args(row.arguments().split(' '));
        command.args(["--producer-props", "acks=all"]);
        command.arg(format!("bootstrap.servers={}", server.address));
        let text = output(&mut command)?;
        Ok(records_per_second(&text, row.records).ok_or_else(|| format!("the tool: {text}"))?)
    }
}

/// What one of the tools prints.
///
/// # Errors
/// If it fails.
pub fn output(command: &mut Command) -> Result<String> {
    let output = process::run(command, LIMIT)?;
    if output.success {
        return Ok(output.stdout);
    }
    let program = command.get_program().display();
    Err(format!("{program}: {}{}", output.stdout, output.stderr).into())
}

/// The result of one run.
struct Sample {
    per_second: f64,
    /// Broker CPU per record. That of a broker on another machine cannot be read.
    cpu_ns: Option<f64>,
    /// CPU of the tool, the start of its JVM included, per record.
    tool_cpu_ns: f64,
    record_bytes: f64,
}

/// A table: its id and title, unit and direction, and its figure in a sample.
type Table = (&'static str, &'static str, &'static str, Better, fn(&Sample) -> Option<f64>);

const TABLES: [Table; 4] = [
    ("produce-cpu", CPU, "ns", Better::Lower, |it| it.cpu_ns),
    // Nanoseconds for a byte are seconds for a GB.
    ("produce-cpu-gb", CPU_PER_GB, "s/GB", Better::Lower, |it| Some(it.cpu_ns? / it.record_bytes)),
    ("produce-tool-cpu", TOOL_CPU, "ns", Better::Lower, |it| Some(it.tool_cpu_ns)),
    ("produce-throughput", THROUGHPUT, "records/s", Better::Higher, |it| Some(it.per_second)),
];

/// Measures every row on both brokers, in turns, after one run of each that is not counted.
pub fn compare(
    rounds: &mut Rounds,
    tool: &Tool,
    rows: &[Row],
    servers: &[Server; 2],
) -> Result<Vec<Comparison>> {
    let mut comparisons = TABLES.map(|table| heading(servers[1].name, table));
    for row in rows {
        let mut samples = [Vec::new(), Vec::new()];
        for number in 0..=rounds.count {
            let turn = rounds.turn(number.saturating_sub(1), row.name, row.seconds(), |side| {
                sample(tool, &servers[side], row, &topic(row.record_bytes, number))
            })?;
            if number > 0 {
                rounds::push(&mut samples, turn);
            }
        }

        for (comparison, (.., figure)) in comparisons.iter_mut().zip(TABLES) {
            let all = |samples: &[Sample]| samples.iter().map(figure).collect::<Option<Vec<f64>>>();
            let [ours, theirs] = samples.each_ref().map(|samples| all(samples));
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                let (name, command) = (row.name.into(), command(row));
                comparison.rows.push(model::Row { name, ours, theirs, command, bar: None });
            }
        }
    }
    Ok(comparisons.into_iter().filter(|comparison| !comparison.rows.is_empty()).collect())
}

/// The topic of a round.
fn topic(record_bytes: u64, round: usize) -> String {
    format!("perf-{record_bytes}-{round}")
}

fn sample(tool: &Tool, server: &Server, row: &Row, topic: &str) -> Result<Sample> {
    tool.create_topic(server, topic)?;
    let (broker, own) = (server.pid.and_then(usage::cpu_time), process::cpu_time_of_children()?);
    let per_second = tool.run(server, row, topic)?;
    let per_record = |spent: Duration| spent.as_nanos() as f64 / row.records as f64;
    let after = server.pid.and_then(usage::cpu_time);
    Ok(Sample {
        per_second,
        cpu_ns: after.zip(broker).map(|(after, before)| per_record(after.saturating_sub(before))),
        tool_cpu_ns: per_record(process::cpu_time_of_children()?.saturating_sub(own)),
        record_bytes: row.record_bytes as f64,
    })
}

fn command(row: &Row) -> String {
    format!("kafka-producer-perf-test.sh {} --producer-props acks=all", row.arguments())
}

fn heading(theirs: &str, (id, title, unit, better, _): Table) -> Comparison {
    Comparison {
        id: id.into(),
        title: title.into(),
        detail: format!("One producer, {PARTITIONS} partitions"),
        meaning: "CPU time of the broker's process, kernel time included; CPU time of the load \
                  tool, a JVM that starts for each run; and records a second as the tool counts \
                  them. The tool needs more CPU than either broker, so throughput shows the tool."
            .into(),
        command: "kafka-producer-perf-test.sh, and for each row:".into(),
        against: theirs.into(),
        unit: unit.into(),
        better,
        rows: Vec::new(),
        curves: Vec::new(),
    }
}

/// The records a second in the last line that the tool prints, if it is about all records.
fn records_per_second(output: &str, records: u64) -> Option<f64> {
    let line = output.lines().rfind(|line| line.contains("99.9th"))?;
    let rest = line.strip_prefix(&format!("{records} records sent, "))?;
    rest.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: &str = "1000 records sent, 473373.1 records/sec (45.14 MB/sec), 21.30 ms avg \
        latency, 253.00 ms max latency, 1 ms 50th, 2 ms 95th, 3 ms 99th, 4 ms 99.9th.";

    #[test]
    fn the_result_is_in_the_last_line() {
        let output = format!("500 records sent, 99.5 records/sec (..), ..\n{LAST}\n");
        assert_eq!(records_per_second(&output, 1000), Some(473_373.1));
        assert_eq!(records_per_second(&output, 2000), None);
        assert_eq!(records_per_second("", 1000), None);
    }

    #[test]
    fn both_rows_send_the_same_bytes() {
        let rows = Row::all(Effort::Quick);
        assert_eq!(rows[0].arguments(), "--num-records 500000 --record-size 100 --throughput -1");
        assert!(
            rows.iter().all(|row| (row.records * row.record_bytes).abs_diff(50_000_000) < 1024)
        );
    }
}
