//! The time from the start to the first answer, and the memory of an idle broker.
//!
//! ```text
//! spawn            0.0 ms
//! connect refused  0.9 ms, again every 50 µs
//! ApiVersions      2.4 ms                       the figure; then Rss of the idle process
//! ```

use minikit::harness::usage;

use crate::Result;
use crate::cores::Cores;
use crate::model::{Better, Comparison, Row};
use crate::provider::{Server, Side};
use crate::rounds::Rounds;

/// The title of the comparison of times.
pub const TIME: &str = "Start to first answer";
/// The title of the comparison of memory.
pub const MEMORY: &str = "Resident memory when idle";
/// The title of the comparison of memory after a load.
pub const LOADED: &str = "Resident memory after the load";
/// The only row of the first two.
pub const ROW: &str = "empty data directory";

/// The planned seconds of one start and stop, mostly Kafka's.
pub const SECONDS_PER_START: f64 = 5.0;

/// Starts of each, given the rounds of other rows: a start of Kafka is slow.
pub fn rounds(count: usize) -> usize {
    count.min(3)
}

/// One start: milliseconds to the first answer, and megabytes resident.
pub fn measure(side: &Side, cores: Option<Cores>) -> Result<(f64, f64)> {
    let (server, time) = side.time_start(Some(1), cores)?;
    let resident = server.pid.and_then(usage::resident_bytes);
    Ok((time.as_secs_f64() * 1e3, resident.ok_or("its memory cannot be read")? as f64 / 1e6))
}

/// Starts both in turns.
pub fn compare(
    rounds: &mut Rounds,
    sides: [&Side; 2],
    cores: Option<Cores>,
) -> Result<Vec<Comparison>> {
    let measured = rounds.all("start-up", SECONDS_PER_START, |side| measure(sides[side], cores))?;
    let times = measured.each_ref().map(|all| all.iter().map(|(time, _)| *time).collect());
    let sizes = measured.map(|all| all.iter().map(|(_, size)| *size).collect());
    let theirs = sides[1].system.name;
    Ok(vec![
        comparison(theirs, "start", TIME, "ms", ROW, times),
        comparison(theirs, "idle", MEMORY, "MB", ROW, sizes),
    ])
}

/// The memory of both brokers after they were measured; none if one is not of this machine.
pub fn memory_after_load(servers: &[Server; 2]) -> Option<Comparison> {
    let resident = |server: &Server| server.pid.and_then(usage::resident_bytes);
    let [ours, theirs] = servers.each_ref().map(resident);
    let sizes = [ours?, theirs?].map(|bytes| vec![bytes as f64 / 1e6]);
    Some(comparison(servers[1].name, "loaded", LOADED, "MB", "all rows above", sizes))
}

fn comparison(
    theirs: &str,
    id: &str,
    title: &str,
    unit: &str,
    row: &str,
    [ours, theirs_rounds]: [Vec<f64>; 2],
) -> Comparison {
    Comparison {
        id: id.into(),
        title: title.into(),
        detail: "Time from spawning, memory right after or at the end".into(),
        meaning: "A fresh process with an empty data directory (Kafka's is formatted before), \
                  ready when it answers ApiVersions."
            .into(),
        command: "spawn, then ApiVersions until it is answered".into(),
        against: theirs.into(),
        unit: unit.into(),
        better: Better::Lower,
        rows: vec![Row {
            name: row.into(),
            ours,
            theirs: theirs_rounds,
            command: String::new(),
            bar: None,
        }],
        curves: Vec::new(),
    }
}
