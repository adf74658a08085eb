//! The access log: a line of JSON for each request.
//!
//! ```json
//! {"unix_ms":1764460800123,"client":"192.0.2.1","request":"GET /v1/users/7 HTTP/1.1",
//!  "host":"a","status":429,"bytes":412,"ms":0,"upstream":null,
//!  "id":"4bf92f3577b34da6a3ce929d0e0e4736","admitted":["daily"],"refused":["per_client"]}
//! ```
//!
//! It is one line in the file. What a client sends is escaped: it can neither end the line nor the
//! string that it is in.

use super::pipeline::{Charges, Pipeline};
use minilb::handlers::facts::Done;
use minilb::wire::http1::head::RequestHead;
use std::io::Write;
use std::net::IpAddr;

/// What a line is made of.
pub struct Record<'a> {
    /// The time.
    pub unix_ms: u64,
    /// The client.
    pub client: IpAddr,
    /// As it came.
    pub request: &'a RequestHead,
    /// Empty if requests have none here.
    pub id: &'a str,
    /// The answer.
    pub done: &'a Done,
    /// The limits that decided.
    pub charges: &'a Charges,
}

/// Appends a line.
pub fn line(pipeline: &Pipeline, record: &Record<'_>, out: &mut Vec<u8>) {
    let Record { unix_ms, client, request, id, done, charges } = record;
    let mut put = |text: std::fmt::Arguments<'_>| {
        out.write_fmt(text).expect("a vector takes everything");
    };
    put(format_args!("{{\"unix_ms\":{unix_ms},\"client\":\"{client}\",\"request\":"));
    put(format_args!("{}", Quoted(request.line())));
    put(format_args!(",\"host\":{}", Quoted(request.host())));
    let [status, bytes, ms] = [u64::from(done.status), done.sent, done.elapsed_ms];
    put(format_args!(",\"status\":{status},\"bytes\":{bytes},\"ms\":{ms},\"upstream\":"));
    match done.attempts.last().and_then(|it| it.address) {
        Some(address) => put(format_args!("\"{address}\"")),
        None => put(format_args!("null")),
    }
    put(format_args!(",\"id\":{}", Quoted(id.as_bytes())));
    for (name, is_admitted) in [("admitted", true), ("refused", false)] {
        let limits = charges.decisions().filter(|(_, it)| it.is_admitted() == is_admitted);
        put(format_args!(",\"{name}\":["));
        for (index, (limit, _)) in limits.enumerate() {
            let comma = if index > 0 { "," } else { "" };
            // Names are tokens.
            put(format_args!("{comma}\"{}\"", pipeline.limits[limit].name));
        }
        put(format_args!("]"));
    }
    put(format_args!("}}\n"));
}

/// Bytes as a JSON string. Those that are no UTF-8 become U+FFFD.
struct Quoted<'a>(&'a [u8]);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\"")?;
        for character in String::from_utf8_lossy(self.0).chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                it if it.is_control() => write!(f, "\\u{:04x}", u32::from(it))?,
                it => write!(f, "{it}")?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_end_the_string() {
        let quoted = |it: &[u8]| Quoted(it).to_string();
        assert_eq!(quoted(b"GET /\"\\\n\x7f\xff"), "\"GET /\\\"\\\\\\u000a\\u007f\u{fffd}\"");
    }
}
