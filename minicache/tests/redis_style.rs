//! The server as harnesses start a `redis-server`: by file and flags, waiting for its log lines.
#![cfg(not(loom))]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use minikit::wait::wait_until;

/// A folder of its own for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("minicache-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        // Where the temporary folder is reached through a link, the server sees what it links to.
        Folder(path.canonicalize().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A started server and its standard output.
struct Running {
    child: Child,
    log: BufReader<ChildStdout>,
}

impl Running {
    /// Starts a server in `folder` and feeds it `input`.
    fn start(folder: &Folder, args: &[&str], input: &str) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_minicache"));
        command.args(args).current_dir(&folder.0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A server that does not want it closes its end.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let log = BufReader::new(child.stdout.take().unwrap());
        Running { child, log }
    }

    /// The log up to and with the line that ends in `end`; all of it where there is none.
    fn log_up_to(&mut self, end: &str) -> String {
        let mut seen = String::new();
        while self.log.read_line(&mut seen).unwrap() > 0 {
            if seen.trim_end().ends_with(end) {
                break;
            }
        }
        seen
    }

    /// Waits for the end; the rest of the log, and standard error.
    fn end(mut self) -> (ExitStatus, String, String) {
        let (mut log, mut errors) = (String::new(), String::new());
        self.log.read_to_string(&mut log).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap(), log, errors)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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

/// A port that is free now; whoever takes it first has it.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn file_flags_and_log_lines() {
    let folder = Folder::new("flags");
    folder.file("more.conf", "maxmemory 1gb\nhz 20\n");
    let conf = "port 1\nbind 127.0.0.1 -::1\ninclude more.conf\ndir data\npidfile mini.pid\n";
    folder.file("redis.conf", conf);
    fs::create_dir_all(folder.0.join("data")).unwrap();
    let port = free_port().to_string();
    let flags = ["redis.conf", "--port", &port, "--save", "", "--maxmemory", "1mb"];
    let mut server = Running::start(&folder, &flags, "");
    let log = server.log_up_to("Ready to accept connections");
    assert!(log.contains(&format!(" PID: {}\n", server.child.id())), "{log}");
    assert!(log.contains(&format!(" * Running mode=standalone, port={port}.\n")), "{log}");
    assert!(log.contains(" # Server initialized\n"), "{log}");

    let client = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let data = folder.0.join("data");
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
    assert_eq!(pid, format!("{}\n", server.child.id()));
    ask(&client, "SHUTDOWN NOSAVE", "");
    let (status, log, errors) = server.end();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
    assert!(log.contains("# User requested shutdown...\n"), "{log}");
    assert!(log.contains("is now ready to exit, bye bye...\n"), "{log}");
    assert!(!data.join("mini.pid").exists(), "it is removed at the end");
}

#[test]
fn a_unix_socket_alone_and_directives_from_standard_input() {
    let folder = Folder::new("unix");
    let conf = "port 0\nunixsocket here.sock\nunixsocketperm 700\n";
    let mut server = Running::start(&folder, &["-", "--loglevel", "verbose"], conf);
    let log = server.log_up_to("here.sock");
    assert!(log.contains("The server is now ready to accept connections at here.sock"), "{log}");
    assert!(!log.contains("Ready to accept"), "{log}");
    let path = folder.0.join("here.sock");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let client = UnixStream::connect(&path).unwrap();
    ask(&client, "PING", "+PONG\r\n");
    ask(&client, "CONFIG GET port", &bulks(&["port", "0"]));
    let idle = UnixStream::connect(&path).unwrap();
    ask(&idle, "PING", "+PONG\r\n");
    ask(&client, "SHUTDOWN", "");
    assert_eq!(server.end().0.code(), Some(0), "an idle client keeps nothing");
    assert!(!path.exists());
}

#[test]
fn a_log_file_leaves_standard_output_alone() {
    let folder = Folder::new("logfile");
    let args = ["--port", "0", "--unixsocket", "s", "--logfile", "mini.log"];
    let server = Running::start(&folder, &args, "");
    let log = folder.0.join("mini.log");
    wait_until("it listens", || UnixStream::connect(folder.0.join("s")).is_ok());
    let client = UnixStream::connect(folder.0.join("s")).unwrap();
    ask(&client, "SHUTDOWN", "");
    assert_eq!(server.end().1, "");
    let text = fs::read_to_string(log).unwrap();
    assert!(text.contains("* The server is now ready to accept connections at s\n"), "{text}");
}

#[test]
fn a_busy_port_ends_the_start_with_the_lines_that_harnesses_look_for() {
    let folder = Folder::new("busy");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let args = ["--bind", "127.0.0.1", "--port", &port.to_string()];
    let (status, log, errors) = Running::start(&folder, &args, "").end();
    assert_eq!((status.code(), errors.as_str()), (Some(1), ""));
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
    let folder = Folder::new("mistakes");
    folder.file("bad.conf", "port 0\nmaxmemory lots\n");
    folder.file("outer.conf", "include missing.conf\n");
    for (args, texts) in [
        (&["bad.conf"][..], &["at line 2\n>>> 'maxmemory lots'\nargument must be a memory"][..]),
        (&["outer.conf"], &["'include missing.conf'\ncannot read missing.conf: No such file"]),
        (&["--nonsense", "1"], &[">>> 'nonsense \"1\"'\nBad directive"]),
        (&["--daemonize", "yes"], &["daemonize yes", "foreground"]),
        (&["--dir", "nowhere"], &["dir nowhere: No such file"]),
        (&["none.conf"], &["can't open config file '", "none.conf': No such file"]),
        (&["serv"], &["did you mean `minicache serve`?"]),
    ] {
        let (status, log, errors) = Running::start(&folder, args, "").end();
        assert_eq!((status.code(), log.as_str()), (Some(1), ""), "{args:?}");
        for text in texts {
            assert!(errors.contains(text), "{args:?}: {text} is not in {errors}");
        }
    }
}

#[test]
fn every_address_of_bind_is_heard_and_may_change_while_it_runs() {
    let folder = Folder::new("bind");
    let port = free_port();
    let args = ["--bind", "127.0.0.1 127.0.0.2", "--port", &port.to_string()];
    let mut server = Running::start(&folder, &args, "");
    server.log_up_to("Ready to accept connections");
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
    assert_eq!(server.end().0.code(), Some(0));
}
