//! The time from the start to the first answer, and the memory of an idle server.
//!
//! ```text
//! spawn          0.0 ms
//! PING refused   0.9 ms, again every 50 µs
//! +PONG          2.4 ms                       the figure; then Rss of the idle process
//! ```

use minikit::harness::usage;

use crate::Result;
use crate::cores::Cores;
use crate::model::{Better, Comparison, Row};
use crate::provider::Side;
use crate::rounds::Rounds;

/// The planned seconds of one start and stop.
pub const SECONDS_PER_START: f64 = 0.2;

/// Starts both in turns. Only meaningful for programs on this machine: most of a container's start
/// is Docker's.
pub fn compare(
    rounds: &mut Rounds,
    sides: [&Side; 2],
    cores: Option<Cores>,
) -> Result<Vec<Comparison>> {
    let measured = rounds.all("start-up", SECONDS_PER_START, |side| {
        let (server, time) = sides[side].time_start(Some(1), cores)?;
        let resident = server.pid.and_then(usage::resident_bytes);
        Ok((time.as_secs_f64() * 1e3, resident.ok_or("its memory cannot be read")? as f64 / 1e6))
    })?;
    let times = measured.each_ref().map(|all| all.iter().map(|(time, _)| *time).collect());
    let sizes = measured.map(|all| all.iter().map(|(_, size)| *size).collect());
    let theirs = sides[1].system.name;
    Ok(vec![
        comparison(theirs, "start", "Start to first answer", "ms", times),
        comparison(theirs, "idle", "Resident memory when idle", "MB", sizes),
    ])
}

fn comparison(
    theirs: &str,
    id: &str,
    title: &str,
    unit: &str,
    rounds: [Vec<f64>; 2],
) -> Comparison {
    let [ours, theirs_rounds] = rounds;
    Comparison {
        id: id.into(),
        title: title.into(),
        detail: "Time from spawning, memory right after".into(),
        meaning: "A fresh process with an empty store, ready when it answers PING.".into(),
        command: "spawn, then PING until PONG".into(),
        against: theirs.into(),
        unit: unit.into(),
        better: Better::Lower,
        rows: vec![Row {
            name: "one thread, no data".into(),
            ours,
            theirs: theirs_rounds,
            command: String::new(),
            bar: None,
        }],
        curves: Vec::new(),
    }
}
