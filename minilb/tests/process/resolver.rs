//! Names at run time, from outside: a name server of a few lines, and what requests make of it.

use super::http::{get, http_conf, server, server_at};
use super::{Signal, Stream, names, nginx_conf, start};
use minikit::harness::{Scratch, Server, free_port, wait_until};
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What a name server knows of names that begin with `app`.
#[derive(Default)]
struct Zone {
    addresses: Mutex<Vec<[u8; 4]>>,
    /// In seconds.
    ttl: u8,
    /// Answers have to be asked for by TCP.
    is_large: bool,
    /// For IPv4 addresses.
    questions: AtomicUsize,
}

impl Zone {
    /// 127.0.0.1, for a minute.
    fn of_localhost() -> Zone {
        Zone { addresses: Mutex::new(vec![[127, 0, 0, 1]]), ttl: 60, ..Zone::default() }
    }

    fn answer(&self, question: &[u8], is_truncated: bool) -> Vec<u8> {
        let (is_ipv4, is_known) =
            (question[question.len() - 3] == 1, question[13..].starts_with(b"app"));
        self.questions.fetch_add(usize::from(is_ipv4), Ordering::Relaxed);
        let mut answer = question.to_vec();
        answer[2..4].copy_from_slice(&[0x81, if is_known { 0x80 } else { 0x83 }]);
        if is_truncated {
            answer[2] |= 2;
        } else if is_ipv4 && is_known {
            for address in self.addresses.lock().expect("no panic").iter() {
                answer[7] += 1;
                answer.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, self.ttl, 0, 4]);
                answer.extend(address);
            }
        }
        answer
    }
}

/// A name server that knows nothing of IPv6. Returns its port.
fn name_server(zone: &Arc<Zone>) -> u16 {
    // A port that is free for both protocols.
    let (listener, socket) = std::iter::repeat_with(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let socket = UdpSocket::bind(listener.local_addr().expect("bound"));
        Some((listener, socket.ok()?))
    })
    .take(100)
    .find_map(|it| it)
    .expect("one of a hundred ports");
    let port = socket.local_addr().expect("bound").port();
    let by_udp = Arc::clone(zone);
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut question) {
            let answer = by_udp.answer(&question[..length], by_udp.is_large);
            // First what somebody else might send: the wrong id.
            let mut forged = answer.clone();
            forged[0] ^= 1;
            for message in [forged, answer] {
                socket.send_to(&message, client).expect("loopback");
            }
        }
    });
    if zone.is_large {
        let zone = Arc::clone(zone);
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let mut length = [0; 2];
                client.read_exact(&mut length).expect("a length");
                let mut question = vec![0; u16::from_be_bytes(length).into()];
                client.read_exact(&mut question).expect("a question");
                let answer = zone.answer(&question, false);
                let length = (answer.len() as u16).to_be_bytes();
                client.write_all(&[&length, &answer[..]].concat()).expect("it waits");
            }
        });
    }
    port
}

fn status(server: &Server, path: &str) -> String {
    get(server, path).lines().next().expect("a status line").to_owned()
}

#[test]
fn a_name_is_asked_for_once_and_a_failure_is_a_502() {
    let scratch = Scratch::new("minilb").expect("writable");
    let zone = Arc::new(Zone::of_localhost());
    let ((a, _), dns, listen) = (server("a"), name_server(&zone), free_port());
    let conf = format!(
        "server {{ listen 127.0.0.1:{listen}; location / {{ resolver 127.0.0.1:{dns};
             proxy_pass http://$arg_host:{a}; }}
         location /none {{ proxy_pass http://$arg_host:{a}; }} }}"
    );
    let server = start(&http_conf(&scratch, &conf));
    for number in 0..3 {
        let path = format!("/{number}?host=app.test");
        assert!(get(&server, &path).ends_with(&format!("a{path}")));
    }
    assert_eq!(zone.questions.load(Ordering::Relaxed), 1);

    assert_eq!(status(&server, "/?host=none.test"), "HTTP/1.1 502 Bad Gateway");
    let text = "none.test could not be resolved (3: Host not found)";
    server.program.wait_for(Stream::Stderr, text);
    assert_eq!(status(&server, "/?host=a..b"), "HTTP/1.1 502 Bad Gateway");
    assert_eq!(status(&server, "/none?host=app.test"), "HTTP/1.1 502 Bad Gateway");
    server.program.wait_for(Stream::Stderr, "no resolver defined to resolve app.test");
    // An address needs none.
    assert_eq!(status(&server, "/none?host=127.0.0.1"), "HTTP/1.1 200 OK");
}

#[test]
fn a_silent_name_server_is_a_timeout() {
    let scratch = Scratch::new("minilb").expect("writable");
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let (dns, listen) = (silent.local_addr().expect("bound"), free_port());
    let conf = format!(
        "resolver {dns}; resolver_timeout 100ms;
         server {{ listen 127.0.0.1:{listen}; location / {{ proxy_pass http://$arg_host; }} }}"
    );
    let server = start(&http_conf(&scratch, &conf));
    assert_eq!(status(&server, "/?host=app.test"), "HTTP/1.1 502 Bad Gateway");
    let text = "app.test could not be resolved (110: Operation timed out)";
    server.program.wait_for(Stream::Stderr, text);
}

#[test]
fn stream_resolves_names_too() {
    let scratch = Scratch::new("minilb").expect("writable");
    let dns = name_server(&Arc::new(Zone::of_localhost()));
    let (a, listen) = (super::backend("a"), free_port());
    let stream = format!(
        "resolver 127.0.0.1:{dns} ipv6=off; map $remote_addr $to {{ default app.test:{a}; }}
         server {{ listen 127.0.0.1:{listen}; proxy_pass $to; }}"
    );
    let server = start(&nginx_conf(&scratch, &stream));
    assert_eq!(names(&server, 2), "aa");
}

/// An answer of 100 addresses does not fit into a datagram of 512 bytes.
#[test]
fn an_answer_that_is_cut_off_is_asked_for_by_tcp() {
    let scratch = Scratch::new("minilb").expect("writable");
    let addresses = Mutex::new(vec![[127, 0, 0, 1]; 100]);
    let zone = Arc::new(Zone { addresses, is_large: true, ..Zone::of_localhost() });
    let ((a, _), dns, listen) = (server("a"), name_server(&zone), free_port());
    let conf = format!(
        "resolver 127.0.0.1:{dns} ipv6=off; server {{ listen 127.0.0.1:{listen};
         location / {{ proxy_pass http://$arg_host:{a}; }} }}"
    );
    let server = start(&http_conf(&scratch, &conf));
    assert!(get(&server, "/?host=app.test").ends_with("a/?host=app.test"));
    assert_eq!(zone.questions.load(Ordering::Relaxed), 2, "by UDP, then by TCP");
}

#[test]
fn servers_follow_their_name() {
    let scratch = Scratch::new("minilb").expect("writable");
    let zone = Arc::new(Zone { ttl: 0, ..Zone::of_localhost() });
    let ((port, _), dns, listen) = (server("a"), name_server(&zone), free_port());
    let (_, reached) = server_at("b", &format!("127.0.0.2:{port}"));
    let conf = format!(
        "resolver 127.0.0.1:{dns} ipv6=off;
         upstream u {{ zone u 64k; server app.test:{port} resolve; }}
         server {{ listen 127.0.0.1:{listen}; location / {{ proxy_pass http://u; }} }}"
    );
    let server = start(&http_conf(&scratch, &conf));
    wait_until("the first answer", || get(&server, "/1").ends_with("a/1"));

    // A second server, and no reload. With it there are two of them.
    zone.addresses.lock().expect("no panic").push([127, 0, 0, 2]);
    wait_until("the second server", || get(&server, "/2").ends_with("b/2"));
    let before = reached.load(Ordering::Relaxed);
    (0..4).for_each(|_| drop(get(&server, "/3")));
    assert_eq!(reached.load(Ordering::Relaxed) - before, 2);

    // A reload asks anew, and has the addresses until there is an answer.
    server.program.signal(Signal::HUP);
    server.program.wait_for(Stream::Stderr, "reconfigured");
    assert_eq!(status(&server, "/4"), "HTTP/1.1 200 OK");
    zone.addresses.lock().expect("no panic").clear();
    server.program.wait_for(Stream::Stderr, "app.test could not be resolved (3: Host not found)");
    wait_until("no server", || status(&server, "/5") == "HTTP/1.1 502 Bad Gateway");
}
