//! Starting a program under test, reading what it prints, killing it, starting it again.
//!
//! Behind the cargo feature `harness`, for dev-dependencies and `comparisons` only.
//!
//! [`Program`] is any process whose output is collected. [`Server`] is an engine that has printed
//! its ready line. A crash test in full:
//!
//! ```no_run
//! use minikit::harness::{Scratch, Server, free_port};
//! use std::process::Command;
//!
//! let data = Scratch::new("crash").expect("a writable temporary directory");
//! let mut command = Command::new("minilog"); // in a test: env!("CARGO_BIN_EXE_minilog")
//! command.args(["serve", "--data-dir"]).arg(data.path());
//! command.arg("--listen").arg(format!("127.0.0.1:{}", free_port()));
//! let mut server = Server::start("minilog", command);
//! let mut client = server.connect();
//! // … write until something is acknowledged …
//! server.restart(); // kill -9, then the same command: same port, same directory
//! let mut client = server.connect();
//! // … everything acknowledged must still be there …
//! ```
//!
//! # What happens if …
//!
//! - *the server never becomes ready, or ends?* [`Program::wait_for`] panics with the last lines it
//!   wrote, at the latest after [`PATIENCE`].
//! - *an assertion of the test fails?* Dropping the program during a panic prints its last lines.
//! - *the test process is killed?* The kernel kills the program ([`tie_to_parent`]).
//!
//! Both outputs are read by threads all the time, so a program never blocks on a full pipe.
//! Counterparts: `start_server` in Redis's `tests/support/server.tcl`, PostgreSQL's
//! `PostgreSQL::Test::Cluster` (whose `kill9` and `start` are our [`Server::restart`]).

pub mod usage;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process, kill_process_group};

use crate::sync::{Arc, Condvar, Mutex};

pub use crate::raw::{cpu_set, tie_to_parent};
pub use crate::wait::{PATIENCE, wait_until};
pub use rustix::process::Signal;

/// Lines of output that a failure message shows.
const TAIL_LINES: usize = 20;

/// An engine that accepts clients. Killed when dropped.
pub struct Server {
    /// The process.
    pub program: Program,
    /// What it printed after `listening on`: `127.0.0.1:40213`.
    pub address: String,
    engine: String,
}

impl Server {
    /// Starts `command`, which runs the engine called `engine`, and waits for its ready line
    /// (`minicache listening on 127.0.0.1:40213`).
    ///
    /// # Panics
    /// If the program cannot be started or does not become ready. The message holds its last lines.
    #[track_caller]
    pub fn start(engine: &str, command: Command) -> Server {
        let program = Program::start(command);
        let address = ready_address(&program, engine);
        Server { program, address, engine: engine.to_owned() }
    }

    /// Kills the server (`kill -9`) if it is running, starts the same command again and waits for
    /// its ready line. The port stays the same if the command names one ([`free_port`]).
    ///
    /// # Panics
    /// As [`Server::start`].
    #[track_caller]
    pub fn restart(&mut self) {
        self.program.restart();
        self.address = ready_address(&self.program, &self.engine);
    }

    /// The port of [`Server::address`].
    pub fn port(&self) -> u16 {
        let port = self.address.rsplit(':').next().and_then(|port| port.parse().ok());
        port.unwrap_or_else(|| panic!("{} has no port", self.address))
    }

    /// A new connection. Reads and writes that take longer than [`PATIENCE`] fail.
    #[track_caller]
    pub fn connect(&self) -> TcpStream {
        let connected = TcpStream::connect(&self.address).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        });
        connected.unwrap_or_else(|error| panic!("no connection to {}: {error}", self.address))
    }
}

#[track_caller]
fn ready_address(program: &Program, engine: &str) -> String {
    program.wait_for(Stream::Stdout, &format!("{engine} listening on "))
}

/// One of the two outputs of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A started program. Its process group is killed when this is dropped.
pub struct Program {
    command: Command,
    child: Child,
    output: Arc<Output>,
}

/// How a program ended and everything it wrote.
#[derive(Debug)]
pub struct Ended {
    /// The exit status.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Program {
    /// Starts `command` with an empty standard input.
    ///
    /// # Panics
    /// If it cannot be started.
    #[track_caller]
    pub fn start(command: Command) -> Program {
        Program::start_with_input(command, "")
    }

    /// Starts `command` and writes `input` to its standard input, then closes it.
    ///
    /// # Panics
    /// If it cannot be started.
    #[track_caller]
    pub fn start_with_input(mut command: Command, input: &str) -> Program {
        tie_to_parent(&mut command, None);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (child, output) = spawn(&mut command, input);
        Program { command, child, output }
    }

    /// Kills the program (`kill -9`) if it is running and starts the same command again, with an
    /// empty standard input. What the first run wrote is forgotten.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        (self.child, self.output) = spawn(&mut self.command, "");
    }

    /// The process id, which is also the id of its process group.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of `stream` that contains `part`. Returns what follows `part`, trimmed.
    /// Looks at all lines since the start, so the same wait returns at once a second time.
    ///
    /// # Panics
    /// If the program closes its output first, or [`PATIENCE`] has passed.
    #[track_caller]
    pub fn wait_for(&self, stream: Stream, part: &str) -> String {
        self.output.wait(part, |written| {
            let mut of_stream = written.lines.iter().filter(|line| line.0 == stream);
            of_stream.find_map(|(_, text)| Some(text.split_once(part)?.1.trim().to_owned()))
        })
    }

    /// Waits until the program has written `count` lines to standard output. Returns the first
    /// `count`, without line ends.
    ///
    /// # Panics
    /// As [`Program::wait_for`].
    #[track_caller]
    pub fn wait_for_lines(&self, count: usize) -> Vec<String> {
        self.output.wait(&format!("line {count}"), |written| {
            let of_stdout =
                written.lines.iter().filter(|line| line.0 == Stream::Stdout).take(count);
            let texts = of_stdout.map(|line| line.1.trim_end().to_owned()).collect::<Vec<_>>();
            (texts.len() == count).then_some(texts)
        })
    }

    /// Sends a signal to the process.
    ///
    /// # Panics
    /// If it has ended and been waited for.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal)
            .expect("a child that was not waited for");
    }

    /// Kills the process group (`kill -9`) and waits for the process to be gone.
    pub fn kill(&mut self) {
        // The group exists as long as its leader was not waited for. Both calls fail after that.
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        }
        let _ = self.child.wait();
    }

    /// Waits for the program to end by itself.
    ///
    /// # Panics
    /// If it still runs after [`PATIENCE`].
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "still running{}", self.output.tail());
            std::thread::sleep(Duration::from_millis(1));
        };
        let [stdout, stderr] = [Stream::Stdout, Stream::Stderr].map(|it| self.output.all_of(it));
        Ended { status, stdout, stderr }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}{}", self.command.get_program().display(), self.output.tail());
        }
        self.kill();
    }
}

#[track_caller]
fn spawn(command: &mut Command, input: &str) -> (Child, Arc<Output>) {
    let started = command.spawn();
    let mut child =
        started.unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
    let output = Arc::new(Output::default());
    output.collect(Stream::Stdout, child.stdout.take().expect("piped"));
    output.collect(Stream::Stderr, child.stderr.take().expect("piped"));

    // A program that reads nothing may have closed its end.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    (child, output)
}

/// Everything a program has written so far, in the order of arrival.
#[derive(Default)]
struct Output {
    written: Mutex<Written>,
    changed: Condvar,
}

#[derive(Default)]
struct Written {
    lines: Vec<(Stream, String)>,
    open_streams: usize,
}

impl Output {
    /// Reads `source` to its end on a thread of its own.
    fn collect(self: &Arc<Output>, stream: Stream, source: impl Read + Send + 'static) {
        self.written.lock().open_streams += 1;
        let output = Arc::clone(self);
        std::thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while matches!(source.read_until(b'\n', &mut line), Ok(1..)) {
                let text = String::from_utf8_lossy(&line).into_owned();
                output.written.lock().lines.push((stream, text));
                output.changed.notify_all();
                line.clear();
            }
            output.written.lock().open_streams -= 1;
            output.changed.notify_all();
        });
    }

    /// Waits until `find` finds something.
    #[track_caller]
    fn wait<T>(&self, what: &str, find: impl Fn(&Written) -> Option<T>) -> T {
        let start = Instant::now();
        let mut written = self.written.lock();
        loop {
            if let Some(found) = find(&written) {
                return found;
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            if written.open_streams == 0 || left.is_zero() {
                let why = if left.is_zero() { "out of patience" } else { "it ended" };
                drop(written);
                panic!("no {what:?}: {why}{}", self.tail());
            }
            written = self.changed.wait_timeout(written, left).0;
        }
    }

    /// All of a stream, once both are at their end.
    #[track_caller]
    fn all_of(&self, stream: Stream) -> String {
        self.wait("end of the output", |written| {
            let of_stream = written.lines.iter().filter(|line| line.0 == stream);
            (written.open_streams == 0).then(|| of_stream.map(|line| line.1.as_str()).collect())
        })
    }

    fn tail(&self) -> String {
        let all = self.written.lock().lines.iter().map(|line| line.1.as_str()).collect::<String>();
        tail(&all, TAIL_LINES)
    }
}

/// The last `count` lines of a log as they end a failure message: each on a line of its own after
/// a bar.
pub fn tail(log: &str, count: usize) -> String {
    let lines = log.lines().collect::<Vec<_>>();
    lines[lines.len().saturating_sub(count)..].iter().map(|line| format!("\n  | {line}")).collect()
}

/// Asks a process group to end (SIGTERM) and kills it after `grace`. Waits for all of the group,
/// not only for its leader: cargo is gone sooner than its compilers.
pub fn end_group(leader: u32, grace: Duration) {
    let pid = i32::try_from(leader).ok().and_then(Pid::from_raw);
    // Groups 0 and 1 mean our own group and every process.
    let Some(group) = pid.filter(|pid| pid.as_raw_nonzero().get() > 1) else { return };
    for signal in [Signal::TERM, Signal::KILL] {
        // Fails if the group is gone, and then there is nothing to wait for.
        let _ = kill_process_group(group, signal);
        let start = Instant::now();
        while usage::group_is_running(leader) && start.elapsed() < grace {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A TCP port of 127.0.0.1 on which nothing listens and which no other caller gets. It is below the
/// ports that the system gives to clients, so that no connection takes it before the caller does.
/// Prefer port 0 and the ready line unless the port must be known or survive a restart.
pub fn free_port() -> u16 {
    // The ports of this process begin at a place of its own, since others take theirs meanwhile.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(64);
    let next = || first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000 + 10_000;
    let mut ports = (0..20_000).map(|_| u16::try_from(next()).expect("below 30,000"));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// A directory below the system's temporary directory. Removed with everything in it when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes `…/NAME-PID-N`, which no other caller and no other process uses.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub fn new(name: &str) -> io::Result<Scratch> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        // The temporary directory may be a symbolic link. Programs report the real path.
        Ok(Scratch { path: path.canonicalize()? })
    }

    /// The absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file into the directory and returns its path.
    #[track_caller]
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A file that appears meanwhile keeps the directory. It is only litter.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn everything_written_comes_back() {
        let ended = Program::start_with_input(shell("cat; echo err >&2; exit 3"), "in\n").end();
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("in\n", "err\n"));
    }

    #[test]
    fn a_restart_repeats_the_command() {
        let script = "echo \"toy listening on 127.0.0.1:$$\"; exec sleep 1000";
        let mut server = Server::start("toy", shell(script));
        let first = server.program.pid();
        assert_eq!(server.address, format!("127.0.0.1:{first}"));
        server.restart();
        assert_eq!(server.address, format!("127.0.0.1:{}", server.program.pid()));
        assert!(!usage::is_running(first));
    }

    #[test]
    fn lines_are_waited_for() {
        let program = Program::start(shell("echo a; echo 'key: value '; echo c; exec sleep 1000"));
        assert_eq!(program.wait_for(Stream::Stdout, "key:"), "value");
        assert_eq!(program.wait_for_lines(3), ["a", "key: value", "c"]);
        program.signal(Signal::TERM);
        assert_eq!(program.end().status.code(), None, "ended by the signal");
    }

    #[test]
    #[should_panic(expected = "it ended\n  | cannot bind")]
    fn a_program_that_ends_early_is_a_failure_with_its_last_words() {
        Server::start("toy", shell("echo cannot bind >&2; exit 1"));
    }

    #[test]
    fn a_dropped_program_is_gone_with_its_children() {
        let program = Program::start(shell("sleep 1000 & echo $!; wait"));
        let grandchild = program.wait_for_lines(1)[0].parse::<u32>().expect("a process id");
        assert!(usage::is_running(grandchild));
        drop(program);
        wait_until("the grandchild is gone", || !usage::is_running(grandchild));
    }

    #[test]
    fn a_group_that_ignores_sigterm_is_killed() {
        let program = Program::start(shell("trap '' TERM; echo ready; while :; do sleep 1; done"));
        program.wait_for_lines(1);
        end_group(program.pid(), Duration::from_millis(50));
        wait_until("the group is gone", || !usage::group_is_running(program.pid()));
    }

    /// The middle process is killed with -9 and cannot clean up.
    #[test]
    fn children_do_not_survive_the_process_that_started_them() {
        const CHILD: &str = "MINIKIT_TEST_STARTS_A_SLEEPER";
        if std::env::var_os(CHILD).is_some() {
            let sleeper = Program::start(shell("exec sleep 1000"));
            println!("sleeper {} started", sleeper.pid());
            std::thread::sleep(PATIENCE);
        }
        let mut again = Command::new(std::env::current_exe().expect("a running program"));
        let name = "children_do_not_survive_the_process_that_started_them";
        again.args(["--nocapture", name]).env(CHILD, "yes");
        let mut middle = Program::start(again);
        let said = middle.wait_for(Stream::Stdout, "sleeper ");
        let sleeper = said.trim_end_matches(" started").parse::<u32>().expect("a process id");
        assert!(usage::is_running(sleeper));
        middle.kill();
        wait_until("the kernel has killed the sleeper", || !usage::is_running(sleeper));
    }

    #[test]
    fn a_scratch_directory_goes_with_what_is_in_it() {
        let scratch = Scratch::new("minikit-scratch").expect("writable");
        let path = scratch.path().join("file");
        std::fs::write(&path, "x").expect("writable");
        drop(scratch);
        assert!(!path.exists());
    }
}
