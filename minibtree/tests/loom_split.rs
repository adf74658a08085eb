//! A search and a split of the same leaf, in every order.
//!
//! The rule: a key that was there before both is found, wherever the split has moved it.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r -p minibtree --no-default-features --test loom_split`
#![cfg(loom)]

use loom::thread;
use minibtree::engine::{Database, Direction, Index, Isolation, KeyRange, NaiveSearch, Options};
use minibtree::format::{RelationId, Tid};
use minikit::storage::SimulatedDisk;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const TID: Tid = Tid { block: 0, slot: 1 };

/// A key so long that a leaf holds three, and so different from others that separators are short.
fn key(first: u8) -> Vec<u8> {
    vec![first; 2_500]
}

/// The real search, forwards or backwards.
fn find(database: &Database, index: &Index, first: u8, direction: Direction) -> bool {
    let mut reader = database.begin(Isolation::ReadCommitted);
    let range = KeyRange::equal(&key(first));
    let mut scan = index.scan(reader.snapshot(), range, direction);
    scan.next().expect("the disk works").is_some()
}

fn find_forward(database: &Database, index: &Index, first: u8) -> bool {
    find(database, index, first, Direction::Forward)
}

fn find_backward(database: &Database, index: &Index, first: u8) -> bool {
    find(database, index, first, Direction::Backward)
}

fn find_naively(_: &Database, index: &Index, first: u8) -> bool {
    let search = NaiveSearch::begin(index, &key(first)).expect("the disk works");
    search.finish(index, &key(first)).expect("the disk works")
}

/// Searches for the last of the keys `before` while another thread inserts one.
fn check(before: &'static [u8], inserted: u8, search: fn(&Database, &Index, u8) -> bool) {
    let orders = Arc::new(AtomicUsize::new(0));
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.max_branches = 100_000;
    let counted = Arc::clone(&orders);
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let options = Options {
            pool_pages: 64,
            wal_segment_bytes: 1 << 16,
            synchronous_commit: false,
            ..Options::default()
        };
        let disk = Arc::new(SimulatedDisk::new(1));
        let database = Database::open(disk, options).expect("an empty disk");
        let mut writer = database.begin(Isolation::ReadCommitted);
        let index = Index::create(&mut writer, RelationId(2)).expect("a new number");
        for first in before {
            index.insert(&mut writer, &key(*first), TID, b"").expect("the disk works");
        }

        let inserter = {
            let index = index.clone();
            thread::spawn(move || {
                index.insert(&mut writer, &key(inserted), TID, b"").expect("the disk works");
                writer
            })
        };
        let is_found = search(&database, &index, before[before.len() - 1]);
        assert!(is_found, "the key was there all the time and was not found");
        let writer = inserter.join().expect("no panic");
        assert!(find(&database, &index, inserted, Direction::Forward));
        writer.rollback();
    });
    let orders = orders.load(Ordering::Relaxed);
    assert!(orders > 20, "only {orders} orders were tried");
}

#[test]
fn the_root_is_raised() {
    check(b"bdf", b'c', find_forward);
    check(b"bdf", b'c', find_backward);
}

#[test]
fn a_leaf_is_split() {
    check(b"bdfhj", b'i', find_forward);
    check(b"bdfhj", b'i', find_backward);
}

#[test]
#[should_panic(expected = "was not found")]
fn the_naive_search_misses_a_key() {
    check(b"bdfhj", b'i', find_naively);
}
