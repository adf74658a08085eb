//! From a request to a decision: the phases of an `http` block.
//!
//! ```text
//! real_ip ─> steps of the server ─> location ─> its steps ─> limits ─> allow, deny ─> proxy_pass
//!                  ^                   ^            │           │          │             │
//!                  │                   └─ rewrite ──┘           │          │             │
//!                  └──────────── error_page /path ──────────────┴───── 403 ┴──── 502 ────┘
//! ```
//!
//! A failure, also of an upstream server after all attempts, looks for its `error_page`. A path
//! goes through all phases again, with GET; a named location begins with its own steps. What comes
//! out is sent with the status of the failure, unless the directive says another one.
//!
//! NGINX counterpart: `ngx_http_core_run_phases`, `ngx_http_special_response_handler`,
//! `ngx_http_send_error_page` and `ngx_http_internal_redirect`.

use super::http::service::{Answer, Client, Decision, Done};
use super::limits::{Counted, Zone, admit};
use super::nginx::{BODY_BYTES_MAX, Nginx, RequestContext, absolute, content_type, redirect};
use super::statistics::page;
use crate::conf::http::*;
use crate::conf::rewrite::{Return, Step};
use crate::handlers::client_ip;
use crate::handlers::locate::{Found, location};
use crate::handlers::rewrite::{Flow, run};
use crate::handlers::uri::escape;
use crate::wire::http1::exchange::Exchange;
use crate::wire::http1::framing::Framing;
use minikit::sync::Arc;
use std::time::Duration;

/// The phases of one request.
pub(super) struct Phases<'a> {
    /// The configuration and the core.
    pub nginx: &'a Nginx<'a>,
    /// The request.
    pub exchange: &'a Exchange,
    /// The client that sent it.
    pub client: &'a Client,
}

/// Where a request enters the phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// The steps of the server: of a new request.
    Server,
    /// The steps of a location that is known.
    Location,
}

/// The longest key of `limit_conn`; longer ones are not limited, as in NGINX.
const COUNT_KEY_MAX: usize = 255;
/// The same for `limit_req`.
const RATE_KEY_MAX: usize = 65_535;

impl Phases<'_> {
    /// Decides about a request that has failed.
    pub(super) async fn recover(&self, status: u16, context: &mut RequestContext) -> Decision {
        match self.error_page(status, context) {
            Ok(answer) => Decision::Answer(answer),
            Err(entry) => self.enter(entry, context).await,
        }
    }

    /// Decides about a request, whose path and server are known.
    pub(super) async fn enter(&self, mut entry: Entry, context: &mut RequestContext) -> Decision {
        // Each error page takes one of the changes that a request has, so this ends.
        loop {
            let decision = self.phases(entry, context).await;
            match decision.or_else(|it| self.error_page(it, context).map(Decision::Answer)) {
                Ok(decision) => return decision,
                Err(next) => entry = next,
            }
        }
    }

    /// The phases up to a decision. The error is the status of a failure.
    async fn phases(&self, entry: Entry, context: &mut RequestContext) -> Result<Decision, u16> {
        let mut is_known = entry == Entry::Location;
        if entry == Entry::Server {
            context.location = None;
            self.find_client(context);
            let root = Arc::clone(&context.server().root);
            if let Some(decision) = self.steps(&root.steps, context)? {
                return Ok(decision);
            }
        }
        loop {
            if !std::mem::take(&mut is_known)
                && let Some(decision) = self.find_location(context)?
            {
                return Ok(decision);
            }
            let Some(location) = context.location.clone() else { break };
            if let Some(decision) = self.steps(&location.steps, context)? {
                return Ok(decision);
            }
            if !context.state.is_changed {
                break;
            }
            let left = context.state.changes_left.checked_sub(1);
            context.state.changes_left = left.ok_or(500_u16)?;
        }

        self.find_client(context);
        self.limit(context).await?;
        check_access(self.client, context)?;
        let method = if context.state.is_get { b"GET" } else { self.exchange.request.method() };
        match &context.location().action {
            Action::NotFound if matches!(method, b"GET" | b"HEAD" | b"POST") => Err(404),
            Action::NotFound => Err(405),
            Action::StubStatus if !matches!(method, b"GET" | b"HEAD") => Err(405),
            Action::StubStatus => {
                let body = page(self.nginx.connections, self.nginx.counts);
                Ok(Decision::Answer(Answer::new(200, "text/plain", body)))
            }
            Action::ProxyTo(url) => {
                let text = context.text(url, (self.exchange, self.client));
                let target = context.generation().target(&text, context.location());
                // Rare, and its state would make that of every connection larger.
                let dynamic = Box::pin(target).await?;
                let route = Arc::clone(&dynamic.route);
                context.dynamic = Some(dynamic);
                Ok(Decision::Forward(route))
            }
            Action::Proxy(_) => {
                let route = &context.generation().routes[context.location().id];
                Ok(Decision::Forward(Arc::clone(route.as_ref().expect("made for each proxy_pass"))))
            }
        }
    }

    /// Runs steps. Returns a decision if they end the request.
    fn steps(&self, steps: &[Step], context: &mut RequestContext) -> Result<Option<Decision>, u16> {
        if steps.is_empty() {
            return Ok(None);
        }
        let mut state = std::mem::take(&mut context.state);
        let done = Done::default();
        let view =
            context.view(&self.exchange.request, &self.exchange.response, self.client, &done);
        let flow = run(steps, &mut state, view);
        context.state = state;
        match flow {
            Flow::Continue | Flow::Stop => Ok(None),
            Flow::EmptyPath => Err(500),
            Flow::Redirect(status, to) => {
                let location = absolute(to, self.exchange, self.client, context);
                Ok(Some(Decision::Answer(redirect(status, location))))
            }
            Flow::Return(Return { status: 444, .. }) => Ok(Some(Decision::Close)),
            // Without a text it is a failure like any other, with the page of its status.
            Flow::Return(Return { status, text: None }) if *status >= 400 => {
                Err(context.state.error_status.unwrap_or(*status))
            }
            Flow::Return(text) => Ok(Some(Decision::Answer(self.return_answer(text, context)))),
        }
    }

    /// The answer of `return`.
    fn return_answer(&self, Return { status, text }: &Return, context: &RequestContext) -> Answer {
        let shown = context.state.error_status.unwrap_or(*status);
        let value = text.as_ref().map(|it| context.text(it, (self.exchange, self.client)));
        let value = value.unwrap_or_default();

        if matches!(status, 301 | 302 | 303 | 307 | 308) {
            return redirect(*status, absolute(value, self.exchange, self.client, context));
        }
        match shown {
            204 => Answer::page(204),
            _ => Answer::new(shown, content_type(context.location(), &context.state.path), value),
        }
    }

    /// Finds the location of the path. Returns an answer if the path only lacks a slash. The error
    /// is the status of a client's request whose body is too large for the location.
    fn find_location(&self, context: &mut RequestContext) -> Result<Option<Decision>, u16> {
        context.state.is_changed = false;
        let root = Arc::clone(&context.server().root);
        let (found, adds_slash) = match location(&root, &context.state.path) {
            Found::Location(found) => (Arc::clone(found), false),
            Found::AddSlash(found) => (Arc::clone(found), true),
        };
        if let LocationKind::Pattern(pattern) = &found.kind
            && pattern.has_groups()
        {
            context.state.capture_path(pattern);
        }

        // The server itself is no location: its steps have run.
        context.location = (!Arc::ptr_eq(&found, &root)).then_some(found);
        let max = context.location().settings.client_max_body_size.unwrap_or(BODY_BYTES_MAX);
        if let Framing::Length(length) = self.exchange.request.framing()
            && (context.state.is_original && max != 0 && length > max)
        {
            return Err(413);
        }
        Ok(adds_slash.then(|| {
            let mut path = Vec::new();
            escape(context.location().kind.name().as_bytes(), &mut path);
            if !context.state.args.is_empty() {
                path.push(b'?');
                path.extend_from_slice(&context.state.args);
            }
            Decision::Answer(redirect(301, absolute(path, self.exchange, self.client, context)))
        }))
    }

    /// `set_real_ip_from` and `real_ip_header`.
    fn find_client(&self, context: &mut RequestContext) {
        let settings = &context.location().settings;
        let Some(trusted) = &settings.set_real_ip_from else { return };
        if context.state.real_ip.is_some() {
            return;
        }
        let name = settings.real_ip_header.as_deref().unwrap_or("x-real-ip").as_bytes();
        if name == b"proxy_protocol" {
            let is_trusted = trusted.iter().any(|it| it.admits(&self.client.peer));
            let proxied = self.client.proxied.filter(|_| is_trusted);
            context.state.real_ip = proxied.map(|it| it.source.into());
            return;
        }
        let headers = self.exchange.request.headers();
        let values = headers.filter(|it| it.name.eq_ignore_ascii_case(name)).map(|it| it.value);
        let list = values.collect::<Vec<_>>().join(&b',');
        let is_recursive = settings.real_ip_recursive == Some(true);
        context.state.real_ip = client_ip::find(&self.client.peer, &list, trusted, is_recursive);
    }

    /// `limit_req`, which may delay the request, and `limit_conn`. A request is limited once, even
    /// if an error page takes it to another location.
    async fn limit(&self, context: &mut RequestContext) -> Result<(), u16> {
        let settings = Arc::clone(&context.location().settings);
        if context.state.is_limited
            || (settings.limit_req.is_none() && settings.limit_conn.is_none())
        {
            return Ok(());
        }
        context.state.is_limited = true;
        let generation = Arc::clone(context.generation.as_ref().expect("set by `begin`"));
        let refuse = |status: Option<u16>| {
            tracing::error!("limiting requests or connections, client: {}", self.client.peer);
            status.unwrap_or(503)
        };
        let key_of = |zone: &Zone, longest: usize| {
            let key = context.text(&zone.config.key, (self.exchange, self.client));
            (!key.is_empty() && key.len() <= longest).then_some(key)
        };

        let mut limits = Vec::new();
        for limit in settings.limit_req.iter().flatten() {
            let zone = &*generation.zones[&limit.zone];
            limits.extend(key_of(zone, RATE_KEY_MAX).map(|key| (limit, zone, key)));
        }
        let delay_ms = admit(&limits, self.nginx.core.clock.now_ms());
        let delay_ms = delay_ms.ok_or_else(|| refuse(settings.limit_req_status))?;
        if delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }

        let mut counted = Vec::new();
        for (name, limit) in settings.limit_conn.iter().flatten() {
            let zone = &generation.zones[name];
            let Some(key) = key_of(zone, COUNT_KEY_MAX) else { continue };
            let place = Counted::acquire(zone, key, *limit);
            counted.push(place.ok_or_else(|| refuse(settings.limit_conn_status))?);
        }
        context.counted.borrow_mut().append(&mut counted);
        Ok(())
    }

    /// What follows a failure: an answer, or another entry into the phases.
    fn error_page(&self, status: u16, context: &mut RequestContext) -> Result<Answer, Entry> {
        context.state.error_status = Some(status);
        context.state.ends_connection |= matches!(status, 400 | 413 | 414 | 497 | 500 | 501);
        let settings = Arc::clone(&context.location().settings);
        let is_last = context.state.is_error_page;
        let mut pages = settings.error_page.iter().flatten().filter(|_| !is_last);
        let Some(page) = pages.find(|it| it.status == status) else {
            return Ok(Answer::page(status));
        };

        context.state.is_error_page = settings.recursive_error_pages != Some(true);
        match page.shown {
            Shown::OfError => {}
            Shown::OfPage => context.state.error_status = None,
            Shown::Fixed(status) => context.state.error_status = Some(status),
        }
        let uri = context.text(&page.page, (self.exchange, self.client));
        let is_internal = matches!(uri.first(), Some(b'/' | b'@'));
        if is_internal && context.state.changes_left == 0 {
            return Ok(internal_error(context));
        }
        match uri.first() {
            Some(b'/') => {
                self.redirect_internally(&uri, context);
                Err(Entry::Server)
            }
            Some(b'@') => {
                let root = &context.server().root;
                let named = root.nested.iter().find(
                    |it| matches!(&it.kind, LocationKind::Named(name) if name.as_bytes() == uri),
                );
                let Some(named) = named.map(Arc::clone) else { return Ok(internal_error(context)) };
                context.location = Some(named);
                context.state.changes_left -= 1;
                context.state.is_changed = false;
                Err(Entry::Location)
            }
            _ => {
                let shown = context.state.error_status;
                let shown = shown.filter(|it| matches!(it, 301 | 302 | 303 | 307 | 308));
                Ok(redirect(shown.unwrap_or(302), uri))
            }
        }
    }

    /// The request becomes one for another path, with GET.
    fn redirect_internally(&self, uri: &[u8], context: &mut RequestContext) {
        let state = &mut context.state;
        let mark = uri.iter().position(|it| *it == b'?');
        state.path.clear();
        state.path.extend_from_slice(&uri[..mark.unwrap_or(uri.len())]);
        state.args.clear();
        state.args.extend_from_slice(mark.map_or(b"", |it| &uri[it + 1..]));
        state.has_args = mark.is_some();
        state.is_get = !self.exchange.request.is_head();
        (state.is_original, state.is_in_location) = (false, true);
        state.changes_left -= 1;
    }
}

/// The answer if there is no way to the error page.
fn internal_error(context: &mut RequestContext) -> Answer {
    context.state.ends_connection = true;
    context.state.error_status = Some(500);
    Answer::page(500)
}

/// `allow` and `deny`: the first rule that the client is in decides.
fn check_access(client: &Client, context: &RequestContext) -> Result<(), u16> {
    let address = context.state.real_ip.as_ref().unwrap_or(&client.peer);
    let rules = context.location().settings.access_rules.iter().flatten();
    match rules.into_iter().find(|(_, network)| network.admits(address)) {
        Some((false, _)) => Err(403),
        _ => Ok(()),
    }
}
