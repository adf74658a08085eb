//! Strings and keys: what a value may be, how long it lives, how it is found again.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use redis::{Value, cmd};

use crate::harness::{Behavior, Client, NIL, Url, eventually, set};

/// The behaviors of this file.
pub const ALL: &[Behavior] = &[
    (7, set_options),
    (8, getex_getdel),
    (9, counters),
    (10, ranges),
    (11, many_at_once),
    (12, lcs),
    (13, any_bytes),
    (14, ten_megabytes),
    (35, expiry),
    (36, whole_keys),
    (37, encodings),
    (38, scan),
    (39, sort),
    (40, flush),
];

fn set_options(c: &mut Client) {
    c.says("SET k a NX", "OK");
    c.says("SET k b NX", NIL);
    c.says("SET k b XX", "OK");
    c.says("SET absent b XX", NIL);
    c.says("SET k c GET", "b");
    c.says("SET fresh 1 GET", NIL);
    c.says("SET k d EX 100", "OK");
    c.within("TTL k", 90, 100);
    c.says("SET k e PX 100000", "OK");
    c.within("PTTL k", 90_000, 100_000);
    c.says("SET k f KEEPTTL", "OK");
    c.within("TTL k", 90, 100);
    c.says("SET k g", "OK");
    c.says("TTL k", -1);
    c.refused("SET k v EX 0", "invalid expire time in 'set' command");
}

fn getex_getdel(c: &mut Client) {
    c.says("SET k v", "OK");
    c.says("GETEX k EX 100", "v");
    c.within("TTL k", 90, 100);
    c.says("GETEX k PERSIST", "v");
    c.says("TTL k", -1);
    c.says("GETDEL k", "v");
    c.says("GETDEL k", NIL);
    c.says("EXISTS k", 0);
}

fn counters(c: &mut Client) {
    c.says("INCR n", 1);
    c.says("INCRBY n 41", 42);
    c.says("DECRBY n 50", -8);
    c.says("DECR n", -9);
    c.says("INCRBYFLOAT f 10.5", 10.5);
    c.says("INCRBYFLOAT f 0.1", 10.6);
    c.says("GET f", "10.6");
    c.says(cmd("SET").arg("max").arg(i64::MAX), "OK");
    c.refused("INCR max", "increment or decrement would overflow");
    c.says("SET text 1.5x", "OK");
    c.refused("INCR text", "value is not an integer or out of range");
    c.refused("INCRBYFLOAT text 1", "value is not a valid float");
}

fn ranges(c: &mut Client) {
    c.says("APPEND k Hello", 5);
    c.says(cmd("APPEND").arg("k").arg(" World"), 11);
    c.says("STRLEN k", 11);
    c.says("GETRANGE k -5 -1", "World");
    c.says("GETRANGE k 20 30", "");
    c.says("SETRANGE k 6 Redis", 11);
    c.says("GET k", "Hello Redis");
    c.says("SETRANGE pad 3 x", 4);
    c.says("GET pad", "\0\0\0x");
    c.refused("SETRANGE k -1 x", "offset is out of range");
}

fn many_at_once(c: &mut Client) {
    c.says("MSET a 1 b 2", "OK");
    c.says("MGET a none b", [Some("1"), None, Some("2")]);
    c.says("MSETNX b 3 c 4", false);
    c.says("MSETNX c 4 d 5", true);
    c.says("MGET b c", ["2", "4"]);
}

fn lcs(c: &mut Client) {
    c.says("MSET x ohmytext y mynewtext", "OK");
    c.says("LCS x y", "mytext");
    c.says("LCS x y LEN", 6);
    let answer: std::collections::HashMap<String, Value> =
        c.ask("LCS x y IDX MINMATCHLEN 4 WITHMATCHLEN");
    assert_eq!(answer["len"], Value::Int(6));
    let range = |from, to| Value::Array(vec![Value::Int(from), Value::Int(to)]);
    let text = Value::Array(vec![range(4, 7), range(5, 8), Value::Int(4)]);
    assert_eq!(answer["matches"], Value::Array(vec![text]));
}

fn any_bytes(c: &mut Client) {
    let every: Vec<u8> = (0..=255).collect();
    let reversed: Vec<u8> = (0..=255).rev().collect();
    c.says(cmd("SET").arg(&every).arg(&reversed), "OK");
    c.says(cmd("GET").arg(&every), reversed);
    c.says(cmd("SET").arg("").arg(""), "OK");
    c.says(cmd("GET").arg(""), "");
    c.says(cmd("RPUSH").arg("l").arg("").arg(&every), 2);
    let elements: Vec<Vec<u8>> = c.ask("LRANGE l 0 -1");
    assert_eq!(elements, [vec![], every]);
    c.says(cmd("SET").arg("clé-ключ-鍵").arg("värde 🦀"), "OK");
    c.says("GET clé-ключ-鍵", "värde 🦀");
    c.says("STRLEN clé-ключ-鍵", 11);
}

fn ten_megabytes(c: &mut Client) {
    let value: Vec<u8> = (0..10_000_000).map(|i| (i % 10_000 * 7 % 251) as u8).collect();
    c.says(cmd("SET").arg("big").arg(&value), "OK");
    c.says("STRLEN big", 10_000_000);
    assert!(c.ask::<Vec<u8>>("GET big") == value, "the value comes back as it was");
    c.says("GETRANGE big 5000000 5000009", value[5_000_000..5_000_010].to_vec());
}

fn expiry(c: &mut Client) {
    c.says("SET k v", "OK");
    c.says("TTL k", -1);
    c.says("TTL none", -2);
    c.says("EXPIRE k 100 XX", false);
    c.says("EXPIRE k 100 NX", true);
    c.says("EXPIRE k 50 GT", false);
    c.says("EXPIRE k 50 LT", true);
    c.within("PTTL k", 40_000, 50_000);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    c.says(cmd("EXPIREAT").arg("k").arg(now + 1000), true);
    c.says("EXPIRETIME k", now + 1000);
    c.says("PEXPIRETIME k", (now + 1000) * 1000);
    c.says("PERSIST k", true);
    c.says("PERSIST k", false);
    c.refused("EXPIRE k 1 NX GT", "NX and XX, GT or LT options");
    c.says("PEXPIRE k 20", true);
    eventually(|| c.ask::<Option<String>>("GET k").is_none());
    c.says("SET k v", "OK");
    c.says("EXPIRE k -1", true);
    c.says("EXISTS k", 0);
}

fn whole_keys(c: &mut Client) {
    c.says("SET a 1", "OK");
    c.says("RENAME a b", "OK");
    c.refused("RENAME a c", "no such key");
    c.says("SET c 2", "OK");
    c.says("RENAMENX b c", false);
    c.says("COPY b c", false);
    c.says("COPY b c REPLACE", true);
    c.says("MGET b c", ["1", "1"]);
    c.says("COPY b elsewhere DB 3", true);
    c.says("HSET h f v", 1);
    for (key, kind) in [("b", "string"), ("h", "hash"), ("none", "none")] {
        c.says(cmd("TYPE").arg(key), kind);
    }
    c.says("EXISTS b b none", 2);
    c.says("TOUCH b none", 1);
    assert!(set("b c h").contains(&c.ask::<String>("RANDOMKEY")));
    c.says("DEL b none", 1);
    c.says("UNLINK c h", 2);
    c.says("RANDOMKEY", NIL);
}

fn encodings(c: &mut Client) {
    c.says("SET int 12345", "OK");
    c.says(cmd("SET").arg("embstr").arg("x".repeat(44)), "OK");
    c.says(cmd("SET").arg("raw").arg("x".repeat(45)), "OK");
    c.says("RPUSH quicklist 1 2", 2);
    c.says("HSET hash f v", 1);
    c.says("SADD intset 1 2", 2);
    c.says("SADD hashtable a b", 2);
    c.says("ZADD zset 1 m", 1);
    for key in ["int", "embstr", "raw", "quicklist", "intset", "hashtable"] {
        c.says(cmd("OBJECT").arg("ENCODING").arg(key), key);
    }
    c.says("OBJECT ENCODING hash", "listpack");
    c.says("OBJECT ENCODING zset", "listpack");
    c.says(cmd("HSET").arg("hash").arg("f").arg("x".repeat(65)), 0);
    for i in 0..200 {
        c.says(cmd("ZADD").arg("zset").arg(i).arg(format!("m{i}")), 1);
    }
    c.says("OBJECT ENCODING hash", "hashtable");
    c.says("OBJECT ENCODING zset", "skiplist");
    c.says("OBJECT REFCOUNT raw", 1);
    c.within("OBJECT IDLETIME raw", 0, 60);
    c.within("MEMORY USAGE raw", 45, 500);
}

fn scan(c: &mut Client) {
    for i in 0..500 {
        c.says(cmd("SET").arg(format!("str:{i}")).arg(i), "OK");
    }
    for i in 0..50 {
        c.says(cmd("SADD").arg(format!("set:{i}")).arg(i), 1);
    }
    c.says("DBSIZE", 550);
    assert_eq!(scan_all(c, "SCAN", "COUNT 50"), c.ask::<HashSet<String>>("KEYS *"));
    let forties = scan_all(c, "SCAN", "MATCH str:4? COUNT 1000");
    assert_eq!(forties, (40..50).map(|i| format!("str:{i}")).collect());
    assert_eq!(scan_all(c, "SCAN", "TYPE set").len(), 50);
    c.says("KEYS set:[12]", set("set:1 set:2"));
    c.refused("SCAN x", "invalid cursor");
}

/// Follows the cursor of a SCAN-like command to its end.
pub fn scan_all(c: &mut Client, command: &str, options: &str) -> HashSet<String> {
    let (mut found, mut cursor) = (HashSet::new(), 0);
    loop {
        let (next, page): (u64, Vec<String>) =
            c.ask(format!("{command} {cursor} {options}").as_str());
        found.extend(page);
        cursor = next;
        if cursor == 0 {
            return found;
        }
    }
}

fn sort(c: &mut Client) {
    c.says("RPUSH l 3 1 2", 3);
    c.says("SORT l", ["1", "2", "3"]);
    c.says("SORT l DESC LIMIT 0 2", ["3", "2"]);
    c.says("MSET w1 30 w2 20 w3 10 v1 one v2 two", "OK");
    c.says("SORT l BY w*", ["3", "2", "1"]);
    let two = [Some("3"), None, Some("2"), Some("two"), Some("1"), Some("one")];
    c.says("SORT l BY w* GET # GET v*", two);
    c.says("SORT l ALPHA STORE sorted", 3);
    c.says("LRANGE sorted 0 -1", ["1", "2", "3"]);
    c.says("RPUSH words b a", 2);
    c.refused("SORT words", "One or more scores can't be converted into double");
    c.says("SORT_RO words ALPHA", ["a", "b"]);
}

fn flush(c: &mut Client) {
    c.says("MSET a 1 b 2", "OK");
    c.says("DBSIZE", 2);
    c.says("FLUSHDB", "OK");
    c.says("DBSIZE", 0);
    let five = Url { database: 5, ..c.url().clone() };
    let mut five = Client::connect(&five).expect("database 5 exists");
    five.says("SET k v", "OK");
    c.says("FLUSHALL", "OK");
    five.says("EXISTS k", 0);
}
