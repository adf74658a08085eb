//! The program from outside: balancing, a dead server, half-close, reload, its flags.
//!
//! `clients/run` holds the same program against a real NGINX; these tests need nothing but a build.
#![cfg(not(loom))]

mod http;
mod http2;
mod resolver;

use minikit::harness::{Program, Scratch, Server, Signal, Stream, free_port, wait_until};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

/// A server that sends its name, echoes to the end of its input and says bye. Its thread lives as
/// long as the test.
fn backend(name: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || talk(client, name));
        }
    });
    port
}

fn talk(mut client: TcpStream, name: &str) -> std::io::Result<()> {
    client.write_all(name.as_bytes())?;
    let mut source = client.try_clone()?;
    std::io::copy(&mut source, &mut client)?;
    client.write_all(b" bye")
}

fn minilb(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minilb"));
    command.args(arguments);
    command
}

fn start(conf: &Path) -> Server {
    Server::start("minilb", minilb(&["serve", "-c", conf.to_str().expect("UTF-8")]))
}

fn nginx_conf(scratch: &Scratch, stream: &str) -> std::path::PathBuf {
    let text = format!("error_log stderr info;\nevents {{}}\nstream {{ {stream} }}\n");
    scratch.file("nginx.conf", &text)
}

fn names(server: &Server, count: usize) -> String {
    let name = |_| {
        let mut byte = [0];
        server.connect().read_exact(&mut byte).expect("a backend answers");
        char::from(byte[0])
    };
    (0..count).map(name).collect()
}

#[test]
fn a_dead_server_is_passed_over_and_a_reload_removes_it() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (a, b, dead, listen) = (backend("a"), backend("b"), free_port(), free_port());
    let block = |servers: String| {
        format!("upstream u {{ {servers} }} server {{ listen 127.0.0.1:{listen}; proxy_pass u; }}")
    };
    let all =
        format!("server 127.0.0.1:{dead}; server 127.0.0.1:{a} weight=2; server 127.0.0.1:{b};");
    let conf = nginx_conf(&scratch, &block(all));
    let server = start(&conf);
    let reached = names(&server, 12);
    assert_eq!(reached.matches('a').count(), 8, "two of three: {reached}");
    server.program.wait_for(Stream::Stderr, "upstream server temporarily disabled");

    nginx_conf(&scratch, &block(format!("server 127.0.0.1:{b};")));
    server.program.signal(Signal::HUP);
    server.program.wait_for(Stream::Stderr, "reconfigured");
    assert_eq!(names(&server, 3), "bbb");

    nginx_conf(&scratch, "proxy_pas u;");
    server.program.signal(Signal::HUP);
    server.program.wait_for(Stream::Stderr, "did you mean \"proxy_pass\"?");
    assert_eq!(names(&server, 3), "bbb");

    let Server { program, .. } = server;
    program.signal(Signal::QUIT);
    assert_eq!(program.end().status.code(), Some(0));
}

#[test]
fn the_end_of_the_input_is_passed_on() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (a, listen) = (backend("a"), free_port());
    let stream = format!(
        "server {{ listen 127.0.0.1:{listen}; proxy_pass 127.0.0.1:{a}; proxy_half_close on; }}"
    );
    let server = start(&nginx_conf(&scratch, &stream));

    // More than both sockets buffer, so the echo meets a full receiver on the way.
    let sent = vec![b'x'; 8_000_000];
    let mut client = server.connect();
    let mut writer = client.try_clone().expect("a descriptor");
    let thread = std::thread::spawn(move || {
        writer.write_all(&sent).expect("forwarded");
        writer.shutdown(Shutdown::Write).expect("open");
    });
    let mut received = Vec::new();
    client.read_to_end(&mut received).expect("until the end");
    thread.join().expect("it only writes");
    assert_eq!(received.len(), 1 + 8_000_000 + 4);
    assert!(received.ends_with(b"xx bye"));
}

#[test]
fn a_session_without_half_close_ends_with_one_side() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (a, listen) = (backend("a"), free_port());
    let stream = format!("server {{ listen 127.0.0.1:{listen}; proxy_pass 127.0.0.1:{a}; }}");
    let server = start(&nginx_conf(&scratch, &stream));
    let mut client = server.connect();
    client.read_exact(&mut [0]).expect("the name");
    client.shutdown(Shutdown::Write).expect("open");
    // The server's last words may or may not arrive; the end does.
    wait_until("the end", || matches!(client.read(&mut [0; 16]), Ok(0) | Err(_)));
}

#[test]
fn a_configuration_is_tested() {
    let scratch = Scratch::new("minilb").expect("writable");
    let conf = nginx_conf(&scratch, "server { listen 1; }");
    let ended = Program::start(minilb(&["-t", "-c", conf.to_str().expect("UTF-8")])).end();
    assert_eq!(ended.status.code(), Some(1));
    let expected = format!("minilb: [emerg] no handler for server in {}:3\n", conf.display());
    assert_eq!(ended.stderr, expected);

    let globals = Program::start(minilb(&["-t", "-g", "daemon off"])).end();
    let expected = "unexpected end of parameter, expecting \";\" in command line";
    assert!(globals.stderr.contains(expected), "{}", globals.stderr);

    let usage = Program::start(minilb(&["-x"])).end();
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn included_files_and_the_pid_file() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (a, listen) = (backend("a"), free_port());
    scratch.file("db.inc", &format!("upstream db {{ server 127.0.0.1:{a}; }}"));
    let text = format!(
        "pid lb.pid; events {{}} stream {{ include *.inc; \
         server {{ listen 127.0.0.1:{listen}; proxy_pass db; }} }}"
    );
    scratch.file("nginx.conf", &text);
    let directory = scratch.path().to_str().expect("UTF-8");
    let server = Server::start("minilb", minilb(&["-p", directory]));
    assert_eq!(names(&server, 1), "a");

    let stop = Program::start(minilb(&["-p", directory, "-s", "stop"])).end();
    assert_eq!(stop.status.code(), Some(0), "{}", stop.stderr);
    let Server { program, .. } = server;
    assert_eq!(program.end().status.code(), Some(0));
    assert!(!scratch.path().join("lb.pid").exists());
}

#[test]
fn unix_sockets_are_listened_at_and_removed() {
    let scratch = Scratch::new("minilb").expect("writable");
    let (a, b, port) = (backend("a"), backend("b"), free_port());
    let [one, two] = ["one", "two"].map(|it| scratch.path().join(it));
    let block = |path: &Path, server: u16| {
        let path = path.display();
        format!("server {{ listen unix:{path}; proxy_pass 127.0.0.1:{server}; }}")
    };
    let first = |path: &Path| {
        let mut byte = [0];
        let mut client = UnixStream::connect(path).expect("it listens");
        client.read_exact(&mut byte).expect("a backend answers");
        byte[0]
    };
    let tcp = format!("server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{a}; }}");
    let server = start(&nginx_conf(&scratch, &(block(&one, a) + &tcp)));
    assert_eq!(first(&one), b'a');
    let mode = std::fs::metadata(&one).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o666);

    // The socket stays, with another server behind it, and another one comes.
    nginx_conf(&scratch, &(block(&one, b) + &block(&two, a) + &tcp));
    server.program.signal(Signal::HUP);
    server.program.wait_for(Stream::Stderr, "reconfigured");
    assert_eq!((first(&one), first(&two)), (b'b', b'a'));
    nginx_conf(&scratch, &(block(&two, b) + &tcp));
    server.program.signal(Signal::HUP);
    // Sockets change before the new generation serves.
    let changed = || !one.exists() && first(&two) == b'b';
    wait_until("the first is removed and the second has the other server", changed);

    let Server { program, .. } = server;
    program.signal(Signal::TERM);
    assert_eq!(program.end().status.code(), Some(0));
    assert!(!two.exists());
}
