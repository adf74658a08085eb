//! One core's connection to the store of shared limits, with a deadline and a circuit breaker.
//!
//! ```text
//!             first connect                 handshake answered
//! Connecting ───────────────┬──> Up ──────────────┬───────────── Down
//!  requests wait            │     requests ask    │ a deadline   requests get `Down` at once
//!  until the deadline       │                     │ passed, or   a second later the handshake
//!                           └──> Down             │ it was cut   is tried again
//! ```
//!
//! Requests append their commands to one buffer, and replies come in the order of the commands. So
//! all requests of a core wait at the same time, and one write sends many commands.
//!
//! # A slow store costs one deadline, not one per request
//!
//! A request waits for its reply until a deadline, a few milliseconds later. If the deadline of one
//! request passes, the connection is closed and the breaker opens: all waiting requests end, and
//! later ones do not start to wait. After a second, the gateway reconnects. The store must answer
//! the handshake within the same deadline before any request waits for it again. That is the
//! half-open state, and it delays no request.
//!
//! A script may run although nobody waits for its reply any more. Its charges remain: at most the
//! cost of the requests in progress. After `NOSCRIPT` the gateway sends the script again.
//!
//! NGINX counterpart: none. Envoy's ratelimit filter has `timeout` (20 ms) and
//! `failure_mode_deny`, and no breaker of its own.

use crate::conf::redis::{RedisConfig, RedisUrl};
use crate::engine::shared::SCRIPT;
use crate::wire::resp::{self, Reply};
use minikit::sync::Arc;
use minikit::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// How long the breaker stays open.
const BREAKER_OPEN: Duration = Duration::from_secs(1);
/// The timeout for connecting. Only the first requests wait for that, until their own deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The largest incomplete reply in bytes. A reply is a few numbers.
const UNREAD_MAX: usize = 1 << 20;

fn deadline(config: &RedisConfig) -> Duration {
    config.timeout.as_ref().map_or(Duration::from_millis(20), |it| it.0)
}

/// The store did not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Down;

/// Counters of all cores, since the start.
#[derive(Debug, Default)]
pub struct StoreCounts {
    /// Requests that the store decided.
    pub answered: AtomicU64,
    /// Requests that got no reply in time, or an error.
    pub failed: AtomicU64,
    /// Requests that did not ask because the breaker was open.
    pub skipped: AtomicU64,
}

/// The client of one core. Dropping it closes the connection.
pub struct Client {
    shared: Rc<Shared>,
    task: AbortHandle,
}

struct Shared {
    config: RedisConfig,
    counts: Arc<StoreCounts>,
    state: RefCell<Status>,
    /// Notified when the state changes.
    changed: Notify,
}

enum Status {
    /// The first connection is being opened.
    Connecting,
    Up(Rc<Link>),
    Down,
}

/// A connection after its handshake.
#[derive(Default)]
struct Link {
    /// The hash of the script.
    sha: String,
    unsent: RefCell<Vec<u8>>,
    /// The waiting requests, in the order of their commands.
    waiting: RefCell<VecDeque<oneshot::Sender<Reply>>>,
    wake: Notify,
    close: Notify,
    is_closed: Cell<bool>,
}

impl Client {
    /// Starts to connect in the background. Must be called on the core's thread.
    pub fn start(config: RedisConfig, counts: Arc<StoreCounts>) -> Client {
        let state = RefCell::new(Status::Connecting);
        let shared = Rc::new(Shared { config, counts, state, changed: Notify::new() });
        let task = tokio::task::spawn_local(Rc::clone(&shared).run()).abort_handle();
        Client { shared, task }
    }

    /// Returns the configuration of the client.
    pub fn config(&self) -> &RedisConfig {
        &self.shared.config
    }

    /// Runs the script. The first argument is the number of keys.
    ///
    /// # Errors
    /// If no reply comes in time, or the reply is an error.
    pub async fn run_script(&self, arguments: &[String]) -> Result<Vec<i64>, Down> {
        let Shared { config, counts, .. } = &*self.shared;
        if matches!(*self.shared.state.borrow(), Status::Down) {
            counts.skipped.fetch_add(1, Relaxed);
            return Err(Down);
        }

        let answer = timeout(deadline(config), self.shared.ask(arguments)).await;
        if answer.is_err() {
            self.shared.trip("no answer in time");
        }
        let answer = answer.unwrap_or(Err(Down));
        let counter = if answer.is_ok() { &counts.answered } else { &counts.failed };
        counter.fetch_add(1, Relaxed);
        answer
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn ask(&self, arguments: &[String]) -> Result<Vec<i64>, Down> {
        let link = self.link().await?;
        let mut reply = link.call(["EVALSHA", &link.sha], arguments).await?;
        if matches!(&reply, Reply::Error(error) if error.starts_with("NOSCRIPT")) {
            reply = link.call(["EVAL", SCRIPT], arguments).await?;
        }
        match reply {
            Reply::Integers(numbers) => Ok(numbers),
            Reply::Error(error) => {
                tracing::warn!("the store of shared limits: {error}");
                Err(Down)
            }
            _ => Err(Down),
        }
    }

    /// Waits for a connection and returns it.
    async fn link(&self) -> Result<Rc<Link>, Down> {
        loop {
            let changed = self.changed.notified();
            match &*self.state.borrow() {
                Status::Connecting => {}
                Status::Up(link) => return Ok(Rc::clone(link)),
                Status::Down => return Err(Down),
            }
            changed.await;
        }
    }

    fn set(&self, state: Status) {
        *self.state.borrow_mut() = state;
        self.changed.notify_waiters();
    }

    /// Opens the breaker. Waiting requests end, because their senders are dropped.
    fn trip(&self, why: &str) {
        let old = self.state.replace(Status::Down);
        self.changed.notify_waiters();
        if let Status::Up(link) = old {
            tracing::warn!("the store of shared limits: {why}");
            link.is_closed.set(true);
            link.waiting.borrow_mut().clear();
            link.close.notify_one();
        }
    }

    /// Connects, serves the connection, and reconnects after it has ended.
    async fn run(self: Rc<Shared>) {
        loop {
            match self.connect().await {
                Ok((mut stream, link)) => {
                    tracing::info!("the store of shared limits is up");
                    self.set(Status::Up(Rc::clone(&link)));
                    let (reader, writer) = stream.split();
                    let ended = tokio::select! {
                        () = link.close.notified() => Ok(()),
                        ended = link.write(writer) => ended,
                        ended = link.read(reader) => ended,
                    };
                    if let Err(error) = ended {
                        self.trip(&error.to_string());
                    }
                }
                Err(error) => {
                    tracing::warn!("the store of shared limits: {error}");
                    self.set(Status::Down);
                }
            }
            tokio::time::sleep(BREAKER_OPEN).await;
        }
    }

    /// Connects, authenticates, selects the database and loads the script.
    async fn connect(&self) -> io::Result<(TcpStream, Rc<Link>)> {
        let RedisConfig { addresses, url, .. } = &self.config;
        let RedisUrl { auth, database, .. } = url.as_ref();
        let mut stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(&addresses[..])).await??;
        stream.set_nodelay(true)?;

        let mut commands = Vec::new();
        if let Some((user, password)) = auth {
            let parts = [Some("AUTH"), user.as_deref(), Some(password)];
            commands.push(parts.into_iter().flatten().map(str::to_owned).collect::<Vec<_>>());
        }
        if *database > 0 {
            commands.push(vec!["SELECT".to_owned(), database.to_string()]);
        }
        commands.push(["SCRIPT", "LOAD", SCRIPT].map(str::to_owned).to_vec());
        let mut out = Vec::new();
        for parts in &commands {
            resp::command(parts.iter().map(String::as_bytes), &mut out);
        }

        let handshake = async {
            stream.write_all(&out).await?;
            let mut unread = Vec::new();
            let mut last = String::new();
            for _ in &commands {
                match next(&mut unread, &mut stream).await? {
                    Reply::Text(text) => last = text,
                    Reply::Error(error) => return Err(io::Error::other(error)),
                    _ => return Err(io::ErrorKind::InvalidData.into()),
                }
            }
            Ok(last)
        };
        let sha = timeout(deadline(&self.config), handshake).await??;
        Ok((stream, Rc::new(Link { sha, ..Link::default() })))
    }
}

impl Link {
    /// Sends a command and waits for its reply.
    async fn call(&self, command: [&str; 2], arguments: &[String]) -> Result<Reply, Down> {
        if self.is_closed.get() {
            return Err(Down);
        }
        let parts = command.into_iter().chain(arguments.iter().map(String::as_str));
        let parts = parts.map(str::as_bytes).collect::<Vec<_>>();
        resp::command(parts.into_iter(), &mut self.unsent.borrow_mut());
        let (sender, reply) = oneshot::channel();
        self.waiting.borrow_mut().push_back(sender);
        self.wake.notify_one();
        reply.await.map_err(|_| Down)
    }

    /// Writes appended commands until an error occurs.
    async fn write(&self, mut writer: WriteHalf<'_>) -> io::Result<()> {
        loop {
            let unsent = self.unsent.take();
            if unsent.is_empty() {
                self.wake.notified().await;
            } else {
                writer.write_all(&unsent).await?;
            }
        }
    }

    /// Hands replies to the waiting requests until an error occurs.
    async fn read(&self, mut reader: ReadHalf<'_>) -> io::Result<()> {
        let mut unread = Vec::new();
        loop {
            let reply = next(&mut unread, &mut reader).await?;
            let sender = self.waiting.borrow_mut().pop_front();
            let sender = sender.ok_or(io::ErrorKind::InvalidData)?;
            // The request may have ended because its client disconnected.
            let _ = sender.send(reply);
        }
    }
}

/// Reads the next reply. `unread` holds bytes that came with the previous one.
async fn next(unread: &mut Vec<u8>, stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Reply> {
    loop {
        if let Some((reply, length)) = resp::read(unread).map_err(|_| io::ErrorKind::InvalidData)? {
            unread.drain(..length);
            return Ok(reply);
        }
        if unread.len() >= UNREAD_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if stream.read_buf(unread).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
