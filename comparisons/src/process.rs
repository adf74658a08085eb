//! Child processes that never outlive this program.
//!
//! A server that is left behind spoils the next measurement. So everything that must be removed is
//! entered into one list of [`Leftover`]s first, and the list is emptied in three ways: the value
//! that holds an entry is dropped, a signal arrives (Ctrl-C, SIGTERM, SIGHUP), or this program is
//! killed and the kernel kills its children (`minikit::harness::tie_to_parent`).
//!
//! ```text
//! let server = Child::spawn(Command::new("redis-server"))?;   list: [group 4711]
//! let scratch = Scratch::new("redis")?;                       list: [group 4711, /tmp/…/redis]
//! drop(server);                                               list: [/tmp/…/redis]
//! ^C                                                          list: []   exit status 130
//! ```
//!
//! Starting, ending and measuring a process is the work of `minikit::harness`. The list is ours
//! alone, because only this program also starts containers, which the kernel does not remove.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use minikit::harness;

use crate::Result;

/// How long a process that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(3);

/// Something that must be gone when this program ends.
#[derive(Clone)]
enum Leftover {
    /// A process group, named by its leader.
    Group(u32),
    /// A container: the command that removes it.
    Undo(Vec<String>),
    /// A scratch directory.
    Directory(PathBuf),
}

/// Entries are numbered so that each holder finds its own.
static LEFTOVERS: Mutex<Vec<(u64, Leftover)>> = Mutex::new(Vec::new());

/// A process in a group of its own. Dropping it ends the group and waits for the end.
pub struct Child {
    child: std::process::Child,
    held: Held,
}

impl Child {
    /// Starts `command` on the cores of the calling thread.
    pub fn spawn(command: &mut Command) -> Result<Child> {
        Child::spawn_on(command, None)
    }

    /// Starts `command` on `cores`, or on those of the calling thread.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn spawn_on(command: &mut Command, cores: Option<&[usize]>) -> Result<Child> {
        harness::tie_to_parent(command, cores);

        // Locked until the child is in the list: the thread that handles signals finds the child
        // there, or it runs before the child is started.
        let mut list = leftovers();
        let child = command.spawn().map_err(|error| {
            format!("{} did not start: {error}", command.get_program().display())
        })?;
        let held = enter(&mut list, Leftover::Group(child.id()));
        Ok(Child { child, held })
    }

    /// The process id, which is also the id of its group.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    /// The exit status, if it has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The id of a process that was waited for may belong to another process now.
        if self.ended().is_some() {
            self.held.release();
        }
        self.held.clean();

        // The process is gone after the cleaning above, so this does not block.
        let _ = self.child.wait();
    }
}

/// How a command ended and what it wrote.
pub struct Output {
    /// True if it exited with status 0.
    pub success: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a command to its end, at most for `limit`. The output is read after the end, so it must fit
/// into a pipe (64 KiB).
///
/// # Errors
/// If the command cannot be started or runs longer than `limit`. A failing command is no error.
pub fn run(command: &mut Command, limit: Duration) -> Result<Output> {
    let name = command.get_program().display().to_string();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Child::spawn(command)?;
    let status = until(limit, Duration::from_millis(2), || child.ended())
        .ok_or_else(|| format!("{name} was stopped: not done after {} s", limit.as_secs()))?;
    let stdout = child.child.stdout.take().map(std::io::read_to_string).transpose()?;
    let stderr = child.child.stderr.take().map(std::io::read_to_string).transpose()?;
    Ok(Output {
        success: status.success(),
        stdout: stdout.unwrap_or_default(),
        stderr: stderr.unwrap_or_default(),
    })
}

/// The CPU time of all children that this process has waited for, and of theirs.
///
/// # Errors
/// If `/proc` cannot be read.
pub fn cpu_time_of_children() -> Result<Duration> {
    let stat = procfs::process::Process::myself()?.stat()?;
    let ticks = (stat.cutime + stat.cstime) as f64;
    Ok(Duration::from_secs_f64(ticks / procfs::ticks_per_second() as f64))
}

/// Calls `probe` every `pause` until it returns a value or `limit` has passed.
pub fn until<T>(
    limit: Duration,
    pause: Duration,
    mut probe: impl FnMut() -> Option<T>,
) -> Option<T> {
    let start = Instant::now();
    loop {
        let answer = probe();
        if answer.is_some() || start.elapsed() >= limit {
            return answer;
        }
        std::thread::sleep(pause);
    }
}

/// A directory below the system's temporary directory, removed when dropped.
pub struct Scratch {
    directory: harness::Scratch,
    held: Held,
}

impl Scratch {
    /// Makes `…/comparisons-NAME-PID-N`, which no other process uses.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(name: &str) -> Result<Scratch> {
        let mut list = leftovers();
        let directory = harness::Scratch::new(&format!("comparisons-{name}"))
            .map_err(|error| format!("no scratch directory: {error}"))?;
        let held = enter(&mut list, Leftover::Directory(directory.path().to_path_buf()));
        Ok(Scratch { directory, held })
    }

    /// The absolute path.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.held.clean();
    }
}

/// A command that undoes something outside of our process tree. Runs when dropped.
pub struct Undo {
    held: Held,
}

impl Undo {
    /// Enters `command` into the list. Call it before doing what `command` undoes.
    pub fn with(command: Vec<String>) -> Undo {
        Undo { held: enter(&mut leftovers(), Leftover::Undo(command)) }
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        self.held.clean();
    }
}

/// Makes Ctrl-C, SIGTERM and SIGHUP empty the list and end this program with 128 + signal, as a
/// shell reports it. Call it once, before the first child.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn clean_up_on_signals() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    drop(guard);
    std::thread::spawn(move || {
        let number = runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => 2,
                _ = terminate.recv() => 15,
                _ = hangup.recv() => 1,
            }
        });
        // The lock is never released, so nothing new can start from here on.
        let list = leftovers();
        eprintln!("\nstopped; removing what was started");
        list.iter().rev().for_each(|(_, leftover)| clean(leftover));
        std::process::exit(128 + number);
    });
    Ok(())
}

/// The right to clean one entry of the list, at most once.
struct Held {
    number: u64,
}

impl Held {
    /// Removes the entry without cleaning.
    fn release(&self) -> Option<Leftover> {
        let mut list = leftovers();
        let at = list.iter().position(|(number, _)| *number == self.number)?;
        Some(list.remove(at).1)
    }

    /// Cleans, then removes the entry. A signal in between cleans a second time, which is harmless;
    /// the other order could clean not at all.
    fn clean(&self) {
        let mine = leftovers().iter().find(|(number, _)| *number == self.number).cloned();
        if let Some((_, leftover)) = mine {
            clean(&leftover);
            self.release();
        }
    }
}

fn leftovers() -> MutexGuard<'static, Vec<(u64, Leftover)>> {
    LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn enter(list: &mut Vec<(u64, Leftover)>, leftover: Leftover) -> Held {
    let number = next_number();
    list.push((number, leftover));
    Held { number }
}

fn next_number() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

fn clean(leftover: &Leftover) {
    match leftover {
        Leftover::Group(leader) => harness::end_group(*leader, GRACE),
        Leftover::Undo(words) => {
            // Not through `Child`, because the thread that handles signals holds the list's lock.
            // In a group of its own, so that a second Ctrl-C does not interrupt it.
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).process_group(0);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let _ = command.status();
        }
        Leftover::Directory(path) => {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minikit::harness::usage;

    #[test]
    fn a_dropped_child_is_gone_with_its_children() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 1000 & wait"]);
        let child = Child::spawn(&mut shell).unwrap();
        let group = child.pid();
        assert!(usage::group_is_running(group));
        drop(child);
        assert!(!usage::group_is_running(group));
    }

    #[test]
    fn a_scratch_directory_goes_with_what_is_in_it() {
        let scratch = Scratch::new("test").unwrap();
        let path = scratch.path().to_path_buf();
        std::fs::write(path.join("file"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_command_printed_comes_back() {
        let mut shell = Command::new("sh");
        let output = run(shell.args(["-c", "echo out; echo err >&2; exit 3"]), GRACE).unwrap();
        assert!(!output.success);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
    }

    #[test]
    fn a_command_that_hangs_is_stopped() {
        let error = run(Command::new("sleep").arg("1000"), Duration::from_millis(20)).err();
        assert!(error.unwrap().to_string().contains("sleep was stopped"));
    }
}
