//! The broker as a process under hostile conditions: many connections, consumers that do not read,
//! a disk that is full or read-only.
#![cfg(all(not(loom), feature = "server"))]

use minikit::harness::{Scratch, Server, usage};
use minilog::client::ClientError;
use minilog::client::connection::Connection;
use minilog::client::consumer::{Consumer, ConsumerOptions};
use minilog::client::producer::{Producer, ProducerOptions};
use minilog::wire::ErrorCode;
use minilog::wire::fetch::{FetchPartition, FetchRequest, FetchTopic};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

const TOPIC: &str = "orders";
static VALUE: [u8; 50_000] = [7; 50_000];
const MB: u64 = 1 << 20;

/// Starts a broker with its data in `scratch`, after a shell command like `ulimit`.
fn start(scratch: &Scratch, before: &str) -> Server {
    let mut command = Command::new("bash");
    let line = format!("{before}; exec \"$0\" \"$@\"");
    command.args(["-c", &line, env!("CARGO_BIN_EXE_minilog"), "serve", "--listen", "127.0.0.1:0"]);
    command.args(["--threads", "1", "--max-connections", "20000", "--data-dir"]);
    command.arg(scratch.path());
    Server::start("minilog", command)
}

/// A producer that does not retry.
fn producer(server: &Server) -> Producer {
    let options = ProducerOptions { delivery_timeout: Duration::ZERO, ..Default::default() };
    Producer::connect(&server.address, options).expect("the broker answers")
}

/// Counts the records of the topic by reading them.
fn count(server: &Server, at_least: usize) -> usize {
    let mut consumer = Consumer::connect(&server.address, ConsumerOptions::default()).unwrap();
    consumer.assign(TOPIC, 0, Some(0));
    let mut records = 0;
    while records < at_least {
        records += consumer.poll(Duration::from_secs(10)).unwrap().len();
    }
    records + consumer.poll(Duration::ZERO).unwrap().len()
}

/// `MINILOG_CONNECTIONS` sets their number. The usual limit of open files allows a thousand.
#[test]
fn idle_connections_are_cheap() {
    let count = std::env::var("MINILOG_CONNECTIONS").map_or(Ok(900), |it| it.parse::<u64>());
    let count = count.expect("MINILOG_CONNECTIONS is a number");
    let scratch = Scratch::new("minilog-connections").unwrap();
    let server = start(&scratch, "ulimit -n $(ulimit -Hn)");
    drop(producer(&server));
    let before = usage::resident_bytes(server.program.pid()).unwrap();

    let connect = |_| TcpStream::connect(("127.0.0.1", server.port()));
    let idle = (0..count).map(connect).collect::<Result<Vec<_>, _>>();
    let idle = idle.expect("connections; `ulimit -n` is their limit");
    let mut producer = producer(&server);
    producer.send(TOPIC, Some(0), None, Some(b"served")).unwrap();
    producer.flush().unwrap();

    let grown = usage::resident_bytes(server.program.pid()).unwrap() - before;
    println!("{} bytes for each of {count} connections", grown / count);
    assert!(grown < count * 8 * 1024 + 4 * MB, "{grown} bytes for {count} connections");
    drop(idle);
}

/// Twenty consumers request 20 MB each and read nothing. The broker must not buffer it for them.
#[test]
fn a_stalled_consumer_costs_no_memory() {
    let scratch = Scratch::new("minilog-stalled").unwrap();
    let server = start(&scratch, ":");
    let mut producer = producer(&server);
    for _ in 0..400 {
        producer.send(TOPIC, Some(0), None, Some(&VALUE)).unwrap();
    }
    producer.flush().unwrap();
    let before = usage::resident_peak_bytes(server.program.pid()).unwrap();

    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..Default::default() };
    let topic =
        FetchTopic { topic: TOPIC.into(), partitions: vec![partition], ..Default::default() };
    let request = FetchRequest {
        max_bytes: 1 << 20,
        min_bytes: 1,
        topics: vec![topic],
        ..Default::default()
    };
    let stalled = (0..20).map(|_| {
        let mut connection = Connection::open(&server.address, "stalled").unwrap();
        for _ in 0..20 {
            connection.send(&request).unwrap();
        }
        connection
    });
    let stalled = stalled.collect::<Vec<_>>();

    assert_eq!(count(&server, 400), 400);
    let grown = usage::resident_peak_bytes(server.program.pid()).unwrap() - before;
    assert!(grown < 30 * MB, "{grown} bytes for {} consumers", stalled.len());
}

/// A limit on the file size simulates a full disk. Acknowledged records stay, clients get Kafka's
/// error, and the broker continues when there is space again.
#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let scratch = Scratch::new("minilog-full").unwrap();
    let server = start(&scratch, "trap '' XFSZ; ulimit -f 250");
    let mut acknowledged = 0;
    let refused = loop {
        let mut producer = producer(&server);
        let sent = producer.send(TOPIC, Some(0), None, Some(&VALUE));
        match sent.and_then(|()| producer.flush()) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    let ClientError::Refused { code, .. } = refused else { panic!("{refused}") };
    assert_eq!(code, ErrorCode::KAFKA_STORAGE_ERROR);
    assert_eq!((acknowledged, count(&server, acknowledged)), (5, 5));

    drop(server);
    let server = start(&scratch, ":");
    assert_eq!(count(&server, acknowledged), acknowledged);
    let mut producer = producer(&server);
    producer.send(TOPIC, Some(0), None, Some(&VALUE)).unwrap();
    assert_eq!(producer.flush().unwrap()[0].base_offset, acknowledged as i64);
}

#[test]
fn the_error_names_a_directory_that_cannot_be_written() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minilog"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir", "/proc/minilog"]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("/proc/minilog"), "{text}");
}
