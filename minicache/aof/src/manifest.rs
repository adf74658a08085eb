//! The manifest: the files of an append-only file, in the order in which they are loaded
//! (`aofManifest` in `aof.c`).
//!
//! ```text
//! file appendonly.aof.2.base.aof seq 2 type b     at most one, loaded first
//! file appendonly.aof.4.incr.aof seq 4 type i     in ascending order
//! file appendonly.aof.3.incr.aof seq 3 type h     not loaded: Redis is about to remove it
//! ```
//!
//! A rename replaces the old manifest, so a crash leaves either the old list with the old files or
//! the new list with the new files. Names that need quotes are refused.

use minikit::storage::{Disk, DiskFile};
use std::io;

/// The list of files to load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// `appendfilename`, which all names begin with.
    pub name: String,
    /// The keys at the time of the last rewrite.
    pub base: Option<File>,
    /// The changes since then, the oldest file first.
    pub increments: Vec<File>,
}

/// A file of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The name in the folder.
    pub name: String,
    /// The number among the files of its kind.
    pub seq: u64,
}

impl Manifest {
    /// Reads the manifest from a disk. Returns an empty one if the file does not exist.
    pub fn load(disk: &dyn Disk, name: &str) -> Result<Manifest, String> {
        let mut manifest = Manifest { name: name.to_string(), ..Manifest::default() };
        let path = format!("{name}.manifest");
        let read = || {
            if !disk.list("")?.contains(&path) {
                return Ok(Vec::new());
            }
            let file = disk.open_to_read(&path)?;
            let mut bytes = vec![0; file.len()? as usize];
            file.read_exact_at(&mut bytes, 0)?;
            io::Result::Ok(bytes)
        };
        let bytes = read().map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes).map_err(|_| format!("{path}: not text"))?;
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            manifest.add(line).ok_or_else(|| format!("{path}: line {}: {line}", index + 1))?;
        }
        Ok(manifest)
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split(' ').collect();
        let ["file", name, "seq", seq, "type", kind] = words[..] else { return None };
        let file = File { name: name.to_string(), seq: seq.parse().ok().filter(|seq| *seq > 0)? };
        let is_next = self.increments.last().is_none_or(|last| last.seq < file.seq);
        match kind {
            _ if name.contains(['/', '"', '\'', '\\']) => return None,
            "b" if self.base.is_none() => self.base = Some(file),
            "i" if is_next => self.increments.push(file),
            "h" => {}
            _ => return None,
        }
        Some(())
    }

    /// Returns all files, in the order in which they are loaded.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.base.iter().chain(&self.increments)
    }

    /// Returns the next file of a kind: `base` or `incr`.
    pub fn next(&self, kind: &str) -> File {
        let last = if kind == "base" { &self.base } else { &self.increments.last().cloned() };
        let seq = 1 + last.as_ref().map_or(0, |file| file.seq);
        File { name: format!("{}.{seq}.{kind}.aof", self.name), seq }
    }

    /// Replaces the manifest on the disk. The files that it names must be durable.
    pub fn store(&self, disk: &dyn Disk) -> io::Result<()> {
        let line = |(file, kind): (&File, &str)| {
            format!("file {} seq {} type {kind}\n", file.name, file.seq)
        };
        let base = self.base.iter().map(|file| (file, "b"));
        let text: String =
            base.chain(self.increments.iter().map(|file| (file, "i"))).map(line).collect();
        let new = format!("temp-{}.manifest", self.name);
        let file = create(disk, &new)?;
        file.write_all_at(text.as_bytes(), 0)?;
        file.sync()?;
        disk.rename(&new, &format!("{}.manifest", self.name))?;
        disk.sync_dir("")
    }
}

/// Creates an empty file, and replaces one that a crash has left.
pub fn create(disk: &dyn Disk, name: &str) -> io::Result<Box<dyn DiskFile>> {
    if disk.list("")?.iter().any(|known| known == name) {
        disk.remove(name)?;
    }
    disk.create(name)
}
