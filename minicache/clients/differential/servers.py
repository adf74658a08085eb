"""The two servers: already running, or started here."""

import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile


class Server:
    """A server that is already running, or one that is started here and stopped at the end."""

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
        # SAVE and BGSAVE write dump.rdb into the working directory: it must not be the repository.
        self.scratch = tempfile.TemporaryDirectory(prefix="differential-")
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment,
                                cwd=self.scratch.name)

    def became_ready(self, _ready):
        pass


class Minicache(Server):
    READY = r"minicache listening on (.*):(\d+)"

    def launch(self):
        root = pathlib.Path(__file__).resolve().parents[3]
        target = os.environ.get("CARGO_TARGET_DIR", root / "target")
        binary = os.environ.get("MINICACHE", f"{target}/release/minicache")
        if not os.access(binary, os.X_OK):
            sys.exit(f"{binary} is missing; get it with: cargo build --release -p minicache")
        command = [binary, "serve", "--listen", "127.0.0.1:0"]
        environment = {"RUST_LOG": "warn", **os.environ}
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    def became_ready(self, ready):
        self.address = (ready[1], int(ready[2]))
