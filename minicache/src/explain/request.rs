//! A request, byte by byte, and what a server answers to it.
//!
//! ```text
//! $ minicache explain frame --request --bytes '*1\r\n:4\r\nPING\r\n'
//! 0000  2a 31 0d 0a                *1\r\n         a request of 1 argument
//! 0004  3a                         :              WRONG: expected '$', got ':'
//! 0005  34 0d 0a 50 49 4e 47 0d    4\r\nPING\r\n  not read
//! 000d  0a
//! An empty server answers, and closes the connection:
//! 0000  2d 45 52 52 20 50 72 6f    -ERR Protocol er  error: ERR Protocol error: expected …
//! …
//! 1 whole frame, 44 bytes.
//! ```
//!
//! The server's own [`Parser`] reads the bytes. The spans of the arguments tell what is between
//! them: the line with the length before each, the line end after it. The answer comes from a
//! [`simulation`].
//!
//! Not covered: limits that `CONFIG SET` changed, and the lower ones before authentication.

use super::dump::{Annotated, Stopped, count};
use super::simulation;
use crate::commands::catalogue as commands;
use crate::commands::getkeys::locate_keys;
use crate::engine::timestamp::Timestamp;
use crate::wire::frame::Head;
use crate::wire::request::{Args, Found, Limits, Parser};

/// The default limits of an authenticated client.
const LIMITS: Limits = Limits { bulk_max: 512 << 20, authenticated: true };

/// Explains requests to a server.
pub fn explain(bytes: &[u8], now: Timestamp) -> String {
    let mut parts = Annotated::new(bytes);
    let stop = requests(&mut parts).err();
    format!("{}{}", parts.finish(stop), simulation::explain(bytes, now))
}

/// Annotates one request after another.
fn requests(parts: &mut Annotated) -> Result<(), Stopped> {
    while let Some(first) = parts.rest().first() {
        let mut parser = Parser::default();
        let found = parser.next(parts.rest(), LIMITS);
        match first {
            b'*' => multibulk(parts, &parser, found)?,
            _ => inline(parts, &parser, found)?,
        }
    }
    Ok(())
}

fn roles_of(args: Args) -> Vec<String> {
    let mut roles = vec!["an argument".to_string(); args.len()];
    let Some(name) = roles.first_mut() else { return roles };
    let Some(command) = commands::find(args.at(0)) else {
        *name = "the name of no command".to_string();
        return roles;
    };
    *name = format!("the command: {}", command.docs().summary);
    let subcommand = args.get(1).and_then(|name| command.subcommand(name));
    if let Some(subcommand) = subcommand {
        roles[0] = "the command, whose subcommand follows".to_string();
        roles[1] = format!("the subcommand: {}", subcommand.docs().summary);
    }
    for (index, access) in locate_keys(subcommand.unwrap_or(command), args).unwrap_or_default() {
        let access: Vec<&str> = access.names().collect();
        if let Some(role) = roles.get_mut(index) {
            *role = format!("a key ({})", access.join(", "));
        }
    }
    roles
}

/// An array of bulk strings.
fn multibulk(parts: &mut Annotated, parser: &Parser, found: Found) -> Result<(), Stopped> {
    let (start, bytes) = (parts.at, parts.rest());
    let roles = match found {
        Found::Request { .. } => roles_of(parser.args(bytes)),
        _ => Vec::new(),
    };

    // The line with the number of arguments, which ends where the parser went on.
    if parser.position() > 0 {
        let line = line(bytes);
        let meaning = match Head::parse(line) {
            Ok(Head::Group(_, arguments @ 1..)) => {
                format!("a request of {}", count(arguments, "argument"))
            }
            _ => "a request of nothing, which is skipped".to_string(),
        };
        parts.push(line.len() + 2, 0, &meaning);
    }

    // Each argument: the line with its length, its bytes, and two more. Redis takes these for a
    // line end without a look at them.
    for (index, (from, to)) in parser.spans().iter().enumerate() {
        let (from, to) = (*from as usize, *to as usize);
        parts.push(start + from - parts.at, 1, &following(to - from));
        let role = roles.get(index).map_or("an argument", |role| role);
        let odd = match &bytes[to..to + 2] {
            b"\r\n" => "",
            _ => " (the two bytes after it are skipped, though they are no line end)",
        };
        parts.push(to + 2 - from, 2, &format!("{role}{odd}"));
    }
    match found {
        Found::Request { .. } => Ok(()),
        Found::Incomplete => Err(missing(parts, parser)),
        Found::Invalid(why) => {
            let kind = if parser.position() == 0 { b'*' } else { b'$' };
            Err(Stopped::Wrong {
                at: parts.at + odd_byte(parts.rest(), kind),
                why: why.to_string(),
            })
        }
    }
}

/// What the rest of an incomplete request lacks. Adds the line with a length if it has arrived.
fn missing(parts: &mut Annotated, parser: &Parser) -> Stopped {
    let rest = parts.rest();
    let line = line(rest);
    match rest.first() {
        None => Stopped::Missing(count(parser.missing(), "argument")),
        // The parser waits for the whole line, but this byte is wrong however it continues.
        Some(first) if parser.position() > 0 && *first != b'$' => {
            let why = format!("expected '$', got '{}'", char::from(*first));
            Stopped::Wrong { at: parts.at, why }
        }
        _ if line.len() + 2 > rest.len() => Stopped::Missing("the end of the line".to_string()),
        _ => {
            let Ok(Head::Bulk(length)) = Head::parse(line) else {
                unreachable!("the parser accepted this line");
            };
            parts.push(line.len() + 2, 1, &following(length));
            let bytes = length + 2 - parts.rest().len();
            Stopped::Missing(format!("{} of this argument", count(bytes, "byte")))
        }
    }
}

fn following(length: usize) -> String {
    format!("{} {}", count(length, "byte"), if length == 1 { "follows" } else { "follow" })
}

/// The bytes up to the next carriage return.
fn line(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().position(|byte| *byte == b'\r').unwrap_or(bytes.len())]
}

/// The offset of the first wrong byte in a line that the parser rejected: its first byte, the first
/// that is not a digit, or the first digit of a number out of range.
fn odd_byte(bytes: &[u8], kind: u8) -> usize {
    match bytes.first() == Some(&kind) {
        true => Head::parse(line(bytes)).map_or_else(|mistake| mistake.at, |_| 1),
        false => 0,
    }
}

/// A line that a person typed.
fn inline(parts: &mut Annotated, parser: &Parser, found: Found) -> Result<(), Stopped> {
    let bytes = parts.rest();
    match found {
        Found::Request { length } => {
            let args = parser.args(bytes);
            let mut meaning = match args.len() {
                0 => "an empty line, which is skipped".to_string(),
                some => format!("an inline request of {}", count(some, "argument")),
            };
            for (word, role) in args.iter().zip(roles_of(args)) {
                meaning += &format!(" | \"{}\", {role}", word.escape_ascii());
            }
            parts.push(length, 0, &meaning);
            Ok(())
        }
        Found::Incomplete => Err(Stopped::Missing("the end of the line".to_string())),
        Found::Invalid(why) => {
            let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
            let quote = bytes[..end].iter().rposition(|byte| matches!(byte, b'"' | b'\''));
            Err(Stopped::Wrong { at: parts.at + quote.unwrap_or(0), why: why.to_string() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the explanation of these bytes stops.
    fn stop(bytes: &[u8]) -> Option<Stopped> {
        requests(&mut Annotated::new(bytes)).err()
    }

    #[test]
    fn the_first_wrong_byte_is_pointed_at() {
        for (bytes, at) in [
            (&b"*1\r\n:4\r\nPING\r\n"[..], 4),
            (b"*1\r\nX", 4),
            (b"*1x\r\n", 2),
            (b"*\r\n", 1),
            (b"*2147483648\r\n", 1),
            (b"*1\r\n$-1\r\n", 5),
            (b"*1\r\n$536870913\r\n", 5),
            (b"*1\r\n$4\r\nPING\r\n*1\r\n$4 \r\nPING\r\n", 20),
            (b"SET \"a b\r\n", 4),
            (b"SET 'a'b\r\n", 6),
        ] {
            match stop(bytes) {
                Some(Stopped::Wrong { at: found, .. }) => assert_eq!(found, at),
                other => panic!("{}: {other:?}", bytes.escape_ascii()),
            }
        }
    }

    #[test]
    fn a_request_cut_anywhere_misses_something() {
        let whole = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*0\r\n*-5\r\n\r\nGET k\r\n";
        assert_eq!(stop(whole), None);
        let ends = [20, 24, 29, 31];
        for cut in (1..whole.len()).filter(|cut| !ends.contains(cut)) {
            assert!(matches!(stop(&whole[..cut]), Some(Stopped::Missing(_))), "cut at {cut}");
        }
        let missing = |text: &str| Some(Stopped::Missing(text.to_string()));
        assert_eq!(stop(b"*2\r\n"), missing("2 arguments"));
        assert_eq!(stop(b"*1\r\n$4\r\nPI"), missing("4 bytes of this argument"));
        assert_eq!(stop(b"*1\r\n$4"), missing("the end of the line"));
    }

    #[test]
    fn arguments_have_roles() {
        let roles = |line: &[u8]| {
            let mut parser = Parser::default();
            assert!(matches!(parser.next(line, LIMITS), Found::Request { .. }));
            roles_of(parser.args(line))
        };
        let get = roles(b"GETDEL k\n");
        assert!(get[0].starts_with("the command: ") && get[1].starts_with("a key (RW"), "{get:?}");
        let config = roles(b"config get x\n");
        assert!(config[1].starts_with("the subcommand: "), "{config:?}");
        assert_eq!(roles(b"nonsense a\n"), ["the name of no command", "an argument"]);
    }
}
