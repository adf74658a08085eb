//! As much of HTTP/1.1 as an admin page needs, without sockets: bytes become a request, a response
//! becomes bytes.
//!
//! ```text
//! GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n     method GET, path /metrics
//! GET /met                                        incomplete: more bytes are needed
//! GET  /metrics HTTP/1.1\r\n\r\n                   400, two spaces
//! ```
//!
//! The head is parsed by `httparse`. Left out: bodies of requests (no page takes one), chunked
//! encoding, keep-alive. Every response says `Connection: close`: a scraper sends four requests a
//! minute and a browser one every two seconds, so a connection each costs little. Redis has no
//! HTTP; its `securityWarningCommand` (`networking.c`) closes connections that try.

use httparse::{EMPTY_HEADER, Error, Request, Status};

/// The longest request head accepted, bytes. Browsers send about one thousand.
const HEAD_MAX: usize = 8 * 1024;
/// The most header fields accepted. Browsers send about twenty.
const FIELDS_MAX: usize = 100;

pub(super) const OK: &str = "200 OK";
const BAD_REQUEST: &str = "400 Bad Request";
pub(super) const NOT_FOUND: &str = "404 Not Found";
pub(super) const METHOD_NOT_ALLOWED: &str = "405 Method Not Allowed";
const HEAD_TOO_LARGE: &str = "431 Request Header Fields Too Large";
pub(super) const UNAVAILABLE: &str = "503 Service Unavailable";

/// What the bytes received so far are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// The head has not ended yet.
    Incomplete,
    /// Not a request that we answer. Respond with this status.
    Bad(&'static str),
    /// A request for `path`, which begins with `/` and ends before any `?`.
    Request { method: &'a str, path: &'a str },
}

/// Reads the head of a request.
pub(super) fn parse(received: &[u8]) -> Parsed<'_> {
    let mut fields = [EMPTY_HEADER; FIELDS_MAX];
    let mut request = Request::new(&mut fields);
    match request.parse(&received[..received.len().min(HEAD_MAX)]) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) if received.len() < HEAD_MAX => return Parsed::Incomplete,
        Ok(Status::Partial) | Err(Error::TooManyHeaders) => return Parsed::Bad(HEAD_TOO_LARGE),
        Err(_) => return Parsed::Bad(BAD_REQUEST),
    }
    match (request.method, request.path) {
        (Some(method), Some(target)) if target.starts_with('/') => {
            Parsed::Request { method, path: target.split('?').next().unwrap_or(target) }
        }
        _ => Parsed::Bad(BAD_REQUEST),
    }
}

/// A response before it is encoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    /// Code and reason, as in [`OK`].
    pub(super) status: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Response {
    /// A response of a few words.
    pub(super) fn text(status: &'static str, body: impl Into<String>) -> Response {
        Response { status, content_type: "text/plain; charset=utf-8", body: body.into() + "\n" }
    }

    /// The bytes to send. `with_body` is false for HEAD, whose response has the head of GET.
    pub(super) fn to_bytes(&self, with_body: bool) -> Vec<u8> {
        let Response { status, content_type, body } = self;
        let allow = if *status == METHOD_NOT_ALLOWED { "Allow: GET, HEAD\r\n" } else { "" };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
             Connection: close\r\n{allow}\r\n",
            body.len(),
        );
        let body = if with_body { body.as_str() } else { "" };
        (head + body).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        for (text, method, path) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/"),
            ("HEAD /metrics?a=b?c HTTP/1.0\r\n\r\n", "HEAD", "/metrics"),
            ("POST /x HTTP/1.1\n\nbody", "POST", "/x"),
        ] {
            assert_eq!(parse(text.as_bytes()), Parsed::Request { method, path }, "{text:?}");
        }
    }

    #[test]
    fn a_request_in_pieces_is_incomplete_until_its_last_byte() {
        let text = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]), Parsed::Incomplete, "{end}");
        }
        assert!(matches!(parse(text), Parsed::Request { .. }));
    }

    #[test]
    fn bytes_that_are_not_a_request() {
        for text in [
            &b"GET\r\n\r\n"[..],
            b"GET  / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1 x\r\n\r\n",
            b"GET metrics HTTP/1.1\r\n\r\n",
            b"G{T / HTTP/1.1\r\n\r\n",
            b"GET / FTP/1.1\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\n\r\n",
            b"*1\r\n$4\r\nPING\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET / HTTP/2.0\r\n\r\n",
        ] {
            assert_eq!(parse(text), Parsed::Bad(BAD_REQUEST), "{text:?}");
        }
    }

    #[test]
    fn a_head_without_end_is_bounded() {
        assert_eq!(parse(&[b'a'; HEAD_MAX - 1]), Parsed::Incomplete);
        assert_eq!(parse(&[b'a'; HEAD_MAX]), Parsed::Bad(HEAD_TOO_LARGE));
        let fields = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(FIELDS_MAX + 1));
        assert_eq!(parse(fields.as_bytes()), Parsed::Bad(HEAD_TOO_LARGE));
    }

    #[test]
    fn a_response_has_the_length_of_its_body_in_bytes() {
        let response = Response::text(OK, "é");
        let bytes = String::from_utf8(response.to_bytes(true)).expect("text");
        assert!(bytes.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain"), "{bytes}");
        assert!(bytes.contains("\r\nContent-Length: 3\r\n"), "{bytes}");
        assert!(bytes.ends_with("\r\nConnection: close\r\n\r\né\n"), "{bytes}");
        let head = String::from_utf8(response.to_bytes(false)).expect("text");
        assert_eq!(head + "é\n", bytes);
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        let bytes = Response::text(METHOD_NOT_ALLOWED, "").to_bytes(true);
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.contains("\r\nAllow: GET, HEAD\r\n"), "{text}");
    }
}
