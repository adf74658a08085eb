//! Where minilb wants to be beside NGINX and HAProxy, written down before measuring.

use super::load;
use crate::model::{Bar, Better, Goal};

/// All goals, in the order of the report.
pub fn goals() -> Vec<Goal> {
    let nginx = load::title(load::REQUEST_CPU, "NGINX");
    let nginx_bulk = load::title(load::BULK_CPU, "NGINX");
    let haproxy_bulk = load::title(load::BULK_CPU, "HAProxy");
    vec![
        goal(nginx, load::HTTP, "ns", 0.95),
        goal(nginx_bulk, load::TCP, "s/GB", 0.5),
        goal(haproxy_bulk, load::TCP, "s/GB", 1.1),
    ]
}

fn goal(comparison: String, row: &str, unit: &str, ratio: f64) -> Goal {
    let (row, unit) = (row.into(), unit.into());
    Goal { comparison, row, better: Better::Lower, unit, bar: Bar::Ratio(ratio) }
}
