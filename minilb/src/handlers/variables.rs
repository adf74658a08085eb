//! Variables at run time.
//!
//! # Example
//!
//! ```text
//! template  "$scheme://$host$request_uri"     request GET /a?b, Host: X:81
//! value     http://x/a?b
//! log       "$remote_addr \"$request\" $http_referer"
//! line      192.0.2.9 "GET /a?b HTTP/1.1" -
//! ```
//!
//! In a log line a variable without value is `-`, and quotes, backslashes, control characters and
//! bytes above 126 become `\xHH`: a client cannot forge a line.
//!
//! NGINX counterpart: `ngx_http_variables.c`, `ngx_http_log_module.c`.

use super::date;
use super::facts::{AttemptLog, Client, Done, Transport};
use super::state::RequestState;
use crate::conf::http::ProxyPass;
use crate::conf::listen::Address;
use crate::conf::pattern::Pattern;
use crate::conf::template::{Definition, Template, Variable};
use crate::wire::http1::head::{Known, RequestHead, ResponseHead};
use crate::wire::http1::status::SERVER;
use crate::wire::http1::writer::decimal;
use std::io::Write;
use std::net::IpAddr;

/// How deep variables of `map` may need each other.
pub(super) const DEPTH_MAX: u8 = 10;

/// A request with all that variables ask for.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The request.
    pub request: &'a RequestHead,
    /// The response of an upstream server; its status is 0 if there is none.
    pub response: &'a ResponseHead,
    /// The client.
    pub client: &'a Client,
    /// The end of the request; empty before.
    pub done: &'a Done,
    /// Headers of an answer of our own.
    pub answer: &'a [(&'static str, Vec<u8>)],
    /// Bytes of the response body sent so far.
    pub body_bytes_sent: u64,
    /// Bytes of the request, head and body.
    pub request_length: u64,
    /// Path, query and variables.
    pub state: &'a RequestState,
    /// Variables of the configuration.
    pub variables: &'a [Definition],
    /// `$server_name`
    pub server_name: &'a str,
    /// `$hostname`
    pub hostname: &'a str,
    /// Of the location.
    pub proxy: Option<&'a ProxyPass>,
    /// How many variables of the configuration the value of this one is a part of.
    pub depth: u8,
    /// Milliseconds since 1970; few requests ask for them.
    pub unix_ms: fn() -> u64,
}

impl View<'_> {
    /// Appends the value of a template.
    pub fn append(&self, template: &Template, out: &mut Vec<u8>) {
        template.append(out, |it, out| self.append_variable(it, out));
    }

    /// The value of a template.
    pub fn text(&self, template: &Template) -> Vec<u8> {
        let mut text = Vec::new();
        self.append(template, &mut text);
        text
    }

    /// Appends a log line without its end.
    pub fn append_log(&self, format: &Template, out: &mut Vec<u8>) {
        format.append(out, |variable, out| {
            let start = out.len();
            self.append_variable(variable, out);
            match (out.len() == start, variable) {
                // It has a value, if an empty one.
                (true, Variable::Slot(_) | Variable::Https) => {}
                (true, Variable::RemotePort | Variable::RealipRemotePort) => {}
                (true, Variable::ServerPort | Variable::IsArgs) => {}
                (true, Variable::ProxyPort) if self.proxy.is_some() => {}
                (true, Variable::Args) if self.state.has_args => {}
                (true, _) => out.push(b'-'),
                (false, _) => escape_for_log(out, start),
            }
        });
    }

    /// Appends the value of a variable.
    pub fn append_variable(&self, variable: &Variable, out: &mut Vec<u8>) {
        let request = self.request;
        match variable {
            Variable::Args => out.extend_from_slice(&self.state.args),
            Variable::Arg(name) => out.extend_from_slice(argument(&self.state.args, name)),
            Variable::Connection => decimal(out, self.client.connection),
            Variable::ConnectionRequests => decimal(out, self.client.requests),
            Variable::Cookie(name) => out.extend_from_slice(self.cookie(name)),
            Variable::Host if request.host().is_empty() => {
                out.extend_from_slice(self.server_name.as_bytes());
            }
            Variable::Host => out.extend_from_slice(request.host()),
            Variable::Hostname => out.extend_from_slice(self.hostname.as_bytes()),
            Variable::HttpHeader(name) => {
                let headers = request.headers().map(|it| (it.name, it.value));
                append_header(headers, name, &REQUEST_LISTS, out);
            }
            Variable::IsArgs if self.state.args.is_empty() => {}
            Variable::IsArgs => out.push(b'?'),
            Variable::Group(group) => out.extend_from_slice(self.state.groups.get(*group)),
            Variable::Msec => seconds((self.unix_ms)(), out),
            Variable::NginxVersion => out.extend_from_slice(SERVER.as_bytes()),
            Variable::Pid => decimal(out, u64::from(std::process::id())),
            Variable::ProxyAddXForwardedFor => {
                let start = out.len();
                let headers = request.headers().map(|it| (it.name, it.value));
                append_header(headers, "x_forwarded_for", &REQUEST_LISTS, out);
                if out.len() > start {
                    out.extend_from_slice(b", ");
                }
                ip(self.client_address(), out);
            }
            Variable::ProxyHost => out.extend(self.proxy.iter().flat_map(|it| it.host.bytes())),
            Variable::ProxyPort => {
                let default = |https| if https { "443" } else { "80" };
                let proxy = self.proxy.filter(|it| !it.is_unix());
                let port = proxy
                    .map(|it| it.host.rsplit_once(':').map_or(default(it.is_https), |it| it.1));
                out.extend_from_slice(port.unwrap_or_default().as_bytes());
            }
            // Only of basic authentication, which is not checked here.
            Variable::RemoteUser => {}
            Variable::Request => match request.line().strip_suffix(b"HTTP/1.1") {
                Some(line) if self.client.is_http2 => out.extend([line, b"HTTP/2.0"].concat()),
                _ => out.extend_from_slice(request.line()),
            },
            Variable::RequestId => {
                write!(out, "{:032x}", self.client.request_id()).expect("a vector takes all");
            }
            Variable::RequestLength => decimal(out, self.request_length),
            Variable::RequestMethod if self.state.is_get => out.extend_from_slice(b"GET"),
            Variable::RequestMethod => out.extend_from_slice(request.method()),
            Variable::RequestUri => out.extend_from_slice(request.uri()),
            Variable::Scheme => out.extend_from_slice(self.client.scheme().0.as_bytes()),
            Variable::ServerName => out.extend_from_slice(self.server_name.as_bytes()),
            Variable::ServerProtocol => {
                out.extend_from_slice(match request.minor_version() {
                    _ if self.client.is_http2 => b"HTTP/2.0",
                    0 => b"HTTP/1.0",
                    _ => b"HTTP/1.1",
                });
            }
            Variable::TimeIso8601 => date::iso8601((self.unix_ms)() / 1000, out),
            Variable::TimeLocal => date::local((self.unix_ms)() / 1000, out),
            Variable::Slot(slot) => self.append_defined(*slot, out),
            Variable::Uri => out.extend_from_slice(&self.state.path),
            _ => self.append_address(variable, out),
        }
    }

    /// Addresses of both ends of the client's connection, and its TLS.
    fn append_address(&self, variable: &Variable, out: &mut Vec<u8>) {
        match variable {
            Variable::RealipRemoteAddr => ip(&self.client.peer, out),
            Variable::RealipRemotePort => port(&self.client.peer, out),
            _ if append_address(variable, self.client, self.client_address(), out) => {}
            Variable::Https
            | Variable::SslCipher
            | Variable::SslProtocol
            | Variable::SslSessionReused => {
                let Transport::Tls { protocol, cipher, is_reused } = self.client.transport else {
                    return;
                };
                out.extend_from_slice(match variable {
                    Variable::Https => b"on",
                    Variable::SslCipher => cipher.as_bytes(),
                    Variable::SslProtocol => protocol.as_bytes(),
                    _ if is_reused => b"r",
                    _ => b".",
                });
            }
            _ => self.append_end(variable, out),
        }
    }

    /// The client's address, as `real_ip_header` tells it.
    pub fn client_address(&self) -> &Address {
        self.state.real_ip.as_ref().unwrap_or(&self.client.peer)
    }

    /// A variable that the configuration defines.
    fn append_defined(&self, slot: usize, out: &mut Vec<u8>) {
        // A variable that needs itself has no value.
        if self.depth > DEPTH_MAX {
            return;
        }
        let view = View { depth: self.depth + 1, ..*self };

        // The source is put where the value will be, and taken out again.
        let start = out.len();
        match &self.variables[slot] {
            Definition::Settable => out.extend_from_slice(&self.state.values[slot]),
            Definition::Map(map) => {
                view.append(&map.source, out);
                let (value, pattern) = map.find(&out[start..]);
                let text = out.split_off(start);
                view.append_matched(value, pattern, &text, out);
            }
            Definition::Split(split) => {
                view.append(&split.source, out);
                let value = split.find(&out[start..]);
                out.truncate(start);
                out.extend_from_slice(value.as_bytes());
            }
        }
    }

    /// Appends a value that was chosen by a text, and may use the groups of the pattern that this
    /// text has matched.
    pub fn append_matched(
        &self,
        value: &Template,
        pattern: Option<&Pattern>,
        text: &[u8],
        out: &mut Vec<u8>,
    ) {
        let Some(pattern) = pattern.filter(|_| value.as_text().is_none()) else {
            return self.append(value, out);
        };
        let mut state = self.state.clone();
        state.capture(pattern, text);
        View { state: &state, ..*self }.append(value, out);
    }

    /// Variables of the response and of how the request ended.
    fn append_end(&self, variable: &Variable, out: &mut Vec<u8>) {
        match variable {
            Variable::BodyBytesSent => decimal(out, self.body_bytes_sent),
            Variable::BytesSent => decimal(out, self.done.sent),
            Variable::RequestTime => seconds(self.done.elapsed_ms, out),
            Variable::SentHttpHeader(name) if !self.answer.is_empty() => {
                let headers = self.answer.iter().map(|(name, value)| (name.as_bytes(), &value[..]));
                append_header(headers, name, &RESPONSE_LISTS, out);
            }
            Variable::SentHttpHeader(name) | Variable::UpstreamHttpHeader(name) => {
                let is_sent = matches!(variable, Variable::SentHttpHeader(_));
                let lists = if is_sent { &RESPONSE_LISTS[..] } else { &[] };
                let headers = self.response.headers().map(|it| (it.name, it.value));
                append_header(headers, name, lists, out);
            }
            Variable::Status => {
                let sent = Some(self.done.status).filter(|it| *it != 0);
                let status = sent.unwrap_or(self.response.status());
                write!(out, "{status:03}").expect("a vector takes all");
            }
            Variable::UpstreamAddr => self.each(out, |it, out| match &it.address {
                Some(address) => out.extend_from_slice(address.as_bytes()),
                None => out.extend(self.proxy.map_or(&b""[..], |it| it.upstream.as_bytes())),
            }),
            Variable::UpstreamConnectTime => self.each(out, |it, out| seconds(it.connect_ms, out)),
            Variable::UpstreamHeaderTime => self.each(out, |it, out| seconds(it.header_ms, out)),
            Variable::UpstreamResponseLength => self.each(out, |it, out| decimal(out, it.length)),
            Variable::UpstreamResponseTime => {
                self.each(out, |it, out| seconds(it.response_ms, out));
            }
            Variable::UpstreamStatus => self.each(out, |it, out| decimal(out, it.status.into())),
            _ => unreachable!("the others are above"),
        }
    }

    /// Appends what `write` does for each attempt.
    fn each(&self, out: &mut Vec<u8>, write: impl Fn(&AttemptLog, &mut Vec<u8>)) {
        for (index, attempt) in self.done.attempts.iter().enumerate() {
            if index > 0 {
                let is_redirected = attempt.is_redirected;
                out.extend_from_slice(if is_redirected { b" : " } else { b", " });
            }
            write(attempt, out);
        }
    }

    fn cookie(&self, name: &str) -> &[u8] {
        let cookies = self.request.headers().filter(|it| it.name.eq_ignore_ascii_case(b"cookie"));
        let mut pairs = cookies.flat_map(|it| it.value.split(|byte| *byte == b';'));
        let value = pairs.find_map(|pair| {
            let pair = pair.trim_ascii();
            let equals = pair.iter().position(|it| *it == b'=')?;
            pair[..equals].eq_ignore_ascii_case(name.as_bytes()).then(|| &pair[equals + 1..])
        });
        value.unwrap_or_default()
    }
}

/// Headers that are lists, whose values NGINX 1.22 joins: of a request, and of a response.
const REQUEST_LISTS: [(&str, &str); 2] = [("cookie", "; "), ("x_forwarded_for", ", ")];
const RESPONSE_LISTS: [(&str, &str); 2] = [("cache_control", ", "), ("link", ", ")];

/// Appends the value of the first header whose name is `name`, which has `_` in place of `-`, or
/// all of them if it is one of `lists`.
fn append_header<'a>(
    headers: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    name: &str,
    lists: &[(&str, &str)],
    out: &mut Vec<u8>,
) {
    let same = |one: &[u8]| {
        one.len() == name.len()
            && one.iter().zip(name.bytes()).all(|(one, other)| match one {
                b'-' => other == b'_',
                _ => one.to_ascii_lowercase() == other,
            })
    };
    let separator = lists.iter().find(|it| it.0 == name).map(|it| it.1);
    let count_max = if separator.is_some() { usize::MAX } else { 1 };
    for (index, (_, value)) in headers.filter(|it| same(it.0)).take(count_max).enumerate() {
        if index > 0 {
            out.extend(separator.unwrap_or_default().bytes());
        }
        out.extend_from_slice(value);
    }
}

/// The value of an argument of a query, not decoded.
fn argument<'a>(args: &'a [u8], name: &str) -> &'a [u8] {
    let mut pairs = args.split(|it| *it == b'&');
    let value = pairs.find_map(|pair| {
        let (key, value) = pair.split_at_checked(name.len())?;
        let is_same = key.eq_ignore_ascii_case(name.as_bytes());
        is_same.then(|| value.strip_prefix(b"=")).flatten()
    });
    value.unwrap_or_default()
}

fn ip(address: &Address, out: &mut Vec<u8>) {
    match address {
        Address::Ip(_) => write!(out, "{}", address.ip()).expect("a vector takes all"),
        Address::Unix(_) => write!(out, "{address}").expect("a vector takes all"),
    }
}

/// A header that tells the address may not tell the port, and a Unix socket has none.
fn port(address: &Address, out: &mut Vec<u8>) {
    match address.port() {
        0 => {}
        port => decimal(out, port.into()),
    }
}

/// Milliseconds as seconds with three digits; a dash if there are none.
fn seconds(ms: impl Into<Option<u64>>, out: &mut Vec<u8>) {
    match ms.into() {
        Some(ms) => write!(out, "{}.{:03}", ms / 1000, ms % 1000).expect("a vector takes all"),
        None => out.push(b'-'),
    }
}

fn escape_for_log(out: &mut Vec<u8>, start: usize) {
    let is_special = |it: &u8| matches!(*it, ..0x20 | b'"' | b'\\' | 0x7f..);
    if !out[start..].iter().any(is_special) {
        return;
    }
    for byte in out.split_off(start) {
        match is_special(&byte) {
            true => write!(out, "\\x{byte:02X}").expect("a vector takes all"),
            false => out.push(byte),
        }
    }
}

/// Appends a variable about the addresses of a connection, whose client is at `address`. Returns
/// false for other variables.
pub(super) fn append_address(
    variable: &Variable,
    client: &Client,
    address: &Address,
    out: &mut Vec<u8>,
) -> bool {
    let proxied = client.proxied;
    let (source, destination) =
        (proxied.map(|it| it.source.into()), proxied.map(|it| it.destination.into()));
    match variable {
        Variable::BinaryRemoteAddr => match (address, address.ip()) {
            (Address::Unix(_), _) => ip(address, out),
            (_, IpAddr::V4(ip)) => out.extend_from_slice(&ip.octets()),
            (_, IpAddr::V6(ip)) => out.extend_from_slice(&ip.octets()),
        },
        Variable::ProxyProtocolAddr => source.iter().for_each(|it| ip(it, out)),
        Variable::ProxyProtocolPort => source.iter().for_each(|it| port(it, out)),
        Variable::ProxyProtocolServerAddr => destination.iter().for_each(|it| ip(it, out)),
        Variable::ProxyProtocolServerPort => destination.iter().for_each(|it| port(it, out)),
        Variable::RemoteAddr => ip(address, out),
        Variable::RemotePort => port(address, out),
        Variable::ServerAddr => ip(&client.local, out),
        Variable::ServerPort => port(&client.local, out),
        _ => return false,
    }
    true
}

/// Returns true for the headers of an upstream's response that NGINX never passes on, unless
/// `proxy_pass_header` names them.
pub fn is_hidden(known: Known, name: &[u8]) -> bool {
    let begins = |it: &[u8]| name.len() >= it.len() && name[..it.len()].eq_ignore_ascii_case(it);
    matches!(known, Known::Date | Known::Server) || begins(b"x-accel-") || begins(b"x-pad")
}
