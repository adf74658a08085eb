//! Checks that bytes are replies, in the protocol that the client chose.
//!
//! ```text
//! "*2\r\n:1\r\n$1\r\na\r\n+OK\r\n"    the first value ends at 15
//! "_\r\n"                             a value of RESP3; in RESP2 an error
//! "$3\r\nab\r\n"                      an error: the string is cut short
//! ```
//!
//! The reader is that of the command-line client, [`minicache::wire::frame`]; Redis's own clients
//! read the same replies in `minicache/clients`. This file adds which type belongs to which
//! protocol. Counterpart: `deps/hiredis/read.c`.

use minicache::wire::frame::{Content, Head, Part, Reader, Stop};

/// The protocols that a value may be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// Before `HELLO 3`.
    Resp2,
    /// After it.
    Resp3,
    /// The protocol changed while it was written.
    Either,
}

/// No reply of ours nests deeper: `COMMAND DOCS` has arguments within arguments.
const DEPTH_MAX: usize = 16;

/// Splits `bytes` into values. Bytes after the last whole value are an error.
pub fn split(mut bytes: &[u8], speech: Speech) -> Result<Vec<&[u8]>, String> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        let shown = || bytes.escape_ascii();
        let mut reader = Reader::default();
        loop {
            let part = reader.next(bytes).map_err(|stop| match stop {
                Stop::Wrong(mistake) => format!("{} at {} of {}", mistake.why, mistake.at, shown()),
                missing => format!("missing: {missing} in {}", shown()),
            })?;
            check(&part, &bytes[part.range.clone()], speech)
                .map_err(|why| format!("{why} at {} of {}", part.range.start, shown()))?;
            if reader.is_between_frames() {
                break;
            }
        }
        let (value, rest) = bytes.split_at(reader.position());
        values.push(value);
        bytes = rest;
    }
    Ok(values)
}

/// What the reader accepts and a server must not send.
fn check(part: &Part, bytes: &[u8], speech: Speech) -> Result<(), &'static str> {
    if part.depth > DEPTH_MAX {
        return Err("too deep");
    }
    let Content::Line(head) = &part.content else { return Ok(()) };
    let only = match (bytes[0], head) {
        (b'+' | b'-', Head::Simple(text) | Head::Error(text)) if text.is_empty() => {
            return Err("an empty line of text");
        }
        (_, Head::Simple(text) | Head::Error(text)) if text.contains(&b'\r') => {
            return Err("a carriage return in a line of text");
        }
        (b'!' | b'|', _) => return Err("a type that we never send"),
        (b'~' | b'>' | b'%', Head::Null) => return Err("not a length"),
        (b'$' | b'*', Head::Null) => Speech::Resp2,
        (b'+' | b'-' | b':' | b'$' | b'*', _) => return Ok(()),
        _ => Speech::Resp3,
    };
    if [only, Speech::Either].contains(&speech) { Ok(()) } else { Err("the other protocol") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_head() {
        let pair = &b"*2\r\n:1\r\n$1\r\na\r\n+OK\r\n"[..];
        assert_eq!(split(pair, Speech::Resp2), Ok(vec![&pair[..15], &pair[15..]]));
        assert!(split(b"_\r\n", Speech::Resp3).is_ok());
        assert!(split(b"_\r\n", Speech::Resp2).is_err());
        assert!(split(b"$-1\r\n", Speech::Resp3).is_err());
        assert!(split(b"$3\r\nab\r\n", Speech::Either).is_err());
    }
}
