//! One sorted set: members come, change and go, and are asked about.

use crate::commands::testing::{Fixture, words};
use crate::conf::Config;
use crate::wire::reply::Protocol;
use std::collections::BTreeSet;

#[test]
fn members_come_change_and_go() {
    Fixture::new().check(
        r#"
        > ZADD board 310 ada 250 bob 310 cyd
        (integer) 3
        > ZADD board 310 ada 251 bob
        (integer) 0
        > ZADD board CH 310 ada 252 bob
        (integer) 1
        > ZADD board NX 1 ada 2 dan
        (integer) 1
        > ZADD board GT CH 300 ada 400 bob
        (integer) 1
        > ZADD board LT CH 300 ada 500 bob 9 eve
        (integer) 2
        > ZADD board XX CH 1 nobody 301 ada
        (integer) 1
        > ZADD board XX INCR 5 nobody
        (nil)
        > ZADD board NX INCR 5 ada
        (nil)
        > ZADD board GT INCR -5 ada
        (nil)
        > ZADD board XX INCR 5.5 ada
        "306.5"
        > ZADD none XX 1 a
        (integer) 0
        > EXISTS none
        (integer) 0
        > ZINCRBY board 100 dan
        "102"
        > ZINCRBY board -inf dan
        "-inf"
        > ZADD board INCR +inf dan
        (error) ERR resulting score is not a number (NaN)
        > ZSCORE board dan
        "-inf"
        > ZCARD board
        (integer) 5
        > ZREM board dan nobody eve
        (integer) 2
        > ZRANGE board 0 -1 WITHSCORES
        1) "ada"
        2) "306.5"
        3) "cyd"
        4) "310"
        5) "bob"
        6) "400"
        > ZREM board ada bob cyd ada
        (integer) 3
        > EXISTS board
        (integer) 0
        > ZREM board ada
        (integer) 0
        "#,
    );
}

#[test]
fn what_zadd_refuses() {
    Fixture::new().check(
        r#"
        > SET text x
        OK
        > ZADD text 1 a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZADD text one a
        (error) ERR value is not a valid float
        > ZADD text 1
        (error) ERR wrong number of arguments for 'zadd' command
        > ZADD text 1 a 2
        (error) ERR syntax error
        > ZADD text NX XX 1 a
        (error) ERR XX and NX options at the same time are not compatible
        > ZADD text NX GT 1 a
        (error) ERR GT, LT, and/or NX options at the same time are not compatible
        > ZADD text GT LT 1 a
        (error) ERR GT, LT, and/or NX options at the same time are not compatible
        > ZADD text INCR 1 a 2 b
        (error) ERR INCR option supports a single increment-element pair
        > ZADD text NX CH
        (error) ERR syntax error
        > ZADD new 1 a nan b
        (error) ERR value is not a valid float
        > EXISTS new
        (integer) 0
        > ZINCRBY new x a
        (error) ERR value is not a valid float
        > ZINCRBY new NX 1
        (error) ERR syntax error
        > ZREM text a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

/// A sorted set of three.
fn board() -> Fixture {
    let mut t = Fixture::new();
    t.run("ZADD board 250 bob 310 ada 310.5 cyd");
    t
}

#[test]
fn scores_and_ranks_are_looked_up() {
    board().check(
        r#"
        > ZCARD board
        (integer) 3
        > ZCARD none
        (integer) 0
        > ZSCORE board cyd
        "310.5"
        > ZSCORE board nobody
        (nil)
        > ZSCORE none bob
        (nil)
        > ZMSCORE board ada nobody bob
        1) "310"
        2) (nil)
        3) "250"
        > ZMSCORE none a b
        1) (nil)
        2) (nil)
        > ZRANK board ada
        (integer) 1
        > ZREVRANK board ada
        (integer) 1
        > ZRANK board nobody
        (nil)
        > ZRANK none ada
        (nil)
        "#,
    );
}

#[test]
fn a_small_set_is_scanned_in_one_step() {
    board().check(
        r#"
        > ZSCAN board 0
        1) "0"
        2) 1) "bob"
           2) "250"
           3) "ada"
           4) "310"
           5) "cyd"
           6) "310.5"
        > ZSCAN board 0 MATCH *b COUNT 100
        1) "0"
        2) 1) "bob"
           2) "250"
        > ZSCAN none 0
        1) "0"
        2) (empty array)
        "#,
    );
}

#[test]
fn members_are_drawn_at_random() {
    board().check(
        r#"
        > ZRANDMEMBER board 0
        (empty array)
        > ZRANDMEMBER board 9 WITHSCORES
        1) "cyd"
        2) "310.5"
        3) "ada"
        4) "310"
        5) "bob"
        6) "250"
        > ZRANDMEMBER none
        (nil)
        > ZRANDMEMBER none -5
        (empty array)
        "#,
    );
}

#[test]
fn scores_are_doubles_in_resp3() {
    let mut t = board();
    t.session("").protocol = Protocol::Resp3;
    t.check(
        r#"
        > ZSCORE board cyd
        (double) 310.5
        > ZSCORE board nobody
        (nil)
        > ZMSCORE board ada nobody
        1) (double) 310
        2) (nil)
        > ZRANDMEMBER board 9 WITHSCORES
        1) 1) "cyd"
           2) (double) 310.5
        2) 1) "ada"
           2) (double) 310
        3) 1) "bob"
           2) (double) 250
        > ZSCAN board 0 MATCH *b
        1) "0"
        2) 1) "bob"
           2) "250"
        > ZADD board INCR 1 ada
        (double) 311
        > ZRANK board nobody
        (nil)
        "#,
    );
}

#[test]
fn what_looking_refuses() {
    Fixture::new().check(
        r#"
        > SET text x
        OK
        > ZCARD text
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZSCORE text a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZMSCORE text a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANK text a
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZSCAN text 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZSCAN text x
        (error) ERR invalid cursor
        > ZSCAN board 0 COUNT 0
        1) "0"
        2) (empty array)
        > ZRANDMEMBER text
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANDMEMBER text 5
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANDMEMBER text x
        (error) ERR value is not an integer or out of range
        > ZRANDMEMBER text 5 WITHVALUES
        (error) ERR syntax error
        > ZRANDMEMBER text 5 WITHSCORES x
        (error) ERR syntax error
        > ZRANDMEMBER text -9223372036854775808
        (error) ERR value is out of range, value must between \
        -9223372036854775807 and 9223372036854775807
        > ZRANDMEMBER text 4611686018427387904 WITHSCORES
        (error) ERR value is out of range
        "#,
    );
}

#[test]
fn draws_are_different_or_not_and_always_members() {
    for packed_max in ["128", "0"] {
        let mut t = Fixture::with(&[("zset-max-listpack-entries", packed_max)]);
        (0..20).for_each(|n| assert_eq!(t.run(&format!("ZADD z {n} m{n}")), "(integer) 1"));
        for (count, drawn, different) in [("5", 5, true), ("20", 20, true), ("-50", 50, false)] {
            let reply = t.run(&format!("ZRANDMEMBER z {count} WITHSCORES"));
            let words: Vec<&str> = reply.split('"').skip(1).step_by(2).collect();
            let pairs: Vec<&[&str]> = words.chunks(2).collect();
            assert!(pairs.iter().all(|pair| pair[0] == format!("m{}", pair[1])), "{reply}");
            let names: BTreeSet<&str> = pairs.iter().map(|pair| pair[0]).collect();
            assert_eq!((pairs.len(), names.len() == drawn), (drawn, different), "{reply}");
        }
    }
}

/// Some clients ask for more than anybody could read.
#[test]
fn an_endless_draw_ends_with_the_connection() {
    let limit = ("client-output-buffer-limit", "normal 1000000 0 0");
    let mut t = Fixture::new();
    let set = |config: &mut Config| {
        config.set_many(&[(limit.0.as_bytes(), limit.1.as_bytes())], true).map(drop)
    };
    t.cache.config.change(set).expect("the limit is well formed");
    t.run("ZADD z 1 a");
    let args = words(&[b"ZRANDMEMBER", b"z", b"-4000000000000000000", b"WITHSCORES"]);
    let reply = t.run_raw("", args.as_args());
    assert!((1_000_000..1_001_000).contains(&reply.len()), "{}", reply.len());
    assert!(t.session("").closing);
}
