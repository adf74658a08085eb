"""A client on a raw socket, and servers that a check starts by itself.

    with server("--maxmemory", "100mb") as port:
        client = Client(port)
        equal(client("SET", "k", "v"), "OK")
"""

import contextlib
import itertools
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import time


class Failed(str):
    """An error reply."""


class Client:
    """Sends a request and returns its reply: str, int, None, list, dict or Failed."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=10)
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        self.send(*words)
        return self.read()

    def send(self, *words):
        self.socket.sendall(encoded(words))

    def pipeline(self, requests):
        """Sends all requests at once and returns their replies."""
        self.socket.sendall(b"".join(map(encoded, requests)))
        return [self.read() for _ in requests]

    def read(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2].decode("latin-1")
        if kind == b"+":
            return rest
        if kind == b"-":
            return Failed(rest)
        if kind == b":":
            return int(rest)
        if kind == b"_" or rest == "-1":
            return None
        if kind in b"$=":
            return self.file.read(int(rest) + 2)[:-2].decode("latin-1")
        if kind in b"*>~":
            return [self.read() for _ in range(int(rest))]
        if kind == b"%":
            return {self.read(): self.read() for _ in range(int(rest))}
        raise ValueError(f"unknown reply {line!r}")

    def close(self):
        self.file.close()
        self.socket.close()

    def info(self, section="everything"):
        """INFO as a dict."""
        rows = self("INFO", section).splitlines()
        return dict(row.split(":", 1) for row in rows if ":" in row)

    def listed(self, number=None):
        """A line of CLIENT LIST as a dict: that of this client, unless another's id is given."""
        line = self("CLIENT", "INFO") if number is None else self("CLIENT", "LIST", "ID", str(number))
        return dict(word.split("=", 1) for word in line.split())


def encoded(words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


class Server:
    """A running server: its process, port, folder and the text it has written."""

    def __init__(self, process, port, folder, log):
        self.process, self.port, self.folder, self.log = process, port, folder, log

    def output(self):
        with open(self.log) as file:
            return file.read()

    def resident(self):
        """Bytes of its memory that are in RAM."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def launch(folder, *arguments, text=None, environment={}):
    """Starts the program under test in `folder`; `text` becomes its configuration file."""
    command = shlex.split(os.environ["PROGRAM"])
    if text is not None:
        path = os.path.join(folder, "test.conf")
        with open(path, "w") as file:
            file.write(text)
        command.append(path)
    log = os.path.join(folder, "output")
    with open(log, "w") as output:
        process = subprocess.Popen(
            command + list(arguments), cwd=folder, stdout=output, stderr=output,
            env={**os.environ, **environment},
        )
    return process, log


@contextlib.contextmanager
def server(*arguments, text=None):
    """Starts a server on a free port, and stops it at the end."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        given = ["--port", str(port), "--save", "", *arguments]
        process, log = launch(folder, *given, text=text)
        try:
            eventually(lambda: accepts(port) or process.poll() is not None)
            assert process.poll() is None, open(log).read()
            yield Server(process, port, folder, log)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def accepts(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    return False


# Below the ports that the system gives to clients, so that no connection takes one before the server
# does; from a place of this process, since others take theirs meanwhile.
PORTS = (10_000 + (os.getpid() * 64 + i) % 20_000 for i in itertools.count())


def free_port():
    """A port of 127.0.0.1 on which nothing listens and which no other call gets."""
    for port in PORTS:
        try:
            socket.create_server(("127.0.0.1", port)).close()
            return port
        except OSError:
            continue


def equal(got, want):
    """Fails with both values unless they are equal."""
    assert got == want, f"got {got!r:.300}, want {want!r:.300}"


def fails(got, text):
    """Fails unless `got` is an error that contains `text`."""
    assert isinstance(got, Failed) and text in got, f"got {got!r:.300}, want the error {text!r}"


def eventually(condition, seconds=10):
    """Waits until the condition holds; fails when it has not after some seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not true after {seconds} seconds"
        time.sleep(0.01)
