//! Deadlines.

use crate::commands::testing::Fixture;

#[test]
fn a_deadline_is_set_under_conditions() {
    Fixture::new().check(
        r#"
        > SET k v
        OK
        > TTL k
        (integer) -1
        > TTL none
        (integer) -2
        > PEXPIRETIME none
        (integer) -2
        > EXPIRE k 100
        (integer) 1
        > TTL k
        (integer) 100
        > EXPIRE k 200 NX
        (integer) 0
        > EXPIRE k 50 GT
        (integer) 0
        > EXPIRE k 200 GT
        (integer) 1
        > EXPIRE k 500 LT
        (integer) 0
        > EXPIRE k 100 LT
        (integer) 1
        > TTL k
        (integer) 100
        > EXPIRE k 300 XX
        (integer) 1
        > PERSIST k
        (integer) 1
        > PERSIST k
        (integer) 0
        > TTL k
        (integer) -1
        > EXPIRE k 10 XX
        (integer) 0
        > EXPIRE k 10 GT
        (integer) 0
        > EXPIRE k 10 LT
        (integer) 1
        "#,
    );
}

#[test]
fn deadlines_are_told_in_seconds_and_milliseconds() {
    Fixture::new().check(
        r#"
        > SET k v
        OK
        > EXPIRE k 10
        (integer) 1
        > EXPIREAT k 33177117420
        (integer) 1
        > EXPIRETIME k
        (integer) 33177117420
        > PEXPIRETIME k
        (integer) 33177117420000
        > PEXPIREAT k 33177117420500
        (integer) 1
        > EXPIRETIME k
        (integer) 33177117421
        > EXPIREAT k 33177117420 NX
        (integer) 0
        > PEXPIREAT k 33177117420000 LT XX
        (integer) 1
        > PEXPIRETIME k
        (integer) 33177117420000
        > EXPIRE none 10
        (integer) 0
        > PERSIST none
        (integer) 0
        "#,
    );
}

#[test]
fn a_deadline_that_has_passed_removes_the_key() {
    Fixture::new().check(
        r#"
        > SET k v
        OK
        > EXPIRE k -1
        (integer) 1
        > EXISTS k
        (integer) 0
        > SET k v
        OK
        > PEXPIREAT k 1
        (integer) 1
        > EXISTS k
        (integer) 0
        "#,
    );
}

#[test]
fn what_deadlines_refuse() {
    Fixture::new().check(
        r#"
        > SET k v
        OK
        > EXPIRE k x
        (error) ERR value is not an integer or out of range
        > EXPIRE k 10 AB
        (error) ERR Unsupported option AB
        > EXPIRE k 10 NX XX
        (error) ERR NX and XX, GT or LT options at the same time are not compatible
        > EXPIRE k 10 NX GT
        (error) ERR NX and XX, GT or LT options at the same time are not compatible
        > EXPIRE k 10 GT LT
        (error) ERR GT and LT options at the same time are not compatible
        > EXPIRE k x AB
        (error) ERR Unsupported option AB
        > EXPIRE k 9223372036854775807
        (error) ERR invalid expire time in 'expire' command
        > EXPIRE k -9223372036854775808
        (error) ERR invalid expire time in 'expire' command
        > EXPIRE none 9223372036854775807
        (error) ERR invalid expire time in 'expire' command
        > PEXPIRE k 9223372036854775807
        (error) ERR invalid expire time in 'pexpire' command
        > EXPIREAT k 9223372036854776
        (error) ERR invalid expire time in 'expireat' command
        > PEXPIREAT k 9223372036854775807
        (integer) 1
        > PEXPIRETIME k
        (integer) 9223372036854775807
        > PERSIST k
        (integer) 1
        > TTL k
        (integer) -1
        "#,
    );
}

#[test]
fn time_passes() {
    let mut t = Fixture::with(&[("notify-keyspace-events", "Ex")]);
    t.check(
        r#"
        > SET k v PX 1500
        OK
        > SET other v
        OK
        "#,
    );
    t.now.ms += 900;
    t.check(
        r#"
        > PTTL k
        (integer) 600
        > TTL k
        (integer) 1
        > PEXPIRETIME k
        (integer) 1700000001500
        > EXPIRETIME k
        (integer) 1700000002
        "#,
    );
    t.now.ms += 599;
    assert_eq!(t.run("TTL k"), "(integer) 0");
    t.now.ms += 1;
    assert_eq!(t.events("EXISTS k"), "expired k");
    t.check(
        r#"
        > TTL k
        (integer) -2
        > KEYS *
        1) "other"
        "#,
    );
}
