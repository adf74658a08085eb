"""Conversations byte by byte: malformed messages, formats, parameters, failed blocks, settings.

Prints each with the server's messages. The Python is that of the system, without packages.
"""

import base64
import hashlib
import hmac
import os
import socket
import struct

COPY_IN, READY, CLOSED = "G", "Z", "closed"


def message(letter, body=b""):
    return letter.encode() + struct.pack("!I", len(body) + 4) + body


def text(value):
    return (value if isinstance(value, bytes) else value.encode()) + b"\0"


def numbers(values, size="H"):
    return struct.pack(f"!H{len(values)}{size}", len(values), *values)


def query(sql):
    return message("Q", text(sql))


def parse(sql, name="", types=()):
    return message("P", text(name) + text(sql) + numbers(types, "I"))


def bind(*parameters, formats=(), results=(), statement="", portal=""):
    body = text(portal) + text(statement) + numbers(formats) + struct.pack("!H", len(parameters))
    for value in parameters:
        value = value if isinstance(value, bytes) else value.encode()
        body += struct.pack("!I", len(value)) + value
    return message("B", body + numbers(results))


def describe(kind, name=""):
    return message("D", kind.encode() + text(name))


def execute(portal="", rows=0):
    return message("E", text(portal) + struct.pack("!I", rows))


def run(sql, *parameters, **more):
    return parse(sql) + bind(*parameters, **more) + execute()


SYNC, DONE = message("S"), message("c")
ONE = query("select 1")


class Connection:
    def __init__(self, database="postgres", user="postgres", **settings):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(f"{os.environ['PGHOST']}/.s.PGSQL.{os.environ['PGPORT']}")
        self.file = self.socket.makefile("rb")
        given = {"user": user, "database": database, **settings}
        body = b"".join(text(name) + text(value) for name, value in given.items() if value is not None)
        body = struct.pack("!I", 3 << 16) + body + b"\0"
        self.socket.sendall(struct.pack("!I", len(body) + 4) + body)

    def receive(self):
        head = self.file.read(5)
        if len(head) < 5:
            return CLOSED, b""
        return chr(head[0]), self.file.read(struct.unpack("!I", head[1:])[0] - 4)

    def authenticate(self):
        """SCRAM-SHA-256; returns the first message after it."""
        letter, body = self.receive()
        if (letter, body[:4]) != ("R", b"\0\0\0\x0a"):
            return letter, body
        bare = "n=,r=nonce"
        first = b"n,," + bare.encode()
        self.socket.sendall(message("p", text("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
        challenge = self.receive()[1][4:].decode()
        nonce, salt, rounds = (part[2:] for part in challenge.split(","))
        password = os.environ["PGPASSWORD"].encode()
        salted = hashlib.pbkdf2_hmac("sha256", password, base64.b64decode(salt), int(rounds))
        key = hmac.digest(salted, b"Client Key", "sha256")
        last = f"c=biws,r={nonce}"
        signed = f"{bare},{challenge},{last}".encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        self.socket.sendall(message("p", f"{last},p={proof}".encode()))
        self.receive()
        return self.receive()


def shown(letter, body):
    if letter in "EN":
        fields = {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}
        return letter + "".join(f" {k}={fields[k]!r}" for k in "SCMDPW" if k in fields)
    if letter == "T":
        columns, at = [], 2
        while at < len(body):
            end = body.index(b"\0", at)
            table, column, kind, _, modifier, form = struct.unpack_from("!IhIhih", body, end + 1)
            origin = f" of column {column}" if table else ""
            columns.append(f"{body[at:end].decode()} {kind}/{modifier}/{form}{origin}")
            at = end + 19
        return "T " + ", ".join(columns)
    return letter if not body else f"{letter} {str(body)[2:-1]}"


def talk(title, *steps, last=READY, **start):
    """Sends each step and reads up to as many ReadyForQuery as it asks for, or to `last`."""
    print(f"\n== {title}")
    connection = Connection(**start)
    letter, body = connection.authenticate()
    while letter not in (READY, CLOSED):
        if letter in "EN":
            print(shown(letter, body))
        letter, body = connection.receive()
    if letter == CLOSED:
        print(CLOSED)
        return
    for step in steps:
        step, last = step if isinstance(step, tuple) else (step, READY)
        connection.socket.sendall(step)
        awaited, at = 0, 0
        while at < len(step):
            awaited += step[at] in b"QS"
            at += 1 + struct.unpack_from("!I", step, at + 1)[0]
        awaited = max(awaited, 1)
        while awaited:
            letter, body = connection.receive()
            print(shown(letter, body))
            awaited = 0 if letter in (CLOSED, COPY_IN) else awaited - (letter == last)
    connection.socket.close()


setup = Connection()
while setup.authenticate()[0] != READY:
    pass
setup.socket.sendall(query("drop table if exists wire; create table wire (a int primary key, b text, n numeric(8,2)); insert into wire values (1, 'x', 1.5)"))
while setup.receive()[0] != READY:
    pass

# What cannot be read is an error, and the connection goes on.
for title, step in {
    "a Query without its end": message("Q", b"select 1"),
    "a Query with more after it": message("Q", b"select 1\0 2\0"),
    "a Sync with a body": message("S", b"x"),
    "a CopyDone with a body, outside of a COPY": message("c", b"x") + ONE,
    "a CopyFail without its end, outside of a COPY": message("f", b"x") + ONE,
    "a Flush with a body": message("H", b"x") + SYNC,
    "a Parse without its types": message("P", b"\0select 1\0") + run("select 2") + SYNC,
    "a Parse with a type too few": message("P", b"\0select 1\0\0\x02\0\0\0\x17") + SYNC,
    "a Bind with 65,535 formats": parse("select 1") + message("B", b"\0\0\xff\xff") + SYNC,
    "a Bind with more after it": parse("select 1") + message("B", b"\0\0\0\0\0\0\0\0x") + SYNC,
    "a Describe of neither": message("D", b"X\0") + SYNC,
    "a Describe of nothing": message("D") + SYNC,
    "a Close of neither": message("C", b"X\0") + SYNC,
    "an Execute that is too short": message("E", b"\0\0\0") + SYNC,
    "text that is not UTF-8, in a Query": query(b"select '\xff'"),
    "an overlong character": query(b"select '\xc0\x80'"),
    "half of a character": query(b"select '\xe2\x82'"),
    "text that is not UTF-8, in a Parse": parse(b"select '\xed\xa0\x80'") + SYNC,
    "the name of a portal that is not UTF-8": message("E", b"\xff\0\0\0\0\0") + SYNC,
    "a text parameter that is not UTF-8": run("select $1::text", b"a\xffb") + SYNC,
    "a binary one": run("select $1::text", b"a\xe2\x28\xa1", formats=[1]) + SYNC,
    "a zero byte in a parameter": run("select $1::text", b"a\0b") + SYNC,
    "a zero byte in a binary one": run("select $1::text", b"a\0b", formats=[1]) + SYNC,
    "a parameter of another type": run("select $1::int", "x") + SYNC,
    "in a named portal": parse("select $1::int") + bind("x", portal="p") + SYNC,
    "three bytes for an integer": run("select $1::int", b"\0\0\1", formats=[1]) + SYNC,
}.items():
    talk(title, step, ONE)

# COPY.
copy = (query("copy wire from stdin"), COPY_IN)
for title, step in {
    "COPY: a line that is not UTF-8": message("d", b"5\ta\xff\t1\n") + DONE,
    "COPY: a zero byte": message("d", b"5\ta\0\t1\n") + DONE,
    "COPY: the client gives up": message("f", b"no more\0"),
    "COPY: it gives up in Latin-1": message("f", b"no\xff\0"),
    "COPY: its reason has no end": message("f", b"no"),
    "COPY: a CopyDone with a body": message("c", b"x"),
    "COPY: a Sync with a body": message("S", b"x") + DONE,
}.items():
    talk(title, copy, step, ONE)

# Formats: none, one for all, or one each.
two, three = "select $1::int, $2::int", "select $1::int, $2::int, $3::int"
for title, step in {
    "three formats of two parameters": run(two, "1", "2", formats=[0, 0, 0]),
    "two formats of three parameters": run(three, "1", "2", "3", formats=[0, 0]),
    "a format of no parameters": run("select 1", formats=[1]),
    "two formats of no parameters": run("select 1", formats=[1, 1]),
    "two formats of one column": run("select 1", results=[0, 0]),
    "a format of no columns": run("delete from wire where a = 100", results=[1]),
    "two formats of no columns": run("delete from wire where a = 100", results=[1, 0]),
    "a parameter too few": run("select $1::int"),
    "a parameter too many": run("select 1", "1"),
}.items():
    talk(title, step + SYNC)

# Which type has a parameter?
for sql in [
    "select $1", "select $1, $2", "select $2::int", "select $3", "select $1 is null",
    "select 1 where $1 is not null", "select $1::int is null", "select $1, $1::int",
    "select $1::int, $1", "select coalesce($1, $2)", "select $1 union select 1",
    "insert into wire (a) select $1", "explain select a from wire where a = $1",
    "declare c cursor for select a from wire where a = $1",
]:
    talk(sql, parse(sql) + describe("S") + SYNC)
talk("declared as unknown", parse("select $1", types=[705]) + describe("S") + SYNC)
talk("declared, and not used", parse("select 1", types=[23, 25]) + describe("S") + SYNC)

# Which columns of tables are in a result?
for sql in [
    "select a, b, a + 1, n as m from wire", "select q.* from (select b, a from wire) q",
    "with q as (select n from wire) select n, n from q", "select a, max(b) from wire group by a",
    "select a from wire union select a from wire", "select x.b, y.b from wire x left join wire y on x.a = y.a",
    "insert into wire values (7) returning b, a + 1, a", "update wire set b = '' where false returning *",
    "select distinct b from wire order by b limit 1", "values (1)", "select a::text, (a) from wire",
]:
    talk(sql, parse(sql) + describe("S") + SYNC)

# A block that has failed describes only what returns no rows.
prepared = parse("select 1", "rows") + parse("delete from wire where a = 9", "none") + parse("", "empty")
prepared += parse("rollback", "end") + bind(statement="rows", portal="p") + SYNC
talk(
    "a failed block",
    query("begin"), prepared, query("select 1/0"), *(
        describe("S", name) + SYNC for name in ("rows", "none", "empty", "end")
    ),
    describe("P", "p") + SYNC, bind(statement="none") + SYNC, query("select 1"),
    bind(statement="end") + describe("P") + execute() + SYNC,
)

# A block that only reads, as JDBC's `setReadOnly` and asyncpg's `readonly` begin it.
refused = [
    "insert into wire values (9)", "update wire set a = 9", "delete from wire", "drop table wire",
    "create table wire2 (a int)", "copy wire from stdin",
]
talk(
    "a read-only block",
    query("begin isolation level repeatable read read only; savepoint s"), query("show transaction_read_only"),
    *(query(sql) for written in refused for sql in (written, "rollback to s")),
    query("commit and chain; select 1"), query("delete from wire"), query("rollback"),
    query("start transaction; delete from wire where a = 9"),
)

# Settings that drivers follow.
def named(value):
    return f"set application_name = '{value}'"


talk("a setting", query(named("a")), query(named("a")), query(f"{named('b')}; {named('a')}"), query("reset application_name"))
talk("rolled back", query(named("a")), query("begin"), query(named("b")), query("rollback"))
talk("local", query("begin"), query("set local application_name = 'b'"), query("commit"))
talk("to a savepoint", query(f"begin; {named('a')}; savepoint s; {named('b')}"), query("rollback to s"), query("commit"))
talk("failed", query(f"begin; {named('a')}; select 1/0"), query("rollback"))
talk("in a pipeline", run(named("a")) + run(named("b")) + SYNC, run(named("c")) + run("select 1/0") + SYNC)
talk("discarded", parse("select 1", "s") + SYNC, query(named("a")), query("discard all"), bind(statement="s") + SYNC, query("begin; discard all"))
talk("given at the start", query("discard all"), query(named("b")), query("reset all"), application_name="a")

# Names that are gone, and errors before the first row.
talk("a wrong Parse drops the unnamed statement", parse("select 1") + SYNC, parse("selec") + SYNC, bind() + SYNC)
talk("so does a Query", parse("select 1") + SYNC, ONE, bind() + SYNC)
talk("an error of a constant comes without columns", query("select 1/0"), parse("select 1/0") + describe("S") + SYNC, bind() + SYNC)
talk("EXPLAIN with a parameter", run("explain (costs off) select $1::int", "7") + SYNC)
talk("a cursor with a parameter", query("begin"), run("declare c cursor for select $1::int + 1", "7") + SYNC, query("fetch c"))

# Who may enter?
talk("another database", database="nosuch")
talk("no database means that of the user", ONE, database=None)
talk("a user without a name", user="")
