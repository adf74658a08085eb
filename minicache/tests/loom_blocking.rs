//! Blocking commands in every order in which a push, a second client, the end of their time or the
//! end of their connection can come between.
//!
//! The rule: an element is served once or stays in its list.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -r --no-default-features -p minicache --test loom_blocking`
#![cfg(loom)]

#[path = "common/alarm.rs"]
mod alarm;
#[path = "common/world.rs"]
mod world;

use alarm::block_on;
use loom::thread;
use minicache::engine::blocking::Withdrawal;
use minicache::engine::mailbox::Message;
use std::sync::Arc;
use world::{Client, World, model_of_three};

const NOTHING: &str = "*-1\r\n";

/// What a client that waits is told in the end.
fn letter(client: &Client) -> String {
    let letters = block_on(|context| client.session.client.mailbox.poll_collect(context));
    match &letters[..] {
        [Message::Unblocked(reply)] => String::from_utf8_lossy(reply).into_owned(),
        other => panic!("{other:?}"),
    }
}

/// A blocking command to its end, which is never reached where nothing comes.
fn wait(world: &World, words: &[&str]) -> String {
    let mut client = world.client();
    let reply = client.run(world, words);
    if client.session.waiting.is_some() { letter(&client) } else { reply }
}

/// A blocking command whose time is up as soon as it waits, as the connection ends its waiting.
fn wait_a_moment(world: &World, words: &[&str]) -> String {
    let mut client = world.client();
    let reply = client.run(world, words);
    let Some(ticket) = client.session.waiting else { return reply };
    loop {
        match world.cache.registry.blocked.withdraw(ticket) {
            Withdrawal::Canceled => return NOTHING.to_string(),
            Withdrawal::Completed => return letter(&client),
            Withdrawal::InProgress => thread::yield_now(),
        }
    }
}

/// What a connection does that ends while its command waits.
fn hang_up(world: &World, client: Client) {
    if let Some(ticket) = client.session.waiting {
        world.cache.registry.blocked.finish(ticket);
    }
}

fn popped(key: &str, element: &str) -> String {
    format!("*2\r\n${}\r\n{key}\r\n${}\r\n{element}\r\n", key.len(), element.len())
}

fn len(world: &World, key: &str) -> String {
    world.client().run(world, &["LLEN", key])
}

/// Runs something on another core.
fn elsewhere<T: 'static>(
    world: &Arc<World>,
    run: impl FnOnce(&World) -> T + 'static,
) -> thread::JoinHandle<T> {
    let world = Arc::clone(world);
    thread::spawn(move || run(&world))
}

fn there<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().expect("the other core does not panic")
}

#[test]
fn a_push_is_not_missed() {
    loom::model(|| {
        let world = World::new(1);
        let push = elsewhere(&world, |world| world.client().run(world, &["RPUSH", "jobs", "a"]));
        assert_eq!(wait(&world, &["BLPOP", "jobs", "0"]), popped("jobs", "a"));
        assert_eq!(there(push), ":1\r\n");
        assert_eq!(len(&world, "jobs"), ":0\r\n");
        assert_eq!(world.cache.registry.blocked.count().get(), 0);
    });
}

#[test]
fn time_runs_out_while_a_push_comes() {
    loom::model(|| {
        let world = World::new(1);
        let push = elsewhere(&world, |world| world.client().run(world, &["RPUSH", "jobs", "a"]));
        let reply = wait_a_moment(&world, &["BLPOP", "jobs", "1"]);
        there(push);
        let left = if reply == NOTHING { ":1\r\n" } else { ":0\r\n" };
        assert!(reply == NOTHING || reply == popped("jobs", "a"), "{reply:?}");
        assert_eq!(len(&world, "jobs"), left);
        assert_eq!(world.cache.registry.blocked.count().get(), 0);
    });
}

#[test]
fn one_element_serves_one_of_two() {
    model_of_three(|| {
        let world = World::new(1);
        let push = elsewhere(&world, |world| world.client().run(world, &["RPUSH", "jobs", "a"]));
        let other = elsewhere(&world, |world| wait_a_moment(world, &["BLPOP", "jobs", "1"]));
        let replies = [wait_a_moment(&world, &["BLPOP", "jobs", "1"]), there(other)];
        there(push);
        let served = replies.iter().filter(|it| **it == popped("jobs", "a")).count();
        let empty = replies.iter().filter(|it| *it == NOTHING).count();
        assert_eq!(served + empty, 2, "{replies:?}");
        assert_eq!(len(&world, "jobs"), format!(":{}\r\n", 1 - served));
        assert_eq!(world.cache.registry.blocked.count().get(), 0);
    });
}

/// The keys are in two shards, so the blocked client and those that push take two locks each.
#[test]
fn two_pushes_race_for_a_client_blocked_on_both_keys() {
    model_of_three(|| {
        let world = World::new(2);
        let (a, b) = (world.key_in_shard(0), world.key_in_shard(1));
        let push = |key: &str| {
            let key = key.to_string();
            elsewhere(&world, move |world| world.client().run(world, &["RPUSH", &key, "x"]))
        };
        let pushes = [push(&a), push(&b)];
        let reply = wait(&world, &["BLPOP", &b, &a, "0"]);
        pushes.into_iter().for_each(|it| assert_eq!(there(it), ":1\r\n"));
        let left = [len(&world, &a), len(&world, &b)];
        let taken = [popped(&a, "x"), popped(&b, "x")].map(|it| it == reply);
        assert!(taken[0] != taken[1], "{reply:?}");
        assert_eq!(left, taken.map(|it| if it { ":0\r\n" } else { ":1\r\n" }));
        assert_eq!(world.cache.registry.blocked.count().get(), 0);
    });
}

/// A client disconnects while another core runs its command and finds no list. If its ticket
/// stayed, the next element would be popped for a client that is gone.
#[test]
fn a_client_that_hangs_up_leaves_no_ticket() {
    loom::model(|| {
        let world = World::new(1);
        let mut client = world.client();
        client.run(&world, &["BLPOP", "jobs", "0"]);
        let add = elsewhere(&world, |world| {
            world.client().run(world, &["ZADD", "jobs", "1", "not for lists"])
        });
        hang_up(&world, client);
        assert_eq!(there(add), ":1\r\n");
        assert_eq!(world.cache.registry.blocked.count().get(), 0);
        assert_eq!(world.client().run(&world, &["DEL", "jobs"]), ":1\r\n");
        assert_eq!(world.client().run(&world, &["RPUSH", "jobs", "a"]), ":1\r\n");
        assert_eq!(len(&world, "jobs"), ":1\r\n");
    });
}

/// An element that a transaction pushes and pops again is never visible to other clients.
#[test]
fn what_was_taken_back_is_not_served() {
    loom::model(|| {
        let world = World::new(1);
        let push = elsewhere(&world, |world| {
            let mut client = world.client();
            for words in [&["MULTI"][..], &["RPUSH", "jobs", "a"], &["LPOP", "jobs"], &["EXEC"]] {
                client.run(world, words);
            }
        });
        assert_eq!(wait_a_moment(&world, &["BLPOP", "jobs", "1"]), NOTHING);
        there(push);
        assert_eq!(len(&world, "jobs"), ":0\r\n");
        assert_eq!(world.cache.registry.blocked.count().get(), 0);
    });
}
