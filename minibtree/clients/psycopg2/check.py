"""psycopg2: literals put in by the client, blocks by default, COPY."""

import io

import psycopg2

ROW = (1, True, 9_000_000_000, "x'y\\z")

connection = psycopg2.connect("")
cursor = connection.cursor()


def fetch(statement, values=None):
    cursor.execute(statement, values)
    return cursor.fetchall()


cursor.execute("drop table if exists psycopg2")
cursor.execute("create table psycopg2 (i int primary key, b bool, l int8, s varchar(20))")
cursor.execute("insert into psycopg2 values (%s, %s, %s, %s)", ROW)
assert cursor.rowcount == 1
connection.commit()
assert fetch("select * from psycopg2 where i = %s", (1,)) == [ROW]

cursor.execute("insert into psycopg2 (i, s) values (%s, %s)", (2, None))
assert fetch("select s from psycopg2 where i = 2") == [(None,)]
rows = "".join(f"{n}\trow {n}\n" for n in range(10, 20))
cursor.copy_expert("copy psycopg2 (i, s) from stdin", io.StringIO(rows))
assert cursor.rowcount == 10
assert fetch("select count(*) from psycopg2") == [(12,)]
csv = io.StringIO()
query = "select i, s from psycopg2 where i < 11 order by i"
cursor.copy_expert(f"copy ({query}) to stdout with delimiter ';' csv header", csv)
assert csv.getvalue() == "i;s\n1;x'y\\z\n2;\n10;row 10\n"

# A list is put in as ARRAY[..], or as '{}'.
assert fetch("select i from psycopg2 where i = any(%s) order by i", ([15, 1, 7],)) == [(1,), (15,)]
assert fetch("select i from psycopg2 where s = any(%s)", ([],)) == []

named = connection.cursor("named")
named.itersize = 5
named.execute("select i from psycopg2 order by i")
assert named.fetchmany(2) == [(1,), (2,)] and [i for i, in named] == list(range(10, 20))
named.close()

# The error ends the block, and with it everything since the commit.
try:
    cursor.execute("insert into psycopg2 (i) values (1)")
    raise AssertionError("a key twice")
except psycopg2.errors.UniqueViolation as error:
    assert error.pgcode == "23505"
try:
    fetch("select 1")
    raise AssertionError("the block has failed")
except psycopg2.errors.InFailedSqlTransaction:
    connection.rollback()
assert fetch("select count(*) from psycopg2") == [(1,)]
cursor.execute("drop table psycopg2")
connection.commit()
