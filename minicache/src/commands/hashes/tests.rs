//! Conversations about hashes. Every reply is that of Redis 7.0.15.

use crate::commands::testing::{Fixture, show, words};
use std::collections::HashSet;

#[test]
fn fields_are_set_read_and_removed() {
    Fixture::new().check(
        r#"
        > HSET h name Ada born 1815
        (integer) 2
        > HSET h name Byron died 1852
        (integer) 1
        > HGET h name
        "Byron"
        > HMGET h born nothing died
        1) "1815"
        2) (nil)
        3) "1852"
        > HLEN h
        (integer) 3
        > HSTRLEN h born
        (integer) 4
        > HEXISTS h name
        (integer) 1
        > HEXISTS h nothing
        (integer) 0
        > HGETALL h
        1) "name"
        2) "Byron"
        3) "born"
        4) "1815"
        5) "died"
        6) "1852"
        > HKEYS h
        1) "name"
        2) "born"
        3) "died"
        > HVALS h
        1) "Byron"
        2) "1815"
        3) "1852"
        > HSETNX h name Ada
        (integer) 0
        > HSETNX h height 170
        (integer) 1
        > HMSET h a 1 b 2
        OK
        > HDEL h a b nothing a
        (integer) 2
        > HDEL h name born died height name
        (integer) 4
        > HLEN h
        (integer) 0
        "#,
    );
}

#[test]
fn a_missing_key_is_an_empty_hash() {
    Fixture::new().check(
        r#"
        > HGET none f
        (nil)
        > HMGET none a b
        1) (nil)
        2) (nil)
        > HGETALL none
        (empty array)
        > HKEYS none
        (empty array)
        > HSTRLEN none f
        (integer) 0
        > HDEL none f
        (integer) 0
        > HSCAN none 0 NO SUCH OPTION
        1) "0"
        2) (empty array)
        > HRANDFIELD none
        (nil)
        > HRANDFIELD none 1
        (empty array)
        "#,
    );
}

#[test]
fn what_cannot_be_done_is_said_as_redis_says_it() {
    Fixture::new().check(
        r#"
        > SET s x
        OK
        > HSET s a 1
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HSET s a
        (error) ERR wrong number of arguments for 'hset' command
        > HSET s a 1 b
        (error) ERR wrong number of arguments for 'hset' command
        > HMSET s a 1 b
        (error) ERR wrong number of arguments for 'hmset' command
        > HINCRBY s f x
        (error) ERR value is not an integer or out of range
        > HSCAN s 0
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > HSCAN s x
        (error) ERR invalid cursor
        > HSET h f v
        (integer) 1
        > HSCAN h 0 COUNT 0
        (error) ERR syntax error
        > HSCAN h 0 COUNT x
        (error) ERR value is not an integer or out of range
        > HSCAN h 0 MATCH
        (error) ERR syntax error
        > HSCAN h 0 TYPE hash
        (error) ERR syntax error
        > HRANDFIELD h 1 withscores
        (error) ERR syntax error
        > HRANDFIELD h x WITHVALUES x
        (error) ERR value is not an integer or out of range
        > HRANDFIELD h 1 WITHVALUES x
        (error) ERR syntax error
        > HRANDFIELD h -9223372036854775807 WITHVALUES
        (error) ERR value is out of range
        "#,
    );
}

#[test]
fn numbers_grow() {
    Fixture::new().check(
        r#"
        > HINCRBY h n 5
        (integer) 5
        > HINCRBY h n -7
        (integer) -2
        > HSET h n 9223372036854775807 t text f 1.5
        (integer) 2
        > HINCRBY h n 1
        (error) ERR increment or decrement would overflow
        > HINCRBY h f 1
        (error) ERR hash value is not an integer
        > HINCRBYFLOAT h f 0.1
        "1.6"
        > HINCRBYFLOAT h g -3
        "-3"
        > HINCRBYFLOAT h n 1
        "9223372036854775808"
        > HINCRBYFLOAT h t 1
        (error) ERR hash value is not a float
        > HINCRBYFLOAT h t x
        (error) ERR value is not a valid float
        > HINCRBYFLOAT h t inf
        (error) ERR value is NaN or Infinity
        > HSET h f 1e4932
        (integer) 0
        > HINCRBYFLOAT h f 1e4932
        (error) ERR increment would produce NaN or Infinity
        > HGET h f
        "1e4932"
        "#,
    );
}

#[test]
fn resp3_has_maps_and_pairs() {
    Fixture::new().check(
        r#"
        a> HSET h f v
        (integer) 1
        a> HRANDFIELD h -2 WITHVALUES
        1) "f"
        2) "v"
        3) "f"
        4) "v"
        a> HELLO 3
        1# "server" => "redis"
        2# "version" => "7.0.15"
        3# "proto" => (integer) 3
        4# "id" => (integer) 1
        5# "mode" => "standalone"
        6# "role" => "master"
        7# "modules" => (empty array)
        a> HGETALL h
        1# "f" => "v"
        a> HGETALL none
        (empty hash)
        a> HRANDFIELD h -2 WITHVALUES
        1) 1) "f"
           2) "v"
        2) 1) "f"
           2) "v"
        a> HRANDFIELD h 1
        1) "f"
        a> HGET h nothing
        (nil)
        "#,
    );
}

/// Packed and indexed: whatever the form, a scan finds all fields that match, and draws are fair.
#[test]
fn scans_and_draws_see_every_field() {
    for fields in [100, 2000] {
        let mut t = Fixture::new();
        (0..fields).for_each(|n| assert_eq!(t.run(&format!("HSET h f{n} v{n}")), "(integer) 1"));
        let scanned = scan(&mut t, "MATCH f*5");
        let expected: HashSet<String> = (0..fields / 10)
            .map(|n| format!("\"f{}5\"", if n == 0 { "".into() } else { n.to_string() }))
            .collect();
        assert_eq!(scanned, expected);
        for (count, wanted) in [(fields / 10, fields / 10), (fields * 2, fields)] {
            let drawn = t.run(&format!("HRANDFIELD h {count}"));
            let different: HashSet<&str> = drawn.lines().map(item).collect();
            assert_eq!((drawn.lines().count(), different.len()), (wanted, wanted));
        }
        let drawn = t.run(&format!("HRANDFIELD h -{}", fields * 20));
        assert_eq!(drawn.lines().count(), fields * 20);
        assert_eq!(drawn.lines().map(item).collect::<HashSet<_>>().len(), fields);
    }
}

/// The fields that a complete scan of `h` finds.
fn scan(t: &mut Fixture, options: &str) -> HashSet<String> {
    let (mut seen, mut cursor) = (HashSet::new(), "0".to_string());
    loop {
        let reply = t.run(&format!("HSCAN h {cursor} {options}"));
        let mut lines = reply.lines();
        cursor = item(lines.next().unwrap()).trim_matches('"').to_string();
        let found: Vec<&str> = lines.map(|line| line.rsplit(") ").next().unwrap()).collect();
        for pair in found.chunks_exact(2) {
            assert_eq!(pair[0].replace('f', "v"), pair[1]);
            seen.insert(pair[0].to_string());
        }
        if cursor == "0" {
            return seen;
        }
    }
}

fn item(line: &str) -> &str {
    line.split_once(") ").unwrap().1
}

#[test]
fn a_draw_without_end_stops_where_the_client_would_be_closed() {
    let mut t = Fixture::with(&[("client-output-buffer-limit", "normal 1000 0 0")]);
    t.run("HSET h f v");
    let reply = t.run_raw("", words(&[b"HRANDFIELD", b"h", b"-9223372036854775807"]).as_args());
    assert!((1000..1100).contains(&reply.len()), "{} bytes", reply.len());
    assert!(t.session("").closing);
}

#[test]
fn any_bytes_are_a_field() {
    let mut t = Fixture::new();
    let odd: [&[u8]; 4] = [b"HSET", b"h", b"", b"\x00\r\n\xff"];
    assert_eq!(show(&t.run_raw("", words(&odd).as_args())), "(integer) 1");
    assert_eq!(t.run("HGET h \"\""), r#""\x00\r\n\xff""#);
}

#[test]
fn events_are_those_of_redis() {
    let mut t = Fixture::with(&[("notify-keyspace-events", "EAn")]);
    for (command, events) in [
        ("HSET h a 1 b 2", "new h, hset h"),
        ("HMSET h c 3", "hset h"),
        ("HSETNX h c 4", ""),
        ("HSETNX h d 4", "hset h"),
        ("HINCRBY h a 1", "hincrby h"),
        ("HINCRBYFLOAT h a 1", "hincrbyfloat h"),
        ("HINCRBY h a x", ""),
        ("HDEL h none", ""),
        ("HDEL h a none", "hdel h"),
        ("HDEL h b c d", "hdel h, del h"),
    ] {
        assert_eq!(t.events(command), events, "{command}");
    }
}
