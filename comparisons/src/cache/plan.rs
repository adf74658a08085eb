//! How much is measured: which rows, how many rounds, how many seconds.
//!
//! ```text
//!            rounds   SET and GET under                       open loop        keys for memory
//! --quick         3   P1, P16, P64                            20k/s              200,000
//! (neither)       5   and one connection, 256 B, 4 KiB, unix  10k, 40k/s       1,000,000
//! --full          7   every combination                       10k … 60k/s      1,000,000
//! ```
//!
//! The last two also measure default threads, the append-only file, misses under a second limit of
//! memory, and the memory of connections.

use super::commands::{DEFAULT_LIST, GET, SET};
use super::redis_benchmark::{self, Case, Tool};
use super::{latency, memcached, memory, miss_ratio, startup};
use crate::Effort;
use crate::cores::Cores;
use crate::provider::{Server, Side};

/// How much is measured.
pub struct Plan {
    /// Rounds of each side.
    pub rounds: usize,
    /// redis-benchmark's default list.
    pub list: Vec<Case>,
    /// SET and GET under different loads.
    pub pipelined: Vec<Case>,
    /// The same with each side's default number of threads, and beside others.
    pub default_threads: Vec<Case>,
    /// SET with an append-only file.
    pub logged: Vec<Case>,
    /// Rounds of the last two.
    pub rounds_of_variants: usize,
    /// Traces under a limit of memory.
    pub misses: miss_ratio::Plan,
    /// Rates of the open loop.
    pub latency: latency::Plan,
    /// Keys to load for the memory per key.
    pub memory_keys: u64,
    /// Also the memory of connections, which takes a while to be given back.
    pub connections: bool,
}

impl Plan {
    /// The plan for an effort.
    pub fn new(effort: Effort) -> Plan {
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
        let mut logged = Vec::new();
        if effort != Effort::Quick {
            default_threads = both(&[(1, 50, 3), (64, 50, 3)]);
            logged = [1, 16].map(|pipeline| case(&SET, pipeline, 50, 3)).into();
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
        let misses = match effort {
            Effort::Quick => miss_ratio::Plan { requests: 200_000, limits: &["2mb"] },
            Effort::Normal => miss_ratio::Plan { requests: 500_000, limits: &["2mb", "4mb"] },
            Effort::Full => miss_ratio::Plan { requests: 2_000_000, limits: &["2mb", "4mb"] },
        };
        let rounds_of_variants = if effort == Effort::Full { rounds } else { 3 };
        let memory_keys = if effort == Effort::Quick { 200_000 } else { 1_000_000 };
        Plan {
            rounds,
            list,
            pipelined,
            default_threads,
            logged,
            rounds_of_variants,
            misses,
            latency,
            memory_keys,
            connections: effort != Effort::Quick,
        }
    }

    /// Removes the rows that cannot be measured on this machine or with these servers.
    pub fn leave_out_what_cannot_be(
        &mut self,
        servers: &[Server; 2],
        cores: Option<Cores>,
        notes: &mut Vec<String>,
    ) {
        if cores.is_none() {
            self.default_threads.clear();
        }
        let wanted = self.pipelined.iter().any(|case| case.socket);
        let missing = |server: &Server| server.socket.as_ref().is_none_or(|path| !path.exists());
        if wanted && servers.iter().any(missing) {
            self.pipelined.retain(|case| !case.socket);
            notes.push("no Unix socket on both sides; rows over it are left out".into());
        }
        if servers[1].pid.is_none() {
            notes.push("their process is not on this machine; no CPU per operation".into());
        }
    }

    /// Removes the row that only redis-benchmark can measure: our generator sends no inline
    /// commands.
    pub fn leave_out_what_cannot_be_sent(&mut self, tool: &Tool) {
        if matches!(tool, Tool::Generator) {
            self.list.retain(|case| case.test.flag != Some("ping_inline"));
        }
    }

    /// The planned seconds of all rounds.
    pub fn seconds(&self, theirs: &Side) -> f64 {
        let rounds = 2.0 * self.rounds as f64;
        let cases = self.list.len() + self.pipelined.len();
        let variants = 3 * (self.default_threads.len() + self.logged.len());
        let variants = (2 * self.rounds_of_variants * variants) as f64;
        let speed = cases as f64 * redis_benchmark::SECONDS_PER_RUN
            + self.latency.rates.len() as f64 * self.latency.seconds;
        let connections =
            if self.connections { 2.0 * memory::SECONDS_PER_CONNECTIONS } else { 0.0 };
        let fresh = 2.0 * memory::LOADS as f64 * memory::SECONDS_PER_LOAD
            + connections
            + 2.0 * rounds * startup::SECONDS_PER_START
            + variants * redis_benchmark::SECONDS_PER_RUN
            + 4.0 * self.rounds_of_variants as f64 * memcached::SECONDS_PER_RUN
            + self.misses.seconds();
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

#[cfg(test)]
mod tests {
    use super::super::systems::REDIS;
    use super::*;
    use crate::provider::Source;

    #[test]
    fn the_plans_keep_their_promises_of_time() {
        let side = Side { system: &REDIS, source: Source::Program("redis-server".into()) };
        assert!(Plan::new(Effort::Quick).seconds(&side) < 150.0);
        assert!(Plan::new(Effort::Normal).seconds(&side) < 450.0);
    }

    #[test]
    fn a_full_run_measures_the_whole_product() {
        let plan = Plan::new(Effort::Full);
        let over_tcp = plan.pipelined.iter().filter(|case| !case.socket).count();
        assert_eq!(over_tcp, 3 * 2 * 3 * 2);
        assert_eq!(plan.list.len(), DEFAULT_LIST.len());
    }
}
