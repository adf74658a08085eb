//! The lock on a data directory: two processes that write the same files destroy them.
//!
//! The lock is a `flock` on the file `lock` in the directory, so the kernel releases it when the
//! process ends in any way, `kill -9` included, and no stale lock ever has to be removed by hand.
//! The file holds the process id of the owner, only for the message:
//!
//! ```
//! # let path = std::env::temp_dir().join(format!("minikit-lock-{}", std::process::id()));
//! use minikit::storage::{DataDir, Disk};
//!
//! let data = DataDir::lock(&path)?;
//! data.disk().create("00.log")?;
//!
//! let second = DataDir::lock(&path).unwrap_err().to_string();
//! let pid = std::process::id();
//! assert!(second.contains(&format!("is in use by process {pid}")), "{second}");
//!
//! drop(data);
//! DataDir::lock(&path)?;
//! # std::fs::remove_dir_all(&path)?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! PostgreSQL writes `postmaster.pid` and must guess if the process in it still lives
//! (`CreateLockFile` in `miscinit.c`); Kafka locks `.lock` as we do (`LogManager.lockLogDirs`). On
//! network file systems without `flock` the error says that locking is not supported.

use super::{RealDisk, describe};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A data directory that no other process has open. Dropping it releases the lock.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Closing the file releases the lock.
    _lock: File,
}

impl DataDir {
    /// Creates the directory if it is missing, and locks it. `ResourceBusy` if another process
    /// holds the lock; does not wait.
    pub fn lock(path: impl AsRef<Path>) -> io::Result<DataDir> {
        let path = path.as_ref().to_path_buf();
        let shown = path.display().to_string();
        let create = fs::create_dir_all(&path);
        create.map_err(|error| describe(error, "create the data directory", &shown))?;

        // The file is not truncated on opening: it may be another process's.
        let lock_name = path.join("lock");
        let mut options = File::options();
        let open = options.read(true).write(true).create(true).truncate(false).open(&lock_name);
        let mut lock = open.map_err(|error| describe(error, "open", &format!("{shown}/lock")))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(&mut lock, &shown)),
            Err(TryLockError::Error(error)) => return Err(describe(error, "lock", &shown)),
        }

        lock.set_len(0)?;
        writeln!(lock, "{}", std::process::id())?;
        Ok(DataDir { path, _lock: lock })
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files in it, as a disk.
    pub fn disk(&self) -> RealDisk {
        RealDisk::new(&self.path)
    }
}

/// The error for a directory that another process has locked.
fn in_use(lock: &mut File, path: &str) -> io::Error {
    // The owner writes its id just after locking, so the file can still be empty.
    let mut pid = String::new();
    let owner = match lock.read_to_string(&mut pid) {
        Ok(_) if !pid.trim().is_empty() => format!("process {}", pid.trim()),
        _ => "another process".to_owned(),
    };
    let text = format!(
        "the data directory {path} is in use by {owner}: stop it, or choose another directory \
         with --data-dir"
    );
    io::Error::new(io::ErrorKind::ResourceBusy, text)
}
