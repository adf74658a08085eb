//! The append-only file of a running server: loaded before it listens, in `appenddirname` in `dir`,
//! locked against a second server (`loadDataFromDisk` in `server.c`).
//!
//! ```text
//! start      lock ─> load ─> thread that writes (minicache_aof::flusher)
//! rewrite    minicache aof-rewrite 16 appendonlydir base.2 base.1 incr.1      another process
//! ```

use super::{monotonic_ns, now};
use crate::commands::{Cache, Identity, aof};
use crate::conf::Config;
use minicache_aof::Log;
use minicache_aof::files::Files;
use minicache_aof::flusher::{Flusher, Parameters, Server};
use minikit::storage::{DataDir, RealDisk};
use std::error::Error;
use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::{path::Path, sync::Arc};

/// The subcommand of the process that rewrites.
pub const REWRITE: &str = "aof-rewrite";

struct Owner {
    cache: Arc<Cache>,
    /// Held until the last byte is written.
    _data: DataDir,
}

impl Server for Owner {
    fn log(&self) -> &Log {
        &self.cache.shards.log
    }

    fn parameters(&self) -> Parameters {
        let settings = &self.cache.config.snapshot().settings;
        Parameters {
            policy: settings.appendfsync,
            rewrite_percentage: settings.auto_aof_rewrite_percentage,
            rewrite_min_size: settings.auto_aof_rewrite_min_size,
        }
    }

    fn set_failed(&self, failed: bool) {
        self.cache.shards.set_log_failed(failed);
    }

    fn rewriter(&self) -> Command {
        // This program, even if another version has been installed since.
        let mut command = Command::new("/proc/self/exe");
        command.arg(REWRITE).arg(self.cache.config.snapshot().settings.databases.to_string());
        command
    }
}

/// Loads the append-only file, if there is to be one, and starts the thread that writes it.
pub(super) fn start(cache: &Arc<Cache>) -> Result<Option<Flusher>, Box<dyn Error>> {
    let settings = &cache.config.snapshot().settings;
    if !settings.appendonly {
        return Ok(None);
    }
    let (started_ns, dir) = (monotonic_ns(), Path::new(&settings.dir));
    let (name, folder) = (&settings.appendfilename, dir.join(&settings.appenddirname));
    if dir.join(name).exists() && !folder.exists() {
        return Err(format!("{name} is of a Redis before 7: start a Redis 7 with it once").into());
    }
    let data = DataDir::lock(&folder)?;
    let (disk, may_be_cut) = (Box::new(data.disk()), settings.aof_load_truncated);
    let opened = aof::load(cache, now(), |apply| Files::open(disk, name, may_be_cut, apply));
    let (files, cut) = opened.map_err(|why| {
        format!("cannot load the append-only file in {}: {why}", folder.display())
    })?;
    if cut > 0 {
        tracing::warn!("AOF: {cut} bytes of an unfinished command were cut off the last file");
    }
    let seconds = (monotonic_ns() - started_ns) as f64 / 1e9;
    tracing::info!("DB loaded from append only file: {seconds:.3} seconds");
    let owner = Owner { cache: Arc::clone(cache), _data: data };
    Ok(Some(Flusher::start(owner, files, folder)?))
}

/// The process that rewrites: `aof-rewrite DATABASES FOLDER BASE FILE…`.
pub fn rewrite(args: &[OsString]) -> ExitCode {
    let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let [databases, folder, base, files @ ..] = &args[..] else { return ExitCode::FAILURE };
    let mut config = Config::default();
    if config.put("databases", &[databases.as_bytes()]).is_err() {
        return ExitCode::FAILURE;
    }
    let cache = Cache::new(1, 1, config, Identity::default());
    let files: Vec<&str> = files.iter().map(|name| &**name).collect();
    match aof::compact(&RealDisk::new(&**folder), &files, base, &cache, now()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("minicache: cannot rewrite the append-only file: {why}");
            ExitCode::FAILURE
        }
    }
}
