//! POC 62: what does a write cost if the database gets it later, and what can be lost?
//!
//! `cargo run --release -p minicache --example poc62_write_behind`
//!
//! Writes of popular keys go to a database whose statements take 5 ms, on a simulated clock: write
//! by write, or through the queue of `minicache::write_behind`. With `--backend HOST:PORT` the same
//! with a PostgreSQL or minibtree and a journal on disk, measured; then a process that writes is
//! killed fifty times.

mod common;

use common::{Arguments, sql};
use minicache::engine::rng::Rng;
use minicache::write_behind::postgres::Postgres;
use minicache::write_behind::{Ack, Failure, Operation, Options, Queue, WriteBehind};
use minikit::harness::Scratch;
use minikit::storage::RealDisk;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const STATEMENT_MS: u64 = 5;
const WRITES: u64 = 10_000;
const KILLS: usize = 50;

fn main() -> io::Result<()> {
    let words = std::env::args().collect::<Vec<_>>();
    if let [_, flag, directory, backend, first] = &words[..]
        && flag == "--writer"
    {
        return writer(Path::new(directory), backend, first.parse().expect("a number"));
    }
    match Arguments::read().backend {
        None => print!("{}", run()),
        Some(backend) => print!("{}\n{}", measured(&backend)?, kills(&backend)?),
    }
    Ok(())
}

fn run() -> String {
    [trade_off(), outage(), poison(), evicted()].join("\n")
}

/// A key out of two hundred, most often one of the first.
fn popular(random: &mut Rng) -> String {
    format!("user:{}", random.below(200).min(random.below(200)).min(random.below(200)))
}

// ANCHOR: play
/// What happens when a write comes every ms.
#[derive(Default)]
struct Played {
    statements: u64,
    rows: u64,
    /// Writers that waited for the backend.
    waited: u64,
    /// The longest time that a change was not in the backend.
    window_ms: u64,
}

fn play(options: Options, is_down: impl Fn(u64) -> bool) -> Played {
    let (mut queue, mut played) = (Queue::new(options, 0), Played::default());
    let mut random = Rng::new(62);
    let mut changed_ms = HashMap::<Arc<[u8]>, u64>::new();
    let mut in_flight: Option<(Vec<Operation>, u64)> = None;

    for now_ms in 0.. {
        if now_ms < WRITES {
            let value = now_ms.to_string();
            let (operation, ack) = queue.submit(
                popular(&mut random).as_bytes(),
                Some(value.as_bytes().into()),
                now_ms,
            );
            changed_ms.entry(operation.key).or_insert(now_ms);
            played.waited += u64::from(ack == Ack::WriteThrough);
        }
        if let Some((batch, _)) = in_flight.take_if(|(_, end_ms)| *end_ms <= now_ms) {
            played.statements += 1;
            let result = if is_down(now_ms) { Err(Failure::Unavailable) } else { Ok(()) };
            for operation in batch.iter().filter(|_| result.is_ok()) {
                played.rows += 1;
                let since_ms = changed_ms.remove(&operation.key).expect("it was changed");
                played.window_ms = played.window_ms.max(now_ms - since_ms);
                let newest = queue.newest(&operation.key).expect("at least this one");
                if newest.sequence != operation.sequence {
                    // A write comes every ms, and has the number after the one before it.
                    changed_ms.insert(Arc::clone(&operation.key), newest.sequence - 1);
                }
            }
            queue.done(batch, result, now_ms);
        }
        if in_flight.is_none() {
            in_flight = queue.next_batch(now_ms).map(|batch| (batch, now_ms + STATEMENT_MS));
        }
        if now_ms >= WRITES && queue.is_written() {
            return played;
        }
    }
    unreachable!("the backend writes everything")
}
// ANCHOR_END: play

fn trade_off() -> String {
    let head =
        ["10,000 writes of 200 keys", "statements", "rows", "writer waits", "not written for"];
    let row = |cells: [&str; 5]| {
        let [name, a, b, c, d] = cells;
        format!("{name:<32}{a:>11}{b:>8}{c:>14}{d:>17}\n")
    };
    let mut text = row(head);
    text += &row(["write-through", "10000", "10000", "5 ms", "0 ms"]);
    for delay_ms in [0, 100, 1_000] {
        let played = play(Options { delay_ms, ..Options::default() }, |_| false);
        text += &row([
            &format!("write-behind, delay {delay_ms} ms"),
            &played.statements.to_string(),
            &played.rows.to_string(),
            "journal",
            &format!("{} ms", played.window_ms),
        ]);
    }
    text
}

fn outage() -> String {
    let options = Options { high_water: 150 * 140, ..Options::default() };
    let played = play(options, |now_ms| (2_000..4_000).contains(&now_ms));
    format!(
        "The database is away for 2 s\n{} statements; {} writers above the high-water mark waited \
         for it\nno change was unwritten for longer than {} ms\n",
        played.statements, played.waited, played.window_ms
    )
}

fn poison() -> String {
    let mut queue = Queue::new(Options { delay_ms: 0, ..Options::default() }, 0);
    for number in 0..128 {
        let value = if number == 77 { "longer than the column" } else { "Ada" };
        queue.submit(format!("user:{number}").as_bytes(), Some(value.as_bytes().into()), 0);
    }
    let (mut sizes, mut rows) = (Vec::new(), 0);
    while let Some(batch) = queue.next_batch(0) {
        sizes.push(batch.len().to_string());
        let is_rejected = batch.iter().any(|it| it.value.as_ref().is_some_and(|it| it.len() > 3));
        rows += if is_rejected { 0 } else { batch.len() };
        queue.done(batch, if is_rejected { Err(Failure::Rejected) } else { Ok(()) }, 0);
    }
    let dead = queue.take_dead_letters();
    let key = String::from_utf8_lossy(&dead[0].key).into_owned();
    let sizes = sizes.join(" ");
    format!(
        "One of 128 rows is rejected\nbatches of {sizes}\n{rows} rows written, dead letter {key}\n"
    )
}

fn evicted() -> String {
    let table = HashMap::from([("user:7", "Ada")]);
    let mut queue = Queue::new(Options::default(), 0);
    queue.submit(b"user:7", Some(b"Grace".as_slice().into()), 0);
    let waiting = queue.newest(b"user:7").and_then(|it| it.value.clone()).expect("it waits");
    let waiting = String::from_utf8_lossy(&waiting).into_owned();
    format!(
        "user:7 = Grace was written behind, and evicted from the cache before it was in the table\n\
         a miss that asks the table:            {}\n\
         a miss that asks the queue before it:  {waiting}\n",
        table["user:7"]
    )
}

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
        database.write(batch).map_err(|(failure, why)| {
            eprintln!("{failure:?}: {why}");
            failure
        })
    });
    worked.expect("the journal can be written");
}
// ANCHOR_END: work

/// The same with a database and a disk.
fn measured(backend: &str) -> io::Result<String> {
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
        database.write(&[operation]).map_err(|(_, why)| io::Error::other(why))
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
fn writer(directory: &Path, backend: &str, first: u64) -> io::Result<()> {
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
fn kills(backend: &str) -> io::Result<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_recorded_one() {
        common::assert_recorded("poc62_write_behind", &run());
    }
}
