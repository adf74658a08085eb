//! What `CONFIG SET` changes outside of the cache: where it listens, its folder, how many files it
//! may open, and what the kernel thinks of it.
//!
//! ```text
//! CONFIG SET port 7001         bind 127.0.0.1:7001; if that fails, the error says so
//! CONFIG SET bind "10.0.0.1"   bind 10.0.0.1:7001; connections that are there stay
//! CONFIG SET oom-score-adj yes /proc/self/oom_score_adj: what it was at first, and 0 more
//! ```
//!
//! The counterparts in Redis are the `apply` functions of `config.c`, `changeListenPort`,
//! `adjustOpenFilesLimit` and `setOOMScoreAdj` (`server.c`).

use super::redis_style::listen_addresses;
use crate::conf::settings::OomScore;
use crate::conf::{ConfigError, Host, Settings};
use crate::raw;
use minikit::server::Doors;
use minikit::sync::Mutex;
use std::{fs, io};

/// Files a server has open besides its clients.
pub const FILES_BESIDES: u64 = 32;
const OOM_SCORE: &str = "/proc/self/oom_score_adj";

/// The world of a running server.
pub struct Surroundings {
    doors: Doors,
    /// What the kernel had been told before this server said anything.
    oom_score_before: Mutex<Option<i32>>,
}

impl Surroundings {
    /// The world behind these doors.
    pub fn new(doors: Doors) -> Surroundings {
        Surroundings { doors, oom_score_before: Mutex::new(None) }
    }

    fn move_doors(&self, before: &Settings, after: &Settings) -> Result<(), ConfigError> {
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
        self.doors.listen(&addresses).map_err(|error| refused(error.to_string()))
    }

    fn tell_kernel(&self, score: OomScore) -> Result<(), String> {
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

impl Host for Surroundings {
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
                .map_err(|error| refused("dir", &super::redis_style::plain(&error)))?;
        }
        if before.oom_score != after.oom_score {
            self.tell_kernel(after.oom_score).map_err(|why| refused("oom-score-adj", &why))?;
        }
        self.move_doors(before, after).inspect_err(|_| {
            // All or nothing: what was already done is undone.
            let _ = self.tell_kernel(before.oom_score);
            let _ = std::env::set_current_dir(&before.dir);
        })
    }

    fn log(&self, line: &str) {
        tracing::warn!("{line}");
    }

    fn rewrite(&self, path: &str, edit: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> io::Result<()> {
        fs::write(path, edit(&fs::read(path)?))
    }
}

fn refused(name: &str, reason: &str) -> ConfigError {
    ConfigError::Refused { name: name.into(), reason: reason.into() }
}
