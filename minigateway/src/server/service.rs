//! The callbacks of minilb's HTTP connections: what the gateway does with each request.
//!
//! ```text
//! begin             the request gets the current generation
//! decide            pipeline.decide ─> a problem, or a route after the delay of its limits
//!                   charge_shared ──> the same, for limits that gateways share
//! write_request     the client's headers, X-Forwarded-For
//! write_response    the upstream's headers, RateLimit
//! log               write the access log, release concurrency limits
//! ```
//!
//! # How does a core get the current generation without a lock?
//!
//! Each core has its own reference, and compares one version number per request. A reload changes
//! the number; only then does the core take the lock to get the new generation.

// The outer `Rc` counts the requests of one core, so that cores share no atomic counter.
#![expect(clippy::redundant_allocation, reason = "the outer count belongs to one core")]

use super::generation::{FORWARDED, Generation, PREFLIGHT, REFUSED, UNROUTED};
use super::redis::{self, StoreCounts};
use super::shared::charge_shared;
use crate::conf::config::Config;
use crate::conf::file::RouteConfig;
use crate::conf::filters::{FilterConfig, Rename};
use crate::engine::limits::{Charge, refund_all, release};
use crate::handlers::access_log;
use crate::handlers::answers::{Problem, problem, shows_limits, write_limits};
use crate::handlers::explain;
use crate::handlers::filters::{Facts, Refused, changes, single};
use crate::handlers::pipeline::{Action, Charges, Reason};
use crate::wire::graphql;
use crate::wire::problem;
use crate::wire::trace::Trace;
use minigateway_graphql::Cost;
use minikit::sync::atomic::AtomicU64;
use minikit::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use minikit::sync::{Arc, Mutex};
use minilb::handlers::date;
use minilb::server::http::core::unix_ms;
use minilb::server::http::service::{
    Answer, AttemptTarget, Client, ClientLimits, Decision, Done, HttpService,
};
use minilb::wire::http1::exchange::Exchange;
use minilb::wire::http1::head::{Known, RequestHead};
use minilb::wire::http1::refusal::Refusal;
use minilb::wire::http1::writer::HeadWriter;
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The current generation, for all cores.
pub struct Current {
    generation: Mutex<Arc<Generation>>,
    version: AtomicU64,
    /// Counters of the store clients of all cores and generations.
    pub store: Arc<StoreCounts>,
    /// The origin of the time that limits use.
    start: Instant,
}

impl Current {
    /// Starts with the first generation.
    pub fn new(generation: Generation) -> Current {
        Current {
            generation: Mutex::new(Arc::new(generation)),
            version: AtomicU64::new(0),
            store: Arc::default(),
            start: Instant::now(),
        }
    }

    /// Returns the generation for requests that begin now.
    pub fn get(&self) -> Arc<Generation> {
        Arc::clone(&self.generation.lock())
    }

    /// Replaces the generation. Requests in progress keep theirs.
    pub fn set(&self, generation: Generation) {
        *self.generation.lock() = Arc::new(generation);
        self.version.fetch_add(1, Release);
    }

    /// Returns the time that limits use.
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The gateway of one core.
pub struct Gateway {
    current: Arc<Current>,
    generation: RefCell<Rc<Arc<Generation>>>,
    version: Cell<u64>,
    /// The store client of the current generation, if it has shared limits.
    store: RefCell<Option<Rc<redis::Client>>>,
    /// With the count of traces, generates random trace ids.
    seed: ahash::RandomState,
    traces: Cell<u64>,
    /// The last second and its `Date` header.
    date: RefCell<(u64, Vec<u8>)>,
}

/// The state of a request.
#[derive(Default)]
pub struct Context {
    /// In a cell, because `log` releases it through a shared reference.
    generation: RefCell<Option<Rc<Arc<Generation>>>>,
    charges: RefCell<Charges>,
    facts: Facts,
    charged_ns: u64,
    /// The outcome for metrics, as soon as it is known.
    outcome: Cell<Option<usize>>,
    /// The memory reserved for its bodies, in bytes.
    held: Cell<u64>,
    /// The lines for a client that asked for an explanation.
    explanation: Vec<String>,
    /// Empty if `log.trace` is off.
    trace: Trace,
}

impl Context {
    /// Counts the request, and releases its concurrency limits, its memory and its generation.
    fn release(&self) {
        if let Some(generation) = self.generation.take() {
            generation.end_hold(self.held.take());
            if let Some(outcome) = self.outcome.take() {
                generation.requests[outcome].fetch_add(1, Relaxed);
            }
            let mut charges = self.charges.borrow_mut();
            release(&generation.pipeline.limits, &mut charges.local, self.charged_ns);
        }
    }
}

/// Covers requests that are never logged: cut at the end of the drain, or after a panic.
impl Drop for Context {
    fn drop(&mut self) {
        self.release();
    }
}

impl Gateway {
    /// Creates the gateway of one core.
    pub fn new(current: Arc<Current>) -> Gateway {
        let version = Cell::new(current.version.load(Acquire));
        let generation = RefCell::new(Rc::new(current.get()));
        let gateway = Gateway {
            current,
            generation,
            version,
            store: RefCell::default(),
            seed: ahash::RandomState::new(),
            traces: Cell::new(0),
            date: RefCell::default(),
        };
        gateway.connect();
        gateway
    }

    /// Connects to the store of the current generation, unless it is unchanged.
    fn connect(&self) {
        let redis = &self.generation.borrow().pipeline.config.redis;
        let mut store = self.store.borrow_mut();
        if store.as_ref().map(|it| it.config()) != redis.as_ref() {
            let start = |it| Rc::new(redis::Client::start(it, Arc::clone(&self.current.store)));
            *store = redis.clone().map(start);
        }
    }

    fn trace(&self, request: &RequestHead) -> Trace {
        let number = self.traces.get();
        self.traces.set(number.wrapping_add(1));
        let random = |part: u8| self.seed.hash_one((number, part));
        let trace = u128::from(random(0)) << 64 | u128::from(random(1));
        let id = request.headers().get(b"x-request-id");
        Trace::new(id, single(request, "traceparent"), (trace, random(2)))
    }

    fn generation(&self) -> Rc<Arc<Generation>> {
        let version = self.current.version.load(Acquire);
        if self.version.replace(version) != version {
            *self.generation.borrow_mut() = Rc::new(self.current.get());
            self.connect();
        }
        Rc::clone(&self.generation.borrow())
    }
}

impl HttpService for Gateway {
    type Context = Context;

    fn begin(&self, _client: &Client, context: &mut Context) -> ClientLimits {
        context.charges.get_mut().clear();
        context.explanation.clear();
        context.trace = Trace::default();
        context.facts = Facts { unix_s: unix_ms() / 1000, ..Facts::default() };
        *context.generation.get_mut() = Some(self.generation());
        ClientLimits::default()
    }

    async fn decide(
        &self,
        exchange: &Exchange,
        client: &Client,
        context: &mut Context,
    ) -> Decision {
        let Context { generation, charges, facts, charged_ns, explanation, trace, .. } = context;
        let generation = generation.get_mut().as_ref().expect("`begin` was called");
        let (pipeline, charges) = (&generation.pipeline, charges.get_mut());
        *charged_ns = self.current.now_ns();
        if pipeline.config.log.trace {
            *trace = self.trace(&exchange.request);
        }

        let (request, address) = (&exchange.request, client.peer.ip());
        let mut action = pipeline.decide(request, address, *charged_ns, charges, facts);
        if let Action::Forward { route, .. } = action {
            // Reserve memory before charging shared limits, which cannot be refunded.
            let reason = match generation.hold(route, facts, request.framing()) {
                None => Some(Reason::BodiesHeld),
                Some(bytes) => {
                    context.held.set(bytes);
                    let (store, now_ns) = (self.store.borrow().clone(), || self.current.now_ns());
                    match &mut charges.shared[..] {
                        [] => None,
                        shared => charge_shared(pipeline, store, shared, now_ns).await,
                    }
                }
            };
            if let Some(reason) = reason {
                refund_all(&pipeline.limits, &mut charges.local, *charged_ns);
                action = Action::Answer(reason);
            }
        }

        count(generation, charges, facts, &exchange.request, address);
        context.outcome.set(Some(match action {
            Action::Forward { .. } => FORWARDED,
            Action::Answer(Reason::Preflight(_)) => PREFLIGHT,
            Action::Answer(Reason::NotFound | Reason::MethodNotAllowed(_)) => UNROUTED,
            Action::Answer(_) => REFUSED,
        }));
        let is_asked = || exchange.request.headers().get(explain::HEADER.as_bytes()).is_some();
        if pipeline.config.answers.explain && is_asked() {
            *explanation = explain::lines(pipeline, facts, charges, *charged_ns);
        }

        let reason = match action {
            Action::Answer(reason) => reason,
            Action::Forward { route, delay_ns } => {
                // The charge remains even if the client disconnects meanwhile.
                if delay_ns > 0 {
                    tokio::time::sleep(Duration::from_nanos(delay_ns)).await;
                }
                return Decision::Forward(Arc::clone(generation.forward(route, facts)));
            }
        };
        Decision::Answer(answer(problem(pipeline, reason, charges)))
    }

    fn check_body(&self, exchange: &mut Exchange, context: &mut Context) -> Option<Answer> {
        let Context { generation, facts, charges, explanation, outcome, .. } = context;
        let (generation, route) = (generation.get_mut().as_ref()?, facts.route?);
        let Config { filters, routes, .. } = &generation.pipeline.config;
        if let Some(max) = routes[route].graphql {
            let checked = check_graphql(max, exchange);
            if !explanation.is_empty() {
                explanation.push(explain::graphql(max, &checked));
            }
            if let Err((status, detail)) = checked {
                outcome.set(Some(REFUSED));
                return Some(error(status, &detail));
            }
        }
        let Rename(fields, _) = filters.renamed(&routes[route], facts)?;
        let is_json = FilterConfig::may_be_json(&exchange.request);
        let body = exchange.stored_body().filter(|_| is_json)?;
        // A compressed body fails here too, because it is not JSON.
        let error = fields.rename(body).map(|renamed| *body = renamed).err()?;
        let reason = Reason::Filter(route, Refused::Version(error));
        outcome.set(Some(REFUSED));
        Some(answer(problem(&generation.pipeline, reason, charges.get_mut())))
    }

    fn rewrites(&self, exchange: &Exchange, context: &Context) -> bool {
        let generation = context.generation.borrow();
        route_of(&generation, &context.facts).is_some_and(|(filters, route)| {
            filters.rewrites(route, &context.facts, &exchange.response)
        })
    }

    fn rewrite(&self, context: &mut Context, body: &mut Vec<u8>) -> bool {
        let generation = context.generation.borrow();
        let routed = route_of(&generation, &context.facts);
        let renamed = routed.and_then(|(filters, route)| filters.renamed(route, &context.facts));
        let Some(Rename(_, fields)) = renamed else { return true };
        let result = fields.rename(body).map(|renamed| *body = renamed);
        if let Err(error) = result {
            tracing::error!("the fields of a response cannot be renamed: {}", error.1);
        }
        result.is_ok()
    }

    fn write_request(
        &self,
        request: &RequestHead,
        client: &Client,
        context: &Context,
        attempt: &AttemptTarget<'_>,
        out: &mut Vec<u8>,
    ) {
        let (generation, facts) = (context.generation.borrow(), &context.facts);
        let routed = route_of(&generation, facts);
        let sent = facts.target.as_deref().unwrap_or(request.uri());
        let versioned = routed.filter(|it| it.1.versions.is_some());
        let rewritten = versioned.map(|it| it.0.target(it.1, facts, sent));
        let target = rewritten.as_deref().unwrap_or(sent);

        let mut head = HeadWriter::request(out, request.method(), target, 1, attempt.framing);
        let is_dropped =
            |name: &[u8]| routed.is_some_and(|it| it.0.drops_from_request(it.1, facts, name));
        let is_forwarded_for = |name: &[u8]| name.eq_ignore_ascii_case(b"x-forwarded-for");
        let trace = &context.trace;
        for header in request.end_to_end() {
            let is_ours = header.known == Known::Host
                || is_forwarded_for(header.name)
                || replaces(trace, header.name);
            if !is_ours && !is_dropped(header.name) {
                head.header(header.name, header.value);
            }
        }

        // Send the host that was routed: a target with a host overrides `Host`. An HTTP/1.0 request
        // may have no host at all.
        head.header_with(b"Host", |out| match request.host() {
            [] => out.extend_from_slice(attempt.upstream.as_bytes()),
            host => out.extend([host, port(request)].concat()),
        });
        head.header_with(b"X-Forwarded-For", |out| {
            for before in request.end_to_end().filter(|it| is_forwarded_for(it.name)) {
                out.extend_from_slice(before.value);
                out.extend_from_slice(b", ");
            }
            write!(out, "{}", client.peer.ip()).expect("a vector takes everything");
        });
        if !trace.id.is_empty() {
            head.header(b"X-Request-Id", trace.id.as_bytes());
            head.header(b"traceparent", trace.parent.as_bytes());
        }
        if let Some((filters, route)) = routed {
            filters.write_request(route, facts, &mut head);
        }
        head.finish();
    }

    fn write_response(
        &self,
        exchange: &Exchange,
        _client: &Client,
        context: &Context,
        answer: Option<&Answer>,
        head: &mut HeadWriter<'_>,
    ) {
        let charges = context.charges.borrow();
        let (generation, facts) = (context.generation.borrow(), &context.facts);
        let has_limits = generation.as_ref().is_some_and(|it| shows_limits(&it.pipeline, &charges));
        let routed = route_of(&generation, facts);
        // A refusal is immediate, so the times of the decision are still right.
        let (unix_s, now_ns) = match answer {
            Some(it) if it.status == 429 => (facts.unix_s, context.charged_ns),
            _ => (unix_ms() / 1000, self.current.now_ns()),
        };
        if let Some(answer) = answer {
            if !routed.is_some_and(|it| changes(&it.1.response_headers, b"server")) {
                head.header(b"Server", b"minigateway");
            }
            let (of_date, date) = &mut *self.date.borrow_mut();
            if std::mem::replace(of_date, unix_s) != unix_s {
                date.clear();
                date::http(unix_s, date);
            }
            head.header(b"Date", date);
            if !answer.body.is_empty() {
                head.header(b"Content-Type", problem::CONTENT_TYPE.as_bytes());
            }
            for (name, value) in &answer.headers {
                head.header(name.as_bytes(), value);
            }
        } else {
            // Drop limit headers of the upstream, which would contradict ours.
            let is_ours = |name: &[u8]| {
                let starts = |with: &[u8]| {
                    name.get(..with.len()).is_some_and(|it| it.eq_ignore_ascii_case(with))
                };
                has_limits && (starts(b"ratelimit") || starts(b"x-ratelimit-"))
                    || !context.explanation.is_empty()
                        && name.eq_ignore_ascii_case(explain::HEADER.as_bytes())
                    || !context.trace.id.is_empty() && name.eq_ignore_ascii_case(b"x-request-id")
                    || routed.is_some_and(|it| it.0.drops_from_response(it.1, facts, name))
            };
            for header in exchange.response.end_to_end().filter(|it| !is_ours(it.name)) {
                head.header(header.name, header.value);
            }
        }

        if let Some((filters, route)) = routed {
            let origin = exchange.request.headers().get(b"origin");
            filters.write_response(route, facts, origin, head);
        }
        if let Some(generation) = generation.as_ref().filter(|_| has_limits) {
            write_limits(&generation.pipeline, &charges, now_ns, unix_s, head);
        }
        if !context.trace.id.is_empty() {
            head.header(b"X-Request-Id", context.trace.id.as_bytes());
        }
        for line in &context.explanation {
            head.header(explain::HEADER.as_bytes(), line.as_bytes());
        }
    }

    fn error_answer(&self, status: u16, context: &mut Context) -> Answer {
        // 413 means that the body was too large. Other errors come from upstreams.
        if status == 413 {
            context.outcome.set(Some(REFUSED));
        }
        error(status, "")
    }

    fn refusal_answer(&self, refusal: Refusal, context: &mut Context) -> Answer {
        context.outcome.set(Some(REFUSED));
        // RFC 6585 defines a status for headers that are too large.
        let is_head = refusal == Refusal::HeadersTooLarge;
        let status = if is_head { 431 } else { refusal.status() };
        let detail = refusal.reason().replace('"', "'");
        error(status, &detail)
    }

    fn log(&self, exchange: &Exchange, client: &Client, context: &Context, done: &Done) {
        if let Some(generation) = context.generation.borrow().as_ref()
            && let Some(path) = &generation.pipeline.config.log.access
        {
            let (request, address) = (&exchange.request, client.peer.ip());
            let (pipeline, id) = (&generation.pipeline, &context.trace.id);
            let charges = context.charges.borrow();
            let line = access_log::line(pipeline, unix_ms(), address, request, id, done, &charges);
            generation.access_log.write(path, &line);
        }
        context.release();
    }
}

/// Measures the query of a request whose whole body is buffered.
fn check_graphql(max: Cost, exchange: &mut Exchange) -> Result<Cost, (u16, String)> {
    let missing = || (413, "the body is not buffered".to_owned());
    let body = std::mem::take(exchange.stored_body().ok_or_else(missing)?);
    let checked = graphql::check(max, &exchange.request, &body);
    *exchange.stored_body().ok_or_else(missing)? = body;
    checked
}

/// Returns `:8443` of the header `Host`, unless the target names another host.
fn port(request: &RequestHead) -> &[u8] {
    let host = request.headers().get(b"host").unwrap_or_default();
    let colon = host.iter().rposition(|it| *it == b':').unwrap_or(host.len());
    let (name, port) = host.split_at(colon);
    if name.eq_ignore_ascii_case(request.host()) { port } else { b"" }
}

/// Returns true for the request headers that `trace` replaces.
fn replaces(trace: &Trace, name: &[u8]) -> bool {
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    let is_lost = || !trace.is_continued && is(b"tracestate");
    !trace.id.is_empty() && (is(b"x-request-id") || is(b"traceparent") || is_lost())
}

/// Returns the configuration of the request's route, if it has been found.
fn route_of<'a>(
    generation: &'a Option<Rc<Arc<Generation>>>,
    facts: &Facts,
) -> Option<(&'a FilterConfig, &'a RouteConfig)> {
    let Config { filters, routes, .. } = &generation.as_ref()?.pipeline.config;
    Some((filters, &routes[facts.route?]))
}

/// Converts a problem to an answer. [`Gateway::write_response`] adds its content type.
fn answer(Problem { status, body, headers }: Problem) -> Answer {
    let headers = headers.into_iter().map(|(name, it)| (name, it.into_bytes())).collect();
    Answer { status, headers, body: body.into_bytes() }
}

/// Creates the answer with a problem without headers.
fn error(status: u16, detail: &str) -> Answer {
    let body = problem::error(status, detail);
    answer(Problem { status, body, headers: Vec::new() })
}

fn count(
    generation: &Generation,
    charges: &Charges,
    facts: &Facts,
    request: &RequestHead,
    client: IpAddr,
) {
    let route = facts.route.map(|it| &generation.pipeline.config.routes[it]);
    let versions = route.and_then(|it| it.versions.as_ref());
    if let (Some(versions), Some(chosen)) = (versions, facts.version) {
        generation.versions[versions.index][chosen.version].fetch_add(1, Relaxed);
    }
    for (limit, outcome) in charges.outcomes() {
        generation.limits[limit].outcomes[outcome as usize].fetch_add(1, Relaxed);
    }
    for Charge { limit, key, decision, .. } in &charges.local {
        let name = || generation.pipeline.key_name(*limit, request, client, facts);
        generation.limits[*limit].top.count(*key, decision.is_admitted(), name);
    }
}
