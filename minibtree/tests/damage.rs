//! Files that a disk has damaged, lost or put in the wrong place: an error that names the page or
//! the file, never an answer without the rows, and no file is removed.
#![cfg(not(loom))]

use minibtree::engine::{
    Database, Direction, Error, Heap, Index, Isolation, KeyRange, Options, Result,
};
use minibtree::format::{PAGE_SIZE, RelationId};
use minikit::storage::{Disk, DiskFile, Faults, SimulatedDisk};
use std::sync::Arc;

const HEAP: RelationId = RelationId(1);
const INDEX: RelationId = RelationId(2);
const ROWS: u32 = 2_000;

fn open(disk: &SimulatedDisk) -> Result<Database> {
    Database::open(Arc::new(disk.clone()), Options { pool_pages: 64, ..Options::default() })
}

/// A heap with an index, all of it written by a checkpoint.
fn filled() -> (SimulatedDisk, Database) {
    let disk = SimulatedDisk::new(1);
    let database = open(&disk).expect("an empty disk");
    let mut transaction = database.begin(Isolation::ReadCommitted);
    let heap = Heap::create(&mut transaction, HEAP).expect("a new heap");
    let index = Index::create(&mut transaction, INDEX).expect("a new index");
    for number in 0..ROWS {
        let key = number.to_be_bytes();
        let tid = heap.insert(&mut transaction, &[7; 100]).expect("a row");
        index.insert_unique(&mut transaction, &heap, &key, tid, b"").expect("an entry");
    }
    transaction.commit().expect("a commit");
    database.checkpoint().expect("a checkpoint");
    (disk, database)
}

/// The number of rows by a sequential scan, and by the index.
fn count(database: &Database) -> Result<(u32, u32)> {
    let (heap, index) = (database.heap(HEAP)?, database.index(INDEX)?);
    let mut transaction = database.begin(Isolation::ReadCommitted);
    let snapshot = transaction.snapshot();
    let (mut scanned, mut found, mut row) = (0, 0, Vec::new());
    let mut scan = heap.scan(Arc::clone(&snapshot));
    while scan.next()?.is_some() {
        scanned += 1;
    }
    let mut scan = index.scan(Arc::clone(&snapshot), KeyRange::all(), Direction::Forward);
    while let Some(entry) = scan.next()? {
        found += u32::from(heap.fetch(entry.tid, &snapshot, &mut row)?.is_some());
    }
    Ok((scanned, found))
}

/// Opens the database after `damage`, counts the rows, and returns the error.
fn error_after(damage: impl FnOnce(&SimulatedDisk)) -> String {
    let (disk, database) = filled();
    drop(database);
    damage(&disk);
    let files = disk.list("base").expect("readable");
    let counted = open(&disk).and_then(|database| count(&database));
    assert_eq!(disk.list("base").expect("readable"), files);
    counted.expect_err("damaged").to_string()
}

fn file(disk: &SimulatedDisk, name: &str) -> Box<dyn DiskFile> {
    disk.open(name).expect("a file of the database")
}

fn page(file: &dyn DiskFile, block: u32) -> Vec<u8> {
    let mut page = vec![0; PAGE_SIZE];
    file.read_exact_at(&mut page, u64::from(block) * PAGE_SIZE as u64).expect("a page");
    page
}

#[test]
fn an_intact_database_has_its_rows() {
    let (disk, database) = filled();
    drop(database);
    assert_eq!(count(&open(&disk).expect("intact")).expect("intact"), (ROWS, ROWS));
}

#[test]
fn a_page_in_the_place_of_another_is_damaged() {
    // A leaf in the place of another could be its own right sibling.
    for (relation, from, to) in [(HEAP, 3u32, 4u32), (INDEX, 2, 1), (INDEX, 1, 0)] {
        let error = error_after(|disk| {
            let file = file(disk, &format!("base/{relation}"));
            let moved = page(&*file, from);
            file.write_all_at(&moved, u64::from(to) * PAGE_SIZE as u64).expect("writable");
        });
        let text = format!("page {to} of relation {relation} is damaged: its checksum is wrong");
        assert_eq!(error, text);
    }
    let error = error_after(|disk| {
        let moved = page(&*file(disk, "base/1"), 0);
        file(disk, "base/2").write_all_at(&moved, 0).expect("writable");
    });
    assert_eq!(error, "page 0 of relation 2 is damaged: its checksum is wrong");
}

#[test]
fn a_file_that_has_lost_pages_is_noticed() {
    for (name, length) in
        [("base/0", 0), ("base/0", 1), ("base/1", 0), ("base/1", 5), ("base/2", 1)]
    {
        let error = error_after(|disk| {
            file(disk, name).truncate(length * PAGE_SIZE as u64).expect("writable");
        });
        let relation = &name[5..];
        let why = "missing: its file has zeros there, or is too short";
        assert_eq!(error, format!("page {length} of relation {relation} is {why}"));
    }
    let error = error_after(|disk| {
        file(disk, "base/1").write_all_at(&[0; PAGE_SIZE], 0).expect("writable");
    });
    assert!(error.starts_with("page 0 of relation 1 is missing"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = error_after(|disk| disk.remove("control").expect("there"));
    assert_eq!(error, "the file control is missing: restore it");
    let error = error_after(|disk| disk.remove("base/0").expect("there"));
    assert_eq!(error, "relation 0 has no file base/0: restore it");
    let error = error_after(|disk| disk.remove("wal/0000000000000000").expect("there"));
    assert!(error.contains("cannot open wal/0000000000000000"), "{error}");
    let error =
        error_after(|disk| file(disk, "wal/0000000000000000").truncate(99).expect("writable"));
    assert!(error.starts_with("wal/0000000000000000 ends before byte"), "{error}");
}

#[test]
fn pages_that_are_newer_than_the_log_are_noticed() {
    let (disk, database) = filled();
    let name = "wal/0000000000000000";
    let mut log = vec![0; file(&disk, name).len().expect("readable") as usize];
    file(&disk, name).read_exact_at(&mut log, 0).expect("readable");
    let control = control_file(&disk);

    // The pages of later rows reach the disk, and the log of them is lost, the control file too.
    let mut transaction = database.begin(Isolation::ReadCommitted);
    let heap = database.heap(HEAP).expect("there");
    heap.insert_many(&mut transaction, &vec![[8; 100]; ROWS as usize]).expect("rows");
    transaction.commit().expect("a commit");
    database.checkpoint().expect("a checkpoint");
    drop(database);
    file(&disk, name).truncate(0).expect("writable");
    file(&disk, name).write_all_at(&log, 0).expect("writable");
    file(&disk, "control").write_all_at(&control, 0).expect("writable");

    let error = open(&disk).and_then(|database| count(&database)).expect_err("damaged");
    assert!(error.to_string().contains("is newer than the log"), "{error}");
}

fn control_file(disk: &SimulatedDisk) -> Vec<u8> {
    let file = file(disk, "control");
    let mut bytes = vec![0; file.len().expect("readable") as usize];
    file.read_exact_at(&mut bytes, 0).expect("readable");
    bytes
}

#[test]
fn reading_goes_on_when_the_disk_is_full() {
    let (disk, database) = filled();
    let (heap, mut written) = (database.heap(HEAP).expect("there"), 0);
    // The log has room in its file, but the heap cannot grow.
    disk.set_faults(Faults { capacity: Some(0), ..Faults::default() });
    let mut transaction = database.begin(Isolation::ReadCommitted);
    while written < 20 * 80 {
        heap.insert(&mut transaction, &[8; 100]).expect("in memory");
        written += 1;
    }
    transaction.commit().expect("there is room in the log");
    assert_eq!(count(&database).expect("other pages are evicted"), (ROWS + written, ROWS));
    let full = database.checkpoint().expect_err("the heap cannot grow");
    assert!(
        matches!(&full, Error::Io(it) if it.kind() == std::io::ErrorKind::StorageFull),
        "{full}"
    );

    disk.set_faults(Faults::default());
    database.checkpoint().expect("there is room");
    drop(database);
    disk.crash();
    assert_eq!(count(&open(&disk).expect("intact")).expect("intact"), (ROWS + written, ROWS));
}
