//! The admin endpoint from outside, as `curl`, a browser and Prometheus use it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use minikit::admin::{Admin, Exposition, Inspect, StatePage, start};
use minikit::server::ServerError;
use minikit::sync::Arc;

/// An engine whose health the test decides.
struct Engine {
    unhealthy: AtomicBool,
}

impl Inspect for Engine {
    fn metrics(&self, out: &mut Exposition) {
        out.counter("engine_commands_total", "Commands executed.", 72u64);
    }

    fn state_page(&self) -> StatePage {
        let mut page = StatePage::new("engine");
        page.table("Types", "", &["type", "keys"]).row(["list".into(), 24u64.into()]);
        page
    }

    fn healthy(&self) -> Result<(), String> {
        match self.unhealthy.load(SeqCst) {
            true => Err("the disk is full".to_owned()),
            false => Ok(()),
        }
    }
}

fn admin() -> (Arc<Engine>, Admin) {
    let engine = Arc::new(Engine { unhealthy: AtomicBool::new(false) });
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let admin = start(address, Arc::clone(&engine)).expect("any port");
    (engine, admin)
}

/// Sends `request` and reads to the end: the status line, the head, the body.
fn ask(admin: &Admin, request: &[u8]) -> (String, String, String) {
    let mut stream = TcpStream::connect(admin.address()).expect("it listens");
    stream.write_all(request).expect("it reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it answers in text, and closes");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
    let (status, head) = head.split_once("\r\n").expect("a status line");
    (status.to_owned(), head.to_owned(), body.to_owned())
}

fn get(admin: &Admin, path: &str) -> (String, String, String) {
    ask(admin, format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").as_bytes())
}

#[test]
fn every_path_has_its_content_type() {
    let (_engine, admin) = admin();
    for (path, kind, part) in [
        ("/", "text/html; charset=utf-8", "<td>list</td><td class=\"n\">24</td>"),
        ("/?again", "text/html; charset=utf-8", "<title>engine</title>"),
        ("/xray.json", "application/json", "\"rows\":[[\"list\",24]]"),
        ("/xray.txt", "text/plain; charset=utf-8", "\n  type  keys\n  list    24\n"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", "\nengine_commands_total 72\n"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", "\nprocess_open_fds "),
        ("/healthz", "text/plain; charset=utf-8", "ok\n"),
    ] {
        let (status, head, body) = get(&admin, path);
        assert_eq!(status, "HTTP/1.1 200 OK", "{path}");
        assert!(head.contains(&format!("Content-Type: {kind}\r\n")), "{path}: {head}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{path}: {head}");
        assert!(body.contains(part), "{path}: {part} is not in {body}");
    }
}

#[test]
fn head_is_get_without_the_body() {
    let (_engine, admin) = admin();
    let (status, head, body) = ask(&admin, b"HEAD /healthz HTTP/1.1\r\n\r\n");
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 200 OK", ""));
    assert!(head.contains("Content-Length: 3\r\n"), "{head}");
}

#[test]
fn an_unhealthy_engine_answers_503_with_the_reason() {
    let (engine, admin) = admin();
    engine.unhealthy.store(true, SeqCst);
    let (status, _, body) = get(&admin, "/healthz");
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(body, "the disk is full\n");
    engine.unhealthy.store(false, SeqCst);
    assert_eq!(get(&admin, "/healthz").0, "HTTP/1.1 200 OK");
}

#[test]
fn wrong_requests_get_their_status() {
    let (_engine, admin) = admin();
    let large = [b"GET / HTTP/1.1\r\nCookie: ".as_slice(), &[b'x'; 100_000], b"\r\n\r\n"].concat();
    for (request, status) in [
        (&b"GET /nowhere HTTP/1.1\r\n\r\n"[..], "404 Not Found"),
        (b"POST /nowhere HTTP/1.1\r\n\r\n", "404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        (b"nonsense\r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/3\r\n\r\n", "400 Bad Request"),
        (&large, "431 Request Header Fields Too Large"),
    ] {
        assert_eq!(ask(&admin, request).0, format!("HTTP/1.1 {status}"));
    }
    let (_, head, _) = ask(&admin, b"DELETE / HTTP/1.1\r\n\r\n");
    assert!(head.contains("Allow: GET, HEAD"), "{head}");
}

#[test]
fn a_request_may_come_byte_by_byte_or_end_early() {
    let (_engine, admin) = admin();
    let mut stream = TcpStream::connect(admin.address()).expect("it listens");
    stream.set_nodelay(true).expect("connected");
    for byte in b"GET /healthz HTTP/1.1\r\n\r\n" {
        stream.write_all(&[*byte]).expect("it reads");
    }
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it answers");
    assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");

    let mut stream = TcpStream::connect(admin.address()).expect("it listens");
    stream.write_all(b"GET /hea").expect("it reads");
    stream.shutdown(Shutdown::Write).expect("connected");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it closes");
    assert_eq!(response, "", "half a request has no answer");
}

/// A connection that sends nothing counts against the limit of 64.
#[test]
fn silent_connections_are_bounded() {
    let (_engine, admin) = admin();
    let connect = || TcpStream::connect(admin.address()).expect("it listens");
    let mut silent = (0..64).map(|_| connect()).collect::<Vec<_>>();
    let mut one_too_many = connect();
    let mut nothing = Vec::new();
    one_too_many.read_to_end(&mut nothing).expect("it closes");
    assert!(nothing.is_empty());
    let mut first = silent.remove(0);
    first.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").expect("it reads");
    let mut response = String::new();
    first.read_to_string(&mut response).expect("a connection within the limit is answered");
    assert!(response.ends_with("\r\n\r\nok\n"), "{response}");
}

#[test]
fn dropping_it_ends_the_thread_and_frees_the_port() {
    let (engine, first) = admin();
    let address = first.address();
    let busy = start(address, Arc::clone(&engine)).expect_err("taken");
    assert!(matches!(busy, ServerError::Listen { .. }), "{busy}");
    assert!(busy.to_string().contains("--admin takes another"), "{busy}");
    drop(first);
    let again = start(address, engine).expect("free again");
    assert_eq!(get(&again, "/healthz").2, "ok\n");
}
