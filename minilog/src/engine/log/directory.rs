//! The directory of a log: its files by their names, and how one of them is replaced.
//!
//! A log, its segments, its flushes and its compactions all use files of the same directory, some
//! of them on other threads. They share one [`Directory`].
//!
//! # Replacing a file
//!
//! An index file that a crash cuts short looks like an index with fewer entries. Recovery would not
//! notice: it does not check segments below the recovery point. So a file is never rewritten in
//! place. [`Directory::replace`] writes a temporary file and renames it:
//!
//! ```
//! use minilog::engine::log::directory::Directory;
//! use minikit::storage::SimulatedDisk;
//! use std::sync::Arc;
//!
//! let disk = SimulatedDisk::new(1);
//! let directory = Directory::create(Arc::new(disk.clone()), "orders-0")?;
//! directory.replace("leader-epoch-checkpoint", b"0\n0\n")?;
//! assert_eq!(directory.read("leader-epoch-checkpoint")?, Some(b"0\n0\n".to_vec()));
//! assert_eq!(directory.read("partition.metadata")?, None);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Kafka counterpart: `Utils.atomicMoveWithFallback` and `CheckpointFile.write`.

use crate::format::names::{Kind, segment_file};
use minikit::storage::{Disk, DiskFile};
use std::io;
use std::sync::Arc;

/// The suffix of a temporary file that will replace another one. Recovery removes it.
pub const TEMPORARY: &str = ".tmp";

/// A directory on a disk.
#[derive(Clone)]
pub struct Directory {
    disk: Arc<dyn Disk>,
    name: String,
}

impl Directory {
    /// A directory that exists. The data directory itself has the name "".
    pub fn new(disk: Arc<dyn Disk>, name: &str) -> Directory {
        Directory { disk, name: name.to_owned() }
    }

    /// Creates a directory. It is durable after a sync of its parent.
    pub fn create(disk: Arc<dyn Disk>, name: &str) -> io::Result<Directory> {
        disk.create_dir(name)?;
        Ok(Directory::new(disk, name))
    }

    /// Its name on the disk.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Renames the directory. The new name is durable after a sync of its parent.
    pub fn rename_to(&self, name: &str) -> io::Result<Directory> {
        self.disk.rename(&self.name, name)?;
        Ok(Directory::new(Arc::clone(&self.disk), name))
    }

    /// The names of its files, sorted.
    pub fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list(&self.name)
    }

    /// Makes the names of its files durable.
    pub fn sync(&self) -> io::Result<()> {
        self.disk.sync_dir(&self.name)
    }

    /// Creates a file. If a crash has left a file of that name, it is emptied.
    pub fn create_file(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        match self.disk.create(&self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let file = self.open(name)?;
                file.truncate(0)?;
                Ok(file)
            }
            created => created,
        }
    }

    /// Opens a file; `NotFound` if there is none.
    pub fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(&self.path(name))
    }

    /// Opens a file for reading only, which still works when the disk is read-only.
    pub fn open_to_read(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open_to_read(&self.path(name))
    }

    /// The content of a file; none if there is no such file.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let file = match self.open_to_read(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = vec![0; file.len()? as usize];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(Some(bytes))
    }

    /// Replaces the content of a file atomically: a crash leaves the old or the new content. The
    /// new content is durable after a sync of the directory.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = format!("{name}{TEMPORARY}");
        let file = self.create_file(&temporary)?;
        file.write_all_at(bytes, 0)?;
        file.sync()?;
        self.rename(&temporary, name)
    }

    /// Renames a file.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(&self.path(from), &self.path(to))
    }

    /// Removes a file if it exists.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match self.disk.remove(&self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Removes the files of these kinds that belong to a segment, in this order.
    pub fn remove_segment(&self, base_offset: i64, kinds: &[Kind]) -> io::Result<()> {
        kinds.iter().try_for_each(|kind| self.remove(&segment_file(base_offset, *kind)))
    }

    /// Removes the directory and all files in it.
    pub fn remove_all(&self) -> io::Result<()> {
        self.list()?.iter().try_for_each(|name| self.remove(name))?;
        self.disk.remove(&self.name)
    }

    fn path(&self, name: &str) -> String {
        match self.name.as_str() {
            "" => name.to_owned(),
            directory => format!("{directory}/{name}"),
        }
    }
}
