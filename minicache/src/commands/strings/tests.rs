//! Conversations about strings. Every reply is that of Redis 7.0.15.

use crate::commands::testing::Fixture;

#[test]
fn the_conversation_of_the_head() {
    Fixture::new().check(
        r#"
        > SET greeting hello EX 60
        OK
        > APPEND greeting " world"
        (integer) 11
        > GETRANGE greeting -5 -1
        "world"
        > SETRANGE greeting 6 Redis
        (integer) 11
        > SET greeting hi KEEPTTL GET
        "hello Redis"
        > TTL greeting
        (integer) 60
        "#,
    );
}

#[test]
fn set_obeys_its_conditions() {
    Fixture::new().check(
        r#"
        > SET k one NX
        OK
        > SET k two nx
        (nil)
        > SET none two XX
        (nil)
        > SET k three xx get
        "one"
        > SET k four NX GET
        "three"
        > SET fresh value NX GET
        (nil)
        > GET k
        "three"
        > RPUSH l a
        (integer) 1
        > SET l text GET
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SET l text
        OK
        > SET k v NX XX
        (error) ERR syntax error
        > SET k v EX 10 PX 10
        (error) ERR syntax error
        > SET k v KEEPTTL EX 10
        (error) ERR syntax error
        > SET k v EX 10 EX 20
        OK
        > TTL k
        (integer) 20
        > SET k v PERSIST
        (error) ERR syntax error
        > SET k v EX
        (error) ERR syntax error
        > SET k v EX ten
        (error) ERR value is not an integer or out of range
        > SET k v EX 0
        (error) ERR invalid expire time in 'set' command
        > SET k v PX 9223372036854775807
        (error) ERR invalid expire time in 'set' command
        > SETEX k -1 v
        (error) ERR invalid expire time in 'setex' command
        > SETEX k 9223372036854775807 v
        (error) ERR invalid expire time in 'setex' command
        > PSETEX k 0 v
        (error) ERR invalid expire time in 'psetex' command
        "#,
    );
}

#[test]
fn deadlines_are_set_kept_and_ended() {
    Fixture::new().check(
        r#"
        > SET k v PXAT 4102444800000
        OK
        > SET k w KEEPTTL
        OK
        > PEXPIRETIME k
        (integer) 4102444800000
        > SET k v
        OK
        > TTL k
        (integer) -1
        > SETEX k 100 v
        OK
        > TTL k
        (integer) 100
        > PSETEX k 100000 v
        OK
        > GETEX k
        "v"
        > TTL k
        (integer) 100
        > GETEX k PERSIST
        "v"
        > TTL k
        (integer) -1
        > GETEX k exat 4102444800
        "v"
        > EXPIRETIME k
        (integer) 4102444800
        > GETEX k EX 0
        (error) ERR invalid expire time in 'getex' command
        > GETEX none EX 0
        (nil)
        > GETEX k KEEPTTL
        (error) ERR syntax error
        > GETEX k PERSIST EX 1
        (error) ERR syntax error
        > GETEX k PXAT 1
        "v"
        > EXISTS k
        (integer) 0
        > SET gone v EXAT 1
        OK
        > GET gone
        (nil)
        "#,
    );
}

#[test]
fn several_keys_at_once() {
    Fixture::new().check(
        r#"
        > MSET a 1 b two a 3
        OK
        > RPUSH l x
        (integer) 1
        > MGET a none l b
        1) "3"
        2) (nil)
        3) (nil)
        4) "two"
        > MSETNX c 1 a 1
        (integer) 0
        > MSETNX c 1 c 2
        (integer) 1
        > GETSET c 5
        "2"
        > GETDEL c
        "5"
        > GETDEL c
        (nil)
        > SETNX c 6
        (integer) 1
        > SETNX l 6
        (integer) 0
        > MSET a 1 b
        (error) ERR wrong number of arguments for 'mset' command
        > MSETNX a 1 b
        (error) ERR wrong number of arguments for 'msetnx' command
        "#,
    );
}

#[test]
fn parts_of_a_string() {
    Fixture::new().check(
        r#"
        > SET n 12345
        OK
        > GETRANGE n 1 -2
        "234"
        > SUBSTR n -2 100
        "45"
        > GETRANGE n -1 -3
        ""
        > GETRANGE n 0 -100
        "1"
        > GETRANGE n -9223372036854775808 9223372036854775807
        "12345"
        > GETRANGE none 0 1
        ""
        > SETRANGE n 7 x
        (integer) 8
        > GET n
        "12345\x00\x00x"
        > SETRANGE none 5 ""
        (integer) 0
        > SETRANGE n 1 ""
        (integer) 8
        > SETRANGE n -1 x
        (error) ERR offset is out of range
        > SETRANGE n 536870912 x
        (error) ERR string exceeds maximum allowed size (proto-max-bulk-len)
        > SETRANGE n 9223372036854775807 x
        (error) ERR string exceeds maximum allowed size (proto-max-bulk-len)
        > EXISTS none
        (integer) 0
        > APPEND empty ""
        (integer) 0
        > EXISTS empty
        (integer) 1
        > STRLEN n
        (integer) 8
        > STRLEN none
        (integer) 0
        "#,
    );
}

#[test]
fn counting() {
    Fixture::new().check(
        r#"
        > INCR n
        (integer) 1
        > DECRBY n -9223372036854775807
        (error) ERR increment or decrement would overflow
        > INCRBY n 9223372036854775806
        (integer) 9223372036854775807
        > INCR n
        (error) ERR increment or decrement would overflow
        > DECRBY n -9223372036854775808
        (error) ERR decrement would overflow
        > INCRBY n 1.5
        (error) ERR value is not an integer or out of range
        > SET n 3
        OK
        > INCRBYFLOAT n 0.1
        "3.1"
        > INCR n
        (error) ERR value is not an integer or out of range
        > INCRBYFLOAT n -0.1
        "3"
        > DECR n
        (integer) 2
        > INCRBYFLOAT n x
        (error) ERR value is not a valid float
        > INCRBYFLOAT n inf
        (error) ERR increment would produce NaN or Infinity
        > SET n " 1"
        OK
        > INCR n
        (error) ERR value is not an integer or out of range
        > INCRBYFLOAT n 1
        (error) ERR value is not a valid float
        > SET n 1 EX 100
        OK
        > INCR n
        (integer) 2
        > INCRBYFLOAT n 1.5
        "3.5"
        > TTL n
        (integer) 100
        "#,
    );
}

#[test]
fn the_longest_common_subsequence() {
    Fixture::new().check(
        r#"
        > MSET one ohmytext other mynewtext
        OK
        > LCS one other
        "mytext"
        > LCS one other LEN
        (integer) 6
        > LCS one other IDX WITHMATCHLEN
        1) "matches"
        2) 1) 1) 1) (integer) 4
        2) (integer) 7
        2) 1) (integer) 5
        2) (integer) 8
        3) (integer) 4
        2) 1) 1) (integer) 2
        2) (integer) 3
        2) 1) (integer) 0
        2) (integer) 1
        3) (integer) 2
        3) "len"
        4) (integer) 6
        > LCS one other idx minmatchlen 4
        1) "matches"
        2) 1) 1) 1) (integer) 4
        2) (integer) 7
        2) 1) (integer) 5
        2) (integer) 8
        3) "len"
        4) (integer) 6
        > LCS one none
        ""
        > LCS one other LEN IDX
        (error) ERR If you want both the length and indexes, please just use IDX.
        > LCS one other MINMATCHLEN
        (error) ERR syntax error
        > LCS one other MINMATCHLEN x
        (error) ERR value is not an integer or out of range
        > RPUSH l a
        (integer) 1
        > LCS none l
        (error) ERR The specified keys must contain string values
        > SETRANGE long 20000 x
        (integer) 20001
        > LCS long long
        (error) ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len
        "#,
    );
}

#[test]
fn encodings_follow_what_was_done() {
    let mut t = Fixture::new();
    let mut expect = |command: &str, encoding: &str| {
        t.run(command);
        assert_eq!(t.encoding("k"), Some(encoding), "{command}");
    };
    expect("SET k 12", "int");
    expect("INCRBYFLOAT k 1", "embstr");
    expect("INCR k", "int");
    expect("APPEND k 1", "raw");
    expect("GETSET k 1", "int");
    expect("SETRANGE k 0 2", "raw");
    expect("SET k 0123456789012345678901234567890123456789abcd", "embstr");
    expect("SET k 0123456789012345678901234567890123456789abcde", "raw");
}

#[test]
fn every_change_is_announced() {
    let mut t = Fixture::with(&[("notify-keyspace-events", "EA")]);
    let mut expect = |command: &str, announced: &str| {
        assert_eq!(t.events(command), announced, "{command}");
    };
    expect("SET k v", "set k");
    expect("SET k v EX 10", "set k, expire k");
    expect("SET k v KEEPTTL", "set k");
    expect("SET k v NX", "");
    expect("GETEX k PERSIST", "persist k");
    expect("GETEX k PERSIST", "");
    expect("GETEX k PX 1000", "expire k");
    expect("GETEX k EXAT 1", "del k");
    expect("MSET a 1 b 2", "set a, set b");
    expect("INCR a", "incrby a");
    expect("INCRBYFLOAT a 0.5", "incrbyfloat a");
    expect("APPEND a x", "append a");
    expect("SETRANGE a 0 x", "setrange a");
    expect("SETRANGE a 0 \"\"", "");
    expect("GETDEL a", "del a");
    expect("GETDEL a", "");
    expect("PSETEX a 1 x", "set a, expire a");
}
