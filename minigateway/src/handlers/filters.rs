//! Authentication, API versions, CORS and header changes: the checks before limits are charged.
//!
//! ```text
//! OPTIONS + Origin       cors        204 for a preflight
//! X-Api-Key: k           auth        401 without a valid key, 403 without a scope
//! /v1/orders/7           versions    choose one; 400, 404, 406; 410 after its sunset
//! ```
//!
//! # Changes for the upstream
//!
//! The upstream gets the path without the version. `tell` adds the version that the upstream
//! speaks. If the version renames fields, JSON bodies of up to 1 MiB are buffered and renamed in
//! both directions. `Accept-Encoding`, `Range` and digests are dropped then, because they refer to
//! the original bytes. `X-Client` has the name of the client; if any route has `auth`, a client's
//! own `X-Client` is dropped. API keys are removed; tokens stay, because services read them.

use crate::conf::file::RouteConfig;
use crate::conf::filters::{
    AuthConfig, CorsConfig, FilterConfig, HeaderChanges, Link, Rename, Scheme, Tell, UnixTime,
    VersionConfig, VersionsConfig,
};
use crate::conf::values::HeaderName;
use crate::engine::identity::Identity;
use crate::engine::version::{Chosen, Source};
use crate::wire::json::{is_json, media_types};
use crate::wire::uri::{percent_decode, query};
#[cfg(feature = "jwt")]
use minigateway_jwt::Claims;
use minikit::sync::Arc;
use minilb::handlers::date;
use minilb::wire::http1::head::{RequestHead, ResponseHead};
use minilb::wire::http1::writer::{HeadWriter, decimal};
use std::borrow::Cow;

/// The results of the checks of a request.
#[derive(Debug, Default)]
pub struct Facts {
    /// The time in seconds since 1970, set by the caller. The checks fill in the other fields.
    pub unix_s: u64,
    /// The normalized path and query; `None` if the request has them in this form already.
    pub target: Option<Vec<u8>>,
    /// The index of the route.
    pub route: Option<usize>,
    /// The client, if the route has `auth`.
    pub client: Option<Arc<Identity>>,
    /// The version, if the route has `versions`.
    pub version: Option<Chosen>,
    /// True if the path names the version.
    pub is_version_in_path: bool,
    /// Why a check failed.
    pub refused: Option<Refused>,
}

/// Why a request fails the checks of its route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The key or token is missing, or the key is unknown: the detail.
    Credentials(&'static str),
    /// The token is not valid: the detail.
    Token(&'static str),
    /// The client lacks a scope.
    Scopes,
    /// No version can be served, or the body cannot be renamed: the status and the detail.
    Version((u16, &'static str)),
}

impl FilterConfig {
    /// Checks credentials, scopes and the version. Returns the first failure.
    pub(super) fn check(
        &self,
        route: &RouteConfig,
        request: &RequestHead,
        of_path: Option<usize>,
        facts: &mut Facts,
    ) -> Result<(), Refused> {
        if let Some(auth) = &route.auth {
            let client = client(&self.auth[auth.index], request, facts.unix_s)?;
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
        route: &RouteConfig,
        request: &RequestHead,
        of_path: Option<usize>,
        facts: &mut Facts,
    ) -> Result<(), Refused> {
        let Some(versions) = &route.versions else { return Ok(()) };
        let VersionsConfig { versions, known, .. } = &self.versions[versions.index];
        let found = |source: &Source| match source {
            Source::Path => Vec::new(),
            Source::Header(name) => values(request, name).map(Cow::Borrowed).collect(),
            Source::MediaType(_) => values(request, "accept").map(Cow::Borrowed).collect(),
            Source::Query(name) => {
                let pairs = query(request.uri()).split(|it| *it == b'&').map(name_and_value);
                let pairs = pairs.filter(|it| it.0.as_ref() == Some(name));
                pairs.map(|it| Cow::Owned(it.1.unwrap_or_default().into_bytes())).collect()
            }
        };
        // A wide route such as `/*` must not take `/v9/a`, whose version does not exist.
        let sent = facts.target.as_deref().unwrap_or(request.uri());
        let is_numbered = matches!(sent, [b'/', b'v', b'0'..=b'9', ..]);
        let is_wide = ["/*", "/{"].iter().any(|it| route.path.0.starts_with(it));
        if versions.sources.contains(&Source::Path) && of_path.is_none() && is_numbered && is_wide {
            return Err(Refused::Version((404, "the version does not exist")));
        }
        let chosen = versions.choose(of_path, found).map_err(Refused::Version)?;
        facts.version = Some(chosen);
        facts.is_version_in_path = of_path.is_some();
        let sunset = known[chosen.version].sunset.as_ref();
        match sunset.is_some_and(|it| it.as_ref().0 <= facts.unix_s) {
            true => Err(Refused::Version((410, "the version is no longer served"))),
            false => Ok(()),
        }
    }

    /// Returns the versions of a route, and the index of the chosen one.
    pub fn version(&self, route: &RouteConfig, facts: &Facts) -> Option<(&VersionsConfig, usize)> {
        let versions = &self.versions[route.versions.as_ref()?.index];
        Some((versions, facts.version?.version))
    }

    /// Returns the fields to rename for the version of the request, if any.
    pub fn renamed(&self, route: &RouteConfig, facts: &Facts) -> Option<&Rename> {
        let (config, version) = self.version(route, facts)?;
        Some(&config.known[version].rename).filter(|it| !it.0.is_empty())
    }

    /// Returns true if the body of this request may be JSON.
    pub fn may_be_json(request: &RequestHead) -> bool {
        // Only the headers that the upstream will get.
        let types = media_types(request.end_to_end());
        types.is_empty() || types.iter().any(|it| is_json(it))
    }

    /// Returns true if the fields of this response must be renamed.
    pub fn rewrites(&self, route: &RouteConfig, facts: &Facts, response: &ResponseHead) -> bool {
        let has_body = !matches!(response.status(), 101 | 204 | 304);
        // If there are two media types, the client may choose the one that is JSON.
        let mut types = media_types(response.headers()).into_iter();
        has_body && types.any(|it| is_json(&it)) && self.renamed(route, facts).is_some()
    }

    /// Returns the path and query for the upstream.
    pub fn target(&self, route: &RouteConfig, facts: &Facts, uri: &[u8]) -> Vec<u8> {
        let Some((config, version)) = self.version(route, facts) else { return uri.to_vec() };
        let path = uri.split(|it| *it == b'?').next().unwrap_or_default();
        let mut target = Vec::with_capacity(uri.len() + 8);
        if config.tell == Some(Tell::Path) {
            target.extend_from_slice(b"/v");
            target.extend_from_slice(config.spoken(version).as_bytes());
        }
        target.extend_from_slice(if facts.is_version_in_path { bare_path(path) } else { path });
        if target.is_empty() {
            target.push(b'/');
        }

        let is_version = |pair: &&[u8]| {
            let (name, _) = name_and_value(pair);
            let mut sources = config.versions.sources.iter();
            sources.any(|it| matches!(it, Source::Query(query) if Some(query) == name.as_ref()))
        };
        let pairs = query(uri).split(|it| *it == b'&').filter(|it| !it.is_empty());
        for (index, pair) in pairs.filter(|it| !is_version(it)).enumerate() {
            target.push(if index == 0 { b'?' } else { b'&' });
            target.extend_from_slice(pair);
        }
        target
    }

    /// Returns true if a header of the request is not forwarded, because the gateway replaces or
    /// consumes it.
    pub fn drops_from_request(&self, route: &RouteConfig, facts: &Facts, name: &[u8]) -> bool {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        let auth = route.auth.as_ref().map(|it| &self.auth[it.index].scheme);
        let is_key = |it: &Scheme| matches!(it, Scheme::ApiKey(header, _) if is(header));
        let names_version = |(config, _): (&VersionsConfig, usize)| {
            let sources = &config.versions.sources;
            let chosen = facts.version.and_then(|it| it.source).map(|it| &sources[it]);
            sources.iter().any(|it| matches!(it, Source::Header(header) if is(header)))
                || matches!(chosen, Some(Source::MediaType(_))) && is("accept")
                || matches!(&config.tell, Some(Tell::Header(header)) if is(header))
        };
        (is("x-client") && !self.auth.is_empty())
            || auth.is_some_and(is_key)
            || self.version(route, facts).is_some_and(names_version)
            || is_about_bytes(name) && self.renamed(route, facts).is_some()
            || changes(&route.request_headers, name)
    }

    /// Adds headers for the upstream.
    pub fn write_request(&self, route: &RouteConfig, facts: &Facts, head: &mut HeadWriter<'_>) {
        if let Some(client) = &facts.client {
            head.header(b"X-Client", client.name.as_bytes());
        }
        if let Some((config, version)) = self.version(route, facts)
            && let Some(Tell::Header(name)) = &config.tell
        {
            head.header(name.as_bytes(), config.spoken(version).as_bytes());
        }
        write_set(&route.request_headers, head);
    }

    /// Returns true if a header of the response is not forwarded.
    pub fn drops_from_response(&self, route: &RouteConfig, facts: &Facts, name: &[u8]) -> bool {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        let starts =
            |with: &[u8]| name.get(..with.len()).is_some_and(|it| it.eq_ignore_ascii_case(with));
        let of_version = |(config, version): (&VersionsConfig, usize)| {
            let version = &config.known[version];
            version.deprecated.is_some() && is("deprecation")
                || version.sunset.is_some() && is("sunset")
                || version_header(config).is_some_and(is)
        };
        route.cors.is_some() && starts(b"access-control-")
            || is_about_bytes(name) && self.renamed(route, facts).is_some()
            || self.version(route, facts).is_some_and(of_version)
            || changes(&route.response_headers, name)
    }

    /// Adds headers for the client, also to answers of the gateway. `origin` is the request header.
    pub fn write_response(
        &self,
        route: &RouteConfig,
        facts: &Facts,
        origin: Option<&[u8]>,
        head: &mut HeadWriter<'_>,
    ) {
        if let Some(cors) = &route.cors {
            write_cors(&self.cors[cors.index], origin, head);
        }
        if let Some((config, version)) = self.version(route, facts) {
            write_version(config, version, head);
        }
        write_set(&route.response_headers, head);
    }

    /// Returns the headers of a preflight, without those of [`FilterConfig::write_response`].
    pub fn preflight(&self, route: &RouteConfig) -> Vec<(&'static str, String)> {
        let Some(cors) = &route.cors else { return Vec::new() };
        let CorsConfig { methods, headers, .. } = &self.cors[cors.index];
        let methods = match methods.is_empty() {
            true => "GET, HEAD, POST".to_owned(),
            false => joined(methods.iter().map(|it| &it.0)),
        };
        let mut answer = vec![("Access-Control-Allow-Methods", methods)];
        if !headers.is_empty() {
            let headers = joined(headers.iter().map(|it| &it.0));
            answer.push(("Access-Control-Allow-Headers", headers));
        }
        answer
    }

    /// Returns `WWW-Authenticate` (RFC 9110, 11.6.1; for tokens RFC 6750, 3) for a 401 or 403.
    pub fn challenge(&self, route: &RouteConfig, refused: Refused) -> Option<String> {
        let AuthConfig { name, scheme } = &self.auth[route.auth.as_ref()?.index];
        let scheme = match scheme {
            Scheme::ApiKey(..) => "ApiKey",
            #[cfg(feature = "jwt")]
            Scheme::Jwt(_) => "Bearer",
        };
        let error = match refused {
            Refused::Credentials(_) => String::new(),
            Refused::Token(it) => format!(", error=\"invalid_token\", error_description=\"{it}\""),
            Refused::Scopes => {
                format!(", error=\"insufficient_scope\", scope=\"{}\"", route.scopes.join(" "))
            }
            Refused::Version(_) => return None,
        };
        Some(format!("{scheme} realm=\"{name}\"{error}"))
    }
}

impl Refused {
    /// Returns the status and the detail, which has no quotes and no backslashes.
    pub fn problem(self) -> (u16, &'static str) {
        match self {
            Refused::Credentials(detail) | Refused::Token(detail) => (401, detail),
            Refused::Scopes => (403, "a scope is missing"),
            Refused::Version(problem) => problem,
        }
    }
}

/// Returns the method that a preflight asks about, if the request is one.
pub fn preflight_method(request: &RequestHead) -> Option<&[u8]> {
    let is_preflight = request.method() == b"OPTIONS" && request.headers().get(b"origin").is_some();
    request.headers().get(b"access-control-request-method").filter(|_| is_preflight)
}

/// Removes the first segment: `/v1/orders` becomes `/orders`.
pub fn bare_path(path: &[u8]) -> &[u8] {
    path.iter().skip(1).position(|it| *it == b'/').map_or(b"", |it| &path[it + 1..])
}

const NO_CREDENTIALS: Refused = Refused::Credentials("a key or a token is needed");

fn client(
    auth: &AuthConfig,
    request: &RequestHead,
    #[cfg_attr(not(feature = "jwt"), expect(unused))] unix_s: u64,
) -> Result<Arc<Identity>, Refused> {
    // Refuse two headers: the upstream might use the one that was not verified.
    match &auth.scheme {
        Scheme::ApiKey(header, keys) => {
            let key = single(request, header).ok_or(NO_CREDENTIALS)?;
            keys.find(key).ok_or(Refused::Credentials("the key is unknown"))
        }
        #[cfg(feature = "jwt")]
        Scheme::Jwt(verifier) => {
            let token = single(request, "authorization").and_then(|it| it.split_at_checked(7));
            let token = token.filter(|it| it.0.eq_ignore_ascii_case(b"bearer "));
            let (_, token) = token.ok_or(NO_CREDENTIALS)?;
            let claims = verifier.verify(token, unix_s).map_err(|it| Refused::Token(it.0))?;
            let Claims { name, tier, scopes, values: claims } = claims;
            Ok(Arc::new(Identity { name, tier, scopes, claims }))
        }
    }
}

/// Returns the values of all headers with a name.
pub fn values<'a>(request: &'a RequestHead, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let headers = request.headers();
    headers.filter(|it| it.name.eq_ignore_ascii_case(name.as_bytes())).map(|it| it.value)
}

/// Returns the value of a header that occurs exactly once.
pub fn single<'a>(request: &'a RequestHead, name: &str) -> Option<&'a [u8]> {
    let mut values = values(request, name);
    values.next().filter(|_| values.next().is_none())
}

/// Decodes a pair of a query; a malformed part becomes `None`.
fn name_and_value(pair: &[u8]) -> (Option<String>, Option<String>) {
    let equals = pair.iter().position(|it| *it == b'=').unwrap_or(pair.len());
    (percent_decode(&pair[..equals]), pair.get(equals + 1..).and_then(percent_decode))
}

/// Returns the header that names the version in responses: the first one among the sources.
fn version_header(config: &VersionsConfig) -> Option<&str> {
    config.versions.sources.iter().find_map(|it| match it {
        Source::Header(name) => Some(name.as_str()),
        _ => None,
    })
}

/// Returns true for headers about the exact bytes of a body, which renaming changes.
fn is_about_bytes(name: &[u8]) -> bool {
    let all = "accept-encoding accept-ranges content-digest content-md5 digest range repr-digest";
    all.split(' ').any(|it| name.eq_ignore_ascii_case(it.as_bytes()))
}

/// Returns true if a route sets or removes a header.
pub fn changes(changes: &HeaderChanges, name: &[u8]) -> bool {
    let is = |other: &HeaderName| name.eq_ignore_ascii_case(other.0.as_bytes());
    changes.remove.iter().any(is) || changes.set.keys().any(is)
}

fn write_set(changes: &HeaderChanges, head: &mut HeadWriter<'_>) {
    for (name, value) in &changes.set {
        head.header(name.0.as_bytes(), value.0.as_bytes());
    }
}

/// Joins names with commas.
fn joined<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.cloned().collect::<Vec<_>>().join(", ")
}

/// Writes `Deprecation`, `Sunset` and `Link` of the version, the version itself, and `Vary` with
/// the headers that chose it.
fn write_version(config: &VersionsConfig, version: usize, head: &mut HeadWriter<'_>) {
    let VersionConfig { deprecated, sunset, link, .. } = &config.known[version];
    if let Some(UnixTime(unix_s)) = deprecated {
        head.header_with(b"Deprecation", |out| {
            out.push(b'@');
            decimal(out, *unix_s);
        });
    }
    if let Some(sunset) = sunset {
        head.header_with(b"Sunset", |out| date::http(sunset.as_ref().0, out));
    }
    if let Some(Link(link)) = link {
        let about = if deprecated.is_some() { "deprecation" } else { "sunset" };
        let value = format!("<{link}>; rel=\"{about}\"; type=\"text/html\"");
        head.header(b"Link", value.as_bytes());
    }

    let headers = config.versions.sources.iter().filter_map(|source| match source {
        Source::Header(header) => Some(header.as_str()),
        Source::MediaType(_) => Some("Accept"),
        Source::Path | Source::Query(_) => None,
    });
    if let Some(echo) = version_header(config) {
        head.header(echo.as_bytes(), config.versions.names[version].as_bytes());
    }
    let vary = headers.collect::<Vec<_>>().join(", ");
    if !vary.is_empty() {
        head.header(b"Vary", vary.as_bytes());
    }
}

/// Writes the CORS headers. Without them the browser hides the response from the page, so an origin
/// that is not allowed gets none.
fn write_cors(cors: &CorsConfig, origin: Option<&[u8]>, head: &mut HeadWriter<'_>) {
    let is_any = cors.origins.iter().any(|it| it.0 == "*");
    if !is_any {
        head.header(b"Vary", b"Origin");
    }
    let is_allowed = |it: &&[u8]| is_any || cors.origins.iter().any(|one| one.0.as_bytes() == *it);
    let Some(origin) = origin.filter(is_allowed) else { return };
    head.header(b"Access-Control-Allow-Origin", if is_any { b"*" } else { origin });
    if cors.credentials {
        head.header(b"Access-Control-Allow-Credentials", b"true");
    }
    if !cors.expose.is_empty() {
        let expose = joined(cors.expose.iter().map(|it| &it.0));
        head.header(b"Access-Control-Expose-Headers", expose.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::config::read;
    use minilb::wire::http1::framing::Framing;

    #[test]
    fn headers_follow_the_version() {
        let config = r#"
            upstreams.a.servers = ["127.0.0.1:1"]
            routes = [{ path = "/*", upstream = "a", versions = "shop" }]
            [versions.shop]
            by = ["query:v"]
            known.1 = { sunset = 2127-01-01, link = "http://a/", rename = { a = "b" } }
            known.2 = { deprecated = 2026-01-01, link = "http://a/" }"#;
        let config = read(config, &|_| Ok(Vec::new()), &|_| Ok(Vec::new())).expect("no mistakes");
        let (filters, route) = (&config.filters, &config.routes[0]);
        for (version, renames, link) in [(0, true, "sunset"), (1, false, "deprecation")] {
            let version = Some(Chosen { version, source: None });
            let facts = Facts { version, ..Facts::default() };
            for name in ["Content-Digest", "content-md5", "Digest", "Accept-Ranges", "Range"] {
                let name = name.as_bytes();
                assert_eq!(filters.drops_from_request(route, &facts, name), renames);
                assert_eq!(filters.drops_from_response(route, &facts, name), renames);
            }
            let mut out = Vec::new();
            let mut head = HeadWriter::request(&mut out, b"", b"", 1, Framing::None);
            filters.write_response(route, &facts, None, &mut head);
            head.finish();
            let out = String::from_utf8(out).expect("ASCII");
            assert!(out.contains(&format!("Link: <http://a/>; rel=\"{link}\"; ")), "{out}");
        }
    }
}
