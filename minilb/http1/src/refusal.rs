//! Requests that are refused, and the status that says so.
//!
//! ```text
//! GET / HTTP/1.1                 400   no Host
//! POST / HTTP/1.1 ...            400   Content-Length twice, even if equal
//! GET /aaaa(9,000 of them)       414   a line may have 8 KiB
//! Transfer-Encoding: gzip        501   only chunked
//! GET / HTTP/2.0                 505
//! ```
//!
//! The statuses are NGINX's. Refused here, and not by NGINX 1.22: a line that ends with LF alone,
//! HTTP/0.9, `Connection` that names a framing header. The sender of such a request is an attacker
//! far more often than an old client.
//!
//! NGINX counterpart: the calls of `ngx_http_finalize_request` in `ngx_http_request.c`.

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It breaks the grammar, or its meaning is ambiguous; the text goes to the log.
    Malformed(&'static str),
    /// The request line is longer than [`LINE_BYTES_MAX`](super::head::LINE_BYTES_MAX).
    UriTooLong,
    /// A header line is too long, or all of them are.
    HeadersTooLarge,
    /// The body is longer than allowed.
    BodyTooLarge,
    /// The method is `CONNECT` or `TRACE`.
    MethodNotAllowed,
    /// `Transfer-Encoding` is not `chunked`.
    UnknownTransferEncoding,
    /// Not HTTP/1.0 or HTTP/1.1.
    UnsupportedVersion,
}

impl Refusal {
    /// The status of the answer.
    pub fn status(self) -> u16 {
        match self {
            Refusal::Malformed(_) | Refusal::HeadersTooLarge => 400,
            Refusal::MethodNotAllowed => 405,
            Refusal::BodyTooLarge => 413,
            Refusal::UriTooLong => 414,
            Refusal::UnknownTransferEncoding => 501,
            Refusal::UnsupportedVersion => 505,
        }
    }

    /// What the log says.
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::Malformed(reason) => reason,
            Refusal::UriTooLong => "client sent too long URI",
            Refusal::HeadersTooLarge => "client sent too large request headers",
            Refusal::BodyTooLarge => "client intended to send too large body",
            Refusal::MethodNotAllowed => "client sent CONNECT or TRACE method",
            Refusal::UnknownTransferEncoding => "client sent unknown \"Transfer-Encoding\"",
            Refusal::UnsupportedVersion => "client sent invalid version",
        }
    }
}
