//! A request's attempts, until a server has answered.
//!
//! ```text
//! body stored ─> pick a ─ pooled or new connection ─ send ─ response head ─> client
//!                  │                │                  │          └ 503 and `http_503`: next
//!                  │                │                  └ broken, timeout: next, unless POST
//!                  │                └ refused, timeout: next
//!                  └ none left: 502
//! ```
//!
//! # When is there another attempt?
//!
//! All of these must hold: the kind of failure is in `proxy_next_upstream`; servers, tries and time
//! are left; the request is held ([`Exchange::is_replayable`]); and the server cannot have acted on
//! it, or acting twice does no harm: after the first byte was sent, POST, LOCK and PATCH need
//! `non_idempotent`.
//!
//! A pooled connection may have been closed by the server at the moment we use it. That says
//! nothing about the server, so the request goes to the same server again, by a new connection, by
//! the same rule for POST. NGINX counts a failure and goes to the next server.
//!
//! NGINX counterpart: `ngx_http_upstream_connect`, `ngx_http_upstream_test_next` and
//! `ngx_http_upstream_next` (`ngx_http_upstream.c`).

use super::connection::{Connection, Ended};
use super::core::Workspace;
use super::service::{AttemptLog, AttemptTarget, Done, HttpService, Retry, Route};
use super::transfer::{poll_read, poll_write};
use crate::engine::pool::Pooled;
use crate::engine::upstream::Outcome;
use crate::handlers::explain::HEADER;
use crate::server::forward::{Endpoint, Limits, forward as forward_bytes};
use crate::server::tls::ServerStream;
use crate::server::upstream::Lease;
use crate::wire::http1::exchange::{BUFFER_BYTES, Exchange};
use crate::wire::http1::head::Known;
use crate::wire::http1::refusal::Refusal;
use crate::wire::http1::status::reason as status_reason;
use crate::wire::http1::writer::HeadWriter;
use minikit::sync::Arc;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use tokio::time::timeout;

/// Why an attempt gave no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// The connection was refused or broke.
    Error,
    /// A timeout passed.
    Timeout,
    /// What came is no response.
    InvalidHeader,
    /// A status that `proxy_next_upstream` names.
    Status(u16),
    /// The client has gone, or was too slow.
    Client,
    /// The rest of the request body is malformed or too large.
    Request(Refusal),
}

impl Failure {
    /// The status for the client if there is no other attempt.
    fn status(self) -> u16 {
        match self {
            Failure::Timeout => 504,
            Failure::Status(status) => status,
            Failure::Error | Failure::InvalidHeader => 502,
            Failure::Client => 499,
            Failure::Request(refusal) => refusal.status(),
        }
    }

    /// What has happened, for logs and explanations.
    fn reason(self) -> &'static str {
        match self {
            Failure::Error => "upstream prematurely closed or refused connection",
            Failure::Timeout => "upstream timed out",
            Failure::InvalidHeader => "upstream sent invalid header",
            Failure::Status(_) => "upstream answered with a status of proxy_next_upstream",
            Failure::Client => "the client has gone",
            Failure::Request(refusal) => refusal.reason(),
        }
    }

    /// Returns true if `proxy_next_upstream` has it.
    fn is_named_by(self, retry: &Retry) -> bool {
        match self {
            Failure::Error => retry.on_error,
            Failure::Timeout => retry.on_timeout,
            Failure::InvalidHeader => retry.on_invalid_header,
            Failure::Status(status) => retry.statuses.contains(&status),
            Failure::Client | Failure::Request(_) => false,
        }
    }

    /// What the server's health is told. NGINX counts 403 and 404 as the server's right.
    fn outcome(self) -> Outcome {
        match self {
            Failure::Status(403 | 404) | Failure::Client | Failure::Request(_) => Outcome::Finished,
            _ => Outcome::Failed,
        }
    }
}

/// What came of a request.
pub(super) enum Forwarded {
    /// The client has its response.
    Answered,
    /// No server has answered, and the client was sent nothing; the status says why.
    Failed(u16),
}

/// A connection to a server, in the middle of an attempt.
struct Upstream {
    pooled: Pooled<ServerStream>,
    /// It was in the pool, so the server may have closed it meanwhile.
    is_reused: bool,
    /// The first byte of the request was sent.
    is_sent: bool,
    /// A write has failed. There may still be a response to read: of a server that refuses a large
    /// body.
    is_write_broken: bool,
}

/// Sends the request to servers of the route until one has answered, and passes the answer on.
pub(super) async fn forward<S: HttpService, IO: Endpoint>(
    connection: &mut Connection<'_, S, IO>,
    workspace: &mut Workspace<S::Context>,
    route: &Route,
) -> Result<Forwarded, Ended> {
    let earlier = workspace.done.attempts.len();
    Proxy { connection, route, earlier, started_ms: 0, explains: false }.forward(workspace).await
}

/// A request on its way.
struct Proxy<'a, 'b, S: HttpService, IO> {
    connection: &'a mut Connection<'b, S, IO>,
    route: &'a Route,
    /// Attempts before an error page has led here.
    earlier: usize,
    /// When the first attempt could begin.
    started_ms: u64,
    /// The client is told why.
    explains: bool,
}

impl<S: HttpService, IO: Endpoint> Proxy<'_, '_, S, IO> {
    async fn forward(&mut self, workspace: &mut Workspace<S::Context>) -> Result<Forwarded, Ended> {
        if let Err(refusal) = self.collect_body(workspace).await? {
            return match refusal {
                Refusal::BodyTooLarge => Ok(Forwarded::Failed(refusal.status())),
                _ => self.connection.refuse(workspace, refusal).await.map(|()| Forwarded::Answered),
            };
        }

        let Workspace { exchange, context, attempts, .. } = &mut *workspace;
        let (service, client) = (self.connection.service, &self.connection.client);
        if let Some(answer) = service.check_body(exchange, context) {
            return self.connection.answer(workspace, answer).await.map(|()| Forwarded::Answered);
        }
        // Of the servers that an error page leads to, none was tried.
        attempts.clear(self.connection.core.next_random());
        service.balance_key(exchange, client, context, attempts.key());
        self.explains = service.explains(exchange, context);
        self.started_ms = self.connection.core.clock.now_ms();

        loop {
            let Workspace { attempts, done, .. } = &mut *workspace;
            let explained = self.explains.then_some(&mut done.explained);
            let clock = self.connection.core.clock;
            let Some(mut lease) = Lease::pick(&self.route.upstream, attempts, clock, explained)
            else {
                self.log_attempt(workspace, None, 502);
                let (peer, name) = (&self.connection.client.peer, &self.route.upstream.name);
                tracing::error!(
                    "no live upstreams while connecting to upstream, client: {peer}, \
                     upstream: \"{name}\""
                );
                return Ok(Forwarded::Failed(502));
            };

            let mut is_sent = false;
            let failure = match self.attempt(workspace, &mut lease, &mut is_sent).await {
                Ok(upstream) => return self.pass_on(workspace, &lease, upstream).await,
                Err(failure) => failure,
            };
            lease.outcome = failure.outcome();
            self.log_attempt(workspace, Some(&lease), failure.status());
            self.report(&lease, failure);
            drop(lease);
            match failure {
                Failure::Client => return Err(Ended::ByClient),
                Failure::Request(refusal) => {
                    self.connection.refuse(workspace, refusal).await?;
                    return Ok(Forwarded::Answered);
                }
                _ => {}
            }

            // For a status it was decided when the status was seen.
            let is_decided = matches!(failure, Failure::Status(_));
            if !is_decided && !self.begin_retry(workspace, failure, is_sent) {
                return Ok(Forwarded::Failed(failure.status()));
            }
        }
    }

    /// Stores the request body, as far as the route wants it.
    async fn collect_body(
        &mut self,
        workspace: &mut Workspace<S::Context>,
    ) -> Result<Result<(), Refusal>, Ended> {
        if let Err(refusal) = workspace.exchange.limit_body(self.route.body) {
            return Ok(Err(refusal));
        }
        workspace.exchange.invite_body();
        if !workspace.exchange.to_client.is_empty() {
            self.connection.flush(workspace).await?;
        }
        loop {
            match workspace.exchange.collect_body() {
                Ok(true) => return Ok(Ok(())),
                Ok(false) => {
                    self.connection.deadline.set(self.connection.limits.body);
                    self.connection.read_more(&mut workspace.exchange).await?;
                }
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
    }

    /// One attempt, up to a response head that is to be passed on.
    async fn attempt(
        &mut self,
        workspace: &mut Workspace<S::Context>,
        lease: &mut Lease,
        is_sent: &mut bool,
    ) -> Result<Upstream, Failure> {
        let began_ms = self.connection.core.clock.now_ms();
        self.push_attempt(&mut workspace.done, Some(Arc::clone(lease.address())), began_ms);
        let mut pooled = self.connection.core.take_connection(self.route, lease);
        loop {
            let is_reused = pooled.is_some();
            let pooled = match pooled.take() {
                Some(pooled) => pooled,
                // Boxed, or each idle client would have room for the state of connecting.
                None => Box::pin(self.connect(lease)).await?,
            };
            let now_ms = self.connection.core.clock.now_ms();
            last_attempt(&mut workspace.done).connect_ms = Some(now_ms - began_ms);

            let mut upstream =
                Upstream { pooled, is_reused, is_sent: false, is_write_broken: false };
            self.begin(workspace);
            let result = self.response_head(&mut workspace.exchange, &mut upstream).await;
            *is_sent = upstream.is_sent;
            let may_repeat = !is_once_only(&workspace.exchange) || !upstream.is_sent;
            match result {
                Ok(()) => {
                    let header_ms = self.connection.core.clock.now_ms() - began_ms;
                    last_attempt(&mut workspace.done).header_ms = Some(header_ms);
                    lease.answered(workspace.exchange.response.status() >= 500);
                    return match self.is_next_status(workspace, *is_sent) {
                        Some(status) => Err(Failure::Status(status)),
                        None => Ok(upstream),
                    };
                }
                Err(Failure::Error)
                    if upstream.is_reused
                        && may_repeat
                        && workspace.exchange.is_replayable()
                        && workspace.exchange.from_upstream.is_empty() => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn connect(&self, lease: &Lease) -> Result<Pooled<ServerStream>, Failure> {
        let connect = ServerStream::connect(lease.address(), self.route.tls.as_ref());
        match timeout(self.route.connect_timeout, connect).await {
            Ok(Ok(stream)) => {
                Ok(Pooled::new(lease.id(), stream, self.connection.core.clock.now_ms()))
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => Err(Failure::Timeout),
            Ok(Err(error)) => {
                if error.kind() == io::ErrorKind::InvalidData {
                    tracing::error!("SSL handshake with {} failed: {error}", lease.address());
                }
                Err(Failure::Error)
            }
            Err(_) => Err(Failure::Timeout),
        }
    }

    /// Writes the request for this server into the exchange.
    fn begin(&self, workspace: &mut Workspace<S::Context>) {
        let Workspace { exchange, context, .. } = workspace;
        let (service, client) = (self.connection.service, &self.connection.client);
        exchange.begin_attempt(|request, framing, out| {
            let upstream = self.route.upstream.name.as_str();
            let target = AttemptTarget { upstream, framing };
            service.write_request(request, client, context, &target, out);
        });
    }

    /// Sends the request and waits for the response head.
    async fn response_head(
        &mut self,
        exchange: &mut Exchange,
        upstream: &mut Upstream,
    ) -> Result<(), Failure> {
        self.connection.deadline.set(self.route.send_timeout);
        poll_fn(|cx| {
            loop {
                let mut progress = self.poll_upload(cx, exchange, upstream)?;
                let connection = &mut upstream.pooled.connection;
                let scratch = &self.connection.core.scratch;
                match poll_read(cx, connection, scratch, &mut exchange.from_upstream) {
                    Poll::Ready(Ok(1..)) => {
                        let parsed = exchange.parse_response(self.route.response_head_max);
                        if parsed.map_err(|_| Failure::InvalidHeader)? {
                            return Poll::Ready(Ok(()));
                        }
                        progress = true;
                    }
                    Poll::Ready(_) => return Poll::Ready(Err(Failure::Error)),
                    Poll::Pending => {}
                }
                progress |= self.poll_client(cx, exchange)?;
                if !progress {
                    return self.connection.deadline.poll(cx).map(|()| Err(Failure::Timeout));
                }
            }
        })
        .await
    }

    /// Moves the request towards the server. Returns true if anything moved.
    fn poll_upload(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Exchange,
        upstream: &mut Upstream,
    ) -> Result<bool, Failure> {
        let mut progress = false;
        exchange.upload().map_err(Failure::Request)?;
        if upstream.is_write_broken {
            exchange.to_upstream.clear();
        } else if !exchange.to_upstream.is_empty() {
            upstream.is_sent = true;
            match poll_write(cx, &mut upstream.pooled.connection, &mut exchange.to_upstream) {
                Poll::Ready(Ok(_)) => {
                    let is_all = exchange.to_upstream.is_empty() && exchange.has_request();
                    let waits =
                        if is_all { self.route.read_timeout } else { self.route.send_timeout };
                    self.connection.deadline.set(waits);
                    // After the end of the request there is nothing more to move.
                    progress = !is_all;
                }
                Poll::Ready(Err(_)) => {
                    upstream.is_write_broken = true;
                    progress = true;
                }
                Poll::Pending => {}
            }
        }

        // What TLS still holds of these writes; a socket holds nothing.
        let flushed = Pin::new(&mut upstream.pooled.connection).poll_flush(cx);
        upstream.is_write_broken |= matches!(flushed, Poll::Ready(Err(_)));
        Ok(progress)
    }

    /// Reads more of the client, and notices if it goes away. Returns true if something has come.
    fn poll_client(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Exchange,
    ) -> Result<bool, Failure> {
        // What comes after the body is the next request, and waits within a limit.
        if !exchange.wants_client() && exchange.from_client.len() >= BUFFER_BYTES {
            return Ok(false);
        }
        let (stream, into) = (&mut self.connection.stream, &mut exchange.from_client);
        match poll_read(cx, stream, &self.connection.core.scratch, into) {
            Poll::Ready(Ok(1..)) => Ok(true),
            Poll::Ready(_) => Err(Failure::Client),
            Poll::Pending => Ok(false),
        }
    }

    /// Passes the response on, from its head to its end, and keeps the server's connection if it
    /// can be used again.
    async fn pass_on(
        &mut self,
        workspace: &mut Workspace<S::Context>,
        lease: &Lease,
        mut upstream: Upstream,
    ) -> Result<Forwarded, Ended> {
        let is_tunnel = workspace.exchange.response.status() == 101;
        if is_tunnel && workspace.exchange.request.upgrade().is_none() {
            self.log_attempt(workspace, Some(lease), 101);
            return Ok(Forwarded::Failed(502));
        }
        if self.connection.service.intercepts(&workspace.exchange, &workspace.context) {
            let status = workspace.exchange.response.status();
            self.log_attempt(workspace, Some(lease), status);
            return Ok(Forwarded::Failed(status));
        }
        let body = match self.rewritten(workspace, &mut upstream).await {
            Ok(body) => body,
            Err(Ended::Cut) => return Ok(Forwarded::Failed(502)),
            Err(ended) => return Err(ended),
        };
        let may_persist = self.connection.may_persist(&workspace.context, None);
        let Workspace { exchange, context, done, .. } = &mut *workspace;
        let (service, client) = (self.connection.service, &self.connection.client);
        done.status = service.response_status(exchange, context);
        let status = done.status;
        // `error_page 404 =204 @other` shows a response with a body as one that has none.
        let drops_body = matches!(status, 204 | 304) && status != exchange.response.status();
        let write_head = |exchange: &Exchange, framing, persistence, out: &mut Vec<u8>| {
            let response = &exchange.response;
            let reason = match status == response.status() {
                true => response.reason(),
                false => status_reason(status).as_bytes(),
            };
            let mut head = HeadWriter::response(out, status, reason, framing, persistence);
            // Hop by hop, but it names the protocol that both sides have agreed on.
            let mut protocols = response.headers().values(Known::Upgrade).filter(|_| is_tunnel);
            protocols.next().inspect(|it| head.header(b"Upgrade", it));
            service.write_response(exchange, client, context, None, &mut head);
            done.explained.iter().for_each(|it| head.header(HEADER.as_bytes(), it.as_bytes()));
            head.finish();
        };
        let result = if is_tunnel {
            exchange.begin_tunnel(write_head);
            self.tunnel(workspace, &mut upstream).await
        } else if drops_body || body.is_some() {
            let body = body.as_deref().filter(|_| !drops_body && !exchange.request.is_head());
            exchange.answer(status, body, may_persist, write_head);
            self.connection.flush(workspace).await
        } else {
            exchange.begin_response(may_persist, write_head);
            self.response_body(workspace, &mut upstream).await
        };
        let status = workspace.exchange.response.status();
        self.log_attempt(workspace, Some(lease), status);
        result?;
        if workspace.exchange.upstream_persists() {
            upstream.pooled.requests += 1;
            self.connection.core.put_connection(self.route, upstream.pooled);
        }
        Ok(Forwarded::Answered)
    }

    /// The body as the service rewrites it; `None` if it is passed on as it comes.
    async fn rewritten(
        &mut self,
        workspace: &mut Workspace<S::Context>,
        upstream: &mut Upstream,
    ) -> Result<Option<Vec<u8>>, Ended> {
        let service = self.connection.service;
        if !service.rewrites(&workspace.exchange, &workspace.context) {
            return Ok(None);
        }
        workspace.exchange.held = Some(Vec::new());
        self.response_body(workspace, upstream).await?;
        let mut body = workspace.exchange.held.take().unwrap_or_default();
        let is_rewritten = service.rewrite(&mut workspace.context, &mut body);
        if is_rewritten { Ok(Some(body)) } else { Err(Ended::Cut) }
    }

    /// Forwards bytes in both directions until one side ends, or neither has sent anything for
    /// `proxy_read_timeout`.
    async fn tunnel(
        &mut self,
        workspace: &mut Workspace<S::Context>,
        upstream: &mut Upstream,
    ) -> Result<(), Ended> {
        self.connection.flush(workspace).await?;
        let server = &mut upstream.pooled.connection;
        let to_upstream = workspace.exchange.to_upstream.filled().to_vec();
        workspace.exchange.to_upstream.clear();

        let limits = Limits { idle: self.route.read_timeout, half_close: false };
        let client = &mut self.connection.stream;
        let tunnel = &self.connection.core.tunnel;
        // Boxed, as it is rare and large. An error is the end of the tunnel, as a close is.
        let _ = Box::pin(forward_bytes(client, server, to_upstream, tunnel, limits)).await;
        Err(Ended::Cut)
    }

    async fn response_body(
        &mut self,
        workspace: &mut Workspace<S::Context>,
        upstream: &mut Upstream,
    ) -> Result<(), Ended> {
        let Workspace { exchange, done, .. } = workspace;
        poll_fn(|cx| {
            loop {
                // A malformed body cannot be taken back: the client has seen its head.
                exchange.download().map_err(|_| Ended::Cut)?;
                let mut progress = false;
                if !exchange.to_client.is_empty() {
                    match poll_write(cx, &mut self.connection.stream, &mut exchange.to_client) {
                        Poll::Ready(Ok(count)) => {
                            done.sent += count as u64;
                            progress = true;
                        }
                        Poll::Ready(Err(_)) => return Poll::Ready(Err(Ended::ByClient)),
                        Poll::Pending => {}
                    }
                }
                let flushed = Pin::new(&mut self.connection.stream).poll_flush(cx);
                if exchange.has_response() && exchange.to_client.is_empty() {
                    ready!(flushed).map_err(|_| Ended::ByClient)?;
                    return Poll::Ready(Ok(()));
                }

                if !exchange.has_request() {
                    let uploaded = self.poll_upload(cx, exchange, upstream);
                    progress |= uploaded.map_err(|_| Ended::ByClient)?;
                }
                if exchange.wants_upstream() {
                    let connection = &mut upstream.pooled.connection;
                    let into = &mut exchange.from_upstream;
                    match poll_read(cx, connection, &self.connection.core.scratch, into) {
                        Poll::Ready(Ok(1..)) => progress = true,
                        Poll::Ready(_) if exchange.end_download() => progress = true,
                        Poll::Ready(_) => return Poll::Ready(Err(Ended::Cut)),
                        Poll::Pending => {}
                    }
                }

                if progress {
                    let waits = match exchange.to_client.is_empty() {
                        true => self.route.read_timeout,
                        false => self.connection.limits.send,
                    };
                    self.connection.deadline.set(waits);
                    continue;
                }
                // A client that has gone must not hold a server that has nothing to say.
                if !self.poll_client(cx, exchange).map_err(|_| Ended::ByClient)? {
                    return self.connection.deadline.poll(cx).map(|()| Err(Ended::Cut));
                }
            }
        })
        .await
    }

    /// The status of the response if it counts as a failure and another server can be tried.
    fn is_next_status(&self, workspace: &mut Workspace<S::Context>, is_sent: bool) -> Option<u16> {
        let status = workspace.exchange.response.status();
        let is_failure = self.route.retry.statuses.contains(&status);
        let is_next = is_failure && self.begin_retry(workspace, Failure::Status(status), is_sent);
        is_next.then_some(status)
    }

    /// Decides and explains if another attempt follows this failure. Returns true if so, which may
    /// cost a retry of the budget.
    fn begin_retry(
        &self,
        workspace: &mut Workspace<S::Context>,
        failure: Failure,
        is_sent: bool,
    ) -> bool {
        let decision = self.check_retry(workspace, failure, is_sent);
        if self.explains {
            workspace.done.explained.push(match decision {
                Ok(()) => format!("retried: {}", failure.reason()),
                Err(reason) => format!("{}; not retried: {reason}", failure.reason()),
            });
        }
        decision.is_ok()
    }

    fn check_retry(
        &self,
        workspace: &Workspace<S::Context>,
        failure: Failure,
        is_sent: bool,
    ) -> Result<(), &'static str> {
        let Workspace { exchange, attempts, .. } = workspace;
        let retry = &self.route.retry;
        let elapsed_ms = self.connection.core.clock.now_ms() - self.started_ms;
        if !exchange.is_replayable() {
            return Err("the body is no longer held");
        }
        if !failure.is_named_by(retry) {
            return Err("proxy_next_upstream does not name it");
        }
        if is_sent && is_once_only(exchange) && !retry.non_idempotent {
            return Err("POST, LOCK and PATCH are not sent twice");
        }
        if !retry.timeout.is_zero() && u128::from(elapsed_ms) >= retry.timeout.as_millis() {
            return Err("proxy_next_upstream_timeout has passed");
        }
        if retry.tries != 0 && attempts.count() >= retry.tries {
            return Err("proxy_next_upstream_tries is reached");
        }
        self.route.upstream.state().begin_retry(attempts)
    }

    fn report(&self, lease: &Lease, failure: Failure) {
        if matches!(failure, Failure::Error | Failure::Timeout | Failure::InvalidHeader) {
            let (peer, address) = (&self.connection.client.peer, lease.address());
            let what = failure.reason();
            tracing::error!("{what}, client: {peer}, upstream: \"http://{address}\"");
        }
    }

    fn push_attempt(&self, done: &mut Done, address: Option<Arc<str>>, began_ms: u64) {
        let is_redirected = self.earlier > 0 && done.attempts.len() == self.earlier;
        done.attempts.push(AttemptLog { is_redirected, ..AttemptLog::new(address, began_ms) });
    }

    fn log_attempt(
        &self,
        workspace: &mut Workspace<S::Context>,
        lease: Option<&Lease>,
        status: u16,
    ) {
        let now_ms = self.connection.core.clock.now_ms();
        let Workspace { exchange, done, .. } = workspace;
        if lease.is_none() {
            self.push_attempt(done, None, now_ms);
        }
        let attempt = last_attempt(done);
        attempt.status = status;
        attempt.response_ms = now_ms - attempt.began_ms;
        attempt.length = exchange.downloaded();
    }
}

/// Returns true if executing the request twice may differ from executing it once. NGINX's list:
/// PUT and DELETE are idempotent.
fn is_once_only(exchange: &Exchange) -> bool {
    matches!(exchange.request.method(), b"POST" | b"LOCK" | b"PATCH")
}

fn last_attempt(done: &mut Done) -> &mut AttemptLog {
    done.attempts.last_mut().expect("an attempt was begun")
}
