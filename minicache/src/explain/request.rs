//! A request, byte by byte, and what a server would answer to it.
//!
//! ```text
//! $ minicache explain frame --bytes '*1\r\n:4\r\nPING\r\n'
//! offset  bytes                    text        meaning
//!      0  2a 31 0d 0a              *1\r\n      a request of 1 argument
//!      4  3a                       :           WRONG: expected '$', got ':'
//!      5  34 0d 0a 50 49 4e 47 0d  4\r\nPING\r not looked at
//!     13  0a                       \n
//! An empty server answers, and closes the connection:
//! offset  bytes                    text        meaning
//!      0  2d 45 52 52 20 50 72 6f  -ERR Pro    error: ERR Protocol error: expected …
//! ```
//!
//! The bytes are read once more here, by the rules of [`wire::request`](crate::wire::request), in
//! order to say where they go wrong; what the server makes of them is not said by those rules but
//! by [running it](super::verdict). A test holds both against each other. What is left out: limits
//! that `CONFIG SET` has changed, and those of clients who have not authenticated.

use super::dump::{count, table};
use super::frame::{Stop, Walk};
use super::verdict;
use crate::commands::catalogue as commands;
use crate::commands::getkeys::locate_keys;
use crate::engine::access::Moment;
use crate::format::number::parse_i64;
use crate::wire::request::{Args, Found, Limits, Parser};

/// What a server allows by default, to a client it knows.
const LIMITS: Limits = Limits { bulk_max: 512 << 20, trusted: true };
/// Arguments of one request.
const ARGUMENTS_MAX: i64 = 1024 * 1024;
/// The longest line.
const LINE_MAX: usize = 64 * 1024;

/// The explanation of requests to a server.
pub fn explain(bytes: &[u8], now: Moment) -> String {
    let mut walk = Walk::new(bytes);
    let outcome = requests(&mut walk);
    let table = table(bytes, &walk.parts_up_to(outcome));
    format!("{table}{}", verdict::explain(bytes, now))
}

/// Reads one request behind the other.
fn requests(walk: &mut Walk) -> Result<(), Stop> {
    while let Some(first) = walk.rest().first() {
        let roles = roles(walk.rest());
        if *first == b'*' { multibulk(walk, &roles)? } else { inline(walk)? }
    }
    Ok(())
}

/// What each argument of the request at the start of `bytes` is, as far as it is whole.
fn roles(bytes: &[u8]) -> Vec<String> {
    let mut parser = Parser::default();
    match parser.next(bytes, LIMITS) {
        Found::Request { .. } => roles_of(parser.args(bytes)),
        _ => Vec::new(),
    }
}

fn roles_of(args: Args) -> Vec<String> {
    let mut roles = vec!["an argument".to_string(); args.len()];
    let Some(name) = roles.first_mut() else { return roles };
    let Some(command) = commands::find(args.at(0)) else {
        *name = "the name of no command".to_string();
        return roles;
    };
    *name = format!("the command: {}", command.summary);
    let subcommand = args.get(1).and_then(|name| command.subcommand(name));
    if let Some(subcommand) = subcommand {
        roles[0] = "the command, whose subcommand follows".to_string();
        roles[1] = format!("the subcommand: {}", subcommand.summary);
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
fn multibulk(walk: &mut Walk, roles: &[String]) -> Result<(), Stop> {
    let (arguments, length) = header(walk, b'*', |number| match number {
        Some(number) if number > ARGUMENTS_MAX => Err("invalid multibulk length"),
        Some(number) => Ok(number.max(0)),
        None => Err("invalid multibulk length"),
    })?;
    let meaning = match arguments {
        0 => "a request of nothing, which is skipped".to_string(),
        some => format!("a request of {}", count(some as usize, "argument")),
    };
    walk.take(length, 0, meaning);
    for index in 0..arguments as usize {
        if walk.rest().is_empty() {
            let missing = arguments as usize - index;
            return Err(Stop::Missing(count(missing, "argument")));
        }
        let (bytes, length) = header(walk, b'$', |number| match number {
            Some(length) if (0..=LIMITS.bulk_max).contains(&length) => Ok(length),
            _ => Err("invalid bulk length"),
        })?;
        let follow = if bytes == 1 { "follows" } else { "follow" };
        walk.take(length, 1, format!("{} {follow}", count(bytes as usize, "byte")));
        argument(walk, bytes as usize, roles.get(index).map_or("an argument", |role| role))?;
    }
    Ok(())
}

/// The number behind `kind`, which `check` accepts, and the length of the line with its end.
fn header(
    walk: &Walk,
    kind: u8,
    check: impl FnOnce(Option<i64>) -> Result<i64, &'static str>,
) -> Result<(i64, usize), Stop> {
    let rest = walk.rest();
    let wrong = |at: usize, why: String| Err(Stop::Wrong { at: walk.at + at, why });
    if rest[0] != kind {
        let (expected, got) = (char::from(kind), char::from(rest[0]));
        return wrong(0, format!("expected '{expected}', got '{got}'"));
    }
    let Some(end) = rest.iter().take(LINE_MAX + 1).position(|byte| *byte == b'\r') else {
        if rest.len() > LINE_MAX {
            return wrong(LINE_MAX, "a line of more than 64 KiB".to_string());
        }
        return Err(Stop::Missing("the end of the line".to_string()));
    };
    if rest.len() < end + 2 {
        return Err(Stop::Missing("the end of the line".to_string()));
    }
    let digits = &rest[1..end];
    match check(parse_i64(digits)) {
        Ok(number) => Ok((number, end + 2)),
        Err(why) => {
            let sign = usize::from(digits.first() == Some(&b'-'));
            let odd = digits.iter().skip(sign).position(|byte| !byte.is_ascii_digit());
            wrong(1 + odd.map_or(0, |odd| odd + sign), why.to_string())
        }
    }
}

/// The bytes of an argument. The two behind them are expected to be a line end, and not looked at
/// (neither does Redis).
fn argument(walk: &mut Walk, length: usize, role: &str) -> Result<(), Stop> {
    let rest = walk.rest();
    if rest.len() < length + 2 {
        let missing = length + 2 - rest.len();
        return Err(Stop::Missing(format!("{} of this argument", count(missing, "byte"))));
    }
    let odd = match &rest[length..length + 2] {
        b"\r\n" => "",
        _ => " (two bytes behind it are skipped, though they are no line end)",
    };
    walk.take(length + 2, 2, format!("{role}{odd}"));
    Ok(())
}

/// A line as a person types it.
fn inline(walk: &mut Walk) -> Result<(), Stop> {
    let rest = walk.rest();
    let Some(end) = rest.iter().take(LINE_MAX + 1).position(|byte| *byte == b'\n') else {
        if rest.len() > LINE_MAX {
            let (at, why) = (walk.at + LINE_MAX, "too big inline request".to_string());
            return Err(Stop::Wrong { at, why });
        }
        return Err(Stop::Missing("the end of the line".to_string()));
    };
    let mut parser = Parser::default();
    match parser.next(rest, LIMITS) {
        Found::Request { length } => {
            let args = parser.args(rest);
            let meaning = match args.len() {
                0 => "an empty line, which is skipped".to_string(),
                some => format!("an inline request of {}:", count(some, "argument")),
            };
            walk.take(length, 0, meaning);
            for (word, role) in args.iter().zip(roles_of(args)) {
                walk.take(0, 1, format!("\"{}\", {role}", word.escape_ascii()));
            }
            Ok(())
        }
        Found::Incomplete => Err(Stop::Missing("the end of the line".to_string())),
        Found::Invalid(why) => {
            let quote = rest[..end].iter().rposition(|byte| matches!(byte, b'"' | b'\''));
            Err(Stop::Wrong { at: walk.at + quote.unwrap_or(0), why: why.to_string() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the server's own parser thinks of the bytes: whole, incomplete, or wrong.
    fn parsed(mut bytes: &[u8]) -> &'static str {
        let mut parser = Parser::default();
        loop {
            match parser.next(bytes, LIMITS) {
                Found::Request { length } if length == bytes.len() => return "whole",
                Found::Request { length } => bytes = &bytes[length..],
                Found::Incomplete => return "incomplete",
                Found::Invalid(_) => return "wrong",
            }
        }
    }

    fn walked(bytes: &[u8]) -> &'static str {
        match requests(&mut Walk::new(bytes)) {
            Ok(()) => "whole",
            Err(Stop::Missing(_)) => "incomplete",
            Err(Stop::Wrong { .. }) => "wrong",
        }
    }

    #[test]
    fn this_reader_and_the_servers_agree() {
        for bytes in [
            &b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"[..],
            b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPI",
            b"*0\r\n*-5\r\nPING\r\n",
            b"*1\r\n$4\r\nPINGxx",
            b"*1\r\n:4\r\nPING\r\n",
            b"*1x\r\n",
            b"*1048577\r\n",
            b"*1\r\n$-1\r\n",
            b"*1\r\n$536870913\r\n",
            b"*1\r\n$4 \r\nPING\r\n",
            b"*\r\n",
            b"SET \"a b\" c\r\n",
            b"SET \"a b\r\n",
            b"SET 'a'b\r\n",
            b"\r\n",
            b"PING",
        ] {
            assert_eq!(walked(bytes), parsed(bytes), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_wrong_byte_is_seen_before_its_line_is_whole() {
        let mut walk = Walk::new(b"*1\r\nX");
        let why = "expected '$', got 'X'".to_string();
        assert_eq!(requests(&mut walk), Err(Stop::Wrong { at: 4, why }));
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
