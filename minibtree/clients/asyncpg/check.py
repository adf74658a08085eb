"""asyncpg: binary throughout, Flush in place of Sync, portals fetched in portions."""

import asyncio
import datetime
import os

import asyncpg

TIME = datetime.datetime(2026, 11, 28, 1, 2, 3, 500000)
ROW = (1, True, 9_000_000_000, "x'y", TIME)


async def main():
    host, port = os.environ["PGHOST"], int(os.environ["PGPORT"])
    connection = await asyncpg.connect(host=host, port=port, user="postgres", database="postgres")
    execute, value = connection.execute, connection.fetchval
    count = "select count(*) from asyncpg"

    await execute("drop table if exists asyncpg")
    await execute(
        "create table asyncpg (i int primary key, b bool, l int8, s varchar(20), m timestamp)"
    )
    assert await execute("insert into asyncpg values ($1, $2, $3, $4, $5)", *ROW) == "INSERT 0 1"
    row = await connection.fetchrow("select * from asyncpg where i = $1", 1)
    assert tuple(row) == ROW and list(row.keys()) == ["i", "b", "l", "s", "m"]

    rows = [(n, f"row {n}") for n in range(2, 12)]
    await connection.executemany("insert into asyncpg (i, s) values ($1, $2)", rows)
    await execute("insert into asyncpg (i, s) values ($1, $2)", 12, None)
    assert await value("select s from asyncpg where i = $1", 12) is None
    assert await value(count) == 12

    among = "select i from asyncpg where s = any($1) order by i"
    for array in ([], ["row 3"], ["row 4", None, "row 3", 'a"b']):
        rows = await connection.fetch(among, array)
        assert [row["i"] for row in rows] == [n for n in (3, 4) if f"row {n}" in array]

    async with connection.transaction():
        seen = [row["i"] async for row in connection.cursor("select i from asyncpg", prefetch=5)]
        assert sorted(seen) == list(range(1, 13))

    try:
        async with connection.transaction():
            await execute("delete from asyncpg")
            raise ValueError
    except ValueError:
        assert await value(count) == 12

    try:
        await execute("insert into asyncpg (i) values (1)")
        raise AssertionError("a key twice")
    except asyncpg.UniqueViolationError as error:
        assert error.sqlstate == "23505"
    # Another connection changes the table under a cached statement.
    arguments = {"host": host, "port": port, "user": "postgres", "database": "postgres"}
    every = "select * from asyncpg where i = $1"
    other = await asyncpg.connect(**arguments)
    for change, columns in (("add n int default 7", 6), ("drop b", 5)):
        await connection.fetch(every, 1)
        await other.execute(f"alter table asyncpg {change}")
        assert len(await connection.fetchrow(every, 1)) == columns
    await other.close()

    # A timeout cancels what the connection does, and not what it does next.
    endless = "select count(*) from generate_series(1, 10000) a, generate_series(1, 10000) b"
    for n in range(5):
        try:
            await connection.fetchval(endless, timeout=0.01)
            raise AssertionError("no timeout")
        except asyncio.TimeoutError:
            assert await value("select $1::int", n) == n

    # A connection that goes back to its pool is reset.
    async with asyncpg.create_pool(min_size=1, max_size=1, **arguments) as pool:
        for _ in range(2):
            assert await pool.fetchval(count) == 12
    await execute("drop table asyncpg")
    await connection.close()


asyncio.run(main())
