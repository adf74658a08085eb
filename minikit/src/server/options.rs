//! Where and how a server listens, and what it bound in the end.
//!
//! ```text
//! Options { listen: [127.0.0.1:0], unix: [], threads: 0, .. }   what was asked for
//! Bound   { tcp: 127.0.0.1:43117, unix: None }                    what clients connect to
//! ```
//!
//! Redis counterpart: `bind`, `port`, `unixsocket`, `tcp-backlog`, `io-threads` and
//! `shutdown-timeout` in `config.c`.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where and how to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// The TCP addresses; port 0 means any free port. An IPv6 wildcard (`[::]`) accepts IPv4
    /// clients as well, unless `ipv6_only` is set or the system is configured otherwise.
    pub listen: Vec<SocketAddr>,
    /// IPv6 addresses accept no IPv4 clients, so that `0.0.0.0` and `[::]` can share a port.
    pub ipv6_only: bool,
    /// The paths of Unix sockets. A socket that an ended process left there is replaced; a live
    /// one, or a file of any other kind, is an error. Removed at the end.
    pub unix: Vec<PathBuf>,
    /// How many cores serve; 0 means as many as this process may use. `PerConnection` ignores it.
    pub threads: usize,
    /// How many clients may wait in the kernel to be accepted, per listener. The kernel caps it at
    /// `net.core.somaxconn`.
    pub backlog: u16,
}

impl Default for Options {
    /// No address yet, all cores, and Redis's backlog.
    fn default() -> Options {
        Options { listen: Vec::new(), ipv6_only: false, unix: Vec::new(), threads: 0, backlog: 511 }
    }
}

impl Options {
    /// The number of cores, with 0 resolved.
    pub(super) fn cores(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            given => given,
        }
    }
}

/// The addresses that were bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The first TCP address, with the real port if 0 was asked for.
    pub tcp: Option<SocketAddr>,
    /// The path of the first Unix socket.
    pub unix: Option<PathBuf>,
}

impl fmt::Display for Bound {
    /// The TCP address, or the path if there is none: one address, so that a line that ends in it
    /// is easy to parse.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.tcp, &self.unix) {
            (Some(address), _) => address.fmt(f),
            (None, Some(path)) => path.display().fmt(f),
            (None, None) => f.write_str("nothing"),
        }
    }
}
