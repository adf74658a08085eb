//! The extended protocol: the letters of the replies to a sequence of messages.
//!
//! PostgreSQL's documentation, "Extended Query": after an error, messages are ignored up to the
//! next Sync; a portal goes on where it was suspended; the unnamed statement survives Sync.
#![cfg(not(loom))]

use minibtree::engine::{Database, Interrupt, Options};
use minibtree::sql::{Next, Session, Shared, statement};
use minibtree::wire::{Bind, Format, Message, Replies, SqlError, Target, code};
use minikit::storage::SimulatedDisk;
use std::rc::Rc;
use std::sync::Arc;

fn session() -> Session {
    session_with(Interrupt::default())
}

fn session_with(interrupt: Interrupt) -> Session {
    let disk = Arc::new(SimulatedDisk::new(1));
    let database = Database::open(disk, Options::default()).expect("an empty disk");
    let shared = Arc::new(Shared::new(database, || 0).expect("a catalog"));
    let mut session = Session::new(shared, interrupt);
    let sql = "create table t (id int primary key); insert into t values (1), (2), (3)";
    assert_eq!(letters(&mut session, &[Message::Query(sql)]), "CCZ");
    session
}

fn letters(session: &mut Session, messages: &[Message<'_>]) -> String {
    let mut out = Replies::default();
    for message in messages {
        session.handle(message.clone(), &mut out);
    }
    let (mut bytes, mut letters) = (out.bytes(), String::new());
    while let [letter, a, b, c, d, ..] = *bytes {
        letters.push(char::from(letter));
        bytes = &bytes[1 + u32::from_be_bytes([a, b, c, d]) as usize..];
    }
    letters
}

fn parse(sql: &str) -> Message<'_> {
    Message::Parse { name: "", sql, types: Vec::new() }
}

fn bind<'a>(parameters: &[&'a [u8]]) -> Message<'a> {
    Message::Bind(Bind {
        portal: "",
        statement: "",
        parameter_formats: Vec::new(),
        parameters: parameters.iter().map(|it| Some(*it)).collect(),
        result_formats: Vec::new(),
    })
}

fn execute(max_rows: u32) -> Message<'static> {
    Message::Execute { portal: "", max_rows }
}

#[test]
fn a_suspended_portal_goes_on() {
    let mut session = session();
    let begin = [parse("select id from t"), bind(&[]), execute(2), execute(2), Message::Sync];
    assert_eq!(letters(&mut session, &begin), "12DDsDCZ");
    // Outside a block the portal ends with Sync; the statement does not.
    assert_eq!(letters(&mut session, &[execute(0), Message::Sync]), "EZ");
    assert_eq!(letters(&mut session, &[bind(&[]), execute(0), Message::Sync]), "2DDDCZ");
}

#[test]
fn an_error_skips_to_sync_and_undoes_the_pipeline() {
    let mut session = session();
    let insert = parse("insert into t values ($1)");
    let pipeline = [insert, bind(&[b"4"]), execute(0), bind(&[b"1"]), execute(0), execute(0)];
    assert_eq!(letters(&mut session, &pipeline), "12C2E");
    assert_eq!(letters(&mut session, &[parse("select 1"), Message::Sync]), "Z");
    let count = [parse("select id from t where id = $1"), bind(&[b"4"]), execute(0), Message::Sync];
    assert_eq!(letters(&mut session, &count), "12CZ");
}

/// `clients/wire` has more of them, and what each is told.
#[test]
fn a_message_that_cannot_be_read_is_an_error_like_others() {
    let mut session = session();
    let malformed = |letter| {
        Message::Malformed(letter, SqlError::new(code::PROTOCOL_VIOLATION, "cannot be read"))
    };
    for (letter, wanted) in [(b'Q', "EZTDCZ"), (b'S', "EZTDCZ"), (b'F', "EZTDCZ"), (b'P', "E")] {
        let messages = [malformed(letter), Message::Query("select 1")];
        assert_eq!(letters(&mut session, &messages), wanted, "{letter}");
    }
    // A malformed Sync ends what the last Parse began; outside of a COPY, its end means nothing.
    let select = Message::Query("select 1");
    assert_eq!(letters(&mut session, &[malformed(b'S'), malformed(b'f'), select]), "EZTDCZ");
    let copy = [Message::Query("copy t from stdin"), malformed(b'f')];
    assert_eq!(letters(&mut session, &copy), "GEZ");
}

/// From then on it counts, also while the statement is still parsed: a third of the requests in the
/// first millisecond were lost. One that came before was for the last statement.
#[test]
fn a_cancel_request_counts_from_what_the_client_sends() {
    let interrupt = Interrupt::default();
    let mut session = session_with(interrupt.clone());
    let select = Message::Query("select count(*) from t a, t b, t c");
    session.wake();
    interrupt.cancel();
    assert_eq!(letters(&mut session, std::slice::from_ref(&select)), "TEZ");
    interrupt.cancel();
    session.wake();
    assert_eq!(letters(&mut session, &[select]), "TDCZ");

    // All of a COPY is one statement.
    assert_eq!(letters(&mut session, &[Message::Query("copy t from stdin")]), "G");
    interrupt.cancel();
    session.wake();
    assert_eq!(letters(&mut session, &[Message::CopyData(b"7\n"), Message::CopyDone]), "EZ");
}

#[test]
fn a_read_only_block_writes_nothing() {
    let mut session = session();
    let query = "create table s (id serial); begin read only; show transaction_read_only";
    assert_eq!(letters(&mut session, &[Message::Query(query)]), "CCTDCZ");
    for refused in [
        "insert into t values (9)",
        "update t set id = 9",
        "delete from t",
        "select id from t for update",
        "with n as (select id from t for share) select id from n",
        "explain (analyze) delete from t",
        "select nextval('s_id_seq')",
        "create index on t (id)",
        "truncate t",
        "copy t from stdin",
    ] {
        let mut out = Replies::default();
        session.handle(Message::Query("savepoint s"), &mut out);
        session.handle(Message::Query(refused), &mut out);
        session.handle(Message::Query("rollback to s; select id from t"), &mut out);
        let bytes = out.bytes().escape_ascii().to_string();
        assert!(bytes.contains("C25006") && bytes.contains("SELECT 3"), "{refused}: {bytes}");
    }
    // The next block is one that writes.
    let queries = ["commit", "begin; insert into t values (9); commit"].map(Message::Query);
    assert_eq!(letters(&mut session, &queries), "CZCCCZ");
}

/// Each was a text, or a stack overflow.
#[test]
fn a_parameter_that_nothing_decides_is_refused() {
    let mut session = session();
    for (sql, types, wanted) in [
        ("select $1", vec![705], "1Z"),
        ("select $2::int", vec![], "EZ"),
        ("select $1 is null", vec![], "EZ"),
        ("select $1, $1::int", vec![], "EZ"),
        ("select $1::int is null", vec![], "1Z"),
    ] {
        let parse = Message::Parse { name: "", sql, types };
        assert_eq!(letters(&mut session, &[parse, Message::Sync]), wanted, "{sql}");
    }
}

#[test]
fn explain_and_declare_take_parameters() {
    let mut session = session();
    let explain = parse("explain (analyze) select id from t where id = $1");
    assert_eq!(letters(&mut session, &[explain, bind(&[b"2"]), execute(1)]), "12Ds");
    let declare = parse("declare c cursor for select id from t where id > $1");
    let begin = [Message::Sync, Message::Query("begin"), declare, bind(&[b"1"]), execute(0)];
    assert_eq!(letters(&mut session, &begin), "ZCZ12C");
    assert_eq!(letters(&mut session, &[Message::Query("fetch all from c")]), "TDDCZ");
}

#[test]
fn a_setting_is_undone_with_its_pipeline() {
    let mut session = session();
    let set = [parse("set work_mem = '1MB'"), bind(&[]), execute(0)];
    let fail = [parse("select 1 / 0"), bind(&[]), execute(0), Message::Sync];
    assert_eq!(letters(&mut session, &[&set[..], &fail].concat()), "12C1EZ");
    let mut out = Replies::default();
    session.handle(Message::Query("show work_mem"), &mut out);
    assert!(out.bytes().windows(3).any(|it| it == b"4MB"));
}

/// Otherwise every Execute after a CREATE TABLE of somebody would plan again.
#[test]
fn the_plan_for_a_new_catalog_is_kept() {
    let mut session = session();
    let select = statement::parse("select id from t").expect("valid").pop();
    let prepared = Rc::new(session.prepare(select, &[]).expect("there is a table t"));
    assert!(session.is_current(&prepared));

    assert_eq!(letters(&mut session, &[Message::Query("create table other (a int)")]), "CZ");
    assert!(!session.is_current(&prepared));
    let count = session.execute(&prepared, Vec::new(), &mut |_| Ok(()));
    assert_eq!(count.expect("three rows"), 3);
    assert!(session.is_current(&prepared));
}

/// What it frees is free before the statements around it commit, so it must be alone.
#[test]
fn vacuum_is_refused_with_other_statements() {
    let mut session = session();
    let query = Message::Query("select 1; vacuum t");
    assert_eq!(letters(&mut session, &[query]), "TDCEZ");
    assert_eq!(letters(&mut session, &[Message::Query("vacuum t; select 1")]), "EZ");
    let alone = [parse("vacuum t"), bind(&[]), execute(0)];
    let select = [parse("select 1"), bind(&[]), execute(0)];
    let sync = [Message::Sync];
    assert_eq!(letters(&mut session, &[&alone[..], &select, &sync].concat()), "12C12DCZ");
    assert_eq!(letters(&mut session, &[&select[..], &alone, &sync].concat()), "12DC12EZ");
    assert_eq!(letters(&mut session, &[&alone[..], &sync].concat()), "12CZ");
}

#[test]
fn describe_tells_inferred_types_and_no_data() {
    let mut session = session();
    let statement = Message::Describe(Target::Statement, "");
    let update = parse("update t set id = id + $1 where id = $2");
    assert_eq!(letters(&mut session, &[update, statement.clone(), Message::Sync]), "1tnZ");
    let select = parse("select id from t where id = $1");
    assert_eq!(letters(&mut session, &[select, statement, Message::Sync]), "1tTZ");
}

/// The plan is made once, before the array is known. The head of its binary form: dimensions,
/// whether there are NULLs, the type of the elements, their number and the first index.
#[test]
fn an_array_is_a_parameter_of_any_length() {
    let mut session = session();
    let mut described = Replies::default();
    session.handle(parse("select id from t where id = any($1)"), &mut described);
    session.handle(Message::Describe(Target::Statement, ""), &mut described);
    // One parameter of the type 1007, `int4[]`.
    let parameter = [b't', 0, 0, 0, 10, 0, 1, 0, 0, 0x03, 0xef];
    assert_eq!(described.bytes()[5..16], parameter);

    for (array, rows) in [("{}", ""), ("{2}", "D"), ("{3,NULL,1,1,7}", "DD")] {
        let letters = letters(&mut session, &[bind(&[array.as_bytes()]), execute(0)]);
        assert_eq!(letters, format!("2{rows}C"), "{array}");
    }
    let int4s = |numbers: &[u8]| {
        let head = [1, 0, 23, numbers.len() as u8, 1].map(|it| [0, 0, 0, it]);
        let elements = numbers.iter().map(|it| [0, 0, 0, 4, 0, 0, 0, *it]).collect::<Vec<_>>();
        [head.concat(), elements.concat()].concat()
    };
    for (array, wanted) in
        [(int4s(&[1, 9, 2]), "2DDC"), (int4s(&[]), "2C"), (int4s(&[1])[..20].to_vec(), "E")]
    {
        let Message::Bind(mut message) = bind(&[&array]) else { panic!("a Bind") };
        message.parameter_formats = vec![Format::Binary];
        let found = letters(&mut session, &[Message::Bind(message), execute(0), Message::Sync]);
        assert_eq!(found.trim_end_matches('Z'), wanted, "{array:?}");
    }
}

/// tokio-postgres asks for portions until one is empty.
#[test]
fn a_query_that_has_ended_has_no_more_rows() {
    let mut session = session();
    let select = [parse("select id from t"), bind(&[]), execute(2), execute(2), execute(2)];
    assert_eq!(letters(&mut session, &select), "12DDsDCC");
    let insert = [Message::Sync, parse("insert into t values (9)"), bind(&[]), execute(0)];
    assert_eq!(letters(&mut session, &insert), "Z12C");
    assert_eq!(letters(&mut session, &[execute(0)]), "E");
}

/// tokio-postgres sends Sync with the Execute of a COPY, and another one after CopyDone.
#[test]
fn sync_during_a_copy_is_ignored() {
    let mut session = session();
    let copy = [parse("copy t from stdin"), bind(&[]), execute(0), Message::Sync];
    assert_eq!(letters(&mut session, &copy), "12G");
    let data = [Message::CopyData(b"4\n"), Message::Flush, Message::CopyData(b"5\n")];
    assert_eq!(letters(&mut session, &data), "");
    assert_eq!(letters(&mut session, &[Message::CopyDone, Message::Sync]), "CZ");
    let select = [parse("select id from t where id = $1"), bind(&[b"5"]), execute(0)];
    assert_eq!(letters(&mut session, &select), "12DC");
}

#[test]
fn after_an_error_a_query_is_skipped_too() {
    let mut session = session();
    let messages = [parse("no sql"), Message::Query("insert into t values (4)"), Message::Sync];
    assert_eq!(letters(&mut session, &messages), "EZ");
    assert_eq!(letters(&mut session, &[Message::Query("select id from t")]), "TDDDCZ");
}

/// As in PostgreSQL: nothing but the end of the block can be bound.
#[test]
fn a_failed_block_binds_no_query() {
    let mut session = session();
    let describe = Message::Describe(Target::Statement, "");
    let fail = Message::Query("begin; select 1 / (id - 1) from t");
    let named = |name| Message::Parse { name, sql: "select 1", types: Vec::new() };
    assert_eq!(letters(&mut session, &[named("s"), fail]), "1CTEZ");
    let bind_named = Message::Bind(Bind {
        portal: "",
        statement: "s",
        parameter_formats: Vec::new(),
        parameters: Vec::new(),
        result_formats: Vec::new(),
    });
    assert_eq!(letters(&mut session, &[bind_named, Message::Sync]), "EZ");
    let rollback = [parse("rollback"), describe, bind(&[]), execute(0), Message::Sync];
    assert_eq!(letters(&mut session, &rollback), "1tn2CZ");
}

/// Otherwise its lines so far would be lost without an error.
#[test]
fn another_message_during_a_copy_ends_the_connection() {
    let mut session = session();
    assert_eq!(letters(&mut session, &[Message::Query("copy t from stdin")]), "G");
    let mut out = Replies::default();
    session.handle(Message::CopyData(b"4\n"), &mut out);
    assert_eq!(session.handle(Message::Query("select 1"), &mut out), Next::Close);
    assert!(out.bytes().starts_with(b"E"));
}

#[test]
fn reset_returns_to_the_settings_of_the_start() {
    let mut session = session();
    let settings = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    session.start(settings("work_mem", "1MB")).expect("a setting");
    for reset in ["reset all", "reset work_mem"] {
        letters(&mut session, &[Message::Query("set work_mem = '2MB'"), Message::Query(reset)]);
        let mut out = Replies::default();
        session.handle(Message::Query("show work_mem"), &mut out);
        assert!(out.bytes().windows(3).any(|it| it == b"1MB"), "{reset}");
    }
    let weaker = settings("default_transaction_isolation", "serializable");
    assert_eq!(session.start(weaker).expect_err("refused").code, "0A000");
}
