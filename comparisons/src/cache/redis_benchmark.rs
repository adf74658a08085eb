//! Redis's own load tool against both servers: throughput, and server CPU per operation.
//!
//! CPU is the figure to trust. Without pipelining the single-threaded tool is busier than either
//! server, so throughput shows the tool's limit twice. The CPU time of the server's process still
//! shows the server.
//!
//! ```text
//! redis-benchmark -p 40001 --csv -n 200000 -r 100000 -c 50 -P 16 -d 3 -t set
//!   "SET","1104972.38",…                       throughput 1,104,972/s
//!   /proc/PID/task/*/schedstat before, after   0.1632 s / 200,000 = 816 ns an operation
//! ```
//!
//! The tool's source is `src/redis-benchmark.c`.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use minikit::harness::usage;

use super::commands::{KEYS, Mix, Repeat, Stock, Test};
use super::resp::Client;
use crate::Result;
use crate::cores::Cores;
use crate::generator::{self, Load, Pace};
use crate::model::{Better, Comparison, Row};
use crate::process;
use crate::provider::{self, Server};
use crate::rounds::{self, Rounds};

/// A run of the tool that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// The planned seconds of one run of the tool, with its start.
pub const SECONDS_PER_RUN: f64 = 0.55;

/// One row: a test under one kind of load.
#[derive(Clone)]
pub struct Case {
    /// What is sent.
    pub test: &'static Test,
    /// Requests in flight on each connection, `-P`.
    pub pipeline: u64,
    /// Connections, `-c`.
    pub connections: usize,
    /// Size of values, `-d`.
    pub value_bytes: usize,
    /// Requests of one run, `-n`.
    pub requests: u64,
    /// Through the Unix socket, `-s`, instead of TCP.
    pub socket: bool,
}

impl Case {
    /// A case over TCP whose runs take about half a second times `scale`.
    pub fn new(
        test: &'static Test,
        pipeline: u64,
        connections: usize,
        value_bytes: usize,
        scale: f64,
    ) -> Case {
        let rate = match pipeline {
            1 => 30_000,
            2..=16 => 200_000,
            _ => 400_000,
        };
        // One connection waits for each answer; large values cost by the byte.
        let slower = if connections == 1 { 3 } else { 1 } * if value_bytes > 1024 { 2 } else { 1 };
        let requests = (rate as f64 * scale) as u64 / test.weight / slower;
        // The tool sends whole pipelines. If its only client gets more answers than were asked for,
        // the tool may find that all clients have disconnected, and gives up.
        let requests = requests.next_multiple_of(pipeline);
        Case { test, pipeline, connections, value_bytes, requests, socket: false }
    }

    /// The name of its row: `SET P16 c50 3 B`.
    pub fn name(&self) -> String {
        let way = if self.socket { " unix socket" } else { "" };
        let Case { test, pipeline, connections, value_bytes, .. } = self;
        let size = match value_bytes {
            bytes if bytes % 1024 == 0 => format!("{} KiB", bytes / 1024),
            bytes => format!("{bytes} B"),
        };
        format!("{} P{pipeline} c{connections} {size}{way}", test.name)
    }

    /// The arguments of redis-benchmark, without the server's address.
    fn arguments(&self) -> Vec<String> {
        let numbers = [
            ("-n", self.requests),
            ("-r", KEYS),
            ("-c", self.connections as u64),
            ("-P", self.pipeline),
            ("-d", self.value_bytes as u64),
        ];
        let mut arguments = vec!["--csv".to_string()];
        arguments.extend(numbers.iter().flat_map(|(flag, n)| [flag.to_string(), n.to_string()]));
        match self.test.flag {
            Some(flag) => arguments.extend(["-t".to_string(), flag.to_string()]),
            None => arguments.extend(self.test.words.iter().map(|word| word.to_string())),
        }
        arguments
    }

    /// The command for the report. Our generator, if it stands in, sends the same.
    fn command(&self) -> String {
        format!("redis-benchmark {}", self.arguments().join(" "))
    }
}

/// What sends the load.
pub enum Tool {
    /// redis-benchmark: the words that call it, here or inside a container.
    RedisBenchmark(Vec<String>),
    /// Our generator's closed loop with the same commands.
    Generator,
}

impl Tool {
    /// redis-benchmark on this machine, else in the container of the real server, else ours.
    pub fn find(theirs: &Server, cores: Option<Cores>) -> Tool {
        let installed = provider::on_path("redis-benchmark");
        if let Some(path) = installed {
            return Tool::RedisBenchmark(vec![path.display().to_string()]);
        }
        let Some(id) = &theirs.container else { return Tool::Generator };
        let mut words: Vec<String> = ["docker", "exec", id].map(String::from).to_vec();
        // A process inside the container does not inherit our core.
        words.extend(
            cores.iter().flat_map(|cores| {
                ["taskset".to_string(), "-c".to_string(), cores.client.to_string()]
            }),
        );
        words.push("redis-benchmark".into());
        let answers = process::run(call(&words).arg("--version"), LIMIT);
        match answers.is_ok_and(|output| output.success) {
            true => Tool::RedisBenchmark(words),
            false => Tool::Generator,
        }
    }

    /// For the report: which tool, which version.
    pub fn describe(&self) -> String {
        match self {
            Tool::RedisBenchmark(words) => {
                let version = process::run(call(words).arg("--version"), LIMIT);
                let text = version.map(|output| output.stdout).unwrap_or_default();
                format!("load tool: {} ({})", text.trim(), words.join(" "))
            }
            Tool::Generator => "load tool: our own generator in a closed loop, because \
                redis-benchmark is not installed (Debian: apt-get install redis-tools)"
                .into(),
        }
    }

    /// One run: requests a second.
    fn run(&self, server: &Server, case: &Case) -> Result<f64> {
        match self {
            Tool::RedisBenchmark(words) => redis_benchmark(words, server, case),
            Tool::Generator => own_loop(server.address, case),
        }
    }
}

/// The result of one run.
struct Sample {
    per_second: f64,
    cpu_ns: Option<f64>,
}

/// The heading of the two comparisons of a set of cases.
pub struct Heading {
    /// Comes before `-cpu` and `-throughput` in the ids.
    pub id: &'static str,
    /// Comes after the titles: `, default list`.
    pub suffix: &'static str,
    /// The load that all cases have in common.
    pub detail: &'static str,
    /// True if all cases have the same load, so that rows need only the test's name.
    pub same_load: bool,
    /// The command of a round.
    pub command: &'static str,
}

/// A set of cases and the results of their rounds so far.
pub struct Suite {
    heading: Heading,
    cases: Vec<(Case, [Vec<Sample>; 2])>,
}

impl Suite {
    /// Cases without results.
    pub fn new(heading: Heading, cases: Vec<Case>) -> Suite {
        let cases = cases.into_iter().map(|case| (case, [Vec::new(), Vec::new()])).collect();
        Suite { heading, cases }
    }

    /// Takes one round of every case on both servers.
    pub fn round(
        &mut self,
        rounds: &mut Rounds,
        number: usize,
        tool: &Tool,
        servers: &[Server; 2],
    ) -> Result<()> {
        for (case, samples) in &mut self.cases {
            let turn = rounds.turn(number, &case.name(), SECONDS_PER_RUN, |side| {
                stock(servers[side].address, case)?;
                sample(tool, &servers[side], case)
            })?;
            rounds::push(samples, turn);
        }
        Ok(())
    }

    /// CPU per operation, where it could be read, and throughput against `theirs`.
    pub fn comparisons(&self, theirs: &str) -> Vec<Comparison> {
        let cpu = Comparison {
            id: format!("{}-cpu", self.heading.id),
            title: format!("Server CPU per operation{}", self.heading.suffix),
            meaning: "CPU time of the server's process, kernel time included, divided by \
                      requests. Neither the load tool nor other processes enter into it."
                .into(),
            unit: "ns".into(),
            better: Better::Lower,
            rows: self.rows(|sample| sample.cpu_ns),
            ..self.comparison(theirs)
        };
        let throughput = Comparison {
            id: format!("{}-throughput", self.heading.id),
            title: format!("Throughput{}", self.heading.suffix),
            meaning: "Requests a second as the load tool counts them. Without pipelining the \
                      single-threaded tool is the limit for both, so trust the rows with P16 \
                      and P64."
                .into(),
            rows: self.rows(|sample| Some(sample.per_second)),
            ..self.comparison(theirs)
        };
        [cpu, throughput].into_iter().filter(|comparison| !comparison.rows.is_empty()).collect()
    }

    /// The part that both comparisons share.
    fn comparison(&self, theirs: &str) -> Comparison {
        Comparison {
            id: String::new(),
            title: String::new(),
            detail: self.heading.detail.into(),
            meaning: String::new(),
            command: self.heading.command.into(),
            against: theirs.into(),
            unit: "requests/s".into(),
            better: Better::Higher,
            rows: Vec::new(),
            curves: Vec::new(),
        }
    }

    /// A row for each case that has the figure in every round.
    fn rows(&self, figure: fn(&Sample) -> Option<f64>) -> Vec<Row> {
        let all = |samples: &[Sample]| samples.iter().map(figure).collect::<Option<Vec<f64>>>();
        let row = |(case, [ours, theirs]): &(Case, [Vec<Sample>; 2])| {
            let name = if self.heading.same_load { case.test.name.into() } else { case.name() };
            let command = case.command();
            Some(Row { name, ours: all(ours)?, theirs: all(theirs)?, command, bar: None })
        };
        self.cases.iter().filter_map(row).collect()
    }
}

fn sample(tool: &Tool, server: &Server, case: &Case) -> Result<Sample> {
    let before = server.pid.and_then(usage::cpu_time);
    let per_second = tool.run(server, case)?;
    let after = server.pid.and_then(usage::cpu_time);
    let spent = after.zip(before).map(|(after, before)| after.saturating_sub(before));
    let cpu_ns = spent.map(|spent| spent.as_nanos() as f64 / case.requests as f64);
    Ok(Sample { per_second, cpu_ns })
}

/// Loads what the test needs in the server.
fn stock(address: SocketAddr, case: &Case) -> Result<()> {
    match case.test.stock {
        Stock::Nothing => Ok(()),
        Stock::Keys => load(address, &mut Mix::new(case.value_bytes, 100), KEYS),
        Stock::OneEach(words) => {
            load(address, &mut Repeat::new(words, case.value_bytes), case.requests)
        }
        Stock::List => {
            Client::connect(address, LIMIT)?.ask(&["DEL", "mylist"])?;
            let push = &["RPUSH", "mylist", "__data__"];
            load(address, &mut Repeat::new(push, case.value_bytes), 600)
        }
    }
}

/// Sends `requests` in a closed loop of 64 in flight on each of four connections.
pub fn load<T: generator::Traffic>(
    address: SocketAddr,
    traffic: &mut T,
    requests: u64,
) -> Result<()> {
    let pace = Pace::Closed { pipeline: 64 };
    generator::drive(Load { address, connections: 4, requests, pace }, traffic).map(drop)
}

fn own_loop(address: SocketAddr, case: &Case) -> Result<f64> {
    let pace = Pace::Closed { pipeline: case.pipeline };
    let load = Load { address, connections: case.connections, requests: case.requests, pace };
    let outcome = generator::drive(load, &mut Repeat::new(case.test.words, case.value_bytes))?;
    Ok(case.requests as f64 / outcome.elapsed.as_secs_f64())
}

fn redis_benchmark(words: &[String], server: &Server, case: &Case) -> Result<f64> {
    let mut command = call(words);
    match &server.socket {
        Some(path) if case.socket => command.arg("-s").arg(path),
        _ => command
            .args(["-h", &server.address.ip().to_string()])
            .args(["-p", &server.address.port().to_string()]),
    };
    let output = process::run(command.args(case.arguments()), LIMIT)?;
    let troubles = ["error", "warning", "could not"];
    let said = output.stderr.to_lowercase();
    if !output.success || troubles.iter().any(|trouble| said.contains(trouble)) {
        return Err(format!("redis-benchmark: {}", output.stderr.trim()).into());
    }
    throughput(&output.stdout)
}

fn call(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// The requests a second in what `redis-benchmark --csv` prints for one test: a heading, and a line
/// whose first column is the test (it may hold commas) and whose second is the number.
fn throughput(csv: &str) -> Result<f64> {
    let mut lines = csv.lines().filter(|line| line.starts_with('"'));
    let heading = lines.next().unwrap_or_default();
    let column = heading.split("\",\"").position(|name| name == "rps");
    let line = lines.next().unwrap_or_default();
    let figure = column.and_then(|column| line.split("\",\"").nth(column)?.parse::<f64>().ok());
    match (figure, lines.next()) {
        (Some(figure), None) if figure > 0.0 => Ok(figure),
        _ => Err(format!("redis-benchmark printed something else than one result: {csv:?}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::commands::{DEFAULT_LIST, SET};
    use super::*;

    const HEADING: &str = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\"\n";

    #[test]
    fn one_result_is_read() {
        let csv = format!("{HEADING}\"SET\",\"108695.65\",\"0.236\",\"0.064\"\n");
        assert_eq!(throughput(&csv).unwrap(), 108_695.65);
        let csv = format!("{HEADING}\"eval a, b 0\",\"5.5\",\"0.236\",\"0.064\"\n");
        assert_eq!(throughput(&csv).unwrap(), 5.5);
    }

    #[test]
    fn no_result_or_two_are_an_error() {
        let line = "\"SET\",\"1.0\",\"0.2\",\"0.1\"\n";
        assert!(throughput("").is_err());
        assert!(throughput(HEADING).is_err());
        assert!(throughput(&format!("{HEADING}{line}{line}")).is_err());
        assert!(throughput(&format!("{HEADING}\"SET\",\"-nan\",\"0\",\"0\"\n")).is_err());
        assert!(throughput("ERROR: failed to fetch reply\n").is_err());
    }

    #[test]
    fn cases_name_themselves_and_size_themselves() {
        let case = Case::new(&SET, 16, 50, 4096, 1.0);
        assert_eq!(case.name(), "SET P16 c50 4 KiB");
        assert_eq!(case.requests, 100_000);
        let command = "redis-benchmark --csv -n 100000 -r 100000 -c 50 -P 16 -d 4096 -t set";
        assert_eq!(case.command(), command);
        let lrange = DEFAULT_LIST.iter().find(|test| test.name.contains("600")).unwrap();
        assert_eq!(Case::new(lrange, 1, 50, 3, 1.0).requests, 7_500);
    }
}
