//! What an idle connection costs in memory, and how long requests take at a fixed rate.
//!
//! ```text
//! 50 clients have asked once, and wait      Rss  6.2 MB
//! 400 more                                  Rss  7.0 MB       (7.0 - 6.2) / 400 = 2 kB each
//! ```
//!
//! Latency is that of an open loop, `generator.rs`. The origin shares the core of the proxy then:
//! the generator never sleeps, so on its core the origin would wait for a turn.

use std::io::{Read, Write};
use std::net::TcpStream;

use minikit::harness::usage;

use super::conversation::{REQUEST, drive};
use super::load;
use super::systems::{Layer, Proxies};
use crate::cores::Cores;
use crate::generator::Pace;
use crate::model::{Better, Comparison, figure};
use crate::provider::Server;
use crate::rounds::Rounds;
use crate::{Effort, Result, percentiles};

/// Connections before memory is read first.
const FIRST: usize = 50;
/// Connections after that. All of them and the proxy's to the origin are fewer than 1,024, which is
/// the usual limit of open files.
const MORE: usize = 400;

/// Requests a second: some four times fewer than a core can do.
const RATE: u64 = 5_000;

/// Planned seconds of one side.
pub const SECONDS: f64 = 1.0;

/// Memory of connections that have done something and wait, in turns.
///
/// # Errors
/// If a request fails.
pub fn memory(rounds: &mut Rounds, cores: Option<Cores>, proxies: &Proxies) -> Result<Comparison> {
    let theirs = proxies.theirs();
    let mut comparison = Comparison {
        id: format!("idle-memory-{}", theirs.to_lowercase()),
        title: load::title("Memory per idle connection", theirs),
        detail: format!("{MORE} connections that have had one answer"),
        meaning: "Resident memory of the proxy's process with them minus without, divided by \
                  connections. Neither the kernel's buffers are in it nor what NGINX allocates for \
                  all `worker_connections` at its start."
            .into(),
        command: format!("our own client: {FIRST} connections, then {MORE} more"),
        against: theirs.into(),
        unit: "bytes".into(),
        better: Better::Lower,
        rows: Vec::new(),
        curves: Vec::new(),
    };
    for (name, layer) in [("HTTP keepalive", Layer::Http), ("TCP", Layer::Tcp)] {
        let measured = rounds.all(&format!("idle {name}"), SECONDS, |side| {
            per_connection(&proxies.start(layer, side, cores)?)
        })?;
        comparison.rows.push(load::row(name, measured));
    }
    Ok(comparison)
}

fn per_connection(server: &Server) -> Result<f64> {
    let pid = server.pid.ok_or("no process to look at")?;
    let resident = || usage::resident_bytes(pid).ok_or("its memory cannot be read");
    let _first = open(server, FIRST)?;
    let before = resident()?;
    let _more = open(server, MORE)?;
    Ok((resident()? as f64 - before as f64) / MORE as f64)
}

/// Connections that have sent one request each and read the answer.
fn open(server: &Server, count: usize) -> Result<Vec<TcpStream>> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(server.address)?;
        stream.write_all(REQUEST)?;
        let mut answer = [0; 4096];
        let count = stream.read(&mut answer)?;
        if !answer[..count].starts_with(b"HTTP/1.1 200 ") {
            return Err("no answer".into());
        }
        streams.push(stream);
    }
    Ok(streams)
}

/// Latency at a rate that both can serve, in turns.
///
/// # Errors
/// If a request fails.
pub fn latency(
    rounds: &mut Rounds,
    effort: Effort,
    cores: Option<Cores>,
    proxies: &Proxies,
) -> Result<Comparison> {
    let theirs = proxies.theirs();
    let seconds = if effort == Effort::Full { 6 } else { 2 };
    let name = format!("{} requests/s", figure(RATE as f64));
    let mut comparison = Comparison {
        id: format!("latency-{}", theirs.to_lowercase()),
        title: load::title("Latency at a fixed rate", theirs),
        detail: "Open loop over 50 connections, 13 B responses".into(),
        meaning: "From the moment a request was due by the timetable until its answer arrived, so \
                  that a stall counts for every request it delayed. The origin is on the proxy's \
                  core."
            .into(),
        command: format!("our generator: 50 connections, {seconds} s a round"),
        against: theirs.into(),
        unit: "µs".into(),
        better: Better::Lower,
        rows: Vec::new(),
        curves: Vec::new(),
    };
    let measured = rounds.all(&format!("open loop, {name}"), seconds as f64, |side| {
        let server = proxies.start(Layer::Http, side, cores)?;
        let pace = Pace::Open { per_second: RATE };
        Ok(drive(server.address, 50, seconds * RATE, pace)?.latency)
    })?;
    percentiles::add(&mut comparison, name, &measured);
    Ok(comparison)
}
