//! How often a limit decides otherwise than the exact sliding log would.
//!
//! The log is what "100 a second" means if it is taken at its word: a request is admitted if fewer
//! than 100 were in the second before it. Every cheaper limit decides otherwise now and then:
//!
//! ```text
//! moment    0 ms ... 990 ms     100 admitted
//! 1000 ms   the log             the first of them is a second old: 1 admitted
//!           a bucket of 100     full again after a quiet second: up to 199 in one second
//! ```
//!
//! The arrivals are bursts and pauses, twice the limit, the same in each run. A busy machine sends
//! some of them late, so what counts are the moments at which they were sent, which are recorded:
//! the log decides about those.

use super::systems::ACCURACY_RATE;
use crate::Result;
use crate::model::{Better, Comparison, Row};
use crate::provider::Server;
use crate::rounds::{self, Rounds};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The title of the comparison.
pub const TITLE: &str = "Admission against the exact sliding log";

const SECOND: Duration = Duration::from_secs(1);
/// How long a schedule takes, and the pause before it that fills every limit.
pub const SECONDS: f64 = 5.0;

const CASES: [(&str, &str); 2] = [
    ("token bucket beside limit_req", "/accuracy"),
    ("sliding window beside limit_req", "/window"),
];

/// Measures each row on both, in turns.
///
/// # Errors
/// If a server does not answer.
pub fn compare(rounds: &mut Rounds, servers: &[Server; 2]) -> Result<Comparison> {
    let mut comparison = Comparison {
        id: "gateway-accuracy".into(),
        title: TITLE.into(),
        detail: "100 a second and at once, one client, 600 requests in bursts".into(),
        meaning: "Decisions that the exact log of the recorded moments would have made otherwise. \
                  A bucket admits a burst and the rate after it, in both."
            .into(),
        command: String::new(),
        against: servers[1].name.into(),
        unit: "%".into(),
        better: Better::Lower,
        rows: Vec::new(),
        curves: Vec::new(),
    };
    for (name, path) in CASES {
        let mut samples = [Vec::new(), Vec::new()];
        for round in 0..rounds.count {
            let turn = rounds.turn(round, name, SECONDS, |side| {
                std::thread::sleep(2 * SECOND);
                Ok(wrong_percent(&replay(&servers[side], path)?))
            })?;
            rounds::push(&mut samples, turn);
        }
        let [ours, theirs] = samples;
        let command = format!("600 requests on a schedule to http://ADDRESS{path}");
        comparison.rows.push(Row { name: name.into(), ours, theirs, command, bar: None });
    }
    Ok(comparison)
}

/// Bursts of 1 to 60 requests and pauses, on average twice the limit. The same each time.
fn schedule() -> Vec<Duration> {
    let (mut due, mut state, mut moments) = (Duration::ZERO, 1u64, Vec::new());
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    while moments.len() < 600 {
        let burst = 1 + random(60);
        moments.extend((0..burst).map(|number| due + Duration::from_millis(number)));
        due += Duration::from_millis(burst + random(2 * burst * 4));
    }
    moments.truncate(600);
    moments
}

/// When each request was sent, and whether it passed.
fn replay(server: &Server, path: &str) -> Result<Vec<(Duration, bool)>> {
    let stream = TcpStream::connect(server.address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(10 * SECOND))?;
    let mut stream = BufReader::new(stream);
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let begin = Instant::now();
    let mut moments = Vec::new();
    for due in schedule() {
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
        let moment = begin.elapsed();
        stream.get_mut().write_all(request.as_bytes())?;
        moments.push((moment, passes(&mut stream)?));
    }
    Ok(moments)
}

/// Reads an answer. Returns true if it is 200.
fn passes(stream: &mut BufReader<TcpStream>) -> Result<bool> {
    let (mut status, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err("the connection ended".into());
        }
        let line = line.trim_end();
        if status.is_none() {
            status = line.get(9..12).map(str::to_owned);
        } else if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.parse()?;
        } else if line.is_empty() {
            break;
        }
    }
    stream.read_exact(&mut vec![0; length])?;
    match status.as_deref() {
        Some("200") => Ok(true),
        Some("429") => Ok(false),
        other => Err(format!("status {other:?}").into()),
    }
}

/// How many decisions of a hundred the exact log would have made otherwise.
fn wrong_percent(moments: &[(Duration, bool)]) -> f64 {
    let mut log = VecDeque::new();
    let wrong = moments.iter().filter(|(moment, passed)| {
        while log.front().is_some_and(|it| *moment - *it >= SECOND) {
            log.pop_front();
        }
        let fits = (log.len() as u64) < ACCURACY_RATE;
        if fits {
            log.push_back(*moment);
        }
        fits != *passed
    });
    wrong.count() as f64 * 100.0 / moments.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_counts_the_second_before() {
        let at = |ms, passed| (Duration::from_millis(ms), passed);
        let mut moments = (0..100).map(|it| at(it * 10, true)).collect::<Vec<_>>();
        moments.extend([at(995, false), at(1000, true), at(1001, false)]);
        assert_eq!(wrong_percent(&moments), 0.0);
        // Ten of 200 that a bucket of 100 lets through.
        let bucket = |it: u64| at(1000 + it, it < 110);
        assert_eq!(wrong_percent(&(0..200).map(bucket).collect::<Vec<_>>()), 5.0);
    }

    #[test]
    fn the_schedule_is_twice_the_limit() {
        let moments = schedule();
        assert!(moments.is_sorted());
        let rate = moments.len() as f64 / moments[599].as_secs_f64();
        assert!((180.0..240.0).contains(&rate), "{rate}");
    }
}
