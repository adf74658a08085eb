//! Conversations about lists. Every reply is that of Redis 7.0.15.

use crate::commands::testing::Fixture;

#[test]
fn the_conversation_of_the_head() {
    Fixture::new().check(
        r#"
        > RPUSH jobs a b c
        (integer) 3
        > LPOP jobs
        "a"
        > LRANGE jobs 0 -1
        1) "b"
        2) "c"
        > LMOVE jobs done LEFT RIGHT
        "b"
        > RPOP jobs 10
        1) "c"
        > EXISTS jobs
        (integer) 0
        "#,
    );
}

#[test]
fn elements_go_in_at_either_end_and_come_out_again() {
    Fixture::new().check(
        r#"
        > LPUSHX l a
        (integer) 0
        > LPUSH l a b
        (integer) 2
        > RPUSHX l 1 "two words"
        (integer) 4
        > LRANGE l 0 -1
        1) "b"
        2) "a"
        3) "1"
        4) "two words"
        > RPOP l 2
        1) "two words"
        2) "1"
        > LPOP l 0
        (empty array)
        > LPOP l -1
        (error) ERR value is out of range, must be positive
        > LPOP l 1 1
        (error) ERR wrong number of arguments for 'lpop' command
        > LPOP none
        (nil)
        > LPOP none 2
        (nil)
        > LLEN l
        (integer) 2
        > LLEN none
        (integer) 0
        "#,
    );
}

#[test]
fn indexes_count_from_both_ends() {
    Fixture::new().check(
        r#"
        > RPUSH l a b c d
        (integer) 4
        > LINDEX l -1
        "d"
        > LINDEX l 4
        (nil)
        > LINDEX none x
        (nil)
        > LINDEX l x
        (error) ERR value is not an integer or out of range
        > LRANGE l -3 1
        1) "b"
        > LRANGE l 2 -9223372036854775808
        (empty array)
        > LRANGE l -9223372036854775808 9223372036854775807
        1) "a"
        2) "b"
        3) "c"
        4) "d"
        > LSET l -4 A
        OK
        > LSET l 4 x
        (error) ERR index out of range
        > LSET none x x
        (error) ERR no such key
        > LTRIM l 0 -2
        OK
        > LRANGE l 0 9
        1) "A"
        2) "b"
        3) "c"
        > LTRIM l 5 1
        OK
        > EXISTS l
        (integer) 0
        "#,
    );
}

#[test]
fn elements_are_found_and_removed_by_value() {
    Fixture::new().check(
        r#"
        > RPUSH l a 1 b 1 01 1
        (integer) 6
        > LINSERT l BEFORE 01 new
        (integer) 7
        > LINSERT l after absent new
        (integer) -1
        > LINSERT none AFTER a b
        (integer) 0
        > LINSERT l between a b
        (error) ERR syntax error
        > LREM l -2 1
        (integer) 2
        > LREM l 0 absent
        (integer) 0
        > LRANGE l 0 -1
        1) "a"
        2) "1"
        3) "b"
        4) "new"
        5) "01"
        "#,
    );
}

#[test]
fn positions_by_rank_count_and_length() {
    Fixture::new().check(
        r#"
        > RPUSH l a b c 1 2 3 c c
        (integer) 8
        > LPOS l c
        (integer) 2
        > LPOS l c RANK -1
        (integer) 7
        > LPOS l c RANK -9223372036854775808
        (integer) 7
        > LPOS l c RANK 4
        (nil)
        > LPOS l c RANK -1 COUNT 2
        1) (integer) 7
        2) (integer) 6
        > LPOS l c count 0 maxlen 7
        1) (integer) 2
        2) (integer) 6
        > LPOS l x COUNT 1
        (empty array)
        > LPOS none c
        (nil)
        > LPOS none c COUNT 0
        (empty array)
        > LPOS l c COUNT -1
        (error) ERR COUNT can't be negative
        > LPOS l c MAXLEN x
        (error) ERR MAXLEN can't be negative
        > LPOS l c RANK
        (error) ERR syntax error
        "#,
    );
}

#[test]
fn there_is_no_match_number_zero() {
    let mut t = Fixture::new();
    let error = "(error) ERR RANK can't be zero: use 1 to start from the first match, 2 from the \
                 second ... or use negative to start from the end of the list";
    assert_eq!(t.run("LPOS none c RANK 0"), error);
}

#[test]
fn elements_move_between_lists_and_within_one() {
    Fixture::new().check(
        r#"
        > RPUSH l a b c
        (integer) 3
        > LMOVE l l left right
        "a"
        > LMOVE l l RIGHT RIGHT
        "a"
        > RPOPLPUSH l other
        "a"
        > SET text t
        OK
        > LMOVE l text LEFT LEFT
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LMOVE none text LEFT LEFT
        (nil)
        > LMOVE l other LEFT UP
        (error) ERR syntax error
        > LRANGE l 0 -1
        1) "b"
        2) "c"
        > LMPOP 3 none l other RIGHT COUNT 5
        1) "l"
        2) 1) "c"
           2) "b"
        > LMPOP 1 l LEFT
        (nil)
        > LMPOP 0 l LEFT
        (error) ERR numkeys should be greater than 0
        > LMPOP 9223372036854775807 l LEFT
        (error) ERR syntax error
        > LMPOP 1 l LEFT COUNT 0 x
        (error) ERR count should be greater than 0
        > LMPOP 1 l LEFT COUNT 1 x
        (error) ERR syntax error
        "#,
    );
}

#[test]
fn another_type_is_an_error() {
    let mut t = Fixture::new();
    t.run("SET text t");
    for command in [
        "LPUSH text a",
        "LPUSHX text a",
        "LPOP text",
        "LLEN text",
        "LINDEX text 0",
        "LRANGE text 0 1",
        "LTRIM text 0 1",
        "LSET text 0 a",
        "LINSERT text BEFORE a b",
        "LREM text 0 a",
        "LPOS text a",
        "RPOPLPUSH text l",
        "LMPOP 2 none text LEFT",
        "BLPOP none text 0",
        "BLMOVE text l LEFT LEFT 0",
        "BLMPOP 0 2 none text LEFT",
    ] {
        let reply = t.run(command);
        assert!(reply.starts_with("(error) WRONGTYPE"), "{command}: {reply}");
    }
}

#[test]
fn who_waits_first_is_served_first() {
    Fixture::new().check(
        r#"
        a> BLPOP q 0
        (waits)
        b> BRPOP other q 0
        (waits)
        c> BLMPOP 0 1 q LEFT COUNT 9
        (waits)
        > RPUSH q 1 2 3 4
        (integer) 4
        a< 1) "q"
        2) "1"
        b< 1) "q"
        2) "4"
        c< 1) "q"
        2) 1) "2"
        2) "3"
        > EXISTS q
        (integer) 0
        a> BLPOP q -1
        (error) ERR timeout is negative
        a> BLPOP q 1e400
        (error) ERR timeout is negative
        a> BLPOP q soon
        (error) ERR timeout is not a float or out of range
        "#,
    );
}

#[test]
fn an_element_passes_through_a_chain_of_waiting_clients() {
    Fixture::new().check(
        r#"
        a> BLMOVE one two LEFT LEFT 0
        (waits)
        b> BRPOPLPUSH two three 0
        (waits)
        c> BLPOP three 0
        (waits)
        > RPUSH one x
        (integer) 1
        a< "x"
        b< "x"
        c< 1) "three"
        2) "x"
        a> BRPOPLPUSH ring ring 0
        (waits)
        > RPUSH ring x
        (integer) 1
        a< "x"
        > LRANGE ring 0 -1
        1) "x"
        "#,
    );
}

#[test]
fn another_type_does_not_wake_but_spoils_the_destination() {
    Fixture::new().check(
        r#"
        a> BLPOP q 0
        (waits)
        b> BLMOVE q d LEFT LEFT 0
        (waits)
        > SET d t
        OK
        > SET q t
        OK
        > GETDEL q
        "t"
        > RPUSH q 1 2
        (integer) 2
        a< 1) "q"
        2) "1"
        b< (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > LRANGE q 0 -1
        1) "2"
        "#,
    );
}

/// Redis wakes blocked clients when a key is made, not when its value is replaced (`dbOverwrite`).
#[test]
fn a_list_in_the_place_of_something_else_wakes_nobody() {
    Fixture::new().check(
        r#"
        a> BLPOP q 0
        (waits)
        > SADD q 2 1
        (integer) 2
        > SORT q STORE q
        (integer) 2
        > RPUSH q 3
        (integer) 3
        > RENAME q other
        OK
        > RENAME other q
        OK
        a< 1) "q"
        2) "1"
        "#,
    );
}

#[test]
fn a_transaction_does_not_wait_and_is_seen_as_a_whole() {
    Fixture::new().check(
        r#"
        a> BLPOP one two 0
        (waits)
        b> BLPOP gone 0
        (waits)
        > MULTI
        OK
        > RPUSH gone x
        QUEUED
        > DEL gone
        QUEUED
        > RPUSH two y
        QUEUED
        > RPUSH one z
        QUEUED
        > BLPOP gone 0
        QUEUED
        > BLMOVE gone one LEFT LEFT 0
        QUEUED
        > EXEC
        1) (integer) 1
        2) (integer) 1
        3) (integer) 1
        4) (integer) 1
        5) (nil)
        6) (nil)
        a< 1) "two"
        2) "y"
        > LRANGE one 0 -1
        1) "z"
        "#,
    );
}

#[test]
fn every_change_is_announced() {
    let mut t = Fixture::with(&[("notify-keyspace-events", "EA")]);
    let mut expect = |command: &str, announced: &str| {
        assert_eq!(t.events(command), announced, "{command}");
    };
    expect("RPUSH l a b c d", "rpush l");
    expect("LPUSHX l a", "lpush l");
    expect("LSET l 0 x", "lset l");
    expect("LINSERT l BEFORE x y", "linsert l");
    expect("LREM l 0 none", "");
    expect("LREM l 0 y", "lrem l");
    expect("LTRIM l 0 3", "ltrim l");
    expect("LMOVE l m LEFT RIGHT", "rpush m, lpop l");
    expect("BRPOPLPUSH m l 0", "lpush l, rpop m, del m");
    expect("RPOP l", "rpop l");
    expect("LMPOP 1 l LEFT COUNT 9", "lpop l, del l");
}
