//! Unions, intersections, differences.

use crate::commands::testing::Fixture;
use crate::wire::reply::Protocol;

/// Two sorted sets and a set that share some members.
fn seasons() -> Fixture {
    let mut t = Fixture::new();
    t.run("ZADD spring 10 ada 20 bob");
    t.run("ZADD summer 5 bob 7 cyd");
    t.run("SADD members bob cyd");
    t
}

#[test]
fn scores_are_weighted_and_aggregated() {
    seasons().check(
        r#"
        > ZUNION 2 spring summer WITHSCORES
        1) "cyd"
        2) "7"
        3) "ada"
        4) "10"
        5) "bob"
        6) "25"
        > ZINTER 2 spring summer WEIGHTS 1 10 AGGREGATE MAX WITHSCORES
        1) "bob"
        2) "50"
        > ZINTER 2 spring members WITHSCORES
        1) "bob"
        2) "21"
        > ZUNION 2 members members AGGREGATE MIN WEIGHTS 2 3 WITHSCORES
        1) "bob"
        2) "2"
        3) "cyd"
        4) "2"
        "#,
    );
}

#[test]
fn a_difference_keeps_the_first_scores() {
    seasons().check(
        r#"
        > ZDIFF 2 spring summer WITHSCORES
        1) "ada"
        2) "10"
        > ZDIFF 2 spring none
        1) "ada"
        2) "bob"
        > ZDIFF 2 none spring
        (empty array)
        > ZDIFF 2 spring spring
        (empty array)
        "#,
    );
}

#[test]
fn an_intersection_is_counted_up_to_a_limit() {
    seasons().check(
        r#"
        > ZINTERCARD 2 spring summer
        (integer) 1
        > ZINTERCARD 2 summer members LIMIT 1
        (integer) 1
        > ZINTERCARD 2 summer members LIMIT 0
        (integer) 2
        > ZINTERCARD 2 summer none
        (integer) 0
        "#,
    );
}

#[test]
fn a_combination_is_stored() {
    seasons().check(
        r#"
        > ZUNIONSTORE all 3 spring summer none
        (integer) 3
        > ZRANGE all 0 -1 WITHSCORES
        1) "cyd"
        2) "7"
        3) "ada"
        4) "10"
        5) "bob"
        6) "25"
        > ZINTERSTORE all 2 all spring AGGREGATE MIN
        (integer) 2
        > ZRANGE all 0 -1 WITHSCORES
        1) "ada"
        2) "10"
        3) "bob"
        4) "20"
        > ZDIFFSTORE all 2 all spring
        (integer) 0
        > EXISTS all
        (integer) 0
        "#,
    );
}

#[test]
fn opposite_infinities_cancel_out() {
    Fixture::new().check(
        r#"
        > ZADD inf inf a -inf b
        (integer) 2
        > ZADD fni -inf a 0 b
        (integer) 2
        > ZUNION 2 inf fni WITHSCORES
        1) "b"
        2) "-inf"
        3) "a"
        4) "0"
        > ZUNION 1 inf WEIGHTS 0 WITHSCORES
        1) "a"
        2) "0"
        3) "b"
        4) "0"
        > ZUNIONSTORE zero 1 fni WEIGHTS -1
        (integer) 2
        "#,
    );
}

#[test]
fn scores_are_doubles_in_resp3() {
    let mut t = seasons();
    t.session("").protocol = Protocol::Resp3;
    t.check(
        r#"
        > ZUNION 1 spring WITHSCORES
        1) 1) "ada"
           2) (double) 10
        2) 1) "bob"
           2) (double) 20
        "#,
    );
}

#[test]
fn what_combining_refuses() {
    Fixture::new().check(
        r#"
        > SET text x
        OK
        > ZADD z 1 a
        (integer) 1
        > ZUNION 0 z
        (error) ERR at least 1 input key is needed for 'zunion' command
        > ZUNION x z
        (error) ERR value is not an integer or out of range
        > ZUNION 2 z
        (error) ERR syntax error
        > ZUNION 9223372036854775807 z
        (error) ERR syntax error
        > ZINTERSTORE d 0 z
        (error) ERR at least 1 input key is needed for 'zinterstore' command
        > ZINTERCARD 0 z
        (error) ERR at least 1 input key is needed for 'zintercard' command
        > ZUNION 1 text WEIGHTS x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > ZUNION 1 z WEIGHTS x
        (error) ERR weight value is not a float
        > ZUNION 1 z WEIGHTS
        (error) ERR syntax error
        > ZUNION 1 z AGGREGATE AVG
        (error) ERR syntax error
        > ZUNIONSTORE d 1 z WITHSCORES
        (error) ERR syntax error
        > ZDIFF 1 z WEIGHTS 1
        (error) ERR syntax error
        > ZINTERCARD 1 z LIMIT -1
        (error) ERR LIMIT can't be negative
        > ZINTERCARD 1 z LIMIT
        (error) ERR syntax error
        > ZINTERCARD 1 z WITHSCORES
        (error) ERR syntax error
        "#,
    );
}
