//! A client's connection, from its first byte to its last.
//!
//! # The life of a connection
//!
//! ```text
//! accepted ──> new       an id and an entry in the registry of clients; no buffer yet
//!               │
//!        ┌───> step      does the first of these that is ready:
//!        │       1 messages   publications, the reply of a blocked command, the order to close
//!        │       2 output     the kernel takes more of `unsent`
//!        │       3 timers     too long over the soft output limit; a blocking command timed out
//!        │       4 input      run every complete request, send all replies with one write
//!        │       │
//!        └───────┤ nothing is ready: sleep until the kernel, another client or a timer wakes it
//!                v
//!              drop      leaves every registry: subscriptions, watches, the queues of keys
//! ```
//!
//! # Example: two requests and a half arrive in one packet
//!
//! ```text
//! scratch   *1 $4 PING  *1 $4 PING  *2 $3 GET       read into the core's buffer
//! run       +PONG +PONG                             written to the core's reply buffer
//! write     14 bytes, one system call
//! pending   *2 $3 GET                               copied, because the next read overwrites it
//! read      $1 k                                    appended to `pending`, which is then run
//! ```
//!
//! # Whose are the buffers?
//!
//! The read and reply buffers belong to the core, since only one of its connections runs at a time.
//! A connection owns bytes only while it must: the start of an incomplete request (`pending`), and
//! replies that the kernel did not take (`unsent`). `client-query-buffer-limit` and
//! `client-output-buffer-limit` bound them, and a client that exceeds a limit is closed.
//!
//! # Why one future, and not one to read and one to write?
//!
//! Both would need the session: it decides how a reply or a push message is encoded, and each
//! command may change it. One future needs no lock for it.
//!
//! The counterparts in Redis are `readQueryFromClient`, `writeToClient`, `freeClient` and
//! `checkClientOutputBufferLimits` (`networking.c`). Redis allocates both buffers per client and
//! shrinks those of idle clients in `clientsCron`.

use super::{Core, monotonic_ns, now};
use crate::commands::run::{REPLIES_MAX, run};
use crate::commands::{Executor, messages, scripts, session::Session, transactions};
use crate::conf::{Snapshot, settings::UNREAD_MAX};
use crate::engine::{blocking::Withdrawal, counter::add, mailbox::Message, timestamp::Timestamp};
use crate::wire::{reply::Reply, request::Parser};
use minikit::server::{Shutdown, Stream};
use std::task::{Context, Poll, ready};
use std::{future::poll_fn, mem::take, pin::Pin, rc::Rc, sync::atomic::Ordering, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Larger buffers are freed once they are empty.
const KEPT_MAX: usize = 64 * 1024;
/// How often a client that `CLIENT PAUSE` holds checks if the pause is over.
const PAUSE_CHECK: Duration = Duration::from_millis(20);
/// How long to wait before asking again for a ticket that another core is serving.
const IN_PROGRESS_CHECK: Duration = Duration::from_millis(1);
/// How long a script that takes too long leaves the core to others.
const SCRIPT_PAUSE: Duration = Duration::from_millis(1);
/// The longest timeout of a blocking command. A timer cannot reach much further.
const TIMEOUT_MAX_MS: u64 = 365 * 86_400_000;

pub(super) struct Connection {
    core: Rc<Core>,
    stream: Stream,
    session: Session,
    parser: Parser,
    /// The start of an incomplete request, and what arrived while a command was blocked.
    pending: Vec<u8>,
    /// Replies. The kernel has taken those before `sent`.
    unsent: Vec<u8>,
    sent: usize,
    /// Where the append-only file must be durable before `unsent` is sent; 0 if it may be sent.
    held_to: u64,
    /// The same for the journal of write-behind, and true if commands have changed bound keys.
    held_behind: u64,
    wrote_behind: bool,
    /// Closes the client unless `unsent` falls below the soft limit before.
    soft_limit_timer: Option<Pin<Box<Sleep>>>,
    /// The timeout of a blocking command, or the next check of a pause.
    timer: Option<Pin<Box<Sleep>>>,
    shutdown: Shutdown,
}

/// The client has closed the connection, or the server must.
struct Closed;

impl Connection {
    pub(super) fn new(core: Rc<Core>, stream: Stream, shutdown: Shutdown) -> Connection {
        let client = core.cache.registry.clients.enter(stream.peer(), stream.local(), now().ms);
        client.figures.file.store(stream.descriptor(), Ordering::Relaxed);
        let authenticated = core.config().settings.requirepass.is_empty();
        Connection {
            session: Session::new(client, authenticated),
            core,
            stream,
            parser: Parser::default(),
            pending: Vec::new(),
            unsent: Vec::new(),
            sent: 0,
            held_to: 0,
            held_behind: 0,
            wrote_behind: false,
            soft_limit_timer: None,
            timer: None,
            shutdown,
        }
    }

    /// Answers nothing but this, and closes.
    pub(super) fn refuse(&mut self, why: &[u8]) {
        self.unsent.extend_from_slice(why);
        self.session.closing = true;
    }

    /// Serves the client until the connection closes. As an `async fn` the future would have room
    /// for two of `self`: the argument, and the variable that it is moved to.
    pub(super) fn serve(mut self) -> impl Future<Output = ()> {
        poll_fn(move |context| self.poll(context))
    }

    /// Takes steps until none is possible.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.step(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(Closed)) => return Poll::Ready(()),
                Poll::Pending => {
                    self.update_memory();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Does the first thing that is ready, in the order of the head of the file.
    fn step(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if self.session.script_paused {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(context));
            }
            return Poll::Ready(self.resume_script(context));
        }

        // Messages first: an order to close must not wait for input that never ends.
        if let Poll::Ready(messages) = self.session.client.mailbox.poll_collect(context) {
            return Poll::Ready(self.receive(messages, context));
        }

        // A closing client gets its last replies, and then nothing is read from it any more.
        if self.flush(context)?.is_ready() && self.session.closing {
            return Poll::Ready(Err(Closed));
        }

        if let Some(timer) = &mut self.soft_limit_timer
            && timer.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(self.over_output_limit()));
        }
        if let Some(timer) = &mut self.timer
            && timer.as_mut().poll(context).is_ready()
        {
            self.timer = None;
            return Poll::Ready(self.on_timer(context));
        }

        // What would be executed now could not be answered before that is durable either.
        if self.session.closing || self.is_held() {
            return Poll::Pending;
        }
        self.read(context)
    }

    // ---- Input ----

    fn read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let core = Rc::clone(&self.core);
        let mut scratch = core.scratch.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
            Ok(()) if !buffer.filled().is_empty() => {}
            _ => return Poll::Ready(Err(Closed)),
        }
        let counters = &core.cache.stats.counters[core.index];
        add(&counters.reads, 1);
        add(&counters.bytes_in, buffer.filled().len() as u64);
        Poll::Ready(self.on_bytes(buffer.filled(), context))
    }

    /// Runs the complete requests in what has arrived, and keeps the rest.
    fn on_bytes(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Result<(), Closed> {
        // The usual case copies nothing: no earlier bytes are waiting, and requests are whole.
        if self.session.waiting.is_none() && self.pending.is_empty() {
            let done = self.run(bytes, context)?;
            extend(&mut self.pending, &bytes[done..]);
        } else {
            extend(&mut self.pending, bytes);
            self.update_memory();
            self.run_pending(context)?;
        }

        let limit = self.core.config().settings.client_query_buffer_limit;
        if self.pending.len() as u64 > limit {
            tracing::warn!(
                client = self.session.client.id,
                "closing a client whose request reached client-query-buffer-limit ({limit} bytes)"
            );
            return Err(Closed);
        }
        self.session.client.figures.input_bytes.store(self.pending.len(), Ordering::Relaxed);
        Ok(())
    }

    /// Runs the requests in `pending`, unless a blocked command must finish first.
    fn run_pending(&mut self, context: &mut Context<'_>) -> Result<(), Closed> {
        if self.session.waiting.is_some() || self.session.script_paused {
            return Ok(());
        }
        let pending = take(&mut self.pending);
        let done = self.run(&pending, context)?;
        self.pending = pending;
        self.pending.drain(..done);
        if self.pending.is_empty() && self.pending.capacity() > KEPT_MAX {
            self.pending = Vec::new();
        }
        Ok(())
    }

    /// Runs the requests in `input` batch by batch. Returns the number of bytes consumed.
    fn run(&mut self, input: &[u8], context: &mut Context<'_>) -> Result<usize, Closed> {
        let mut done = 0;
        loop {
            let (consumed, more) = self.run_batch(&input[done..], context)?;
            done += consumed;
            if !more {
                return Ok(done);
            }
        }
    }

    /// Runs requests until their replies exceed [`REPLIES_MAX`] or a command ends the batch, and
    /// sends the replies. Returns the number of bytes consumed, and true if the rest of `input` may
    /// hold more requests to run now.
    fn run_batch(
        &mut self,
        input: &[u8],
        context: &mut Context<'_>,
    ) -> Result<(usize, bool), Closed> {
        let core = Rc::clone(&self.core);
        let (config, now) = (core.config(), now());

        let mut out = Reply::new(self.session.protocol);
        *out.buffer() = take(&mut *core.spare.borrow_mut());
        let done = {
            let mut executor = executor(&core, &config, now);
            let done = run(&mut executor, &mut self.session, &mut self.parser, input, &mut out);
            self.wrote_behind |= executor.keyspace.wrote_behind;
            done
        };
        self.parser.shrink();

        // The last command may have left something to wait for.
        if self.session.script_paused {
            self.timer = Some(Box::pin(sleep(SCRIPT_PAUSE)));
        } else if self.session.waiting.is_some() {
            self.start_timeout(now);
        } else if self.session.held_until_ms.is_some() {
            self.timer = Some(Box::pin(sleep(PAUSE_CHECK)));
        }
        if core.cache.stop.load(Ordering::Relaxed) {
            self.shutdown.request();
        }

        let more = out.len() >= REPLIES_MAX || self.session.ends_batch;
        let more = more && !self.session.script_paused;
        self.send(take(out.buffer()), context)?;
        Ok((done, more))
    }

    /// Lets the paused script of this client go on. Others have been served meanwhile.
    fn resume_script(&mut self, context: &mut Context<'_>) -> Result<(), Closed> {
        let (core, config) = (Rc::clone(&self.core), self.core.config());
        self.timer = None;
        let mut out = Reply::new(self.session.protocol);
        {
            let mut executor = executor(&core, &config, now());
            scripts::resume(&mut executor, &mut self.session, &mut out);
            executor.keyspace.release();
            self.wrote_behind |= executor.keyspace.wrote_behind;
        }
        self.send(take(out.buffer()), context)?;
        if self.session.script_paused {
            self.timer = Some(Box::pin(sleep(SCRIPT_PAUSE)));
            return Ok(());
        }
        self.run_pending(context)
    }

    // ---- Output ----

    /// Writes replies, keeps what the kernel does not take, and returns the buffer to the core.
    fn send(&mut self, mut bytes: Vec<u8>, context: &mut Context<'_>) -> Result<(), Closed> {
        let had_read_all = self.unsent.is_empty();
        self.check_output_limit(bytes.len(), had_read_all, context)?;
        self.hold();

        // Earlier replies come first: only with none left may these go straight to the kernel.
        let written = match had_read_all && !bytes.is_empty() && !self.is_held() {
            true => self.write(&bytes, context)?,
            false => 0,
        };
        extend(&mut self.unsent, &bytes[written..]);

        bytes.clear();
        if bytes.capacity() <= KEPT_MAX {
            *self.core.spare.borrow_mut() = bytes;
        }
        if self.unsent.is_empty() {
            self.soft_limit_timer = None;
        }
        self.publish_unsent();
        Ok(())
    }

    /// Holds replies back until what their core has seen is durable, if `appendfsync` says so or
    /// keys are bound.
    fn hold(&mut self) {
        let log = &self.core.cache.shards.log;
        if log.is_on() {
            let policy = self.core.config().settings.appendfsync;
            self.held_to = log.awaited(policy, now().ms).unwrap_or(self.held_to);
        }
        if let Some(bound) = self.core.cache.shards.bound.get() {
            let awaited = bound.queue.awaited(self.wrote_behind);
            self.held_behind = awaited.unwrap_or(self.held_behind);
            self.wrote_behind &= self.is_held();
        }
    }

    fn is_held(&self) -> bool {
        self.held_to > 0 || self.held_behind > 0
    }

    /// Writes `unsent`. Ready once the kernel has taken all of it.
    fn flush(&mut self, context: &mut Context<'_>) -> Result<Poll<()>, Closed> {
        if self.held_to > 0 {
            if self.core.cache.shards.log.poll_durable(self.held_to, context).is_pending() {
                return Ok(Poll::Pending);
            }
            self.held_to = 0;
        }
        if self.held_behind > 0
            && let Some(bound) = self.core.cache.shards.bound.get()
        {
            let (held_to, wrote) = (self.held_behind, self.wrote_behind);
            if bound.queue.poll_safe(held_to, wrote, context).is_pending() {
                return Ok(Poll::Pending);
            }
            (self.held_behind, self.wrote_behind) = (0, false);
        }
        while self.sent < self.unsent.len() {
            let unsent = take(&mut self.unsent);
            let written = self.write(&unsent[self.sent..], context);
            self.unsent = unsent;
            match written? {
                0 => {
                    self.drop_sent();
                    self.check_output_limit(0, true, context)?;
                    return Ok(Poll::Pending);
                }
                written => self.sent += written,
            }
        }
        if self.sent > 0 {
            self.sent = 0;
            self.unsent.clear();
            self.unsent.shrink_to(KEPT_MAX);
            self.publish_unsent();
            self.soft_limit_timer = None;
        }
        Ok(Poll::Ready(()))
    }

    /// Returns the number of bytes that the kernel has taken. After 0 it wakes the connection when
    /// it takes more.
    fn write(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Result<usize, Closed> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Pending => Ok(0),
            Poll::Ready(Ok(written @ 1..)) => {
                let counters = &self.core.cache.stats.counters[self.core.index];
                add(&counters.writes, 1);
                add(&counters.bytes_out, written as u64);
                Ok(written)
            }
            Poll::Ready(_) => Err(Closed),
        }
    }

    /// Drops what was sent once it is the greater part of `unsent`, which would otherwise grow for
    /// ever under a client that is always a little late.
    fn drop_sent(&mut self) {
        if self.sent > KEPT_MAX && self.sent * 2 > self.unsent.len() {
            self.unsent.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Closes a client that leaves too many replies unread, counting the `more` bytes that are
    /// about to be added.
    ///
    /// Without a configured limit, a client that `had_read_all` before may be sent a reply of any
    /// length: a value of 512 MB is legitimate. Others are closed at [`UNREAD_MAX`].
    fn check_output_limit(
        &mut self,
        more: usize,
        had_read_all: bool,
        context: &mut Context<'_>,
    ) -> Result<(), Closed> {
        let unsent = (self.unsent.len() - self.sent + more) as u64;
        if unsent == 0 {
            return Ok(());
        }

        let limit = self.core.config().settings.output_limit(self.session.client.is_subscriber());
        let hard = match limit.hard_bytes {
            0 if had_read_all => u64::MAX,
            0 => UNREAD_MAX,
            bytes => bytes,
        };
        if unsent >= hard {
            return Err(self.over_output_limit());
        }

        if limit.soft_bytes == 0 || unsent < limit.soft_bytes {
            self.soft_limit_timer = None;
        } else if self.soft_limit_timer.is_none() {
            let mut timer = Box::pin(sleep(Duration::from_secs(limit.soft_seconds)));
            // A timer wakes the connection only after it has been polled once.
            if timer.as_mut().poll(context).is_pending() {
                self.soft_limit_timer = Some(timer);
            }
        }
        Ok(())
    }

    fn over_output_limit(&self) -> Closed {
        self.core.cache.stats.totals.output_limit_closes.fetch_add(1, Ordering::Relaxed);
        let (client, unsent) = (self.session.client.id, self.unsent.len() - self.sent);
        let message = "closing a client that does not read (client-output-buffer-limit)";
        tracing::warn!(client, unsent, message);
        Closed
    }

    // ---- Messages and timers ----

    fn receive(&mut self, messages: Vec<Message>, context: &mut Context<'_>) -> Result<(), Closed> {
        for message in messages {
            match message {
                // What the kernel does not take at once it may never take, so this does not wait.
                Message::Close => {
                    let _ = self.flush(context)?;
                    return Err(Closed);
                }
                Message::Unblocked(reply) => {
                    extend(&mut self.unsent, &reply);
                    self.end_wait();
                    self.run_pending(context)?;
                }
                push => {
                    let mut out = Reply::default();
                    *out.buffer() = take(&mut *self.core.spare.borrow_mut());
                    messages::write(&push, &self.session, &mut out);
                    extend(&mut self.unsent, out.bytes());
                    out.buffer().clear();
                    *self.core.spare.borrow_mut() = take(out.buffer());
                }
            }
        }
        self.hold();
        self.check_output_limit(0, false, context)?;
        self.publish_unsent();
        Ok(())
    }

    fn start_timeout(&mut self, now: Timestamp) {
        self.timer = self.session.wait_until_ms.map(|until| {
            let ms = until.saturating_sub(now.ms).max(0) as u64;
            Box::pin(sleep(Duration::from_millis(ms.min(TIMEOUT_MAX_MS))))
        });
    }

    fn on_timer(&mut self, context: &mut Context<'_>) -> Result<(), Closed> {
        if self.session.held_until_ms.take().is_some() {
            return self.run_pending(context);
        }
        let Some(ticket) = self.session.waiting else { return Ok(()) };

        // Another core may be serving the command at this very moment. Only one of the two can take
        // the ticket, so the client receives either the element or the null, never both.
        match self.core.cache.registry.blocked.withdraw(ticket) {
            Withdrawal::Completed => Ok(()),
            Withdrawal::InProgress => {
                self.timer = Some(Box::pin(sleep(IN_PROGRESS_CHECK)));
                Ok(())
            }
            Withdrawal::Canceled => {
                self.end_wait();
                let mut out = Reply::new(self.session.protocol);
                out.null_array();
                extend(&mut self.unsent, out.bytes());
                self.run_pending(context)
            }
        }
    }

    fn end_wait(&mut self) {
        self.session.waiting = None;
        self.session.wait_until_ms = None;
        self.timer = None;
        self.session.publish_figures();
    }

    // ---- Figures for CLIENT LIST and the limits ----

    fn publish_unsent(&self) {
        let unsent = self.unsent.len() - self.sent;
        self.session.client.figures.output_bytes.store(unsent, Ordering::Relaxed);
    }

    /// Publishes the memory of this client. If all clients together exceed `maxmemory-clients`,
    /// closes the largest, which may be this one.
    fn update_memory(&self) {
        let client = &self.session.client;
        let bytes = self.pending.len() + self.unsent.capacity();
        client.figures.buffer_bytes.store(bytes, Ordering::Relaxed);

        let limit = self.core.config().settings.maxmemory_clients;
        let clients = &self.core.cache.registry.clients;
        if limit > 0 && clients.charge(client) as u64 > limit {
            for evicted in clients.evict(limit) {
                let (id, bytes) = (evicted.id, evicted.memory());
                tracing::info!(id, bytes, "evicting a client (maxmemory-clients)");
            }
        }
    }
}

impl Drop for Connection {
    /// Leaves every registry, so that no other connection sends to this client any more.
    fn drop(&mut self) {
        let (registry, session) = (&self.core.cache.registry, &mut self.session);
        let id = session.client.id;
        if let Some(ticket) = session.waiting {
            registry.blocked.finish(ticket);
        }
        if !session.subscriptions.is_empty() {
            registry.pubsub.lock().unsubscribe_all(&session.subscriptions, id);
        }
        if !session.watched.is_empty() {
            let config = self.core.config();
            let mut executor = executor(&self.core, &config, now());
            transactions::unwatch_all(&mut executor.keyspace, session);
        }
        if session.tracking.is_some() {
            registry.tracking.disable(id);
        }
        if session.monitor {
            registry.monitors.remove(id);
        }
        registry.clients.leave(id);
    }
}

fn executor<'c>(core: &'c Core, config: &'c Snapshot, now: Timestamp) -> Executor<'c> {
    Executor::new(&core.cache, &core.cache.stats.counters[core.index], config, now, monotonic_ns)
}

/// Appends bytes. A large buffer grows by an eighth and not to twice its size, because
/// `maxmemory-clients` counts its capacity. The allocator moves large blocks without copying them.
fn extend(buffer: &mut Vec<u8>, bytes: &[u8]) {
    let (length, room) = (buffer.len(), buffer.capacity() - buffer.len());
    if length > KEPT_MAX && room < bytes.len() {
        buffer.reserve_exact(bytes.len().max(length / 8));
    }
    buffer.extend_from_slice(bytes);
}
