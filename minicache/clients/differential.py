#!/usr/bin/env python3
"""Random commands to a real Redis and to minicache; every byte of every reply must be the same.

    minicache/clients/differential.py                       both servers are started and stopped
    minicache/clients/differential.py --minicache 127.0.0.1:6380 --families zsets,transactions
    minicache/clients/differential.py --seed 7 --sequence 12        one sequence again

A run is many sequences of steps on empty servers. A step is a command, or a few that belong
together: a transaction with another client's write in between, a client that blocks and is served,
a SCAN to its end, a key that expires. The first difference ends a sequence, which is then shrunk by
leaving out steps and words for as long as it still differs. This is what a difference looks like:

    sequence 12 of seed 7 differs; shrunk from 131 steps to 2:
      0> SET k1 "1 "
      0> INCRBYFLOAT k1 1.5
        redis:     -ERR value is not a valid float\\r\\n
        minicache: $3\\r\\n2.5\\r\\n

`0>` is the connection. WARNING: all databases of both servers are emptied again and again.
"""

import argparse
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field

from differential_commands import GRAMMAR, KEYS_PER_HOME, Commands, company
from differential_replies import Connection, Gone, agree, encode, is_error, parse

SCENES = ("transactions", "blocking", "pubsub", "scans", "expiring")
FAMILIES = (*GRAMMAR, *SCENES)

# Connections 0 and 1 talk, 2 blocks or listens.
CONNECTIONS = 3
LISTENER = 2
LARGEST_BATCH = 40

# How to see all of a key that holds the type at home there.
LOOKS = {
    b"s": [b"GET"],
    b"l": [b"LRANGE", b"0", b"-1"],
    b"h": [b"HGETALL"],
    b"t": [b"SMEMBERS"],
    b"z": [b"ZRANGE", b"0", b"-1", b"WITHSCORES"],
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


def main():
    options = arguments()
    servers = [Redis(options.redis), Minicache(options.minicache)]
    try:
        return search(options, servers)
    finally:
        for server in servers:
            server.stop()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--redis", metavar="ADDR:PORT", help="a running Redis 7.0 (emptied!)")
    parser.add_argument("--minicache", metavar="ADDR:PORT", help="a running minicache (emptied!)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other commands")
    parser.add_argument("--steps", type=int, default=20_000, help="how many steps in all")
    parser.add_argument("--length", type=int, default=150, help="steps in a sequence")
    parser.add_argument("--sequence", type=int, help="only this sequence of the seed")
    parser.add_argument("--families", default=",".join(FAMILIES), help=f"of {','.join(FAMILIES)}")
    parser.add_argument("--failures", type=int, default=1, help="stop after so many differences")
    options = parser.parse_args()
    options.families = options.families.split(",")
    unknown = set(options.families) - set(FAMILIES)
    if unknown:
        parser.error(f"no family {', '.join(sorted(unknown))}; there are {', '.join(FAMILIES)}")
    return options


def search(options, servers):
    """Runs sequences until the steps are used up; 1 if any of them differed."""
    first = options.sequence or 1
    count = 1 if options.sequence else max(options.steps // options.length, 1)
    reported = set()
    for number in range(first, first + count):
        steps = Writer(options, number).sequence()
        difference = replay(servers, steps)
        if not difference or difference.name in reported:
            continue
        reported.add(difference.name)
        shrunk, difference = shrink(servers, steps, difference)
        print(f"sequence {number} of seed {options.seed} differs;", end=" ")
        print(f"shrunk from {len(steps)} steps to {len(shrunk)}:")
        for step in shrunk:
            for action in step:
                print(f"  {action}")
        print(difference, flush=True)
        if len(reported) >= options.failures:
            break
    steps = f"{(number - first + 1) * options.length} steps in {number - first + 1} sequences"
    print(f"{steps}: {len(reported) or 'no'} different command{'s' * (len(reported) != 1)}")
    return 1 if reported else 0


# What a step consists of.


@dataclass
class Send:
    """One command on one connection; its reply is judged by the rule, with a look at `near` ones."""

    connection: int
    words: list
    rule: str = "exact"
    near: list = field(default_factory=list)

    def __str__(self):
        return f"{self.connection}> " + " ".join(quoted(word) for word in self.words)


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
    """A command on the listener's connection, and everything it has heard since the last one."""

    words: list

    def __str__(self):
        return f"{LISTENER}> " + (" ".join(map(quoted, self.words)) or "(what was heard)")


def quoted(word):
    """A word as redis-cli takes it."""
    plain = word.decode("latin-1")
    if re.fullmatch(r"[!#-&(-~]+", plain):
        return plain
    special = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
    readable = (special.get(c) or (c if " " <= c <= "~" else f"\\x{ord(c):02x}") for c in plain)
    return f'"{"".join(readable)}"'


# Where sequences come from.


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

    def sequence(self):
        steps = self.opening()
        while len(steps) < self.length:
            if self.scenes and (not self.has_plain or self.random.random() < 0.12):
                steps.append(self.random.choice(self.scenes)())
            else:
                steps.append(self.plain(self.random.choice([0, 0, 1])))
            if self.random.random() < 0.02:
                steps += self.audit()
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
        return limits + versions

    def plain(self, connection):
        return in_company(connection, self.commands.command())

    def quiet(self):
        """A command whose reply needs no company, for inside transactions and scenes."""
        while True:
            words = self.data.command()
            rule, before, behind = company(words)
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
        name, home = self.random.choice([(b"HSCAN", "h"), (b"SSCAN", "t"), (b"ZSCAN", "z"), (b"SCAN", None)])
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
        # Whoever looks first collects it; EXISTS makes sure of that for DEL and KEYS to agree.
        looks = [Send(0, [look, key]), Send(0, [b"EXISTS", key])]
        return [*(Send(1, words) for words in sets), Pause(0.02), *looks]


def in_company(connection, words):
    """A step of a command and of those that tell what its reply means."""
    rule, before, behind = company(words)
    around = [Send(connection, near, company(near)[0]) for near in (*before, *behind)]
    positions = [*range(-len(before), 0), *range(1, len(behind) + 1)]
    main = Send(connection, words, rule, positions)
    return [*around[: len(before)], main, *around[len(before) :]]


# How sequences are played.


@dataclass
class Difference(Exception):
    """Two replies that should be the same."""

    action: object
    ours: bytes
    theirs: bytes

    @property
    def name(self):
        words = getattr(self.action, "words", None) or getattr(self.action, "before", [b"heard"])
        return words[0].upper()

    def __str__(self):
        shown = [repr(reply[:2000])[2:-1] for reply in (self.ours, self.theirs)]
        return f"    in the reply to  {self.action}\n    redis:     {shown[0]}\n    minicache: {shown[1]}"


def replay(servers, steps):
    """Plays a sequence on empty servers; the first difference, or None."""
    stages = [Stage(server) for server in servers]
    try:
        batch = []
        for step in steps:
            for action in step:
                if isinstance(action, Send) and fits(batch, action):
                    batch.append(action)
                    continue
                play_batch(stages, batch)
                batch = [action] if isinstance(action, Send) else []
                if not batch:
                    PLAYS[type(action)](stages, action)
            if len(batch) > LARGEST_BATCH:
                play_batch(stages, batch)
                batch = []
        play_batch(stages, batch)
    except Difference as difference:
        return difference
    finally:
        for stage in stages:
            stage.close()
    return None


def fits(batch, action):
    return not batch or batch[0].connection == action.connection


class Stage:
    """A server, emptied, with its connections."""

    def __init__(self, server):
        server.start()
        self.connections = [Connection(server.address) for _ in range(CONNECTIONS)]
        self.ids = [connection.ask("CLIENT", "ID") for connection in self.connections]
        self.markers = 0
        for name, (usual, _) in LIMITS.items():
            self.connections[0].ask("CONFIG", "SET", name, usual)
        self.connections[0].ask("FLUSHALL")

    def close(self):
        for connection in self.connections:
            connection.close()

    def ask_raw(self, connection, words):
        """The reply to a command as bytes; what went wrong if there is none."""
        try:
            self.connections[connection].send(encode(words))
            return self.connections[connection].frame()
        except Gone as gone:
            return f"({gone})".encode()


def play_batch(stages, batch):
    """Sends the commands of one connection in one go, then judges the replies in order."""
    if not batch:
        return
    data = b"".join(encode(send.words) for send in batch)
    replies = [[], []]
    for stage in stages:
        try:
            stage.connections[batch[0].connection].send(data)
        except Gone:
            pass  # The replies below say what became of it.
    for stage, got in zip(stages, replies):
        try:
            for _ in batch:
                got.append(stage.connections[batch[0].connection].frame())
        except Gone as gone:
            got.append(f"({gone})".encode())
    for at, send in enumerate(batch):
        ours, theirs = (got[at] if at < len(got) else b"(nothing)" for got in replies)
        if ours != theirs:
            near = [[got[at + offset] for offset in send.near if at + offset < len(got)] for got in replies]
            if not agree(send.rule, send.words, ours, theirs, *near):
                raise Difference(send, ours, theirs)


def play_pause(_stages, pause):
    time.sleep(pause.seconds)


def play_scan(stages, scan):
    pages = [scan_pages(stage, scan) for stage in stages]
    if pages[0] == pages[1]:
        return
    if any(is_error(page) for page in (pages[0][0], pages[1][0])):
        raise Difference(scan, pages[0][0], pages[1][0])
    is_small = False
    if len(scan.before) == 2:
        encodings = [stage.ask_raw(0, [b"OBJECT", b"ENCODING", scan.before[1]]) for stage in stages]
        is_small = parse(encodings[0]) in (b"listpack", b"intset")
    found = [elements(got, len(scan.before) == 2 and scan.before[0] != b"SSCAN") for got in pages]
    if is_small or found[0] != found[1]:
        raise Difference(scan, b" ".join(pages[0]), b" ".join(pages[1]))


def scan_pages(stage, scan):
    """The raw pages of a scan until its cursor is 0 again, or its error."""
    pages, cursor = [], b"0"
    while not pages or (cursor != b"0" and len(pages) < 10_000):
        pages.append(stage.ask_raw(0, [*scan.before, cursor, *scan.behind]))
        if pages[-1][:1] != b"*":
            break
        cursor = parse(pages[-1])[0]
    return pages


def elements(pages, in_pairs):
    """What the pages of a scan hold, in pairs if they do; duplicates are allowed and left out."""
    flat = [item for page in pages for item in parse(page)[1]]
    return set(zip(flat[::2], flat[1::2])) if in_pairs else set(flat)


def play_block(stages, block):
    """Blocks, writes, unblocks; compares who was served what."""
    replies = [block_on(stage, block) for stage in stages]
    for words, ours, theirs in zip([*block.writes, [b"CLIENT", b"UNBLOCK"], block.words], *replies):
        if ours != theirs and not agree("exec", words, ours, theirs, [], []):
            raise Difference(Block(words, block.writes) if words is block.words else Send(0, words), ours, theirs)


def block_on(stage, block):
    """The replies to the writes, to CLIENT UNBLOCK, and at last to the blocking command."""
    blocked = stage.connections[LISTENER]
    blocked.send(encode(block.words))
    deadline = time.monotonic() + 5
    while not blocked.unread and time.monotonic() < deadline:
        clients = stage.ask_raw(0, [b"INFO", b"clients"])
        if b"blocked_clients:1" in clients:
            break
        try:
            blocked.receive(time.monotonic() + 0.001)
        except Gone:
            continue
    replies = [stage.ask_raw(0, words) for words in block.writes]
    replies.append(stage.ask_raw(0, [b"CLIENT", b"UNBLOCK", stage.ids[LISTENER]]))
    try:
        replies.append(blocked.frame())
    except Gone as gone:
        replies.append(f"({gone})".encode())
    return replies


def play_hear(stages, hear):
    heard = [everything_heard(stages[0], hear.words, 0)]
    heard.append(everything_heard(stages[1], hear.words, len(heard[0])))
    if hear.words == [b"UNSUBSCRIBE"]:
        heard = [[b"%d confirmations" % len(frames)] for frames in heard]
    if sorted(heard[0]) != sorted(heard[1]):
        raise Difference(hear, b" ".join(heard[0]), b" ".join(heard[1]))


def everything_heard(stage, words, at_least):
    """What the listener gets before the reply to a marker; waits up to a second for enough of it."""
    listener, frames = stage.connections[LISTENER], []
    try:
        if words:
            listener.send(encode(words))
        deadline = time.monotonic() + 1
        while True:
            stage.markers += 1
            marker = b"marker %d." % stage.markers
            listener.send(encode([b"PING", marker]))
            while marker not in (frame := listener.frame()):
                frames.append(frame)
            if len(frames) >= at_least or time.monotonic() > deadline:
                return frames
            time.sleep(0.01)
    except Gone as gone:
        return [*frames, f"({gone})".encode()]


PLAYS = {Pause: play_pause, Scan: play_scan, Block: play_block, Hear: play_hear}


# How sequences get short.


def shrink(servers, steps, difference):
    """Leaves out steps, then words, for as long as something differs."""
    size = len(steps) // 2
    while size >= 1:
        at = 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + size :]
            found = replay(servers, fewer)
            if found:
                steps, difference = fewer, found
            else:
                at += size
        size //= 2
    for number, step in enumerate(steps):
        if len(step) == 1 and isinstance(step[0], Send):
            steps, difference = shrink_words(servers, steps, number, difference)
    return steps, difference


def shrink_words(servers, steps, number, difference):
    """Leaves out words of one command while the same command is the one that differs."""
    at = len(steps[number][0].words) - 1
    while at > 0:
        send = steps[number][0]
        shorter = Send(send.connection, send.words[:at] + send.words[at + 1 :], send.rule)
        fewer = [*steps[:number], [shorter], *steps[number + 1 :]]
        found = replay(servers, fewer)
        if found and found.name == difference.name:
            steps, difference = fewer, found
        at -= 1
    return steps, difference


# The two servers.


class Server:
    """A server that is already there, or one that is started here and ends with us."""

    def __init__(self, address):
        self.is_ours = address is None
        self.process = None
        if address:
            host, port = address.rsplit(":", 1)
            self.address = (host, int(port))

    def start(self):
        """Starts the server unless it runs; a crashed one is started again."""
        if not self.is_ours or (self.process and self.process.poll() is None):
            return
        self.process = self.launch()
        for line in self.process.stdout:
            ready = re.search(self.READY, line)
            if ready:
                self.became_ready(ready)
                return
        sys.exit(f"{self.process.args[0]} did not start")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


class Redis(Server):
    READY = "Ready to accept connections"

    def launch(self):
        # The C locale, so that SORT ALPHA compares bytes.
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.address = ("127.0.0.1", port)
        command = ["redis-server", "--port", str(port), "--save", ""]
        environment = {**os.environ, "LC_ALL": "C"}
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    def became_ready(self, _ready):
        pass


class Minicache(Server):
    READY = r"minicache listening on (.*):(\d+)"

    def launch(self):
        root = pathlib.Path(__file__).resolve().parents[2]
        target = os.environ.get("CARGO_TARGET_DIR", root / "target")
        binary = os.environ.get("MINICACHE", f"{target}/release/minicache")
        if not os.access(binary, os.X_OK):
            sys.exit(f"{binary} is missing; get it with: cargo build --release -p minicache")
        command = [binary, "serve", "--listen", "127.0.0.1:0"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def became_ready(self, ready):
        self.address = (ready[1], int(ready[2]))


if __name__ == "__main__":
    sys.exit(main())
