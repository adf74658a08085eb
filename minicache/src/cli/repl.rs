//! The interactive mode: a prompt, a line, a reply, and again.
//!
//! ```text
//! 127.0.0.1:6379> LPUSH jobs a b          arrows: history   Ctrl-R: search it   Tab: completion
//! (integer) 2
//! 127.0.0.1:6379> connect 10.0.0.7 6380   another server
//! 127.0.0.1:6379> quit                    so do Ctrl-D and Ctrl-C
//! ```
//!
//! The history is saved in `~/.minicache_history`, or in the file that `MINICACHE_HISTFILE` names,
//! without the lines that hold a password. The counterpart in Redis is `repl` (`redis-cli.c`), on
//! `linenoise`; here it is `rustyline`.

use super::client::{Address, Client};
use super::{INVALID, assist::Assist, is_quit, word_is};
use crate::conf;
use crate::format::words;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use std::time::{Duration, Instant};
use std::{env, io, path::PathBuf};

/// The duration of a command is printed from here on, as redis-cli does.
const SLOW: Duration = Duration::from_millis(500);
const HISTORY_LINES: usize = 1000;

/// Reads and executes lines until the user quits.
///
/// # Errors
/// If the terminal cannot be used.
pub fn run(client: &mut Client) -> Result<(), ReadlineError> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(HISTORY_LINES)?
        .history_ignore_space(true)
        .build();
    let mut editor = Editor::<Assist, FileHistory>::with_config(config)?;
    editor.set_helper(Some(Assist));
    let file = history_file();
    if let Some(file) = &file {
        // The first time the file does not exist.
        let _ = editor.load_history(file);
    }
    if let Err(failure) = client.connect() {
        eprintln!("{failure}");
    }
    loop {
        let line = match editor.readline(&client.prompt()) {
            Ok(line) => line,
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(()),
            Err(error) => return Err(error),
        };
        let command = words::split(line.as_bytes());
        if !command.as_deref().is_some_and(is_secret) {
            editor.add_history_entry(line.as_str())?;
            if let Some(file) = &file {
                // An unwritable home directory is no reason to stop.
                let _ = editor.save_history(file);
            }
        }
        match command {
            None => println!("{INVALID}"),
            Some(command) if is_quit(&command) => return Ok(()),
            Some(command) => execute_line(client, &mut editor, &command),
        }
    }
}

/// Executes one line: a command of this client, or one for the server.
fn execute_line(
    client: &mut Client,
    editor: &mut Editor<Assist, FileHistory>,
    command: &[Vec<u8>],
) {
    let words: Vec<_> = command.iter().map(|word| String::from_utf8_lossy(word)).collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.as_slice() {
        [] => {}
        ["clear" | "CLEAR"] => {
            // A terminal that cannot be cleared keeps its contents.
            let _ = editor.clear_screen();
        }
        ["connect" | "CONNECT", host, port] => match port.parse() {
            Ok(port) => {
                client.address = Address::Tcp(host.to_string(), port);
                client.disconnect();
                if let Err(failure) = client.connect() {
                    eprintln!("{failure}");
                }
            }
            Err(_) => println!("connect HOST PORT: {port} is no port"),
        },
        _ => execute(client, command),
    }
}

fn execute(client: &mut Client, command: &[Vec<u8>]) {
    if !client.is_connected() {
        match client.connect() {
            Ok(()) => println!("(connected again)"),
            Err(failure) => return eprintln!("{failure}"),
        }
    }
    let start = Instant::now();
    if let Err(failure) = client.execute(command, &mut io::stdout().lock()) {
        eprintln!("Error: {failure}");
    }
    if start.elapsed() >= SLOW {
        println!("({:.2}s)", start.elapsed().as_secs_f64());
    }
}

fn is_secret(command: &[Vec<u8>]) -> bool {
    let is = |index: usize, word: &str| word_is(command, index, word);
    is(0, "auth")
        || (is(0, "hello") && command.len() > 2)
        || (is(0, "config") && is(1, "set") && command.iter().any(|name| conf::is_secret(name)))
}

fn history_file() -> Option<PathBuf> {
    if let Some(file) = env::var_os("MINICACHE_HISTFILE") {
        return Some(file.into());
    }
    Some(env::home_dir()?.join(".minicache_history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_remembered() {
        let secret = |line: &str| is_secret(&words::split(line.as_bytes()).unwrap());
        for line in ["AUTH x", "hello 3 auth default x", "Config Set maxmemory 1 requirepass x"] {
            assert!(secret(line), "{line}");
        }
        for line in ["", "HELLO 3", "CONFIG GET requirepass", "SET auth x"] {
            assert!(!secret(line), "{line}");
        }
    }
}
