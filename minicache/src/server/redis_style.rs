//! The command line of a `redis-server`: a file of directives, flags that override it, and the log
//! lines that scripts and test suites wait for.
//!
//! ```text
//! $ minicache redis.conf --port 7000 --save ''
//! 4242:M 22 Nov 2026 16:43:00.123 * minicache 0.1.0 in the ways of Redis 7.0.15, PID: 4242
//! 4242:M 22 Nov 2026 16:43:00.123 * Running mode=standalone, port=7000.
//! 4242:M 22 Nov 2026 16:43:00.123 # Server initialized
//! 4242:M 22 Nov 2026 16:43:00.123 * Ready to accept connections
//! ```
//!
//! The first argument is a file unless it begins with `-`. `-` as the first or last argument reads
//! more directives from standard input. All other arguments are directives with dashes
//! ([`conf::file`](crate::conf::file)). Without arguments every parameter has its default.
//!
//! Relative paths of the command line and of `include` start from the directory the server is
//! started in; those of `logfile`, `pidfile` and `unixsocket` start from `dir`.
//!
//! **How many cores?** One, as with `serve`, unless `io-threads` says more.
//! `MINICACHE_ADMIN=127.0.0.1:9100` opens the admin endpoint, for which Redis has no directive.
//!
//! **Who waits for it?** A shell waits for `daemonize yes` to return, and systemd, if `supervised`
//! says so, for a datagram. The first happens once the configuration is read, as in Redis; the
//! second at the last of the lines above. The counterpart in Redis is `main` (`server.c`).

use super::addresses::{listen_addresses, plain};
use super::aof::REWRITE;
use super::log;
use super::start::{self, Start};
use crate::commands::{REDIS_VERSION, cache::Cache};
use crate::conf::{Config, Settings, file};
use crate::engine::glob;
use minikit::cli::layers::nearest;
use minikit::server::{Bound, Options, ServerError};
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry, Permissions};
use std::io::{self, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::{
    net::SocketAddr, os::unix::ffi::OsStrExt, os::unix::fs::PermissionsExt, process::ExitCode,
};

/// First arguments that are not the name of a file: the subcommands, and requests for help.
const OTHER_COMMANDS: [&str; 11] =
    [REWRITE, "serve", "cli", "explain", "race", "help", "--help", "-h", "--version", "-V", "-v"];
/// The `pidfile` of a server in the background, if none is named.
const DAEMON_PIDFILE: &[u8] = b"/var/run/redis.pid";

/// Returns true if these arguments (without the program's name) are a redis-style command line.
pub fn is_meant(args: &[OsString]) -> bool {
    args.first().is_none_or(|first| !OTHER_COMMANDS.iter().any(|word| first == word))
}

/// A whole `main`; `args` without the program's name.
pub fn main(args: &[OsString]) -> ExitCode {
    let running = Arc::new(OnceLock::new());
    let start = match prepare(args, &running) {
        Ok(start) => start,
        Err(why) => {
            eprintln!("\n{why}");
            return ExitCode::FAILURE;
        }
    };
    let settings = start.config.settings().clone();
    warn_of_ignored(&start.config);
    let outcome = start::run(start, |cache, bound| {
        running.set(Arc::clone(cache)).ok().expect("the server becomes ready once");
        announce(&settings, bound);
    });
    match outcome {
        Ok(()) => {
            notify(&settings, "STOPPING=1\n");
            if !settings.pidfile.is_empty() {
                // Another program may have removed it already.
                let _ = fs::remove_file(&settings.pidfile);
            }
            tracing::warn!("User requested shutdown...");
            tracing::warn!("minicache is now ready to exit, bye bye...");
            ExitCode::SUCCESS
        }
        Err(error) => {
            report(&*error);
            ExitCode::FAILURE
        }
    }
}

/// Reads the configuration, changes into `dir`, and opens the log. Binds no socket yet.
fn prepare(args: &[OsString], running: &Arc<OnceLock<Arc<Cache>>>) -> Result<Start, String> {
    let line = CommandLine::read(args);
    let (text, config_file) = line.texts()?;
    let mut config = Config::default();
    file::load(&mut config, &text, &line.directives, &mut included)
        .map_err(|error| error.to_string())?;
    change_directory(&mut config)?;
    if config.settings().daemonize && supervisor(config.settings()).is_none() {
        crate::raw::daemonize().map_err(|error| format!("daemonize yes: {}", plain(&error)))?;
        if config.settings().pidfile.is_empty() {
            config.put("pidfile", &[DAEMON_PIDFILE]).expect("the file may have any name");
        }
    }
    let settings = config.settings();
    let (options, admin) = (options(settings)?, admin_address()?);
    let (at_start, running) = (settings.loglevel, Arc::clone(running));
    let level = move || match running.get() {
        Some(cache) => cache.config.snapshot().settings.loglevel,
        None => at_start,
    };
    log::start(&settings.logfile, level)
        .map_err(|error| format!("cannot open the logfile {}: {error}", settings.logfile))?;
    Ok(Start { options, admin, config, config_file })
}

struct CommandLine<'a> {
    file: Option<&'a Path>,
    standard_input: bool,
    directives: Vec<&'a [u8]>,
}

impl<'a> CommandLine<'a> {
    fn read(args: &'a [OsString]) -> CommandLine<'a> {
        let mut line = CommandLine { file: None, standard_input: false, directives: Vec::new() };
        for (index, arg) in args.iter().enumerate() {
            let bytes = arg.as_bytes();
            let (first, last) = (index == 0, index + 1 == args.len());
            if bytes == b"-" && (first || last) {
                line.standard_input = true;
            } else if first && !bytes.starts_with(b"-") {
                line.file = Some(Path::new(arg));
            } else {
                line.directives.push(bytes);
            }
        }
        line
    }

    /// The directives of file and standard input, and the absolute name of the file.
    fn texts(&self) -> Result<(Vec<u8>, String), String> {
        let (mut text, mut name) = (Vec::new(), String::new());
        if let Some(file) = self.file {
            let path = std::path::absolute(file).unwrap_or_else(|_| PathBuf::from(file));
            text = fs::read(&path).map_err(|error| unreadable(file, &path, &error))?;
            name = path.display().to_string();
        }
        if self.standard_input {
            if !text.is_empty() {
                text.push(b'\n');
            }
            let read = io::stdin().read_to_end(&mut text);
            read.map_err(|error| format!("cannot read standard input: {error}"))?;
        }
        Ok((text, name))
    }
}

fn unreadable(given: &Path, path: &Path, error: &io::Error) -> String {
    let start =
        format!("Fatal error, can't open config file '{}': {}", path.display(), plain(error));
    let advice = match nearest(&given.to_string_lossy(), &OTHER_COMMANDS) {
        Some(near) => format!("did you mean `minicache {near}`?"),
        None => "a first argument without dashes is the name of a redis.conf".to_string(),
    };
    format!("{start}; {advice}")
}

/// The text of an included file. If the last part of the path is a pattern, the texts of all files
/// that match it, in the order of their names.
fn included(path: &[u8]) -> Result<Vec<u8>, String> {
    let path = Path::new(OsStr::from_bytes(path));
    let cannot = |error: io::Error| format!("cannot read {}: {}", path.display(), plain(&error));
    let pattern = path.file_name().map_or(&b""[..], OsStr::as_bytes);
    if !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
        return fs::read(path).map_err(cannot);
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut names: Vec<_> = entries.map_err(cannot)?.iter().map(DirEntry::file_name).collect();
    let matches = |name: &[u8]| !name.starts_with(b".") && glob::matches(pattern, name);
    names.retain(|name| matches(name.as_bytes()));
    names.sort();
    let texts: Result<Vec<_>, _> = names.iter().map(|name| fs::read(folder.join(name))).collect();
    Ok(texts.map_err(cannot)?.join(&b'\n'))
}

/// Changes into the directory `dir`, and lets `CONFIG GET dir` show its absolute path.
fn change_directory(config: &mut Config) -> Result<(), String> {
    let dir = config.settings().dir.clone();
    let moved = std::env::set_current_dir(&dir).and_then(|()| std::env::current_dir());
    let here = moved.map_err(|error| {
        format!("dir {dir}: {}; name a folder that exists and may be entered", plain(&error))
    })?;
    let noted = config.put("dir", &[here.as_os_str().as_bytes()]);
    noted.map_err(|error| String::from_utf8_lossy(&error.reply()).into_owned())
}

fn options(settings: &Settings) -> Result<Options, String> {
    let unix = (!settings.unixsocket.is_empty()).then(|| PathBuf::from(&settings.unixsocket));
    Ok(Options {
        listen: listen_addresses(&settings.bind, settings.port)?,
        ipv6_only: false,
        unix: unix.into_iter().collect(),
        threads: settings.io_threads as usize,
        backlog: u16::try_from(settings.tcp_backlog).unwrap_or(u16::MAX),
    })
}

fn admin_address() -> Result<Option<SocketAddr>, String> {
    const VARIABLE: &str = "MINICACHE_ADMIN";
    let Ok(text) = std::env::var(VARIABLE) else { return Ok(None) };
    let address = text.parse().map_err(|_| format!("{VARIABLE}={text} is no ADDRESS:PORT"))?;
    Ok(Some(address))
}

/// Warns of parameters that were set and that this server does not obey.
fn warn_of_ignored(config: &Config) {
    let is_off = |name: &str| [&b""[..], b"no", b"0"].iter().any(|value| has(config, name, value));
    let names: Vec<&str> = config.without_effect().filter(|name| !is_off(name)).collect();
    if !names.is_empty() {
        tracing::warn!("These directives have no effect here: {}", names.join(" "));
    }
}

fn has(config: &Config, name: &str, value: &[u8]) -> bool {
    config.get(&[name.as_bytes()]).iter().any(|(_, text)| *text == value)
}

/// The socket of systemd, if `supervised` says that it waits to hear from this server.
fn supervisor(settings: &Settings) -> Option<OsString> {
    let socket = std::env::var_os("NOTIFY_SOCKET")?;
    ["systemd", "auto"].contains(&settings.supervised.as_str()).then_some(socket)
}

/// Tells systemd about this server, if it waits for that (`sd_notify`).
fn notify(settings: &Settings, text: &str) {
    let Some(socket) = supervisor(settings) else { return };
    let send = || {
        let address = match socket.as_bytes().strip_prefix(b"@") {
            Some(name) => UnixAddress::from_abstract_name(name),
            None => UnixAddress::from_pathname(&socket),
        };
        UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address?)
    };
    if let Err(error) = send() {
        tracing::warn!("cannot tell systemd about this server: {}", plain(&error));
    }
}

/// Logs the lines that scripts wait for, now that every core accepts clients.
fn announce(settings: &Settings, bound: &Bound) {
    let pid = std::process::id();
    if !settings.pidfile.is_empty()
        && let Err(error) = fs::write(&settings.pidfile, format!("{pid}\n"))
    {
        tracing::warn!("Failed to write PID file {}: {}", settings.pidfile, plain(&error));
    }
    let version = env!("CARGO_PKG_VERSION");
    let port = bound.tcp.map_or(0, |address| address.port());
    tracing::info!("minicache {version} in the ways of Redis {REDIS_VERSION}, PID: {pid}");
    tracing::info!("Running mode=standalone, port={port}.");
    tracing::warn!("Server initialized");
    if bound.tcp.is_some() {
        tracing::info!("Ready to accept connections");
    }
    if let Some(path) = &bound.unix {
        // Mode 0 keeps what the umask gave.
        let mode = settings.unixsocketperm;
        if mode != 0
            && let Err(error) = fs::set_permissions(path, Permissions::from_mode(mode))
        {
            tracing::warn!("cannot give {} the mode {mode:o}: {}", path.display(), plain(&error));
        }
        let path = path.display();
        tracing::info!("The server is now ready to accept connections at {path}");
    }
    notify(settings, "STATUS=Ready to accept connections\nREADY=1\n");
}

/// Logs why the server could not start, in the words that test suites look for.
fn report(error: &(dyn Error + 'static)) {
    match error.downcast_ref::<ServerError>() {
        Some(ServerError::Listen { flag: "--listen", address, source }) => {
            let (ip, port, why) = (address.ip(), address.port(), plain(source));
            tracing::warn!(
                "Warning: Could not create server TCP listening socket {ip}:{port}: bind: {why}"
            );
            tracing::warn!("Failed listening on port {port} (TCP), aborting.");
        }
        Some(ServerError::Unix { path, source }) => {
            let (path, why) = (path.display(), plain(source));
            tracing::warn!("Failed opening Unix socket {path}: bind: {why}");
        }
        _ => tracing::error!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(args: &[&str]) -> (Option<String>, bool, Vec<String>) {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let line = CommandLine::read(&args);
        let text = |bytes: &&[u8]| String::from_utf8_lossy(bytes).into_owned();
        let file = line.file.map(|path| path.display().to_string());
        (file, line.standard_input, line.directives.iter().map(text).collect())
    }

    #[test]
    fn a_file_standard_input_and_directives() {
        let owned = |words: &[&str]| words.iter().map(|it| it.to_string()).collect::<Vec<_>>();
        let file = || Some("a.conf".to_string());
        assert_eq!(line(&[]), (None, false, vec![]));
        assert_eq!(line(&["a.conf"]), (file(), false, vec![]));
        assert_eq!(line(&["a.conf", "-"]), (file(), true, vec![]));
        assert_eq!(line(&["-", "--port", "1"]), (None, true, owned(&["--port", "1"])));
        assert_eq!(line(&["--save", ""]), (None, false, owned(&["--save", ""])));
        let minus = ["--logfile", "-", "--port", "1"];
        assert_eq!(line(&minus), (None, false, owned(&minus)), "in the middle it is a word");
    }

    #[test]
    fn subcommands_and_help_are_no_files() {
        let meant = |args: &[&str]| is_meant(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(meant(&[]) && meant(&["redis.conf"]) && meant(&["--port", "1"]) && meant(&["-"]));
        for word in OTHER_COMMANDS {
            assert!(!meant(&[word, "--port"]), "{word}");
        }
    }

    #[test]
    fn a_pattern_includes_files_in_the_order_of_their_names() {
        let folder = std::env::temp_dir().join(format!("minicache-include-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the temporary folder is writable");
        for (name, text) in [("b.conf", "hz 20"), ("a.conf", "hz 10"), (".c.conf", "x"), ("d", "y")]
        {
            fs::write(folder.join(name), text).expect("just made");
        }
        let path = |name: &str| folder.join(name).into_os_string().into_encoded_bytes();
        assert_eq!(included(&path("*.conf")), Ok(b"hz 10\nhz 20".to_vec()));
        assert_eq!(included(&path("d")), Ok(b"y".to_vec()));
        assert_eq!(included(&path("*.none")), Ok(vec![]));
        let why = included(&path("e.conf")).expect_err("there is none");
        assert!(why.ends_with("e.conf: No such file or directory"), "{why}");
        fs::remove_dir_all(&folder).expect("ours");
    }
}
