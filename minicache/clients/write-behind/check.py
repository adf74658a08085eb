"""Write-behind: what redis-py writes to bound keys, psycopg finds in PostgreSQL and in minibtree.

    check.py HOST PORT      PROGRAM is the server under test; KILLS is how often it is killed
"""

import contextlib
import itertools
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import psycopg
import redis
import redis.backoff
import redis.retry

PROGRAM = os.environ["PROGRAM"]
KILLS = int(os.environ.get("KILLS", 5))
PG_BIN = os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin")
TABLE = "create table users (key text primary key, value varchar(100), sequence bigint not null)"


def eventually(condition, what, seconds=30):
    """Waits until the condition holds, whatever the servers say meanwhile."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(psycopg.Error, redis.ConnectionError):
            if condition():
                return
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


# Below the ports that the system gives to clients, so that no connection takes one before the server
# does; from a place of this process, since others take theirs meanwhile.
PORTS = (10_000 + (os.getpid() * 64 + i) % 20_000 for i in itertools.count())


def free_port():
    """A port of 127.0.0.1 on which nothing listens and which no other call gets."""
    for port in PORTS:
        try:
            socket.create_server(("127.0.0.1", port)).close()
            return port
        except OSError:
            continue


class Database:
    """PostgreSQL or minibtree on a free port."""

    def __init__(self, name, folder):
        self.name, self.folder, self.port = name, folder / name, free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.user = None
        if name == "postgresql":
            # It refuses to run as root.
            self.user = "postgres" if os.getuid() == 0 else None
            self.folder.mkdir()
            if self.user:
                shutil.chown(self.folder, self.user)
            self.run("initdb", "-D", self.folder, "-U", "postgres", "-A", "trust", "-E", "UTF8").wait()
        self.start()
        self.query(TABLE)

    def run(self, program, *arguments):
        with open(f"{self.folder}.log", "a") as log:
            command = [os.path.join(PG_BIN, program), *map(str, arguments)]
            return subprocess.Popen(command, user=self.user, stdout=log, stderr=log, cwd="/")

    def start(self):
        if self.name == "postgresql":
            flags = ["-c", "unix_socket_directories=", "-h", "127.0.0.1", "-p", self.port]
            self.process = self.run("postgres", "-D", self.folder, *flags)
        else:
            beside = pathlib.Path(PROGRAM).with_name("minibtree")
            program = os.environ.get("MINIBTREE", beside)
            listen = ["--listen", f"127.0.0.1:{self.port}", "--data-dir", self.folder]
            self.process = self.run(program, "serve", *listen)
        eventually(lambda: self.query("select 1"), open(f"{self.folder}.log").read)

    def stop(self):
        # PostgreSQL does not wait for its clients after SIGINT.
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)

    def query(self, sql):
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def rows(self):
        return dict(self.query("select key, value from users"))

    def has(self, rows):
        eventually(lambda: rows.items() <= self.rows().items(), lambda: self.rows())


class Server:
    """minicache, bound to the database."""

    def __init__(self, database, folder):
        flags = ["--threads", "2", "--data-dir", folder / "data"]
        flags += ["--write-behind", "user:", "users", "--write-behind-url", database.url]
        command = [PROGRAM, "serve", "--listen", "127.0.0.1:0", *map(str, flags)]
        with open(folder / "minicache.log", "a") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        assert line, open(folder / "minicache.log").read()
        self.port = int(line.rsplit(":", 1)[1])

    def client(self):
        # By default it would wait for seconds for a server that was killed.
        never = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
        return redis.Redis(port=self.port, decode_responses=True, retry=never)

    def end(self, how):
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        return code


def check_strings(database, server):
    client = server.client()
    client.set("user:1", "Ada")
    client.set("user:1", "Grace")
    client.mset({"user:2": "Alan", "user:3": "", "other": "x"})
    assert client.incr("user:n", 41) == 41 and client.incr("user:n") == 42
    database.has({"user:1": "Grace", "user:2": "Alan", "user:3": "", "user:n": "42"})
    assert "other" not in database.rows()

    assert client.delete("user:2") == 1
    pipe = client.pipeline()
    pipe.append("user:1", " Hopper").getdel("user:3")
    assert pipe.execute() == [12, ""]
    eventually(lambda: database.rows() == {"user:1": "Grace Hopper", "user:n": "42"}, database.rows)

    refused = [("LPUSH", "user:l", "a"), ("SET", "user:1", "a", "EX", 9), ("EXPIRE", "user:1", 9)]
    for command in [*refused, ("FLUSHALL",)]:
        try:
            client.execute_command(*command)
            raise AssertionError(f"{command} is accepted")
        except redis.ResponseError as error:
            assert "write-behind" in str(error), error
    assert client.get("user:1") == "Grace Hopper"


def check_a_rejected_row_is_a_dead_letter(database, server):
    client = server.client()
    dead_letters = lambda: client.info("persistence")["write_behind_dead_letters"]
    client.mset({"user:1": "Grace", "user:long": "x" * 101})
    database.has({"user:1": "Grace"})
    eventually(lambda: dead_letters() == 1, "no dead letter")
    client.set("user:long", "x")
    database.has({"user:long": "x"})
    assert dead_letters() == 0

    # A row that another server has written later.
    higher = 2**63 - 1
    database.query(f"update users set sequence = {higher} where key = 'user:1'")
    client.mset({"user:1": "Ada", "user:long": "y"})
    eventually(lambda: dead_letters() == 1, "no dead letter")
    database.has({"user:1": "Grace", "user:long": "y"})
    client.delete("user:1")
    eventually(lambda: client.info("persistence")["write_behind_keys"] == 0, "the delete waits")
    assert dead_letters() == 1 and database.rows()["user:1"] == "Grace"
    database.query("delete from users where key = 'user:1'")
    client.set("user:1", "Ada")
    database.has({"user:1": "Ada"})
    assert dead_letters() == 0


def check_a_row_that_is_always_too_slow_is_a_dead_letter(database, server):
    """What a statement timeout says is said by a trigger at once: minibtree has no triggers."""
    if database.name != "postgresql":
        return
    client = server.client()
    database.query(
        "create function too_slow() returns trigger language plpgsql as "
        "$$ begin raise exception using errcode = '57014'; end $$;"
        "create trigger too_slow before insert on users for each row "
        "when (new.key = 'user:slow') execute function too_slow()"
    )
    client.mset({"user:slow": "x", "user:1": "Edsger"})
    database.has({"user:1": "Edsger"})
    eventually(lambda: client.info("persistence")["write_behind_dead_letters"] == 1, "no dead letter")
    database.query("drop trigger too_slow on users")
    client.set("user:slow", "y")
    database.has({"user:slow": "y"})


def check_the_database_may_be_away(database, server):
    client = server.client()
    database.stop()
    client.mset({"user:1": "while it was away", "user:2": "Alan"})
    assert client.get("user:1") == "while it was away"
    database.start()
    database.has({"user:1": "while it was away", "user:2": "Alan"})

    client.set("user:2", "just before the end")
    assert server.end(signal.SIGTERM) == 0
    assert database.rows()["user:2"] == "just before the end"


def check_kills(database, folder):
    """After each kill -9 and after the last one, what was acknowledged is there."""
    last = {}
    for kill in range(KILLS):
        server = Server(database, folder)
        threads = [threading.Thread(target=write, args=(server, last, it, kill)) for it in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.05, 0.4))
        server.end(signal.SIGKILL)
        for thread in threads:
            thread.join()
    assert sum(len(values) for values in last.values()) > 0

    server = Server(database, folder)
    keys = server.client().info("persistence")["write_behind_keys"]
    eventually(lambda: server.client().info("persistence")["write_behind_keys"] == 0, "not written")
    rows = database.rows()
    lost = {key: (values, rows.get(key)) for key, values in last.items() if rows.get(key) not in values}
    assert not lost, lost
    server.end(signal.SIGTERM)
    print(f"{database.name}: {KILLS} kills, {keys} keys written at the last start, none lost")


def write(server, last, number, kill):
    """Sets and deletes keys of its own. `last` has what was acknowledged, and what was not yet."""
    client = server.client()
    for count in range(1_000_000):
        key, value = f"user:{number}:{count % 7}", f"{kill}.{count}"
        acknowledged = last.get(key, [None])
        try:
            if count % 5 == 4:
                last[key] = [*acknowledged, None]
                client.delete(key)
                last[key] = [None]
            else:
                last[key] = [*acknowledged, value]
                client.set(key, value)
                last[key] = [value]
        except redis.ConnectionError:
            return


def main():
    if "redis-server" in PROGRAM:
        # Redis has no write-behind, and says so.
        command = [PROGRAM, "--port", str(free_port()), "--write-behind", "user:", "users"]
        assert subprocess.run(command, capture_output=True, timeout=30).returncode != 0
        return
    for name in ["postgresql", "minibtree"]:
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            folder = pathlib.Path(folder)
            database = Database(name, folder)
            try:
                server = Server(database, folder)
                check_strings(database, server)
                check_a_rejected_row_is_a_dead_letter(database, server)
                check_a_row_that_is_always_too_slow_is_a_dead_letter(database, server)
                check_the_database_may_be_away(database, server)
                check_kills(database, folder)
            finally:
                database.stop()


main()
