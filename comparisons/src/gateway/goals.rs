//! Where minigateway wants to be beside NGINX, written down before measuring.

use super::requests::{CASES, TITLE};
use crate::model::{Bar, Better, Goal};

/// All goals, in the order of the report.
pub fn goals() -> Vec<Goal> {
    let goal = |row: &str| Goal {
        comparison: TITLE.into(),
        row: row.into(),
        better: Better::Lower,
        unit: "ns".into(),
        bar: Bar::Ratio(1.1),
    };
    let rows = CASES.iter().map(|case| case.name).chain(["token bucket on, beside Envoy's"]);
    rows.map(goal).collect()
}
