//! Arrivals as a line of text, one column for each tick, and what a limiter makes of them.
//!
//! ```text
//! arrivals  5..2.     five requests in the first tick, two in the fourth
//! admitted  3..2.     a bucket that holds three and gets one token per tick
//! leaving   11111     a queue that lets one request per tick go
//! ```
//!
//! The heads of the algorithms are written in this form, and so are the golden scripts and the
//! figures of POC 60; all three include this file. All requests of a column arrive at the first
//! nanosecond of its tick.

use minigateway::engine::limiter::{Decision, Limiter};

/// What became of the arrivals, drawn like them.
#[derive(Debug, PartialEq, Eq)]
pub struct Figure {
    /// Requests that were admitted, in the column in which they arrived.
    pub admitted: String,
    /// Admitted requests in the column in which their delay is over.
    pub leaving: String,
    /// The moments at which they leave, in order, for `audit.rs`.
    pub departures_ns: Vec<u64>,
}

/// Sends the arrivals of `line` to a key that was never seen. A digit is that many requests of cost
/// 1, any other character none; spaces are left out.
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
        // What leaves after the end of the line is not drawn.
        if let Some(count) = leaving.get_mut(tick) {
            *count += 1;
        }
    }
    Figure { admitted: draw(&admitted), leaving: draw(&leaving), departures_ns }
}

/// A dot for nothing, a digit, and `+` for ten and more.
fn draw(counts: &[u32]) -> String {
    let draw = |count: &u32| match count {
        0 => '.',
        count => char::from_digit(*count, 10).unwrap_or('+'),
    };
    counts.iter().map(draw).collect()
}
