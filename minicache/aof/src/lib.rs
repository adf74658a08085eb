//! The append-only file, from which a restarted server restores its keys (`aof.c` in Redis).
//!
//! ```text
//! appendonlydir/appendonly.aof.manifest      file appendonly.aof.2.base.aof seq 2 type b
//!                                            file appendonly.aof.2.incr.aof seq 2 type i
//! appendonlydir/appendonly.aof.2.base.aof    the keys at the time of the rewrite, as commands
//! appendonlydir/appendonly.aof.2.incr.aof    the changes since then
//! ```
//!
//! The format is that of Redis 7 with `aof-use-rdb-preamble no`; each of the two servers loads the
//! other's files. This crate handles files and the bytes of commands, not keys:
//!
//! * [`log`]: the changes of all cores in order, and the replies that wait for them.
//! * [`manifest`]: the list of files. [`reader`]: the commands in a file.
//! * [`files`]: appends, syncs, and replaces files by shorter ones.
//! * `flusher`: the thread that writes (feature `server`).
//!
//! **Rewrite without fork.** Redis forks, and the child writes the keys as they were at that
//! moment. Here a rewrite begins a new incremental file, so all earlier files are complete. Another
//! process loads these and writes their keys as the new base. No lock is held and no page copied,
//! but the process takes as much memory as the keys.

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
    /// Never explicitly; the operating system decides.
    No,
}

impl AppendFsync {
    /// Parses a name; every unknown name means `No`.
    pub fn named(name: &[u8]) -> AppendFsync {
        match name {
            b"always" => AppendFsync::Always,
            b"everysec" => AppendFsync::EverySec,
            _ => AppendFsync::No,
        }
    }
}
