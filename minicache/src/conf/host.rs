//! The process around the server, as `CONFIG`, `INFO` and `DEBUG` need it: addresses, the working
//! directory, limits, files, processor time.
//!
//! ```text
//! CONFIG SET port 7000 ─> texts checked ─> Host::apply: bind port 7000 ─> new snapshot
//!                                               └─ in use: nothing has changed, the reply says why
//! ```
//!
//! Nothing below [`server`](crate::server) opens a file or a socket. The server hands in an
//! implementation; tests and models run without one, and there parameters change and nothing else
//! happens. In Redis these are the `apply` functions of `config.c`, which act on the process
//! directly.

use super::{ConfigError, Settings};
use std::io;

/// What `INFO` says about the process and its machine.
#[derive(Clone, Debug, Default)]
pub struct ProcessInfo {
    pub executable: String,
    /// Name, release and architecture of the operating system.
    pub system: String,
    /// Memory of the machine, bytes; 0 if unknown.
    pub machine_memory_bytes: usize,
    pub resident_bytes: usize,
    pub user_cpu_seconds: f64,
    pub system_cpu_seconds: f64,
    /// User and system time of the thread that asks.
    pub thread_cpu_seconds: (f64, f64),
}

pub trait Host: Send + Sync {
    /// Changes the process to match new settings.
    ///
    /// # Errors
    /// The parameter that could not be applied and why. The process is then as it was before.
    fn apply(&self, before: &Settings, after: &Settings) -> Result<(), ConfigError>;

    /// Looks at the process. Reads a few files of `/proc`, some ten microseconds.
    fn process(&self) -> ProcessInfo;

    /// Writes a line of a script to the log: debug, verbose, notice or warning, from 0 on.
    fn log(&self, level: u8, text: &[u8]);

    /// Replaces the contents of a file by what `edit` makes of them.
    ///
    /// # Errors
    /// The system's, if the file cannot be read or written.
    fn rewrite(&self, path: &str, edit: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> io::Result<()>;
}
