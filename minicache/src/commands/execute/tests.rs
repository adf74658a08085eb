//! A command hashes each of its keys once, on one shard and on several.

use crate::commands::testing::Fixture;
use crate::engine::hashing::tests::KEYS_HASHED;

/// How many keys a command hashes.
fn hashes(fixture: &mut Fixture, line: &str) -> usize {
    let before = KEYS_HASHED.get();
    fixture.run(line);
    KEYS_HASHED.get() - before
}

#[test]
fn a_command_hashes_each_of_its_keys_once() {
    for shards in [1, 16] {
        let mut fixture = Fixture::sharded(shards, &[]);
        let long = "x".repeat(100);
        for line in [
            "SET k v",
            "GET k",
            "GET missing",
            // The next four move the entry: to a slot with a deadline, of another size, to the
            // heap and back.
            "SET k v EX 100",
            "PERSIST k",
            &format!("SET k {long}"),
            "SET k 1 XX GET",
            "INCR k",
            "GETSET k v",
            "APPEND k w",
            "EXPIRE k 100",
            "GETDEL k",
            "LPUSH list a b c",
            "LPOP list 3",
            "HSET hash field value",
            "ZADD zset 1 member",
            "DEL zset",
        ] {
            assert_eq!(hashes(&mut fixture, line), 1, "{line}, {shards} shards");
        }

        fixture.run("MULTI");
        fixture.run("SET a 1");
        fixture.run("SET b 2 EX 100");
        assert_eq!(hashes(&mut fixture, "EXEC"), 2, "{shards} shards");
    }
}

#[test]
fn on_one_shard_a_command_hashes_several_keys_once_each() {
    let mut fixture = Fixture::sharded(1, &[]);
    for line in ["MSET a 1 b 2 c 3", "MGET a b c", "DEL a b c"] {
        assert_eq!(hashes(&mut fixture, line), 3, "{line}");
    }
    fixture.run("MULTI");
    fixture.run("MSET a 1 b 2 c 3");
    assert_eq!(hashes(&mut fixture, "EXEC"), 3);
}
