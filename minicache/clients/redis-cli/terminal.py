"""redis-cli on a terminal, as a person uses it: a prompt, hints, HELP, pretty answers.

At its start redis-cli asks the server for COMMAND DOCS and builds HELP and the hints from that.
"""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

# What a person types, and what must be on the screen before the next prompt.
DIALOGUE = [
    ("ping", "PONG"),
    ("set k v", "OK"),
    ("get none", "(nil)"),
    ("rpush l a b", "(integer) 2"),
    ("lrange l 0 -1", '1) "a"\r\n2) "b"'),
    ("lpush m x", "key element [element ...]"),
    ("lpop k", "(error) WRONGTYPE Operation against a key"),
    ("help getex", "GETEX key"),
    ("help getex", "since: 6.2.0"),
    ("help @sorted-set", "ZADD key"),
    ("multi", "OK"),
    ("incr n", "QUEUED"),
    ("exec", "1) (integer) 1"),
    ("select 3", "OK"),
    ("dbsize", "(integer) 0"),
]


def main(host, port):
    child, screen = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm", HOME="/nonexistent")
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 50, 200, 0, 0))
        os.execvp("redis-cli", ["redis-cli", "-h", host, "-p", port])
    prompt = re.compile(rf"{re.escape(host)}:{port}(\[3\])?(\(TX\))?> $")
    await_screen(screen, "", prompt)
    for typed, want in DIALOGUE:
        os.write(screen, typed.encode() + b"\r")
        await_screen(screen, want, prompt)
    os.write(screen, b"quit\r")
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("redis-cli did not end well")


def await_screen(screen, want, prompt):
    """Reads until the wanted text has appeared and the prompt is the last thing on the screen."""
    text, deadline = "", time.monotonic() + 10
    while time.monotonic() < deadline:
        if select.select([screen], [], [], 0.1)[0]:
            text += os.read(screen, 65536).decode(errors="replace")
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
        if want in plain and prompt.search(plain):
            return
    sys.exit(f"no {want!r} before a prompt within ten seconds, the screen says:\n{text}")


main(*sys.argv[1:3])
