//! The headers that tell a client about its limits.
//!
//! A client has 5 of 20 left of the limit `per_client`, 10 a second, and 900 of 1000 of `daily`:
//!
//! ```text
//! RateLimit-Policy: "per_client";q=20;w=2, "daily";q=1000;w=86400
//! RateLimit: "per_client";r=5;t=1, "daily";r=900;t=61
//! ```
//!
//! This is the format of the draft draft-ietf-httpapi-ratelimit-headers-10: two lists with one
//! member per limit. `q` is the quota, `w` the window in seconds, `r` the remaining quota, and `t`
//! the seconds until more is available. Older drafts had one header per number, like GitHub and
//! others:
//!
//! ```text
//! X-RateLimit-Limit: 20           of the limit with the smallest share left
//! X-RateLimit-Remaining: 5
//! X-RateLimit-Used: 15
//! X-RateLimit-Reset: 1764460800   when the quota is full again, in seconds since 1970
//! ```
//!
//! A refusal says when to retry, rounded up so that the client does not retry too early:
//!
//! ```text
//! Retry-After: 1
//! ```
//!
//! A concurrency limit has the unit `qu` and no `w` or `t`, and its refusal no `Retry-After`.

use minilb::wire::http1::writer::decimal;
use std::time::Duration;

const SECOND_NS: u64 = 1_000_000_000;

/// The values of a limit that headers show.
#[derive(Clone, Copy, Debug)]
pub struct LimitState<'a> {
    /// A token, which needs no escapes.
    pub name: &'a str,
    /// The largest quota.
    pub quota: u64,
    /// The time until an empty quota is full again; zero if unknown.
    pub window: Duration,
    /// The remaining quota.
    pub remaining: u64,
    /// The time until one more is available; `None` if the quota is full or the time unknown.
    pub more_after_ns: Option<u64>,
    /// The time until the quota is full; `u64::MAX` if unknown.
    pub full_after_ns: u64,
}

/// Converts nanoseconds to whole seconds, rounded up.
pub fn seconds(ns: u64) -> u64 {
    ns.div_ceil(SECOND_NS)
}

/// Appends the value of `RateLimit-Policy`.
pub fn policy(limits: &[LimitState<'_>], out: &mut Vec<u8>) {
    list(limits, out, |LimitState { quota, window, .. }| {
        let seconds = window.as_secs() + u64::from(window.subsec_nanos() > 0);
        let unit = if seconds > 0 { ";q=" } else { ";qu=\"concurrent-requests\";q=" };
        [(unit, Some(*quota)), (";w=", Some(seconds).filter(|it| *it > 0))]
    });
}

/// Appends the value of `RateLimit`.
pub fn remaining(limits: &[LimitState<'_>], out: &mut Vec<u8>) {
    list(limits, out, |LimitState { remaining, more_after_ns, .. }| {
        [(";r=", Some(*remaining)), (";t=", more_after_ns.map(seconds))]
    });
}

/// Appends a list. Not with `write!`, which takes as long as the rest of a refusal.
fn list(
    limits: &[LimitState<'_>],
    out: &mut Vec<u8>,
    parameters: impl Fn(&LimitState<'_>) -> [(&'static str, Option<u64>); 2],
) {
    for (index, limit) in limits.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b", \"" } else { b"\"" });
        out.extend_from_slice(limit.name.as_bytes());
        out.push(b'"');
        for (name, value) in parameters(limit) {
            if let Some(value) = value {
                out.extend_from_slice(name.as_bytes());
                decimal(out, value);
            }
        }
    }
}

/// Returns the limit with the smallest share of its quota left.
pub fn tightest<'a>(limits: &[LimitState<'a>]) -> Option<LimitState<'a>> {
    // a / b < c / d, without the divisions
    let product =
        |one: &LimitState, other: &LimitState| u128::from(one.remaining) * u128::from(other.quota);
    limits.iter().min_by(|one, other| product(one, other).cmp(&product(other, one))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> [LimitState<'static>; 3] {
        let per_client = LimitState {
            name: "per_client",
            quota: 20,
            window: Duration::from_secs(2),
            remaining: 5,
            more_after_ns: Some(100_000_000),
            full_after_ns: 1_500_000_000,
        };
        let day = Duration::from_secs(86_400);
        let minute = Some(60_100_000_000);
        let daily = LimitState { name: "daily", quota: 1000, window: day, ..per_client };
        let daily = LimitState { remaining: 900, more_after_ns: minute, ..daily };
        let busy = LimitState { name: "busy", quota: 9, window: Duration::ZERO, ..per_client };
        let busy = LimitState { remaining: 9, more_after_ns: None, ..busy };
        [per_client, daily, busy]
    }

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn the_headers_of_the_head() {
        let policy = text(|out| policy(&limits(), out));
        let expected = "\"per_client\";q=20;w=2, \"daily\";q=1000;w=86400, \
                        \"busy\";qu=\"concurrent-requests\";q=9";
        assert_eq!(policy, expected);
        let remaining = text(|out| remaining(&limits(), out));
        assert_eq!(remaining, "\"per_client\";r=5;t=1, \"daily\";r=900;t=61, \"busy\";r=9");
    }

    #[test]
    fn the_tightest_limit_has_the_smallest_share_left() {
        assert_eq!(tightest(&limits()).map(|it| it.name), Some("per_client"));
        assert!(tightest(&[]).is_none());
    }

    #[test]
    fn seconds_are_rounded_up() {
        assert_eq!([0, 1, SECOND_NS, SECOND_NS + 1].map(seconds), [0, 1, 1, 2]);
        assert_eq!(seconds(u64::MAX), 18_446_744_074);
    }
}
