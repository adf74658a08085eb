//! Where minilb wants to be beside NGINX and HAProxy, written down before measuring.

use super::{counts, load};
use crate::model::{Bar, Better, Goal};

/// All goals, in the order of the report.
pub fn goals() -> Vec<Goal> {
    let goal = |(what, theirs, row, unit, bar): (&str, &str, &str, &str, Bar)| Goal {
        comparison: load::title(what, theirs),
        row: row.into(),
        better: Better::Lower,
        unit: unit.into(),
        bar,
    };
    let goals = [
        (load::REQUEST_CPU, "NGINX", load::HTTP, "ns", Bar::Ratio(0.95)),
        (counts::SYSCALLS, "NGINX", load::HTTP, "calls", Bar::Value(4.3)),
        (counts::INSTRUCTIONS, "NGINX", load::HTTP, "instructions", Bar::Value(12_000.0)),
        (load::BULK_CPU, "NGINX", load::TCP, "s/GB", Bar::Ratio(0.5)),
        (load::BULK_CPU, "HAProxy", load::TCP, "s/GB", Bar::Ratio(1.1)),
    ];
    goals.map(goal).into()
}
