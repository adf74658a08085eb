#!/usr/bin/env python3
"""A proxy that drops responses, for clients whose connections a test cannot replace.

    lossy.py BROKER_HOST BROKER_PORT NUMBER...

It prints the port that it listens on. It drops the response to the NUMBERth Produce request,
counted from 1, closes the connection, and prints "lost": the broker has appended the batch, but
the client cannot know. The proxy ends when its standard input ends.

A broker tells its clients the address to connect to. In every version of every response the port
follows the host as four bytes, so the proxy can replace it with its own without decoding.
"""

import socket
import sys
import threading

PRODUCE = 0


class Lossy:
    """A running proxy. `address` is where it listens, `lost` counts the responses it has dropped."""

    def __init__(self, broker, numbers, on_loss=lambda: None):
        host, port = broker.split(":")
        self.broker = (host, int(port))
        self.numbers = set(numbers)
        self.on_loss = on_loss
        self.lost = 0
        self.produced = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        own_port = self.listener.getsockname()[1]
        self.address = f"127.0.0.1:{own_port}"
        self.told = b"".join([host.encode(), int(port).to_bytes(4, "big")])
        self.instead = b"".join([host.encode(), own_port.to_bytes(4, "big")])
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            broker = socket.create_connection(self.broker)
            doomed = set()  # Correlation ids of this connection whose responses are to be lost.
            for function in [self._requests, self._responses]:
                threading.Thread(target=function, args=(client, broker, doomed), daemon=True).start()

    def _requests(self, client, broker, doomed):
        for frame in frames(client):
            if int.from_bytes(frame[4:6], "big") == PRODUCE:
                with self.lock:
                    self.produced += 1
                    if self.produced in self.numbers:
                        doomed.add(frame[8:12])
            if not send(broker, frame):
                break
        close(client, broker)

    def _responses(self, client, broker, doomed):
        for frame in frames(broker):
            if frame[4:8] in doomed:
                with self.lock:
                    self.lost += 1
                self.on_loss()
                break
            if not send(client, frame.replace(self.told, self.instead)):
                break
        close(client, broker)


def frames(source):
    """The frames that arrive, each prefixed with its size, until the connection ends."""
    stream = source.makefile("rb")
    try:
        while len(size := stream.read(4)) == 4:
            yield size + stream.read(int.from_bytes(size, "big"))
    except OSError:
        return


def send(to, frame):
    """Sends a frame. Returns False if the connection has ended."""
    try:
        to.sendall(frame)
        return True
    except OSError:
        return False


def close(*sockets):
    """Ends connections, even while another thread reads from them."""
    for it in sockets:
        try:
            it.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


if __name__ == "__main__":
    broker = ":".join(sys.argv[1:3])
    proxy = Lossy(broker, map(int, sys.argv[3:]), lambda: print("lost", flush=True))
    print(proxy.address.rsplit(":", 1)[1], flush=True)
    sys.stdin.read()
