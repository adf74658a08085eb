//! What the operating system knows about this process: processor time, memory, open files.
//!
//! Read from small text files in `/proc`:
//!
//! ```text
//! /proc/self/stat     4321 (minicache) S 1 ... 1250 300 ... 98765   user and system ticks; start
//! /proc/self/status   VmRSS:  61440 kB                              resident memory
//! /proc/self/limits   Max open files  1024  524288  files
//! /proc/self/fd/      one entry for each open file
//! /proc/stat          btime 1764000000                              when the machine started
//! ```
//!
//! The crate `procfs` parses the same files (the test harness uses it), but would add 175 kB to
//! every engine and 21 s of CPU time to its release build (measured alone, x86-64), for forty lines
//! here. It also refuses to compile on other systems than Linux; here the figures are zero there.
//!
//! Counterparts in Redis: `zmalloc_get_rss` (`zmalloc.c`, the same file), `getrusage` for the times
//! (`genRedisInfoString` in `server.c`).

use std::fs;

/// Ticks per second in `/proc`. A constant of the kernel's interface (`USER_HZ`) on every
/// architecture that Rust runs on, whatever the kernel itself counts in.
const TICKS_PER_SECOND: f64 = 100.0;

/// The state of the process at one moment. A figure that could not be read is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// CPU time in the program, seconds.
    pub user_cpu_seconds: f64,
    /// CPU time in the kernel on its behalf, seconds.
    pub system_cpu_seconds: f64,
    /// Start of the process, seconds since 1970.
    pub start_time_seconds: f64,
    /// Resident memory, bytes.
    pub resident_bytes: u64,
    /// Address space reserved, bytes.
    pub virtual_bytes: u64,
    /// Threads alive.
    pub threads: u64,
    /// Files and sockets open.
    pub open_files: u64,
    /// Files and sockets that may be open.
    pub max_files: u64,
}

impl Process {
    /// Reads the current state: four small files, some ten microseconds, and a directory with an
    /// entry for each open file.
    pub fn look() -> Process {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Process {
            open_files: fs::read_dir("/proc/self/fd").map_or(0, |all| all.count() as u64),
            ..Process::parse(
                &read("/proc/self/stat"),
                &read("/proc/self/status"),
                &read("/proc/self/limits"),
                &read("/proc/stat"),
            )
        }
    }

    fn parse(stat: &str, status: &str, limits: &str, machine: &str) -> Process {
        // The second field is the program's name in parentheses, and may contain anything,
        // including spaces and parentheses. Field 3 follows the last `)` (proc_pid_stat(5)).
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let fields = after_name.split(' ').collect::<Vec<_>>();
        let seconds = |field: usize| number(fields.get(field - 3)) as f64 / TICKS_PER_SECOND;
        Process {
            user_cpu_seconds: seconds(14),
            system_cpu_seconds: seconds(15),
            start_time_seconds: labelled(machine, "btime") as f64 + seconds(22),
            resident_bytes: labelled(status, "VmRSS:").saturating_mul(1024),
            virtual_bytes: labelled(status, "VmSize:").saturating_mul(1024),
            threads: labelled(status, "Threads:"),
            open_files: 0,
            max_files: labelled(limits, "Max open files"),
        }
    }
}

/// CPU time of the calling thread in the program and in the kernel, seconds.
pub fn thread_cpu_seconds() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    let thread = Process::parse(&stat, "", "", "");
    (thread.user_cpu_seconds, thread.system_cpu_seconds)
}

/// The system's name and release and the machine's architecture, as `uname -srm` has them.
pub fn system() -> String {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}"));
    let [name, release] = ["ostype", "osrelease"].map(|name| read(name).unwrap_or_default());
    format!("{} {} {}", name.trim(), release.trim(), std::env::consts::ARCH)
}

/// The machine's memory, in bytes; 0 if it cannot be read.
pub fn machine_memory_bytes() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    labelled(&text, "MemTotal:").saturating_mul(1024)
}

/// The number after `label` at the beginning of a line. `unlimited` is `u64::MAX`.
fn labelled(text: &str, label: &str) -> u64 {
    let rest = text.lines().find_map(|line| line.strip_prefix(label)).unwrap_or("");
    match rest.split_ascii_whitespace().next() {
        Some("unlimited") => u64::MAX,
        word => number(word.as_ref()),
    }
}

fn number(word: Option<&&str>) -> u64 {
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specimen() {
        let stat = "4321 (a ) strange) S 1 4321 1 0 -1 4194560 500 0 0 0 1250 300 0 0 20 0 5 0 \
                    98765 104857600 15360 18446744073709551615\n";
        let status = "Name:\ta\nVmSize:\t  102400 kB\nVmRSS:\t   61440 kB\nThreads:\t5\n";
        let limits = "Limit  Soft  Hard  Units\nMax open files            1024    524288   files\n";
        let machine = "cpu  1 2 3\nbtime 1764000000\nprocesses 9\n";
        let expected = Process {
            user_cpu_seconds: 12.5,
            system_cpu_seconds: 3.0,
            start_time_seconds: 1_764_000_987.65,
            resident_bytes: 60 << 20,
            virtual_bytes: 100 << 20,
            threads: 5,
            open_files: 0,
            max_files: 1024,
        };
        assert_eq!(Process::parse(stat, status, limits, machine), expected);
    }

    #[test]
    fn malformed_texts_give_zeros() {
        assert_eq!(Process::parse("", "", "", ""), Process::default());
        assert_eq!(
            Process::parse("1 (x", "VmRSS:", "Max open files x", "btime"),
            Process::default()
        );
        assert_eq!(Process::parse("", "", "Max open files unlimited", "").max_files, u64::MAX);
    }

    #[test]
    fn this_machine() {
        assert!(machine_memory_bytes() > Process::look().resident_bytes);
        assert!(system().ends_with(std::env::consts::ARCH), "{}", system());
    }

    #[test]
    fn this_process() {
        let now = Process::look();
        assert!(now.resident_bytes > 0 && now.virtual_bytes > now.resident_bytes, "{now:?}");
        assert!(now.open_files >= 3 && now.max_files >= now.open_files, "{now:?}");
        assert!(now.start_time_seconds > 1.7e9, "{now:?}");
        assert!(now.threads >= 1, "{now:?}");
    }
}
