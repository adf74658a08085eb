//! Where minicache wants to be beside Redis, written down before measuring.
//!
//! A goal names a row of a comparison. If a run does not measure that row (`--quick` leaves some
//! out, a given address cannot be restarted), the report prints "not measured" beside the goal.
//!
//! ```text
//! Server CPU per operation   SET P16 c50 3 B   at most 0.55x    reached: 0.55x
//! Miss ratio at equal memory OLTP, 2mb, lru    at most 1.00x    not measured
//! ```

use super::commands::{DEFAULT_LIST, GET, SET, Test};
use super::redis_benchmark::Case;
use crate::model::{Bar, Better, Goal};

/// All goals, in the order of the report.
pub fn goals() -> Vec<Goal> {
    [cpu_goals(), throughput_goals(), memory_goals(), concept_goals()].concat()
}

/// Nothing costs more than in Redis. Where pipelining takes most of the kernel's share away, about
/// half.
fn cpu_goals() -> Vec<Goal> {
    let title = "Server CPU per operation";
    let goal = |suffix: &str, row: String, wanted| {
        let comparison = format!("{title}{suffix}");
        Goal { comparison, row, better: Better::Lower, unit: "ns".into(), bar: Bar::Ratio(wanted) }
    };
    let mut goals = Vec::new();
    for (test, pipeline, wanted) in [
        (&SET, 1, 1.0),
        (&GET, 1, 1.0),
        (&SET, 16, 0.55),
        (&GET, 16, 0.65),
        (&SET, 64, 0.5),
        (&GET, 64, 0.6),
    ] {
        goals.push(goal("", row(test, pipeline), wanted));
    }
    for test in [&SET, &GET] {
        let case = Case { socket: true, ..Case::new(test, 1, 50, 3, 1.0) };
        goals.push(goal("", case.name(), 1.0));
    }
    goals.extend(DEFAULT_LIST.iter().map(|test| goal(", default list", test.name.into(), 1.0)));
    for pipeline in [1, 16, 64] {
        let rows = [&SET, &GET].map(|test| row(test, pipeline));
        for suffix in [", default threads", ", default threads beside io-threads 2"] {
            goals.extend(rows.clone().map(|row| goal(suffix, row, 1.0)));
        }
    }
    goals
}

fn throughput_goals() -> Vec<Goal> {
    let goal = |title: &str, test| Goal {
        comparison: title.into(),
        row: row(test, 16),
        better: Better::Higher,
        unit: "requests/s".into(),
        bar: Bar::Ratio(1.5),
    };
    ["Throughput", "Throughput, default threads"]
        .iter()
        .flat_map(|title| [goal(title, &SET), goal(title, &GET)])
        .collect()
}

/// Bytes for a key of ten bytes, and for a connection.
fn memory_goals() -> Vec<Goal> {
    let goal = |(row, bytes): (&str, f64)| Goal {
        comparison: "Memory per key".into(),
        row: row.into(),
        better: Better::Lower,
        unit: "bytes".into(),
        bar: Bar::Value(bytes),
    };
    let mut goals = [("3 B value", 72.0), ("1024 B value", 1100.0), ("extra for a TTL", 8.0)]
        .map(goal)
        .to_vec();
    goals.push(Goal { bar: Bar::Ratio(1.0), ..goal(("hash of 8 fields", 0.0)) });
    for row in ["after its first command", "idle for 20 s"] {
        let comparison = "Memory per connection".into();
        goals.push(Goal { comparison, bar: Bar::Ratio(1.0), ..goal((row, 0.0)) });
    }
    goals
}

/// The concept's own figure: how many reads miss when both may use the same memory. Never more than
/// under Redis's policy of the same name, nor under the better of its two.
fn concept_goals() -> Vec<Goal> {
    let goal = |row: String| Goal {
        comparison: "Miss ratio at equal memory".into(),
        row,
        better: Better::Lower,
        unit: "%".into(),
        bar: Bar::Ratio(1.0),
    };
    let mut goals = Vec::new();
    for trace in ["Zipf", "OLTP"] {
        for limit in ["2mb", "4mb"] {
            goals.extend(["lru", "lfu"].map(|policy| goal(format!("{trace}, {limit}, {policy}"))));
            goals.push(goal(format!("{trace} trace, {limit}, best of each")));
        }
    }
    goals
}

/// The row of a test with 50 connections and values of three bytes.
fn row(test: &'static Test, pipeline: u64) -> String {
    Case::new(test, pipeline, 50, 3, 1.0).name()
}

#[cfg(test)]
mod tests {
    use super::super::plan::Plan;
    use super::*;
    use crate::Effort;

    /// A goal whose row no run measures would always be "not measured".
    #[test]
    fn a_full_run_measures_every_row_that_redis_benchmark_can() {
        let plan = Plan::new(Effort::Full);
        let cases = plan.pipelined.iter().chain(&plan.default_threads).map(Case::name);
        let names = cases.chain(plan.list.iter().map(|case| case.test.name.into()));
        let names = names.collect::<Vec<String>>();
        for goal in cpu_goals().into_iter().chain(throughput_goals()) {
            assert!(names.contains(&goal.row), "{goal:?}");
        }
    }
}
