//! Members in ranges.

use crate::commands::testing::Fixture;

/// Members with scores, and others that have all the same.
fn board_and_names() -> Fixture {
    let mut t = Fixture::new();
    t.run("ZADD board 250 bob 310 ada 310 cyd 400.5 dan");
    t.run("ZADD names 0 a 0 b 0 c 0 d");
    t
}

#[test]
fn members_in_ranges_of_ranks() {
    board_and_names().check(
        r#"
        > ZRANGE board 0 -1
        1) "bob"
        2) "ada"
        3) "cyd"
        4) "dan"
        > ZRANGE board 1 2 WITHSCORES
        1) "ada"
        2) "310"
        3) "cyd"
        4) "310"
        > ZRANGE board 0 1 REV
        1) "dan"
        2) "cyd"
        > ZRANGE board -2 99
        1) "cyd"
        2) "dan"
        > ZRANGE board 2 1
        (empty array)
        > ZRANGE none 0 -1
        (empty array)
        > ZREVRANGE board 0 0 WITHSCORES
        1) "dan"
        2) "400.5"
        "#,
    );
}

#[test]
fn members_in_ranges_of_scores() {
    board_and_names().check(
        r#"
        > ZRANGE board (250 +inf BYSCORE
        1) "ada"
        2) "cyd"
        3) "dan"
        > ZRANGE board +inf (250 BYSCORE REV LIMIT 1 2 WITHSCORES
        1) "cyd"
        2) "310"
        3) "ada"
        4) "310"
        > ZRANGE board -inf inf BYSCORE LIMIT 1 -1
        1) "ada"
        2) "cyd"
        3) "dan"
        > ZRANGE board -inf inf BYSCORE LIMIT -1 2
        (empty array)
        > ZRANGE board -inf inf BYSCORE LIMIT 4 2
        (empty array)
        > ZRANGEBYSCORE board 250 310 WITHSCORES LIMIT 0 2
        1) "bob"
        2) "250"
        3) "ada"
        4) "310"
        > ZREVRANGEBYSCORE board 310 (250
        1) "cyd"
        2) "ada"
        > ZCOUNT board (310 inf
        (integer) 1
        > ZCOUNT board 5 1
        (integer) 0
        > ZCOUNT none 0 1
        (integer) 0
        "#,
    );
}

#[test]
fn members_in_ranges_of_names() {
    board_and_names().check(
        r#"
        > ZRANGE names [b + BYLEX
        1) "b"
        2) "c"
        3) "d"
        > ZRANGE names [c - BYLEX REV LIMIT 0 2
        1) "c"
        2) "b"
        > ZRANGEBYLEX names (a (d
        1) "b"
        2) "c"
        > ZREVRANGEBYLEX names + (b LIMIT 1 1
        1) "c"
        > ZLEXCOUNT names - [b
        (integer) 2
        "#,
    );
}

#[test]
fn a_range_is_stored() {
    board_and_names().check(
        r#"
        > ZRANGESTORE kept board 1 2
        (integer) 2
        > ZRANGE kept 0 -1 WITHSCORES
        1) "ada"
        2) "310"
        3) "cyd"
        4) "310"
        > ZRANGESTORE kept board inf -inf BYSCORE REV LIMIT 0 1
        (integer) 1
        > ZRANGE kept 0 -1 WITHSCORES
        1) "dan"
        2) "400.5"
        > ZRANGESTORE kept none 0 -1
        (integer) 0
        > EXISTS kept
        (integer) 0
        "#,
    );
}

#[test]
fn a_range_is_removed() {
    board_and_names().check(
        r#"
        > ZREMRANGEBYRANK board 0 0
        (integer) 1
        > ZREMRANGEBYSCORE board 310 310
        (integer) 2
        > ZREMRANGEBYLEX names (a [c
        (integer) 2
        > ZREMRANGEBYRANK names 0 -1
        (integer) 2
        > EXISTS names
        (integer) 0
        > ZREMRANGEBYRANK names 5 2
        (integer) 0
        "#,
    );
}

#[test]
fn what_ranges_refuse() {
    Fixture::new().check(
        r#"
        > SET text x
        OK
        > ZADD z 1 a
        (integer) 1
        > ZRANGE z 0 x
        (error) ERR value is not an integer or out of range
        > ZRANGE z a b BYSCORE
        (error) ERR min or max is not a float
        > ZRANGE z a b BYLEX
        (error) ERR min or max not valid string range item
        > ZRANGE z 0 -1 LIMIT 0 1
        (error) ERR syntax error, LIMIT is only supported in combination with \
        either BYSCORE or BYLEX
        > ZRANGE z 0 -1 LIMIT 0 -1
        1) "a"
        > ZRANGE z - + BYLEX WITHSCORES
        (error) ERR syntax error, WITHSCORES not supported in combination with BYLEX
        > ZRANGE z 0 -1 BYSCORE BYLEX
        (error) ERR syntax error
        > ZRANGE z 0 -1 REV REV
        (error) ERR syntax error
        > ZRANGE z 0 -1 BYSCORE LIMIT 0
        (error) ERR syntax error
        > ZRANGE z 0 -1 BYSCORE LIMIT 0 x
        (error) ERR value is not an integer or out of range
        > ZREVRANGE z 0 -1 REV
        (error) ERR syntax error
        > ZRANGEBYSCORE z 0 1 BYLEX
        (error) ERR syntax error
        > ZRANGEBYLEX z - + WITHSCORES
        (error) ERR syntax error, WITHSCORES not supported in combination with BYLEX
        > ZRANGESTORE d z 0 -1 WITHSCORES
        (error) ERR syntax error
        > ZRANGE text 0 -1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZRANGE text 0 x
        (error) ERR value is not an integer or out of range
        > ZCOUNT text 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZCOUNT text x 1
        (error) ERR min or max is not a float
        > ZLEXCOUNT text 0 1
        (error) ERR min or max not valid string range item
        > ZREMRANGEBYLEX text - x
        (error) ERR min or max not valid string range item
        > ZREMRANGEBYSCORE text nan 1
        (error) ERR min or max is not a float
        > ZREMRANGEBYRANK text 0 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn scores_may_be_hexadecimal() {
    Fixture::new().check(
        r#"
        > ZADD z 0x10 a -0X1.8p1 b
        (integer) 2
        > ZRANGE z 0x-1 5 BYSCORE
        (error) ERR min or max is not a float
        > ZRANGE z (-0x3 0x1p4 BYSCORE WITHSCORES
        1) "a"
        2) "16"
        > ZUNION 1 z WEIGHTS 0x2 WITHSCORES
        1) "b"
        2) "-6"
        3) "a"
        4) "32"
        > ZINCRBY z 0x.8 b
        "-2.5"
        > ZADD z 0x1p2000 c
        (error) ERR value is not a valid float
        "#,
    );
}
