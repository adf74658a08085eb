//! Walks over all keys, and what they promise.

use crate::commands::testing::Fixture;
use crate::engine::rng::Rng;
use std::collections::BTreeSet;

/// One call: the next cursor, and the keys.
fn scan(t: &mut Fixture, cursor: &str, options: &str) -> (String, Vec<String>) {
    let reply = t.run(&format!("SCAN {cursor} {options}"));
    let mut words = reply.split('"').skip(1).step_by(2).map(str::to_string);
    (words.next().expect("the cursor comes first"), words.collect())
}

/// All calls.
fn scan_all(
    t: &mut Fixture,
    options: &str,
    mut meanwhile: impl FnMut(&mut Fixture),
) -> Vec<String> {
    let (mut cursor, mut found) = ("0".to_string(), Vec::new());
    loop {
        let (next, keys) = scan(t, &cursor, options);
        found.extend(keys);
        cursor = next;
        if cursor == "0" {
            return found;
        }
        meanwhile(t);
    }
}

#[test]
fn a_walk_sees_every_key_once_where_nothing_changes() {
    let mut t = Fixture::new();
    let names: BTreeSet<String> = (0..500).map(|n| format!("key:{n}")).collect();
    names.iter().for_each(|name| assert_eq!(t.run(&format!("SET {name} x")), "OK"));
    t.run("SELECT 3");
    t.run("RPUSH key:0 elsewhere");
    t.run("SELECT 0");
    for count in [1, 10, 100, 10_000] {
        let found = scan_all(&mut t, &format!("COUNT {count}"), |_| {});
        assert_eq!(found.len(), 500, "COUNT {count}");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), names);
    }
    let mut sevens = scan_all(&mut t, "MATCH *:7? COUNT 50", |_| {});
    sevens.sort();
    let expected: Vec<String> = (70..80).map(|n| format!("key:{n}")).collect();
    assert_eq!(sevens, expected);
}

#[test]
fn a_walk_misses_nothing_that_stays() {
    let (mut t, mut rng, mut next) = (Fixture::new(), Rng::new(5), 0);
    let stays: Vec<String> = (0..300).map(|n| format!("stays:{n}")).collect();
    stays.iter().for_each(|name| assert_eq!(t.run(&format!("SET {name} x")), "OK"));
    for round in 0..10 {
        let found = scan_all(&mut t, "COUNT 5", |t| {
            for _ in 0..rng.below(8) {
                let (verb, value) = if round % 2 == 0 { ("SET", "x") } else { ("DEL", "") };
                t.run(&format!("{verb} goes:{next} {value}"));
                next = (next + 1) % 5000;
            }
        });
        let found: BTreeSet<String> = found.into_iter().collect();
        assert!(stays.iter().all(|name| found.contains(name)), "round {round}");
    }
}

#[test]
fn types_are_told_apart_and_the_dead_removed() {
    let mut t = Fixture::with(&[("notify-keyspace-events", "Ex")]);
    t.run("MSET s1 x s2 y");
    t.run("RPUSH l x");
    t.run("SADD s x");
    t.run("PEXPIRE s1 100");
    t.now.ms += 100;
    assert_eq!(scan_all(&mut t, "TYPE LIST COUNT 100", |_| {}), ["l"]);
    assert_eq!(scan_all(&mut t, "TYPE string MATCH s2 COUNT 100", |_| {}), ["s2"]);
    assert_eq!(t.run("DBSIZE"), "(integer) 4");
    assert_eq!(t.events("SCAN 0 COUNT 1000 TYPE string"), "expired s1");
    assert_eq!(t.run("DBSIZE"), "(integer) 3");
    assert_eq!(scan_all(&mut t, "TYPE none COUNT 100", |_| {}), Vec::<String>::new());
}

#[test]
fn cursors_nobody_gave_out_do_no_harm() {
    let mut t = Fixture::new();
    (0..100).for_each(|n| assert_eq!(t.run(&format!("SET k{n} x")), "OK"));
    for cursor in ["1", "15", "16", "-1", "18446744073709551615", "9223372036854775807", ""] {
        let (next, _) = scan(&mut t, &format!("'{cursor}'"), "COUNT 1000");
        assert_eq!(next, "0", "{cursor}");
    }
    t.check(
        r#"
        > SCAN x
        (error) ERR invalid cursor
        > SCAN 0 COUNT 0
        (error) ERR syntax error
        > SCAN 0 COUNT x
        (error) ERR value is not an integer or out of range
        > SCAN 0 MATCH
        (error) ERR syntax error
        > SCAN 0 LIMIT 1
        (error) ERR syntax error
        "#,
    );
}

#[test]
fn any_key_may_be_the_random_one_unless_it_is_dead() {
    let mut t = Fixture::new();
    let names: Vec<String> = (0..20).map(|n| format!("\"k{n}\"")).collect();
    names.iter().for_each(|name| assert_eq!(t.run(&format!("SET {name} x")), "OK"));
    let drawn: BTreeSet<String> = (0..2000).map(|_| t.run("RANDOMKEY")).collect();
    assert!(names.iter().all(|name| drawn.contains(name)), "{drawn:?}");
    for name in &names[1..] {
        t.run(&format!("PEXPIRE {name} 1"));
    }
    t.now.ms += 1;
    assert!((0..20).all(|_| t.run("RANDOMKEY") == names[0]));
    t.run("DEL k0");
    assert_eq!(t.run("RANDOMKEY"), "(nil)");
}
