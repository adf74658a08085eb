"""Random commands: a grammar for every command, and arguments at the edges of their ranges.

A line of the grammar holds commands and their arguments. `{a|b c}` is one of them, `{...}?` one
or none, `{...}*` up to three, `word+` one to three of that word, lower case is a class of words
(`Words`), a number in front is a weight, everything else is literal:

    SET key value {NX|XX|GET|EX ttl}*      SET k3 -9223372036854775808 GET NX

Expiry times are chosen so that no key expires by itself while a test runs: they are far away, in
the past, or invalid. Keys that expire soon are a step of their own that waits (`steps.py`).
"""

import re

GRAMMAR = {
    "strings": """
        SET key value {NX|XX|GET|KEEPTTL|EX ttl|PX pttl|EXAT at|PXAT pat}*
        2 SET key value | SET key int | SET key float | SETNX key value | SETEX key ttl value
        PSETEX key pttl value | GET key | GETSET key value | GETDEL key | STRLEN key
        GETEX key {EX ttl|PX pttl|EXAT at|PXAT pat|PERSIST}* | APPEND key value
        INCR key | DECR key | INCRBY key int | DECRBY key int | INCRBYFLOAT key float
        GETRANGE key index index | SUBSTR key index index | SETRANGE key offset value
        MGET key+ | MSET {key value}+ | MSETNX {key value}+
        LCS key key {LEN|IDX|MINMATCHLEN int|WITHMATCHLEN}*
    """,
    "bits": """
        3 SETBIT key bit {0|1|0|1|2|abc} | GETBIT key bit | BITCOUNT key
        BITCOUNT key index index {BYTE|BIT|BITS}? | BITPOS key {0|1|0|1|2|abc}
        BITPOS key {0|1} index {index}? | BITPOS key {0|1} index index {BYTE|BIT|BITS}?
        BITOP {AND|OR|XOR|NAND} key key+ | BITOP NOT key key | BITOP NOT key key+
        SET key text | APPEND key text | GET key
    """,
    "lists": """
        3 LPUSH key element+ | 3 RPUSH key element+ | 3 RPUSH key element element element element
        LPUSHX key element+ | RPUSHX key element+ | LPOP key {count}? | RPOP key {count}?
        LLEN key | LRANGE key index index | LRANGE key 0 -1 | LINDEX key index
        LSET key index element | LINSERT key {BEFORE|AFTER|NEAR} element element
        LREM key count element | LTRIM key index index | RPOPLPUSH key key
        LPOS key element {RANK int|COUNT count|MAXLEN count}*
        LMOVE key key {LEFT|RIGHT} {LEFT|RIGHT|UP} | LMPOP keys {LEFT|RIGHT} {COUNT count}?
        BLPOP key+ timeout | BRPOP key+ timeout | BRPOPLPUSH key key timeout
        BLMOVE key key {LEFT|RIGHT} {LEFT|RIGHT} timeout
        BLMPOP timeout keys {LEFT|RIGHT} {COUNT count}?
    """,
    "hashes": """
        3 HSET key {field value}+ | 3 HSET key field value field value field value field value
        HMSET key {field value}+ | HSETNX key field value | HGET key field | HMGET key field+
        HGETALL key | HKEYS key | HVALS key | HLEN key | HEXISTS key field | HSTRLEN key field
        HDEL key field+ | HINCRBY key field int | HINCRBYFLOAT key field float
        HRANDFIELD key | HRANDFIELD key count | HRANDFIELD key count WITHVALUES
    """,
    "sets": """
        3 SADD key member+ | 4 SADD key int+ | 3 SADD key member member member member
        SREM key member+
        SISMEMBER key member | SMISMEMBER key member+ | SCARD key | SMEMBERS key
        SMOVE key key member | SINTER key+ | SUNION key+ | SDIFF key+ | SINTERSTORE key key+
        SUNIONSTORE key key+ | SDIFFSTORE key key+ | SINTERCARD keys {LIMIT count}?
        SRANDMEMBER key {count}? | SPOP key {count}?
    """,
    "zsets": """
        5 ZADD key {NX|XX|GT|LT|CH|INCR}* {score member}+ | 5 ZADD key score member score member
        5 ZADD key score member score member score member | 5 ZADD key 0 member 0 member 0 member
        ZINCRBY key score member | ZREM key member+ | ZCARD key | ZSCORE key member
        ZMSCORE key member+ | ZRANK key member | ZREVRANK key member
        ZCOUNT key bound bound | ZLEXCOUNT lexkey lex lex | 5 ZADD lexkey 0 member 0 member 0 member
        ZRANGE key index index {REV|WITHSCORES|LIMIT index count}*
        ZRANGE key bound bound BYSCORE {REV|WITHSCORES|LIMIT index count}*
        ZRANGE lexkey lex lex BYLEX {REV|WITHSCORES|LIMIT index count}* | ZREM lexkey member+
        ZRANGE key 0 -1 WITHSCORES | ZREVRANGE key index index {WITHSCORES}?
        ZRANGEBYSCORE key bound bound {WITHSCORES|LIMIT index count}*
        ZREVRANGEBYSCORE key bound bound {WITHSCORES|LIMIT index count}*
        ZRANGEBYLEX lexkey lex lex {LIMIT index count}?
        ZREVRANGEBYLEX lexkey lex lex {LIMIT index count}?
        ZRANGESTORE key key index index {REV}? | ZREMRANGEBYRANK key index index
        ZRANGESTORE key key bound bound BYSCORE {REV|LIMIT index count}*
        ZREMRANGEBYSCORE key bound bound | ZREMRANGEBYLEX lexkey lex lex
        ZRANGESTORE key lexkey lex lex BYLEX {REV|LIMIT index count}*
        ZUNION keys {WEIGHTS float+|AGGREGATE aggregate|WITHSCORES}*
        ZINTER keys {WEIGHTS float+|AGGREGATE aggregate|WITHSCORES}* | ZDIFF keys {WITHSCORES}?
        ZUNIONSTORE key keys {WEIGHTS float+|AGGREGATE aggregate}* | ZDIFFSTORE key keys
        ZINTERSTORE key keys {WEIGHTS float+|AGGREGATE aggregate}* | ZINTERCARD keys {LIMIT count}?
        ZPOPMIN key {count}? | ZPOPMAX key {count}? | ZMPOP keys {MIN|MAX} {COUNT count}?
        BZPOPMIN key+ timeout | BZPOPMAX key+ timeout | BZMPOP timeout keys {MIN|MAX} {COUNT count}?
        ZRANDMEMBER key | ZRANDMEMBER key count | ZRANDMEMBER key count WITHSCORES
    """,
    "generic": """
        DEL key+ | UNLINK key+ | EXISTS key+ | TOUCH key+ | TYPE key | RENAME key key
        RENAMENX key key | COPY key key {REPLACE|DB db}* | MOVE key db | KEYS pattern | DBSIZE
        RANDOMKEY | OBJECT ENCODING key | OBJECT REFCOUNT key | OBJECT IDLETIME key
        OBJECT FREQ key | SORT key {ALPHA|DESC|ASC|LIMIT index count|BY by|GET get}*
        SORT key {ALPHA|DESC|BY by|GET get}* STORE key | SORT_RO key {ALPHA|DESC|LIMIT index count}*
        MEMORY USAGE key {SAMPLES count}?
    """,
    "expiry": """
        EXPIRE key ttl {NX|XX|GT|LT}* | PEXPIRE key pttl {NX|XX|GT|LT}* | TTL key | PTTL key
        EXPIREAT key at {NX|XX|GT|LT}* | PEXPIREAT key pat {NX|XX|GT|LT}* | EXPIRETIME key
        PEXPIRETIME key | PERSIST key
    """,
    "connection": """
        PING | PING value | ECHO value | SELECT db | CLIENT GETNAME | CLIENT SETNAME value
        HELLO {2|3|4|x} | HELLO 3 SETNAME value | NOSUCH value value | CLIENT NOSUCH value
        CLIENT UNBLOCK 999999 {TIMEOUT|ERROR|x}? | CLIENT NO-EVICT {on|off|x} | AUTH value
        CONFIG GET {nosuch|maxmemory} | CONFIG SET nosuch value | RESET | DISCARD | EXEC | UNWATCH
        OBJECT value key | CONFIG value | CLIENT KILL value | CLIENT REPLY value
        FLUSHDB {ASYNC|SYNC}? | SWAPDB db db
    """,
}

# How often a family is drawn from, and the letter of the keys at which its own type is at home.
WEIGHTS = {"generic": 0.8, "expiry": 0.4, "connection": 0.25}
HOMES = {"strings": "s", "bits": "s", "lists": "l", "hashes": "h", "sets": "t", "zsets": "z"}
KEYS_PER_HOME = 3

# Sorted sets whose members all have the same score. Only there does Redis say what a lexical range
# is: anywhere else it follows the random levels of the skip list.
LEXICAL_HOME = "x"

# Replies to these are the same on both servers only in the sense of a rule (`replies.py`).
# DBSIZE counts keys that are past their time but not yet collected: its value is luck.
RULES = {
    "elements": "HKEYS HVALS SMEMBERS SINTER SUNION SDIFF KEYS",
    "pairs": "HGETALL",
    "drawn": "HRANDFIELD SRANDMEMBER ZRANDMEMBER RANDOMKEY SPOP",
    "time": "TTL PTTL EXPIRETIME PEXPIRETIME",
    "shape": "HELLO MEMORY DBSIZE",
    "exec": "EXEC",
}
RULE_OF = {name.encode(): rule for rule, names in RULES.items() for name in names.split()}

# What a random pick is drawn from.
POPULATION = {
    b"HRANDFIELD": b"HGETALL",
    b"SRANDMEMBER": b"SMEMBERS",
    b"SPOP": b"SMEMBERS",
    b"ZRANDMEMBER": b"ZRANGE",
}


class Words:
    """Classes of words; each method draws one word, or several."""

    EDGES = "0 1 -1 9223372036854775807 -9223372036854775808 9223372036854775808 4294967296".split()
    NO_NUMBERS = ["", "abc", "1.0", "+1", "01", "-0", " 1", "1 ", "1e3", "0x10", "\0"]
    FLOATS = (
        "0 1 -1 1.5 -2.25 0.1 0.3 3.0e3 1e17 123456789.123456789 1e-7 5e-324 1.7976931348623157e308"
        " 1e308 -1e308 inf -inf +inf 100000000000000000000 0.30000000000000004 -0.0 .5 5. 0x1p3"
        " 1e21 9007199254740993 3.141592653589793238"
    ).split()
    NO_FLOATS = ["nan", "1e400", "1e-400", "", "abc", " 1", "1 ", "1,5", "1_0", "infinityx", "0x"]
    TEXTS = ["a", "b", "hello", "ohmytext", "mynewtext", "", "\0\r\n\xff", "x" * 44, "x" * 45]

    def __init__(self, random):
        self.random = random
        self.home = None

    def draw(self, name):
        words = getattr(self, name)()
        return words if isinstance(words, list) else [words]

    def mostly(self, usual, rare, often=0.85):
        return usual if self.random.random() < often else self.random.choice(rare)

    def key(self):
        at_home = self.home and self.random.random() < 0.9
        home = self.home if at_home else self.random.choice([*HOMES.values()])
        usual = f"{home}{self.random.randrange(KEYS_PER_HOME)}"
        return self.mostly(usual, ["", "\0k\xff", "k" * 70], 0.98)

    def lexkey(self):
        return f"{LEXICAL_HOME}{self.random.randrange(KEYS_PER_HOME)}"

    def keys(self):
        count = self.random.randint(1, 3)
        said = self.mostly(str(count), ["0", "-1", str(count + 1), "abc", *self.EDGES], 0.93)
        return [said, *(self.key() for _ in range(count))]

    def value(self):
        return self.random.choice([self.int, self.float, self.text])()

    def text(self):
        return self.mostly(self.random.choice(self.TEXTS), ["long " * 60, "y" * 3000])

    def member(self):
        usual = self.random.choice("a b c d e f g h 0 1 2 10 -5 100000 5000000000".split())
        return self.mostly(usual, ["", "z" * 70, "1.0", "01", *self.EDGES], 0.9)

    field = element = member

    def int(self):
        usual = str(self.random.randint(-20, 200))
        return self.mostly(usual, self.EDGES + self.NO_NUMBERS)

    def index(self):
        return self.mostly(str(self.random.randint(-6, 8)), self.EDGES + self.NO_NUMBERS, 0.92)

    def count(self):
        # No large negative numbers: they ask for as many random picks.
        rare = ["-9223372036854775808", "9223372036854775807", *self.NO_NUMBERS]
        return self.mostly(str(self.random.randint(-3, 5)), rare, 0.92)

    def offset(self):
        # None that is valid and far away: both servers would fill half a gigabyte with zeros.
        rare = ["-1", "536870912", "9223372036854775807", "-9223372036854775808", "abc", ""]
        return self.mostly(str(self.random.randint(0, 60)), rare, 0.92)

    def bit(self):
        # None that is valid and far away, for the same reason.
        rare = ["-1", "4294967296", "9223372036854775807", "#9223372036854775807", "#-1", "abc", ""]
        usual = self.random.choice(["", "", "#"]) + str(self.random.randint(0, 80))
        return self.mostly(usual, rare, 0.92)

    def float(self):
        return self.mostly(self.random.choice(self.FLOATS), self.NO_FLOATS + self.EDGES)

    def score(self):
        return self.mostly(str(self.random.randint(-3, 5)), self.FLOATS + self.NO_FLOATS, 0.85)

    def bound(self):
        return self.mostly(self.random.choice(["", "("]) + self.score(), ["-inf", "+inf", "(inf"])

    def lex(self):
        usual = self.random.choice(["-", "+", "[" + self.member(), "(" + self.member()])
        return self.mostly(usual, ["", "a", "[", "(", "--", "+a"], 0.93)

    def aggregate(self):
        return self.random.choice(["SUM", "MIN", "MAX", "AVG"])

    def ttl(self):
        usual = str(self.random.randint(10, 90) * 1000 + self.random.randrange(1000))
        invalid = ["9223372036854775807", "-9223372036854775808", "9223372036854775", "abc", "1.5"]
        return self.mostly(usual, ["0", "-1", "-100", *invalid])

    def pttl(self):
        # Half past a second: rounding to seconds must not depend on a millisecond of delay.
        return self.ttl() + "500"

    def at(self):
        usual = str(4102444800 + self.random.randrange(5) * 1000)
        return self.mostly(usual, ["0", "-1", "1", "1000", "9223372036854775807", "abc"])

    def pat(self):
        usual = str(4102444800500 + self.random.randrange(5) * 1000)
        return self.mostly(usual, ["0", "-1", "1", "1000", "9223372036854775807", "abc"])

    def db(self):
        usual = self.random.choice("000012")
        return self.mostly(usual, ["16", "-1", "abc", "", *self.EDGES], 0.95)

    def timeout(self):
        # 9223372036854776 seconds are too many milliseconds; so are 1e300 ones.
        invalid = ["-1", "abc", "", "9223372036854776", "1e300", "nan", "-0.1"]
        return self.mostly(self.random.choice(["0.001", "0.01"]), invalid, 0.7)

    def type(self):
        return self.random.choice(["string", "list", "hash", "SET", "zset", "stream", "nosuch"])

    def pattern(self):
        return self.random.choice(
            "* s* ?1 t[1-3] l[^1] [ z[2- \\h1 h1 *1* t[3-1] ** l? s[^] \\ [^l]* x".split() + [""]
        )

    def by(self):
        return self.random.choice(["s*", "nosort", "h*->a", "w_*", "*", "h*->", "k2"])

    def get(self):
        return self.random.choice(["#", "s*", "h*->a", "*", "nosuch", "l*"])

    def junk(self):
        # No small positive number: as an expiry time it would make the outcome a matter of luck.
        return self.random.choice(
            ["", "abc", "NX", "XX", "GT", "WITHSCORES", "LIMIT", "COUNT", "-1", "0", "1.5", "nan"]
            + self.NO_NUMBERS[:3]
            + self.EDGES[3:6]
        )


class Commands:
    """Draws whole commands of the chosen families."""

    def __init__(self, random, families):
        self.random = random
        self.words = Words(random)
        self.families = families
        self.weights = [WEIGHTS.get(family, 1) for family in families]
        self.lines = {family: grammar_lines(family) for family in families}

    def command(self):
        """One command as a list of byte strings, sometimes spoiled."""
        family = self.random.choices(self.families, self.weights)[0]
        self.words.home = HOMES.get(family)
        words = self.expand(self.random.choice(self.lines[family]))
        # A spoiled ZADD could give a lexical key a second score.
        is_lexical = words[0] == "ZADD" and words[1].startswith(LEXICAL_HOME)
        if self.random.random() < 0.05 and not is_lexical:
            self.spoil(words)
        if "BY" in words and "ALPHA" in words:
            # With both, elements without a weight come in no particular order.
            words.remove("ALPHA")
        if words[0][0] == "B":
            # Nothing may block for long, and 0 is forever.
            words[1:] = [{"0": "0.01", "1.5": "0.015"}.get(word, word) for word in words[1:]]
        if self.random.random() < 0.2:
            words[0] = self.random.choice([words[0].lower(), words[0].title()])
        return [word.encode("latin-1") for word in words]

    def expand(self, line):
        words = []
        for group, simple, repeat in re.findall(r"(?:\{([^}]*)\}|([^\s{}*?+]+))([*?+]?)", line):
            alternatives = group.split("|") if group else [simple]
            times = {"": (1, 1), "?": (0, 1), "*": (0, 3), "+": (1, 3)}[repeat]
            if repeat == "*" and self.random.random() < 0.5:
                times = (0, 1)
            for _ in range(self.random.randint(*times)):
                chosen = self.random.choice(alternatives)
                if chosen == simple:
                    words += self.word(simple)
                else:
                    words += self.expand(chosen)
        return words

    def word(self, word):
        return self.words.draw(word) if word.islower() and hasattr(Words, word) else [word]

    def spoil(self, words):
        at = self.random.randrange(len(words))
        spoiling = self.random.choice(["drop", "double", "replace", "add"])
        if spoiling == "add":
            words.append(self.words.junk())
        elif at == 0:
            words[0] = words[0] if self.random.random() < 0.9 else words[0] + "X"
        elif spoiling == "drop":
            del words[at]
        elif spoiling == "double":
            words.insert(at, words[at])
        else:
            words[at] = self.words.junk()


def grammar_lines(family):
    """The commands of a family, those with a number before them as often as that says."""
    lines = re.split(r"\n| \| ", GRAMMAR[family].strip())
    weighed = [re.fullmatch(r"\s*(\d*) ?(.*)", line).groups() for line in lines]
    return [line for times, line in weighed for _ in range(int(times or 1))]


def company(words):
    """The rule for the reply to a command, and the commands whose replies the rule looks at.

    They are sent right after the command, or before it if the command changes their replies.
    """
    name = words[0].upper()
    rule = RULE_OF.get(name, "exact")
    if [name, *words[1:2]] in ([b"OBJECT", b"IDLETIME"], [b"CLIENT", b"ID"]):
        return "shape", [], []
    if name.startswith(b"SORT") and is_unsorted(words):
        return "sort", [], [[b"OBJECT", b"ENCODING", words[1]]]
    if rule in ("elements", "pairs") and name != b"KEYS":
        return rule, [], [[b"OBJECT", b"ENCODING", key] for key in words[1:]]
    if name == b"RANDOMKEY":
        return rule, [], [[b"KEYS", b"*"]]
    if rule == "drawn":
        key = words[1] if len(words) > 1 else b""
        everything = [b"0", b"-1", b"WITHSCORES"] if name == b"ZRANDMEMBER" else []
        population = [POPULATION[name], key, *everything]
        if name == b"SPOP":
            # What is left after a random pop differs between the servers, so it goes as well.
            return rule, [population], [[b"DEL", key]]
        return rule, [], [population]
    return rule, [], []


def is_unsorted(words):
    """SORT does not sort when BY names a pattern without a star."""
    return any(word == b"BY" and b"*" not in words[at + 1] for at, word in enumerate(words[:-1]))
