//! CPU time of the proxy: per request or handshake under the load tool, and per gigabyte.
//!
//! ```text
//! before   utime + stime of the proxy        0.12 s
//! wrk -t1 -c64 -d5s                          410,000 requests, none failed
//! after                                      4.02 s       9.5 µs per request
//! ```

use std::process::Command;
use std::time::Duration;

use minikit::harness::usage;

use super::conversation::download;
use super::systems::{FILE_BYTES, Layer, Proxies};
use crate::model::{Better, Comparison, Row};
use crate::provider::Server;
use crate::rounds::Rounds;
use crate::{Context, Effort, Result, process, provider};

/// The title of the comparison of requests, completed by [`title`].
pub const REQUEST_CPU: &str = "Proxy CPU per request";
/// The title of the comparison of bulk data.
pub const BULK_CPU: &str = "Proxy CPU per GB";
/// The row of `http`.
pub const HTTP: &str = "HTTP keepalive c64";
/// The row of `stream`.
pub const TCP: &str = "TCP c64";

/// Downloads of [`FILE_BYTES`] in a round.
pub const DOWNLOADS: u64 = 4;

/// The tool that makes the load.
#[derive(Clone, Copy, PartialEq)]
enum Tool {
    /// `wrk` with 64 connections, these options, and this path.
    Wrk(&'static [&'static str], &'static str),
    /// `h2load` with ten connections of sixteen streams each.
    H2load,
    /// `openssl s_time`: one full handshake after the other.
    Handshakes,
}

struct Case {
    name: &'static str,
    layer: Layer,
    tool: Tool,
    /// Measured with `--quick`, too, and beside HAProxy and Envoy.
    is_essential: bool,
}

const CASES: [Case; 7] = [
    Case { name: HTTP, layer: Layer::Http, tool: Tool::Wrk(&[], "/"), is_essential: true },
    Case { name: TCP, layer: Layer::Tcp, tool: Tool::Wrk(&[], "/"), is_essential: true },
    Case {
        name: "HTTP keepalive c64, 64 KiB",
        layer: Layer::Http,
        tool: Tool::Wrk(&[], "/64k"),
        is_essential: false,
    },
    Case {
        name: "HTTP c64, a connection for each",
        layer: Layer::Http,
        tool: Tool::Wrk(&["-H", "Connection: close"], "/"),
        is_essential: false,
    },
    Case {
        name: "TLS keepalive c64",
        layer: Layer::Tls,
        tool: Tool::Wrk(&[], "/"),
        is_essential: false,
    },
    Case {
        name: "TLS, a full handshake",
        layer: Layer::Tls,
        tool: Tool::Handshakes,
        is_essential: false,
    },
    Case {
        name: "HTTP/2 over TLS, c10 m16",
        layer: Layer::Tls,
        tool: Tool::H2load,
        is_essential: false,
    },
];

impl Tool {
    fn program(self) -> &'static str {
        match self {
            Tool::Wrk(..) => "wrk",
            Tool::H2load => "h2load",
            Tool::Handshakes => "openssl",
        }
    }

    fn command(self, seconds: u32, layer: Layer, address: std::net::SocketAddr) -> Command {
        let mut command = Command::new(self.program());
        let scheme = if layer == Layer::Tls { "https" } else { "http" };
        let seconds = seconds.to_string();
        match self {
            Tool::Wrk(options, path) => {
                command.args(["-t1", "-c64", "-d", &seconds]).args(options);
                command.arg(format!("{scheme}://{address}{path}"));
            }
            Tool::H2load => {
                command
                    .args(["-c10", "-m16", "-D", &seconds])
                    .arg(format!("{scheme}://{address}/"));
            }
            Tool::Handshakes => {
                let address = address.to_string();
                command.args(["s_time", "-new", "-time", &seconds, "-connect", &address]);
            }
        }
        command
    }

    /// How many requests or handshakes the tool made, if none of them failed.
    fn count(self, output: &str) -> Option<u64> {
        let (sign, is_fine) = match self {
            Tool::Wrk(..) => {
                let errors = ["Non-2xx", "Socket errors"];
                (" requests in ", !errors.iter().any(|it| output.contains(it)))
            }
            Tool::H2load => (" succeeded, ", output.contains(" 0 failed, 0 errored, 0 timeout")),
            Tool::Handshakes => (" connections in ", !output.contains("ERROR")),
        };
        let before = output.split(sign).next().filter(|it| is_fine && *it != output)?;
        before.rsplit([' ', '\n']).next()?.parse().ok().filter(|it| *it > 0)
    }
}

/// The title of a comparison: each is against one system.
pub fn title(title: &str, theirs: &str) -> String {
    format!("{title}, beside {theirs}")
}

/// Planned seconds of one round of both sides.
pub fn seconds(effort: Effort, has_all: bool) -> f64 {
    let cases = cases(effort, has_all).count() as f64;
    2.0 * (cases * (f64::from(tool_seconds(effort)) + 0.5) + 2.0 * BULK_SECONDS)
}

/// Planned seconds of the downloads of one side.
const BULK_SECONDS: f64 = 1.0;

fn tool_seconds(effort: Effort) -> u32 {
    // Some ten thousand requests are enough: rounds differ by more than a longer one would save.
    if effort == Effort::Full { 5 } else { 1 }
}

fn cases(effort: Effort, has_all: bool) -> impl Iterator<Item = &'static Case> {
    let has_all = has_all && effort != Effort::Quick;
    CASES.iter().filter(move |it| has_all || it.is_essential)
}

/// Measures all rows in turns, each round with fresh servers; only the essential ones unless
/// `has_all`.
///
/// # Errors
/// If a request fails.
pub fn compare(
    rounds: &mut Rounds,
    context: &Context,
    proxies: &Proxies,
    has_all: bool,
) -> Result<Vec<Comparison>> {
    let theirs = proxies.theirs();
    let mut requests = heading(theirs, REQUEST_CPU, "ns");
    for case in cases(context.effort, has_all) {
        if provider::on_path(case.tool.program()).is_none() {
            continue;
        }
        let planned = f64::from(tool_seconds(context.effort)) + 0.5;
        let measured = rounds.all(case.name, planned, |side| {
            let server = proxies.start(case.layer, side, context.cores)?;
            per_request(case, context.effort, &server)
        })?;
        requests.rows.push(row(case.name, measured));
    }

    let mut bulk = heading(theirs, BULK_CPU, "s/GB");
    for (name, layer) in [(HTTP, Layer::Http), (TCP, Layer::Tcp)] {
        let measured = rounds.all(&format!("bulk, {name}"), BULK_SECONDS, |side| {
            per_gigabyte(&proxies.start(layer, side, context.cores)?)
        })?;
        bulk.rows.push(row(name, measured));
    }
    Ok(vec![requests, bulk])
}

/// A row of a comparison.
pub fn row(name: &str, [ours, theirs]: [Vec<f64>; 2]) -> Row {
    Row { name: name.into(), ours, theirs, command: String::new(), bar: None }
}

/// The CPU time of a proxy so far.
///
/// # Errors
/// If it cannot be read.
pub fn cpu(server: &Server) -> Result<Duration> {
    Ok(server.pid.and_then(usage::cpu_time).ok_or("its CPU time cannot be read")?)
}

/// Nanoseconds of the proxy for one request. None may have failed.
fn per_request(case: &Case, effort: Effort, server: &Server) -> Result<f64> {
    let before = cpu(server)?;
    let mut command = case.tool.command(tool_seconds(effort), case.layer, server.address);
    let output = process::run(&mut command, Duration::from_secs(60))?;
    let spent = cpu(server)? - before;
    let count = case.tool.count(&output.stdout);
    let count = count
        .ok_or_else(|| format!("{}: {}{}", case.tool.program(), output.stdout, output.stderr))?;
    Ok(spent.as_nanos() as f64 / count as f64)
}

/// Seconds of the proxy for 10⁹ bytes.
///
/// # Errors
/// If bytes are lost.
pub fn per_gigabyte(server: &Server) -> Result<f64> {
    let before = cpu(server)?;
    for _ in 0..DOWNLOADS {
        download(server.address)?;
    }
    Ok(per_gb(cpu(server)? - before))
}

/// CPU seconds per 10⁹ bytes of [`DOWNLOADS`] downloads.
pub fn per_gb(spent: Duration) -> f64 {
    spent.as_secs_f64() * 1e9 / (DOWNLOADS * FILE_BYTES) as f64
}

/// The heading of one of the two comparisons of CPU time.
pub fn heading(theirs: &str, what: &str, unit: &str) -> Comparison {
    let is_bulk = what == BULK_CPU;
    let id = theirs.to_lowercase().replace(' ', "-");
    Comparison {
        id: format!("{}-{id}", if is_bulk { "bulk-cpu" } else { "request-cpu" }),
        title: title(what, theirs),
        detail: if is_bulk { "64 MiB, four times" } else { "13 B responses, unless it says more" }
            .into(),
        meaning: "CPU time of the proxy's process, kernel time included, divided by requests, \
                  handshakes or bytes of responses. Most of it is the kernel's TCP, which all of \
                  them pay."
            .into(),
        command: match is_bulk {
            true => "GET /file",
            false => "wrk -t1 -c64, h2load -c10 -m16, openssl s_time -new",
        }
        .into(),
        against: theirs.into(),
        unit: unit.into(),
        better: Better::Lower,
        rows: Vec::new(),
        curves: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_with_errors_is_no_result() {
        let wrk = Tool::Wrk(&[], "/");
        let fine = "  2 threads\n  410000 requests in 4.00s, 60MB read\nRequests/sec: 1\n";
        assert_eq!(wrk.count(fine), Some(410_000));
        assert_eq!(wrk.count(&format!("{fine}  Non-2xx or 3xx responses: 1\n")), None);
        assert_eq!(wrk.count(&format!("{fine}  Socket errors: connect 0\n")), None);
        assert_eq!(wrk.count(""), None);

        let fine = "requests: 90 total, 95 started, 90 done, 88 succeeded, 0 failed, 0 errored, \
                    0 timeout\n";
        assert_eq!(Tool::H2load.count(fine), Some(88));
        assert_eq!(Tool::H2load.count(&fine.replace("0 failed", "1 failed")), None);

        let fine = "\n\n321 connections in 0.52s; 617.31 connections/user sec, bytes read 0\n\
                    321 connections in 2 real seconds, 0 bytes read per connection\n";
        assert_eq!(Tool::Handshakes.count(fine), Some(321));
        assert_eq!(Tool::Handshakes.count("ERROR\n0 connections in 0.00s"), None);
    }
}
