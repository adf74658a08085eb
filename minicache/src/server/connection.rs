//! One client, from its first byte to its last.
//!
//! A connection is one future that does whatever can be done and then sleeps until any of four
//! things happens: bytes arrive, the kernel takes more of a reply, a letter comes, a blocking
//! command's time is up.
//!
//! ```text
//!             ┌──────── letters: messages, the reply a blocked command waited for, the order to go
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
use crate::commands::{Executor, transactions};
use crate::engine::access::Moment;
use crate::engine::blocking::Withdrawal;
use crate::engine::cache::add;
use crate::engine::config::settings::OutputLimit;
use crate::engine::mailbox::Letter;
use crate::engine::rules::Rules;
use crate::engine::session::Session;
use crate::wire::reply::Reply;
use crate::wire::request::Parser;
use minikit::server::Stream;
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
const BUSY_PAUSE: Duration = Duration::from_millis(1);

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
    /// Unix milliseconds since when `unsent` has been above the soft limit.
    over_soft_limit_since: Option<i64>,
    alarm: Option<Pin<Box<Sleep>>>,
}

/// The client has gone, or must go.
struct Gone;

impl Connection {
    /// A client that has just come.
    pub fn new(core: Rc<Core>, stream: Stream) -> Connection {
        let client = core.cache.clients.enter(stream.peer(), stream.local(), now().ms);
        let trusted = core.rules().settings.requirepass.is_empty();
        Connection {
            session: Session::new(client, trusted),
            core,
            stream,
            parser: Parser::default(),
            pending: Vec::new(),
            unsent: Vec::new(),
            sent: 0,
            over_soft_limit_since: None,
            alarm: None,
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
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Does one thing; pending where there is nothing to do.
    fn step(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        if let Poll::Ready(letters) = self.session.client.mailbox.poll_collect(context) {
            return Poll::Ready(self.open(letters, context));
        }
        if self.flush(context)?.is_ready() && self.session.closing {
            return Poll::Ready(Err(Gone));
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
        add(&core.cache.counters[core.index].bytes_in, buffer.filled().len() as u64);
        Poll::Ready(self.take_in(buffer.filled(), context))
    }

    /// Runs what has arrived, together with what was there before.
    fn take_in(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Result<(), Gone> {
        if self.session.waiting.is_none() && self.pending.is_empty() {
            let done = self.run(bytes, context)?;
            self.pending.extend_from_slice(&bytes[done..]);
        } else {
            self.pending.extend_from_slice(bytes);
            self.run_pending(context)?;
        }
        let limit = self.core.rules().settings.client_query_buffer_limit;
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
        let rules = core.rules();
        let at = now();
        let mut out = Reply::new(self.session.protocol);
        *out.buffer() = std::mem::take(&mut *core.spare.borrow_mut());
        let mut executor = self.executor(&core, &rules, at);
        let done = run(&mut executor, &mut self.session, &mut self.parser, input, &mut out);
        drop(executor);
        self.parser.shrink();
        if self.session.waiting.is_some() {
            self.set_alarm(at);
        } else if self.session.held_until_ms.is_some() {
            self.alarm = Some(Box::pin(sleep(HELD_PAUSE)));
        }
        let more = out.len() >= REPLIES_MAX || self.session.ends_batch;
        self.send(std::mem::take(out.buffer()), context)?;
        Ok((done, more))
    }

    fn executor<'c>(&self, core: &'c Core, rules: &'c Rules, at: Moment) -> Executor<'c> {
        Executor::new(&core.cache, &core.cache.counters[core.index], rules, at, monotonic_ns)
    }

    /// Writes replies, keeps what the kernel does not take, and gives the buffer back to the core.
    fn send(&mut self, mut bytes: Vec<u8>, context: &mut Context<'_>) -> Result<(), Gone> {
        let kept_up = self.unsent.is_empty();
        if kept_up && !bytes.is_empty() {
            let taken = match Pin::new(&mut self.stream).poll_write(context, &bytes) {
                Poll::Ready(Ok(taken)) => taken,
                Poll::Ready(Err(_)) => return Err(Gone),
                Poll::Pending => 0,
            };
            add(&self.core.cache.counters[self.core.index].bytes_out, taken as u64);
            self.unsent.extend_from_slice(&bytes[taken..]);
        } else {
            self.unsent.extend_from_slice(&bytes);
        }
        bytes.clear();
        if bytes.capacity() <= KEPT_MAX {
            *self.core.spare.borrow_mut() = bytes;
        }
        self.check_output_limit(kept_up)
    }

    /// Writes what is unsent; ready once nothing is.
    fn flush(&mut self, context: &mut Context<'_>) -> Result<Poll<()>, Gone> {
        while self.sent < self.unsent.len() {
            let rest = &self.unsent[self.sent..];
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(taken)) => {
                    add(&self.core.cache.counters[self.core.index].bytes_out, taken as u64);
                    self.sent += taken;
                }
                Poll::Ready(Err(_)) => return Err(Gone),
                Poll::Pending => {
                    self.forget_sent();
                    return Ok(Poll::Pending);
                }
            }
        }
        if self.sent > 0 {
            self.sent = 0;
            self.unsent.clear();
            self.unsent.shrink_to(KEPT_MAX);
            self.session.client.figures.output_bytes.store(0, Ordering::Relaxed);
            self.over_soft_limit_since = None;
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

    fn open(&mut self, letters: Vec<Letter>, context: &mut Context<'_>) -> Result<(), Gone> {
        for letter in letters {
            match letter {
                Letter::Message(bytes) => self.unsent.extend_from_slice(&bytes),
                Letter::Leave => {
                    // What the kernel does not take now it may never take: a client that is told to
                    // go is not waited for.
                    let _ = self.flush(context)?;
                    return Err(Gone);
                }
                Letter::Unblocked(reply) => {
                    self.unsent.extend_from_slice(&reply);
                    self.wait_no_longer();
                    self.run_pending(context)?;
                }
            }
        }
        self.check_output_limit(false)
    }

    /// Closes a client that leaves too much unread. One that had read everything before may be sent
    /// a reply of any length: 512 MB are a legitimate value.
    fn check_output_limit(&mut self, kept_up: bool) -> Result<(), Gone> {
        let unsent = (self.unsent.len() - self.sent) as u64;
        if unsent == 0 {
            return Ok(());
        }
        self.session.client.figures.output_bytes.store(unsent as usize, Ordering::Relaxed);
        if kept_up {
            return Ok(());
        }
        let rules = self.core.rules();
        if self.exceeds(rules.output_limit(self.session.client.is_subscriber()), unsent) {
            return Err(self.cut_off(unsent));
        }
        Ok(())
    }

    fn cut_off(&self, unsent: u64) -> Gone {
        self.core.cache.totals.output_limit_closes.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            client = self.session.client.id,
            unsent,
            "closing a client that does not read (client-output-buffer-limit)"
        );
        Gone
    }

    fn exceeds(&mut self, limit: OutputLimit, unsent: u64) -> bool {
        if limit.hard_bytes != 0 && unsent >= limit.hard_bytes {
            return true;
        }
        if limit.soft_bytes == 0 || unsent < limit.soft_bytes {
            self.over_soft_limit_since = None;
            return false;
        }
        let now_ms = now().ms;
        let since = *self.over_soft_limit_since.get_or_insert(now_ms);
        now_ms - since > limit.soft_seconds as i64 * 1000
    }

    fn set_alarm(&mut self, at: Moment) {
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
        match self.core.cache.waiting.withdraw(ticket) {
            Withdrawal::Served => Ok(()),
            Withdrawal::Busy => {
                self.alarm = Some(Box::pin(sleep(BUSY_PAUSE)));
                Ok(())
            }
            Withdrawal::Out => {
                self.wait_no_longer();
                let mut out = Reply::new(self.session.protocol);
                out.null_array();
                self.unsent.extend_from_slice(out.bytes());
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

impl Drop for Connection {
    /// Nobody must find the client any more: not its subscriptions, not its watches, not its place
    /// in a queue.
    fn drop(&mut self) {
        let cache = &self.core.cache;
        if let Some(ticket) = self.session.waiting {
            cache.waiting.finish(ticket);
        }
        if !self.session.subscriptions.is_empty() {
            let (gone, id) = (&self.session.subscriptions, self.session.client.id);
            cache.pubsub.lock().unsubscribe_all(gone, id);
        }
        if !self.session.watched.is_empty() {
            let (core, rules) = (Rc::clone(&self.core), self.core.rules());
            let mut executor = self.executor(&core, &rules, now());
            transactions::unwatch_all(&mut executor.store, &mut self.session);
        }
        if self.session.monitor {
            self.core.cache.monitors.remove(self.session.client.id);
        }
        self.core.cache.clients.leave(self.session.client.id);
    }
}
