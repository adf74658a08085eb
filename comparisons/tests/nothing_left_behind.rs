//! However the harness ends, no server and no file of it stays, and its exit status is true.
//!
//! Neither minicache nor Redis takes part. This program plays both: called with a server's
//! arguments it answers PING and INFO, and misbehaves otherwise as `PLAYED` says. So each story
//! below begins the same way:
//!
//! ```text
//! test ── starts ──> comparisons ── starts ──> this program as "minicache" and as "redis-server"
//!      <── reads ──  "minicache listens on … (pid 4711)", "Redis listens on … (pid 4712)"
//!      ── signal ─>  comparisons
//!      ── looks at 4711, 4712 and the scratch directories
//! ```

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

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
    tell("interrupt_ends_both_servers", || ended_by("INT", Some(130)));
    tell("terminate_ends_both_servers", || ended_by("TERM", Some(143)));
    tell("even_a_kill_ends_both_servers", || ended_by("KILL", None));
    tell("a_server_that_dies_is_a_failure", || {
        fails("dies", "minicache has ended (exit status: 9)")
    });
    tell("a_wrong_answer_is_a_failure", || fails("lies", "wrong answer to SET"));
    tell("a_provider_that_was_asked_for_and_is_not_there_is_a_failure", no_such_address);
}

fn tell(name: &str, story: impl FnOnce()) {
    story();
    println!("test {name} ... ok");
}

/// Sends `signal` while both servers are up and under load.
fn ended_by(signal: &str, code: Option<i32>) {
    let stage = Stage::new(signal);
    let (mut harness, pids) = stage.start("stalls");
    let kill = format!("kill -{signal} {}", harness.id());
    assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
    assert_eq!(harness.wait().unwrap().code(), code);
    for pid in pids {
        eventually(|| !is_running(pid), &format!("process {pid} to be gone"));
    }
    // Killed outright, the harness had no chance to remove what it wrote; nobody can.
    if code.is_some() {
        assert_eq!(stage.scratch_directories(), Vec::<PathBuf>::new());
    }
}

fn fails(played: &str, message: &str) {
    let stage = Stage::new(played);
    let (mut harness, pids) = stage.start(played);
    let mut said = String::new();
    harness.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(harness.wait().unwrap().code(), Some(1));
    assert!(said.contains(message), "{said}");
    assert!(pids.iter().all(|pid| !is_running(*pid)));
    assert_eq!(stage.scratch_directories(), Vec::<PathBuf>::new());
}

fn no_such_address() {
    let stage = Stage::new("address");
    let mut command = stage.command("stalls");
    command.args(["--provider", "address", "--redis", "127.0.0.1:1"]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(ExitStatus::code(&output.status), Some(1));
    assert!(said.contains("no Redis answers at 127.0.0.1:1"), "{said}");
    assert!(said.contains("apt-get install redis-server"), "{said}");
}

/// A directory that is PATH (with nothing but a `redis-server`) and TMPDIR of a harness.
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
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Starts a harness and waits until it has said which two processes it started.
    fn start(&self, played: &str) -> (Child, Vec<u32>) {
        let mut harness = self.command(played).args(["--provider", "installed"]).spawn().unwrap();
        let mut stderr = BufReader::with_capacity(1, harness.stderr.take().unwrap());
        let mut pids = Vec::new();
        while pids.len() < 2 {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended without starting servers");
            let number = line.split_once("(pid ").and_then(|(_, rest)| rest.split_once(')'));
            pids.extend(number.map(|(pid, _)| pid.parse::<u32>().unwrap()));
        }
        harness.stderr = Some(stderr.into_inner());
        (harness, pids)
    }

    fn scratch_directories(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.directory).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.to_string_lossy().contains("/comparisons-")).collect()
    }
}

fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// Waits for something that another process does. The limit only bounds a failing test.
fn eventually(mut holds: impl FnMut() -> bool, what: &str) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The played server. It understands commands that arrive whole, which those of the story do.
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
