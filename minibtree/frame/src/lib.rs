//! A stream of bytes as messages, and a message as fields.
//!
//! Every message after the start-up packet is a letter, a length that counts itself, and a body.
//! This is an Execute of the portal `p`, five rows at most:
//!
//! ```
//! use minibtree_frame::frame;
//!
//! let mut execute = frame(b"E\0\0\0\x0ap\0\0\0\0\x05")?.expect("complete");
//! assert_eq!((execute.letter, execute.length), (b'E', 11));
//! assert_eq!((execute.body.text()?, execute.body.u32()?), ("p", 5));
//! execute.body.end()?;
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```
//!
//! # Which errors end the connection?
//!
//! Those of [`frame`]: where the next message begins is not known. Those of [`Body`] do not. The
//! message is malformed, but its length is known, so the client is told and the next one is read.
//!
//! A length is compared with its limit before a byte of the body is waited for, so that a client
//! cannot make the server reserve memory for what it never sends. Counts inside a body need no
//! limit of their own: their elements have to be there.
//!
//! PostgreSQL's `pq_getmessage` (`pqcomm.c`), `pqformat.c` and `SocketBackend` (`postgres.c`), with
//! limits per kind of message; ours are one for all. Its largest message has 1 GB.

use minibtree_types::error;
use minibtree_types::error::{Result, SqlError, code};
use minibtree_types::values::Format;

/// The longest message, in bytes: a value of 64 MB, or a generated multi-row INSERT. What looks
/// longer than PostgreSQL's 1 GB is no message.
const MESSAGE_MAX: usize = 64 << 20;
/// The letters of messages that clients send; `F` is a function call.
const LETTERS: &[u8] = b"QPBDECSHdcfXF";

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub letter: u8,
    /// What it says.
    pub body: Body<'a>,
    /// The bytes of it all.
    pub length: usize,
}

/// The first message; `None` if more has to arrive.
///
/// # Errors
/// `08P01` for bytes that are no message and `54000` for a message that is too long, after which
/// nothing can be read from this client.
pub fn frame(bytes: &[u8]) -> Result<Option<Frame<'_>>> {
    let (Some(letter), Some(length)) = (bytes.first(), be_u32(bytes, 1)) else { return Ok(None) };
    if !LETTERS.contains(letter) {
        return Err(error!(PROTOCOL_VIOLATION, "invalid frontend message type {letter}"));
    }
    let length = length as usize;
    if !(4..=1 << 30).contains(&length) {
        return Err(violation("invalid message length"));
    }
    if length > MESSAGE_MAX {
        let text = format!("a message of {length} bytes is longer than {MESSAGE_MAX} bytes");
        return Err(SqlError::new(code::PROGRAM_LIMIT_EXCEEDED, text));
    }
    let Some(body) = bytes.get(5..1 + length) else { return Ok(None) };
    Ok(Some(Frame { letter: *letter, body: Body(body), length: 1 + length }))
}

/// `08P01`: a client broke the protocol.
pub fn violation(text: &str) -> SqlError {
    SqlError::new(code::PROTOCOL_VIOLATION, text)
}

/// The number in four bytes; `None` if they are not there.
pub fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(four.try_into().expect("four bytes")))
}

/// The fields of a body that were not read.
#[derive(Debug, PartialEq, Eq)]
pub struct Body<'a>(pub &'a [u8]);

#[expect(clippy::missing_errors_doc, reason = "all are 08P01, and 22021 for text")]
impl<'a> Body<'a> {
    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let text = "insufficient data left in message";
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| violation(text))?;
        self.0 = rest;
        Ok(taken)
    }

    /// A byte.
    pub fn byte(&mut self) -> Result<u8> {
        self.bytes(1).map(|it| it[0]).map_err(|_| violation("no data left in message"))
    }

    /// A number of two bytes.
    pub fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.bytes(2)?.try_into().expect("two bytes")))
    }

    /// A number of four bytes.
    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.bytes(4)?.try_into().expect("four bytes")))
    }

    /// Text up to the next zero byte.
    pub fn text(&mut self) -> Result<&'a str> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = self.bytes(end.ok_or_else(|| violation("invalid string in message"))?)?;
        self.0 = &self.0[1..];
        minibtree_utf8::checked(text)
    }

    /// A count and as many elements. Each takes at least two bytes, so the vector stays within a
    /// small multiple of what was sent.
    pub fn list<T>(&mut self, mut element: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        (0..self.u16()?).map(|_| element(self)).collect()
    }

    /// How a value is written.
    pub fn format(&mut self) -> Result<Format> {
        match self.u16()? {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            other => Err(error!(INVALID_PARAMETER_VALUE, "unsupported format code: {other}")),
        }
    }

    /// A length and as many bytes; the length -1 is NULL.
    pub fn value(&mut self) -> Result<Option<&'a [u8]>> {
        match self.u32()? {
            u32::MAX => Ok(None),
            length => self.bytes(length as usize).map(Some),
        }
    }

    /// The end, after which nothing may follow.
    pub fn end(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(violation("invalid message format")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_prefix_of_a_message_is_an_error() {
        let bytes = b"E\0\0\0\x09\0\0\0\0\x05";
        for length in 0..bytes.len() {
            assert_eq!(frame(&bytes[..length]), Ok(None), "{length}");
        }
        assert!(frame(bytes).is_ok_and(|it| it.is_some()));
    }

    #[test]
    fn bytes_that_are_no_message_end_the_stream() {
        for (bytes, wanted) in [
            (&b"Q\0\0\0\x03"[..], code::PROTOCOL_VIOLATION), // shorter than its own length field
            (b"Q\xff\xff\xff\xff", code::PROTOCOL_VIOLATION), // 4 GiB
            (b"?\0\0\0\x04", code::PROTOCOL_VIOLATION),      // no such message
            (b"Q\x05\0\0\0", code::PROGRAM_LIMIT_EXCEEDED),  // 80 MiB
        ] {
            assert_eq!(frame(bytes).expect_err("damaged").code, wanted, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn fields_have_to_be_there() {
        let message = |error: SqlError| error.message;
        assert_eq!(Body(b"ab").text().map_err(message).unwrap_err(), "invalid string in message");
        assert_eq!(Body(b"").byte().map_err(message).unwrap_err(), "no data left in message");
        let lacking = "insufficient data left in message";
        // 65,535 formats that are not there, and a value of 4 GiB.
        assert_eq!(Body(b"\xff\xff").list(Body::format).map_err(message).unwrap_err(), lacking);
        assert_eq!(Body(b"\xff\xff\xff\xfe").value().map_err(message).unwrap_err(), lacking);
        assert_eq!(Body(b"\xff\xff\xff\xff").value(), Ok(None));
        assert_eq!(Body(b"\0\x02").format().unwrap_err().code, "22023");
        assert_eq!(Body(b"\xff\0").text().unwrap_err().code, "22021");
        assert!(Body(b"x").end().is_err());
    }
}
