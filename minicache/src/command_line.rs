//! The command line of minicache.
//!
//! ```text
//! minicache serve --listen 127.0.0.1:6379      as all engines
//! minicache redis.conf --port 7000             as a redis-server
//! minicache cli PING                           as redis-cli
//! minicache explain frame GET k                the bytes of a request and its reply
//! minicache race zipf                          the eviction policies on a trace
//! ```
//!
//! The counterparts in Redis are `main` of `server.c` and of `redis-cli.c`: two programs.

use clap::Parser;
use minicache::cli::{self, CliArgs};
use minicache::commands::REDIS_VERSION;
use minicache::conf::{Config, ConfigError};
use minicache::explain::race::{self, RaceArgs};
use minicache::explain::{self, ExplainArgs};
use minicache::raw::Counting;
use minicache::server::aof;
use minicache::server::start::{self, Start};
use minicache::server::{self, redis_style};
use minikit::cli::{Engine, ServeArgs, main_with, print_ready};
use std::io::{self, Write};
use std::{error::Error, ffi::OsString, os::unix::ffi::OsStrExt, path::PathBuf, process::ExitCode};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ENGINE: Engine = Engine { name: "minicache", listen: "127.0.0.1:6379", sections: &[] };

/// A Redis small enough to read in an evening.
///
/// Also starts the way a redis-server does: `minicache [FILE.conf | -] [--directive value ...]`, on
/// port 6379 without arguments.
#[derive(Parser)]
#[command(name = "minicache", version = version())]
enum Command {
    /// Run the server
    Serve(Serve),
    /// Talk to a server: one command, or a conversation
    Cli(CliArgs),
    /// Look inside: a frame, an entry, a running server
    #[command(subcommand)]
    Explain(ExplainArgs),
    /// Play traces of keys on every eviction policy: hit ratios by cache size
    Race(RaceArgs),
}

#[derive(clap::Args)]
#[command(mut_arg("threads", |it| it.default_value("1")))]
struct Serve {
    #[command(flatten)]
    common: ServeArgs,
    /// Memory limit, above which keys are evicted or writes refused: 100mb, 1gb; 0 for none
    #[arg(long, value_name = "BYTES", value_parser = |text: &str| checked("maxmemory", text))]
    maxmemory: Option<String>,
    /// Which keys are evicted: allkeys-lru, volatile-ttl, allkeys-sieve, noeviction ...
    #[arg(long, value_name = "POLICY", value_parser = |it: &str| checked("maxmemory-policy", it))]
    maxmemory_policy: Option<String>,
    /// Log every change to the append-only file in this folder, and start with the keys in it
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// When that file is synced: always (before every reply), everysec or no
    #[arg(long, value_name = "WHEN", value_parser = |it: &str| checked("appendfsync", it))]
    appendfsync: Option<String>,
    /// Write changes of keys with a prefix to a table, later: user: users
    #[arg(long, num_args = 2, value_names = ["PREFIX", "TABLE"], requires = "write_behind_url")]
    write_behind: Vec<String>,
    /// The database of the table: postgresql://user@host/database. Better given as
    /// MINICACHE_WRITE_BEHIND_URL if there is a password in it
    #[arg(long, value_name = "URL", env = "MINICACHE_WRITE_BEHIND_URL", hide_env_values = true)]
    write_behind_url: Option<String>,
    /// The password that AUTH wants; better given as MINICACHE_REQUIREPASS, which `ps` does not
    /// show
    #[arg(long, value_name = "PASSWORD")]
    requirepass: Option<String>,
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    if args.get(1).is_some_and(|first| first == "-v") {
        // `redis-server -v` prints the version.
        args[1] = "--version".into();
    }
    let after_name = args.get(1..).unwrap_or_default();
    if after_name.first().is_some_and(|first| first == aof::REWRITE) {
        return aof::rewrite(&after_name[1..]);
    }
    if redis_style::is_meant(after_name) {
        return redis_style::main(after_name);
    }

    let mut succeeded = true;
    let code = main_with(&ENGINE, args, |command| match command {
        Command::Serve(serve) => serve.run(),
        Command::Cli(args) => cli::run(args).map(|ok| succeeded = ok),
        Command::Explain(args) => {
            print(&explain::explain(args, server::now())?);
            Ok(())
        }
        Command::Race(args) => {
            print(&race::race(args)?);
            Ok(())
        }
    });
    if succeeded { code } else { ExitCode::FAILURE }
}

/// A closed output (`explain ... | head`) is no failure.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn version() -> String {
    format!("{} (Redis server v={REDIS_VERSION} bits={})", env!("CARGO_PKG_VERSION"), usize::BITS)
}

/// Checks a flag as `CONFIG SET` checks the parameter.
fn checked(parameter: &str, text: &str) -> Result<String, String> {
    put(&mut Config::default(), parameter, &[text.as_bytes()])?;
    Ok(text.to_string())
}

fn put(config: &mut Config, parameter: &str, words: &[&[u8]]) -> Result<(), String> {
    config.put(parameter, words).map_err(|error| match error {
        ConfigError::Refused { reason, .. } => reason,
        ConfigError::Unknown(name) => format!("no parameter {}", name.escape_ascii()),
    })
}

impl Serve {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let (options, admin) = (self.common.options(), self.common.admin);
        let start = Start { options, admin, config: self.config()?, config_file: String::new() };
        start::run(start, |_, bound| print_ready(&ENGINE, bound))?;
        Ok(())
    }

    /// The parameters that the flags set, so that `CONFIG GET` shows them.
    fn config(&self) -> Result<Config, Box<dyn Error>> {
        let mut config = Config::default();
        let bindings = self.write_behind.iter().map(String::as_bytes).collect::<Vec<_>>();
        put(&mut config, "write-behind", &bindings)?;
        let mut put = |name: &str, value: &[u8]| put(&mut config, name, &[value]);
        let dir = self.data_dir.clone().unwrap_or_default();
        put("dir", std::env::current_dir()?.join(dir).as_os_str().as_bytes())?;
        // With write-behind the folder has the journal, and the tables have the keys.
        let logs = self.data_dir.is_some() && self.write_behind.is_empty();
        put("appendonly", if logs { b"yes" } else { b"no" })?;
        put("bind", self.common.listen.ip().to_string().as_bytes())?;
        // Protected mode is for servers whose address nobody chose; here `--listen` is explicit.
        put("protected-mode", b"no")?;
        if let Some(path) = &self.common.unix {
            put("unixsocket", path.as_os_str().as_bytes())?;
        }
        for (name, value) in [
            ("maxmemory", &self.maxmemory),
            ("maxmemory-policy", &self.maxmemory_policy),
            ("appendfsync", &self.appendfsync),
            ("requirepass", &self.requirepass),
            ("write-behind-url", &self.write_behind_url),
        ] {
            if let Some(value) = value {
                put(name, value.as_bytes())?;
            }
        }
        Ok(config)
    }
}
