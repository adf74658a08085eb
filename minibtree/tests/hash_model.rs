//! The hash index against a `BTreeMap`: random insertions, bulk builds, deletions with vacuum, and
//! look-ups of keys that exist and keys that do not, with few and many equal keys.
#![cfg(not(loom))]

use minibtree::engine::{
    Database, Direction, Error, Heap, Index, Isolation, KeyRange, Options, Result,
};
use minibtree::format::{RelationId, Tid};
use minikit::storage::SimulatedDisk;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// TIDs and payloads by key.
type Model = BTreeMap<Vec<u8>, BTreeMap<Tid, Vec<u8>>>;

struct Table {
    disk: SimulatedDisk,
    database: Database,
    heap: Heap,
    index: Index,
}

fn options() -> Options {
    Options { wal_segment_bytes: 1 << 20, pool_pages: 64, ..Options::default() }
}

fn table() -> Result<Table> {
    let disk = SimulatedDisk::new(1);
    let database = Database::open(Arc::new(disk.clone()), options())?;
    let mut transaction = database.begin(Isolation::ReadCommitted);
    let heap = Heap::create(&mut transaction, RelationId(1))?;
    let index = Index::create_hash(&mut transaction, RelationId(2))?;
    transaction.commit()?;
    Ok(Table { disk, database, heap, index })
}

impl Table {
    fn check(&self, model: &Model) -> Result<()> {
        let mut transaction = self.database.begin(Isolation::ReadCommitted);
        let absent = [b"absent".to_vec(), vec![0xff; 40]];
        for key in model.keys().chain(&absent) {
            let range = KeyRange::equal(key);
            let mut scan = self.index.scan(transaction.snapshot(), range, Direction::Forward);
            let mut found = BTreeMap::new();
            while let Some(entry) = scan.next()? {
                assert_eq!(entry.key, key);
                assert_eq!(found.insert(entry.tid, entry.payload.to_vec()), None);
            }
            assert_eq!(found, model.get(key).cloned().unwrap_or_default(), "{key:?}");
        }

        let (mut entries, mut number) = (0, 0);
        while let Some(bucket) = self.index.bucket(number)? {
            entries += bucket.entries.iter().sum::<usize>();
            number += 1;
        }
        assert_eq!(entries, model.values().map(BTreeMap::len).sum::<usize>());
        Ok(())
    }

    /// Opens the database again, after a crash.
    fn reopen(self) -> Result<Table> {
        let Table { disk, database, .. } = self;
        drop(database);
        disk.crash();
        let database = Database::open(Arc::new(disk.clone()), options())?;
        let (heap, index) = (database.heap(RelationId(1))?, database.index(RelationId(2))?);
        assert!(index.is_hash());
        Ok(Table { disk, database, heap, index })
    }
}

/// Inserts a row for each key, deletes some of them, vacuums, crashes, inserts again.
fn run(keys: &[Vec<u8>], payload: usize, deleted: &[bool], is_bulk: bool) -> Result<()> {
    let table = table()?;
    let mut model = Model::new();
    let mut transaction = table.database.begin(Isolation::ReadCommitted);
    let mut entries = Vec::new();
    for (number, key) in keys.iter().enumerate() {
        let tid = table.heap.insert(&mut transaction, b"row")?;
        let payload = vec![number as u8; payload];
        model.entry(key.clone()).or_default().insert(tid, payload.clone());
        entries.push((key.clone(), tid, payload));
    }
    match is_bulk {
        true => {
            // The sort goes on in files when it has some ten entries.
            let mut spool = table.index.spool(1_000);
            for (key, tid, payload) in &entries {
                spool.add(key, *tid, payload, false)?;
            }
            table.index.build(&mut transaction, spool)?;
        }
        false => entries.iter().try_for_each(|(key, tid, payload)| {
            table.index.insert(&mut transaction, key, *tid, payload)
        })?,
    }
    transaction.commit()?;
    table.check(&model)?;

    let mut transaction = table.database.begin(Isolation::ReadCommitted);
    let mut deleted = deleted.iter().cycle();
    for tids in model.values_mut() {
        let all = tids.keys().copied();
        let gone: Vec<Tid> = all.filter(|_| deleted.next() == Some(&true)).collect();
        for tid in gone {
            table.heap.delete(&mut transaction, tid)?;
            tids.remove(&tid);
        }
    }
    transaction.commit()?;
    table.database.vacuum(&table.heap, std::slice::from_ref(&table.index))?;
    table.check(&model)?;

    // A vacuum by itself is not durable. Then into the holes, with what a crash leaves.
    table.database.wait_durable(table.database.wal_end())?;
    let table = table.reopen()?;
    table.check(&model)?;
    let mut transaction = table.database.begin(Isolation::ReadCommitted);
    for key in keys.iter().take(300) {
        let tid = table.heap.insert(&mut transaction, b"row")?;
        table.index.insert(&mut transaction, key, tid, b"again")?;
        model.entry(key.clone()).or_default().insert(tid, b"again".to_vec());
    }
    transaction.commit()?;
    table.check(&model)
}

fn keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let short = prop::collection::vec(any::<u8>(), 1..6);
    let few = prop::collection::vec(0u8..2, 1..3);
    let long = (0u8..4, 1usize..2_000).prop_map(|(byte, length)| vec![byte + 1; length]);
    prop::collection::vec(prop_oneof![4 => short, 4 => few, 1 => long], 0..900)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn like_a_btree_map(
        keys in keys(),
        payload in prop_oneof![Just(0usize), Just(3), Just(300)],
        deleted in prop::collection::vec(any::<bool>(), 1..40),
        is_bulk in any::<bool>(),
    ) {
        run(&keys, payload, &deleted, is_bulk).expect("no operation fails");
    }
}

#[test]
fn everything_deleted_and_inserted_again() {
    for is_bulk in [false, true] {
        let keys: Vec<_> = (0..5_000u32).map(|number| number.to_be_bytes().to_vec()).collect();
        run(&keys, 0, &[true], is_bulk).expect("no operation fails");
        run(&keys, 0, &[true, true, true, false], is_bulk).expect("no operation fails");
    }
}

#[test]
fn unique_keys_are_kept_apart() -> Result<()> {
    let table = table()?;
    let mut transaction = table.database.begin(Isolation::ReadCommitted);
    let mut insert = |key: &[u8]| {
        let tid = table.heap.insert(&mut transaction, key)?;
        let inserted = table.index.insert_unique(&mut transaction, &table.heap, key, tid, b"");
        inserted.map(|()| tid)
    };
    for number in 0..2_000u32 {
        insert(&number.to_be_bytes())?;
    }
    let first = insert(b"first")?;
    let second = insert(b"first");
    assert!(matches!(second, Err(Error::UniqueViolation { existing }) if existing == first));

    // It has no order, and says so.
    let snapshot = transaction.snapshot();
    let mut scan = table.index.scan(snapshot, KeyRange::all(), Direction::Forward);
    assert!(matches!(scan.next(), Err(Error::Corrupt(_))));

    let mut build = |rows: &[&[u8]]| {
        let index = Index::create_hash(&mut transaction, RelationId(3))?;
        let mut entries = index.spool(1 << 20);
        for (slot, key) in (1..).zip(rows) {
            entries.add(key, Tid { block: 0, slot }, b"", true)?;
        }
        index.build(&mut transaction, entries)
    };
    assert!(matches!(build(&[b"a", b"b", b"a"]), Err(Error::UniqueViolation { .. })));
    Ok(())
}

/// Threads insert, look up and split at the same time; no entry is ever missing.
#[test]
fn searches_find_entries_while_buckets_are_split() -> Result<()> {
    const KEYS: u32 = 20_000;
    let table = table()?;
    let (database, heap) = (&table.database, &table.heap);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2u32)
            .map(|part| {
                // A handle of its own, which remembers an older number of buckets.
                let index = database.index(RelationId(2));
                scope.spawn(move || -> Result<()> {
                    let index = index?;
                    let mut transaction = database.begin(Isolation::ReadCommitted);
                    for number in (part..KEYS).step_by(2) {
                        let key = number.to_be_bytes();
                        let tid = heap.insert(&mut transaction, &key)?;
                        index.insert(&mut transaction, &key, tid, b"")?;
                        // The entry of a moment ago, and an old one.
                        for number in [number, number / 2 / 2 * 2 + part] {
                            let range = KeyRange::equal(&number.to_be_bytes());
                            let snapshot = transaction.snapshot();
                            let mut scan = index.scan(snapshot, range, Direction::Forward);
                            assert!(scan.next()?.is_some(), "{number} is not there");
                        }
                    }
                    transaction.commit()
                })
            })
            .collect();
        writers.into_iter().try_for_each(|writer| writer.join().expect("no panic"))
    })?;

    let snapshot = database.begin(Isolation::ReadCommitted).snapshot();
    for number in 0..KEYS {
        let range = KeyRange::equal(&number.to_be_bytes());
        let mut scan = table.index.scan(Arc::clone(&snapshot), range, Direction::Forward);
        assert!(scan.next()?.is_some(), "{number} is not there");
    }
    Ok(())
}
