//! Where a body ends.
//!
//! # Requests
//!
//! ```text
//! Transfer-Encoding   Content-Length    framing
//! -                   -                 None
//! -                   5                 Length(5)
//! chunked             -                 Chunked
//! chunked             5                 refused: one of the two is a lie
//! gzip, chunked       -                 refused (501)
//! -                   5, and again 5    refused, although they agree
//! ```
//!
//! # Responses
//!
//! The request and the status come first: a response to `HEAD`, and one with status 1xx, 204 or
//! 304, has no body. Its headers may still describe one, which is passed on
//! ([`ResponseFraming::Omitted`]). A response without either header ends when the server closes the
//! connection ([`ResponseFraming::UntilClose`]). Requests have no such cases, so [`Framing`] has
//! none.
//!
//! NGINX counterpart: `ngx_http_process_request_header` (`ngx_http_request.c`) and
//! `ngx_http_proxy_process_header`, RFC 9112, section 6.3.

use super::head::{Headers, Known};
use super::refusal::Refusal;

/// The body of a message that says where it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    #[default]
    None,
    /// `Content-Length`: this many bytes.
    Length(u64),
    /// `Transfer-Encoding: chunked`
    Chunked,
}

/// The body of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResponseFraming {
    /// As in a request.
    Framed(Framing),
    /// No body, but `Content-Length` of the one that `GET` would have got, if the server knows it.
    Omitted(Option<u64>),
    /// Everything up to the end of the connection.
    #[default]
    UntilClose,
}

/// What `Content-Length` and `Transfer-Encoding` say, before rules of requests or responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Declared {
    length: Option<u64>,
    is_chunked: bool,
}

impl Framing {
    /// The framing of a request with these headers.
    ///
    /// # Errors
    /// If it is ambiguous, or unknown to us.
    pub fn of_request(headers: Headers<'_>, minor_version: u8) -> Result<Framing, Refusal> {
        let declared = declared(headers)?;
        match declared {
            // An old server on the way would take the chunks for the next request.
            Declared { is_chunked: true, .. } if minor_version == 0 => {
                Err(Refusal::Malformed("client sent HTTP/1.0 request with \"Transfer-Encoding\""))
            }
            Declared { is_chunked: true, .. } => Ok(Framing::Chunked),
            Declared { length: Some(length), .. } => Ok(Framing::Length(length)),
            Declared { length: None, .. } => Ok(Framing::None),
        }
    }
}

impl ResponseFraming {
    /// The framing of a response with this status to a request whose method is `HEAD` or not.
    ///
    /// # Errors
    /// If it is ambiguous, or unknown to us.
    pub fn of_response(
        headers: Headers<'_>,
        status: u16,
        to_head: bool,
    ) -> Result<ResponseFraming, Refusal> {
        // Even where the headers do not count they must not contradict each other.
        let declared = declared(headers)?;
        let framing = match declared {
            _ if matches!(status, 100..200 | 204) => Framing::None,
            Declared { length, .. } if to_head || status == 304 => {
                return Ok(ResponseFraming::Omitted(length));
            }
            Declared { is_chunked: true, .. } => Framing::Chunked,
            Declared { length: Some(length), .. } => Framing::Length(length),
            Declared { length: None, .. } => return Ok(ResponseFraming::UntilClose),
        };
        Ok(ResponseFraming::Framed(framing))
    }
}

fn declared(headers: Headers<'_>) -> Result<Declared, Refusal> {
    let mut declared = Declared::default();
    for value in headers.values(Known::ContentLength) {
        let length = content_length(value);
        let length = length.ok_or(Refusal::Malformed("invalid \"Content-Length\" header"))?;
        if declared.length.replace(length).is_some() {
            return Err(Refusal::Malformed("duplicate \"Content-Length\" header"));
        }
    }
    for value in headers.values(Known::TransferEncoding) {
        if declared.is_chunked {
            return Err(Refusal::Malformed("duplicate \"Transfer-Encoding\" header"));
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::UnknownTransferEncoding);
        }
        declared.is_chunked = true;
    }

    if declared.is_chunked && declared.length.is_some() {
        let both = "\"Content-Length\" and \"Transfer-Encoding\" headers at the same time";
        return Err(Refusal::Malformed(both));
    }
    Ok(declared)
}

/// Digits and nothing else: `+5` and `0x5` mean 5 to some parsers only.
fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::super::head::{RequestHead, ResponseHead};
    use super::*;

    fn request(headers: &str) -> Result<Framing, u16> {
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        let mut head = RequestHead::default();
        match head.parse(text.as_bytes()) {
            Ok(parsed) => {
                assert_eq!(parsed, Some(text.len()));
                Ok(head.framing())
            }
            Err(refusal) => Err(refusal.status()),
        }
    }

    #[test]
    fn the_table_at_the_head_of_the_file() {
        for (headers, expected) in [
            ("", Ok(Framing::None)),
            ("Content-Length: 5\r\n", Ok(Framing::Length(5))),
            ("Content-Length: 0\r\n", Ok(Framing::Length(0))),
            ("Transfer-Encoding: Chunked\r\n", Ok(Framing::Chunked)),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Err(400)),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", Err(400)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(400)),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(501)),
            ("Transfer-Encoding: ,chunked\r\n", Err(501)),
            ("Transfer-Encoding: chunked\x0b\r\n", Err(400)),
            ("Transfer-Encoding : chunked\r\n", Err(400)),
            ("Transfer-Encoding: \u{a0}chunked\r\n", Err(501)),
            ("Content-Length: +5\r\n", Err(400)),
            ("Content-Length: 5 5\r\n", Err(400)),
            ("Content-Length: 0x5\r\n", Err(400)),
            ("Content-Length:\r\n", Err(400)),
            ("Content-Length: 99999999999999999999\r\n", Err(400)),
        ] {
            assert_eq!(request(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_response_is_framed_by_its_request_and_status_first() {
        use ResponseFraming::{Framed, Omitted, UntilClose};
        for (headers, status, to_head, expected) in [
            ("Content-Length: 5\r\n", 200, false, Some(Framed(Framing::Length(5)))),
            ("Content-Length: 5\r\n", 200, true, Some(Omitted(Some(5)))),
            ("Content-Length: 5\r\n", 304, false, Some(Omitted(Some(5)))),
            ("Transfer-Encoding: chunked\r\n", 200, true, Some(Omitted(None))),
            ("Transfer-Encoding: chunked\r\n", 204, false, Some(Framed(Framing::None))),
            ("Transfer-Encoding: chunked\r\n", 200, false, Some(Framed(Framing::Chunked))),
            ("", 200, false, Some(UntilClose)),
            ("Content-Length: 0\r\n", 200, false, Some(Framed(Framing::Length(0)))),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", 200, false, None),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 200, true, None),
        ] {
            let text = format!("HTTP/1.1 {status} X\r\n{headers}\r\n");
            let mut head = ResponseHead::default();
            let found = head.parse(text.as_bytes(), to_head, 4096).ok().map(|_| head.framing());
            assert_eq!(found, expected, "{status} {headers:?}");
        }
    }
}
