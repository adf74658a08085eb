//! What clients send.
//!
//! The first packet has no letter. Its fifth to eighth byte say what it is:
//!
//! ```
//! use minibtree_wire::{Startup, decode_startup};
//!
//! assert_eq!(decode_startup(b"\0\0\0\x08\x04\xd2\x16\x2f")?, Some((Startup::Encryption, 8)));
//! let (startup, _) = decode_startup(b"\0\0\0\x11\0\x03\0\0user\0me\0\0")?.expect("complete");
//! assert_eq!(startup, Startup::Start { parameters: vec![("user".into(), "me".into())] });
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```
//!
//! A length is compared with its limit before a byte of the body is waited for, so that a client
//! cannot make the server reserve memory for what it never sends. Counts inside a body need no
//! limit of their own: their elements have to be there.
//!
//! PostgreSQL's `ProcessStartupPacket` (`postmaster.c`) and `SocketBackend` (`postgres.c`), with
//! limits per kind of message; ours are one for all. Its largest message has 1 GB.

use crate::scram::MECHANISM;
use crate::{Format, Result, SqlError, code};
use minibtree_types::error;

/// The longest start-up packet, in bytes: `MAX_STARTUP_PACKET_LENGTH`.
const STARTUP_MAX: usize = 10_000;
/// The longest message, in bytes: a value of 64 MB, or a generated multi-row INSERT. What looks
/// longer than PostgreSQL's 1 GB is no message.
const MESSAGE_MAX: usize = 64 << 20;

/// Version 3.0 of the protocol.
const VERSION_3: u32 = 3 << 16;
const CANCEL: u32 = 1234 << 16 | 5678;
const TLS: u32 = 1234 << 16 | 5679;
const GSSAPI: u32 = 1234 << 16 | 5680;

/// The first packet of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Startup {
    /// Asks for TLS or GSSAPI. The server answers with one byte, `N`, and the client goes on.
    Encryption,
    /// Cancels what another connection executes.
    Cancel {
        /// The number that the server gave to the other connection.
        process: u32,
        /// The secret that goes with it.
        secret: u32,
    },
    /// Starts a session.
    Start {
        /// `user`, `database` and settings.
        parameters: Vec<(String, String)>,
    },
}

/// What a Describe or Close is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A prepared statement.
    Statement,
    /// A statement with its parameters.
    Portal,
}

/// A Bind: a prepared statement and its parameters become a portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The portal's name; empty for the unnamed one.
    pub portal: &'a str,
    /// The statement's name; empty for the unnamed one.
    pub statement: &'a str,
    /// None: all are text. One: it holds for all.
    pub parameter_formats: Vec<Format>,
    /// `None` is NULL.
    pub parameters: Vec<Option<&'a [u8]>>,
    /// As for the parameters.
    pub result_formats: Vec<Format>,
}

/// A message of a running session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// The simple protocol: statements, separated by semicolons.
    Query(&'a str),
    /// Prepares a statement.
    Parse {
        /// Its name; empty for the unnamed one.
        name: &'a str,
        /// One statement.
        sql: &'a str,
        /// Types of the first parameters; 0 lets the server infer it.
        types: Vec<u32>,
    },
    /// Makes a portal.
    Bind(Bind<'a>),
    /// Asks for columns and parameters.
    Describe(Target, &'a str),
    /// Runs a portal.
    Execute {
        /// The portal's name.
        portal: &'a str,
        /// Rows to return at most; 0 for all.
        max_rows: u32,
    },
    /// Forgets a statement or portal.
    Close(Target, &'a str),
    /// Ends a group of messages and, outside a block, the transaction.
    Sync,
    /// Asks for the replies so far.
    Flush,
    /// Bytes for COPY.
    CopyData(&'a [u8]),
    /// The end of a COPY.
    CopyDone,
    /// The client gives up a COPY, for this reason.
    CopyFail(&'a str),
    /// The end of the session.
    Terminate,
}

/// Decodes the first packet. Returns it with its length in bytes, or `None` if more has to arrive.
///
/// # Errors
/// If the length is out of bounds or the version is not 3.
pub fn decode_startup(bytes: &[u8]) -> Result<Option<(Startup, usize)>> {
    let Some(length) = be_u32(bytes, 0) else { return Ok(None) };
    let length = length as usize;
    if !(8..=STARTUP_MAX).contains(&length) {
        return Err(violation("invalid length of startup packet"));
    }
    let Some(packet) = bytes.get(..length) else { return Ok(None) };

    let mut body = Body(&packet[4..]);
    let startup = match body.u32()? {
        TLS | GSSAPI => Startup::Encryption,
        CANCEL => Startup::Cancel { process: body.u32()?, secret: body.u32()? },
        version if version >> 16 == VERSION_3 >> 16 => {
            let mut parameters = Vec::new();
            loop {
                match body.text()? {
                    "" => break Startup::Start { parameters },
                    name => parameters.push((name.to_owned(), body.text()?.to_owned())),
                }
            }
        }
        version => {
            let (major, minor) = (version >> 16, version & 0xffff);
            let text =
                format!("unsupported frontend protocol {major}.{minor}: server supports 3.0");
            return Err(SqlError::new(code::FEATURE_NOT_SUPPORTED, text));
        }
    };
    Ok(Some((startup, length)))
}

/// Decodes the first message. Returns it with its length in bytes, or `None` if more has to
/// arrive.
///
/// # Errors
/// `08P01` for bytes that are no message and `54000` for a message that is too long, after which
/// nothing can be read from this client, and `22021` for text that is not UTF-8.
pub fn decode(bytes: &[u8]) -> Result<Option<(Message<'_>, usize)>> {
    let (Some(letter), Some(length)) = (bytes.first(), be_u32(bytes, 1)) else { return Ok(None) };
    let length = length as usize;
    if !(4..=1 << 30).contains(&length) {
        return Err(violation("invalid message length"));
    }
    if length > MESSAGE_MAX {
        let text = format!("a message of {length} bytes is longer than {MESSAGE_MAX} bytes");
        return Err(SqlError::new(code::PROGRAM_LIMIT_EXCEEDED, text));
    }
    let Some(body) = bytes.get(5..1 + length) else { return Ok(None) };

    let mut body = Body(body);
    let message = match letter {
        b'Q' => Message::Query(body.text()?),
        b'P' => {
            let (name, sql) = (body.text()?, body.text()?);
            Message::Parse { name, sql, types: body.list(Body::u32)? }
        }
        b'B' => Message::Bind(Bind {
            portal: body.text()?,
            statement: body.text()?,
            parameter_formats: body.list(Body::format)?,
            parameters: body.list(Body::value)?,
            result_formats: body.list(Body::format)?,
        }),
        b'D' => Message::Describe(body.target()?, body.text()?),
        b'E' => Message::Execute { portal: body.text()?, max_rows: body.u32()? },
        b'C' => Message::Close(body.target()?, body.text()?),
        b'S' => Message::Sync,
        b'H' => Message::Flush,
        b'd' => Message::CopyData(std::mem::take(&mut body.0)),
        b'c' => Message::CopyDone,
        b'f' => Message::CopyFail(body.text()?),
        b'X' => Message::Terminate,
        other => return Err(violation(&format!("invalid frontend message type {other}"))),
    };
    if !body.0.is_empty() {
        return Err(violation("invalid message format"));
    }
    Ok(Some((message, 1 + length)))
}

/// Decodes the client's first or second message of a SCRAM exchange. Returns the text in it with
/// the length of the message in bytes, or `None` if more has to arrive.
///
/// # Errors
/// `08P01` for another message or mechanism.
pub fn decode_sasl(bytes: &[u8], is_first: bool) -> Result<Option<(&str, usize)>> {
    let (Some(letter), Some(length)) = (bytes.first(), be_u32(bytes, 1)) else { return Ok(None) };
    let length = length as usize;
    if *letter != b'p' || !(4..=STARTUP_MAX).contains(&length) {
        return Err(violation("expected SASL response"));
    }
    let Some(body) = bytes.get(5..1 + length) else { return Ok(None) };
    let mut body = Body(body);
    if is_first {
        if body.text()? != MECHANISM {
            return Err(violation("client selected an invalid SASL authentication mechanism"));
        }
        // The length of what is left, which is known.
        body.u32()?;
    }
    let text = std::str::from_utf8(body.0).map_err(|_| violation("malformed SCRAM message"))?;
    Ok(Some((text, 1 + length)))
}

fn violation(text: &str) -> SqlError {
    SqlError::new(code::PROTOCOL_VIOLATION, text)
}

fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(four.try_into().expect("four bytes")))
}

/// The rest of a message's body.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| violation("insufficient data left in message"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.bytes(2)?.try_into().expect("two bytes")))
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.bytes(4)?.try_into().expect("four bytes")))
    }

    /// Text up to the next zero byte.
    fn text(&mut self) -> Result<&'a str> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let end = end.ok_or_else(|| violation("invalid string in message"))?;
        let text = self.bytes(end)?;
        self.0 = &self.0[1..];
        std::str::from_utf8(text).map_err(|_| {
            error!(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\"")
        })
    }

    /// A count and as many elements. Each takes at least two bytes, so the vector stays within a
    /// small multiple of what was sent.
    fn list<T>(&mut self, mut element: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        (0..self.u16()?).map(|_| element(self)).collect()
    }

    fn format(&mut self) -> Result<Format> {
        match self.u16()? {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            other => Err(violation(&format!("unsupported format code: {other}"))),
        }
    }

    /// A length and as many bytes; the length -1 is NULL.
    fn value(&mut self) -> Result<Option<&'a [u8]>> {
        match self.u32()? {
            u32::MAX => Ok(None),
            length => self.bytes(length as usize).map(Some),
        }
    }

    fn target(&mut self) -> Result<Target> {
        match self.bytes(1)? {
            b"S" => Ok(Target::Statement),
            b"P" => Ok(Target::Portal),
            _ => Err(violation("invalid DESCRIBE or CLOSE message subtype")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_as_pgbench_sends_it() {
        let bytes = b"P\0\0\0\x12P_0\0SELECT 1\0\0\0";
        let bytes = &[&bytes[..1], &(bytes.len() as u32 - 1).to_be_bytes(), &bytes[5..]].concat();
        let parse = Message::Parse { name: "P_0", sql: "SELECT 1", types: Vec::new() };
        assert_eq!(decode(bytes), Ok(Some((parse, bytes.len()))));
    }

    #[test]
    fn no_prefix_of_a_message_is_an_error() {
        let bytes = b"E\0\0\0\x09\0\0\0\0\x05";
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), Ok(None), "{length}");
        }
        let execute = Message::Execute { portal: "", max_rows: 5 };
        assert_eq!(decode(bytes), Ok(Some((execute, 10))));
    }

    #[test]
    fn damaged_messages_are_protocol_violations() {
        for bytes in [
            &b"Q\0\0\0\x03"[..],        // shorter than its own length field
            b"Q\xff\xff\xff\xff",       // 4 GiB
            b"Q\0\0\0\x06ab",           // no zero byte
            b"S\0\0\0\x05x",            // a body that Sync has not
            b"D\0\0\0\x06X\0",          // neither statement nor portal
            b"?\0\0\0\x04",             // no such message
            b"B\0\0\0\x08\0\0\xff\xff", // 65,535 formats that are not there
        ] {
            let error = decode(bytes).expect_err("damaged");
            assert_eq!(error.code, code::PROTOCOL_VIOLATION, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn startup_packets_are_bounded_and_versioned() {
        let error = decode_startup(b"GET / HTTP/1.1\r\n").expect_err("not PostgreSQL");
        assert_eq!(error.code, code::PROTOCOL_VIOLATION);
        let error = decode_startup(b"\0\0\0\x08\0\x02\0\0").expect_err("version 2");
        assert_eq!(error.code, code::FEATURE_NOT_SUPPORTED);
        let cancel = Startup::Cancel { process: 7, secret: 9 };
        let bytes = b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07\0\0\0\x09";
        assert_eq!(decode_startup(bytes), Ok(Some((cancel, 16))));
    }

    #[test]
    fn text_has_to_be_utf_8() {
        let error = decode(b"Q\0\0\0\x06\xff\0").expect_err("Latin-1");
        assert_eq!(error.code, code::CHARACTER_NOT_IN_REPERTOIRE);
    }
}
