//! The files: appending to the last one, and exchanging the others for a shorter one.
//!
//! ```text
//! base 1, increment 1      BGREWRITEAOF: from here on into increment 2
//! base 1, increments 1 2   another process loads base 1 and increment 1, and writes base 2
//! base 2, increment 2      one rename of the manifest; then the old files are removed
//! ```
//!
//! Bytes are kept until they are synced. If a write or a sync fails, all of them are written again
//! at their place: after a failed sync Linux takes the pages for clean although they are lost, so
//! a second sync alone would succeed and write nothing. Redis only syncs again.

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
    /// Where the unsynced bytes begin in the file.
    synced: u64,
    /// The bytes after that, and how many of them are written.
    pub unsynced: Vec<u8>,
    written: usize,
    /// Bytes of all other files.
    before: u64,
}

/// Passes the commands of some files to `apply`, and says what was found in the last one.
///
/// # Errors
/// The file and the offset of what cannot be loaded. Only the last file may end in a command.
pub fn load<'a>(
    disk: &dyn Disk,
    names: impl Iterator<Item = &'a str>,
    mut apply: impl FnMut(&[&[u8]]) -> Result<(), String>,
) -> Result<Read, String> {
    let mut last: Option<(&str, Read)> = None;
    for name in names {
        if let Some((name, Read { end, .. })) = last.as_ref().filter(|(_, it)| it.end < it.len) {
            return Err(format!("{name}: byte {end}: it ends in the middle of a command"));
        }
        let file = disk.open_to_read(name).map_err(|error| error.to_string())?;
        apply(&[&b"SELECT"[..], b"0"])?; // where every file begins
        last = Some((name, read(&*file, &mut apply).map_err(|why| format!("{name}: {why}"))?));
    }
    Ok(last.map_or(Read { end: 0, len: 0 }, |(_, read)| read))
}

impl Files {
    /// Passes the commands of all files to `apply`, and goes on with the last file. Returns the
    /// files and the number of bytes of an unfinished command that were cut off, which
    /// `may_be_cut` allows.
    ///
    /// # Errors
    /// Why they cannot be loaded: the file, the offset and what is wrong there.
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

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.before + self.synced + self.written as u64
    }

    /// Writes what is not written yet.
    pub fn write(&mut self) -> io::Result<()> {
        let offset = self.synced + self.written as u64;
        let written = self.file.write_all_at(&self.unsynced[self.written..], offset);
        self.written = if written.is_ok() { self.unsynced.len() } else { 0 };
        written
    }

    /// Syncs what is written.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync().inspect_err(|_| self.written = 0)?;
        self.forget();
        Ok(())
    }

    /// Forgets what is written: it is synced, or nobody asks for that.
    pub fn forget(&mut self) {
        self.synced += self.written as u64;
        self.unsynced.drain(..self.written);
        self.unsynced.shrink_to(KEPT_MAX);
        self.written = 0;
    }

    /// Begins a new file. Returns the position in the log up to which the others have it, the
    /// complete files, and the base to be made of them.
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

    /// Puts a base, which has another name until now, in the place of the files it was made of.
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

/// Removes the files of this name that a crash has left and the manifest does not list.
fn remove_others(disk: &dyn Disk, manifest: &Manifest) -> io::Result<()> {
    for name in disk.list("")? {
        let rest = name.strip_prefix(&manifest.name).and_then(|rest| rest.strip_prefix('.'));
        let is_ours = |rest: &str| rest.ends_with(".base.aof") || rest.ends_with(".incr.aof");
        if rest.is_some_and(is_ours) && !manifest.files().any(|file| file.name == name) {
            // A crash leaves no commands before there is a manifest: that was lost.
            if manifest.files().next().is_none() && disk.open_to_read(&name)?.len()? > 0 {
                let why = "no manifest lists it: restore that, or move the file away";
                return Err(io::Error::other(format!("{name}: {why}")));
            }
            disk.remove(&name)?;
        }
    }
    Ok(())
}
