"""What a connection is told about itself and others, and what it may do in which state."""

import re
import time

from wire import Client, Failed, eventually, fails, equal, server


def check_secrets_are_redacted():
    with server() as running:
        client, monitor = Client(running.port), Client(running.port)
        equal(monitor("MONITOR"), "OK")
        client("CONFIG", "SET", "requirepass", "s3cret", "slowlog-log-slower-than", "0")
        equal(client("AUTH", "s3cret"), "OK")
        equal(client("AUTH", "default", "s3cret"), "OK")
        client("AUTH", "s3cret-wrong")
        client("HELLO", "3", "AUTH", "default", "s3cret")
        client("HELLO", "2", "SETNAME", "n", "AUTH", "default", "s3cret")
        for name in ("masterauth", "masteruser"):
            client("CONFIG", "SET", "timeout", "0", name, "s3cret")
        client("MULTI")
        client("AUTH", "s3cret")
        client("CONFIG", "SET", "requirepass", "s3cret")
        client("HELLO", "2", "AUTH", "default", "s3cret")
        client("EXEC")
        client("config", "set", "REQUIREPASS", "s3cret")
        client("CONFIG", "SET", "no-such-name", "1", "requirepass", "s3cret")
        client("ACL", "SETUSER", "x", ">s3cret", "<s3cret")
        client("MIGRATE", "127.0.0.1", "1", "k", "0", "10", "AUTH", "s3cret")
        client("MIGRATE", "127.0.0.1", "1", "", "0", "10", "AUTH2", "u", "s3cret", "KEYS", "k")
        client.pipeline([("AUTH", "s3cret"), ("CONFIG", "SET", "requirepass", "s3cret")] * 2)
        client.socket.sendall(b"AUTH s3cret\r\nCONFIG SET requirepass 's3cret'\r\n")
        equal([client.read(), client.read()], ["OK", "OK"])
        fails(client("EVAL", "return redis.call('auth', 'x')", "0"), "not allowed from script")
        slow = str(client("SLOWLOG", "GET", "100"))
        assert "(redacted)" in slow and "s3cret" not in slow, slow

        for section in ("everything", "commandstats"):
            assert "s3cret" not in client("INFO", section)
        for words in (["CLIENT", "LIST"], ["LATENCY", "LATEST"], ["COMMAND", "COUNT"]):
            assert "s3cret" not in str(client(*words)), words
        client("SET", "end", "1")
        seen = ""
        while '"end"' not in seen:
            seen += monitor.read()
        assert "s3cret" not in seen, seen
        assert "s3cret" not in running.output(), running.output()


def check_monitor_is_refused_in_a_transaction():
    with server() as running:
        client = Client(running.port)
        equal(client("MULTI"), "OK")
        equal(client("MONITOR"), "QUEUED")
        fails(client("EXEC")[0], "MONITOR isn't allowed for DENY BLOCKING client")
        equal(client("MULTI"), "OK")
        for words in (["SHUTDOWN"], ["WATCH", "k"], ["MULTI"]):
            assert isinstance(client(*words), Failed), words
        fails(client("EXEC"), "EXECABORT")
        equal(client("PING"), "PONG")


def check_a_monitoring_client_has_no_keys():
    with server() as running:
        client = Client(running.port)
        client("MONITOR")
        for words in (
            ["GET", "k"], ["SET", "k", "v"], ["DBSIZE"], ["PUBLISH", "a", "b"], ["FLUSHALL"],
            ["EVAL", "return 1", "0"], ["BLPOP", "k", "0"], ["KEYS", "*"],
        ):
            fails(client(*words), "Replica can't interact with the keyspace")
        client.send("MONITOR")
        client.send("ECHO", "again")
        answers = [client.read()]
        while answers[-1] != "again":
            answers.append(client.read())
        assert "OK" not in answers, answers
        client.send("RESET")
        while client.read() != "RESET":
            pass
        equal(client("GET", "k"), None)


def check_requests_may_have_many_arguments():
    with server() as running:
        client = Client(running.port)
        equal(client("RPUSH", "l", *range(1_200_000)), 1_200_000)
        equal(client("LRANGE", "l", "-1", "-1"), ["1199999"])
        client.socket.sendall(b"*1048577\r\n$4\r\nPING\r\n")
        client.socket.settimeout(0.2)
        try:
            assert not client.socket.recv(1), "an answer to half a request"
        except TimeoutError:
            pass
        other = Client(running.port)
        other.socket.sendall(b"*2147483648\r\n")
        fails(other.read(), "invalid multibulk length")
        other = Client(running.port)
        equal(other("CONFIG", "SET", "requirepass", "x"), "OK")
        other = Client(running.port)
        other.socket.sendall(b"*11\r\n")
        fails(other.read(), "unauthenticated multibulk length")


def check_an_unfinished_request_is_bounded():
    with server("--client-query-buffer-limit", "1mb") as running:
        client = Client(running.port)
        try:
            client.socket.sendall(b"*2\r\n$3\r\nGET\r\n$100000000\r\n" + b"x" * 50_000_000)
            assert client.socket.recv(1) == b""
        except OSError:
            pass
        equal(Client(running.port)("PING"), "PONG")


def check_a_cluster_is_off():
    with server() as running:
        client = Client(running.port)
        for words in (
            "CLUSTER INFO", "CLUSTER NODES", "CLUSTER SLOTS", "CLUSTER SHARDS", "CLUSTER MYID",
            "CLUSTER KEYSLOT k", "CLUSTER MEET 127.0.0.1 1", "READONLY", "READWRITE", "ASKING",
        ):
            fails(client(*words.split()), "ERR This instance has cluster support disabled")
        fails(client("READONLY", "x"), "wrong number of arguments")


def check_figures_move():
    with server() as running:
        client = Client(running.port)
        client("SET", "a", "b", "EX", "100")
        eventually(lambda: "avg_ttl=0" not in client.info("keyspace")["db0"])
        keyspace = client.info("keyspace")["db0"]
        assert 90_000 < int(re.search(r"avg_ttl=(\d+)", keyspace)[1]) <= 100_000, keyspace

        before = client.info("stats")
        for words in ("ENCODING a", "IDLETIME a", "REFCOUNT a", "FREQ a", "ENCODING none"):
            client("OBJECT", *words.split())
        after = client.info("stats")
        numbers = [name for name in after if after[name].isdigit()]
        grown = {name: int(after[name]) - int(before[name]) for name in numbers}
        equal((grown["keyspace_hits"], grown["keyspace_misses"]), (4, 1))
        equal((grown["total_reads_processed"], grown["total_writes_processed"]), (6, 6))

        client("EVAL", "return 1", "0")
        equal(client.info("memory")["number_of_cached_scripts"], "1")
        cpu = client.info("cpu")
        assert {"used_cpu_sys_main_thread", "used_cpu_user_main_thread"} <= cpu.keys()

        def busy():
            client.pipeline([("SET", "a", "b")] * 2000)
            now = client.info("cpu")
            return any(float(now[f"used_cpu_{kind}_main_thread"]) > 0 for kind in ("user", "sys"))

        eventually(busy)


def check_client_list_tells_the_truth():
    with server() as running:
        client, other, third = (Client(running.port) for _ in range(3))
        number = other("CLIENT", "ID")

        def seen(*names):
            line = client.listed(number)
            return tuple(line[name] for name in names)

        assert int(seen("fd")[0]) > 2
        assert seen("fd") != (client.listed()["fd"],)
        other("WATCH", "k")
        equal(seen("flags", "multi"), ("N", "-1"))
        client("SET", "k", "1")
        equal(seen("flags"), ("d",))
        other("MULTI")
        other("GET", "k")
        equal(seen("flags", "multi", "cmd"), ("xd", "0", "get"))
        equal(other("EXEC"), None)
        equal(seen("flags", "multi"), ("N", "-1"))

        other("MULTI")
        other("CLIENT", "INFO")
        other("PING")
        line = other("EXEC")[0]
        for field in ("flags=x", "multi=2", "cmd=exec"):
            assert f" {field} " in line, line
        equal(seen("flags", "multi"), ("N", "-1"))

        # A watched key that expires has changed, and so has one that is flushed.
        client("SET", "k", "2", "PX", "30")
        other("WATCH", "k")
        eventually(lambda: seen("flags") == ("d",))
        other("UNWATCH")
        client("SET", "k", "2")
        other("WATCH", "k")
        client("FLUSHALL")
        equal(seen("flags"), ("d",))
        other("RESET")

        other("CLIENT", "TRACKING", "ON")
        equal(seen("flags", "redir"), ("t", "0"))
        other("CLIENT", "TRACKING", "OFF")
        target = third("CLIENT", "ID")
        other("CLIENT", "TRACKING", "ON", "REDIRECT", target)
        equal(seen("flags", "redir"), ("t", str(target)))
        third.close()
        other("GET", "k")
        time.sleep(0.1)
        client("SET", "k", "3")
        eventually(lambda: seen("flags") == ("tR",))
        other("CLIENT", "TRACKING", "OFF")
        other("CLIENT", "TRACKING", "ON", "BCAST")
        other("CLIENT", "NO-EVICT", "ON")
        other("SELECT", "3")
        other("CLIENT", "SETNAME", "x")
        other.send("BLPOP", "none", "0")
        eventually(lambda: seen("flags", "db", "name", "cmd") == ("btBe", "3", "x", "blpop"))
        client("CLIENT", "UNBLOCK", number)
        other.read()
        other("RESET")
        other("CLIENT", "NO-EVICT", "OFF")
        other("SUBSCRIBE", "a")
        equal(seen("flags", "sub", "psub"), ("P", "1", "0"))
        other("RESET")
        other("MONITOR")
        equal(seen("flags"), ("O",))


def check_the_last_millisecond_in_seconds():
    with server() as running:
        client = Client(running.port)
        for ms, seconds in (
            (9223372036854775807, 9223372036854776),
            (9223372036854775500, 9223372036854776),
            (9223372036854775499, 9223372036854775),
            (9223372036854775407, 9223372036854775),
        ):
            client("SET", "k", "v")
            equal(client("PEXPIREAT", "k", ms), 1)
            equal(client("PEXPIRETIME", "k"), ms)
            equal(client("EXPIRETIME", "k"), seconds)
