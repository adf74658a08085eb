//! What a client gets that asks for too much: the error and the SQLSTATE of PostgreSQL.
#![cfg(all(not(loom), feature = "server"))]

use minibtree::engine::{Database, Interrupt, Options};
use minibtree::sql::{Session, Shared};
use minibtree::wire::{Message, Replies};
use minikit::harness::{Scratch, Server, free_port};
use minikit::storage::SimulatedDisk;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// The replies to a Query, as text.
fn query(sql: &str) -> String {
    let disk = Arc::new(SimulatedDisk::new(1));
    let database = Database::open(disk, Options::default()).expect("an empty disk");
    let shared = Arc::new(Shared::new(database, || 0).expect("a catalog"));
    let mut out = Replies::default();
    Session::new(shared, Interrupt::default()).handle(Message::Query(sql), &mut out);
    String::from_utf8_lossy(out.bytes()).into_owned()
}

#[test]
fn a_row_has_at_most_1664_columns_and_a_table_1600() {
    let ones = |count| vec!["1"; count].join(", ");
    for select in ["select", "values"] {
        let list = |count| match select {
            "select" => format!("select {}", ones(count)),
            _ => format!("values ({})", ones(count)),
        };
        assert!(query(&list(1664)).contains("SELECT 1"));
        let refused = query(&list(1665));
        assert!(refused.contains("C54011\0Mtarget lists can have at most 1664 entries"));
    }

    let columns = |count| (0..count).map(|it| format!("c{it} int")).collect::<Vec<_>>().join(", ");
    assert!(query(&format!("create table t ({})", columns(1600))).contains("CREATE TABLE"));
    let refused = query(&format!("create table t ({})", columns(1601)));
    assert!(refused.contains("C54011\0Mtables can have at most 1600 columns"));
}

#[test]
fn a_text_that_is_too_long_is_refused_before_it_is_made() {
    // 10 GB and 16 GB.
    for sql in [
        "select length(replace(repeat('a', 100000), 'a', repeat('b', 100000)))",
        "select length(format(repeat('%1$16000000s', 1000), 'x'))",
    ] {
        let refused = query(sql);
        assert!(refused.contains("C54000\0Mrequested length too large"), "{refused}");
    }
}

/// A client that asks for TLS, as libpq does, and then logs in. Returns what it is told then.
fn log_in(server: &Server) -> (TcpStream, Vec<u8>) {
    let mut client = server.connect();
    client.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).expect("an SSLRequest");
    let mut answer = [0];
    client.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"N");
    client.write_all(b"\0\0\0\x17\0\x03\0\0user\0postgres\0\0").expect("a start-up packet");
    let told = until_ready(&mut client);
    (client, told)
}

/// All replies, until the server is ready for the next query or closes the connection.
fn until_ready(client: &mut TcpStream) -> Vec<u8> {
    let (mut told, mut buffer) = (Vec::new(), [0; 4096]);
    while !told.ends_with(b"Z\0\0\0\x05I") {
        match client.read(&mut buffer).expect("more replies") {
            0 => break,
            count => told.extend_from_slice(&buffer[..count]),
        }
    }
    told
}

fn start(data: &Scratch) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minibtree"));
    let listen = format!("127.0.0.1:{}", free_port());
    command.args(["serve", "--listen", &listen, "--max-connections", "10"]);
    command.arg("--data-dir").arg(data.path());
    Server::start("minibtree", command)
}

#[test]
fn a_statement_that_rewrites_a_table_can_be_late() {
    let data = Scratch::new("minibtree-late").expect("a writable directory");
    let server = start(&data);
    let (mut client, _) = log_in(&server);
    let mut ask = |sql: &str| {
        let length = (sql.len() + 5) as u32;
        let query = [b"Q", &length.to_be_bytes()[..], sql.as_bytes(), &[0]].concat();
        client.write_all(&query).expect("a query");
        String::from_utf8_lossy(&until_ready(&mut client)).into_owned()
    };
    ask("create table t (a int); insert into t select generate_series(1, 50000)");
    ask("set statement_timeout = '1ms'");
    let answer = ask("alter table t add column b int default 5");
    assert!(answer.contains("C57014\0Mcanceling statement due to statement timeout"), "{answer}");
    ask("reset statement_timeout");
    assert!(ask("select b from t").contains("column \"b\" does not exist"));
}

#[test]
fn the_client_after_the_last_is_told_so_after_its_question_for_tls() {
    let data = Scratch::new("minibtree-limits").expect("a writable directory");
    let server = start(&data);
    let mut clients: Vec<TcpStream> = Vec::new();
    for _ in 0..10 {
        let (client, told) = log_in(&server);
        assert!(told.ends_with(b"Z\0\0\0\x05I"));
        clients.push(client);
    }
    let (_, told) = log_in(&server);
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(told.contains("SFATAL\0VFATAL\0C53300\0Msorry, too many clients already"), "{told}");

    // The server notices within a moment that one has gone.
    clients.pop();
    while !log_in(&server).1.ends_with(b"Z\0\0\0\x05I") {
        std::thread::sleep(Duration::from_millis(200));
    }
}
