//! Which core runs the servers and which core runs the load.
//!
//! The scheduler moves processes around. If server and load tool share a core in one round and not
//! in the next, the ratio of two servers becomes the ratio of two placements. So both servers are
//! pinned to one core, and load tool and harness to another: if possible one that is not the server
//! core's hyper-thread sibling.
//!
//! ```text
//! allowed [0 1], siblings of 0: 0      server 0, client 1
//! allowed [0 1 2 3], siblings of 0: 0,1    server 0, client 2
//! allowed [5]                          no pinning: both must share core 5
//! ```

use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use minikit::harness::cpu_set;
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

use crate::Result;

/// A placement. `Display` is its form in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// The core of both servers, one at a time under load.
    pub server: usize,
    /// The core of the load tools and of the harness itself.
    pub client: usize,
}

impl Cores {
    /// Chooses two of the cores this process may use; none if there is only one.
    pub fn choose() -> Option<Cores> {
        choose(all(), |core| {
            let topology = format!("/sys/devices/system/cpu/cpu{core}/topology");
            fs::read_to_string(format!("{topology}/thread_siblings_list")).unwrap_or_default()
        })
    }

    /// Pins the calling thread, and the load tools it starts from now on, to the client core. A
    /// container may refuse; the figures then are less steady.
    pub fn take_client_core(&self) {
        let _ = sched_setaffinity(None, &cpu_set(&[self.client]));
    }

    /// Pins the calling thread to the server core, to measure what a server could do there.
    pub fn take_server_core(&self) {
        let _ = sched_setaffinity(None, &cpu_set(&[self.server]));
    }

    /// Pins every thread of a process to the server core. Threads started later inherit it.
    pub fn pin_server(&self, pid: u32) {
        pin(pid, self.server);
    }

    /// Pins every thread of a process to the client core.
    pub fn pin_client(&self, pid: u32) {
        pin(pid, self.client);
    }
}

fn pin(pid: u32, core: usize) {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return };
    let ids = threads.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for thread in ids.filter_map(Pid::from_raw) {
        let _ = sched_setaffinity(Some(thread), &cpu_set(&[core]));
    }
}

/// Nanoseconds that this thread has run.
///
/// # Errors
/// If `/proc` cannot be read.
pub fn cpu_of_this_thread() -> Result<u64> {
    schedstat("/proc/thread-self/schedstat")
}

/// The time that a thread of this process has run.
///
/// # Errors
/// If there is no such thread.
pub fn cpu_of_thread(thread: u32) -> Result<Duration> {
    schedstat(&format!("/proc/self/task/{thread}/schedstat")).map(Duration::from_nanos)
}

fn schedstat(path: &str) -> Result<u64> {
    Ok(fs::read_to_string(path)?.split(' ').next().unwrap_or_default().parse()?)
}

/// Every core this process could use when it was asked first, whatever it was pinned to since.
/// Empty if the kernel does not say.
pub fn all() -> &'static [usize] {
    static ALL: OnceLock<Vec<usize>> = OnceLock::new();
    ALL.get_or_init(|| {
        let Ok(set) = sched_getaffinity(None) else { return Vec::new() };
        (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
    })
}

impl std::fmt::Display for Cores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "servers on core {}, load on core {}", self.server, self.client)
    }
}

fn choose(allowed: &[usize], siblings: impl Fn(usize) -> String) -> Option<Cores> {
    let (server, others) = allowed.split_first()?;
    let near = parse_list(&siblings(*server));
    let far = others.iter().find(|core| !near.contains(core));
    Some(Cores { server: *server, client: *far.or(others.last())? })
}

/// Reads the kernel's notation for sets of cores: `0-1,4`.
fn parse_list(text: &str) -> Vec<usize> {
    let mut cores = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            cores.extend(first..=last);
        }
    }
    cores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_keeps_off_the_sibling_of_the_server() {
        let pairs = |core: usize| format!("{}-{}\n", core / 2 * 2, core / 2 * 2 + 1);
        assert_eq!(choose(&[0, 1, 2, 3], pairs), Some(Cores { server: 0, client: 2 }));
        assert_eq!(choose(&[0, 1], pairs), Some(Cores { server: 0, client: 1 }));
        assert_eq!(choose(&[5], pairs), None);
        assert_eq!(choose(&[], pairs), None);
    }

    #[test]
    fn core_lists_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_list("0-2,7\n"), [0, 1, 2, 7]);
        assert_eq!(parse_list(""), Vec::<usize>::new());
    }
}
