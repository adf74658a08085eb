"""psycopg 3: text and binary, prepared by itself, pipeline mode, COPY, cursors, blocks."""

import datetime
import threading

import psycopg

TIME = datetime.datetime(2026, 11, 28, 1, 2, 3, 500000)
ROW = (1, True, 9_000_000_000, "x'y\\z", TIME, TIME.replace(tzinfo=datetime.timezone.utc))

# Address, port, user and database come from the environment, as for psql.
connection = psycopg.connect(autocommit=True)
execute = connection.execute


def count():
    return execute("select count(*) from psycopg3").fetchone()[0]


execute("drop table if exists psycopg3")
execute(
    "create table psycopg3 "
    "(i int primary key, b bool, l int8, s varchar(20), m timestamp, z timestamptz)"
)
assert execute("insert into psycopg3 values (%s, %s, %s, %s, %s, %s)", ROW).rowcount == 1
for binary in (False, True):
    cursor = connection.cursor(binary=binary)
    assert cursor.execute("select * from psycopg3 where i = %s", (1,)).fetchall() == [ROW]

rows = [(n, f"row {n}") for n in range(2, 12)]
connection.cursor().executemany("insert into psycopg3 (i, s) values (%s, %s)", rows)
execute("insert into psycopg3 (i, s) values (%s, %s)", (12, None))
assert execute("select s from psycopg3 where i = 12").fetchone() == (None,)
assert count() == 12

# The fifth execution prepares the statement.
for n in range(2, 12):
    assert execute("select s from psycopg3 where i = %s", (n,)).fetchone() == (f"row {n}",)

# Arrays of any length: a list is an array, in text and in binary.
for n in range(12):
    for among in ("i = any(%s)", "s = any(%t)", "i = any(%b)"):
        array = [f"row {m}" if "s =" in among else m for m in range(2, 2 + n)]
        found = execute(f"select i from psycopg3 where {among} order by i", (array,)).fetchall()
        assert found == [(m,) for m in range(2, min(2 + n, 12 if "s =" in among else 13))], found
assert execute("select count(*) from psycopg3 where s <> all(%s)", (["row 2", None],)).fetchone() == (0,)

# Parameters of statements around others, and of which table a column is.
with connection.transaction(), connection.cursor(name="above") as cursor:
    cursor.execute("select i from psycopg3 where i > %s order by i", (10,))
    assert cursor.fetchall() == [(11,), (12,)]
plan = execute("explain (analyze, costs off) select s from psycopg3 where i = %s", (1,)).fetchone()
assert "psycopg3_pkey" in plan[0]
cursor = execute("select s, i + 1, i from psycopg3 where i = %s", (1,))
tables = [cursor.pgresult.ftable(n) for n in range(3)]
assert tables[0] > 0 and tables == [tables[0], 0, tables[0]]
assert [cursor.pgresult.ftablecol(n) for n in range(3)] == [4, 0, 1]

with connection.pipeline():
    execute("update psycopg3 set s = %s where i = %s", ("changed", 2))
    changed = execute("select s from psycopg3 where i = %s", (2,))
    assert changed.fetchone() == ("changed",)

with connection.cursor().copy("copy psycopg3 (i, s) from stdin") as copy:
    for n in range(100, 1100):
        copy.write_row((n, "tab\tand line\n"))
assert count() == 1012
assert execute("select s from psycopg3 where i = 500").fetchone() == ("tab\tand line\n",)

# What is copied out as CSV comes back.
CSV = "with (format csv, header, null '-')"
query = "copy (select i, s from psycopg3 where i > 500 order by i) to stdout " + CSV
with connection.cursor().copy(query) as copy:
    data = b"".join(copy)
assert data.startswith(b'i,s\n501,"tab\tand line\n"\n502,') and data.count(b'"') == 1198
execute("create table back3 (i int, s varchar(20))")
with connection.cursor().copy("copy back3 from stdin " + CSV) as copy:
    copy.write(data)
same = "select count(*) from back3 join psycopg3 using (i, s)"
assert execute(same).fetchone() == (599,)
execute("drop table back3")

# A server cursor: DECLARE, a Describe of its portal, FETCH FORWARD, CLOSE.
with connection.transaction(), connection.cursor("named") as cursor:
    cursor.execute("select i from psycopg3 order by i")
    assert cursor.fetchone() == (1,) and cursor.fetchmany(3) == [(2,), (3,), (4,)]
    assert [i for i, in cursor][:2] == [5, 6]
with connection.transaction(), connection.cursor("both_ways", scrollable=True) as cursor:
    cursor.execute("select i from psycopg3 order by i")
    cursor.scroll(3)
    assert cursor.fetchone() == (4,)
    cursor.scroll(-2)
    assert cursor.fetchone() == (3,)
    cursor.scroll(0, mode="absolute")
    assert cursor.fetchone() == (1,)

# Values of 1 MB and 20 MB, which no page holds.
execute("drop table if exists long3")
execute("create table long3 (s text, b bytea)")
LONG = ("tab\tand line\n" * 80_000, bytes(range(256)) * 80_000)
execute("insert into long3 values (%s, %b)", LONG)
for binary in (False, True):
    cursor = connection.cursor(binary=binary)
    assert cursor.execute("select * from long3").fetchall() == [LONG]
with connection.cursor().copy("copy long3 (s) from stdin") as copy:
    copy.write_row((LONG[0],))
assert execute("select count(*) from long3 where s = %s", (LONG[0],)).fetchone() == (2,)
execute("drop table long3")

# Eight workers take 2,000 jobs from a queue, each in one of four usual ways. A tenth of them fail, and
# their jobs go back. Each job is taken exactly once.
execute("drop table if exists jobs3")
execute("create table jobs3 (id int primary key, state text, worker int)")
execute("create index on jobs3 (state, id)")
execute("insert into jobs3 select n, 'new', null from generate_series(1, 2000) n")
NEXT = "select id from jobs3 where state = 'new' order by id limit 1 for update skip locked"
TAKE = [
    f"update jobs3 set state = 'done', worker = %s where id = ({NEXT}) returning id",
    f"update jobs3 set state = 'done', worker = %s where id = any (array({NEXT})) returning id",
    f"with n as ({NEXT}) update jobs3 j set state = 'done', worker = %s from n where n.id = j.id"
    " returning j.id",
    f"update jobs3 set state = 'done', worker = %s where id in (select id from ({NEXT}) n) returning id",
]
taken = [[] for _ in range(8)]


def work(worker):
    with psycopg.connect(autocommit=True) as own:
        tries = 0
        while own.execute("select exists (select 1 from jobs3 where state = 'new')").fetchone()[0]:
            tries += 1
            with own.transaction():
                found = own.execute(TAKE[worker % len(TAKE)], (worker,)).fetchall()
                if tries % 10 == 0:
                    raise psycopg.Rollback
            if tries % 10:
                taken[worker] += [id for id, in found]


workers = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
assert sorted(sum(taken, [])) == list(range(1, 2001))
for worker, jobs in enumerate(taken):
    stored = execute("select id from jobs3 where worker = %s order by id", (worker,)).fetchall()
    assert [id for id, in stored] == sorted(jobs)
execute("drop table jobs3")

try:
    with connection.transaction():
        execute("delete from psycopg3")
        assert count() == 0
        raise ValueError
except ValueError:
    assert count() == 1012

try:
    execute("insert into psycopg3 (i) values (1)")
    raise AssertionError("a key twice")
except psycopg.errors.UniqueViolation as error:
    assert error.sqlstate == "23505"
assert connection.info.server_version // 10000 >= 15
execute("drop table psycopg3")
