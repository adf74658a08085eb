//! Commands on several shards, in every order in which they can want each other's locks.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r --no-default-features -p minicache --test loom_shards`
#![cfg(loom)]

#[path = "common/world.rs"]
mod world;

use loom::thread;
use std::sync::Arc;
use world::World;

/// `MSET` names its keys in both orders. Were shards locked in the order of the keys, the two would
/// wait for each other, which loom reports as a deadlock; were they locked one at a time, the keys
/// could end up different.
#[test]
fn writes_of_two_keys_neither_deadlock_nor_mix() {
    loom::model(|| {
        let world = World::new(2);
        let (a, b) = (world.key_in_shard(0), world.key_in_shard(1));
        let other = Arc::clone(&world);
        let (other_a, other_b) = (a.clone(), b.clone());
        let writer = thread::spawn(move || {
            let words = ["MSET", &other_b, "2", &other_a, "2"];
            assert_eq!(other.client().run(&other, &words), "+OK\r\n");
        });
        let mut client = world.client();
        assert_eq!(client.run(&world, &["MSET", &a, "1", &b, "1"]), "+OK\r\n");
        writer.join().expect("the other core does not panic");
        let values = client.run(&world, &["MGET", &a, &b]);
        assert!(["1", "2"].map(both).contains(&values), "{values:?}");
    });
}

/// Two writers and a reader: it sees nothing, or one of the two, but never half of one.
#[test]
fn a_write_of_two_keys_is_never_seen_half_done() {
    loom::model(|| {
        let world = World::new(2);
        let (a, b) = (world.key_in_shard(0), world.key_in_shard(1));
        let other = Arc::clone(&world);
        let (other_a, other_b) = (a.clone(), b.clone());
        let writer = thread::spawn(move || {
            other.client().run(&other, &["MSET", &other_a, "1", &other_b, "1"]);
            other.client().run(&other, &["MSET", &other_b, "2", &other_a, "2"]);
        });
        let mut client = world.client();
        let seen = [(); 2].map(|()| client.run(&world, &["MGET", &b, &a]));
        let whole = ["*2\r\n$-1\r\n$-1\r\n".to_string(), both("1"), both("2")];
        let order = seen.map(|values| whole.iter().position(|it| *it == values));
        assert!(order[0].is_some() && order[0] <= order[1], "{order:?}");
        writer.join().expect("the other core does not panic");
    });
}

fn both(value: &str) -> String {
    format!("*2\r\n$1\r\n{value}\r\n$1\r\n{value}\r\n")
}
