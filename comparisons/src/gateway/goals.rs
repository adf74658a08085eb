//! Where minigateway wants to be beside NGINX, written down before measuring.

use super::requests::{CASES, ENVOY_CASES, ENVOY_TITLE, TITLE};
use crate::model::{Bar, Better, Goal};

/// All goals, in the order of the report.
pub fn goals() -> Vec<Goal> {
    let goal = |title: &str, row: &str| Goal {
        comparison: title.into(),
        row: row.into(),
        better: Better::Lower,
        unit: "ns".into(),
        bar: Bar::Ratio(1.1),
    };
    let beside_nginx = CASES.iter().map(|case| goal(TITLE, case.name));
    beside_nginx.chain(ENVOY_CASES.iter().map(|case| goal(ENVOY_TITLE, case.name))).collect()
}
