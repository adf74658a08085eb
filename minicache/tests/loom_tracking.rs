//! Client-side caches, in every order of a read and another client's write.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r --no-default-features -p minicache --test loom_tracking`
#![cfg(loom)]

#[path = "common/world.rs"]
mod world;

use loom::thread;
use std::sync::Arc;
use world::World;

/// A client reads a key and keeps what it read. It began to track before the other could write, or
/// when it may have written already.
fn what_is_kept_is_so_or_was_told(tracks_before: bool) {
    loom::model(move || {
        let world = World::new(2);
        let key = world.key_in_shard(0);
        let mut reader = world.client();
        assert!(reader.run(&world, &["HELLO", "3"]).starts_with('%'));
        let track = ["CLIENT", "TRACKING", "ON"];
        if tracks_before {
            assert_eq!(reader.run(&world, &track), "+OK\r\n");
        }
        let (other, other_key) = (Arc::clone(&world), key.clone());
        let there = thread::spawn(move || other.client().run(&other, &["SET", &other_key, "new"]));
        if !tracks_before {
            assert_eq!(reader.run(&world, &track), "+OK\r\n");
        }
        let mut heard = reader.run(&world, &["GET", &key]);
        assert_eq!(there.join().expect("the other core does not panic"), "+OK\r\n");
        heard += &reader.run(&world, &["PING"]);
        let is_new = heard.contains("$3\r\nnew\r\n");
        let is_told = heard.contains("invalidate");
        assert!(is_new || is_told, "it keeps what has changed: {heard:?}");
    });
}

/// The write finds the reader, or the read finds the write.
#[test]
fn a_write_around_a_read() {
    what_is_kept_is_so_or_was_told(true);
}

/// Writers check without the registry's lock if any client tracks.
#[test]
fn a_write_around_the_first_who_tracks() {
    what_is_kept_is_so_or_was_told(false);
}
