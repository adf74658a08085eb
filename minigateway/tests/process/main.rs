//! Tests of the program as a process: limits, delays, refusals, reload, configuration and flags.
//!
//! `clients/run` compares the program with a real NGINX; these tests need no other program.
#![cfg(not(loom))]

mod hostile;

use minikit::harness::{Program, Scratch, Server, Signal, Stream, free_port, wait_until};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Starts an origin that answers each request with its own head, and closes. Its threads live as
/// long as the test.
fn origin() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let head = head(&mut client);
                let length = head.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\
                     RateLimit: \"origin\";r=1\r\n\r\n{head}"
                );
                client.write_all(answer.as_bytes())
            });
        }
    });
    port
}

/// Starts an origin that reports each request, and answers one request per permit.
fn slow_origin() -> (u16, Receiver<()>, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let (come, arrivals) = channel();
    let (permits, permitted) = channel();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            head(&mut client);
            if come.send(()).is_err() || permitted.recv().is_err() {
                return;
            }
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            // The gateway may have closed because its client disconnected.
            let _ = client.write_all(answer);
        }
    });
    (port, arrivals, permits)
}

fn head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|it| it > 0) {
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("ASCII")
}

fn minigateway(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minigateway"));
    command.args(arguments);
    command
}

fn start(config: &Path) -> Server {
    let config = config.to_str().expect("UTF-8");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--threads", "2", "--config", config];
    Server::start("minigateway", minigateway(&arguments))
}

/// Sends a request, and returns the whole response.
fn send(client: &mut TcpStream, request: &str) -> String {
    client.write_all(format!("{request}\r\nHost: a\r\n\r\n").as_bytes()).expect("open");
    answer(client)
}

fn answer(client: &mut TcpStream) -> String {
    let mut text = head(client);
    let length = text.lines().find_map(|it| it.strip_prefix("Content-Length: "));
    let length = length.map_or(0, |it| it.parse::<usize>().expect("a number"));
    let mut body = vec![0; length];
    client.read_exact(&mut body).expect("complete");
    text.push_str(&String::from_utf8(body).expect("UTF-8"));
    text
}

fn status(answer: &str) -> &str {
    &answer[9..12]
}

/// A configuration with one limit for all requests, and one route to the server at `port`.
fn config(scratch: &Scratch, port: u16, limit: &str) -> std::path::PathBuf {
    let text = format!(
        "[limits.all]\n{limit}\nkey = []\n[upstreams.a]\nservers = [\"127.0.0.1:{port}\"]\n\
         [[routes]]\npath = \"/*\"\nupstream = \"a\"\nlimits = [\"all\"]\n"
    );
    scratch.file("gateway.toml", &text)
}

#[test]
fn a_burst_passes_and_the_next_request_is_told_when_to_retry() {
    let scratch = Scratch::new("minigateway").expect("writable");
    let limit = "algorithm = \"token_bucket\"\nrate = \"2/h\"\nburst = 3";
    let server = start(&config(&scratch, origin(), limit));
    let mut client = server.connect();
    for left in [2, 1, 0] {
        let answer = send(&mut client, "GET /a?b HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7");
        assert_eq!(status(&answer), "200", "{answer}");
        assert!(answer.contains("RateLimit-Policy: \"all\";q=3;w=5400\r\n"), "{answer}");
        assert!(answer.contains(&format!("RateLimit: \"all\";r={left};t=1800\r\n")), "{answer}");
        assert!(!answer.contains("origin"), "{answer}");
        assert!(answer.contains("\r\n\r\nGET /a?b HTTP/1.1\r\n"), "{answer}");
        assert!(answer.contains("X-Forwarded-For: 192.0.2.7, 127.0.0.1\r\n"), "{answer}");
    }
    // A refusal does not close the connection.
    for _ in 0..2 {
        let answer = send(&mut client, "GET / HTTP/1.1");
        assert_eq!(status(&answer), "429", "{answer}");
        assert!(answer.contains("Retry-After: 1800\r\n"), "{answer}");
        assert!(answer.contains("Content-Type: application/problem+json\r\n"), "{answer}");
        assert!(answer.ends_with("\"status\":429,\"violated-policies\":[\"all\"]}\n"), "{answer}");
    }
    assert_eq!(status(&send(&mut client, "GET /a/../b HTTP/1.1")), "400");
}

#[test]
fn a_reload_gives_no_new_burst_and_an_error_keeps_the_old_configuration() {
    let scratch = Scratch::new("minigateway").expect("writable");
    let port = origin();
    let hourly = |burst| format!("algorithm = \"token_bucket\"\nrate = \"2/h\"\nburst = {burst}");
    let server = start(&config(&scratch, port, &hourly(1)));
    let mut client = server.connect();
    assert_eq!(status(&send(&mut client, "GET / HTTP/1.1")), "200");

    config(&scratch, port, &hourly(1));
    server.program.signal(Signal::HUP);
    server.program.wait_for(Stream::Stderr, "reconfigured");
    assert_eq!(status(&send(&mut client, "GET / HTTP/1.1")), "429");

    config(&scratch, port, "algorithm = \"token_buckets\"");
    server.program.signal(Signal::HUP);
    server.program.wait_for(Stream::Stderr, "the old configuration stays");
    assert_eq!(status(&send(&mut client, "GET / HTTP/1.1")), "429");

    // A changed limit starts with new buckets, also for open connections.
    config(&scratch, port, &hourly(2));
    server.program.signal(Signal::HUP);
    wait_until("the new limit", || status(&send(&mut client, "GET / HTTP/1.1")) == "200");
    let Server { program, .. } = server;
    drop(client);
    program.signal(Signal::TERM);
    assert_eq!(program.end().status.code(), Some(0));
}

#[test]
fn a_concurrency_limit_is_released_when_a_request_ends() {
    let scratch = Scratch::new("minigateway").expect("writable");
    let (port, arrivals, permits) = slow_origin();
    let server = start(&config(&scratch, port, "algorithm = \"concurrency\"\nlimit = 1"));
    let [mut first, mut second] = [server.connect(), server.connect()];
    let request = "GET / HTTP/1.1";
    let begin = |client: &mut TcpStream| {
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        client.write_all(request).expect("open");
        wait_until("the origin has it", || {
            if arrivals.try_recv().is_ok() {
                return true;
            }
            // A request still counts for a moment after its client has the response.
            client.set_nonblocking(true).expect("open");
            let is_refused = client.peek(&mut [0]).is_ok();
            client.set_nonblocking(false).expect("open");
            if is_refused {
                assert_eq!(status(&answer(client)), "503");
                client.write_all(request).expect("open");
            }
            false
        });
    };
    begin(&mut first);
    let refused = send(&mut second, request);
    assert_eq!(status(&refused), "503", "{refused}");
    assert!(refused.contains("#temporary-reduced-capacity"), "{refused}");
    assert!(!refused.contains("Retry-After"), "{refused}");

    permits.send(()).expect("the origin waits");
    assert_eq!(status(&answer(&mut first)), "200");
    permits.send(()).expect("the origin waits");
    wait_until("an end", || status(&send(&mut second, request)) == "200");
    arrivals.recv().expect("the origin runs");

    // A client that disconnects ends its request too.
    begin(&mut first);
    drop(first);
    permits.send(()).expect("the origin waits");
    permits.send(()).expect("the origin waits");
    wait_until("an end", || status(&send(&mut second, request)) == "200");
}

/// Starts a store that answers the handshake, calls `respond` for the first script, and closes.
fn store(respond: impl Fn(&mut TcpStream) + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for mut gateway in listener.incoming().flatten() {
            let respond = respond.clone();
            std::thread::spawn(move || {
                let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
                while let Ok(length @ 1..) = gateway.read(&mut buffer) {
                    read.extend_from_slice(&buffer[..length]);
                    let text = String::from_utf8_lossy(&read).into_owned();
                    if text.contains("EVALSHA") {
                        return respond(&mut gateway);
                    } else if text.ends_with("return reply\n\r\n") {
                        gateway.write_all(b"$4\r\nhash\r\n").expect("open");
                        read.clear();
                    }
                }
            });
        }
    });
    port
}

/// Starts a store that answers no script, and reports what it receives.
fn silent_store() -> (u16, Receiver<()>) {
    let (come, asked) = channel();
    let port = store(move |gateway| {
        let mut buffer = [0; 4096];
        // The test may be over.
        let _ = come.send(());
        while let Ok(1..) = gateway.read(&mut buffer) {
            let _ = come.send(());
        }
    });
    (port, asked)
}

/// A configuration with a shared limit of one an hour, in a store at `port`.
fn shared(scratch: &Scratch, port: u16, when_down: &str) -> std::path::PathBuf {
    let limit = "algorithm = \"fixed_window\"\nrate = \"1/h\"\nshared = true";
    let file = config(scratch, origin(), limit);
    let text = std::fs::read_to_string(&file).expect("just written");
    let redis = format!(
        "[redis]\nurl = \"redis://127.0.0.1:{port}\"\ntimeout = \"300ms\"\n\
         when_down = \"{when_down}\"\n"
    );
    scratch.file("gateway.toml", &(redis + &text))
}

#[test]
fn a_dead_store_admits_or_refuses_as_configured() {
    let scratch = Scratch::new("minigateway").expect("writable");
    // Nothing listens on a port after its listener is dropped.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    for (when_down, expected) in [("admit", "200"), ("refuse", "503")] {
        let server = start(&shared(&scratch, port, when_down));
        let mut client = server.connect();
        for _ in 0..3 {
            let answer = send(&mut client, "GET / HTTP/1.1");
            assert_eq!(status(&answer), expected, "{answer}");
            assert!(!answer.contains("RateLimit"), "no state is known: {answer}");
        }
    }
}

#[test]
fn a_slow_store_costs_one_deadline() {
    let scratch = Scratch::new("minigateway").expect("writable");
    let (port, asked) = silent_store();
    let server = start(&shared(&scratch, port, "refuse"));
    let mut client = server.connect();
    for _ in 0..20 {
        let answer = send(&mut client, "GET / HTTP/1.1");
        assert_eq!(status(&answer), "503", "{answer}");
        assert!(answer.contains("Retry-After: 1\r\n"), "{answer}");
    }
    // The first request asked; the others found the breaker open.
    assert!(asked.try_iter().count() <= 1);
}

#[test]
fn a_decision_is_explained_to_a_client_that_asks() {
    let scratch = Scratch::new("minigateway").expect("writable");
    let file = config(&scratch, origin(), "algorithm = \"token_bucket\"\nrate = \"1/h\"");
    let path = file.to_str().expect("UTF-8").to_owned();
    let ended = Program::start(minigateway(&["why", &path, "/a", "--times", "2"])).end();
    let first = "1  200  route 1, /*\n        limit all: admitted, full again in 3600s of 3600s";
    assert!(ended.stdout.starts_with(first), "{}", ended.stdout);
    assert!(ended.stdout.contains("\n2  429  route 1, /*\n        limit all: refused, full"));

    let text = std::fs::read_to_string(&file).expect("just written");
    for is_explained in [true, false] {
        let answers = format!("[answers]\nexplain = {is_explained}\n");
        let server = start(&scratch.file("gateway.toml", &(answers + &text)));
        let mut client = server.connect();
        let answer = send(&mut client, "GET / HTTP/1.1\r\nX-Explain: 1");
        let line = "X-Explain: limit all: admitted, full again in ";
        assert_eq!(answer.contains(line), is_explained, "{answer}");
        let answer = send(&mut client, "GET / HTTP/1.1");
        assert!(!answer.contains("X-Explain"), "{answer}");
    }
}

#[test]
fn requests_have_an_id_and_a_log_line() {
    let scratch = Scratch::new("minigateway").expect("writable");
    let file = config(&scratch, origin(), "algorithm = \"token_bucket\"\nrate = \"1/h\"");
    let text = std::fs::read_to_string(&file).expect("just written");
    let log = scratch.file("access.log", "");
    let table = format!("[log]\naccess = {log:?}\ntrace = true\n");
    let server = start(&scratch.file("gateway.toml", &(table + &text)));
    let mut client = server.connect();

    // The origin responds with the head that it received.
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01");
    let answer = send(&mut client, &format!("GET /a HTTP/1.1\r\n{parent}\r\ntracestate: b=1"));
    assert_eq!(answer.matches(&format!("X-Request-Id: {trace}\r\n")).count(), 2, "{answer}");
    assert!(answer.contains(&format!("traceparent: 00-{trace}-")), "{answer}");
    assert!(!answer.contains(&parent) && answer.contains("tracestate: b=1\r\n"), "{answer}");
    let answer = send(&mut client, "GET /b\"c HTTP/1.1\r\nX-Request-Id: mine");
    assert_eq!(status(&answer), "429");
    assert!(answer.contains("X-Request-Id: mine\r\n"), "{answer}");

    wait_until("two lines", || {
        let text = std::fs::read_to_string(&log).expect("it is there");
        let lines = text.lines().collect::<Vec<_>>();
        let [first, second] = lines[..] else { return false };
        assert!(first.contains("\"request\":\"GET /a HTTP/1.1\",\"host\":\"a\",\"status\":200"));
        assert!(first.ends_with(&format!(
            "\"id\":\"{trace}\",\"admitted\":[\"all\"],\"refused\":[],\"skipped\":[]}}"
        )));
        assert!(second.contains("GET /b\\\"c HTTP/1.1"), "{second}");
        assert!(second.contains("\"upstream\":null,\"id\":\"mine\",\"admitted\":[],"), "{second}");
        true
    });
}

#[test]
fn the_upstream_gets_the_host_with_its_port_and_one_trace() {
    let scratch = Scratch::new("minigateway").expect("writable");
    let file = config(&scratch, origin(), "algorithm = \"token_bucket\"\nrate = \"2/h\"");
    let text = std::fs::read_to_string(&file).expect("just written");
    let changes = "response_headers = { set = { Server = \"mine\" } }\n";
    let text = format!("[log]\ntrace = true\n{text}{changes}");
    let server = start(&scratch.file("gateway.toml", &text));
    let send = |target: &str, host: &str, more: &str| {
        let mut client = server.connect();
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
        client.write_all(request.as_bytes()).expect("open");
        answer(&mut client)
    };

    // Two `traceparent` headers begin a new trace (W3C Trace Context, 4.3).
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01\r\n");
    let answer = send("/a", "A.example:8443", &parent.repeat(2));
    assert!(answer.contains("\r\nHost: a.example:8443\r\n"), "{answer}");
    assert!(answer.contains("\r\ntraceparent: 00-") && !answer.contains(trace), "{answer}");
    let answer = send("http://b:81/", "a.example:82", "");
    assert!(answer.contains("\r\nHost: b\r\n"), "{answer}");

    let refused = send("/a", "a", "");
    assert_eq!((status(&refused), refused.matches("Server: ").count()), ("429", 1), "{refused}");
    assert!(refused.contains("Server: mine\r\n"), "{refused}");
}

#[test]
fn errors_are_reported_with_their_location() {
    let scratch = Scratch::new("minigateway").expect("writable");
    let file = config(&scratch, 1, "algorithm = \"token_bucket\"\nrate = \"ten\"");
    let path = file.to_str().expect("UTF-8");
    for arguments in [&["check", path][..], &["serve", "--config", path]] {
        let ended = Program::start(minigateway(arguments)).end();
        assert_eq!(ended.status.code(), Some(1));
        let expected = format!("{path}:3:8: \"ten\" is not a rate; write it as");
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    }
    let good = config(&scratch, 1, "algorithm = \"token_bucket\"\nrate = \"10/s\"");
    let text = std::fs::read_to_string(&good).expect("just written");
    std::fs::write(&good, format!("tread = 2\n{text}")).expect("writable");
    let ended = Program::start(minigateway(&["check", path])).end();
    assert!(ended.stderr.contains("did you mean \"threads\"?"), "{}", ended.stderr);
    std::fs::write(&good, format!("threads = 2\n{text}")).expect("writable");
    let ended = Program::start(minigateway(&["check", path])).end();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);

    let ended = Program::start(minigateway(&["serve"])).end();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("serve --config gateway.toml"), "{}", ended.stderr);
}

#[test]
fn a_request_is_counted_once_whatever_refuses_it() {
    let scratch = Scratch::new("minigateway").expect("writable");
    let file = config(&scratch, origin(), "algorithm = \"token_bucket\"\nrate = \"3/h\"");
    let text = std::fs::read_to_string(&file).expect("just written");
    let graphql = "graphql = { depth = 1, aliases = 0 }\n";
    let file = scratch.file("gateway.toml", &(text + graphql));
    let (admin, path) = (format!("127.0.0.1:{}", free_port()), file.to_str().expect("UTF-8"));
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--admin", &admin, "--config", path];
    let server = Server::start("minigateway", minigateway(&arguments));
    let post = |body: &str, length: usize| {
        let mut client = server.connect();
        let head = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Type: application/graphql\r\n";
        let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
        client.write_all(request.as_bytes()).expect("open");
        status(&answer(&mut client)).to_owned()
    };

    // The limit admits three: one is forwarded, one query is too deep, one body too long.
    assert_eq!(post("{a}", 3), "200");
    assert_eq!(post("{a{b}}", 6), "400");
    assert_eq!(post("", 2 << 20), "413");
    assert_eq!(post("{a}", 3), "429");
    wait_until("all have ended", || {
        let mut page = TcpStream::connect(&admin).expect("it listens");
        page.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("open");
        let mut text = String::new();
        page.read_to_string(&mut text).expect("UTF-8");
        let counted = |outcome: &str| {
            let name = format!("minigateway_requests_total{{outcome=\"{outcome}\"}} ");
            let count = text.lines().find_map(|it| it.strip_prefix(&name)).expect("it is there");
            count.parse::<u64>().expect("a number")
        };
        let counts = ["forwarded", "refused", "unrouted", "preflight"].map(counted);
        assert!(counts[0] <= 1 && counts[1] <= 3, "{counts:?}");
        counts == [1, 3, 0, 0]
    });
}
