//! The files: appends to the last one, and replaces the others by a shorter one.
//!
//! ```text
//! base 1, increment 1      BGREWRITEAOF: later changes go to increment 2
//! base 1, increments 1 2   another process loads base 1 and increment 1, and writes base 2
//! base 2, increment 2      a rename replaces the manifest; then the old files are removed
//! ```
//!
//! Bytes stay in memory until they are synced. If a write or a sync fails, all of them are written
//! again at the same offset. After a failed sync Linux marks the pages as clean although they are
//! lost, so a second sync alone would succeed without writing anything. Redis only syncs again.

use crate::log::Log;
use crate::manifest::{File, Manifest, create};
use crate::reader::{Read, read};
use minikit::storage::{Disk, DiskFile};
use std::{io, time::Duration};

/// Larger buffers are freed once they are empty.
const KEPT_MAX: usize = 1 << 20;

/// The files, open for appending.
pub struct Files {
    disk: Box<dyn Disk>,
    manifest: Manifest,
    file: Box<dyn DiskFile>,
    /// The offset in the file at which the unsynced bytes begin.
    synced: u64,
    /// The unsynced bytes. `written` of them are written.
    pub unsynced: Vec<u8>,
    written: usize,
    /// The size of all other files, in bytes.
    before: u64,
}

/// Passes the commands of some files to `apply`. Returns the ends of the last file.
///
/// # Errors
/// The file, the offset and the reason. Only the last file may end in the middle of a command.
pub fn load<'a>(
    disk: &dyn Disk,
    names: impl Iterator<Item = &'a str>,
    mut apply: impl FnMut(&[&[u8]]) -> Result<(), String>,
) -> Result<Read, String> {
    let mut last: Option<(&str, Read)> = None;
    for name in names {
        if let Some((name, Read { end, .. })) = last.as_ref().filter(|(_, it)| it.end < it.len) {
            return Err(format!("{name}: byte {end}: the file ends in the middle of a command"));
        }
        let file = disk.open_to_read(name).map_err(|error| error.to_string())?;
        apply(&[&b"SELECT"[..], b"0"])?; // every file starts with database 0
        last = Some((name, read(&*file, &mut apply).map_err(|why| format!("{name}: {why}"))?));
    }
    Ok(last.map_or(Read { end: 0, len: 0 }, |(_, read)| read))
}

impl Files {
    /// Passes the commands of all files to `apply`, and opens the last file for appending. An
    /// unfinished command at the end is cut off if `may_be_cut`. Also returns the number of bytes
    /// that were cut off.
    ///
    /// # Errors
    /// The file, the offset and the reason why it cannot be loaded.
    pub fn open(
        disk: Box<dyn Disk>,
        name: &str,
        may_be_cut: bool,
        apply: impl FnMut(&[&[u8]]) -> Result<(), String>,
    ) -> Result<(Files, u64), String> {
        let manifest = Manifest::load(&*disk, name)?;
        let Read { end, len } = load(&*disk, manifest.files().map(|it| &*it.name), apply)?;
        if end < len && !may_be_cut {
            let name = manifest.files().last().map_or("", |file| &file.name);
            return Err(format!("{name}: byte {end}: the command there is unfinished"));
        }
        let resumed = Files::resume(disk, manifest, Read { end, len });
        Ok((resumed.map_err(|error| error.to_string())?, len - end))
    }

    fn resume(disk: Box<dyn Disk>, mut manifest: Manifest, last: Read) -> io::Result<Files> {
        remove_others(&*disk, &manifest)?;
        if let Some(file) = manifest.files().last()
            && last.end < last.len
        {
            let file = disk.open(&file.name)?;
            file.truncate(last.end)?;
            file.sync()?;
        }
        let (file, synced) = match manifest.increments.last() {
            Some(increment) => (disk.open(&increment.name)?, last.end),
            None => (begin(&*disk, &mut manifest)?, 0),
        };
        let (unsynced, written, before) = (Vec::new(), 0, 0);
        let mut files = Files { disk, manifest, file, synced, unsynced, written, before };
        files.measure()?;
        Ok(files)
    }

    fn measure(&mut self) -> io::Result<()> {
        let last = self.manifest.increments.last();
        self.before = 0;
        for file in self.manifest.files().filter(|file| Some(*file) != last) {
            self.before += self.disk.open_to_read(&file.name)?.len()?;
        }
        Ok(())
    }

    /// Returns the size of all files in bytes.
    pub fn size(&self) -> u64 {
        self.before + self.synced + self.written as u64
    }

    /// Writes the bytes that are not written yet.
    pub fn write(&mut self) -> io::Result<()> {
        let offset = self.synced + self.written as u64;
        let written = self.file.write_all_at(&self.unsynced[self.written..], offset);
        self.written = if written.is_ok() { self.unsynced.len() } else { 0 };
        written
    }

    /// Syncs the written bytes.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync().inspect_err(|_| self.written = 0)?;
        self.forget();
        Ok(())
    }

    /// Drops the written bytes, after a sync or if no sync is required.
    pub fn forget(&mut self) {
        self.synced += self.written as u64;
        self.unsynced.drain(..self.written);
        self.unsynced.shrink_to(KEPT_MAX);
        self.written = 0;
    }

    /// Begins a new incremental file. Returns the position in the log up to which the other files
    /// are complete, these files, and the name of the base that will replace them.
    pub fn rotate(&mut self, log: &Log) -> io::Result<(u64, Vec<File>, File)> {
        let position = log.take(&mut self.unsynced, Duration::ZERO, true);
        self.write()?;
        self.sync()?;
        let complete: Vec<File> = self.manifest.files().cloned().collect();
        let mut manifest = self.manifest.clone();
        self.file = begin(&*self.disk, &mut manifest)?;
        self.before = self.size();
        (self.manifest, self.synced) = (manifest, 0);
        Ok((position, complete, self.manifest.next("base")))
    }

    /// Replaces the files that a new base was made of. `written` is its temporary name.
    pub fn replace(&mut self, complete: &[File], written: &str, base: File) -> io::Result<()> {
        self.disk.rename(written, &base.name)?;
        let mut manifest = self.manifest.clone();
        manifest.increments.retain(|file| !complete.contains(file));
        manifest.base = Some(base);
        manifest.store(&*self.disk)?;
        self.manifest = manifest;
        for file in complete {
            self.disk.remove(&file.name)?;
        }
        self.measure()
    }
}

/// Adds a new incremental file to a manifest and to the disk.
fn begin(disk: &dyn Disk, manifest: &mut Manifest) -> io::Result<Box<dyn DiskFile>> {
    let next = manifest.next("incr");
    let file = create(disk, &next.name)?;
    file.sync()?;
    manifest.increments.push(next);
    manifest.store(disk)?;
    Ok(file)
}

/// Removes files that a crash has left and the manifest does not list.
fn remove_others(disk: &dyn Disk, manifest: &Manifest) -> io::Result<()> {
    for name in disk.list("")? {
        let rest = name.strip_prefix(&manifest.name).and_then(|rest| rest.strip_prefix('.'));
        let is_ours = |rest: &str| rest.ends_with(".base.aof") || rest.ends_with(".incr.aof");
        if rest.is_some_and(is_ours) && !manifest.files().any(|file| file.name == name) {
            // A crash cannot leave commands without a manifest, so the manifest was lost.
            if manifest.files().next().is_none() && disk.open_to_read(&name)?.len()? > 0 {
                let why = "no manifest lists it: restore the manifest, or move the file away";
                return Err(io::Error::other(format!("{name}: {why}")));
            }
            disk.remove(&name)?;
        }
    }
    Ok(())
}
