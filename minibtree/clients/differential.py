#!/usr/bin/env python3
"""Asks PostgreSQL and minibtree the same random questions, and compares the answers.

    differential.py SOCKET-OF-POSTGRESQL SOCKET-OF-MINIBTREE [--seed N] [--statements N]

Tables, indexes, rows and queries are made from the seed. No answer may differ: rows, tags and the
SQLSTATEs of errors are compared. For each set of tables, some methods of the planner are turned off
(`enable_hashjoin` and so on), so that the same answers are found in many ways. A statement with
arrays as parameters goes by the extended protocol, any other by the simple one. What minibtree
refuses (0A000) is counted and listed; in that case both sides go on without the statement. Rows
without ORDER BY are compared as sets.
"""

import argparse
import collections
import decimal
import random
import re
import socket
import struct
import sys


class Connection:
    """A client: just enough to send a query, or one with parameters as text, and read its answer."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.buffer = b""
        body = struct.pack("!I", 196608) + b"user\0postgres\0database\0postgres\0\0"
        self.socket.sendall(struct.pack("!I", len(body) + 4) + body)
        self.answer()

    def read(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the server has closed the connection")
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def query(self, sql, parameters=()):
        text = sql.encode() + b"\0"
        if not parameters:
            self.socket.sendall(message(b"Q", text))
            return self.answer()
        values = [struct.pack("!I", len(it.encode())) + it.encode() for it in parameters]
        bind = struct.pack("!HH", 0, len(values)) + b"".join(values) + struct.pack("!H", 0)
        self.socket.sendall(
            message(b"P", b"\0" + text + b"\0\0") + message(b"B", b"\0\0" + bind)
            + message(b"D", b"P\0") + message(b"E", b"\0" + bytes(4)) + message(b"S", b"")
        )
        return self.answer()

    def answer(self):
        """Rows, tags and the fields of the error, if there is one."""
        rows, tags, names, error = [], [], [], None
        while True:
            kind, length = struct.unpack("!cI", self.read(5))
            body = self.read(length - 4)
            if kind == b"T":
                names.append(columns(body))
            elif kind == b"D":
                rows.append(row(body))
            elif kind == b"C":
                tags.append(body[:-1].decode())
            elif kind == b"E":
                fields = [it for it in body.split(b"\0") if it]
                error = {chr(it[0]): it[1:].decode() for it in fields}
            elif kind == b"Z":
                return rows, tags, names, error


def message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


def columns(body):
    (count,) = struct.unpack("!H", body[:2])
    at, found = 2, []
    for _ in range(count):
        end = body.index(b"\0", at)
        oid, _, modifier = struct.unpack("!IhI", body[end + 7 : end + 17])
        found.append((body[at:end].decode(), oid))
        at = end + 19
    return found


def row(body):
    (count,) = struct.unpack("!H", body[:2])
    at, values = 2, []
    for _ in range(count):
        (length,) = struct.unpack("!i", body[at : at + 4])
        at += 4
        if length < 0:
            values.append(None)
        else:
            values.append(body[at : at + length].decode())
            at += length
    return tuple(values)


class Maker:
    """Makes statements."""

    TYPES = {
        "int": "int", "small": "smallint", "big": "bigint", "num": "numeric(8,2)", "dec": "numeric",
        "float": "float8", "text": "text", "vc": "varchar(8)", "ch": "char(4)",
        "flag": "bool", "day": "date", "at": "timestamp", "long": "text",
    }

    METHODS = [
        "bitmapscan", "hashagg", "hashjoin", "indexonlyscan", "indexscan", "material", "mergejoin",
        "nestloop", "seqscan", "sort",
    ]

    def __init__(self, rng):
        self.rng = rng
        # Methods change no answer, so they are no part of what the seed makes.
        self.methods_rng = random.Random(0)
        self.tables = {}
        # WHERE of partial indexes, which queries repeat.
        self.predicates = []
        # Those of the statement; None if it can have none.
        self.parameters = []

    def literal(self, kind, null=0.08, specials=True):
        rng = self.rng
        if rng.random() < null:
            return "NULL"
        if kind in ("int", "small", "big"):
            return str(rng.choice([rng.randint(-3, 12), rng.randint(-100, 100), 0]))
        if kind == "num":
            special = ["numeric 'NaN'"] if specials else []
            return rng.choice(["0", "1.50", "-2.25", "10", "7.1", "100.00", "-0.01"] + special)
        if kind == "dec":
            special = ["NaN", "Infinity", "-Infinity"] if specials else []
            special = [f"numeric '{it}'" for it in special]
            return rng.choice(["0", "1.5", "-2.250", "10", "1e20", "-0.01"] + special)
        if kind == "float":
            return rng.choice(["0", "1.5", "-2.25", "10", "7.125", "1e3", "0.5"])
        if kind in ("text", "vc", "ch"):
            return "'" + rng.choice(["", "a", "b", "ab", "abc", "x", "xy ", "A", "z%"])[:4] + "'"
        if kind == "long":
            return f"repeat('{rng.choice('ab')}z', {rng.choice([2, 3_000, 9_000])})"
        if kind == "flag":
            return rng.choice(["true", "false"])
        if kind == "day":
            return f"date '2024-0{rng.randint(1, 3)}-{rng.randint(10, 28)}'"
        return f"timestamp '2024-01-0{rng.randint(1, 4)} 0{rng.randint(0, 9)}:30:00'"

    def element(self, kind):
        """An element of an array as text."""
        if self.rng.random() < 0.1:
            return "NULL"
        text = self.literal("text" if kind == "long" else kind, 0)
        text = text.split("'")[1] if "'" in text else text
        return f'"{text}"' if text == "" or self.rng.random() < 0.3 else text

    def in_array(self, left, kind):
        """A condition with an array, which is a parameter or written there."""
        rng = self.rng
        elements = [self.element(kind) for _ in range(rng.choice([0, 1, 2, 5, 12]))]
        array = "{" + ",".join(elements) + "}"
        op = rng.choice(["= any", "= any", "<> all"])
        if self.parameters is None or rng.random() < 0.4:
            return f"{left} {op} ('{array}')"
        self.parameters.append(array)
        return f"{left} {op} (${len(self.parameters)})"

    def methods(self):
        for name in self.METHODS:
            yield f"set enable_{name} = {self.methods_rng.choice(['on', 'on', 'off'])}"

    def schema(self):
        rng = self.rng
        self.predicates = []
        for name in ["t1", "t2", "t3"]:
            kinds = ["int"] + rng.sample(sorted(self.TYPES), rng.randint(3, 6))
            cols = [(f"{kind}{index}", kind) for index, kind in enumerate(kinds)]
            self.tables[name] = cols
            yield f"drop table if exists {name}"
            key = rng.choice(["", " primary key", " unique", ""])
            defs = [
                f"{col} {self.TYPES[kind]}"
                + (key if index == 0 else rng.choice(["", "", f" default {self.literal(kind, 0)}"]))
                for index, (col, kind) in enumerate(cols)
            ]
            yield f"create table {name} ({', '.join(defs)})"
            rows = []
            for number in range(rng.choice([0, 5, 20, 50])):
                first = str(number) if key else self.literal("int")
                rest = [self.literal(kind) for _, kind in cols[1:]]
                rows.append(f"({', '.join([first] + rest)})")
            if rows:
                yield f"insert into {name} values {', '.join(rows)}"

    def index(self):
        rng = self.rng
        name = rng.choice(sorted(self.tables))
        # PostgreSQL compresses long keys, minibtree refuses them.
        typed = [it for it in self.tables[name] if it[1] != "long"]
        cols = [col for col, _ in typed]
        picked = rng.sample(cols, rng.randint(1, min(3, len(cols))))
        order = [f"{col}{rng.choice(['', '', ' desc', ' nulls first'])}" for col in picked]
        if rng.random() < 0.3:
            return f"create index on {name} using hash ({picked[0]})"
        rest = [col for col in cols if col not in picked]
        include = f" include ({rng.choice(rest)})" if rest and rng.random() < 0.3 else ""
        where = ""
        if rng.random() < 0.4:
            col, kind = rng.choice(typed)
            where = f" where {col} {rng.choice(['>', '<', '=', '<='])} {self.literal(kind, 0)}"
            self.predicates.append((name, where[7:]))
        unique = "unique " if where and rng.random() < 0.4 else ""
        return f"create {unique}index on {name} ({', '.join(order)}){include}{where}"

    # ---- expressions

    def column(self, scope, kinds=None):
        fitting = [it for it in scope if kinds is None or it[1] in kinds]
        return self.rng.choice(fitting) if fitting else None

    def value(self, scope, kind, depth=2):
        """An expression of about this kind."""
        rng = self.rng
        numbers = ("int", "small", "big", "num", "float", "dec")
        if depth == 0 or rng.random() < 0.35:
            column = self.column(scope, (kind,))
            if column and rng.random() < 0.8:
                return column[0]
            # PostgreSQL finds out that NaN is no integer before there is a row.
            return self.literal(kind, specials=False)
        if kind in numbers:
            left = self.value(scope, rng.choice(numbers), depth - 1)
            right = self.value(scope, rng.choice(numbers), depth - 1)
            return rng.choice([
                f"({left} {rng.choice('+-*')} {right})",
                f"abs({left})",
                f"coalesce({left}, {right})",
                f"case when {self.condition(scope, depth - 1)} then {left} else {right} end",
                f"length({self.value(scope, 'text', depth - 1)})",
                f"nullif({left}, {right})",
                f"greatest({left}, {right})",
            ])
        if kind in ("text", "vc", "ch", "long"):
            # PostgreSQL finds out that a constant is too long for a column before there is a row.
            parts = ["long"] if kind == "long" else ["text", "vc"]
            left = self.value(scope, rng.choice(parts), depth - 1)
            return rng.choice([
                f"({left} || {self.value(scope, 'text', depth - 1)})",
                f"upper({left})",
                f"substr({left}, {rng.randint(0, 2)}, {rng.randint(0, 3)})",
                f"coalesce({left}, 'n')",
                f"replace({left}, 'a', 'zz')",
                f"({self.value(scope, 'int', depth - 1)})::text",
            ])
        if kind == "flag":
            return f"({self.condition(scope, depth - 1)})" if depth > 0 else "true"
        if kind == "day":
            return f"({self.value(scope, 'day', depth - 1)} + {rng.randint(-3, 3)})"
        return f"date_trunc('day', {self.value(scope, 'at', depth - 1)})"

    def condition(self, scope, depth=2):
        rng = self.rng
        kind = self.column(scope)[1]
        below = 1 if depth > 0 else 0
        left, right = self.value(scope, kind, below), self.value(scope, kind, below)
        pick = rng.random()
        if depth > 0 and pick < 0.25:
            op = rng.choice(["and", "or"])
            return f"({self.condition(scope, depth - 1)} {op} {self.condition(scope, depth - 1)})"
        if depth > 0 and pick < 0.32:
            return f"not ({self.condition(scope, depth - 1)})"
        if pick < 0.42:
            column = self.column(scope)[0]
            return f"{column} is {rng.choice(['', 'not '])}null"
        if pick < 0.46:
            return self.in_array(left, kind)
        if pick < 0.52:
            items = ", ".join(self.literal(kind) for _ in range(rng.randint(1, 4)))
            return f"{left} {rng.choice(['', 'not '])}in ({items})"
        if pick < 0.59:
            return f"{left} between {right} and {self.literal(kind)}"
        if pick < 0.64:
            column = self.column(scope, ("text", "vc", "ch"))
            if column:
                pattern = rng.choice(["a%", "%b", "_", "%", "x_ %", "abc"])
                return f"{column[0]} {rng.choice(['like', 'not like', 'ilike'])} '{pattern}'"
        if pick < 0.68:
            return f"{left} is {rng.choice(['', 'not '])}distinct from {right}"
        if depth > 0 and pick < 0.78:
            return self.subquery_condition(scope)
        return f"{left} {rng.choice(['=', '<', '<=', '>', '>=', '<>', '='])} {right}"

    def subquery_condition(self, scope):
        rng = self.rng
        table = rng.choice(sorted(self.tables))
        alias = f"s{rng.randint(1, 99)}"
        inner = [(f"{alias}.{col}", kind) for col, kind in self.tables[table]]
        outer = self.column(scope)
        same = self.column(inner, (outer[1],))
        where = f" where {self.condition(inner, 0)}" if rng.random() < 0.5 else ""
        if not same:
            return f"exists (select 1 from {table} {alias}{where})"
        joined = f"{where + ' and' if where else ' where'} {same[0]} = {outer[0]}"
        if rng.random() < 0.3:
            more = self.condition(inner + scope, 0)
            joined += f" and {more}"
        if rng.random() < 0.2:
            other = rng.choice(sorted(self.tables))
            columns = [(f"{alias}j.{col}", kind) for col, kind in self.tables[other]]
            on = self.condition(inner + columns, 0)
            join = rng.choice(["join", "left join"])
            table = f"{table} {alias} {join} {other} {alias}j on {on}"
            if rng.random() < 0.5:
                joined += f" and {self.condition(columns + scope, 0)}"
            return f"{rng.choice(['', 'not '])}exists (select 1 from {table}{joined})"
        return rng.choice([
            f"exists (select 1 from {table} {alias}{joined})",
            f"not exists (select * from {table} {alias}{joined})",
            f"{outer[0]} {rng.choice(['', 'not '])}in (select {same[0]} from {table} {alias}{where})",
            f"{outer[0]} {rng.choice(['=', '<', '>='])} (select max({same[0]}) from {table} {alias}{where})"
            if outer[1] != "flag" else f"exists (select 1 from {table} {alias}{where})",
            f"(select count(*) from {table} {alias}{joined}) > {rng.randint(0, 2)}",
            f"{outer[0]} {rng.choice(['>', '='])} {rng.choice(['any', 'all'])} (select {same[0]} from {table} {alias}{where})",
        ])

    # ---- queries

    def source(self):
        """FROM, and the columns that can be named after it."""
        rng = self.rng
        names = [rng.choice(sorted(self.tables)) for _ in range(rng.choice([1, 1, 1, 2, 2, 3]))]
        scope, text = [], ""
        for index, name in enumerate(names):
            alias = "abc"[index]
            cols = [(f"{alias}.{col}", kind) for col, kind in self.tables[name]]
            if index == 0:
                text = f"{name} {alias}"
            else:
                join = rng.choice(["join", "left join", "right join", "join", "cross join"])
                if join == "cross join":
                    text += f" cross join {name} {alias}"
                else:
                    left = self.column(scope, ("int", "small", "big"))
                    right = self.column(cols, ("int", "small", "big"))
                    on = f"{left[0]} = {right[0]}" if left and right else "true"
                    if rng.random() < 0.3:
                        on += f" and {self.condition(scope + cols, 0)}"
                    text += f" {join} {name} {alias} on {on}"
            scope = scope + cols
        return text, scope

    def query(self):
        rng = self.rng
        text, scope = self.source()
        where = f" where {self.condition(scope)}" if rng.random() < 0.7 else ""
        if rng.random() < 0.3:
            # Conditions of WHERE itself become semi and anti joins.
            all_ = [self.subquery_condition(scope) for _ in range(rng.randint(1, 2))]
            where = f" where {' and '.join(all_ + [self.condition(scope, 1)])}"
        partial = [it for it in self.predicates if text.startswith(f"{it[0]} a")]
        if partial and rng.random() < 0.4:
            where = f"{where + ' and' if where else ' where'} a.{rng.choice(partial)[1]}"
        if rng.random() < 0.3:
            return self.grouped(text, scope, where)
        kinds = [self.column(scope)[1] for _ in range(rng.randint(1, 4))]
        targets = [self.value(scope, kind) for kind in kinds]
        distinct = "distinct " if rng.random() < 0.15 else ""
        sql = f"select {distinct}{', '.join(targets)} from {text}{where}"
        return self.ordered(sql, len(targets))

    def ordered(self, sql, width):
        """ORDER BY all columns, so that LIMIT is no matter of chance."""
        rng = self.rng
        if rng.random() < 0.6:
            order = list(range(1, width + 1))
            rng.shuffle(order)
            keys = [f"{it}{rng.choice(['', ' desc', ' nulls first', ' desc nulls last'])}" for it in order]
            sql += f" order by {', '.join(keys)}"
            if rng.random() < 0.5:
                sql += f" limit {rng.randint(0, 7)}"
            if rng.random() < 0.2:
                sql += f" offset {rng.randint(0, 4)}"
        return sql

    def grouped(self, text, scope, where):
        rng = self.rng
        keys = [self.column(scope)[0] for _ in range(rng.randint(0, 2))]
        number = self.column(scope, ("int", "small", "big", "num", "float"))[0]
        any_ = self.column([it for it in scope if it[1] != "flag"])[0]
        aggregates = rng.sample([
            "count(*)", f"count({any_})", f"sum({number})", f"avg({number})", f"min({any_})",
            f"max({any_})", f"count(distinct {any_})", f"sum(distinct {number})",
            f"count(*) filter (where {self.condition(scope, 0)})",
        ], rng.randint(1, 3))
        sql = f"select {', '.join(keys + aggregates)} from {text}{where}"
        if keys:
            sql += f" group by {', '.join(keys)}"
        if rng.random() < 0.3:
            sql += f" having count(*) {rng.choice(['>', '<='])} {rng.randint(0, 3)}"
        return self.ordered(sql, len(keys) + len(aggregates))

    def numbered(self):
        """row_number() in an order that is total, but for rows that are equal in all that is shown."""
        rng = self.rng
        name = rng.choice(sorted(self.tables))
        cols = self.tables[name]
        shown = [col for col, _ in cols]
        rng.shuffle(shown)
        order = ", ".join(f"{col}{rng.choice(['', ' desc', ' nulls first'])}" for col in shown)
        parts = rng.sample(shown, rng.randint(0, 2))
        over = (f"partition by {', '.join(parts)} " if parts else "") + f"order by {order}"
        where = f" where {self.condition(cols, 1)}" if rng.random() < 0.5 else ""
        sql = f"select {', '.join(shown)}, row_number() over ({over}) as n from {name}{where}"
        if rng.random() < 0.4:
            limit = rng.randint(1, 3)
            sql = f"select * from ({sql}) s where n <= {limit}"
        return self.ordered(sql, len(shown) + 1)

    def alter(self):
        rng = self.rng
        name = rng.choice(sorted(self.tables))
        cols = self.tables[name]
        pick = rng.random()
        if pick < 0.5 or len(cols) < 4:
            kind = rng.choice(sorted(self.TYPES))
            col = f"{kind}{rng.randint(10, 99)}"
            if any(col == other for other, _ in cols):
                return f"alter table {name} add column {col} int"
            default = f" default {self.literal(kind, 0)}" if rng.random() < 0.6 else ""
            cols.append((col, kind))
            return f"alter table {name} add column {col} {self.TYPES[kind]}{default}"
        if pick < 0.8:
            col, _ = cols.pop(rng.randint(1, len(cols) - 1))
            self.predicates = [it for it in self.predicates if it[0] != name]
            return f"alter table {name} drop column {col}"
        if pick < 0.9:
            return f"alter table {name} add constraint c check ({self.condition(cols, 0)} or true)"
        return f"alter table {name} drop constraint if exists c"

    def setop(self):
        rng = self.rng
        kind = rng.choice(["int", "text", "num", "day"])
        sides = []
        for _ in range(rng.randint(2, 3)):
            name = rng.choice(sorted(self.tables))
            cols = self.tables[name]
            sides.append(f"select {self.value(cols, kind, 1)}, {self.value(cols, 'int', 1)} from {name}")
        ops = ["union", "union all", "intersect", "except", "intersect all", "except all"]
        sql = sides[0]
        for side in sides[1:]:
            sql += f" {rng.choice(ops)} {side}"
        return self.ordered(sql, 2)

    def derived(self):
        rng = self.rng
        text, scope = self.source()
        kinds = [self.column(scope)[1] for _ in range(2)]
        inner = f"select {self.value(scope, kinds[0], 1)} as u, {self.value(scope, kinds[1], 1)} as v from {text}"
        outer = [("d.u", kinds[0]), ("d.v", kinds[1])]
        where = f" where {self.condition(outer, 1)}" if rng.random() < 0.6 else ""
        if rng.random() < 0.5:
            return self.ordered(f"with d as ({inner}) select d.u, d.v from d{where}", 2)
        return self.ordered(f"select d.v, d.u from ({inner}) d{where}", 2)

    def write(self):
        rng = self.rng
        name = rng.choice(sorted(self.tables))
        cols = self.tables[name]
        where = f" where {self.condition(cols, 1)}"
        pick = rng.random()
        returning = " returning *" if rng.random() < 0.3 else ""
        if pick < 0.4:
            rows = [
                f"({', '.join(self.literal(kind) for _, kind in cols)})"
                for _ in range(rng.randint(1, 3))
            ]
            conflict = rng.choice(["", "", " on conflict do nothing"])
            return f"insert into {name} values {', '.join(rows)}{conflict}{returning}"
        if pick < 0.55:
            other = rng.choice(sorted(self.tables))
            col, kind = rng.choice(cols)
            return (f"insert into {name} ({col}) select {self.value(self.tables[other], kind, 1)}"
                    f" from {other} where {self.condition(self.tables[other], 1)}{returning}")
        if pick < 0.85:
            col, kind = rng.choice(cols[1:])
            return f"update {name} set {col} = {self.value(cols, kind, 1)}{where}{returning}"
        return f"delete from {name}{where}{returning}"

    def statement(self):
        """A statement and its parameters, of which what was not used is left out."""
        used = []

        def number(found):
            used.append(self.parameters[int(found[1]) - 1])
            return f"${len(used)}"

        self.parameters = []
        sql = re.sub(r"\$(\d+)", number, self.any_statement())
        return sql, used

    def any_statement(self):
        pick = self.rng.random()
        if pick < 0.57:
            return self.query()
        if pick < 0.62:
            return self.numbered()
        if pick < 0.7:
            return self.setop()
        if pick < 0.8:
            return self.derived()
        if pick < 0.94:
            return self.write()
        if pick < 0.96:
            self.parameters = None
            return self.alter()
        if pick < 0.97:
            return f"analyze {self.rng.choice(sorted(self.tables))}"
        return self.index()


def comparable(answer, is_sorted, is_loose, has_scan):
    rows, tags, names, error = answer
    if error:
        # Which row of a scan is the first that violates a constraint is not defined.
        is_any_row = has_scan and error["C"].startswith("23")
        return ("error", "23" if is_any_row else error["C"])
    if is_loose and names:
        # 1.5 and 1.50 are equal, as are 0 and -0: either may come first, or stand for both in a
        # UNION.
        numbers = [index for index, (_, oid) in enumerate(names[0]) if oid in (700, 701, 1700)]
        def number(value):
            return value if value in (None, "NaN") else decimal.Decimal(value) or 0

        rows = [
            tuple(number(value) if index in numbers else value for index, value in enumerate(row))
            for row in rows
        ]
    return (rows if is_sorted else sorted(rows, key=repr), tags, names)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("postgresql")
    parser.add_argument("minibtree")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--statements", type=int, default=2000)
    parser.add_argument("--show", type=int, default=20, help="how many differences to show")
    arguments = parser.parse_args()

    theirs, ours = Connection(arguments.postgresql), Connection(arguments.minibtree)
    refused, counts = collections.Counter(), collections.Counter()
    maker = Maker(random.Random(arguments.seed))
    done = 0
    while done < arguments.statements:
        statements = [(sql, ()) for sql in [*maker.methods(), *maker.schema()]]
        statements += [maker.statement() for _ in range(150)]
        for sql, parameters in statements:
            done += 1
            mine = ours.query(sql, parameters)
            if mine[3] and mine[3]["C"] == "0A000" and "cannot convert" not in mine[3]["M"]:
                counts["refused"] += 1
                refused[mine[3]["M"][:70]] += 1
                continue
            expected = theirs.query(sql, parameters)
            counts["with arrays as parameters"] += bool(parameters)
            is_sorted = " order by " in re.sub(r" over \([^)]*\)", "", sql)
            gathers = (" union ", " intersect ", " except ", "distinct ", " group by ")
            is_loose = is_sorted or any(word in sql for word in gathers)
            how = (is_sorted, is_loose, " values " not in sql)
            if comparable(expected, *how) == comparable(mine, *how):
                counts["error" if mine[3] else "same"] += 1
                continue
            counts["different"] += 1
            if counts["different"] <= arguments.show:
                print(f"DIFFERENT {sql} {' '.join(parameters)}")
                for name, answer in (("postgresql", expected), ("minibtree", mine)):
                    rows, tags, names, error = answer
                    print(f"  {name}: {error or (len(rows), rows[:5], tags, names)}")
            if not sql.startswith(("select", "with")):
                # The tables differ from here on.
                break
    for message, count in refused.most_common():
        print(f"refused {count}x {message}")
    print(f"seed {arguments.seed}: {dict(counts)}")
    return 1 if counts["different"] else 0


sys.exit(main())
