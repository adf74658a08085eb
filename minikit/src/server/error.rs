//! Why a server could not start or did not end well, and what to try.
//!
//! ```text
//! cannot listen on 127.0.0.1:6379: Address already in use (os error 98). `ss -ltnp 'sport =
//! :6379'` shows who has it; --listen takes another (port 0: any)
//! ```
//!
//! None of these errors is worth a retry by the caller: a person has to change something first.
//! Redis logs the same cases in `listenToPort` (`server.c`) and exits with status 1.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server could not start, or did not end well. The message says what to try.
#[derive(Debug)]
pub enum ServerError {
    /// Neither a TCP address nor a Unix socket was asked for.
    NoAddress,
    /// A TCP address could not be bound.
    Listen {
        /// The option that asked for it.
        flag: &'static str,
        /// The requested address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// A Unix socket could not be bound.
    Unix {
        /// The requested path.
        path: PathBuf,
        /// The system's error, or what already exists at the path.
        source: io::Error,
    },
    /// The system refused a thread or an event queue.
    Start(io::Error),
    /// The thread of this name (`core-0`, `accept`) panicked outside of its connections; the others
    /// were drained.
    Panicked(String),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerError::NoAddress => {
                f.write_str("nothing to listen on: give a TCP address or a Unix socket")
            }
            ServerError::Listen { flag, address, source } => {
                write!(f, "cannot listen on {address}: {source}. {}", advice(flag, address, source))
            }
            ServerError::Unix { path, source } => {
                write!(f, "cannot listen on {}: {source}", path.display())
            }
            ServerError::Start(source) => write!(
                f,
                "cannot start a thread: {source}. Fewer threads, or a higher `ulimit -n`, may help"
            ),
            ServerError::Panicked(thread) => {
                write!(f, "thread {thread} panicked; its message is on standard error")
            }
        }
    }
}

fn advice(flag: &str, address: &SocketAddr, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => format!(
            "`ss -ltnp 'sport = :{}'` shows who has it; {flag} takes another (port 0: any)",
            address.port()
        ),
        io::ErrorKind::PermissionDenied => {
            format!("Ports below 1024 are for the administrator; {flag} takes another")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("No interface here has that address; {flag} takes 127.0.0.1 or 0.0.0.0")
        }
        _ => format!("{flag} takes another address"),
    }
}

/// The message has the cause in it.
impl std::error::Error for ServerError {}
