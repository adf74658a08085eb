//! HTTP from outside: keepalive, retries, limits, reload, pipelines and cut connections.

use super::{Signal, Stream, minilb, start};
use minikit::harness::{Program, Scratch, Server, free_port, wait_until};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How a server treats a request, by its path.
fn respond(path: &str, name: &str) -> Option<String> {
    let body = format!("{name}{path}");
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    match path {
        "/close" => None,
        "/cut" => Some(format!("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{body}")),
        "/early" => Some("HTTP/1.1 100 Continue\r\n\r\n".to_owned() + &head + &body),
        _ => Some(head + &body),
    }
}

/// An HTTP server with a name. Returns its port and the count of requests it has received.
pub(super) fn server(name: &'static str) -> (u16, Arc<AtomicUsize>) {
    server_at(name, "127.0.0.1:0")
}

/// The same at an address.
pub(super) fn server_at(name: &'static str, address: &str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(address).expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let counter = Arc::clone(&counter);
            std::thread::spawn(move || serve(client, name, &counter));
        }
    });
    (port, count)
}

fn serve(mut client: TcpStream, name: &str, count: &AtomicUsize) -> Option<()> {
    let mut received = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = received.windows(4).position(|it| it == b"\r\n\r\n") {
                break received.drain(..end + 4).collect::<Vec<_>>();
            }
            read_more(&mut client, &mut received)?;
        };
        let head = String::from_utf8(head).ok()?;
        let length = head.lines().find_map(|it| it.strip_prefix("Content-Length: "));
        let length = length.map_or(0, |it| it.parse().expect("a number"));
        while received.len() < length {
            read_more(&mut client, &mut received)?;
        }
        received.drain(..length);
        count.fetch_add(1, Ordering::Relaxed);
        let path = head.split(' ').nth(1)?;
        if name == "slow" {
            std::thread::sleep(Duration::from_millis(200));
        }
        client.write_all(respond(path, name)?.as_bytes()).ok()?;
        if path == "/cut" {
            return None;
        }
    }
}

fn read_more(client: &mut TcpStream, received: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 4096];
    let count = client.read(&mut buffer).ok().filter(|it| *it > 0)?;
    received.extend_from_slice(&buffer[..count]);
    Some(())
}

pub(super) fn http_conf(scratch: &Scratch, http: &str) -> PathBuf {
    let text = format!("error_log stderr info;\nevents {{}}\nhttp {{ {http} }}\n");
    scratch.file("nginx.conf", &text)
}

/// A configuration with these servers behind one location.
pub(super) fn proxy(listen: u16, servers: &str, parameters: &str) -> String {
    format!(
        "upstream u {{ {servers} keepalive 8; }}
         server {{ listen 127.0.0.1:{listen}; {parameters} location / {{ proxy_pass http://u;
         proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }}"
    )
}

/// All that comes back until the server closes or `end` has come.
fn ask(stream: &mut TcpStream, request: &str, end: &str) -> String {
    stream.write_all(request.as_bytes()).expect("open");
    let mut answer = Vec::new();
    let mut buffer = [0; 65536];
    while !answer.ends_with(end.as_bytes()) || end.is_empty() {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
        }
    }
    String::from_utf8(answer).expect("text")
}

pub(super) fn get(server: &Server, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    ask(&mut server.connect(), &request, "")
}

/// What can be seen of the answer to a probe, in the grammar of `minilb diff`.
fn probe(server: &Server, text: &str) -> String {
    let addresses = BTreeMap::from([("LISTEN".to_owned(), server.address.clone())]);
    minilb_probe::probe(text, &addresses).expect("it listens")
}

#[test]
fn paths_and_names_follow_the_rules_of_nginx() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (listen, (port, _)) = (free_port(), server("a"));
    let http = format!(
        "map $arg_v $one {{ default x$two; }}
         map $arg_v $two {{ default y$one; }}
         server {{ listen 127.0.0.1:{listen}; server_name ~^(?<sub>.)$;
         location /slash {{ return 200 plain; }}
         location /slash/ {{ proxy_pass http://127.0.0.1:{port}; }}
         location = /only/ {{ proxy_pass http://127.0.0.1:{port}; }}
         location /decoded/ {{ set $to 127.0.0.1:{port}; proxy_pass http://$to$uri; }}
         location /endless {{ return 200 \"$one\"; }}
         location /small {{ client_max_body_size 1; return 200; }}
         location /none {{ }}
         location /names {{ return 200 \"$sub $server_name $http_x\"; }} }}"
    );
    let server = start(&http_conf(&scratch, &http));
    for (request, status, end) in [
        ("GET /slash", 200, "\n\nplain"),
        ("GET /only?a", 301, "</html>\r\n"),
        // NGINX sends the space, which ends the target.
        ("GET /decoded/a%20b", 200, "\n\na/decoded/a%20b"),
        ("GET /endless", 200, "\n\nxyxyxyxyxyx"),
        ("POST /small", 413, "</html>\r\n"),
        ("PUT /none", 405, "</html>\r\n"),
        ("GET /names", 200, "\n\na ~^(?<sub>.)$ 1"),
    ] {
        let request = format!("{request} | Host: a | Connection: close | X: 1 | X: 2 | ok");
        let answer = probe(&server, &request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(answer.ends_with(&format!("{end}\n[closed]")), "{request}: {answer}");
    }
}

#[test]
fn a_status_without_body_leaves_the_connection_in_step() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (listen, (port, _)) = (free_port(), server("a"));
    let http = format!(
        "server {{ listen 127.0.0.1:{listen};
         location /204 {{ return 204 text; }}
         location /304 {{ return 304 text; }}
         location /changed {{ error_page 404 =204 @other; return 404; }}
         location @other {{ proxy_pass http://127.0.0.1:{port}; }}
         location /next {{ return 200 next; }}
         location /text {{ return 500 text; }}
         location /shown {{ error_page 500 =200 /next; return 500; }} }}"
    );
    let server = start(&http_conf(&scratch, &http));
    for (path, is_last) in
        [("/204", false), ("/304", false), ("/changed", false), ("/text", false), ("/shown", true)]
    {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let next = "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let answers = ask(&mut server.connect(), &(request + next), "");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 2 - usize::from(is_last), "{answers}");
        let has_body = answers.split("\r\n\r\n").nth(1).is_some_and(|it| !it.starts_with("HTTP"));
        assert_eq!(has_body, ["/text", "/shown"].contains(&path), "{answers}");
    }
}

#[test]
fn get_goes_to_the_next_server_and_post_does_not() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (a, a_count) = server("a");
    let (b, b_count) = server("b");
    let listen = free_port();
    let servers = format!("server 127.0.0.1:{a}; server 127.0.0.1:{b};");
    let server = start(&http_conf(&scratch, &proxy(listen, &servers, "")));

    assert!(get(&server, "/x").ends_with("a/x"));
    let both = || (a_count.load(Ordering::Relaxed), b_count.load(Ordering::Relaxed));
    let before = both();
    // Each server closes without an answer. `a` receives it by a pooled connection first, whose end
    // says nothing about the server, and then by a new one.
    assert!(get(&server, "/close").starts_with("HTTP/1.1 502"), "no server answers");
    assert_eq!(both(), (before.0 + 2, before.1 + 1));

    // Both are disabled now, so the next request finds no server. A reload does not change that.
    assert!(get(&server, "/x").starts_with("HTTP/1.1 502"));
    server.program.signal(Signal::HUP);
    server.program.wait_for(Stream::Stderr, "reconfigured");
    assert!(get(&server, "/x").starts_with("HTTP/1.1 502"));

    let patient = format!("server 127.0.0.1:{a} max_fails=0; server 127.0.0.1:{b} max_fails=0;");
    http_conf(&scratch, &proxy(listen, &patient, ""));
    server.program.signal(Signal::HUP);
    wait_until("the new configuration", || get(&server, "/x").starts_with("HTTP/1.1 200"));
    let before = both();
    let post =
        "POST /close HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
    let answer = ask(&mut server.connect(), post, "");
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let after = both();
    assert_eq!(after.0 + after.1, before.0 + before.1 + 1, "POST is sent once");
}

#[test]
fn methods_that_nginx_has_in_plus_or_not_at_all() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (a, a_count) = server("a");
    let (slow, slow_count) = server("slow");
    let servers = format!("server 127.0.0.1:{a}; server 127.0.0.1:{slow};");
    let answers = |method: &str, paths: &[&str]| {
        let text = proxy(free_port(), &format!("{method} {servers}"), "");
        let server = start(&http_conf(&scratch, &text));
        let bodies = paths.iter().map(|path| get(&server, path));
        bodies.map(|it| it.rsplit('\n').next().expect("a body").to_owned()).collect::<Vec<_>>()
    };

    // The slow one is asked once, and its estimate takes half a minute to fade.
    for method in ["least_time header;", "random two least_time=header;"] {
        slow_count.store(0, Ordering::Relaxed);
        answers(method, &["/"; 20]);
        assert!(slow_count.load(Ordering::Relaxed) <= 5, "{method}");
    }
    assert!(a_count.load(Ordering::Relaxed) >= 30);

    // A key stays with its server.
    for method in ["hash $uri maglev;", "hash $uri consistent balance_factor=150;"] {
        let reached = answers(method, &["/1", "/2", "/3", "/1", "/2", "/3"]);
        assert_eq!(reached[..3], reached[3..], "{method}");
    }
}

#[test]
fn active_checks_find_a_dead_server_and_see_it_come_back() {
    let scratch = Scratch::new("minilb").expect("writable");
    let ((a, _), dead, listen) = (server("a"), free_port(), free_port());
    let text = format!(
        "upstream u {{ server 127.0.0.1:{a}; server 127.0.0.1:{dead} max_fails=0; }}
         server {{ listen 127.0.0.1:{listen}; location / {{ proxy_pass http://u;
         proxy_next_upstream off; health_check interval=50ms jitter=10ms uri=/ok; }} }}"
    );
    let server = start(&http_conf(&scratch, &text));
    server.program.wait_for(Stream::Stderr, "peer is unhealthy");
    for _ in 0..6 {
        assert!(get(&server, "/").ends_with("\r\n\r\na/"), "nobody meets the dead one");
    }

    let listener = TcpListener::bind(("127.0.0.1", dead)).expect("free");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || serve(client, "b", &AtomicUsize::new(0)));
        }
    });
    server.program.wait_for(Stream::Stderr, "peer is healthy");
    wait_until("it is used again", || get(&server, "/").ends_with("b/"));
}

#[test]
fn a_reload_ends_the_checks_of_the_old_configuration() {
    let scratch = Scratch::new("minilb").expect("writable");
    let ((kept, kept_count), (new, new_count)) = (server("a"), server("b"));
    let ((removed, removed_count), listen) = (server("c"), free_port());
    let write = |reloads: usize, ports: [u16; 2]| {
        let block = |port: u16| {
            let upstream = format!("upstream u{port} {{ server 127.0.0.1:{port}; }}");
            let location = format!("location /{port} {{ proxy_pass http://u{port};");
            (upstream, location + " health_check interval=50ms; }")
        };
        let (upstreams, locations): (String, String) = ports.into_iter().map(block).unzip();
        let reloads = format!("location /reloads {{ return 200 {reloads}; }}");
        let server = format!("server {{ listen 127.0.0.1:{listen}; {reloads} {locations} }}");
        http_conf(&scratch, &(upstreams + &server))
    };
    let server = start(&write(0, [kept, removed]));
    let count = |it: &AtomicUsize| it.load(Ordering::Relaxed);
    wait_until("both are checked", || count(&kept_count) > 0 && count(&removed_count) > 0);
    for reloads in 1..=5 {
        write(reloads, [kept, if reloads < 5 { removed } else { new }]);
        server.program.signal(Signal::HUP);
        wait_until("the reload", || get(&server, "/reloads").ends_with(&reloads.to_string()));
    }

    // As many checks as of a server that no earlier configuration had.
    wait_until("the new one is checked", || count(&new_count) > 0);
    let before = [&kept_count, &new_count, &removed_count].map(|it| count(it));
    wait_until("some checks", || count(&new_count) >= before[1] + 6);
    let kept = count(&kept_count) - before[0];
    assert!((4..=8).contains(&kept), "{kept} checks, where there should be six");
    assert!(count(&removed_count) - before[2] <= 1, "at most one was under way");
}

#[test]
fn a_breaker_outlives_a_reload() {
    let scratch = Scratch::new("minilb").expect("writable");
    let ((a, a_count), (b, b_count)) = (server("a"), server("b"));
    let servers = "circuit_breaker consecutive=2 open=1h;".to_owned()
        + &format!("server 127.0.0.1:{a}; server 127.0.0.1:{b} down;");
    let text = proxy(free_port(), &servers, "");
    let conf = http_conf(&scratch, &text);
    let server = start(&conf);
    for _ in 0..2 {
        assert!(get(&server, "/close").starts_with("HTTP/1.1 502"));
    }
    server.program.wait_for(Stream::Stderr, "circuit breaker opened");
    assert!(get(&server, "/").starts_with("HTTP/1.1 502"), "failed fast");

    http_conf(&scratch, &text.replace(" down", ""));
    server.program.signal(Signal::HUP);
    server.program.wait_for(Stream::Stderr, "reconfigured");
    let before = a_count.load(Ordering::Relaxed);
    for _ in 0..4 {
        assert!(get(&server, "/").ends_with("b/"));
    }
    assert_eq!(a_count.load(Ordering::Relaxed), before);
    assert_eq!(b_count.load(Ordering::Relaxed), 4);
}

#[test]
fn a_choice_is_explained_to_a_client_that_asks() {
    let scratch = Scratch::new("minilb").expect("writable");
    let ((a, _), dead, listen) = (server("a"), free_port(), free_port());
    let servers = format!("server 127.0.0.1:{dead}; server 127.0.0.1:{a};");
    for is_explained in [true, false] {
        let explain = if is_explained { "explain on;" } else { "" };
        let conf = http_conf(&scratch, &proxy(listen, &servers, explain));
        let (path, failing) = (conf.to_str().expect("UTF-8"), format!("127.0.0.1:{dead}"));
        let why = ["why", "-c", path, "/x", "--times", "2", "--fail", &failing];
        let ended = Program::start(minilb(&why)).end();
        let first = format!(
            "1  200  location /, to upstream u\n        attempt 1, round robin: {failing}\n"
        );
        assert!(ended.stdout.starts_with(&first), "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains("retried: it fails\n        attempt 2, round robin: 127"));
        assert!(ended.stdout.contains("1 fails, out for "), "{}", ended.stdout);

        let server = start(&conf);
        let asked = "GET / HTTP/1.1\r\nHost: a\r\nX-Explain: 1\r\nConnection: close\r\n\r\n";
        let answer = ask(&mut server.connect(), asked, "");
        for line in [
            format!("X-Explain: attempt 1, round robin: {failing}\r\n"),
            "X-Explain: retried: upstream prematurely closed or refused connection\r\n".to_owned(),
            format!("X-Explain: attempt 2, round robin: 127.0.0.1:{a}\r\n"),
            format!("X-Explain: server {failing}: current -1 to -1, effective 0 to 0 of 1, 0 open"),
        ] {
            assert_eq!(answer.contains(&line), is_explained, "{line}{answer}");
        }
        assert!(!get(&server, "/").contains("X-Explain"));
    }
}

#[test]
fn each_method_says_what_it_goes_by() {
    let scratch = Scratch::new("minilb").expect("writable");
    for (method, servers, expected) in [
        ("", "weight=2; server 127.0.0.1:2 backup", "0 open, backup"),
        ("ip_hash;", "", "the hash 4040 is 0 modulo 2, the sum of weights"),
        ("hash $uri;", "weight=3", "the hash 3355 is 3 modulo 4, the sum of weights"),
        ("hash $uri consistent;", "", "the hash 0d1bd39c meets the point 0d"),
        ("hash $uri maglev;", "", "slot 50817 of 65537 belongs to 127.0.0.1:"),
        ("hash $uri consistent balance_factor=125;", "", "servers may have [1, 1] open"),
        ("random two;", "", "; drawn were 127.0.0.1:"),
        ("least_time header;", "", "0 open, latency 0.0"),
    ] {
        let servers = format!("{method} server 127.0.0.1:1 {servers}; server 127.0.0.1:3;");
        let conf = http_conf(&scratch, &proxy(free_port(), &servers, ""));
        let why = ["why", "-c", conf.to_str().expect("UTF-8"), "/x", "--times", "2"];
        let ended = Program::start(minilb(&why)).end();
        assert!(ended.stdout.contains(expected), "{expected}: {}{}", ended.stdout, ended.stderr);
    }
}

#[test]
fn requests_share_connections_and_may_be_pipelined() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (a, _) = server("a");
    let listen = free_port();
    let conf = proxy(listen, &format!("server 127.0.0.1:{a};"), "");
    let server = start(&http_conf(&scratch, &conf));
    let mut client = server.connect();
    for path in ["/1", "/2", "/early"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = ask(&mut client, &request, &format!("a{path}"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("Connection: keep-alive\r\n"), "{answer}");
    }
    let one =
        |path: &str| format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    let answers = ask(&mut client, &(one("/3") + &one("/4") + &one("/5")), "a/5");
    let bodies = ["a/3", "a/4", "a/5"].map(|it| answers.find(it).expect(it));
    assert!(bodies.is_sorted(), "in order: {answers}");
}

#[test]
fn a_response_that_is_cut_off_is_not_completed() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (a, _) = server("a");
    let listen = free_port();
    let conf = proxy(listen, &format!("server 127.0.0.1:{a};"), "");
    let server = start(&http_conf(&scratch, &conf));
    let answer = get(&server, "/cut");
    assert!(answer.contains("Content-Length: 100\r\n"), "{answer}");
    assert!(answer.ends_with("a/cut"), "{answer}");
    assert!(get(&server, "/after").ends_with("a/after"));
}

#[test]
fn what_is_too_large_or_malformed_is_refused_and_others_are_served() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (a, count) = server("a");
    let listen = free_port();
    let limit = "client_max_body_size 10;";
    let server =
        start(&http_conf(&scratch, &proxy(listen, &format!("server 127.0.0.1:{a};"), limit)));
    let raw = |headers: &str, body: &str| {
        let head = format!(r"raw POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n");
        head + body + r"0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n"
    };
    for (request, status) in [
        ("POST / | hello world".to_owned(), 413),
        ("POST / | Transfer-Encoding: chunked | hello world".to_owned(), 413),
        (raw(r"Content-Length: 4\r\nTransfer-Encoding: chunked", ""), 400),
        (raw("Transfer-Encoding: xchunked", ""), 501),
        (raw("Transfer-Encoding: chunked", r"1;\n\r\n"), 400),
        (format!("GET /{}", "x".repeat(9000)), 414),
        (format!("GET /{}", " | A: b".repeat(200)), 400),
    ] {
        let answer = probe(&server, &request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.80}: {answer}");
        assert!(answer.ends_with("\n[closed]"), "nothing comes after the answer: {answer}");
    }
    assert_eq!(count.load(Ordering::Relaxed), 0, "no server has seen any of them");
    assert!(get(&server, "/fine").ends_with("a/fine"));
}

/// The rest of a short body is dropped, so that the connection stays.
#[test]
fn an_answer_does_not_wait_for_the_body() {
    let scratch = Scratch::new("minilb").expect("writable");
    let location = "location /none { return 403 no; }";
    let text = proxy(free_port(), "server 127.0.0.1:1;", location);
    let server = start(&http_conf(&scratch, &text));
    let head = |framing: &str| format!("POST /none HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");

    let mut client = server.connect();
    for body_before in ["", "helloworld", "helloworld"] {
        let request = body_before.to_owned() + &head("Content-Length: 10");
        let answer = ask(&mut client, &request, "\r\n\r\nno");
        assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
        assert!(answer.contains("Connection: keep-alive\r\n"), "{answer}");
    }
    for framing in [
        "Transfer-Encoding: chunked",
        "Content-Length: 9\r\nExpect: 100-continue",
        "Content-Length: 9\r\nConnection: close",
    ] {
        let answer = ask(&mut server.connect(), &head(framing), "");
        assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{framing}: {answer}");
        assert!(answer.contains("Connection: close\r\n"), "{framing}: {answer}");
    }
}

#[test]
fn serve_listens_at_one_more_address() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (a, _) = server("a");
    let conf = http_conf(&scratch, &proxy(free_port(), &format!("server 127.0.0.1:{a};"), ""));
    let conf = conf.to_str().expect("UTF-8");
    let arguments = ["serve", "--config", conf, "--listen", "127.0.0.1:0", "--threads", "1"];
    let server = Server::start("minilb", minilb(&arguments));
    assert!(get(&server, "/x").ends_with("a/x"));

    let dump = Program::start(minilb(&["-T", "-c", conf])).end();
    assert_eq!(dump.status.code(), Some(0), "{}", dump.stderr);
    assert!(dump.stdout.contains("nginx.conf:\nerror_log"), "{}", dump.stdout);
}

#[test]
fn the_admin_page_has_times_and_the_ring() {
    let scratch = Scratch::new("minilb").expect("writable");
    let ((a, _), (b, _)) = (server("a"), server("b"));
    let servers = format!("hash $uri consistent; server 127.0.0.1:{a}; server 127.0.0.1:{b};");
    let conf = http_conf(&scratch, &proxy(free_port(), &servers, ""));
    let (conf, admin) = (conf.to_str().expect("UTF-8"), format!("127.0.0.1:{}", free_port()));
    let server = Server::start("minilb", minilb(&["serve", "-c", conf, "--admin", &admin]));
    (0..10).for_each(|it| assert!(get(&server, &format!("/{it}")).starts_with("HTTP/1.1 200")));

    let look = |path: &str| {
        let mut client = TcpStream::connect(&admin).expect("listening");
        ask(&mut client, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"), "")
    };
    wait_until("all responses are in the histograms", || {
        let metrics = look("/metrics");
        let all = metrics.lines().filter(|it| it.contains("le=\"+Inf\""));
        all.map(|it| it.rsplit(' ').next().expect("a value").parse::<u64>().expect("a number"))
            .sum::<u64>()
            == 10
    });

    // Each piece of the ring belongs to one of the two.
    let page = look("/xray.txt");
    let (_, ring) = page.split_once("RING OF U\n").expect("the ring is drawn");
    let pieces = ring.lines().filter_map(|it| it.split_once(" %  ")).map(|it| it.1.chars());
    let [first, second] = pieces.collect::<Vec<_>>().try_into().expect("two servers");
    let pairs = first.zip(second).map(|it| (it.0 == '█') != (it.1 == '█'));
    assert_eq!(pairs.filter(|it| *it).count(), 32, "{page}");
}

#[test]
fn log_files_are_opened_anew() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (a, _) = server("a");
    let log = scratch.path().join("access.log");
    let parameters = format!("access_log {};", log.display());
    let listen = free_port();
    let conf = proxy(listen, &format!("server 127.0.0.1:{a};"), &parameters);
    let server = start(&http_conf(&scratch, &conf));
    let lines = || std::fs::read_to_string(&log).unwrap_or_default().lines().count();
    get(&server, "/1");
    wait_until("a line", || lines() == 1);
    std::fs::rename(&log, scratch.path().join("old.log")).expect("same directory");
    server.program.signal(Signal::USR1);
    wait_until("the new file", || log.exists());
    get(&server, "/2");
    wait_until("a line", || lines() == 1);
}

#[test]
fn the_wildcards_of_ipv4_and_ipv6_share_a_port() {
    let scratch = Scratch::new("minilb").expect("writable");
    let listen = free_port();
    let conf = format!(
        "server {{ listen {listen}; return 200 four; }}
         server {{ listen [::]:{listen} ipv6only=on; return 200 six; }}"
    );
    let _server = start(&http_conf(&scratch, &conf));
    for (ip, body) in [("127.0.0.1", "four"), ("::1", "six")] {
        let mut client = TcpStream::connect((ip, listen)).expect("it listens");
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        assert!(ask(&mut client, request, "").ends_with(body), "{ip}");
    }
}

#[test]
fn http2_on_serves_both_versions_at_one_address() {
    let scratch = Scratch::new("minilb").expect("writable");
    let listen = free_port();
    let conf = format!("http2 on; server {{ listen 127.0.0.1:{listen}; return 200 ok; }}");
    let server = start(&http_conf(&scratch, &conf));
    assert!(get(&server, "/").starts_with("HTTP/1.1 200 OK"));

    let mut client = server.connect();
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("open");
    let mut head = [0; 9];
    client.read_exact(&mut head).expect("a frame");
    assert_eq!(head[3], 4, "SETTINGS come first");
}

/// A server that changes the protocol, echoes, and ends when its client does.
fn upgrading_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    read_more(&mut client, &mut head)?;
                }
                let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n\r\n";
                client.write_all(head.as_bytes()).ok()?;
                let mut source = client.try_clone().ok()?;
                std::io::copy(&mut source, &mut client).ok()
            });
        }
    });
    port
}

#[test]
fn tunnels_outlive_a_reload_and_sigquit_waits_for_them() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (listen, upgrading) = (free_port(), upgrading_server());
    let write = |port: u16| {
        let http = format!(
            "server {{ listen 127.0.0.1:{listen}; location / {{ proxy_pass http://127.0.0.1:{port};
             proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
             proxy_set_header Connection upgrade; }} }}"
        );
        http_conf(&scratch, &http)
    };
    let start = |globals: &str| {
        let conf = write(upgrading);
        let arguments = ["serve", "-g", globals, "-c", conf.to_str().expect("UTF-8")];
        Server::start("minilb", minilb(&arguments))
    };
    let open = |server: &Server| {
        let mut tunnel = server.connect();
        let upgrade = "Upgrade: echo\r\nConnection: upgrade";
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n\r\n");
        let head = ask(&mut tunnel, &request, "\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        tunnel
    };

    // Its server is gone from the new configuration; the tunnel does not notice.
    let server = start("");
    let mut tunnel = open(&server);
    write(free_port());
    server.program.signal(Signal::HUP);
    server.program.wait_for(Stream::Stderr, "reconfigured");
    assert_eq!(ask(&mut tunnel, "one", "one"), "one");
    server.program.signal(Signal::QUIT);
    wait_until("it accepts no more", || TcpStream::connect(&server.address).is_err());
    assert_eq!(ask(&mut tunnel, "two", "two"), "two");
    drop(tunnel);
    assert_eq!(server.program.end().status.code(), Some(0));

    // With a time limit, both end it.
    let server = start("worker_shutdown_timeout 100ms;");
    for signal in [Signal::HUP, Signal::QUIT] {
        let mut tunnel = open(&server);
        server.program.signal(signal);
        assert_eq!(tunnel.read(&mut [0]).ok(), Some(0), "{signal:?}");
    }
    assert_eq!(server.program.end().status.code(), Some(0));
}
