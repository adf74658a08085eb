//! The B+tree against a `BTreeMap`: random insertions, bulk builds, deletions with vacuum, and
//! scans of random ranges in both directions, with keys of many lengths.
#![cfg(not(loom))]

use minibtree::engine::{
    Database, Direction, Error, Heap, Index, Interrupt, Isolation, KeyRange, Options, Result,
    Transaction,
};
use minibtree::format::{RelationId, Tid};
use minikit::storage::{Disk, SimulatedDisk};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entries by key and TID, as the index orders them.
type Model = BTreeMap<(Vec<u8>, Tid), Vec<u8>>;

/// The same in the order of a scan.
type Entries = Vec<((Vec<u8>, Tid), Vec<u8>)>;

struct Tree {
    database: Database,
    heap: Heap,
    index: Index,
}

fn tree() -> Result<Tree> {
    let options = Options { wal_segment_bytes: 1 << 20, pool_pages: 64, ..Options::default() };
    let database = Database::open(Arc::new(SimulatedDisk::new(1)), options)?;
    let mut transaction = database.begin(Isolation::ReadCommitted);
    let heap = Heap::create(&mut transaction, RelationId(1))?;
    let index = Index::create(&mut transaction, RelationId(2))?;
    transaction.commit()?;
    Ok(Tree { database, heap, index })
}

/// A key that no other of the same `kind` is a prefix of: the bytes, escaped and terminated.
fn key(bytes: &[u8]) -> Vec<u8> {
    let escaped = bytes.iter().flat_map(|byte| match byte {
        0 => vec![0, 0xff],
        other => vec![*other],
    });
    escaped.chain([0, 0]).collect()
}

fn scan(
    tree: &Tree,
    transaction: &mut Transaction,
    range: &KeyRange,
    direction: Direction,
) -> Result<Entries> {
    let mut found = Vec::new();
    let mut scan = tree.index.scan(transaction.snapshot(), range.clone(), direction);
    while let Some(entry) = scan.next()? {
        found.push(((entry.key.to_vec(), entry.tid), entry.payload.to_vec()));
    }
    Ok(found)
}

fn check(tree: &Tree, model: &Model, ranges: &[KeyRange]) -> Result<()> {
    let mut transaction = tree.database.begin(Isolation::ReadCommitted);
    for range in ranges.iter().chain([&KeyRange::all()]) {
        let expected = model
            .iter()
            .filter(|((key, tid), _)| range.contains(&[key.as_slice(), &tid.to_bytes()].concat()));
        let mut expected: Vec<_> =
            expected.map(|(key, payload)| (key.clone(), payload.clone())).collect();
        assert_eq!(scan(tree, &mut transaction, range, Direction::Forward)?, expected);
        expected.reverse();
        assert_eq!(scan(tree, &mut transaction, range, Direction::Backward)?, expected);
    }
    Ok(())
}

/// Inserts a row for each key, deletes some of them, vacuums, inserts again.
fn run(
    keys: &[Vec<u8>],
    payload: usize,
    deleted: &[bool],
    ranges: &[KeyRange],
    is_bulk: bool,
) -> Result<()> {
    let tree = tree()?;
    let mut model = Model::new();
    let mut transaction = tree.database.begin(Isolation::ReadCommitted);
    let mut entries = Vec::new();
    for (number, key) in keys.iter().enumerate() {
        let tid = tree.heap.insert(&mut transaction, key)?;
        let payload = vec![number as u8; payload];
        model.insert((key.clone(), tid), payload.clone());
        entries.push((key.clone(), tid, payload));
    }
    match is_bulk {
        true => {
            // The sort goes on in files when it has some ten entries.
            let mut spool = tree.index.spool(1_000);
            for (key, tid, payload) in &entries {
                spool.add(key, *tid, payload, false)?;
            }
            tree.index.build(&mut transaction, spool)?;
        }
        false => entries.iter().try_for_each(|(key, tid, payload)| {
            tree.index.insert(&mut transaction, key, *tid, payload)
        })?,
    }
    transaction.commit()?;
    check(&tree, &model, ranges)?;

    let mut transaction = tree.database.begin(Isolation::ReadCommitted);
    let gone: Vec<_> = model.keys().cloned().zip(deleted.iter().cycle()).collect();
    for ((key, tid), is_deleted) in gone {
        if *is_deleted {
            tree.heap.delete(&mut transaction, tid)?;
            model.remove(&(key, tid));
        }
    }
    transaction.commit()?;
    tree.database.vacuum(&tree.heap, std::slice::from_ref(&tree.index))?;
    check(&tree, &model, ranges)?;

    // Into the holes.
    let mut transaction = tree.database.begin(Isolation::ReadCommitted);
    for key in keys.iter().take(200) {
        let tid = tree.heap.insert(&mut transaction, key)?;
        tree.index.insert(&mut transaction, key, tid, b"again")?;
        model.insert((key.clone(), tid), b"again".to_vec());
    }
    transaction.commit()?;
    check(&tree, &model, ranges)
}

fn keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let short = prop::collection::vec(any::<u8>(), 0..6);
    let few = prop::collection::vec(0u8..3, 0..10);
    let long = (0u8..4, 0usize..2_000).prop_map(|(byte, length)| vec![byte + 1; length]);
    let bytes = prop_oneof![4 => short, 4 => few, 1 => long].prop_map(|bytes| key(&bytes));
    prop::collection::vec(bytes, 0..900)
}

fn range() -> impl Strategy<Value = KeyRange> {
    let bound = || prop::collection::vec(0u8..4, 0..4);
    (bound(), bound(), 0..4).prop_map(|(low, high, kind)| match kind {
        0 => KeyRange::equal(&key(&low)),
        1 => KeyRange::all().at_least(&low).before(&high),
        2 => KeyRange::all().after(&low).up_to(&high),
        _ => KeyRange::all().after(&low),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn like_a_btree_map(
        keys in keys(),
        payload in prop_oneof![Just(0usize), Just(3), Just(300)],
        deleted in prop::collection::vec(any::<bool>(), 1..40),
        ranges in prop::collection::vec(range(), 6),
        is_bulk in any::<bool>(),
    ) {
        run(&keys, payload, &deleted, &ranges, is_bulk).expect("no operation fails");
    }
}

#[test]
fn everything_deleted_and_inserted_again() {
    for is_bulk in [false, true] {
        let keys: Vec<_> = (0..5_000u32).map(|number| number.to_be_bytes().to_vec()).collect();
        run(&keys, 0, &[true], &[], is_bulk).expect("no operation fails");
        run(&keys, 0, &[true, true, true, false], &[], is_bulk).expect("no operation fails");
    }
}

/// Entries for an index of its own, and the disk.
fn build(
    create: fn(&mut Transaction, RelationId) -> Result<Index>,
    memory: usize,
    interrupt: Interrupt,
) -> (SimulatedDisk, Result<()>) {
    let disk = SimulatedDisk::new(1);
    let build = || {
        let database = Database::open(Arc::new(disk.clone()), Options::default())?;
        let mut transaction = database.begin(Isolation::ReadCommitted);
        transaction.set_interrupt(interrupt);
        let index = create(&mut transaction, RelationId(2))?;
        let mut entries = index.spool(memory);
        for number in (0..10_000u32).map(|it| it * 7_919 % 10_007) {
            entries.add(&number.to_be_bytes(), Tid { block: number, slot: 1 }, b"payload", true)?;
        }
        index.build(&mut transaction, entries)?;
        transaction.commit()?;
        database.checkpoint()
    };
    let built = build();
    (disk, built)
}

#[test]
fn a_sort_in_files_makes_the_same_pages() -> Result<()> {
    for create in [Index::create, Index::create_hash] {
        let pages = |memory| -> Result<(Vec<u8>, bool)> {
            let (disk, built) = build(create, memory, Interrupt::default());
            built?;
            let file = disk.open("base/2")?;
            let mut pages = vec![0; file.len()? as usize];
            file.read_exact_at(&mut pages, 0)?;
            Ok((pages, disk.list("")?.iter().any(|name| name == "pgsql_tmp")))
        };
        let (in_memory, has_files) = pages(1 << 20)?;
        assert!(!has_files && in_memory.len() > 200_000);
        assert!(pages(10_000)? == (in_memory, true));
    }
    Ok(())
}

#[test]
fn a_build_can_be_canceled() -> Result<()> {
    let interrupt = Interrupt::default();
    interrupt.cancel();
    let (disk, built) = build(Index::create, 10_000, interrupt);
    assert!(matches!(built, Err(Error::Canceled)));
    assert!(disk.list("pgsql_tmp")?.is_empty());
    assert!(!disk.list("base")?.contains(&"2".to_owned()));
    Ok(())
}
