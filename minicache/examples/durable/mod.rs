//! POC 62 with a real database and a journal on disk: what a write costs, and what `kill -9` loses.

use crate::common::sql;
use crate::popular;
use minicache::engine::rng::Rng;
use minicache::write_behind::postgres::Postgres;
use minicache::write_behind::{Operation, Options, WriteBehind};
use minikit::harness::Scratch;
use minikit::storage::RealDisk;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const KILLS: usize = 50;

/// The database, with an empty table.
fn fresh(backend: &str) -> io::Result<(sql::Client, Postgres)> {
    let mut client = sql::Client::connect(backend)?;
    client.query("drop table if exists poc62")?;
    client.query("create table poc62 (key text primary key, value text, sequence bigint)")?;
    Ok((client, connect(backend)))
}

fn connect(backend: &str) -> Postgres {
    let user = std::env::var("PGUSER").unwrap_or_else(|_| "postgres".to_owned());
    let url = format!("postgresql://{user}@{backend}/postgres");
    Postgres::new(&url, vec![(b"user:".to_vec(), "poc62".to_owned())]).expect("an address")
}

/// The numbers of a new journal are higher than those of any before.
fn open(directory: &Path, options: Options) -> io::Result<WriteBehind> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later");
    WriteBehind::open(Arc::new(RealDisk::new(directory)), options, since.as_micros() as u64)
}

// ANCHOR: work
/// Writes batches until the queue is closed and empty.
fn work(behind: &WriteBehind, database: &mut Postgres, mut count: impl FnMut(usize)) {
    let worked = behind.work(|batch| {
        count(batch.len());
        database.write(batch)
    });
    worked.expect("the journal can be written");
}
// ANCHOR_END: work

/// What a write costs, and when it is in the database.
pub fn measured(backend: &str) -> io::Result<String> {
    const COUNT: u64 = 2_000;
    let mut text = format!(
        "{:<32}{:>13}{:>8}{:>12}{:>12}{:>17}\n",
        "2,000 writes of 200 keys", "transactions", "rows", "median", "p99", "not written for"
    );
    let mut add =
        |name: &str, batches: u64, rows: u64, mut times_us: Vec<u128>, behind_ms: u128| {
            times_us.sort_unstable();
            let at =
                |percent: usize| format!("{} us", times_us[(times_us.len() - 1) * percent / 100]);
            let (median, p99, behind) = (at(50), at(99), format!("{behind_ms} ms"));
            text += &format!("{name:<32}{batches:>13}{rows:>8}{median:>12}{p99:>12}{behind:>17}\n");
        };

    let mut random = Rng::new(62);
    let mut timed = |write: &mut dyn FnMut(&str, u64) -> io::Result<()>| {
        let time = |number| {
            let start = Instant::now();
            write(&popular(&mut random), number)?;
            Ok(start.elapsed().as_micros())
        };
        (1..=COUNT).map(time).collect::<io::Result<Vec<_>>>()
    };
    let mut database = fresh(backend)?.1;
    let times_us = timed(&mut |key, sequence| {
        let value = Some(b"value".as_slice().into());
        let operation = Operation { key: key.as_bytes().into(), value, sequence };
        database.write(&[operation]).map_err(|it| io::Error::other(format!("{it:?}")))
    })?;
    add("write-through", COUNT, COUNT, times_us, 0);

    for (name, sync, delay_ms) in [
        ("write-behind", true, 100),
        ("write-behind, delay 1000 ms", true, 1_000),
        ("write-behind, without a sync", false, 100),
    ] {
        let (data, mut database) = (Scratch::new("poc62")?, fresh(backend)?.1);
        let behind = open(data.path(), Options { sync, delay_ms, ..Options::default() })?;
        let (mut batches, mut rows) = (0, 0);
        let (times_us, behind_ms) = std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                work(&behind, &mut database, |length| {
                    (batches, rows) = (batches + 1, rows + length as u64);
                });
            });
            let times_us = timed(&mut |key, _| behind.put(key.as_bytes(), Some(b"value")))?;
            let last = Instant::now();
            behind.close();
            worker.join().expect("no panic");
            io::Result::Ok((times_us, last.elapsed().as_millis()))
        })?;
        add(name, batches, rows, times_us, behind_ms);
    }
    Ok(text)
}

/// Operation `number` of the process that is killed. Every fifth one deletes.
fn nth(number: u64) -> (String, Option<String>) {
    (format!("user:{}", number % 48), (!number.is_multiple_of(5)).then(|| number.to_string()))
}

/// Writes, and prints each number that was acknowledged, until it is killed.
pub fn writer(directory: &Path, backend: &str, first: u64) -> io::Result<()> {
    let behind = open(directory, Options { delay_ms: 20, ..Options::default() })?;
    std::thread::scope(|scope| {
        scope.spawn(|| work(&behind, &mut connect(backend), |_| {}));
        for number in first.. {
            let (key, value) = nth(number);
            behind.put(key.as_bytes(), value.as_deref().map(str::as_bytes))?;
            writeln!(io::stdout(), "{number}")?;
        }
        Ok(())
    })
}

/// Kills the writer over and over. Then the database must have what was acknowledged last, or what
/// was under way after it.
pub fn kills(backend: &str) -> io::Result<String> {
    let (data, mut client) = (Scratch::new("poc62-kills")?, fresh(backend)?.0);
    let mut last = BTreeMap::new();
    let (mut next, mut count) = (0, 0);
    for kill in 0..KILLS {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--writer").arg(data.path()).args([backend, &next.to_string()]);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        for (index, line) in lines.enumerate() {
            let number = line?.parse::<u64>().expect("it prints numbers");
            last.insert(nth(number).0, vec![nth(number).1]);
            (next, count) = (number + 1, count + 1);
            // At another moment each time. What it had printed before it died counts too.
            if index == 10 + 7 * kill {
                child.kill()?;
            }
        }
        child.wait()?;
        // This one was not acknowledged, and may have been written.
        let (key, value) = nth(next);
        last.entry(key).or_insert_with(|| vec![None]).push(value);
        next += 1;
    }

    let behind = open(data.path(), Options::default())?;
    behind.close();
    work(&behind, &mut connect(backend), |_| {});
    let mut lost = 0;
    for (key, values) in &last {
        let rows = client.query(&format!("select value from poc62 where key = '{key}'"))?;
        let found = rows.first().map(|row| row[0].clone());
        lost += usize::from(!values.contains(&found));
    }
    Ok(format!("{KILLS} times kill -9: {count} writes acknowledged, {lost} lost\n"))
}
