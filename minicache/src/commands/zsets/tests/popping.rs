//! Members taken from either end, and waited for.

use crate::commands::testing::Fixture;
use crate::wire::reply::Protocol;

#[test]
fn members_are_popped_from_one_set() {
    Fixture::new().check(
        r#"
        > ZADD z 1 a 2 b 3 c 4 d 5 e
        (integer) 5
        > ZPOPMIN z
        1) "a"
        2) "1"
        > ZPOPMAX z 2
        1) "e"
        2) "5"
        3) "d"
        4) "4"
        > ZPOPMIN z 0
        (empty array)
        > ZPOPMIN none
        (empty array)
        > ZPOPMIN none 5
        (empty array)
        "#,
    );
}

#[test]
fn members_are_popped_from_the_first_set_that_has_some() {
    Fixture::new().check(
        r#"
        > ZADD z 2 b 3 c
        (integer) 2
        > ZMPOP 2 none z MAX
        1) "z"
        2) 1) 1) "c"
              2) "3"
        > ZMPOP 2 none z MIN COUNT 9
        1) "z"
        2) 1) 1) "b"
              2) "2"
        > EXISTS z
        (integer) 0
        > ZMPOP 1 z MIN
        (nil)
        "#,
    );
}

#[test]
fn who_finds_members_does_not_wait() {
    Fixture::new().check(
        r#"
        > ZADD z 1 a 2 b 3 c 4 d
        (integer) 4
        > BZPOPMAX none z 0
        1) "z"
        2) "d"
        3) "4"
        > BZPOPMIN none z 0
        1) "z"
        2) "a"
        3) "1"
        > BZMPOP 0 2 none z MAX COUNT 5
        1) "z"
        2) 1) 1) "c"
              2) "3"
           2) 1) "b"
              2) "2"
        "#,
    );
}

#[test]
fn scores_are_doubles_in_resp3() {
    let mut t = Fixture::new();
    t.session("").protocol = Protocol::Resp3;
    t.check(
        r#"
        > ZADD z 1 a 2 b 3 c 4 d
        (integer) 4
        > ZPOPMIN z
        1) "a"
        2) (double) 1
        > ZPOPMIN z 1
        1) 1) "b"
           2) (double) 2
        > BZPOPMIN z 1
        1) "z"
        2) "c"
        3) (double) 3
        > ZMPOP 1 z MIN COUNT 2
        1) "z"
        2) 1) 1) "d"
              2) (double) 4
        "#,
    );
}

#[test]
fn what_popping_refuses() {
    Fixture::new().check(
        r#"
        > SET text x
        OK
        > ZPOPMIN text 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZPOPMIN text -1
        (error) ERR value is out of range, must be positive
        > ZPOPMIN text x
        (error) ERR value is out of range, must be positive
        > ZPOPMIN text 1 2
        (error) ERR syntax error
        > ZMPOP 0 z MIN
        (error) ERR numkeys should be greater than 0
        > ZMPOP x z MIN
        (error) ERR numkeys should be greater than 0
        > ZMPOP 2 z MIN
        (error) ERR syntax error
        > ZMPOP 9223372036854775807 z MIN
        (error) ERR syntax error
        > ZMPOP 1 z MIDDLE
        (error) ERR syntax error
        > ZMPOP 1 z MIN COUNT 0
        (error) ERR count should be greater than 0
        > ZMPOP 1 z MIN COUNT
        (error) ERR syntax error
        > ZMPOP 1 z MIN COUNT 1 COUNT 2
        (error) ERR syntax error
        > ZMPOP 1 text MIN
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BZPOPMIN text x
        (error) ERR timeout is not a float or out of range
        > BZPOPMIN none -1
        (error) ERR timeout is negative
        > BZPOPMIN text 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > BZMPOP -1 1 text MIN
        (error) ERR timeout is negative
        > BZMPOP x 1 text MIDDLE
        (error) ERR syntax error
        > MULTI
        OK
        > BZPOPMIN none 0
        QUEUED
        > BZMPOP 0 1 none MIN
        QUEUED
        > EXEC
        1) (nil)
        2) (nil)
        "#,
    );
}

#[test]
fn who_waits_is_served_in_turn() {
    Fixture::new().check(
        r#"
        a> BZPOPMIN one two 0
        (waits)
        b> BZMPOP 0 2 two one MAX COUNT 2
        (waits)
        c> BZPOPMAX one 0
        (waits)
        > RPUSH two x
        (integer) 1
        > DEL two
        (integer) 1
        > MULTI
        OK
        > ZADD two 1 a
        QUEUED
        > ZADD one 1 b 2 c 3 d
        QUEUED
        > EXEC
        1) (integer) 1
        2) (integer) 3
        a< 1) "two"
        2) "a"
        3) "1"
        b< 1) "one"
        2) 1) 1) "d"
              2) "3"
           2) 1) "c"
              2) "2"
        c< 1) "one"
        2) "b"
        3) "1"
        > ZRANGE one 0 -1
        (empty array)
        > EXISTS two
        (integer) 0
        > ZADD one 7 last
        (integer) 1
        > EXISTS one
        (integer) 1
        "#,
    );
}
