//! Plays arrivals, drawn as a line with one column per tick, against a limiter.
//!
//! ```text
//! arrivals  5..2.     five requests in the first tick, two in the fourth
//! admitted  3..2.     a bucket of three that gets one token per tick
//! leaving   11111     a queue that releases one request per tick
//! ```
//!
//! The figures of the algorithms, the golden scripts and POC 60 use this notation and include this
//! file. All requests of a column arrive at the start of its tick.

use minigateway::engine::limiter::{Decision, Limiter};

/// The result, drawn in the same notation.
#[derive(Debug, PartialEq, Eq)]
pub struct Figure {
    /// The admitted requests, in the column of their arrival.
    pub admitted: String,
    /// The admitted requests, in the column in which their delay ends.
    pub leaving: String,
    /// The times at which they leave, in order, for `audit.rs`.
    pub departures_ns: Vec<u64>,
}

/// Sends the arrivals of `line` to a new key. A digit stands for that many requests of cost 1, any
/// other character for none; spaces are skipped.
pub fn play<L: Limiter>(limiter: &L, line: &str, tick_ns: u64) -> Figure {
    let arrivals = line.chars().filter(|it| *it != ' ').map(|it| it.to_digit(10).unwrap_or(0));
    let mut state = limiter.unused();
    let mut admitted = Vec::new();
    let mut departures_ns = Vec::new();
    for (tick, count) in (0..).zip(arrivals) {
        let now_ns = tick * tick_ns;
        let mut passed = 0;
        for _ in 0..count {
            if let Decision::Admitted { delay_ns } = limiter.decide(&mut state, now_ns, 1) {
                passed += 1;
                departures_ns.push(now_ns + delay_ns);
            }
        }
        admitted.push(passed);
    }

    departures_ns.sort_unstable();
    let mut leaving = vec![0; admitted.len()];
    for departure_ns in &departures_ns {
        let tick = usize::try_from(departure_ns / tick_ns).unwrap_or(usize::MAX);
        // Requests that leave after the end of the line are not drawn.
        if let Some(count) = leaving.get_mut(tick) {
            *count += 1;
        }
    }
    Figure { admitted: draw(&admitted), leaving: draw(&leaving), departures_ns }
}

/// Draws a dot for 0, a digit, and `+` for ten or more.
fn draw(counts: &[u32]) -> String {
    let draw = |count: &u32| match count {
        0 => '.',
        count => char::from_digit(*count, 10).unwrap_or('+'),
    };
    counts.iter().map(draw).collect()
}
