//! minicache against Redis.
//!
//! | file | question |
//! |---|---|
//! | `systems.rs` | how the two are started and asked who they are |
//! | `plan.rs` | how much is measured, how long it takes |
//! | `commands.rs` | which commands are sent, and what has to be in the server before |
//! | `resp.rs` | how they look on the wire |
//! | `redis_benchmark.rs` | throughput, and CPU of the server per operation |
//! | `latency.rs` | how long somebody waits at a fixed rate |
//! | `memory.rs` | what a key costs |
//! | `startup.rs` | how soon the first answer comes |
//! | `embedded.rs` | what is said where no Redis is to be found |
//!
//! A round starts each server once, on the same core, for everything that measures speed. Memory
//! and start-up come after all rounds and start a server for every figure:
//!
//! ```text
//! round 1   ours   :40001  core 0 ┐  redis-benchmark, open loop on core 1, in turns
//!           theirs :40002  core 0 ┘
//! round 2   the same with new processes, …
//! then      start ours, load, look, stop; start theirs, load, look, stop; …
//! ```

mod commands;
mod embedded;
mod latency;
mod memory;
mod plan;
mod redis_benchmark;
mod resp;
mod startup;
mod systems;

use crate::cores::Cores;
use crate::model::{Comparison, Pair};
use crate::progress::Progress;
use crate::provider::{self, Choice, Server, Side, Source};
use crate::rounds::Rounds;
use crate::{Context, Result, ours};
use latency::Latency;
use plan::Plan;
use redis_benchmark::{Heading, Suite, Tool};
use systems::{MINICACHE, REDIS, adopt, identify, tidy, whose};

/// What a round of each of these runs; the rows have the numbers.
const ROUND: &str = "redis-benchmark -h ADDRESS -p PORT, and for each row:";

const PIPELINED: Heading = Heading {
    id: "pipelined",
    suffix: "",
    detail: "P requests in flight on each of c connections, by size of value",
    same_load: false,
    command: ROUND,
};

const LIST: Heading = Heading {
    id: "list",
    suffix: ", default list",
    detail: "50 connections, one request in flight on each, 3 B values",
    same_load: true,
    command: ROUND,
};

const THREADS: Heading = Heading {
    id: "threads",
    suffix: ", default threads",
    detail: "Each with the threads it starts by default, on whichever cores it likes",
    same_load: false,
    command: ROUND,
};

/// Runs the whole pair. Fails only if something is broken; a missing Redis is a note.
pub fn run(context: &Context) -> Result<Pair> {
    let (found, misses) = provider::find(&REDIS, context.provider, context.redis.as_deref());
    if found.is_none() && context.provider != Choice::Auto {
        let misses = misses.join("; ");
        return Err(format!("{misses}. To get a Redis: {}", REDIS.install).into());
    }
    misses.iter().for_each(|miss| eprintln!("looking for Redis: {miss}"));
    let program = match &context.minicache {
        Some(path) => path.clone(),
        None => ours::build("minicache")?,
    };
    let ours = Side { system: &MINICACHE, source: Source::Program(program) };
    match found {
        Some(source) => against_redis(context, [&ours, &Side { system: &REDIS, source }]),
        None => alone(context, &ours, &misses),
    }
}

/// Two systems that can be started, and how they are to be measured.
struct Contest<'a> {
    sides: [&'a Side; 2],
    cores: Option<Cores>,
    plan: Plan,
    tool: Tool,
    rounds: Rounds,
    notes: Vec<String>,
}

fn against_redis(context: &Context, sides: [&Side; 2]) -> Result<Pair> {
    // A server that is not ours to place has the run of the machine; then ours has it as well.
    let cores = context.cores.filter(|_| sides[1].is_ours_to_start());
    if let Some(cores) = cores {
        cores.take_client_core();
    }
    let mut servers = [sides[0].start(Some(1), cores)?, sides[1].start(Some(1), cores)?];
    let [ours, theirs] = [identify(sides[0], &servers[0])?, identify(sides[1], &servers[1])?];
    adopt(sides[1], &mut servers[1])?;
    for server in &servers {
        eprintln!("{} listens on {} {}", server.name, server.address, whose(server));
    }
    let mut contest = Contest::new(context, sides, cores, &servers);
    let settings = contest.settings(context);
    let mut comparisons = contest.speed(servers)?;
    comparisons.extend(contest.with_fresh_servers()?);
    Ok(Pair { ours, theirs: Some(theirs), settings, notes: contest.notes, comparisons })
}

impl<'a> Contest<'a> {
    fn new(
        context: &Context,
        sides: [&'a Side; 2],
        cores: Option<Cores>,
        servers: &[Server; 2],
    ) -> Contest<'a> {
        let mut notes = Vec::new();
        let mut plan = Plan::new(context.effort);
        plan.leave_out_what_cannot_be(servers, context.cores, &mut notes);
        let rounds = Rounds {
            count: plan.rounds,
            names: [MINICACHE.name, REDIS.name],
            progress: Progress::new(plan.seconds(sides[1])),
        };
        let tool = Tool::find(&servers[1], cores);
        plan.leave_out_what_cannot_be_sent(&tool);
        Contest { sides, cores, plan, tool, rounds, notes }
    }

    /// Everything that is measured on two servers that run side by side. `servers` are those of the
    /// first round.
    fn speed(&mut self, mut servers: [Server; 2]) -> Result<Vec<Comparison>> {
        let mut pipelined = Suite::new(PIPELINED, std::mem::take(&mut self.plan.pipelined));
        let mut list = Suite::new(LIST, std::mem::take(&mut self.plan.list));
        let mut latency = Latency::new(self.plan.latency);
        for number in 0..self.plan.rounds {
            if number > 0 && self.sides[1].is_ours_to_start() {
                drop(servers);
                servers = self.start(Some(1), self.cores)?;
            }
            let Contest { rounds, tool, .. } = self;
            pipelined
                .round(rounds, number, tool, &servers)
                .and_then(|()| list.round(rounds, number, tool, &servers))
                .and_then(|()| latency.round(rounds, number, &servers))
                .map_err(|error| servers.iter_mut().fold(error, |error, it| it.explain(error)))?;
            tidy(&servers)?;
        }
        let theirs = self.sides[1].system.name;
        let mut comparisons = pipelined.comparisons(theirs);
        comparisons.extend(list.comparisons(theirs));
        comparisons.push(latency.comparison(theirs));
        Ok(comparisons)
    }

    /// Starts both. The load tool may be in a container, which is another one then.
    fn start(&mut self, threads: Option<usize>, cores: Option<Cores>) -> Result<[Server; 2]> {
        let [ours, theirs] = self.sides;
        let servers = [ours.start(threads, cores)?, theirs.start(threads, cores)?];
        self.tool = Tool::find(&servers[1], self.cores);
        Ok(servers)
    }

    /// Everything that needs servers started for it.
    fn with_fresh_servers(&mut self) -> Result<Vec<Comparison>> {
        if !self.sides[1].is_ours_to_start() {
            self.notes.push("memory and start-up need servers that can be started anew".into());
            return Ok(Vec::new());
        }
        let mut comparisons = self.default_threads()?;
        // One round is enough: what an allocator does repeats.
        self.rounds.count = 1;
        let keys = self.plan.memory_keys;
        comparisons.push(memory::compare(&mut self.rounds, self.sides, self.cores, keys)?);
        self.rounds.count = 2 * self.plan.rounds;
        if matches!(self.sides[1].source, Source::Program(_)) {
            comparisons.extend(startup::compare(&mut self.rounds, self.sides, self.cores)?);
        } else {
            let notes = [
                "start-up was not measured: a container's start is mostly Docker's",
                "a container has a share of the processor of its own: when the machine is busy, \
                 throughput and latency flatter it, CPU per operation does not",
            ];
            self.notes.extend(notes.map(String::from));
        }
        Ok(comparisons)
    }

    fn default_threads(&mut self) -> Result<Vec<Comparison>> {
        if self.plan.default_threads.is_empty() {
            return Ok(Vec::new());
        }
        let mut suite = Suite::new(THREADS, std::mem::take(&mut self.plan.default_threads));
        for number in 0..self.plan.rounds {
            let servers = self.start(None, None)?;
            suite.round(&mut self.rounds, number, &self.tool, &servers)?;
        }
        Ok(suite.comparisons(self.sides[1].system.name))
    }

    fn settings(&self, context: &Context) -> Vec<String> {
        let rounds = self.plan.rounds;
        vec![
            placement(context, self.cores),
            "threads: one that executes commands on each side (minicache --threads 1)".into(),
            "durability: none on either side (Redis: --save '' --appendonly no)".into(),
            self.tool.describe(),
            format!("rounds: {rounds} of each, ours and theirs in turn; figures are medians"),
            load(),
        ]
    }
}

/// What is said and measured where there is no Redis.
fn alone(context: &Context, ours: &Side, misses: &[String]) -> Result<Pair> {
    println!("\nNo Redis was found, so there is nothing to compare minicache with.");
    println!("To get one: {}\n", REDIS.install);
    if let Some(cores) = context.cores {
        cores.take_client_core();
    }
    let mut server = ours.start(Some(1), context.cores)?;
    eprintln!("{} listens on {} {}", server.name, server.address, whose(&server));
    let count = Plan::new(context.effort).rounds;
    let seconds = 4.0 * count as f64 * embedded::SECONDS_PER_RUN;
    let names = [MINICACHE.name, "in-process"];
    let mut rounds = Rounds { count, names, progress: Progress::new(seconds) };
    let comparison =
        embedded::compare(&mut rounds, &server).map_err(|error| server.explain(error))?;
    Ok(Pair {
        ours: identify(ours, &server)?,
        theirs: None,
        settings: vec![placement(context, context.cores)],
        notes: vec![format!("no Redis: {}. To get one: {}", misses.join("; "), REDIS.install)],
        comparisons: vec![comparison],
    })
}

fn placement(context: &Context, cores: Option<Cores>) -> String {
    match (cores, context.cores) {
        (Some(cores), _) => format!("cores: {cores}"),
        (None, Some(_)) => "cores: nothing pinned, as their server is not ours to place".into(),
        (None, None) => "cores: one only, shared by server and load".into(),
    }
}

/// What else the machine was doing before we began.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let last_minute = text.split(' ').next().unwrap_or("unknown");
    format!(
        "other load when it began: {last_minute} processes on average; the more, the less \
         throughput and latency say, and the more CPU per operation is the figure to go by"
    )
}
