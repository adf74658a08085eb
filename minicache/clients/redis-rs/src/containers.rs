//! Lists, hashes, sets, sorted sets.

use std::collections::{HashMap, HashSet};

use redis::cmd;

use crate::harness::{Behavior, Client, NIL, set};
use crate::keyspace::scan_all;

/// The behaviors of this file.
pub const ALL: &[Behavior] = &[
    (15, lists),
    (16, lpos),
    (17, list_moves),
    (18, blocking_pops),
    (19, blocking_moves),
    (20, hashes),
    (21, hash_counters),
    (22, random_fields),
    (23, hscan),
    (24, sets),
    (25, set_algebra),
    (26, random_members),
    (27, sscan),
    (28, zadd),
    (29, zrange),
    (30, zrangestore),
    (31, zset_algebra),
    (32, zpops),
    (33, zscan_zrandmember),
    (34, edge_scores),
];

fn lists(c: &mut Client) {
    c.says("LPUSHX l x", 0);
    c.says("RPUSH l b c d", 3);
    c.says("LPUSH l a", 4);
    c.says("LRANGE l 0 -1", ["a", "b", "c", "d"]);
    c.says("LRANGE l -2 100", ["c", "d"]);
    c.says("LINDEX l 0", "a");
    c.says("LINDEX l -1", "d");
    c.says("LINDEX l 9", NIL);
    c.says("LSET l 1 B", "OK");
    c.refused("LSET l 9 x", "index out of range");
    c.says("LINSERT l BEFORE c b2", 5);
    c.says("LINSERT l AFTER none x", -1);
    c.says("LREM l -1 b2", 1);
    c.says("LTRIM l 1 -1", "OK");
    c.says("LPOP l", "B");
    c.says("RPOP l 5", ["d", "c"]);
    c.says("LPOP l", NIL);
    c.says("LLEN l", 0);
    c.says("EXISTS l", 0);
}

fn lpos(c: &mut Client) {
    c.says("RPUSH l a b c d a c b", 7);
    c.says("LPOS l c", 2);
    c.says("LPOS l c RANK -1", 5);
    c.says("LPOS l a COUNT 0", [0, 4]);
    c.says("LPOS l c MAXLEN 2", None::<i64>);
    c.refused("LPOS l a RANK 0", "RANK can't be zero");
}

fn list_moves(c: &mut Client) {
    c.says("RPUSH a 1 2 3", 3);
    c.says("LMOVE a b LEFT RIGHT", "1");
    c.says("RPOPLPUSH a b", "3");
    c.says("LRANGE b 0 -1", ["3", "1"]);
    c.says("LMOVE none b LEFT RIGHT", NIL);
    c.says("LMPOP 2 none b RIGHT COUNT 5", ("b", ["1", "3"]));
    c.says("LMPOP 1 none LEFT", NIL);
}

fn blocking_pops(c: &mut Client) {
    c.says("RPUSH l v", 1);
    c.says("BLPOP none l 1", ("l", "v"));
    c.says("BLPOP l 0.05", NIL);
    c.while_blocked("BRPOP x y 10", "RPUSH y late", ("y", "late"));
    c.says("EXISTS y", 0);
    c.refused("BLPOP l -1", "timeout is negative");
}

fn blocking_moves(c: &mut Client) {
    c.says("BLMOVE a b LEFT RIGHT 0.05", NIL);
    c.while_blocked("BLMOVE a b LEFT RIGHT 10", "RPUSH a v", "v");
    c.says("LRANGE b 0 -1", ["v"]);
    c.says("BLMPOP 0.05 1 a LEFT", NIL);
    c.while_blocked("BLMPOP 10 2 a c LEFT COUNT 2", "RPUSH c 1 2 3", ("c", ["1", "2"]));
    c.says("LRANGE c 0 -1", ["3"]);
}

fn hashes(c: &mut Client) {
    let pairs = |pairs: &[(&str, &str)]| -> HashMap<String, String> {
        pairs.iter().map(|(field, value)| (field.to_string(), value.to_string())).collect()
    };
    c.says("HSET h a 1 b 2", 2);
    c.says("HSET h a x", 0);
    c.says("HGET h a", "x");
    c.says("HGET h none", NIL);
    c.says("HMGET h a none b", [Some("x"), None, Some("2")]);
    c.says("HGETALL h", pairs(&[("a", "x"), ("b", "2")]));
    c.says("HGETALL none", pairs(&[]));
    c.says("HKEYS h", set("a b"));
    c.says("HVALS h", set("x 2"));
    c.says("HEXISTS h a", true);
    c.says("HEXISTS h none", false);
    c.says("HLEN h", 2);
    c.says("HSETNX h a 1", false);
    c.says("HSETNX h c ccc", true);
    c.says("HSTRLEN h c", 3);
    c.says("HDEL h a b c none", 3);
    c.says("EXISTS h", 0);
}

fn hash_counters(c: &mut Client) {
    c.says("HINCRBY h n 5", 5);
    c.says("HINCRBY h n -7", -2);
    c.says("HINCRBYFLOAT h f 2.25", 2.25);
    c.says("HGET h f", "2.25");
    c.says("HSET h t x", 1);
    c.refused("HINCRBY h t 1", "hash value is not an integer");
    c.refused("HINCRBYFLOAT h t 1", "hash value is not a float");
}

fn random_fields(c: &mut Client) {
    let pairs = fill(c, "HSET h", 10, |i| format!("f{i} {i}"));
    let fields: HashSet<String> = pairs.keys().cloned().collect();
    assert!(fields.contains(&c.ask::<String>("HRANDFIELD h")));
    c.says("HRANDFIELD h 20", fields);
    assert_eq!(c.ask::<Vec<String>>("HRANDFIELD h -20").len(), 20);
    let drawn: Vec<(String, f64)> = c.ask("HRANDFIELD h 3 WITHVALUES");
    assert_eq!(drawn.len(), 3);
    assert!(drawn.iter().all(|(field, value)| pairs[field] == *value), "{drawn:?}");
    c.says("HRANDFIELD none", NIL);
}

fn hscan(c: &mut Client) {
    let pairs = fill(c, "HSET h", 1000, |i| format!("f{i} {i}"));
    let words: HashSet<String> =
        pairs.iter().flat_map(|(field, value)| [field.clone(), value.to_string()]).collect();
    assert_eq!(scan_all(c, "HSCAN h", "COUNT 100"), words);
    assert_eq!(scan_all(c, "HSCAN h", "MATCH f99? COUNT 1000").len(), 20);
}

fn sets(c: &mut Client) {
    c.says("SADD s a b c a", 3);
    c.says("SMEMBERS s", set("a b c"));
    c.says("SISMEMBER s a", true);
    c.says("SISMEMBER s x", false);
    c.says("SMISMEMBER s a x c", [true, false, true]);
    c.says("SCARD s", 3);
    c.says("SREM s a x", 1);
    c.says("SMOVE s t b", true);
    c.says("SMOVE s t x", false);
    c.says("SMEMBERS s", set("c"));
    c.says("SMEMBERS t", set("b"));
}

fn set_algebra(c: &mut Client) {
    c.says("SADD a 1 2 3 4", 4);
    c.says("SADD b 3 4 5", 3);
    c.says("SINTER a b", set("3 4"));
    c.says("SUNION a b", set("1 2 3 4 5"));
    c.says("SDIFF a b", set("1 2"));
    c.says("SINTERCARD 2 a b", 2);
    c.says("SINTERCARD 2 a b LIMIT 1", 1);
    c.says("SINTERSTORE i a b", 2);
    c.says("SUNIONSTORE u a b", 5);
    c.says("SDIFFSTORE d b a", 1);
    c.says("SMEMBERS d", set("5"));
    c.says("SINTERSTORE i a none", 0);
    c.says("EXISTS i", 0);
}

fn random_members(c: &mut Client) {
    let everything = set("0 1 2 3 4 5 6 7 8 9");
    c.says("SADD s 0 1 2 3 4 5 6 7 8 9", 10);
    assert!(everything.contains(&c.ask::<String>("SRANDMEMBER s")));
    c.says("SRANDMEMBER s 20", everything.clone());
    assert_eq!(c.ask::<Vec<String>>("SRANDMEMBER s -20").len(), 20);
    let mut members: HashSet<String> = c.ask("SPOP s 4");
    members.insert(c.ask("SPOP s"));
    assert_eq!(members.len(), 5);
    c.says("SCARD s", 5);
    members.extend(c.ask::<Vec<String>>("SMEMBERS s"));
    assert_eq!(members, everything);
    c.says("SPOP none", NIL);
}

fn sscan(c: &mut Client) {
    let members: HashSet<String> = (0..1000).map(|i| format!("m{i}")).collect();
    for member in &members {
        c.says(cmd("SADD").arg("s").arg(member), 1);
    }
    assert_eq!(scan_all(c, "SSCAN s", "COUNT 100"), members);
    assert_eq!(scan_all(c, "SSCAN s", "MATCH m99?").len(), 10);
}

fn zadd(c: &mut Client) {
    c.says("ZADD z 1 a 2 b 3 c", 3);
    c.says("ZADD z NX 9 a", 0);
    c.says("ZADD z XX 9 x", 0);
    c.says("ZADD z CH 5 a 4 d", 2);
    c.says("ZADD z GT CH 3 a", 0);
    c.says("ZADD z LT CH 0.5 a", 1);
    c.says("ZADD z INCR 1.5 a", 2.0);
    c.says("ZADD z NX INCR 1 a", None::<f64>);
    c.says("ZSCORE z a", 2.0);
    c.says("ZSCORE z none", None::<f64>);
    c.says("ZMSCORE z b none", [Some(2.0), None]);
    c.says("ZINCRBY z 0.25 b", 2.25);
    c.says("ZCARD z", 4);
    c.says("ZRANK z a", 0);
    c.says("ZREVRANK z a", 3);
    c.says("ZRANK z none", None::<i64>);
    c.says("ZREM z a none", 1);
    c.says("ZCARD z", 3);
    c.refused("ZADD z NX GT 1 m", "GT, LT, and/or NX options");
    c.refused("ZADD z x m", "value is not a valid float");
}

fn zrange(c: &mut Client) {
    c.says("ZADD z 1 a 2 b 3 c 4 d", 4);
    c.says("ZRANGE z 0 1", ["a", "b"]);
    c.says("ZRANGE z 0 1 REV WITHSCORES", [("d", 4.0), ("c", 3.0)]);
    c.says("ZRANGE z (1 +inf BYSCORE LIMIT 1 5", ["c", "d"]);
    c.says("ZRANGE z 3 1 BYSCORE REV", ["c", "b", "a"]);
    c.says("ZRANGEBYSCORE z 2 (4", ["b", "c"]);
    c.says("ZREVRANGEBYSCORE z +inf 3", ["d", "c"]);
    c.says("ZCOUNT z (1 3", 2);
    c.says("ZCOUNT z 9 10", 0);
    c.says("ZADD lex 0 a 0 b 0 c 0 d 0 e", 5);
    c.says("ZRANGE lex [b (d BYLEX", ["b", "c"]);
    c.says("ZRANGE lex + - BYLEX REV LIMIT 0 2", ["e", "d"]);
    c.says("ZLEXCOUNT lex - +", 5);
    c.says("ZRANGEBYLEX lex (d +", ["e"]);
    c.refused("ZRANGE z x 1 BYSCORE", "min or max is not a float");
}

fn zrangestore(c: &mut Client) {
    c.says("ZADD z 0 a 1 b 2 c 3 d 4 e 5 f 6 g 7 h", 8);
    c.says("ZRANGESTORE dst z 1 3", 3);
    c.says("ZRANGE dst 0 -1 WITHSCORES", [("b", 1.0), ("c", 2.0), ("d", 3.0)]);
    c.says("ZREMRANGEBYRANK z 0 1", 2);
    c.says("ZREMRANGEBYSCORE z (2 4", 2);
    c.says("ZRANGE z 0 -1", ["c", "f", "g", "h"]);
    c.says("ZADD lex 0 a 0 b 0 c", 3);
    c.says("ZREMRANGEBYLEX lex - [b", 2);
    c.says("ZRANGE lex 0 -1", ["c"]);
}

fn zset_algebra(c: &mut Client) {
    c.says("ZADD a 1 x 2 y", 2);
    c.says("ZADD b 3 y 4 z", 2);
    c.says("ZUNION 2 a b WITHSCORES", [("x", 1.0), ("z", 4.0), ("y", 5.0)]);
    let heaviest = [("x", 2.0), ("y", 30.0), ("z", 40.0)];
    c.says("ZUNION 2 a b WEIGHTS 2 10 AGGREGATE MAX WITHSCORES", heaviest);
    c.says("ZINTER 2 a b AGGREGATE MIN WITHSCORES", [("y", 2.0)]);
    c.says("ZDIFF 2 a b WITHSCORES", [("x", 1.0)]);
    c.says("ZUNIONSTORE u 2 a b WEIGHTS 1 0.5", 3);
    c.says("ZRANGE u 0 -1 WITHSCORES", [("x", 1.0), ("z", 2.0), ("y", 3.5)]);
    c.says("ZINTERSTORE i 2 a b", 1);
    c.says("ZDIFFSTORE d 2 b a", 1);
    c.says("ZINTERCARD 2 a b", 1);
    c.says("ZRANGE d 0 -1", ["z"]);
}

fn zpops(c: &mut Client) {
    c.says("ZADD z 0 a 1 b 2 c 3 d 4 e 5 f", 6);
    c.says("ZPOPMIN z", ("a", 0.0));
    c.says("ZPOPMAX z 2", [("f", 5.0), ("e", 4.0)]);
    c.says("ZMPOP 2 none z MIN COUNT 2", ("z", [("b", 1.0), ("c", 2.0)]));
    c.says("BZPOPMIN none z 1", ("z", "d", 3.0));
    c.says("ZPOPMIN z", Vec::<String>::new());
    c.says("BZPOPMAX z 0.05", NIL);
    c.while_blocked("BZPOPMIN z 10", "ZADD z 7 m", ("z", "m", 7.0));
    c.while_blocked("BZMPOP 10 1 z MAX", "ZADD z 1 p 2 q", ("z", [("q", 2.0)]));
}

fn zscan_zrandmember(c: &mut Client) {
    let scores = fill(c, "ZADD z", 1000, |i| format!("{i} f{i}"));
    assert_eq!(scan_all(c, "ZSCAN z", "COUNT 100").len(), 2000);
    assert!(scores.contains_key(&c.ask::<String>("ZRANDMEMBER z")));
    assert_eq!(c.ask::<HashSet<String>>("ZRANDMEMBER z 5").len(), 5);
    assert_eq!(c.ask::<Vec<String>>("ZRANDMEMBER z -20").len(), 20);
    let drawn: Vec<(String, f64)> = c.ask("ZRANDMEMBER z 3 WITHSCORES");
    assert_eq!(drawn.len(), 3);
    assert!(drawn.iter().all(|(member, score)| scores[member] == *score), "{drawn:?}");
}

fn edge_scores(c: &mut Client) {
    let third = 1.0 / 3.0;
    c.says(cmd("ZADD").arg("z").arg(third).arg("third"), 1);
    c.says("ZADD z -inf low +inf high 5e-324 tiny 1e308 big", 4);
    c.says("ZRANGE z 0 -1", ["low", "tiny", "third", "big", "high"]);
    c.says("ZMSCORE z low high", [f64::NEG_INFINITY, f64::INFINITY]);
    c.says("ZSCORE z third", third);
    c.says("ZSCORE z tiny", 5e-324);
    c.says("ZRANGEBYSCORE z -inf (0", ["low"]);
    c.refused("ZINCRBY z -inf high", "resulting score is not a number (NaN)");
    c.refused("ZADD z nan m", "value is not a valid float");
}

/// Adds `count` fields `f0 f1 ...` that hold their number; returns them.
fn fill(
    c: &mut Client,
    command: &str,
    count: u32,
    words: impl Fn(u32) -> String,
) -> HashMap<String, f64> {
    for i in 0..count {
        c.says(format!("{command} {}", words(i)).as_str(), 1);
    }
    (0..count).map(|i| (format!("f{i}"), f64::from(i))).collect()
}
