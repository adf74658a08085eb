//! The library: what its sessions, transactions and conversions promise.
#![cfg(not(loom))]

use minibtree_embedded::{
    BigDecimal, Database, Error, Float, Isolation, Options, Severity, Value, code,
};
use minikit::harness::{Scratch, wait_until};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

struct Opened {
    database: Database,
    scratch: Scratch,
}

fn open(schema: &str) -> Opened {
    let scratch = Scratch::new("embedded").expect("a directory");
    let database = Database::open(scratch.path()).expect("it is empty");
    database.session().execute_all(schema).expect("the schema is right");
    Opened { database, scratch }
}

/// The code and the message of what must fail.
fn failure<T: std::fmt::Debug>(result: Result<T, Error>) -> (&'static str, String) {
    let error = result.expect_err("it is wrong");
    (error.code, error.message)
}

fn ids(database: &Database) -> Vec<i32> {
    let rows = database.query("SELECT id FROM t ORDER BY id", &[]).expect("a table");
    rows.iter().map(|row| row.get(0).expect("an integer")).collect()
}

#[test]
fn every_type_there_and_back() {
    let Opened { database, scratch: _scratch } = open(
        "CREATE TABLE t (b bool, s int2, i int4, l int8, o oid, f float4, d float8, n numeric, \
         x text, v varchar(9), c char(3), y bytea, u uuid, a date, m timestamp, z timestamptz)",
    );
    let mut session = database.session();
    let number: BigDecimal = "-12345.6700".parse().expect("a number");
    let moment = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
    let sql = "INSERT INTO t VALUES \
         ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    let count = session.execute(
        sql,
        &[
            &true,
            &i16::MIN,
            &i32::MAX,
            &i64::MIN,
            &u32::MAX,
            &0.1_f32,
            &0.1_f64,
            &number,
            &"it's \"ü\"",
            &String::from("v"),
            &"ab",
            &vec![0_u8, 255],
            &[7_u8; 16],
            &"2024-02-29",
            &"1999-12-31 23:59:59.5",
            &moment,
        ],
    );
    assert_eq!(count, Ok(1));
    assert_eq!(session.execute(sql, &[&Value::Null; 16].map(|it| it as _)), Ok(1));

    let rows = session.query("SELECT * FROM t", &[]).expect("two rows");
    let [row, nulls] = &rows[..] else { panic!("two rows: {rows:?}") };
    assert_eq!(row.get("b"), Ok(true));
    assert_eq!(row.get("s"), Ok(i16::MIN));
    assert_eq!(row.get("i"), Ok(i32::MAX));
    assert_eq!(row.get("l"), Ok(i64::MIN));
    assert_eq!(row.get("o"), Ok(u32::MAX));
    assert_eq!(row.get("f"), Ok(0.1_f32));
    assert_eq!(row.get("d"), Ok(0.1_f64));
    assert_eq!(row.get::<BigDecimal>("n").expect("a numeric").to_string(), "-12345.6700");
    assert_eq!(row.get("x"), Ok("it's \"ü\""));
    assert_eq!(row.get("v"), Ok(String::from("v")));
    assert_eq!(row.get("c"), Ok("ab "));
    assert_eq!(row.get("y"), Ok(&[0_u8, 255][..]));
    assert_eq!(row.get("u"), Ok([7_u8; 16]));
    assert_eq!(row.get("a"), Ok(String::from("2024-02-29")));
    assert_eq!(row.get("m"), Ok(String::from("1999-12-31 23:59:59.5")));
    assert_eq!(row.get("z"), Ok(moment));
    assert_eq!(row.get("z"), Ok(Some(String::from("2023-11-14 22:13:20.123456+00"))));
    assert!(nulls.values().iter().all(Value::is_null));
    assert_eq!(nulls.get("x"), Ok(None::<&str>));
    let (found, _) = failure(nulls.get::<i32>("i"));
    assert_eq!(found, code::NULL_VALUE_NOT_ALLOWED);

    // The values of a row are parameters as they are.
    let values = row.clone().into_values();
    let parameters = values.iter().map(|it| it as _).collect::<Vec<_>>();
    assert_eq!(session.execute(sql, &parameters), Ok(1));
    let same = "SELECT DISTINCT * FROM t WHERE b";
    assert_eq!(session.query(same, &[]).expect("a query").len(), 1);
}

#[test]
fn what_would_lose_something_is_refused() {
    let Opened { database, scratch: _scratch } =
        open("CREATE TABLE t (s int2, f float4, d float8, n numeric)");
    let mut session = database.session();
    let mut insert = |column: &str, value: Value| {
        session.execute(&format!("INSERT INTO t ({column}) VALUES ($1)"), &[&value])
    };
    let out_of_range = "parameter $1: smallint out of range".to_owned();
    assert_eq!(failure(insert("s", Value::Int(32_768))), ("22003", out_of_range));
    let float = |number| Value::Float(Float(number));
    assert_eq!(failure(insert("f", float(0.1))).0, code::DATATYPE_MISMATCH);
    assert_eq!(failure(insert("n", float(0.5))).0, code::DATATYPE_MISMATCH);
    assert_eq!(failure(insert("d", Value::Int((1 << 53) + 1))).0, code::DATATYPE_MISMATCH);
    assert_eq!(failure(insert("s", Value::Text("x".into()))).0, code::INVALID_TEXT_REPRESENTATION);
    assert_eq!(insert("f", float(f64::INFINITY)), Ok(1));
    assert_eq!(insert("d", Value::Int(1 << 53)), Ok(1));
    assert_eq!(insert("n", Value::Text("1.50".into())), Ok(1));

    let sql = "SELECT 70000, 2.5, 3.0, 0.1::float8, 'x'::text, now()";
    let row = session.query(sql, &[]).expect("a row").remove(0);
    assert_eq!(failure(row.get::<i16>(0)).1, "column \"?column?\": 70000 does not fit i16");
    assert_eq!(failure(row.get::<i32>(1)).0, code::NUMERIC_VALUE_OUT_OF_RANGE);
    assert_eq!(row.get(2), Ok(3_i64));
    assert_eq!(failure(row.get::<f64>(2)).0, code::DATATYPE_MISMATCH);
    assert_eq!(failure(row.get::<f32>(3)).0, code::DATATYPE_MISMATCH);
    assert_eq!(failure(row.get::<i32>(4)).0, code::DATATYPE_MISMATCH);
    assert_eq!(failure(row.get::<String>(0)).0, code::DATATYPE_MISMATCH);
    assert_eq!(failure(row.get::<i32>(6)), ("42703", "column 6 does not exist".to_owned()));
    assert_eq!(failure(row.get::<i32>("id")).0, code::UNDEFINED_COLUMN);
}

#[test]
fn a_transaction_that_is_not_committed_is_rolled_back() {
    let Opened { database, scratch: _scratch } = open("CREATE TABLE t (id int PRIMARY KEY)");
    let mut session = database.session();
    let mut transaction = session.begin().expect("a transaction");
    transaction.execute("INSERT INTO t VALUES (1)", &[]).expect("no key is there");
    drop(transaction);
    assert_eq!(ids(&database), [0; 0]);

    let mut transaction = session.begin().expect("the last one has ended");
    transaction.execute("INSERT INTO t VALUES (1)", &[]).expect("it was taken back");
    let mut savepoint = transaction.begin().expect("a savepoint");
    savepoint.execute("INSERT INTO t VALUES (2)", &[]).expect("another key");
    let (found, _) = failure(savepoint.execute("INSERT INTO t VALUES (1)", &[]));
    assert_eq!(found, code::UNIQUE_VIOLATION);
    assert_eq!(failure(savepoint.commit()).0, code::IN_FAILED_SQL_TRANSACTION);
    let mut savepoint = transaction.begin().expect("a savepoint of the same depth");
    savepoint.execute("INSERT INTO t VALUES (3)", &[]).expect("another key");
    savepoint.commit().expect("nothing has failed");
    transaction.commit().expect("nothing has failed");
    assert_eq!(ids(&database), [1, 3]);

    let error = database.transaction(|transaction| {
        transaction.execute("DELETE FROM t", &[])?;
        transaction.execute("SELECT 1 / (id - 1) FROM t", &[])?;
        transaction.execute("SELECT 1 / 0", &[])
    });
    assert_eq!(failure(error).0, code::DIVISION_BY_ZERO);
    assert_eq!(ids(&database), [1, 3]);
}

#[test]
fn a_commit_of_what_has_failed_or_ended_says_so() {
    let Opened { database, scratch: _scratch } = open("CREATE TABLE t (id int)");
    let mut session = database.session();
    let mut transaction = session.begin().expect("a transaction");
    assert_eq!(failure(transaction.execute("SELEC 1", &[])).0, code::SYNTAX_ERROR);
    let (found, _) = failure(transaction.execute("SELECT 1", &[]));
    assert_eq!(found, code::IN_FAILED_SQL_TRANSACTION);
    assert_eq!(failure(transaction.commit()).0, code::IN_FAILED_SQL_TRANSACTION);

    let mut transaction = session.begin().expect("the failed one has ended");
    transaction.execute("COMMIT", &[]).expect("it may");
    assert_eq!(failure(transaction.commit()).0, code::NO_ACTIVE_SQL_TRANSACTION);
    session.execute("BEGIN", &[]).expect("it may");
    assert_eq!(failure(session.begin().map(drop)).0, code::ACTIVE_SQL_TRANSACTION);
    assert_eq!(failure(database.execute("BEGIN", &[])).0, code::ACTIVE_SQL_TRANSACTION);
}

#[test]
fn an_error_has_its_sqlstate_its_place_and_advice() {
    let Opened { database, scratch: _scratch } = open("CREATE TABLE t (id int PRIMARY KEY)");
    let error = database.query("SELECT nothing FROM t", &[]).expect_err("no such column");
    assert_eq!((error.code, error.position), (code::UNDEFINED_COLUMN, Some(8)));
    let error = database.execute("INSERT INTO t VALUES (1), (1)", &[]).expect_err("twice");
    assert_eq!(error.code, code::UNIQUE_VIOLATION);
    assert_eq!(error.detail.as_deref(), Some("Key (id)=(1) already exists."));
    let error = database.execute("SELECT 1; SELECT 2", &[]).expect_err("two statements");
    assert!(error.hint.expect("advice").starts_with("Call execute_all"));
    let error = database.execute("SELECT $1::int", &[]).expect_err("no value");
    assert_eq!(error.message, "the statement has 1 parameters, and 0 were given");
    let error = database.execute("COPY t TO STDOUT", &[]).expect_err("no connection");
    assert_eq!(error.code, code::FEATURE_NOT_SUPPORTED);
    let error = database.session().execute_all("INSERT INTO t VALUES (5); SELEC; SELECT 1");
    assert_eq!(failure(error).0, code::SYNTAX_ERROR);
    assert_eq!(ids(&database), [0; 0]);
}

#[test]
fn a_directory_is_open_once_and_keeps_what_was_committed() {
    let Opened { database, scratch } = open("CREATE TABLE t (id int)");
    let mut session = database.session();
    session.execute("INSERT INTO t VALUES (1)", &[]).expect("a row");
    let error = Database::open(scratch.path()).map(drop).expect_err("it is open");
    let expected = (code::OBJECT_NOT_IN_PREREQUISITE_STATE, Severity::Error);
    assert_eq!((error.code, error.severity), expected);

    // A session keeps it open.
    drop(database);
    session.execute("INSERT INTO t VALUES (2)", &[]).expect("it is open");
    let error = Database::open(scratch.path()).map(drop).expect_err("it is open");
    assert_eq!(error.code, code::OBJECT_NOT_IN_PREREQUISITE_STATE);
    drop(session);
    let database = Database::open(scratch.path()).expect("it was closed");
    assert_eq!(ids(&database), [1, 2]);
}

#[test]
fn a_copy_of_the_files_is_what_a_crash_leaves() {
    let Opened { database, scratch } = open("CREATE TABLE t (id int)");
    database.execute("INSERT INTO t SELECT generate_series(1, 500)", &[]).expect("rows");
    let copy = Scratch::new("embedded-copy").expect("a directory");
    copy_files(scratch.path(), copy.path());
    let recovered = Database::open(copy.path()).expect("the log is replayed");
    assert_eq!(ids(&recovered).len(), 500);
}

fn copy_files(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("it is there").is_dir() {
            std::fs::create_dir(&target).expect("a new directory");
            copy_files(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file");
        }
    }
}

#[test]
fn a_thread_waits_for_the_row_that_another_has_updated() {
    let Opened { database, scratch: _scratch } =
        open("CREATE TABLE t (id int PRIMARY KEY, count int); INSERT INTO t VALUES (1, 0)");
    const ROUNDS: usize = 50;
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut session = database.session();
                for _ in 0..ROUNDS {
                    let changed = session.transaction(|transaction| {
                        transaction.execute("UPDATE t SET count = count + 1 WHERE id = $1", &[&1])
                    });
                    assert_eq!(changed, Ok(1));
                }
            });
        }
    });
    let count = database.query("SELECT count FROM t", &[]).expect("a row")[0].get(0);
    assert_eq!(count, Ok(2 * ROUNDS as i64));

    // Under REPEATABLE READ the second one has to try again.
    let (mut first, mut second) = (database.session(), database.session());
    let mut first = first.begin().expect("one");
    let mut second = second.begin_with(Isolation::RepeatableRead).expect("two");
    second.query("SELECT count FROM t", &[]).expect("a snapshot");
    first.execute("UPDATE t SET count = 0", &[]).expect("nobody else");
    first.commit().expect("nothing has failed");
    let error = second.execute("UPDATE t SET count = 1", &[]);
    assert_eq!(failure(error).0, code::SERIALIZATION_FAILURE);
}

#[test]
fn a_plan_that_is_kept_follows_the_table() {
    let Opened { database, scratch: _scratch } =
        open("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
    let (mut session, sql) = (database.session(), "SELECT * FROM t");
    assert_eq!(session.query(sql, &[]).expect("a row")[0].columns().len(), 1);
    database.execute("ALTER TABLE t ADD name text DEFAULT 'x'", &[]).expect("another column");
    let rows = session.query(sql, &[]).expect("a row");
    assert_eq!((rows[0].get("id"), rows[0].get("name")), (Ok(1), Ok("x")));
    database.execute("DROP TABLE t", &[]).expect("it is there");
    assert_eq!(failure(session.query(sql, &[])).0, code::UNDEFINED_TABLE);
}

#[test]
fn rows_come_one_by_one_and_can_be_stopped() {
    let Opened { database, scratch: _scratch } = open("CREATE TABLE t (id int)");
    let mut session = database.session();
    let (sql, mut sum) = ("SELECT i FROM generate_series(1, $1) i", 0);
    let count = session.for_each(sql, &[&100_000], |row| {
        sum += row.get::<i64>(0)?;
        Ok(())
    });
    assert_eq!((count, sum), (Ok(100_000), 5_000_050_000));

    let mut seen = 0;
    let error = session.for_each(sql, &[&100_000], |_| {
        seen += 1;
        let is_enough = seen == 40;
        if is_enough { Err(Error::new(code::QUERY_CANCELED, "enough")) } else { Ok(()) }
    });
    assert_eq!((failure(error).1, seen), ("enough".to_owned(), 40));

    let mut transaction = session.begin().expect("a transaction");
    transaction.execute("DECLARE c CURSOR FOR SELECT generate_series(1, 10)", &[]).expect("new");
    assert_eq!(transaction.query("FETCH 7 FROM c", &[]).expect("rows").len(), 7);
    assert_eq!(transaction.query("FETCH 7 FROM c", &[]).expect("rows").len(), 3);
}

#[test]
fn a_statement_is_canceled_by_another_thread_and_by_its_timeout() {
    let Opened { database, scratch: _scratch } = open("CREATE TABLE t (id int)");
    let (sender, interrupts) = mpsc::channel();
    let endless = "SELECT count(*) FROM generate_series(1, 1000000000000)";
    let thread = thread::spawn(move || {
        let mut session = database.session();
        sender.send(session.interrupt()).expect("somebody listens");
        let canceled = session.query(endless, &[]);
        session.execute("SET statement_timeout = 20", &[]).expect("a setting");
        (canceled.map(drop), session.query(endless, &[]).map(drop))
    });
    let interrupt = interrupts.recv().expect("a session");
    // One that comes before the statement does not cancel it.
    while !thread.is_finished() {
        interrupt.cancel();
        thread::sleep(Duration::from_millis(5));
    }
    let (canceled, late) = thread.join().expect("no panic");
    assert_eq!(failure(canceled).0, code::QUERY_CANCELED);
    assert_eq!(failure(late).0, code::QUERY_CANCELED);
}

#[test]
fn nothing_is_read_after_a_checkpoint_has_failed() {
    let scratch = Scratch::new("embedded").expect("a directory");
    let options = Options { checkpoint_wal_bytes: 1, ..Options::default() };
    let database = Database::open_with(scratch.path(), options).expect("it is empty");
    let mut session = database.session();
    session.execute("CREATE TABLE t (id int)", &[]).expect("a table");
    std::fs::remove_dir_all(scratch.path()).expect("ours");

    let mut failed = None;
    wait_until("a failed checkpoint", || {
        let _ = session.execute("INSERT INTO t VALUES (1)", &[]);
        failed = session.query("SELECT id FROM t", &[]).err();
        failed.is_some()
    });
    let error = failed.expect("waited for");
    assert_eq!((error.code, error.severity), (code::IO_ERROR, Severity::Panic));
    let error = database.checkpoint().expect_err("it is not tried again");
    assert_eq!(error.severity, Severity::Panic);
}

#[test]
fn the_deepest_statement_fits_the_stack_that_the_server_has() {
    let Opened { database, scratch: _scratch } = open("CREATE TABLE t (id int)");
    let deep = format!("SELECT 1{}", "+1".repeat(990));
    let thread = thread::Builder::new().stack_size(8 << 20).spawn(move || {
        let rows = database.query(&deep, &[]).expect("it is not too deep");
        assert_eq!(rows[0].get(0), Ok(991));
    });
    thread.expect("a thread").join().expect("no panic");
}
