//! The one system call that needs `unsafe`: code that runs in a child between `fork` and `exec`.
//!
//! A test that is killed cannot clean up, so the kernel has to: `prctl(PR_SET_PDEATHSIG)` in the
//! child asks for SIGKILL as soon as the parent is gone.
//!
//! ```text
//! test process 100          fork ──> 101: own process group, PDEATHSIG = KILL, cores [0]; exec
//! 100 is killed with -9              101 receives SIGKILL from the kernel
//! ```
//!
//! The counterpart in Redis's test suite is a list of process ids that its `cleanup` kills
//! (`tests/test_helper.tcl`); it does not survive a `kill -9` of the suite.
#![allow(unsafe_code)]

use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Makes the processes of `command` lead a process group of their own, run on `cores` if given,
/// and receive SIGKILL when the thread that spawned them ends. Call it once per command: a second
/// call adds a second hook.
///
/// The kernel watches the *thread*, not the process: spawn from a thread that outlives the child.
pub fn tie_to_parent(command: &mut Command, cores: Option<&[usize]>) {
    command.process_group(0);
    let set = cores.map(cpu_set);

    // SAFETY: the closure runs in the child between fork and exec, where only async-signal-safe
    // calls are allowed. Both calls are bare system calls (rustix's linux-raw backend), `set` was
    // built before the fork, and nothing is allocated or locked.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // A container may forbid pinning. The program still has to start.
            let _unpinned = set.as_ref().map(|set| sched_setaffinity(None, set));
            Ok(())
        });
    }
}

/// `cores` as the kernel's bit set. Cores beyond its size (1,024) are left out.
pub fn cpu_set(cores: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    cores.iter().filter(|core| **core < CpuSet::MAX_CPU).for_each(|core| set.set(*core));
    set
}
