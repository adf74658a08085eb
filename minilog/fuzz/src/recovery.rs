//! Recovery of a log from files with any content.
//!
//! The input is a list of files: a byte that chooses the name, two bytes of length, and the
//! content. Some files get valid checksums, or the fuzzer would never get past the check.

use minikit::storage::{Disk, SimulatedDisk};
use minilog::engine::log::config::LogConfig;
use minilog::engine::log::directory::Directory;
use minilog::engine::log::log::Log;
use minilog::engine::log::recovery::{self, Start};
use minilog::format::batch::{self, BatchHeader};
use minilog::format::record::{Record, batch_of};
use std::sync::Arc;

const DIRECTORY: &str = "orders-0";
const NAMES: [&str; 10] = [
    "00000000000000000000.log",
    "00000000000000000000.index",
    "00000000000000000000.timeindex",
    "00000000000000000003.log",
    "00000000000000000003.index",
    "00000000000000000003.timeindex",
    "00000000000000000003.snapshot",
    "00000000000000000000.log.swap",
    "00000000000000000003.log.cleaned",
    "leader-epoch-checkpoint",
];

/// Opens the log, reads it, appends, and opens it again.
pub fn check(input: &[u8]) {
    let Some((&flags, input)) = input.split_first() else { return };
    let disk = SimulatedDisk::new(1);
    disk.create_dir(DIRECTORY).expect("the disk is empty");
    write_files(&disk, input);

    // A recovery point above 0 would promise that the files are intact, so it is not fuzzed.
    let start = Start { log_start_offset: i64::from(flags & 7), ..Start::default() };
    let Ok((mut log, _)) = open(&disk, start) else { return };
    read_all(&log);
    let _ = (log.find_timestamp(5), log.find_max_timestamp());

    let record = Record { key: Some(b"k"), value: Some(b"v"), ..Record::default() };
    let Ok(appended) = log.append(&batch_of(7, &[record])) else { return };
    drop(log);
    let (log, report) = open(&disk, start).expect("what recovery repaired can be opened");
    assert_eq!(log.next_offset, appended.last_offset + 1, "{report:?}");
    read_all(&log);
}

fn open(disk: &SimulatedDisk, start: Start) -> std::io::Result<(Log, recovery::Report)> {
    let config = LogConfig { segment_bytes: 500, index_interval_bytes: 64, ..LogConfig::default() };
    recovery::open(Directory::new(Arc::new(disk.clone()), DIRECTORY), config, start)
}

fn write_files(disk: &SimulatedDisk, mut input: &[u8]) {
    while let [name, high, low, rest @ ..] = input {
        let length = usize::from(u16::from_be_bytes([high & 0x0f, *low])).min(rest.len());
        let (content, rest) = rest.split_at(length);
        input = rest;
        let mut content = content.to_vec();
        if high & 0x80 != 0 {
            seal_batches(&mut content);
        }
        let name = NAMES[usize::from(*name) % NAMES.len()];
        if let Ok(file) = disk.create(&format!("{DIRECTORY}/{name}")) {
            file.write_all_at(&content, 0).expect("the disk has room");
        }
    }
}

/// Gives every batch a valid version and checksum.
fn seal_batches(mut bytes: &mut [u8]) {
    while let Ok(header) = BatchHeader::read(bytes) {
        let Some(size) = header.size().filter(|size| *size <= bytes.len()) else { return };
        let (batch, rest) = std::mem::take(&mut bytes).split_at_mut(size);
        BatchHeader::magic.put(batch, 2);
        batch::seal(batch);
        bytes = rest;
    }
}

/// Reads the log to its end, and checks that offsets ascend.
fn read_all(log: &Log) {
    let mut offset = log.log_start_offset;
    while let Ok(Some(slice)) = log.read(offset, 1, log.next_offset) {
        let Ok(bytes) = slice.read() else { return };
        let header = BatchHeader::read(&bytes).expect("a batch begins with its header");
        assert!(header.next_offset() > offset, "{header:?} at {offset}");
        offset = header.next_offset();
    }
}
