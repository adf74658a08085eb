"""The append-only file: kill -9 under load, and files that Redis and the program exchange.

DURABILITY_ROUNDS (3 by default) says how often the server is killed.
"""

import os
import pathlib
import random
import signal
import sys
import tempfile
import threading

from wire import Client, Failed, accepts, encoded, equal, eventually, fails, free_port, launch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from differential.commands import Commands  # noqa: E402

ROUNDS = int(os.environ.get("DURABILITY_ROUNDS", "3"))
FAMILIES = ["strings", "bits", "lists", "hashes", "sets", "zsets", "generic", "expiry"]
WRITERS = 4


class Server:
    """A server on the append-only file in a folder."""

    def __init__(self, folder, program, *flags):
        self.port = free_port()
        given = ["--port", str(self.port), "--save", "", "--appendonly", "yes"]
        given += ["--aof-use-rdb-preamble", "no", *flags]
        before, os.environ["PROGRAM"] = os.environ["PROGRAM"], program
        self.process, self.log = launch(folder, *given)
        os.environ["PROGRAM"] = before
        eventually(lambda: self.loaded() or self.process.poll() is not None, 60)
        assert self.process.poll() is None, open(self.log).read()

    def loaded(self):
        return accepts(self.port) and Client(self.port)("PING") == "PONG"

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait()


def write(port, name, counts):
    """Counts a pair of keys up in transactions and pushes the count, until the server is gone."""
    try:
        client = Client(port)
        while True:
            replies = client.pipeline([("MULTI",), ("INCR", f"{name}:a"), ("INCR", f"{name}:b"),
                                       ("EXEC",), ("RPUSH", f"{name}:l", counts[name] + 1)])
            equal(replies[3], [counts[name] + 1] * 2)
            equal(replies[4], counts[name] + 1)
            counts[name] += 1
    except (OSError, ValueError):
        pass


def check_kill_9_under_always_loses_nothing_acknowledged():
    names = [f"w{number}" for number in range(WRITERS)]
    counts = dict.fromkeys(names, 0)
    with tempfile.TemporaryDirectory() as folder:
        for round in range(ROUNDS + 1):
            flags = ["--appendfsync", "always", "--auto-aof-rewrite-min-size", "64kb"]
            server = Server(folder, os.environ["PROGRAM"], *flags)
            try:
                client = Client(server.port)
                for name in names:
                    a, b = (int(client("GET", f"{name}:{key}") or 0) for key in "ab")
                    pushed = [int(it) for it in client("LRANGE", f"{name}:l", 0, -1)]
                    equal(a, b)
                    assert counts[name] <= a <= counts[name] + 1, (name, a, counts[name])
                    assert a - 1 <= len(pushed) <= a and pushed == [*range(1, len(pushed) + 1)]
                    if len(pushed) < a:
                        client("RPUSH", f"{name}:l", a)
                    counts[name] = a
                if round == ROUNDS:
                    break
                least = {name: counts[name] + random.randint(1, 40) for name in names}
                writers = [threading.Thread(target=write, args=(server.port, name, counts))
                           for name in names]
                for writer in writers:
                    writer.start()
                eventually(lambda: all(counts[name] >= least[name] for name in names), 60)
                server.end(signal.SIGKILL)
                for writer in writers:
                    writer.join()
            finally:
                server.end(signal.SIGKILL)


def contents(port):
    """All keys of all databases: type, value and time of expiry."""
    client, found = Client(port), {}
    for db in range(16):
        client("SELECT", db)
        for key in client("KEYS", "*"):
            words = key.encode("latin-1")
            kind = client("TYPE", words)
            value = client(*{
                "string": ("GET", words),
                "list": ("LRANGE", words, 0, -1),
                "set": ("SMEMBERS", words),
                "hash": ("HGETALL", words),
                "zset": ("ZRANGE", words, 0, -1, "WITHSCORES"),
            }[kind])
            if kind == "zset":
                # A rewrite of Redis loses the sign of a score of -0 too.
                value = ["0" if it == "-0" else it for it in value]
            if kind == "set":
                value = sorted(value)
            if kind == "hash":
                value = sorted(zip(value[::2], value[1::2]))
            found[db, key] = kind, value, client("PEXPIRETIME", words)
    return found


def work(port, seed, steps):
    """Sends random commands, some of them in transactions and scripts."""
    chance = random.Random(seed)
    commands = Commands(chance, FAMILIES)
    client = Client(port)
    for step in range(steps):
        some = [commands.command() for _ in range(chance.randint(1, 5))]
        how = chance.random()
        if how < 0.2:
            some = [[b"MULTI"], *some, [b"EXEC"]]
        elif how < 0.3:
            # Blocking commands are not allowed in scripts, and a failed one ends its script.
            some = [[b"EVAL", b"return redis.pcall(unpack(ARGV))", b"0", *words] for words in some]
        elif how < 0.35:
            some = [[b"SELECT", b"%d" % chance.choice([0, 0, 1, 2])]]
        client.pipeline(some)
        if step == steps // 2:
            client("BGREWRITEAOF")


def check_redis_loads_the_files_and_they_load_those_of_redis():
    program = os.environ["PROGRAM"]
    for seed, (one, other) in enumerate([(program, "redis-server"), ("redis-server", program)]):
        with tempfile.TemporaryDirectory() as folder:
            for round in range(2):
                server = Server(folder, one)
                try:
                    work(server.port, 10 * seed + round, 400)
                    client = Client(server.port)
                    rewriting = "aof_rewrite_in_progress"
                    eventually(lambda: client.info("persistence")[rewriting] == "0", 60)
                    before = contents(server.port)
                    server.end(signal.SIGTERM)
                    server = Server(folder, other)
                    after = contents(server.port)
                    for key in before.keys() | after.keys():
                        equal((key, after.get(key)), (key, before.get(key)))
                    assert len(before) > 10, before
                finally:
                    server.end(signal.SIGTERM)


def check_an_rdb_preamble_is_refused_and_a_cut_file_is_cut():
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, "redis-server", "--aof-use-rdb-preamble", "yes")
        Client(server.port)("SET", "k", "v")
        server.end(signal.SIGTERM)
        if "redis-server" not in os.environ["PROGRAM"]:
            try:
                Server(folder, os.environ["PROGRAM"])
            except AssertionError as error:
                assert "RDB" in str(error) and "BGREWRITEAOF" in str(error), error
            else:
                assert False, "it loaded an RDB"
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, os.environ["PROGRAM"])
        Client(server.port).pipeline([("SET", "k", "v"), ("SET", "l", "w")])
        server.end(signal.SIGTERM)
        path = max(pathlib.Path(folder, "appendonlydir").glob("*.incr.aof"))
        path.write_bytes(path.read_bytes()[:-3])
        server = Server(folder, os.environ["PROGRAM"])
        equal(Client(server.port)("KEYS", "*"), ["k"])
        server.end(signal.SIGTERM)


def check_a_full_disk_refuses_writes_until_it_has_room():
    """With `everysec`; a file that may not grow stands for the disk."""
    import resource

    with tempfile.TemporaryDirectory() as folder:
        # A full disk sends no signal.
        server = Server(folder, f"sh -c 'trap \"\" XFSZ; exec \"$@\"' sh {os.environ['PROGRAM']}")
        try:
            client = Client(server.port)
            equal(client("SET", "k", "v"), "OK")
            pid = server.process.pid
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            eventually(lambda: "MISCONF" in str(client("SET", "l", "w" * 5000)))
            fails(client("PING"), "MISCONF Errors writing to the AOF file")
            equal(client("GET", "k"), "v")
            equal(client.info("persistence")["aof_last_write_status"], "err")
            resource.prlimit(pid, resource.RLIMIT_FSIZE,
                             (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            eventually(lambda: client("SET", "m", "x") == "OK")
        finally:
            server.end(signal.SIGTERM)
