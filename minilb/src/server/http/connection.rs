//! A client's connection, from its first request to its last.
//!
//! ```text
//! wait for a byte ─> head ─> decide ─> Answer  ─────────────> write ─> log ─┐
//!  ^                   │               Forward ─> [proxy] ──> write ─> log ─┤
//!  │                   └─ refused ──> 400 ... ──> close                     │
//!  └────────────── the connection persists and the body is read ────────────┘
//! ```
//!
//! # How a connection ends
//!
//! If the client is still sending when the server closes, the kernel answers with a reset, which
//! can destroy the response on its way. So after an error the server ends its own direction, and
//! reads and drops what still comes, for at most [`LINGER`] ("lingering close").
//!
//! NGINX counterpart: `ngx_http_wait_request_handler`, `ngx_http_process_request`,
//! `ngx_http_finalize_connection` and `ngx_http_set_lingering_close` (`ngx_http_request.c`).

use super::core::{HttpCore, Workspace};
use super::deadline::Deadline;
use super::proxy::{Forwarded, forward};
use super::service::{Answer, Client, ClientLimits, Decision, HttpService};
use super::transfer::{poll_read, poll_write};
use crate::handlers::explain::HEADER;
use crate::server::forward::Endpoint;
use crate::server::retirement::cut_off;
use crate::wire::http1::exchange::Exchange;
use crate::wire::http1::refusal::Refusal;
use crate::wire::http1::writer::write_answer;
use minikit::server::Shutdown;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use tokio::io::ReadBuf;

/// How long a client that goes on sending after its last response is listened to.
pub const LINGER: Duration = Duration::from_secs(5);

/// A client's connection while it is served.
pub struct Connection<'a, S: HttpService, IO> {
    pub(super) stream: IO,
    pub(super) client: &'a mut Client,
    pub(super) limits: ClientLimits,
    pub(super) deadline: Deadline,
    pub(super) service: &'a S,
    pub(super) core: &'a HttpCore<S::Context>,
    shutdown: &'a Shutdown,
}

/// The connection is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The client has closed it, or was too slow.
    ByClient,
    /// We close it; the client may still be sending.
    ByUs,
    /// A response was cut off: closed at once, so that the client notices.
    Cut,
}

/// Serves the requests of a client until either side ends the connection.
pub async fn serve<S: HttpService, IO: Endpoint>(
    stream: IO,
    client: &mut Client,
    service: &S,
    core: &HttpCore<S::Context>,
    shutdown: &Shutdown,
) {
    let limits = ClientLimits::default();
    let deadline = Deadline::new(core.clock, limits.header);
    let mut connection = Connection { stream, client, limits, deadline, service, core, shutdown };
    let ended = {
        let mut requests = pin!(connection.requests());
        poll_fn(|cx| core.clock.during_poll(|| requests.as_mut().poll(cx))).await
    };
    if ended == Ended::ByUs {
        connection.linger().await;
    }
}

impl<S: HttpService, IO: Endpoint> Connection<'_, S, IO> {
    async fn requests(&mut self) -> Ended {
        // Wakes this task when the time has come; what it asks then is the flag.
        let mut requested = pin!(self.shutdown.requested());
        let _ = poll_fn(|cx| Poll::Ready(requested.as_mut().poll(cx))).await;
        let mut next = self.first_bytes().await;
        while let Some(mut workspace) = next {
            if let Err(ended) = self.request(&mut workspace).await {
                workspace.exchange.from_client.clear();
                workspace.exchange.to_client.clear();
                self.core.put_workspace(workspace);
                return ended;
            }

            // A client that pipelines has sent the next request already.
            next = if workspace.exchange.from_client.is_empty() {
                self.core.put_workspace(workspace);
                self.deadline.set(self.limits.keep_alive);
                self.first_bytes().await
            } else {
                Some(workspace)
            };
        }
        Ended::ByClient
    }

    /// Waits for the first bytes of a request without holding a buffer. Returns `None` if the
    /// connection ends instead.
    async fn first_bytes(&mut self) -> Option<Box<Workspace<S::Context>>> {
        poll_fn(|cx| {
            let mut scratch = self.core.scratch.borrow_mut();
            let mut read = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    let mut workspace = self.core.take_workspace();
                    workspace.exchange.from_client.append(read.filled());
                    Poll::Ready(Some(workspace))
                }
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => {
                    let is_over = self.deadline.poll(cx).is_ready();
                    if is_over || self.shutdown.is_requested() {
                        return Poll::Ready(None);
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Serves one request.
    async fn request(&mut self, workspace: &mut Workspace<S::Context>) -> Result<(), Ended> {
        self.client.requests += 1;
        self.client.began_ms = self.core.clock.now_ms();
        self.limits = self.service.begin(self.client, &mut workspace.context);
        workspace.exchange.begin_request();
        workspace.done.clear();

        let retirement = self.limits.retirement.clone();
        let answered = cut_off(retirement.as_ref(), pin!(self.answered(workspace))).await;
        let result = answered.unwrap_or(Err(Ended::ByClient));
        let has_begun = workspace.exchange.has_response_begun();
        if result == Err(Ended::ByClient) && !has_begun {
            workspace.done.status = 499;
        }
        // A connection that ends before it has sent a request is no request.
        if has_begun || !workspace.exchange.request.method().is_empty() {
            let elapsed_ms = self.core.clock.now_ms() - self.client.began_ms;
            workspace.done.elapsed_ms = elapsed_ms;
            let Workspace { exchange, context, done, .. } = workspace;
            self.service.log(exchange, self.client, context, done);
        }
        result?;

        let exchange = &mut workspace.exchange;
        if !exchange.client_persists() {
            return Err(Ended::ByUs);
        }
        if !exchange.has_request() {
            self.deadline.set(self.limits.body);
        }
        while !exchange.discard_body().map_err(|_| Ended::ByUs)? {
            self.read_more(exchange).await?;
        }
        Ok(())
    }

    async fn answered(&mut self, workspace: &mut Workspace<S::Context>) -> Result<(), Ended> {
        if let Err(refusal) = self.read_head(&mut workspace.exchange).await? {
            return self.refuse(workspace, refusal).await;
        }
        let Workspace { exchange, context, .. } = &mut *workspace;
        let mut decision = self.service.decide(exchange, self.client, context).await;
        let mut has_failed = false;
        loop {
            let route = match decision {
                Decision::Answer(answer) if has_failed => {
                    return self.fail(workspace, answer).await;
                }
                Decision::Answer(answer) => return self.answer(workspace, answer).await,
                Decision::Close => {
                    workspace.done.status = 444;
                    return Err(Ended::Cut);
                }
                Decision::Forward(route) => route,
            };
            // A body that is gone cannot be sent again.
            if !workspace.exchange.is_replayable() {
                return self.fail(workspace, Answer::page(502)).await;
            }
            let Forwarded::Failed(status) = forward(self, workspace, &route).await? else {
                return Ok(());
            };
            let Workspace { exchange, context, .. } = &mut *workspace;
            decision = self.service.recover(status, exchange, self.client, context).await;
            has_failed = true;
        }
    }

    /// Reads until the request head is complete.
    async fn read_head(&mut self, exchange: &mut Exchange) -> Result<Result<(), Refusal>, Ended> {
        let mut is_first = true;
        loop {
            match exchange.parse_request() {
                Ok(true) => return Ok(Ok(())),
                Ok(false) => {}
                Err(refusal) => return Ok(Err(refusal)),
            }
            // One deadline for the whole head: a byte now and then does not extend it.
            if std::mem::take(&mut is_first) {
                self.deadline.set(self.limits.header);
            }
            self.read_more(exchange).await?;
        }
    }

    /// Waits for more bytes of the client.
    pub(super) async fn read_more(&mut self, exchange: &mut Exchange) -> Result<(), Ended> {
        poll_fn(|cx| {
            let into = &mut exchange.from_client;
            match poll_read(cx, &mut self.stream, &self.core.scratch, into) {
                Poll::Ready(Ok(1..)) => Poll::Ready(Ok(())),
                Poll::Ready(_) => Poll::Ready(Err(Ended::ByClient)),
                Poll::Pending => self.deadline.poll(cx).map(|()| Err(Ended::ByClient)),
            }
        })
        .await
    }

    /// Answers a request that cannot be understood.
    pub(super) async fn refuse(
        &mut self,
        workspace: &mut Workspace<S::Context>,
        refusal: Refusal,
    ) -> Result<(), Ended> {
        let peer = &self.client.peer;
        tracing::info!("{} while reading client request, client: {peer}", refusal.reason());
        let answer = self.service.refusal_answer(refusal, &mut workspace.context);
        self.write_answer(workspace, &answer, false);
        self.flush(workspace).await?;
        Err(Ended::ByUs)
    }

    /// Answers without an upstream server, and does not wait for the request body.
    pub(super) async fn answer(
        &mut self,
        workspace: &mut Workspace<S::Context>,
        answer: Answer,
    ) -> Result<(), Ended> {
        self.deadline.set(self.limits.send);
        match workspace.exchange.discard_body() {
            Ok(_) => self.fail(workspace, answer).await,
            Err(refusal) => self.refuse(workspace, refusal).await,
        }
    }

    /// Answers a request that failed. If a long body is still coming, the connection ends.
    pub(super) async fn fail(
        &mut self,
        workspace: &mut Workspace<S::Context>,
        answer: Answer,
    ) -> Result<(), Ended> {
        self.write_answer(workspace, &answer, true);
        self.flush(workspace).await
    }

    fn write_answer(
        &mut self,
        workspace: &mut Workspace<S::Context>,
        answer: &Answer,
        may_persist: bool,
    ) {
        let may_persist = may_persist && self.may_persist(&workspace.context, Some(answer));
        let Workspace { exchange, context, done, .. } = workspace;
        done.status = answer.status;
        // What an upstream server has said, if anything, is not the response.
        exchange.response.clear();
        let body = (answer.status != 204).then_some(answer.body.as_slice());
        exchange.answer(answer.status, body, may_persist, |exchange, framing, persistence, out| {
            write_answer(out, answer.status, framing, persistence, |head| {
                let (client, answer) = (&*self.client, Some(answer));
                self.service.write_response(exchange, client, context, answer, head);
                done.explained.iter().for_each(|it| head.header(HEADER.as_bytes(), it.as_bytes()));
            });
        });
    }

    /// Returns true if nothing but the current exchange can end the connection.
    pub(super) fn may_persist(&self, context: &S::Context, answer: Option<&Answer>) -> bool {
        self.client.requests < self.limits.requests_max
            && !self.service.ends_connection(context, answer)
            && !self.limits.keep_alive.is_zero()
            && !self.shutdown.is_requested()
    }

    /// Writes all that is there for the client.
    pub(super) async fn flush(
        &mut self,
        workspace: &mut Workspace<S::Context>,
    ) -> Result<(), Ended> {
        let mut must_wait = false;
        while !workspace.exchange.to_client.is_empty() {
            let to_client = &mut workspace.exchange.to_client;
            let written = poll_fn(|cx| match poll_write(cx, &mut self.stream, to_client) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => {
                    // Nearly always a response fits, and no deadline is needed.
                    if !std::mem::replace(&mut must_wait, true) {
                        self.deadline.set(self.limits.send);
                    }
                    self.deadline.poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
                }
            });
            workspace.done.sent += written.await.map_err(|_| Ended::ByClient)? as u64;
            must_wait = false;
        }
        // A socket holds nothing back; TLS does, if the socket is full.
        poll_fn(|cx| match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed.map_err(|_| Ended::ByClient)),
            Poll::Pending => self.deadline.poll(cx).map(|()| Err(Ended::ByClient)),
        })
        .await
    }

    /// Ends the connection without destroying what was sent.
    async fn linger(&mut self) {
        self.deadline.set(LINGER);
        poll_fn(|cx| {
            let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
            loop {
                let mut scratch = self.core.scratch.borrow_mut();
                let mut read = ReadBuf::new(&mut scratch);
                match Pin::new(&mut self.stream).poll_read(cx, &mut read) {
                    Poll::Ready(Ok(())) if !read.filled().is_empty() => {}
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return self.deadline.poll(cx),
                }
            }
        })
        .await;
    }
}
