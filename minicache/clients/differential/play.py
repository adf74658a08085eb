"""Replays a sequence on both servers, up to the first difference.

The commands of one connection are sent as one pipeline, and their replies are compared in order. A
step that needs a wait or a reply first ends the batch: a pause, a blocked client, a cursor.
"""

import time
from dataclasses import dataclass

from differential.replies import Connection, Gone, agree, encode, encode_inline, is_error, parse
from differential.steps import CONNECTIONS, LIMITS, LISTENER, Block, Hear, Pause, Scan, Send

LARGEST_BATCH = 40


@dataclass
class Difference(Exception):
    """Two replies that should be the same."""

    action: object
    real: bytes
    mini: bytes

    @property
    def name(self):
        words = getattr(self.action, "words", None) or getattr(self.action, "before", [b"heard"])
        return words[0].upper()

    def __str__(self):
        pairs = enumerate(zip(self.real, self.mini))
        first = next((at for at, (one, other) in pairs if one != other), 0)
        start = max(first - 100, 0)
        replies = (reply[start : start + 400] for reply in (self.real, self.mini))
        real, mini = (repr(reply)[2:-1] for reply in replies)
        part = f" (from byte {start})" if start else ""
        return f"  in reply to {self.action}{part}\n    redis:     {real}\n    minicache: {mini}"


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
        self.connections[0].ask("CONFIG", "SET", "notify-keyspace-events", "")
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
    data = b"".join((encode_inline if send.inline else encode)(send.words) for send in batch)
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
        real, mini = (got[at] if at < len(got) else b"(nothing)" for got in replies)
        if real != mini:
            near = [nearby(got, at, send.near) for got in replies]
            if not agree(send.rule, send.words, real, mini, *near):
                raise Difference(send, real, mini)


def nearby(replies, at, offsets):
    return [replies[at + offset] for offset in offsets if at + offset < len(replies)]


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
    commands = [*block.writes, [b"CLIENT", b"UNBLOCK"], block.words]
    for words, real, mini in zip(commands, *replies):
        if real != mini and not agree("exec", words, real, mini, [], []):
            raise Difference(Send(LISTENER if words is block.words else 0, words), real, mini)


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
    heard = [everything_heard(stages[0], hear, 0)]
    heard.append(everything_heard(stages[1], hear, len(heard[0])))
    if hear.words == [b"UNSUBSCRIBE"]:
        heard = [[b"%d confirmations" % len(frames)] for frames in heard]
    if sorted(heard[0]) != sorted(heard[1]):
        raise Difference(hear, b" ".join(heard[0]), b" ".join(heard[1]))


def everything_heard(stage, hear, at_least):
    """What the listener gets before the reply to a marker; waits up to a second for enough."""
    listener, frames = stage.connections[hear.connection], []
    try:
        if hear.words:
            listener.send(encode(hear.words))
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
