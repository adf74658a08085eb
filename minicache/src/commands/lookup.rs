//! Finds the command that a request names (`lookupCommand` and `commandCheckExistence` in
//! `server.c`).
//!
//! ```text
//! config get x    the row of config|get
//! CONFIG GET      ERR wrong number of arguments for 'config|get' command
//! config fly      ERR unknown subcommand 'fly'. Try CONFIG HELP.
//! fly me          ERR unknown command 'fly', with args beginning with: 'me'
//! ```

use super::{Command, catalogue, shown};
use crate::engine::error::Error;
use crate::wire::request::Args;

/// Bytes of a name or of all arguments that an error shows.
const SHOWN_MAX: usize = 128;

/// Finds a request's command, or its subcommand if it is a container, and checks the arity.
pub fn lookup(args: Args) -> Result<&'static Command, Error> {
    let Some(command) = catalogue::find(args.at(0)) else { return Err(unknown_command(args)) };
    let command = match (command.is_container(), args.get(1)) {
        (true, Some(name)) => match command.subcommand(name) {
            Some(subcommand) => subcommand,
            None => return Err(unknown_subcommand(command, name)),
        },
        _ => command,
    };
    if command.accepts(args.len()) { Ok(command) } else { Err(Error::arity(command.name)) }
}

/// Returns true if a request is a line of an HTTP request.
#[cold]
pub fn is_http(args: Args) -> bool {
    [&b"post"[..], b"host:"].iter().any(|name| args.at(0).eq_ignore_ascii_case(name))
}

#[cold]
fn unknown_command(args: Args) -> Error {
    let mut beginning = String::new();
    for argument in args.from(1).iter() {
        let left = SHOWN_MAX.saturating_sub(beginning.chars().count());
        if left == 0 {
            break;
        }
        beginning += &format!("'{}' ", shown(argument, left));
    }
    Error::text(format!(
        "ERR unknown command '{}', with args beginning with: {beginning}",
        shown(args.at(0), SHOWN_MAX)
    ))
}

#[cold]
fn unknown_subcommand(command: &Command, name: &[u8]) -> Error {
    Error::text(format!(
        "ERR unknown subcommand '{}'. Try {} HELP.",
        shown(name, SHOWN_MAX),
        command.name.to_uppercase()
    ))
}
