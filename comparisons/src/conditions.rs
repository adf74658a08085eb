//! The conditions a run is made under: figures mean little without them.
//!
//! ```text
//! 2 cores of Intel(R) Xeon(R) …, 8 GB of memory, Linux 6.1
//! cores: servers on core 0, load on core 1
//! other load when it began: 0.12 processes on average …
//! ```

use crate::cores::{self, Cores};

/// What figures depend on: processor, cores, memory, kernel.
pub fn machine() -> Vec<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cores = match cores::all().len() {
        0 | 1 => "1 core".into(),
        count => format!("{count} cores"),
    };
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let memory = minikit::process::machine_memory_bytes() as f64;
    vec![
        format!("{cores} of {}", model.map_or("unknown", |(_, name)| name.trim())),
        format!("{:.0} GB of memory", memory / 1e9),
        format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
    ]
}

/// The time, UTC, to the minute: `2026-11-22 15:55`.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M").to_string()
}

/// Where servers and load run. `used` is the placement in force, `possible` the one this machine
/// allows; they differ if the other server is not ours to start.
pub fn placement(used: Option<Cores>, possible: Option<Cores>) -> String {
    match (used, possible) {
        (Some(cores), _) => format!("cores: {cores}"),
        (None, Some(_)) => "cores: nothing pinned, because their server is not ours to pin".into(),
        (None, None) => "cores: one only, shared by server and load".into(),
    }
}

/// What else the machine did in the minute before.
pub fn other_load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let last_minute = text.split(' ').next().unwrap_or("unknown");
    format!(
        "other load when it began: {last_minute} processes on average; the more there are, the \
         less throughput and latency tell, and the more CPU per operation is the figure to trust"
    )
}
