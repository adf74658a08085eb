//! The front door in the file: clients, versions, browsers, headers.
//!
//! ```toml
//! [api_keys.partners]
//! header = "X-Api-Key"                  # the default
//! [api_keys.partners.clients.acme]
//! sha256 = "5f2b..."                    # printf %s KEY | sha256sum
//! tier = "gold"                         # for `tiers` of a limit
//! scopes = ["orders:read"]
//!
//! [jwt.staff]                           # Authorization: Bearer ...
//! algorithms = ["ES256"]                # a token cannot choose another
//! key_file = "staff.pem"                # or jwks_file; relative to this file
//! audience = ["shop"]
//! issuer = "https://login.example.com"
//! clock_skew = "60s"
//!
//! [versions.shop]
//! by = ["path", "header:Api-Version", "media_type:shop", "query:version"]
//! default = "2"                         # without it, a request must name one
//! tell = "header:Api-Version"           # how the upstream is told; or "path"
//! [versions.shop.known.2]
//! [versions.shop.known.1]
//! deprecated = 2026-01-01T00:00:00Z     # Deprecation
//! sunset = 2027-01-01T00:00:00Z         # Sunset, and 410 from then on
//! link = "https://example.com/v2"       # Link
//! speaks = "2"                          # the upstream is told 2; itself if left out
//! upstream = "old"                      # in place of the route's
//!
//! [cors.web]
//! origins = ["https://shop.example.com"]
//! methods = ["GET", "POST"]
//! headers = ["Content-Type"]            # that a browser may send
//! expose = ["RateLimit"]                # that its page may read
//! credentials = false
//!
//! # In [[routes]]: auth = "partners", scopes = ["orders:read"], versions = "shop", cors = "web",
//! # request_headers = { set = { "X-Env" = "production" }, remove = ["Cookie"] }, response_headers
//! ```

use super::config::Reader;
use super::error::{ConfError, unknown};
use super::file::RouteTable;
#[cfg(feature = "jwt")]
use super::values::duration;
use super::values::is_token;
use crate::engine::identity::{ApiKeys, Identity};
use crate::engine::version::{Source, Versions};
#[cfg(feature = "jwt")]
use crate::wire::jwt::{Rules, Verifier};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::value::Datetime;

type Tables<T> = BTreeMap<String, Spanned<T>>;

/// `[api_keys.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ApiKeysTable {
    pub header: Option<Spanned<String>>,
    pub clients: Tables<ClientTable>,
}

/// `[api_keys.NAME.clients.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ClientTable {
    pub sha256: Spanned<String>,
    #[serde(default)]
    pub tier: String,
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// `[jwt.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct JwtTable {
    pub algorithms: Spanned<Vec<Spanned<String>>>,
    pub key_file: Option<Spanned<String>>,
    pub jwks_file: Option<Spanned<String>>,
    pub audience: Spanned<Vec<String>>,
    pub issuer: Option<String>,
    pub clock_skew: Option<Spanned<String>>,
}

/// `[versions.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct VersionsTable {
    pub by: Spanned<Vec<Spanned<String>>>,
    pub default: Option<Spanned<String>>,
    pub tell: Option<Spanned<String>>,
    pub known: Tables<VersionTable>,
}

/// `[versions.NAME.known.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct VersionTable {
    pub deprecated: Option<Spanned<Datetime>>,
    pub sunset: Option<Spanned<Datetime>>,
    pub link: Option<Spanned<String>>,
    pub upstream: Option<Spanned<String>>,
    pub speaks: Option<Spanned<String>>,
}

/// `[cors.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CorsTable {
    pub origins: Vec<Spanned<String>>,
    #[serde(default)]
    pub methods: Vec<Spanned<String>>,
    #[serde(default)]
    pub headers: Vec<Spanned<String>>,
    #[serde(default)]
    pub expose: Vec<Spanned<String>>,
    #[serde(default)]
    pub credentials: bool,
}

/// `request_headers` and `response_headers` of a route
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct HeadersTable {
    #[serde(default)]
    pub set: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub remove: Vec<Spanned<String>>,
}

/// What routes refer to.
#[derive(Debug, Default)]
pub struct FrontConfig {
    /// Ways to prove who a client is.
    pub auth: Vec<AuthConfig>,
    /// Versions of APIs.
    pub versions: Vec<VersionsConfig>,
    /// What browsers may do.
    pub cors: Vec<CorsConfig>,
}

/// A way to prove who a client is.
#[derive(Debug)]
pub struct AuthConfig {
    /// The realm in `WWW-Authenticate`.
    pub name: String,
    /// How.
    pub scheme: Scheme,
}

/// How a client proves who it is.
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
    /// For metrics.
    pub name: String,
    /// How requests name them.
    pub versions: Versions,
    /// What is known about each.
    pub known: Vec<VersionConfig>,
    /// How the upstream is told.
    pub tell: Option<Tell>,
}

/// How an upstream is told the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tell {
    /// `/v2` in front of the path.
    Path,
    /// A header.
    Header(String),
}

/// A version.
#[derive(Debug, Default)]
pub struct VersionConfig {
    /// Seconds since 1970.
    pub deprecated_s: Option<u64>,
    /// Seconds since 1970.
    pub sunset_s: Option<u64>,
    /// Where a client finds what to do.
    pub link: Option<String>,
    /// In place of the route's.
    pub upstream: Option<usize>,
    /// The version that the upstream speaks.
    pub speaks: usize,
}

/// What browsers may do.
#[derive(Debug)]
pub struct CorsConfig {
    /// Routes call it this.
    pub name: String,
    /// Origins, or `*`.
    pub origins: Vec<String>,
    /// `Access-Control-Allow-Methods`
    pub methods: String,
    /// `Access-Control-Allow-Headers`
    pub headers: String,
    /// `Access-Control-Expose-Headers`
    pub expose: String,
    /// `Access-Control-Allow-Credentials`
    pub credentials: bool,
}

/// Headers that a route changes.
#[derive(Debug, Default)]
pub struct HeaderChanges {
    /// In place of what was sent.
    pub set: Vec<(String, String)>,
    /// In lower case.
    pub remove: Vec<String>,
}

/// What a route asks of requests.
#[derive(Debug, Default)]
pub struct RouteFront {
    /// An index of [`FrontConfig::auth`].
    pub auth: Option<usize>,
    /// All of them are needed.
    pub scopes: Vec<String>,
    /// An index of [`FrontConfig::versions`].
    pub versions: Option<usize>,
    /// An index of [`FrontConfig::cors`].
    pub cors: Option<usize>,
    /// For the upstream.
    pub request_headers: HeaderChanges,
    /// For the client.
    pub response_headers: HeaderChanges,
}

/// Reads all of them.
///
/// # Errors
/// The first mistake.
pub fn read(
    reader: &Reader<'_>,
    api_keys: Tables<ApiKeysTable>,
    jwt: Tables<JwtTable>,
    versions: Tables<VersionsTable>,
    cors: Tables<CorsTable>,
    upstreams: &[String],
) -> Result<FrontConfig, ConfError> {
    let mut front = FrontConfig::default();
    for (name, table) in api_keys {
        reader.name(&name, table.span())?;
        let scheme = read_api_keys(reader, table.into_inner())?;
        front.auth.push(AuthConfig { name, scheme });
    }
    for (name, table) in jwt {
        reader.name(&name, table.span())?;
        if front.auth.iter().any(|it| it.name == name) {
            let hint = format!("\"{name}\" is a table of api_keys too; routes could not tell them");
            return Err(reader.error(table.span(), hint));
        }
        let scheme = read_jwt(reader, table)?;
        front.auth.push(AuthConfig { name, scheme });
    }
    for (name, table) in versions {
        reader.name(&name, table.span())?;
        front.versions.push(read_versions(reader, name, table, upstreams)?);
    }
    for (name, table) in cors {
        reader.name(&name, table.span())?;
        front.cors.push(read_cors(reader, name, table.into_inner())?);
    }
    Ok(front)
}

fn read_api_keys(reader: &Reader<'_>, table: ApiKeysTable) -> Result<Scheme, ConfError> {
    let header = match &table.header {
        None => "x-api-key".to_owned(),
        Some(name) => reader.value(name, header_name)?,
    };
    let mut keys = ApiKeys::default();
    for (name, client) in table.clients {
        let ClientTable { sha256, tier, scopes } = client.into_inner();
        let hash = reader.value(&sha256, sha256_hash)?;
        let identity = Identity { name, tier, scopes, claims: BTreeMap::new() };
        if !keys.insert(hash, identity) {
            return Err(reader.error(sha256.span(), "another client has the same key"));
        }
    }
    Ok(Scheme::ApiKey(header, keys))
}

fn sha256_hash(text: &str) -> Result<[u8; 32], String> {
    let hint = "sha256 has 64 hexadecimal digits, as `printf %s KEY | sha256sum` prints them";
    if text.len() != 64 || !text.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Err(hint.to_owned());
    }
    let mut hash = [0; 32];
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| hint)?;
    }
    Ok(hash)
}

#[cfg(not(feature = "jwt"))]
fn read_jwt(reader: &Reader<'_>, table: Spanned<JwtTable>) -> Result<Scheme, ConfError> {
    let hint = "this minigateway was built without the feature `jwt`";
    Err(reader.error(table.span(), hint))
}

#[cfg(feature = "jwt")]
fn read_jwt(reader: &Reader<'_>, table: Spanned<JwtTable>) -> Result<Scheme, ConfError> {
    let (span, table) = (table.span(), table.into_inner());
    for name in table.algorithms.as_ref() {
        reader.value(name, crate::wire::jwt::algorithm)?;
    }
    if table.audience.as_ref().is_empty() {
        let hint = "an audience is needed: without it, tokens for other services are valid here";
        return Err(reader.error(table.audience.span(), hint));
    }
    let skew = table.clock_skew.as_ref().map(|it| reader.value(it, duration)).transpose()?;
    let rules = Rules {
        algorithms: table.algorithms.as_ref().iter().map(|it| it.as_ref().clone()).collect(),
        audience: table.audience.into_inner(),
        issuer: table.issuer,
        skew_s: skew.map_or(0, |it| it.as_secs()),
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
    upstreams: &[String],
) -> Result<VersionsConfig, ConfError> {
    let (span, VersionsTable { by, default, tell, known }) = (table.span(), table.into_inner());
    let names = known.keys().cloned().collect::<Vec<_>>();
    for (version, table) in &known {
        reader.name(version, table.span())?;
    }
    if names.is_empty() || by.as_ref().is_empty() {
        let hint = "versions need `by`, which says where requests name one, and at least one table \
                    `known`";
        return Err(reader.error(span, hint));
    }
    let index = |written: &Spanned<String>| index(reader, "version", &names, written);
    let sources = by.as_ref().iter().map(|it| reader.value(it, source));
    let versions = Versions {
        sources: sources.collect::<Result<_, _>>()?,
        default: default.as_ref().map(index).transpose()?,
        names: names.clone(),
    };
    let tell = tell.as_ref().map(|it| reader.value(it, self::tell)).transpose()?;

    let mut configs = Vec::new();
    for (version, table) in known.into_values().enumerate() {
        let table = table.into_inner();
        let speaks = table.speaks.as_ref().map(index).transpose()?;
        let mut config = dates_and_upstream(reader, table, upstreams)?;
        config.speaks = speaks.unwrap_or(version);
        configs.push(config);
    }
    Ok(VersionsConfig { name, versions, known: configs, tell })
}

fn source(text: &str) -> Result<Source, String> {
    let (kind, name) = text.split_once(':').unwrap_or((text, ""));
    match (kind, is_token(name)) {
        ("path", _) if text == "path" => Ok(Source::Path),
        ("header", true) => Ok(Source::Header(name.to_ascii_lowercase())),
        ("media_type", true) => Ok(Source::MediaType(name.to_owned())),
        ("query", true) => Ok(Source::Query(name.to_owned())),
        _ => Err(format!(
            "\"{text}\" names no version; write \"path\", \"header:NAME\", \"media_type:NAME\" or \
             \"query:NAME\""
        )),
    }
}

fn tell(text: &str) -> Result<Tell, String> {
    match (text, text.strip_prefix("header:")) {
        ("path", _) => Ok(Tell::Path),
        (_, Some(name)) => header_name(name).map(|_| Tell::Header(name.to_owned())),
        _ => Err(format!("\"{text}\" tells nothing; write \"path\" or \"header:NAME\"")),
    }
}

fn dates_and_upstream(
    reader: &Reader<'_>,
    table: VersionTable,
    upstreams: &[String],
) -> Result<VersionConfig, ConfError> {
    let date = |written: &Option<Spanned<Datetime>>| match written {
        None => Ok(None),
        Some(it) => match unix_s(it.as_ref()) {
            Some(unix_s) => Ok(Some(unix_s)),
            None => Err(reader.error(it.span(), "a date after 1970 is written 2026-01-31")),
        },
    };
    let (deprecated_s, sunset_s) = (date(&table.deprecated)?, date(&table.sunset)?);
    if let (Some(sunset), Some(written)) = (sunset_s, &table.sunset)
        && deprecated_s.is_some_and(|it| sunset < it)
    {
        return Err(reader.error(written.span(), "a sunset is not before `deprecated`"));
    }
    let link = table.link.as_ref().map(|it| {
        reader.value(it, |text| match text.bytes().all(|it| it > b' ' && !b"<>\"".contains(&it)) {
            true => Ok(text.to_owned()),
            false => Err("a link is a URL, without blanks, quotes and angle brackets".to_owned()),
        })
    });
    let upstream = table.upstream.as_ref().map(|it| index(reader, "upstream", upstreams, it));
    let (link, upstream) = (link.transpose()?, upstream.transpose()?);
    Ok(VersionConfig { deprecated_s, sunset_s, link, upstream, ..VersionConfig::default() })
}

/// Seconds since 1970. A date without time is its midnight, a time without offset is UTC.
fn unix_s(written: &Datetime) -> Option<u64> {
    let date = written.date?;
    // Hinnant's `days_from_civil`: years begin in March, 400 of them have 146,097 days.
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    let year = i64::from(date.year) - i64::from(month <= 2);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + of_year;
    let days = year / 400 * 146_097 + of_era - 719_468;

    let time = written.time.map_or(0, |it| {
        let second = i64::from(it.second.unwrap_or(0));
        i64::from(it.hour) * 3600 + i64::from(it.minute) * 60 + second
    });
    let offset_s = match written.offset {
        Some(toml::value::Offset::Custom { minutes }) => i64::from(minutes) * 60,
        Some(toml::value::Offset::Z) | None => 0,
    };
    u64::try_from(days * 86_400 + time - offset_s).ok()
}

fn read_cors(reader: &Reader<'_>, name: String, table: CorsTable) -> Result<CorsConfig, ConfError> {
    for origin in &table.origins {
        let is_any = origin.as_ref() == "*";
        let host = origin.as_ref().split_once("://").map_or("", |it| it.1);
        if !is_any && (host.is_empty() || host.contains(['/', ' ']) || !host.is_ascii()) {
            let hint = "an origin has a scheme and a host, and no path: \"https://shop.example\"";
            return Err(reader.error(origin.span(), hint));
        }
        if is_any && table.credentials {
            let hint = "browsers refuse \"*\" together with credentials; name the origins";
            return Err(reader.error(origin.span(), hint));
        }
    }
    let list = |written: &[Spanned<String>]| {
        let names =
            written.iter().map(|it| reader.value(it, |it| header_name(it).map(|_| it.to_owned())));
        names.collect::<Result<Vec<_>, _>>().map(|it| it.join(", "))
    };
    Ok(CorsConfig {
        name,
        methods: match table.methods.is_empty() {
            true => "GET, HEAD, POST".to_owned(),
            false => list(&table.methods)?,
        },
        headers: list(&table.headers)?,
        expose: list(&table.expose)?,
        origins: table.origins.into_iter().map(Spanned::into_inner).collect(),
        credentials: table.credentials,
    })
}

/// Reads what a route asks of requests.
///
/// # Errors
/// The first mistake.
pub fn route(
    reader: &Reader<'_>,
    table: &mut RouteTable,
    front: &FrontConfig,
) -> Result<RouteFront, ConfError> {
    let find = |kind, names: Vec<&String>, written: &Option<Spanned<String>>| {
        let names = names.into_iter().cloned().collect::<Vec<_>>();
        written.as_ref().map(|it| index(reader, kind, &names, it)).transpose()
    };
    let auth =
        find("api_keys or jwt", front.auth.iter().map(|it| &it.name).collect(), &table.auth)?;
    if let Some(scopes) = table.scopes.as_ref().filter(|_| auth.is_none()) {
        let hint = "scopes are those of a client; say with `auth` how it proves who it is";
        return Err(reader.error(scopes.span(), hint));
    }
    let versions = front.versions.iter().map(|it| &it.name).collect();
    Ok(RouteFront {
        auth,
        scopes: table.scopes.take().map_or_else(Vec::new, Spanned::into_inner),
        versions: find("versions", versions, &table.versions)?,
        cors: find("cors", front.cors.iter().map(|it| &it.name).collect(), &table.cors)?,
        request_headers: headers(reader, &table.request_headers)?,
        response_headers: headers(reader, &table.response_headers)?,
    })
}

fn index(
    reader: &Reader<'_>,
    kind: &str,
    names: &[String],
    written: &Spanned<String>,
) -> Result<usize, ConfError> {
    let found = names.iter().position(|it| it == written.as_ref());
    let unknown = || unknown(kind, written.as_ref(), names.iter().map(String::as_str));
    found.ok_or_else(|| reader.error(written.span(), unknown()))
}

fn headers(reader: &Reader<'_>, table: &HeadersTable) -> Result<HeaderChanges, ConfError> {
    let mut changes = HeaderChanges::default();
    for (name, value) in &table.set {
        reader.value(name, header_name)?;
        if value.as_ref().bytes().any(|it| it.is_ascii_control() && it != b'\t') {
            return Err(reader.error(value.span(), "a value has no control characters"));
        }
        changes.set.push((name.as_ref().clone(), value.as_ref().clone()));
    }
    for name in &table.remove {
        changes.remove.push(reader.value(name, header_name)?);
    }
    Ok(changes)
}

/// Reads the name of a header that is no part of the framing; in lower case.
fn header_name(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    match name.as_str() {
        _ if !is_token(text) => Err(format!("\"{text}\" is no name of a header")),
        "connection" | "content-length" | "host" | "transfer-encoding" => {
            Err(format!("\"{text}\" is the gateway's own affair"))
        }
        _ => Ok(name),
    }
}
