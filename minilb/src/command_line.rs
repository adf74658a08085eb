//! The command line: `minilb serve`, and NGINX's own flags.
//!
//! ```text
//! minilb serve -c nginx.conf      serve in the foreground
//! minilb -c nginx.conf            the same, as NGINX is started
//! minilb -t -c nginx.conf         check it; exit status 1 and the error if it is wrong
//! minilb -T -c nginx.conf         the same, and print all files that it consists of
//! minilb -s reload                SIGHUP to the process of the pid file
//! minilb why -c nginx.conf /a     how a request would be balanced, and why
//! minilb diff nginx.conf          where a real NGINX answers differently
//! ```
//!
//! A relative `-c` is below `-p`, and `-p` is the current directory if it is not given.
//!
//! NGINX counterpart: `ngx_get_options` and `main` (`nginx.c`).

use clap::Parser;
use minikit::cli::{Engine, print_ready};
use minilb::conf::config::{Config, ErrorLog};
use minilb::conf::host::Host;
use minilb::conf::lexer::{Lexer, Statement};
use minilb::conf::reader::open_error;
use minilb::explain::why::{Burst, explain_burst};
use minilb::server::files::System;
use minilb::server::start::{ServeOptions, Source, http_generation, serve};
use minilb::server::user::User;
use rustix::process::{Pid, Signal, kill_process};
use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use tracing_subscriber::filter::LevelFilter;

const ENGINE: Engine = Engine { name: "minilb", listen: "", sections: &[] };

/// An NGINX small enough to read in an evening
#[derive(Parser)]
#[command(name = "minilb", disable_version_flag = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
    /// Show the version and exit
    #[arg(short = 'v')]
    version: bool,
    /// Show the version and what it is like, and exit
    #[arg(short = 'V')]
    details: bool,
    /// Test the configuration and exit
    #[arg(short = 't')]
    test: bool,
    /// Test the configuration, print it and exit
    #[arg(short = 'T')]
    dump: bool,
    /// Send a signal to the running process: stop, quit, reopen or reload
    #[arg(short = 's', value_name = "SIGNAL", value_parser = ["stop", "quit", "reopen", "reload"])]
    signal: Option<String>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Explain what the configuration does with a request; nothing is sent
    Why {
        #[command(flatten)]
        flags: Flags,
        #[command(flatten)]
        burst: Burst,
    },
    /// Run a real NGINX and minilb on the same files, and print where they differ
    Diff {
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// Serve in the foreground
    Serve {
        #[command(flatten)]
        flags: Flags,
        #[command(flatten)]
        options: ServeOptions,
    },
}

#[derive(clap::Args)]
struct Flags {
    /// The configuration
    #[arg(short = 'c', long = "config", value_name = "FILE", default_value = "nginx.conf")]
    config: PathBuf,
    /// The directory that relative paths are below [default: the current one]
    #[arg(short = 'p', value_name = "DIR")]
    prefix: Option<PathBuf>,
    /// Directives in front of the configuration
    #[arg(short = 'g', value_name = "DIRECTIVES")]
    globals: Option<String>,
    /// The error log if the configuration names none [default: standard error]
    #[arg(short = 'e', value_name = "FILE")]
    error_log: Option<PathBuf>,
    /// Skip directives that are not known, with a warning, unless they may protect something
    #[arg(long)]
    lenient: bool,
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    if line.version || line.details {
        eprintln!("minilb version: minilb/{}", env!("CARGO_PKG_VERSION"));
        if line.details {
            eprintln!("configuration and balancing of nginx/1.22.1");
        }
        return ExitCode::SUCCESS;
    }

    let CommandLine { command, flags, test, dump, signal, .. } = line;
    let (flags, action) = match command {
        Some(Command::Serve { flags, options }) => (flags, Action::Serve(options)),
        Some(Command::Why { flags, burst }) => (flags, Action::Why(burst)),
        Some(Command::Diff { files }) => return diff(&files),
        None => (flags, Action::Serve(ServeOptions::default())),
    };
    let action = match signal {
        _ if test || dump => Action::Test { dump },
        Some(signal) => Action::Signal(signal),
        None => action,
    };
    match execute(flags, action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("minilb: [emerg] {error}");
            ExitCode::from(1)
        }
    }
}

/// Compares minilb with NGINX.
fn diff(files: &[PathBuf]) -> ExitCode {
    let flatten = |file: &Path| {
        let mut text = String::new();
        flatten(file, file.parent().unwrap_or(file), 0, &mut text)?;
        Ok(text)
    };
    match std::env::current_exe().is_ok_and(|it| minilb_diff::run(&it, files, flatten)) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    }
}

/// Appends a configuration with one statement per line, its words in quotes, and included files in
/// their place.
fn flatten(file: &Path, dir: &Path, depth: usize, out: &mut String) -> Result<(), Box<dyn Error>> {
    if depth > 64 {
        return Err(format!("{} includes itself", file.display()).into());
    }
    let mut lexer = Lexer::new(std::fs::read(file)?, Some(file.display().to_string()));
    loop {
        match lexer.next_statement()? {
            Statement::End => return Ok(()),
            Statement::BlockEnd => out.push_str("}\n"),
            Statement::Directive { words, .. } if words[0] == "include" => {
                let files = System::default().glob(&dir.join(&words[1]));
                files.iter().try_for_each(|it| flatten(it, dir, depth + 1, out))?;
            }
            Statement::Directive { words, opens_block } => {
                words.iter().for_each(|it| *out += &format!("{it:?} "));
                *out += if opens_block { "{\n" } else { ";\n" };
            }
        }
    }
}

/// What to do with the configuration.
enum Action {
    Test { dump: bool },
    Signal(String),
    Serve(ServeOptions),
    Why(Burst),
}

fn execute(flags: Flags, action: Action) -> Result<(), Box<dyn Error>> {
    let prefix = std::env::current_dir()?.join(flags.prefix.unwrap_or_default());
    let (file, lenient) = (prefix.join(&flags.config), flags.lenient);
    let source = Source { file, globals: flags.globals.unwrap_or_default(), prefix, lenient };
    let system = System { lenient, ..System::default() };
    let config = source.read(&system)?;

    let options = match action {
        Action::Test { dump } => {
            // What the file names is looked for, too: user, certificates, logs.
            if let Some((name, group)) = &config.user {
                User::find(name, group.as_deref())?;
            }
            http_generation(config, true)?;
            return Ok(report(&source, system.files.take(), dump)?);
        }
        Action::Signal(signal) => return send(&signal, &config),
        Action::Why(burst) => {
            print!("{}", explain_burst(config, &burst)?);
            return Ok(());
        }
        Action::Serve(options) => options,
    };
    log_to(&config, flags.error_log)?;
    let pid_file = config.pid.clone();
    let result = serve(source, config, options, |bound| {
        if let Some(path) = &pid_file
            && let Err(error) = std::fs::write(path, format!("{}\n", std::process::id()))
        {
            tracing::error!("cannot write {}: {error}", path.display());
        }
        print_ready(&ENGINE, bound);
    });
    if let Some(path) = &pid_file {
        // It may be gone already.
        let _ = std::fs::remove_file(path);
    }
    result
}

/// Says that the configuration is fine, and prints its files for `-T`.
fn report(source: &Source, files: Vec<(PathBuf, Vec<u8>)>, dump: bool) -> io::Result<()> {
    let name = source.file.display();
    eprintln!("minilb: the configuration file {name} syntax is ok");
    eprintln!("minilb: configuration file {name} test is successful");
    let mut out = io::stdout().lock();
    for (path, text) in files.into_iter().filter(|_| dump) {
        writeln!(out, "# configuration file {}:", path.display())?;
        out.write_all(&text)?;
        writeln!(out)?;
    }
    Ok(())
}

/// Sends a signal to the process whose id the pid file holds.
fn send(signal: &str, config: &Config) -> Result<(), Box<dyn Error>> {
    let path = config.pid.as_ref().ok_or("the configuration names no \"pid\" file")?;
    let text = std::fs::read_to_string(path).map_err(|it| open_error(path, &it))?;
    let invalid = || format!("invalid PID number \"{}\" in {}", text.trim(), path.display());
    let id = text.trim().parse().ok().and_then(Pid::from_raw).ok_or_else(invalid)?;
    let signal = match signal {
        "stop" => Signal::TERM,
        "quit" => Signal::QUIT,
        "reopen" => Signal::USR1,
        _ => Signal::HUP,
    };
    Ok(kill_process(id, signal)?)
}

/// Directs the log to the file of `error_log`, that of `-e`, or standard error.
fn log_to(config: &Config, fallback: Option<PathBuf>) -> Result<(), Box<dyn Error>> {
    let default = ErrorLog { file: fallback, level: "error".to_owned() };
    let ErrorLog { file, level } = config.error_log.clone().unwrap_or(default);
    let level = match level.as_str() {
        "debug" => LevelFilter::DEBUG,
        "info" | "notice" => LevelFilter::INFO,
        "warn" => LevelFilter::WARN,
        _ => LevelFilter::ERROR,
    };
    let builder = tracing_subscriber::fmt().with_max_level(level).with_ansi(false);
    match file {
        Some(path) => {
            let opened = File::options().append(true).create(true).open(&path);
            let file = opened.map_err(|it| open_error(&path, &it))?;
            builder.with_writer(Mutex::new(file)).init();
        }
        None => builder.with_writer(std::io::stderr).init(),
    }
    Ok(())
}
