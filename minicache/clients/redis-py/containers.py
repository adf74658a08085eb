"""Lists, hashes, sets, sorted sets."""

from harness import behavior, equal, refused, scored, while_blocked

INF = float("inf")


@behavior(15)
def lists(r):
    equal(r.lpushx("l", "x"), 0)
    equal(r.rpush("l", "b", "c", "d"), 3)
    equal(r.lpush("l", "a"), 4)
    equal(r.lrange("l", 0, -1), ["a", "b", "c", "d"])
    equal(r.lrange("l", -2, 100), ["c", "d"])
    equal((r.lindex("l", 0), r.lindex("l", -1), r.lindex("l", 9)), ("a", "d", None))
    equal(r.lset("l", 1, "B"), True)
    refused(lambda: r.lset("l", 9, "x"), "index out of range")
    equal(r.linsert("l", "before", "c", "b2"), 5)
    equal(r.linsert("l", "after", "none", "x"), -1)
    equal(r.lrem("l", -1, "b2"), 1)
    equal(r.ltrim("l", 1, -1), True)
    equal((r.lpop("l"), r.rpop("l", 5), r.lpop("l")), ("B", ["d", "c"], None))
    equal((r.llen("l"), r.exists("l")), (0, 0))


@behavior(16)
def lpos(r):
    r.rpush("l", *"abcdacb")
    equal(r.lpos("l", "c"), 2)
    equal(r.lpos("l", "c", rank=-1), 5)
    equal(r.lpos("l", "a", count=0), [0, 4])
    equal(r.lpos("l", "c", maxlen=2), None)
    refused(lambda: r.lpos("l", "a", rank=0), "RANK can't be zero")


@behavior(17)
def list_moves(r):
    r.rpush("a", 1, 2, 3)
    equal(r.lmove("a", "b", "LEFT", "RIGHT"), "1")
    equal(r.rpoplpush("a", "b"), "3")
    equal(r.lrange("b", 0, -1), ["3", "1"])
    equal(r.lmove("none", "b"), None)
    equal(r.lmpop(2, "none", "b", direction="RIGHT", count=5), ["b", ["1", "3"]])
    equal(r.lmpop(1, "none", direction="LEFT"), None)


@behavior(18)
def blocking_pops(r):
    r.rpush("l", "v")
    equal(list(r.blpop(["none", "l"], timeout=1)), ["l", "v"])
    equal(r.blpop("l", timeout=0.05), None)
    served = while_blocked(r, lambda c: c.brpop(["x", "y"], 10), lambda: r.rpush("y", "late"))
    equal(list(served), ["y", "late"])
    equal(r.exists("y"), 0)
    refused(lambda: r.blpop("l", timeout=-1), "timeout is negative")


@behavior(19)
def blocking_moves(r):
    equal(r.blmove("a", "b", 0.05), None)
    equal(while_blocked(r, lambda c: c.blmove("a", "b", 10), lambda: r.rpush("a", "v")), "v")
    equal(r.lrange("b", 0, -1), ["v"])
    equal(r.blmpop(0.05, 1, "a", direction="LEFT"), None)
    served = while_blocked(
        r,
        lambda c: c.blmpop(10, 2, "a", "c", direction="LEFT", count=2),
        lambda: r.rpush("c", 1, 2, 3),
    )
    equal(served, ["c", ["1", "2"]])
    equal(r.lrange("c", 0, -1), ["3"])


@behavior(20)
def hashes(r):
    equal(r.hset("h", mapping={"a": 1, "b": 2}), 2)
    equal(r.hset("h", "a", "x"), 0)
    equal((r.hget("h", "a"), r.hget("h", "none")), ("x", None))
    equal(r.hmget("h", "a", "none", "b"), ["x", None, "2"])
    equal(r.hgetall("h"), {"a": "x", "b": "2"})
    equal(r.hgetall("none"), {})
    equal((sorted(r.hkeys("h")), sorted(r.hvals("h"))), (["a", "b"], ["2", "x"]))
    equal((r.hexists("h", "a"), r.hexists("h", "none"), r.hlen("h")), (True, False, 2))
    equal((r.hsetnx("h", "a", 1), r.hsetnx("h", "c", "ccc"), r.hstrlen("h", "c")), (0, 1, 3))
    equal(r.hdel("h", "a", "b", "c", "none"), 3)
    equal(r.exists("h"), 0)


@behavior(21)
def hash_counters(r):
    equal(r.hincrby("h", "n", 5), 5)
    equal(r.hincrby("h", "n", -7), -2)
    equal(r.hincrbyfloat("h", "f", 2.25), 2.25)
    equal(r.hget("h", "f"), "2.25")
    r.hset("h", "t", "x")
    refused(lambda: r.hincrby("h", "t", 1), "hash value is not an integer")
    refused(lambda: r.hincrbyfloat("h", "t", 1), "hash value is not a float")


@behavior(22)
def random_fields(r):
    pairs = {f"f{i}": str(i) for i in range(10)}
    r.hset("h", mapping=pairs)
    equal(r.hrandfield("h") in pairs, True)
    equal(set(r.hrandfield("h", 20)), set(pairs))
    equal(len(r.hrandfield("h", -20)), 20)
    drawn = scored(r.hrandfield("h", 3, withvalues=True))
    equal([float(pairs[field]) for field, _ in drawn], [value for _, value in drawn])
    equal(r.hrandfield("none"), None)


@behavior(23)
def hscan(r):
    pairs = {f"f{i}": str(i) for i in range(1000)}
    r.hset("h", mapping=pairs)
    equal(dict(r.hscan_iter("h", count=100)), pairs)
    equal(set(dict(r.hscan_iter("h", match="f99?", count=1000))), {f"f99{i}" for i in range(10)})


@behavior(24)
def sets(r):
    equal(r.sadd("s", "a", "b", "c", "a"), 3)
    equal(r.smembers("s"), {"a", "b", "c"})
    equal((bool(r.sismember("s", "a")), bool(r.sismember("s", "x"))), (True, False))
    equal([int(one) for one in r.smismember("s", "a", "x", "c")], [1, 0, 1])
    equal((r.scard("s"), r.srem("s", "a", "x")), (3, 1))
    equal((r.smove("s", "t", "b"), r.smove("s", "t", "x")), (True, False))
    equal((r.smembers("s"), r.smembers("t")), ({"c"}, {"b"}))


@behavior(25)
def set_algebra(r):
    r.sadd("a", 1, 2, 3, 4)
    r.sadd("b", 3, 4, 5)
    equal(set(r.sinter("a", "b")), {"3", "4"})
    equal(set(r.sunion("a", "b")), {"1", "2", "3", "4", "5"})
    equal(set(r.sdiff("a", "b")), {"1", "2"})
    equal((r.sintercard(2, ["a", "b"]), r.sintercard(2, ["a", "b"], limit=1)), (2, 1))
    equal((r.sinterstore("i", "a", "b"), r.sunionstore("u", "a", "b")), (2, 5))
    equal((r.sdiffstore("d", "b", "a"), r.smembers("d")), (1, {"5"}))
    equal((r.sinterstore("i", "a", "none"), r.exists("i")), (0, 0))


@behavior(26)
def random_members(r):
    r.sadd("s", *range(10))
    everything = {str(i) for i in range(10)}
    equal(r.srandmember("s") in everything, True)
    equal(set(r.srandmember("s", 20)), everything)
    equal(len(r.srandmember("s", -20)), 20)
    popped = {r.spop("s"), *r.spop("s", 4)}
    equal((len(popped), r.scard("s")), (5, 5))
    equal(popped | r.smembers("s"), everything)
    equal(r.spop("none"), None)


@behavior(27)
def sscan(r):
    r.sadd("s", *(f"m{i}" for i in range(1000)))
    equal(set(r.sscan_iter("s", count=100)), {f"m{i}" for i in range(1000)})
    equal(len(set(r.sscan_iter("s", match="m99?"))), 10)


@behavior(28)
def zadd(r):
    equal(r.zadd("z", {"a": 1, "b": 2, "c": 3}), 3)
    equal((r.zadd("z", {"a": 9}, nx=True), r.zadd("z", {"x": 9}, xx=True)), (0, 0))
    equal(r.zadd("z", {"a": 5, "d": 4}, ch=True), 2)
    equal(r.zadd("z", {"a": 3}, gt=True, ch=True), 0)
    equal(r.zadd("z", {"a": 0.5}, lt=True, ch=True), 1)
    equal(r.zadd("z", {"a": 1.5}, incr=True), 2.0)
    equal(r.zadd("z", {"a": 1}, incr=True, nx=True), None)
    equal((r.zscore("z", "a"), r.zscore("z", "none")), (2.0, None))
    equal(r.zmscore("z", ["b", "none"]), [2.0, None])
    equal((r.zincrby("z", 0.25, "b"), r.zcard("z")), (2.25, 4))
    equal((r.zrank("z", "a"), r.zrevrank("z", "a"), r.zrank("z", "none")), (0, 3, None))
    equal((r.zrem("z", "a", "none"), r.zcard("z")), (1, 3))
    refused(lambda: r.execute_command("ZADD", "z", "NX", "GT", 1, "m"), "GT, LT, and/or NX options")
    refused(lambda: r.execute_command("ZADD", "z", "x", "m"), "value is not a valid float")


@behavior(29)
def zrange(r):
    r.zadd("z", {"a": 1, "b": 2, "c": 3, "d": 4})
    equal(r.zrange("z", 0, 1), ["a", "b"])
    equal(scored(r.zrange("z", 0, 1, desc=True, withscores=True)), [("d", 4), ("c", 3)])
    equal(r.zrange("z", "(1", "+inf", byscore=True, offset=1, num=5), ["c", "d"])
    equal(r.zrange("z", 3, 1, byscore=True, desc=True), ["c", "b", "a"])
    equal(r.zrangebyscore("z", 2, "(4"), ["b", "c"])
    equal(r.zrevrangebyscore("z", "+inf", 3), ["d", "c"])
    equal((r.zcount("z", "(1", 3), r.zcount("z", 9, 10)), (2, 0))
    r.zadd("lex", dict.fromkeys("abcde", 0))
    equal(r.zrange("lex", "[b", "(d", bylex=True), ["b", "c"])
    equal(r.zrange("lex", "+", "-", bylex=True, desc=True, offset=0, num=2), ["e", "d"])
    equal((r.zlexcount("lex", "-", "+"), r.zrangebylex("lex", "(d", "+")), (5, ["e"]))
    refused(lambda: r.zrange("z", "x", 1, byscore=True), "min or max is not a float")


@behavior(30)
def zrangestore(r):
    r.zadd("z", {m: i for i, m in enumerate("abcdefgh")})
    equal(r.zrangestore("dst", "z", 1, 3), 3)
    equal(scored(r.zrange("dst", 0, -1, withscores=True)), [("b", 1), ("c", 2), ("d", 3)])
    equal(r.zremrangebyrank("z", 0, 1), 2)
    equal(r.zremrangebyscore("z", "(2", 4), 2)
    equal(r.zrange("z", 0, -1), ["c", "f", "g", "h"])
    r.zadd("lex", dict.fromkeys("abc", 0))
    equal((r.zremrangebylex("lex", "-", "[b"), r.zrange("lex", 0, -1)), (2, ["c"]))


@behavior(31)
def zset_algebra(r):
    r.zadd("a", {"x": 1, "y": 2})
    r.zadd("b", {"y": 3, "z": 4})
    equal(scored(r.zunion(["a", "b"], withscores=True)), [("x", 1), ("z", 4), ("y", 5)])
    equal(scored(r.zunion({"a": 2, "b": 10}, aggregate="MAX", withscores=True)),
          [("x", 2), ("y", 30), ("z", 40)])
    equal(scored(r.zinter(["a", "b"], aggregate="MIN", withscores=True)), [("y", 2)])
    equal(scored(r.zdiff(["a", "b"], withscores=True)), [("x", 1)])
    equal(r.zunionstore("u", {"a": 1, "b": 0.5}), 3)
    equal(scored(r.zrange("u", 0, -1, withscores=True)), [("x", 1), ("z", 2), ("y", 3.5)])
    equal((r.zinterstore("i", ["a", "b"]), r.zdiffstore("d", ["b", "a"])), (1, 1))
    equal((r.zintercard(2, ["a", "b"]), r.zrange("d", 0, -1)), (1, ["z"]))


@behavior(32)
def zpops(r):
    r.zadd("z", {m: i for i, m in enumerate("abcdef")})
    equal(scored(r.zpopmin("z")), [("a", 0)])
    equal(scored(r.zpopmax("z", 2)), [("f", 5), ("e", 4)])
    key, popped = r.zmpop(2, ["none", "z"], min=True, count=2)
    equal((key, scored(popped)), ("z", [("b", 1), ("c", 2)]))
    key, member, score = r.bzpopmin(["none", "z"], timeout=1)
    equal((key, member, score), ("z", "d", 3.0))
    equal((r.zpopmin("z"), r.bzpopmax("z", timeout=0.05)), ([], None))
    served = while_blocked(r, lambda c: c.bzpopmin("z", timeout=10), lambda: r.zadd("z", {"m": 7}))
    equal(list(served), ["z", "m", 7.0])
    key, popped = while_blocked(
        r, lambda c: c.bzmpop(10, 1, ["z"], max=True), lambda: r.zadd("z", {"p": 1, "q": 2})
    )
    equal((key, scored(popped)), ("z", [("q", 2)]))


@behavior(33)
def zscan_zrandmember(r):
    scores = {f"m{i}": float(i) for i in range(1000)}
    r.zadd("z", scores)
    equal(dict(r.zscan_iter("z", count=100)), scores)
    equal(r.zrandmember("z") in scores, True)
    equal((len(set(r.zrandmember("z", 5))), len(r.zrandmember("z", -20))), (5, 20))
    drawn = scored(r.zrandmember("z", 3, withscores=True))
    equal([scores[member] for member, _ in drawn], [score for _, score in drawn])


@behavior(34)
def edge_scores(r):
    r.zadd("z", {"low": -INF, "high": INF, "tiny": 5e-324, "third": 1 / 3, "big": 1e308})
    equal(r.zrange("z", 0, -1), ["low", "tiny", "third", "big", "high"])
    equal(r.zmscore("z", ["low", "high"]), [-INF, INF])
    equal((r.zscore("z", "third"), r.zscore("z", "tiny")), (1 / 3, 5e-324))
    equal(r.zrangebyscore("z", "-inf", "(0"), ["low"])
    refused(lambda: r.zincrby("z", -INF, "high"), "resulting score is not a number (NaN)")
    refused(lambda: r.execute_command("ZADD", "z", "nan", "m"), "value is not a valid float")
