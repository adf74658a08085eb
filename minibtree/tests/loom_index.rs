//! A search and a split of the page that it looks for, in every order of their latches.
//!
//! The rule: a key that is in the index is found, whatever a split does meanwhile. That the model
//! really tries the dangerous orders is shown by the search that is wrong
//! (`engine/btree/naive.rs`): it must miss the key in some of them, and find it in others.
//!
//! Keys of 2,500 bytes: three fill a page, so that one insertion splits it.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r -p minibtree --no-default-features --test loom_index`
#![cfg(loom)]

use loom::thread;
use minibtree::engine::{
    Database, Direction, Heap, Index, Isolation, KeyRange, Options, Result, Snapshot,
};
use minibtree::format::{RelationId, Tid};
use minikit::storage::SimulatedDisk;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const INDEX: RelationId = RelationId(2);
const ROW: Tid = Tid { block: 0, slot: 1 };

fn key(number: u8) -> Vec<u8> {
    [&[number][..], &[7; 2_500]].concat()
}

/// An index with these keys, and what a search needs.
struct Table {
    database: Database,
    index: Index,
    snapshot: Arc<Snapshot>,
}

fn table(is_hash: bool, keys: &[u8]) -> Result<Table> {
    let options = Options { pool_pages: 64, wal_segment_bytes: 1 << 16, ..Options::default() };
    let database = Database::open(Arc::new(SimulatedDisk::new(1)), options)?;
    let mut transaction = database.begin(Isolation::ReadCommitted);
    Heap::create(&mut transaction, RelationId(1))?;
    let index = match is_hash {
        true => Index::create_hash(&mut transaction, INDEX)?,
        false => Index::create(&mut transaction, INDEX)?,
    };
    for number in keys {
        index.insert(&mut transaction, &key(*number), ROW, b"")?;
    }
    transaction.commit()?;
    let snapshot = database.begin(Isolation::ReadCommitted).snapshot();
    Ok(Table { database, index, snapshot })
}

/// Runs `search` against an insertion of `new` in every order. Returns how often it was right, and
/// how often not.
fn outcomes(
    is_hash: bool,
    keys: &'static [u8],
    new: u8,
    search: fn(&Index, Arc<Snapshot>) -> Result<bool>,
) -> [usize; 2] {
    let counts: &'static [AtomicUsize; 2] = Box::leak(Box::default());
    let mut model = loom::model::Builder::new();
    model.max_branches = 100_000;
    model.check(move || {
        let Table { database, index, snapshot } = table(is_hash, keys).expect("an empty disk");
        let mut transaction = database.begin(Isolation::ReadCommitted);
        transaction.xid().expect("the disk works");
        let other = index.clone();
        let writer = thread::spawn(move || {
            other.insert(&mut transaction, &key(new), ROW, b"").expect("the disk works");
            drop(transaction);
        });
        let is_found = search(&index, snapshot).expect("the disk works");
        counts[usize::from(!is_found)].fetch_add(1, Ordering::Relaxed);
        writer.join().expect("no panic");
    });
    counts.each_ref().map(|count| count.load(Ordering::Relaxed))
}

/// The key that a split moves to another page.
const MOVED: u8 = 6;

fn find(index: &Index, snapshot: Arc<Snapshot>) -> Result<bool> {
    let mut scan = index.scan(snapshot, KeyRange::equal(&key(MOVED)), Direction::Forward);
    Ok(scan.next()?.is_some())
}

/// Leaves 1 2 3 and 4 6 7; the insertion of 5 splits the second, and 6 moves.
const KEYS: &[u8] = &[1, 2, 3, 4, MOVED, 7];

#[test]
fn a_search_finds_a_key_of_a_leaf_that_is_split() {
    let [found, missed] = outcomes(false, KEYS, 5, find);
    assert_eq!(missed, 0);
    assert!(found > 2, "only {found} orders were tried");
}

#[test]
fn the_naive_search_misses_it_in_some_order() {
    let [found, missed] =
        outcomes(false, KEYS, 5, |index, _| index.naive_search(&key(MOVED))?.finish(&key(MOVED)));
    assert!(found > 0 && missed > 0, "found in {found} orders, missed in {missed}");
}

#[test]
fn a_late_search_finds_a_key_of_a_bucket_that_is_split() {
    // Of three keys in bucket 0, the third splits it, and key 6 goes to bucket 1.
    let in_bucket_1 = |it: u8| minibtree::format::hash::hash(&key(it)) & 1 == 1;
    assert!(in_bucket_1(MOVED), "another key is needed");
    let [found, missed] = outcomes(true, &[1, MOVED], 5, find);
    assert_eq!(missed, 0);
    assert!(found > 2, "only {found} orders were tried");
}
