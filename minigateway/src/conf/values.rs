//! Rates, durations and keys, as they are written.
//!
//! | written | meaning |
//! |---|---|
//! | `"10/s"`, `"100/m"`, `"5000/h"`, `"1/d"`, `"5/10s"` | requests per period |
//! | `"500ms"`, `"10s"`, `"2m"`, `"1h"`, `"1d"` | a duration |
//! | `"ip"` | the client's address; of an IPv6 address the first 64 bits, one customer's network |
//! | `"route"` | the route, for a limit that several routes have |
//! | `"host"` | the host that the client asked for |
//! | `"header:X-Api-Key"` | the value of a header; one key for all requests without it |
//! | `"client"` | the name of the API key, or the `sub` of the token |
//! | `"tier"`, `"claim:NAME"` | the client's tier; a claim of its token |
//! | `[]` | all requests together |

use std::time::Duration;

/// What a limit counts by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// The address of the client.
    Ip,
    /// The route that the request takes.
    Route,
    /// The host that the client asked for.
    Host,
    /// A header, by its name.
    Header(String),
    /// The name that the client has proven.
    Client,
    /// The client's tier.
    Tier,
    /// A claim of the client's token.
    Claim(String),
}

impl KeyPart {
    /// Returns true if only a request with a proven client has it.
    pub fn needs_client(&self) -> bool {
        matches!(self, KeyPart::Client | KeyPart::Tier | KeyPart::Claim(_))
    }
}

/// Reads `10s`.
///
/// # Errors
/// A hint.
pub fn duration(text: &str) -> Result<Duration, String> {
    let hint = || format!("\"{text}\" is no duration; write it as in \"500ms\", \"10s\" or \"2m\"");
    let unit = text.trim_start_matches(|it: char| it.is_ascii_digit());
    let number = &text[..text.len() - unit.len()];
    let ms = unit_ms(unit).ok_or_else(hint)?;
    let number = number.parse::<u64>().map_err(|_| hint())?;
    number.checked_mul(ms).map(Duration::from_millis).ok_or_else(hint)
}

/// Reads `10/s` or `5/10s`.
///
/// # Errors
/// A hint.
pub fn rate(text: &str) -> Result<(u64, Duration), String> {
    let hint = || format!("\"{text}\" is no rate; write it as in \"10/s\", \"100/m\" or \"5/10s\"");
    let (requests, period) = text.split_once('/').ok_or_else(hint)?;
    let requests = requests.parse::<u64>().ok().filter(|it| *it > 0).ok_or_else(hint)?;
    let period = match unit_ms(period) {
        Some(ms) => Duration::from_millis(ms),
        None => duration(period).map_err(|_| hint())?,
    };
    if period.is_zero() { Err(hint()) } else { Ok((requests, period)) }
}

/// Reads `ip` or `header:NAME`.
///
/// # Errors
/// A hint.
pub fn key_part(text: &str) -> Result<KeyPart, String> {
    match text {
        "ip" => Ok(KeyPart::Ip),
        "route" => Ok(KeyPart::Route),
        "host" => Ok(KeyPart::Host),
        "client" => Ok(KeyPart::Client),
        "tier" => Ok(KeyPart::Tier),
        _ => match text.split_once(':') {
            Some(("header", name)) if is_token(name) => {
                Ok(KeyPart::Header(name.to_ascii_lowercase()))
            }
            Some(("claim", name)) if !name.is_empty() => Ok(KeyPart::Claim(name.to_owned())),
            _ => Err(format!(
                "\"{text}\" is no key; write \"ip\", \"route\", \"host\", \"header:NAME\", \
                 \"client\", \"tier\" or \"claim:NAME\""
            )),
        },
    }
}

/// Returns true for the names of headers and methods (RFC 9110, 5.6.2).
pub fn is_token(text: &str) -> bool {
    let is_token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
    !text.is_empty() && text.bytes().all(is_token)
}

fn unit_ms(unit: &str) -> Option<u64> {
    match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    }
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
    fn what_is_no_value_gets_a_hint() {
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
