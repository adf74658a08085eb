//! As much of HTTP/1.1 as an admin page needs, without sockets: bytes become a request, a response
//! becomes bytes.
//!
//! ```text
//! GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n     method GET, path /metrics
//! GET /met                                        incomplete: more bytes are needed
//! GET  /metrics HTTP/1.1\r\n\r\n                   400, two spaces
//! ```
//!
//! Left out: bodies of requests (no page takes one), chunked encoding, keep-alive. Every response
//! says `Connection: close`: a scraper sends four requests a minute and a browser one every two
//! seconds, so a connection each costs little. The grammar is RFC 9112. Redis has no HTTP; its
//! `securityWarningCommand` (`networking.c`) closes connections that try.

/// The longest request head accepted, bytes. Browsers send about one thousand.
pub(super) const HEAD_MAX: usize = 8 * 1024;

/// What the bytes received so far are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// The head has not ended yet.
    Incomplete,
    /// Not a request that we answer. Respond with this status.
    Bad(Status),
    /// A request for `path`, which begins with `/` and ends before any `?`.
    Request { method: &'a str, path: &'a str },
}

/// The statuses this server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    HeadTooLarge,
    Unavailable,
    VersionNotSupported,
}

impl Status {
    fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::HeadTooLarge => "431 Request Header Fields Too Large",
            Status::Unavailable => "503 Service Unavailable",
            Status::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

/// Reads the head of a request.
pub(super) fn parse(received: &[u8]) -> Parsed<'_> {
    let Some(head) = head(received) else {
        let too_large = received.len() >= HEAD_MAX;
        return if too_large { Parsed::Bad(Status::HeadTooLarge) } else { Parsed::Incomplete };
    };
    let Ok(head) = str::from_utf8(head) else { return Parsed::Bad(Status::BadRequest) };
    let line = head.lines().next().unwrap_or_default();
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Parsed::Bad(Status::BadRequest);
    };
    if !is_token(method) || !target.starts_with('/') || !version.starts_with("HTTP/") {
        return Parsed::Bad(Status::BadRequest);
    }
    if !version.starts_with("HTTP/1.") {
        return Parsed::Bad(Status::VersionNotSupported);
    }
    let path = target.split('?').next().unwrap_or(target);
    Parsed::Request { method, path }
}

/// Everything before the empty line that ends the head. A bare line feed also ends a line, as the
/// RFC allows receivers.
fn head(received: &[u8]) -> Option<&[u8]> {
    let window = &received[..received.len().min(HEAD_MAX)];
    let end = (0..window.len()).find(|at| {
        let rest = &window[*at..];
        rest.starts_with(b"\n\r\n") || rest.starts_with(b"\n\n")
    })?;
    Some(&window[..end])
}

fn is_token(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// A response before it is encoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: Status,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Response {
    /// A response of a few words.
    pub(super) fn text(status: Status, body: impl Into<String>) -> Response {
        Response { status, content_type: "text/plain; charset=utf-8", body: body.into() + "\n" }
    }

    /// The bytes to send. `with_body` is false for HEAD, whose response has the head of GET.
    pub(super) fn to_bytes(&self, with_body: bool) -> Vec<u8> {
        let allow = match self.status {
            Status::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            _ => "",
        };
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nConnection: close\r\n{allow}\r\n",
            self.status.line(),
            self.content_type,
            self.body.len(),
        );
        let body = if with_body { self.body.as_str() } else { "" };
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
            &b"\r\n\r\n"[..],
            b"GET\r\n\r\n",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1 x\r\n\r\n",
            b"GET metrics HTTP/1.1\r\n\r\n",
            b"G{T / HTTP/1.1\r\n\r\n",
            b"GET / FTP/1.1\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\n\r\n",
            b"*1\r\n$4\r\nPING\r\n\r\n",
        ] {
            assert_eq!(parse(text), Parsed::Bad(Status::BadRequest), "{text:?}");
        }
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        assert_eq!(parse(preface), Parsed::Bad(Status::BadRequest));
        let newer = b"GET / HTTP/2.0\r\n\r\n";
        assert_eq!(parse(newer), Parsed::Bad(Status::VersionNotSupported));
    }

    #[test]
    fn a_head_without_end_is_bounded() {
        assert_eq!(parse(&[b'a'; HEAD_MAX - 1]), Parsed::Incomplete);
        assert_eq!(parse(&[b'a'; HEAD_MAX]), Parsed::Bad(Status::HeadTooLarge));
    }

    #[test]
    fn a_response_has_the_length_of_its_body_in_bytes() {
        let response = Response::text(Status::Ok, "é");
        let bytes = String::from_utf8(response.to_bytes(true)).expect("text");
        assert!(bytes.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain"), "{bytes}");
        assert!(bytes.contains("\r\nContent-Length: 3\r\n"), "{bytes}");
        assert!(bytes.ends_with("\r\nConnection: close\r\n\r\né\n"), "{bytes}");
        let head = String::from_utf8(response.to_bytes(false)).expect("text");
        assert_eq!(head + "é\n", bytes);
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        let bytes = Response::text(Status::MethodNotAllowed, "").to_bytes(true);
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.contains("\r\nAllow: GET, HEAD\r\n"), "{text}");
    }
}
