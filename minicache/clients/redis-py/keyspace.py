"""Strings and keys: what a value may be, how long it lives, how it is found again."""

import time

from harness import behavior, equal, eventually, refused, sibling, within


@behavior(7)
def set_options(r):
    equal(r.set("k", "a", nx=True), True)
    equal(r.set("k", "b", nx=True), None)
    equal(r.set("k", "b", xx=True), True)
    equal(r.set("absent", "b", xx=True), None)
    equal(r.set("k", "c", get=True), "b")
    equal(r.set("fresh", "1", get=True), None)
    r.set("k", "d", ex=100)
    within(r.ttl("k"), 90, 100)
    r.set("k", "e", px=100_000)
    within(r.pttl("k"), 90_000, 100_000)
    r.set("k", "f", keepttl=True)
    within(r.ttl("k"), 90, 100)
    r.set("k", "g")
    equal(r.ttl("k"), -1)
    refused(lambda: r.set("k", "v", ex=0), "invalid expire time in 'set' command")


@behavior(8)
def getex_getdel(r):
    r.set("k", "v")
    equal(r.getex("k", ex=100), "v")
    within(r.ttl("k"), 90, 100)
    equal(r.getex("k", persist=True), "v")
    equal(r.ttl("k"), -1)
    equal(r.getdel("k"), "v")
    equal(r.getdel("k"), None)
    equal(r.exists("k"), 0)


@behavior(9)
def counters(r):
    equal(r.incr("n"), 1)
    equal(r.incrby("n", 41), 42)
    equal(r.decrby("n", 50), -8)
    equal(r.decr("n"), -9)
    equal(r.incrbyfloat("f", 10.5), 10.5)
    equal(r.incrbyfloat("f", "0.1"), 10.6)
    equal(r.get("f"), "10.6")
    r.set("max", 2**63 - 1)
    refused(lambda: r.incr("max"), "increment or decrement would overflow")
    r.set("text", "1.5x")
    refused(lambda: r.incr("text"), "value is not an integer or out of range")
    refused(lambda: r.incrbyfloat("text", 1), "value is not a valid float")


@behavior(10)
def ranges(r):
    equal(r.append("k", "Hello"), 5)
    equal(r.append("k", " World"), 11)
    equal(r.strlen("k"), 11)
    equal(r.getrange("k", -5, -1), "World")
    equal(r.getrange("k", 20, 30), "")
    equal(r.setrange("k", 6, "Redis"), 11)
    equal(r.get("k"), "Hello Redis")
    equal(r.setrange("pad", 3, "x"), 4)
    equal(r.get("pad"), "\0\0\0x")
    refused(lambda: r.setrange("k", -1, "x"), "offset is out of range")


@behavior(11)
def many_at_once(r):
    equal(r.mset({"a": 1, "b": 2}), True)
    equal(r.mget("a", "none", "b"), ["1", None, "2"])
    equal(r.msetnx({"b": 3, "c": 4}), False)
    equal(r.msetnx({"c": 4, "d": 5}), True)
    equal(r.mget("b", "c"), ["2", "4"])


@behavior(12)
def lcs(r):
    r.mset({"x": "ohmytext", "y": "mynewtext"})
    equal(r.lcs("x", "y"), "mytext")
    equal(r.lcs("x", "y", len=True), 6)
    answer = r.lcs("x", "y", idx=True, minmatchlen=4, withmatchlen=True)
    if isinstance(answer, list):
        answer = dict(zip(answer[::2], answer[1::2]))
    equal(answer, {"matches": [[[4, 7], [5, 8], 4]], "len": 6})


@behavior(13)
def any_bytes(r):
    raw = sibling(r, decode_responses=False)
    every = bytes(range(256))
    raw.set(every, every[::-1])
    equal(raw.get(every), every[::-1])
    raw.set(b"", b"")
    equal(raw.get(b""), b"")
    equal(raw.rpush(b"l", b"", every), 2)
    equal(raw.lrange(b"l", 0, -1), [b"", every])
    r.set("clé-ключ-鍵", "värde 🦀")
    equal(r.get("clé-ключ-鍵"), "värde 🦀")
    equal(r.strlen("clé-ключ-鍵"), 11)


@behavior(14)
def ten_megabytes(r):
    raw = sibling(r, decode_responses=False)
    value = bytes(i * 7 % 251 for i in range(10_000)) * 1000
    raw.set("big", value)
    equal(raw.strlen("big"), 10_000_000)
    equal(raw.get("big") == value, True)
    equal(raw.getrange("big", 5_000_000, 5_000_009), value[5_000_000:5_000_010])


@behavior(35)
def expiry(r):
    r.set("k", "v")
    equal((r.ttl("k"), r.ttl("none")), (-1, -2))
    equal(r.expire("k", 100, xx=True), False)
    equal(r.expire("k", 100, nx=True), True)
    equal(r.expire("k", 50, gt=True), False)
    equal(r.expire("k", 50, lt=True), True)
    within(r.pttl("k"), 40_000, 50_000)
    at = int(time.time()) + 1000
    equal(r.expireat("k", at), True)
    equal((r.expiretime("k"), r.pexpiretime("k")), (at, at * 1000))
    equal(r.persist("k"), True)
    equal(r.persist("k"), False)
    refused(lambda: r.execute_command("EXPIRE", "k", 1, "NX", "GT"), "NX and XX, GT or LT options")
    r.pexpire("k", 20)
    eventually(lambda: r.get("k") is None)
    r.set("k", "v")
    equal(r.expire("k", -1), True)
    equal(r.exists("k"), 0)


@behavior(36)
def whole_keys(r):
    r.set("a", "1")
    equal(r.rename("a", "b"), True)
    refused(lambda: r.rename("a", "c"), "no such key")
    r.set("c", "2")
    equal(r.renamenx("b", "c"), False)
    equal(r.copy("b", "c"), False)
    equal(r.copy("b", "c", replace=True), True)
    equal(r.mget("b", "c"), ["1", "1"])
    equal(r.copy("b", "elsewhere", destination_db=3), True)
    r.hset("h", "f", "v")
    equal([r.type(key) for key in ("b", "h", "none")], ["string", "hash", "none"])
    equal(r.exists("b", "b", "none"), 2)
    equal(r.touch("b", "none"), 1)
    equal(r.randomkey() in ("b", "c", "h"), True)
    equal(r.delete("b", "none"), 1)
    equal(r.unlink("c", "h"), 2)
    equal(r.randomkey(), None)


@behavior(37)
def encodings(r):
    r.mset({"int": 12345, "embstr": "x" * 44, "raw": "x" * 45})
    r.rpush("quicklist", 1, 2)
    r.hset("hash", "f", "v")
    r.sadd("intset", 1, 2)
    r.sadd("hashtable", "a", "b")
    r.zadd("zset", {"m": 1})
    for name in ("int", "embstr", "raw", "quicklist", "intset", "hashtable"):
        equal(r.object("encoding", name), name)
    equal((r.object("encoding", "hash"), r.object("encoding", "zset")), ("listpack",) * 2)
    r.hset("hash", "f", "x" * 65)
    r.zadd("zset", {f"m{i}": i for i in range(200)})
    equal((r.object("encoding", "hash"), r.object("encoding", "zset")), ("hashtable", "skiplist"))
    equal(r.object("refcount", "raw"), 1)
    within(r.object("idletime", "raw"), 0, 60)
    within(r.memory_usage("raw"), 45, 500)


@behavior(38)
def scan(r):
    r.mset({f"str:{i}": i for i in range(500)})
    for i in range(50):
        r.sadd(f"set:{i}", i)
    equal(r.dbsize(), 550)
    equal(set(r.scan_iter(count=50)), set(r.keys()))
    equal(set(r.scan_iter(match="str:4?", count=1000)), {f"str:4{i}" for i in range(10)})
    equal(len(set(r.scan_iter(_type="set"))), 50)
    equal(sorted(r.keys("set:[12]")), ["set:1", "set:2"])
    refused(lambda: r.execute_command("SCAN", "x"), "invalid cursor")


@behavior(39)
def sort(r):
    r.rpush("l", 3, 1, 2)
    equal(r.sort("l"), ["1", "2", "3"])
    equal(r.sort("l", desc=True, start=0, num=2), ["3", "2"])
    r.mset({"w1": 30, "w2": 20, "w3": 10, "v1": "one", "v2": "two"})
    equal(r.sort("l", by="w*"), ["3", "2", "1"])
    equal(r.sort("l", by="w*", get=["#", "v*"]), ["3", None, "2", "two", "1", "one"])
    equal(r.sort("l", alpha=True, store="sorted"), 3)
    equal(r.lrange("sorted", 0, -1), ["1", "2", "3"])
    r.rpush("words", "b", "a")
    refused(lambda: r.sort("words"), "One or more scores can't be converted into double")
    equal(r.sort_ro("words", alpha=True), ["a", "b"])


@behavior(40)
def flush(r):
    r.mset({"a": 1, "b": 2})
    equal(r.dbsize(), 2)
    equal(r.flushdb(), True)
    equal(r.dbsize(), 0)
    sibling(r, db=5).set("k", "v")
    equal(r.flushall(), True)
    equal(sibling(r, db=5).exists("k"), 0)
