//! The running process as a [`Host`]: what `CONFIG SET` changes outside of the cache.
//!
//! ```text
//! CONFIG SET port 7001         bind 127.0.0.1:7001; if that fails, the error says so
//! CONFIG SET bind "10.0.0.1"   bind 10.0.0.1:7001; established connections stay
//! CONFIG SET oom-score-adj yes /proc/self/oom_score_adj: the score at start, plus 0
//! ```
//!
//! The counterparts in Redis are the `apply` functions of `config.c`, `changeListenPort`,
//! `adjustOpenFilesLimit` and `setOOMScoreAdj` (`server.c`).

use super::addresses::{listen_addresses, plain};
use crate::conf::settings::OomScore;
use crate::conf::{ConfigError, Host, ProcessInfo, Settings};
use crate::raw;
use minikit::process::{self, Process};
use minikit::server::ListenerHandle;
use minikit::sync::Mutex;
use std::{fs, io};

/// Open files that are not clients.
pub const FILES_BESIDES: u64 = 32;
const OOM_SCORE: &str = "/proc/self/oom_score_adj";

/// The process of a running server.
pub struct ServerProcess {
    listeners: ListenerHandle,
    /// The score at start, once this server has changed it.
    oom_score_before: Mutex<Option<i32>>,
}

impl ServerProcess {
    /// The process that listens through `listeners`.
    pub fn new(listeners: ListenerHandle) -> ServerProcess {
        ServerProcess { listeners, oom_score_before: Mutex::new(None) }
    }

    fn move_listeners(&self, before: &Settings, after: &Settings) -> Result<(), ConfigError> {
        if before.port == after.port && before.bind == after.bind {
            return Ok(());
        }
        let refused = |why: String| {
            tracing::warn!("cannot listen on {} port {}: {why}", after.bind.join(" "), after.port);
            match before.port == after.port {
                true => refused("bind", "Failed to bind to specified addresses."),
                false => refused("port", "Unable to listen on this port. Check server logs."),
            }
        };
        let addresses = listen_addresses(&after.bind, after.port).map_err(refused)?;
        self.listeners.listen(&addresses).map_err(|error| refused(error.to_string()))
    }

    fn set_oom_score(&self, score: OomScore) -> Result<(), String> {
        let mut before = self.oom_score_before.lock();
        let first = match (*before, score) {
            (None, OomScore::Kept) => return Ok(()),
            (Some(first), _) => first,
            (None, _) => fs::read_to_string(OOM_SCORE)
                .ok()
                .and_then(|text| text.trim().parse().ok())
                .ok_or("Failed to apply new oom_score_adj configuration, check server logs.")?,
        };
        let wanted = match score {
            OomScore::Kept => first,
            OomScore::Relative(more) => first.saturating_add(more),
            OomScore::Absolute(score) => score,
        };
        fs::write(OOM_SCORE, wanted.clamp(-1000, 1000).to_string())
            .map_err(|_| "Failed to apply new oom_score_adj configuration, check server logs.")?;
        *before = (score != OomScore::Kept).then_some(first);
        Ok(())
    }
}

impl Host for ServerProcess {
    fn apply(&self, before: &Settings, after: &Settings) -> Result<(), ConfigError> {
        if after.maxclients > before.maxclients {
            let files = raw::open_files_up_to(u64::from(after.maxclients) + FILES_BESIDES);
            let clients = files.saturating_sub(FILES_BESIDES);
            if clients < after.maxclients.into() {
                return Err(refused(
                    "maxclients",
                    &format!(
                        "The operating system is not able to handle the specified number of \
                         clients, try with {clients}"
                    ),
                ));
            }
        }
        if before.dir != after.dir {
            std::env::set_current_dir(&after.dir)
                .map_err(|error| refused("dir", &plain(&error)))?;
        }
        if before.oom_score != after.oom_score {
            self.set_oom_score(after.oom_score).map_err(|why| refused("oom-score-adj", &why))?;
        }
        self.move_listeners(before, after).inspect_err(|_| {
            // All or nothing: undo the steps above.
            let _ = self.set_oom_score(before.oom_score);
            let _ = std::env::set_current_dir(&before.dir);
        })
    }

    fn process(&self) -> ProcessInfo {
        let figures = Process::look();
        ProcessInfo {
            executable: std::env::current_exe().unwrap_or_default().display().to_string(),
            system: process::system(),
            machine_memory_bytes: process::machine_memory_bytes() as usize,
            resident_bytes: figures.resident_bytes as usize,
            user_cpu_seconds: figures.user_cpu_seconds,
            system_cpu_seconds: figures.system_cpu_seconds,
        }
    }

    fn rewrite(&self, path: &str, edit: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> io::Result<()> {
        fs::write(path, edit(&fs::read(path)?))
    }
}

fn refused(name: &str, reason: &str) -> ConfigError {
    ConfigError::Refused { name: name.into(), reason: reason.into() }
}
