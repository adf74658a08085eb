//! What a process costs, read from `/proc`: the part of `top` that a test or comparison needs.
//!
//! The figures are the process's own. Load tools and other programs on a busy machine do not enter
//! into them, which makes CPU time the most trustworthy figure of a comparison:
//!
//! ```text
//! /proc/4711/task/4711/schedstat   163200000 …    0.1632 s on a core, kernel time included
//! /proc/4711/smaps_rollup          Rss: 95800 kB  memory that is really there
//! /proc/4711/status                VmHWM: 101200 kB  the most there ever was
//! ```
//!
//! Every function takes a process id and returns `None` if the process is gone or the file cannot
//! be read. Redis reads the same about itself (`zmalloc_get_rss`, `zmalloc.c`).

use std::time::Duration;

use procfs::process::{Process, all_processes};

/// CPU time of a process so far, user and kernel, all its threads. Nanoseconds from the scheduler
/// if the kernel keeps them, otherwise from the 10 ms ticks of `/proc/PID/stat`.
///
/// Costs one small file for each thread.
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let process = process(pid)?;
    // Threads can end between listing and reading. What they used is then missing here.
    let threads = process.tasks().ok()?.flatten().filter_map(|task| task.schedstat().ok());
    let nanoseconds = threads.map(|thread| thread.sum_exec_runtime).sum::<u64>();
    if nanoseconds > 0 {
        return Some(Duration::from_nanos(nanoseconds));
    }

    let stat = process.stat().ok()?;
    Some(Duration::from_secs(stat.utime + stat.stime) / procfs::ticks_per_second() as u32)
}

/// Bytes of a process that are in memory. `smaps_rollup` walks the pages and is exact. Processes
/// of other users (a container's) only allow `status`, which may be some pages behind.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let process = process(pid)?;
    let exact = process.smaps_rollup().ok().and_then(|all| {
        all.memory_map_rollup.0.first().and_then(|sum| sum.extension.map.get("Rss").copied())
    });
    exact.or_else(|| Some(process.status().ok()?.vmrss? * 1024))
}

/// The most bytes a process ever had in memory.
pub fn resident_peak_bytes(pid: u32) -> Option<u64> {
    Some(process(pid)?.status().ok()?.vmhwm? * 1024)
}

/// Returns true if the process exists and is not a zombie.
pub fn is_running(pid: u32) -> bool {
    process(pid).is_some_and(|process| process.is_alive())
}

/// Returns true if any process of the group is running. Reads one small file for each process of
/// the machine.
pub fn group_is_running(leader: u32) -> bool {
    let Ok(processes) = all_processes() else { return false };
    processes
        .flatten()
        .filter_map(|process| process.stat().ok())
        .any(|stat| stat.pgrp as u32 == leader && !matches!(stat.state, 'Z' | 'X'))
}

fn process(pid: u32) -> Option<Process> {
    Process::new(i32::try_from(pid).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_of_this_process_is_known() {
        let pid = std::process::id();
        assert!(is_running(pid) && cpu_time(pid).is_some());
        let resident = resident_bytes(pid).expect("our own");
        assert!(resident > 100_000, "{resident}");
        assert!(resident_peak_bytes(pid).expect("our own") > resident / 2);
    }

    #[test]
    fn a_process_that_does_not_exist_has_no_cost() {
        // Process ids end at 2^22.
        assert_eq!(cpu_time(u32::MAX / 4), None);
        assert_eq!(resident_bytes(u32::MAX / 4), None);
        assert!(!is_running(u32::MAX / 4) && !group_is_running(u32::MAX / 4));
    }
}
