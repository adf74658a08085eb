//! The append-only file: what it takes to restart with the keys of before (`aof.c` in Redis).
//!
//! ```text
//! appendonlydir/appendonly.aof.manifest      file appendonly.aof.2.base.aof seq 2 type b
//!                                            file appendonly.aof.2.incr.aof seq 2 type i
//! appendonlydir/appendonly.aof.2.base.aof    the keys when it was written, as commands
//! appendonlydir/appendonly.aof.2.incr.aof    what has been changed since
//! ```
//!
//! The files are those of Redis 7 with `aof-use-rdb-preamble no`; each of the two servers loads
//! what the other has written. This crate knows files and the bytes of commands, not keys:
//!
//! * [`log`]: what the cores append, in the order in which they made changes, and how replies wait.
//! * [`manifest`]: which files there are. [`reader`]: the commands in one.
//! * [`files`]: appends, syncs, and exchanges the files for shorter ones.
//! * `flusher`: the thread that does it (feature `server`).
//!
//! **Rewrite without fork.** Redis forks, and the child writes the keys as they were at that
//! moment. Here a rewrite begins a new incremental file, so all files before it are complete, and
//! another process loads those and writes their keys as the new base. No lock is held and no page
//! copied; the process takes as much memory as the keys do.

pub mod files;
#[cfg(feature = "server")]
pub mod flusher;
pub mod log;
pub mod manifest;
pub mod reader;

pub use log::{Log, Unit};

/// When the file is synced (`appendfsync`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendFsync {
    /// Before every reply.
    Always,
    /// Once a second.
    EverySec,
    /// When the system likes.
    No,
}

impl AppendFsync {
    /// The value of this name; every unknown name means `No`.
    pub fn named(name: &[u8]) -> AppendFsync {
        match name {
            b"always" => AppendFsync::Always,
            b"everysec" => AppendFsync::EverySec,
            _ => AppendFsync::No,
        }
    }
}
