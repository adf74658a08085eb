//! Conversations about sets. Every reply is that of Redis 7.0.15.

use crate::commands::testing::{Fixture, words};
use crate::engine::rng::Rng;
use std::collections::BTreeSet;

#[test]
fn members_come_and_go() {
    Fixture::new().check(
        r#"
        > SADD a 3 1 2 1
        (integer) 3
        > SADD a 2
        (integer) 0
        > SADD b 2 pear
        (integer) 2
        > SCARD a
        (integer) 3
        > SMEMBERS a
        1) "1"
        2) "2"
        3) "3"
        > SISMEMBER b pear
        (integer) 1
        > SISMEMBER a pear
        (integer) 0
        > SMISMEMBER b 2 5
        1) (integer) 1
        2) (integer) 0
        > SMISMEMBER none x
        1) (integer) 0
        > SREM a 1 9
        (integer) 1
        > SREM a 2 3 2
        (integer) 2
        > SCARD a
        (integer) 0
        > SMEMBERS none
        (empty array)
        > SREM none x
        (integer) 0
        > SSCAN none 0 NO SUCH OPTION
        1) "0"
        2) (empty array)
        > SSCAN b 0 MATCH [0-9]
        1) "0"
        2) 1) "2"
        > SSCAN b 0 TYPE set
        (error) ERR syntax error
        "#,
    );
}

#[test]
fn a_member_moves() {
    Fixture::new().check(
        r#"
        > SADD b 2 pear
        (integer) 2
        > SMOVE b c pear
        (integer) 1
        > SMOVE b c pear
        (integer) 0
        > SMOVE b b 2
        (integer) 1
        > SMOVE b b 9
        (integer) 0
        > SMOVE b c 2
        (integer) 1
        > SCARD b
        (integer) 0
        > SCARD c
        (integer) 2
        > SET s x
        OK
        > SMOVE c s 2
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SMOVE s c 2
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SMOVE none s 2
        (integer) 0
        "#,
    );
}

#[test]
fn sets_combine() {
    Fixture::new().check(
        r#"
        > SADD a 1 2 3
        (integer) 3
        > SADD b 2 3 4 pear
        (integer) 4
        > SINTER a b
        1) "2"
        2) "3"
        > SINTER a b none
        (empty array)
        > SDIFF a b
        1) "1"
        > SDIFF a a
        (empty array)
        > SDIFF none a
        (empty array)
        > SUNION a none a
        1) "1"
        2) "2"
        3) "3"
        > SINTERCARD 2 a b
        (integer) 2
        > SINTERCARD 2 a b LIMIT 1
        (integer) 1
        > SINTERCARD 2 a b LIMIT 0
        (integer) 2
        > SINTERSTORE r a b
        (integer) 2
        > SMEMBERS r
        1) "2"
        2) "3"
        > SUNIONSTORE r a none
        (integer) 3
        > SDIFFSTORE r a r
        (integer) 0
        > SCARD r
        (integer) 0
        > SET s x
        OK
        > SINTER none s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SINTERSTORE s a b
        (integer) 2
        > SCARD s
        (integer) 2
        "#,
    );
}

#[test]
fn what_cannot_be_done_is_said_as_redis_says_it() {
    Fixture::new().check(
        r#"
        > SINTERCARD 0 a
        (error) ERR numkeys should be greater than 0
        > SINTERCARD x a
        (error) ERR numkeys should be greater than 0
        > SINTERCARD 2 a
        (error) ERR Number of keys can't be greater than number of args
        > SINTERCARD 1 a LIMIT -1
        (error) ERR LIMIT can't be negative
        > SINTERCARD 1 a LIMIT x
        (error) ERR LIMIT can't be negative
        > SINTERCARD 1 a LIMIT
        (error) ERR syntax error
        > SINTERCARD 1 a COUNT 1
        (error) ERR syntax error
        > SPOP a 1 2
        (error) ERR syntax error
        > SPOP a -1
        (error) ERR value is out of range, must be positive
        > SPOP a x
        (error) ERR value is out of range, must be positive
        > SRANDMEMBER a x
        (error) ERR value is not an integer or out of range
        > SRANDMEMBER a 1 2
        (error) ERR syntax error
        > SET s x
        OK
        > SADD s x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SPOP s
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > SRANDMEMBER s 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn resp3_has_sets() {
    let mut t = Fixture::new();
    t.run("HELLO 3");
    t.check(
        r#"
        > SADD a 1
        (integer) 1
        > SMEMBERS a
        1~ "1"
        > SINTER a none
        (empty set)
        > SUNION a none
        1~ "1"
        > SDIFF a none
        1~ "1"
        > SRANDMEMBER a 5
        1) "1"
        > SPOP a 0
        (empty set)
        > SPOP a 5
        1~ "1"
        > SPOP a
        (nil)
        "#,
    );
}

/// Whatever the sizes, and so the way of the difference, the results are those of a model.
#[test]
fn combinations_follow_a_model() {
    let mut rng = Rng::new(61);
    for round in 0..200 {
        let mut t = Fixture::new();
        let mut models: Vec<BTreeSet<String>> = Vec::new();
        for name in 0..1 + rng.below(6) {
            let (members, kind) = (rng.below(60), if rng.below(2) == 0 { "" } else { "m" });
            let model: BTreeSet<String> =
                (0..members).map(|_| format!("{kind}{}", rng.below(40))).collect();
            for member in &model {
                assert_eq!(t.run(&format!("SADD s{name} {member}")), "(integer) 1");
            }
            models.push(model);
        }
        let keys: String = (0..models.len()).map(|name| format!(" s{name}")).collect();
        let (first, others) = models.split_first().unwrap();
        let all = models.iter().flatten().cloned().collect();
        let common: BTreeSet<String> =
            first.iter().filter(|m| others.iter().all(|set| set.contains(*m))).cloned().collect();
        let lone: BTreeSet<String> =
            first.iter().filter(|m| !others.iter().any(|set| set.contains(*m))).cloned().collect();
        for (command, expected) in [("SUNION", all), ("SINTER", common), ("SDIFF", lone)] {
            assert_eq!(members(&t.run(&format!("{command}{keys}"))), expected, "round {round}");
            let stored = format!("(integer) {}", expected.len());
            assert_eq!(t.run(&format!("{command}STORE r{keys}")), stored);
            assert_eq!(members(&t.run("SMEMBERS r")), expected);
        }
    }
}

/// The members of a reply, of which none comes twice.
fn members(reply: &str) -> BTreeSet<String> {
    if reply == "(empty array)" {
        return BTreeSet::new();
    }
    let lines = reply.lines().map(|line| line.split_once(") ").unwrap().1);
    let members: BTreeSet<String> = lines.map(|text| text.trim_matches('"').to_string()).collect();
    assert_eq!(members.len(), reply.lines().count());
    members
}

#[test]
fn members_by_chance_are_members_and_differ() {
    for kind in ["", "m"] {
        let mut t = Fixture::new();
        (0..100).for_each(|n| assert_eq!(t.run(&format!("SADD s {kind}{n}")), "(integer) 1"));
        let mut left = members(&t.run("SMEMBERS s"));
        for count in [1, 10, 99, 100, 101] {
            let shown = members(&t.run(&format!("SRANDMEMBER s {count}")));
            assert_eq!(shown.len(), count.min(100));
            assert!(shown.is_subset(&left));
        }
        let drawn = t.run("SRANDMEMBER s -2000");
        let different: BTreeSet<&str> =
            drawn.lines().map(|line| line.trim_start().split_once(") ").unwrap().1).collect();
        assert_eq!((drawn.lines().count(), different.len()), (2000, 100));
        // 20 of 100, then 75 of 80: first the taken ones are drawn, then those that stay.
        for count in [20, 75, 9] {
            let taken = members(&t.run(&format!("SPOP s {count}")));
            assert_eq!(taken.len(), count.min(left.len()));
            assert!(taken.is_subset(&left));
            left = left.difference(&taken).cloned().collect();
            assert_eq!(members(&t.run("SMEMBERS s")), left);
        }
        assert_eq!(t.encoding("s"), None);
    }
}

/// In which form a set lies depends on how it came about.
#[test]
fn forms_are_those_of_redis() {
    let mut t = Fixture::with(&[("set-max-intset-entries", "8")]);
    t.run("SADD ints 1 2 3 4 5 6 7 8");
    assert_eq!(t.encoding("ints"), Some("intset"));
    t.run("SADD ints 9");
    assert_eq!(t.encoding("ints"), Some("hashtable"));
    t.run("SREM ints 9 8 7");
    assert_eq!(t.encoding("ints"), Some("hashtable"));
    // The fewer that stay make a new set.
    t.run("SPOP ints 5");
    assert_eq!(t.encoding("ints"), Some("intset"));
    // Looked up one by one, only 1 enters the result; removed from a copy, pear was in it.
    t.run("SADD mixed 1 pear");
    t.run("SADD pears pear");
    t.run("SDIFFSTORE r mixed pears");
    assert_eq!(t.encoding("r"), Some("intset"));
    t.run("SADD mixed a b c d e f g h i j");
    t.run("SDIFFSTORE r mixed pears pears pears pears");
    t.run("SREM r a b c d e f g h i j");
    assert_eq!((t.run("SCARD r").as_str(), t.encoding("r")), ("(integer) 1", Some("hashtable")));
}

#[test]
fn a_draw_without_end_stops_where_the_client_would_be_closed() {
    let mut t = Fixture::with(&[("client-output-buffer-limit", "normal 1000 0 0")]);
    t.run("SADD s m");
    let reply = t.run_raw("", words(&[b"SRANDMEMBER", b"s", b"-9223372036854775807"]).as_args());
    assert!((1000..1100).contains(&reply.len()), "{} bytes", reply.len());
    assert!(t.session("").closing);
}

#[test]
fn events_are_those_of_redis() {
    let mut t = Fixture::with(&[("notify-keyspace-events", "EAn")]);
    for (command, events) in [
        ("SADD a 1 2 3", "new a, sadd a"),
        ("SADD a 1", ""),
        ("SREM a 9", ""),
        ("SREM a 1 9", "srem a"),
        ("SMOVE a b 2", "srem a, new b, sadd b"),
        ("SADD b 3", "sadd b"),
        ("SMOVE a b 3", "srem a, del a"),
        ("SMOVE b b 3", ""),
        ("SUNIONSTORE r b", "new r, sunionstore r"),
        ("SINTERSTORE r b b", "sinterstore r"),
        ("SDIFFSTORE r b none", "sdiffstore r"),
        ("SDIFFSTORE r b b", "del r"),
        ("SDIFFSTORE r b b", ""),
        ("SRANDMEMBER b", ""),
        ("SPOP b 0", ""),
        ("SPOP b", "spop b"),
        ("SPOP b 5", "spop b, del b"),
        ("SPOP b", ""),
    ] {
        assert_eq!(t.events(command), events, "{command}");
    }
}
