//! A reply, byte by byte.
//!
//! ```text
//! $ minicache explain frame --bytes '%1\r\n+ttl\r\n:x\r\n'
//! 0000  25 31 0d 0a                %1\r\n      map of 1 pair
//! 0004  2b 74 74 6c 0d 0a          +ttl\r\n      key: simple string
//! 000a  3a                         :
//! 000b  78                         x           WRONG: no integer of 64 bits
//! 000c  0d 0a                      \r\n        not read
//! The byte at 000b is wrong: no integer of 64 bits.
//! ```
//!
//! The parts are those of [`wire::frame::Reader`](crate::wire::frame::Reader), which also reads the
//! replies for `minicache cli`. This file only says in words what they mean.

use super::dump::{Annotated, Stopped, count};
use crate::wire::frame::{Content, Group, Head, Mistake, Reader, Stop};

/// Explains the frames in `bytes`, up to the end or the first wrong byte.
pub fn explain(bytes: &[u8]) -> String {
    let (parts, frames, stop) = annotate(bytes);
    let summary = match stop {
        None => format!("{}, {}.", count(frames, "whole frame"), count(bytes.len(), "byte")),
        Some(Stop::Wrong(Mistake { at, why })) => format!("The byte at {at:04x} is wrong: {why}."),
        Some(missing) => format!("Not all of it is here: {missing}."),
    };
    format!("{}{summary}\n", parts.finish(stop.map(Stopped::from)))
}

/// The parts of the frames in `bytes`, the number of complete frames, and why reading stopped.
fn annotate(bytes: &[u8]) -> (Annotated<'_>, usize, Option<Stop>) {
    let (mut reader, mut parts) = (Reader::default(), Annotated::new(bytes));
    let mut frames = 0;
    while reader.position() < bytes.len() || !reader.is_between_frames() {
        let part = match reader.next(bytes) {
            Ok(part) => part,
            Err(stop) => return (parts, frames, Some(stop)),
        };
        let role = match part.index {
            Some((Group::Map, index)) if index % 2 == 0 => "key: ",
            Some((Group::Map, _)) => "value: ",
            _ => "",
        };
        let meaning = match part.content {
            Content::Line(head) => format!("{role}{}", meaning(&head, &bytes[part.range.clone()])),
            Content::Payload(_) => String::new(),
        };
        parts.push(part.range.len(), part.depth, &meaning);
        frames += usize::from(reader.is_between_frames());
    }
    (parts, frames, None)
}

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
            Some(b'$') => "null, as a bulk string".to_string(),
            _ => "null, as an array".to_string(),
        },
        Head::Boolean(value) => value.to_string(),
        Head::Double(_) => "double".to_string(),
        Head::BigNumber(_) => "big number".to_string(),
        Head::Group(Group::Array, frames) => format!("array of {}", count(*frames, "frame")),
        Head::Group(Group::Set, frames) => format!("set of {}", count(*frames, "frame")),
        Head::Group(Group::Push, frames) => {
            format!("push of {}, not the reply to a request", count(*frames, "frame"))
        }
        Head::Group(Group::Map, pairs) => format!("map of {}", count(*pairs, "pair")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            match annotate(bytes).2 {
                Some(Stop::Wrong(mistake)) => assert_eq!(mistake.at, at),
                other => panic!("{}: {other:?}", bytes.escape_ascii()),
            }
        }
    }

    #[test]
    fn every_byte_is_in_a_part() {
        for bytes in
            [&b"*2\r\n:1\r\n$3\r\nabc\r\n"[..], b"+OK\n+OK\r\n", b"*3\r\n:1\r\n", b"$2\r\nabc\r\n"]
        {
            let (parts, _, stop) = annotate(bytes);
            let dump = parts.finish(stop.map(Stopped::from));
            assert_eq!(dump.end(), bytes.len(), "{dump}");
        }
    }
}
