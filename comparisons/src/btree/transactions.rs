//! pgbench's built-in scripts against both: transactions a second, processor time and bytes of log
//! for each.
//!
//! | script | statements of a transaction |
//! |---|---|
//! | `select-only` (`-S`) | one SELECT by primary key |
//! | `simple-update` (`-N`) | an UPDATE, a SELECT and an INSERT in a block |
//! | `tpcb-like` | the same and two UPDATEs of rows that all clients want |
//!
//! ```text
//! pgbench -b tpcb-like -M prepared -c 8 -T 1
//!   number of transactions actually processed: 2698
//!   tps = 2678.008665 (without initial connection time)
//! select count(*) from pgbench_history            2698: nothing was lost
//! ```
//!
//! With eight clients on one row, a commit that holds its locks until the disk answers lets one
//! transaction through for each sync. That is what `tpcb-like` at scale 1 shows.

use super::cost;
use super::load::SCALE;
use super::systems::Tools;
use crate::model::{self, Better, Comparison};
use crate::provider::Server;
use crate::rounds::{self, Rounds};
use crate::{Effort, Result};

/// The title of the comparison of throughput.
pub const THROUGHPUT: &str = "Transactions a second";
/// The title of the comparison of processor time.
pub const CPU: &str = "Server CPU per transaction";
/// The title of the comparison of log.
pub const LOG: &str = "Log per transaction";

/// A script of pgbench.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Script {
    name: &'static str,
    /// In units of 100,000 accounts. The hot rows of `tpcb-like` are as many as the scale.
    scale: u64,
    writes: bool,
}

const SELECT: Script = Script { name: "select-only", scale: SCALE, writes: false };
const UPDATE: Script = Script { name: "simple-update", scale: SCALE, writes: true };
const TPC_B: Script = Script { name: "tpcb-like", scale: 1, writes: true };

/// One row: a script with a protocol and a number of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    script: Script,
    protocol: &'static str,
    clients: u64,
    seconds: u64,
}

impl Case {
    /// What is measured with this effort, cases of the large scale first.
    pub fn all(effort: Effort) -> Vec<Case> {
        let case = |script, protocol, clients| Case { script, protocol, clients, seconds: 1 };
        let quick = [SELECT, UPDATE, TPC_B].map(|script| case(script, "prepared", 8));
        match effort {
            Effort::Quick => quick.into(),
            Effort::Normal => vec![
                case(SELECT, "prepared", 1),
                case(SELECT, "simple", 8),
                quick[0],
                quick[1],
                case(TPC_B, "prepared", 1),
                case(TPC_B, "simple", 8),
                quick[2],
            ],
            Effort::Full => {
                let mut cases = Vec::new();
                for script in [SELECT, UPDATE, TPC_B] {
                    for protocol in ["simple", "prepared"] {
                        let clients = [1, 8, 32].into_iter();
                        cases.extend(clients.map(|it| case(script, protocol, it)));
                    }
                }
                cases.into_iter().map(|case| Case { seconds: 3, ..case }).collect()
            }
        }
    }

    /// The row.
    fn name(&self) -> String {
        format!("{} {} c{}", self.script.name, self.protocol, self.clients)
    }

    /// The arguments of pgbench, without the address.
    fn arguments(&self) -> String {
        let Case { script, protocol, clients, seconds } = self;
        format!("-b {} -M {protocol} -c {clients} -T {seconds}", script.name)
    }

    /// The scale its tables must have.
    pub fn scale(&self) -> u64 {
        self.script.scale
    }

    /// The planned seconds of one run.
    pub fn seconds(&self) -> f64 {
        self.seconds as f64 + 0.5
    }
}

/// The result of one run.
struct Sample {
    per_second: f64,
    cpu_us: Option<f64>,
    log_bytes: Option<f64>,
}

/// Measures every case on both servers, in turns, after one run of each that is not counted: it
/// brings the pages into memory and their images into the log.
pub fn compare(
    rounds: &mut Rounds,
    tools: &Tools,
    cases: &[Case],
    servers: &[Server; 2],
) -> Result<Vec<Comparison>> {
    let theirs = servers[1].name;
    let mut throughput = heading(theirs, "tps", THROUGHPUT, "transactions/s", Better::Higher);
    let mut cpu = heading(theirs, "transaction-cpu", CPU, "us", Better::Lower);
    let mut log = heading(theirs, "transaction-log", LOG, "bytes", Better::Lower);
    for case in cases {
        let mut samples = [Vec::new(), Vec::new()];
        for number in 0..=rounds.count {
            let round = number.saturating_sub(1);
            let turn = rounds.turn(round, &case.name(), case.seconds(), |side| {
                sample(tools, &servers[side], case)
            })?;
            if number > 0 {
                rounds::push(&mut samples, turn);
            }
        }

        let row = |figure: fn(&Sample) -> Option<f64>| {
            let all = |samples: &[Sample]| samples.iter().map(figure).collect::<Option<Vec<f64>>>();
            let [ours, theirs] = samples.each_ref().map(|samples| all(samples));
            let (name, command) = (case.name(), format!("pgbench {}", case.arguments()));
            Some(model::Row { name, ours: ours?, theirs: theirs?, command, bar: None })
        };
        throughput.rows.extend(row(|sample| Some(sample.per_second)));
        cpu.rows.extend(row(|sample| sample.cpu_us));
        if case.script.writes {
            log.rows.extend(row(|sample| sample.log_bytes));
        }
    }
    Ok([throughput, cpu, log].into_iter().filter(|it| !it.rows.is_empty()).collect())
}

fn sample(tools: &Tools, server: &Server, case: &Case) -> Result<Sample> {
    let log_before = cost::log_end(server, tools);
    let cpu_before = cost::cpu_time(server);
    let output = tools.pgbench(server, &case.arguments())?;
    let cpu_after = cost::cpu_time(server);
    let log_after = cost::log_end(server, tools);

    let unreadable = || format!("no result in {output}");
    let (transactions, per_second) = result_of(&output).ok_or_else(unreadable)?;
    if case.script.writes {
        check_answers(tools, server, transactions)?;
    }
    let cpu = cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    let log = log_after.zip(log_before).map(|(after, before)| after - before);
    Ok(Sample {
        per_second,
        cpu_us: cpu.map(|it| it.as_secs_f64() * 1e6 / transactions as f64),
        log_bytes: log.map(|it| it as f64 / transactions as f64),
    })
}

/// The history, emptied before each run, has a row for each transaction; tellers and branches got
/// the same sums.
fn check_answers(tools: &Tools, server: &Server, transactions: u64) -> Result<()> {
    let history = tools.sql(server, "select count(*) from pgbench_history")?;
    let tellers = tools.sql(server, "select sum(tbalance) from pgbench_tellers")?;
    let branches = tools.sql(server, "select sum(bbalance) from pgbench_branches")?;
    if history != transactions.to_string() {
        return Err(format!("{history} rows of {transactions} transactions").into());
    }
    if tellers != branches {
        return Err(format!("tellers have {tellers}, branches {branches}").into());
    }
    Ok(())
}

/// Transactions, and transactions a second.
pub(super) fn result_of(output: &str) -> Option<(u64, f64)> {
    let after = |prefix| output.lines().find_map(|line| line.strip_prefix(prefix));
    let transactions = after("number of transactions actually processed: ")?;
    let per_second = after("tps = ")?.split(' ').next()?;
    Some((transactions.parse().ok()?, per_second.parse().ok()?))
}

fn heading(theirs: &str, id: &str, title: &str, unit: &str, better: Better) -> Comparison {
    Comparison {
        id: id.into(),
        title: title.into(),
        detail: format!("scale {SCALE}, tpcb-like scale {}", TPC_B.scale),
        meaning: "Transactions a second without the time to connect, as pgbench counts; processor \
                  time of all processes of the server, kernel included, divided by transactions; \
                  and how far the end of the log moved. pgbench takes a core of its own and is \
                  often the limit of select-only."
            .into(),
        command: "pgbench, and for each row:".into(),
        against: theirs.into(),
        unit: unit.into(),
        better,
        rows: Vec::new(),
        curves: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::goals::goals;
    use super::*;

    #[test]
    fn the_result_is_found_among_what_pgbench_prints() {
        let output = "number of transactions actually processed: 2698\n\
            latency average = 2.987 ms\n\
            tps = 2678.008665 (without initial connection time)\n";
        assert_eq!(result_of(output), Some((2698, 2678.008665)));
        assert_eq!(result_of("starting vacuum...end."), None);
    }

    /// A goal whose row no run measures would always be "not measured".
    #[test]
    fn a_full_run_measures_the_row_of_every_goal() {
        let names: Vec<String> = Case::all(Effort::Full).iter().map(Case::name).collect();
        for goal in goals().iter().filter(|it| it.comparison == THROUGHPUT) {
            assert!(names.contains(&goal.row), "{goal:?}");
        }
    }

    #[test]
    fn the_large_scale_comes_first() {
        for effort in [Effort::Quick, Effort::Normal, Effort::Full] {
            assert!(Case::all(effort).is_sorted_by_key(|case| u64::MAX - case.scale()));
        }
    }
}
