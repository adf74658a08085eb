//! Heads, written from their parts.
//!
//! # Example
//!
//! ```text
//! HeadWriter::request(out, b"GET", b"/a", 1, Framing::None)     GET /a HTTP/1.1\r\n
//! header(b"Host", b"b")                                         Host: b\r\n
//! finish()                                                      \r\n
//! ```
//!
//! # What it guarantees
//!
//! 1. `Content-Length` and `Transfer-Encoding` appear as the [`Framing`] says and only once. Adding
//!    a header with one of these names does nothing.
//! 2. No header can end its line or begin another one: CR, LF and NUL are left out of values. They
//!    can come from a decoded URI (`%0d%0a`) in a configuration; NGINX writes them.
//!
//! NGINX counterpart: `ngx_http_proxy_create_request` and `ngx_http_header_filter`.

use super::framing::{Framing, ResponseFraming};
use super::head::{Header, Known};

/// Appends one head to a buffer.
#[derive(Debug)]
pub struct HeadWriter<'a> {
    out: &'a mut Vec<u8>,
    framing: Option<ResponseFraming>,
    /// `Connection` of a response.
    connection: Option<Persistence>,
}

/// What `Connection` of a response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// The client may send another request.
    KeepAlive,
    /// The connection ends after the response.
    Close,
    /// The connection changes its protocol after this head.
    Upgrade,
}

impl<'a> HeadWriter<'a> {
    /// Begins a request. `target` is written as it is, except that bytes that would end it become
    /// `%XX`. They can come from a decoded URI in a configuration; NGINX writes them.
    pub fn request(
        out: &'a mut Vec<u8>,
        method: &[u8],
        target: &[u8],
        minor_version: u8,
        framing: Framing,
    ) -> HeadWriter<'a> {
        out.extend_from_slice(method);
        out.push(b' ');
        let ends_target = |byte: u8| byte <= b' ' || byte == 0x7f;
        match target.iter().any(|it| ends_target(*it)) {
            false => out.extend_from_slice(target),
            true => target.iter().for_each(|it| match ends_target(*it) {
                true => out.extend(format!("%{it:02X}").bytes()),
                false => out.push(*it),
            }),
        }
        out.extend_from_slice(if minor_version == 0 { b" HTTP/1.0\r\n" } else { b" HTTP/1.1\r\n" });
        HeadWriter { out, framing: Some(ResponseFraming::Framed(framing)), connection: None }
    }

    /// Begins a response. A proxy's own version is 1.1, whatever the client's is.
    pub fn response(
        out: &'a mut Vec<u8>,
        status: u16,
        reason: &[u8],
        framing: ResponseFraming,
        connection: Persistence,
    ) -> HeadWriter<'a> {
        out.extend_from_slice(b"HTTP/1.1 ");
        decimal(out, u64::from(status));
        out.push(b' ');
        append_value(out, reason);
        out.extend_from_slice(b"\r\n");
        HeadWriter { out, framing: Some(framing), connection: Some(connection) }
    }

    /// Adds a header that was parsed, unless it is about framing. Its value cannot end its line.
    pub fn pass(&mut self, header: Header<'_>) {
        if !matches!(header.known, Known::ContentLength | Known::TransferEncoding) {
            self.text(header.name, header.value);
        }
    }

    /// Adds a header that is not about framing, and whose value cannot end its line.
    pub fn text(&mut self, name: &[u8], value: &[u8]) {
        self.out.reserve(name.len() + value.len() + 4);
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(value);
        self.out.extend_from_slice(b"\r\n");
    }

    /// Adds a header, unless it is about framing.
    pub fn header(&mut self, name: &[u8], value: &[u8]) {
        self.header_with(name, |out| out.extend_from_slice(value));
    }

    /// Adds a header whose value `write` appends.
    pub fn header_with(&mut self, name: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        // Only these lengths need a closer look.
        if matches!(name.len(), 14 | 17)
            && matches!(Known::of(name), Known::ContentLength | Known::TransferEncoding)
        {
            return;
        }
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(b": ");
        let start = self.out.len();
        write(self.out);
        remove_line_ends(self.out, start);
        self.out.extend_from_slice(b"\r\n");
    }

    /// Writes the headers of the framing here, and `Connection` of a response; otherwise
    /// [`HeadWriter::finish`] does.
    pub fn framing(&mut self) {
        use ResponseFraming::{Framed, Omitted, UntilClose};
        match self.framing.take() {
            Some(Framed(Framing::Length(length)) | Omitted(Some(length))) => {
                self.out.extend_from_slice(b"Content-Length: ");
                decimal(self.out, length);
                self.out.extend_from_slice(b"\r\n");
            }
            Some(Framed(Framing::Chunked)) => {
                self.out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
            }
            Some(Framed(Framing::None) | Omitted(None) | UntilClose) | None => {}
        }
        let connection: &[u8] = match self.connection.take() {
            Some(Persistence::KeepAlive) => b"Connection: keep-alive\r\n",
            Some(Persistence::Close) => b"Connection: close\r\n",
            Some(Persistence::Upgrade) => b"Connection: upgrade\r\n",
            None => b"",
        };
        self.out.extend_from_slice(connection);
    }

    /// Ends the head.
    pub fn finish(mut self) {
        self.framing();
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Writes an answer of our own: status line, the headers that `headers` adds, framing.
pub fn write_answer(
    out: &mut Vec<u8>,
    status: u16,
    framing: ResponseFraming,
    persistence: Persistence,
    headers: impl FnOnce(&mut HeadWriter<'_>),
) {
    let reason = super::status::reason(status);
    let mut head = HeadWriter::response(out, status, reason.as_bytes(), framing, persistence);
    headers(&mut head);
    head.finish();
}

/// Appends a number.
pub fn decimal(out: &mut Vec<u8>, number: u64) {
    digits::<10>(out, number);
}

/// Appends the digits of a number.
pub(crate) fn digits<const BASE: u64>(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b"0123456789abcdef"[(number % BASE) as usize];
        number /= BASE;
        if number == 0 {
            return out.extend_from_slice(&digits[start..]);
        }
    }
}

fn append_value(out: &mut Vec<u8>, value: &[u8]) {
    let start = out.len();
    out.extend_from_slice(value);
    remove_line_ends(out, start);
}

/// Removes CR, LF and NUL from what was appended after `start`.
fn remove_line_ends(out: &mut Vec<u8>, start: usize) {
    // Values are short, so looking at all of a value costs less than stopping early.
    if !out[start..].iter().fold(false, |found, it| found | (*it <= b'\r')) {
        return;
    }
    let mut end = start;
    for index in start..out.len() {
        let byte = out[index];
        out[end] = byte;
        end += usize::from(!matches!(byte, b'\r' | b'\n' | 0));
    }
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_at_the_head_of_the_file() {
        let mut out = Vec::new();
        let mut head = HeadWriter::request(&mut out, b"GET", b"/a", 1, Framing::None);
        head.header(b"Host", b"b");
        head.finish();
        assert_eq!(out, b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n");
    }

    #[test]
    fn framing_is_written_once_and_values_end_no_line() {
        let mut out = Vec::new();
        let framing = ResponseFraming::Framed(Framing::Length(120));
        let mut head = HeadWriter::response(&mut out, 200, b"OK\r\n", framing, Persistence::Close);
        head.header(b"Content-LENGTH", b"1");
        head.framing();
        head.header(b"X", b"a\r\nSet-Cookie: b\0");
        head.header(b"transfer-encoding", b"chunked");
        head.finish();
        let expected = "HTTP/1.1 200 OK\r\nContent-Length: 120\r\nConnection: close\r\n\
                        X: aSet-Cookie: b\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
