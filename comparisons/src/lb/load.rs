//! CPU time of the proxy: per request under `wrk`, and per gigabyte of one long download.
//!
//! ```text
//! before   utime + stime of the proxy        0.12 s
//! wrk -t1 -c64 -d4s                          410,000 requests, none failed
//! after                                      4.02 s       9.5 µs per request
//! ```

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use minikit::harness::usage;

use super::systems::FILE_BYTES;
use crate::model::{Better, Comparison, Row};
use crate::provider::{Server, Side};
use crate::rounds::Rounds;
use crate::{Context, Effort, Result, process};

/// The title of the comparison of requests, completed by [`title`].
pub const REQUEST_CPU: &str = "Proxy CPU per request";
/// The title of the comparison of bulk data.
pub const BULK_CPU: &str = "Proxy CPU per GB";
/// The row of `http`.
pub const HTTP: &str = "HTTP keepalive c64";
/// The row of `stream`.
pub const TCP: &str = "TCP c64";

/// Downloads of [`FILE_BYTES`] in a round.
const DOWNLOADS: u64 = 4;

/// The title of a comparison: each is against one system.
pub fn title(title: &str, theirs: &str) -> String {
    format!("{title}, beside {theirs}")
}

/// Planned seconds of one round of one side.
pub fn seconds(effort: Effort) -> f64 {
    2.0 * (f64::from(wrk_seconds(effort)) + 1.5)
}

fn wrk_seconds(effort: Effort) -> u32 {
    match effort {
        Effort::Quick => 2,
        Effort::Normal => 4,
        Effort::Full => 8,
    }
}

/// Measures all rows in turns, each round with fresh servers.
pub fn compare(
    rounds: &mut Rounds,
    tool: &Path,
    context: &Context,
    http: [&Side; 2],
    tcp: [&Side; 2],
) -> Result<Vec<Comparison>> {
    let theirs = http[1].system.name;
    let mut requests = heading(theirs, REQUEST_CPU, "ns");
    let mut bulk = heading(theirs, BULK_CPU, "s/GB");
    for (name, sides) in [(HTTP, http), (TCP, tcp)] {
        let measured = rounds.all(name, seconds(context.effort) / 2.0, |side| {
            let server = sides[side].start(Some(1), context.cores)?;
            let per_request = per_request(tool, context.effort, &server)?;
            Ok((per_request, per_gigabyte(&server)?))
        })?;
        let row = |of: fn(&(f64, f64)) -> f64| {
            let [ours, theirs] = measured.each_ref().map(|all| all.iter().map(of).collect());
            Row { name: name.into(), ours, theirs, command: String::new(), bar: None }
        };
        requests.rows.push(row(|(request, _)| *request));
        bulk.rows.push(row(|(_, gigabyte)| *gigabyte));
    }
    Ok(vec![requests, bulk])
}

fn cpu(server: &Server) -> Result<Duration> {
    Ok(server.pid.and_then(usage::cpu_time).ok_or("its CPU time cannot be read")?)
}

/// Nanoseconds of the proxy for one request. None may have failed.
fn per_request(tool: &Path, effort: Effort, server: &Server) -> Result<f64> {
    let before = cpu(server)?;
    let mut command = Command::new(tool);
    command.args(["-t1", "-c64", &format!("-d{}s", wrk_seconds(effort))]);
    command.arg(format!("http://{}/", server.address));
    let output = process::run(&mut command, Duration::from_secs(60))?;
    let spent = cpu(server)? - before;
    let requests = requests(&output.stdout)
        .ok_or_else(|| format!("{}: {}{}", tool.display(), output.stdout, output.stderr))?;
    Ok(spent.as_nanos() as f64 / requests as f64)
}

/// The number in the line `  400000 requests in 4.00s, ...`, if all of them were answered.
fn requests(output: &str) -> Option<u64> {
    if output.contains("Non-2xx") || output.contains("Socket errors") {
        return None;
    }
    let line = output.lines().find(|it| it.contains(" requests in "))?;
    line.trim().split(' ').next()?.parse().ok()
}

/// Seconds of the proxy for 10⁹ bytes. All of them must arrive.
fn per_gigabyte(server: &Server) -> Result<f64> {
    let before = cpu(server)?;
    let mut stream = TcpStream::connect(server.address)?;
    let mut buffer = vec![0; 256 * 1024];
    for _ in 0..DOWNLOADS {
        stream.write_all(b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n")?;
        let mut received = stream.read(&mut buffer)?;
        let head = buffer[..received].windows(4).position(|it| it == b"\r\n\r\n");
        let head = head.ok_or("the response has no head")? + 4;
        if !buffer.starts_with(b"HTTP/1.1 200") {
            return Err(String::from_utf8_lossy(&buffer[..head]).into_owned().into());
        }
        while received < head + FILE_BYTES as usize {
            match stream.read(&mut buffer)? {
                0 => return Err("the response was cut off".into()),
                count => received += count,
            }
        }
    }
    let spent = cpu(server)? - before;
    Ok(spent.as_secs_f64() * 1e9 / (DOWNLOADS * FILE_BYTES) as f64)
}

fn heading(theirs: &str, what: &str, unit: &str) -> Comparison {
    let is_bulk = what == BULK_CPU;
    let theirs_id = theirs.to_lowercase();
    Comparison {
        id: format!("{}-{theirs_id}", if is_bulk { "bulk-cpu" } else { "request-cpu" }),
        title: title(what, theirs),
        detail: if is_bulk { "64 MiB, four times on a connection" } else { "13 B responses" }
            .into(),
        meaning: "CPU time of the proxy's process, kernel time included, divided by requests or \
                  by bytes of responses. Most of it is the kernel's TCP, which all of them pay."
            .into(),
        command: if is_bulk { "GET /file" } else { "wrk -t1 -c64" }.into(),
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
        let fine = "  2 threads\n  410000 requests in 4.00s, 60MB read\nRequests/sec: 1\n";
        assert_eq!(requests(fine), Some(410_000));
        assert_eq!(requests(&format!("{fine}  Non-2xx or 3xx responses: 1\n")), None);
        assert_eq!(requests(&format!("{fine}  Socket errors: connect 0\n")), None);
        assert_eq!(requests(""), None);
    }
}
