//! Where minibtree wants to be beside PostgreSQL, written down before measuring.
//!
//! A goal names a row of a comparison. If a run does not measure that row, the report prints "not
//! measured" beside the goal.

use super::{indexes, load, transactions};
use crate::model::{Bar, Better, Goal};

/// All goals, in the order of the report.
pub fn goals() -> Vec<Goal> {
    let throughput = |row: &str, ratio| {
        goal(transactions::THROUGHPUT, row, Better::Higher, "transactions/s", ratio)
    };
    vec![
        throughput("select-only prepared c8", 1.5),
        throughput("simple-update prepared c8", 1.5),
        throughput("tpcb-like prepared c8", 3.0),
        throughput("tpcb-like prepared c32", 3.0),
        goal(transactions::LOG, "tpcb-like prepared c8", Better::Lower, "bytes", 1.5),
        goal(load::TITLE, load::COPY, Better::Higher, "rows/s", 1.5),
        goal(load::TITLE, load::PRIMARY_KEY, Better::Higher, "rows/s", 1.5),
        goal(load::TITLE, indexes::CREATE, Better::Higher, "rows/s", 1.5),
        goal(load::TITLE, indexes::CREATE_HASH, Better::Higher, "rows/s", 1.5),
    ]
}

fn goal(comparison: &str, row: &str, better: Better, unit: &str, ratio: f64) -> Goal {
    let (comparison, row, unit) = (comparison.into(), row.into(), unit.into());
    Goal { comparison, row, better, unit, bar: Bar::Ratio(ratio) }
}
