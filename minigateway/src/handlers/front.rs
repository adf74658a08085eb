//! What a route asks of a request before it is counted, and what it changes in both messages.
//!
//! ```text
//! OPTIONS + Origin       cors        204 for a browser that asks first
//! X-Api-Key: k           auth        401 without, 403 if a scope is missing
//! /v1/orders/7           versions    which one; 400, 404, 406; 410 after its sunset
//! ```
//!
//! # What the upstream sees
//!
//! The path without the version, and the version that the upstream speaks by `tell`.
//! The name of the client is in `X-Client`, and what a client sends by that name is dropped. An API
//! key is removed; a token stays, because services read its claims.

use crate::conf::front::{
    AuthConfig, CorsConfig, FrontConfig, HeaderChanges, RouteFront, Scheme, Tell, VersionConfig,
    VersionsConfig,
};
use crate::engine::identity::Identity;
use crate::engine::version::{Chosen, Source, VersionError};
#[cfg(feature = "jwt")]
use crate::wire::jwt::TokenError;
use minikit::sync::Arc;
use minilb::handlers::date;
use minilb::wire::http1::head::RequestHead;
use minilb::wire::http1::writer::{HeadWriter, decimal};
use std::io::Write;

/// What is known about a request.
#[derive(Debug, Default)]
pub struct Facts {
    /// The time in seconds since 1970. Set by the caller, everything else is found out.
    pub unix_s: u64,
    /// The route.
    pub route: Option<usize>,
    /// The client, if the route asks for one.
    pub client: Option<Arc<Identity>>,
    /// The version, if the route has some.
    pub version: Option<Chosen>,
    /// The path names the version.
    pub is_version_in_path: bool,
}

/// Why a request does not get through the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Nothing is wrong: a browser asks what it may do.
    Preflight,
    /// There is no key and no token.
    NoCredentials,
    /// Nobody has this key.
    UnknownKey,
    /// The token is not to be believed.
    #[cfg(feature = "jwt")]
    Token(TokenError),
    /// The client may not do this.
    Scopes,
    /// No version could be chosen.
    Version(VersionError),
    /// The version is no longer served.
    Sunset,
}

impl FrontConfig {
    /// Checks what the route asks of the request.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(
        &self,
        route: &RouteFront,
        request: &RequestHead,
        of_path: Option<usize>,
        facts: &mut Facts,
    ) -> Result<(), Refused> {
        if let Some(auth) = route.auth {
            let client = client(&self.auth[auth], request, facts.unix_s)?;
            let may = client.has_scopes(&route.scopes);
            facts.client = Some(client);
            if !may {
                return Err(Refused::Scopes);
            }
        }
        self.choose_version(route, request, of_path, facts)
    }

    fn choose_version(
        &self,
        route: &RouteFront,
        request: &RequestHead,
        of_path: Option<usize>,
        facts: &mut Facts,
    ) -> Result<(), Refused> {
        let Some(versions) = route.versions else { return Ok(()) };
        let VersionsConfig { versions, known, .. } = &self.versions[versions];
        let header = |name: &str| request.headers().get(name.as_bytes());
        let chosen = versions.choose(of_path, header, query(request.uri()));
        let chosen = chosen.map_err(Refused::Version)?;
        facts.version = Some(chosen);
        facts.is_version_in_path = of_path.is_some();
        match known[chosen.version].sunset_s {
            Some(sunset_s) if sunset_s <= facts.unix_s => Err(Refused::Sunset),
            _ => Ok(()),
        }
    }

    /// The version of a request and what is known about it.
    pub fn version(
        &self,
        route: &RouteFront,
        facts: &Facts,
    ) -> Option<(&VersionsConfig, &VersionConfig)> {
        let (versions, chosen) = (&self.versions[route.versions?], facts.version?);
        Some((versions, &versions.known[chosen.version]))
    }

    /// Path and query for the upstream.
    pub fn target(&self, route: &RouteFront, facts: &Facts, uri: &[u8]) -> Vec<u8> {
        let Some((config, version)) = self.version(route, facts) else { return uri.to_vec() };
        let path = uri.split(|it| *it == b'?').next().unwrap_or_default();
        let mut target = Vec::with_capacity(uri.len() + 8);
        if config.tell == Some(Tell::Path) {
            target.extend_from_slice(b"/v");
            target.extend_from_slice(config.versions.names[version.speaks].as_bytes());
        }
        // `/v1/orders`: the second slash is where the path without the version begins.
        let end_of_version = |path: &[u8]| path.iter().skip(1).position(|it| *it == b'/');
        let skipped = match facts.is_version_in_path {
            true => end_of_version(path).map_or(path.len(), |it| it + 1),
            false => 0,
        };
        target.extend_from_slice(&path[skipped..]);

        if let Some(index) = uri.iter().position(|it| *it == b'?') {
            target.extend_from_slice(&uri[index..]);
        }
        target
    }

    /// Returns true if a header of the request is not sent on: another one takes its place, or it
    /// was for the gateway.
    pub fn drops_from_request(&self, route: &RouteFront, facts: &Facts, name: &[u8]) -> bool {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        let is_key =
            |auth: usize| matches!(&self.auth[auth].scheme, Scheme::ApiKey(it, _) if is(it));
        let names_version = |(config, _): (&VersionsConfig, &VersionConfig)| {
            let is_source = |it: &Source| match it {
                Source::Header(header) => is(header),
                Source::Path | Source::MediaType(_) | Source::Query(_) => false,
            };
            config.versions.sources.iter().any(is_source)
        };
        let is_told = matches!(self.version(route, facts).and_then(|it| it.0.tell.as_ref()),
            Some(Tell::Header(header)) if is(header));
        (is("x-client") && !self.auth.is_empty())
            || route.auth.is_some_and(is_key)
            || is_told
            || self.version(route, facts).is_some_and(names_version)
            || changes(&route.request_headers, name)
    }

    /// Adds headers for the upstream.
    pub fn write_request(&self, route: &RouteFront, facts: &Facts, head: &mut HeadWriter<'_>) {
        if let Some(client) = &facts.client {
            head.header(b"X-Client", client.name.as_bytes());
        }
        if let Some((config, version)) = self.version(route, facts)
            && let Some(Tell::Header(name)) = &config.tell
        {
            let speaks = &config.versions.names[version.speaks];
            head.header(name.as_bytes(), speaks.as_bytes());
        }
        write_set(&route.request_headers, head);
    }

    /// Returns true if a header of the response is not passed on.
    pub fn drops_from_response(&self, route: &RouteFront, facts: &Facts, name: &[u8]) -> bool {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        let starts =
            |with: &[u8]| name.get(..with.len()).is_some_and(|it| it.eq_ignore_ascii_case(with));
        let of_version = |(_, version): (&VersionsConfig, &VersionConfig)| {
            version.deprecated_s.is_some() && is("deprecation")
                || version.sunset_s.is_some() && is("sunset")
        };
        route.cors.is_some() && starts(b"access-control-")
            || self.version(route, facts).is_some_and(of_version)
            || changes(&route.response_headers, name)
    }

    /// Adds headers for the client, to answers of the gateway too. `origin` is the request's.
    pub fn write_response(
        &self,
        route: &RouteFront,
        facts: &Facts,
        origin: Option<&[u8]>,
        head: &mut HeadWriter<'_>,
    ) {
        if let Some(cors) = route.cors {
            write_cors(&self.cors[cors], origin, head);
        }
        if let Some((config, version)) = self.version(route, facts) {
            self.write_version(config, version, facts, head);
        }
        write_set(&route.response_headers, head);
    }

    fn write_version(
        &self,
        config: &VersionsConfig,
        version: &VersionConfig,
        facts: &Facts,
        head: &mut HeadWriter<'_>,
    ) {
        if let Some(unix_s) = version.deprecated_s {
            head.header_with(b"Deprecation", |out| {
                out.push(b'@');
                decimal(out, unix_s);
            });
        }
        if let Some(unix_s) = version.sunset_s {
            head.header_with(b"Sunset", |out| date::http(unix_s, out));
        }
        if let Some(link) = &version.link {
            head.header_with(b"Link", |out| {
                write!(out, "<{link}>; rel=\"deprecation\"; type=\"text/html\"")
                    .expect("a vector takes everything");
            });
        }

        let chosen = facts.version.map_or(0, |it| it.version);
        let name = &config.versions.names[chosen];
        let (mut echo, mut vary) = (None, String::new());
        for source in &config.versions.sources {
            let header = match source {
                Source::Header(header) => header.as_str(),
                Source::MediaType(_) => "Accept",
                Source::Path | Source::Query(_) => continue,
            };
            if header != "Accept" {
                echo = echo.or(Some(header));
            }
            vary += if vary.is_empty() { "" } else { ", " };
            vary += header;
        }
        if let Some(header) = echo {
            head.header(header.as_bytes(), name.as_bytes());
        }
        if !vary.is_empty() {
            head.header(b"Vary", vary.as_bytes());
        }
    }

    /// Adds what a browser that asks is told.
    pub fn preflight(&self, route: &RouteFront) -> Vec<(&'static str, String)> {
        let Some(cors) = route.cors.map(|it| &self.cors[it]) else { return Vec::new() };
        let mut headers = vec![("Access-Control-Allow-Methods", cors.methods.clone())];
        if !cors.headers.is_empty() {
            headers.push(("Access-Control-Allow-Headers", cors.headers.clone()));
        }
        headers
    }

    /// `WWW-Authenticate` (RFC 9110, 11.6.1; for tokens RFC 6750, 3) of a refusal with 401 or 403.
    pub fn challenge(&self, route: &RouteFront, refused: Refused) -> Option<String> {
        let AuthConfig { name, scheme } = &self.auth[route.auth?];
        let scheme = match scheme {
            Scheme::ApiKey(..) => "ApiKey",
            #[cfg(feature = "jwt")]
            Scheme::Jwt(_) => "Bearer",
        };
        let realm = format!("{scheme} realm=\"{name}\"");
        match refused {
            Refused::NoCredentials | Refused::UnknownKey => Some(realm),
            #[cfg(feature = "jwt")]
            Refused::Token(error) => {
                let detail = error.detail();
                Some(format!("{realm}, error=\"invalid_token\", error_description=\"{detail}\""))
            }
            Refused::Scopes => {
                let scopes = route.scopes.join(" ");
                Some(format!("{realm}, error=\"insufficient_scope\", scope=\"{scopes}\""))
            }
            _ => None,
        }
    }
}

impl Facts {
    /// Forgets everything but the time.
    pub fn clear(&mut self) {
        *self = Facts { unix_s: self.unix_s, ..Facts::default() };
    }
}

impl Refused {
    /// Status, title and detail of the answer. The detail has neither quotes nor backslashes.
    pub fn problem(self) -> (u16, &'static str, String) {
        let (status, title, detail) = match self {
            Refused::Preflight => (204, "No Content", ""),
            Refused::NoCredentials => (401, "Unauthorized", "a key or a token is needed"),
            Refused::UnknownKey => (401, "Unauthorized", "the key is unknown"),
            #[cfg(feature = "jwt")]
            Refused::Token(error) => (401, "Unauthorized", error.detail()),
            Refused::Scopes => (403, "Forbidden", "a scope is missing"),
            Refused::Version(VersionError::Missing) => {
                (400, "Bad Request", "the request names no version")
            }
            Refused::Version(VersionError::Unknown) => {
                (400, "Bad Request", "the version does not exist")
            }
            Refused::Version(VersionError::Contradiction) => {
                (400, "Bad Request", "the request names two versions")
            }
            Refused::Version(VersionError::NotAcceptable) => {
                (406, "Not Acceptable", "no version has an accepted media type")
            }
            Refused::Sunset => (410, "Gone", "the version is no longer served"),
        };
        (status, title, detail.to_owned())
    }
}

/// Returns the method that a browser asks about, if the request is a preflight.
pub fn preflight_method(request: &RequestHead) -> Option<&[u8]> {
    let is_preflight = request.method() == b"OPTIONS" && request.headers().get(b"origin").is_some();
    request.headers().get(b"access-control-request-method").filter(|_| is_preflight)
}

fn client(
    auth: &AuthConfig,
    request: &RequestHead,
    #[cfg_attr(not(feature = "jwt"), expect(unused))] unix_s: u64,
) -> Result<Arc<Identity>, Refused> {
    match &auth.scheme {
        Scheme::ApiKey(header, keys) => {
            let key = request.headers().get(header.as_bytes()).ok_or(Refused::NoCredentials)?;
            keys.find(key).ok_or(Refused::UnknownKey)
        }
        #[cfg(feature = "jwt")]
        Scheme::Jwt(verifier) => {
            let mut headers = request.headers();
            let mut next = || headers.find(|it| it.name.eq_ignore_ascii_case(b"authorization"));
            // The upstream might believe the second of two headers, which nobody verified.
            let token = next().filter(|_| next().is_none());
            let token = token.and_then(|it| it.value.split_at_checked(7));
            let token = token.filter(|it| it.0.eq_ignore_ascii_case(b"bearer "));
            let (_, token) = token.ok_or(Refused::NoCredentials)?;
            verifier.verify(token, unix_s).map(Arc::new).map_err(Refused::Token)
        }
    }
}

fn query(uri: &[u8]) -> &[u8] {
    uri.iter().position(|it| *it == b'?').map_or(&[], |it| &uri[it + 1..])
}

fn changes(changes: &HeaderChanges, name: &[u8]) -> bool {
    let is = |other: &String| name.eq_ignore_ascii_case(other.as_bytes());
    changes.remove.iter().any(is) || changes.set.iter().any(|it| is(&it.0))
}

fn write_set(changes: &HeaderChanges, head: &mut HeadWriter<'_>) {
    for (name, value) in &changes.set {
        head.header(name.as_bytes(), value.as_bytes());
    }
}

/// An origin that is not allowed gets no header, and the browser keeps the answer from its page.
fn write_cors(cors: &CorsConfig, origin: Option<&[u8]>, head: &mut HeadWriter<'_>) {
    let is_any = cors.origins.iter().any(|it| it == "*");
    if !is_any {
        head.header(b"Vary", b"Origin");
    }
    let Some(origin) = origin else { return };
    if !is_any && !cors.origins.iter().any(|it| it.as_bytes() == origin) {
        return;
    }
    head.header(b"Access-Control-Allow-Origin", if is_any { b"*" } else { origin });
    if cors.credentials {
        head.header(b"Access-Control-Allow-Credentials", b"true");
    }
    if !cors.expose.is_empty() {
        head.header(b"Access-Control-Expose-Headers", cors.expose.as_bytes());
    }
}
