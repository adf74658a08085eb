//! `PerConnection`: a thread for each connection, which may block.
//!
//! ```text
//! :5432 ─> thread "accept" ─> thread "conn-1" ─ read, execute, write, read ...
//!                          ─> thread "conn-2"
//! ```
//!
//! The acceptor is the same asynchronous one as in the other shapes, so it sleeps until a client or
//! the shutdown comes, and needs no timer. Only the accepted sockets are switched to blocking.
//!
//! **How does a blocked thread learn of the shutdown?** The acceptor keeps a table of the open
//! connections. At shutdown it goes through the table and closes the receiving half of each socket
//! whose thread waits for a request; that thread's `read` returns 0. Threads that are busy find out
//! when they next wait. [`IdleState`] makes the decision without a race:
//!
//! ```text
//! conn-1   waits in read_or_shutdown          ─ shutdown ─> read returns 0, thread returns
//! conn-2   executes a query                   ─ shutdown ─> replies; read_or_shutdown returns 0
//! ```
//!
//! After the drain timeout both halves of every remaining socket are closed. A thread that is
//! blocked on its socket then ends; one that computes cannot be stopped from outside, and goes on
//! until it notices or the process ends.
//!
//! PostgreSQL counterpart: `ServerLoop` and `BackendStartup` (`postmaster/postmaster.c`), with a
//! process per connection.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::Shutdown::{Both, Read as ReadHalf};
use std::time::Duration;

use tokio::task::JoinSet;

use super::accept::{Acceptor, refuse};
use super::options::Options;
use super::shape::Shape;
use super::stream::{DetachedStream, Stream};
use super::thread::{Alive, ServerThread, ServerThreads, connection_tracker};
use super::{BlockingService, ServerError, Shutdown};
use crate::connections::Permit;
use crate::idle::IdleState;
use crate::sync::{Arc, Mutex, thread};

/// The shape for connections that block: a thread for each. See the head of [`server`](super).
#[derive(Debug)]
pub struct PerConnection<S>(pub Arc<S>);

impl<S: BlockingService> Shape for PerConnection<S> {
    type Hooks = S;

    fn hooks(&self) -> &Arc<S> {
        &self.0
    }

    fn start(
        self,
        acceptors: Vec<Acceptor>,
        _options: &Options,
        threads: &mut ServerThreads,
    ) -> Result<(), ServerError> {
        for acceptor in acceptors {
            let service = Arc::clone(&self.0);
            threads.start("accept".to_owned(), |thread| accept(thread, service, acceptor))?;
        }
        Ok(())
    }
}

async fn accept<S: BlockingService>(
    thread: ServerThread,
    service: Arc<S>,
    acceptor: Acceptor,
) -> io::Result<()> {
    let (alive, all_closed) = connection_tracker();
    let open = Arc::new(OpenConnections::default());
    let mut starter = Starter {
        service: Arc::clone(&service),
        open: Arc::clone(&open),
        shutdown: thread.shutdown.clone(),
        alive,
        accepted: 0,
    };
    let mut tasks = JoinSet::new();
    let start = move |stream, permit| starter.start(stream, permit);
    acceptor.spawn(&mut tasks, &service, &thread.shutdown, start)?;

    thread.serve_until_shutdown(&mut tasks).await;
    // Closes the listeners, and drops the starter with its `alive`.
    tasks.shutdown().await;
    open.close_waiting();
    if !thread.drain(all_closed, service.drain_timeout()).await {
        open.cut();
    }
    Ok(())
}

/// What is needed to start the thread of one connection.
struct Starter<S> {
    service: Arc<S>,
    open: Arc<OpenConnections>,
    shutdown: Shutdown,
    alive: Alive,
    accepted: u64,
}

impl<S: BlockingService> Starter<S> {
    fn start(&mut self, stream: Stream, permit: Permit) {
        self.accepted += 1;
        let number = self.accepted;
        let connection = match Connection::new(stream) {
            Ok(connection) => Arc::new(connection),
            Err(error) => return tracing::warn!("cannot serve a client: {error}"),
        };

        let service = Arc::clone(&self.service);
        let stream = BlockingStream { connection: Arc::clone(&connection) };
        let (shutdown, alive) = (self.shutdown.clone(), self.alive.clone());
        let registered = OpenConnections::insert(&self.open, number, Arc::clone(&connection));
        let serve = move || {
            // Locals are dropped in reverse order, also while a panic unwinds: the connection
            // leaves the table and closes, then its permit is free, then the server may end.
            let _alive = alive;
            let _permit = permit;
            let _registered = registered;
            service.connection(stream, shutdown);
        };
        let builder = thread::Builder::new().name(format!("conn-{number}"));
        if let Err(error) = builder.stack_size(S::STACK_BYTES).spawn(serve) {
            tracing::warn!("no thread for a client: {error}; see `ulimit -u`");
            refuse(&connection.detached.socket, &self.service.refusal());
        }
    }
}

/// A connection to one client for code that blocks; dropping it closes the connection.
///
/// [`Read`] and [`Write`] block until the client sends or takes at least one byte.
#[derive(Debug)]
pub struct BlockingStream {
    connection: Arc<Connection>,
}

#[derive(Debug)]
struct Connection {
    detached: DetachedStream,
    idle: IdleState,
}

impl Connection {
    fn new(stream: Stream) -> io::Result<Connection> {
        let detached = stream.detach()?;
        detached.socket.set_nonblocking(false)?;
        Ok(Connection { detached, idle: IdleState::default() })
    }
}

impl BlockingStream {
    /// Waits for the first bytes of a request and returns how many were read into `buffer`. Returns
    /// 0 if the client has closed its side, or if the server shuts down;
    /// [`Shutdown::is_requested`] tells which, and the client can still be sent a farewell.
    ///
    /// Costs two uncontended atomic operations more than `read`.
    ///
    /// # Errors
    /// What `read` returns.
    pub fn read_or_shutdown(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.connection.idle.begin_wait() {
            return Ok(0);
        }
        let result = self.read(buffer);
        self.connection.idle.end_wait();
        result
    }

    /// Lets `read` fail with `WouldBlock` if nothing arrives within this time; `None`: it waits.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.connection.detached.socket.set_read_timeout(timeout)
    }

    /// The client's address; see [`Stream::peer`].
    pub fn peer(&self) -> String {
        self.connection.detached.address.peer()
    }
}

impl Read for BlockingStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.connection.detached.socket).read(buffer)
    }
}

impl Write for BlockingStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&self.connection.detached.socket).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The table of open connections.
#[derive(Debug, Default)]
struct OpenConnections {
    table: Mutex<HashMap<u64, Arc<Connection>>>,
}

impl OpenConnections {
    /// Adds a connection; dropping the result removes it.
    fn insert(open: &Arc<OpenConnections>, number: u64, connection: Arc<Connection>) -> Registered {
        open.table.lock().insert(number, connection);
        Registered { open: Arc::clone(open), number }
    }

    /// Ends the wait of every thread that waits for a request, and asks the others to end after the
    /// one they are working on. Called after the listeners have closed, so no connection is added
    /// later.
    fn close_waiting(&self) {
        for connection in self.table.lock().values() {
            if connection.idle.close() {
                // Fails if the client has closed meanwhile: then the thread wakes up as well.
                let _ = connection.detached.socket.shutdown(ReadHalf);
            }
        }
    }

    /// Ends every read and write of every connection.
    fn cut(&self) {
        for connection in self.table.lock().values() {
            let _ = connection.detached.socket.shutdown(Both);
        }
    }
}

/// An entry of the table, removed on drop.
struct Registered {
    open: Arc<OpenConnections>,
    number: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.open.table.lock().remove(&self.number);
    }
}
