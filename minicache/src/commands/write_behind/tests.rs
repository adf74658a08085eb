//! Commands on bound keys, and what the queue has then.

use crate::commands::testing::Fixture;
use crate::engine::eviction::evict_one;
use minicache_write_behind::{Failure, Options, WriteBehind, service::Bound};
use minikit::storage::SimulatedDisk;
use std::sync::Arc;

/// Keys that begin with `user:` are bound.
fn fixture(parameters: &[(&str, &str)]) -> Fixture {
    let fixture = Fixture::with(parameters);
    let disk = Arc::new(SimulatedDisk::new(1));
    let queue = WriteBehind::open(disk, Options::default(), 0).unwrap();
    let bound = Bound { prefixes: vec![b"user:".to_vec()], queue: Arc::new(queue) };
    assert!(fixture.cache.shards.bound.set(bound).is_ok());
    fixture
}

/// What waits in the queue for a key.
fn waits(fixture: &Fixture, key: &str) -> Option<Option<String>> {
    let value = fixture.cache.shards.bound.get().unwrap().queue.newest(key.as_bytes())?;
    Some(value.map(|it| String::from_utf8(it.to_vec()).unwrap()))
}

#[test]
fn every_change_of_a_bound_key_is_submitted() {
    let mut fixture = fixture(&[]);
    let text = |text: &str| Some(Some(text.to_string()));
    for (command, key, waiting) in [
        ("SET user:1 Ada", "user:1", text("Ada")),
        ("APPEND user:1 !", "user:1", text("Ada!")),
        ("MSET user:2 a other b user:3 c", "user:3", text("c")),
        ("SET user:2 x NX", "user:2", text("a")),
        ("INCR user:n", "user:n", text("1")),
        ("EVAL \"return redis.call('incr', KEYS[1])\" 1 user:n", "user:n", text("2")),
        ("GETDEL user:1", "user:1", Some(None)),
        ("DEL user:absent", "user:absent", Some(None)),
        ("SET other 1", "other", None),
        ("GET user:none", "user:none", None),
    ] {
        fixture.run(command);
        assert_eq!(waits(&fixture, key), waiting, "{command}");
    }
    fixture.check(
        "
        > MULTI
        OK
        > SET user:1 a
        QUEUED
        > SET user:1 b
        QUEUED
        > EXEC
        1) OK
        2) OK
    ",
    );
    assert_eq!(waits(&fixture, "user:1"), text("b"));
}

#[test]
fn what_a_table_cannot_have_is_refused() {
    let mut fixture = fixture(&[]);
    fixture.run("RPUSH list a");
    for command in [
        "LPUSH user:1 a",
        "SET user:1 a EX 10",
        "SETEX user:1 10 a",
        "EXPIRE user:1 10",
        "RENAME list user:1",
        "COPY list user:1",
        "SORT list STORE user:1",
    ] {
        let reply = fixture.run(command);
        assert!(reply.contains("binds this key to a table"), "{command}: {reply}");
    }
    for command in ["FLUSHALL", "FLUSHDB ASYNC", "SWAPDB 0 1"] {
        assert!(fixture.run(command).contains("not supported with write-behind"), "{command}");
    }
    assert_eq!(fixture.run("SET user:1 EX"), "OK", "a value is no option");
    assert_eq!(fixture.run("SET other a EX 10"), "OK");
    fixture.run("SELECT 1");
    assert!(fixture.run("SET user:1 a").contains("in database 0"));
    assert_eq!(waits(&fixture, "user:1"), Some(Some("EX".to_string())));
}

#[test]
fn too_many_rejected_rows_are_an_error_and_no_wait() {
    let mut fixture = fixture(&[]);
    let queue = Arc::clone(&fixture.cache.shards.bound.get().unwrap().queue);
    queue.submit(b"user:1", Some(vec![255_u8; 17 << 20].into()));
    queue.close();
    queue.work(|_| Err(Failure::Rejected)).unwrap();
    assert!(queue.awaited(true).is_none(), "no reply waits for what is rejected");
    let reply = fixture.run("SET user:2 a");
    assert!(reply.contains("too many rejected rows"), "{reply}");
    assert_eq!(fixture.run("GET user:2"), "(nil)");
    fixture.run("DEL user:1");
    assert_eq!(fixture.run("SET user:2 a"), "OK");
}

#[test]
fn an_evicted_key_that_waits_is_read_from_the_queue() {
    let mut fixture = fixture(&[("maxmemory", "1"), ("maxmemory-policy", "allkeys-random")]);
    let evict = |fixture: &Fixture| {
        let config = fixture.cache.config.snapshot();
        evict_one(&fixture.cache.shards, &config.tuning, fixture.now, &mut 0).unwrap();
    };
    fixture.cache.config.change(|config| config.put("maxmemory", &[b"0"]).unwrap());
    fixture.run("SET user:1 5");
    for (command, reply) in [
        ("GET user:1", "\"5\""),
        ("INCR user:1", "(integer) 6"),
        ("MGET user:1", "1) \"6\""),
        ("EXISTS user:1", "(integer) 1"),
        ("DEL user:1", "(integer) 1"),
    ] {
        evict(&fixture);
        assert_eq!(fixture.run("DBSIZE"), "(integer) 0");
        assert_eq!(fixture.run(command), reply, "{command}");
    }
    assert_eq!(fixture.run("GET user:1"), "(nil)", "a delete that waits is no value");
}
