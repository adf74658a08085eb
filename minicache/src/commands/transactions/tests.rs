//! Conversations about transactions. Every reply is that of Redis 7.0.15.

use crate::commands::testing::{Fixture, show};
use crate::commands::{Executor, session::Session};
use crate::engine::keyspace::Keyspace;
use crate::format::words;
use crate::wire::{reply::Reply, request::OwnedArgs};
use std::thread;

#[test]
fn a_queue_is_executed_or_discarded() {
    Fixture::new().check(
        r#"
        > MULTI
        OK
        > SET k v
        QUEUED
        > GET k
        QUEUED
        > LPUSH k x
        QUEUED
        > GET none
        QUEUED
        > EXEC
        1) OK
        2) "v"
        3) (error) WRONGTYPE Operation against a key holding the wrong kind of value
        4) (nil)
        > MULTI
        OK
        > SET k w
        QUEUED
        > DISCARD
        OK
        > GET k
        "v"
        > MULTI
        OK
        > EXEC
        (empty array)
        "#,
    );
}

#[test]
fn the_order_matters() {
    Fixture::new().check(
        r#"
        > EXEC
        (error) ERR EXEC without MULTI
        > DISCARD
        (error) ERR DISCARD without MULTI
        > MULTI
        OK
        > MULTI
        (error) ERR MULTI calls can not be nested
        > WATCH k
        (error) ERR WATCH inside MULTI is not allowed
        > UNWATCH
        QUEUED
        > EXEC
        1) OK
        "#,
    );
}

#[test]
fn what_cannot_be_queued_spoils_the_transaction() {
    let mut t = Fixture::new();
    for (command, error) in [
        ("SET k", "ERR wrong number of arguments for 'set' command"),
        ("NOSUCH", "ERR unknown command 'NOSUCH', with args beginning with: "),
        ("SAVE", "ERR Command not allowed inside a transaction"),
    ] {
        assert_eq!(t.run("MULTI"), "OK");
        assert_eq!(t.run("SET k v"), "QUEUED");
        assert_eq!(t.run(command), format!("(error) {error}"));
        assert_eq!(t.run("SET k w"), "QUEUED");
        let aborted = "(error) EXECABORT Transaction discarded because of previous errors.";
        assert_eq!(t.run("EXEC"), aborted);
        assert_eq!(t.run("GET k"), "(nil)");
    }
}

#[test]
fn an_exec_that_is_refused_ends_the_transaction() {
    let aborted = "(error) EXECABORT Transaction discarded because of: ";
    let mut t = Fixture::new();
    t.run("MULTI");
    t.run("SET k v");
    let arity = "wrong number of arguments for 'exec' command";
    assert_eq!(t.run("EXEC now"), format!("{aborted}{arity}"));
    assert_eq!(t.run("GET k"), "(nil)");
    assert_eq!(t.run("EXEC now"), format!("{aborted}{arity}"));

    let oom = "OOM command not allowed when used memory > 'maxmemory'.";
    t.run("MULTI");
    t.run("SET k v");
    t.run_as("other", "CONFIG SET maxmemory 1");
    assert_eq!(t.run("EXEC"), format!("{aborted}{oom}"));
    // Queuing takes memory, so even a command that only reads is refused.
    t.run("MULTI");
    assert_eq!(t.run("GET k"), format!("(error) {oom}"));
    assert_eq!(t.run("DISCARD"), "OK");
    t.run_as("other", "CONFIG SET maxmemory 0");
    t.run("MULTI");
    t.run("GET k");
    t.run_as("other", "CONFIG SET maxmemory 1");
    assert_eq!(t.run("EXEC"), "1) (nil)");
}

#[test]
fn a_change_to_a_watched_key_stops_exec_once() {
    Fixture::new().check(
        r#"
        > SET k 1
        OK
        > WATCH k other k
        OK
        b> SET k 2
        OK
        > MULTI
        OK
        > SET k 3
        QUEUED
        > EXEC
        (nil)
        > MULTI
        OK
        > GET k
        QUEUED
        > EXEC
        1) "2"
        > WATCH k
        OK
        b> SET else 1
        OK
        > MULTI
        OK
        > EXEC
        (empty array)
        > WATCH k
        OK
        b> SET k 4
        OK
        > UNWATCH
        OK
        > MULTI
        OK
        > EXEC
        (empty array)
        > WATCH k
        OK
        b> SET k 5
        OK
        > MULTI
        OK
        > DISCARD
        OK
        > MULTI
        OK
        > EXEC
        (empty array)
        "#,
    );
}

#[test]
fn a_watched_key_is_watched_where_it_is() {
    Fixture::new().check(
        r#"
        > WATCH k
        OK
        b> SELECT 1
        OK
        b> SET k elsewhere
        OK
        > MULTI
        OK
        > EXEC
        (empty array)
        > WATCH k
        OK
        > SELECT 1
        OK
        > WATCH k
        OK
        > SELECT 2
        OK
        b> SET k again
        OK
        > MULTI
        OK
        > EXEC
        (nil)
        "#,
    );
}

#[test]
fn death_of_a_watched_key_is_a_change_unless_it_was_dead() {
    let mut t = Fixture::new();
    for (waits_before_ms, waits_after_ms, reply) in
        [(0, 50, "(empty array)"), (0, 200, "(nil)"), (200, 200, "(empty array)")]
    {
        t.run("HSET h f v");
        expire(&mut t, 0, "h", 100);
        t.now.ms += waits_before_ms;
        assert_eq!(t.run("WATCH h"), "OK");
        t.now.ms += waits_after_ms;
        t.run("MULTI");
        assert_eq!(t.run("EXEC"), reply);
        t.now.ms += 1000;
    }
}

/// Exchanging databases changes a watched key unless there was none before and is none after; the
/// dead do not count.
#[test]
fn exchanged_databases_are_changes_where_a_key_lives() {
    for (here, there, reply) in [
        ("none", "none", "(empty array)"),
        ("none", "dead", "(empty array)"),
        ("dead", "dead", "(empty array)"),
        ("none", "alive", "(nil)"),
        ("dead", "alive", "(nil)"),
        ("alive", "none", "(nil)"),
        ("dying", "none", "(nil)"),
    ] {
        let mut t = Fixture::new();
        for (db, state) in [(1, there), (0, here)] {
            t.run(&format!("SELECT {db}"));
            if state != "none" {
                t.run("SET k v");
            }
            let deadlines_ms = [("dead", 10), ("dying", 30)];
            if let Some((_, in_ms)) = deadlines_ms.iter().find(|(name, _)| *name == state) {
                expire(&mut t, db, "k", *in_ms);
            }
        }
        t.now.ms += 20;
        t.run("WATCH k");
        t.now.ms += 20;
        assert_eq!(t.run("SWAPDB 0 1"), "OK");
        t.run("MULTI");
        assert_eq!(t.run("EXEC"), reply, "{here} here, {there} there");
    }
}

fn expire(t: &mut Fixture, db: usize, key: &str, in_ms: i64) {
    let config = t.cache.config.snapshot();
    let parts = t.cache.parts(&t.cache.stats.counters[0], &config.tuning);
    let mut keyspace = Keyspace::new(parts, t.now);
    keyspace.lock_all();
    keyspace.db = db;
    keyspace.set_deadline(keyspace.key(key.as_bytes()), Some(t.now.ms + in_ms));
}

#[test]
fn the_conversation_goes_on_inside() {
    let mut t = Fixture::new();
    t.check(
        r#"
        > SET k here
        OK
        > MULTI
        OK
        > SELECT 1
        QUEUED
        > GET k
        QUEUED
        > SET k there
        QUEUED
        > SELECT 0
        QUEUED
        > GET k
        QUEUED
        > SELECT 1
        QUEUED
        > EXEC
        1) OK
        2) (nil)
        3) OK
        4) OK
        5) "here"
        6) OK
        > GET k
        "there"
        "#,
    );
    t.run("HSET h f v");
    t.run("MULTI");
    t.run("HELLO 3");
    t.run("HGETALL h");
    assert!(t.run("EXEC").ends_with("\n2) 1# \"f\" => \"v\""));
}

/// A command that would wait answers as if its time were up; one that fills a list serves others.
#[test]
fn nobody_waits_inside() {
    Fixture::new().check(
        r#"
        b> BLPOP list 0
        (waits)
        > MULTI
        OK
        > BLPOP nothing 0
        QUEUED
        > RPUSH list x
        QUEUED
        > LLEN list
        QUEUED
        > EXEC
        1) (nil)
        2) (integer) 1
        3) (integer) 1
        b< 1) "list"
        2) "x"
        > LLEN list
        (integer) 0
        "#,
    );
}

/// Commands about all keys are among those whose shards are locked before the first one runs.
#[test]
fn all_keys_can_be_meant() {
    Fixture::new().check(
        r#"
        > MULTI
        OK
        > SET k v
        QUEUED
        > DBSIZE
        QUEUED
        > FLUSHALL
        QUEUED
        > DBSIZE
        QUEUED
        > SET k v
        QUEUED
        > EXEC
        1) OK
        2) (integer) 1
        3) OK
        4) (integer) 0
        5) OK
        "#,
    );
}

/// Two threads move a unit from one hash to another, over and over; a third never sees it on the
/// way.
#[test]
fn nobody_sees_a_state_in_between() {
    const MOVES: usize = 2000;
    let t = Fixture::new();
    let converse = |commands: &[&str], times: usize, check: &dyn Fn(String)| {
        let config = t.cache.config.snapshot();
        let mut executor =
            Executor::new(&t.cache, &t.cache.stats.counters[0], &config, t.now, || 0);
        let client = t.cache.registry.clients.enter(String::new(), String::new(), 0);
        let mut session = Session::new(client, true);
        for _ in 0..times {
            for command in commands {
                let args: OwnedArgs = words::split(command.as_bytes()).unwrap().iter().collect();
                let mut out = Reply::default();
                executor.execute(&mut session, args.as_args(), &mut out);
                check(show(out.bytes()));
            }
            executor.keyspace.release();
        }
    };
    let moves = ["MULTI", "HINCRBY a f -1", "HLEN c", "HINCRBY b f 1", "EXEC"];
    let looks = ["MULTI", "HINCRBY a f 0", "HINCRBY b f 0", "EXEC"];
    thread::scope(|scope| {
        scope.spawn(|| converse(&moves, MOVES, &|_| ()));
        scope.spawn(|| converse(&moves, MOVES, &|_| ()));
        scope.spawn(|| {
            converse(&looks, MOVES, &|reply| {
                let numbers = reply.lines().filter_map(|line| line.split_once("(integer) "));
                let sum: i64 = numbers.map(|(_, number)| number.parse::<i64>().unwrap()).sum();
                assert_eq!(sum, 0, "{reply}");
            });
        });
    });
    converse(&["HGET b f"], 1, &|reply| assert_eq!(reply, format!("\"{}\"", 2 * MOVES)));
}
