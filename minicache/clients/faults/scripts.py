"""Scripts beside memory limits, transactions, client-side caches and keyspace events."""

from wire import Client, Failed, equal, fails, server


def check_scripts_run_out_of_memory():
    with server() as running:
        client = Client(running.port)
        client("SET", "k", "v")
        client("CONFIG", "SET", "maxmemory", "1")
        fails(client("EVAL", "return redis.call('set', KEYS[1], 'x')", "1", "k"), "OOM command not")
        equal(client("EVAL", "return redis.call('get', KEYS[1])", "1", "k"), "v")
        caught = "local e = redis.pcall('set', KEYS[1], 'x') return {type(e), e.err}"
        kind, text = client("EVAL", caught, "1", "k")
        assert kind == "table" and text.startswith("OOM command not allowed"), text
        # What has begun to write may finish.
        begun = "redis.call('del', KEYS[1]) return redis.call('set', KEYS[1], 'y')"
        equal(client("EVAL", begun, "1", "k"), "OK")
        flagged = "#!lua\nreturn redis.call('get', KEYS[1])"
        fails(client("EVAL", flagged, "1", "k"), "OOM command not allowed")
        allowed = "#!lua flags=allow-oom\nreturn redis.call('set', KEYS[1], 'z')"
        equal(client("EVAL", allowed, "1", "k"), "OK")


def check_scripts_change_watched_keys():
    with server() as running:
        client, other = Client(running.port), Client(running.port)
        for script, answer in (
            ("return redis.call('set', KEYS[1], 'x')", None),
            ("return redis.call('get', KEYS[1])", ["QUEUED ran"]),
            ("return redis.call('del', 'none')", ["QUEUED ran"]),
            ("redis.call('set', KEYS[1], 'y') return redis.error_reply('late')", None),
        ):
            equal(client("WATCH", "k"), "OK")
            other("EVAL", script, "1", "k")
            client("MULTI")
            client("ECHO", "QUEUED ran")
            equal(client("EXEC"), answer)
        client("MULTI")
        client("EVAL", "return redis.call('incr', KEYS[1])", "1", "n")
        client("EVAL", "return redis.call('incr', KEYS[2])", "1", "n")
        client("INCR", "n")
        answers = client("EXEC")
        equal((answers[0], answers[2], isinstance(answers[1], Failed)), (1, 2, True))


def check_scripts_invalidate_client_side_caches():
    with server() as running:
        client, other = Client(running.port), Client(running.port)
        client("HELLO", "3")
        equal(client("CLIENT", "TRACKING", "ON"), "OK")
        # What a script of this client has read is remembered.
        client("EVAL", "return redis.call('get', KEYS[1])", "1", "k")
        client("GET", "j")
        other("EVAL", "redis.call('set', 'k', 1) redis.call('set', 'j', 1)", "0")
        equal(client.read(), ["invalidate", ["k"]])
        equal(client.read(), ["invalidate", ["j"]])
        equal(client("PING"), "PONG")


def check_scripts_publish_keyspace_events():
    with server("--notify-keyspace-events", "KEA") as running:
        client, listener = Client(running.port), Client(running.port)
        listener("PSUBSCRIBE", "__key*__:*")
        script = """
            redis.call('set', KEYS[1], 'v', 'EX', 100)
            redis.call('lpush', 'l', 1) redis.call('lpop', 'l') redis.call('publish', 'x', 'y')
            return redis.error_reply('after all')"""
        fails(client("EVAL", script, "1", "k"), "after all")
        wanted = [("set", "k"), ("expire", "k"), ("lpush", "l"), ("lpop", "l"), ("del", "l")]
        for event, key in wanted:
            equal(listener.read()[2:], [f"__keyspace@0__:{key}", event])
            equal(listener.read()[2:], [f"__keyevent@0__:{event}", key])
        client("SET", "end", "1")
        equal(listener.read()[2:], ["__keyspace@0__:end", "set"])
