//! The configuration of authentication, versions, CORS and header changes.
//!
//! ```toml
//! [api_keys.partners.clients.acme]
//! sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
//! [[routes]]
//! auth = "partners"
//! ```

#![allow(missing_docs, reason = "reference.toml documents each key")]

use super::config::Reader;
use super::error::ConfError;
use super::file::{RouteConfig, Tables, UpstreamConfig};
use super::values::{
    ClockSkew, HeaderName, HeaderValue, Method, Name, Reference, check_header_name,
    check_no_underscore, is_token, newtypes, read_from,
};
use crate::engine::identity::{ApiKeys, Identity};
use crate::engine::version::{Source, Versions};
use crate::wire::rename::Fields;
#[cfg(feature = "jwt")]
use minigateway_jwt::{Rules, Verifier, algorithm};
use minilb::handlers::date;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::value::{Datetime, Offset};

/// `[api_keys.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeysTable {
    pub header: Option<HeaderName>,
    pub clients: Tables<ClientTable>,
}

/// `[api_keys.NAME.clients.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTable {
    pub sha256: Hash,
    #[serde(default)]
    pub tier: String,
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// `[jwt.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtTable {
    pub algorithms: Vec<Spanned<String>>,
    pub key_file: Option<Spanned<String>>,
    pub jwks_file: Option<Spanned<String>>,
    pub audience: Spanned<Vec<String>>,
    pub issuer: Option<String>,
    pub clock_skew: Option<ClockSkew>,
}

/// `[versions.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionsTable {
    pub by: Vec<VersionSource>,
    pub default: Option<Reference>,
    pub tell: Option<Tell>,
    pub known: Tables<VersionConfig>,
}

/// Where requests name a version, and the text in the file.
#[derive(Debug)]
pub struct VersionSource(Source, String);

/// How the gateway tells the version to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tell {
    /// By `/v2` in front of the path.
    Path,
    /// By a header.
    Header(String),
}

/// `[versions.NAME.known.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionConfig {
    pub deprecated: Option<UnixTime>,
    pub sunset: Option<Spanned<UnixTime>>,
    pub link: Option<Link>,
    pub upstream: Option<Reference>,
    pub speaks: Option<Reference>,
    #[serde(default)]
    pub rename: Rename,
}

/// The field names for request bodies, and the inverse for response bodies.
#[derive(Debug, Default)]
pub struct Rename(pub Fields, pub Fields);

/// `[cors.NAME]`: the requests that browsers allow to pages of other origins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorsConfig {
    #[serde(skip)]
    pub name: String,
    pub origins: Vec<Origin>,
    /// `Access-Control-Allow-Methods`. If empty, the methods that need no preflight.
    #[serde(default)]
    pub methods: Vec<Method>,
    #[serde(default)]
    pub headers: Vec<HeaderName>,
    #[serde(default)]
    pub expose: Vec<HeaderName>,
    #[serde(default)]
    pub credentials: bool,
}

/// `request_headers` and `response_headers` of a route.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderChanges {
    pub set: BTreeMap<HeaderName, HeaderValue>,
    pub remove: Vec<HeaderName>,
}

/// The tables that routes refer to by index.
#[derive(Debug, Default)]
pub struct FilterConfig {
    pub auth: Vec<AuthConfig>,
    pub versions: Vec<VersionsConfig>,
    pub cors: Vec<CorsConfig>,
}

/// A table `[api_keys.NAME]` or `[jwt.NAME]`.
#[derive(Debug)]
pub struct AuthConfig {
    /// The realm in `WWW-Authenticate`.
    pub name: String,
    pub scheme: Scheme,
}

/// How a client authenticates.
#[derive(Debug)]
pub enum Scheme {
    /// A key in this header.
    ApiKey(String, ApiKeys),
    /// A token in `Authorization`.
    #[cfg(feature = "jwt")]
    Jwt(Verifier),
}

/// The versions of an API.
#[derive(Debug)]
pub struct VersionsConfig {
    pub name: String,
    /// How requests name them.
    pub versions: Versions,
    /// The sources, as written in the file.
    pub by: Vec<String>,
    pub known: Vec<VersionConfig>,
    /// How to tell the version to the upstream.
    pub tell: Option<Tell>,
}

impl VersionsConfig {
    /// Returns the name of the version that the upstream of `version` speaks.
    pub fn spoken(&self, version: usize) -> &str {
        let speaks = self.known[version].speaks.as_ref();
        &self.versions.names[speaks.map_or(version, |it| it.index)]
    }
}

newtypes! {
    /// The SHA-256 of a key.
    Hash([u8; 32]) from String: |text| sha256_hash(&text).map(Hash);

    /// Seconds since 1970. A date without a time means midnight; a time without an offset, UTC.
    #[derive(PartialOrd, Ord)]
    UnixTime(u64) from Datetime: |it| {
        unix_s(&it).map(UnixTime).ok_or("a date after 1970 is written 2026-01-31".to_owned())
    };

    /// A URL for the header `Link`.
    Link(String) from String: |text| {
        match text.bytes().all(|it| it > b' ' && !b"<>\"".contains(&it)) {
            true => Ok(Link(text)),
            false => Err("a link is a URL, without blanks, quotes and angle brackets".to_owned()),
        }
    };

    /// The scheme and host of a page, or `*`.
    Origin(String) from String: |text| {
        let (scheme, host) = text.split_once("://").unwrap_or_default();
        let is_part = |it| matches!(it, b'a'..=b'z' | b'-'..=b'.' | b'0'..=b':' | b'[' | b']');
        let is_default = host.ends_with(match scheme { "https" => ":443", _ => ":80" });
        let is_scheme = !scheme.is_empty() && scheme.bytes().all(|it| it.is_ascii_lowercase());
        match is_scheme && !host.is_empty() && host.bytes().all(is_part) && !is_default {
            false if text != "*" => Err(format!(
                "\"{text}\" is not an origin of a browser; write scheme and host in lower case, \
                 without a path and the usual port, as in \"https://shop.example\""
            )),
            _ => Ok(Origin(text)),
        }
    };
}

read_from! {
    VersionSource from String: |text| source(&text).map(|it| VersionSource(it, text));
    Tell from String: |text| match (text.as_str(), text.strip_prefix("header:")) {
        ("path", _) => Ok(Tell::Path),
        (_, Some(name)) => check_header_name(name).map(|()| Tell::Header(name.to_owned())),
        _ => Err(format!("\"{text}\" cannot tell a version; write \"path\" or \"header:NAME\"")),
    };
    Rename from BTreeMap<String, String>: |names| {
        let mut fields = Fields::default();
        names.iter().try_for_each(|(path, upstream)| fields.insert(path, upstream))?;
        let inverted = fields.inverted();
        Ok(Rename(fields, inverted))
    };
}

/// Checks all these tables. Returns the first error.
pub(super) fn read(
    reader: &Reader<'_>,
    api_keys: Tables<ApiKeysTable>,
    jwt: Tables<JwtTable>,
    versions: Tables<VersionsTable>,
    cors: Tables<CorsConfig>,
    upstreams: &[UpstreamConfig],
) -> Result<FilterConfig, ConfError> {
    let mut filters = FilterConfig::default();
    for (Name(name), table) in api_keys {
        let (span, table) = (table.span(), table.into_inner());
        let mut keys = ApiKeys::default();
        for (Name(name), client) in table.clients {
            let (span, client) = (client.span(), client.into_inner());
            let ClientTable { sha256: Hash(hash), tier, scopes } = client;
            let identity = Identity { name, tier, scopes, claims: BTreeMap::new() };
            let is_new = keys.insert(hash, identity);
            reader.refuse_if(!is_new, &span, "another client has the same key")?;
            reader.refuse_if(
                keys.find(b"").is_some(),
                &span,
                "this is the hash of an empty key",
            )?;
        }
        let header = table.header.map_or("X-Api-Key".to_owned(), |it| it.0);
        check_no_underscore(&header).map_err(|hint| reader.error(span, hint))?;
        filters.auth.push(AuthConfig { name, scheme: Scheme::ApiKey(header, keys) });
    }
    for (Name(name), table) in jwt {
        let is_twice = filters.auth.iter().any(|it| it.name == name);
        let hint = "api_keys and jwt have a table of this name; routes could not tell them apart";
        reader.refuse_if(is_twice, &table.span(), hint)?;
        filters.auth.push(AuthConfig { name, scheme: read_jwt(reader, table)? });
    }
    for (Name(name), table) in versions {
        filters.versions.push(read_versions(reader, name, table, upstreams)?);
    }
    for (Name(name), table) in cors {
        let (span, cors) = (table.span(), table.into_inner());
        let is_any = cors.origins.iter().any(|it| it.0 == "*");
        let hint = "browsers refuse \"*\" together with credentials; name the origins";
        reader.refuse_if(cors.credentials && is_any, &span, hint)?;
        filters.cors.push(CorsConfig { name, ..cors });
    }
    Ok(filters)
}

fn sha256_hash(text: &str) -> Result<[u8; 32], String> {
    let digits = text.chars().map(|it| it.to_digit(16)).collect::<Option<Vec<_>>>();
    let digits = digits
        .filter(|it| it.len() == 64)
        .ok_or("sha256 has 64 hexadecimal digits, as `printf %s KEY | sha256sum` prints them")?;
    Ok(std::array::from_fn(|it| (digits[2 * it] * 16 + digits[2 * it + 1]) as u8))
}

#[cfg(not(feature = "jwt"))]
fn read_jwt(reader: &Reader<'_>, table: Spanned<JwtTable>) -> Result<Scheme, ConfError> {
    let hint = "this minigateway was built without the feature `jwt`";
    Err(reader.error(table.span(), hint))
}

#[cfg(feature = "jwt")]
fn read_jwt(reader: &Reader<'_>, table: Spanned<JwtTable>) -> Result<Scheme, ConfError> {
    let (span, table) = (table.span(), table.into_inner());
    for name in &table.algorithms {
        reader.value(name, algorithm)?;
    }
    let hint = "an audience is needed: without it, tokens for other services would be valid here";
    reader.refuse_if(table.audience.as_ref().is_empty(), &table.audience.span(), hint)?;
    let rules = Rules {
        algorithms: table.algorithms.into_iter().map(Spanned::into_inner).collect(),
        audience: table.audience.into_inner(),
        issuer: table.issuer,
        skew_s: table.clock_skew.map_or(0, |it| it.0),
    };
    let verifier = match (&table.key_file, &table.jwks_file) {
        (Some(file), None) => {
            reader.value(file, |it| Verifier::from_key(&rules, &(reader.open)(it)?))
        }
        (None, Some(file)) => {
            reader.value(file, |it| Verifier::from_jwks(&rules, &(reader.open)(it)?))
        }
        _ => Err(reader.error(span, "tokens need a key_file or a jwks_file, and not both")),
    };
    verifier.map(Scheme::Jwt)
}

fn read_versions(
    reader: &Reader<'_>,
    name: String,
    table: Spanned<VersionsTable>,
    upstreams: &[UpstreamConfig],
) -> Result<VersionsConfig, ConfError> {
    let (span, table) = (table.span(), table.into_inner());
    let VersionsTable { by, mut default, tell, known } = table;
    let hint = "versions need `by`, where requests name one, and at least one table `known`";
    reader.refuse_if(known.is_empty() || by.is_empty(), &span, hint)?;
    let names = known.keys().map(|it| it.0.clone()).collect::<Vec<_>>();
    let is_twice_v = |it: &&String| it.starts_with('v') && by.iter().any(|it| it.0 == Source::Path);
    if let Some(name) = names.iter().find(is_twice_v) {
        let hint =
            format!("the path of version \"{name}\" is /v{name}; write known.{}", &name[1..]);
        return Err(reader.error(span, hint));
    }
    reader.find("version", names.iter(), default.as_mut())?;
    let mut configs = known.into_values().map(Spanned::into_inner).collect::<Vec<_>>();
    for config in &mut configs {
        reader.find("version", names.iter(), config.speaks.as_mut())?;
        reader.find("upstream", upstreams.iter().map(|it| &it.name), config.upstream.as_mut())?;
        let VersionConfig { deprecated, sunset, link, .. } = &*config;
        let has_date = deprecated.is_some() || sunset.is_some();
        let hint = "a `link` needs `deprecated` or `sunset`, and this version has neither";
        reader.refuse_if(link.is_some() && !has_date, &span, hint)?;
        if let Some(sunset) = sunset {
            let is_early = deprecated.as_ref() > Some(sunset.as_ref());
            reader.refuse_if(
                is_early,
                &sunset.span(),
                "a sunset must not be before `deprecated`",
            )?;
        }
    }
    let (sources, by) = by.into_iter().map(|it| (it.0, it.1)).unzip();
    let versions = Versions { names, sources, default: default.map(|it| it.index) };
    Ok(VersionsConfig { name, versions, by, known: configs, tell })
}

fn source(text: &str) -> Result<Source, String> {
    let (kind, name) = text.split_once(':').unwrap_or((text, ""));
    match (kind, is_token(name)) {
        ("path", _) if text == "path" => Ok(Source::Path),
        ("header", true) => check_no_underscore(name).map(|()| Source::Header(name.to_owned())),
        ("media_type", true) => Ok(Source::MediaType(name.to_owned())),
        ("query", true) => Ok(Source::Query(name.to_owned())),
        _ => Err(format!(
            "\"{text}\" names no version; write \"path\", \"header:NAME\", \"media_type:NAME\" or \
             \"query:NAME\""
        )),
    }
}

fn unix_s(written: &Datetime) -> Option<u64> {
    let date = written.date?;
    let minutes_east = match written.offset {
        Some(Offset::Custom { minutes }) => i64::from(minutes),
        Some(Offset::Z) | None => 0,
    };
    let time = written.time.map(|it| [it.hour, it.minute, it.second.unwrap_or(0)]);
    let date = [i64::from(date.year), i64::from(date.month), i64::from(date.day)];
    let local_s = date::unix_s(date, time.unwrap_or_default().map(i64::from));
    u64::try_from(local_s - minutes_east * 60).ok()
}

/// Resolves the references of a route to these tables. Returns the first error.
pub(super) fn route(
    reader: &Reader<'_>,
    route: &mut RouteConfig,
    filters: &FilterConfig,
) -> Result<(), ConfError> {
    let FilterConfig { auth, versions, cors } = filters;
    reader.find("api_keys or jwt", auth.iter().map(|it| &it.name), route.auth.as_mut())?;
    let error = |hint: String| reader.error(route.upstream.span.clone(), hint);
    for name in route.headers.keys() {
        check_no_underscore(&name.0).map_err(error)?;
    }
    let HeaderChanges { set, remove } = &route.request_headers;
    let is_ours =
        |it: &str| ["x-client", "x-forwarded-for"].iter().any(|own| it.eq_ignore_ascii_case(own));
    if let Some(HeaderName(it)) = set.keys().chain(remove).find(|it| is_ours(&it.0)) {
        return Err(error(format!("the gateway itself writes the header \"{it}\"")));
    }
    if let Some(auth) = &route.auth
        && let Scheme::ApiKey(_, keys) = &filters.auth[auth.index].scheme
    {
        let has_none = !keys.clients().any(|it| it.has_scopes(&route.scopes));
        reader.refuse_if(has_none, &auth.span, "no client has all scopes of the route")?;
    }
    reader.find("versions", versions.iter().map(|it| &it.name), route.versions.as_mut())?;
    reader.find("cors", cors.iter().map(|it| &it.name), route.cors.as_mut())
}
