//! Rates, durations, keys and other values of the configuration.
//!
//! | written | meaning |
//! |---|---|
//! | `"10/s"`, `"100/m"`, `"5000/h"`, `"1/d"`, `"5/10s"` | requests per period |
//! | `"500ms"`, `"10s"`, `"2m"`, `"1h"`, `"1d"` | a duration |
//! | `"ip"` | the client's address; for IPv6 the first 64 bits, the network of one customer |
//! | `"route"` | the route, for a limit on several routes |
//! | `"host"` | the host that the client asked for |
//! | `"header:X-Api-Key"` | the value of a header; requests without it share one key |
//! | `"client"` | the name of the API key, or the `sub` of the token |
//! | `"tier"`, `"claim:NAME"` | the client's tier; a claim of its token |
//! | `[]` | all requests together |
//!
//! Each value has its own type, and the TOML parser adds the location to its error.

use super::error::unknown;
use crate::engine::router::Router;
use minilb::conf::cidr::Cidr;
use minilb::engine::upstream::Method as BalanceMethod;
use serde::Deserialize;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;

/// Implements `Deserialize` with a function that returns a value or a hint.
macro_rules! read_from {
    ($($name:ident from $written:ty: $read:expr;)+) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<$name, D::Error> {
                let read: fn($written) -> Result<$name, String> = $read;
                let written = <$written as serde::Deserialize>::deserialize(from)?;
                read(written).map_err(serde::de::Error::custom)
            }
        }
    )+};
}
pub(super) use read_from;

/// Declares newtypes that are deserialized this way.
macro_rules! newtypes {
    ($($(#[$doc:meta])* $name:ident($part:ty) from $written:ty: $read:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub $part);

        $crate::conf::values::read_from! { $name from $written: $read; }
    )+};
}
pub(super) use newtypes;

newtypes! {
    /// A duration.
    Time(Duration) from String: |text| duration(&text).map(Time);

    /// A timeout of an upstream.
    Timeout(Duration) from Time: |Time(it)| match it.is_zero() || it > Duration::from_secs(3600) {
        true => Err("a timeout is from \"1ms\" to \"1h\"".to_owned()),
        false => Ok(Timeout(it)),
    };

    /// The tolerated clock skew in seconds. Times in tokens have whole seconds.
    ClockSkew(u64) from Time: |Time(it)| match it.subsec_nanos() {
        0 if it <= Duration::from_secs(3600) => Ok(ClockSkew(it.as_secs())),
        _ => Err("a clock skew is in whole seconds, up to \"1h\"".to_owned()),
    };

    /// A number of requests, and a period.
    Rate((u64, Duration)) from String: |text| rate(&text).map(Rate);

    /// A name, which clients see as a quoted string in headers.
    #[derive(PartialOrd, Ord)]
    Name(String) from String: |text| match is_token(&text) {
        true => Ok(Name(text)),
        false => Err(format!("\"{text}\" is not a name; write letters, digits, `_`, `-` and `.`")),
    };

    /// The name of a header that a route may set or remove.
    #[derive(PartialOrd, Ord, Hash)]
    HeaderName(String) from String: |text| check_header_name(&text).map(|()| HeaderName(text));

    /// The value of a header.
    HeaderValue(String) from String: |text| {
        match text.bytes().any(|it| it.is_ascii_control() && it != b'\t') {
            true => Err("the value of a header has no control characters".to_owned()),
            false => Ok(HeaderValue(text)),
        }
    };

    /// A method; case-sensitive.
    #[derive(Hash)]
    Method(String) from String: |text| match METHODS.contains(&text.as_str()) {
        true => Ok(Method(text)),
        false => Err(unknown("method", &text, METHODS.into_iter())),
    };

    /// A host name in lower case, without a port or a final dot.
    #[derive(Hash)]
    Host(String) from String: |text| match text.strip_suffix('.').unwrap_or(&text) {
        name if name.is_empty() || name.contains([':', '/', '*', ' ']) || name.contains("..") => {
            Err(format!("\"{text}\" is not a host; write a name without scheme, port and `*`"))
        }
        name => Ok(Host(name.to_ascii_lowercase())),
    };

    /// A path pattern of [`Router`].
    Pattern(String) from String: |text| {
        match Router::default().insert(&text, 0) {
            Ok(()) if !text.contains("/:") => Ok(Pattern(text)),
            Ok(()) => Err(format!("\"{text}\" is not a path: write \"/users/{{id}}\"")),
            Err(hint) => Err(format!("\"{text}\" is not a path: {hint}")),
        }
    };

    /// The path of a health check.
    Target(String) from String: |text| {
        match text.starts_with('/') && text.bytes().all(|it| it.is_ascii_graphic()) {
            true => Ok(Target(text)),
            false => Err("write a path without blanks, as in \"/health\"".to_owned()),
        }
    };

    /// A network, or one address.
    Network(Cidr) from String: |text| match Cidr::parse(&text) {
        Some(network) => Ok(Network(network)),
        None => Err(format!("\"{text}\" is not a network; write \"10.0.0.0/8\" or \"::1\"")),
    };

    /// How an upstream chooses a server.
    Balance(BalanceMethod) from String: |text| match text.as_str() {
        "round_robin" => Ok(Balance(BalanceMethod::RoundRobin)),
        "least_conn" => Ok(Balance(BalanceMethod::LeastConn)),
        "least_time" => Ok(Balance(BalanceMethod::LeastTime)),
        _ => Err(format!("no balance \"{text}\"; write round_robin, least_conn or least_time")),
    };

    /// The cost of a request.
    RequestCost(u64) from u64: |it| match it {
        0 => Err("a cost is at least 1; or leave out `limits`".to_owned()),
        it => Ok(RequestCost(it)),
    };

    /// The number of keys that may be busy at once.
    KeysMax(usize) from usize: |it| match it {
        1..=KEYS_MAX_LIMIT => Ok(KeysMax(it)),
        _ => Err(format!("keys_max is a number from 1 to {KEYS_MAX_LIMIT}")),
    };
}

read_from! {
    KeyPart from String: |text| key_part(&text);
}

/// The methods of RFC 9110, and two more.
const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"];

/// 3.2 GB. A larger number is probably a typo.
const KEYS_MAX_LIMIT: usize = 100_000_000;

/// The name of another table. Its index is set after all tables are read.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Spanned<String>")]
pub struct Reference {
    /// The name in the file.
    pub name: String,
    /// Its location.
    pub span: Range<usize>,
    /// The index of the table.
    pub index: usize,
}

impl From<Spanned<String>> for Reference {
    fn from(written: Spanned<String>) -> Reference {
        Reference { span: written.span(), name: written.into_inner(), index: 0 }
    }
}

/// A part of the key that a limit counts by; the head of the file lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum KeyPart {
    Ip,
    Route,
    Host,
    Header(String),
    Client,
    Tier,
    Claim(String),
}

impl KeyPart {
    /// Returns true if only requests of authenticated clients have this part.
    pub fn needs_client(&self) -> bool {
        matches!(self, KeyPart::Client | KeyPart::Tier | KeyPart::Claim(_))
    }
}

/// Reads `10s`.
///
/// # Errors
/// A hint.
pub fn duration(text: &str) -> Result<Duration, String> {
    let hint = || format!("\"{text}\" is not a duration; write it as \"500ms\", \"10s\" or \"2m\"");
    let unit = text.trim_start_matches(|it: char| it.is_ascii_digit());
    let number = &text[..text.len() - unit.len()];
    let ms = unit_ms(unit).ok_or_else(hint)?;
    let number = number.parse::<u64>().map_err(|_| hint())?;
    number.checked_mul(ms).map(Duration::from_millis).ok_or_else(hint)
}

/// Reads `10/s` or `5/10s`.
fn rate(text: &str) -> Result<(u64, Duration), String> {
    let hint = || format!("\"{text}\" is not a rate; write it as \"10/s\", \"100/m\" or \"5/10s\"");
    let (requests, period) = text.split_once('/').ok_or_else(hint)?;
    let requests = requests.parse::<u64>().ok().filter(|it| *it > 0).ok_or_else(hint)?;
    let period = match unit_ms(period) {
        Some(ms) => Duration::from_millis(ms),
        None => duration(period).map_err(|_| hint())?,
    };
    if period.is_zero() { Err(hint()) } else { Ok((requests, period)) }
}

/// Reads `ip` or `header:NAME`.
fn key_part(text: &str) -> Result<KeyPart, String> {
    match text {
        "ip" => Ok(KeyPart::Ip),
        "route" => Ok(KeyPart::Route),
        "host" => Ok(KeyPart::Host),
        "client" => Ok(KeyPart::Client),
        "tier" => Ok(KeyPart::Tier),
        _ => match text.split_once(':') {
            Some(("header", name)) if is_token(name) => {
                check_no_underscore(name).map(|()| KeyPart::Header(name.to_ascii_lowercase()))
            }
            Some(("claim", name)) if !name.is_empty() => Ok(KeyPart::Claim(name.to_owned())),
            _ => Err(format!(
                "\"{text}\" is not a key; write \"ip\", \"route\", \"host\", \"header:NAME\", \
                 \"client\", \"tier\" or \"claim:NAME\""
            )),
        },
    }
}

/// Checks `HOST:PORT`. The error is a hint.
pub(super) fn check_host_and_port(text: &str) -> Result<(), String> {
    let (host, port) = text.rsplit_once(':').unwrap_or_default();
    let is_host = host.starts_with('[') || !host.is_empty() && !host.contains([':', '/', ' ', '@']);
    match is_host && matches!(port.parse::<u16>(), Ok(1..)) {
        true => Ok(()),
        false => Err(format!(
            "\"{text}\" is not HOST:PORT without scheme; a port is 1 to 65535, IPv6 is [::1]:80"
        )),
    }
}

/// Returns true for tokens, such as names of headers (RFC 9110, 5.6.2).
pub fn is_token(text: &str) -> bool {
    let is_token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
    !text.is_empty() && text.bytes().all(is_token)
}

/// Checks the name of a header. The headers for framing and connections are the gateway's own.
pub(super) fn check_header_name(text: &str) -> Result<(), String> {
    match text.to_ascii_lowercase().as_str() {
        _ if !is_token(text) => Err(format!("\"{text}\" is not the name of a header")),
        "connection" | "content-length" | "expect" | "host" | "keep-alive" | "te" | "trailer"
        | "transfer-encoding" | "upgrade" => {
            Err(format!("the gateway itself writes the header \"{text}\""))
        }
        _ => Ok(()),
    }
}

/// Refuses names with an underscore. The gateway drops such headers, as NGINX does.
pub(super) fn check_no_underscore(name: &str) -> Result<(), String> {
    match name.contains('_') {
        true => Err(format!("headers with an underscore are dropped, so \"{name}\" never matches")),
        false => Ok(()),
    }
}

fn unit_ms(unit: &str) -> Option<u64> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    units.iter().find(|it| it.0 == unit).map(|it| it.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_the_head() {
        let seconds = Duration::from_secs;
        assert_eq!(rate("10/s"), Ok((10, seconds(1))));
        assert_eq!(rate("5000/h"), Ok((5000, seconds(3600))));
        assert_eq!(rate("5/10s"), Ok((5, seconds(10))));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1d"), Ok(seconds(86_400)));
        assert_eq!(key_part("header:X-Api-Key"), Ok(KeyPart::Header("x-api-key".to_owned())));
        assert_eq!(key_part("ip"), Ok(KeyPart::Ip));
    }

    #[test]
    fn malformed_values_get_a_hint() {
        for text in ["", "10", "10/", "/s", "0/s", "-1/s", "1/0s", "1/w", "10 /s"] {
            assert!(rate(text).expect_err(text).contains("10/s"), "{text}");
        }
        for text in
            ["", "s", "10", "10 s", "1.5s", "99999999999999999999s", "18446744073709551615d"]
        {
            assert!(duration(text).expect_err(text).contains("500ms"), "{text}");
        }
        for text in ["", "IP", "header:", "header:a b"] {
            assert!(key_part(text).expect_err(text).contains("header:NAME"), "{text}");
        }
    }
}
