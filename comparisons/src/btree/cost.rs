//! What a run costs a server: processor time and bytes of log.
//!
//! PostgreSQL has a process for each client, minibtree a thread. Both are gone when pgbench ends,
//! so the time of the processes and threads that still run would miss the work itself:
//!
//! ```text
//! /proc/4712/stat   utime stime           the postmaster, or every thread that minibtree ever had
//!                   cutime cstime         backends that have ended
//! /proc/4720/stat   utime stime           a child that still runs: walwriter, checkpointer, …
//! ```

use std::time::Duration;

use procfs::process::{Process, all_processes};

use super::systems::Tools;
use crate::provider::Server;

/// Processor time of a server so far, with all processes it ever started. `None` for a server on
/// another machine.
pub fn cpu_time(server: &Server) -> Option<Duration> {
    let pid = i32::try_from(server.pid?).ok()?;
    let parent = Process::new(pid).ok()?.stat().ok()?;
    let ended = (parent.cutime + parent.cstime).max(0) as u64;
    let stats = all_processes().ok()?.flatten().filter_map(|process| process.stat().ok());
    let running: u64 = stats.filter(|it| it.ppid == pid).map(|it| it.utime + it.stime).sum();
    let ticks = parent.utime + parent.stime + ended + running;
    Some(Duration::from_secs(ticks) / procfs::ticks_per_second() as u32)
}

/// The end of a server's log, in bytes since it was created. `None` if it does not say.
pub fn log_end(server: &Server, tools: &Tools) -> Option<u64> {
    parse_lsn(&tools.sql(server, "select pg_current_wal_insert_lsn()").ok()?)
}

/// Reads a position of the log: `1/23013E8`.
fn parse_lsn(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    Some(u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_two_hexadecimal_halves() {
        assert_eq!(parse_lsn("1/23013E8"), Some(0x1_0230_13E8));
        assert_eq!(parse_lsn("none"), None);
    }
}
