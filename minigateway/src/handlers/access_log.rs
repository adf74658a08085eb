//! The access log: a line of JSON for each request.
//!
//! ```json
//! {"unix_ms":1764460800123,"client":"192.0.2.1","request":"GET /v1/users/7 HTTP/1.1",
//!  "host":"a","status":429,"bytes":412,"ms":0,"upstream":null,
//!  "id":"4bf92f3577b34da6a3ce929d0e0e4736","admitted":[],"refused":["per_client"],
//!  "skipped":["daily"]}
//! ```
//!
//! In the file this is one line. Data of clients is escaped and cannot end the line or a string.

use super::pipeline::{Charges, Pipeline};
use crate::engine::limits::Outcome;
use minilb::handlers::facts::Done;
use minilb::wire::http1::head::RequestHead;
use serde::Serialize;
use std::borrow::Cow;
use std::net::IpAddr;

#[derive(Serialize)]
struct Line<'a> {
    unix_ms: u64,
    client: IpAddr,
    request: Cow<'a, str>,
    host: Cow<'a, str>,
    status: u16,
    bytes: u64,
    ms: u64,
    upstream: Option<&'a str>,
    id: &'a str,
    admitted: Vec<&'a str>,
    refused: Vec<&'a str>,
    skipped: Vec<&'a str>,
}

/// Formats the line of a request that has ended. Bytes that are not UTF-8 become U+FFFD. `id` is
/// empty if `log.trace` is off.
pub fn line(
    pipeline: &Pipeline,
    unix_ms: u64,
    client: IpAddr,
    request: &RequestHead,
    id: &str,
    done: &Done,
    charges: &Charges,
) -> Vec<u8> {
    let limits = |outcome| {
        let limits = charges.outcomes().filter(move |it| it.1 == outcome);
        limits.map(|(limit, _)| pipeline.limits[limit].name.as_str()).collect()
    };
    let line = Line {
        unix_ms,
        client,
        request: String::from_utf8_lossy(request.line()),
        host: String::from_utf8_lossy(request.host()),
        status: done.status,
        bytes: done.sent,
        ms: done.elapsed_ms,
        upstream: done.attempts.last().and_then(|it| it.address.as_deref()),
        id,
        admitted: limits(Outcome::Admitted),
        refused: limits(Outcome::Refused),
        skipped: limits(Outcome::Skipped),
    };
    let mut out = serde_json::to_vec(&line).expect("a vector takes everything");
    out.push(b'\n');
    out
}
