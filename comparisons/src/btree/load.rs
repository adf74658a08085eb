//! Loading a million rows: COPY into a table without an index, then its primary key.
//!
//! ```text
//! pgbench -i -I dtgp -s 10
//!   done in 2.31 s (…, client-side generate 1.72 s, primary keys 0.58 s).
//! ```
//!
//! pgbench generates the rows while it sends them, and needs about as much of a core as the server.

use super::systems::Tools;
use crate::Result;
use crate::model::{Better, Comparison, Row};
use crate::provider::Server;
use crate::rounds::Rounds;

/// The title.
pub const TITLE: &str = "Loading a million rows";
/// The row of the COPY.
pub const COPY: &str = "COPY";
/// The row of the primary keys.
pub const PRIMARY_KEY: &str = "ALTER TABLE ADD PRIMARY KEY";

/// 100,000 rows of `pgbench_accounts` each.
pub const SCALE: u64 = 10;
/// The planned seconds of one load.
pub const SECONDS: f64 = 4.0;

/// Loads both in turns. The last load stays for the transactions.
pub fn compare(rounds: &mut Rounds, tools: &Tools, servers: &[Server; 2]) -> Result<Comparison> {
    let command = initialize_arguments(SCALE);
    let samples = rounds.all("load", SECONDS, |side| {
        let output = tools.pgbench(&servers[side], &command)?;
        let rows = (SCALE * 100_000) as f64;
        let step = |name| {
            let seconds = seconds_of(&output, name);
            seconds.map(|it| rows / it).ok_or_else(|| format!("no time of {name:?} in {output}"))
        };
        Ok([step("client-side generate")?, step("primary keys")?])
    })?;
    let row = |name: &str, at: usize| {
        let [ours, theirs] =
            samples.each_ref().map(|all| all.iter().map(|sample| sample[at]).collect());
        Row { name: name.into(), ours, theirs, command: String::new(), bar: None }
    };
    Ok(Comparison {
        id: "load".into(),
        title: TITLE.into(),
        detail: format!("{} rows of pgbench_accounts, about 100 bytes each", SCALE * 100_000),
        meaning: "Rows a second, as pgbench times the steps of its initialization. COPY FREEZE \
                  goes into a table that the same transaction has truncated; the keys are built \
                  after it. pgbench itself is a good part of the first."
            .into(),
        command: format!("pgbench {command}"),
        against: servers[1].name.into(),
        unit: "rows/s".into(),
        better: Better::Higher,
        rows: vec![row(COPY, 0), row(PRIMARY_KEY, 1)],
        curves: Vec::new(),
    })
}

/// What makes pgbench create, load and index its tables.
pub fn initialize_arguments(scale: u64) -> String {
    format!("-i -I dtgp -s {scale} -q")
}

/// The seconds of a step in the last line that `pgbench -i` prints.
fn seconds_of(output: &str, step: &str) -> Option<f64> {
    let line = output.lines().rfind(|line| line.starts_with("done in "))?;
    let (_, rest) = line.split_once(&format!("{step} "))?;
    // A step that takes less than the resolution would be infinitely fast.
    let seconds: f64 = rest.split(' ').next()?.parse().ok()?;
    Some(seconds.max(0.01))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_in_the_last_line() {
        let output = "creating primary keys...\n\
            done in 2.31 s (drop tables 0.00 s, client-side generate 1.72 s, primary keys 0.58 s).";
        assert_eq!(seconds_of(output, "client-side generate"), Some(1.72));
        assert_eq!(seconds_of(output, "primary keys"), Some(0.58));
        assert_eq!(seconds_of(output, "vacuum"), None);
    }
}
