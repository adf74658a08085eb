//! `WATCH`, in every order of `EXEC` and another client's write.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r --no-default-features -p minicache --test loom_watch`
#![cfg(loom)]

#[path = "common/world.rs"]
mod world;

use loom::thread;
use std::sync::Arc;
use world::World;

/// Adds one to a counter optimistically. Returns true if the transaction was executed.
fn increment(world: &World, key: &str) -> bool {
    let mut client = world.client();
    assert_eq!(client.run(world, &["WATCH", key]), "+OK\r\n");
    let next = number(&client.run(world, &["GET", key])) + 1;
    assert_eq!(client.run(world, &["MULTI"]), "+OK\r\n");
    assert_eq!(client.run(world, &["SET", key, &next.to_string()]), "+QUEUED\r\n");
    match client.run(world, &["EXEC"]).as_str() {
        "*1\r\n+OK\r\n" => true,
        "*-1\r\n" => false,
        other => panic!("{other:?}"),
    }
}

/// A bulk string as a number, nothing as 0.
fn number(reply: &str) -> u32 {
    reply.lines().nth(1).map_or(0, |digits| digits.parse().expect("the key holds a number"))
}

fn value(world: &World, key: &str) -> u32 {
    number(&world.client().run(world, &["GET", key]))
}

/// Were one of two increments let through although the other came between, it would be lost.
#[test]
fn no_increment_is_lost() {
    loom::model(|| {
        let world = World::new(2);
        let key = world.key_in_shard(0);
        let (other, other_key) = (Arc::clone(&world), key.clone());
        let there = thread::spawn(move || increment(&other, &other_key));
        let here = increment(&world, &key);
        let there = there.join().expect("the other core does not panic");
        assert!(here || there, "the one that came first had nobody before it");
        assert_eq!(value(&world, &key), u32::from(here) + u32::from(there));
    });
}

/// A plain write is never undone by a transaction that had read what was there before.
#[test]
fn a_write_in_between_is_noticed() {
    loom::model(|| {
        let world = World::new(2);
        let key = world.key_in_shard(1);
        let (other, other_key) = (Arc::clone(&world), key.clone());
        let there = thread::spawn(move || other.client().run(&other, &["SET", &other_key, "10"]));
        let here = increment(&world, &key);
        there.join().expect("the other core does not panic");
        let expected: &[u32] = if here { &[10, 11] } else { &[10] };
        assert!(expected.contains(&value(&world, &key)));
    });
}

/// Keys are watched in one shard and written in another: the order of locks holds here too.
#[test]
fn watching_one_shard_and_writing_another() {
    loom::model(|| {
        let world = World::new(2);
        let (watched, written) = (world.key_in_shard(1), world.key_in_shard(0));
        let (other, flag, copy) = (Arc::clone(&world), watched.clone(), written.clone());
        let there = thread::spawn(move || {
            assert_eq!(other.client().run(&other, &["MSET", &copy, "1", &flag, "1"]), "+OK\r\n");
        });
        let mut client = world.client();
        client.run(&world, &["WATCH", &watched]);
        let before = number(&client.run(&world, &["GET", &watched]));
        client.run(&world, &["MULTI"]);
        client.run(&world, &["SET", &written, "2"]);
        let passed = client.run(&world, &["EXEC"]) != "*-1\r\n";
        there.join().expect("the other core does not panic");
        // Seen 1: the write came before everything. Seen nothing and passed: it came after.
        let expected = if passed && before == 1 { 2 } else { 1 };
        assert_eq!(value(&world, &written), expected);
    });
}
