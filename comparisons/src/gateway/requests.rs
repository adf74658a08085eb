//! Processor time per request, under wrk: proxied, then with routes, a key and a limit switched on
//! one by one, then refused.
//!
//! ```text
//! wrk -t1 -c64 -d3s --latency http://127.0.0.1:40001/tight
//!   150000 requests in 3.00s, 38MB read
//!   Non-2xx or 3xx responses: 149689               so 311 were admitted
//! /proc/PID/task/*/schedstat before, after         1.2 s / 150,000 = 8 µs a request
//! ```
//!
//! The answers are checked: nothing is refused where everything is allowed; and at `/tight` no more
//! is admitted than the burst, the rate times the time between the two looks at the clock, and
//! five: Envoy fills its bucket every 50 ms, and NGINX rounds by a millisecond.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use minikit::harness::usage;

use super::systems::{API_KEY_HEADER, NGINX, TIGHT_BURST, TIGHT_RATE, TOKEN_HEADER};
use crate::model::{Better, Comparison, Row};
use crate::provider::{self, Server};
use crate::rounds::{self, Rounds};
use crate::{Result, process, stats};

/// The title of the comparison.
pub const TITLE: &str = "Gateway CPU per request";
/// The title of the same beside Envoy.
pub const ENVOY_TITLE: &str = "Gateway CPU per request, beside Envoy";

/// A row.
#[derive(Clone, Copy)]
pub struct Case {
    /// For the report.
    pub name: &'static str,
    path: &'static str,
    /// For wrk, which sends no other than `Host`.
    header: Option<&'static str>,
}

const fn case(name: &'static str, path: &'static str, header: Option<&'static str>) -> Case {
    Case { name, path, header }
}

/// All rows.
pub const CASES: [Case; 6] = [
    case("proxied, a handful of routes", "/free", None),
    case("routed among 1,000", "/v1/resource-500/42", Some("Host: many.example")),
    case("API key checked", "/keyed", Some(API_KEY_HEADER)),
    case("token bucket on, all admitted", "/limited", None),
    case("API key and token bucket of the client", "/keyed-limited", Some(API_KEY_HEADER)),
    case("token bucket on, nearly all refused", "/tight", None),
];

/// What Envoy's own limiter can do as well.
pub const ENVOY_CASES: [Case; 3] = [CASES[0], CASES[3], CASES[5]];

/// What NGINX cannot do.
const TOKENS: [Case; 1] = [case("JWT checked, HS256", "/token", Some(TOKEN_HEADER))];

/// The load tool.
pub struct Wrk(PathBuf);

impl Wrk {
    /// Finds it on the PATH.
    ///
    /// # Errors
    /// If it is missing.
    pub fn find() -> Result<Wrk> {
        let missing = || format!("wrk is missing. To get it: {}", NGINX.install);
        Ok(Wrk(provider::on_path("wrk").ok_or_else(missing)?))
    }

    /// For the report.
    pub fn describe(&self) -> String {
        self.0.display().to_string()
    }

    fn run(&self, server: &Server, case: &Case, seconds: u64) -> Result<Counts> {
        let url = format!("http://{}{}", server.address, case.path);
        let mut command = Command::new(&self.0);
        command.args(["-t1", "-c64", &format!("-d{seconds}s"), &url]);
        command.args(case.header.iter().flat_map(|it| ["-H", it]));
        let output = process::run(&mut command, Duration::from_secs(seconds + 30))?;
        let counts = counts(&output.stdout).filter(|_| output.success);
        Ok(counts.ok_or_else(|| format!("wrk: {}{}", output.stdout, output.stderr))?)
    }
}

/// What wrk counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    requests: u64,
    refused: u64,
}

/// Reads `N requests in` and `Non-2xx or 3xx responses: N`. `None` if there were socket errors.
fn counts(output: &str) -> Option<Counts> {
    if output.contains("Socket errors:") {
        return None;
    }
    let requests = output.lines().find_map(|line| line.trim().split_once(" requests in "))?.0;
    let refused =
        output.lines().find_map(|it| it.trim().strip_prefix("Non-2xx or 3xx responses: "));
    let refused = refused.map_or(Some(0), |it| it.parse().ok())?;
    Some(Counts { requests: requests.parse().ok()?, refused })
}

/// One run.
struct Sample {
    cpu_ns: f64,
    admitted: u64,
    seconds: f64,
}

/// Measures every row on both, in turns. The second part says how many `/tight` admitted.
///
/// # Errors
/// If an answer is wrong.
pub fn compare(
    rounds: &mut Rounds,
    wrk: &Wrk,
    seconds: u64,
    servers: &[Server; 2],
    cases: &[Case],
) -> Result<(Comparison, Vec<String>)> {
    let mut comparison = heading(servers[1].name);
    let mut notes = Vec::new();
    for case in cases {
        let mut samples = [Vec::new(), Vec::new()];
        for round in 0..rounds.count {
            let turn = rounds.turn(round, case.name, seconds as f64 + 1.0, |side| {
                sample(wrk, &servers[side], case, seconds)
            })?;
            rounds::push(&mut samples, turn);
        }
        if case.path == "/tight" {
            notes.extend(servers.iter().zip(&samples).map(|(server, it)| admitted(server, it)));
        }
        let [ours, theirs] =
            samples.map(|samples| samples.iter().map(|it| it.cpu_ns).collect::<Vec<_>>());
        let header = case.header.map_or_else(String::new, |it| format!(" -H '{it}'"));
        let command = format!("wrk -t1 -c64 -d{seconds}s{header} http://ADDRESS{}", case.path);
        comparison.rows.push(Row { name: case.name.into(), ours, theirs, command, bar: None });
    }
    Ok((comparison, notes))
}

/// Measures what NGINX cannot do, on ours alone.
///
/// # Errors
/// If an answer is wrong.
pub fn alone(count: usize, wrk: &Wrk, seconds: u64, server: &Server) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    for case in &TOKENS {
        let samples = (0..count).map(|_| sample(wrk, server, case, seconds));
        let samples = samples.collect::<Result<Vec<_>>>()?;
        let cpu_ns = samples.iter().map(|it| it.cpu_ns).collect::<Vec<_>>();
        notes.push(format!(
            "{}, {} alone: {:.0} ns a request; NGINX without Plus has no such check",
            case.name,
            server.name,
            stats::median(&cpu_ns)
        ));
    }
    Ok(notes)
}

fn sample(wrk: &Wrk, server: &Server, case: &Case, seconds: u64) -> Result<Sample> {
    let cpu_time = || server.pid.and_then(usage::cpu_time).ok_or("its processor time is unknown");
    let (before, begin) = (cpu_time()?, Instant::now());
    let Counts { requests, refused } = wrk.run(server, case, seconds)?;
    let (spent, elapsed) = (cpu_time()?.saturating_sub(before), begin.elapsed());

    let admitted = requests - refused;
    // Envoy's bucket gets five at once.
    let allowed = TIGHT_BURST + (TIGHT_RATE as f64 * elapsed.as_secs_f64()) as u64 + 5;
    match case.path {
        "/tight" if admitted > allowed => {
            return Err(format!("{admitted} admitted, where {allowed} are allowed").into());
        }
        "/tight" => {}
        _ if refused > 0 => {
            return Err(format!("{refused} refused, where all are allowed").into());
        }
        _ => {}
    }
    let cpu_ns = spent.as_nanos() as f64 / requests as f64;
    Ok(Sample { cpu_ns, admitted, seconds: elapsed.as_secs_f64() })
}

/// How close a limit of 100 a second came to what it should admit.
fn admitted(server: &Server, samples: &[Sample]) -> String {
    let admitted = samples.iter().map(|it| it.admitted).sum::<u64>();
    let should = samples.iter().map(|it| it.seconds * TIGHT_RATE as f64).sum::<f64>();
    format!(
        "{}: {admitted} requests admitted by a limit of {TIGHT_RATE} a second in {:.2} s, which is \
         {should:.0} and a burst of {TIGHT_BURST} in each of {} runs",
        server.name,
        should / TIGHT_RATE as f64,
        samples.len()
    )
}

fn heading(theirs: &str) -> Comparison {
    let is_nginx = theirs == NGINX.name;
    Comparison {
        id: if is_nginx { "gateway-cpu" } else { "gateway-cpu-envoy" }.into(),
        title: if is_nginx { TITLE } else { ENVOY_TITLE }.into(),
        detail: "HTTP/1.1, connections kept open on both sides, 13 bytes of body".into(),
        meaning: "Processor time of the gateway's process, kernel time included, divided by \
                  requests. minigateway's answers within a limit have RateLimit headers, those of \
                  NGINX and Envoy have none."
            .into(),
        command: "wrk, and for each row:".into(),
        against: theirs.into(),
        unit: "ns".into(),
        better: Better::Lower,
        rows: Vec::new(),
        curves: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_prints_is_read() {
        let output = "Running 3s test @ http://127.0.0.1:1/\n  1 threads and 64 connections\n  \
                      150000 requests in 3.00s, 38MB read\n  Non-2xx or 3xx responses: 149689\n";
        assert_eq!(counts(output), Some(Counts { requests: 150_000, refused: 149_689 }));
        let clean = output.replace("Non-2xx", "Requests/sec: 1\n");
        assert_eq!(counts(&clean), Some(Counts { requests: 150_000, refused: 0 }));
        assert_eq!(counts(&format!("{output}  Socket errors: connect 0, read 1\n")), None);
        assert_eq!(counts(""), None);
    }
}
