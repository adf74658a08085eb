//! System calls and instructions of the proxy per request: counts, which a busy machine does not
//! change.
//!
//! ```text
//! strace -c -f PROXY, 1,000 requests over 64 connections        5,112 system calls
//! the same with 5,000 requests                                 21,504
//! (21,504 - 5,112) / 4,000                                     4.1 per request
//! ```
//!
//! Both tools count from the start of the proxy to its end. The difference between a short and a
//! long run has neither, nor the opening of connections.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::conversation::drive;
use super::load::{self, HTTP, TCP};
use super::systems::{Layer, Proxies};
use crate::cores::Cores;
use crate::generator::Pace;
use crate::model::{Better, Comparison};
use crate::process::Scratch;
use crate::provider::{self, Side, Source};
use crate::rounds::Rounds;
use crate::{Effort, Result};

/// The title of the comparison of system calls, completed by [`load::title`].
pub const SYSCALLS: &str = "System calls per request";
/// The title of the comparison of instructions.
pub const INSTRUCTIONS: &str = "Instructions per request";

/// A program that runs the proxy and counts.
struct Counter {
    title: &'static str,
    id: &'static str,
    unit: &'static str,
    program: &'static str,
    /// Its arguments, up to the file that it writes.
    arguments: &'static str,
    connections: usize,
    /// Of the shorter run.
    requests: u64,
    /// Finds the sum in the file.
    sum: fn(&str) -> Option<f64>,
    meaning: &'static str,
}

const STRACE: Counter = Counter {
    title: SYSCALLS,
    id: "syscalls",
    unit: "calls",
    program: "strace",
    arguments: "-c -f -o",
    connections: 64,
    requests: 1_000,
    sum: strace_sum,
    meaning: "Counted by strace, which slows the proxy down, so that each wait finds more \
              connections ready than it would.",
};

const CALLGRIND: Counter = Counter {
    title: INSTRUCTIONS,
    id: "instructions",
    unit: "instructions",
    program: "valgrind",
    arguments: "--tool=callgrind --callgrind-out-file=",
    connections: 8,
    requests: 400,
    sum: callgrind_sum,
    meaning: "Instructions outside of the kernel, counted by callgrind.",
};

/// Counts once for each side; the counts of a second run would be nearly the same.
///
/// # Errors
/// If a proxy or its counter fails.
pub fn compare(
    rounds: &mut Rounds,
    effort: Effort,
    cores: Option<Cores>,
    proxies: &Proxies,
) -> Result<Vec<Comparison>> {
    let counters = [STRACE, CALLGRIND].into_iter();
    let counters = counters.filter(|it| effort != Effort::Quick || it.title == SYSCALLS);
    let mut comparisons = Vec::new();
    for counter in counters.filter(|it| provider::on_path(it.program).is_some()) {
        let mut comparison = heading(&counter, proxies.theirs());
        for (name, layer) in [(HTTP, Layer::Http), (TCP, Layer::Tcp)] {
            let what = format!("{} of {name}", counter.id);
            let both = rounds.turn(0, &what, SECONDS, |side| {
                counter.per_request(&proxies.side(layer, side), cores)
            })?;
            comparison.rows.push(load::row(name, both.map(|it| vec![it])));
        }
        comparisons.push(comparison);
    }
    Ok(comparisons)
}

/// Planned seconds of one side and row.
const SECONDS: f64 = 4.0;

/// Planned seconds of all of it.
pub fn seconds(effort: Effort) -> f64 {
    SECONDS * if effort == Effort::Quick { 4.0 } else { 8.0 }
}

fn heading(counter: &Counter, theirs: &str) -> Comparison {
    let Counter { requests, connections, .. } = counter;
    Comparison {
        id: format!("{}-{}", counter.id, theirs.to_lowercase()),
        title: load::title(counter.title, theirs),
        detail: format!("13 B responses, {connections} connections kept open"),
        meaning: counter.meaning.into(),
        command: format!(
            "{} {}FILE PROXY: {} requests, then {requests}; the difference",
            counter.program,
            counter.arguments,
            5 * requests
        ),
        against: theirs.into(),
        unit: counter.unit.into(),
        better: Better::Lower,
        rows: Vec::new(),
        curves: Vec::new(),
    }
}

impl Counter {
    fn per_request(&self, side: &Side, cores: Option<Cores>) -> Result<f64> {
        let [long, short] = [5 * self.requests, self.requests];
        let more = self.count(side, long, cores)? - self.count(side, short, cores)?;
        Ok(more / (long - short) as f64)
    }

    /// Runs the proxy under the counter, from its start to its end.
    fn count(&self, side: &Side, requests: u64, cores: Option<Cores>) -> Result<f64> {
        let Source::Program(program) = &side.source else { return Err("it is no program".into()) };
        let scratch = Scratch::new(self.id)?;
        let out = scratch.path().join("out");
        let wrapper = scratch.path().join("wrapper");
        let (counter, arguments) = (self.program, self.arguments);
        let gap = if arguments.ends_with('=') { "" } else { " " };
        let (to, proxy) = (out.display(), program.display());
        fs::write(
            &wrapper,
            format!("#!/bin/sh\nexec {counter} {arguments}{gap}{to} {proxy} \"$@\"\n"),
        )?;
        fs::set_permissions(&wrapper, Permissions::from_mode(0o755))?;

        let wrapped = Side { system: side.system, source: Source::Program(wrapper) };
        let server = wrapped.start(Some(1), cores)?;
        drive(server.address, self.connections, requests, Pace::Closed { pipeline: 1 })?;
        // Ends the proxy; its counter writes the file then.
        drop(server);
        let text = fs::read_to_string(&out)?;
        Ok((self.sum)(&text).ok_or_else(|| format!("{counter} counted nothing: {text:.200}"))?)
    }
}

/// The number of calls in the last line: `100.00    0.536266     59      9037     17 total`.
fn strace_sum(text: &str) -> Option<f64> {
    let line = text.lines().rfind(|it| it.ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

/// `totals: 123456`
fn callgrind_sum(text: &str) -> Option<f64> {
    text.lines().find_map(|it| it.strip_prefix("totals: "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums() {
        let strace = "% time     seconds  usecs/call     calls    errors syscall\n\
                      ------ ----------- ----------- --------- --------- ----------------\n \
                      98.65    0.529016          59      8822         8 splice\n\
                      100.00    0.536266          59      9037        17 total\n";
        assert_eq!(strace_sum(strace), Some(9037.0));
        assert_eq!(strace_sum("nothing"), None);
        assert_eq!(callgrind_sum("events: Ir\nfn=(1)\ntotals: 4711\n"), Some(4711.0));
    }
}
