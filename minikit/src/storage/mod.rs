//! Storage: the files of an engine behind a small trait, so that a failing disk can stand in.
//!
//! An engine opens its files through [`Disk`] and does everything else through [`DiskFile`].
//! [`RealDisk`] passes each call to the operating system. [`SimulatedDisk`] keeps files in memory
//! and loses, tears and corrupts them as real disks do when the power fails; [`every_cut`] runs an
//! engine on it and cuts the power at every byte of every write. [`DataDir`] keeps a second
//! process out of a data directory. [`SimulatedClock`] is the time of a test.
//!
//! # Example
//!
//! A new version of a file takes the place of the old one in one step. Leave out either sync, and
//! [`every_cut`] finds the crash that loses the file (`tests/storage/crashes.rs` does).
//!
//! ```
//! use minikit::storage::{Disk, SimulatedDisk};
//! use std::io;
//!
//! fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
//!     let new = format!("{name}.new");
//!     if disk.list("")?.contains(&new) {
//!         disk.remove(&new)?; // a crash left it behind
//!     }
//!     let file = disk.create(&new)?;
//!     file.write_all_at(bytes, 0)?;
//!     file.sync()?; // the bytes are safe before the name points at them
//!     disk.rename(&new, name)?;
//!     disk.sync_dir("") // and now the name is safe too
//! }
//!
//! let disk = SimulatedDisk::new(1);
//! replace(&disk, "settings", b"a")?;
//! replace(&disk, "settings", b"b")?;
//! disk.crash();
//! let mut found = [0];
//! disk.open("settings")?.read_exact_at(&mut found, 0)?;
//! assert_eq!(&found, b"b");
//! # Ok::<(), io::Error>(())
//! ```
//!
//! # Why trait objects
//!
//! `Disk` and `DiskFile` are object-safe, and engines hold `Arc<dyn Disk>` and `Box<dyn DiskFile>`.
//! A type parameter would save one indirect call in front of a system call, and would spread
//! through every type of an engine that holds files. `sendfile` and mapping need the real file:
//! [`DiskFile::as_fd`] returns it, or nothing on a simulated disk, where the caller reads instead.
//! All file operations carry their offset and take `&self`, so threads share a file without a lock.
//!
//! # Counterparts
//!
//! SQLite's VFS (`sqlite3_vfs`, `sqlite3_io_methods`) and PostgreSQL's `smgr`; FoundationDB's
//! `IAsyncFile` is implemented by a real and by a simulated file. Kafka calls `FileChannel`
//! directly and has no simulated one. Unlike a VFS there are no locks here and no mapped files.

mod clock;
mod cut;
mod data_dir;
mod real;
mod simulated;

pub use clock::SimulatedClock;
pub use cut::{Cut, CutFailure, every_cut, replay};
pub use data_dir::DataDir;
pub use real::RealDisk;
pub use simulated::{Faults, SimulatedDisk, Survivors};

use std::io;
use std::os::fd::BorrowedFd;

/// A directory tree.
///
/// Names are relative to the root of the disk, with `/` between directories; the empty name is the
/// root itself. Changes to names (create, rename, remove) survive a crash for certain only after
/// [`Disk::sync_dir`] of the directory that holds them. Errors name the operation and the file.
pub trait Disk: Send + Sync {
    /// Opens an existing file for reading and writing. `NotFound` if there is none.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens an existing file for reading only, which a read-only file system allows too.
    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Creates an empty file and opens it. `AlreadyExists` if the name is taken.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file or directory another name in the same directory, and replaces a file of that
    /// name. After a crash the name is either the old or the new one, never both or none.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file or an empty directory. Open files stay readable.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Creates a directory. `AlreadyExists` if the name is taken.
    fn create_dir(&self, name: &str) -> io::Result<()>;

    /// The names in a directory, sorted, without the directory in front.
    fn list(&self, name: &str) -> io::Result<Vec<String>>;

    /// Makes the names in a directory durable. Costs about as much as [`DiskFile::sync`].
    fn sync_dir(&self, name: &str) -> io::Result<()>;
}

/// An open file.
#[expect(clippy::len_without_is_empty, reason = "`len` is a system call, and can fail")]
pub trait DiskFile: Send + Sync {
    /// Reads into `buffer` from byte `offset` on. Returns how many bytes were read: fewer than
    /// asked for near the end of the file, 0 from the end on.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes from byte `offset` on. Returns how many bytes were written, possibly fewer than
    /// given. A gap after the old end reads as zeros.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes everything written to this file durable, its length included.
    ///
    /// After an error nothing is known about any write since the last successful sync, and a
    /// second call that succeeds proves nothing: Linux marks the pages clean when writing them
    /// fails. Stop, and recover from what is on the disk.
    fn sync(&self) -> io::Result<()>;

    /// Makes the file `length` bytes long: cuts its end off, or appends zeros.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// The file of the operating system, for `sendfile` and mapping; none if it is simulated.
    fn as_fd(&self) -> Option<BorrowedFd<'_>>;

    /// Fills `buffer` from byte `offset` on. `UnexpectedEof` if the file ends before that.
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let count = self.read_at(buffer, offset)?;
            if count == 0 {
                let missing = buffer.len();
                let text = format!("the file ends at byte {offset}, {missing} bytes early");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
            buffer = &mut buffer[count..];
            offset += count as u64;
        }
        Ok(())
    }

    /// Writes all of `bytes` from byte `offset` on. After an error any part may be written.
    fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = self.write_at(bytes, offset)?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[count..];
            offset += count as u64;
        }
        Ok(())
    }

    /// Writes all of `bytes` after the last byte and returns the offset of the first. The caller
    /// is the only writer; one that knows the length saves a system call by
    /// [`DiskFile::write_all_at`].
    fn append(&self, bytes: &[u8]) -> io::Result<u64> {
        let end = self.len()?;
        self.write_all_at(bytes, end)?;
        Ok(end)
    }
}

/// Adds to an error what was attempted, on which file, and what to try.
fn describe(error: io::Error, verb: &str, name: &str) -> io::Error {
    use io::ErrorKind::*;

    let advice = match error.kind() {
        StorageFull | QuotaExceeded => "; free some space or choose another directory",
        PermissionDenied => "; check the owner and mode of the file and its directory",
        ReadOnlyFilesystem => "; the file system is read-only: check the kernel log and its mount",
        _ => "",
    };
    let name = if name.is_empty() { "the data directory" } else { name };
    io::Error::new(error.kind(), format!("cannot {verb} {name}: {error}{advice}"))
}

/// Refuses to move a name to another directory: two directories are not changed in one step by
/// every file system.
fn check_same_directory(from: &str, to: &str) -> io::Result<()> {
    let directory = |name: &str| name.rsplit_once('/').map(|(directory, _)| directory.to_owned());
    if directory(from) == directory(to) {
        return Ok(());
    }
    let text = format!("cannot rename {from} to {to}: the directories differ");
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}
