//! The start of a connection, before there is a session.
//!
//! ```text
//! client                                  server
//! SSLRequest, GSSENCRequest               N
//! StartupMessage user=ada                 R 10 SCRAM-SHA-256         only with passwords
//! p SCRAM-SHA-256 n,,n=,r=...             R 11 r=...,s=...,i=4096
//! p c=biws,r=...,p=...                    R 12 v=...
//!                                         R 0, S server_version 15.0, ...
//! ```
//!
//! A client may send a CancelRequest in place of the StartupMessage. The server then cancels the
//! statement of another connection and closes this one.
//!
//! PostgreSQL's `ProcessStartupPacket` (`postmaster.c`) and `ClientAuthentication` (`auth.c`).

use minibtree_auth::{CancelKeys, Passwords};
use minibtree_types::error;
use minibtree_types::error::{SqlError, code};
use minibtree_wire::scram::MECHANISM;
use minibtree_wire::{Authentication, Replies, Startup, decode_sasl, decode_startup, given};
use minikit::server::BlockingStream;
use std::io::{self, Read, Write};

/// Bytes that one `read` asks for.
pub const READ_BYTES: usize = 16 << 10;

/// What drivers read from the version; the number decides which catalog queries psql sends.
const SERVER_VERSION: &str = concat!("15.0 (minibtree ", env!("CARGO_PKG_VERSION"), ")");

/// The name of the only database.
const DATABASE: &str = "postgres";

/// A socket with what was read from it and what will be written to it.
pub struct Channel {
    /// The socket.
    pub stream: BlockingStream,
    /// What one `read` fills.
    buffer: Box<[u8]>,
    /// Bytes that were read and not handled.
    pub input: Vec<u8>,
    /// Messages that were not written.
    pub replies: Replies,
}

impl Channel {
    /// A channel of a connection that was just accepted.
    pub fn new(stream: BlockingStream) -> Channel {
        let (buffer, replies) = (vec![0; READ_BYTES].into(), Replies::default());
        Channel { stream, buffer, input: Vec::new(), replies }
    }

    /// Appends what the client has sent to the input. Returns false at the end.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn read(&mut self) -> io::Result<bool> {
        let count = match self.input.is_empty() {
            true => self.stream.read_or_shutdown(&mut self.buffer)?,
            false => self.stream.read(&mut self.buffer)?,
        };
        self.input.extend_from_slice(&self.buffer[..count]);
        Ok(count > 0)
    }

    /// Writes the replies.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn write(&mut self) -> io::Result<()> {
        self.stream.write_all(self.replies.bytes())?;
        self.replies.clear();
        Ok(())
    }

    /// Waits for the client's next message of a SCRAM exchange.
    fn sasl_message(&mut self, is_first: bool) -> Result<Option<String>, Broken> {
        self.write()?;
        loop {
            if let Some((text, length)) = decode_sasl(&self.input, is_first)? {
                let text = text.to_owned();
                self.input.drain(..length);
                return Ok(Some(text));
            }
            if !self.read()? {
                return Ok(None);
            }
        }
    }
}

/// Reads the start-up packets, lets the client prove its password if there are passwords, and tells
/// it what drivers want to know. Returns its parameters, or `None` if the connection is done.
///
/// # Errors
/// Those of the packets and of the socket; `28P01` for a wrong password, `3D000` for no database.
pub fn start(
    channel: &mut Channel,
    cancel_keys: &CancelKeys,
    passwords: Option<&Passwords>,
) -> Result<Option<Vec<(String, String)>>, Broken> {
    let Some(parameters) = start_up(channel, cancel_keys)? else { return Ok(None) };
    let text = "no PostgreSQL user name specified in startup packet";
    let no_user = || SqlError::new(code::INVALID_AUTHORIZATION_SPECIFICATION, text);
    let user = given(&parameters, "user").ok_or_else(no_user)?;
    if let Some(passwords) = passwords
        && !authenticate(channel, passwords, user)?
    {
        return Ok(None);
    }
    // Otherwise a client that is to empty the database `test` would empty the one there is.
    let database = given(&parameters, "database").unwrap_or(user);
    if database != DATABASE {
        let error = error!(UNDEFINED_DATABASE, "database \"{database}\" does not exist");
        return Err(error.hint(format!("There is one database, {DATABASE}.")).into());
    }
    greet(&mut channel.replies, user, given(&parameters, "application_name").unwrap_or_default());
    Ok(Some(parameters))
}

/// Returns the parameters, or `None` if the connection is done.
fn start_up(
    channel: &mut Channel,
    cancel_keys: &CancelKeys,
) -> Result<Option<Vec<(String, String)>>, Broken> {
    loop {
        let Some((startup, length)) = decode_startup(&channel.input)? else {
            if channel.read()? {
                continue;
            }
            return Ok(None);
        };
        channel.input.drain(..length);
        match startup {
            Startup::Encryption => channel.stream.write_all(b"N")?,
            Startup::Cancel { process, secret } => {
                cancel_keys.cancel(process, secret);
                return Ok(None);
            }
            Startup::Start { parameters } => return Ok(Some(parameters)),
        }
    }
}

/// Returns false if the client has gone.
fn authenticate(channel: &mut Channel, passwords: &Passwords, user: &str) -> Result<bool, Broken> {
    channel.replies.authentication(Authentication::Sasl, &[MECHANISM.as_bytes(), &[0, 0]].concat());
    let Some(first) = channel.sasl_message(true)? else { return Ok(false) };
    let (exchange, reply) = passwords.begin(user, &first)?;
    channel.replies.authentication(Authentication::SaslContinue, reply.as_bytes());
    let Some(last) = channel.sasl_message(false)? else { return Ok(false) };
    // A name that is not there is refused with the same words.
    let proof = exchange.finish(&last)?.ok_or_else(|| {
        error!(INVALID_PASSWORD, "password authentication failed for user \"{user}\"")
    })?;
    channel.replies.authentication(Authentication::SaslFinal, proof.as_bytes());
    Ok(true)
}

fn greet(replies: &mut Replies, user: &str, application: &str) {
    replies.authentication(Authentication::Ok, &[]);
    for (name, value) in [
        ("application_name", application),
        ("client_encoding", "UTF8"),
        ("DateStyle", "ISO, MDY"),
        ("default_transaction_read_only", "off"),
        ("in_hot_standby", "off"),
        ("integer_datetimes", "on"),
        ("IntervalStyle", "postgres"),
        ("is_superuser", "on"),
        ("server_encoding", "UTF8"),
        ("server_version", SERVER_VERSION),
        ("session_authorization", user),
        ("standard_conforming_strings", "on"),
        ("TimeZone", "UTC"),
    ] {
        replies.parameter_status(name, value);
    }
}

/// Why a connection cannot go on.
#[derive(Debug)]
pub enum Broken {
    /// The client is told.
    Protocol(SqlError),
    /// The socket has failed.
    Stream(io::Error),
}

impl From<SqlError> for Broken {
    fn from(error: SqlError) -> Broken {
        Broken::Protocol(error)
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Broken {
        Broken::Stream(error)
    }
}
