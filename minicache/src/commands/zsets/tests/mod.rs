//! Conversations with sorted sets. The replies are those of Redis 7.0.15.

mod combining;
mod members;
mod popping;
mod ranges;

use crate::commands::testing::Fixture;

#[test]
fn every_change_is_announced() {
    let mut t = Fixture::with(&[("notify-keyspace-events", "EA")]);
    for (line, events) in [
        ("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f", "zadd z"),
        ("ZADD z 1 a", ""),
        ("ZADD z NX 5 a", ""),
        ("ZADD z INCR 1 a", "zincr z"),
        ("ZINCRBY z 0 a", ""),
        ("ZREM z nobody", ""),
        ("ZREM z a nobody", "zrem z"),
        ("ZREMRANGEBYSCORE z 100 200", ""),
        ("ZREMRANGEBYSCORE z 2 2", "zremrangebyscore z"),
        ("ZREMRANGEBYRANK z 0 0", "zremrangebyrank z"),
        ("ZREMRANGEBYLEX z - [d", "zremrangebylex z"),
        ("ZPOPMIN z", "zpopmin z"),
        ("ZPOPMIN z 0", ""),
        ("BZPOPMAX z 0", "zpopmax z, del z"),
        ("ZADD z 1 a", "zadd z"),
        ("ZRANGESTORE s z 0 -1", "zrangestore s"),
        ("ZUNIONSTORE s 1 z", "zunionstore s"),
        ("ZINTERSTORE s 1 z", "zinterstore s"),
        ("ZDIFFSTORE s 1 z", "zdiffstore s"),
        ("ZDIFFSTORE s 2 z z", "del s"),
        ("ZRANGESTORE s none 0 -1", ""),
        ("ZMPOP 1 z MAX COUNT 5", "zpopmax z, del z"),
    ] {
        assert_eq!(t.events(line), events, "{line}");
    }
}

/// What was put together is stored in the form it would have had if it had come bit by bit.
#[test]
fn results_are_packed_where_they_fit() {
    let mut t = Fixture::with(&[("zset-max-listpack-entries", "3")]);
    t.run("ZADD three 1 a 2 b 3 c");
    t.run("ZADD four 1 a 2 b 3 c 4 d");
    for (line, encoding) in [
        ("ZUNIONSTORE s 1 three", "listpack"),
        ("ZUNIONSTORE s 2 three four", "skiplist"),
        ("ZINTERSTORE s 2 three four", "listpack"),
        ("ZDIFFSTORE s 2 four none", "skiplist"),
        ("ZDIFFSTORE s 2 four three", "listpack"),
        ("ZRANGESTORE s four 0 -1", "skiplist"),
        ("ZRANGESTORE s four -1 -inf BYSCORE REV", "none"),
        ("ZRANGESTORE s four 3 -inf BYSCORE REV", "listpack"),
    ] {
        t.run(line);
        assert_eq!(t.encoding("s").unwrap_or("none"), encoding, "{line}");
    }
}
