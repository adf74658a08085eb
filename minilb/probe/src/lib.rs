//! A probe: one request to a proxy in one line, and all that can be seen of the answer. Tests of
//! minilb send them, and `minilb diff` sends the same ones to NGINX.
//!
//! ```text
//! GET /path | Header: value | body text      HTTP/1.1 and a Host unless it says otherwise
//! POST /path | 20000 x                       a body of so many x
//! raw GET / HTTP/1.1\r\n\r\n                 bytes as they are
//! tls NAME GET /path                         by TLS, with curl; the name `-` is not sent
//! h2 NAME GET /path                          by HTTP/2, with curl
//! @LISTEN2 GET /path                         to another address than that of LISTEN
//! ```

use regex::{Captures, Regex};
use socket2::{Domain, SockAddr, Socket, Type};
use std::collections::BTreeMap;
use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What comes of anything here; an error is a text for the reader.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long anything may take before it counts as missing.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A socket, or TLS on top of one.
pub trait Connection: Read + Write {}

impl<T: Read + Write> Connection for T {}

/// A socket for `IP:PORT` or `unix:PATH`, and the address as the system wants it.
///
/// # Errors
/// If the address has no meaning.
pub fn socket(address: &str) -> Result<(Socket, SockAddr)> {
    let (domain, address) = match address.strip_prefix("unix:") {
        Some(path) => (Domain::UNIX, SockAddr::unix(path)?),
        None => (Domain::IPV4, address.parse::<SocketAddr>()?.into()),
    };
    Ok((Socket::new(domain, Type::STREAM, None)?, address))
}

/// A message of HTTP/1.1, as far as it has been read.
#[derive(Default)]
pub struct Message {
    /// The first line and the headers.
    pub lines: Vec<String>,
    /// As it was before chunks.
    pub body: Vec<u8>,
}

impl Message {
    /// The value of a header, whose name is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.lines.iter().skip(1).filter_map(|it| it.split_once(": "));
        headers.find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1)
    }

    /// Reads the first line and the headers, up to the empty line.
    ///
    /// # Errors
    /// If the message ends in the middle, or reading fails.
    pub fn read_head(&mut self, stream: &mut impl BufRead) -> io::Result<()> {
        loop {
            match read_line(stream)? {
                line if !line.is_empty() => self.lines.push(line),
                _ if self.lines.is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
                _ => return Ok(()),
            }
        }
    }

    /// Reads the body as the headers say. Without any it is at most `length_max` long.
    ///
    /// # Errors
    /// If it is malformed, or reading fails.
    pub fn read_body(&mut self, stream: &mut impl BufRead, length_max: u64) -> io::Result<()> {
        while self.header("transfer-encoding") == Some("chunked") {
            let size = read_line(stream)?;
            let size = u64::from_str_radix(&size, 16).map_err(|_| ErrorKind::InvalidData)?;
            stream.take(size).read_to_end(&mut self.body)?;
            read_line(stream)?;
            if size == 0 {
                return Ok(());
            }
        }
        let length = self.header("content-length").and_then(|it| it.parse().ok());
        stream.take(length.unwrap_or(length_max)).read_to_end(&mut self.body).map(|_| ())
    }
}

/// A line without its end; empty at the end of the stream.
fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    Ok(line.into_iter().map(char::from).collect::<String>().trim_end().to_owned())
}

/// Sends a probe and describes the answer: its head with sorted headers, its body, and in brackets
/// what became of the connection.
///
/// # Errors
/// If the probe has no meaning, or nobody listens at the address.
pub fn probe(text: &str, addresses: &BTreeMap<String, String>) -> Result<String> {
    let other = text.strip_prefix('@').and_then(|it| it.split_once(' '));
    let (name, probe) = other.unwrap_or(("LISTEN", text));
    let address = addresses.get(name).ok_or_else(|| format!("no address ${name}: {text}"))?;
    if let [kind @ ("tls" | "h2"), name, probe] = *probe.splitn(3, ' ').collect::<Vec<_>>() {
        return by_curl(kind, name, probe, address);
    }

    let (mut socket, target) = socket(address)?;
    socket.connect(&target).map_err(|it| format!("connect() to {address} failed ({it})"))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    // A proxy that refuses early may have closed already; its answer is there to read.
    let _ = socket.write_all(&request(probe));
    let mut message = Message::default();
    let end = match read_answer(&mut message, socket, probe.starts_with("HEAD")) {
        Ok(end) => end,
        Err(error) if error.kind() == ErrorKind::WouldBlock => "nothing more",
        Err(_) => "closed",
    };
    Ok(format!("{}\n[{end}]", describe(message.lines, &message.body)))
}

/// Returns what becomes of the connection after the answer.
fn read_answer(message: &mut Message, socket: Socket, is_head: bool) -> io::Result<&'static str> {
    let mut stream = BufReader::new(socket);
    message.read_head(&mut stream)?;
    let mut last = 0;
    while message.lines[last].starts_with("HTTP/1.1 100") {
        last = message.lines.len();
        message.read_head(&mut stream)?;
    }
    match message.lines[last].get(9..12) {
        _ if is_head => {}
        Some("204" | "304") => {}
        Some("101") => {
            while !message.body.ends_with(b"tunnel") {
                let bytes = stream.fill_buf()?.to_vec();
                stream.consume(bytes.len());
                message.body.extend(bytes);
            }
            stream.get_mut().write_all(b"bye")?;
        }
        _ => message.read_body(&mut stream, u64::MAX)?,
    }
    stream.get_ref().set_read_timeout(Some(Duration::from_millis(150)))?;
    loop {
        return match stream.fill_buf() {
            Ok([]) => Ok("closed"),
            Ok(_) => Ok("more bytes"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok("open"),
            // A socket with a timeout says so when its process was stopped and goes on.
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
    }
}

/// The parts of a probe: its line, its headers and its body.
fn parts(probe: &str) -> (&str, Vec<&str>, String) {
    let mut fields = probe.split(" | ").map(str::trim);
    let line = fields.next().unwrap_or_default();
    let is_header = |it: &&str| it.split_once(": ").is_some_and(|(name, _)| !name.contains(' '));
    let (headers, rest): (Vec<_>, Vec<_>) = fields.partition(is_header);
    let body = rest.first().copied().unwrap_or_default();
    let repeated = body.strip_suffix(" x").and_then(|it| it.parse().ok());
    (line, headers, repeated.map_or(body.to_owned(), |count| "x".repeat(count)))
}

fn request(probe: &str) -> Vec<u8> {
    let text = match probe.strip_prefix("raw ") {
        Some(raw) => {
            let escape = Regex::new(r"\\(x[0-9a-f]{2}|.)").expect("it compiles");
            let byte = |it: &str| u8::from_str_radix(it.strip_prefix('x')?, 16).ok();
            let unescape = |it: &Captures<'_>| match &it[1] {
                "r" => "\r".to_owned(),
                "n" => "\n".to_owned(),
                it => byte(it).map_or(it.to_owned(), |it| char::from(it).to_string()),
            };
            escape.replace_all(raw, unescape).into_owned()
        }
        None => {
            let (line, headers, mut body) = parts(probe);
            let has =
                |name: &str| headers.iter().any(|it| it.to_ascii_lowercase().starts_with(name));
            let mut head = line.to_owned() + if line.contains(" HTTP/") { "" } else { " HTTP/1.1" };
            head += if has("host:") { "" } else { "\r\nHost: test.example" };
            headers.iter().for_each(|it| head += &format!("\r\n{it}"));
            if has("transfer-encoding:") {
                body = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
            } else if !body.is_empty() && !has("content-length:") {
                head += &format!("\r\nContent-Length: {}", body.len());
            }
            format!("{head}\r\n\r\n{body}")
        }
    };
    // Characters up to 255 stand for their byte.
    text.chars().map(|it| it as u8).collect()
}

/// What curl gets by TLS, with the version of HTTP and the subject of the certificate.
fn by_curl(kind: &str, name: &str, probe: &str, address: &str) -> Result<String> {
    let (line, headers, body) = parts(probe);
    let (method, path) = line.split_once(' ').ok_or_else(|| format!("no path: {line}"))?;
    let (ip, port) = address.split_once(':').ok_or_else(|| format!("no port: {address}"))?;
    // An address in a URL is sent as no name.
    let host = if name == "-" { ip } else { name };
    let mut command = Command::new("curl");
    command.args(["-sik", if kind == "h2" { "--http2" } else { "--http1.1" }, "--max-time", "20"]);
    command.args(["--resolve", &format!("{host}:{port}:{ip}"), "-H", "Expect:"]);
    command.args(["-w", "\n\n%{http_version} %{exitcode}\n%{certs}"]);
    command.args(if method == "HEAD" { vec!["-I"] } else { vec!["-X", method] });
    command.args(headers.iter().flat_map(|it| ["-H", it]));
    if !body.is_empty() {
        command.args(["--data-binary", "@-"]);
    }
    command.arg(format!("https://{host}:{port}{path}")).stdin(Stdio::piped());
    let curl = command.stdout(Stdio::piped()).spawn();
    let mut curl = curl.map_err(|it| format!("curl cannot be started: {it}"))?;
    // curl reads all of it before it connects.
    curl.stdin.take().expect("it is piped").write_all(body.as_bytes())?;
    let output = String::from_utf8_lossy(&curl.wait_with_output()?.stdout).into_owned();
    let (answer, session) = output.rsplit_once("\n\n").unwrap_or_default();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let (end, certificates) = session.split_once('\n').unwrap_or_default();
    let subject = certificates.lines().find(|it| it.starts_with("Subject:")).unwrap_or_default();
    let answer = describe(head.lines().map(str::to_owned).collect(), body.as_bytes());
    Ok(format!("{answer}\n[{end} {subject}]"))
}

/// Without what may differ: dates, the versions of the proxies, the order of headers.
fn describe(mut lines: Vec<String>, body: &[u8]) -> String {
    lines.retain(|it| !it.to_ascii_lowercase().starts_with("date: "));
    if let Some(headers) = lines.get_mut(1..) {
        headers.sort();
    }
    let mut body = String::from_utf8_lossy(body).into_owned();
    if body.len() > 3000 {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        body = format!("({} bytes, hash {:x})", body.len(), hasher.finish());
    }
    let product = Regex::new(r"(?-u)\b(nginx|minilb)(/[\d.]+)?\b").expect("it compiles");
    product.replace_all(&format!("{}\n\n{body}", lines.join("\n")), "PROXY").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_requests() {
        for (probe, expected) in [
            ("GET /a", "GET /a HTTP/1.1\r\nHost: test.example\r\n\r\n"),
            (
                "PUT / HTTP/1.0 | Host: b | c d",
                "PUT / HTTP/1.0\r\nHost: b\r\nContent-Length: 3\r\n\r\nc d",
            ),
            ("PUT / | Host: b | 3 x", "PUT / HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\nxxx"),
            (r"raw GET / HTTP/1.1\r\n\x00\\", "GET / HTTP/1.1\r\n\0\\"),
        ] {
            assert_eq!(String::from_utf8_lossy(&request(probe)), expected, "{probe}");
        }
    }

    #[test]
    fn descriptions_have_nothing_that_differs_between_proxies() {
        let head = "HTTP/1.1 200 OK\nServer: nginx/1.22.1\ndate: now\nA: minilb";
        let described = describe(head.lines().map(str::to_owned).collect(), b"nginx.conf");
        assert_eq!(described, "HTTP/1.1 200 OK\nA: PROXY\nServer: PROXY\n\nPROXY.conf");
    }
}
