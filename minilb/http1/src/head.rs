//! Heads: a request line or status line, and headers.
//!
//! # Example
//!
//! ```text
//! GET /a?b HTTP/1.1\r\n        method GET, uri /a?b, minor_version 1
//! Host: Example.com:80\r\n     host example.com
//! Connection: close\r\n        keep_alive false
//! X_y: 1\r\n                   left out: NGINX ignores names with other than letters, digits, -
//! \r\n                         the head ends here: parse returns Some(62)
//! ```
//!
//! # How
//!
//! `httparse` parses a head at once if all of it has come, as nearly always. If not, its end is
//! searched line by line from where the last search stopped, so a client that sends one byte at a
//! time costs one look at each byte. A complete head is copied into the [`RequestHead`], which
//! remembers offsets. So the buffer that the bytes came in is free for the body at once, and a
//! head that is used again for the next request allocates nothing.
//!
//! Lines that end with LF alone are refused; `httparse` would accept them, and so would NGINX.
//!
//! NGINX counterpart: `ngx_http_parse_request_line`, `ngx_http_parse_header_line`
//! (`ngx_http_parse.c`), `ngx_http_process_host` and `ngx_http_validate_host`
//! (`ngx_http_request.c`).

use super::framing::{Framing, ResponseFraming};
use super::refusal::Refusal;
use std::mem::MaybeUninit;

/// The longest line of a head: one of NGINX's `large_client_header_buffers`.
pub const LINE_BYTES_MAX: usize = 8 * 1024;
/// The longest head: all four of them.
pub const HEAD_BYTES_MAX: usize = 4 * LINE_BYTES_MAX;
/// More headers than this are refused as too large. NGINX counts bytes only.
const HEADERS_MAX: usize = 128;

/// Headers that a proxy acts on; recognized once, when a head is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// `Connection`
    Connection,
    /// `Content-Length`
    ContentLength,
    /// `Content-Type`
    ContentType,
    /// `Date`
    Date,
    /// `Expect`
    Expect,
    /// `Host`
    Host,
    /// `Keep-Alive`
    KeepAlive,
    /// `Location`
    Location,
    /// `Server`
    Server,
    /// `TE`
    Te,
    /// `Trailer`
    Trailer,
    /// `Transfer-Encoding`
    TransferEncoding,
    /// `Upgrade`
    Upgrade,
    /// Any other.
    Other,
}

impl Known {
    /// Recognizes a name, in any case.
    pub fn of(name: &[u8]) -> Known {
        match name.len() {
            2 if is(name, b"te") => Known::Te,
            4 if is(name, b"host") => Known::Host,
            4 if is(name, b"date") => Known::Date,
            6 if is(name, b"server") => Known::Server,
            6 if is(name, b"expect") => Known::Expect,
            7 if is(name, b"trailer") => Known::Trailer,
            7 if is(name, b"upgrade") => Known::Upgrade,
            8 if is(name, b"location") => Known::Location,
            10 if is(name, b"connection") => Known::Connection,
            10 if is(name, b"keep-alive") => Known::KeepAlive,
            12 if is(name, b"content-type") => Known::ContentType,
            14 if is(name, b"content-length") => Known::ContentLength,
            17 if is(name, b"transfer-encoding") => Known::TransferEncoding,
            _ => Known::Other,
        }
    }

    /// Returns true if the header is about one connection and never passed on. `Trailer` announces
    /// trailers, which are dropped.
    pub fn is_hop_by_hop(self) -> bool {
        use Known::*;
        matches!(
            self,
            Connection
                | ContentLength
                | Expect
                | KeepAlive
                | Te
                | Trailer
                | TransferEncoding
                | Upgrade
        )
    }
}

/// Compares whole words, with the bit set that makes letters lower case. No other byte that may be
/// in a name becomes one of these by it.
fn is<const LENGTH: usize>(name: &[u8], lower_case: &[u8; LENGTH]) -> bool {
    let Some(name) = name.as_array::<LENGTH>() else { return false };
    (0..LENGTH).fold(0, |all, it| all | ((name[it] | 0x20) ^ lower_case[it])) == 0
}

/// One header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Recognized.
    pub known: Known,
    /// As it was sent.
    pub name: &'a [u8],
    /// Without the space around it.
    pub value: &'a [u8],
}

/// Headers in the order they came.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    bytes: &'a [u8],
    fields: &'a [Field],
}

impl<'a> Headers<'a> {
    /// The value of the first header with this name, in any case.
    pub fn get(self, name: &[u8]) -> Option<&'a [u8]> {
        self.into_iter().find(|it| it.name.eq_ignore_ascii_case(name)).map(|it| it.value)
    }

    /// The values of all headers that were recognized as this one.
    pub fn values(self, known: Known) -> impl Iterator<Item = &'a [u8]> {
        let fields = self.fields.iter().filter(move |it| it.known == known);
        fields.map(move |it| it.value.of(self.bytes))
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        let (field, rest) = self.fields.split_first()?;
        self.fields = rest;
        let Field { known, name, value } = *field;
        Some(Header { known, name: name.of(self.bytes), value: value.of(self.bytes) })
    }
}

/// A range of a head's bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Where `part` is inside of `whole`. Heads are shorter than 4 GiB.
    fn find(whole: &[u8], part: &[u8]) -> Span {
        let start = part.as_ptr().addr() - whole.as_ptr().addr();
        Span { start: start as u32, end: (start + part.len()) as u32 }
    }

    fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }
}

#[derive(Clone, Copy, Debug)]
struct Field {
    known: Known,
    name: Span,
    value: Span,
}

/// What `Connection` says.
#[derive(Clone, Copy, Debug, Default)]
struct ConnectionOptions {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
    /// It names headers that are not to be passed on.
    names_others: bool,
}

impl ConnectionOptions {
    fn read(headers: Headers<'_>) -> Result<ConnectionOptions, Refusal> {
        let mut options = ConnectionOptions::default();
        for value in headers.values(Known::Connection) {
            for token in tokens(value) {
                match Known::of(token) {
                    Known::KeepAlive => options.keep_alive = true,
                    Known::Upgrade => options.upgrade = true,
                    // A proxy that obeyed would remove what the next server needs for framing.
                    Known::ContentLength | Known::TransferEncoding | Known::Host => {
                        let text = "\"Connection\" header names a framing header";
                        return Err(Refusal::Malformed(text));
                    }
                    _ if token.eq_ignore_ascii_case(b"close") => options.close = true,
                    _ => options.names_others = true,
                }
            }
        }
        Ok(options)
    }

    /// Returns true if the connection stays open after this message.
    fn persists(self, is_http_1_0: bool) -> bool {
        !self.close && (!is_http_1_0 || self.keep_alive)
    }
}

/// The elements of a comma-separated value, without the space around them.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|it| !it.is_empty())
}

/// How far the search for the end of a head has come.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    /// Where the first line begins, after empty lines that are ignored.
    start: usize,
    line_start: usize,
    /// Everything before this was looked at.
    next: usize,
}

impl Scan {
    /// Continues with `input`, which begins with what was given before. Returns the range of the
    /// head if it is complete.
    fn find_end(&mut self, input: &[u8], max: usize) -> Result<Option<(usize, usize)>, Refusal> {
        for index in memchr::memchr_iter(b'\n', &input[self.next..]) {
            let newline = self.next + index;
            if newline == self.line_start || input[newline - 1] != b'\r' {
                return Err(Refusal::Malformed("a line ends with LF alone"));
            }
            let length = newline - 1 - self.line_start;
            self.check_length(length, newline, max)?;

            let is_first = self.line_start == self.start;
            self.line_start = newline + 1;
            match (length, is_first) {
                // Old clients send an empty line after a body.
                (0, true) => self.start = newline + 1,
                (0, false) => return Ok(Some((self.start, newline + 1))),
                _ => {}
            }
        }
        self.next = input.len();
        self.check_length(input.len() - self.line_start, input.len(), max)?;
        Ok(None)
    }

    /// The part of `input` in which a head is short, if none of it was looked at.
    fn unseen(self, input: &[u8], max: usize) -> Option<&[u8]> {
        (self.next == 0).then(|| &input[..input.len().min(LINE_BYTES_MAX).min(max)])
    }

    fn check_length(&self, line: usize, all: usize, max: usize) -> Result<(), Refusal> {
        let is_long = line > LINE_BYTES_MAX.min(max);
        match self.line_start == self.start {
            true if is_long => Err(Refusal::UriTooLong),
            _ if is_long || all > max => Err(Refusal::HeadersTooLarge),
            _ => Ok(()),
        }
    }
}

/// The head that `httparse` has found, unless empty lines are in front of it, or a line ends with
/// LF alone. Both are for [`Scan::find_end`] to judge.
fn whole_head(status: httparse::Status<usize>, input: &[u8]) -> Option<&[u8]> {
    let httparse::Status::Complete(end) = status else { return None };
    let (head, next) = (&input[..end], &input[1..end]);
    let is_bare = |(it, next): (&u8, &u8)| (*it != b'\r') & (*next == b'\n');
    let has_bare = head.iter().zip(next).fold(false, |found, it| found | is_bare(it));
    (!has_bare && !matches!(head[0], b'\r' | b'\n')).then_some(head)
}

/// The head of a request: empty until [`RequestHead::parse`] fills it. Reused for one request after
/// another.
#[derive(Debug, Default)]
pub struct RequestHead {
    scan: Scan,
    bytes: Vec<u8>,
    line: Span,
    method: Span,
    uri: Span,
    is_http_1_0: bool,
    fields: Vec<Field>,
    host: Vec<u8>,
    framing: Framing,
    connection: ConnectionOptions,
    expects_continue: bool,
}

impl RequestHead {
    /// Forgets the last request, which may have been parsed in part.
    pub fn clear(&mut self) {
        self.scan = Scan::default();
        self.bytes.clear();
        self.fields.clear();
        self.host.clear();
        (self.line, self.method, self.uri) = Default::default();
    }

    /// Parses the head at the beginning of `input`. Returns its length, or `None` if it is not
    /// complete: call again with the same bytes and more.
    ///
    /// # Errors
    /// If the request must be refused; the connection is of no use after that.
    pub fn parse(&mut self, input: &[u8]) -> Result<Option<usize>, Refusal> {
        if let Some(near) = self.scan.unseen(input, HEAD_BYTES_MAX)
            && let Ok(Some(end)) = self.read(near)
        {
            return Ok(Some(end));
        }
        let Some((start, end)) = self.scan.find_end(input, HEAD_BYTES_MAX)? else {
            return Ok(None);
        };

        // The log shows the line of a head that is refused. The scan has seen a CR before each LF.
        self.clear();
        self.bytes.extend_from_slice(&input[start..end]);
        let line_end = memchr::memchr(b'\n', &self.bytes).map_or(0, |lf| lf - 1);
        self.line = Span { start: 0, end: line_end as u32 };
        Ok(self.read(&input[start..end])?.map(|_| end))
    }

    /// Takes over a head that is whole.
    fn read(&mut self, input: &[u8]) -> Result<Option<usize>, Refusal> {
        let mut headers = [MaybeUninit::uninit(); HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut []);
        let result = parsed.parse_with_uninit_headers(input, &mut headers);
        let status = result.map_err(|error| refusal_of(error, self.line()))?;
        let Some(head) = whole_head(status, input) else { return Ok(None) };
        self.clear();
        self.bytes.extend_from_slice(head);

        // The head is complete, so httparse has found each of these.
        let method = parsed.method.unwrap_or_default().as_bytes();
        let path = parsed.path.unwrap_or_default().as_bytes();
        self.method = Span::find(head, method);
        self.line = Span { start: 0, end: Span::find(head, path).end + b" HTTP/1.1".len() as u32 };
        self.is_http_1_0 = parsed.version == Some(0);
        add_fields(&mut self.fields, head, parsed.headers, true);
        let (authority, uri) = split_target(path)?;
        check_method(method)?;
        self.uri = Span::find(head, uri);
        let authority = authority.map(|it| Span::find(head, it));

        self.read_host(authority)?;
        self.connection = ConnectionOptions::read(self.headers())?;
        self.framing = Framing::of_request(self.headers(), self.minor_version())?;
        let expect = self.headers().values(Known::Expect).next();
        self.expects_continue =
            !self.is_http_1_0 && expect.is_some_and(|it| it.eq_ignore_ascii_case(b"100-continue"));
        Ok(Some(head.len()))
    }

    /// Sets the host from the target if it has one, or else from `Host`.
    fn read_host(&mut self, authority: Option<Span>) -> Result<(), Refusal> {
        let mut hosts = self.fields.iter().filter(|it| it.known == Known::Host);
        let host = hosts.next().map(|it| it.value);
        if hosts.next().is_some() {
            return Err(Refusal::Malformed("client sent duplicate \"Host\" header"));
        }
        if host.is_none() && !self.is_http_1_0 {
            let text = "client sent HTTP/1.1 request without \"Host\" header";
            return Err(Refusal::Malformed(text));
        }

        // Both must be valid, and the one in the target counts (RFC 9112, section 3.2.2).
        for host in [host, authority].into_iter().flatten() {
            self.host.clear();
            let name = host_name(host.of(&self.bytes));
            let name = name.ok_or(Refusal::Malformed("client sent invalid host"))?;
            self.host.extend(name.iter().map(u8::to_ascii_lowercase));
        }
        Ok(())
    }

    /// `GET /a?b HTTP/1.1`
    pub fn line(&self) -> &[u8] {
        self.line.of(&self.bytes)
    }

    /// `GET`
    pub fn method(&self) -> &[u8] {
        self.method.of(&self.bytes)
    }

    /// Path and query as they were sent, without scheme and host: `/a?b`.
    pub fn uri(&self) -> &[u8] {
        self.uri.of(&self.bytes)
    }

    /// 0 or 1.
    pub fn minor_version(&self) -> u8 {
        u8::from(!self.is_http_1_0)
    }

    /// In lower case and without port; empty if an HTTP/1.0 client named none.
    pub fn host(&self) -> &[u8] {
        &self.host
    }

    /// All headers with valid names.
    pub fn headers(&self) -> Headers<'_> {
        Headers { bytes: &self.bytes, fields: &self.fields }
    }

    /// Where the body ends.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Returns true if the client wants to send another request on the connection.
    pub fn keep_alive(&self) -> bool {
        self.connection.persists(self.is_http_1_0)
    }

    /// Returns true if the client waits for `100 Continue` before it sends the body.
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// Returns true if the method is `HEAD`, whose responses have no body.
    pub fn is_head(&self) -> bool {
        self.method() == b"HEAD"
    }

    /// The protocol that the client wants to change to, such as `websocket`.
    pub fn upgrade(&self) -> Option<&[u8]> {
        self.headers().values(Known::Upgrade).next().filter(|_| self.connection.upgrade)
    }

    /// Bytes of the head.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The headers to pass on: neither those of one connection nor those that `Connection` names.
    pub fn end_to_end(&self) -> impl Iterator<Item = Header<'_>> {
        end_to_end(self.headers(), self.connection)
    }
}

/// The head of a response: empty until [`ResponseHead::parse`] fills it. Reused for one response
/// after another.
#[derive(Debug, Default)]
pub struct ResponseHead {
    scan: Scan,
    bytes: Vec<u8>,
    status: u16,
    reason: Span,
    is_http_1_0: bool,
    fields: Vec<Field>,
    framing: ResponseFraming,
    connection: ConnectionOptions,
}

impl ResponseHead {
    /// Forgets the last response.
    pub fn clear(&mut self) {
        self.scan = Scan::default();
        self.bytes.clear();
        self.fields.clear();
        self.status = 0;
    }

    /// Parses the head at the beginning of `input`, at most `max` bytes of it. `to_head` is true if
    /// the method of the request is `HEAD`. Returns its length, or `None` if it is not complete.
    ///
    /// # Errors
    /// If it is no response that can be passed on: the answer to the client is 502.
    pub fn parse(
        &mut self,
        input: &[u8],
        to_head: bool,
        max: usize,
    ) -> Result<Option<usize>, Refusal> {
        if let Some(near) = self.scan.unseen(input, max)
            && let Ok(Some(end)) = self.read(near, to_head)
        {
            return Ok(Some(end));
        }
        let Some((start, end)) = self.scan.find_end(input, max)? else { return Ok(None) };
        Ok(self.read(&input[start..end], to_head)?.map(|_| end))
    }

    /// Takes over a head that is whole.
    fn read(&mut self, input: &[u8], to_head: bool) -> Result<Option<usize>, Refusal> {
        let mut headers = [MaybeUninit::uninit(); HEADERS_MAX];
        let mut parsed = httparse::Response::new(&mut []);
        let status = httparse::ParserConfig::default()
            .parse_response_with_uninit_headers(&mut parsed, input, &mut headers)
            .map_err(|error| refusal_of(error, b""))?;
        let Some(head) = whole_head(status, input) else { return Ok(None) };
        self.clear();
        self.bytes.extend_from_slice(head);

        // The head is complete, so httparse has found each of these.
        self.status = parsed.code.unwrap_or_default();
        let reason = parsed.reason.unwrap_or_default().as_bytes();
        // httparse gives a constant in place of a reason that is not UTF-8.
        let is_inside = head.as_ptr_range().contains(&reason.as_ptr());
        self.reason = if is_inside { Span::find(head, reason) } else { Span::default() };
        self.is_http_1_0 = parsed.version == Some(0);
        add_fields(&mut self.fields, head, parsed.headers, false);
        self.connection = ConnectionOptions::read(self.headers())?;
        self.framing = ResponseFraming::of_response(self.headers(), self.status, to_head)?;
        Ok(Some(head.len()))
    }

    /// 100 to 999; 0 if nothing is parsed yet.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The text after the status.
    pub fn reason(&self) -> &[u8] {
        self.reason.of(&self.bytes)
    }

    /// All headers.
    pub fn headers(&self) -> Headers<'_> {
        Headers { bytes: &self.bytes, fields: &self.fields }
    }

    /// Where the body ends.
    pub fn framing(&self) -> ResponseFraming {
        self.framing
    }

    /// Returns true if the server keeps the connection open.
    pub fn keep_alive(&self) -> bool {
        self.connection.persists(self.is_http_1_0)
    }

    /// The headers to pass on: neither those of one connection nor those that `Connection` names.
    pub fn end_to_end(&self) -> impl Iterator<Item = Header<'_>> {
        end_to_end(self.headers(), self.connection)
    }
}

fn end_to_end(
    headers: Headers<'_>,
    connection: ConnectionOptions,
) -> impl Iterator<Item = Header<'_>> {
    headers.filter(move |it| {
        let is_listed = connection.names_others && is_named(headers, it.name);
        !it.known.is_hop_by_hop() && !is_listed
    })
}

/// Returns true if `Connection` names this header.
fn is_named(headers: Headers<'_>, name: &[u8]) -> bool {
    let mut named = headers.values(Known::Connection).flat_map(tokens);
    named.any(|token| token.eq_ignore_ascii_case(name))
}

/// Appends the fields of parsed headers. `strict` leaves out names with other characters than
/// letters, digits and `-`: behind a gateway that turns `-` into `_` (CGI), names with an
/// underscore could pretend to be headers that this proxy sets.
fn add_fields(to: &mut Vec<Field>, head: &[u8], parsed: &[httparse::Header<'_>], strict: bool) {
    // Without a branch, as this looks at each byte of each name that is not known.
    let is_valid = |all: bool, it: u8| all & (it.is_ascii_alphanumeric() | (it == b'-'));
    to.reserve(parsed.len());
    for httparse::Header { name, value } in parsed {
        let known = Known::of(name.as_bytes());
        if !strict || known != Known::Other || name.bytes().fold(true, is_valid) {
            let name = Span::find(head, name.as_bytes());
            to.push(Field { known, name, value: Span::find(head, value) });
        }
    }
}

fn refusal_of(error: httparse::Error, line: &[u8]) -> Refusal {
    let words = line.split(|it| *it == b' ').count();
    let has_version = matches!(line, [.., b'/', b'1'..=b'9', b'.', b'0'..=b'9']);
    match error {
        httparse::Error::TooManyHeaders => Refusal::HeadersTooLarge,
        // Without a version it is HTTP/0.9, which is not understood at all.
        httparse::Error::Version if has_version && words == 3 => Refusal::UnsupportedVersion,
        httparse::Error::HeaderName => Refusal::Malformed("invalid header name"),
        httparse::Error::HeaderValue => Refusal::Malformed("invalid header value"),
        _ => Refusal::Malformed("invalid request line or header line"),
    }
}

fn check_method(method: &[u8]) -> Result<(), Refusal> {
    if matches!(method, b"CONNECT" | b"TRACE") {
        return Err(Refusal::MethodNotAllowed);
    }
    let is_valid = |it: &u8| it.is_ascii_uppercase() || matches!(it, b'_' | b'-');
    let refusal = Refusal::Malformed("client sent invalid method");
    method.iter().all(is_valid).then_some(()).ok_or(refusal)
}

/// Splits a target into the authority of `http://authority/path` and the rest.
fn split_target(target: &[u8]) -> Result<(Option<&[u8]>, &[u8]), Refusal> {
    if target.starts_with(b"/") {
        return Ok((None, target));
    }
    let scheme = memchr::memmem::find(target, b"://")
        .filter(|end| *end > 0 && target[..*end].iter().all(u8::is_ascii_alphabetic));
    let end = scheme.ok_or(Refusal::Malformed("client sent invalid request"))?;

    let rest = &target[end + 3..];
    let authority = rest.iter().position(|it| matches!(it, b'/' | b'?' | b'#'));
    let (authority, uri) = rest.split_at(authority.unwrap_or(rest.len()));
    match uri {
        // The path of `http://host` is `/`; this one is that of `://`.
        [] => Ok((Some(authority), &target[end + 1..end + 2])),
        [b'/', ..] => Ok((Some(authority), uri)),
        _ => Err(Refusal::Malformed("client sent invalid request")),
    }
}

/// A host without its port and a trailing dot. Returns `None` if it cannot be a host.
fn host_name(host: &[u8]) -> Option<&[u8]> {
    let is_invalid = |it: &u8| *it <= b' ' || matches!(*it, b'/' | b'\\' | b'@' | 0x7f);
    if host.iter().any(is_invalid) || memchr::memmem::find(host, b"..").is_some() {
        return None;
    }
    let (name, port) = match host.iter().rposition(|it| *it == b':') {
        _ if host.ends_with(b"]") => (host, &b""[..]),
        Some(colon) => (&host[..colon], &host[colon + 1..]),
        None => (host, &b""[..]),
    };
    let name = name.strip_suffix(b".").unwrap_or(name);
    let has_colon = !name.starts_with(b"[") && name.contains(&b':');
    let is_valid = !name.is_empty() && !has_colon && port.iter().all(u8::is_ascii_digit);
    is_valid.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RequestHead, u16> {
        let mut head = RequestHead::default();
        match head.parse(text.as_bytes()) {
            Ok(Some(length)) => {
                assert!(text.is_char_boundary(length));
                Ok(head)
            }
            Ok(None) => Err(0),
            Err(refusal) => Err(refusal.status()),
        }
    }

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let text = "GET /a?b HTTP/1.1\r\nHost: Example.com:80\r\nConnection: close\r\n\
                    X_y: 1\r\n\r\n";
        let mut head = RequestHead::default();
        for end in 0..text.len() {
            assert_eq!(head.parse(&text.as_bytes()[..end]), Ok(None), "{end}");
        }
        let input = format!("{text}the body");
        assert_eq!(head.parse(input.as_bytes()), Ok(Some(text.len())));
        assert_eq!((head.method(), head.uri()), (&b"GET"[..], &b"/a?b"[..]));
        assert_eq!((head.host(), head.minor_version()), (&b"example.com"[..], 1));
        assert_eq!(head.line(), b"GET /a?b HTTP/1.1");
        assert!(!head.keep_alive());
        let names = head.headers().map(|it| it.name).collect::<Vec<_>>();
        assert_eq!(names, [b"Host".as_slice(), b"Connection"]);
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for (text, status) in [
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
            ("GET / HTTP/1.1\nHost: a\n\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\0\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r2\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\n\r\n", 400),
            ("get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
            ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
            ("GET /\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ] {
            assert_eq!(parse(text).err(), Some(status), "{text:?}");
        }
        let long = "a".repeat(LINE_BYTES_MAX);
        assert_eq!(parse(&format!("GET /{long}")).err(), Some(414));
        assert_eq!(parse(&format!("GET / HTTP/1.1\r\nX: {long}")).err(), Some(400));
        let many = "X: 1\r\n".repeat(HEADERS_MAX + 1);
        assert_eq!(parse(&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n")).err(), Some(400));
        let large = format!("X: {}\r\n", "a".repeat(7_000)).repeat(5);
        assert_eq!(parse(&format!("GET / HTTP/1.1\r\nHost: a\r\n{large}")).err(), Some(400));
    }

    #[test]
    fn a_head_in_one_piece_means_what_it_means_in_many() {
        let long =
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "b".repeat(LINE_BYTES_MAX));
        for text in [
            "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /",
            "GET http://b/a?c HTTP/1.0\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: \n\r\n",
            "GET / HTTP/1.1\r\nHost: a \r\nX:\r\nY: \t\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/9.9\r\nHost: a\r\n\r\n",
            long.as_str(),
        ] {
            let judged = |steps: &mut dyn Iterator<Item = usize>| {
                let mut head = RequestHead::default();
                let mut results = steps.map(|end| head.parse(&text.as_bytes()[..end]));
                let result = results.find(|it| *it != Ok(None)).map(|it| it.map_err(|_| ()));
                (result, String::from_utf8_lossy(head.line()).into_owned())
            };
            let (whole, pieces) =
                (judged(&mut std::iter::once(text.len())), judged(&mut (1..=text.len())));
            assert_eq!(whole, pieces, "{text:?}");
        }
    }

    #[test]
    fn a_refused_head_has_its_line_for_the_log() {
        for line in ["GET / HTTP/9.9", "GET /a b HTTP/1.1", "get / HTTP/1.1", "GET / HTTP/1.1"] {
            let mut head = RequestHead::default();
            let text = format!("{line}\r\nHost: a/b\r\n\r\n");
            assert!(head.parse(text.as_bytes()).is_err(), "{line}");
            assert_eq!((head.line(), head.length()), (line.as_bytes(), text.len()), "{line}");
        }
    }

    #[test]
    fn the_host_of_the_target_counts() {
        for (target, host, uri) in [
            ("http://B:80/r?x", "b", "/r?x"),
            ("http://b", "b", "/"),
            ("/r", "a", "/r"),
            ("http://[::1]:80/", "[::1]", "/"),
        ] {
            let head = parse(&format!("GET {target} HTTP/1.1\r\nHost: A.:8080\r\n\r\n"));
            let head = head.expect(target);
            assert_eq!((head.host(), head.uri()), (host.as_bytes(), uri.as_bytes()), "{target}");
        }
        assert_eq!(parse("GET http://?x HTTP/1.1\r\nHost: a\r\n\r\n").err(), Some(400));
    }

    #[test]
    fn headers_of_one_connection_are_not_passed_on() {
        let text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Foo, upgrade\r\nFoo: 1\r\nTE: trailers\
                    \r\nUpgrade: websocket\r\nKeep-Alive: 5\r\nBar: 2\r\n\r\n";
        let head = parse(text).expect("valid");
        let names = head.end_to_end().map(|it| it.name).collect::<Vec<_>>();
        assert_eq!(names, [b"Host".as_slice(), b"Bar"]);
        assert_eq!(head.upgrade(), Some(&b"websocket"[..]));
    }

    #[test]
    fn a_connection_persists_as_version_and_options_say() {
        for (version, options, expected) in [
            ("1.1", "", true),
            ("1.1", "Connection: Close\r\n", false),
            ("1.0", "", false),
            ("1.0", "Connection: keep-alive\r\n", true),
            ("1.0", "Connection: keep-alive, close\r\n", false),
        ] {
            let head = parse(&format!("GET / HTTP/{version}\r\nHost: a\r\n{options}\r\n"));
            assert_eq!(head.expect("valid").keep_alive(), expected, "{version} {options}");
        }
    }

    #[test]
    fn a_response_is_parsed_in_any_pieces() {
        let text = b"HTTP/1.1 404 Not Here\r\nServer: x\r\nContent-Length: 2\r\n\r\nok";
        let mut head = ResponseHead::default();
        for end in 0..text.len() - 2 {
            assert_eq!(head.parse(&text[..end], false, 4096), Ok(None));
        }
        assert_eq!(head.parse(text, false, 4096), Ok(Some(text.len() - 2)));
        assert_eq!((head.status(), head.reason()), (404, &b"Not Here"[..]));
        assert!(head.keep_alive());
        head.clear();
        assert!(head.parse(text, false, 32).is_err(), "too big");
    }
}
