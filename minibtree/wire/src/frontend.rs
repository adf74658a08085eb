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
//! PostgreSQL's `ProcessStartupPacket` (`postmaster.c`) and `PostgresMain` (`postgres.c`).

use crate::scram::MECHANISM;
use crate::{Format, Result, SqlError, code, format_of};
use minibtree_frame::{Body, Frame, be_u32, frame, violation};
use minibtree_types::values::{Type, Value};
use minibtree_utf8::checked;

/// The longest start-up packet, in bytes: `MAX_STARTUP_PACKET_LENGTH`.
const STARTUP_MAX: usize = 10_000;

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

impl Bind<'_> {
    /// Checks the number of parameters, and that there are no formats, one for all, or one each.
    ///
    /// # Errors
    /// `08P01`.
    pub fn check(&self, wanted: usize, columns: Option<usize>) -> Result<()> {
        let (formats, given) = (self.parameter_formats.len(), self.parameters.len());
        let (results, name) = (self.result_formats.len(), self.statement);
        let text = match columns {
            _ if formats > 1 && formats != given => {
                format!("has {formats} parameter formats but {given} parameters")
            }
            _ if given != wanted => {
                let supplies = format!("supplies {given} parameters");
                format!("{supplies}, but prepared statement \"{name}\" requires {wanted}")
            }
            Some(columns) if results > 1 && results != columns => {
                format!("has {results} result formats but query has {columns} columns")
            }
            _ => return Ok(()),
        };
        Err(violation(&format!("bind message {text}")))
    }

    /// The parameters as values of these types.
    ///
    /// # Errors
    /// Those of reading one, with its number.
    pub fn values(&self, types: &[Type]) -> Result<Vec<Value>> {
        let parameters = self.parameters.iter().zip(types).enumerate();
        let value = |(index, (bytes, base)): (usize, (&Option<&[u8]>, &Type))| match (
            bytes,
            format_of(&self.parameter_formats, index),
        ) {
            (None, _) => Ok(Value::Null),
            (Some(bytes), Format::Binary) => {
                base.receive(bytes).map_err(|error| self.place(error, index, ""))
            }
            (Some(bytes), Format::Text) => {
                let text = checked(bytes).map_err(|error| self.place(error, index, ""))?;
                base.parse(text).map_err(|error| self.place(error, index, " = '...'"))
            }
        };
        parameters.map(value).collect()
    }

    /// The error with the place of a parameter, and with its value where PostgreSQL hides one.
    fn place(&self, error: SqlError, index: usize, value: &str) -> SqlError {
        let portal = match self.portal {
            "" => "unnamed portal".to_owned(),
            name => format!("portal \"{name}\""),
        };
        error.context(|| format!("{portal} parameter ${}{value}", index + 1))
    }
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
    /// A message with this letter that cannot be read, and why.
    Malformed(u8, SqlError),
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

/// A parameter of the start-up packet; `None` if it is not there or empty.
pub fn given<'p>(parameters: &'p [(String, String)], name: &str) -> Option<&'p str> {
    let given = parameters.iter().find(|it| it.0 == name);
    given.map(|it| it.1.as_str()).filter(|it| !it.is_empty())
}

/// Decodes the first message. Returns it with its length in bytes, or `None` if more has to
/// arrive.
///
/// # Errors
/// Those of [`frame`], after which nothing can be read from this client.
pub fn decode(bytes: &[u8]) -> Result<Option<(Message<'_>, usize)>> {
    let Some(Frame { letter, body, length }) = frame(bytes)? else { return Ok(None) };
    let message = message(letter, body);
    Ok(Some((message.unwrap_or_else(|error| Message::Malformed(letter, error)), length)))
}

fn message(letter: u8, mut body: Body<'_>) -> Result<Message<'_>> {
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
        b'D' => Message::Describe(target(&mut body, "DESCRIBE")?, body.text()?),
        b'E' => Message::Execute { portal: body.text()?, max_rows: body.u32()? },
        b'C' => Message::Close(target(&mut body, "CLOSE")?, body.text()?),
        b'S' => Message::Sync,
        b'H' => Message::Flush,
        b'd' => return Ok(Message::CopyData(body.0)),
        // PostgreSQL does not look into these two.
        b'c' => return Ok(Message::CopyDone),
        b'X' => return Ok(Message::Terminate),
        b'f' => Message::CopyFail(body.text()?),
        _ => return Err(SqlError::unsupported("the message FunctionCall")),
    };
    body.end().map(|()| message)
}

fn target(body: &mut Body<'_>, message: &str) -> Result<Target> {
    match body.byte()? {
        b'S' => Ok(Target::Statement),
        b'P' => Ok(Target::Portal),
        other => Err(violation(&format!("invalid {message} message subtype {other}"))),
    }
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

    /// The next message can be read, so the connection goes on.
    #[test]
    fn malformed_messages_are_told_from_a_lost_stream() {
        for (bytes, wanted) in [
            (&b"Q\0\0\0\x06ab"[..], code::PROTOCOL_VIOLATION), // no zero byte
            (b"Q\0\0\0\x07\xff\0\0", code::CHARACTER_NOT_IN_REPERTOIRE), // Latin-1
            (b"S\0\0\0\x05x", code::PROTOCOL_VIOLATION),       // a body that Sync has not
            (b"D\0\0\0\x06X\0", code::PROTOCOL_VIOLATION),     // neither statement nor portal
            (b"B\0\0\0\x08\0\0\xff\xff", code::PROTOCOL_VIOLATION), // formats that are not there
            (b"F\0\0\0\x04", code::FEATURE_NOT_SUPPORTED),
        ] {
            let (message, length) = decode(bytes).expect("a message").expect("complete");
            let Message::Malformed(letter, error) = message else { panic!("{message:?}") };
            assert_eq!((letter, error.code, length), (bytes[0], wanted, bytes.len()));
        }
        let with_body = decode(b"c\0\0\0\x05x");
        assert_eq!(with_body, Ok(Some((Message::CopyDone, 6))));
        assert_eq!(decode(b"?\0\0\0\x04").expect_err("lost").code, code::PROTOCOL_VIOLATION);
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
}
