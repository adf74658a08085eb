//! Small files, which are read and replaced whole.
//!
//! PostgreSQL's `durable_rename` (`fd.c`).

use super::Result;
use minikit::storage::Disk;

/// The content of a file, or `None` if there is no such file.
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
pub fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<()> {
    let new = format!("{name}.new");
    if disk.list("")?.contains(&new) {
        disk.remove(&new)?;
    }
    let file = disk.create(&new)?;
    file.write_all_at(bytes, 0)?;
    file.sync()?;
    disk.rename(&new, name)?;
    disk.sync_dir("")?;
    Ok(())
}
