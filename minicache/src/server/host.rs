//! The running process as a [`Host`]: what `CONFIG SET` changes outside of the cache.
//!
//! ```text
//! CONFIG SET port 7001         bind 127.0.0.1:7001; if that fails, the error says so
//! CONFIG SET bind "10.0.0.1"   bind 10.0.0.1:7001; established connections stay
//! ```
//!
//! The counterparts in Redis are the `apply` functions of `config.c`, `changeListenPort` and
//! `adjustOpenFilesLimit` (`server.c`).

use super::addresses::{listen_addresses, plain};
use crate::conf::{ConfigError, Host, ProcessInfo, Settings};
use minikit::process::{self, Process};
use minikit::server::ListenerHandle;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{fs, io};

/// Open files that are not clients.
const OTHER_FILES: u64 = 32;

/// The process of a running server.
pub(super) struct ServerProcess {
    listeners: ListenerHandle,
}

impl ServerProcess {
    pub(super) fn new(listeners: ListenerHandle) -> ServerProcess {
        ServerProcess { listeners }
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
        self.listeners.listen(&addresses, None).map_err(|error| refused(error.to_string()))
    }
}

impl Host for ServerProcess {
    fn apply(&self, before: &Settings, after: &Settings) -> Result<(), ConfigError> {
        if after.maxclients > before.maxclients {
            let clients = open_files_for(after.maxclients);
            if clients < after.maxclients.into() {
                let reason = format!(
                    "The operating system is not able to handle the specified number of clients, \
                     try with {clients}"
                );
                return Err(refused("maxclients", &reason));
            }
        }
        if before.appendonly != after.appendonly {
            return Err(refused("appendonly", "it can only be set when the server starts"));
        }
        if before.dir != after.dir {
            std::env::set_current_dir(&after.dir)
                .map_err(|error| refused("dir", &plain(&error)))?;
        }
        self.move_listeners(before, after).inspect_err(|_| {
            // All or nothing: undo the step above.
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
            thread_cpu_seconds: process::thread_cpu_seconds(),
        }
    }

    fn log(&self, level: u8, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        match level {
            0 => tracing::trace!("{text}"),
            1 => tracing::debug!("{text}"),
            2 => tracing::info!("{text}"),
            _ => tracing::warn!("{text}"),
        }
    }

    fn rewrite(&self, path: &str, edit: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> io::Result<()> {
        fs::write(path, edit(&fs::read(path)?))
    }
}

/// Raises the limit on open files, so that `clients` clients can connect. Returns the number of
/// clients that the limit in force allows.
pub(super) fn open_files_for(clients: u32) -> u64 {
    let wanted = u64::from(clients) + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let mut allowed = current.unwrap_or(u64::MAX);
    if allowed < wanted {
        // Root may raise the hard limit; other users can go as far as that.
        let hard = maximum.unwrap_or(u64::MAX);
        for maximum in [hard.max(wanted), hard] {
            let limit = Rlimit { current: Some(wanted.min(maximum)), maximum: Some(maximum) };
            if setrlimit(Resource::Nofile, limit).is_ok() {
                allowed = wanted.min(maximum);
                break;
            }
        }
    }
    allowed.saturating_sub(OTHER_FILES)
}

fn refused(name: &str, reason: &str) -> ConfigError {
    ConfigError::Refused { name: name.into(), reason: reason.into() }
}
