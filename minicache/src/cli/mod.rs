//! `minicache cli`: a person's, or a script's, way to talk to a server.
//!
//! ```text
//! $ minicache cli SET greeting "good day"          one command: its reply, and an exit code
//! OK
//! $ printf 'GET greeting\nDBSIZE\n' | minicache cli  a command a line
//! good day
//! 1
//! $ minicache cli                                  a conversation: history, hints, help
//! 127.0.0.1:6379> GET greeting
//! "good day"
//! ```
//!
//! * [`reply`]: what servers send, read into a tree.
//! * [`mod@print`]: the tree as `redis-cli` prints it, for people and for programs.
//! * [`client`]: one connection and what has to be known about it: the database, a transaction.
//! * [`assist`] and [`help`]: what the command table knows, while one types and when one asks.
//! * [`repl`]: the conversation.
//!
//! Works with any server that speaks RESP, a real Redis as well. Output and prompt are those of
//! `redis-cli`; of its many modes (`--stat`, `--bigkeys`, `--pipe`, …) none is here. One thing is
//! decided otherwise: an error reply makes the exit code 1, for which `redis-cli` wants `-e`.

pub mod assist;
pub mod client;
pub mod help;
pub mod print;
pub mod repl;
pub mod reply;

use crate::format::words;
use client::{Address, Client, Failure, Login};
use print::Style;
use std::error::Error;
use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The options of `minicache cli`.
#[derive(clap::Args, Clone, Debug)]
#[command(disable_help_flag = true)]
pub struct CliArgs {
    /// Host of the server
    #[arg(short = 'h', long, value_name = "HOST", default_value = "127.0.0.1")]
    host: String,
    /// Port of the server
    #[arg(short, long, value_name = "PORT", default_value_t = 6379)]
    port: u16,
    /// Unix socket of the server, in place of host and port
    #[arg(short = 's', long, value_name = "PATH")]
    unix: Option<PathBuf>,
    /// Password; better given as REDISCLI_AUTH, which `ps` does not show
    #[arg(
        short = 'a',
        long,
        value_name = "PASSWORD",
        env = "REDISCLI_AUTH",
        hide_env_values = true
    )]
    auth: Option<String>,
    /// Database to select
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 0)]
    db: usize,
    /// Speak RESP3
    #[arg(short = '3')]
    resp3: bool,
    /// Print replies for programs: no quotes, no numbers [default where output is no terminal]
    #[arg(long, conflicts_with = "no_raw")]
    raw: bool,
    /// Print replies for people, wherever they go
    #[arg(long)]
    no_raw: bool,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// A command and its arguments; without one, commands are read from standard input
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    command: Vec<OsString>,
}

/// Does what the options say. Returns whether no server answered with an error.
///
/// # Errors
/// Where the server cannot be reached or goes away, or the terminal fails.
pub fn run(args: CliArgs) -> Result<bool, Box<dyn Error>> {
    let style = match (args.raw, args.no_raw) {
        (true, _) => Style::Raw,
        (_, true) => Style::Standard,
        _ if io::stdout().is_terminal() => Style::Standard,
        _ => Style::Raw,
    };
    let mut client = Client::new(address(&args), login(&args), style);
    if !args.command.is_empty() {
        let command: Vec<Vec<u8>> = args.command.into_iter().map(OsString::into_vec).collect();
        return Ok(run_one(&mut client, &command, io::stdout().lock())?);
    }
    if io::stdin().is_terminal() {
        repl::run(&mut client)?;
        return Ok(true);
    }
    let (input, output) = (io::stdin().lock(), io::stdout().lock());
    Ok(run_lines(&mut client, input, output)?)
}

fn address(args: &CliArgs) -> Address {
    match &args.unix {
        Some(path) => Address::Unix(path.clone()),
        None => Address::Tcp(args.host.clone(), args.port),
    }
}

fn login(args: &CliArgs) -> Login {
    Login { password: args.auth.clone(), resp3: args.resp3, db: args.db }
}

/// One command; `help` needs no server.
fn run_one(
    client: &mut Client,
    command: &[Vec<u8>],
    mut output: impl Write,
) -> Result<bool, Failure> {
    let words = command.iter().map(|word| String::from_utf8_lossy(word).into_owned());
    let words: Vec<String> = words.collect();
    if words[0].eq_ignore_ascii_case("help") {
        output.write_all(help::help(&words[1..]).as_bytes())?;
        return Ok(true);
    }
    client.execute(command, &mut output)
}

/// A command a line. The first failure ends it; error replies do not.
fn run_lines(
    client: &mut Client,
    input: impl BufRead,
    mut output: impl Write,
) -> Result<bool, Failure> {
    let mut all_well = true;
    for line in input.split(b'\n') {
        match words::split(&line?) {
            None => {
                all_well = false;
                writeln!(output, "{INVALID}")?;
            }
            Some(command) if command.is_empty() => {}
            Some(command) if is_farewell(&command) => break,
            Some(command) => all_well &= client.execute(&command, &mut output)?,
        }
    }
    Ok(all_well)
}

/// What is said of a line whose quotes do not match.
const INVALID: &str = "Invalid argument(s)";

fn is_farewell(command: &[Vec<u8>]) -> bool {
    let [word] = command else { return false };
    word.eq_ignore_ascii_case(b"quit") || word.eq_ignore_ascii_case(b"exit")
}
