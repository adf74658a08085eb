//! POC 62: what does a write cost if the database gets it later, and what can be lost?
//!
//! `cargo run --release -p minicache --example poc62_write_behind`
//!
//! Writes of popular keys go to a database whose statements take 5 ms, on a simulated clock: write
//! by write, or through the queue of `minicache::write_behind`. With `--backend HOST:PORT` the same
//! with a PostgreSQL or minibtree and a journal on disk, measured; then a process that writes is
//! killed fifty times (`durable/mod.rs`).

mod common;
mod durable;

use common::Arguments;
use minicache::engine::rng::Rng;
use minicache::write_behind::{Ack, Failure, Operation, Options, Queue};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

const STATEMENT_MS: u64 = 5;
const WRITES: u64 = 10_000;

fn main() -> io::Result<()> {
    let words = std::env::args().collect::<Vec<_>>();
    if let [_, flag, directory, backend, first] = &words[..]
        && flag == "--writer"
    {
        return durable::writer(Path::new(directory), backend, first.parse().expect("a number"));
    }
    match Arguments::read().backend {
        None => print!("{}", run()),
        Some(backend) => print!("{}\n{}", durable::measured(&backend)?, durable::kills(&backend)?),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_the_recorded_one() {
        common::assert_recorded("poc62_write_behind", &run());
    }
}
