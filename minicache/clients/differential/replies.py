"""Raw replies: their ends, their contents, and the rules by which two of them are equal.

Replies are compared as bytes. If the bytes differ, a rule decides, and only for replies whose
order, value or exact time Redis does not guarantee:

    SMEMBERS of an intset       *2 $1 1 $1 2    the order is guaranteed, the bytes must match
    SMEMBERS of a hash table    *2 $1 a $1 b    equals *2 $1 b $1 a
    TTL                         :99             equals :100
"""

import socket
import time

SCALARS = b"+-:_,#("
TEXTS = b"$=!"
ARRAYS = b"*~>"

# The largest accepted difference of times, in the unit of the command.
TOLERANCE = {b"TTL": 3, b"EXPIRETIME": 3, b"PTTL": 3000, b"PEXPIRETIME": 3000}


# SORT in Redis checks errno without resetting it first: it fails after an earlier command parsed a
# number out of range.
NOT_NUMBERS = b"-ERR One or more scores can't be converted into double\r\n"

# OBJECT REFCOUNT of a small integer that COPY made: Redis does not share the copy. minicache counts
# no references; it derives the number from the value (README, "What it is not").
UNSHARED_COPY = (b":1\r\n", b":2147483647\r\n")


class Gone(Exception):
    """The server closed the connection, or did not answer in time."""


class Connection:
    """One connection to one server, read frame by frame."""

    def __init__(self, address):
        try:
            self.socket = socket.create_connection(address)
        except OSError as error:
            raise Gone(f"no server at {address[0]}:{address[1]}: {error}") from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Gone(f"cannot send: {error}") from error

    def frame(self, seconds=5.0):
        """The next frame as bytes; raises Gone when there is none in time."""
        deadline = time.monotonic() + seconds
        while True:
            end = frame_end(self.unread)
            if end:
                frame, self.unread = self.unread[:end], self.unread[end:]
                return frame
            self.receive(deadline)

    def receive(self, deadline):
        self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            received = self.socket.recv(1 << 16)
        except OSError as error:
            raise Gone(f"no reply: {error}") from error
        if not received:
            raise Gone("the server closed the connection")
        self.unread += received

    def ask(self, *words):
        """Sends a command and parses its reply."""
        self.send(encode(words))
        return parse(self.frame())

    def close(self):
        self.socket.close()


def encode(words):
    """A command as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


def encode_inline(words):
    """A command as a person types it into telnet; only for words that need no quotes."""
    return b" ".join(words) + b"\r\n"


def frame_end(data):
    """Where the first frame ends, or 0 if it is not complete."""
    at, missing = 0, 1
    while missing:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return 0
        kind, line = data[at], data[at + 1 : line_end]
        at = line_end + 2
        missing -= 1
        if kind in TEXTS:
            at += max(int(line) + 2, 0) if line != b"-1" else 0
            if at > len(data):
                return 0
        elif kind in ARRAYS:
            missing += max(int(line), 0)
        elif kind in b"%":
            missing += 2 * int(line)
        elif kind not in SCALARS:
            raise Gone(f"not a reply: {data[:80]!r}")
    return at


def parse(frame):
    """A frame as bytes, as None, or as a list; a map is a list of alternating keys and values."""
    value, _ = parse_at(frame, 0)
    return value


def parse_at(data, at):
    line_end = data.index(b"\r\n", at)
    kind, line = data[at : at + 1], data[at + 1 : line_end]
    at = line_end + 2
    if kind in TEXTS:
        size = int(line)
        return (None, at) if size < 0 else (data[at : at + size], at + size + 2)
    if kind in b"*~>%":
        count = int(line) * (2 if kind == b"%" else 1)
        if count < 0:
            return None, at
        items = []
        for _ in range(count):
            item, at = parse_at(data, at)
            items.append(item)
        return items, at
    return (None if kind == b"_" else line), at


def is_error(frame):
    return frame[:1] == b"-"


def head(frame):
    """The first line: type and, but for text and numbers, the size."""
    return frame[: frame.index(b"\r\n")] if frame[:1] in b"*~>%" else frame[:1]


def agree(rule, words, real, mini, real_near, mini_near):
    """Returns true if two different replies are equal under a rule.

    The replies `near` are those to the commands sent before and after this one, which tell the
    encoding of its keys or the whole population of a random pick.
    """
    if real == NOT_NUMBERS and words[0].upper().startswith(b"SORT"):
        return not is_error(mini)
    if is_error(real) or is_error(mini) or head(real) != head(mini):
        return False
    if [word.upper() for word in words[:2]] == [b"OBJECT", b"REFCOUNT"]:
        return (real, mini) == UNSHARED_COPY
    one, other = parse(real), parse(mini)
    if (one is None) != (other is None):
        return False
    if rule == "time":
        return close(words[0].upper(), one, other)
    if rule in ("elements", "pairs"):
        return is_unordered(words, one, real_near) and arranged(rule, one) == arranged(rule, other)
    if rule == "drawn":
        return drawn_from(words, one, real_near[0]) and drawn_from(words, other, mini_near[0])
    if rule == "exec":
        return deeply_sorted(one) == deeply_sorted(other)
    return rule == "shape" or (rule == "sort" and is_unordered(words, one, real_near))


def is_unordered(words, items, encodings):
    """Returns true if Redis guarantees no order: hash tables are involved, or the keys are unknown.

    SUNION and SDIFF collect into a set of their own, which is an intset only while it is small.
    """
    if not encodings or b"hashtable" in map(parse, encodings):
        return True
    return words[0].upper() in (b"SUNION", b"SDIFF") and len(items) > 4


def close(name, one, other):
    if None in (one, other):
        return False
    one, other = int(one), int(other)
    return min(one, other) >= 0 and abs(one - other) <= TOLERANCE[name]


def arranged(rule, items):
    if not isinstance(items, list):
        return items
    if rule == "elements":
        return sorted(items)
    return sorted(zip(items[::2], items[1::2]))


def deeply_sorted(value):
    if isinstance(value, list):
        return sorted((deeply_sorted(item) for item in value), key=repr)
    return value


def leaves(value):
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def drawn_from(words, drawn, population):
    """Random picks must be members, and distinct ones when the count is positive."""
    if not set(leaves(drawn)) <= set(leaves(parse(population))) | {None}:
        return False
    is_count = len(words) == 3 and words[2].isdigit()
    return not is_count or len(drawn) == len(set(drawn))
