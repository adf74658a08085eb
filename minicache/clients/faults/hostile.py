"""Scripts made to harm: each ends with an error or a result, and others are served meanwhile.

Redis has no limit on the memory of a script, and the stack of its Lua is another one. So what is
checked on both servers is that the server lives, is busy at most, and that a script can be killed.
"""

import contextlib
import sys

from wire import Client, Failed, equal, eventually, fails, server

# A reply of a thousand levels is read by a function that calls itself.
sys.setrecursionlimit(10_000)

# Bounded in both servers: the error contains the text.
ENDED = [
    ("local function f() return f() + 1 end return f()", "stack overflow"),
    ("local function f() return pcall(f) end return f()", None),
    ("local function f(s) return s:gsub('.', f) end return f('x')", "stack overflow"),
    ("local function f() return coroutine.wrap(f)() end return f()", "stack overflow"),
    ("local t = {} t.t = t for i = 1, 2000 do t = {t} end return t", None),
    ("local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k + 1] end "
     "return t[1]", "stack overflow"),
    ("local t = {} setmetatable(t, {__index = t}) return t.x", "loop"),
    ("local o = setmetatable({}, {__eq = function(a, b) return a == b end}) "
     "return o == setmetatable({}, getmetatable(o))", "stack overflow"),
    ("local o = setmetatable({}, {}) getmetatable(o).__concat = function(a, b) return a .. b end "
     "return o .. o", "stack overflow"),
    ("return xpcall(function() error('x') end, function() error('y') end)", None),
    ("local t = {} for i = 1, 1000 do t[i] = i % 7 end "
     "table.sort(t, function(a, b) return true end) return #t", "invalid order function"),
    ("local t = {3, 1, 2} table.sort(t, function(a, b) error('in the order') end)", "in the order"),
    ("return string.rep('', 1e15)", None),
    ("return #string.rep('x', 1e6)", None),
    ("local t = {} for i = 1, 1e5 do t[i] = i end return #table.concat(t, ',')", None),
    ("return ('%99999d'):format(1)", "invalid format"),
    ("return {unpack({}, 1, 1e7)}", "too many results"),
    ("return {string.byte(string.rep('x', 1e6), 1, -1)}", "string slice too long"),
    ("return #{cmsgpack.unpack('\\221\\255\\255\\255\\255')}", "Missing bytes"),
    ("return cjson.decode(string.rep('[', 1e5))", "too many nested"),
    ("local t = {} for i = 1, 2000 do t = {t} end return cjson.encode(t)", "excessive nesting"),
    ("return table.remove({1, 2, 3}, -1e9)", None),
    ("return redis.call('set', 'k', string.rep('x', 1e6)).ok", None),
    ("return loadstring('return ' .. string.rep('(', 1e4) .. '1')", None),
    ("return loadstring('\\27Lua')", None),
    ("error({err=string.rep('x', 1e5)})", "xxx"),
]

# Endless: killed by another client. (Redis cannot kill the handler of an `xpcall`.)
ENDLESS = [
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "while true do pcall(error, {}) end",
    "local f = function() while true do end end coroutine.wrap(f)()",
    "local o = setmetatable({}, {__index = function() while true do end end}) return o.x",
    "return ('x'):gsub('x', function() while true do end end)",
    "table.sort({1, 2, 3}, function() while true do end end)",
    "for i = 1, 1e18 do redis.call('get', 'k') end",
    "repeat local ok = pcall(redis.call, 'nosuch') until false",
]


def check_hostile_scripts_end():
    with server() as running:
        client = Client(running.port)
        for script, text in ENDED:
            answer = client("EVAL", script, "0")
            if text:
                assert isinstance(answer, Failed) and text in answer, (script, answer)
            equal(client("EVAL", "return KEYS[1]", "1", "served"), "served")


def check_endless_scripts_are_killed():
    with server("--busy-reply-threshold", "1") as running:
        other = Client(running.port)
        for script in ENDLESS:
            client = Client(running.port)
            client.send("EVAL", script, "0")
            eventually(lambda: "BUSY" in (other("GET", "k") or ""))
            equal(other("SCRIPT", "KILL"), "OK")
            fails(client.read(), "Script killed by user")
            equal(other("GET", "k"), None)


def check_a_script_that_has_written_is_not_killed():
    with server("--busy-reply-threshold", "1") as running:
        client, other = Client(running.port), Client(running.port)
        client.send("EVAL", "redis.call('set', 'k', 'v') while true do end", "0")
        eventually(lambda: "BUSY" in (other("GET", "k") or ""))
        fails(other("SCRIPT", "KILL"), "UNKILLABLE")
        fails(other("EVAL", "return 1", "0"), "BUSY")
        fails(other("SHUTDOWN"), "BUSY")
        fails(other("SHUTDOWN", "NOW"), "BUSY")
        with contextlib.suppress(ConnectionError):
            other("SHUTDOWN", "NOSAVE")
        running.process.wait(timeout=10)
