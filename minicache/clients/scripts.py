#!/usr/bin/env python3
"""Sends random Lua scripts to a real Redis and to minicache and compares the bytes of every reply.

    minicache/clients/scripts.py                        both servers are started and stopped
    minicache/clients/scripts.py --seed 7 --scripts 1000

A script is put together from statements over redis.call, tables, strings and the libraries, or is
one of the patterns of Redis's documentation: counters, locks, rate limits, queues. Half of them run
in RESP3. A difference is printed with the script and both replies. WARNING: all databases are
emptied.
"""

import argparse
import random
import re
import socket
import sys

from differential.servers import Minicache, Redis

# Scripts of Redis's documentation and of its best-known clients: keys, arguments, text.
PATTERNS = [
    (1, 0, "return redis.call('incr', KEYS[1])"),
    (1, 1, "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) "
           "else return 0 end"),
    (1, 2, "if redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', 10000) then return 1 end "
           "return redis.call('pttl', KEYS[1]) > 0"),
    (1, 2, "local n = redis.call('incr', KEYS[1]) if n == 1 then "
           "redis.call('expire', KEYS[1], 100) end if n > 3 then return {err='LIMIT reached'} end "
           "return {n, redis.call('ttl', KEYS[1])}"),
    (2, 1, "redis.call('zadd', KEYS[1], 1, 'a', 2, 'b', 3, 'c') local due = redis.call("
           "'zrangebyscore', KEYS[1], '-inf', 2, 'LIMIT', 0, 10) for _, job in ipairs(due) do "
           "redis.call('zrem', KEYS[1], job) redis.call('rpush', KEYS[2], job) end return due"),
    (2, 0, "local v = redis.call('lpop', KEYS[1]) if v then redis.call('rpush', KEYS[2], v) end "
           "return v"),
    (1, 2, "redis.call('hset', KEYS[1], ARGV[1], ARGV[2]) local all = redis.call('hgetall', "
           "KEYS[1]) return #all"),
    (1, 1, "local values = cjson.decode('[1,2,{\"a\":[true,null,\"x\"]}]') values[4] = ARGV[1] "
           "redis.call('set', KEYS[1], cjson.encode(values)) return redis.call('get', KEYS[1])"),
    (1, 1, "local packed = cmsgpack.pack({1, -5, 'text', {a=1.5}, ARGV[1]}) redis.call('set', "
           "KEYS[1], packed) return {packed, #cmsgpack.unpack(packed)}"),
    (1, 0, "#!lua flags=no-writes\nreturn redis.call('set', KEYS[1], 1)"),
    (1, 0, "#!lua\nreturn {KEYS[1], redis.call('exists', KEYS[1])}"),
]

# A table or function as text has an address, of another length in the two servers.
ADDRESS = re.compile(rb"(?:\$\d+\r\n)?(table|function): 0x[0-9a-f]+")

KEYS = ["a", "b", "list", "hash", "set", "zset", "missing"]
CALLS = [
    "'set', {key}, {value}", "'get', {key}", "'incr', {key}", "'incrby', {key}, {value}",
    "'append', {key}, {value}", "'rpush', {key}, {value}, {value}", "'lrange', {key}, 0, -1",
    "'hset', {key}, {value}, {value}", "'hgetall', {key}", "'hget', {key}, {value}",
    "'sadd', {key}, {value}", "'smembers', {key}", "'zadd', {key}, {number}, {value}",
    "'zrange', {key}, 0, -1, 'withscores'", "'zscore', {key}, {value}", "'del', {key}",
    "'type', {key}", "'expire', {key}, 100", "'exists', {key}", "'mget', {key}, {key}",
    "'strlen', {key}", "'lpop', {key}", "'llen', {key}", "'getrange', {key}, 0, 3",
    "'subscribe', {key}", "'nosuch', {key}", "'get'", "'ping'", "'echo', {value}",
    "'setex', {key}, 10, {value}", "'zincrby', {key}, {number}, {value}", "'eval', {value}, 0",
    "'smismember', {key}, {value}, {value}", "'object', 'encoding', {key}", "'config', 'get', 'x'",
]
EXPRESSIONS = [
    "{number}", "{value}", "{variable}", "#{value}", "{number} + {number}", "{value} .. {value}",
    "{number} % 7", "{number} / {number}", "tostring({variable})", "tonumber({value})",
    "type({variable})", "string.sub({value}, 1, {number})", "string.rep({value}, 3)",
    "string.format('%s:%5.2f', {value}, {number})", "string.find({value}, '%d+')",
    "string.gsub({value}, '[a-m]', '<%0>')", "string.byte({value})", "({value}):upper()",
    "math.floor({number})", "math.max({number}, {number})", "{{number}, {value}, {variable}}",
    "{ok={value}}", "{err={value}}", "{double={number}}", "nil", "true", "false",
    "{variable} == {variable}", "not {variable}", "cjson.encode({{number}, {value}})",
    "cjson.decode('[{number}, \"x\"]')", "redis.sha1hex({value})", "bit.band({number}, 255)",
    "{cmsgpack.unpack(cmsgpack.pack({variable}, {number}, {value}))}", "table.concat({{value}, {number}}, '-')",
    "struct.pack('>I2', {number})", "{map={a={number}}}", "undefined_global",
    "redis.error_reply({value})", "redis.status_reply({value})", "select('#', {variable}, nil)",
    "bit.tohex({number})", "{struct.unpack('<i4', struct.pack('<i4', {number}))}",
]
STATEMENTS = [
    "local {name} = {expression}", "local {name} = redis.call({call})",
    "local {name} = redis.call({call})", "local {name} = redis.pcall({call})",
    "{name} = {expression}", "redis.call({call})",
    "if {variable} then {name} = {expression} end",
    "for i = 1, 3 do redis.call({call}) end", "for k, v in ipairs({{number}, {value}}) do {name} = v end",
    "local ok, {name} = pcall(redis.call, {call})", "local {name} = {{variable}, {expression}}",
    "redis.setresp({version})", "local {name} = pcall(function() return {expression} end)",
    "{name} = {name}.ok or {name}", "\n", "table.insert({name}, {number})",
]


class Script:
    """A random script: its text grows by statements, and it knows its variables."""

    def __init__(self, chance):
        self.chance = chance
        self.names = ["KEYS", "ARGV"]

    def text(self):
        lines = [self.fill(self.chance.choice(STATEMENTS)) for _ in range(self.chance.randint(1, 6))]
        return " ".join(lines) + self.fill(" return {expression}")

    def fill(self, template):
        """Replaces words in braces until none is left; other braces are Lua's."""
        choices = {
            "key": ["KEYS[1]", "KEYS[2]", *(f"'{key}'" for key in KEYS)],
            "value": ["'x'", "'10'", "'-3.5'", "'a b'", "ARGV[1]", "'\\0\\255'"],
            "number": ["0", "1", "3", "2.5", "100", "1e15", "12345678901"],
            "version": "23",
            "variable": self.names,
            "call": CALLS,
            "expression": EXPRESSIONS,
        }
        place = re.compile(r"\{(" + "|".join([*choices, "name"]) + r")\}")

        def choose(word):
            return self.name() if word[1] == "name" else self.chance.choice(choices[word[1]])

        while place.search(template):
            template = place.sub(choose, template, count=1)
        return template

    def name(self):
        name = self.chance.choice("xyz")
        if name not in self.names:
            self.names.append(name)
        return name


def encode(*arguments):
    parts = [argument.encode() if isinstance(argument, str) else argument for argument in arguments]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


class Connection:
    """Sends a request and then an ECHO, so that the end of the reply needs no parsing."""

    def __init__(self, address):
        self.socket = socket.create_connection(address)

    def ask(self, *arguments):
        self.socket.sendall(encode(*arguments) + encode("ECHO", "--end--"))
        reply = b""
        while not reply.endswith(b"$7\r\n--end--\r\n"):
            received = self.socket.recv(1 << 20)
            if not received:
                return reply + b"(closed)"
            reply += received
        return reply[:-len(b"$7\r\n--end--\r\n")]


def requests(chance):
    if chance.random() < 0.1:
        keys, arguments, text = chance.choice(PATTERNS)
    else:
        keys, arguments, text = 2, 2, Script(chance).text()
    words = [chance.choice(KEYS) for _ in range(keys)]
    words += [chance.choice(["x", "10", "5.5", ""]) for _ in range(arguments)]
    name = "EVAL_RO" if chance.random() < 0.05 else "EVAL"
    return [name, text, str(keys), *words]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--redis", metavar="ADDR:PORT", help="a running Redis 7.0 (emptied!)")
    parser.add_argument("--minicache", metavar="ADDR:PORT", help="a running minicache (emptied!)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scripts", type=int, default=20_000)
    parser.add_argument("--failures", type=int, default=1, help="stop after this many differences")
    options = parser.parse_args()
    servers = [Redis(options.redis), Minicache(options.minicache)]
    try:
        for server in servers:
            server.start()
        sys.exit(compare(options, [Connection(server.address) for server in servers]))
    finally:
        for server in servers:
            server.stop()


def compare(options, connections):
    failures = 0
    for number in range(options.scripts):
        chance = random.Random(f"{options.seed} {number}")
        if number % 50 == 0:
            before = [("HELLO", "3" if number % 100 else "2"), ("FLUSHALL",), ("SCRIPT", "FLUSH")]
            for connection in connections:
                for request in before:
                    connection.ask(*request)
        request = requests(chance)
        replies = [ADDRESS.sub(rb"\1", connection.ask(*request)) for connection in connections]
        if replies[0] != replies[1]:
            print(f"script {number} of seed {options.seed} differs: {request}")
            print(f"  redis:     {replies[0]!r}\n  minicache: {replies[1]!r}", flush=True)
            failures += 1
            if failures >= options.failures:
                return 1
    print(f"{options.scripts} scripts, {failures} differences")
    return 1 if failures else 0


if __name__ == "__main__":
    main()
