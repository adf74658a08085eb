//! One client: bytes in, messages to the session, replies out.
//!
//! # The life of a batch
//!
//! 1. One `read` takes what the client has sent: with pgbench, `Bind Describe Execute Sync`.
//! 2. The session handles every complete message. The replies gather in one buffer.
//! 3. The commits that they reveal become durable (`Session::settle`), then one `write` sends them.
//!
//! So a prepared query costs two system calls, as in PostgreSQL (`pqcomm.c` buffers both ways).
//! Replies are written earlier if they exceed 64 KiB, or if the client sends Flush.

use super::{Server, end_process};
use crate::sql::{Next, Session};
use crate::wire::{Severity, SqlError, code, decode};
use minibtree_handshake::{self as handshake, Broken, Channel, READ_BYTES};
use minikit::server::{BlockingStream, Shutdown};
use std::io::{self, Read};
use std::time::Duration;

/// Replies longer than this are written before the next message is handled.
const REPLY_BYTES: usize = 64 << 10;

/// How long a client that has not logged in may be silent: PostgreSQL's `authentication_timeout`.
const AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection.
pub struct Connection<'a> {
    server: &'a Server,
    channel: Channel,
    shutdown: Shutdown,
}

impl<'a> Connection<'a> {
    /// A connection that was just accepted.
    pub fn new(server: &'a Server, stream: BlockingStream, shutdown: Shutdown) -> Connection<'a> {
        Connection { server, channel: Channel::new(stream), shutdown }
    }

    /// Serves the client until either side closes.
    pub fn serve(mut self) -> io::Result<()> {
        match self.serve_session() {
            Ok(()) => Ok(()),
            Err(Broken::Stream(error)) => Err(error),
            Err(Broken::Protocol(error)) => {
                let lingers = [code::PROGRAM_LIMIT_EXCEEDED, code::ADMIN_SHUTDOWN];
                let lingers = lingers.contains(&error.code);
                self.channel.replies.error(&error.severity(Severity::Fatal));
                self.channel.write()?;

                // A client that is still sending would lose the error in a reset.
                let limit = lingers.then_some(Duration::from_secs(1));
                self.channel.stream.set_read_timeout(limit)?;
                while lingers && self.channel.stream.read(&mut [0; READ_BYTES])? > 0 {}
                Ok(())
            }
        }
    }

    fn serve_session(&mut self) -> Result<(), Broken> {
        let Server { cancel_keys, passwords, sessions, max_connections, .. } = self.server;
        self.channel.stream.set_read_timeout(Some(AUTHENTICATION_TIMEOUT))?;
        let started = handshake::start(&mut self.channel, cancel_keys, passwords.as_ref())?;
        let Some(parameters) = started else { return Ok(()) };
        self.channel.stream.set_read_timeout(None)?;
        let _permit = sessions.enter(*max_connections).ok_or_else(super::too_many_clients)?;
        let key = cancel_keys.issue();
        let mut session = Session::new(self.server.shared.clone(), key.interrupt.clone());
        session.start(minibtree_start_up::settings(&parameters)?)?;
        self.channel.replies.backend_key_data(key.process, key.secret);
        self.channel.replies.ready(session.status());
        self.write(&mut session)?;

        loop {
            let handled = self.handle_input(&mut session);
            if !self.channel.replies.is_empty() {
                self.write(&mut session)?;
            }
            if handled? == Next::Close {
                return Ok(());
            }
            if !self.read_within(session.idle_limit())? {
                return self.say_goodbye();
            }
            session.wake();
        }
    }

    /// Reads input. Returns false at its end; `25P03` if nothing arrives within the limit.
    fn read_within(&mut self, limit: Option<Duration>) -> Result<bool, Broken> {
        if limit.is_none() {
            return Ok(self.channel.read()?);
        }
        self.channel.stream.set_read_timeout(limit)?;
        let read = self.channel.read();
        self.channel.stream.set_read_timeout(None)?;
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
        let input = std::mem::take(&mut self.channel.input);
        let mut rest = &input[..];
        while let Some((message, length)) = decode(rest)? {
            rest = &rest[length..];
            let mut next = session.handle(message, &mut self.channel.replies);
            while next == Next::Resume {
                self.write(session)?;
                next = session.resume(&mut self.channel.replies);
            }
            match next {
                Next::Close => return Ok(Next::Close),
                Next::EndServer => {
                    let _ = self.channel.write();
                    // Fails as the statement did.
                    let database = &self.server.shared.database;
                    let failed = database.wait_durable(database.wal_end());
                    end_process(&failed.expect_err("nothing becomes durable any more"));
                }
                Next::Flush => self.write(session)?,
                _ if self.channel.replies.len() >= REPLY_BYTES => self.write(session)?,
                _ => {}
            }
        }

        // The rest is the beginning of a message. Keep the buffer, to save an allocation per read.
        let handled = input.len() - rest.len();
        self.channel.input = input;
        self.channel.input.drain(..handled);
        if self.channel.input.is_empty() {
            // Free what a long message took: the next one will be short.
            self.channel.input.shrink_to(READ_BYTES);
        }
        Ok(Next::Message)
    }

    fn write(&mut self, session: &mut Session) -> io::Result<()> {
        if let Err(error) = session.settle() {
            end_process(&error);
        }
        self.channel.write()
    }

    /// The input has ended. If that is due to a shutdown of the server, tells the client so.
    fn say_goodbye(&self) -> Result<(), Broken> {
        if !self.shutdown.is_requested() {
            return Ok(());
        }
        let text = "terminating connection due to administrator command";
        Err(SqlError::new(code::ADMIN_SHUTDOWN, text).into())
    }
}
