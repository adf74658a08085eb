//! A request over open connections allocates nothing: neither the codec, nor the balancer, nor the
//! headers and the access log of nginx.conf.
#![cfg(not(loom))]

mod raw;

use minikit::connections::Connections;
use minikit::harness::Scratch;
use minikit::server::Shutdown;
use minilb::conf::reader::read;
use minilb::server::clock::Clock;
use minilb::server::files::System;
use minilb::server::http::connection::serve;
use minilb::server::http::core::HttpCore;
use minilb::server::http::service::Client;
use minilb::server::nginx::{HttpGeneration, Nginx};
use minilb::server::upstream::SharedUpstream;
use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

const REQUEST: &[u8] = b"GET /a%20b?c=d HTTP/1.1\r\nHost: a.example\r\nUser-Agent: test\r\n\
                         Cookie: session=1\r\nAccept: */*\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\
                          X-Powered-By: test\r\n\r\nhello";

/// Answers every request of every connection.
fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                // A request comes in one piece here.
                while client.read(&mut buffer).is_ok_and(|it| it > 0) {
                    client.write_all(RESPONSE).expect("the proxy reads");
                }
            });
        }
    });
    address
}

/// One request and its response.
fn exchange(stream: &mut TcpStream) {
    stream.write_all(REQUEST).expect("the proxy reads");
    let mut response = Vec::new();
    let mut buffer = [0; 4096];
    while !response.ends_with(b"\r\n\r\nhello") {
        let count = stream.read(&mut buffer).expect("the proxy answers");
        assert!(count > 0, "{}", String::from_utf8_lossy(&response));
        response.extend_from_slice(&buffer[..count]);
    }
}

#[test]
fn a_request_over_open_connections_allocates_nothing() {
    let scratch = Scratch::new("minilb").expect("writable");
    let text = format!(
        "events {{}} http {{ access_log access.log; keepalive_requests 100000;
         upstream u {{ server {}; keepalive 8; keepalive_requests 100000; }}
         server {{ listen 1; location / {{ proxy_pass http://u; proxy_http_version 1.1;
           proxy_set_header Connection \"\"; proxy_set_header Host $host;
           proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
           add_header X-Id $request_id; }} }} }}",
        origin()
    );
    let file = scratch.file("nginx.conf", &text);
    let config = read(&System::default(), &file, "", scratch.path()).expect("correct");
    let upstreams = config.http.upstreams.iter();
    let upstreams =
        upstreams.map(|(name, it)| (name.clone(), Arc::new(SharedUpstream::new(name, &it.config))));
    let upstreams = upstreams.collect();
    let generation = Arc::new(
        HttpGeneration::new(config.http, &upstreams, Default::default(), true).expect("writable"),
    );

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        // Each step of the client is one message, so that this thread knows when it is over.
        let (step, mut steps) = tokio::sync::mpsc::unbounded_channel();
        let client = std::thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("listening");
            for count in [200, 1000] {
                (0..count).for_each(|_| exchange(&mut stream));
                step.send(()).expect("the proxy waits");
            }
        });

        let (stream, peer) = listener.accept().await.expect("a client");
        let clock = Clock::new();
        let core = HttpCore::new(clock, 0, 1);
        let current = || Arc::clone(&generation);
        let nginx = Nginx {
            current: &current,
            core: &core,
            connections: &Connections::new(),
            counts: &[Arc::default()],
            index: 0,
            date: &RefCell::default(),
        };
        let local: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        let mut info = Client::new(peer, local, 1);
        let shutdown = Shutdown::new();
        let steps = async {
            steps.recv().await;
            raw::count(true);
            steps.recv().await;
            raw::count(false);
        };
        tokio::join!(serve(stream, &mut info, &nginx, &core, &shutdown), steps);
        client.join().expect("all requests were answered");
    });
    assert_eq!(raw::counted(), 0, "allocations of 1,000 requests");
    let log = std::fs::read_to_string(scratch.path().join("access.log")).expect("written");
    assert_eq!(log.lines().count(), 1200);
}
