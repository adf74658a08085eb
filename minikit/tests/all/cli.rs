//! The command line from outside: the echo engine as a process.

use std::path::PathBuf;
use std::process::{Command, Output};

use minikit::harness::Signal;

use crate::engine::{connect, echo_program, start};

fn echo(args: &[&str]) -> Command {
    let mut command = Command::new(echo_program());
    command.args(args);
    command
}

fn output(args: &[&str]) -> Output {
    echo(args).output().expect("the engine may be run")
}

/// Writes a configuration file that no other test and no other run uses.
fn file(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("minikit-{name}-{}.toml", std::process::id()));
    std::fs::write(&path, text).expect("the temporary directory is writable");
    path
}

/// Returns the address the engine listens on, given by flag, variable and file.
fn address(
    flag: Option<&str>,
    variable: Option<&str>,
    in_file: Option<&str>,
    name: &str,
) -> String {
    let mut command = echo(&["serve"]);
    let path = file(name, &in_file.map_or(String::new(), |it| format!("listen = \"{it}\"\n")));
    command.arg("--config").arg(&path);
    command.args(flag.map(|it| format!("--listen={it}")));
    command.envs(variable.map(|it| ("MINIECHO_LISTEN", it)));
    let engine = start(command);
    std::fs::remove_file(path).expect("ours");
    engine.address.rsplit_once(':').expect("it has a port").0.to_owned()
}

#[test]
fn flag_over_environment_over_file() {
    let (flag, variable, in_file) = ("127.0.0.2:0", "127.0.0.3:0", "127.0.0.4:0");
    let all = address(Some(flag), Some(variable), Some(in_file), "all");
    assert_eq!(all, "127.0.0.2");
    assert_eq!(address(None, Some(variable), Some(in_file), "two"), "127.0.0.3");
    assert_eq!(address(None, None, Some(in_file), "one"), "127.0.0.4");
}

#[test]
fn the_environment_may_name_the_file() {
    let path = file("named", "listen = \"127.0.0.5:0\"\nmax-clients = 0\n");
    let mut command = echo(&["serve"]);
    command.env("MINIECHO_CONFIG", &path);
    let engine = start(command);
    std::fs::remove_file(path).expect("ours");
    assert!(engine.address.starts_with("127.0.0.5:"), "{}", engine.address);
    let refusal = connect(&engine).line();
    assert_eq!(refusal.as_deref(), Some("full"), "an engine's own option comes from the file too");
}

#[test]
fn exit_codes() {
    for (args, code, stream, text) in [
        (&["--version"][..], 0, "out", "miniecho 0"),
        (&["serve", "--help"], 0, "out", "[env: MINIECHO_LISTEN]"),
        (&["serve", "--help"], 0, "out", "[default: 127.0.0.1:7007]"),
        (&["serve", "--lisen", "x"], 2, "err", "'--listen'"),
        (&["serve", "--listen", "here"], 2, "err", "needs a port, as in"),
        (&["serve", "--config", "/nowhere.toml"], 2, "err", "/nowhere.toml: No such file"),
        (&["serve", "--unix", "/nowhere/x", "--listen", "127.0.0.1:0"], 1, "err", "/nowhere/x"),
    ] {
        let output = output(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        let bytes = if stream == "out" { output.stdout } else { output.stderr };
        let said = String::from_utf8(bytes).expect("it writes text");
        assert!(said.contains(text), "{args:?}: {text:?} is not in {said:?}");
    }
}

#[test]
fn a_taken_port_exits_1_and_names_the_engine() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("any port");
    let address = holder.local_addr().expect("bound").to_string();
    let output = output(&["serve", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("it writes text");
    assert!(said.starts_with("miniecho: cannot listen on "), "{said:?}");
    assert!(output.stdout.is_empty(), "no ready line");
}

#[test]
fn rust_log_decides_what_is_logged() {
    for (wish, expected) in [("error", false), ("minikit=info", true), ("no=such=thing", true)] {
        let mut command = echo(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("RUST_LOG", wish);
        let engine = start(command);
        engine.program.signal(Signal::TERM);
        let err = engine.program.end().stderr;
        assert_eq!(err.contains("SIGTERM"), expected, "RUST_LOG={wish}: {err:?}");
    }
}
