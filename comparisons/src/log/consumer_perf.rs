//! Kafka's own load tool for consuming, against both brokers, and what a broker cannot do without.
//!
//! ```text
//! kafka-consumer-perf-test.sh --topic consume --num-records 196612 …
//!   start.time, end.time, data.consumed.in.MB, …, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
//!   /proc/PID/task/*/schedstat before, after     0.08 s / 0.2 GB = 0.4 s/GB
//! ```
//!
//! Three connections and a join of a group cost minilog 4 to 5 ms each time. 200 MB make that
//! 0.02 s/GB; with 50 MB it was 0.1 s/GB, a fifth of the figure.
//!
//! The floor is a loop that sends the same bytes from a file in the page cache to a socket, with
//! `sendfile` in pieces of 1 MiB and nothing else: the kernel's part of the work. Throughput is the
//! tool's `fetch.MB.sec`, which leaves out the wait for the group: Kafka waits 3 s for more
//! members.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use minikit::harness::usage;
use rustix::fs::sendfile;

use super::producer_perf::{Tool, output};
use super::saturation::send_batches;
use crate::cores::{Cores, cpu_of_this_thread};
use crate::model::{Better, Comparison, Row};
use crate::process::Scratch;
use crate::provider::Server;
use crate::rounds::{self, Rounds};
use crate::{Effort, Result};

/// The title of the comparison of CPU time.
pub const CPU: &str = "Broker CPU per GB consumed";
/// The title of the comparison with the floor.
pub const FLOOR: &str = "Broker CPU per GB consumed, beside a bare sendfile loop";
/// The title of the comparison of throughput.
pub const THROUGHPUT: &str = "Consume throughput";
/// The only row of all three.
pub const ROW: &str = "1 KiB";
/// Bytes of a record's value.
pub const RECORD_BYTES: u64 = 1024;

/// The planned seconds of one run, most of them Java's start and Kafka's wait for members.
pub const SECONDS: f64 = 9.0;
const TOPIC: &str = "consume";
/// Bytes of one `sendfile`.
const PIECE_BYTES: u64 = 1 << 20;
/// Pieces of the file that is sent again and again.
const FILE_PIECES: u64 = 64;

/// The result of one run.
struct Sample {
    /// CPU seconds of the broker for a GB of values, if its process is on this machine.
    cpu: Option<f64>,
    megabytes_per_second: f64,
}

/// Consumes the same batches of both brokers in turns, after one run of each that is not counted.
pub fn compare(
    rounds: &mut Rounds,
    tool: &Tool,
    effort: Effort,
    servers: &[Server; 2],
    cores: Option<Cores>,
) -> Result<Vec<Comparison>> {
    let batches = match effort {
        Effort::Quick | Effort::Normal => 12_500,
        Effort::Full => 60_000,
    };
    let mut records = 0;
    for server in servers {
        let sent = send_batches(server, TOPIC, RECORD_BYTES as usize, batches)?;
        records = batches * sent.records;
    }

    let (mut samples, mut floor) = ([Vec::new(), Vec::new()], Vec::new());
    for number in 0..=rounds.count {
        let turn = rounds.turn(number.saturating_sub(1), "consume", SECONDS, |side| {
            sample(tool, &servers[side], records)
        })?;
        if number > 0 {
            rounds::push(&mut samples, turn);
            floor.push(sendfile_loop(records * RECORD_BYTES, cores)?);
        }
    }

    let command = format!("kafka-consumer-perf-test.sh --num-records {records}");
    let rates = samples.each_ref().map(|all| all.iter().map(|it| it.megabytes_per_second));
    let rates = rates.map(Iterator::collect::<Vec<f64>>);
    let theirs = servers[1].name;
    let mut comparisons =
        vec![table("consume-throughput", THROUGHPUT, theirs, "MB/s", rates, &command)];
    let cpu = samples.map(|all| all.into_iter().map(|it| it.cpu).collect::<Option<Vec<f64>>>());
    if let [Some(ours), Some(their_cpu)] = cpu {
        let both = [ours.clone(), their_cpu];
        comparisons.insert(0, table("consume-cpu", CPU, theirs, "s/GB", both, &command));
        let with_floor = [ours, floor];
        let name = "a bare sendfile loop";
        comparisons.insert(1, table("consume-floor", FLOOR, name, "s/GB", with_floor, &command));
    }
    Ok(comparisons)
}

fn sample(tool: &Tool, server: &Server, records: u64) -> Result<Sample> {
    let mut command = tool.other("kafka-consumer-perf-test.sh");
    command.args(["--bootstrap-server", &server.address.to_string()]);
    command.args(["--topic", TOPIC, "--num-records", &records.to_string()]);
    let before = server.pid.and_then(usage::cpu_time);
    let text = output(&mut command)?;
    let after = server.pid.and_then(usage::cpu_time);
    let spent = after.zip(before).map(|(after, before)| after.saturating_sub(before));
    Ok(Sample {
        cpu: spent.map(|it| it.as_secs_f64() / ((records * RECORD_BYTES) as f64 / 1e9)),
        megabytes_per_second: megabytes_per_second(&text, records).ok_or(text)?,
    })
}

/// `fetch.MB.sec` in the last line that the tool prints, if it has read all records.
fn megabytes_per_second(output: &str, records: u64) -> Option<f64> {
    let line = output.lines().rfind(|line| line.contains(", "))?;
    let fields = line.split(", ").collect::<Vec<_>>();
    let read = fields.get(4)?.parse::<u64>().ok()?;
    fields.get(8)?.trim().parse().ok().filter(|_| read >= records)
}

/// CPU seconds for a GB of a thread on the server's core that sends a file to a socket.
fn sendfile_loop(bytes: u64, cores: Option<Cores>) -> Result<f64> {
    let scratch = Scratch::new("sendfile")?;
    let path = scratch.path().join("file");
    let mut file = std::fs::File::create_new(&path)?;
    for _ in 0..FILE_PIECES {
        file.write_all(&[7; PIECE_BYTES as usize])?;
    }
    let file = std::fs::File::open(path)?;

    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut reader = TcpStream::connect(listener.local_addr()?)?;
    let (socket, _) = listener.accept()?;
    let pieces = bytes.div_ceil(PIECE_BYTES);
    let sender = thread::spawn(move || -> Result<u64> {
        if let Some(cores) = cores {
            cores.take_server_core();
        }
        let before = cpu_of_this_thread()?;
        for piece in 0..pieces {
            let mut at = piece % FILE_PIECES * PIECE_BYTES;
            let mut left = PIECE_BYTES as usize;
            while left > 0 {
                left -= sendfile(&socket, &file, Some(&mut at), left)?;
            }
        }
        Ok(cpu_of_this_thread()? - before)
    });

    let (mut read, mut chunk) = (0, vec![0; PIECE_BYTES as usize]);
    loop {
        match reader.read(&mut chunk)? {
            0 => break,
            count => read += count as u64,
        }
    }
    let spent = sender.join().map_err(|_| "the sender panicked")??;
    if read != pieces * PIECE_BYTES {
        return Err(format!("{read} bytes arrived").into());
    }
    Ok(spent as f64 / read as f64)
}

fn table(
    id: &str,
    title: &str,
    against: &str,
    unit: &str,
    [ours, theirs]: [Vec<f64>; 2],
    command: &str,
) -> Comparison {
    Comparison {
        id: id.into(),
        title: title.into(),
        detail: "One consumer in a group of its own, 4 partitions, from the page cache".into(),
        meaning: "CPU time of the broker's process, kernel time included, for a GB of values; and \
                  MB a second while the tool fetches, as it counts them."
            .into(),
        command: command.into(),
        against: against.into(),
        unit: unit.into(),
        better: if unit == "MB/s" { Better::Higher } else { Better::Lower },
        rows: vec![Row { name: ROW.into(), ours, theirs, command: String::new(), bar: None }],
        curves: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_fetching() {
        let text = "start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, \
            nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec\n\
            2026-11-29 10:00:00:000, 2026-11-29 10:00:04:000, 95.3672, 23.8, 97656, 24414.0, \
            3200, 800, 119.2090, 122070.0\n";
        assert_eq!(megabytes_per_second(text, 97_656), Some(119.209));
        assert_eq!(megabytes_per_second(text, 97_657), None);
        assert_eq!(megabytes_per_second("", 1), None);
    }

    #[test]
    fn the_floor_sends_every_byte() {
        assert!(sendfile_loop(1 << 20, None).is_ok(), "it counts what arrives");
    }
}
