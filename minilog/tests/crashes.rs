//! The power fails at every operation and every byte: no flushed record is lost, and no record is
//! found that was not appended.
#![cfg(not(loom))]

use minikit::storage::{Disk, Faults, SimulatedDisk, every_cut};
use minilog::engine::log::config::LogConfig;
use minilog::engine::log::directory::Directory;
use minilog::engine::log::flush::Flush;
use minilog::engine::log::log::Log;
use minilog::engine::log::recovery::{self, Start};
use minilog::format::batch::BatchHeader;
use minilog::format::record::{Record, batch_of};
use std::io;
use std::sync::Arc;

const DIRECTORY: &str = "orders-0";

/// What the log has acknowledged to the workload.
#[derive(Debug, Default)]
struct Model {
    created: bool,
    /// The number of batches appended.
    appended: usize,
    /// The number of batches flushed.
    flushed: usize,
    recovery_point: i64,
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 250, index_interval_bytes: 100, ..LogConfig::default() }
}

/// Batch `number`: one to three records, whose values contain the number.
fn batch(number: usize) -> Vec<u8> {
    let value = format!("batch {number}");
    let record =
        |offset_delta| Record { offset_delta, value: Some(value.as_bytes()), ..Record::default() };
    let records = (0..1 + number as i32 % 3).map(record).collect::<Vec<_>>();
    let mut bytes = batch_of(number as i64, &records);
    BatchHeader::producer_id.put(&mut bytes, 1);
    BatchHeader::producer_epoch.put(&mut bytes, 0);
    let before = (0..number as i32).map(|it| 1 + it % 3).sum();
    BatchHeader::base_sequence.put(&mut bytes, before);
    minilog::format::batch::seal(&mut bytes);
    bytes
}

/// Seven batches, flushed after every second one.
fn workload(disk: &SimulatedDisk, model: &mut Model) -> io::Result<()> {
    let directory = Directory::create(Arc::new(disk.clone()), DIRECTORY)?;
    disk.sync_dir("")?;
    let mut log = Log::create(directory, config())?;
    model.created = true;
    append(&mut log, model, 7)?;
    Ok(())
}

fn append(log: &mut Log, model: &mut Model, count: usize) -> io::Result<()> {
    for _ in 0..count {
        log.append(&batch(model.appended)).map_err(|error| io::Error::other(error.to_string()))?;
        model.appended += 1;
        if model.appended.is_multiple_of(2) {
            let flush = Flush::start(log).expect("a batch was appended");
            flush.run()?;
            flush.finish(log);
            model.flushed = model.appended;
            model.recovery_point = log.recovery_point;
        }
    }
    Ok(())
}

/// Opens the log as a restarted server with the recovery point would, and compares it to the model.
fn recover(disk: &SimulatedDisk, model: &Model) -> Result<Log, String> {
    let start = Start { recovery_point: model.recovery_point, ..Start::default() };
    let opened = recovery::open(Directory::new(Arc::new(disk.clone()), DIRECTORY), config(), start);
    let (log, report) = opened.map_err(|error| error.to_string())?;

    let mut bytes = Vec::new();
    let mut offset = log.log_start_offset;
    while offset < log.next_offset {
        let slice = log.read(offset, 1, log.next_offset).map_err(|error| format!("{error:?}"))?;
        let slice = slice.ok_or(format!("nothing at {offset} of {}", log.next_offset))?;
        let batch = slice.read().map_err(|error| error.to_string())?;
        offset = BatchHeader::read(&batch).map_err(|error| error.to_string())?.next_offset();
        bytes.push(batch);
    }
    if bytes.len() < model.flushed {
        return Err(format!("lost: {} flushed, {} found: {report:?}", model.flushed, bytes.len()));
    }

    let mut offset = 0;
    for (number, found) in bytes.iter().enumerate() {
        let mut expected = batch(number);
        BatchHeader::base_offset.put(&mut expected, offset);
        BatchHeader::partition_leader_epoch.put(&mut expected, 0);
        offset = BatchHeader::read(&expected).expect("a whole batch").next_offset();
        if *found != expected {
            return Err(format!("invented: batch {number}"));
        }
    }
    Ok(log)
}

#[test]
fn every_cut_keeps_what_was_flushed() {
    for seed in 0..3 {
        let cuts = every_cut(seed, workload, |disk, model| {
            // Before the directory exists there is no log to open.
            if !model.created {
                return Ok(());
            }
            let mut log = recover(disk, model)?;

            // The recovered log accepts appends, and a second crash loses nothing that it has
            // flushed.
            let found = log.next_offset;
            let number = (0..).find(|number| offset_after(*number) >= found);
            let number = number.expect("offsets grow with every batch");
            let mut again = Model { created: true, appended: number, ..Model::default() };
            append(&mut log, &mut again, 3).map_err(|error| error.to_string())?;
            drop(log);
            disk.crash();
            recover(disk, &again).map(drop)
        });
        let cuts = cuts.unwrap_or_else(|failure| panic!("{failure}"));
        assert!(cuts > 500, "{cuts} different crashes");
    }
}

/// The offset after batch `number - 1`.
fn offset_after(number: usize) -> i64 {
    (0..number as i64).map(|it| 1 + it % 3).sum()
}

/// Checks the test itself: if batches are acknowledged before the flush, some crash must lose one.
#[test]
fn an_acknowledgment_before_the_flush_is_caught() {
    let eager = |disk: &SimulatedDisk, model: &mut Model| {
        let result = workload(disk, model);
        model.flushed = model.appended;
        result
    };
    let failure = every_cut(1, eager, |disk, model| match model.created {
        true => recover(disk, model).map(drop),
        false => Ok(()),
    });
    let failure = failure.unwrap_err();
    assert!(failure.reason.starts_with("lost: "), "{failure}");
}

/// On a full disk appends fail and the log stays as it was. It continues when there is space again.
#[test]
fn a_full_disk_loses_nothing() {
    let disk = SimulatedDisk::new(1);
    let directory = Directory::create(Arc::new(disk.clone()), DIRECTORY).unwrap();
    let mut log = Log::create(directory, config()).unwrap();
    log.append(&batch(0)).unwrap();
    let used: u64 = disk.list(DIRECTORY).unwrap().iter().map(|name| length(&disk, name)).sum();
    disk.set_faults(Faults { capacity: Some(used + 30), ..Faults::default() });

    let error = log.append(&batch(1)).unwrap_err().to_string();
    assert!(error.contains("No space left on device") && error.contains("free some space"));
    assert_eq!(log.next_offset, 1);
    disk.set_faults(Faults::default());
    assert_eq!(log.append(&batch(1)).unwrap().base_offset, 1);
}

/// The disk becomes read-only, as ext4 does after an error: appends are refused, all segments can
/// still be read, and nothing is lost.
#[test]
fn a_log_on_a_read_only_disk_can_be_read() {
    let disk = SimulatedDisk::new(1);
    let mut model = Model::default();
    workload(&disk, &mut model).unwrap();
    let mut log = recover(&disk, &model).unwrap();
    let flush = Flush::start(&mut log).unwrap();
    flush.run().unwrap();
    flush.finish(&mut log);
    assert!(log.segments().next().unwrap().indexes.is_none(), "they are in their files");

    disk.set_faults(Faults { read_only: true, ..Faults::default() });
    let error = log.append(&batch(7)).unwrap_err().to_string();
    assert!(error.contains("Read-only file system") && error.contains("check the kernel log"));
    let end = log.next_offset;
    for offset in 0..end {
        let slice = log.read(offset, 1, end).unwrap().expect("every offset has a batch");
        let header = BatchHeader::read(&slice.read().unwrap()).unwrap();
        assert!((header.base_offset..=header.last_offset()).contains(&offset));
    }
    assert_eq!(log.find_timestamp(2).unwrap().map(|it| it.offset), Some(offset_after(2)));
    assert!(log.append(&batch(7)).is_err());

    disk.set_faults(Faults::default());
    drop(log);
    let model = Model { flushed: 7, recovery_point: end, ..model };
    let mut log = recover(&disk, &model).unwrap();
    assert_eq!(log.append(&batch(7)).unwrap().base_offset, end);
}

fn length(disk: &SimulatedDisk, name: &str) -> u64 {
    disk.open(&format!("{DIRECTORY}/{name}")).and_then(|file| file.len()).unwrap()
}
