//! The disk of the operating system: one system call per operation.
//!
//! ```no_run
//! use minikit::storage::{Disk, RealDisk};
//!
//! let disk = RealDisk::new("/var/lib/minilog");
//! let file = disk.create("00.log")?; // openat O_CREAT|O_EXCL
//! file.write_all_at(b"hello", 0)?; //   pwrite
//! file.sync()?; //                      fdatasync
//! disk.sync_dir("")?; //                open, fsync, close
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! `sync` is `fdatasync`: it writes the length of the file too, but not its times, which saves a
//! journal commit on an overwrite. PostgreSQL's `pg_fdatasync` (`fd.c`) and its default
//! `wal_sync_method` do the same. There is no buffer here: an engine batches, or nothing does.

use super::{Disk, DiskFile, check_same_directory, describe};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The files below one directory of the operating system.
#[derive(Clone, Debug)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// The files below `root`, which must exist before the first of them is created.
    pub fn new(root: impl AsRef<Path>) -> RealDisk {
        RealDisk { root: root.as_ref().to_path_buf() }
    }

    /// Does `call` on the path of `name`, and says in the error what could not be done.
    fn on<T>(
        &self,
        verb: &str,
        name: &str,
        call: impl FnOnce(&Path) -> io::Result<T>,
    ) -> io::Result<T> {
        let path = self.root.join(name);
        call(&path).map_err(|error| describe(error, verb, &path.display().to_string()))
    }

    fn file(&self, name: &str, file: File) -> Box<dyn DiskFile> {
        Box::new(RealFile { file, path: self.root.join(name) })
    }
}

impl Disk for RealDisk {
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut options = File::options();
        let file = self.on("open", name, |path| options.read(true).write(true).open(path))?;
        Ok(self.file(name, file))
    }

    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(name, self.on("open", name, |path| File::open(path))?))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.on("create", name, |path| File::create_new(path))?;
        Ok(self.file(name, file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_same_directory(from, to)?;
        self.on("rename", from, |path| fs::rename(path, self.root.join(to)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.on("remove", name, |path| match fs::symlink_metadata(path)?.is_dir() {
            true => fs::remove_dir(path),
            false => fs::remove_file(path),
        })
    }

    fn create_dir(&self, name: &str) -> io::Result<()> {
        self.on("create", name, |path| fs::create_dir(path))
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        self.on("list", name, |path| {
            let mut names = Vec::new();
            for entry in fs::read_dir(path)? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort();
            Ok(names)
        })
    }

    fn sync_dir(&self, name: &str) -> io::Result<()> {
        self.on("sync", name, |path| File::open(path)?.sync_all())
    }
}

/// An open file, and its path for error messages.
struct RealFile {
    file: File,
    path: PathBuf,
}

impl RealFile {
    fn failed(&self, verb: &str) -> impl FnOnce(io::Error) -> io::Error {
        move |error| describe(error, verb, &self.path.display().to_string())
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset).map_err(self.failed("read"))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset).map_err(self.failed("write"))
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data().map_err(self.failed("sync"))
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length).map_err(self.failed("truncate"))
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata().map_err(self.failed("read the length of"))?.len())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}
