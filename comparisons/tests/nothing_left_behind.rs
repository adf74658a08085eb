//! However `comparisons` ends, it leaves no server and no file, and its exit status is right.
//!
//! Neither minicache nor Redis takes part. This program plays both: called with a server's
//! arguments it answers PING and INFO, and otherwise misbehaves as `PLAYED` says. Each case starts
//! the same way:
//!
//! ```text
//! test ── starts ──> comparisons ── starts ──> this program as "minicache" and as "redis-server"
//!      <── reads ──  "minicache listens on … (pid 4711)", "Redis listens on … (pid 4712)"
//!      ── signal ─>  comparisons
//!      ── checks 4711, 4712 and the scratch directories
//! ```

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use minikit::harness::{Program, Signal, Stream, usage, wait_until};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1).cloned()
    };
    if let Some(address) = after("--listen") {
        return serve(&address);
    }
    if let Some(port) = after("--port") {
        return serve(&format!("127.0.0.1:{port}"));
    }
    if arguments.iter().any(|argument| argument == "--list") {
        return;
    }
    check("interrupt_ends_both_servers", || ended_by(Signal::INT, Some(130)));
    check("terminate_ends_both_servers", || ended_by(Signal::TERM, Some(143)));
    check("even_a_kill_ends_both_servers", || ended_by(Signal::KILL, None));
    check("a_server_that_dies_is_a_failure", || {
        fails("dies", "minicache has ended (exit status: 9)")
    });
    check("a_wrong_answer_is_a_failure", || fails("lies", "wrong answer to SET"));
    check("a_provider_that_was_asked_for_and_is_not_there_is_a_failure", no_such_address);
}

fn check(name: &str, case: impl FnOnce()) {
    case();
    println!("test {name} ... ok");
}

/// Sends `signal` while both servers are up and under load.
fn ended_by(signal: Signal, code: Option<i32>) {
    let stage = Stage::new(&format!("signal-{}", signal.as_raw()));
    let (comparisons, pids) = stage.start("stalls");
    comparisons.signal(signal);
    assert_eq!(comparisons.end().status.code(), code);
    for pid in pids {
        wait_until(&format!("process {pid} is gone"), || !usage::is_running(pid));
    }

    // A program killed by SIGKILL cannot remove its files.
    if code.is_some() {
        assert_eq!(stage.scratch_directories(), Vec::<PathBuf>::new());
    }
}

fn fails(played: &str, message: &str) {
    let stage = Stage::new(played);
    let (comparisons, pids) = stage.start(played);
    let ended = comparisons.end();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains(message), "{}", ended.stderr);
    assert!(pids.iter().all(|pid| !usage::is_running(*pid)));
    assert_eq!(stage.scratch_directories(), Vec::<PathBuf>::new());
}

fn no_such_address() {
    let stage = Stage::new("address");
    let mut command = stage.command("stalls");
    command.args(["--provider", "address", "--redis", "127.0.0.1:1"]);
    let ended = Program::start(command).end();
    let said = ended.stderr;
    assert_eq!(ended.status.code(), Some(1));
    assert!(said.contains("no Redis answers at 127.0.0.1:1"), "{said}");
    assert!(said.contains("apt-get install redis-server"), "{said}");
}

/// A directory that is PATH (with only a `redis-server` in it) and TMPDIR of `comparisons`.
struct Stage {
    directory: PathBuf,
}

impl Stage {
    fn new(name: &str) -> Stage {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        let actor = std::env::current_exe().unwrap();
        std::os::unix::fs::symlink(actor, directory.join("redis-server")).unwrap();
        Stage { directory }
    }

    fn command(&self, played: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_comparisons"));
        command.env("PATH", &self.directory).env("TMPDIR", &self.directory);
        command.env("PLAYED", played).env_remove("COMPARISONS_REDIS");
        command.arg("--minicache").arg(std::env::current_exe().unwrap());
        command.args(["--quick", "--out"]).arg(&self.directory);
        command
    }

    /// Starts `comparisons` and waits until it has printed the ids of both servers.
    fn start(&self, played: &str) -> (Program, [u32; 2]) {
        let mut command = self.command(played);
        command.args(["--provider", "installed"]);
        let comparisons = Program::start(command);
        let pids = ["minicache listens on ", "Redis listens on "].map(|line| {
            let text = comparisons.wait_for(Stream::Stderr, line);
            let pid = text.split_once("(pid ").and_then(|(_, rest)| rest.strip_suffix(')'));
            pid.and_then(|pid| pid.parse().ok()).unwrap_or_else(|| panic!("no pid in {text}"))
        });
        (comparisons, pids)
    }

    fn scratch_directories(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.directory).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.to_string_lossy().contains("/comparisons-")).collect()
    }
}

/// The played server. It expects each command in one read, which holds for those sent here.
fn serve(address: &str) {
    let played = std::env::var("PLAYED").unwrap_or_default();
    let listener = TcpListener::bind(address).unwrap();
    for stream in listener.incoming() {
        let played = played.clone();
        std::thread::spawn(move || converse(stream.unwrap(), &played));
    }
}

fn converse(mut stream: TcpStream, played: &str) {
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        let asked = String::from_utf8_lossy(&chunk[..count]);
        let answer = match (asked.contains("PING"), asked.contains("INFO"), played) {
            (true, _, _) => "+PONG\r\n",
            (_, true, _) => "$21\r\nredis_version:1.0.0\r\n\r\n",
            (_, _, "dies") => std::process::exit(9),
            (_, _, "lies") => "$3\r\nlie\r\n",
            _ => continue,
        };
        stream.write_all(answer.as_bytes()).unwrap();
    }
}
