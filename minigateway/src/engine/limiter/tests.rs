//! Checks the figures of the algorithms; shared by their tests.

use super::Limiter;
use super::gcra::Gcra;
use super::leaky_queue::LeakyQueue;
use std::time::Duration;

#[path = "../../../examples/common/timeline.rs"]
pub mod timeline;

use timeline::play;

pub const TICK_NS: u64 = 100_000_000;

/// Checks the figure at the head of a file: `limiter` must admit `admitted` of `arrivals`, one
/// column per 100 ms.
pub fn assert_figure<L: Limiter>(limiter: &L, arrivals: &str, admitted: &str) {
    assert_eq!(play(limiter, arrivals, TICK_NS).admitted, admitted, "\n{arrivals}");
}

#[test]
fn the_example_of_the_timeline() {
    let tick = Duration::from_nanos(TICK_NS);
    let bucket = Gcra::new(1, tick, 3).expect("no zero");
    assert_figure(&bucket, "5..2.", "3..2.");
    let queue = LeakyQueue::new(1, tick, 4).expect("no zero");
    let figure = play(&queue, "5..2.", TICK_NS);
    assert_eq!((figure.leaving.as_str(), figure.departures_ns.len()), ("11111", 7));
}
