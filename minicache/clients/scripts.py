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
import hashlib
import random
import re
import socket
import sys

from differential.servers import Minicache, Redis

# Scripts of Redis's documentation and of its best-known clients: keys, arguments, text. The time
# comes as an argument, because two servers read different clocks.
PATTERNS = [
    # Counters.
    (1, 0, "return redis.call('incr', KEYS[1])"),
    (1, 1, "if redis.call('exists', KEYS[1]) == 0 then return false end "
           "return redis.call('incrby', KEYS[1], ARGV[1])"),
    (1, 2, "local n = redis.call('hincrby', KEYS[1], ARGV[1], 1) if n == 1 then "
           "redis.call('expire', KEYS[1], 100) end return {n, redis.call('ttl', KEYS[1])}"),
    (2, 0, "local sum = 0 for _, key in ipairs(KEYS) do "
           "sum = sum + (tonumber(redis.call('get', key) or '0') or 0) end return tostring(sum)"),
    (1, 2, "local old = tonumber(redis.call('get', KEYS[1])) if not old or old < tonumber(ARGV[2]) "
           "then redis.call('set', KEYS[1], ARGV[2]) return 1 end return 0"),
    # Locks: those of redis-py, Redlock, Redisson and Bull.
    (1, 1, "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) "
           "else return 0 end"),
    (1, 2, "if redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', 10000) then return 1 end "
           "return redis.call('pttl', KEYS[1]) > 0"),
    (1, 3, "local token = redis.call('get', KEYS[1]) if not token or token ~= ARGV[1] then "
           "return 0 end local left = redis.call('pttl', KEYS[1]) if not left then left = 0 end "
           "if ARGV[3] == '0' then redis.call('pexpire', KEYS[1], 1000) else "
           "redis.call('pexpire', KEYS[1], 5000) end return 1"),
    (1, 2, "if (redis.call('exists', KEYS[1]) == 0) then "
           "redis.call('hincrby', KEYS[1], ARGV[2], 1); "
           "redis.call('pexpire', KEYS[1], 30000); return nil; end; if (redis.call('hexists', "
           "KEYS[1], ARGV[2]) == 1) then redis.call('hincrby', KEYS[1], ARGV[2], 1); return nil; "
           "end; return redis.call('pttl', KEYS[1]) > 0;"),
    (1, 1, "local rcall = redis.call local v = rcall('GET', KEYS[1]) if v == ARGV[1] then "
           "rcall('SET', KEYS[1], ARGV[1], 'PX', 30000) return 1 end return 0"),
    # Limits of rates: a fixed window, a sliding one, a bucket of tokens, and GCRA.
    (1, 2, "local n = redis.call('incr', KEYS[1]) if n == 1 then "
           "redis.call('expire', KEYS[1], 100) end if n > 3 then return {err='LIMIT reached'} end "
           "return {n, redis.call('ttl', KEYS[1])}"),
    (1, 2, "local now = tonumber(ARGV[1]) or 17 "
           "redis.call('zremrangebyscore', KEYS[1], 0, now - 10) "
           "local n = redis.call('zcard', KEYS[1]) if n < 3 then redis.call('zadd', KEYS[1], now, "
           "now .. '-' .. n) redis.call('expire', KEYS[1], 10) return 1 end "
           "return {0, redis.call('zrange', KEYS[1], 0, 0, 'WITHSCORES')[2]}"),
    (1, 2, "local b = redis.call('hmget', KEYS[1], 'tokens', 'at') "
           "local now = tonumber(ARGV[2]) or 1 local tokens = "
           "math.min(10, (tonumber(b[1]) or 10) + (now - (tonumber(b[2]) or now)) * 0.5)"
           " local ok = tokens >= 1 if ok then tokens = tokens - 1 end redis.call('hset', KEYS[1], "
           "'tokens', tokens, 'at', now) return {ok and 1 or 0, tostring(tokens)}"),
    (1, 2, "local tat = tonumber(redis.call('get', KEYS[1])) or 0 "
           "local now = tonumber(ARGV[1]) or 3 tat = math.max(now, tat) + 2.5 "
           "if tat - now > 8 then return {1, tostring(tat - now)} end "
           "redis.call('set', KEYS[1], tat, 'EX', math.ceil(tat - now)) return {0, '-1'}"),
    (1, 2, "redis.call('set', KEYS[1], 0, 'EX', 10, 'NX') local consumed = "
           "redis.call('incrby', KEYS[1], 2) local ttl = redis.call('pttl', KEYS[1]) "
           "if ttl == -1 then redis.call('expire', KEYS[1], 10) end return {consumed, ttl > 0}"),
    # Queues: sorted sets, delayed jobs, and lists that keep what is being worked on.
    (2, 1, "redis.call('zadd', KEYS[1], 1, 'a', 2, 'b', 3, 'c') local due = redis.call("
           "'zrangebyscore', KEYS[1], '-inf', 2, 'LIMIT', 0, 10) for _, job in ipairs(due) do "
           "redis.call('zrem', KEYS[1], job) redis.call('rpush', KEYS[2], job) end return due"),
    (2, 0, "local v = redis.call('lpop', KEYS[1]) if v then redis.call('rpush', KEYS[2], v) end "
           "return v"),
    (1, 1, "local jobs = redis.call('zrange', KEYS[1], '-inf', 10, 'byscore', 'limit', 0, 1) "
           "if jobs[1] then redis.call('zrem', KEYS[1], jobs[1]) return jobs[1] end"),
    (2, 1, "local due = redis.call('zrangebyscore', KEYS[1], 0, 2) if #due > 0 then "
           "redis.call('zremrangebyrank', KEYS[1], 0, #due - 1) "
           "redis.call('rpush', KEYS[2], unpack(due, 1, #due)) end return #due"),
    (2, 0, "local job = redis.call('rpoplpush', KEYS[1], KEYS[2]) if not job then return nil end "
           "redis.call('hset', 'jobs', job, 1) return {job, redis.call('hget', 'jobs', job)}"),
    (1, 2, "local top = redis.call('zpopmin', KEYS[1]) if #top == 0 then return {} end "
           "redis.call('zincrby', KEYS[1], 1, top[1]) return top"),
    # Values in hashes, JSON and MessagePack.
    (1, 2, "redis.call('hset', KEYS[1], ARGV[1], ARGV[2]) local all = redis.call('hgetall', "
           "KEYS[1]) return #all"),
    (1, 2, "local all, out = redis.call('hgetall', KEYS[1]), {} for i = 1, #all, 2 do "
           "out[all[i]] = all[i + 1] end return out[ARGV[1]] or false"),
    (1, 1, "local values = cjson.decode('[1,2,{\"a\":[true,null,\"x\"]}]') values[4] = ARGV[1] "
           "redis.call('set', KEYS[1], cjson.encode(values)) return redis.call('get', KEYS[1])"),
    (1, 1, "local packed = cmsgpack.pack({1, -5, 'text', {a=1.5}, ARGV[1]}) redis.call('set', "
           "KEYS[1], packed) return {packed, #cmsgpack.unpack(packed)}"),
    (1, 2, "local value = struct.pack('dLc0', 1.5, string.len(ARGV[1]), ARGV[1]) "
           "redis.call('hset', KEYS[1], ARGV[2], value) "
           "local t, val = struct.unpack('dLc0', redis.call('hget', KEYS[1], ARGV[2])) "
           "return {tostring(t), val}"),
    (1, 2, "redis.call('zadd', KEYS[1], 5, struct.pack('Bc0I', string.len(ARGV[2]), ARGV[2], 7)) "
           "local sum = 0 for i, v in ipairs(redis.call('zrangebyscore', KEYS[1], 0, 9)) do "
           "local ok, random, permits = pcall(struct.unpack, 'Bc0I', v) if ok then "
           "sum = sum + permits end end return sum"),
    (1, 0, "local n = 0 for _, key in ipairs(redis.call('keys', 'l*')) do "
           "n = n + redis.call('del', key) end return n"),
    (1, 0, "#!lua flags=no-writes\nreturn redis.call('set', KEYS[1], 1)"),
    (1, 0, "#!lua\nreturn {KEYS[1], redis.call('exists', KEYS[1])}"),
    (1, 0, "#!lua flags=allow-oom,no-cluster\nreturn redis.call('type', KEYS[1]).ok"),
    (0, 0, "#!lua name=x\nreturn 1"),
    (0, 0, "#!python\nreturn 1"),
]

# A table or function as text has an address, of another length in the two servers. Inside a packed
# text the length has other forms, so such replies are not compared.
ADDRESS = re.compile(rb"(?:\$\d+\r\n)?(table|function|thread): 0x[0-9a-f]+")
PACKED = re.compile(rb"c(json\.encode|msgpack\.pack)")

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
    "'SET', {key}, {number}, 'GET'", "'set', {key}, {value}, 'NX', 'EX', 100", "'getdel', {key}",
    "'setrange', {key}, {index}, {value}", "'incrbyfloat', {key}, {number}", "'getex', {key}",
    "'setbit', {key}, 7, 1", "'bitcount', {key}", "'mset', {key}, {value}, {key}, {value}",
    "'lpush', {key}, {expression}", "'linsert', {key}, 'before', {value}, {value}",
    "'persist', {key}", "'lrem', {key}, 0, {value}", "'lpos', {key}, {value}",
    "'lmove', {key}, {key}, 'left', 'right'", "'ltrim', {key}, 0, 2", "'lindex', {key}, {number}",
    "'rpoplpush', {key}, {key}", "'hincrby', {key}, {value}, 2", "'hmget', {key}, {value}, 'x'",
    "'hkeys', {key}", "'hlen', {key}", "'hincrbyfloat', {key}, {value}, {number}",
    "'hdel', {key}, {value}", "'hsetnx', {key}, 'x', 1", "'srem', {key}, {value}", "'scard', {key}",
    "'sismember', {key}, {value}", "'smove', {key}, {key}, 'x'", "'sinter', {key}, {key}",
    "'sunionstore', {key}, {key}, {key}", "'zcard', {key}",
    "'zadd', {key}, 'xx', 'incr', {number}, {value}", "'zadd', {key}, 'ch', 1, 'x', 2, '10'",
    "'zrangebyscore', {key}, '-inf', {number}, 'limit', 0, 2", "'zrank', {key}, {value}",
    "'zrangestore', {key}, {key}, 0, 1", "'zpopmin', {key}", "'zpopmax', {key}, 2",
    "'zmscore', {key}, 'x', 'y'", "'zunionstore', {key}, 2, {key}, {key}, 'weights', 1, {number}",
    "'zcount', {key}, 0, {number}", "'zremrangebyrank', {key}, 0, 0", "'rename', {key}, {key}",
    "'copy', {key}, {key}, 'replace'", "'sort', {key}, 'alpha'", "'ttl', {key}",
    "'expire', {key}, {value}", "'dbsize'", "'select', 1", "'select', 0", "'blpop', {key}, 0",
    "'multi'", "'watch', {key}", "'publish', 'c', {value}", "'hello', 3", "'client', 'getname'",
    "'object'", "'set', {key}", "'zadd', {key}, 'x', 'y'", "unpack({variable})", "{expression}",
    "{value}, {key}", "'incr', {key}, unpack(ARGV)",
]
EXPRESSIONS = [
    "{number}", "{value}", "{variable}", "#{value}", "{number} + {number}", "{value} .. {value}",
    "{number} % 7", "{number} / {positive}", "tostring({variable})", "tonumber({value})",
    "type({variable})", "string.sub({value}, 1, {index})", "string.rep({value}, 3)",
    "string.format('%s:%5.2f', {value}, {number})", "string.find({value}, '%d+')",
    "string.gsub({value}, '[a-m]', '<%0>')", "string.byte({value})", "({value}):upper()",
    "math.floor({number})", "math.max({number}, {number})", "{{number}, {value}, {variable}}",
    "{ok={value}}", "{err={value}}", "{double={number}}", "nil", "true", "false",
    "{variable} == {variable}", "not {variable}", "cjson.encode({{number}, {value}})",
    "cjson.decode('[{number}, \"x\"]')", "redis.sha1hex({value})", "bit.band({number}, 255)",
    "{cmsgpack.unpack(cmsgpack.pack({variable}, {number}, {value}))}",
    "table.concat({{value}, {number}}, '-')", "struct.pack('>I2', {number})", "{map={a={number}}}",
    "undefined_global", "redis.error_reply({value})", "redis.status_reply({value})",
    "select('#', {variable}, nil)", "bit.tohex({number})",
    "{struct.unpack('<i4', struct.pack('<i4', {number}))}",
    # Holes, nested tables and the replies that are not lists.
    "{{expression}, nil, {expression}}", "{nil, {expression}}",
    "{{expression}, {{expression}, {{number}}}}", "{[1]={value}, [3]={value}}",
    "{n={number}, {value}}", "{false, {expression}, true}", "{err={value}, ok={value}}",
    "{ok={number}}", "{err={number}, {value}}", "{map={x={expression}}}", "{set={x=true}}",
    "{big_number={value}}", "{big_number={number}}",
    "{verbatim_string={string={value}, format='txt'}}", "{double={value}}",
    "{{ok={value}}, {err={value}}}", "redis.error_reply('MYCODE ' .. {value})",
    "redis.error_reply('-X y')", "redis.error_reply({number}, 1)", "redis.status_reply()",
    "redis.pcall({call})", "redis.call({call})", "{redis.call({call})}", "redis.pcall({call}).err",
    "redis.call({call}).ok", "redis.pcall({call})[1]", "{pcall(redis.call, {call})}",
    "{pcall(redis.pcall, {call})}", "select(2, pcall(redis.call, {call}))",
    "{xpcall(function() return redis.call({call}) end, "
    "function(e) return type(e) == 'table' and e.err or e end)}",
    # Errors of Lua itself.
    "{variable}.x", "{variable}.x.y", "{variable}()", "{variable}:nope()", "{expression} + 1",
    "-{variable}", "{expression} .. 'x'", "{expression} < {expression}", "#{variable}",
    "{variable}[nil]", "error({text})", "error({text}, 0)", "error({text}, 2)",
    "error({err={text}})", "{pcall(error, {value})}", "assert({expression}, {value})",
    "{pcall(assert, false)}", "{pcall(function() error({text}) end)}",
    "{pcall(function() error({err='A b', x=1}) end)}", "string.rep()",
    "string.format('%d', {value})", "redis.call()", "redis.call({{number}})", "redis.sha1hex()",
    "redis.setresp(7)", "tonumber()",
    # Conversions of numbers.
    "{number} * {positive}", "{number} ^ 2", "{number} - {number}", "-{positive}", "tostring({number})",
    "tostring({number} / {positive})", "'' .. {number}", "{value} + {number}",
    "tonumber('0x1F', 16) + tonumber('z', 36)",
    "string.format('%d %i %x', {number}, {number}, 255)",
    "string.format('%g %.3f', {number}, {number})", "string.format('%q', {value})",
    "math.ceil({number})", "math.fmod({number}, 7)", "math.abs({number})", "math.sqrt({number})",
    "math.min({value}, {number})", "{number} == tonumber(tostring({number}))",
    "bit.bor({number}, {number})", "bit.lshift({number}, 3)", "bit.bnot({number})",
    "bit.rol({number}, 5)", "cjson.encode({number})", "cjson.encode({value})",
    "cjson.encode({variable})", "cjson.encode({{x={expression}}})", "cjson.decode({json})",
    "cjson.decode(cjson.encode({expression}))", "cjson.decode({json}) == cjson.null",
    "cmsgpack.pack({expression}, {number})", "cmsgpack.unpack(cmsgpack.pack({expression}))",
    "cmsgpack.pack({a={expression}})", "cmsgpack.unpack({value})",
    "{cmsgpack.unpack('\\145\\1\\192\\202')}",
    "struct.pack('<hBi8d', {number}, 7, {number}, {number})",
    "#struct.pack('sc0', {value}, {value})", "{struct.unpack('>Hbs', 'ab\\200cd\\0')}",
    "struct.unpack('i4', {value})", "struct.size('bhid')",
    # Strings and tables.
    "{{value}:find({value}, 1, true)}", "string.match({value}, '(%w+)%s*(.*)')",
    "{string.byte({value}, 1, -1)}", "string.gsub({value}, '%w', {a='b', x=false, ['1']={number}})",
    "string.gsub({value}, '.', string.upper)", "string.gsub({value}, '(.)(.?)', '%2%1')",
    "({value}):reverse()", "({value}):rep(2)", "({value}):len()", "string.sub({value}, -2)",
    "string.char(65, {index})", "table.concat(ARGV, ',')", "unpack({1, {expression}, 3})",
    "{unpack(ARGV)}", "next({})", "#ARGV + #KEYS", "KEYS[3]", "rawget({variable}, 1)",
    "rawequal({variable}, {variable})",
    "(function(...) return select('#', ...), ... end)({expression}, nil)",
    "table.maxn({1, nil, 3})",
    "(function() local t = {3, 1, 2} "
    "table.sort(t, function(a, b) return a > b end) return t end)()",
    "setmetatable({}, {__index=function(t, k) return k end}).abc", "type(getmetatable('x'))",
    "type(redis.call)", "coroutine.wrap(function(a) coroutine.yield(a) end)({expression})",
    "loadstring('return {number}')()",
    "{coroutine.resume(coroutine.create(function() error({text}) end))}",
    "{loadstring('return return')}", "{expression} and {expression} or {expression}",
    "tostring(nil)", "redis.REDIS_VERSION", "_VERSION", "os", "redis.acl_check_cmd('get', 'x')",
    "redis.replicate_commands()", "redis.LOG_WARNING", "math.huge",
    "{string.find({value}, {pattern})}", "{string.match({value}, {pattern}, {index})}",
    "{string.gsub({value}, {pattern}, {replacement})}", "string.gmatch({value}, {pattern})()",
    "{string.find('a.b(c)d-e%f', {pattern})}", "{string.match('k = v; w = 1', {pattern})}",
    "{string.gsub('a.b(c)d-e%f', {pattern}, {replacement}, {index})}",
]
STATEMENTS = [
    "local {name} = {expression}", "local {name} = redis.call({call})",
    "local {name} = redis.call({call})", "local {name} = redis.pcall({call})",
    "{name} = {expression}", "redis.call({call})", "if {variable} then {name} = {expression} end",
    "for i = 1, 3 do redis.call({call}) end",
    "for k, v in ipairs({{number}, {value}}) do {name} = v end",
    "local ok, {name} = pcall(redis.call, {call})", "local {name} = {{variable}, {expression}}",
    "redis.setresp({version})", "local {name} = pcall(function() return {expression} end)",
    "{name} = {name}.ok or {name}", "\n", "table.insert({name}, {number})",
    "local {name} = redis.pcall({call}) "
    "if type({name}) == 'table' and {name}.err then return {name} end",
    "local {name} = {} for i = 1, 5 do {name}[i] = {expression} end",
    "for _, v in ipairs({variable}) do redis.pcall('rpush', 'list', tostring(v)) end",
    "while true do redis.call({call}) break end", "repeat local done = {expression} until true",
    "local function {name}(a, b) return {expression}, a end",
    "local {name} = {name} and {name}(1, 2)", "redis.pcall({call})", "{variable}[1] = {expression}",
    "{variable}.field = {expression}", "if redis.call({call}) then return {expression} end",
    "do local {name} = {expression} end", "local {name}, other = {expression}", "-- {value}\n",
    "table.remove({name})", "local {name} = #{variable}", "string.upper = nil",
    "redis.log(redis.LOG_DEBUG, {value})", "{name} = tonumber({name}) or 0",
    "rawset({variable}, 'x', {number})", "global_{name} = 1",
]
VALUES = [
    "'x'", "'10'", "'-3.5'", "'a b'", "ARGV[1]", "ARGV[2]", "'\\0\\255'", "''", "' 12 '", "'0x1F'",
    "'1e3'", "'A b\\r\\nc'", "'nan'", "'9223372036854775807'", "'{\"a\":1}'", "'*'",
]
# Redis 7.0 ends when the error of a script is a table without a text, as ARGV[1] may be by then.
TEXTS = [value for value in VALUES if not value.startswith("ARGV")]
NUMBERS = [
    "0", "1", "3", "2.5", "100", "1e15", "12345678901", "-1", "-7.25", "0.1", "1e100",
    "9007199254740993", "2147483648", "-2147483649", "1e-7", "255", "3.0", "1/3",
]
# Lua 5.1 takes the constants 0 and -0 for the same, so no expression of constants is -0.
POSITIVES = ["1", "3", "2.5", "1e15"]
# Where C converts a number to an integer, what it makes of a huge one is undefined.
INDEXES = ["0", "1", "2", "7", "255"]
JSON = [
    "'[1,2.50,-3e2]'", "'{\"k\":[null,true,\"\\\\u00e9\\\\/\\\\n\"]}'", "'[]'", "'{}'", "'\"x\"'",
    "'[1'", "'{\"k\" 1}'", "'nul'", "'[1,]'", "' [ 1 , \"\\\\ud83d\\\\ude00\" ] '",
    "'[01, -0.5e+2 ,1.]'", "'\"\\\\q\"'", "'[1] 2'", "'a b'", "''", "'{k:1}'", "'\"a\\tb\"'",
    "'-'", "'\"\\\\ud800\"'", "'[.5]'", "'1e999'",
]


# Well-formed: a malformed pattern raises its error in Redis only when the match arrives there.
MATCHED = [
    "'.'", "'%w+'", "'(%w+)%s*=%s*(%w*)'", "'[^%w]'", "'[]%-a-d]+'", "'^a'", "'^*'", "'%f[%w]%w+'",
    "'%b()'", "'()'", "'(.)%1'", "'.-b'", "'e$'", "'$'", "')'", "']'", "'%.'", "'(a)(.?)'", "5",
    "'[%z%c]'", "'a\\0b'", "''", "'%y'", "'[a-]'", "'-'", "'b*'", "'%%'", "'(((.)))'", "'%u%L?'",
]
REPLACEMENTS = [
    "''", "'%0'", "'<%0%0>'", "'%%'", "'%-%x'", "'%'", "5", "-2.5", "{b='x', ['.']=false}", "nil",
    "function(a, b) return b end", "string.upper", "true", "'\\0'",
]


class Script:
    """A random script: its text grows by statements, and it knows its variables."""

    def __init__(self, chance):
        self.chance = chance
        self.names = ["KEYS", "ARGV"]

    def text(self):
        count = self.chance.randint(1, 6)
        lines = [self.fill(self.chance.choice(STATEMENTS)) for _ in range(count)]
        return " ".join(lines) + self.fill(" return {expression}")

    def fill(self, template):
        """Replaces words in braces until none is left; other braces are Lua's."""
        choices = {
            "key": ["KEYS[1]", "KEYS[2]", *(f"'{key}'" for key in KEYS)],
            "value": VALUES,
            "number": NUMBERS,
            "json": JSON,
            "text": TEXTS,
            "index": INDEXES,
            "positive": POSITIVES,
            "version": "23",
            "variable": self.names,
            "call": CALLS,
            "expression": EXPRESSIONS,
            "pattern": MATCHED,
            "replacement": REPLACEMENTS,
        }
        place = re.compile(r"\{(" + "|".join([*choices, "name"]) + r")\}")

        def choose(word):
            return self.name() if word[1] == "name" else self.chance.choice(choices[word[1]])

        while place.search(template):
            # Expressions in expressions: a long one is finished with short ones.
            if len(template) > 400:
                choices["expression"] = ["{variable}", "{value}", "{number}"]
                choices["call"] = CALLS[:30]
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
    if chance.random() < 0.2:
        keys, arguments, text = chance.choice(PATTERNS)
    else:
        keys, arguments, text = 2, 2, Script(chance).text()
    words = [chance.choice(KEYS) for _ in range(keys)]
    words += [chance.choice(["x", "10", "5.5", ""]) for _ in range(arguments)]
    form = chance.random()
    if form < 0.03:
        return ["SCRIPT", "LOAD", text]
    if form < 0.08:
        return ["EVALSHA", hashlib.sha1(text.encode()).hexdigest(), str(keys), *words]
    name = "EVAL_RO" if form < 0.13 else "EVAL"
    count = chance.choice(["-1", "9", "x"]) if form > 0.98 else str(keys)
    return [name, text, count, *words]


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
        replies = [connection.ask(*request) for connection in connections]
        if PACKED.search(request[1].encode()) and all(map(ADDRESS.search, replies)):
            continue
        replies = [ADDRESS.sub(rb"\1", reply) for reply in replies]
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
