//! The client against a broker that is killed while requests are in flight, and in a group.
#![cfg(all(not(loom), feature = "server"))]

use minikit::harness::{Program, Scratch, Server, free_port};
use minilog::client::ClientError;
use minilog::client::admin;
use minilog::client::consumer::{Consumer, ConsumerOptions};
use minilog::client::producer::{Producer, ProducerOptions};
use minilog::wire::group::{LeaveGroupRequest, MemberIdentity};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

fn start(scratch: &Scratch) -> (String, Server) {
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_minilog"));
    command.args(["serve", "--listen", &address, "--threads", "1", "--data-dir"]);
    command.arg(scratch.path());
    (address, Server::start("minilog", command))
}

/// The broker dies while the producer waits for a response. A batch that was appended and is sent
/// again keeps its sequence number, so every record is in the log once, and in order.
#[test]
fn a_killed_broker_loses_and_duplicates_no_record() -> Result<(), ClientError> {
    let scratch = Scratch::new("minilog-client").expect("a directory");
    let (address, mut server) = start(&scratch);
    let options = ProducerOptions { batch_size: 1000, ..ProducerOptions::default() };
    let mut producer = Producer::connect(&address, options)?;

    let (sender, sent) = mpsc::channel();
    let producing = thread::spawn(move || {
        for number in 0..10_000u32 {
            producer.send("orders", Some(0), None, Some(&number.to_be_bytes()))?;
            if number % 2_000 == 1_000 {
                sender.send(()).expect("the other thread listens");
            }
        }
        producer.flush()
    });
    sent.into_iter().for_each(|()| server.restart());
    let deliveries = producing.join().expect("the producer does not panic")?;
    assert_eq!(deliveries.iter().map(|it| it.count).sum::<i32>(), 10_000);

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

/// The broker accepts a record of a megabyte, but not in one batch with the small ones before it.
#[test]
fn a_large_record_gets_a_batch_of_its_own() -> Result<(), ClientError> {
    let scratch = Scratch::new("minilog-large").expect("a directory");
    let (address, _server) = start(&scratch);
    let mut producer = Producer::connect(&address, ProducerOptions::default())?;
    let large = vec![b'y'; 1_040_000];
    for _ in 0..14 {
        producer.send("orders", Some(0), None, Some(&large[..1_000]))?;
    }
    producer.send("orders", Some(0), None, Some(&large))?;
    let deliveries = producer.flush()?;
    assert_eq!(deliveries.iter().map(|it| it.count).collect::<Vec<_>>(), [14, 1]);
    Ok(())
}

/// `minilog consume` continues after its broker has restarted.
#[test]
fn a_consumer_waits_for_its_broker() -> Result<(), ClientError> {
    let scratch = Scratch::new("minilog-away").expect("a directory");
    let (address, mut server) = start(&scratch);
    let produce = |value: &[u8]| {
        let mut producer = Producer::connect(&address, ProducerOptions::default())?;
        producer.send("orders", None, None, Some(value))?;
        producer.flush()
    };
    produce(b"one")?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_minilog"));
    command.args(["consume", "orders", "--group", "billing", "--from-beginning", "-b", &address]);
    let consumer = Program::start(command);
    consumer.wait_for_lines(1);

    // Longer than a poll that finds nothing.
    server.program.kill();
    thread::sleep(Duration::from_millis(700));
    server.restart();
    produce(b"two")?;
    assert_eq!(consumer.wait_for_lines(2), ["one", "two"]);
    Ok(())
}

/// An administrator removes a member. The member's next commit fails, and its next polls join
/// again.
#[test]
fn a_removed_member_joins_again() -> Result<(), ClientError> {
    let scratch = Scratch::new("minilog-removed").expect("a directory");
    let (address, _server) = start(&scratch);
    let heartbeat_interval = Duration::from_millis(20);
    let options = ConsumerOptions { heartbeat_interval, ..Default::default() };
    let mut consumer = Consumer::connect(&address, options)?;
    admin::create_topic(consumer.cluster(), "orders", 1, &[])?;
    consumer.subscribe("billing", &["orders"]);
    while consumer.positions.is_empty() {
        consumer.poll(Duration::from_millis(20))?;
    }

    let mut members = admin::describe_group(consumer.cluster(), "billing")?.members;
    let member_id = members.remove(0).member_id;
    let members = vec![MemberIdentity { member_id, ..Default::default() }];
    let group_id = "billing".to_owned();
    let leave = LeaveGroupRequest { group_id, members, ..Default::default() };
    consumer.cluster().call_group("billing", &leave)?;
    assert!(consumer.commit().is_err_and(|error| error.is_rebalance()));
    while consumer.commit().is_err_and(|error| error.is_rebalance()) {
        consumer.poll(Duration::from_millis(20))?;
    }
    while consumer.positions.is_empty() {
        consumer.poll(Duration::from_millis(20))?;
    }
    consumer.commit()
}

/// A member joins and leaves again. The other one keeps the partitions that do not move: it is
/// never without partitions, and reads no record twice.
#[test]
fn a_cooperative_member_keeps_reading_during_a_rebalance() -> Result<(), ClientError> {
    let scratch = Scratch::new("minilog-cooperative").expect("a directory");
    let (address, _server) = start(&scratch);
    let mut producer = Producer::connect(&address, ProducerOptions::default())?;
    let join = || {
        let heartbeat_interval = Duration::from_millis(20);
        let options =
            ConsumerOptions { is_cooperative: true, heartbeat_interval, ..Default::default() };
        let mut consumer = Consumer::connect(&address, options)?;
        consumer.subscribe("billing", &["orders"]);
        Ok::<_, ClientError>(consumer)
    };
    let partitions = |of: &Consumer| of.positions.keys().map(|it| it.1).collect::<Vec<_>>();

    let mut first = join()?;
    admin::create_topic(first.cluster(), "orders", 4, &[])?;
    let mut read = Vec::new();
    let mut poll = |first: &mut Consumer, read: &mut Vec<_>| {
        for partition in 0..4 {
            producer.send("orders", Some(partition), None, Some(b"an order"))?;
        }
        producer.flush()?;
        let records = first.poll(Duration::from_millis(20))?;
        read.extend(records.into_iter().map(|it| (it.partition, it.offset)));
        first.commit().or_else(|error| if error.is_rebalance() { Ok(()) } else { Err(error) })
    };
    while partitions(&first) != [0, 1, 2, 3] {
        poll(&mut first, &mut read)?;
    }

    let mut second = join()?;
    while partitions(&second) != [2, 3] {
        poll(&mut first, &mut read)?;
        assert!(partitions(&first).starts_with(&[0, 1]));
        second.poll(Duration::from_millis(20))?;
    }
    assert_eq!(partitions(&first), [0, 1]);
    second.close()?;
    while partitions(&first) != [0, 1, 2, 3] {
        poll(&mut first, &mut read)?;
        assert!(partitions(&first).starts_with(&[0, 1]));
    }

    for partition in [0, 1] {
        let offsets = read.iter().filter(|it| it.0 == partition).map(|it| it.1);
        assert!(offsets.enumerate().all(|(index, offset)| offset == index as i64));
    }
    Ok(())
}
