//! The two calls of LMDB that are unsafe in `heed`.
#![allow(unsafe_code)]

use std::path::Path;

use heed::{Env, EnvFlags, EnvOpenOptions, FlagSetMode, Result, WithoutTls};

/// Opens an environment that does not sync, in a directory that no one else uses.
pub fn open(directory: &Path, map_bytes: usize) -> Result<Env<WithoutTls>> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_bytes);
    // Safety: the file is mapped, and no other process has its path to change it. Without syncs a
    // crash of the machine can damage it, but no one opens it again.
    unsafe { options.flags(EnvFlags::NO_SYNC).open(directory) }
}

/// From now on commits are synced.
pub fn sync_commits(environment: &mut Env<WithoutTls>) -> Result<()> {
    // Safety: LMDB asks that no other thread uses the environment meanwhile, and it stays here.
    unsafe { environment.set_flags(EnvFlags::NO_SYNC, FlagSetMode::Disable) }
}
