//! Names at run time, from outside: a name server of a few lines, and what requests make of it.

use super::http::{get, http_conf, server};
use super::{Stream, names, nginx_conf, start};
use minikit::harness::{Scratch, Server, free_port};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A name server that knows names which begin with `app`, as 127.0.0.1 for a minute, and nothing of
/// IPv6. Returns its port and the count of questions for IPv4 addresses.
fn name_server() -> (u16, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let port = socket.local_addr().expect("bound").port();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut question) {
            let question = &question[..length];
            let (is_ipv4, is_known) =
                (question[length - 3] == 1, question[13..].starts_with(b"app"));
            counter.fetch_add(usize::from(is_ipv4), Ordering::Relaxed);
            let mut answer = question.to_vec();
            answer[2..4].copy_from_slice(&[0x81, if is_known { 0x80 } else { 0x83 }]);
            if is_ipv4 && is_known {
                answer[7] = 1;
                answer.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01");
            }
            // First what somebody else might send: the wrong id.
            let mut forged = answer.clone();
            forged[0] ^= 1;
            for message in [forged, answer] {
                socket.send_to(&message, client).expect("loopback");
            }
        }
    });
    (port, count)
}

fn status(server: &Server, path: &str) -> String {
    get(server, path).lines().next().expect("a status line").to_owned()
}

#[test]
fn a_name_is_asked_for_once_and_a_failure_is_a_502() {
    let scratch = Scratch::new("minilb").expect("writable");
    let ((a, _), (dns, questions), listen) = (server("a"), name_server(), free_port());
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
    assert_eq!(questions.load(Ordering::Relaxed), 1);

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
    let (a, (dns, _), listen) = (super::backend("a"), name_server(), free_port());
    let stream = format!(
        "resolver 127.0.0.1:{dns} ipv6=off; map $remote_addr $to {{ default app.test:{a}; }}
         server {{ listen 127.0.0.1:{listen}; proxy_pass $to; }}"
    );
    let server = start(&nginx_conf(&scratch, &stream));
    assert_eq!(names(&server, 2), "aa");
}
