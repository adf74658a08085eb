//! The command line that every engine has, and the exit codes that go with it.
//!
//! ```text
//! minicache serve --listen 127.0.0.1:0 --threads 2
//! minicache listening on 127.0.0.1:40213            <- standard output, once, when ready
//! 2026-11-22T15:00:00Z  INFO ...                    <- standard error, `RUST_LOG` decides how much
//! ```
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done, or drained after a signal |
//! | 1 | could not do it; the message says what, and what to try |
//! | 2 | bad usage: of a flag, an environment variable or the file |
//!
//! An engine adds its own options as clap arguments beside a flattened [`ServeArgs`]. Each of them
//! is also an environment variable and a key of the file (see [`layers`]). A whole engine:
//!
//! ```
//! use clap::Parser;
//! use minikit::cli::{Engine, ServeArgs, main_with};
//!
//! #[derive(Parser)]
//! #[command(name = "miniecho", version, about = "Repeats every line")]
//! enum Echo {
//!     /// Run the server.
//!     Serve(Serve),
//! }
//!
//! #[derive(clap::Args)]
//! struct Serve {
//!     #[command(flatten)]
//!     common: ServeArgs,
//!     /// How often to repeat it: also `MINIECHO_TIMES`, also `times = 3` in the file.
//!     #[arg(long, default_value_t = 1)]
//!     times: u32,
//! }
//!
//! let engine = Engine { name: "miniecho", listen: "127.0.0.1:7", sections: &[] };
//! let args = ["miniecho", "serve", "--times", "3"].map(Into::into);
//! main_with(&engine, args, |Echo::Serve(serve)| {
//!     assert_eq!(serve.times, 3);
//!     assert_eq!(serve.common.listen.to_string(), "127.0.0.1:7");
//!     Ok(())
//! });
//! ```
//!
//! Redis counterpart: `main` and `loadServerConfig` (`server.c`, `config.c`).

pub mod layers;

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::server::{Bound, Options};

/// What differs between the command lines of the engines.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// The name of the program, in lower case. In upper case it is the prefix of its environment
    /// variables.
    pub name: &'static str,
    /// Where `serve` listens unless told otherwise: the port of the real system.
    pub listen: &'static str,
    /// Tables of the file that are no options: the engine reads them itself.
    pub sections: &'static [&'static str],
}

/// The options of every engine's `serve`.
#[derive(clap::Args, Clone, Debug)]
pub struct ServeArgs {
    /// TCP address to serve on; port 0 takes any free one
    #[arg(long, value_name = "ADDR:PORT", value_parser = socket_address)]
    pub listen: SocketAddr,
    /// Unix socket to serve on as well
    #[arg(long, value_name = "PATH")]
    pub unix: Option<PathBuf>,
    /// Serve metrics, health and the state page here [default: off]
    #[arg(long, value_name = "ADDR:PORT", value_parser = socket_address)]
    pub admin: Option<SocketAddr>,
    /// Cores to serve on; 0 takes all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// TOML file with any of these options, by their long names
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ServeArgs {
    /// The part that the server's life cycle needs, with defaults for the rest.
    pub fn options(&self) -> Options {
        Options {
            listen: vec![self.listen],
            unix: self.unix.iter().cloned().collect(),
            threads: self.threads,
            ..Options::default()
        }
    }
}

/// Reads `127.0.0.1:6379` or `[::1]:6379`.
///
/// # Errors
/// A message for each likely mistake: no port, no address, no brackets, a name in place of numbers.
fn socket_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| match text.rsplit_once(':') {
        _ if text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) => {
            "needs brackets and a port, as in [::1]:6379"
        }
        None if text.parse::<u16>().is_ok() => "needs an address, as in 127.0.0.1:6379",
        None => "needs a port, as in 127.0.0.1:6379",
        Some((_, port)) if port.parse::<u16>().is_err() => {
            "the port is a number from 0 to 65535, as in 127.0.0.1:6379"
        }
        Some(("", _)) => "needs an address, as in 127.0.0.1:6379",
        Some(_) => "the address is written in numbers, as in 127.0.0.1:6379 or [::1]:6379",
    })
}

/// A whole `main`: parses the command line `args` (program name first) into `C`, sets up logging,
/// calls `run`, and turns its result into an exit code. An error is printed after the engine's
/// name.
///
/// `C` has a subcommand `serve` that flattens [`ServeArgs`].
pub fn main_with<C: Parser>(
    engine: &Engine,
    args: impl IntoIterator<Item = OsString>,
    run: impl FnOnce(C) -> Result<(), Box<dyn Error>>,
) -> ExitCode {
    let parsed = match layers::parse::<C>(engine, args.into_iter().collect()) {
        Ok(parsed) => parsed,
        Err(usage) => {
            // A closed output (`--help | head`) is no failure.
            let _ = usage.print();
            return ExitCode::from(if usage.use_stderr() { 2 } else { 0 });
        }
    };
    log_to_stderr();
    match run(parsed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", engine.name);
            ExitCode::from(1)
        }
    }
}

/// Prints the ready line: `minicache listening on 127.0.0.1:6379`. Clients can connect now.
pub fn print_ready(engine: &Engine, bound: &Bound) {
    let mut out = io::stdout().lock();
    // The server runs even if its standard output is closed.
    let _ = writeln!(out, "{} listening on {bound}", engine.name).and_then(|()| out.flush());
}

/// Sends `tracing` events to standard error: `RUST_LOG=debug`, `RUST_LOG=warn,minikit=trace`;
/// by default from `info` up. Only the first call in a process counts.
fn log_to_stderr() {
    let wish = std::env::var("RUST_LOG").unwrap_or_default();
    let wish = if wish.is_empty() { "info" } else { &wish };
    let (filter, misread) = match wish.parse::<Targets>() {
        Ok(filter) => (filter, None),
        Err(error) => (Targets::new().with_default(LevelFilter::INFO), Some(error)),
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    if let Some(error) = misread {
        tracing::warn!("RUST_LOG={wish} is not a valid filter ({error}); logging at level info");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_address_is_refused_with_what_it_lacks() {
        for (text, complaint) in [
            ("127.0.0.1", "needs a port"),
            ("localhost", "needs a port"),
            ("", "needs a port"),
            ("6379", "needs an address"),
            (":6379", "needs an address"),
            ("::1", "needs brackets and a port"),
            ("[::1]", "the port is a number"),
            ("127.0.0.1:", "the port is a number"),
            ("127.0.0.1:65536", "the port is a number"),
            ("127.0.0.1:http", "the port is a number"),
            ("localhost:6379", "the address is written in numbers"),
            ("127.0.0:6379", "the address is written in numbers"),
        ] {
            let error = socket_address(text).expect_err(text);
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
        for text in ["127.0.0.1:0", "[::1]:65535"] {
            assert_eq!(socket_address(text).map(|address| address.to_string()), Ok(text.into()));
        }
    }
}
