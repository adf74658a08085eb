//! Child processes that never outlive the harness, and what they cost.
//!
//! A harness that leaves a server behind spoils the next measurement and somebody's afternoon. So
//! everything that has to go away again is written down first, in one list of [`Leftover`]s, and
//! three roads lead to the list being emptied: the value that holds an entry is dropped, a signal
//! arrives (Ctrl-C, SIGTERM, SIGHUP), or the harness itself is killed and the kernel does it.
//!
//! ```text
//! let server = Child::spawn(Command::new("redis-server"))?;   list: [group 4711]
//! let scratch = Scratch::new("redis")?;                       list: [group 4711, /tmp/…/redis]
//! drop(server);                                               list: [/tmp/…/redis]
//! ^C                                                          list: []   exit status 130
//! ```
//!
//! Cost is read from `/proc` and therefore is the server's alone: its processor time (kernel time
//! on its behalf included) and the memory resident in it. The load tool and the neighbours on a
//! busy machine do not enter into it. This is the part of `top` that a comparison needs.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{Result, raw};

/// How long a process that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(3);

/// Something that must not be there any more once the harness has ended.
#[derive(Clone)]
enum Leftover {
    /// A process group, named by its leader.
    Group(u32),
    /// A container or the like: the command that takes it away.
    Undo(Vec<String>),
    /// A scratch directory.
    Directory(PathBuf),
}

/// Entries are numbered so that each holder finds its own again.
static LEFTOVERS: Mutex<Vec<(u64, Leftover)>> = Mutex::new(Vec::new());

/// A process of ours in a group of its own. Dropping it ends the group and waits for the end.
pub struct Child {
    child: std::process::Child,
    held: Held,
}

impl Child {
    /// Starts `command` where the caller runs.
    pub fn spawn(command: &mut Command) -> Result<Child> {
        Child::spawn_on(command, None)
    }

    /// Starts `command` on `cores`. The list is locked meanwhile, so a signal finds the child in it
    /// or not born at all.
    pub fn spawn_on(command: &mut Command, cores: Option<&[usize]>) -> Result<Child> {
        raw::tie_to_us(command, cores);
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
        if self.ended().is_some() {
            self.held.release();
        }
        self.held.clean();
        // Reaps it; after the cleaning above the process is gone, so this does not block.
        let _ = self.child.wait();
    }
}

/// What a command that ran to its end left us.
pub struct Output {
    /// Whether it exited with status 0.
    pub success: bool,
    /// What it wrote on standard output.
    pub stdout: String,
    /// What it wrote on standard error.
    pub stderr: String,
}

/// Runs a command to its end, at most for `limit`. Meant for tools that print little (less than a
/// pipe holds, 64 KiB): the output is read after the end.
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

/// Asks `probe` again every `pause` until it answers or `limit` has passed.
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

/// A directory of ours below the system's temporary directory, removed when dropped.
pub struct Scratch {
    path: PathBuf,
    held: Held,
}

impl Scratch {
    /// Makes `…/comparisons-PID-N-name`, which nobody else uses.
    pub fn new(name: &str) -> Result<Scratch> {
        let mut list = leftovers();
        let number = next_number();
        let path = std::env::temp_dir()
            .join(format!("comparisons-{}-{number}-{name}", std::process::id()));
        fs::create_dir_all(&path)
            .map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        let held = enter(&mut list, Leftover::Directory(path.clone()));
        Ok(Scratch { path, held })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.held.clean();
    }
}

/// A command that undoes something outside of our process tree; runs when dropped.
pub struct Undo {
    held: Held,
}

impl Undo {
    /// Enters `command` into the list, best before the thing it undoes is done.
    pub fn with(command: Vec<String>) -> Undo {
        Undo { held: enter(&mut leftovers(), Leftover::Undo(command)) }
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        self.held.clean();
    }
}

/// Lets Ctrl-C, SIGTERM and SIGHUP empty the list and end the harness with 128 + signal, as a shell
/// reports it. Call it once, before the first child.
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
        // The lock is never given back: nothing new can start while we leave.
        let list = leftovers();
        eprintln!("\nstopped; taking away what was started");
        list.iter().rev().for_each(|(_, leftover)| clean(leftover));
        std::process::exit(128 + number);
    });
    Ok(())
}

/// One entry of the list; cleans it at most once.
struct Held {
    number: u64,
}

impl Held {
    /// Takes the entry off the list without cleaning: it went by itself.
    fn release(&self) -> Option<Leftover> {
        let mut list = leftovers();
        let at = list.iter().position(|(number, _)| *number == self.number)?;
        Some(list.remove(at).1)
    }

    /// Cleans, then takes the entry off the list, so that a signal in between cleans again rather
    /// than not at all.
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
        Leftover::Group(leader) => end_group(*leader),
        Leftover::Undo(words) => {
            // Not through `Child`: the thread that waits for signals calls this with the list
            // locked. In a group of its own, so that a second Ctrl-C does not cut it short.
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).process_group(0);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let _ = command.status();
        }
        Leftover::Directory(path) => {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// Waits for all of the group, not for its leader only: cargo is gone sooner than its compilers.
fn end_group(leader: u32) {
    raw::signal_group(leader, raw::SIGTERM);
    let gone = || (!group_is_running(leader)).then_some(());
    if until(GRACE, Duration::from_millis(1), gone).is_none() {
        raw::signal_group(leader, raw::SIGKILL);
        let _ = until(GRACE, Duration::from_millis(1), gone);
    }
}

/// Whether a process of the group exists and is more than a zombie.
fn group_is_running(leader: u32) -> bool {
    let group = leader.to_string();
    let Ok(entries) = fs::read_dir("/proc") else { return false };
    let stats = entries.flatten().filter_map(|it| fs::read_to_string(it.path().join("stat")).ok());
    stats.into_iter().any(|stat| match stat_fields(&stat)[..] {
        ["Z" | "X", ..] => false,
        [_, _parent, its_group, ..] => its_group == group,
        _ => false,
    })
}

/// The fields of `/proc/PID/stat` from the third (the state) on. The second, the name in
/// parentheses, may hold spaces and parentheses itself, hence the search from the right.
fn stat_fields(stat: &str) -> Vec<&str> {
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.split_ascii_whitespace().collect()
}

/// Processor time of a process so far, user and kernel, all threads. From the scheduler's
/// nanoseconds where the kernel keeps them, else from the 10 ms ticks of `/proc/PID/stat`.
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let threads = || fs::read_dir(format!("/proc/{pid}/task")).ok();
    let mut nanoseconds = 0u64;
    for thread in threads()?.flatten() {
        let Ok(line) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
        nanoseconds += line.split_ascii_whitespace().next()?.parse::<u64>().ok()?;
    }
    if nanoseconds > 0 {
        return Some(Duration::from_nanos(nanoseconds));
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = stat_fields(&stat);
    // Fields 14 and 15 of proc(5); ours begin with field 3. A tick is 10 ms on every Linux.
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(10 * ticks))
}

/// Bytes of a process that are in memory. `smaps_rollup` walks the pages and is exact; `status` is
/// readable for processes of other users (a container's) and may be some pages behind.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let kilobytes = |file: &str, label: &str| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        let line = text.lines().find(|line| line.starts_with(label))?;
        line.split_ascii_whitespace().nth(1)?.parse().ok()
    };
    kilobytes("smaps_rollup", "Rss:")
        .or_else(|| kilobytes("status", "VmRSS:"))
        .map(|kib| kib * 1024)
}

/// Keeps every thread of a process on `cores`; threads born later inherit it. False if any refused.
pub fn pin_all_threads(pid: u32, cores: &[usize]) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    let ids = threads.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|thread: &u32| !raw::pin(*thread, cores)).count() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_child_is_gone_with_its_children() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 1000 & echo $!; wait"]).stdout(Stdio::piped());
        let mut child = Child::spawn(&mut shell).unwrap();
        let mut line = String::new();
        let stdout = child.child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        let grandchild: u32 = line.trim().parse().unwrap();
        let group = child.pid();
        let state = |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(group_is_running(group) && !state(grandchild).is_empty());
        drop(child);
        assert!(!group_is_running(group));
        assert!(matches!(stat_fields(&state(grandchild)).first(), None | Some(&"Z")));
    }

    #[test]
    fn a_scratch_directory_goes_with_what_is_in_it() {
        let scratch = Scratch::new("test").unwrap();
        let path = scratch.path().to_path_buf();
        fs::write(path.join("file"), "x").unwrap();
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

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let fields = stat_fields("7 (a) b) S 1 7 7");
        assert_eq!(fields, ["S", "1", "7", "7"]);
    }

    #[test]
    fn our_own_cost_is_known() {
        let pid = std::process::id();
        assert!(resident_bytes(pid).unwrap() > 100_000);
        assert!(cpu_time(pid).is_some());
    }
}
