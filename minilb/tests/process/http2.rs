//! HTTP/2 frame by frame: golden scripts, one phenomenon a file, against the running program.
//!
//! `UPDATE_GOLDEN=1 cargo test -p minilb --test process http2` records anew; read `git diff` before
//! you believe it.
//!
//! | command | what it does |
//! |---|---|
//! | `connect` | a new connection, with the windows of RFC 9113: 65,535 bytes each |
//! | `get STREAM PATH`, `post STREAM PATH` | a request; `post` leaves the stream open |
//! | `host STREAM NAME` | a request for `/ok` of `:authority` a, with a header `host` |
//! | `burst COUNT` | opens streams for `/late`, answered when some were refused |
//! | `bytes STREAM COUNT` | reads frames until so much of the response body has come |
//! | `end STREAM` | reads frames until the stream has ended |
//! | `window STREAM COUNT` | lets the proxy send more; stream 0 is the connection |
//! | `upload STREAM COUNT` | sends a body, or goes on; stops if no window is given for a second |
//! | `reset STREAM` | the client cancels |
//! | `rapid COUNT PATH` | opens so many streams and cancels each at once |
//! | `server reads` | the server begins to read the body of `/take` |
//! | `server cut` | waits until the server has lost the connection of a request for `/stall` |
//!
//! The server answers `/ok` and `/big` at once, `/late` when it is told to, `/take` after the body,
//! `/half` and `/cut` with a part of the body, of which `/cut` closes when it is told to read, and
//! `/stall` never.

use super::http::{http_conf, proxy};
use super::start;
use minikit::harness::{Scratch, Server, free_port, wait_until};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

// Types and flags of frames (RFC 9113, section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The limit of streams at a time.
const STREAMS_MAX: usize = 128;
/// The window that each stream and the connection begin with.
const WINDOW: usize = 65_535;
/// The longest frame that needs no agreement.
const FRAME_BYTES_MAX: usize = 16 * 1024;

#[test]
fn http2() {
    let scripts = format!("{}/tests/golden/http2", env!("CARGO_MANIFEST_DIR"));
    minikit::golden::run_dir(scripts, |_| {
        let mut lab = Lab::start();
        move |line: &str| lab.run(line)
    });
}

#[derive(Default)]
struct Backend {
    reads: AtomicBool,
    cut: AtomicUsize,
}

impl Backend {
    fn talk(&self, mut client: TcpStream) -> io::Result<()> {
        let (mut received, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
        let mut read = |client: &mut TcpStream, end: &[u8]| {
            while !received.windows(end.len()).rev().take(buffer.len()).any(|it| it == end) {
                match client.read(&mut buffer)? {
                    0 => return Err(io::Error::from(ErrorKind::UnexpectedEof)),
                    count => received.extend_from_slice(&buffer[..count]),
                }
            }
            Ok(String::from_utf8_lossy(&received[..received.len().min(100)]).into_owned())
        };
        let head = read(&mut client, b"\r\n\r\n")?;
        let body = match head.split(' ').nth(1) {
            Some("/ok") => b"ok".to_vec(),
            Some("/late") => {
                wait_until("the server may answer", || self.reads.load(Relaxed));
                b"late".to_vec()
            }
            Some("/big") => vec![b'x'; 1 << 20],
            Some("/take") => {
                wait_until("the server may read", || self.reads.load(Relaxed));
                read(&mut client, b"\r\n0\r\n\r\n")?;
                b"taken".to_vec()
            }
            path => {
                if let Some("/half" | "/cut") = path {
                    write!(client, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")?;
                }
                if path == Some("/cut") {
                    wait_until("the server may close", || self.reads.load(Relaxed));
                    return Ok(());
                }
                while matches!(client.read(&mut [0; 1024]), Ok(1..)) {}
                self.cut.fetch_add(1, Relaxed);
                return Ok(());
            }
        };
        // The second header is none of HTTP/2, and none that HTTP/1.1 knows.
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nProxy-Connection: close\r\n\
                    Content-Length:";
        write!(client, "{head} {}\r\n\r\n", body.len())?;
        client.write_all(&body)
    }
}

/// What has come on a stream, and what may be sent.
struct Seen {
    status: &'static str,
    bytes: usize,
    end: Option<String>,
    window: usize,
    /// Of an upload.
    left: usize,
}

struct Lab {
    server: Server,
    backend: Arc<Backend>,
    client: TcpStream,
    /// Stream 0 is the connection.
    streams: BTreeMap<u32, Seen>,
    _scratch: Scratch,
}

impl Lab {
    fn start() -> Lab {
        let scratch = Scratch::new("minilb").expect("writable");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let backend = Arc::new(Backend::default());
        let shared = Arc::clone(&backend);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let backend = Arc::clone(&shared);
                std::thread::spawn(move || backend.talk(client));
            }
        });
        let parameters = "client_max_body_size 0; proxy_request_buffering off;";
        let listen = free_port();
        let text = proxy(listen, &format!("server 127.0.0.1:{port};"), parameters);
        let text = text.replace(&format!(":{listen};"), &format!(":{listen} http2;"));
        let server = start(&http_conf(&scratch, &text));
        let client = server.connect();
        Lab { server, backend, client, streams: BTreeMap::new(), _scratch: scratch }
    }

    fn run(&mut self, line: &str) -> String {
        let words = line.split(' ').collect::<Vec<_>>();
        let number = |index: usize| words[index].parse::<usize>().expect("a number");
        let stream = |index: usize| number(index) as u32;
        match words[0] {
            "connect" => self.connect(),
            "get" => self.request(stream(1), "GET", words[2], None),
            "post" => self.request(stream(1), "POST", words[2], None),
            "host" => self.request(stream(1), "GET", "/ok", Some(words[2])),
            "burst" => return self.burst(number(1)),
            "bytes" => return self.read_until(stream(1), |it| it.bytes >= number(2)),
            "end" => return self.read_until(stream(1), |it| it.end.is_some()),
            "window" => self.send(WINDOW_UPDATE, 0, stream(1), &(number(2) as u32).to_be_bytes()),
            "upload" => return self.upload(stream(1), words.get(2).map(|_| number(2))),
            "reset" => self.send(RST_STREAM, 0, stream(1), &8_u32.to_be_bytes()),
            "rapid" => return self.rapid(number(1), words[2]),
            "server" if words[1] == "reads" => self.backend.reads.store(true, Relaxed),
            "server" => wait_until("it is cut", || self.backend.cut.load(Relaxed) > 0),
            _ => panic!("unknown command: {line}"),
        }
        String::new()
    }

    fn connect(&mut self) {
        self.client = self.server.connect();
        self.streams = [(0, Seen::new())].into();
        self.client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("open");
        self.send(SETTINGS, 0, 0, b"");
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let frame = frame(kind, flags, stream, payload);
        self.client.write_all(&frame).expect("the connection is open");
    }

    fn request(&mut self, stream: u32, method: &str, path: &str, host: Option<&str>) {
        let frame = headers(stream, method, path, host);
        self.client.write_all(&frame).expect("the connection is open");
        self.streams.insert(stream, Seen::new());
    }

    /// Reads one frame and does what a client does. Returns false if the connection has ended or
    /// nothing comes in time.
    fn read_frame(&mut self) -> bool {
        let mut head = [0; 9];
        if self.client.read_exact(&mut head).is_err() {
            return false;
        }
        let [_, a, b, kind, flags, id @ ..] = head;
        let mut payload = vec![0; usize::from(u16::from_be_bytes([a, b]))];
        self.client.read_exact(&mut payload).expect("a whole frame");
        let code = |at: usize| {
            let bytes = payload[at..at + 4].try_into().expect("four of them");
            u32::from_be_bytes(bytes) as usize
        };
        let seen = self.streams.entry(u32::from_be_bytes(id)).or_insert_with(Seen::new);
        match kind {
            DATA => seen.bytes += payload.len(),
            HEADERS => seen.status = if payload[0] == 0x88 { "200" } else { "no 200" },
            RST_STREAM => seen.end = Some(format!("reset, {}", name(code(0)))),
            GOAWAY => seen.end = Some(name(code(4)).to_owned()),
            WINDOW_UPDATE => seen.window += code(0),
            _ => {}
        }
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            seen.end = Some("end".to_owned());
        }
        if matches!(kind, SETTINGS | PING) && flags & ACK == 0 {
            let answer = if kind == PING { payload } else { Vec::new() };
            // If the proxy has closed the connection, the next read tells.
            let _ = self.client.write_all(&frame(kind, ACK, 0, &answer));
        }
        true
    }

    fn read_until(&mut self, stream: u32, is_enough: impl Fn(&Seen) -> bool) -> String {
        while !is_enough(&self.streams[&stream]) {
            assert!(self.read_frame(), "no more frames for stream {stream}");
        }
        let Seen { status, bytes, end, .. } = &self.streams[&stream];
        let end = end.as_ref().map_or("so far", String::as_str);
        format!("stream {stream}: {status}, {bytes} bytes, {end}")
    }

    fn upload(&mut self, stream: u32, count: Option<usize>) -> String {
        if let Some(count) = count {
            self.streams.get_mut(&stream).expect("open").left = count;
        }
        let patience = self.client.read_timeout().expect("a socket");
        loop {
            let Seen { left, window, .. } = self.streams[&stream];
            let size = left.min(window).min(self.streams[&0].window).min(FRAME_BYTES_MAX);
            if size == 0 {
                // The proxy gives windows as long as the server takes bytes.
                self.client.set_read_timeout(Some(Duration::from_secs(1))).expect("a socket");
                let has_frame = matches!(self.client.peek(&mut [0]), Ok(1));
                self.client.set_read_timeout(patience).expect("a socket");
                if !has_frame {
                    return "stalled".to_owned();
                }
                assert!(self.read_frame(), "a whole frame");
                continue;
            }
            let is_last = size == left;
            self.send(DATA, if is_last { END_STREAM } else { 0 }, stream, &vec![b'x'; size]);
            for id in [0, stream] {
                let seen = self.streams.get_mut(&id).expect("open");
                (seen.window, seen.left) = (seen.window - size, seen.left.saturating_sub(size));
            }
            if is_last {
                return "all is sent".to_owned();
            }
        }
    }

    fn burst(&mut self, count: usize) -> String {
        let streams = (0..count as u32).map(|it| 2 * it + 1);
        let frames = streams.clone().flat_map(|it| headers(it, "GET", "/late", None));
        self.client.write_all(&frames.collect::<Vec<_>>()).expect("the connection is open");
        self.streams.extend(streams.map(|it| (it, Seen::new())));
        loop {
            let mut ends = BTreeMap::new();
            for end in self.streams.values().filter_map(|it| it.end.clone()) {
                *ends.entry(end).or_insert(0) += 1;
            }
            let ended = ends.values().sum::<usize>();
            if ended == count {
                return ends.iter().map(|(end, it)| format!("{it} streams: {end}\n")).collect();
            }
            if ended >= count - STREAMS_MAX {
                self.backend.reads.store(true, Relaxed);
            }
            assert!(self.read_frame(), "no more frames");
        }
    }

    fn rapid(&mut self, count: usize, path: &str) -> String {
        let both = |stream| {
            let cancel = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
            [headers(stream, "GET", path, None), cancel].concat()
        };
        let frames = (0..count as u32).flat_map(|it| both(2 * it + 1)).collect::<Vec<_>>();
        // The proxy may close before it has all of them.
        let _ = self.client.write_all(&frames);
        while self.read_frame() {}
        // The proxy closes with frames unread, which can overtake its last word.
        let end = self.streams[&0].end.as_deref();
        assert!(matches!(end, None | Some("ENHANCE_YOUR_CALM")), "{end:?}");
        "the connection has ended".to_owned()
    }
}

impl Seen {
    fn new() -> Seen {
        Seen { status: "no head", bytes: 0, end: None, window: WINDOW, left: 0 }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = &(payload.len() as u32).to_be_bytes()[1..];
    [length, &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A request without body, or the head of one with a body if the method is POST.
fn headers(stream: u32, method: &str, path: &str, host: Option<&str>) -> Vec<u8> {
    let fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")];
    let fields = fields.into_iter().chain(host.map(|it| ("host", it)));
    // Literals without a table: a zero, then name and value, each after its length.
    let text = |it: &str| [&[it.len() as u8], it.as_bytes()].concat();
    let block = fields.map(|(name, value)| [vec![0], text(name), text(value)].concat());
    let block = block.collect::<Vec<_>>();
    let end = if method == "GET" { END_STREAM } else { 0 };
    frame(HEADERS, END_HEADERS | end, stream, &block.concat())
}

/// The name of an error (RFC 9113, section 7).
fn name(code: usize) -> &'static str {
    let names = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
    ];
    names.get(code).copied().unwrap_or("unknown")
}
