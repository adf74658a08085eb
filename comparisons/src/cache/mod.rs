//! minicache against Redis.
//!
//! | file | question |
//! |---|---|
//! | `commands.rs` | which commands are sent, and what has to be in the server before |
//! | `resp.rs` | how they look on the wire |
//! | `redis_benchmark.rs` | throughput, and CPU of the server per operation |
//! | `latency.rs` | how long somebody waits at a fixed rate |
//! | `memory.rs` | what a key costs |
//! | `startup.rs` | how soon the first answer comes |
//! | `embedded.rs` | what is said where no Redis is to be found |
//!
//! A run starts each server once, on the same core, for everything that measures speed, and afresh
//! for each measurement of memory and of starting:
//!
//! ```text
//! ours   :40001  core 0 ┐  redis-benchmark, open loop on core 1, in turns
//! theirs :40002  core 0 ┘
//! then: stop both; start ours, load, look, stop; start theirs, load, look, stop; …
//! ```

mod commands;
mod embedded;
mod latency;
mod memory;
mod redis_benchmark;
mod resp;
mod startup;

use std::time::Duration;

use crate::cores::Cores;
use crate::model::{Comparison, Identity, Pair};
use crate::progress::Progress;
use crate::provider::{self, Container, Server, Side, Source, System};
use crate::rounds::Rounds;
use crate::{Context, Effort, Result, ours};
use commands::{DEFAULT_LIST, GET, SET};
use redis_benchmark::{Case, Heading, Tool};

const MINICACHE: System = System {
    name: "minicache",
    program: "minicache",
    arguments: |place| {
        let listen = format!("127.0.0.1:{}", place.port);
        let socket = place.socket().display().to_string();
        let mut words =
            ["serve", "--listen", &listen, "--unix", &socket].map(String::from).to_vec();
        words.extend(place.threads.iter().flat_map(|n| ["--threads".into(), n.to_string()]));
        words
    },
    answers: resp::answers_ping,
    container: None,
    install: "cargo build --release -p minicache",
};

const REDIS: System = System {
    name: "Redis",
    program: "redis-server",
    // Redis executes commands on one thread whatever is asked; `io-threads` is left at its default
    // of one, too, as nobody has to set anything to get what is measured.
    arguments: |place| {
        let port = place.port.to_string();
        let socket = place.socket().display().to_string();
        let words = ["--port", &port, "--bind", "127.0.0.1", "--unixsocket", &socket];
        let memory_only = ["--save", "", "--appendonly", "no", "--daemonize", "no"];
        words.iter().chain(&memory_only).map(|word| word.to_string()).collect()
    },
    answers: resp::answers_ping,
    container: Some(Container {
        service: "redis",
        image_variable: "REDIS_IMAGE",
        image: "redis:8",
    }),
    install: "Debian: apt-get install redis-server redis-tools; or a Docker engine; \
              or --redis ADDRESS:PORT of one that holds nothing",
};

/// How much is measured.
struct Plan {
    rounds: usize,
    list: Vec<Case>,
    pipelined: Vec<Case>,
    default_threads: Vec<Case>,
    latency: latency::Plan,
    memory_keys: u64,
}

/// Runs the whole pair. Fails only if something is broken; a missing Redis is a note.
pub fn run(context: &Context) -> Result<Pair> {
    let program = match &context.minicache {
        Some(path) => path.clone(),
        None => ours::build("minicache")?,
    };
    let version = ours::version(&program);
    let ours = Side { system: &MINICACHE, source: Source::Program(program) };
    let (found, misses) = provider::find(&REDIS, context.provider, context.redis.as_deref());
    misses.iter().for_each(|miss| eprintln!("looking for Redis: {miss}"));
    if let Some(cores) = context.cores {
        cores.take_client_core();
    }
    match found {
        Some(source) => {
            against_redis(context, version, [&ours, &Side { system: &REDIS, source }], misses)
        }
        None if context.provider == provider::Choice::Auto => {
            alone(context, version, &ours, misses)
        }
        None => {
            Err(format!("no Redis: {}. To get one: {}", misses.join("; "), REDIS.install).into())
        }
    }
}

fn against_redis(
    context: &Context,
    version: String,
    sides: [&Side; 2],
    mut notes: Vec<String>,
) -> Result<Pair> {
    let mut plan = Plan::new(context.effort);
    let mut servers =
        [sides[0].start(Some(1), context.cores)?, sides[1].start(Some(1), context.cores)?];
    for server in &servers {
        eprintln!("{} listens on {} {}", server.name, server.address, whose(server));
    }
    let identities = [identify(sides[0], &servers[0])?, identify(sides[1], &servers[1])?];
    adopt(sides[1], &mut servers[1])?;
    plan.leave_out_what_cannot_be(&servers, context.cores, &mut notes);
    let tool = Tool::find(&servers[1], context.cores);
    let settings = settings(context, &tool, &plan);
    let mut rounds = Rounds {
        count: plan.rounds,
        names: [MINICACHE.name, REDIS.name],
        progress: Progress::new(plan.seconds(sides[1])),
    };
    let mut comparisons = speed(&mut rounds, &tool, [&servers[0], &servers[1]], &plan)
        .map_err(|error| servers.iter_mut().fold(error, |error, server| server.explain(error)))?;
    tidy(&servers)?;
    drop(servers);
    if sides[1].is_ours_to_start() {
        comparisons.extend(with_fresh_servers(
            &mut rounds,
            &tool,
            sides,
            context,
            &plan,
            &mut notes,
        )?);
    } else {
        notes
            .push("memory and start-up need servers of our own; not measured at an address".into());
    }
    let [mine, theirs] = identities;
    Ok(Pair {
        ours: Identity { version, ..mine },
        theirs: Some(theirs),
        settings,
        notes,
        comparisons,
    })
}

/// Everything that is measured on two servers that keep running, side by side.
fn speed(
    rounds: &mut Rounds,
    tool: &Tool,
    servers: [&Server; 2],
    plan: &Plan,
) -> Result<Vec<Comparison>> {
    let list = Heading {
        id: "list",
        suffix: ", default list",
        detail: "50 connections, one request in flight on each, 3 B values",
        same_load: true,
        command: "redis-benchmark -c 50 -r 100000 -d 3 -n … -t TEST, for each test".into(),
    };
    let pipelined = Heading {
        id: "pipelined",
        suffix: "",
        detail: "P requests in flight on each of c connections, by size of value",
        same_load: false,
        command: "redis-benchmark -t set|get -P 1|16|64 -c 1|50 -d 3|256|4096 -r 100000 -n …"
            .into(),
    };
    let mut comparisons =
        redis_benchmark::compare(rounds, tool, servers, &pipelined, &plan.pipelined)?;
    comparisons.extend(redis_benchmark::compare(rounds, tool, servers, &list, &plan.list)?);
    comparisons.push(latency::compare(rounds, servers, &plan.latency)?);
    Ok(comparisons)
}

/// Everything that needs servers started for it.
fn with_fresh_servers(
    rounds: &mut Rounds,
    tool: &Tool,
    sides: [&Side; 2],
    context: &Context,
    plan: &Plan,
    notes: &mut Vec<String>,
) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    if !plan.default_threads.is_empty() {
        let servers = [sides[0].start(None, None)?, sides[1].start(None, None)?];
        let heading = Heading {
            id: "threads",
            suffix: ", default threads",
            detail: "Each with the threads it starts by default, nothing pinned",
            same_load: false,
            command: "redis-benchmark -t set|get -P 1|16|64 -c 50 -d 3 -r 100000 -n …".into(),
        };
        let both = [&servers[0], &servers[1]];
        comparisons.extend(redis_benchmark::compare(
            rounds,
            tool,
            both,
            &heading,
            &plan.default_threads,
        )?);
    }
    // A megabyte here or there is no noise: what an allocator does repeats.
    let wanted = std::mem::replace(&mut rounds.count, 1);
    comparisons.push(memory::compare(rounds, sides, context.cores, plan.memory_keys)?);
    rounds.count = wanted;
    if matches!(sides[1].source, Source::Program(_)) {
        rounds.count = 2 * wanted;
        comparisons.extend(startup::compare(rounds, sides)?);
        rounds.count = wanted;
    } else {
        notes.push("start-up was not measured: a container's start is mostly Docker's".into());
    }
    Ok(comparisons)
}

/// What is said and measured where there is no Redis.
fn alone(context: &Context, version: String, ours: &Side, mut notes: Vec<String>) -> Result<Pair> {
    println!("\nNo Redis was found, so there is nothing to compare minicache with.");
    println!("To get one: {}\n", REDIS.install);
    let server = ours.start(Some(1), context.cores)?;
    eprintln!("{} listens on {} {}", server.name, server.address, whose(&server));
    let identity = Identity { version, ..identify(ours, &server)? };
    let count = Plan::new(context.effort).rounds;
    let seconds = 4.0 * count as f64 * embedded::SECONDS_PER_RUN;
    let names = [MINICACHE.name, "in-process"];
    let mut rounds = Rounds { count, names, progress: Progress::new(seconds) };
    let comparison = embedded::compare(&mut rounds, &server)?;
    notes.push(format!("no Redis was found. To get one: {}", REDIS.install));
    Ok(Pair {
        ours: identity,
        theirs: None,
        settings: vec![placement(context.cores)],
        notes,
        comparisons: vec![comparison],
    })
}

impl Plan {
    fn new(effort: Effort) -> Plan {
        let (rounds, scale) = match effort {
            Effort::Quick => (3, 0.6),
            Effort::Normal => (5, 1.0),
            Effort::Full => (7, 1.5),
        };
        let case = |test, pipeline, connections, value_bytes| {
            Case::new(test, pipeline, connections, value_bytes, scale)
        };
        let list = DEFAULT_LIST.iter().map(|test| case(test, 1, 50, 3)).collect();
        let both = |loads: &[(u64, usize, usize)]| -> Vec<Case> {
            let each = |&(pipeline, connections, value_bytes): &_| {
                [&SET, &GET].map(|test| case(test, pipeline, connections, value_bytes))
            };
            loads.iter().flat_map(each).collect()
        };
        let mut pipelined = match effort {
            Effort::Quick => both(&[(1, 50, 3), (16, 50, 3), (64, 50, 3)]),
            Effort::Normal => both(&[
                (1, 1, 3),
                (1, 50, 3),
                (16, 50, 3),
                (64, 50, 3),
                (16, 1, 3),
                (16, 50, 256),
                (16, 50, 4096),
            ]),
            Effort::Full => both(&product([1, 16, 64], [1, 50], [3, 256, 4096])),
        };
        let mut default_threads = Vec::new();
        if effort != Effort::Quick {
            let socket = |test| Case { socket: true, ..case(test, 1, 50, 3) };
            pipelined.extend([&SET, &GET].map(socket));
        }
        if effort == Effort::Full {
            default_threads = both(&[(1, 50, 3), (16, 50, 3), (64, 50, 3)]);
        }
        let latency = match effort {
            Effort::Quick => latency::Plan { rates: &[20_000], seconds: 1.5 },
            Effort::Normal => latency::Plan { rates: &[10_000, 40_000], seconds: 2.0 },
            Effort::Full => {
                latency::Plan { rates: &[10_000, 20_000, 40_000, 60_000], seconds: 4.0 }
            }
        };
        let memory_keys = if effort == Effort::Quick { 200_000 } else { 1_000_000 };
        Plan { rounds, list, pipelined, default_threads, latency, memory_keys }
    }

    /// Drops the rows that this machine or these servers cannot give.
    fn leave_out_what_cannot_be(
        &mut self,
        servers: &[Server; 2],
        cores: Option<Cores>,
        notes: &mut Vec<String>,
    ) {
        if cores.is_none() {
            self.default_threads.clear();
            notes.push("one core only: server and load tool share it".into());
        }
        if servers.iter().any(|server| server.socket.as_ref().is_none_or(|path| !path.exists())) {
            self.pipelined.retain(|case| !case.socket);
            notes.push("no Unix socket on both sides; rows over it are left out".into());
        }
        if servers[1].pid.is_none() {
            notes.push("their process is not on this machine; no CPU per operation".into());
        }
    }

    /// Roughly how long all of it takes.
    fn seconds(&self, theirs: &Side) -> f64 {
        let rounds = 2.0 * self.rounds as f64;
        let cases = self.list.len() + self.pipelined.len() + self.default_threads.len();
        let speed = cases as f64 * redis_benchmark::SECONDS_PER_RUN
            + self.latency.rates.len() as f64 * self.latency.seconds;
        let fresh = 2.0 * memory::LOADS as f64 * memory::SECONDS_PER_LOAD
            + 2.0 * rounds * startup::SECONDS_PER_START;
        rounds * speed + if theirs.is_ours_to_start() { fresh } else { 0.0 }
    }
}

fn product(
    pipelines: [u64; 3],
    connections: [usize; 2],
    sizes: [usize; 3],
) -> Vec<(u64, usize, usize)> {
    let mut all = Vec::new();
    for pipeline in pipelines {
        for connections in connections {
            all.extend(sizes.map(|size| (pipeline, connections, size)));
        }
    }
    all
}

/// Asks a server who it is.
fn identify(side: &Side, server: &Server) -> Result<Identity> {
    let info = info(server)?;
    let field = |name: &str| info_field(&info, name).unwrap_or("unknown").to_string();
    let version = match info_field(&info, "valkey_version") {
        Some(valkey) => format!("{valkey} (Valkey)"),
        None => field("redis_version"),
    };
    let started = match &side.source {
        Source::Given(address) => format!("found at {address}, settings as its owner chose them"),
        Source::Docker { image, .. } => {
            format!("Docker image {image}, host network, no persistence")
        }
        Source::Program(path) => format!("{}, no persistence", path.display()),
    };
    Ok(Identity { name: server.name.into(), version, allocator: field("mem_allocator"), started })
}

/// Takes over a server somebody else runs: it must be empty, because it will be filled and flushed.
/// If its process is on this machine its cost can be read.
fn adopt(side: &Side, server: &mut Server) -> Result<()> {
    if side.is_ours_to_start() {
        return Ok(());
    }
    let info = info(server)?;
    if info.lines().any(|line| line.starts_with("db")) {
        let address = server.address;
        return Err(
            format!("{address} holds data and would be flushed: give an empty server").into()
        );
    }
    let pid = info_field(&info, "process_id").and_then(|pid| pid.parse::<u32>().ok());
    server.pid = pid.filter(|pid| server.address.ip().is_loopback() && is_redis(*pid));
    Ok(())
}

/// Whether the process with this number is the server: in a container elsewhere, number 1 is
/// somebody else here.
fn is_redis(pid: u32) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    ["redis", "valkey"].iter().any(|known| name.starts_with(known))
}

fn info(server: &Server) -> Result<String> {
    resp::Client::connect(server.address, Duration::from_secs(10))?.ask(&["INFO"])
}

fn info_field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Leaves nothing of ours in a server that lives on.
fn tidy(servers: &[Server; 2]) -> Result<()> {
    for server in servers {
        resp::Client::connect(server.address, Duration::from_secs(20))?.ask(&["FLUSHALL"])?;
    }
    Ok(())
}

fn whose(server: &Server) -> String {
    match (server.pid, &server.container) {
        (Some(pid), Some(id)) => format!("(pid {pid}, container {id})"),
        (Some(pid), None) => format!("(pid {pid})"),
        (None, _) => "(not a process of this machine)".into(),
    }
}

fn placement(cores: Option<Cores>) -> String {
    match cores {
        Some(cores) => format!("cores: {cores}"),
        None => "cores: one only, shared by server and load".into(),
    }
}

fn settings(context: &Context, tool: &Tool, plan: &Plan) -> Vec<String> {
    vec![
        placement(context.cores),
        "threads: one that executes commands on each side (minicache --threads 1)".into(),
        "durability: none on either side (Redis: --save '' --appendonly no)".into(),
        tool.describe(),
        format!("rounds: {} of each, ours and theirs in turn; figures are medians", plan.rounds),
        load(),
    ]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_info_are_found_by_their_whole_name() {
        let info = "# Server\r\nredis_version:7.0.15\r\nprocess_id:12\r\n";
        assert_eq!(info_field(info, "redis_version"), Some("7.0.15"));
        assert_eq!(info_field(info, "redis_ver"), None);
    }

    #[test]
    fn the_plans_keep_their_promises_of_time() {
        let side = Side { system: &REDIS, source: Source::Program("redis-server".into()) };
        assert!(Plan::new(Effort::Quick).seconds(&side) < 150.0);
        assert!(Plan::new(Effort::Normal).seconds(&side) < 400.0);
    }

    #[test]
    fn a_full_run_measures_the_whole_product() {
        let plan = Plan::new(Effort::Full);
        let over_tcp = plan.pipelined.iter().filter(|case| !case.socket).count();
        assert_eq!(over_tcp, 3 * 2 * 3 * 2);
        assert_eq!(plan.list.len(), DEFAULT_LIST.len());
    }
}
