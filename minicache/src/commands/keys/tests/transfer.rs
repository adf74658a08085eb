//! Values go to other keys and databases.

use crate::commands::testing::Fixture;

#[test]
fn a_value_takes_its_deadline_to_another_key() {
    Fixture::new().check(
        r#"
        > SET a 1 EX 100
        OK
        > RENAME a b
        OK
        > EXISTS a
        (integer) 0
        > GET b
        "1"
        > TTL b
        (integer) 100
        > SET c 3
        OK
        > RENAMENX b c
        (integer) 0
        > RENAME c b
        OK
        > TTL b
        (integer) -1
        > RENAME b b
        OK
        > RENAMENX b b
        (integer) 0
        > RENAME none none
        (error) ERR no such key
        > RENAMENX none b
        (error) ERR no such key
        "#,
    );
}

#[test]
fn a_copy_needs_a_free_place_or_replaces() {
    Fixture::new().check(
        r#"
        > SET b 3
        OK
        > COPY b d
        (integer) 1
        > COPY b d
        (integer) 0
        > SET b 4
        OK
        > COPY b d REPLACE
        (integer) 1
        > GET d
        "4"
        > COPY b b
        (error) ERR source and destination objects are the same
        > COPY b b DB 1
        (integer) 1
        > COPY b e DB 1 REPLACE
        (integer) 1
        > COPY none d
        (integer) 0
        > COPY b d DB x
        (error) ERR value is not an integer or out of range
        > COPY b d DB 99
        (error) ERR DB index is out of range
        > COPY b d DB 99999999999
        (error) ERR value is out of range, value must between -2147483648 and 2147483647
        > COPY b d DB
        (error) ERR syntax error
        > COPY b d REPLACES
        (error) ERR syntax error
        "#,
    );
}

#[test]
fn a_key_moves_where_there_is_none_like_it() {
    Fixture::new().check(
        r#"
        > SET b 4
        OK
        > COPY b d
        (integer) 1
        > COPY b b DB 1
        (integer) 1
        > MOVE d 1
        (integer) 1
        > EXISTS d
        (integer) 0
        > MOVE none 1
        (integer) 0
        > MOVE b 1
        (integer) 0
        > MOVE b 0
        (error) ERR source and destination objects are the same
        > MOVE b x
        (error) ERR value is not an integer or out of range
        > MOVE b 16
        (error) ERR DB index is out of range
        > SELECT 1
        OK
        > GET d
        "4"
        > KEYS d
        1) "d"
        > SELECT 0
        OK
        "#,
    );
}

#[test]
fn a_copied_list_is_another_list() {
    Fixture::new().check(
        r#"
        > RPUSH l 1 2 3
        (integer) 3
        > COPY l m
        (integer) 1
        > RPUSH m 4
        (integer) 4
        > LRANGE l 0 -1
        1) "1"
        2) "2"
        3) "3"
        > LRANGE m 0 -1
        1) "1"
        2) "2"
        3) "3"
        4) "4"
        "#,
    );
}

#[test]
fn a_list_moves_with_its_deadline() {
    Fixture::new().check(
        r#"
        > RPUSH l 1 2 3
        (integer) 3
        > EXPIRE l 100
        (integer) 1
        > MOVE l 2
        (integer) 1
        > SELECT 2
        OK
        > TTL l
        (integer) 100
        > LRANGE l 0 -1
        1) "1"
        2) "2"
        3) "3"
        "#,
    );
}

#[test]
fn databases_are_exchanged() {
    Fixture::new().check(
        r#"
        > SELECT 1
        OK
        > SET d 4
        OK
        > SELECT 2
        OK
        > SWAPDB 1 2
        OK
        > GET d
        "4"
        > SWAPDB 1 99
        (error) ERR DB index is out of range
        > SWAPDB x 1
        (error) ERR invalid first DB index
        > SWAPDB 99 y
        (error) ERR invalid second DB index
        "#,
    );
}

#[test]
fn what_arrives_is_waited_for() {
    Fixture::new().check(
        r#"
        a> BLPOP one 0
        (waits)
        b> BZPOPMIN two 0
        (waits)
        > RPUSH other x
        (integer) 1
        > ZADD scores 1 m
        (integer) 1
        > RENAME other one
        OK
        a< 1) "one"
        2) "x"
        > COPY scores two
        (integer) 1
        b< 1) "two"
        2) "m"
        3) "1"
        > EXISTS one two scores
        (integer) 1
        a> BLPOP sorted 0
        (waits)
        > SORT scores BY nosort STORE sorted
        (integer) 1
        a< 1) "sorted"
        2) "m"
        b> BLPOP moved 0
        (waits)
        > SELECT 1
        OK
        > RPUSH moved y
        (integer) 1
        > MOVE moved 0
        (integer) 1
        b< 1) "moved"
        2) "y"
        "#,
    );
}

/// A copy of each kind of value is as good as the original, and has a life of its own.
#[test]
fn copies_are_independent() {
    for packed_max in ["0", "128"] {
        let limits = ["zset-max-listpack-entries", "hash-max-listpack-entries"];
        let mut t = Fixture::with(&limits.map(|name| (name, packed_max)));
        for (fill, change, look) in [
            ("SET k hello", "APPEND k x", "GET k"),
            ("APPEND k hello", "SETRANGE k 1 x", "GET k"),
            ("RPUSH k a b c", "LPOP k", "LRANGE k 0 -1"),
            ("HSET k a 1 b 2 c 3", "HDEL k b", "HGETALL k"),
            ("SADD k 1 2 3", "SREM k 2", "SMEMBERS k"),
            ("SADD k a b c", "SREM k b", "SMEMBERS k"),
            ("ZADD k 1 a 2 b 3 c", "ZADD k 9 a", "ZRANGE k 0 -1 WITHSCORES"),
        ] {
            t.run("FLUSHALL");
            t.run(fill);
            let before = t.run(look);
            assert_eq!(t.run("COPY k copy"), "(integer) 1", "{fill}");
            assert_eq!(t.encoding("copy"), t.encoding("k"), "{fill}");
            t.run(change);
            assert_ne!(t.run(look), before, "{change}");
            assert_eq!(t.run("RENAME copy k"), "OK");
            assert_eq!(t.run(look), before, "{fill}");
        }
    }
}

#[test]
fn what_is_known_of_a_key_moves_with_it() {
    let mut t = Fixture::with(&[("maxmemory-policy", "allkeys-lfu"), ("lfu-log-factor", "0")]);
    t.run("SET k v");
    (0..50).for_each(|_| assert_eq!(t.run("TOUCH k"), "(integer) 1"));
    t.run("RENAME k other");
    // 5 to begin with, 50 touches, and one for the renaming.
    assert_eq!(t.run("OBJECT FREQ other"), "(integer) 56");
    t.run("COPY other copy");
    assert_eq!(t.run("OBJECT FREQ copy"), "(integer) 5");
    assert!(t.run("OBJECT IDLETIME copy").starts_with("(error) ERR An LFU maxmemory policy is"));
}

#[test]
fn a_database_has_a_number_of_32_bits() {
    let range = "value is out of range, value must between -2147483648 and 2147483647";
    let mut t = Fixture::new();
    assert_eq!(t.run("SELECT 2147483647"), "(error) ERR DB index is out of range");
    assert_eq!(t.run("SELECT 2147483648"), format!("(error) ERR {range}"));
    assert_eq!(t.run("SELECT x"), "(error) ERR value is not an integer or out of range");
}

#[test]
fn a_float_stays_text_wherever_it_goes() {
    let mut t = Fixture::new();
    t.run("INCRBYFLOAT a 2");
    t.run("COPY a b");
    t.run("RENAME a c");
    assert_eq!((t.encoding("b"), t.encoding("c")), (Some("embstr"), Some("embstr")));
    t.run("SET a 2");
    t.run("COPY a b REPLACE");
    assert_eq!(t.encoding("b"), Some("int"));
}
