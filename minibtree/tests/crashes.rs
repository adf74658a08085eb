//! The power fails at every write, and at every byte of it. After recovery the rows are those of
//! the transactions that were acknowledged, perhaps with the one that was about to be; the indexes
//! agree with the heap; no page counts as all-visible that is not; and a second crash right after
//! recovery changes nothing.
#![cfg(not(loom))]

use minibtree::engine::{
    Changed, Database, Direction, Error, Heap, Index, Isolation, KeyRange, LongValues, Options,
    Result,
};
use minibtree::format::page::{ALL_VISIBLE, Item, items};
use minibtree::format::{PageHeader, RelationId, Tid};
use minikit::storage::{Cut, Disk, DiskFile, SimulatedDisk, Survivors, every_cut, replay};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

const HEAP: RelationId = RelationId(1);
const INDEX: RelationId = RelationId(2);
/// Small, so that the log needs several segments and a cut at every byte stays affordable.
const OPTIONS: Options = Options {
    pool_pages: 64,
    wal_segment_bytes: 4 << 10,
    checkpoint_wal_bytes: 1 << 20,
    synchronous_commit: true,
};

/// Rows by key.
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// What was acknowledged, and what may be there as well: the transaction that was committing.
#[derive(Default)]
struct Model {
    acknowledged: Option<Rows>,
    committing: Option<Rows>,
}

struct Store<'a> {
    database: Database,
    rows: Rows,
    model: &'a mut Model,
}

fn open(disk: &SimulatedDisk) -> Result<Database> {
    Database::open(Arc::new(disk.clone()), OPTIONS)
}

fn value(key: u32, version: u32) -> Vec<u8> {
    format!("row {key} version {version}, {}", "x".repeat(200)).into_bytes()
}

impl Store<'_> {
    fn create(&mut self) -> Result<()> {
        let mut transaction = self.database.begin(Isolation::ReadCommitted);
        Heap::create(&mut transaction, HEAP)?;
        Index::create(&mut transaction, INDEX)?;
        self.model.committing = Some(self.rows.clone());
        transaction.commit()?;
        self.model.acknowledged = self.model.committing.take();
        Ok(())
    }

    /// Inserts, updates (`Some` of an existing key) and deletes (`None`) in one transaction.
    fn write(&mut self, changes: &[(u32, Option<u32>)]) -> Result<()> {
        let heap = self.database.heap(HEAP)?;
        let index = self.database.index(INDEX)?;
        let mut transaction = self.database.begin(Isolation::ReadCommitted);
        for (number, version) in changes {
            let key = number.to_be_bytes();
            let old = find(&heap, &index, &mut transaction, &key)?.map(|(tid, _)| tid);
            let row = version.map(|version| value(*number, version));
            match (&row, old) {
                (Some(row), None) => {
                    let tid = heap.insert(&mut transaction, row)?;
                    index.insert_unique(&mut transaction, &heap, &key, tid, b"")?;
                }
                (Some(row), Some(old)) => {
                    let changed = heap.update(&mut transaction, old, row, true)?;
                    let Changed::Done { tid, needs_index_entries } = changed else {
                        panic!("nobody else changes rows");
                    };
                    if needs_index_entries {
                        index.insert_unique(&mut transaction, &heap, &key, tid, b"")?;
                    }
                }
                (None, Some(old)) => drop(heap.delete(&mut transaction, old)?),
                (None, None) => {}
            }
            match row {
                Some(row) => self.rows.insert(key.to_vec(), row),
                None => self.rows.remove(key.as_slice()),
            };
            transaction.next_statement();
        }
        self.model.committing = Some(self.rows.clone());
        transaction.commit()?;
        self.model.acknowledged = self.model.committing.take();
        Ok(())
    }
}

/// The visible row with this key.
fn find(
    heap: &Heap,
    index: &Index,
    transaction: &mut minibtree::engine::Transaction,
    key: &[u8],
) -> Result<Option<(Tid, Vec<u8>)>> {
    let snapshot = transaction.snapshot();
    let mut scan = index.scan(snapshot.clone(), KeyRange::equal(key), Direction::Forward);
    let mut row = Vec::new();
    while let Some(entry) = scan.next()? {
        if let Some(tid) = heap.fetch(entry.tid, &snapshot, &mut row)? {
            return Ok(Some((tid, row)));
        }
    }
    Ok(None)
}

/// All rows, by the index and by a sequential scan, which must agree.
fn read_all(database: &Database) -> Result<Rows> {
    let (heap, index) = (database.heap(HEAP)?, database.index(INDEX)?);
    let mut transaction = database.begin(Isolation::RepeatableRead);
    let snapshot = transaction.snapshot();
    let mut by_index = Rows::new();
    let mut scan = index.scan(snapshot.clone(), KeyRange::all(), Direction::Forward);
    let mut row = Vec::new();
    while let Some(entry) = scan.next()? {
        if heap.fetch(entry.tid, &snapshot, &mut row)?.is_some() {
            let twice = by_index.insert(entry.key.to_vec(), row.clone());
            assert_eq!(twice, None, "two visible rows with one key");
        }
    }

    let (mut by_scan, mut seen) = (Vec::new(), BTreeMap::new());
    let mut scan = heap.scan(snapshot);
    while let Some(row) = scan.next()? {
        by_scan.push(row.bytes.to_vec());
        *seen.entry(row.tid.block).or_default() += 1;
    }
    check_visibility_map(database, &heap, &seen)?;
    by_scan.sort();
    let mut expected: Vec<_> = by_index.values().cloned().collect();
    expected.sort();
    assert_eq!(by_scan, expected, "the index and the heap disagree");
    Ok(by_index)
}

/// Index-only scans do not read pages that the map calls all-visible. On each of them, every item
/// has to be a row that is seen. Returns how many there are.
fn check_visibility_map(
    database: &Database,
    heap: &Heap,
    seen: &BTreeMap<u32, usize>,
) -> Result<usize> {
    let is_visible = |block: &u32| heap.is_all_visible(Tid { block: *block, slot: 1 });
    let visible: Vec<u32> = (0..heap.pages()).filter(is_visible).collect();
    for block in &visible {
        let page = database.page(HEAP, *block)?.expect("a page of the heap");
        let flags = PageHeader::flags.get(&page[..]);
        assert_ne!(flags & ALL_VISIBLE, 0, "page {block} does not say that it is all-visible");
        let is_row = |item: &(u16, Item)| matches!(item.1, Item::Normal { .. });
        let rows = items(&page).filter(is_row).count();
        let others = items(&page).filter(|it| it.1 == Item::Dead).count();
        let expected = (seen.get(block).copied().unwrap_or(0), 0);
        assert_eq!((rows, others), expected, "page {block} is not all-visible");
    }
    Ok(visible.len())
}

fn check(disk: &SimulatedDisk, model: &Model) -> std::result::Result<(), String> {
    for round in ["after recovery", "after a second crash"] {
        let describe = |error: Error| format!("{round}: {error}");
        let database = open(disk).map_err(describe)?;
        match read_all(&database) {
            // Files of a transaction that did not commit. A catalog would not name them.
            _ if model.acknowledged.is_none() => {}
            Err(error) => return Err(describe(error)),
            Ok(found) => {
                let possible = [&model.acknowledged, &model.committing];
                if !possible.into_iter().flatten().any(|rows| *rows == found) {
                    return Err(format!("{round}: {} rows, not what was committed", found.len()));
                }
            }
        }
        drop(database);
        disk.crash();
    }
    Ok(())
}

fn workload(
    disk: &SimulatedDisk,
    model: &mut Model,
    run: impl Fn(&mut Store) -> Result<()>,
) -> io::Result<()> {
    let result =
        open(disk).and_then(|database| run(&mut Store { database, rows: Rows::new(), model }));
    result.map_err(io::Error::other)
}

#[test]
fn commits_survive_every_cut() {
    let cuts = every_cut(
        1,
        |disk, model: &mut Model| {
            workload(disk, model, |store| {
                store.create()?;
                store.write(&[(1, Some(1)), (2, Some(1)), (3, Some(1))])?;
                store.write(&[(2, Some(2)), (1, None)])?;
                store.write(&[(4, Some(1)), (4, Some(2)), (2, Some(3))])
            })
        },
        check,
    );
    let cuts = cuts.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(cuts > 10_000, "{cuts} cuts");
}

#[test]
fn checkpoints_survive_every_cut() {
    let cuts = every_cut(
        2,
        |disk, model: &mut Model| {
            workload(disk, model, |store| {
                store.create()?;
                store.write(&[(1, Some(1)), (2, Some(1))])?;
                store.database.checkpoint()?;
                store.write(&[(1, Some(2)), (3, Some(1))])
            })
        },
        check,
    );
    let cuts = cuts.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(cuts > 30_000, "{cuts} cuts");
}

/// The keys of a hash index: three fill a page, and all of them stay in bucket 0 for a while.
fn long_keys() -> impl Iterator<Item = Vec<u8>> {
    let keys = (0u32..).map(|number| [&number.to_be_bytes()[..], &[7; 2_500]].concat());
    keys.filter(|key| minibtree::format::hash::hash(key).is_multiple_of(8))
}

/// Inserts so many rows in one transaction.
fn insert_long(store: &mut Store, count: usize) -> Result<()> {
    let (heap, index) = (store.database.heap(HEAP)?, store.database.index(INDEX)?);
    let mut transaction = store.database.begin(Isolation::ReadCommitted);
    for key in long_keys().skip(store.rows.len()).take(count) {
        let tid = heap.insert(&mut transaction, &key[..4])?;
        index.insert_unique(&mut transaction, &heap, &key, tid, b"")?;
        store.rows.insert(key[..4].to_vec(), key);
    }
    store.model.committing = Some(store.rows.clone());
    transaction.commit()?;
    store.model.acknowledged = store.model.committing.take();
    Ok(())
}

/// Every row of the heap is found by its key, and no other key leads to a row.
fn check_hash(disk: &SimulatedDisk, model: &Model) -> std::result::Result<(), String> {
    let Some(acknowledged) = &model.acknowledged else { return Ok(()) };
    for round in ["after recovery", "after a second crash"] {
        let look = || -> Result<Vec<Vec<u8>>> {
            let database = open(disk)?;
            let (heap, index) = (database.heap(HEAP)?, database.index(INDEX)?);
            let mut transaction = database.begin(Isolation::RepeatableRead);
            let mut rows = Vec::new();
            let mut scan = heap.scan(transaction.snapshot());
            while let Some(row) = scan.next()? {
                rows.push(row.bytes.to_vec());
            }
            rows.sort();
            for key in long_keys().take(8) {
                let found = find(&heap, &index, &mut transaction, &key)?;
                let is_there = rows.iter().any(|row| *row == key[..4]);
                assert_eq!(found.map(|(_, row)| row), is_there.then(|| key[..4].to_vec()));
            }
            Ok(rows)
        };
        let found = look().map_err(|error| format!("{round}: {error}"))?;
        let mut possible = [Some(acknowledged), model.committing.as_ref()].into_iter().flatten();
        if !possible.any(|rows| rows.keys().eq(found.iter())) {
            return Err(format!("{round}: {} rows, not what was committed", found.len()));
        }
        disk.crash();
    }
    Ok(())
}

#[test]
fn bucket_splits_survive_every_cut() {
    let cuts = every_cut(
        3,
        |disk, model: &mut Model| {
            workload(disk, model, |store| {
                let mut transaction = store.database.begin(Isolation::ReadCommitted);
                Heap::create(&mut transaction, HEAP)?;
                Index::create_hash(&mut transaction, INDEX)?;
                transaction.commit()?;
                store.model.acknowledged = Some(Rows::new());

                // The third fills bucket 0, which is split; the fourth needs an overflow page.
                insert_long(store, 3)?;
                assert!(store.database.index(INDEX)?.bucket(1)?.is_some());
                insert_long(store, 1)?;
                let bucket = store.database.index(INDEX)?.bucket(0)?.expect("the first");
                assert_eq!(bucket.entries.len(), 2);
                Ok(())
            })
        },
        check_hash,
    );
    let cuts = cuts.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(cuts > 30_000, "{cuts} cuts");
}

/// A value; the first one needs two overflow pages.
fn long(version: u8) -> Vec<u8> {
    let length = if version == 1 { 8_200 } else { 90 };
    (0..length).map(|at: u32| version.wrapping_add((at % 251) as u8)).collect()
}

/// The rows, with the first piece of each value and its length.
fn long_rows(database: &Database, heap: &Heap) -> Result<Vec<(Tid, Tid, usize)>> {
    let mut transaction = database.begin(Isolation::ReadCommitted);
    let (mut rows, mut scan) = (Vec::new(), heap.scan(transaction.snapshot()));
    while let Some(row) = scan.next()? {
        let (first, length) = row.bytes.split_first_chunk().expect("a TID");
        let length = u16::from_le_bytes(length.try_into().expect("two bytes"));
        rows.push((row.tid, Tid::from_bytes(*first), length.into()));
    }
    Ok(rows)
}

/// Deletes the row and its value, and inserts another one.
fn replace_long(store: &mut Store, version: u8) -> Result<()> {
    let heap = store.database.heap(HEAP)?;
    let mut transaction = store.database.begin(Isolation::ReadCommitted);
    for (tid, first, _) in long_rows(&store.database, &heap)? {
        heap.delete(&mut transaction, tid)?;
        LongValues::of(&heap).delete(&mut transaction, first)?;
    }
    let value = long(version);
    let first = LongValues::of(&heap).insert(&mut transaction, &value)?.to_bytes();
    let length = (value.len() as u16).to_le_bytes();
    heap.insert(&mut transaction, &[&first[..], &length].concat())?;
    store.rows = Rows::from([(vec![version], value)]);
    store.model.committing = Some(store.rows.clone());
    transaction.commit()?;
    store.model.acknowledged = store.model.committing.take();
    Ok(())
}

/// The value of the row is that of a version that was committed, before a vacuum and after it.
fn check_long(disk: &SimulatedDisk, model: &Model) -> std::result::Result<(), String> {
    let Some(acknowledged) = &model.acknowledged else { return Ok(()) };
    for round in ["after recovery", "after a second crash"] {
        let look = || -> Result<Vec<Vec<u8>>> {
            let database = open(disk)?;
            let heap = database.heap(HEAP)?;
            let mut found = Vec::new();
            for _ in ["before a vacuum", "after it"] {
                for (_, first, length) in long_rows(&database, &heap)? {
                    found.push(LongValues::of(&heap).fetch(first, length)?);
                }
                database.vacuum(&heap, &[])?;
            }
            Ok(found)
        };
        let found = look().map_err(|error| format!("{round}: {error}"))?;
        let mut possible = [Some(acknowledged), model.committing.as_ref()].into_iter().flatten();
        if !possible.any(|rows| rows.values().chain(rows.values()).eq(found.iter())) {
            return Err(format!("{round}: {} values, not what was committed", found.len()));
        }
        disk.crash();
    }
    Ok(())
}

#[test]
fn long_values_survive_every_cut() {
    let cuts = every_cut(
        4,
        |disk, model: &mut Model| {
            workload(disk, model, |store| {
                let mut transaction = store.database.begin(Isolation::ReadCommitted);
                let heap = Heap::create(&mut transaction, HEAP)?;
                transaction.commit()?;
                store.model.acknowledged = Some(Rows::new());

                replace_long(store, 1)?;
                replace_long(store, 2)?;
                // The value of the next row goes where that of the first one was.
                store.database.vacuum(&heap, &[])?;
                replace_long(store, 3)
            })
        },
        check_long,
    );
    let cuts = cuts.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(cuts > 10_000, "{cuts} cuts");
}

/// A disk on which something else happens at one moment, as if another thread did it.
struct Interposed {
    disk: SimulatedDisk,
    moment: Arc<Moment>,
}

/// An operation of the disk, and what happens just before it.
struct Moment {
    operation: &'static str,
    action: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Moment {
    fn reached(&self, operation: &str) {
        if operation == self.operation
            && let Some(action) = self.action.lock().expect("one thread").take()
        {
            action();
        }
    }
}

/// A file of such a disk.
struct InterposedFile {
    file: Box<dyn DiskFile>,
    sync: String,
    moment: Arc<Moment>,
}

impl Interposed {
    fn file(&self, name: &str, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let (sync, moment) = (format!("sync {name}"), Arc::clone(&self.moment));
        Box::new(InterposedFile { file, sync, moment })
    }
}

impl Disk for Interposed {
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(name, self.disk.open(name)?))
    }

    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open_to_read(name)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.moment.reached(&format!("create {name}"));
        Ok(self.file(name, self.disk.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn create_dir(&self, name: &str) -> io::Result<()> {
        self.disk.create_dir(name)
    }

    fn list(&self, name: &str) -> io::Result<Vec<String>> {
        self.disk.list(name)
    }

    fn sync_dir(&self, name: &str) -> io::Result<()> {
        self.disk.sync_dir(name)
    }
}

impl DiskFile for InterposedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.moment.reached(&self.sync);
        self.file.sync()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_fd()
    }
}

#[derive(Default)]
struct Reached {
    checkpoint: bool,
    end: bool,
}

/// Deletes a row in a transaction of its own.
fn delete(database: &Database, number: u32) -> Result<()> {
    let (heap, index) = (database.heap(HEAP)?, database.index(INDEX)?);
    let mut transaction = database.begin(Isolation::ReadCommitted);
    let found = find(&heap, &index, &mut transaction, &number.to_be_bytes())?;
    heap.delete(&mut transaction, found.expect("the row is there").0)?;
    transaction.commit()
}

/// Rows for two pages; then the power fails at each operation from a checkpoint on, during which
/// one of the pages changes: it becomes all-visible, or a row of it is deleted.
fn survive(operation: &'static str, becomes_visible: bool) {
    let (bits, ends) = (Cell::new(0), Cell::new(0));
    let workload = |disk: &SimulatedDisk, reached: &mut Reached| -> io::Result<()> {
        let moment = Arc::new(Moment { operation, action: Mutex::default() });
        let interposed = Interposed { disk: disk.clone(), moment: Arc::clone(&moment) };
        let run = || -> Result<()> {
            let database = Arc::new(Database::open(Arc::new(interposed), OPTIONS)?);
            let mut transaction = database.begin(Isolation::ReadCommitted);
            let heap = Heap::create(&mut transaction, HEAP)?;
            let index = Index::create(&mut transaction, INDEX)?;
            for number in 0..40 {
                let (key, row) = (u32::to_be_bytes(number), value(number, 1));
                let tid = heap.insert(&mut transaction, &row)?;
                index.insert_unique(&mut transaction, &heap, &key, tid, b"")?;
            }
            transaction.commit()?;
            if !becomes_visible {
                database.vacuum(&heap, std::slice::from_ref(&index))?;
                delete(&database, 39)?;
            }

            let other = Arc::clone(&database);
            let action = move || match becomes_visible {
                true => drop(other.vacuum(&heap, &[index])),
                false => drop(delete(&other, 3)),
            };
            *moment.action.lock().expect("one thread") = Some(Box::new(action));
            *reached = Reached { checkpoint: true, end: false };
            database.checkpoint()?;
            assert!(moment.action.lock().expect("one thread").is_none(), "never reached");
            delete(&database, 38)?;
            reached.end = true;
            Ok(())
        };
        run().map_err(io::Error::other)
    };
    let check = |disk: &SimulatedDisk, reached: &Reached| {
        ends.set(ends.get() + usize::from(reached.end));
        for _ in 0..if reached.checkpoint { 2 } else { 0 } {
            let look = || -> Result<()> {
                let database = open(disk)?;
                let heap = database.heap(HEAP)?;
                let visible = (0..heap.pages()).map(|block| Tid { block, slot: 1 });
                bits.set(bits.get() + visible.filter(|tid| heap.is_all_visible(*tid)).count());
                read_all(&database).map(drop)
            };
            look().map_err(|error| error.to_string())?;
            disk.crash();
        }
        Ok(())
    };

    let mut operation = 0;
    while ends.get() == 0 {
        for survivors in [Survivors::All, Survivors::None, Survivors::Random] {
            for byte in [0, 60] {
                let cut = Cut { seed: 5, operation, byte, survivors };
                replay(cut, workload, check).unwrap_or_else(|failure| panic!("{failure}"));
            }
        }
        operation += 1;
    }
    // A map that is lost would be right, too.
    assert!(bits.get() > 20, "{} bits", bits.get());
}

#[test]
fn the_visibility_map_survives_a_crash_at_every_operation() {
    for operation in ["sync base/1", "create maps.new", "create control.new"] {
        for becomes_visible in [true, false] {
            survive(operation, becomes_visible);
        }
    }
}
