//! Small files, which are read and replaced whole.
//!
//! ```
//! use minibtree_small_file::{read, replace};
//! use minikit::storage::SimulatedDisk;
//!
//! let disk = SimulatedDisk::new(1);
//! assert_eq!(read(&disk, "control")?, None);
//! replace(&disk, "control", b"redo 5")?;
//! replace(&disk, "control", b"redo 9")?;
//! disk.crash();
//! assert_eq!(read(&disk, "control")?, Some(b"redo 9".to_vec()));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! PostgreSQL's `durable_rename` (`fd.c`).

use minikit::storage::Disk;
use std::io::Result;

/// The names in a directory, which is created if it is missing. Fails if the disk does.
pub fn directory(disk: &dyn Disk, name: &str) -> Result<Vec<String>> {
    if !disk.list("")?.iter().any(|it| it == name) {
        disk.create_dir(name)?;
        disk.sync_dir("")?;
    }
    disk.list(name)
}

/// The content of a file, or `None` if there is no such file.
///
/// # Errors
/// Those of the disk.
pub fn read(disk: &dyn Disk, name: &str) -> Result<Option<Vec<u8>>> {
    if !disk.list("")?.iter().any(|it| it == name) {
        return Ok(None);
    }
    let file = disk.open(name)?;
    let mut bytes = vec![0; file.len()? as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(Some(bytes))
}

/// Replaces a file. A crash leaves the old one or the new one.
///
/// # Errors
/// Those of the disk.
pub fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<()> {
    let new = format!("{name}.new");
    if disk.list("")?.contains(&new) {
        disk.remove(&new)?;
    }
    let file = disk.create(&new)?;
    file.write_all_at(bytes, 0)?;
    file.sync()?;
    disk.rename(&new, name)?;
    disk.sync_dir("")
}
