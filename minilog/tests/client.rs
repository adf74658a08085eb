//! The client against a broker that is killed while records are on their way.
#![cfg(all(not(loom), feature = "server"))]

use minikit::harness::{Scratch, Server, free_port};
use minilog::client::ClientError;
use minilog::client::consumer::{Consumer, ConsumerOptions};
use minilog::client::producer::{Producer, ProducerOptions};
use std::process::Command;
use std::time::Duration;

/// Requests are in flight at each kill. What was appended before it and is sent again has its old
/// sequence numbers, so every record is in the log once, and in order.
#[test]
fn a_killed_broker_costs_no_record_and_doubles_none() -> Result<(), ClientError> {
    let scratch = Scratch::new("minilog-client").expect("a directory");
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_minilog"));
    command.args(["serve", "--listen", &address, "--threads", "1", "--data-dir"]);
    command.arg(scratch.path());
    let mut server = Server::start("minilog", command);

    let options = ProducerOptions { batch_size: 1000, ..ProducerOptions::default() };
    let mut producer = Producer::connect(&address, options)?;
    for number in 0..10_000u32 {
        producer.send("orders", Some(0), None, Some(&number.to_be_bytes()))?;
        if number % 2_000 == 1_999 {
            server.restart();
        }
    }
    let delivered = producer.flush()?.iter().map(|it| it.count).sum::<i32>();
    assert_eq!(delivered, 10_000);

    let mut consumer = Consumer::connect(&address, ConsumerOptions::default())?;
    consumer.assign("orders", 0, Some(0));
    let mut numbers = Vec::new();
    while numbers.len() < 10_000 {
        for record in consumer.poll(Duration::from_secs(1))? {
            assert_eq!(record.offset, numbers.len() as i64);
            let value = record.value.expect("it was sent with one");
            numbers.push(u32::from_be_bytes(value[..].try_into().expect("four bytes")));
        }
    }
    assert!(numbers.into_iter().eq(0..10_000));
    Ok(())
}
