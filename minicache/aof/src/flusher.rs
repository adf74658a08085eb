//! The thread that writes the files, and the process that rewrites them.
//!
//! ```text
//! cores    append to the log, reply          thread    take all changes, write, sync, publish
//!          or wait for the publication                wake the waiting connections
//! ```
//!
//! The counterparts in Redis are `flushAppendOnlyFile` and `rewriteAppendOnlyFileBackground`
//! (`aof.c`), and the thread that syncs in `bio.c`.

use crate::AppendFsync;
use crate::files::Files;
use crate::log::Log;
use crate::manifest::File;
use std::process::{self, Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{io, path::PathBuf};

/// How long the thread waits for commands before it checks the clock and the rewrite.
const POLL: Duration = Duration::from_millis(100);
/// How long commands are collected if no reply waits for them. `kill -9` can lose that much.
const GATHER: Duration = Duration::from_millis(5);
/// How often `everysec` syncs.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What the thread needs from the server.
pub trait Server: Send + 'static {
    /// Returns the log of the server's changes.
    fn log(&self) -> &Log;
    /// Returns the current parameters.
    fn parameters(&self) -> Parameters;
    /// Makes the server refuse write commands, or accept them again.
    fn set_failed(&self, failed: bool);
    /// Returns the start of the command line of the rewriting process. The thread appends the
    /// folder, the name of the new base and the names of the files to make it of.
    fn rewriter(&self) -> Command;
}

/// The parameters of the thread.
pub struct Parameters {
    /// `appendfsync`.
    pub policy: AppendFsync,
    /// `auto-aof-rewrite-percentage`; 0 for never.
    pub rewrite_percentage: u32,
    /// `auto-aof-rewrite-min-size`, bytes.
    pub rewrite_min_size: u64,
}

/// The running thread. Dropping it writes and syncs the remaining changes.
pub struct Flusher {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Task<S> {
    server: S,
    files: Files,
    folder: PathBuf,
    last_sync: Instant,
    failed: bool,
    rewrite: Option<Rewrite>,
}

/// A rewrite in progress: its process, the files it reads and the base it writes.
struct Rewrite {
    child: Child,
    complete: Vec<File>,
    base: File,
}

impl Flusher {
    /// Logs changes from now on, and starts the thread that writes them to `files` in `folder`.
    pub fn start(server: impl Server, files: Files, folder: PathBuf) -> io::Result<Flusher> {
        let stop = Arc::new(AtomicBool::new(false));
        let (log, stopped) = (server.log(), Arc::clone(&stop));
        log.on.store(true, Ordering::Relaxed);
        log.size.store(files.size(), Ordering::Relaxed);
        log.base_size.store(files.size(), Ordering::Relaxed);
        let (last_sync, failed, rewrite) = (Instant::now(), false, None);
        let task = Task { server, files, folder, last_sync, failed, rewrite };
        let thread = thread::Builder::new().name("minicache-aof".to_string());
        Ok(Flusher { stop, thread: Some(thread.spawn(move || task.run(&stopped))?) })
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // A panic of the thread has already been printed.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl<S: Server> Task<S> {
    fn run(mut self, stop: &AtomicBool) {
        let mut stopping = false;
        while !stopping {
            stopping = stop.load(Ordering::Acquire);
            let policy = self.server.parameters().policy;
            let wait = if stopping { Duration::ZERO } else { POLL };
            let log = self.server.log();
            let mut position = log.take(&mut self.files.unsynced, wait, false);
            if policy != AppendFsync::Always && !stopping && !log.is_waited_for() {
                thread::sleep(GATHER);
                position = log.take(&mut self.files.unsynced, Duration::ZERO, false);
            }
            self.save(policy, position, stopping);
            self.step_rewrite(stopping);
        }
    }

    /// Writes the taken changes, syncs if it is due, and wakes waiting connections.
    fn save(&mut self, policy: AppendFsync, position: u64, stopping: bool) {
        let (log, files) = (self.server.log(), &mut self.files);
        let soon = stopping || self.failed || log.is_waited_for();
        let due = match policy {
            AppendFsync::Always => true,
            AppendFsync::EverySec => soon || self.last_sync.elapsed() >= SYNC_EVERY,
            AppendFsync::No => stopping,
        };
        let nothing = files.unsynced.is_empty();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let busy_since_ms = if nothing { 0 } else { since.as_millis() as i64 };
        log.busy_since_ms.store(busy_since_ms, Ordering::Relaxed);
        let written = files.write();
        let outcome = written.and_then(|()| if due && !nothing { files.sync() } else { Ok(()) });
        log.busy_since_ms.store(0, Ordering::Relaxed);
        if due {
            self.last_sync = Instant::now();
        }
        if policy == AppendFsync::No && outcome.is_ok() {
            files.forget();
        }
        log.size.store(files.size(), Ordering::Relaxed);

        match outcome {
            Ok(()) if files.unsynced.is_empty() => {
                // Publish first: after the flag is cleared, a client that was refused may write.
                log.publish(position);
                self.set_failed(None);
            }
            Ok(()) => {}
            Err(error) if policy == AppendFsync::Always => {
                tracing::error!(
                    "Can't recover from AOF write error when the AOF fsync policy is 'always'. \
                     Exiting... ({error})"
                );
                process::exit(1);
            }
            Err(error) => self.set_failed(Some(&error)),
        }
    }

    /// Makes the server refuse write commands while the file cannot be written.
    fn set_failed(&mut self, error: Option<&io::Error>) {
        if error.is_some() == self.failed {
            return;
        }
        self.failed = error.is_some();
        match error {
            Some(error) => {
                tracing::warn!("Error writing to the AOF file: {error}");
                *self.server.log().failure.lock() = error.to_string();
            }
            None => tracing::warn!("AOF write error looks solved, server can write again."),
        }
        self.server.set_failed(self.failed);
    }

    /// Begins a rewrite that is requested or due, and completes one whose process has ended.
    fn step_rewrite(&mut self, stopping: bool) {
        let Some(rewrite) = &mut self.rewrite else {
            if !stopping && !self.failed && self.wants_rewrite() {
                match self.begin_rewrite() {
                    Ok(rewrite) => self.rewrite = Some(rewrite),
                    Err(error) => self.end_rewrite(Err(error)),
                }
            }
            return;
        };
        if stopping {
            // Kill it if it still runs. The next start removes its file.
            let _ = rewrite.child.kill().and_then(|()| rewrite.child.wait());
            return;
        }
        let ended = match rewrite.child.try_wait() {
            Ok(None) => return,
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(Some(status)) => Err(io::Error::other(format!("its process ended with {status}"))),
            Err(error) => Err(error),
        };
        let Some(Rewrite { complete, base, .. }) = self.rewrite.take() else { return };
        let ended = ended.and_then(|()| self.files.replace(&complete, &unfinished(&base), base));
        self.end_rewrite(ended);
    }

    /// Returns true if a rewrite is requested, or the files have grown enough.
    fn wants_rewrite(&self) -> bool {
        let (log, parameters) = (self.server.log(), self.server.parameters());
        let percent = u128::from(parameters.rewrite_percentage);
        let (size, base) = (self.files.size(), log.base_size.load(Ordering::Relaxed).max(1));
        let grown = u128::from(size) * 100 / u128::from(base) >= 100 + percent;
        if percent > 0 && size > parameters.rewrite_min_size && grown {
            log.rewriting.store(true, Ordering::Relaxed);
        }
        log.rewriting.load(Ordering::Relaxed)
    }

    fn begin_rewrite(&mut self) -> io::Result<Rewrite> {
        let (position, complete, base) = self.files.rotate(self.server.log())?;
        self.server.log().publish(position);
        let mut command = self.server.rewriter();
        command.arg(&self.folder).arg(unfinished(&base));
        command.args(complete.iter().map(|file| &file.name));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        tracing::info!("Background append only file rewriting started by pid {}", child.id());
        Ok(Rewrite { child, complete, base })
    }

    fn end_rewrite(&mut self, ended: io::Result<()>) {
        match &ended {
            Ok(()) => tracing::info!("Background AOF rewrite finished successfully"),
            Err(error) => tracing::warn!("Background AOF rewrite failed: {error}"),
        }
        let log = self.server.log();
        log.rewrites.fetch_add(1, Ordering::Relaxed);
        log.last_rewrite_failed.store(ended.is_err(), Ordering::Relaxed);
        // Also after a failure, so that the next attempt comes after more growth, not at once.
        log.base_size.store(self.files.size(), Ordering::Relaxed);
        log.rewriting.store(false, Ordering::Relaxed);
    }
}

/// Returns the temporary name of a base. It contains the process id, because the rewriting process
/// may outlive a killed server and must not overwrite the base of the next server.
fn unfinished(base: &File) -> String {
    format!("{}.{}.base.aof", base.name, process::id())
}
