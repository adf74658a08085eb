//! `SORT`.

use crate::commands::testing::Fixture;
use crate::wire::reply::Protocol;

/// Numbers to be sorted, and something about each.
fn people() -> Fixture {
    let mut t = Fixture::new();
    t.run("RPUSH ids 3 1 2 10");
    t.run("MSET age_1 40 age_2 7 age_3 25");
    t.run("HSET user_2 name bob");
    t
}

#[test]
fn elements_are_sorted_as_numbers_or_as_text() {
    people().check(
        r#"
        > SORT ids
        1) "1"
        2) "2"
        3) "3"
        4) "10"
        > SORT ids DESC LIMIT 1 2
        1) "3"
        2) "2"
        > SORT ids ALPHA
        1) "1"
        2) "10"
        3) "2"
        4) "3"
        > SORT_RO ids LIMIT -5 2
        1) "1"
        2) "2"
        > SORT_RO ids LIMIT 2 -1
        1) "3"
        2) "10"
        > SORT_RO ids LIMIT 9 1
        (empty array)
        "#,
    );
}

#[test]
fn elements_are_sorted_by_what_other_keys_hold() {
    people().check(
        r#"
        > SORT ids BY age_*
        1) "10"
        2) "2"
        3) "3"
        4) "1"
        > SORT ids BY age_* LIMIT 0 2 GET user_*->name GET # GET age_*
        1) (nil)
        2) "10"
        3) (nil)
        4) "bob"
        5) "2"
        6) "7"
        > SORT ids BY nosort
        1) "3"
        2) "1"
        3) "2"
        4) "10"
        > SORT ids BY nosort DESC LIMIT 0 2
        1) "10"
        2) "2"
        > SORT ids BY age_* ALPHA DESC
        1) "2"
        2) "1"
        3) "3"
        4) "10"
        > SORT ids BY age_*->x
        1) "1"
        2) "10"
        3) "2"
        4) "3"
        "#,
    );
}

#[test]
fn other_keys_are_shown_in_place_of_elements() {
    people().check(
        r#"
        > SORT ids GET nostar GET user_*->
        1) (nil)
        2) (nil)
        3) (nil)
        4) (nil)
        5) (nil)
        6) (nil)
        7) (nil)
        8) (nil)
        "#,
    );
}

#[test]
fn what_was_sorted_is_stored() {
    people().check(
        r#"
        > SORT ids STORE sorted
        (integer) 4
        > LRANGE sorted 0 -1
        1) "1"
        2) "2"
        3) "3"
        4) "10"
        > SORT ids BY age_* GET user_*->name STORE sorted
        (integer) 4
        > LRANGE sorted 0 -1
        1) ""
        2) "bob"
        3) ""
        4) ""
        > SORT none
        (empty array)
        > SORT none STORE sorted
        (integer) 0
        > EXISTS sorted
        (integer) 0
        "#,
    );
}

#[test]
fn members_are_sorted_or_keep_their_order() {
    Fixture::new().check(
        r#"
        > SADD tags b a c
        (integer) 3
        > SORT tags ALPHA
        1) "a"
        2) "b"
        3) "c"
        > SORT tags BY nosort STORE sorted
        (integer) 3
        > LRANGE sorted 0 -1
        1) "a"
        2) "b"
        3) "c"
        > ZADD board 3 x 1 y 2 z
        (integer) 3
        > SORT board BY nosort
        1) "y"
        2) "z"
        3) "x"
        > SORT board BY nosort DESC LIMIT 0 1
        1) "x"
        > SORT board ALPHA
        1) "x"
        2) "y"
        3) "z"
        "#,
    );
}

#[test]
fn what_is_not_there_is_null_in_resp3() {
    let mut t = people();
    t.session("").protocol = Protocol::Resp3;
    t.check(
        r#"
        > SORT ids BY age_* GET user_*->name
        1) (nil)
        2) "bob"
        3) (nil)
        4) (nil)
        "#,
    );
}

#[test]
fn what_sort_refuses() {
    Fixture::new().check(
        r#"
        > RPUSH words b a 1
        (integer) 3
        > SORT words
        (error) ERR One or more scores can't be converted into double
        > SET text x
        OK
        > SORT text
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SORT words LIMIT 1
        (error) ERR syntax error
        > SORT words LIMIT x 1
        (error) ERR value is not an integer or out of range
        > SORT words BY
        (error) ERR syntax error
        > SORT words GET
        (error) ERR syntax error
        > SORT words STORE
        (error) ERR syntax error
        > SORT_RO words STORE d
        (error) ERR syntax error
        > SORT words UP
        (error) ERR syntax error
        > SORT text UP
        (error) ERR syntax error
        > SET w_b x
        OK
        > SORT words BY w_*
        (error) ERR One or more scores can't be converted into double
        > SORT words BY w_* ALPHA
        1) "a"
        2) "1"
        3) "b"
        > RPUSH blanks " 1" "" 0x
        (integer) 3
        > SORT blanks
        (error) ERR One or more scores can't be converted into double
        "#,
    );
}

#[test]
fn a_sorted_set_is_unpacked_to_be_sorted() {
    let mut t = Fixture::new();
    t.run("ZADD z 1 a 2 b");
    assert_eq!(t.encoding("z"), Some("listpack"));
    assert_eq!(t.run("SORT_RO z ALPHA DESC"), "1) \"b\"\n2) \"a\"");
    assert_eq!(t.encoding("z"), Some("skiplist"));
}

#[test]
fn weights_are_in_the_range_of_a_double() {
    let mut t = Fixture::new();
    for (weight, order) in [
        (" 0x10", "1) \"15\"\n2) \"w\""),
        ("-inf", "1) \"w\"\n2) \"15\""),
        ("1e400", "(error) ERR One or more scores can't be converted into double"),
        ("1e-400", "(error) ERR One or more scores can't be converted into double"),
    ] {
        t.run("DEL l");
        t.run("RPUSH l 15 w");
        t.run(&format!("MSET of_w \"{weight}\" of_15 15"));
        assert_eq!(t.run("SORT l BY of_*"), order, "{weight}");
    }
}
