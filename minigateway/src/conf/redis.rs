//! `[redis]`: the store of shared limits.
//!
//! ```text
//! redis://127.0.0.1:6379            database 0
//! redis://:secret@cache:6379/2      AUTH secret; SELECT 2
//! redis://gateway:se%40cret@cache   AUTH gateway se@cret; port 6379
//! ```

use super::values::{Name, Time, check_host_and_port, newtypes, read_from};
use crate::wire::uri::percent_decode;
use serde::Deserialize;
use std::net::SocketAddr;
use std::time::Duration;
use toml::Spanned;

/// `[redis]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct RedisConfig {
    pub url: Spanned<RedisUrl>,
    #[serde(skip)]
    pub addresses: Vec<SocketAddr>,
    pub timeout: Option<StoreTimeout>,
    #[serde(default)]
    pub when_down: WhenDown,
    pub prefix: Option<Name>,
}

/// The decision about requests while the store is down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum WhenDown {
    #[default]
    Admit,
    Refuse,
}

newtypes! {
    /// How long a request waits for the store. Leases rely on the maximum of a second.
    StoreTimeout(Duration) from Time: |Time(it)| match it.is_zero() || it > Duration::from_secs(1) {
        true => Err("a store timeout is from \"1ms\" to \"1s\"".to_owned()),
        false => Ok(StoreTimeout(it)),
    };
}

read_from! {
    RedisUrl from String: |text| url(&text);
}

/// The parts of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisUrl {
    /// `HOST:PORT`
    pub server: String,
    /// User and password.
    pub auth: Option<(Option<String>, String)>,
    /// The database number.
    pub database: u32,
}

/// Reads `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`. Hints never include the password.
fn url(text: &str) -> Result<RedisUrl, String> {
    const HINT: &str = "write it as in \"redis://:password@127.0.0.1:6379/0\"";

    let rest =
        text.strip_prefix("redis://").ok_or(format!("there is no TLS to the store; {HINT}"))?;
    let (auth, rest) = match rest.rsplit_once('@') {
        None => (None, rest),
        Some((auth, rest)) => {
            let (user, password) = auth.split_once(':').ok_or("a password follows a colon")?;
            let decoded = |it: &str| percent_decode(it.as_bytes()).ok_or("`%` is written as %25");
            let user = if user.is_empty() { None } else { Some(decoded(user)?) };
            (Some((user, decoded(password)?)), rest)
        }
    };
    let (server, database) = rest.split_once('/').unwrap_or((rest, ""));
    let database = if database.is_empty() { "0" } else { database };
    let database = database.parse().map_err(|_| format!("the database is not a number; {HINT}"))?;
    // A colon in brackets belongs to an IPv6 address.
    let has_port = server.rfind(':') > server.rfind(']');
    let server = if has_port { server.to_owned() } else { format!("{server}:6379") };
    check_host_and_port(&server)?;
    Ok(RedisUrl { server, auth, database })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urls_of_the_head() {
        let auth = |user: Option<&str>, it: &str| Some((user.map(str::to_owned), it.to_owned()));
        for (text, server, expected, number) in [
            ("redis://127.0.0.1:6379", "127.0.0.1:6379", None, 0),
            ("redis://:secret@cache:6379/2", "cache:6379", auth(None, "secret"), 2),
            ("redis://gateway:se%40cret@cache", "cache:6379", auth(Some("gateway"), "se@cret"), 0),
            ("redis://[::1]/", "[::1]:6379", None, 0),
        ] {
            let RedisUrl { server: host, auth, database } = url(text).expect(text);
            assert_eq!((host.as_str(), auth, database), (server, expected, number));
        }
        for text in ["", "rediss://a", "redis://", "redis://a/b", "redis://a@b", "redis://:%4@b"] {
            assert!(url(text).is_err(), "{text}");
        }
    }
}
