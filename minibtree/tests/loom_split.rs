//! A search and a split of the same leaf, in every order.
//!
//! The rule: a key that was there before both is found, wherever the split has moved it.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r -p minibtree --no-default-features --test loom_split`
#![cfg(loom)]

use loom::thread;
use minibtree::engine::{Database, Direction, Heap, Index, Isolation, KeyRange, Options};
use minibtree::format::{RelationId, Tid};
use minikit::storage::SimulatedDisk;
use std::sync::Arc;

const TID: Tid = Tid { block: 0, slot: 1 };

/// A key so long that a leaf holds three, and so different from others that separators are short.
fn key(first: u8) -> Vec<u8> {
    vec![first; 2_500]
}

fn find(database: &Database, index: &Index, first: u8, direction: Direction) -> bool {
    let mut reader = database.begin(Isolation::ReadCommitted);
    let range = KeyRange::equal(&key(first));
    let mut scan = index.scan(reader.snapshot(), range, direction);
    scan.next().expect("the disk works").is_some()
}

fn check(before: &'static [u8], inserted: u8, direction: Direction) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.max_branches = 100_000;
    model.check(move || {
        let options = Options {
            pool_pages: 64,
            wal_segment_bytes: 1 << 16,
            synchronous_commit: false,
            ..Options::default()
        };
        let disk = Arc::new(SimulatedDisk::new(1));
        let database = Arc::new(Database::open(disk, options).expect("an empty disk"));
        let mut writer = database.begin(Isolation::ReadCommitted);
        Heap::create(&mut writer, RelationId(1)).expect("a new number");
        let index = Index::create(&mut writer, RelationId(2)).expect("a new number");
        for first in before {
            index.insert(&mut writer, &key(*first), TID, b"").expect("the disk works");
        }

        let last = before[before.len() - 1];
        let searcher = {
            let (database, index) = (Arc::clone(&database), index.clone());
            thread::spawn(move || find(&database, &index, last, direction))
        };
        index.insert(&mut writer, &key(inserted), TID, b"").expect("the disk works");
        assert!(searcher.join().expect("no panic"), "the key was there all the time");
        assert!(find(&database, &index, inserted, direction));
        writer.rollback();
    });
}

#[test]
fn the_root_is_raised() {
    check(b"bdf", b'c', Direction::Forward);
    check(b"bdf", b'c', Direction::Backward);
}

#[test]
fn a_leaf_is_split() {
    check(b"bdfhj", b'i', Direction::Forward);
    check(b"bdfhj", b'i', Direction::Backward);
}
