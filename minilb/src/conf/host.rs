//! What a configuration needs from the system: files and names.
//!
//! The reader gets it handed in, so tests can read files that exist only in memory:
//!
//! ```text
//! include sites/*.conf;           glob("/etc/nginx/sites/*.conf"), then read each
//! server db.example:5432;         resolve("db.example:5432")
//! ```

use super::error::ConfError;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Files and names.
pub trait Host {
    /// The contents of a file.
    ///
    /// # Errors
    /// If it cannot be read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files in the directory of `pattern` whose names match its last component, sorted.
    fn glob(&self, pattern: &Path) -> Vec<PathBuf>;

    /// The addresses of `HOST:PORT`; empty if the name is unknown.
    fn resolve(&self, host_and_port: &str) -> Vec<SocketAddr>;

    /// Returns true if a directive that is not known is to be skipped: `--lenient`.
    fn tolerates(&self, _error: &ConfError) -> bool {
        false
    }
}
