//! The system calls that the standard library does not offer: the only `unsafe` of this crate.
//!
//! Three things are asked of the kernel here. *Which cores may I use, and keep that process on this
//! one* (what `taskset` does), *tell every process of this group to stop* (what `kill -- -PGID`
//! does), and *if I die, end my child too* (`prctl(PR_SET_PDEATHSIG)`), which is what keeps a
//! server from outliving a harness that was ended with `kill -9` and had no chance to clean up.
//!
//! ```text
//! allowed_cores()          -> [0, 1]
//! pin(pid 4711, [0])       -> true, thread 4711 now runs on core 0 only
//! signal_group(4711, TERM) -> every process of group 4711 is asked to end
//! ```
#![allow(unsafe_code)]

use std::os::unix::process::CommandExt;
use std::process::Command;

pub use libc::{SIGKILL, SIGTERM};

/// The cores this thread may run on, in ascending order; empty where the kernel does not say.
pub fn allowed_cores() -> Vec<usize> {
    // SAFETY: `cpu_set_t` is a plain bit array for which all zeroes is a valid value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer and the size describe `set`, which lives until the call returns.
    let failed = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) } != 0;
    if failed {
        return Vec::new();
    }
    // SAFETY: CPU_ISSET reads bit `core` of `set`, and the range ends where `set` ends.
    (0..8 * size_of_val(&set)).filter(|core| unsafe { libc::CPU_ISSET(*core, &set) }).collect()
}

/// Keeps one thread on `cores`; 0 means the caller. False where the kernel refuses.
pub fn pin(thread: u32, cores: &[usize]) -> bool {
    libc::pid_t::try_from(thread).is_ok_and(|thread| pin_to(thread, &set_of(cores)))
}

fn set_of(cores: &[usize]) -> libc::cpu_set_t {
    // SAFETY: as in `allowed_cores`.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    let bits = 8 * size_of_val(&set);
    for core in cores.iter().filter(|core| **core < bits) {
        // SAFETY: the filter keeps `core` inside of `set`.
        unsafe { libc::CPU_SET(*core, &mut set) };
    }
    set
}

fn pin_to(thread: libc::pid_t, set: &libc::cpu_set_t) -> bool {
    // SAFETY: the pointer and the size describe `set`; a wrong thread number is only an error.
    unsafe { libc::sched_setaffinity(thread, size_of_val(set), set) == 0 }
}

/// Sends `signal` to every process of a group. Groups 0 and 1 (our own, everybody) are never meant.
pub fn signal_group(group: u32, signal: i32) {
    let Ok(group) = libc::pid_t::try_from(group) else { return };
    if group > 1 {
        // SAFETY: `kill` touches no memory of ours; a group that is gone is only an error.
        unsafe { libc::kill(-group, signal) };
    }
}

/// Makes a command start its process in a group of its own, on `cores` if given (else where the
/// caller is), and end it when the calling thread ends.
pub fn tie_to_us(command: &mut Command, cores: Option<&[usize]>) {
    command.process_group(0);
    let set = cores.map(set_of);
    // SAFETY: the closure runs in the child between fork and exec, where only async-signal-safe
    // calls are allowed: both are system calls and nothing else, and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            // Refused or not, the server has to start; the figures then say less.
            let _pinned = set.as_ref().is_none_or(|set| pin_to(0, set));
            Ok(())
        });
    }
}
