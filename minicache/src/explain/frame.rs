//! A reply, byte by byte.
//!
//! ```text
//! $ minicache explain frame --bytes '%1\r\n+ttl\r\n:x\r\n'
//! offset  bytes                    text        meaning
//!      0  25 31 0d 0a              %1\r\n      map of 1 pair
//!      4  2b 74 74 6c 0d 0a        +ttl\r\n      key: simple string
//!     10  3a                       :
//!     11  78                       x           WRONG: no integer of 64 bits
//!     12  0d 0a                    \r\n        not looked at
//! ```
//!
//! Frames are read as [`wire::frame`](crate::wire::frame) says, one behind the other, up to the end
//! or the first byte that cannot be there.

use super::dump::{Part, count, table};
use crate::wire::frame::{Group, Head};

/// Frames within frames; more is taken for an attack.
const DEPTH_MAX: usize = 64;

/// The explanation of frames from a server.
pub fn explain(bytes: &[u8]) -> String {
    let mut walk = Walk::new(bytes);
    let mut frames = 0;
    let outcome = loop {
        if walk.at == bytes.len() {
            break Ok(());
        }
        match walk.frame(0, "") {
            Ok(()) => frames += 1,
            Err(stop) => break Err(stop),
        }
    };
    let summary = match &outcome {
        Ok(()) => format!("{}, {}.", count(frames, "whole frame"), count(bytes.len(), "byte")),
        Err(Stop::Missing(what)) => format!("Not all of it is here: {what}."),
        Err(Stop::Wrong { at, why }) => format!("Byte {at} is wrong: {why}."),
    };
    format!("{}{summary}\n", table(bytes, &walk.parts_up_to(outcome)))
}

/// Why reading ends before the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// What is still to come.
    Missing(String),
    /// The first byte that cannot be there.
    Wrong { at: usize, why: String },
}

/// Reads bytes and notes what it sees.
pub(super) struct Walk<'b> {
    pub(super) bytes: &'b [u8],
    /// How much has been understood.
    pub(super) at: usize,
    parts: Vec<Part>,
}

impl<'b> Walk<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Walk<'b> {
        Walk { bytes, at: 0, parts: Vec::new() }
    }

    /// What has not been understood yet.
    pub(super) fn rest(&self) -> &'b [u8] {
        &self.bytes[self.at..]
    }

    /// Notes the meaning of the next `length` bytes.
    pub(super) fn take(&mut self, length: usize, depth: usize, meaning: impl Into<String>) {
        self.parts.push(Part::new(self.at..self.at + length, depth, meaning));
        self.at += length;
    }

    /// All parts, to the last byte.
    pub(super) fn parts_up_to(mut self, outcome: Result<(), Stop>) -> Vec<Part> {
        let end = self.bytes.len();
        match outcome {
            Ok(()) => {}
            Err(Stop::Missing(what)) => {
                self.take(end - self.at, 0, format!("MISSING: {what}"));
            }
            Err(Stop::Wrong { at, why }) => {
                if at > self.at {
                    self.take(at - self.at, 0, "");
                }
                self.take(end.min(at + 1) - at, 0, format!("WRONG: {why}"));
                if self.at < end {
                    self.take(end - self.at, 0, "not looked at");
                }
            }
        }
        self.parts
    }

    /// Reads one frame. `role` says what it is to the frame around it.
    fn frame(&mut self, depth: usize, role: &str) -> Result<(), Stop> {
        if depth > DEPTH_MAX {
            let why = format!("more than {DEPTH_MAX} frames within each other");
            return Err(Stop::Wrong { at: self.at, why });
        }
        let line = self.line()?;
        let head = Head::parse(line).map_err(|mistake| Stop::Wrong {
            at: self.at + mistake.at,
            why: mistake.why.to_string(),
        })?;
        self.take(line.len() + 2, depth, format!("{role}{}", meaning(&head, line)));
        match head {
            Head::Bulk(length) | Head::BulkError(length) => self.payload(length, depth + 1),
            Head::Verbatim(length) => self.payload(length, depth + 1),
            Head::Group(group, count) => self.group(group, count, depth),
            _ => Ok(()),
        }
    }

    /// The line that begins here, without its end.
    fn line(&self) -> Result<&'b [u8], Stop> {
        let rest = self.rest();
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            // A wrong beginning is wrong, however the line goes on.
            return match rest.first().map(|first| Head::parse(std::slice::from_ref(first))) {
                Some(Err(mistake)) if mistake.at == 0 => {
                    Err(Stop::Wrong { at: self.at, why: mistake.why.to_string() })
                }
                _ => Err(Stop::Missing("the end of a line".to_string())),
            };
        };
        rest[..end]
            .strip_suffix(b"\r")
            .ok_or(Stop::Wrong { at: self.at + end, why: "a line ends in \\r\\n".to_string() })
    }

    /// The bytes of a string, and the line end behind them.
    fn payload(&mut self, length: usize, depth: usize) -> Result<(), Stop> {
        let rest = self.rest();
        let Some(whole) = length.checked_add(2).filter(|whole| *whole <= rest.len()) else {
            let missing = length.saturating_add(2) - rest.len();
            return Err(Stop::Missing(format!("{} of this string", count(missing, "byte"))));
        };
        if &rest[length..whole] != b"\r\n" {
            let first = usize::from(rest[length] == b'\r');
            let why = format!("\\r\\n stands behind the {}", count(length, "byte"));
            return Err(Stop::Wrong { at: self.at + length + first, why });
        }
        self.take(whole, depth, "");
        Ok(())
    }

    /// The frames of a group, and the frame that an attribute is about.
    fn group(&mut self, group: Group, count: usize, depth: usize) -> Result<(), Stop> {
        let frames = group.frames(count);
        for index in 0..frames {
            if self.rest().is_empty() {
                let missing = super::dump::count(frames - index, "frame");
                return Err(Stop::Missing(missing));
            }
            let role = match group {
                Group::Map | Group::Attribute if index % 2 == 0 => "key: ",
                Group::Map | Group::Attribute => "value: ",
                Group::Array | Group::Set | Group::Push => "",
            };
            self.frame(depth + 1, role)?;
        }
        if group == Group::Attribute { self.frame(depth, "") } else { Ok(()) }
    }
}

/// What a line announces, in words.
fn meaning(head: &Head, line: &[u8]) -> String {
    match head {
        Head::Simple(_) => "simple string".to_string(),
        Head::Error(text) => {
            format!("error: {}", text.escape_ascii().to_string().replace("\\'", "'"))
        }
        Head::Int(_) => "integer".to_string(),
        Head::Bulk(length) => format!("bulk string of {}", count(*length, "byte")),
        Head::BulkError(length) => format!("error of {}", count(*length, "byte")),
        Head::Verbatim(length) => {
            format!("text of {}, its format first", count(*length, "byte"))
        }
        Head::Null => match line.first() {
            Some(b'_') => "null".to_string(),
            Some(b'$') => "null: a bulk string that is none".to_string(),
            _ => "null: an array that is none".to_string(),
        },
        Head::Boolean(true) => "true".to_string(),
        Head::Boolean(false) => "false".to_string(),
        Head::Double(_) => "double".to_string(),
        Head::BigNumber(_) => "big number".to_string(),
        Head::Group(Group::Array, frames) => format!("array of {}", count(*frames, "frame")),
        Head::Group(Group::Set, frames) => format!("set of {}", count(*frames, "frame")),
        Head::Group(Group::Push, frames) => {
            format!("push of {}: it answers no request", count(*frames, "frame"))
        }
        Head::Group(Group::Map, pairs) => format!("map of {}", count(*pairs, "pair")),
        Head::Group(Group::Attribute, pairs) => {
            format!("attribute of {}, about the frame behind it", count(*pairs, "pair"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(bytes: &[u8]) -> Option<Stop> {
        let mut walk = Walk::new(bytes);
        while walk.at < bytes.len() {
            if let Err(stop) = walk.frame(0, "") {
                return Some(stop);
            }
        }
        None
    }

    #[test]
    fn a_whole_reply_cut_anywhere_misses_something() {
        let whole = b"*2\r\n$3\r\na\r\n\r\n%1\r\n+k\r\n#t\r\n";
        assert_eq!(stop(whole), None);
        for cut in 1..whole.len() {
            assert!(matches!(stop(&whole[..cut]), Some(Stop::Missing(_))), "cut at {cut}");
        }
    }

    #[test]
    fn the_first_wrong_byte_is_pointed_at() {
        for (bytes, at) in [
            (&b"OK\r\n"[..], 0),
            (b"O", 0),
            (b"+OK\n", 3),
            (b"*2\r\n:1\r\n:1x\r\n", 10),
            (b"$2\r\nabc\r\n", 6),
            (b"$2\r\nab\r\r\n", 7),
        ] {
            match stop(bytes) {
                Some(Stop::Wrong { at: found, .. }) => assert_eq!(found, at),
                other => panic!("{}: {other:?}", bytes.escape_ascii()),
            }
        }
    }

    #[test]
    fn enormous_lengths_take_no_memory_and_deep_nesting_no_stack() {
        assert!(matches!(stop(b"$9223372036854775807\r\nab"), Some(Stop::Missing(_))));
        assert!(matches!(stop(b"%9223372036854775807\r\n"), Some(Stop::Missing(_)) | None));
        assert!(matches!(stop(&b"*1\r\n".repeat(1000)), Some(Stop::Wrong { .. })));
    }

    #[test]
    fn every_byte_is_in_one_part() {
        for bytes in
            [&b"*2\r\n:1\r\n$3\r\nabc\r\n"[..], b"+OK\n+OK\r\n", b"*3\r\n:1\r\n", b"$2\r\nabc\r\n"]
        {
            let mut walk = Walk::new(bytes);
            let outcome = walk.frame(0, "");
            let parts = walk.parts_up_to(outcome);
            let mut end = 0;
            for part in &parts {
                assert_eq!(part.range.start, end, "{parts:?}");
                end = part.range.end;
            }
            assert_eq!(end, bytes.len(), "{parts:?}");
        }
    }
}
