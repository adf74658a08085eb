//! Write-behind, in every order of two writers of a key and a worker whose backend fails.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r --no-default-features -p minicache --test
//! loom_write_behind`
#![cfg(loom)]

use loom::sync::Mutex;
use loom::thread;
use minicache_write_behind::{Failure, Operation, Options, WriteBehind};
use minikit::storage::{Disk, DiskFile};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// A disk that takes everything and keeps nothing: the model is about threads.
struct NullDisk;

impl Disk for NullDisk {
    fn open(&self, _: &str) -> io::Result<Box<dyn DiskFile>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn open_to_read(&self, _: &str) -> io::Result<Box<dyn DiskFile>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn create(&self, _: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(NullDisk))
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn create_dir(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn sync_dir(&self, _: &str) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for NullDisk {
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Ok(0)
    }

    fn write_at(&self, bytes: &[u8], _: u64) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

fn check(high_water: usize) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(move || {
        let options = Options { delay_ms: 0, retry_ms: 0, ..Options::default() };
        let options = Options { high_water, ..options };
        let behind = WriteBehind::open(Arc::new(NullDisk), options, 0).expect("a disk");
        let behind = Arc::new(behind);
        let rows = Arc::new(Mutex::new(Vec::<Operation>::new()));

        let (worker, table) = (Arc::clone(&behind), Arc::clone(&rows));
        let worker = thread::spawn(move || {
            let mut failures = 1;
            worker.work(|batch| {
                if failures > 0 {
                    failures -= 1;
                    return Err(Failure::Unavailable);
                }
                table.lock().expect("no panic").extend_from_slice(batch);
                Ok(())
            })
        });
        let other = Arc::clone(&behind);
        let writer = thread::spawn(move || other.put(b"k", Some(b"other")).expect("a disk"));
        behind.put(b"k", Some(b"mine")).expect("a disk");
        writer.join().expect("no panic");
        let last = behind.newest(b"k");
        behind.close();
        worker.join().expect("no panic").expect("a disk");

        // No operation was written after a newer one, and the last of them was written.
        let rows = rows.lock().expect("no panic");
        assert!(rows.is_sorted_by_key(|it| it.sequence), "{rows:?}");
        let written = rows.last().expect("two operations");
        assert_eq!(written.sequence, 2);
        assert!(last.is_none_or(|it| it == written.value));
        assert!(behind.newest(b"k").is_none());
    });
}

#[test]
fn the_last_operation_is_written_last() {
    check(1 << 20);
}

#[test]
fn writers_that_wait_for_the_backend_are_woken() {
    check(0);
}
