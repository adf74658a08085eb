"""Sequences: steps of actions, and the writer who makes them up.

A step is a command, or a few actions that only mean something together. It is written before
anything runs and never looks at a reply, so that leaving out steps leaves the others as they were:

    [Send WATCH t1] [Send SADD t1 a, by another] [Send MULTI] ... [Send EXEC]      one step
"""

import random
import re
from dataclasses import dataclass, field

from differential.commands import GRAMMAR, KEYS_PER_HOME, Commands, company

SCENES = ("transactions", "blocking", "pubsub", "scans", "expiring")
FAMILIES = (*GRAMMAR, *SCENES)

# Connections 0 and 1 talk, 2 blocks or listens, 3 hears what happens to keys.
CONNECTIONS = 4
LISTENER = 2
HERALD = 3

# All classes but those for keys that expire or are evicted, which happens when it happens.
EVENTS = b"KEg$lshztdmn"

# How to see all of a key that holds the type at home there (see HOMES and LEXICAL_HOME).
LOOKS = {
    b"s": [b"GET"],
    b"l": [b"LRANGE", b"0", b"-1"],
    b"h": [b"HGETALL"],
    b"t": [b"SMEMBERS"],
    b"z": [b"ZRANGE", b"0", b"-1", b"WITHSCORES"],
    b"x": [b"ZRANGE", b"0", b"-1", b"WITHSCORES"],
}

# The limits at which an encoding changes: Redis's own, and small ones that are soon reached.
LIMITS = {
    "hash-max-listpack-entries": ("128", "4"),
    "hash-max-listpack-value": ("64", "8"),
    "zset-max-listpack-entries": ("128", "4"),
    "zset-max-listpack-value": ("64", "8"),
    "set-max-intset-entries": ("512", "4"),
    "list-max-listpack-size": ("-2", "3"),
}


@dataclass
class Send:
    """A command on a connection; its reply is judged by the rule, with a look at `near` replies."""

    connection: int
    words: list
    rule: str = "exact"
    near: list = field(default_factory=list)
    inline: bool = False

    def __str__(self):
        how = " (sent inline)" if self.inline else ""
        return f"{self.connection}> " + " ".join(quoted(word) for word in self.words) + how


@dataclass
class Pause:
    """Time for keys to expire."""

    seconds: float

    def __str__(self):
        return f"(wait {self.seconds} s)"


@dataclass
class Scan:
    """A cursor followed to its end: what was found counts, in order only for small encodings."""

    before: list
    behind: list

    def __str__(self):
        return "0> " + " ".join(quoted(word) for word in [*self.before, b"0...", *self.behind])


@dataclass
class Block:
    """A command that blocks on the listener's connection until others have written, or for good."""

    words: list
    writes: list

    def __str__(self):
        lines = [self.words, *self.writes]
        who = [f"{LISTENER}> ", *["0> "] * len(self.writes)]
        text = "\n  ".join(w + " ".join(map(quoted, line)) for w, line in zip(who, lines))
        return text + "\n  0> CLIENT UNBLOCK (the blocked one)"


@dataclass
class Hear:
    """A command on a listening connection, and everything it has heard since the last one."""

    words: list
    connection: int = LISTENER

    def __str__(self):
        return f"{self.connection}> " + (" ".join(map(quoted, self.words)) or "(what was heard)")


def quoted(word):
    """A word as redis-cli takes it, unless it is very long."""
    if len(word) > 300:
        return f"<{len(word)} bytes: {quoted(word[:20])}...>"
    plain = word.decode("latin-1")
    if re.fullmatch(r"[!#-&(-~]+", plain):
        return plain
    special = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
    readable = (special.get(c) or (c if " " <= c <= "~" else f"\\x{ord(c):02x}") for c in plain)
    return f'"{"".join(readable)}"'


class Writer:
    """Writes one sequence; the same seed and number always write the same."""

    def __init__(self, options, number):
        self.random = random.Random(f"{options.seed}/{number}")
        self.length = options.length
        families = [family for family in options.families if family in GRAMMAR]
        data = [family for family in families if family not in ("connection",)]
        # Scenes need commands of some family to play with.
        self.commands = Commands(self.random, families or ["strings", "lists"])
        self.data = Commands(self.random, data or ["strings", "lists", "hashes", "sets", "zsets"])
        self.scenes = [getattr(self, scene) for scene in SCENES if scene in options.families]
        self.has_plain = bool(families)
        self.is_heralded = False

    def sequence(self):
        steps = self.opening()
        while len(steps) < self.length:
            if self.scenes and (not self.has_plain or self.random.random() < 0.12):
                steps.append(self.random.choice(self.scenes)())
            else:
                steps.append(self.plain(self.random.choice([0, 0, 1])))
            if self.random.random() < 0.02:
                steps += self.audit()
            if self.is_heralded and self.random.random() < 0.2:
                steps.append([Hear([], HERALD)])
        return steps + self.audit()

    def opening(self):
        """Limits and protocol versions for this sequence."""
        limits = [
            [Send(0, [b"CONFIG", b"SET", name.encode(), self.random.choice(values).encode()])]
            for name, values in LIMITS.items()
        ]
        versions = [
            [Send(connection, [b"HELLO", b"3"], "shape")]
            for connection in range(CONNECTIONS)
            if self.random.random() < 0.5
        ]
        self.is_heralded = self.random.random() < 0.3
        if not self.is_heralded:
            return limits + versions
        announce = [Send(0, [b"CONFIG", b"SET", b"notify-keyspace-events", EVENTS])]
        return [*limits, *versions, announce, [Hear([b"PSUBSCRIBE", b"__key*__:*"], HERALD)]]

    def plain(self, connection):
        words = self.commands.command()
        if self.random.random() < 0.01:
            return [Send(connection, [b"COMMAND", b"GETKEYS", *words])]
        step = in_company(connection, words)
        if self.random.random() < 0.02 and all(re.fullmatch(rb"[\w.:+-]+", word) for word in words):
            for send in step:
                send.inline = send.words is words
        return step

    def quiet(self):
        """A command whose reply needs no company, for inside transactions and scenes."""
        while True:
            words = self.data.command()
            rule, before, behind = company(words)
            if words[0].upper().startswith(b"SORT"):
                continue
            if rule == "exact" or (rule in ("elements", "pairs") and not before):
                return words

    def key(self):
        return self.data.words.key().encode("latin-1")

    def audit(self):
        """Everything there is to see of every key."""
        steps = [in_company(0, [b"KEYS", b"*"])]
        for home, (look, *more) in LOOKS.items():
            for number in range(KEYS_PER_HOME):
                key = b"%s%d" % (home, number)
                steps += [in_company(0, [name, key]) for name in (b"TYPE", b"PTTL")]
                steps.append(in_company(0, [b"OBJECT", b"ENCODING", key]))
                steps.append(in_company(0, [look, key, *more]))
        return steps

    def transactions(self):
        one, other = self.random.choice([(0, 1), (1, 0)])
        watched = self.random.random() < 0.5
        step = [Send(one, [b"WATCH", self.key()])] if watched else []
        if watched and self.random.random() < 0.5:
            step += in_company(other, self.data.command())
        step.append(Send(one, [b"MULTI"]))
        for _ in range(self.random.randint(0, 6)):
            nested = self.random.choice([b"MULTI", b"WATCH", b"UNWATCH", b"GET"])
            words = [nested] if self.random.random() < 0.04 else self.quiet()
            step.append(Send(one, words))
        end = self.random.choices([[b"EXEC"], [b"DISCARD"], [b"EXEC", b"x"]], [8, 2, 1])[0]
        return step + [Send(one, end, "exec"), Send(one, [b"DISCARD"]), Send(one, [b"UNWATCH"])]

    def blocking(self):
        key, other, numkeys = self.key(), self.key(), b"2"
        words = self.random.choice([
            [b"BLPOP", key, other, b"0"],
            [b"BRPOP", key, b"0"],
            [b"BLMOVE", key, other, b"LEFT", self.random.choice([b"LEFT", b"RIGHT"]), b"0"],
            [b"BRPOPLPUSH", key, other, b"0"],
            [b"BLMPOP", b"0", numkeys, key, other, b"RIGHT", b"COUNT", b"2"],
            [b"BZPOPMIN", key, other, b"0"],
            [b"BZPOPMAX", key, b"0"],
            [b"BZMPOP", b"0", numkeys, key, other, b"MAX", b"COUNT", b"2"],
        ])
        serving = [
            [b"RPUSH", key, b"x", b"y", b"z"],
            [b"LPUSH", other, b"x", b"y"],
            [b"ZADD", key, b"1", b"x", b"2", b"y"],
            [b"SET", key, b"text"],
            [b"DEL", key],
            [b"RENAME", other, key],
        ]
        writes = [self.random.choice(serving) for _ in range(self.random.randint(0, 3))]
        return [Block(words, writes + [self.quiet() for _ in range(self.random.randint(0, 1))])]

    def pubsub(self):
        channel = self.random.choice([b"news", b"news.art", b"", b"\0"])
        pattern = self.random.choice([b"news*", b"*", b"n?ws", b"[", b""])
        words = self.random.choice([
            [b"SUBSCRIBE", channel, b"sport"],
            [b"PSUBSCRIBE", pattern],
            [b"UNSUBSCRIBE"],
            [b"UNSUBSCRIBE", channel],
            [b"PUNSUBSCRIBE", pattern, b"none"],
            [b"PING"],
            [b"GET", b"k1"],
            [b"SUBSCRIBE"],
        ])
        tell = [
            Send(0, [b"PUBSUB", b"NUMSUB", channel, b"none"]),
            Send(0, [b"PUBSUB", b"NUMPAT"]),
            Send(0, [b"PUBSUB", b"CHANNELS", pattern], "elements"),
            Send(0, [b"PUBLISH", channel, self.data.words.text().encode("latin-1")]),
        ]
        return [Hear(words), *tell, Hear([])]

    def scans(self):
        homes = {b"HSCAN": "h", b"SSCAN": "t", b"ZSCAN": "z", b"SCAN": None}
        name, home = self.random.choice([*homes.items()])
        self.data.words.home = home
        before = [name, self.key()] if home else [name]
        line = "{MATCH pattern|COUNT int}*" if home else "{MATCH pattern|COUNT int|TYPE type}*"
        return [Scan(before, [word.encode("latin-1") for word in self.data.expand(line)])]

    def expiring(self):
        key, value = self.key(), b"soon gone"
        sets = self.random.choice([
            [[b"SET", key, value, b"PX", b"1"]],
            [[b"PSETEX", key, b"1", value]],
            [[b"PEXPIRE", key, b"1"]],
            [[b"GETEX", key, b"PX", b"1"]],
            [[b"SET", key, value], [b"PEXPIRE", key, b"1"]],
        ])
        look = self.random.choice([b"GET", b"EXISTS", b"TTL", b"TYPE", b"DEL", b"PERSIST", b"INCR"])
        # The first command that finds an expired key deletes it. EXISTS makes this the same one on
        # both servers, so that DEL and KEYS agree.
        looks = [Send(0, [look, key]), Send(0, [b"EXISTS", key])]
        return [*(Send(1, words) for words in sets), Pause(0.02), *looks]


def in_company(connection, words):
    """A step of a command and of those that tell what its reply means."""
    rule, before, behind = company(words)
    around = [Send(connection, near, company(near)[0]) for near in (*before, *behind)]
    positions = [*range(-len(before), 0), *range(1, len(behind) + 1)]
    main = Send(connection, words, rule, positions)
    return [*around[: len(before)], main, *around[len(before) :]]
