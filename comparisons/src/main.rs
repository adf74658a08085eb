//! Head-to-heads against the real servers: `cargo run --release -p comparisons`.
//!
//! Every engine of this workspace claims to be a small version of something famous. Here the claim
//! is put to the test with the famous thing's own load tool, in turns, on the same cores, and the
//! outcome is printed whatever it is.
//!
//! ```text
//! pair (cache/)                   knows the protocol, the load tool, what to measure
//!   rounds ── progress            ours, theirs, ours, theirs …
//!   generator                     open and closed loop, for every protocol
//!   provider ── process ── raw    where servers come from; that none is left behind
//!   cores                         who runs where
//! model ── stats                  what came out
//!   table, report                 how it is shown: terminal, JSON, page
//! ```

mod cache;
mod charts;
mod cores;
mod generator;
mod model;
mod ours;
mod process;
mod progress;
mod provider;
mod raw;
mod report;
mod rounds;
mod stats;
mod table;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};

use cores::Cores;
use model::{Pair, Run};
use provider::Choice;

/// Errors here are sentences for a person at a terminal.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// Run the engines of this workspace against the real systems, and see who wins.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Only these engines (see --list); all if left out
    #[arg(long, value_name = "NAME", num_args = 1..)]
    engine: Vec<String>,
    /// Where the real system comes from
    #[arg(long, value_enum, default_value = "auto", hide_default_value = true)]
    provider: Choice,
    /// The essential rows in three rounds, under three minutes
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Every combination in seven rounds, about twenty minutes
    #[arg(long)]
    full: bool,
    /// A Redis that already runs and holds nothing, as ADDRESS:PORT
    #[arg(long, value_name = "ADDR", env = "COMPARISONS_REDIS")]
    redis: Option<String>,
    /// Measure this minicache instead of building one
    #[arg(long, value_name = "PROGRAM")]
    minicache: Option<PathBuf>,
    /// Where the JSON and the page go
    #[arg(long, value_name = "DIR", default_value = "target/comparisons")]
    out: PathBuf,
    /// Name the engines and whom they are compared with, and stop
    #[arg(long)]
    list: bool,
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// The essential rows.
    Quick,
    /// What fits into a coffee break.
    Normal,
    /// Everything.
    Full,
}

/// What the person asked for and the machine allows, handed to each pair.
pub struct Context {
    /// How much.
    pub effort: Effort,
    /// Where the real system may come from.
    pub provider: Choice,
    /// The address of a Redis.
    pub redis: Option<String>,
    /// A minicache that is already built.
    pub minicache: Option<PathBuf>,
    /// Who runs where; `None` on a single core.
    pub cores: Option<Cores>,
}

/// An engine and its opponent. A new pair is a folder beside `cache/` and a line in [`PAIRS`].
struct Entry {
    engine: &'static str,
    opponent: &'static str,
    run: fn(&Context) -> Result<Pair>,
}

const PAIRS: &[Entry] = &[Entry { engine: "minicache", opponent: "Redis", run: cache::run }];

fn main() -> ExitCode {
    let options = Options::parse();
    match try_main(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("comparisons: {error}");
            ExitCode::FAILURE
        }
    }
}

fn try_main(options: &Options) -> Result<()> {
    let chosen = choose(&options.engine)?;
    if options.list {
        chosen.iter().for_each(|pair| println!("{:<12} against {}", pair.engine, pair.opponent));
        return Ok(());
    }
    // A directory that cannot be made is better known now than when all is measured.
    let out = &options.out;
    std::fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    process::clean_up_on_signals()?;
    let (began, start) = (now(), Instant::now());
    let context = options.context();
    let pairs = chosen.iter().map(|entry| (entry.run)(&context)).collect::<Result<Vec<Pair>>>()?;
    let run = Run {
        began,
        seconds: start.elapsed().as_secs_f64(),
        command: command_line(options),
        machine: machine(),
        pairs,
    };
    print!("{}", table::render(&run, std::io::stdout().is_terminal()));
    write_files(&run, out)
}

impl Options {
    fn context(&self) -> Context {
        Context {
            effort: match (self.quick, self.full) {
                (true, _) => Effort::Quick,
                (_, true) => Effort::Full,
                _ => Effort::Normal,
            },
            // Who names a server means that one: if it is silent, no other will do.
            provider: match (self.provider, &self.redis) {
                (Choice::Auto, Some(_)) => Choice::Address,
                (choice, _) => choice,
            },
            redis: self.redis.clone(),
            minicache: self.minicache.clone(),
            cores: Cores::choose(),
        }
    }
}

fn choose(names: &[String]) -> Result<Vec<&'static Entry>> {
    let known = |name: &String| PAIRS.iter().find(|pair| pair.engine == name);
    if names.is_empty() {
        return Ok(PAIRS.iter().collect());
    }
    names
        .iter()
        .map(|name| known(name).ok_or_else(|| format!("no engine {name:?}; see --list").into()))
        .collect()
}

fn write_files(run: &Run, out: &Path) -> Result<()> {
    let files = [
        ("comparisons.json", serde_json::to_string_pretty(run)? + "\n"),
        ("comparisons.html", report::render(run)),
    ];
    println!();
    for (name, text) in files {
        let path = out.join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

/// The command that repeats this run, without what only holds here (addresses, paths).
fn command_line(options: &Options) -> String {
    let mut words: Vec<String> =
        "cargo run --release -p comparisons --".split(' ').map(String::from).collect();
    words.extend(options.quick.then(|| "--quick".into()));
    words.extend(options.full.then(|| "--full".into()));
    words.extend(options.engine.iter().map(|name| format!("--engine={name}")));
    if let (Some(choice), true) =
        (options.provider.to_possible_value(), options.provider != Choice::Auto)
    {
        words.push(format!("--provider={}", choice.get_name()));
    }
    words.join(" ").trim_end_matches(" --").to_string()
}

/// What figures depend on: processor, cores, memory, kernel.
fn machine() -> Vec<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| -> String {
        let line = text.lines().find(|line| line.starts_with(name));
        let value =
            line.and_then(|line| line.split_once(':')).map_or("unknown", |(_, value)| value);
        value.trim().to_string()
    };
    let cores = match cores::all().len() {
        0 | 1 => "1 core".into(),
        count => format!("{count} cores"),
    };
    let kilobytes = field(&read("/proc/meminfo"), "MemTotal");
    let kilobytes = kilobytes.trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0);
    vec![
        format!("{cores} of {}", field(&read("/proc/cpuinfo"), "model name")),
        format!("{:.0} GB of memory", kilobytes / 1e6),
        format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
    ]
}

/// The time, UTC, to the minute.
fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    utc(since.map_or(0, |since| since.as_secs()))
}

/// Seconds since 1970 as `2026-11-22 15:55`. Years are counted from March, so that the leap day
/// comes last and months have a regular rhythm: 153 days for every five.
fn utc(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (seconds / 3_600 % 24, seconds / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_what_the_calendar_says() {
        assert_eq!(utc(0), "1970-01-01 00:00");
        assert_eq!(utc(951_782_400 + 86_399), "2000-02-29 23:59");
        assert_eq!(utc(1_795_362_900), "2026-11-22 15:55");
    }

    #[test]
    fn an_unknown_engine_is_refused() {
        let error = choose(&["minicash".into()]).err().unwrap();
        assert_eq!(error.to_string(), "no engine \"minicash\"; see --list");
        assert_eq!(choose(&[]).unwrap().len(), PAIRS.len());
    }

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Options::command().debug_assert();
    }

    #[test]
    fn the_command_that_repeats_a_run_is_a_way_to_that_run() {
        let repeats =
            |words: &[&str]| command_line(&Options::parse_from([&["it"], words].concat()));
        let command = "cargo run --release -p comparisons";
        assert_eq!(repeats(&[]), command);
        assert_eq!(repeats(&["--redis", "10.0.0.7:6379", "--out", "x"]), command);
        let words = ["--quick", "--engine=minicache", "--provider=docker"];
        assert_eq!(repeats(&words), format!("{command} -- {}", words.join(" ")));
    }

    #[test]
    fn who_names_a_server_means_that_one() {
        let choice = |words: &[&str]| Options::parse_from(words).context().provider;
        assert_eq!(choice(&["it", "--redis=h:1"]), Choice::Address);
        assert_eq!(choice(&["it", "--redis=h:1", "--provider=docker"]), Choice::Docker);
    }
}
