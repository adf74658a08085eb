//! The subcommands as a shell meets them: a server, the client, `explain live`, and exit codes.
#![cfg(not(loom))]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

fn minicache(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minicache"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A server with an admin endpoint.
struct Server {
    child: Child,
    port: String,
    admin: String,
}

impl Server {
    fn start(flags: &[&str]) -> Server {
        let args = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut child = minicache(&[&args, flags].concat()).spawn().unwrap();
        // Both lines are written before or when the server is ready.
        let last_word = |source: &mut dyn BufRead, part: &str| {
            let mut line = String::new();
            while !line.contains(part) {
                line.clear();
                assert!(source.read_line(&mut line).unwrap() > 0, "no {part}");
            }
            line.trim_end().rsplit(' ').next().unwrap().to_string()
        };
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let page = last_word(&mut errors, "x-ray page on");
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let address = last_word(&mut output, "minicache listening on");
        let port = address.rsplit(':').next().unwrap().to_string();
        let admin = page.trim_start_matches("http://").trim_end_matches('/').to_string();
        Server { child, port, admin }
    }

    /// Runs the client, feeds it `input`, and waits for its end.
    fn cli(&self, args: &[&str], input: &str) -> Output {
        run(&[&["cli", "-p", &self.port], args].concat(), input)
    }

    /// What the client prints of a command that succeeds.
    fn said(&self, args: &[&str]) -> String {
        let output = self.cli(args, "");
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(args: &[&str], input: &str) -> Output {
    let mut child = minicache(args).spawn().unwrap();
    // A client that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_command_has_its_reply_and_an_exit_code() {
    let server = Server::start(&[]);
    assert_eq!(server.said(&["SET", "greeting", "good \"day\""]), "OK\n");
    assert_eq!(server.said(&["GET", "greeting"]), "good \"day\"\n");
    assert_eq!(server.said(&["--no-raw", "GET", "greeting"]), "\"good \\\"day\\\"\"\n");
    assert_eq!(server.said(&["-n", "3", "DBSIZE"]), "0\n");
    assert_eq!(server.said(&["-3", "--no-raw", "CONFIG", "GET", "hz"]), "1# \"hz\" => \"10\"\n");
    assert_eq!(server.said(&["SET", "-k", "--value"]), "OK\n", "what follows is the command's");
    let failed = server.cli(&["LPUSH", "greeting", "x"], "");
    assert_eq!(failed.status.code(), Some(1));
    assert!(text(&failed.stdout).starts_with("WRONGTYPE "), "{failed:?}");
}

#[test]
fn commands_come_from_standard_input() {
    let server = Server::start(&[]);
    let input = "SET n 1\n\nINCR n\nMULTI\nINCR n\nGET \"n\"\nEXEC\nQUIT\nINCR n\n";
    let output = server.cli(&[], input);
    assert_eq!(text(&output.stdout), "OK\n2\nOK\nQUEUED\nQUEUED\n3\n3\n");
    assert_eq!(output.status.code(), Some(0));
    let output = server.cli(&[], "GET \"n\nNONSENSE\nGET n\n");
    let lines = text(&output.stdout);
    assert!(lines.starts_with("Invalid argument(s)\nERR unknown command"), "{lines}");
    assert!(lines.ends_with("\n3\n"), "errors end nothing: {lines}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn subscribers_hear_until_the_server_ends() {
    let server = Server::start(&[]);
    let mut subscriber = minicache(&["cli", "-p", &server.port, "SUBSCRIBE", "news"]);
    let mut subscriber = subscriber.spawn().unwrap();
    let mut heard = BufReader::new(subscriber.stdout.take().unwrap()).lines();
    let mut next_three = || heard.by_ref().take(3).map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(next_three(), ["subscribe", "news", "1"]);
    assert_eq!(server.said(&["PUBLISH", "news", "hi"]), "1\n");
    assert_eq!(next_three(), ["message", "news", "hi"]);
    assert_eq!(server.said(&["SHUTDOWN", "NOSAVE"]), "");
    let output = subscriber.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "minicache: server closed the connection\n");
}

#[test]
fn flags_of_serve_are_what_config_get_shows() {
    let flags = ["--threads", "2", "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lfu"];
    let server = Server::start(&[&flags[..], &["--requirepass", "secret"]].concat());
    let refused = server.cli(&["PING"], "");
    assert_eq!(text(&refused.stdout), "NOAUTH Authentication required.\n\n");
    let config = |name: &str| server.said(&["-a", "secret", "CONFIG", "GET", name]);
    assert_eq!(config("maxmemory"), "maxmemory\n67108864\n");
    assert_eq!(config("maxmemory-policy"), "maxmemory-policy\nallkeys-lfu\n");
    assert_eq!(config("io-threads"), "io-threads\n2\n");
    assert_eq!(config("port"), format!("port\n{}\n", server.port));
    assert_eq!(config("bind"), "bind\n127.0.0.1\n");
    let wrong = server.cli(&["-a", "wrong", "PING"], "");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("refuses the login: WRONGPASS"), "{wrong:?}");
}

#[test]
fn explain_live_shows_the_x_ray_of_a_running_server() {
    let server = Server::start(&["--threads", "1"]);
    assert_eq!(server.said(&["SET", "k", "v", "EX", "3000"]), "OK\n");
    let page = run(&["explain", "live", &server.admin], "");
    assert_eq!(page.status.code(), Some(0), "{page:?}");
    let page = text(&page.stdout);
    for part in ["\nSHARDS\n", "\nEXPIRY WHEEL\n", "\nEVICTION POOL\n", "\nENCODINGS\n", "embstr"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let wrong = run(&["explain", "live", &format!("127.0.0.1:{}", server.port)], "");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("--admin"), "{wrong:?}");
}

#[test]
fn mistakes_say_what_to_try() {
    for (args, code, parts) in [
        (&["cli", "-p", "1", "PING"][..], 1, &["Could not connect to 127.0.0.1:1"][..]),
        (&["cli", "--nonsense"], 2, &["--nonsense"]),
        (&["serve", "--maxmemory", "lots"], 2, &["--maxmemory", "must be a memory value"]),
        (&["explain", "live", "127.0.0.1:1"], 1, &["no admin endpoint at", "--admin"]),
        (&["explain", "frame", "--bytes", "\""], 1, &["write a quote as \\\""]),
        (&["explain", "frame"], 1, &["no bytes"]),
    ] {
        let output = run(args, "");
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        for part in parts {
            assert!(text(&output.stderr).contains(part), "{args:?}: {output:?}");
        }
    }
    let help = run(&["cli", "help", "getdel"], "");
    assert!(text(&help.stdout).contains("\n  GETDEL key\n"), "{help:?}");
}
