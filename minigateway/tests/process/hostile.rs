//! Hostile, dead or slow clients, upstreams and stores. Each client gets a clear answer or none,
//! memory stays bounded, and the next client is served.

use super::{answer, head, origin, send, shared, start, status, store};
use minikit::harness::usage::resident_bytes;
use minikit::harness::{Scratch, Server, wait_until};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;

/// A configuration with one route, without limits, to the server at `port`.
fn config(scratch: &Scratch, port: u16, upstream: &str) -> std::path::PathBuf {
    let text = format!(
        "[upstreams.a]\nservers = [\"127.0.0.1:{port}\"]\n{upstream}\n\
         [[routes]]\npath = \"/*\"\nupstream = \"a\"\n"
    );
    scratch.file("gateway.toml", &text)
}

fn is_served(server: &Server) {
    assert_eq!(status(&send(&mut server.connect(), "GET / HTTP/1.1")), "200");
}

/// Starts an upstream that calls `respond` on each connection after the request head. Its threads
/// live as long as the test.
fn upstream(respond: impl Fn(&mut TcpStream) + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let respond = respond.clone();
            std::thread::spawn(move || {
                head(&mut client);
                respond(&mut client);
            });
        }
    });
    port
}

/// Reads until the peer closes.
fn wait_for_end(client: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    // A reset also ends the connection.
    let _ = client.read_to_end(&mut read);
    read
}

#[test]
fn a_flood_of_headers_is_refused() {
    let scratch = Scratch::new("minigateway").expect("writable");
    let server = start(&config(&scratch, origin(), ""));
    let long = "a".repeat(9000);
    for (request, expected) in [
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n"), "414"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n"), "431"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "X: 1\r\n".repeat(129)), "431"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "X-Long: 1234\r\n".repeat(10_000)), "431"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "b".repeat(40_000)), "431"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{long}: 1\r\n"), "431"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\0\r\n".to_owned(), "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n".to_owned(), "400"),
    ] {
        let mut client = server.connect();
        // The gateway may close before it has read everything.
        let _ = client.write_all(format!("{request}\r\n").as_bytes());
        let answer = answer(&mut client);
        assert_eq!(status(&answer), expected, "{}: {answer}", &request[..40]);
        assert!(answer.contains("Content-Type: application/problem+json\r\n"), "{answer}");
        assert!(answer.contains(&format!("\"status\":{expected}")), "{answer}");
    }
    is_served(&server);
}

#[test]
fn a_huge_body_is_refused_as_early_as_possible() {
    let scratch = Scratch::new("minigateway").expect("writable");
    let server = start(&config(&scratch, origin(), "body_max = 10_000"));
    let resident = || resident_bytes(server.program.pid()).expect("it runs");
    let before = resident();
    for (framing, expected) in [
        ("Content-Length: 10001", "413"),
        ("Content-Length: 18446744073709551615", "413"),
        ("Content-Length: 18446744073709551616", "400"),
        ("Content-Length: -1", "400"),
        ("Content-Length: 1e9", "400"),
        ("Transfer-Encoding: chunked", "413"),
        ("Content-Length: 10001\r\nExpect: 100-continue", "413"),
    ] {
        let mut client = server.connect();
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
        client.write_all(request.as_bytes()).expect("open");
        if framing.ends_with("chunked") {
            // Send as long as the gateway reads.
            let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
            while client.write_all(chunk.as_bytes()).is_ok() {}
        }
        let answer = answer(&mut client);
        assert_eq!(status(&answer), expected, "{framing}: {answer}");
    }
    // A request that is refused anyway gets no `100 Continue`.
    for expect in ["", "\r\nExpect: 100-continue"] {
        let request = format!("POST //x HTTP/1.1\r\nContent-Length: 9{expect}");
        assert_eq!(status(&send(&mut server.connect(), &request)), "400");
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes");
    is_served(&server);
}

#[test]
fn slow_clients_take_little_memory_and_block_nobody() {
    const CLIENTS: usize = 300;
    let scratch = Scratch::new("minigateway").expect("writable");
    let server = start(&config(&scratch, origin(), ""));
    is_served(&server);
    let resident = || resident_bytes(server.program.pid()).expect("it runs");
    let before = resident();
    let begin = |request: &str| {
        let mut client = server.connect();
        client.write_all(request.as_bytes()).expect("open");
        client
    };
    // A head, a body and a chunked body that never end.
    let slow = (0..CLIENTS).flat_map(|_| {
        [
            begin("GET /slow HTTP/1.1\r\nHost: a\r\nX: "),
            begin("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx"),
            begin("POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nx"),
        ]
    });
    let mut slow = slow.collect::<Vec<_>>();
    // Each slow client sends a byte in each round, and a fast client is served in between.
    for _ in 0..10 {
        is_served(&server);
        for client in &mut slow {
            client.write_all(b"x").expect("open");
        }
    }
    let grown = resident().saturating_sub(before) as usize / slow.len();
    assert!(grown < 64 << 10, "{grown} bytes a client");
    is_served(&server);
}

#[test]
fn a_dead_or_broken_upstream_is_502_and_a_slow_one_504() {
    let scratch = Scratch::new("minigateway").expect("writable");
    let say = |text: &'static str| {
        upstream(move |client| {
            // The gateway may have closed.
            let _ = client.write_all(text.as_bytes());
        })
    };
    let stall = |text: &'static str| {
        upstream(move |client| {
            let _ = client.write_all(text.as_bytes());
            wait_for_end(client);
        })
    };
    let flood = upstream(|client| {
        let _ = client.write_all(b"HTTP/1.1 200 OK\r\n");
        while client.write_all(b"X-Flood: 1\r\n").is_ok() {}
    });
    for (port, expected) in [
        (minikit::harness::free_port(), "502"),
        (say(""), "502"),
        (say("HTTP/1.1 200"), "502"),
        (say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "502"),
        (say("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), "502"),
        (say("HTTP/1.1 99 Low\r\n\r\n"), "502"),
        (say("SSH-2.0-OpenSSH_9.2\r\n\r\n"), "502"),
        (flood, "502"),
        (stall(""), "504"),
        (stall("HTTP/1.1 200 OK\r\nContent-"), "504"),
    ] {
        let server =
            start(&config(&scratch, port, "timeout = \"100ms\"\nconnect_timeout = \"1s\""));
        let answer = send(&mut server.connect(), "GET / HTTP/1.1");
        assert_eq!(status(&answer), expected, "{answer}");
        assert!(answer.contains("Content-Type: application/problem+json\r\n"), "{answer}");
        assert!(answer.contains(&format!("\"status\":{expected}")), "{answer}");
    }

    // After the response head, the gateway can only close the connection.
    for port in [say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), {
        stall("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
    }] {
        let server = start(&config(&scratch, port, "timeout = \"100ms\""));
        let mut client = server.connect();
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("open");
        let text = String::from_utf8(wait_for_end(&mut client)).expect("ASCII");
        assert_eq!(status(&text), "200", "{text}");
        assert!(text.contains("half") && !text.ends_with("0\r\n\r\n"), "{text}");
    }
}

#[test]
fn requests_to_a_slow_upstream_block_nobody() {
    let scratch = Scratch::new("minigateway").expect("writable");
    let (come, arrivals) = channel();
    let slow = upstream(move |client| {
        come.send(()).expect("the test waits");
        wait_for_end(client);
    });
    let text = format!(
        "[upstreams.slow]\nservers = [\"127.0.0.1:{slow}\"]\n\
         [upstreams.fast]\nservers = [\"127.0.0.1:{}\"]\n\
         [[routes]]\npath = \"/slow\"\nupstream = \"slow\"\n\
         [[routes]]\npath = \"/\"\nupstream = \"fast\"\n",
        origin()
    );
    let server = start(&scratch.file("gateway.toml", &text));
    let waiting = (0..100).map(|_| {
        let mut client = server.connect();
        client.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").expect("open");
        client
    });
    let waiting = waiting.collect::<Vec<_>>();
    for _ in &waiting {
        arrivals.recv().expect("the upstream runs");
    }
    is_served(&server);
    drop(waiting);
    is_served(&server);
}

#[test]
fn a_store_with_invalid_replies_counts_as_down() {
    let scratch = Scratch::new("minigateway").expect("writable");
    let flood = Box::leak(vec![b'1'; 4 << 20].into_boxed_slice());
    for reply in [
        &b""[..],
        b"+OK\r\n",
        b"$-1\r\n",
        b"*0\r\n",
        b"*1\r\n:1\r\n",
        b"*3\r\n:1\r\n",
        b"*999999999\r\n:1\r\n",
        b"$99999999999\r\nx",
        b":99999999999999999999999\r\n",
        b"-ERR boom\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        flood,
    ] {
        let port = store(move |gateway| {
            // The gateway may have closed.
            let _ = gateway.write_all(reply);
        });
        let server = start(&shared(&scratch, port, "refuse"));
        let resident = || resident_bytes(server.program.pid()).expect("it runs");
        let before = resident();
        let mut client = server.connect();
        for _ in 0..3 {
            let answer = send(&mut client, "GET / HTTP/1.1");
            assert_eq!(status(&answer), "503", "{answer}");
        }
        let grown = resident().saturating_sub(before);
        assert!(grown < 8 << 20, "{grown} bytes after {} of the store", reply.len());
    }
}

/// 512 requests announce bodies of 1 MiB, which reserve all 512 MiB. One more is refused.
#[test]
fn all_buffered_bodies_together_are_bounded() {
    const MIB: usize = 1 << 20;
    let scratch = Scratch::new("minigateway").expect("writable");
    let file = config(&scratch, origin(), "body_max = 0");
    let text = std::fs::read_to_string(&file).expect("just written");
    let graphql = "graphql = { depth = 2, aliases = 0 }\n";
    let server = start(&scratch.file("gateway.toml", &(text + graphql)));
    // Announces a body but does not send it. Returns the response line that asks for it.
    let begin = |length: usize| {
        let mut client = server.connect();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/graphql\r\n\
             Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        );
        client.write_all(head.as_bytes()).expect("open");
        let answer = answer(&mut client);
        (client, answer)
    };
    let mut clients = Vec::new();
    for number in 0..512 {
        let (client, answer) = begin(MIB);
        assert_eq!(status(&answer), "100", "{number}: {answer}");
        clients.push(client);
    }
    // A refusal may come before or after the gateway asks for the body.
    let send_one = || {
        let (mut client, first) = begin(1);
        if status(&first) != "100" {
            return first;
        }
        client.write_all(b"{").expect("open");
        answer(&mut client)
    };
    let refused = send_one();
    assert_eq!(status(&refused), "503", "{refused}");
    assert!(refused.contains("Retry-After: 1\r\n"), "{refused}");
    assert!(refused.contains("bodies of other requests"), "{refused}");

    // The end of one request makes room for the next one, whose body is not a valid query.
    drop(clients.pop());
    wait_until("room", || status(&send_one()) == "400");
}
