//! `minicache cli`: the command-line client.
//!
//! ```text
//! $ minicache cli SET greeting "good day"          one command: its reply, and an exit code
//! OK
//! $ printf 'GET greeting\nDBSIZE\n' | minicache cli  one command per line
//! good day
//! 1
//! $ minicache cli                                  interactive: history, completion
//! 127.0.0.1:6379> GET greeting
//! "good day"
//! ```
//!
//! * [`client`]: one connection and its state: the database, a transaction.
//! * [`assist`]: completions from the command table.
//! * [`repl`]: the interactive mode.
//!
//! It works with every server that speaks RESP, including Redis. Output and prompt are those of
//! `redis-cli`. What is missing: its hints and `help`, and its other modes (`--stat`, `--bigkeys`,
//! `--pipe`, …). One thing differs: an error reply makes the exit code 1; for that `redis-cli`
//! requires `-e`.

pub mod assist;
mod client;
mod repl;

use crate::format::words;
use crate::wire::print::Style;
use client::{Address, Client, Login};
use std::io::{self, BufRead, IsTerminal, Write};
use std::{error::Error, ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf};

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

/// Runs the client. Returns false if a command got an error reply.
///
/// # Errors
/// If the server cannot be reached or closes the connection, or the terminal fails.
pub fn run(args: CliArgs) -> Result<bool, Box<dyn Error>> {
    let style = match (args.raw, args.no_raw) {
        (true, _) => Style::Raw,
        (_, true) => Style::Standard,
        _ if io::stdout().is_terminal() => Style::Standard,
        _ => Style::Raw,
    };
    let address = match args.unix {
        Some(path) => Address::Unix(path),
        None => Address::Tcp(args.host, args.port),
    };
    let login = Login { password: args.auth, resp3: args.resp3, db: args.db };
    let mut client = Client::new(address, login, style);
    if !args.command.is_empty() {
        let command: Vec<Vec<u8>> = args.command.into_iter().map(OsString::into_vec).collect();
        return Ok(client.execute(&command, &mut io::stdout().lock())?);
    }
    if io::stdin().is_terminal() {
        repl::run(&mut client)?;
        return Ok(true);
    }
    let (input, output) = (io::stdin().lock(), io::stdout().lock());
    Ok(run_lines(&mut client, input, output)?)
}

/// Executes one command per line. An error reply does not end it; a lost connection does.
fn run_lines(client: &mut Client, input: impl BufRead, mut output: impl Write) -> io::Result<bool> {
    let mut all_well = true;
    for line in input.split(b'\n') {
        match words::split(&line?) {
            None => {
                all_well = false;
                writeln!(output, "{INVALID}")?;
            }
            Some(command) if command.is_empty() => {}
            Some(command) if is_quit(&command) => break,
            Some(command) => all_well &= client.execute(&command, &mut output)?,
        }
    }
    Ok(all_well)
}

/// The answer to a line whose quotes do not match.
const INVALID: &str = "Invalid argument(s)";

fn is_quit(command: &[Vec<u8>]) -> bool {
    command.len() == 1 && (word_is(command, 0, "quit") || word_is(command, 0, "exit"))
}

/// Returns true if the argument at `index` is this word, in upper or lower case.
fn word_is(command: &[Vec<u8>], index: usize, word: &str) -> bool {
    command.get(index).is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
}
