//! The broker as a process: acknowledged records survive `kill -9`, and a hostile frame closes only
//! its own connection.
#![cfg(all(not(loom), feature = "server"))]

use bytes::Bytes;
use minikit::harness::{Scratch, Server, Stream};
use minilog::client::admin;
use minilog::client::cluster::Cluster;
use minilog::client::producer::{Producer, ProducerOptions};
use minilog::format::batch::{self, BatchHeader};
use minilog::format::record::{Record, batch_of};
use minilog::wire::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use minilog::wire::codec::Records;
use minilog::wire::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use minilog::wire::list_offsets::{
    EpochTopic, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
};
use minilog::wire::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use minilog::wire::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use minilog::wire::schema::Message;
use minilog::wire::{ErrorCode, decode_response, encode_request};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Starts a broker with its data in `scratch`.
fn start(scratch: &Scratch, sync: &str) -> Server {
    start_with(scratch, &["--sync", sync])
}

fn start_with(scratch: &Scratch, arguments: &[&str]) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minilog"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--threads", "1"]);
    command.args(arguments);
    command.arg("--data-dir").arg(scratch.path());
    Server::start("minilog", command)
}

fn call<M: Message, R: Message>(stream: &mut TcpStream, version: i16, request: &M) -> R {
    send(stream, version, request);
    receive(stream, version)
}

fn receive<R: Message>(stream: &mut TcpStream, version: i16) -> R {
    let mut size = [0; 4];
    stream.read_exact(&mut size).expect("a response");
    let mut frame = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut frame).expect("a whole response");
    decode_response(Bytes::from(frame), version).expect("a response of this version").1
}

fn send<M: Message>(stream: &mut TcpStream, version: i16, request: &M) {
    let frame = encode_request(1, "test", version, request).to_vec();
    stream.write_all(&frame).expect("the broker reads");
}

fn create_topic(stream: &mut TcpStream, name: &str) {
    let topic = MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    let response: MetadataResponse = call(stream, 12, &request);
    assert_eq!(response.topics[0].error_code, ErrorCode::NONE);
    assert!(response.topics[0].topic_id != Default::default());
}

fn produce(records: &[u8], acks: i16) -> ProduceRequest {
    let records = Some(Records::Bytes(Bytes::copy_from_slice(records)));
    let partition = PartitionProduceData { index: 0, records };
    let topic = TopicProduceData {
        name: "orders".into(),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    ProduceRequest { acks, timeout_ms: 1000, topic_data: vec![topic], ..Default::default() }
}

fn fetch(offset: i64, max_wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition {
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic =
        FetchTopic { topic: "orders".into(), partitions: vec![partition], ..FetchTopic::default() };
    FetchRequest { max_wait_ms, min_bytes: 1, topics: vec![topic], ..FetchRequest::default() }
}

#[test]
fn acknowledged_batches_survive_kill_9() {
    let scratch = Scratch::new("minilog-kill").expect("a directory");
    let mut server = start(&scratch, "always");
    let mut stream = server.connect();
    create_topic(&mut stream, "orders");
    for number in 0..5 {
        let response: ProduceResponse = call(&mut stream, 9, &produce(&batch::EXAMPLE, -1));
        let result = &response.responses[0].partition_responses[0];
        assert_eq!((result.error_code, result.base_offset), (ErrorCode::NONE, 3 * number));
    }
    server.restart();

    let response: FetchResponse = call(&mut server.connect(), 12, &fetch(4, 0));
    let data = &response.responses[0].partitions[0];
    assert_eq!((data.error_code, data.high_watermark), (ErrorCode::NONE, 15));
    let records = data.records.as_ref().and_then(Records::bytes).expect("records");
    // The whole batch that contains offset 4, and the three after it.
    assert_eq!(records.len(), 4 * batch::EXAMPLE.len());
    assert_eq!(BatchHeader::read(records).expect("a header").base_offset, 3);
}

#[test]
fn a_waiting_fetch_is_answered_by_the_next_append() {
    let scratch = Scratch::new("minilog-wait").expect("a directory");
    let server = start(&scratch, "os");
    let mut consumer = server.connect();
    create_topic(&mut consumer, "orders");
    // Longer than any test may take: only the append can end it.
    send(&mut consumer, 12, &fetch(0, 600_000));
    send(&mut server.connect(), 9, &produce(&batch::EXAMPLE, 0));

    let mut size = [0; 4];
    consumer.read_exact(&mut size).expect("a response");
    let mut frame = vec![0; u32::from_be_bytes(size) as usize];
    consumer.read_exact(&mut frame).expect("a whole response");
    let response = decode_response::<FetchResponse>(Bytes::from(frame), 12).expect("a response").1;
    let records = response.responses[0].partitions[0].records.as_ref();
    let records = records.and_then(Records::bytes).expect("records");
    assert_eq!(records[..], batch::EXAMPLE);
}

fn metrics(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the admin endpoint listens");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("a page");
    text
}

#[test]
fn metrics_show_finished_and_waiting_requests_and_flushes() {
    let scratch = Scratch::new("minilog-metrics").expect("a directory");
    let server = start_with(&scratch, &["--sync", "always", "--admin", "127.0.0.1:0"]);
    let admin = server.program.wait_for(Stream::Stderr, "state page on http://");
    let admin = admin.trim_end_matches('/');
    let mut consumer = server.connect();
    create_topic(&mut consumer, "orders");
    send(&mut consumer, 12, &fetch(0, 600_000));
    let waits = "minilog_work_in_progress{work=\"Fetch\"} 1\n";
    let begun = Instant::now();
    while !metrics(admin).contains(waits) && begun.elapsed().as_secs() < 20 {}
    let _: ProduceResponse = call(&mut server.connect(), 9, &produce(&batch::EXAMPLE, -1));
    let _: FetchResponse = receive(&mut consumer, 12);

    // The server counts a request only after its response is sent.
    let done = ["Fetch", "Produce", "Flush"].map(|it| format!("work_total{{work=\"{it}\"}} 1\n"));
    let all_done = |page: &str| done.iter().all(|it| page.contains(it));
    while !all_done(&metrics(admin)) && begun.elapsed().as_secs() < 40 {}
    let page = metrics(admin);
    assert!(all_done(&page) && !page.contains(waits), "{page}");
}

/// A single broker is always the leader, so this test writes the checkpoint of a later leader.
#[test]
fn a_consumer_learns_where_a_leader_epoch_ends() {
    let scratch = Scratch::new("minilog-epochs").expect("a directory");
    let mut server = start(&scratch, "always");
    let mut stream = server.connect();
    create_topic(&mut stream, "orders");
    for _ in 0..2 {
        let _: ProduceResponse = call(&mut stream, 9, &produce(&batch::EXAMPLE, -1));
    }
    let checkpoint = scratch.path().join("orders-0/leader-epoch-checkpoint");
    std::fs::write(checkpoint, "0\n2\n0 0\n2 3\n").expect("a file");
    server.restart();

    let mut stream = server.connect();
    let mut ask = |partition, current_leader_epoch, leader_epoch| {
        let asked = OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch };
        let topic = EpochTopic { topic: "orders".into(), partitions: vec![asked] };
        let request = OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic] };
        let answers = [2, 3, 4].map(|version| {
            let response: OffsetForLeaderEpochResponse = call(&mut stream, version, &request);
            let answer = &response.topics[0].partitions[0];
            assert_eq!((&*response.topics[0].topic, answer.partition), ("orders", partition));
            (answer.error_code, answer.leader_epoch, answer.end_offset)
        });
        assert!(answers.iter().all(|it| *it == answers[0]), "{answers:?}");
        answers[0]
    };
    assert_eq!(ask(0, -1, 0), (ErrorCode::NONE, 0, 3), "the next leader began at 3");
    assert_eq!(ask(0, 2, 1), (ErrorCode::NONE, 0, 3), "nobody wrote in epoch 1");
    assert_eq!(ask(0, 2, 2), (ErrorCode::NONE, 2, 6), "the end of the log");
    assert_eq!(ask(0, 2, 3), (ErrorCode::NONE, -1, -1), "no leader had it yet");
    assert_eq!(ask(0, 1, 0), (ErrorCode::FENCED_LEADER_EPOCH, -1, -1));
    assert_eq!(ask(0, 3, 0), (ErrorCode::UNKNOWN_LEADER_EPOCH, -1, -1));
    assert_eq!(ask(1, 2, 0), (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1, -1));
}

/// Batches of 50,000 bytes, two per segment: `sendfile` must send exactly the appended bytes.
#[test]
fn long_fetches_are_sent_from_files() {
    let scratch = Scratch::new("minilog-sendfile").expect("a directory");
    let server = start_with(&scratch, &["--segment-bytes", "120000"]);
    let mut stream = server.connect();
    create_topic(&mut stream, "orders");
    let batch_number = |number: u8| {
        let value = vec![number; 50_000];
        let record = Record { value: Some(&value), ..Record::default() };
        batch_of(0, &[record])
    };
    let appended = |number: u8| {
        let mut bytes = batch_number(number);
        BatchHeader::base_offset.put(&mut bytes, number.into());
        BatchHeader::partition_leader_epoch.put(&mut bytes, 0);
        bytes
    };
    for number in 0..7 {
        let _: ProduceResponse = call(&mut stream, 9, &produce(&batch_number(number), -1));
    }

    // Reads from sealed segments and from the active one. A response never spans two segments.
    for (offset, expected) in [(0, 0..2), (2, 2..4), (5, 5..6), (6, 6..7)] {
        let response: FetchResponse = call(&mut stream, 12, &fetch(offset, 0));
        let records = response.responses[0].partitions[0].records.as_ref();
        let expected = expected.flat_map(appended).collect::<Vec<_>>();
        assert!(records.and_then(Records::bytes).is_some_and(|it| *it == expected), "{offset}");
    }
}

#[test]
fn errors_are_those_of_kafka() {
    let scratch = Scratch::new("minilog-errors").expect("a directory");
    let server = start(&scratch, "os");
    let mut stream = server.connect();
    let error = |response: ProduceResponse| response.responses[0].partition_responses[0].error_code;
    let unknown = error(call(&mut stream, 9, &produce(&batch::EXAMPLE, -1)));
    assert_eq!(unknown, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);

    create_topic(&mut stream, "orders");
    static DAMAGED: [u8; 85] = {
        let mut bytes = batch::EXAMPLE;
        bytes[80] ^= 1;
        bytes
    };
    let damaged = error(call(&mut stream, 9, &produce(&DAMAGED, -1)));
    assert_eq!(damaged, ErrorCode::CORRUPT_MESSAGE);
    let acks = error(call(&mut stream, 9, &produce(&batch::EXAMPLE, 2)));
    assert_eq!(acks, ErrorCode::INVALID_REQUIRED_ACKS);
    let response: FetchResponse = call(&mut stream, 12, &fetch(7, 0));
    let data = &response.responses[0].partitions[0];
    assert_eq!(data.error_code, ErrorCode::OFFSET_OUT_OF_RANGE);

    let record = Record { value: Some(b"of tomorrow"), ..Default::default() };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let tomorrow = produce(&batch_of(now + 86_400_000, &[record]), -1);
    assert_eq!(error(call(&mut stream, 9, &tomorrow)), ErrorCode::INVALID_TIMESTAMP);

    // There is no tiered storage, so these lookups find nothing.
    let mut cluster = Cluster::connect(&server.address, "test").expect("a connection");
    for timestamp in [-5, -6] {
        assert_eq!(cluster.offset_at("orders", 0, timestamp).expect("no error"), -1);
    }

    // The client does not retry if a partition does not exist.
    let producer = Producer::connect(&server.address, ProducerOptions::default());
    let sent = producer.expect("a connection").send("orders", Some(99), None, None);
    let error = sent.expect_err("there is one partition").to_string();
    assert!(
        error.ends_with("the topic has 1 partitions (UNKNOWN_TOPIC_OR_PARTITION (3))"),
        "{error}"
    );
}

#[test]
fn hostile_frames_close_their_own_connection() {
    let scratch = Scratch::new("minilog-hostile").expect("a directory");
    let server = start(&scratch, "os");
    let frames: [&[u8]; 5] = [
        // Sizes below zero and above the limit, a request that does not exist, one that is cut, and
        // a string of two gigabytes.
        &[0xff, 0xff, 0xff, 0xff],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0, 0, 0, 10, 0x77, 0x77, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
        &[0, 0, 0, 8, 0, 3, 0, 1, 0, 0, 0, 1],
        &[0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff],
    ];
    for frame in frames {
        let mut hostile = server.connect();
        hostile.write_all(frame).expect("the broker reads");
        assert_eq!(hostile.read(&mut [0; 9]).unwrap_or(0), 0, "{frame:x?} was answered");
    }
    let answer: ApiVersionsResponse =
        call(&mut server.connect(), 0, &ApiVersionsRequest::default());
    assert_eq!(answer.error_code, ErrorCode::NONE);
}

/// Sends batches of one record each, five at a time, and kills the broker before reading all
/// responses. Batches without a response are sent again, as an idempotent producer does. Meanwhile
/// a group commits its offset, which must never go back.
///
/// `MINILOG_KILLS` sets the number of kills. `MINILOG_DATA` names a directory to keep, for
/// `kafka-dump-log`.
#[test]
fn kill_9_under_load_loses_duplicates_and_reorders_nothing() {
    let kills = std::env::var("MINILOG_KILLS").map_or(Ok(6), |it| it.parse::<u64>());
    let scratch = Scratch::new("minilog-kills").expect("a directory");
    let kept = std::env::var("MINILOG_DATA").map(std::path::PathBuf::from);
    let mut command = Command::new(env!("CARGO_BIN_EXE_minilog"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--threads", "1", "--data-dir"]);
    command.arg(kept.unwrap_or(scratch.path().to_owned()));
    let mut server = Server::start("minilog", command);
    create_topic(&mut server.connect(), "orders");

    let (mut acknowledged, mut random) = (0_i64, 1_u64);
    let (orders, mut committed) = (("orders".to_owned(), 0), BTreeMap::new());
    for _ in 0..kills.expect("MINILOG_KILLS is a number") {
        let mut stream = server.connect();
        let mut group = Cluster::connect(&server.address, "test").expect("a connection");
        let found = admin::committed(&mut group, "billing", &[]).expect("an answer");
        assert_eq!(found, committed);
        // Several rounds run normally. In the last one the broker is killed.
        for round in 0..20 {
            let unacknowledged = acknowledged..acknowledged + 5;
            for number in unacknowledged {
                send(&mut stream, 9, &produce(&numbered(number), -1));
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let responses = if round == 19 { random >> 33 & 3 } else { 5 };
            for _ in 0..responses {
                let response: ProduceResponse = receive(&mut stream, 9);
                let result = &response.responses[0].partition_responses[0];
                assert_eq!(
                    (result.error_code, result.base_offset),
                    (ErrorCode::NONE, acknowledged)
                );
                acknowledged += 1;
            }
            committed.insert(orders.clone(), acknowledged);
            admin::commit_offsets(&mut group, "billing", None, committed.clone())
                .expect("a commit");
        }
        server.restart();
    }

    // Up to five batches can be in the log without an acknowledgment.
    let mut found = 0;
    let mut stream = server.connect();
    loop {
        let response: FetchResponse = call(&mut stream, 12, &fetch(found, 0));
        let data = &response.responses[0].partitions[0];
        let mut rest = &data.records.as_ref().and_then(Records::bytes).expect("records")[..];
        while let Ok(tail) = BatchHeader::tail(rest) {
            let header = BatchHeader::read(rest).expect("a header");
            assert_eq!((header.base_offset, header.base_sequence), (found, found as i32));
            (rest, found) = (&rest[BatchHeader::SIZE + tail.len()..], found + 1);
        }
        if found >= data.high_watermark {
            break;
        }
    }
    assert!((acknowledged..acknowledged + 6).contains(&found), "{found} of {acknowledged}");
}

/// Batch `number` of producer 7.
fn numbered(number: i64) -> Vec<u8> {
    let value = number.to_string().repeat(100);
    let record = Record { value: Some(value.as_bytes()), ..Record::default() };
    let mut bytes = batch_of(0, &[record]);
    BatchHeader::producer_id.put(&mut bytes, 7);
    BatchHeader::producer_epoch.put(&mut bytes, 0);
    BatchHeader::base_sequence.put(&mut bytes, number as i32);
    batch::seal(&mut bytes);
    bytes
}
