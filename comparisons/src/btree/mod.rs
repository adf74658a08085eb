//! minibtree against PostgreSQL.
//!
//! | file | question |
//! |---|---|
//! | `systems.rs` | how the two are started, identified and asked |
//! | `goals.rs` | where we want to be |
//! | `cost.rs` | what a run costs a server |
//! | `load.rs` | how fast a million rows are loaded and indexed |
//! | `indexes.rs` | what an index costs to build, to probe and to keep |
//! | `transactions.rs` | pgbench's scripts: throughput, processor time and log per transaction |
//!
//! Loading takes longer than a run of pgbench, so both servers are started once for all rounds:
//!
//! ```text
//! start ours, start theirs
//! load     ours₁ theirs₁ ours₂ theirs₂ …                       scale 10
//! indexes  the same: built, probed, kept up to date
//! row 1    one run of each not counted, then ours₁ theirs₁ …   select-only, simple-update
//! load     ours, theirs                                        scale 1: one hot row
//! row n    as row 1                                            tpcb-like
//! ```

mod cost;
mod goals;
mod indexes;
mod load;
mod systems;
mod transactions;

use crate::conditions::{other_load, placement};
use crate::model::Pair;
use crate::progress::Progress;
use crate::provider::{self, Server, Side, Source};
use crate::rounds::Rounds;
use crate::{Context, Effort, Result, ours};
pub use systems::{MINIBTREE, POSTGRESQL};
use systems::{Tools, identify};
use transactions::Case;

/// Rounds of the load and of each row of transactions.
fn rounds(effort: Effort) -> [usize; 2] {
    match effort {
        Effort::Quick => [2, 3],
        Effort::Normal => [3, 5],
        Effort::Full => [5, 7],
    }
}

/// Runs the whole pair.
///
/// # Errors
/// If something is broken. A missing PostgreSQL is a note, unless it was asked for by name.
pub fn run(context: &Context) -> Result<Pair> {
    let address = context.address(&POSTGRESQL);
    let (found, misses) = provider::find(&POSTGRESQL, context.provider_of(&POSTGRESQL), address)?;
    let program = match context.program(&MINIBTREE) {
        Some(path) => path.to_path_buf(),
        None => ours::build("minibtree")?,
    };
    let ours = Side { system: &MINIBTREE, source: Source::Program(program) };
    match found {
        Some(source) => against(context, [&ours, &Side { system: &POSTGRESQL, source }]),
        None => alone(context, &misses),
    }
}

fn against(context: &Context, sides: [&Side; 2]) -> Result<Pair> {
    // We cannot pin a server that is not ours. Then ours is not pinned either.
    let cores = context.cores.filter(|_| sides[1].is_ours_to_start());
    if let Some(cores) = cores {
        cores.take_client_core();
    }
    let tools = Tools::find()?;
    let [loads, count] = rounds(context.effort).map(|it| context.rounds_or(it));
    let cases = Case::all(context.effort);
    let runs = (count + 1) as f64 * cases.iter().map(Case::seconds).sum::<f64>();
    let seconds = 2.0 * (runs + loads as f64 * (load::SECONDS + indexes::SECONDS));
    let names = [MINIBTREE.name, POSTGRESQL.name];
    let mut turns = Rounds { count: loads, names, progress: Progress::new(seconds) };

    let mut servers = [sides[0].start(None, cores)?, sides[1].start(None, cores)?];
    for server in &servers {
        eprintln!("{} listens on {} {}", server.name, server.address, server.describe());
    }
    let mut comparisons = Vec::new();
    let mut measure = || -> Result<()> {
        let mut load = load::compare(&mut turns, &tools, &servers)?;
        load.rows.extend(indexes::create(&mut turns, &tools, &servers)?);
        comparisons.push(load);
        comparisons.push(indexes::probe(&mut turns, &tools, &servers)?);
        comparisons.extend(indexes::price(&mut turns, &tools, &servers)?);
        turns.count = count;
        comparisons.extend(compare_transactions(&mut turns, &tools, &cases, &servers)?);
        Ok(())
    };
    measure().map_err(|error| servers.iter_mut().fold(error, |error, it| it.explain(error)))?;

    Ok(Pair {
        ours: identify(sides[0], &servers[0], &tools),
        theirs: Some(identify(sides[1], &servers[1], &tools)),
        settings: vec![
            placement(cores, context.cores),
            systems::settings(&servers[1], &tools),
            "minibtree: 128 MiB for pages, fdatasync of the log before a COMMIT is answered, \
             images of pages after a checkpoint; no setting differs from the default of either"
                .into(),
            tools.describe(),
            format!("rounds: {count} of each after one that is not counted, {loads} of the load"),
            other_load(),
        ],
        notes: Vec::new(),
        comparisons,
        goals: goals::goals(),
    })
}

/// All cases, each at its scale. The tables have the first one's scale already.
fn compare_transactions(
    turns: &mut Rounds,
    tools: &Tools,
    cases: &[Case],
    servers: &[Server; 2],
) -> Result<Vec<crate::model::Comparison>> {
    let (large, small): (Vec<Case>, Vec<Case>) =
        cases.iter().partition(|case| case.scale() == load::SCALE);
    let mut comparisons = transactions::compare(turns, tools, &large, servers)?;
    for server in servers {
        tools.pgbench(server, &load::initialize_arguments(small[0].scale()))?;
    }

    // One table for each title.
    for more in transactions::compare(turns, tools, &small, servers)? {
        match comparisons.iter_mut().find(|it| it.title == more.title) {
            Some(comparison) => comparison.rows.extend(more.rows),
            None => comparisons.push(more),
        }
    }
    Ok(comparisons)
}

/// What is printed if there is no PostgreSQL: pgbench is missing then, too.
fn alone(context: &Context, misses: &[String]) -> Result<Pair> {
    println!("\nNo PostgreSQL was found, so there is nothing to compare minibtree with.");
    println!("To get one: {}\n", POSTGRESQL.install);
    let identity = crate::model::Identity {
        name: MINIBTREE.name.into(),
        version: "unknown".into(),
        allocator: "libc".into(),
        started: "not started".into(),
    };
    Ok(Pair {
        ours: identity,
        theirs: None,
        settings: vec![placement(context.cores, context.cores)],
        notes: vec![format!(
            "no PostgreSQL: {}. To get one: {}",
            misses.join("; "),
            POSTGRESQL.install
        )],
        comparisons: Vec::new(),
        goals: goals::goals(),
    })
}
