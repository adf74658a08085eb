//! Memory-mapped files: the bytes of a file that is never written to again, in the page cache.
//!
//! ```
//! use minikit::storage::{Disk, SimulatedDisk};
//!
//! let file = SimulatedDisk::new(1).create("00.index")?;
//! file.write_all_at(b"an entry", 0)?;
//! assert_eq!(minilog_mapped::map(&*file)?, "an entry");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Reading such bytes costs no system call and no heap memory: the kernel reads missing pages when
//! they are accessed. The price: a disk error, or a file that another process truncates, raises
//! SIGBUS instead of returning an error.

mod raw;

use bytes::Bytes;
use minikit::storage::DiskFile;
use std::io;

/// The content of a file that is never written or truncated again. Maps the file, or reads it if it
/// cannot be mapped: an empty or simulated file cannot, and the kernel limits the maps of a process
/// to `vm.max_map_count`.
pub fn map(file: &dyn DiskFile) -> io::Result<Bytes> {
    let length = file.len()? as usize;
    if let Some(mapped) = file.as_fd().and_then(|it| raw::map(it, length).ok()) {
        return Ok(mapped);
    }
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes.into())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use minikit::storage::{Disk, RealDisk};

    #[test]
    fn a_map_outlives_its_files_name() {
        let path = std::env::temp_dir().join(format!("minilog-mapped-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let disk = RealDisk::new(&path);
        for (name, content) in [("old", &[7; 10_000][..]), ("new", b""), ("newer", b"8")] {
            disk.create(name).unwrap().write_all_at(content, 0).unwrap();
        }

        let old = map(&*disk.open_to_read("old").unwrap()).unwrap();
        disk.rename("new", "old").unwrap();
        assert_eq!(map(&*disk.open_to_read("old").unwrap()).unwrap(), b""[..]);
        disk.rename("newer", "old").unwrap();
        assert_eq!(map(&*disk.open_to_read("old").unwrap()).unwrap(), b"8"[..]);
        assert_eq!(old, [7; 10_000][..]);
        std::fs::remove_dir_all(&path).unwrap();
    }
}
