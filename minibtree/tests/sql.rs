//! SQL as a client sees it: golden scripts that drive sessions, without sockets.
//!
//! Each line is `client> SQL`; the answer shows rows, tags and errors as they would be sent. The
//! line `crash` loses everything that is not durable and opens the database again. After the line
//! `syncs fail` nothing becomes durable, so a reply that depends on a later commit is never sent.
#![cfg(not(loom))]

use minibtree::engine::{Database, Interrupt, Options};
use minibtree::sql::{Next, Session, Shared};
use minibtree::wire::{Message, Replies};
use minikit::storage::{Faults, SimulatedDisk};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

#[test]
fn scripts() {
    let directory = format!("{}/tests/sql_scripts", env!("CARGO_MANIFEST_DIR"));
    minikit::golden::run_dir(directory, |_| {
        let mut server = Server::start(SimulatedDisk::new(1));
        move |line: &str| server.run(line)
    });
}

struct Server {
    disk: SimulatedDisk,
    shared: Arc<Shared>,
    sessions: BTreeMap<String, Session>,
}

impl Server {
    fn start(disk: SimulatedDisk) -> Server {
        let options = Options { pool_pages: 64, wal_segment_bytes: 1 << 16, ..Options::default() };
        let database = Database::open(Arc::new(disk.clone()), options).expect("recovers");
        let shared = Arc::new(Shared::new(database, || 0).expect("a catalog"));
        Server { disk, shared, sessions: BTreeMap::new() }
    }

    fn run(&mut self, line: &str) -> String {
        if line == "crash" {
            self.disk.crash();
            *self = Server::start(self.disk.clone());
            return "the database recovers".to_owned();
        }
        if line == "syncs fail" {
            self.disk.set_faults(Faults { fail_sync: 1, ..Faults::default() });
            return "the log stays as long as it is".to_owned();
        }
        let (client, sql) = line.split_once("> ").expect("client> SQL");
        let shared = Arc::clone(&self.shared);
        let new = || Session::new(shared, Interrupt::default());
        let session = self.sessions.entry(client.to_owned()).or_insert_with(new);

        answer(session, sql)
    }
}

fn answer(session: &mut Session, sql: &str) -> String {
    // After `<<<` come the lines of a COPY.
    let (sql, data) = sql.split_once(" <<< ").map_or((sql, None), |(a, b)| (a, Some(b)));
    let mut out = Replies::default();
    let mut next = session.handle(Message::Query(sql), &mut out);
    while next == Next::Resume {
        next = session.resume(&mut out);
    }
    if let Some(data) = data {
        let data = data.replace("<tab>", "\t").replace("<end>", "\n");
        session.handle(Message::CopyData(data.as_bytes()), &mut out);
        session.handle(Message::CopyDone, &mut out);
    }
    match session.settle() {
        Ok(()) => shown(out.bytes()),
        Err(_) => "(waits for the log)".to_owned(),
    }
}

/// The transaction that is waited for changes the key, so the newest version is no parent anymore.
#[test]
fn a_parent_that_got_another_key_is_none() {
    let before = [
        "a> create table p (id int primary key)",
        "a> create table c (p int references p); insert into p values (1)",
        "a> begin; update p set id = 2",
    ];
    let answer = during(&before, "insert into c values (1)", &["a> commit"]);
    assert!(answer.starts_with("ERROR: 23503"), "{answer}");
}

/// Nor is it the row that ON CONFLICT updates.
#[test]
fn a_row_that_got_another_key_does_not_conflict() {
    let before = [
        "a> create table t (id int primary key, n int); insert into t values (1, 1)",
        "a> begin; select from t where id = 1 for update",
    ];
    let after = ["a> update t set id = 2", "a> commit"];
    let sql = "insert into t values (1, 5) on conflict (id) do update set n = 6 returning *";
    assert_eq!(during(&before, sql, &after), "1 | 5\nINSERT 0 1");
}

/// A row that has changed must meet the whole condition again, with the partner that it has now.
#[test]
fn a_changed_row_is_looked_up_again() {
    let before = [
        "a> create table t (id int, x int); insert into t values (1, 1), (2, 2), (3, 3)",
        "a> create table u (x int); insert into u values (1), (2)",
        "a> begin; update t set x = 7 where id = 1; update t set x = 1 where id = 2",
        "a> update t set x = 2 where id = 3",
    ];
    for (condition, deleted) in [
        ("exists (select 1 from u where u.x = t.x)", "2"),
        ("x in (select x from u)", "2"),
        ("not exists (select 1 from u where u.x = t.x)", ""),
        ("x not in (select x from u)", ""),
    ] {
        let answer = during(
            &before,
            &format!("delete from t where {condition} returning id"),
            &["a> commit"],
        );
        let count = usize::from(!deleted.is_empty());
        assert_eq!(answer.trim(), format!("{deleted}\nDELETE {count}").trim(), "{condition}");
    }
}

/// A statement that waits for a change of its table is planned for what the table is then.
#[test]
fn a_changed_table_is_planned_again() {
    let change = |change: &str, sql: &str| {
        let change = format!("a> begin; alter table t {change}");
        let before = ["a> create table t (a int, b int); insert into t values (1, 2)", &change];
        during(&before, sql, &["a> commit"])
    };
    assert_eq!(
        change("add c int default 3", "select * from t where 1 = 1 + 0"),
        "1 | 2 | 3\nSELECT 1"
    );
    assert_eq!(change("drop b", "update t set a = 5 returning *"), "5\nUPDATE 1");
    assert_eq!(change("drop a", "delete from t returning *"), "2\nDELETE 1");
    assert!(change("drop a", "select a from t").starts_with("ERROR: 42703"));
}

/// The answer to a statement that begins after `before` and waits until `after`.
fn during(before: &[&str], sql: &str, after: &[&str]) -> String {
    let mut server = Server::start(SimulatedDisk::new(1));
    before.iter().for_each(|it| drop(server.run(it)));
    let shared = Arc::clone(&server.shared);
    let sql = sql.to_owned();
    let waiting =
        thread::spawn(move || answer(&mut Session::new(shared, Interrupt::default()), &sql));
    // Most likely it waits by now. If not, its answer is the same.
    thread::sleep(Duration::from_millis(50));
    after.iter().for_each(|it| drop(server.run(it)));
    waiting.join().expect("no panic")
}

/// Clients insert the same new keys, and delete them, all the time: no statement may fail.
#[test]
fn on_conflict_meets_every_conflict() {
    let mut server = Server::start(SimulatedDisk::new(1));
    server.run("a> create table t (id int primary key, n int)");
    let increment = "on conflict (id) do update set n = t.n + 1";
    let shared = &server.shared;
    thread::scope(|scope| {
        for client in 0..4 {
            scope.spawn(move || {
                let mut session = Session::new(Arc::clone(shared), Interrupt::default());
                for round in 0..500 {
                    let id = (round * 7 + client) % 5;
                    let sql = match (round + client) % 4 {
                        0 => format!("delete from t where id = {id}"),
                        1 => format!("insert into t values ({id}, 0) on conflict do nothing"),
                        _ => format!("insert into t values ({id}, 1) {increment}"),
                    };
                    let answer = answer(&mut session, &sql);
                    assert!(!answer.contains("ERROR"), "{sql}: {answer}");
                }
            });
        }
    });
}

/// Replies as text: a row is its values, an error its fields.
fn shown(mut bytes: &[u8]) -> String {
    let mut lines = Vec::new();
    while let [letter, a, b, c, d, ..] = *bytes {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let body = &bytes[5..1 + length];
        match letter {
            b'T' => {}
            b'D' => lines.push(row(&body[2..])),
            // Messages that end with a zero byte, and lines of COPY.
            b'C' | b'd' => lines.push(text(&body[..body.len() - 1])),
            b'E' | b'N' => lines.push(fields(body)),
            b'Z' => lines.extend((body != b"I").then(|| format!("[{}]", text(body)))),
            other => lines.push(format!("({})", char::from(other))),
        }
        bytes = &bytes[1 + length..];
    }
    lines.join("\n")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn row(mut bytes: &[u8]) -> String {
    let mut values = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = i32::from_be_bytes(*length);
        let size = usize::try_from(length).unwrap_or(0);
        let value = if length < 0 { "NULL".to_owned() } else { text(&rest[..size]) };
        values.push(value);
        bytes = &rest[size..];
    }
    values.join(" | ")
}

fn fields(body: &[u8]) -> String {
    let parts = body.split(|byte| *byte == 0).filter(|part| !part.is_empty());
    let kept = parts.filter_map(|part| match part[0] {
        b'V' => None,
        b'P' => Some(format!("at {}", text(&part[1..]))),
        _ => Some(text(&part[1..])),
    });
    kept.collect::<Vec<_>>().join(": ")
}
