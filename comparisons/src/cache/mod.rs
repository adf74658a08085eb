//! minicache against Redis.
//!
//! | file | question |
//! |---|---|
//! | `systems.rs` | how the two are started and identified |
//! | `goals.rs` | where we want to be |
//! | `plan.rs` | how much is measured, how long it takes |
//! | `commands.rs` | which commands are sent, and what the server must hold before |
//! | `resp.rs` | their form on the wire |
//! | `redis_benchmark.rs` | throughput, and server CPU per operation |
//! | `latency.rs` | latency at a fixed rate |
//! | `memcached.rs` | what GET and SET cost beside memcached |
//! | `memory.rs` | what a key and a connection cost |
//! | `miss_ratio.rs` | how many reads miss in the same memory |
//! | `startup.rs` | how soon the first answer comes |
//! | `embedded.rs` | minicache beside embedded caches, if no Redis is found |
//!
//! A round starts each server once, on the same core, for everything that measures speed. Memory
//! and start-up come after all rounds and start a server for every figure:
//!
//! ```text
//! round 1   ours   :40001  core 0 ┐  redis-benchmark and open loop on core 1, in turns
//!           theirs :40002  core 0 ┘
//! round 2   the same with new processes, …
//! then      start ours, load, measure, stop; start theirs, load, measure, stop; …
//! ```

mod commands;
mod embedded;
mod goals;
mod latency;
mod memcached;
mod memory;
mod miss_ratio;
mod plan;
mod redis_benchmark;
mod resp;
mod startup;
mod systems;

use crate::conditions::{other_load, placement};
use crate::cores::Cores;
use crate::model::{Comparison, Pair};
use crate::progress::Progress;
use crate::provider::{self, Server, Side, Source};
use crate::rounds::Rounds;
use crate::{Context, Result, ours};
use latency::Latency;
use plan::Plan;
use redis_benchmark::{Case, Heading, Suite, Tool};
use resp::Client;
use std::time::Duration;
pub use systems::{MINICACHE, REDIS};
use systems::{MINICACHE_LOGGED, REDIS_LOGGED, REDIS_THREADED, adopt, identify, tidy};

/// The command of a round; the rows have the numbers.
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

/// A heading of the rows that are measured in several variants of the servers.
const fn variant(id: &'static str, suffix: &'static str, detail: &'static str) -> Heading {
    Heading { id, suffix, detail, same_load: false, command: ROUND }
}

const THREADS: Heading =
    variant("threads", ", default threads", "Each with its default number of threads, not pinned");

const IO_THREADS: Heading = variant(
    "io-threads",
    ", default threads beside io-threads 2",
    "minicache with its default number of threads, Redis with another that polls sockets",
);

const TWO_THREADS: Heading = variant(
    "two-threads",
    ", two threads beside one",
    "minicache with --threads 2 and with its default of one thread, not pinned",
);

/// The values of `appendfsync`, and their headings.
const LOGGED: [(&str, Heading); 3] = [
    ("everysec", variant("everysec", ", appendfsync everysec", LOGGED_DETAIL)),
    ("always", variant("always", ", appendfsync always", LOGGED_DETAIL)),
    ("no", variant("no", ", appendfsync no", LOGGED_DETAIL)),
];

const LOGGED_DETAIL: &str = "An append-only file on both sides, which is not rewritten meanwhile";

/// Runs the whole pair.
///
/// # Errors
/// If something is broken. A missing Redis is a note, unless it was asked for by name.
pub fn run(context: &Context) -> Result<Pair> {
    let address = context.address(&REDIS);
    let (found, misses) = provider::find(&REDIS, context.provider_of(&REDIS), address)?;
    let program = match context.program(&MINICACHE) {
        Some(path) => path.to_path_buf(),
        None => ours::build("minicache")?,
    };
    let ours = Side { system: &MINICACHE, source: Source::Program(program) };
    match found {
        Some(source) => against_redis(context, [&ours, &Side { system: &REDIS, source }]),
        None => alone(context, &ours, &misses),
    }
}

/// Two systems that can be started, and how they are measured.
struct Contest<'a> {
    sides: [&'a Side; 2],
    cores: Option<Cores>,
    plan: Plan,
    tool: Tool,
    rounds: Rounds,
    notes: Vec<String>,
}

fn against_redis(context: &Context, sides: [&Side; 2]) -> Result<Pair> {
    // We cannot pin a server that is not ours. Then ours is not pinned either.
    let cores = context.cores.filter(|_| sides[1].is_ours_to_start());
    if let Some(cores) = cores {
        cores.take_client_core();
    }
    let mut servers = [sides[0].start(Some(1), cores)?, sides[1].start(Some(1), cores)?];
    let [ours, theirs] = [identify(sides[0], &servers[0])?, identify(sides[1], &servers[1])?];
    adopt(sides[1], &mut servers[1])?;
    for server in &servers {
        eprintln!("{} listens on {} {}", server.name, server.address, server.describe());
    }
    let mut contest = Contest::new(context, sides, cores, &servers);
    let settings = contest.settings(context);
    let mut comparisons = contest.speed(servers)?;
    comparisons.extend(contest.with_fresh_servers()?);
    let (theirs, notes, goals) = (Some(theirs), contest.notes, goals::goals());
    Ok(Pair { ours, theirs, settings, notes, comparisons, goals })
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
        plan.rounds = context.rounds_or(plan.rounds);
        plan.rounds_of_variants = context.rounds_or(plan.rounds_of_variants);
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

    /// Measures everything that needs two servers side by side. `servers` are those of the first
    /// round.
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

    /// Starts both. If the load tool runs in their container, that is a new container now.
    fn start(&mut self, threads: Option<usize>, cores: Option<Cores>) -> Result<[Server; 2]> {
        let [ours, theirs] = self.sides;
        let servers = [ours.start(threads, cores)?, theirs.start(threads, cores)?];
        self.tool = Tool::find(&servers[1], self.cores);
        Ok(servers)
    }

    /// Measures everything that needs fresh servers.
    fn with_fresh_servers(&mut self) -> Result<Vec<Comparison>> {
        if !self.sides[1].is_ours_to_start() {
            self.notes.push("memory and start-up need servers that we can start".into());
            return Ok(Vec::new());
        }
        let mut comparisons = self.default_threads()?;
        comparisons.extend(self.logged()?);
        comparisons.extend(self.beside_memcached()?);
        comparisons.extend(self.misses()?);
        // One round is enough: an allocator does the same every time.
        self.rounds.count = 1;
        let keys = self.plan.memory_keys;
        comparisons.push(memory::compare(&mut self.rounds, self.sides, self.cores, keys)?);
        if self.plan.connections {
            comparisons.push(memory::connections(&mut self.rounds, self.sides, self.cores)?);
        }
        self.rounds.count = 2 * self.plan.rounds;
        if matches!(self.sides[1].source, Source::Program(_)) {
            comparisons.extend(startup::compare(&mut self.rounds, self.sides, self.cores)?);
        } else {
            let notes = [
                "start-up was not measured: most of a container's start is Docker's",
                "a container has its own share of the processor: on a busy machine throughput \
                 and latency flatter it, CPU per operation does not",
            ];
            self.notes.extend(notes.map(String::from));
        }
        Ok(comparisons)
    }

    /// Ours with its default number of threads beside theirs, and with two beside one.
    fn default_threads(&mut self) -> Result<Vec<Comparison>> {
        let cases = std::mem::take(&mut self.plan.default_threads);
        if cases.is_empty() {
            return Ok(Vec::new());
        }
        let [ours, theirs] = self.sides;
        let sides = [(ours, None), (theirs, None)];
        let mut comparisons = self.variant(THREADS, &cases, sides, theirs.system.name, &[])?;
        if matches!(theirs.source, Source::Program(_)) {
            let threaded = Side { system: &REDIS_THREADED, source: theirs.source.clone() };
            let sides = [(ours, None), (&threaded, None)];
            comparisons.extend(self.variant(IO_THREADS, &cases, sides, "io-threads 2", &[])?);
        }
        let sides = [(ours, Some(2)), (ours, None)];
        comparisons.extend(self.variant(TWO_THREADS, &cases, sides, "one thread", &[])?);
        Ok(comparisons)
    }

    /// Both with an append-only file. A container has no settings of ours.
    fn logged(&mut self) -> Result<Vec<Comparison>> {
        let cases = std::mem::take(&mut self.plan.logged);
        let [ours, theirs] = self.sides.map(|side| side.source.clone());
        if cases.is_empty() || !matches!(theirs, Source::Program(_)) {
            return Ok(Vec::new());
        }
        let ours = Side { system: &MINICACHE_LOGGED, source: ours };
        let theirs = Side { system: &REDIS_LOGGED, source: theirs };
        let name = theirs.system.name;
        let mut comparisons = Vec::new();
        for (policy, heading) in LOGGED {
            let settings = ["appendfsync", policy, "auto-aof-rewrite-percentage", "0"];
            let sides = [(&ours, Some(1)), (&theirs, Some(1))];
            comparisons.extend(self.variant(heading, &cases, sides, name, &settings)?);
        }
        Ok(comparisons)
    }

    /// Rounds of other servers than those of the pair, each with a number of threads and with
    /// `settings` for CONFIG SET. They are pinned if all have one thread.
    fn variant(
        &mut self,
        heading: Heading,
        cases: &[Case],
        sides: [(&Side, Option<usize>); 2],
        against: &str,
        settings: &[&str],
    ) -> Result<Vec<Comparison>> {
        let cores = self.cores.filter(|_| sides.iter().all(|(_, threads)| threads.is_some()));
        let mut suite = Suite::new(heading, cases.to_vec());
        self.rounds.count = self.plan.rounds_of_variants;
        for number in 0..self.rounds.count {
            let [ours, theirs] = sides;
            let servers = [ours.0.start(ours.1, cores)?, theirs.0.start(theirs.1, cores)?];
            for server in servers.iter().filter(|_| !settings.is_empty()) {
                let mut client = Client::connect(server.address, Duration::from_secs(20))?;
                client.ask(&[&["CONFIG", "SET"], settings].concat())?;
            }
            suite.round(&mut self.rounds, number, &self.tool, &servers)?;
        }
        Ok(suite.comparisons(against))
    }

    fn beside_memcached(&mut self) -> Result<Option<Comparison>> {
        self.rounds.count = self.plan.rounds_of_variants;
        self.rounds.names[1] = memcached::MEMCACHED.name;
        let Contest { rounds, sides, cores, notes, .. } = self;
        let compared = memcached::compare(rounds, sides[0], *cores, notes);
        self.rounds.names[1] = REDIS.name;
        compared
    }

    /// Reads that miss in the same memory.
    fn misses(&mut self) -> Result<Vec<Comparison>> {
        let servers = self.start(Some(1), self.cores)?;
        self.plan.misses.compare(&mut self.rounds, &servers, &mut self.notes)
    }

    fn settings(&self, context: &Context) -> Vec<String> {
        let rounds = self.plan.rounds;
        vec![
            placement(self.cores, context.cores),
            "threads: one that executes commands on each side (minicache --threads 1)".into(),
            "durability: none on either side (Redis: --save '' --appendonly no)".into(),
            self.tool.describe(),
            format!("rounds: {rounds} of each, ours and theirs in turn; figures are medians"),
            other_load(),
        ]
    }
}

/// What is printed and measured if there is no Redis.
fn alone(context: &Context, ours: &Side, misses: &[String]) -> Result<Pair> {
    println!("\nNo Redis was found, so there is nothing to compare minicache with.");
    println!("To get one: {}\n", REDIS.install);
    if let Some(cores) = context.cores {
        cores.take_client_core();
    }
    let mut server = ours.start(Some(1), context.cores)?;
    eprintln!("{} listens on {} {}", server.name, server.address, server.describe());
    let count = context.rounds_or(Plan::new(context.effort).rounds);
    let seconds = 4.0 * count as f64 * embedded::SECONDS_PER_RUN;
    let names = [MINICACHE.name, "in-process"];
    let mut rounds = Rounds { count, names, progress: Progress::new(seconds) };
    let comparison =
        embedded::compare(&mut rounds, &server).map_err(|error| server.explain(error))?;
    Ok(Pair {
        ours: identify(ours, &server)?,
        theirs: None,
        settings: vec![placement(context.cores, context.cores)],
        notes: vec![format!("no Redis: {}. To get one: {}", misses.join("; "), REDIS.install)],
        comparisons: vec![comparison],
        goals: goals::goals(),
    })
}
