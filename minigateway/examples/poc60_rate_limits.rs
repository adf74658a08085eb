//! POC 60: how many requests does a limit of 100 a minute admit?
//!
//! `cargo run --release -p minigateway --example poc60_rate_limits`
//!
//! Plays the arrivals of the figure and the worst cases of the table on the algorithms of the
//! gateway. `--against HOST:PORT` sends the figure's arrivals as HTTP requests (`GET /`) to a
//! server with a limit of five a second, such as minigateway or NGINX.

use minigateway::engine::limiter::fixed_window::FixedWindow;
use minigateway::engine::limiter::gcra::Gcra;
use minigateway::engine::limiter::leaky_meter::LeakyMeter;
use minigateway::engine::limiter::leaky_queue::LeakyQueue;
use minigateway::engine::limiter::sliding_counter::SlidingCounter;
use minigateway::engine::limiter::sliding_log::SlidingLog;
use minigateway::engine::limiter::token_bucket::TokenBucket;
use minigateway::engine::limiter::{Decision, Limiter};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[path = "common/audit.rs"]
mod audit;
#[path = "common/timeline.rs"]
#[allow(dead_code, reason = "the golden scripts need more of it")]
mod timeline;

use audit::{most_in_a_period, within_last_period};
use timeline::play;

const SECOND: Duration = Duration::from_secs(1);
const SECOND_NS: u64 = 1_000_000_000;
const TICK: Duration = Duration::from_millis(100);
/// Five before a window boundary, five after it, and then one every 200 ms.
const ARRIVALS: &str = ".........55...1.1.1.1.1.1.1";

fn main() {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--against", address] => print!("{}", against(address)),
        [] => print!("{}\n{}", figures(), table()),
        _ => eprintln!("usage: poc60_rate_limits [--against HOST:PORT]"),
    }
}

/// Draws five limiters under the same arrivals.
fn figures() -> String {
    let five = Some((5, SECOND));
    let mut text =
        format!("Five a second, a column for each 100 ms\n\narrivals         {ARRIVALS}\n");
    // ANCHOR: limiters
    draw(&mut text, "sliding log", five.and_then(|(n, per)| SlidingLog::new(n, per)));
    draw(&mut text, "fixed window", five.and_then(|(n, per)| FixedWindow::new(n, per)));
    draw(&mut text, "sliding counter", five.and_then(|(n, per)| SlidingCounter::new(n, per)));
    draw(&mut text, "token bucket", five.and_then(|(n, per)| Gcra::new(n, per, 5)));
    draw(&mut text, "leaky queue", five.and_then(|(n, per)| LeakyQueue::new(n, per, 4)));
    // ANCHOR_END: limiters
    text
}

fn draw<L: Limiter>(text: &mut String, name: &str, limiter: Option<L>) {
    let limiter = limiter.expect("five a second has a meaning");
    let figure = play(&limiter, ARRIVALS, TICK.as_nanos() as u64);
    let most = most_in_a_period(&figure.departures_ns, SECOND_NS);
    *text += &format!("{name:<15}  {}  at most {most} in a second\n", figure.leaving);
}

/// Prints the worst cases of a limit of 100 a minute.
fn table() -> String {
    let (limit, minute) = (100, 60 * SECOND);
    let ms = |ms: u64| ms * 1_000_000;
    // A burst at the end of a minute, and as many requests as possible after it.
    let edge = || (0..100).map(|_| ms(59_999)).chain((60_000..119_999).map(ms));
    // A burst, then one request per millisecond.
    let burst = || (0..100).map(|_| 0).chain((0..59_999).map(ms));
    // A burst at the start of a minute, and one request just after the start of the next one.
    let early = || (0..100).map(|_| 0).chain([ms(60_001)]);
    let hasty = || [0, 1].into_iter();

    let mut rows = Rows("Limit 100 a minute".to_owned());
    rows.0 +=
        "\n\n| algorithm | most in a minute | refused although only | state |\n|---|---|---|---|\n";
    // ANCHOR: table
    rows.add("sliding log", SlidingLog::new(limit, minute), edge(), edge(), "800 B");
    rows.add("fixed window", FixedWindow::new(limit, minute), edge(), burst(), "8 B");
    rows.add("sliding counter", SlidingCounter::new(limit, minute), edge(), early(), "8 B");
    let bucket = TokenBucket::new(limit, minute, 100);
    rows.add("token bucket, burst 100", bucket, burst(), burst(), "16 B");
    rows.add(
        "leaky meter, holds 100",
        LeakyMeter::new(limit, minute, 100),
        burst(),
        burst(),
        "16 B",
    );
    rows.add("GCRA, burst 100", Gcra::new(limit, minute, 100), burst(), burst(), "8 B");
    rows.add("GCRA, burst 10", Gcra::new(limit, minute, 10), burst(), burst(), "8 B");
    rows.add("GCRA, burst 1", Gcra::new(limit, minute, 1), burst(), hasty(), "8 B");
    rows.add("leaky queue, 9 wait", LeakyQueue::new(limit, minute, 9), burst(), burst(), "8 B");
    // ANCHOR_END: table
    rows.0
}

struct Rows(String);

impl Rows {
    /// Adds a row: the most requests that leave in a minute under the arrivals `over`, and the
    /// fewest admitted in the last minute when a request of `under` is refused.
    fn add<L: Limiter>(
        &mut self,
        name: &str,
        limiter: Option<L>,
        over: impl Iterator<Item = u64>,
        under: impl Iterator<Item = u64>,
        state: &str,
    ) {
        let limiter = limiter.expect("a hundred a minute has a meaning");
        let (departures, _) = run(&limiter, over);
        let most = most_in_a_period(&departures, 60 * SECOND_NS);
        let fewest = run(&limiter, under).1.map_or("never".to_owned(), |it| format!("{it} passed"));
        self.0 += &format!("| {name} | {most} | {fewest} | {state} |\n");
    }
}

/// Returns the times at which requests leave, and the fewest in the last minute at a refusal.
fn run<L: Limiter>(limiter: &L, arrivals: impl Iterator<Item = u64>) -> (Vec<u64>, Option<usize>) {
    let (mut state, mut admitted, mut departures) = (limiter.unused(), Vec::new(), Vec::new());
    let mut fewest = None;
    for now_ns in arrivals {
        match limiter.decide(&mut state, now_ns, 1) {
            Decision::Admitted { delay_ns } => {
                admitted.push(now_ns);
                departures.push(now_ns + delay_ns);
            }
            Decision::Refused { .. } => {
                let passed = within_last_period(&admitted, 60 * SECOND_NS, now_ns);
                fewest = Some(fewest.map_or(passed, |it: usize| it.min(passed)));
            }
        }
    }
    (departures, fewest)
}

/// Sends the arrivals to a real server in real time. A status below 429 counts as admitted.
fn against(address: &str) -> String {
    let begin = Instant::now();
    let mut passed = String::new();
    for (tick, arrivals) in (0..).zip(ARRIVALS.chars()) {
        std::thread::sleep((TICK * tick).saturating_sub(begin.elapsed()));
        let arrivals = arrivals.to_digit(10).unwrap_or(0);
        let count = (0..arrivals).filter(|_| status(address).is_some_and(|it| it < 429)).count();
        passed += &if count == 0 { ".".to_owned() } else { count.to_string() };
    }
    format!("arrivals         {ARRIVALS}\n{address:<15}  {passed}\n")
}

fn status(address: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    /// The page includes this file; `UPDATE_GOLDEN=1` updates it.
    #[test]
    fn the_output_matches_the_recorded_one() {
        let output = format!("{}\n{}", super::figures(), super::table());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/poc60_rate_limits.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &output).expect("the folder is writable");
        }
        assert_eq!(std::fs::read_to_string(path).expect("recorded"), output);
    }
}
