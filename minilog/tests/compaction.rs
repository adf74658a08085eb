//! Compaction against a model: the latest value of every key is found at its offset, for any
//! records, any size of the map, and any moment of a power failure.
#![cfg(not(loom))]

use minikit::storage::{Disk, SimulatedDisk, every_cut};
use minilog::engine::log::compaction::Limits;
use minilog::engine::log::config::{Cleanup, LogConfig};
use minilog::engine::log::directory::Directory;
use minilog::engine::log::log::Log;
use minilog::engine::log::partition::Partition;
use minilog::engine::log::recovery::{self, Start};
use minilog::format::batch::{self, BatchHeader};
use minilog::format::compression::{compress, decompress};
use minilog::format::record::{Record, batch_of, records};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

const DIRECTORY: &str = "orders-0";

/// The records that were appended, by offset: key and value; a tombstone has no value.
type Appended = BTreeMap<i64, (u8, Option<u8>)>;

#[derive(Debug, Default)]
struct Model {
    appended: Appended,
    /// All records below this offset were flushed.
    flushed: i64,
    cleaned_up_to: i64,
}

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 250,
        index_interval_bytes: 100,
        cleanup: Cleanup { deletes: false, compacts: true },
        min_cleanable_dirty_ratio: 0.0,
        delete_retention_ms: 0,
        ..LogConfig::default()
    }
}

/// A batch of records, compressed with the compression of this number.
fn keyed_batch(records: &[(u8, Option<u8>)], compression: u8) -> Vec<u8> {
    let record = |(index, (key, value)): (usize, &'static (u8, Option<u8>))| Record {
        offset_delta: index as i32,
        key: Some(std::slice::from_ref(key)),
        value: value.as_ref().map(std::slice::from_ref),
        ..Record::default()
    };
    let records: &'static _ = Vec::leak(records.to_vec());
    let records = records.iter().enumerate().map(record).collect::<Vec<_>>();
    let plain = batch_of(1, &records);
    let attributes = i16::from(compression % 5);
    let header = BatchHeader { attributes, ..BatchHeader::new(1, 0, 0) };
    let name = header.compression().expect("it has a number below 5");
    let packed = compress(name, plain[BatchHeader::SIZE..].to_vec()).expect("it is short");
    let mut bytes = [&plain[..BatchHeader::SIZE], &packed].concat();
    BatchHeader::attributes.put(&mut bytes, attributes);
    batch::seal(&mut bytes);
    bytes
}

fn append(
    partition: &Partition,
    model: &mut Model,
    records: &[(u8, Option<u8>)],
    compression: u8,
) -> io::Result<()> {
    // Update the model before the attempt: records may be found without an acknowledgment.
    let next_offset = model.appended.last_key_value().map_or(0, |(offset, _)| offset + 1);
    model.appended.extend((next_offset..).zip(records.iter().copied()));
    let appended = partition.append(&keyed_batch(records, compression));
    let appended = appended.map_err(|error| io::Error::other(error.to_string()))?;
    assert_eq!(appended.base_offset, next_offset);
    Ok(())
}

fn compact(partition: &Partition, model: &mut Model, keys_max: usize) -> io::Result<()> {
    let hash = |key: &[u8]| key[0].into();
    partition.compact(2, &Limits { hash: &hash, keys_max, must_stop: &|| false })?;
    model.cleaned_up_to = partition.with_log(|log| log.cleaned_up_to);
    Ok(())
}

/// Every record of the log, by offset.
fn read_all(log: &Log) -> Result<Appended, String> {
    let (mut offset, mut found) = (log.log_start_offset, Appended::new());
    while let Some(slice) = log.read(offset, 1, log.next_offset).map_err(|e| format!("{e:?}"))? {
        let bytes = slice.read().map_err(|error| error.to_string())?;
        let header = batch::check(&bytes).map_err(|error| error.to_string())?;
        let compression = header.compression().ok_or("unknown compression")?;
        let bytes = decompress(compression, &bytes[BatchHeader::SIZE..], 1 << 20);
        for record in records(&bytes.map_err(|error| error.to_string())?) {
            let record = record.map_err(|error| error.to_string())?;
            let key = record.key.ok_or("a record has no key")?[0];
            let offset = header.base_offset + i64::from(record.offset_delta);
            found.insert(offset, (key, record.value.map(|it| it[0])));
        }
        if header.next_offset() <= offset {
            return Err(format!("offset {offset} twice"));
        }
        offset = header.next_offset();
    }
    Ok(found)
}

/// Every record found was appended, and the latest record of each key is found. A tombstone may be
/// missing if no older record of its key is left.
fn compare(log: &Log, model: &Model) -> Result<(), String> {
    let found = read_all(log)?;
    let invented = found.iter().find(|(offset, record)| model.appended.get(offset) != Some(record));
    if let Some(invented) = invented {
        return Err(format!("invented: {invented:?}"));
    }
    let latest = model.appended.range(..log.next_offset).map(|(offset, it)| (it.0, *offset));
    for (key, offset) in latest.collect::<BTreeMap<u8, i64>>() {
        let is_tombstone = model.appended[&offset].1.is_none();
        let is_gone = is_tombstone && found.values().all(|it| it.0 != key);
        if !found.contains_key(&offset) && !is_gone {
            return Err(format!("lost: key {key} at {offset}"));
        }
    }
    if log.next_offset < model.flushed {
        return Err(format!("lost: {} of {} flushed", log.next_offset, model.flushed));
    }
    Ok(())
}

fn workload(disk: &SimulatedDisk, model: &mut Model) -> io::Result<()> {
    let directory = Directory::create(Arc::new(disk.clone()), DIRECTORY)?;
    disk.sync_dir("")?;
    let log = Log::create(directory, config())?;
    let partition = Partition::new(log);
    for round in 0..3 {
        for number in 0..3_u8 {
            let records = [(number, Some(round)), (9, (number != 2).then_some(number))];
            append(&partition, model, &records, 0)?;
        }
        partition.flush()?;
        model.flushed = partition.recovery_point();
        compact(&partition, model, 100)?;
    }
    Ok(())
}

#[test]
fn every_cut_leaves_the_old_or_the_new_segment() {
    let cuts = every_cut(1, workload, |disk, model| {
        let start = Start {
            recovery_point: model.flushed,
            cleaned_up_to: model.cleaned_up_to,
            ..Start::default()
        };
        let opened =
            recovery::open(Directory::new(Arc::new(disk.clone()), DIRECTORY), config(), start);
        let log = match opened {
            // The directory was not created yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound && model.flushed == 0 => {
                return Ok(());
            }
            opened => opened.map_err(|error| error.to_string())?.0,
        };
        compare(&log, model)?;

        // The log can be compacted again, which completes the interrupted compaction.
        let partition = Partition::new(log);
        let mut again = Model { appended: model.appended.clone(), ..Model::default() };
        compact(&partition, &mut again, 100).map_err(|error| error.to_string())?;
        partition.with_log(|log| compare(log, model))
    });
    let cuts = cuts.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(cuts > 500, "{cuts} different crashes");
}

proptest! {
    #[test]
    fn the_latest_of_each_key_is_found(
        batches in prop::collection::vec(
            (prop::collection::vec((0..6_u8, prop::option::of(any::<u8>())), 1..5), any::<u8>()),
            1..40,
        ),
        keys_max in 1..8_usize,
    ) {
        let disk = Arc::new(SimulatedDisk::new(1));
        let directory = Directory::create(disk, DIRECTORY).unwrap();
        let partition = Partition::new(Log::create(directory, config()).unwrap());
        let mut model = Model::default();
        for (index, (records, compression)) in batches.iter().enumerate() {
            append(&partition, &mut model, records, *compression).unwrap();
            if index % 7 == 6 {
                compact(&partition, &mut model, keys_max).unwrap();
            }
        }
        // Repeat, because a small map covers only part of the log each time.
        for _ in 0..200 {
            compact(&partition, &mut model, keys_max).unwrap();
        }
        partition.with_log(|log| compare(log, &model)).map_err(TestCaseError::fail)?;

        // In the sealed part each key has one record left.
        let sealed = partition.with_log(|log| log.segments().last().unwrap().base_offset);
        let found = partition.with_log(|log| read_all(log)).unwrap();
        let mut keys = found.range(..sealed).map(|(_, it)| it.0).collect::<Vec<_>>();
        keys.sort_unstable();
        let count = keys.len();
        keys.dedup();
        prop_assert_eq!(keys.len(), count);
    }
}
