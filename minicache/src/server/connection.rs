//! One client, from its first byte to its last.
//!
//! A connection is one future that does whatever can be done and then sleeps until any of four
//! things happens: bytes arrive, the kernel takes more of a reply, a message comes, a blocking
//! command's time is up.
//!
//! ```text
//!             ┌──────── messages: publications, the reply of a blocked command, the order to close
//!   sleep ──> ├──────── unsent replies: write them
//!             ├──────── time is up: the blocked command answers null
//!             └──────── bytes: run every complete request, write all replies at once ──> sleep
//! ```
//!
//! The buffers belong to the core. A request that came whole is executed where the kernel put it;
//! only the beginning of an incomplete one is copied into `pending`, and only replies the kernel
//! would not take into `unsent`. Both are bounded, `client-query-buffer-limit` and
//! `client-output-buffer-limit`, and a client that exceeds one is closed (`readQueryFromClient` and
//! `checkClientOutputBufferLimits` in `networking.c`).

use super::{Core, monotonic_ns, now};
use crate::commands::run::{REPLIES_MAX, run};
use crate::commands::session::Session;
use crate::commands::{Executor, messages, transactions};
use crate::conf::Snapshot;
use crate::conf::settings::UNREAD_MAX;
use crate::engine::blocking::Withdrawal;
use crate::engine::counter::add;
use crate::engine::mailbox::Message;
use crate::engine::timestamp::Timestamp;
use crate::wire::reply::Reply;
use crate::wire::request::Parser;
use minikit::server::{Shutdown, Stream};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Buffers larger than this are given back once they are empty.
const KEPT_MAX: usize = 64 * 1024;
/// How often a client held up by a pause looks whether it is over.
const HELD_PAUSE: Duration = Duration::from_millis(20);
/// How long to wait before asking again for a ticket that is being served.
const IN_PROGRESS_PAUSE: Duration = Duration::from_millis(1);

/// A connection; see the head of the file.
pub struct Connection {
    core: Rc<Core>,
    stream: Stream,
    session: Session,
    parser: Parser,
    /// The beginning of a request whose end has not arrived, and what came while a command waited.
    pending: Vec<u8>,
    /// Replies the kernel has not taken yet; those before `sent` it has.
    unsent: Vec<u8>,
    sent: usize,
    /// When it is cut off unless `unsent` falls below the soft limit.
    patience: Option<Pin<Box<Sleep>>>,
    alarm: Option<Pin<Box<Sleep>>>,
    shutdown: Shutdown,
}

/// The client has gone, or must go.
struct Gone;

impl Connection {
    /// A client that has just come.
    pub fn new(core: Rc<Core>, stream: Stream, shutdown: Shutdown) -> Connection {
        let client = core.cache.registry.clients.enter(stream.peer(), stream.local(), now().ms);
        let trusted = core.config().settings.requirepass.is_empty();
        Connection {
            session: Session::new(client, trusted),
            core,
            stream,
            parser: Parser::default(),
            pending: Vec::new(),
            unsent: Vec::new(),
            sent: 0,
            patience: None,
            alarm: None,
            shutdown,
        }
    }

    /// Serves the client until it goes.
    pub async fn serve(mut self) {
        poll_fn(|context| self.poll(context)).await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.step(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(Gone)) => return Poll::Ready(()),
                Poll::Pending => {
                    self.account();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Lets others know what memory the client takes. Whoever exceeds `maxmemory-clients` with it
    /// sends away those who take most, maybe itself.
    fn account(&self) {
        let bytes = self.pending.len() + self.unsent.capacity();
        let client = &self.session.client;
        client.figures.buffer_bytes.store(bytes, Ordering::Relaxed);
        let limit = self.core.config().settings.maxmemory_clients;
        let clients = &self.core.cache.registry.clients;
        if limit > 0 && clients.charge(client) as u64 > limit {
            for gone in clients.evict(limit) {
                let (id, bytes) = (gone.id, gone.memory());
                tracing::info!(id, bytes, "evicting a client (maxmemory-clients)");
            }
        }
    }

    /// Does one thing; pending where there is nothing to do.
    fn step(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        if let Poll::Ready(messages) = self.session.client.mailbox.poll_collect(context) {
            return Poll::Ready(self.receive(messages, context));
        }
        if self.flush(context)?.is_ready() && self.session.closing {
            return Poll::Ready(Err(Gone));
        }
        if let Some(patience) = &mut self.patience
            && patience.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(self.cut_off()));
        }
        if let Some(alarm) = &mut self.alarm
            && alarm.as_mut().poll(context).is_ready()
        {
            self.alarm = None;
            return Poll::Ready(self.time_is_up(context));
        }
        if self.session.closing {
            return Poll::Pending;
        }
        self.read(context)
    }

    fn read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        let core = Rc::clone(&self.core);
        let mut scratch = core.scratch.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
            Ok(()) if !buffer.filled().is_empty() => {}
            _ => return Poll::Ready(Err(Gone)),
        }
        add(&core.cache.stats.counters[core.index].bytes_in, buffer.filled().len() as u64);
        Poll::Ready(self.take_in(buffer.filled(), context))
    }

    /// Runs what has arrived, together with what was there before.
    fn take_in(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Result<(), Gone> {
        if self.session.waiting.is_none() && self.pending.is_empty() {
            let done = self.run(bytes, context)?;
            append(&mut self.pending, &bytes[done..]);
        } else {
            append(&mut self.pending, bytes);
            self.account();
            self.run_pending(context)?;
        }
        let limit = self.core.config().settings.client_query_buffer_limit;
        if self.pending.len() as u64 > limit {
            tracing::warn!(
                client = self.session.client.id,
                "closing a client whose request reached client-query-buffer-limit ({limit} bytes)"
            );
            return Err(Gone);
        }
        self.session.client.figures.input_bytes.store(self.pending.len(), Ordering::Relaxed);
        Ok(())
    }

    fn run_pending(&mut self, context: &mut Context<'_>) -> Result<(), Gone> {
        if self.session.waiting.is_some() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let done = self.run(&pending, context)?;
        self.pending = pending;
        self.pending.drain(..done);
        if self.pending.is_empty() && self.pending.capacity() > KEPT_MAX {
            self.pending = Vec::new();
        }
        Ok(())
    }

    /// Executes the requests in `input` and sends the replies; returns how much of it is done with.
    fn run(&mut self, input: &[u8], context: &mut Context<'_>) -> Result<usize, Gone> {
        let mut done = 0;
        loop {
            let (taken, more) = self.run_some(&input[done..], context)?;
            done += taken;
            if !more {
                return Ok(done);
            }
        }
    }

    /// Executes requests until their replies are many bytes or one ends the batch, and sends the
    /// replies; whether there may be more to execute.
    fn run_some(&mut self, input: &[u8], context: &mut Context<'_>) -> Result<(usize, bool), Gone> {
        let core = Rc::clone(&self.core);
        let config = core.config();
        let at = now();
        let mut out = Reply::new(self.session.protocol);
        *out.buffer() = std::mem::take(&mut *core.spare.borrow_mut());
        let mut executor = self.executor(&core, &config, at);
        let done = run(&mut executor, &mut self.session, &mut self.parser, input, &mut out);
        drop(executor);
        self.parser.shrink();
        if self.session.waiting.is_some() {
            self.set_alarm(at);
        } else if self.session.held_until_ms.is_some() {
            self.alarm = Some(Box::pin(sleep(HELD_PAUSE)));
        }
        if core.cache.stop.load(Ordering::Relaxed) {
            self.shutdown.request();
        }
        let more = out.len() >= REPLIES_MAX || self.session.ends_batch;
        self.send(std::mem::take(out.buffer()), context)?;
        Ok((done, more))
    }

    fn executor<'c>(&self, core: &'c Core, config: &'c Snapshot, at: Timestamp) -> Executor<'c> {
        Executor::new(&core.cache, &core.cache.stats.counters[core.index], config, at, monotonic_ns)
    }

    /// Writes replies, keeps what the kernel does not take, and gives the buffer back to the core.
    fn send(&mut self, mut bytes: Vec<u8>, context: &mut Context<'_>) -> Result<(), Gone> {
        let kept_up = self.unsent.is_empty();
        self.check_output_limit(bytes.len(), kept_up, context)?;
        if kept_up && !bytes.is_empty() {
            let taken = match Pin::new(&mut self.stream).poll_write(context, &bytes) {
                Poll::Ready(Ok(taken)) => taken,
                Poll::Ready(Err(_)) => return Err(Gone),
                Poll::Pending => 0,
            };
            add(&self.core.cache.stats.counters[self.core.index].bytes_out, taken as u64);
            append(&mut self.unsent, &bytes[taken..]);
        } else {
            append(&mut self.unsent, &bytes);
        }
        bytes.clear();
        if bytes.capacity() <= KEPT_MAX {
            *self.core.spare.borrow_mut() = bytes;
        }
        if self.unsent.is_empty() {
            self.patience = None;
        }
        self.publish_unsent();
        Ok(())
    }

    /// Writes what is unsent; ready once nothing is.
    fn flush(&mut self, context: &mut Context<'_>) -> Result<Poll<()>, Gone> {
        while self.sent < self.unsent.len() {
            let rest = &self.unsent[self.sent..];
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(taken)) => {
                    add(&self.core.cache.stats.counters[self.core.index].bytes_out, taken as u64);
                    self.sent += taken;
                }
                Poll::Ready(Err(_)) => return Err(Gone),
                Poll::Pending => {
                    self.forget_sent();
                    self.check_output_limit(0, true, context)?;
                    return Ok(Poll::Pending);
                }
            }
        }
        if self.sent > 0 {
            self.sent = 0;
            self.unsent.clear();
            self.unsent.shrink_to(KEPT_MAX);
            self.publish_unsent();
            self.patience = None;
        }
        Ok(Poll::Ready(()))
    }

    /// Drops what was sent once it is the greater part, or a client that is always a little behind
    /// would make `unsent` grow for ever.
    fn forget_sent(&mut self) {
        if self.sent > KEPT_MAX && self.sent * 2 > self.unsent.len() {
            self.unsent.drain(..self.sent);
            self.sent = 0;
        }
    }

    fn receive(&mut self, messages: Vec<Message>, context: &mut Context<'_>) -> Result<(), Gone> {
        for message in messages {
            match message {
                Message::Close => {
                    // What the kernel does not take now it may never take: a client that is told to
                    // go is not waited for.
                    let _ = self.flush(context)?;
                    return Err(Gone);
                }
                Message::Unblocked(reply) => {
                    append(&mut self.unsent, &reply);
                    self.wait_no_longer();
                    self.run_pending(context)?;
                }
                push => {
                    let core = Rc::clone(&self.core);
                    let mut spare = core.spare.borrow_mut();
                    let mut out = Reply::default();
                    *out.buffer() = std::mem::take(&mut *spare);
                    messages::write(&push, &self.session, &mut out);
                    append(&mut self.unsent, out.bytes());
                    out.buffer().clear();
                    *spare = std::mem::take(out.buffer());
                }
            }
        }
        self.check_output_limit(0, false, context)?;
        self.publish_unsent();
        Ok(())
    }

    /// Closes a client that leaves too much unread, `more` bytes of replies included. Where there
    /// is no limit, one that had read everything before may be sent a reply of any length: 512 MB
    /// are a legitimate value.
    fn check_output_limit(
        &mut self,
        more: usize,
        kept_up: bool,
        context: &mut Context<'_>,
    ) -> Result<(), Gone> {
        let unsent = (self.unsent.len() - self.sent + more) as u64;
        if unsent == 0 {
            return Ok(());
        }
        let limit = self.core.config().settings.output_limit(self.session.client.is_subscriber());
        let hard = match limit.hard_bytes {
            0 if kept_up => u64::MAX,
            0 => UNREAD_MAX,
            bytes => bytes,
        };
        if unsent >= hard {
            return Err(self.cut_off());
        }
        if limit.soft_bytes == 0 || unsent < limit.soft_bytes {
            self.patience = None;
        } else if self.patience.is_none() {
            let mut patience = Box::pin(sleep(Duration::from_secs(limit.soft_seconds)));
            // Asked once now, so that it wakes the connection later.
            if patience.as_mut().poll(context).is_pending() {
                self.patience = Some(patience);
            }
        }
        Ok(())
    }

    fn publish_unsent(&self) {
        let unsent = self.unsent.len() - self.sent;
        self.session.client.figures.output_bytes.store(unsent, Ordering::Relaxed);
    }

    fn cut_off(&self) -> Gone {
        self.core.cache.stats.totals.output_limit_closes.fetch_add(1, Ordering::Relaxed);
        let unsent = self.unsent.len() - self.sent;
        let client = self.session.client.id;
        tracing::warn!(
            client,
            unsent,
            "closing a client that does not read (client-output-buffer-limit)"
        );
        Gone
    }

    fn set_alarm(&mut self, at: Timestamp) {
        self.alarm = self.session.wait_until_ms.map(|until| {
            let ahead = until.saturating_sub(at.ms).max(0) as u64;
            // The timer cannot reach further than this; by then the client has given up.
            const FARTHEST_MS: u64 = 365 * 86_400_000;
            Box::pin(sleep(Duration::from_millis(ahead.min(FARTHEST_MS))))
        });
    }

    fn time_is_up(&mut self, context: &mut Context<'_>) -> Result<(), Gone> {
        if self.session.held_until_ms.take().is_some() {
            return self.run_pending(context);
        }
        let Some(ticket) = self.session.waiting else { return Ok(()) };
        match self.core.cache.registry.blocked.withdraw(ticket) {
            Withdrawal::Completed => Ok(()),
            Withdrawal::InProgress => {
                self.alarm = Some(Box::pin(sleep(IN_PROGRESS_PAUSE)));
                Ok(())
            }
            Withdrawal::Canceled => {
                self.wait_no_longer();
                let mut out = Reply::new(self.session.protocol);
                out.null_array();
                append(&mut self.unsent, out.bytes());
                self.run_pending(context)
            }
        }
    }

    fn wait_no_longer(&mut self) {
        self.session.waiting = None;
        self.session.wait_until_ms = None;
        self.alarm = None;
        self.session.publish_figures();
    }
}

/// Adds bytes to a buffer. A long one grows by an eighth and not to twice its size: the allocator
/// moves long pieces without copying them, and memory is what clients are judged by.
fn append(buffer: &mut Vec<u8>, bytes: &[u8]) {
    let (length, room) = (buffer.len(), buffer.capacity() - buffer.len());
    if length > KEPT_MAX && room < bytes.len() {
        buffer.reserve_exact(bytes.len().max(length / 8));
    }
    buffer.extend_from_slice(bytes);
}

impl Drop for Connection {
    /// Nobody must find the client any more: not its subscriptions, not its watches, not its place
    /// in a queue.
    fn drop(&mut self) {
        let cache = &self.core.cache;
        if let Some(ticket) = self.session.waiting {
            cache.registry.blocked.finish(ticket);
        }
        if !self.session.subscriptions.is_empty() {
            let (gone, id) = (&self.session.subscriptions, self.session.client.id);
            cache.registry.pubsub.lock().unsubscribe_all(gone, id);
        }
        if !self.session.watched.is_empty() {
            let (core, config) = (Rc::clone(&self.core), self.core.config());
            let mut executor = self.executor(&core, &config, now());
            transactions::unwatch_all(&mut executor.keyspace, &mut self.session);
        }
        if self.session.tracking.is_some() {
            cache.registry.tracking.disable(self.session.client.id);
        }
        if self.session.monitor {
            self.core.cache.registry.monitors.remove(self.session.client.id);
        }
        self.core.cache.registry.clients.leave(self.session.client.id);
    }
}
