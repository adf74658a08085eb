//! The server as harnesses start a `redis-server`: by file and flags, waiting for its log lines.
#![cfg(feature = "server")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;

use minikit::harness::{Program, Scratch, Signal, Stream::Stdout, free_port, wait_until};

/// Starts a server in `folder` and writes `input` to its standard input.
fn start(folder: &Scratch, args: &[&str], input: &str) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minicache"));
    command.args(args).current_dir(folder.path());
    Program::start_with_input(command, input)
}

/// Sends one inline command; the reply up to where it is complete is `expected`.
fn ask(mut stream: impl Read + Write, command: &str, expected: &str) {
    stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
    let mut reply = vec![0; expected.len()];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(String::from_utf8_lossy(&reply), expected, "{command}");
}

fn bulks(texts: &[&str]) -> String {
    let bulk = |text: &&str| format!("${}\r\n{text}\r\n", text.len());
    format!("*{}\r\n{}", texts.len(), texts.iter().map(bulk).collect::<String>())
}

#[test]
fn file_flags_and_log_lines() {
    let folder = Scratch::new("minicache-flags").unwrap();
    folder.file("more.conf", "maxmemory 1gb\nhz 20\n");
    let conf = "port 1\nbind 127.0.0.1 -::1\ninclude more.conf\ndir data\npidfile mini.pid\n";
    folder.file("redis.conf", conf);
    fs::create_dir_all(folder.path().join("data")).unwrap();
    let port = free_port().to_string();
    let flags = ["redis.conf", "--port", &port, "--save", "", "--maxmemory", "1mb"];
    let server = start(&folder, &flags, "");
    server.wait_for(Stdout, "Ready to accept connections");
    assert_eq!(server.wait_for(Stdout, " PID: "), server.pid().to_string());
    assert_eq!(server.wait_for(Stdout, " * Running mode=standalone, "), format!("port={port}."));
    assert_eq!(server.wait_for(Stdout, " # Server initialized"), "");

    let client = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let data = folder.path().join("data");
    for (name, value) in [
        ("port", port.as_str()),
        ("dir", data.to_str().unwrap()),
        ("maxmemory", "1048576"),
        ("hz", "20"),
        ("io-threads", "1"),
    ] {
        ask(&client, &format!("CONFIG GET {name}"), &bulks(&[name, value]));
    }
    let pid = fs::read_to_string(data.join("mini.pid")).unwrap();
    assert_eq!(pid, format!("{}\n", server.pid()));
    ask(&client, "SHUTDOWN NOSAVE", "");
    let ended = server.end();
    assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""));
    let log = ended.stdout;
    assert!(log.contains("# User requested shutdown...\n"), "{log}");
    assert!(log.contains("is now ready to exit, bye bye...\n"), "{log}");
    assert!(!data.join("mini.pid").exists(), "it is removed at the end");
}

#[test]
fn a_unix_socket_alone_and_directives_from_standard_input() {
    let folder = Scratch::new("minicache-unix").unwrap();
    let conf = "port 0\nunixsocket here.sock\nunixsocketperm 700\n";
    let server = start(&folder, &["-", "--loglevel", "verbose"], conf);
    server.wait_for(Stdout, "The server is now ready to accept connections at here.sock");
    let path = folder.path().join("here.sock");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let client = UnixStream::connect(&path).unwrap();
    ask(&client, "PING", "+PONG\r\n");
    ask(&client, "CONFIG GET port", &bulks(&["port", "0"]));
    let idle = UnixStream::connect(&path).unwrap();
    ask(&idle, "PING", "+PONG\r\n");
    ask(&client, "SHUTDOWN", "");
    let ended = server.end();
    assert_eq!(ended.status.code(), Some(0), "an idle client does not keep it");
    assert!(!ended.stdout.contains("Ready to accept"), "{}", ended.stdout);
    assert!(!path.exists());
}

#[test]
fn a_log_file_leaves_standard_output_alone() {
    let folder = Scratch::new("minicache-logfile").unwrap();
    let args = ["--port", "0", "--unixsocket", "s", "--logfile", "mini.log"];
    let server = start(&folder, &args, "");
    let log = folder.path().join("mini.log");
    wait_until("it listens", || UnixStream::connect(folder.path().join("s")).is_ok());
    let client = UnixStream::connect(folder.path().join("s")).unwrap();
    ask(&client, "SHUTDOWN", "");
    assert_eq!(server.end().stdout, "");
    let text = fs::read_to_string(log).unwrap();
    assert!(text.contains("* The server is now ready to accept connections at s\n"), "{text}");
}

#[test]
fn neither_the_log_nor_the_state_page_shows_a_password() {
    let folder = Scratch::new("minicache-secrets").unwrap();
    let [port, admin] = [free_port(), free_port()].map(|port| port.to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_minicache"));
    command.args(["--port", &port, "--requirepass", "s3cret-1", "--loglevel", "debug"]);
    command.current_dir(folder.path());
    command.env("MINICACHE_ADMIN", format!("127.0.0.1:{admin}")).env("RUST_LOG", "trace");
    let server = Program::start(command);
    server.wait_for(Stdout, "Ready to accept connections");

    let client = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let set = "CONFIG SET slowlog-log-slower-than 0 requirepass s3cret-2 masterauth s3cret-3";
    ask(&client, "AUTH s3cret-1", "+OK\r\n");
    ask(&client, set, "+OK\r\n");
    ask(&client, "AUTH s3cret-2", "+OK\r\n");
    ask(
        &client,
        "AUTH s3cret-4",
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    );
    ask(&client, "CONFIG SET requirepass s3cret-5 nosuch", "-ERR syntax error\r\n");
    ask(&client, "HELLO 2 AUTH default s3cret-2", "*14\r\n$6\r\nserver\r\n");
    for path in ["/", "/xray.json", "/xray.txt", "/metrics"] {
        let mut page = TcpStream::connect(format!("127.0.0.1:{admin}")).unwrap();
        write!(page, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        page.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 ") && !text.contains("s3cret"), "{path}: {text}");
    }
    ask(TcpStream::connect(format!("127.0.0.1:{port}")).unwrap(), "AUTH s3cret-2", "+OK\r\n");
    server.signal(Signal::TERM);
    let ended = server.end();
    assert!(!ended.stdout.contains("s3cret") && !ended.stderr.contains("s3cret"), "{ended:?}");
}

#[test]
fn a_busy_port_ends_the_start_with_the_lines_that_harnesses_look_for() {
    let folder = Scratch::new("minicache-busy").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let args = ["--bind", "127.0.0.1", "--port", &port.to_string()];
    let ended = start(&folder, &args, "").end();
    assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(1), ""));
    let log = ended.stdout;
    for line in [
        format!("listening socket 127.0.0.1:{port}: bind: Address already in use\n"),
        format!("# Failed listening on port {port} (TCP), aborting.\n"),
    ] {
        assert!(log.contains(&line), "{line} is not in {log}");
    }
    assert!(!log.contains("PID"), "{log}");
}

#[test]
fn mistakes_are_shown_with_their_line_and_end_the_start() {
    let folder = Scratch::new("minicache-mistakes").unwrap();
    folder.file("bad.conf", "port 0\nmaxmemory lots\n");
    folder.file("outer.conf", "include missing.conf\n");
    for (args, texts) in [
        (&["bad.conf"][..], &["at line 2\n>>> 'maxmemory lots'\nargument must be a memory"][..]),
        (&["outer.conf"], &["'include missing.conf'\ncannot read missing.conf: No such file"]),
        (&["--nonsense", "1"], &[">>> 'nonsense \"1\"'\nBad directive"]),
        (&["--cluster-enabled", "yes"], &["not supported: There is no cluster."]),
        (&["--dir", "nowhere"], &["dir nowhere: No such file"]),
        (&["none.conf"], &["can't open config file '", "none.conf': No such file"]),
        (&["serv"], &["did you mean `minicache serve`?"]),
    ] {
        let ended = start(&folder, args, "").end();
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""), "{args:?}");
        for text in texts {
            assert!(ended.stderr.contains(text), "{args:?}: {text} is not in {}", ended.stderr);
        }
    }
}

#[test]
fn every_address_of_bind_is_heard_and_may_change_while_it_runs() {
    let folder = Scratch::new("minicache-bind").unwrap();
    let port = free_port();
    let args = ["--bind", "127.0.0.1 127.0.0.2", "--port", &port.to_string()];
    let server = start(&folder, &args, "");
    server.wait_for(Stdout, "Ready to accept connections");
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    ask(&TcpStream::connect(("127.0.0.2", port)).unwrap(), "PING", "+PONG\r\n");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = taken.local_addr().unwrap().port();
    let failed = "-ERR CONFIG SET failed (possibly related to argument";
    let why = "- Unable to listen on this port. Check server logs.\r\n";
    let command = format!("CONFIG SET maxmemory 1mb port {busy}");
    ask(&client, &command, &format!("{failed} 'port') {why}"));
    ask(&client, "CONFIG GET maxmemory", &bulks(&["maxmemory", "0"]));
    let why = "- Failed to bind to specified addresses.\r\n";
    ask(&client, "CONFIG SET bind 999.999.999.999", &format!("{failed} 'bind') {why}"));

    let next = free_port();
    ask(&client, &format!("CONFIG SET port {next}"), "+OK\r\n");
    ask(&TcpStream::connect(("127.0.0.2", next)).unwrap(), "PING", "+PONG\r\n");
    ask(&client, "CONFIG SET bind 127.0.0.3", "+OK\r\n");
    ask(&TcpStream::connect(("127.0.0.3", next)).unwrap(), "PING", "+PONG\r\n");
    ask(&client, "SHUTDOWN", "");
    assert_eq!(server.end().status.code(), Some(0));
}

/// `setupSignalHandlers` in `server.c` ignores SIGHUP, so that a closed terminal does not end the
/// server. The kernel delivers SIGHUP before SIGTERM, so the exit code tells which one ended it.
#[test]
fn a_hangup_is_ignored() {
    let folder = Scratch::new("minicache-hangup").unwrap();
    let server = start(&folder, &["--port", &free_port().to_string()], "");
    server.wait_for(Stdout, "Ready to accept connections");
    server.signal(Signal::HUP);
    server.signal(Signal::TERM);
    assert_eq!(server.end().status.code(), Some(0));
}
