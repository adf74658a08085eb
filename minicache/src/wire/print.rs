//! Replies as `redis-cli` prints them.
//!
//! For people ([`Style::Standard`]):
//!
//! ```text
//! 1) "a\n\x00"              bytes in quotes, with escapes
//! 2) (integer) 7            types that look alike are marked
//! 3) 1# "field" => (nil)    maps with #, sets with ~
//! ```
//!
//! For programs ([`Style::Raw`]): the bytes, one value per line, without types. The counterparts in
//! Redis are `cliFormatReplyTTY` and `cliFormatReplyRaw` (`redis-cli.c`).

use super::frame::{Frame, Group};
use crate::format::words::quoted;

/// How replies are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For people.
    Standard,
    /// For programs.
    Raw,
    /// Unchanged: text that the server formatted, with its line ends.
    Preformatted,
}

/// A reply as whole lines.
pub fn print(reply: &Frame, style: Style) -> Vec<u8> {
    let mut out = Vec::new();
    match style {
        Style::Standard => standard(&mut out, reply, ""),
        Style::Raw | Style::Preformatted => raw(&mut out, reply),
    }
    if style != Style::Preformatted {
        out.push(b'\n');
    }
    out
}

/// Writes a reply without the last line end. Lines but the first begin with `indent`.
fn standard(out: &mut Vec<u8>, reply: &Frame, indent: &str) {
    match reply {
        Frame::Simple(text) | Frame::Verbatim(text) => out.extend_from_slice(text),
        Frame::Error(text) => out.extend([b"(error) ", text.as_slice()].concat()),
        Frame::Int(number) => out.extend(format!("(integer) {number}").bytes()),
        Frame::Bulk(bytes) => out.extend(quoted(bytes)),
        Frame::Null => out.extend_from_slice(b"(nil)"),
        Frame::Boolean(yes) => out.extend(format!("({yes})").bytes()),
        Frame::Double(text) => out.extend([b"(double) ", text.as_slice()].concat()),
        Frame::BigNumber(text) => out.extend([b"(integer) ", text.as_slice()].concat()),
        Frame::Group(group, parts) if parts.is_empty() => {
            out.extend(format!("(empty {})", name(*group)).bytes());
        }
        Frame::Group(group, parts) => numbered(out, *group, parts, indent),
    }
}

/// Writes the parts of a group, numbered from one, those of a map in pairs.
fn numbered(out: &mut Vec<u8>, group: Group, parts: &[Frame], indent: &str) {
    let (mark, step) = match group {
        Group::Map => ('#', 2),
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

/// Returns true if a value takes more than one line.
fn takes_lines(reply: &Frame) -> bool {
    match reply {
        Frame::Group(Group::Map, parts) => parts.len() > 2 || parts.get(1).is_some_and(takes_lines),
        Frame::Group(_, parts) => parts.len() > 1 || parts.first().is_some_and(takes_lines),
        _ => false,
    }
}

fn name(group: Group) -> &'static str {
    match group {
        Group::Array => "array",
        Group::Set => "set",
        Group::Map => "hash",
        Group::Push => "push",
    }
}

/// Writes a reply without the last line end: one line per part or pair.
fn raw(out: &mut Vec<u8>, reply: &Frame) {
    match reply {
        Frame::Simple(text) | Frame::Verbatim(text) | Frame::Bulk(text) => {
            out.extend_from_slice(text);
        }
        Frame::Double(text) | Frame::BigNumber(text) => out.extend_from_slice(text),
        // An empty line follows an error, as in redis-cli.
        Frame::Error(text) => out.extend([text.as_slice(), b"\n"].concat()),
        Frame::Int(number) => out.extend(number.to_string().bytes()),
        Frame::Null => {}
        Frame::Boolean(yes) => out.extend(format!("({yes})").bytes()),
        Frame::Group(group, parts) => {
            let pairs = *group == Group::Map;
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
