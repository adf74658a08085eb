"""Connections, transactions, errors, pub/sub, pipelines: what is about the conversation."""

import threading
import time

import redis
from redis.cache import CacheConfig
from redis.connection import CacheProxyConnection

from harness import behavior, equal, eventually, refused, sibling, within


@behavior(1)
def handshake(r):
    equal(r.ping(), True)
    equal(r.echo("hi"), "hi")
    hello = r.execute_command("HELLO")
    if isinstance(hello, list):
        hello = dict(zip(hello[::2], hello[1::2]))
    equal(hello["server"], "redis")
    equal(hello["proto"], r.protocol_version)
    equal(hello["mode"], "standalone")
    refused(lambda: sibling(r).execute_command("HELLO", 9), "NOPROTO unsupported protocol version")


@behavior(2)
def client_names(r):
    c = sibling(r)
    equal(c.client_getname(), None)
    equal(c.client_setname("reader"), True)
    equal(c.client_getname(), "reader")
    within(c.client_id(), 1, 2**63)
    equal(c.client_info()["name"], "reader")
    equal([one["id"] for one in r.client_list() if one["name"] == "reader"], [str(c.client_id())])
    refused(lambda: c.client_setname("a b"), "Client names cannot contain spaces")


@behavior(3)
def server_facts(r):
    equal(r.config_get("maxmemory-policy"), {"maxmemory-policy": "noeviction"})
    equal(r.config_set("maxmemory-samples", 7), True)
    equal(r.config_get("maxmemory-s*"), {"maxmemory-samples": "7"})
    r.config_set("maxmemory-samples", 5)
    refused(lambda: r.config_set("nosuch", 1), "Unknown option or number of arguments")
    equal(r.info("server")["redis_mode"], "standalone")
    within(r.command_count(), 150, 500)
    equal(r.command_getkeys("MSET", "a", 1, "b", 2), ["a", "b"])
    equal(r.command()["get"]["arity"], 2)
    within(r.time()[0], time.time() - 60, time.time() + 60)


@behavior(4)
def databases(r):
    nine = sibling(r, db=9)
    r.set("k", "zero")
    nine.set("k", "nine")
    equal((r.get("k"), nine.get("k")), ("zero", "nine"))
    equal(nine.move("k", 0), False)
    equal(nine.flushdb(), True)
    equal((r.dbsize(), nine.dbsize()), (1, 0))
    equal(r.swapdb(0, 9), True)
    equal((r.get("k"), nine.get("k")), (None, "zero"))
    refused(lambda: nine.select(16), "DB index is out of range")


@behavior(5)
def auth(r):
    admin = sibling(r)
    try:
        admin.config_set("requirepass", "secret")
        resp2 = r.protocol_version == 2
        refused(lambda: sibling(r).ping(), "Authentication" if resp2 else "HELLO must be called")
        refused(lambda: sibling(r, password="wrong").ping(), "invalid username-password pair")
        equal(sibling(r, password="secret").ping(), True)
    finally:
        admin.config_set("requirepass", "")
    refused(lambda: admin.execute_command("AUTH", "x"), "without any password configured")


@behavior(6)
def reconnects_after_kill(r):
    victim = sibling(r, client_name="victim")
    victim.set("k", "v")
    first = victim.client_id()
    equal(r.client_kill_filter(_id=str(first)), 1)
    equal(victim.get("k"), "v")
    within(victim.client_id(), first + 1, 2**63)
    equal(victim.client_getname(), "victim")


@behavior(41)
def multi_exec(r):
    with r.pipeline(transaction=True) as p:
        p.set("n", 1).incr("n").lpush("n", "x").get("n")
        first, second, third, fourth = p.execute(raise_on_error=False)
    equal((first, second, fourth), (True, 2, "2"))
    equal(str(third)[:9], "WRONGTYPE")


@behavior(42)
def discard(r):
    c = sibling(r)
    equal(c.execute_command("MULTI"), "OK")
    equal(c.rpush("k", "v"), "QUEUED")
    equal(c.execute_command("DISCARD"), "OK")
    equal(c.exists("k"), 0)
    refused(lambda: c.execute_command("DISCARD"), "DISCARD without MULTI")
    refused(lambda: c.execute_command("EXEC"), "EXEC without MULTI")


@behavior(43)
def exec_abort(r):
    p = r.pipeline(transaction=True)
    p.set("k", "v")
    p.execute_command("GET")
    refused(p.execute, "wrong number of arguments for 'get' command")
    c = sibling(r)
    c.execute_command("MULTI")
    refused(lambda: c.execute_command("NOSUCH"), "unknown command")
    refused(lambda: c.execute_command("EXEC"), "Transaction discarded because of previous errors.")
    equal(r.exists("k"), 0)


@behavior(44)
def watch(r):
    with r.pipeline() as p:
        p.watch("k")
        r.set("k", "other")
        p.multi()
        p.set("k", "mine")
        refused(p.execute, "Watched variable changed")
    equal(r.get("k"), "other")

    def increment():
        own = sibling(r)
        for _ in range(25):
            own.transaction(add_one, "sum")

    def add_one(p):
        total = int(p.get("sum") or 0) + 1
        p.multi()
        p.set("sum", total)

    threads = [threading.Thread(target=increment) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    equal(r.get("sum"), "100")


@behavior(45)
def errors(r):
    r.set("s", "text")
    wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value"
    refused(lambda: r.lpush("s", 1), wrong_type)
    refused(lambda: r.hget("s", "f"), wrong_type)
    refused(lambda: r.execute_command("GET"), "wrong number of arguments for 'get' command")
    refused(lambda: r.execute_command("CONFIG", "GET"), "arguments for 'config|get' command")
    refused(
        lambda: r.execute_command("NOSUCH", "a", "b"),
        "unknown command 'NOSUCH', with args beginning with: 'a' 'b'",
    )
    refused(lambda: r.execute_command("CLIENT", "NOSUCH"), "unknown subcommand 'NOSUCH'")
    refused(lambda: r.execute_command("SET", "k", "v", "BAD"), "syntax error")
    refused(lambda: r.incr("s"), "value is not an integer or out of range")
    refused(lambda: r.expire("s", 2**63 - 1), "invalid expire time in 'expire' command")


@behavior(46)
def publish_subscribe(r):
    p = r.pubsub()
    p.subscribe("news", "sport")
    confirmed = [p.get_message(timeout=10) for _ in range(2)]
    equal([(m["type"], m["channel"], m["data"]) for m in confirmed],
          [("subscribe", "news", 1), ("subscribe", "sport", 2)])
    equal(r.publish("news", "hello"), 1)
    equal(r.publish("nobody", "hello"), 0)
    equal(p.get_message(timeout=10),
          {"type": "message", "pattern": None, "channel": "news", "data": "hello"})
    equal(sorted(r.pubsub_channels()), ["news", "sport"])
    equal(r.pubsub_numsub("news", "none"), [("news", 1), ("none", 0)])
    p.unsubscribe()
    equal({p.get_message(timeout=10)["type"] for _ in range(2)}, {"unsubscribe"})
    equal(r.publish("news", "hello"), 0)


@behavior(47)
def patterns(r):
    p = r.pubsub()
    p.psubscribe("news.*")
    p.subscribe("news.art")
    [p.get_message(timeout=10) for _ in range(2)]
    equal(r.pubsub_numpat(), 1)
    equal(r.publish("news.art", "x"), 2)
    equal(r.publish("news.tech", "y"), 1)
    got = [p.get_message(timeout=10) for _ in range(3)]
    equal([(m["type"], m["pattern"], m["channel"], m["data"]) for m in got], [
        ("message", None, "news.art", "x"),
        ("pmessage", "news.*", "news.art", "x"),
        ("pmessage", "news.*", "news.tech", "y"),
    ])
    p.close()
    eventually(lambda: r.pubsub_numpat() == 0)


@behavior(48)
def pipeline(r):
    p = r.pipeline(transaction=False)
    for i in range(5000):
        p.set(f"k{i}", i)
        p.get(f"k{i}")
    answers = p.execute()
    equal(answers[::2], [True] * 5000)
    equal(answers[1::2], [str(i) for i in range(5000)])


@behavior(49)
def lock(r):
    equal(r.set("lock", "me", nx=True, px=60_000), True)
    equal(r.set("lock", "you", nx=True, px=60_000), None)
    equal(r.get("lock"), "me")
    r.pexpire("lock", 1)
    eventually(lambda: r.set("lock", "you", nx=True, px=60_000))


@behavior(50)
def many_connections(r):
    def count():
        own = sibling(r)
        for _ in range(250):
            own.incr("n")
        own.close()

    threads = [threading.Thread(target=count) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    equal(r.get("n"), "2000")


@behavior(51)
def reply_types(r):
    r.hset("h", "f", "v")
    r.sadd("s", "m")
    r.zadd("z", {"m": 1.5})
    connection = sibling(r).connection

    def raw(*command):
        connection.send_command(*command)
        return connection.read_response()

    resp2 = r.protocol_version == 2
    equal(raw("HGETALL", "h"), ["f", "v"] if resp2 else {"f": "v"})
    equal(raw("SMEMBERS", "s"), ["m"])  # This parser reads a RESP3 set into a list.
    equal(raw("ZSCORE", "z", "m"), "1.5" if resp2 else 1.5)
    equal(raw("ZRANGE", "z", 0, -1, "WITHSCORES"), ["m", "1.5"] if resp2 else [["m", 1.5]])
    equal(raw("GET", "none"), None)


# The client asks for Redis 7.4, but the commands that it sends are older.
CacheProxyConnection.MIN_ALLOWED_VERSION = "7.0.0"


@behavior(53)
def client_side_cache(r):
    address = {name: r.connection_pool.connection_kwargs[name] for name in ("host", "port")}
    c = redis.Redis(**address, protocol=3, decode_responses=True, cache_config=CacheConfig())

    def calls():
        return r.info("commandstats")["cmdstat_get"]["calls"]

    r.set("k", "1")
    equal(c.get("k"), "1")
    before = calls()
    equal((c.get("k"), c.get_cache().size, calls()), ("1", 1, before))
    equal(r.info("clients")["tracking_clients"], 1)
    r.set("k", "2")
    eventually(lambda: c.get("k") == "2")
    r.flushall()
    eventually(lambda: c.get("k") is None)
    c.close()


ORDERS = ["allkeys-exact-lru", "allkeys-clock", "allkeys-sieve", "allkeys-s3fifo",
          "allkeys-tinylfu"]


@behavior(54)
def eviction(r):
    policies = ["allkeys-lru", "allkeys-lfu", "allkeys-random"]
    if "minicache_version" in r.info("server"):
        policies += ORDERS
    else:
        refused(lambda: r.config_set("maxmemory-policy", ORDERS[0]), "CONFIG SET failed")
    try:
        for policy in policies:
            r.flushall()
            r.config_set("maxmemory-policy", policy)
            equal(r.config_get("maxmemory-policy"), {"maxmemory-policy": policy})
            r.config_set("maxmemory", r.info("memory")["used_memory"] + 400_000)
            evicted = r.info("stats")["evicted_keys"]
            p = r.pipeline(transaction=False)
            for i in range(2000):
                p.set(i, "v" * 500).get(i % 7)
            p.execute()
            # At one moment: a server may evict more before each command.
            size, stats = r.pipeline(transaction=True).dbsize().info("stats").execute()
            within(size, 10, 1000)
            equal(stats["evicted_keys"] - evicted, 2000 - size)
        if policies[-1] in ORDERS:
            equal(r.execute_command("CACHE", "ADVISE", "ON"), "OK")
            for i in range(200):
                r.get(i)
            lines = r.execute_command("CACHE", "ADVISE").splitlines()
            equal([line.split()[0] for line in lines[1:3]], [policies[-1]] * 2)
            equal(r.execute_command("CACHE", "ADVISE", "OFF"), "OK")
    finally:
        r.config_set("maxmemory", 0)
        r.config_set("maxmemory-policy", "noeviction")
