//! Replies on a terminal and in a file, as `redis-cli` prints them.
//!
//! For people, in full ([`Style::Standard`]):
//!
//! ```text
//! 1) "a\n\x00"              bytes in quotes, so that nothing is hidden
//! 2) (integer) 7            types that look alike are told apart
//! 3) 1# "field" => (nil)    maps with #, sets with ~
//! ```
//!
//! For programs, bare ([`Style::Raw`]): the bytes, one value a line. What cannot be told apart
//! there is up to the program. The counterparts in Redis are `cliFormatReplyTTY` and
//! `cliFormatReplyRaw` (`redis-cli.c`).

use super::reply::Reply;
use crate::format::words::quoted;
use crate::wire::frame::Group;

/// How replies are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For people.
    Standard,
    /// For programs.
    Raw,
    /// As it came: text that has its line ends.
    LaidOut,
}

/// A reply as whole lines.
pub fn print(reply: &Reply, style: Style) -> Vec<u8> {
    let mut out = Vec::new();
    match style {
        Style::Standard => standard(&mut out, reply, ""),
        Style::Raw | Style::LaidOut => raw(&mut out, reply),
    }
    if style != Style::LaidOut {
        out.push(b'\n');
    }
    out
}

/// Whether the reply to this command is laid out by the server, so that even people want it bare.
pub fn is_laid_out(command: &[Vec<u8>]) -> bool {
    const WHOLE: [&str; 2] = ["info", "lolwut"];
    const SUBCOMMANDS: [(&str, &str); 6] = [
        ("client", "list"),
        ("client", "info"),
        ("debug", "htstats"),
        ("memory", "doctor"),
        ("memory", "malloc-stats"),
        ("latency", "doctor"),
    ];
    let is = |at: usize, word: &str| {
        command.get(at).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
    };
    WHOLE.iter().any(|name| is(0, name))
        || SUBCOMMANDS.iter().any(|(name, subcommand)| is(0, name) && is(1, subcommand))
}

/// Writes a reply without the last line end. Lines but the first begin with `indent`.
fn standard(out: &mut Vec<u8>, reply: &Reply, indent: &str) {
    match reply {
        Reply::Simple(text) | Reply::Verbatim(text) => out.extend_from_slice(text),
        Reply::Error(text) => out.extend([b"(error) ", text.as_slice()].concat()),
        Reply::Int(number) => out.extend(format!("(integer) {number}").bytes()),
        Reply::Bulk(bytes) => out.extend(quoted(bytes)),
        Reply::Null => out.extend_from_slice(b"(nil)"),
        Reply::Boolean(yes) => out.extend(format!("({yes})").bytes()),
        Reply::Double(text) => out.extend([b"(double) ", text.as_slice()].concat()),
        Reply::BigNumber(text) => out.extend([b"(integer) ", text.as_slice()].concat()),
        Reply::Group(group, parts) if parts.is_empty() => {
            out.extend(format!("(empty {})", name(*group)).bytes());
        }
        Reply::Group(group, parts) => numbered(out, *group, parts, indent),
    }
}

/// Writes the parts of a group, numbered from one, those of a map in pairs.
fn numbered(out: &mut Vec<u8>, group: Group, parts: &[Reply], indent: &str) {
    let (mark, step) = match group {
        Group::Map | Group::Attribute => ('#', 2),
        Group::Set => ('~', 1),
        Group::Array | Group::Push => (')', 1),
    };
    let width = (parts.len() / step).to_string().len();
    let inner = format!("{indent}{}", " ".repeat(width + 2));
    for (index, part) in parts.chunks(step).enumerate() {
        if index > 0 {
            out.extend(format!("\n{indent}").bytes());
        }
        out.extend(format!("{:width$}{mark} ", index + 1).bytes());
        standard(out, &part[0], &inner);
        if let Some(value) = part.get(1) {
            out.extend_from_slice(b" => ");
            if takes_lines(value) {
                out.extend(format!("\n{inner}").bytes());
            }
            standard(out, value, &inner);
        }
    }
}

/// Whether a value takes more than one line.
fn takes_lines(reply: &Reply) -> bool {
    match reply {
        Reply::Group(Group::Map, parts) => parts.len() > 2 || parts.get(1).is_some_and(takes_lines),
        Reply::Group(_, parts) => parts.len() > 1 || parts.first().is_some_and(takes_lines),
        _ => false,
    }
}

fn name(group: Group) -> &'static str {
    match group {
        Group::Array => "array",
        Group::Set => "set",
        Group::Map | Group::Attribute => "hash",
        Group::Push => "push",
    }
}

/// Writes a reply without the last line end, parts a line each, pairs on one line.
fn raw(out: &mut Vec<u8>, reply: &Reply) {
    match reply {
        Reply::Simple(text) | Reply::Verbatim(text) | Reply::Bulk(text) => {
            out.extend_from_slice(text);
        }
        Reply::Double(text) | Reply::BigNumber(text) => out.extend_from_slice(text),
        // An error is set off by an empty line.
        Reply::Error(text) => out.extend([text.as_slice(), b"\n"].concat()),
        Reply::Int(number) => out.extend(number.to_string().bytes()),
        Reply::Null => {}
        Reply::Boolean(yes) => out.extend(format!("({yes})").bytes()),
        Reply::Group(group, parts) => {
            let pairs = matches!(group, Group::Map | Group::Attribute);
            for (index, part) in parts.iter().enumerate() {
                match index {
                    0 => {}
                    value if pairs && value % 2 == 1 => out.push(b' '),
                    _ => out.push(b'\n'),
                }
                raw(out, part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_that_are_laid_out() {
        let words =
            |line: &str| line.split(' ').map(|it| it.as_bytes().to_vec()).collect::<Vec<_>>();
        for line in ["INFO", "info keyspace", "client LIST", "memory doctor"] {
            assert!(is_laid_out(&words(line)), "{line}");
        }
        for line in ["get info", "client id", "memory usage k", "client"] {
            assert!(!is_laid_out(&words(line)), "{line}");
        }
    }
}
