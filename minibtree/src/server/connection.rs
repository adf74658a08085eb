//! One client: bytes in, messages to the session, replies out.
//!
//! # The life of a batch
//!
//! 1. One `read` takes what the client has sent: with pgbench, `Bind Describe Execute Sync`.
//! 2. Every complete message is handled. The replies gather in one buffer.
//! 3. What they tell becomes durable (`Session::settle`), then one `write` sends them.
//!
//! So a prepared query costs two system calls, as in PostgreSQL (`pqcomm.c` buffers both ways).
//! Replies are written earlier if they get long, and when the client asks for them by Flush.

use super::{Server, end_process};
use crate::sql::{Next, Session};
use crate::wire::scram::MECHANISM;
use crate::wire::{
    Replies, Severity, SqlError, Startup, code, decode, decode_sasl, decode_startup,
};
use minikit::server::{BlockingStream, Shutdown};
use std::io::{self, Read, Write};
use std::time::Duration;

/// Bytes that one `read` asks for.
const READ_BYTES: usize = 16 << 10;
/// Replies longer than this are written before the next message is handled.
const REPLY_BYTES: usize = 64 << 10;
/// What drivers read from the version; the number decides which catalog queries psql sends.
const SERVER_VERSION: &str = concat!("15.0 (minibtree ", env!("CARGO_PKG_VERSION"), ")");

/// A connection.
pub struct Connection<'a> {
    server: &'a Server,
    stream: BlockingStream,
    shutdown: Shutdown,
    /// What one `read` fills.
    buffer: Box<[u8]>,
    /// Bytes that were read and not handled.
    input: Vec<u8>,
    replies: Replies,
}

impl<'a> Connection<'a> {
    /// A connection that was just accepted.
    pub fn new(server: &'a Server, stream: BlockingStream, shutdown: Shutdown) -> Connection<'a> {
        let (buffer, replies) = (vec![0; READ_BYTES].into(), Replies::default());
        Connection { server, stream, shutdown, buffer, input: Vec::new(), replies }
    }

    /// Serves the client until either side closes.
    pub fn serve(mut self) -> io::Result<()> {
        match self.serve_session() {
            Ok(()) => Ok(()),
            Err(Broken::Stream(error)) => Err(error),
            Err(Broken::Protocol(error)) => {
                let is_too_long = error.code == code::PROGRAM_LIMIT_EXCEEDED;
                self.replies.error(&error.severity(Severity::Fatal));
                self.stream.write_all(self.replies.bytes())?;

                // A client that is still sending would lose the error in a reset.
                self.stream.set_read_timeout(is_too_long.then_some(Duration::from_secs(1)))?;
                while is_too_long && self.stream.read(&mut [0; READ_BYTES])? > 0 {}
                Ok(())
            }
        }
    }

    fn serve_session(&mut self) -> Result<(), Broken> {
        let Some(parameters) = self.start_up()? else { return Ok(()) };
        if !self.authenticate(given(&parameters, "user"))? {
            return Ok(());
        }
        let key = self.server.cancel_keys.issue();
        let mut session = Session::new(self.server.shared.clone(), key.interrupt.clone());
        self.greet(&parameters);
        self.replies.backend_key_data(key.process, key.secret);
        self.replies.ready(session.status());
        self.write(&mut session)?;

        loop {
            let handled = self.handle_input(&mut session);
            if !self.replies.is_empty() {
                self.write(&mut session)?;
            }
            if handled? == Next::Close {
                return Ok(());
            }
            if !self.read_within(session.idle_limit())? {
                return self.say_goodbye();
            }
        }
    }

    /// Reads, and gives up if nothing arrives within the limit.
    fn read_within(&mut self, limit: Option<Duration>) -> Result<bool, Broken> {
        if limit.is_none() {
            return Ok(self.read()?);
        }
        self.stream.set_read_timeout(limit)?;
        let read = self.read();
        self.stream.set_read_timeout(None)?;
        read.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                let text = "terminating connection due to idle-in-transaction timeout";
                SqlError::new(code::IDLE_IN_TRANSACTION_SESSION_TIMEOUT, text).into()
            }
            _ => error.into(),
        })
    }

    /// Handles all complete messages.
    fn handle_input(&mut self, session: &mut Session) -> Result<Next, Broken> {
        let input = std::mem::take(&mut self.input);
        let mut rest = &input[..];
        while let Some((message, length)) = decode(rest)? {
            rest = &rest[length..];
            let mut next = session.handle(message, &mut self.replies);
            while next == Next::Resume {
                self.write(session)?;
                next = session.resume(&mut self.replies);
            }
            match next {
                Next::Close => return Ok(Next::Close),
                Next::EndServer => {
                    let _ = self.stream.write_all(self.replies.bytes());
                    end_process(&SqlError::new(code::IO_ERROR, "the log cannot be written"));
                }
                Next::Flush => self.write(session)?,
                _ if self.replies.len() >= REPLY_BYTES => self.write(session)?,
                _ => {}
            }
        }

        // What is left is the beginning of a message. The memory is used again.
        let handled = input.len() - rest.len();
        self.input = input;
        self.input.drain(..handled);
        if self.input.is_empty() {
            // A long message took more than the next one will need.
            self.input.shrink_to(READ_BYTES);
        }
        Ok(Next::Message)
    }

    /// Reads the start-up packets. Returns the parameters, or `None` if the connection is done.
    fn start_up(&mut self) -> Result<Option<Vec<(String, String)>>, Broken> {
        loop {
            let Some((startup, length)) = decode_startup(&self.input)? else {
                if self.read()? {
                    continue;
                }
                return Ok(None);
            };
            self.input.drain(..length);
            match startup {
                Startup::Encryption => self.stream.write_all(b"N")?,
                Startup::Cancel { process, secret } => {
                    self.server.cancel_keys.cancel(process, secret);
                    return Ok(None);
                }
                Startup::Start { parameters } => return Ok(Some(parameters)),
            }
        }
    }

    /// Lets the client prove its password, if there are passwords. Returns false if it has gone.
    fn authenticate(&mut self, name: &str) -> Result<bool, Broken> {
        const SASL: u32 = 10;
        const SASL_CONTINUE: u32 = 11;
        const SASL_FINAL: u32 = 12;

        let Some(passwords) = &self.server.passwords else { return Ok(true) };
        self.replies.authentication(SASL, &[MECHANISM.as_bytes(), &[0, 0]].concat());
        let Some(first) = self.sasl_message(true)? else { return Ok(false) };
        let (exchange, reply) = passwords.begin(name, &first)?;
        self.replies.authentication(SASL_CONTINUE, reply.as_bytes());
        let Some(last) = self.sasl_message(false)? else { return Ok(false) };
        // A name that is not there is refused with the same words.
        let proof = exchange.finish(&last)?.ok_or_else(|| {
            error!(INVALID_PASSWORD, "password authentication failed for user \"{name}\"")
        })?;
        self.replies.authentication(SASL_FINAL, proof.as_bytes());
        Ok(true)
    }

    /// Writes the replies and waits for the client's next message of a SCRAM exchange.
    fn sasl_message(&mut self, is_first: bool) -> Result<Option<String>, Broken> {
        self.stream.write_all(self.replies.bytes())?;
        self.replies.clear();
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

    /// Lets the client in, and tells it what drivers want to know.
    fn greet(&mut self, parameters: &[(String, String)]) {
        const OK: u32 = 0;

        self.replies.authentication(OK, &[]);
        for (name, value) in [
            ("application_name", given(parameters, "application_name")),
            ("client_encoding", "UTF8"),
            ("DateStyle", "ISO, MDY"),
            ("default_transaction_read_only", "off"),
            ("in_hot_standby", "off"),
            ("integer_datetimes", "on"),
            ("IntervalStyle", "postgres"),
            ("is_superuser", "on"),
            ("server_encoding", "UTF8"),
            ("server_version", SERVER_VERSION),
            ("session_authorization", given(parameters, "user")),
            ("standard_conforming_strings", "on"),
            ("TimeZone", "UTC"),
        ] {
            self.replies.parameter_status(name, value);
        }
    }

    /// Appends what the client has sent to the input. Returns false at the end.
    fn read(&mut self) -> io::Result<bool> {
        let count = match self.input.is_empty() {
            true => self.stream.read_or_shutdown(&mut self.buffer)?,
            false => self.stream.read(&mut self.buffer)?,
        };
        self.input.extend_from_slice(&self.buffer[..count]);
        Ok(count > 0)
    }

    fn write(&mut self, session: &mut Session) -> io::Result<()> {
        if let Err(error) = session.settle() {
            end_process(&error);
        }
        self.stream.write_all(self.replies.bytes())?;
        self.replies.clear();
        Ok(())
    }

    /// Tells a client that waits why the connection ends.
    fn say_goodbye(&self) -> Result<(), Broken> {
        if !self.shutdown.is_requested() {
            return Ok(());
        }
        let text = "terminating connection due to administrator command";
        Err(SqlError::new(code::ADMIN_SHUTDOWN, text).into())
    }
}

/// A parameter of the start-up packet; empty if it is not there.
fn given<'p>(parameters: &'p [(String, String)], name: &str) -> &'p str {
    parameters.iter().find(|it| it.0 == name).map_or("", |it| it.1.as_str())
}

/// Why a connection cannot go on.
enum Broken {
    Protocol(SqlError),
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
