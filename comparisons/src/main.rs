//! Head-to-heads against the real servers: `cargo run --release -p comparisons`.
//!
//! Each engine of this workspace is a small version of a well-known system. Here both run in turns,
//! on the same cores, under that system's own load tool, and the result is printed whatever it is.
//!
//! ```text
//! pair (cache/, log/, lb/ ...)     knows the protocol, the load tool, what to measure, the goals
//!   rounds ── progress            ours, theirs, ours, theirs …
//!   generator                     open and closed loop, for every protocol
//!   provider ── process           where servers come from; that none is left behind
//!   cores, conditions             what runs where, on which machine
//! model ── stats                  the result
//!   table, report                 how it is shown: terminal, JSON, page
//! ```
//!
//! Only the folders of the pairs know a protocol or a product. An engine is a folder and a line in
//! [`PAIRS`], which also gives it its name and flags on the command line:
//!
//! ```text
//! comparisons                     every pair
//! comparisons cache --quick       minicache against Redis, the essential rows
//! comparisons --redis HOST:PORT   against the Redis at this address (also COMPARISONS_REDIS)
//! comparisons --minicache FILE    with this program instead of building one
//! ```

mod btree;
mod cache;
mod charts;
mod conditions;
mod cores;
mod gateway;
mod generator;
mod lb;
mod log;
mod model;
mod ours;
mod percentiles;
mod process;
mod progress;
mod provider;
mod report;
mod rounds;
mod stats;
mod table;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches, Parser, ValueEnum, value_parser};

use cores::Cores;
use model::{Pair, Run};
use provider::{Choice, System};

/// Errors are sentences for a person at a terminal.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// Run the engines of this workspace against the real systems
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Only these pairs (see --list); all if left out
    #[arg(value_name = "PAIR")]
    pairs: Vec<String>,
    /// Where the real system comes from
    #[arg(long, value_enum, default_value = "auto", hide_default_value = true)]
    provider: Choice,
    /// The essential rows in few rounds, under four minutes
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Every combination in seven rounds, about forty minutes
    #[arg(long)]
    full: bool,
    /// Rounds of each row: more on a restless machine, one to see that all works
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: Option<u64>,
    /// Where the JSON and the page go
    #[arg(long, value_name = "DIR", default_value = "target/comparisons")]
    out: PathBuf,
    /// Print the pairs and stop
    #[arg(long)]
    list: bool,
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// The essential rows.
    Quick,
    /// What takes about ten minutes.
    Normal,
    /// Everything.
    Full,
}

impl Effort {
    fn rounds(self) -> usize {
        match self {
            Effort::Quick => 3,
            Effort::Normal => 5,
            Effort::Full => 7,
        }
    }
}

/// What the command line asks for and the machine allows. Each pair receives it.
pub struct Context {
    /// How much.
    pub effort: Effort,
    /// The cores of servers and load; `None` on a single core.
    pub cores: Option<Cores>,
    rounds: Option<u64>,
    provider: Choice,
    /// Holds the flags of each pair: see [`flags`].
    matches: ArgMatches,
}

impl Context {
    /// Rounds of each row, for pairs in which all rows are alike.
    pub fn rounds(&self) -> usize {
        self.rounds_or(self.effort.rounds())
    }

    /// Rounds of a row: what the command line asks for, or else what the pair wants.
    pub fn rounds_or(&self, wanted: usize) -> usize {
        self.rounds.map_or(wanted, |it| it as usize)
    }

    /// The address given for a real system.
    pub fn address(&self, theirs: &System) -> Option<&str> {
        self.matches.get_one::<String>(theirs.flag).map(String::as_str)
    }

    /// The program given for an engine, to be measured instead of a fresh build.
    pub fn program(&self, ours: &System) -> Option<&Path> {
        self.matches.get_one::<PathBuf>(ours.flag).map(PathBuf::as_path)
    }

    /// Where a real system may come from. An address means that server: if it does not answer, no
    /// other provider is tried.
    pub fn provider_of(&self, theirs: &System) -> Choice {
        match (self.provider, self.address(theirs)) {
            (Choice::Auto, Some(_)) => Choice::Address,
            (choice, _) => choice,
        }
    }
}

/// An engine and the system it explains. A new pair is a folder beside `cache/` and a line in
/// [`PAIRS`].
struct Entry {
    name: &'static str,
    ours: &'static System,
    theirs: &'static System,
    run: fn(&Context) -> Result<Pair>,
}

const PAIRS: &[Entry] = &[
    Entry { name: "cache", ours: &cache::MINICACHE, theirs: &cache::REDIS, run: cache::run },
    Entry { name: "btree", ours: &btree::MINIBTREE, theirs: &btree::POSTGRESQL, run: btree::run },
    Entry {
        name: "gateway",
        ours: &gateway::MINIGATEWAY,
        theirs: &gateway::NGINX,
        run: gateway::run,
    },
    Entry { name: "log", ours: &log::MINILOG, theirs: &log::KAFKA, run: log::run },
    Entry { name: "lb", ours: &lb::MINILB, theirs: &lb::NGINX, run: lb::run },
];

/// The command line: [`Options`], and for each pair the flags `--minicache PROGRAM` and
/// `--redis ADDR`.
fn flags() -> clap::Command {
    PAIRS.iter().fold(Options::command(), |command, Entry { ours, theirs, .. }| {
        let program = Arg::new(ours.flag)
            .long(ours.flag)
            .value_name("PROGRAM")
            .value_parser(value_parser!(PathBuf))
            .help(format!("Measure this {} instead of building one", ours.name));
        let address = Arg::new(theirs.flag)
            .long(theirs.flag)
            .value_name("ADDR:PORT")
            .env(format!("COMPARISONS_{}", theirs.flag.to_uppercase()))
            .help(format!("Compare with the {} at this address, which must be empty", theirs.name));
        command.arg(program).arg(address)
    })
}

fn main() -> ExitCode {
    let matches = flags().get_matches();
    let options = Options::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match try_main(&options, matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("comparisons: {error}");
            ExitCode::FAILURE
        }
    }
}

fn try_main(options: &Options, matches: ArgMatches) -> Result<()> {
    let chosen = choose(&options.pairs)?;
    if options.list {
        for Entry { name, ours, theirs, .. } in chosen {
            println!("{name:<10} {} against {}", ours.name, theirs.name);
        }
        return Ok(());
    }

    // Made first, because failing here after minutes of measuring would lose the results.
    let out = &options.out;
    std::fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    process::clean_up_on_signals()?;

    let (began, start) = (conditions::now(), Instant::now());
    let context = options.context(matches);
    let pairs = chosen.iter().map(|entry| (entry.run)(&context)).collect::<Result<Vec<Pair>>>()?;
    let mut run = Run {
        began,
        seconds: start.elapsed().as_secs_f64(),
        command: command_line(options),
        machine: conditions::machine(),
        pairs,
    };
    run.pairs.iter_mut().for_each(Pair::apply_goals);
    print!("{}", table::render(&run, std::io::stdout().is_terminal()));
    write_files(&run, out)
}

impl Options {
    fn context(&self, matches: ArgMatches) -> Context {
        Context {
            effort: match (self.quick, self.full) {
                (true, _) => Effort::Quick,
                (_, true) => Effort::Full,
                _ => Effort::Normal,
            },
            cores: Cores::choose(),
            rounds: self.rounds,
            provider: self.provider,
            matches,
        }
    }
}

fn choose(names: &[String]) -> Result<Vec<&'static Entry>> {
    let known = |name: &String| PAIRS.iter().find(|pair| name == pair.name);
    if names.is_empty() {
        return Ok(PAIRS.iter().collect());
    }
    names
        .iter()
        .map(|name| known(name).ok_or_else(|| format!("no pair {name:?}; see --list").into()))
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

/// The command that repeats this run, without what is only valid here (addresses, paths).
fn command_line(options: &Options) -> String {
    let mut words: Vec<String> =
        "cargo run --release -p comparisons --".split(' ').map(String::from).collect();
    words.extend(options.pairs.iter().cloned());
    words.extend(options.quick.then(|| "--quick".into()));
    words.extend(options.full.then(|| "--full".into()));
    words.extend(options.rounds.map(|rounds| format!("--rounds={rounds}")));
    let provider =
        options.provider.to_possible_value().filter(|_| options.provider != Choice::Auto);
    words.extend(provider.map(|choice| format!("--provider={}", choice.get_name())));
    words.join(" ").trim_end_matches(" --").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> (Options, ArgMatches) {
        let matches = flags().get_matches_from([&["it"], words].concat());
        (Options::from_arg_matches(&matches).unwrap(), matches)
    }

    #[test]
    fn an_unknown_pair_is_refused() {
        let error = choose(&["cash".into()]).err().unwrap();
        assert_eq!(error.to_string(), "no pair \"cash\"; see --list");
        assert_eq!(choose(&[]).unwrap().len(), PAIRS.len());
    }

    #[test]
    fn the_command_line_is_well_formed() {
        flags().debug_assert();
    }

    #[test]
    fn the_command_that_repeats_a_run_is_a_way_to_that_run() {
        let repeats = |words: &[&str]| command_line(&parse(words).0);
        let command = "cargo run --release -p comparisons";
        assert_eq!(repeats(&[]), command);
        assert_eq!(repeats(&["--redis", "10.0.0.7:6379", "--out", "x"]), command);
        let words = ["cache", "--quick", "--rounds=1", "--provider=docker"];
        assert_eq!(repeats(&words), format!("{command} -- {}", words.join(" ")));
    }

    #[test]
    fn an_address_means_that_server_and_no_other() {
        let choice = |words: &[&str]| {
            let (options, matches) = parse(words);
            options.context(matches).provider_of(&cache::REDIS)
        };
        assert_eq!(choice(&["--redis=h:1"]), Choice::Address);
        assert_eq!(choice(&["--redis=h:1", "--provider=docker"]), Choice::Docker);
    }
}
