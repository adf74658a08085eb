//! Conversations about keys. The replies are those of Redis 7.0.15.

mod lifetime;
mod sort;
mod transfer;
mod walk;

use crate::commands::testing::Fixture;

#[test]
fn keys_are_there_or_not() {
    Fixture::new().check(
        r#"
        > SET a 1
        OK
        > SET b 2
        OK
        > EXISTS a a b c
        (integer) 3
        > TOUCH a c
        (integer) 1
        > TYPE a
        string
        > TYPE c
        none
        > RPUSH l x
        (integer) 1
        > SADD s x
        (integer) 1
        > HSET h f x
        (integer) 1
        > ZADD z 1 x
        (integer) 1
        > TYPE l
        list
        > TYPE s
        set
        > TYPE h
        hash
        > TYPE z
        zset
        > DEL a c a
        (integer) 1
        > UNLINK b l
        (integer) 2
        > DEL s h z none
        (integer) 3
        > DBSIZE
        (integer) 0
        > RANDOMKEY
        (nil)
        > SET only 1
        OK
        > RANDOMKEY
        "only"
        > KEYS *
        1) "only"
        > KEYS o?ly
        1) "only"
        > KEYS x*
        (empty array)
        > WAIT 0 10
        (integer) 0
        > WAIT x 10
        (error) ERR value is not an integer or out of range
        > WAIT 0 x
        (error) ERR timeout is not an integer or out of range
        > WAIT 0 -1
        (error) ERR timeout is negative
        "#,
    );
}

#[test]
fn what_a_value_is_made_of() {
    Fixture::new().check(
        r#"
        > SET short hello
        OK
        > SET number 12345
        OK
        > SET small 7
        OK
        > SET long xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        OK
        > APPEND short !
        (integer) 6
        > OBJECT ENCODING short
        "raw"
        > OBJECT ENCODING number
        "int"
        > OBJECT ENCODING long
        "raw"
        > OBJECT ENCODING none
        (nil)
        > OBJECT REFCOUNT small
        (integer) 2147483647
        > OBJECT REFCOUNT number
        (integer) 1
        > OBJECT REFCOUNT none
        (nil)
        > OBJECT IDLETIME short
        (integer) 0
        > OBJECT IDLETIME none
        (nil)
        > OBJECT FREQ none
        (nil)
        > OBJECT FREQ short
        (error) ERR An LFU maxmemory policy is not selected, access frequency not \
        tracked. Please note that when switching between policies at runtime LRU and \
        LFU data will take some time to adjust.
        > OBJECT ENCODING
        (error) ERR wrong number of arguments for 'object|encoding' command
        > OBJECT NOSUCH short
        (error) ERR unknown subcommand 'NOSUCH'. Try OBJECT HELP.
        "#,
    );
}

#[test]
fn idle_time_is_told() {
    let mut t = Fixture::new();
    t.run("SET k v");
    t.now.ms += 90_000;
    t.check(
        r#"
        > OBJECT IDLETIME k
        (integer) 90
        > EXISTS k
        (integer) 1
        > TYPE k
        string
        > TTL k
        (integer) -1
        > OBJECT IDLETIME k
        (integer) 90
        > TOUCH k
        (integer) 1
        > OBJECT IDLETIME k
        (integer) 0
        "#,
    );
}

#[test]
fn every_change_is_announced() {
    let mut t = Fixture::with(&[("notify-keyspace-events", "EAn")]);
    t.run("MSET a 1 b 2 c 3");
    for (line, events) in [
        ("DEL a none", "del a"),
        ("EXPIRE b 100", "expire b"),
        ("EXPIRE b 50 GT", ""),
        ("PERSIST b", "persist b"),
        ("PERSIST b", ""),
        ("EXPIRE b -1", "del b"),
        ("RENAME c d", "new d, rename_from c, rename_to d"),
        ("RENAME d d", ""),
        ("COPY d e", "new e, copy_to e"),
        ("COPY d e", ""),
        ("COPY d e REPLACE", "new e, copy_to e"),
        ("RENAME d e", "new e, rename_from d, rename_to e"),
        ("UNLINK e", "del e"),
        ("RPUSH l 2 1", "new l, rpush l"),
        ("SORT l STORE m", "new m, sortstore m"),
        ("SORT none STORE m", "del m"),
        ("SORT none STORE m", ""),
    ] {
        assert_eq!(t.events(line), events, "{line}");
    }
}
