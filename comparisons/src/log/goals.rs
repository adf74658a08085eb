//! Where minilog wants to be beside Kafka, written down before measuring.
//!
//! A goal names a row of a comparison. If a run does not measure that row, the report prints "not
//! measured" beside the goal.

use super::producer_perf::{CPU, SIZES, THROUGHPUT};
use super::{consumer_perf, latency, restart, saturation, startup};
use crate::model::{Bar, Better, Goal};

/// All goals, in the order of the report.
pub fn goals() -> Vec<Goal> {
    let mut goals = Vec::new();
    for (_, row) in SIZES {
        goals.push(goal(CPU, row, Better::Lower, "ns", 0.25));
    }
    for (_, row) in SIZES {
        goals.push(goal(THROUGHPUT, row, Better::Higher, "records/s", 1.5));
    }
    goals.extend([
        goal(saturation::TITLE, saturation::ROW, Better::Higher, "MB/s", 1.5),
        goal(consumer_perf::CPU, consumer_perf::ROW, Better::Lower, "s/GB", 0.6),
        goal(consumer_perf::FLOOR, consumer_perf::ROW, Better::Lower, "s/GB", 1.5),
        goal(latency::TITLE, latency::ROW, Better::Lower, "ms", 1.0 / 3.0),
        goal(startup::TIME, startup::ROW, Better::Lower, "ms", 0.05),
        goal(startup::MEMORY, startup::ROW, Better::Lower, "MB", 0.1),
        goal(restart::TITLE, restart::ROW, Better::Lower, "s", 0.1),
    ]);
    goals
}

fn goal(comparison: &str, row: &str, better: Better, unit: &str, ratio: f64) -> Goal {
    let (comparison, row, unit) = (comparison.into(), row.into(), unit.into());
    Goal { comparison, row, better, unit, bar: Bar::Ratio(ratio) }
}
