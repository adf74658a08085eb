//! minilog against Kafka.
//!
//! | file | question |
//! |---|---|
//! | `systems.rs` | how the two are started and identified |
//! | `goals.rs` | where we want to be |
//! | `producer_perf.rs` | produce: throughput, and broker CPU per record |
//! | `saturation.rs` | produce: throughput if the load is not the limit |
//! | `consumer_perf.rs` | consume: the same, beside a bare `sendfile` loop |
//! | `latency.rs` | how long a record is on its way to a consumer |
//! | `startup.rs` | how soon the first answer comes, and how much memory a broker has |
//! | `restart.rs` | how long 1,000 partitions are away after `kill -9` |
//! | `embedded.rs` | minilog beside embedded logs, if no Kafka is found |
//!
//! Kafka's JVM compiles what runs often, so its first seconds cost several times more than later
//! ones. Both brokers are therefore started once for all rounds, and the first run of each row is
//! not counted:
//!
//! ```text
//! start ours, start theirs
//! row 1   warm up ours, warm up theirs, then ours₁ theirs₁ ours₂ theirs₂ …
//! row 2   the same
//! stop both; then start and stop each several times for start-up
//! ```

mod consumer_perf;
mod embedded;
mod goals;
mod latency;
mod producer_perf;
mod restart;
mod saturation;
mod startup;
mod systems;

use crate::conditions::{other_load, placement};
use crate::model::{Comparison, Pair};
use crate::progress::Progress;
use crate::provider::{self, Side, Source};
use crate::rounds::Rounds;
use crate::{Context, Effort, Result, ours};
use producer_perf::{Row, Tool};
use systems::identify;
pub use systems::{KAFKA, MINILOG};

/// Runs the whole pair.
///
/// # Errors
/// If something is broken. A missing Kafka is a note, unless it was asked for by name.
pub fn run(context: &Context) -> Result<Pair> {
    let address = context.address(&KAFKA);
    let (found, misses) = provider::find(&KAFKA, context.provider_of(&KAFKA), address)?;
    let program = match context.program(&MINILOG) {
        Some(path) => path.to_path_buf(),
        None => ours::build("minilog")?,
    };
    let ours = Side { system: &MINILOG, source: Source::Program(program) };
    match found {
        Some(source) => against_kafka(context, [&ours, &Side { system: &KAFKA, source }]),
        None => alone(context, &ours, &misses),
    }
}

fn against_kafka(context: &Context, sides: [&Side; 2]) -> Result<Pair> {
    // We cannot pin a server that is not ours. Then ours is not pinned either.
    let cores = context.cores.filter(|_| sides[1].is_ours_to_start());
    if let Some(cores) = cores {
        cores.take_client_core();
    }
    let tool = Tool::find()?;
    let count = context.rounds();
    let rows = Row::all(context.effort);
    let starts = startup::SECONDS_PER_START * startup::rounds(count) as f64;
    let kills = restart::SECONDS * restart_rounds(context.effort) as f64;
    let round = rows.iter().map(Row::seconds).sum::<f64>()
        + saturation::SECONDS
        + consumer_perf::SECONDS
        + latency::seconds(context.effort);
    let seconds = 2.0 * ((count + 1) as f64 * round + starts + kills);
    let names = [MINILOG.name, KAFKA.name];
    let mut turns = Rounds { count, names, progress: Progress::new(seconds) };

    let mut servers = [sides[0].start(Some(1), cores)?, sides[1].start(None, cores)?];
    for server in &servers {
        eprintln!("{} listens on {} {}", server.name, server.address, server.describe());
    }
    let mut under_load = || -> Result<Vec<Comparison>> {
        let mut comparisons = producer_perf::compare(&mut turns, &tool, &rows, &servers)?;
        comparisons.push(saturation::compare(&mut turns, context.effort, &servers)?);
        let effort = context.effort;
        comparisons.extend(consumer_perf::compare(&mut turns, &tool, effort, &servers, cores)?);
        comparisons.push(latency::compare(&mut turns, &tool, effort, &servers)?);
        comparisons.extend(startup::memory_after_load(&servers));
        Ok(comparisons)
    };
    let mut comparisons = under_load()
        .map_err(|error| servers.iter_mut().fold(error, |error, it| it.explain(error)))?;
    drop(servers);

    let mut notes = Vec::new();
    if matches!(sides[1].source, Source::Program(_)) {
        turns.count = startup::rounds(count);
        comparisons.extend(startup::compare(&mut turns, sides, cores)?);
        turns.count = restart_rounds(context.effort);
        if turns.count > 0 {
            comparisons.push(restart::compare(&mut turns, sides, cores)?);
        } else {
            notes.push("--quick leaves out the restart, which takes Kafka half a minute".into());
        }
    } else {
        notes.push("start-up and restart need a Kafka that we can start as a program".into());
    }
    Ok(Pair {
        ours: identify(sides[0]),
        theirs: Some(identify(sides[1])),
        settings: vec![
            placement(cores, context.cores),
            "one thread for connections in minilog (--threads 1), Kafka's own default in Kafka; \
             both on the same core"
                .into(),
            "durability: both write to the page cache and never wait for the disk; acks=all with \
             one replica"
                .into(),
            tool.describe(),
            format!("rounds: {count} of each after one to warm up, ours and theirs in turn"),
            other_load(),
        ],
        notes,
        comparisons,
        goals: goals::goals(),
    })
}

/// A restart of Kafka with 1,000 partitions is slow.
fn restart_rounds(effort: Effort) -> usize {
    match effort {
        Effort::Quick => 0,
        Effort::Normal => 1,
        Effort::Full => 3,
    }
}

/// What is printed and measured if there is no Kafka: its load tools are missing then, too.
fn alone(context: &Context, ours: &Side, misses: &[String]) -> Result<Pair> {
    println!("\nNo Kafka was found, so there is nothing to compare minilog with.");
    println!("To get one: {}\n", KAFKA.install);
    if let Some(cores) = context.cores {
        cores.take_client_core();
    }
    let (milliseconds, megabytes) = startup::measure(ours, context.cores)?;

    let mut server = ours.start(Some(1), context.cores)?;
    eprintln!("{} listens on {} {}", server.name, server.address, server.describe());
    let count = context.rounds();
    let names = [MINILOG.name, "in-process"];
    let progress = Progress::new(embedded::seconds(count));
    let mut rounds = Rounds { count, names, progress };
    let comparison = embedded::compare(&mut rounds, context.effort, &server)
        .map_err(|error| server.explain(error))?;
    Ok(Pair {
        ours: identify(ours),
        theirs: None,
        settings: vec![placement(context.cores, context.cores), other_load()],
        notes: vec![
            format!("no Kafka: {}. To get one: {}", misses.join("; "), KAFKA.install),
            format!(
                "minilog alone: first answer after {milliseconds:.1} ms, {megabytes:.1} MB \
                 resident when idle"
            ),
        ],
        comparisons: vec![comparison],
        goals: goals::goals(),
    })
}
