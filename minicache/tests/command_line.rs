//! The subcommands as a shell meets them: a server, the client, and exit codes.
#![cfg(feature = "server")]

use std::process::Command;

use minikit::harness::{self, Ended, Program};

fn minicache(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minicache"));
    command.args(args);
    command
}

struct Server {
    _server: harness::Server,
    port: String,
}

impl Server {
    fn start(flags: &[&str]) -> Server {
        let args = ["serve", "--listen", "127.0.0.1:0"];
        let server = harness::Server::start("minicache", minicache(&[&args, flags].concat()));
        Server { port: server.port().to_string(), _server: server }
    }

    /// Runs the client with `input` and waits for its end.
    fn cli(&self, args: &[&str], input: &str) -> Ended {
        run(&[&["cli", "-p", &self.port], args].concat(), input)
    }

    /// What the client prints of a command that succeeds.
    fn said(&self, args: &[&str]) -> String {
        let output = self.cli(args, "");
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        output.stdout
    }
}

fn run(args: &[&str], input: &str) -> Ended {
    Program::start_with_input(minicache(args), input).end()
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
    assert!(failed.stdout.starts_with("WRONGTYPE "), "{failed:?}");
}

#[test]
fn commands_come_from_standard_input() {
    let server = Server::start(&[]);
    let input = "SET n 1\n\nINCR n\nMULTI\nINCR n\nGET \"n\"\nEXEC\nQUIT\nINCR n\n";
    let output = server.cli(&[], input);
    assert_eq!(output.stdout, "OK\n2\nOK\nQUEUED\nQUEUED\n3\n3\n");
    assert_eq!(output.status.code(), Some(0));
    let output = server.cli(&[], "GET \"n\nNONSENSE\nGET n\n");
    let lines = output.stdout;
    assert!(lines.starts_with("Invalid argument(s)\nERR unknown command"), "{lines}");
    assert!(lines.ends_with("\n3\n"), "errors end nothing: {lines}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn subscribers_hear_until_the_server_ends() {
    let server = Server::start(&[]);
    let client = minicache(&["cli", "-p", &server.port, "SUBSCRIBE", "news"]);
    let subscriber = Program::start(client);
    assert_eq!(subscriber.wait_for_lines(3), ["subscribe", "news", "1"]);
    assert_eq!(server.said(&["PUBLISH", "news", "hi"]), "1\n");
    assert_eq!(subscriber.wait_for_lines(6)[3..], ["message", "news", "hi"]);
    assert_eq!(server.said(&["SHUTDOWN", "NOSAVE"]), "");
    let output = subscriber.end();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stderr, "minicache: server closed the connection\n");
}

#[test]
fn flags_of_serve_are_what_config_get_shows() {
    let flags = ["--threads", "2", "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lfu"];
    let server = Server::start(&[&flags[..], &["--requirepass", "secret"]].concat());
    let refused = server.cli(&["PING"], "");
    assert_eq!(refused.stdout, "NOAUTH Authentication required.\n\n");
    let config = |name: &str| server.said(&["-a", "secret", "CONFIG", "GET", name]);
    assert_eq!(config("maxmemory"), "maxmemory\n67108864\n");
    assert_eq!(config("maxmemory-policy"), "maxmemory-policy\nallkeys-lfu\n");
    assert_eq!(config("io-threads"), "io-threads\n2\n");
    assert_eq!(config("port"), format!("port\n{}\n", server.port));
    assert_eq!(config("bind"), "bind\n127.0.0.1\n");
    let wrong = server.cli(&["-a", "wrong", "PING"], "");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(wrong.stderr.contains("refuses the login: WRONGPASS"), "{wrong:?}");
}

#[test]
fn mistakes_say_what_to_try() {
    for (args, code, parts) in [
        (&["cli", "-p", "1", "PING"][..], 1, &["Could not connect to 127.0.0.1:1"][..]),
        (&["cli", "--nonsense"], 2, &["--nonsense"]),
        (&["serve", "--maxmemory", "lots"], 2, &["--maxmemory", "must be a memory value"]),
        (&["explain", "frame", "--bytes", "\""], 1, &["write a quote as \\\""]),
        (&["explain", "frame"], 1, &["no bytes"]),
    ] {
        let output = run(args, "");
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        for part in parts {
            assert!(output.stderr.contains(part), "{args:?}: {output:?}");
        }
    }
}
