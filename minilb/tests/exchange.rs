//! Exchanges without sockets: golden scripts, one phenomenon a file, and the same bytes in all
//! pieces.
//!
//! `UPDATE_GOLDEN=1 cargo test -p minilb --test exchange` records anew; read `git diff` before you
//! believe it.
//!
//! | command | what it does |
//! |---|---|
//! | `limits MAX STORED` | the longest request body, and how much of it is stored |
//! | `client BYTES` | the client sends; `\r`, `\n` and `\x0b` are escapes |
//! | `attempt` | sends the request to an upstream server: what the server gets |
//! | `upstream BYTES` | the server answers: what the client gets |
//! | `close` | the server closes its connection |
//! | `state` | may the request be sent again, and which connections may be used again |
//!
//! In `preread`, `proxy BYTES` reads a header of the PROXY protocol, `write SOURCE DESTINATION`
//! writes one, and `hello HEX ...` reads the first message of a TLS client.
#![cfg(not(loom))]

use minilb::wire::client_hello;
use minilb::wire::http1::exchange::{BodyLimits, Exchange};
use minilb::wire::http1::framing::ResponseFraming;
use minilb::wire::http1::refusal::Refusal;
use minilb::wire::http1::writer::{HeadWriter, Persistence};
use minilb::wire::proxy_protocol::{self, Addresses};
use proptest::prelude::*;

const LIMITS: BodyLimits = BodyLimits { max: 1000, stored_max: 64, needs_length: false };

#[test]
fn exchanges() {
    let scripts = format!("{}/tests/golden/exchange", env!("CARGO_MANIFEST_DIR"));
    minikit::golden::run_dir(scripts, |_| {
        let mut lab =
            Lab { exchange: Exchange::default(), limits: LIMITS, has_head: false, is_sent: false };
        move |line: &str| lab.run(line)
    });
}

#[test]
fn preread() {
    let scripts = format!("{}/tests/golden/preread", env!("CARGO_MANIFEST_DIR"));
    minikit::golden::run_dir(scripts, |_| {
        |line: &str| {
            let (command, rest) = line.split_once(' ').expect("a command and bytes");
            match command {
                "proxy" => show_header(&unescape(rest)),
                "write" => {
                    let (source, destination) = rest.split_once(' ').expect("two addresses");
                    let parse = |it: &str| it.parse().expect("an address");
                    let mut out = Vec::new();
                    let addresses =
                        Addresses { source: parse(source), destination: parse(destination) };
                    proxy_protocol::write(Some(addresses), &mut out);
                    show(&out)
                }
                "hello" => {
                    let digits = rest.replace(' ', "");
                    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex");
                    let bytes = (0..digits.len()).step_by(2).map(byte).collect::<Vec<_>>();
                    match client_hello::parse(&bytes) {
                        Ok(Some(hello)) => format!(
                            "server_name {:?}, alpn_protocols {:?}, protocol {:?}",
                            hello.server_name, hello.alpn_protocols, hello.protocol
                        ),
                        Ok(None) => "more is needed".to_owned(),
                        Err(_) => "not TLS".to_owned(),
                    }
                }
                _ => panic!("unknown command: {line}"),
            }
        }
    });
}

fn show_header(bytes: &[u8]) -> String {
    match proxy_protocol::parse(bytes) {
        Ok(Some(header)) => {
            let addresses = header.addresses.map_or("no addresses".to_owned(), |it| {
                format!("{} to {}", it.source, it.destination)
            });
            format!("{addresses}, then {:?}", String::from_utf8_lossy(&bytes[header.length..]))
        }
        Ok(None) => "more is needed".to_owned(),
        Err(_) => "broken".to_owned(),
    }
}

struct Lab {
    exchange: Exchange,
    limits: BodyLimits,
    has_head: bool,
    is_sent: bool,
}

impl Lab {
    fn run(&mut self, line: &str) -> String {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let bytes = unescape(rest);
        let result = match command {
            "limits" => {
                let mut numbers = rest.split(' ').map(|it| it.parse().expect("a number"));
                let mut next = || numbers.next().expect("two numbers");
                self.limits = BodyLimits { max: next(), stored_max: next() as usize, ..LIMITS };
                Ok(String::new())
            }
            "client" => self.client(&bytes),
            "attempt" => Ok(self.attempt()),
            "upstream" => self.upstream(&bytes),
            "close" => Ok(match self.exchange.end_download() {
                true => self.sent_to_client(),
                false => "cut off".to_owned(),
            }),
            "state" => Ok(self.state()),
            _ => panic!("unknown command: {line}"),
        };
        result.unwrap_or_else(|refusal| {
            // The server closes such a connection.
            self.exchange.from_client.clear();
            format!("{} {}", refusal.status(), refusal.reason())
        })
    }

    fn client(&mut self, bytes: &[u8]) -> Result<String, Refusal> {
        self.exchange.from_client.append(bytes);
        if !self.has_head {
            self.exchange.begin_request();
            if !self.exchange.parse_request()? {
                return Ok("head incomplete".to_owned());
            }
            self.has_head = true;
            self.exchange.limit_body(self.limits)?;
            self.exchange.invite_body();
            let may_begin = self.exchange.collect_body()?;
            let framing = self.exchange.request.framing();
            let ready = if may_begin { "ready" } else { "body incomplete" };
            return Ok(format!("{framing:?}, {ready}\n{}", self.sent_to_client())
                .trim_end()
                .to_owned());
        }
        match self.is_sent {
            false => Ok(format!("ready: {}", self.exchange.collect_body()?)),
            true => {
                self.exchange.upload()?;
                Ok(self.sent_upstream())
            }
        }
    }

    fn attempt(&mut self) -> String {
        let can_begin = self.exchange.begin_attempt(|request, framing, out| {
            let (method, uri) = (request.method(), request.uri());
            let mut head = HeadWriter::request(out, method, uri, 1, framing);
            request.end_to_end().for_each(|it| head.header(it.name, it.value));
            head.finish();
        });
        self.is_sent = true;
        if can_begin { self.sent_upstream() } else { "the request is gone".to_owned() }
    }

    fn upstream(&mut self, bytes: &[u8]) -> Result<String, Refusal> {
        self.exchange.from_upstream.append(bytes);
        if !self.exchange.has_response_begun() {
            if !self.exchange.parse_response(4096)? {
                return Ok("head incomplete".to_owned());
            }
            self.exchange.begin_response(true, write_head);
        }
        self.exchange.download()?;
        Ok(self.sent_to_client())
    }

    fn state(&mut self) -> String {
        let exchange = &self.exchange;
        let text = format!(
            "replayable: {}, client persists: {}, server persists: {}",
            exchange.is_replayable(),
            exchange.client_persists(),
            exchange.upstream_persists()
        );
        (self.has_head, self.is_sent) = (false, false);
        text
    }

    fn sent_upstream(&mut self) -> String {
        let text = show(self.exchange.to_upstream.filled());
        self.exchange.to_upstream.clear();
        text
    }

    fn sent_to_client(&mut self) -> String {
        let text = show(self.exchange.to_client.filled());
        self.exchange.to_client.clear();
        text
    }
}

fn write_head(
    exchange: &Exchange,
    framing: ResponseFraming,
    persistence: Persistence,
    out: &mut Vec<u8>,
) {
    let response = &exchange.response;
    let (status, reason) = (response.status(), response.reason());
    let mut head = HeadWriter::response(out, status, reason, framing, persistence);
    head.framing();
    response.end_to_end().for_each(|it| head.header(it.name, it.value));
    head.finish();
}

/// Bytes that may be written as `\r`, `\n` or `\xHH`.
fn unescape(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (byte, length) = match after.as_bytes()[0] {
            b'r' => (b'\r', 1),
            b'n' => (b'\n', 1),
            b'x' => (u8::from_str_radix(&after[1..3], 16).expect("two digits"), 3),
            other => panic!("unknown escape: {other}"),
        };
        bytes.push(byte);
        rest = &after[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Bytes with a line for each line, and its end made visible.
fn show(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\\r\\n\n");
    text.trim_end_matches('\n').to_owned()
}

/// Runs a whole exchange with both inputs cut at these places. Returns what both sides got.
fn run_cut(request: &[u8], response: &[u8], cuts: &[usize]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut exchange = Exchange::default();
    exchange.begin_request();
    let (mut to_upstream, mut to_client) = (Vec::new(), Vec::new());
    let mut has_head = false;
    let mut has_attempt = false;
    for piece in cut(request, cuts) {
        exchange.from_client.append(piece);
        if !has_head {
            has_head = exchange.parse_request().ok()?;
            if !has_head {
                continue;
            }
            exchange.limit_body(LIMITS).ok()?;
        }
        if !has_attempt && exchange.collect_body().ok()? {
            has_attempt = exchange.begin_attempt(|request, _, out| {
                // The framing may depend on the pieces: how much was stored. The data must not.
                out.extend_from_slice(request.line());
            });
        }
        if has_attempt {
            exchange.upload().ok()?;
        }
        to_upstream.extend_from_slice(exchange.to_upstream.filled());
        exchange.to_upstream.clear();
    }
    for piece in cut(response, cuts) {
        exchange.from_upstream.append(piece);
        if !exchange.has_response_begun() {
            if !exchange.parse_response(4096).ok()? {
                continue;
            }
            exchange.begin_response(true, write_head);
        }
        exchange.download().ok()?;
    }
    to_client.extend_from_slice(exchange.to_client.filled());
    Some((to_upstream, to_client))
}

fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places = cuts.iter().map(|it| it % (bytes.len() + 1)).collect::<Vec<_>>();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|it| &bytes[it[0]..it[1]]).collect()
}

proptest! {
    /// A request with a length and a chunked response, in any pieces: both sides get the same.
    #[test]
    fn pieces_make_no_difference(
        cuts in prop::collection::vec(any::<usize>(), 0..8),
        body in "[a-z]{0,200}",
        chunks in prop::collection::vec("[a-z]{1,50}", 0..5),
    ) {
        let length = body.len();
        let head = format!("POST /a HTTP/1.1\r\nHost: b\r\nContent-Length: {length}\r\n\r\n");
        let request = head + &body;
        let mut response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
        for chunk in &chunks {
            response += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
        }
        response += "0\r\n\r\n";
        let (request, response) = (request.as_bytes(), response.as_bytes());
        let (upstream, client) = run_cut(request, response, &cuts).expect("valid");
        prop_assert_eq!(upstream, format!("POST /a HTTP/1.1{body}").into_bytes());
        let text = String::from_utf8(client).expect("text");
        let (head, rest) = text.split_once("\r\n\r\n").expect("a head");
        prop_assert!(head.ends_with("Connection: keep-alive"), "{}", head);
        let data = rest.split("\r\n").skip(1).step_by(2).collect::<String>();
        prop_assert_eq!(data, chunks.concat());
        prop_assert!(rest.ends_with("0\r\n\r\n"));
    }

    /// Any bytes are answered or refused, and whole heads that pass have no second meaning: what is
    /// written for the server parses again, with the same framing.
    #[test]
    fn arbitrary_requests_are_refused_or_unambiguous(
        lines in prop::collection::vec(prop::sample::select(vec![
            "Content-Length: 3", "Content-Length: 03", "Content-Length: +3", "content-length:3 ",
            "Transfer-Encoding: chunked", "Transfer-Encoding : chunked",
            "Transfer-Encoding:\tchunked", "Transfer-Encoding: identity",
            "Transfer-Encoding: chunked, chunked", " folded: 1",
            "Connection: close", "Connection: content-length", "Connection: x", "X: 1", "Host: b",
            "X_Y: 1", "X\0: 1", "X: \x0b", "Expect: 100-continue", "\n", "X: a\r", ": empty",
        ]), 0..5),
        body in "[a-z0-9\r\n]{0,12}",
    ) {
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n{body}", lines.join("\r\n"));
        let mut exchange = Exchange::default();
        exchange.begin_request();
        exchange.from_client.append(text.as_bytes());
        if let Ok(true) = exchange.parse_request() {
            let framing = exchange.request.framing();
            let mut out = Vec::new();
            let mut head = HeadWriter::request(&mut out, b"POST", b"/", 1, framing);
            exchange.request.end_to_end().for_each(|it| head.header(it.name, it.value));
            head.finish();
            let mut again = minilb::wire::http1::head::RequestHead::default();
            prop_assert_eq!(again.parse(&out), Ok(Some(out.len())));
            prop_assert_eq!(again.framing(), framing);
        }
    }
}
